//! The browser's randomness.

use wasm_bindgen::JsValue;
use web_sys::window;

/// Bytes that nobody can guess.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], JsValue> {
    let mut bytes = [0; N];
    window()
        .ok_or(JsValue::UNDEFINED)?
        .crypto()?
        .get_random_values_with_u8_array(&mut bytes)?;
    Ok(bytes)
}
