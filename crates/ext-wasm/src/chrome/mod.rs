//! Bindings to the browser's extension APIs, one file per API, and nothing that decides anything. They resolve when
//! called, so a module may name APIs that its context lacks; such a call gives an [`ApiError`].

pub mod action;
pub mod commands;
pub mod context_menus;
pub mod downloads;
pub mod i18n;
pub mod notifications;
pub mod offscreen;
pub mod runtime;
pub mod storage;
pub mod tabs;

use core::fmt;

use js_sys::{Object, Promise, Reflect};
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::json::{self, InvalidJson};

/// The browser refused a call; the text is its own and not meant for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the browser refused: {0}")]
pub struct ApiError(String);

impl From<JsValue> for ApiError {
    fn from(value: JsValue) -> Self {
        let text = value.dyn_ref::<js_sys::Error>().map_or_else(
            || value.as_string().unwrap_or_default(),
            |error| String::from(error.message()),
        );
        Self(text)
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<InvalidJson> for ApiError {
    fn from(error: InvalidJson) -> Self {
        Self(error.to_string())
    }
}

/// Shows nothing of a JavaScript object but that there is one.
fn opaque(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    f.debug_struct(name).finish_non_exhaustive()
}

/// What a call comes to. The one place that awaits, because each kind of future costs kilobytes.
async fn settled(call: Result<Promise, JsValue>) -> Result<JsValue, ApiError> {
    Ok(JsFuture::from(call?).await?)
}

/// A JavaScript object with these fields.
fn object(fields: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // Fails only for objects that are frozen or watched.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}

/// A JavaScript array of texts.
fn array(texts: &[&str]) -> JsValue {
    texts
        .iter()
        .map(|text| JsValue::from(*text))
        .collect::<js_sys::Array>()
        .into()
}

/// The plain data of a JavaScript value.
fn from_js<T: DeserializeOwned>(value: &JsValue) -> Result<T, ApiError> {
    let text = String::from(js_sys::JSON::stringify(value)?);
    Ok(json::from_str(&text)?)
}
