//! A proposal with Accept and Decline.

use web_sys::HtmlElement;

use super::dom::{button, child, element, set_label, set_text, show};
use super::list::Row;
use super::paired_mark::paired_mark;
use super::transfer::name;
use crate::model::proposal::ProposalModel;

/// See the module.
#[derive(Debug)]
pub struct ProposalRow {
    root: HtmlElement,
    paired: HtmlElement,
    title: HtmlElement,
    names: HtmlElement,
    more: HtmlElement,
    warning: HtmlElement,
    size: HtmlElement,
    accept: HtmlElement,
    decline: HtmlElement,
}

impl Row for ProposalRow {
    type Model = ProposalModel;

    fn same(a: &ProposalModel, b: &ProposalModel) -> bool {
        a.id == b.id
    }

    fn new(model: &ProposalModel) -> Self {
        let id = model.id.0.to_string();
        let root = element("li", "card proposal");
        let paired = paired_mark(&root);
        let title = child(&root, "p", "title");
        let names = child(&root, "div", "names");
        let more = child(&root, "p", "detail");
        let warning = child(&root, "p", "warning");
        let size = child(&root, "p", "detail");
        let actions = child(&root, "div", "actions");
        Self {
            decline: button(&actions, "button", "decline", &id, "decline_button"),
            accept: button(&actions, "button primary", "accept", &id, "accept_button"),
            root,
            paired,
            title,
            names,
            more,
            warning,
            size,
        }
    }

    fn root(&self) -> &HtmlElement {
        &self.root
    }

    fn patch(&self, model: &ProposalModel) {
        show(&self.paired, model.paired);
        set_text(&self.title, &model.title);
        set_text(&self.names, "");
        for shown in &model.names {
            name(&child(&self.names, "p", "name"), shown);
        }
        show(&self.more, model.more.is_some());
        set_text(&self.more, model.more.as_deref().unwrap_or_default());
        show(&self.warning, model.warning.is_some());
        set_text(&self.warning, model.warning.as_deref().unwrap_or_default());
        set_text(&self.size, &model.size);
        set_label(&self.accept, &model.accept);
        set_label(&self.decline, &model.decline);
    }
}
