//! Lines on the console, for whoever looks for a fault. They hold no addresses, names or contents of files.

use core::fmt::Display;

use wasm_bindgen::JsValue;

/// Something failed that the program goes on without.
pub(crate) fn warn(what: &str, why: impl Display) {
    web_sys::console::warn_1(&JsValue::from(format!("{what}: {why}")));
}

/// The same, for what the browser threw.
pub(crate) fn warn_js(what: &str, thrown: &JsValue) {
    web_sys::console::warn_2(&JsValue::from(what), thrown);
}
