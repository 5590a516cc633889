//! `chrome.contextMenus`: the items that the extension adds to the browser's context menus. The browser keeps them while
//! the service worker is dead, and over its own restart.

use js_sys::{Object, Promise, Reflect};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::{ApiError, array, object, settled};

/// An item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MenuItem {
    /// What a click reports.
    pub id: String,
    /// The item whose submenu it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Its text: the browser puts the selection for `%s` and takes `&` as the mark of an access key.
    pub title: String,
    /// What a person must have clicked on for the item to be shown.
    pub contexts: [String; 1],
}

/// Adds an item behind those with the same parent. Errors if there is one with this id.
pub async fn create(item: &MenuItem) -> Result<(), ApiError> {
    let title = ("title", JsValue::from(&item.title));
    let contexts = (
        "contexts",
        array(&item.contexts.each_ref().map(String::as_str)),
    );
    let fields = object(&[("id", JsValue::from(&item.id)), title, contexts]);
    if let Some(parent) = &item.parent_id {
        Reflect::set(&fields, &"parentId".into(), &parent.into())?;
    }
    // Not yet a promise in this API: the callback finds an error in `runtime.lastError`.
    let created = Promise::new(&mut |resolve, reject| {
        let callback = Closure::once_into_js(move || {
            let error = RUNTIME.with(Runtime::last_error);
            let outcome = if error.is_undefined() {
                resolve.call0(&JsValue::UNDEFINED)
            } else {
                reject.call1(&JsValue::UNDEFINED, &error)
            };
            // The two functions of a promise never throw.
            drop(outcome);
        });
        raw_create(&fields, &callback);
    });
    settled(Ok(created)).await?;
    Ok(())
}

/// Changes an item's text. Errors if there is none with its id.
pub async fn set_title(item: &MenuItem) -> Result<(), ApiError> {
    let changes = object(&[("title", JsValue::from(&item.title))]);
    settled(raw_update(&item.id, &changes)).await?;
    Ok(())
}

/// Removes an item and its submenu. Errors if there is none with this id.
pub async fn remove(id: &str) -> Result<(), ApiError> {
    settled(raw_remove(id)).await?;
    Ok(())
}

/// Removes all items.
pub async fn remove_all() -> Result<(), ApiError> {
    settled(raw_remove_all()).await?;
    Ok(())
}

#[wasm_bindgen]
extern "C" {
    type Runtime;
    #[wasm_bindgen(thread_local_v2, js_namespace = ["chrome"], js_name = runtime)]
    static RUNTIME: Runtime;
    #[wasm_bindgen(method, getter, js_name = lastError)]
    fn last_error(this: &Runtime) -> JsValue;

    #[wasm_bindgen(js_namespace = ["chrome", "contextMenus"], js_name = create)]
    fn raw_create(item: &Object, callback: &JsValue);
    #[wasm_bindgen(catch, js_namespace = ["chrome", "contextMenus"], js_name = update)]
    fn raw_update(id: &str, changes: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "contextMenus"], js_name = remove)]
    fn raw_remove(id: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "contextMenus"], js_name = removeAll)]
    fn raw_remove_all() -> Result<Promise, JsValue>;
}
