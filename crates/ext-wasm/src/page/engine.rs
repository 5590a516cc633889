//! A page's way to the engine in the offscreen document: commands there, snapshots back, over one port for as long as
//! the page is open.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tabferry_protocol::host::{Command, TrustCommand};
use wasm_bindgen_futures::spawn_local;

use crate::chrome::runtime::{Port, send_message};
use crate::envelope::{NativeCommand, PAGE_PORT};
use crate::json;

/// [`EnsureEngine`](crate::envelope::BackgroundMessage::EnsureEngine) in its envelope, as a text, so that no page loads
/// what it takes to write every other message.
const ENSURE_ENGINE: &str = r#"{"background":"ensure-engine"}"#;

/// Starts the engine where it doesn't run. `None` if it could not be started. Settings are there afterwards.
pub async fn ensure_engine() -> Option<()> {
    let answer = send_message(ENSURE_ENGINE).await.ok()?;
    (answer? == "true").then_some(())
}

/// The engine, once it runs. `S` is what the page reads of [`Shown`](crate::envelope::Shown): what it leaves out costs it
/// nothing.
pub struct Engine<S> {
    port: RefCell<Option<Port>>,
    /// Whether this port has brought anything yet.
    answered: Cell<bool>,
    on_shown: Box<dyn Fn(S)>,
    on_lost: Box<dyn Fn()>,
}

impl<S: DeserializeOwned + 'static> Engine<S> {
    /// Not connected yet. `on_shown` gets every new state, `on_lost` hears that there is no engine and that it could
    /// not be started.
    pub fn new(on_shown: impl Fn(S) + 'static, on_lost: impl Fn() + 'static) -> Rc<Self> {
        Rc::new(Self {
            port: RefCell::new(None),
            answered: Cell::new(false),
            on_shown: Box::new(on_shown),
            on_lost: Box::new(on_lost),
        })
    }

    /// Starts the engine where it doesn't run, and connects.
    pub fn connect(self: &Rc<Self>) {
        let engine = Rc::clone(self);
        spawn_local(async move {
            if engine.try_connect().await.is_none() {
                (engine.on_lost)();
            }
        });
    }

    async fn try_connect(self: &Rc<Self>) -> Option<()> {
        ensure_engine().await?;
        self.answered.set(false);
        let (messages, end) = (Rc::downgrade(self), Rc::downgrade(self));
        let port = Port::connect(
            PAGE_PORT,
            move |text| {
                // A state that can't be read is none.
                if let (Some(engine), Ok(shown)) = (messages.upgrade(), json::from_str(&text)) {
                    engine.answered.set(true);
                    (engine.on_shown)(shown);
                }
            },
            move || {
                let Some(engine) = end.upgrade() else { return };
                let port = engine.port.take();
                // The offscreen document has gone. One that never answered would not at the next attempt either.
                if engine.answered.get() {
                    engine.connect();
                } else {
                    (engine.on_lost)();
                }
                drop(port);
            },
        );
        self.port.replace(Some(port.ok()?));
        Some(())
    }

    /// Asks something of the engine. Lost while there is none: then the page says so anyway.
    pub fn command(&self, command: &Command) {
        self.ask("command", command);
    }

    /// Asks the engine to trust a device, or not.
    pub fn decide(&self, command: &TrustCommand) {
        self.ask("trust", command);
    }

    /// Asks something of the native host, or about it.
    pub fn ask_native(&self, command: &NativeCommand) {
        self.ask("native", command);
    }

    /// Sends an [`Asked`](crate::envelope::Asked).
    fn ask(&self, kind: &str, command: &impl Serialize) {
        if let (Some(port), Ok(text)) = (&*self.port.borrow(), json::to_string(command)) {
            // Fails when the port is closed.
            let _ = port.post(&["{\"", kind, "\":", &text, "}"].concat());
        }
    }
}

impl<S> fmt::Debug for Engine<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{BackgroundMessage, Envelope};

    #[test]
    fn the_engine_is_asked_for_in_the_envelopes_words() {
        let envelope: Envelope = serde_json::from_str(ENSURE_ENGINE).unwrap();
        assert_eq!(
            envelope,
            Envelope::Background(BackgroundMessage::EnsureEngine)
        );
    }
}
