//! `chrome.downloads`: files in the browser's list of downloads.

use wasm_bindgen::prelude::*;

/// Shows a download's file in its folder. Does nothing if it has gone.
pub fn show(id: u32) {
    raw_show(id);
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = ["chrome", "downloads"], js_name = show)]
    fn raw_show(id: u32);
}
