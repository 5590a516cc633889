//! `chrome.notifications`: what the system shows while no page of the extension is open.

use js_sys::{Array, Object, Promise};
use wasm_bindgen::prelude::*;

use super::{ApiError, object, settled};

/// A notification with the extension's icon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// First line.
    pub title: String,
    /// The rest.
    pub message: String,
    /// What its buttons say: at most two.
    pub buttons: Vec<String>,
    /// Whether it stays until a person has done something with it.
    pub stays: bool,
}

/// Shows a notification in the place of the one with this id, if there is one. The id has at most 500 characters.
pub async fn show(id: &str, notification: &Notification) -> Result<(), ApiError> {
    let button = |text: &String| JsValue::from(object(&[("title", text.into())]));
    let buttons: Array = notification.buttons.iter().map(button).collect();
    let options = object(&[
        ("type", "basic".into()),
        ("iconUrl", "icons/icon-128.png".into()),
        ("title", JsValue::from(&notification.title)),
        ("message", JsValue::from(&notification.message)),
        ("buttons", buttons.into()),
        ("requireInteraction", notification.stays.into()),
    ]);
    settled(raw_create(id, &options)).await?;
    Ok(())
}

/// Takes a notification away, if it is there.
pub async fn clear(id: &str) -> Result<(), ApiError> {
    settled(raw_clear(id)).await?;
    Ok(())
}

/// The ids of all notifications that are there.
pub async fn ids() -> Result<Vec<String>, ApiError> {
    let all = settled(raw_get_all()).await?;
    let ids = Object::keys(all.unchecked_ref::<Object>());
    Ok(ids.iter().filter_map(|id| id.as_string()).collect())
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["chrome", "notifications"], js_name = create)]
    fn raw_create(id: &str, options: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "notifications"], js_name = clear)]
    fn raw_clear(id: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "notifications"], js_name = getAll)]
    fn raw_get_all() -> Result<Promise, JsValue>;
}
