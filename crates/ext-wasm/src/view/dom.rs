//! The few things that pages do with their document.

use core::fmt;

use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, Event, EventTarget, HtmlElement, Window};

use crate::chrome::i18n;

/// The page's window.
pub fn window() -> Window {
    js_sys::global().unchecked_into()
}

/// The page's document.
#[expect(clippy::expect_used, reason = "pages have a document")]
pub fn document() -> Document {
    window().document().expect("a page")
}

/// The element with this id, which the page's html holds.
///
/// # Panics
/// If it doesn't.
#[expect(clippy::expect_used, reason = "the html and the program come together")]
pub fn by_id<T: JsCast>(id: &str) -> T {
    let element = document().get_element_by_id(id);
    element.expect("an element of the page").unchecked_into()
}

/// A new element.
#[expect(
    clippy::expect_used,
    reason = "only bad names fail, and these are ours"
)]
pub fn element(tag: &str, class: &str) -> HtmlElement {
    let element = document().create_element(tag).expect("a tag");
    element.set_class_name(class);
    element.unchecked_into()
}

/// A new element as the last one in another.
pub fn child(parent: &Element, tag: &str, class: &str) -> HtmlElement {
    let element = element(tag, class);
    append(parent, &element);
    element
}

/// Puts an element behind the others in its parent.
pub fn append(parent: &Element, child: &Element) {
    // Fails only for a parent inside its own child.
    let _ = parent.append_child(child);
}

/// Shows a text, if it is another than before: a live region would say it again.
pub fn set_text(element: &Element, text: &str) {
    if element.text_content().as_deref() != Some(text) {
        element.set_text_content(Some(text));
    }
}

/// Sets an attribute.
pub fn set(element: &Element, name: &str, value: &str) {
    // Fails only for bad names, and these are ours.
    let _ = element.set_attribute(name, value);
}

/// Shows or hides an element.
pub fn show(element: &Element, shown: bool) {
    let _ = element.toggle_attribute_with_force("hidden", !shown);
}

/// A new icon from `icons/symbols.svg`, which says nothing to a screen reader.
#[expect(
    clippy::expect_used,
    reason = "only bad names fail, and these are ours"
)]
pub fn icon(parent: &Element, name: &str) -> Element {
    const SVG: &str = "http://www.w3.org/2000/svg";
    let svg = document()
        .create_element_ns(Some(SVG), "svg")
        .expect("a tag");
    let symbol = document()
        .create_element_ns(Some(SVG), "use")
        .expect("a tag");
    set(&svg, "class", "icon");
    set(&svg, "aria-hidden", "true");
    append(&svg, &symbol);
    append(parent, &svg);
    set_icon(&svg, name);
    svg
}

/// Changes an icon.
pub fn set_icon(icon: &Element, name: &str) {
    if let Some(symbol) = icon.first_element_child() {
        set(&symbol, "href", &["icons/symbols.svg#", name].concat());
    }
}

/// A new button that means `click` about `id`, see [`Click`](crate::page::click::Click). Its words are the message
/// `key`.
pub fn button(parent: &Element, class: &str, click: &str, id: &str, key: &str) -> HtmlElement {
    let button = icon_button(parent, class, click, id);
    child(&button, "span", "").set_text_content(Some(&i18n::message(key, &[])));
    button
}

/// A new button like [`button`], whose icon is its look and whose name is set by [`set_label`].
pub fn icon_button(parent: &Element, class: &str, click: &str, id: &str) -> HtmlElement {
    let button = child(parent, "button", class);
    set(&button, "type", "button");
    set(&button, "data-click", click);
    set(&button, "data-id", id);
    button
}

/// Gives an element its accessible name.
pub fn set_label(element: &Element, name: &str) {
    set(element, "aria-label", name);
}

/// Puts the browser's language in the place of the English that the page is written in.
pub fn localize() {
    let Ok(elements) = document().query_selector_all("[data-i18n]") else {
        return;
    };
    for index in 0..elements.length() {
        if let Some(element) = elements
            .get(index)
            .and_then(|node| node.dyn_into::<Element>().ok())
            && let Some(key) = element.get_attribute("data-i18n")
        {
            set_text(&element, &i18n::message(&key, &[]));
        }
    }
}

/// Hears an event for as long as it lives.
pub struct Listener {
    target: EventTarget,
    kind: &'static str,
    closure: Closure<dyn FnMut(Event)>,
}

impl Listener {
    /// Calls `handle` for every event of this kind.
    pub fn new(
        target: &EventTarget,
        kind: &'static str,
        handle: impl FnMut(Event) + 'static,
    ) -> Self {
        let closure = Closure::new(handle);
        let target = target.clone();
        // Fails only for an invalid listener.
        let _ = target.add_event_listener_with_callback(kind, closure.as_ref().unchecked_ref());
        Self {
            target,
            kind,
            closure,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let function = self.closure.as_ref().unchecked_ref();
        let _ = self
            .target
            .remove_event_listener_with_callback(self.kind, function);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
