//! Plain objects of JavaScript. It knows nothing of what is in them.

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

/// An object with these members.
pub(crate) fn object(members: &[(&str, JsValue)]) -> Result<Object, JsValue> {
    let object = Object::new();
    for (key, value) in members {
        Reflect::set(&object, &(*key).into(), value)?;
    }
    Ok(object)
}
