//! A group with its code, which can be copied, and the way out of it.

use web_sys::HtmlElement;

use super::dom::{button, child, element, set_label, set_text};
use super::list::Row;
use crate::chrome::i18n;
use crate::model::group::GroupModel;

/// See the module.
#[derive(Debug)]
pub struct GroupRow {
    root: HtmlElement,
    state: HtmlElement,
}

impl Row for GroupRow {
    type Model = GroupModel;

    fn same(a: &GroupModel, b: &GroupModel) -> bool {
        a.code == b.code
    }

    fn new(model: &GroupModel) -> Self {
        let (id, spelled) = (String::from(model.code), model.code.spelled());
        let root = element("li", "entry row");
        let words = child(&root, "div", "words");
        set_text(&child(&words, "p", "code"), &spelled);
        let state = child(&words, "p", "detail");
        let copy = button(&root, "button", "copy", &id, "group_copy_button");
        set_label(&copy, &i18n::message("group_copy", &[&spelled]));
        let leave = button(&root, "button", "leave", &id, "group_leave_button");
        set_label(&leave, &i18n::message("group_leave", &[&spelled]));
        Self { root, state }
    }

    fn root(&self) -> &HtmlElement {
        &self.root
    }

    fn patch(&self, model: &GroupModel) {
        set_text(&self.state, &model.state);
    }
}
