//! The mark of a paired device, which no other device can show: it stands beside what a device may say.

use web_sys::{Element, HtmlElement};

use super::dom::{child, icon, set_text};
use crate::chrome::i18n;

/// A new mark, to be shown where it is true.
pub(super) fn paired_mark(parent: &Element) -> HtmlElement {
    let mark = child(parent, "span", "paired");
    icon(&mark, "paired");
    let words = i18n::message("paired_mark", &[]);
    set_text(&child(&mark, "span", ""), &words);
    mark
}
