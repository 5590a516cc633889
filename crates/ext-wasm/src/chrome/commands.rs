//! `chrome.commands`: keyboard shortcuts.

use js_sys::{Array, Promise, Reflect};
use wasm_bindgen::prelude::*;

use super::{ApiError, settled};

/// The browser's name for the shortcut that opens the popup.
const OPEN_POPUP: &str = "_execute_action";

/// The keys that open the popup, as the browser writes them; `None` if a person has taken them away.
pub async fn popup_shortcut() -> Result<Option<String>, ApiError> {
    let commands: Array = settled(raw_get_all()).await?.unchecked_into();
    for command in commands.iter() {
        if Reflect::get(&command, &"name".into())?
            .as_string()
            .as_deref()
            == Some(OPEN_POPUP)
        {
            let keys = Reflect::get(&command, &"shortcut".into())?.as_string();
            return Ok(keys.filter(|keys| !keys.is_empty()));
        }
    }
    Ok(None)
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["chrome", "commands"], js_name = getAll)]
    fn raw_get_all() -> Result<Promise, JsValue>;
}
