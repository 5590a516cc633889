//! Gives memory of JavaScript back at once. Chromium collects buffers only after a hundred megabytes of them, and a
//! file is read in buffers.

use js_sys::{Array, ArrayBuffer};
use wasm_bindgen::JsValue;
use web_sys::MessageChannel;

/// Frees a buffer, which no one may want any more. If the browser can't, it collects it later.
pub(crate) fn free(buffer: &ArrayBuffer) {
    // Moved into a message that no one gets. `ArrayBuffer.prototype.transfer` only hides the memory: Chromium's own half of
    // the object keeps it (measured: 450 MB after a file of 400 MB).
    if let Ok(channel) = MessageChannel::new() {
        let _ = channel
            .port1()
            .post_message_with_transferable(&JsValue::NULL, &Array::of1(buffer));
        channel.port1().close();
        channel.port2().close();
    }
}
