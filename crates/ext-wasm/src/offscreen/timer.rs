//! Time: the browser's monotonic clock, one alarm at a time per [`Timer`], and a pause as a promise.

use core::cell::Cell;
use core::fmt;

use js_sys::{Function, Promise};
use tabferry_engine::Time;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Performance, Window};

/// Milliseconds since the document was loaded.
pub(crate) struct Clock(Option<Performance>);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(web_sys::window().and_then(|window| window.performance()))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole milliseconds are wanted, and the clock starts at 0"
    )]
    pub(crate) fn now(&self) -> Time {
        Time(self.0.as_ref().map_or(0.0, Performance::now) as u64)
    }
}

/// An alarm that can be set anew as often as wanted. Dropping it stops it.
pub(crate) struct Timer {
    callback: Closure<dyn FnMut()>,
    pending: Cell<Option<i32>>,
}

impl Timer {
    pub(crate) fn new(callback: impl FnMut() + 'static) -> Self {
        Self {
            callback: Closure::new(callback),
            pending: Cell::new(None),
        }
    }

    /// Calls back once after this time, and forgets what was set before.
    pub(crate) fn set(&self, milliseconds: u64) {
        self.clear();
        let function = self.callback.as_ref().unchecked_ref();
        self.pending.set(set_timeout(function, milliseconds));
    }

    pub(crate) fn clear(&self) {
        if let (Some(window), Some(id)) = (web_sys::window(), self.pending.take()) {
            window.clear_timeout_with_handle(id);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

/// Resolves after this time.
pub(crate) fn pause(milliseconds: u64) -> Promise {
    Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, milliseconds);
    })
}

/// The browser takes at most 2^31 - 1 milliseconds; whoever waits that long is called too early.
fn set_timeout(function: &Function, milliseconds: u64) -> Option<i32> {
    let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
    let set = |window: Window| {
        window.set_timeout_with_callback_and_timeout_and_arguments_0(function, milliseconds)
    };
    web_sys::window().and_then(|window| set(window).ok())
}
