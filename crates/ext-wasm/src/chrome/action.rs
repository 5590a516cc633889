//! `chrome.action`: the extension's button.

use js_sys::{Object, Promise};
use wasm_bindgen::prelude::*;

use super::{ApiError, object, settled};

/// What the button shows beside its icon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// A few characters; empty for none.
    pub text: String,
    /// Color behind the text, as CSS writes it. The text is white.
    pub color: &'static str,
    /// Tooltip.
    pub title: String,
}

/// Shows a badge until the browser closes.
pub async fn show_badge(badge: &Badge) -> Result<(), ApiError> {
    let color = object(&[("color", badge.color.into())]);
    settled(raw_set_badge_background_color(&color)).await?;
    let white = object(&[("color", "#fff".into())]);
    settled(raw_set_badge_text_color(&white)).await?;
    let text = object(&[("text", badge.text.as_str().into())]);
    settled(raw_set_badge_text(&text)).await?;
    let title = object(&[("title", badge.title.as_str().into())]);
    settled(raw_set_title(&title)).await?;
    Ok(())
}

/// Opens the popup. Errors when no window of the browser has the focus, and before Chromium 127.
pub async fn open_popup() -> Result<(), ApiError> {
    settled(raw_open_popup()).await?;
    Ok(())
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["chrome", "action"], js_name = setBadgeBackgroundColor)]
    fn raw_set_badge_background_color(details: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "action"], js_name = setBadgeTextColor)]
    fn raw_set_badge_text_color(details: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "action"], js_name = setBadgeText)]
    fn raw_set_badge_text(details: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "action"], js_name = setTitle)]
    fn raw_set_title(details: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "action"], js_name = openPopup)]
    fn raw_open_popup() -> Result<Promise, JsValue>;
}
