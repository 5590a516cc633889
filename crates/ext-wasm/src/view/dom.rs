//! The few things that pages do with their document. What can't fail here is bound as such: every binding of `web-sys`
//! that throws takes its own error handling along, and a popup loads anew at every click.

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

/// The element with this id, which the page's html holds: html and program come together.
pub fn by_id<T: JsCast>(id: &str) -> T {
    raw_by_id(id).unchecked_into()
}

/// A new element.
pub fn element(tag: &str, class: &str) -> HtmlElement {
    let element = raw_create(tag);
    element.set_class_name(class);
    element
}

/// A new element as the last one in another.
pub fn child(parent: &Element, tag: &str, class: &str) -> HtmlElement {
    let element = element(tag, class);
    append(parent, &element);
    element
}

/// Puts an element behind the others in its parent.
pub fn append(parent: &Element, child: &Element) {
    raw(parent).insert_before(child, None);
}

/// Puts an element into a parent, before another one there.
pub fn insert(parent: &Element, child: &Element, before: Option<&Element>) {
    raw(parent).insert_before(child, before);
}

/// Shows a text, if it is another than before: a live region would say it again.
pub fn set_text(element: &Element, text: &str) {
    if element.text_content().as_deref() != Some(text) {
        element.set_text_content(Some(text));
    }
}

/// Sets an attribute, if it is another than before: the browser would load an icon again for the same address.
pub fn set(element: &Element, name: &str, value: &str) {
    if element.get_attribute(name).as_deref() != Some(value) {
        raw(element).set_attribute(name, value);
    }
}

/// Sets an attribute without a value, or takes it away.
pub fn flag(element: &Element, name: &str, on: bool) {
    raw(element).toggle_attribute(name, on);
}

/// Shows or hides an element.
pub fn show(element: &Element, shown: bool) {
    flag(element, "hidden", !shown);
}

/// Gives an element the focus, if it can have it.
pub fn focus(element: &Element) {
    raw(element).focus();
}

/// Takes the focus out of an element that is about to go, to a heading: otherwise keyboard and screen reader fall back to
/// the top of the page.
pub fn leave(element: &Element, heading: &Element) {
    let focused = document().active_element();
    if element.contains(focused.as_deref()) {
        focus(heading);
    }
}

/// A new icon from `icons/symbols.svg`, which says nothing to a screen reader.
pub fn icon(parent: &Element, name: &str) -> Element {
    const SVG: &str = "http://www.w3.org/2000/svg";
    let svg = raw_create_ns(SVG, "svg");
    set(&svg, "class", "icon");
    set(&svg, "aria-hidden", "true");
    append(&svg, &raw_create_ns(SVG, "use"));
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

/// A new button like [`button`], whose look will be an icon and whose name is set by [`set_label`].
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
        raw(&target).add_event_listener(kind, closure.as_ref());
        Self {
            target,
            kind,
            closure,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        raw(&self.target).remove_event_listener(self.kind, self.closure.as_ref());
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

fn raw<T: JsCast>(target: &T) -> &Raw {
    target.unchecked_ref()
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = document, js_name = getElementById)]
    fn raw_by_id(id: &str) -> JsValue;
    #[wasm_bindgen(js_namespace = document, js_name = createElement)]
    fn raw_create(tag: &str) -> HtmlElement;
    #[wasm_bindgen(js_namespace = document, js_name = createElementNS)]
    fn raw_create_ns(namespace: &str, tag: &str) -> Element;

    type Raw;
    #[wasm_bindgen(method, js_name = insertBefore)]
    fn insert_before(this: &Raw, child: &Element, before: Option<&Element>);
    #[wasm_bindgen(method, js_name = setAttribute)]
    fn set_attribute(this: &Raw, name: &str, value: &str);
    #[wasm_bindgen(method, js_name = toggleAttribute)]
    fn toggle_attribute(this: &Raw, name: &str, on: bool);
    #[wasm_bindgen(method)]
    fn focus(this: &Raw);
    #[wasm_bindgen(method, js_name = addEventListener)]
    fn add_event_listener(this: &Raw, kind: &str, listener: &JsValue);
    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn remove_event_listener(this: &Raw, kind: &str, listener: &JsValue);
}
