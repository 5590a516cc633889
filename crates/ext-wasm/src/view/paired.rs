//! A paired device with what can be changed about it.

use js_sys::{Date, JsString};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlElement, HtmlInputElement, HtmlSelectElement};

use super::dom::{self, button, child, element, icon, set, set_icon, set_label, set_text};
use super::list::Row;
use crate::chrome::i18n;
use crate::model::paired::{PairedModel, limit_words};

/// See the module.
#[derive(Debug)]
pub struct PairedRow {
    root: HtmlElement,
    icon: Element,
    name: HtmlInputElement,
    dates: HtmlElement,
    id: HtmlElement,
    files: HtmlSelectElement,
    links: HtmlInputElement,
    texts: HtmlInputElement,
    remove: HtmlElement,
}

impl Row for PairedRow {
    type Model = PairedModel;

    fn same(a: &PairedModel, b: &PairedModel) -> bool {
        a.id == b.id
    }

    fn new(model: &PairedModel) -> Self {
        let id = model.id.to_string();
        let root = element("li", "entry");
        let head = child(&root, "div", "row");
        let badge = child(&head, "span", "badge");
        let icon = icon(&badge, model.icon);
        let name: HtmlInputElement = child(&head, "input", "words").unchecked_into();
        set(&name, "type", "text");
        set(&name, "autocomplete", "off");
        set(&name, "data-rename", &id);
        let remove = button(&head, "button", "unpair", &id, "paired_remove_button");
        let dates = child(&root, "p", "detail");
        let spelled = child(&root, "p", "detail id");
        let label = child(&root, "label", "row choice");
        let words = child(&label, "span", "words");
        set_text(&words, &i18n::message("paired_files", &[]));
        let files: HtmlSelectElement = child(&label, "select", "").unchecked_into();
        set(&files, "data-files", &id);
        for (index, words) in limit_words(&i18n::message).iter().enumerate() {
            let option = child(&files, "option", "");
            set(&option, "value", &index.to_string());
            set_text(&option, words);
        }
        let checkbox = |attribute, key| {
            let label = child(&root, "label", "choice");
            let field: HtmlInputElement = child(&label, "input", "").unchecked_into();
            set(&field, "type", "checkbox");
            set(&field, attribute, &id);
            set(&field, "aria-describedby", "paired-limits");
            set_text(&child(&label, "span", ""), &i18n::message(key, &[]));
            field
        };
        let links = checkbox("data-links", "paired_links");
        let texts = checkbox("data-texts", "paired_texts");
        Self {
            icon,
            name,
            dates,
            id: spelled,
            files,
            links,
            texts,
            remove,
            root,
        }
    }

    fn root(&self) -> &HtmlElement {
        &self.root
    }

    fn patch(&self, model: &PairedModel) {
        let words = &i18n::message;
        let name = model.name.as_str();
        set_icon(&self.icon, model.icon);
        // What is being typed stays.
        let typing = dom::document().active_element();
        if typing.as_ref() != Some(self.name.unchecked_ref()) {
            self.name.set_value(name);
        }
        set_label(&self.name, &words("paired_name", &[name]));
        set_label(&self.remove, &words("paired_remove", &[name]));
        set_label(&self.files, &words("paired_files_from", &[name]));
        set_label(&self.links, &words("paired_links_of", &[name]));
        set_label(&self.texts, &words("paired_texts_of", &[name]));
        let dates = [date(model.since), date(model.last_seen)];
        set_text(&self.dates, &words("paired_dates", &[&dates[0], &dates[1]]));
        set_text(&self.id, &words("paired_id", &[&model.spelled]));
        self.files.set_value(&model.limit.to_string());
        self.links.set_checked(model.links);
        self.texts.set_checked(model.texts);
    }
}

/// A date in the browser's language.
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 are far below 2^53"
)]
fn date(seconds: u64) -> String {
    let date = Date::new(&JsValue::from_f64(seconds as f64 * 1000.0));
    let text: JsString = date.to_locale_date_string("default", &JsValue::UNDEFINED);
    text.into()
}
