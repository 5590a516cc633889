//! A page in the popup that leads through something step by step: a card with what is to be done now and the buttons for
//! it. Knows the card's elements, not what the steps are.

use web_sys::{Element, HtmlElement};

use crate::view::dom::{self, by_id, child, focus, set, set_text};

/// Where a person comes from, and goes back to.
const POPUP: &str = "popup.html";

/// Shows what is to be done, or what has come of it, and how it stands: `good`, `bad` or empty. A new heading is a new
/// step: that is where reading begins.
pub fn say(heading: &str, explanation: &str, state: &str) {
    let element: Element = by_id("heading");
    let is_new = element.text_content().as_deref() != Some(heading);
    set_text(&element, heading);
    set_text(&by_id("explanation"), explanation);
    set(&by_id("step"), "data-state", state);
    if is_new {
        focus(&element);
    }
}

/// Takes the buttons below away.
pub fn clear_actions() {
    set_text(&by_id("actions"), "");
}

/// A new button behind the others below.
pub fn add_action(words: &str, is_primary: bool) -> HtmlElement {
    let class = if is_primary {
        "button primary"
    } else {
        "button"
    };
    let button = child(&by_id("actions"), "button", class);
    set(&button, "type", "button");
    set_text(&button, words);
    button
}

/// Goes back to the popup.
pub fn leave() {
    // Fails for no address of our own.
    let _ = dom::window().location().replace(POPUP);
}
