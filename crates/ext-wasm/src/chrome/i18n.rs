//! `chrome.i18n`: the words that a person reads. Not there in the offscreen document.

use wasm_bindgen::prelude::*;

use super::array;

/// The message of `_locales` with this key, its `$1`, `$2`, … replaced. Empty if there is none.
pub fn message(key: &str, substitutions: &[&str]) -> String {
    raw_message(key, &array(substitutions))
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = ["chrome", "i18n"], js_name = getMessage)]
    fn raw_message(key: &str, substitutions: &JsValue) -> String;
}
