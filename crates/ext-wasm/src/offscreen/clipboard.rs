//! A text onto the clipboard. `navigator.clipboard` wants a focused document, which this one never is; the old command
//! only wants a selection.

use wasm_bindgen::JsCast;
use web_sys::{HtmlDocument, HtmlTextAreaElement};

use super::log;

/// Puts a text on the clipboard.
pub(crate) fn copy(text: &str) {
    if try_copy(text).is_none() {
        log::warn("clipboard", "the browser did not copy");
    }
}

fn try_copy(text: &str) -> Option<()> {
    let document: HtmlDocument = web_sys::window()?.document()?.dyn_into().ok()?;
    let area: HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
    area.set_value(text);
    document.body()?.append_child(&area).ok()?;
    area.select();
    let copied = document.exec_command("copy").unwrap_or(false);
    area.remove();
    copied.then_some(())
}
