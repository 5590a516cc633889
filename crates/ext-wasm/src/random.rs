//! The browser's randomness, in documents.

use wasm_bindgen::JsValue;
use web_sys::window;

/// Bytes that nobody can guess.
pub fn bytes<const N: usize>() -> Result<[u8; N], JsValue> {
    let mut bytes = [0; N];
    window()
        .ok_or(JsValue::UNDEFINED)?
        .crypto()?
        .get_random_values_with_u8_array(&mut bytes)?;
    Ok(bytes)
}
