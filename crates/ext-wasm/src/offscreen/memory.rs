//! Gives memory of JavaScript back soon. Chromium collects buffers only after a hundred megabytes of them, and a file is
//! read in buffers.

use core::cell::RefCell;

use js_sys::{Array, ArrayBuffer};
use wasm_bindgen::JsValue;
use web_sys::MessageChannel;

/// Buffers that no one wants any more. Up to [`SpentBuffers::KEPT`] wait to be freed together, for freeing costs a message
/// channel, which is not cheap.
#[derive(Debug, Default)]
pub(crate) struct SpentBuffers(RefCell<Vec<ArrayBuffer>>);

impl SpentBuffers {
    const KEPT: usize = 16;

    pub(crate) fn add(&self, buffer: ArrayBuffer) {
        let mut spent = self.0.borrow_mut();
        spent.push(buffer);
        if spent.len() >= Self::KEPT {
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
