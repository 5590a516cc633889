//! A device with its buttons.

use web_sys::{Element, HtmlElement};

use super::dom::{button, child, element, icon, insert, set, set_icon, set_label, set_text, show};
use super::list::Row;
use super::paired_mark::paired_mark;
use crate::chrome::i18n;
use crate::model::device::DeviceModel;

/// See the module.
#[derive(Debug)]
pub struct DeviceRow {
    root: HtmlElement,
    icon: Element,
    kind: HtmlElement,
    name: HtmlElement,
    paired: HtmlElement,
    pair: HtmlElement,
    page: HtmlElement,
    files: HtmlElement,
    text: HtmlElement,
}

impl Row for DeviceRow {
    type Model = DeviceModel;

    fn same(a: &DeviceModel, b: &DeviceModel) -> bool {
        a.id == b.id
    }

    fn new(model: &DeviceModel) -> Self {
        let id = model.id.to_string();
        let root = element("li", "card device");
        set(&root, "data-device", &id);
        let head = child(&root, "div", "row");
        let badge = child(&head, "span", "badge");
        let icon_element = icon(&badge, model.icon);
        let kind = child(&badge, "span", "visually-hidden");
        let name = child(&head, "bdi", "device-name words");
        let paired = paired_mark(&head);
        let pair = child(&head, "a", "button");
        set(&pair, "href", &["pair.html?with=", &id].concat());
        set_text(&pair, &i18n::message("pair_button", &[]));
        let actions = child(&root, "div", "actions");
        let action = |name, symbol, key| {
            let button = button(&actions, "button", name, &id, key);
            let icon = icon(&button, symbol);
            insert(&button, &icon, button.first_element_child().as_ref());
            button
        };
        Self {
            page: action("send-page", "page", "send_page_button"),
            files: action("send-files", "files", "send_files_button"),
            text: action("send-text", "text", "send_text_button"),
            icon: icon_element,
            root,
            kind,
            name,
            paired,
            pair,
        }
    }

    fn root(&self) -> &HtmlElement {
        &self.root
    }

    fn patch(&self, model: &DeviceModel) {
        set_icon(&self.icon, model.icon);
        set_text(&self.kind, &model.kind);
        set_text(&self.name, &model.name);
        show(&self.paired, model.paired);
        show(&self.pair, !model.paired);
        set_label(&self.pair, &model.pair);
        set_label(&self.page, &model.send_page);
        set_label(&self.files, &model.send_files);
        set_label(&self.text, &model.send_text);
    }
}
