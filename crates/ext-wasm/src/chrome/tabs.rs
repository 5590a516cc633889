//! `chrome.tabs`: what needs no permission of it.

use js_sys::{Array, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

use super::{ApiError, object, settled};

/// A tab as far as the browser lets us see it: nothing before a click on the extension has opened it to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab {
    /// Where it is.
    pub url: Option<String>,
    /// What its page calls itself.
    pub title: Option<String>,
}

/// Opens a tab in front.
pub async fn open(url: &str) -> Result<(), ApiError> {
    settled(raw_create(&object(&[("url", url.into())]))).await?;
    Ok(())
}

/// The tab in front of the window in front, if there is one.
pub async fn active() -> Result<Option<Tab>, ApiError> {
    let query = object(&[("active", true.into()), ("currentWindow", true.into())]);
    let found = settled(raw_query(&query)).await?;
    let tab = Array::from(&found).get(0);
    if tab.is_undefined() {
        return Ok(None);
    }
    let field = |name: &str| Reflect::get(&tab, &name.into()).map(|text| text.as_string());
    Ok(Some(Tab {
        url: field("url")?,
        title: field("title")?,
    }))
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["chrome", "tabs"], js_name = create)]
    fn raw_create(properties: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "tabs"], js_name = query)]
    fn raw_query(query: &Object) -> Result<Promise, JsValue>;
}
