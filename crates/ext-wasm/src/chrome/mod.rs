//! Bindings to the browser's extension APIs, one file per API, and nothing that decides anything. They resolve when
//! called, so a module may name APIs that its context lacks; such a call gives an [`ApiError`].

pub mod commands;
pub mod downloads;
pub mod i18n;
pub mod permissions;
pub mod runtime;
pub mod storage;
pub mod tabs;

use core::fmt;

use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

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

/// Shows nothing of a JavaScript object but that there is one.
fn opaque(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    f.debug_struct(name).finish_non_exhaustive()
}

/// What a call comes to. The one place that awaits, because each kind of future costs kilobytes.
async fn settled(call: Result<Promise, JsValue>) -> Result<JsValue, ApiError> {
    Ok(JsFuture::from(call?).await?)
}

/// A JavaScript object with these fields.
pub(crate) fn object(fields: &[(&str, JsValue)]) -> Object {
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
