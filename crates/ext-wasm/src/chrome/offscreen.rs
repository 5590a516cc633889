//! `chrome.offscreen`: the document without a window. There can be one.

use js_sys::{Array, Object, Promise};
use wasm_bindgen::prelude::*;

use super::{ApiError, array, object, settled};

/// Whether the document is there.
pub async fn exists() -> Result<bool, ApiError> {
    let filter = object(&[("contextTypes", array(&["OFFSCREEN_DOCUMENT"]))]);
    let found = settled(raw_contexts(&filter)).await?;
    Ok(Array::from(&found).length() > 0)
}

/// Opens the document and waits until it is loaded. Errors if it is there already.
pub async fn create(url: &str, reasons: &[&str], justification: &str) -> Result<(), ApiError> {
    let parameters = object(&[
        ("url", url.into()),
        ("reasons", array(reasons)),
        ("justification", justification.into()),
    ]);
    settled(raw_create(&parameters)).await?;
    Ok(())
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["chrome", "runtime"], js_name = getContexts)]
    fn raw_contexts(filter: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "offscreen"], js_name = createDocument)]
    fn raw_create(parameters: &Object) -> Result<Promise, JsValue>;
}
