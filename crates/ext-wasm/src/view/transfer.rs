//! A transfer with its bar and buttons.

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlProgressElement};

use super::dom::{
    button, child, element, flag, icon, icon_button, insert, set, set_icon, set_label, set_text,
    show,
};
use super::list::Row;
use crate::model::name::ShownName;
use crate::model::transfer::{Progress, TransferModel};

/// See the module.
#[derive(Debug)]
pub struct TransferRow {
    root: HtmlElement,
    icon: Element,
    title: HtmlElement,
    device: HtmlElement,
    bar: HtmlProgressElement,
    detail: HtmlElement,
    advice: HtmlElement,
    show: HtmlElement,
    hold: HtmlElement,
    hold_icon: Element,
    cancel: HtmlElement,
    dismiss: HtmlElement,
}

impl Row for TransferRow {
    type Model = TransferModel;

    fn same(a: &TransferModel, b: &TransferModel) -> bool {
        a.id == b.id
    }

    fn new(model: &TransferModel) -> Self {
        let id = model.id.0.to_string();
        let root = element("li", "card transfer");
        let head = child(&root, "div", "row");
        let badge = child(&head, "span", "badge");
        let icon_element = icon(&badge, model.icon);
        let words = child(&head, "div", "words");
        let title = child(&words, "p", "name title");
        let device = child(&words, "p", "detail");
        let hold = icon_button(&head, "button icon-button", "pause", &id);
        let hold_icon = icon(&hold, "pause");
        let cancel = icon_button(&head, "button icon-button", "cancel", &id);
        icon(&cancel, "close");
        let dismiss = icon_button(&head, "button icon-button", "dismiss", &id);
        icon(&dismiss, "close");
        let bar = child(&root, "progress", "");
        let detail = child(&root, "p", "detail state");
        let advice = child(&root, "p", "detail");
        let show = button(&root, "button", "show", "", "show_button");
        let folder = icon(&show, "folder");
        insert(&show, &folder, show.first_element_child().as_ref());
        Self {
            root,
            icon: icon_element,
            title,
            device,
            bar: bar.unchecked_into(),
            detail,
            advice,
            show,
            hold,
            hold_icon,
            cancel,
            dismiss,
        }
    }

    fn root(&self) -> &HtmlElement {
        &self.root
    }

    fn patch(&self, model: &TransferModel) {
        set(&self.root, "data-state", model.state);
        set_icon(&self.icon, model.icon);
        name(&self.title, &model.title);
        set_text(&self.device, &model.device);
        set_label(&self.bar, &model.title.full());
        match model.progress {
            Some(Progress::Part(part)) => self.bar.set_value(part),
            // Takes the value away.
            _ => flag(&self.bar, "value", false),
        }
        show(&self.bar, model.progress.is_some());
        set_text(&self.detail, &model.detail);
        set_text(&self.advice, model.advice.as_deref().unwrap_or_default());
        show(&self.advice, model.advice.is_some());
        named(
            &self.hold,
            model.hold.as_ref().map(|hold| hold.name.as_str()),
        );
        if let Some(hold) = &model.hold {
            set(&self.hold, "data-click", hold.click);
            set_icon(&self.hold_icon, hold.click);
        }
        named(&self.cancel, model.cancel.as_deref());
        named(&self.dismiss, model.dismiss.as_deref());
        named(
            &self.show,
            model.show.as_ref().map(|file| file.name.as_str()),
        );
        if let Some(file) = &model.show {
            set(&self.show, "data-click", file.click);
            set(&self.show, "data-id", &file.id.to_string());
        }
    }
}

/// Shows a button under its accessible name, or hides it.
fn named(button: &Element, label: Option<&str>) {
    show(button, label.is_some());
    set_label(button, label.unwrap_or_default());
}

/// Shows a name in two parts that can't be taken for one another, whatever direction their letters run in.
pub fn name(parent: &Element, shown: &ShownName) {
    if parent.text_content() == Some(shown.full()) {
        return;
    }
    parent.set_text_content(None);
    child(parent, "bdi", "stem").set_text_content(Some(&shown.stem));
    child(parent, "bdi", "extension").set_text_content(Some(&shown.extension));
    set(parent, "title", &shown.full());
}
