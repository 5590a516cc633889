//! `chrome.permissions`: what a person can allow later.

use js_sys::{Object, Promise};
use wasm_bindgen::prelude::*;

use super::{ApiError, array, object, settled};

/// Has the browser ask a person to allow an API, unless it is allowed already. Only right after a click: call it before
/// anything is awaited.
pub fn request(api: &str) -> impl Future<Output = Result<bool, ApiError>> {
    let asked = raw_request(&object(&[("permissions", array(&[api]))]));
    async { Ok(settled(asked).await?.is_truthy()) }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["chrome", "permissions"], js_name = request)]
    fn raw_request(permissions: &Object) -> Result<Promise, JsValue>;
}
