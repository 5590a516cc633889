//! `chrome.downloads`: what the browser knows of files it stores.

use js_sys::{Object, Promise};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::{ApiError, from_js, object, settled};

/// A download in the browser's list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DownloadItem {
    /// The browser's number for it.
    pub id: u32,
    /// From where it was asked for.
    pub url: String,
    /// Absolute path of the file; empty until it is known.
    pub filename: String,
    /// How it stands.
    pub state: DownloadItemState,
    /// Why it was interrupted, as the browser's `InterruptReason`.
    pub error: Option<String>,
}

/// How a download stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadItemState {
    /// Not ended.
    InProgress,
    /// Ended before all was there.
    Interrupted,
    /// All is there.
    Complete,
}

/// The download with this number, if the list has it.
pub async fn by_id(id: u32) -> Result<Option<DownloadItem>, ApiError> {
    search(&object(&[("id", id.into())])).await
}

/// The download from exactly this URL, if the list has it.
pub async fn by_url(url: &str) -> Result<Option<DownloadItem>, ApiError> {
    search(&object(&[("url", url.into())])).await
}

/// Shows a download's file in its folder. Does nothing if it has gone.
pub fn show(id: u32) {
    raw_show(id);
}

async fn search(query: &Object) -> Result<Option<DownloadItem>, ApiError> {
    let found: Vec<DownloadItem> = from_js(&settled(raw_search(query)).await?)?;
    Ok(found.into_iter().next())
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["chrome", "downloads"], js_name = search)]
    fn raw_search(query: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = ["chrome", "downloads"], js_name = show)]
    fn raw_show(id: u32);
}
