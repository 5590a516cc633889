//! A received page, link or text.

use web_sys::HtmlElement;

use super::dom::{button, child, element, icon, icon_button, set_label, set_text, show};
use super::list::Row;
use crate::model::item::ItemModel;

/// See the module.
#[derive(Debug)]
pub struct ItemRow {
    root: HtmlElement,
    title: HtmlElement,
    host: HtmlElement,
    caption: HtmlElement,
    open: HtmlElement,
    copy: HtmlElement,
    dismiss: HtmlElement,
}

impl Row for ItemRow {
    type Model = ItemModel;

    fn same(a: &ItemModel, b: &ItemModel) -> bool {
        a.id == b.id
    }

    fn new(model: &ItemModel) -> Self {
        let id = model.id.0.to_string();
        let root = element("li", "card item");
        let head = child(&root, "div", "row");
        icon(&child(&head, "span", "badge"), model.icon);
        let words = child(&head, "div", "words");
        let title = child(&words, "bdi", "title excerpt");
        let host = child(&words, "bdi", "detail host");
        let caption = child(&words, "p", "detail");
        let dismiss = icon_button(&head, "button icon-button", "dismiss-item", &id);
        icon(&dismiss, "close");
        let actions = child(&root, "div", "actions");
        Self {
            open: button(&actions, "button", "open", &id, "open_button"),
            copy: button(&actions, "button", "copy", &id, "copy_button"),
            root,
            title,
            host,
            caption,
            dismiss,
        }
    }

    fn root(&self) -> &HtmlElement {
        &self.root
    }

    fn patch(&self, model: &ItemModel) {
        set_text(&self.title, &model.title);
        set_text(&self.host, model.host.as_deref().unwrap_or_default());
        show(&self.host, model.host.is_some());
        set_text(&self.caption, &model.caption);
        show(&self.open, model.url.is_some());
        set_label(&self.open, &model.open);
        set_label(&self.copy, &model.copy);
        set_label(&self.dismiss, &model.dismiss);
    }
}
