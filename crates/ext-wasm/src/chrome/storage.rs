//! `chrome.storage`: texts by key. Not there in the offscreen document.

use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;

use super::ApiError;

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
            Self::Local => local_get(&key.into()).await?,
            Self::Session => session_get(&key.into()).await?,
        };
        Ok(Reflect::get(&found, &key.into())?.as_string())
    }

    /// Keeps texts under their keys, all or none.
    pub async fn set(self, entries: &[(&str, &str)]) -> Result<(), ApiError> {
        let object = Object::new();
        for (key, text) in entries {
            Reflect::set(&object, &(*key).into(), &(*text).into())?;
        }
        match self {
            Self::Local => local_set(&object).await?,
            Self::Session => session_set(&object).await?,
        }
        Ok(())
    }

    /// Forgets what is kept under a key, if anything is.
    pub async fn remove(self, key: &str) -> Result<(), ApiError> {
        match self {
            Self::Local => local_remove(key).await?,
            Self::Session => session_remove(key).await?,
        }
        Ok(())
    }

    /// All keys in use.
    pub async fn keys(self) -> Result<Vec<String>, ApiError> {
        let all = match self {
            Self::Local => local_get(&JsValue::NULL).await?,
            Self::Session => session_get(&JsValue::NULL).await?,
        };
        let keys = Object::keys(all.unchecked_ref::<Object>());
        Ok(keys.iter().filter_map(|key| key.as_string()).collect())
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "local"], js_name = get)]
    async fn local_get(key: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "local"], js_name = set)]
    async fn local_set(entries: &Object) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "local"], js_name = remove)]
    async fn local_remove(key: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "session"], js_name = get)]
    async fn session_get(key: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "session"], js_name = set)]
    async fn session_set(entries: &Object) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "storage", "session"], js_name = remove)]
    async fn session_remove(key: &str) -> Result<(), JsValue>;
}
