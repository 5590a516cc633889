//! `chrome.storage`: texts by key. Not there in the offscreen document.

use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

use super::{ApiError, object, settled};

/// Where something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// In the profile, for good.
    Local,
    /// In memory, until the browser closes or the extension is loaded anew; survives the service worker.
    Session,
}

impl Area {
    /// The text kept under a key.
    pub async fn get(self, key: &str) -> Result<Option<String>, ApiError> {
        let found = match self {
            Self::Local => local_get(&key.into()),
            Self::Session => session_get(&key.into()),
        };
        let found = settled(found).await?;
        Ok(Reflect::get(&found, &key.into())?.as_string())
    }

    /// Keeps texts under their keys, all or none.
    pub async fn set(self, entries: &[(&str, &str)]) -> Result<(), ApiError> {
        let fields: Vec<_> = entries
            .iter()
            .map(|(key, text)| (*key, JsValue::from(*text)))
            .collect();
        let object = object(&fields);
        let call = match self {
            Self::Local => local_set(&object),
            Self::Session => session_set(&object),
        };
        settled(call).await?;
        Ok(())
    }

    /// Forgets what is kept under a key, if anything is.
    pub async fn remove(self, key: &str) -> Result<(), ApiError> {
        let call = match self {
            Self::Local => local_remove(key),
            Self::Session => session_remove(key),
        };
        settled(call).await?;
        Ok(())
    }

    /// All keys in use.
    pub async fn keys(self) -> Result<Vec<String>, ApiError> {
        let all = match self {
            Self::Local => local_get(&JsValue::NULL),
            Self::Session => session_get(&JsValue::NULL),
        };
        let all = settled(all).await?;
        let keys = Object::keys(all.unchecked_ref::<Object>());
        Ok(keys.iter().filter_map(|key| key.as_string()).collect())
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "local"], js_name = get)]
    fn local_get(key: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "local"], js_name = set)]
    fn local_set(entries: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "local"], js_name = remove)]
    fn local_remove(key: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "session"], js_name = get)]
    fn session_get(key: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "session"], js_name = set)]
    fn session_set(entries: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "session"], js_name = remove)]
    fn session_remove(key: &str) -> Result<Promise, JsValue>;
}
