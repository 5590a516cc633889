//! Bindings to the browser's extension APIs, one file per API, and nothing that decides anything. They resolve when
//! called, so a module may name APIs that its context lacks; such a call gives an [`ApiError`].

pub mod runtime;
pub mod storage;

use core::fmt;

use wasm_bindgen::{JsCast, JsValue};

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
