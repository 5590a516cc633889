//! Gives memory of JavaScript back soon. Chromium collects buffers only after a hundred megabytes of them, and a file is
//! read in buffers.

use core::cell::RefCell;

use js_sys::{Array, ArrayBuffer};
use wasm_bindgen::JsValue;
use web_sys::MessageChannel;

/// Buffers that no one wants any more. Some wait to be freed together, for freeing costs a message channel, which is not
/// cheap.
#[derive(Debug, Default)]
pub(crate) struct SpentBuffers(RefCell<Vec<ArrayBuffer>>);

impl SpentBuffers {
    /// Buffers, and bytes in them, that do not wait any longer. Both, for a read is as large as many frames.
    const MOST: usize = 16;
    const MOST_BYTES: u32 = 2 * 1024 * 1024;

    pub(crate) fn add(&self, buffer: ArrayBuffer) {
        let mut spent = self.0.borrow_mut();
        spent.push(buffer);
        let bytes: u32 = spent.iter().map(ArrayBuffer::byte_length).sum();
        if spent.len() >= Self::MOST || bytes >= Self::MOST_BYTES {
            free(&spent.drain(..).collect());
        }
    }
}

/// Moves buffers into a message that no one gets. `ArrayBuffer.prototype.transfer` only hides their memory: Chromium's own
/// half of the object keeps it (measured: 450 MB after a file of 400 MB).
fn free(buffers: &Array) {
    if let Ok(channel) = MessageChannel::new() {
        // If it fails, the browser collects them later.
        let _ = channel
            .port1()
            .post_message_with_transferable(&JsValue::NULL, buffers);
        channel.port2().close();
    }
}
