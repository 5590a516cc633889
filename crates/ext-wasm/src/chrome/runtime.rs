//! `chrome.runtime`: messages and ports between the extension's contexts. Texts only; what they mean is
//! [`envelope`](crate::envelope)'s.

use core::fmt;
use core::future::Future;
use core::pin::Pin;

use js_sys::{Function, Object, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::{ApiError, object, opaque, settled};

/// An answer on its way.
pub type Answer = Pin<Box<dyn Future<Output = String>>>;

/// Sends a text to every other context and waits for the first answer; `None` if someone listens but no one answers.
/// Errors when no one listens.
pub async fn send_message(text: &str) -> Result<Option<String>, ApiError> {
    Ok(settled(raw_send_message(text)).await?.as_string())
}

/// Full URL of a file of the extension.
pub fn url_of(path: &str) -> String {
    raw_url_of(path)
}

/// Shows the extension's settings.
pub fn open_options_page() {
    raw_open_options_page();
}

/// The extension's version, as its manifest has it.
pub fn version() -> String {
    raw_manifest().version()
}

/// Listens to messages for as long as it lives. Not for the service worker, whose listeners stand in its glue.
pub struct MessageListener(Closure<dyn FnMut(JsValue, JsValue, Function) -> bool>);

impl MessageListener {
    /// Calls `handle` with every message from another context of this extension. An answer, if it gives one, goes back
    /// when it is ready; only one context may answer a message.
    pub fn new(mut handle: impl FnMut(String) -> Option<Answer> + 'static) -> Self {
        let closure = Closure::new(move |message: JsValue, _: JsValue, respond: Function| {
            let Some(answer) = message.as_string().and_then(&mut handle) else {
                return false;
            };
            spawn_local(async move {
                let answer = JsValue::from(answer.await);
                // Fails only if the asking context has gone: then no one waits.
                let _ = respond.call1(&JsValue::UNDEFINED, &answer);
            });
            true
        });
        ON_MESSAGE.with(|event| event.add_listener(closure.as_ref()));
        Self(closure)
    }
}

impl Drop for MessageListener {
    fn drop(&mut self) {
        ON_MESSAGE.with(|event| event.remove_listener(self.0.as_ref()));
    }
}

impl fmt::Debug for MessageListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        opaque(f, "MessageListener")
    }
}

/// Waits for other contexts to connect, for as long as it lives.
pub struct ConnectListener(Closure<dyn FnMut(RawPort)>);

impl ConnectListener {
    /// Calls `handle` with every new port of this name: make a [`Port`] of it at once, or it is ignored.
    pub fn new(name: &'static str, mut handle: impl FnMut(RawPort) + 'static) -> Self {
        let closure = Closure::new(move |port: RawPort| {
            if port.name() == name {
                handle(port);
            }
        });
        ON_CONNECT.with(|event| event.add_listener(closure.as_ref()));
        Self(closure)
    }
}

impl Drop for ConnectListener {
    fn drop(&mut self) {
        ON_CONNECT.with(|event| event.remove_listener(self.0.as_ref()));
    }
}

impl fmt::Debug for ConnectListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        opaque(f, "ConnectListener")
    }
}

/// A lasting connection to another context. Dropping it closes it.
pub struct Port {
    raw: RawPort,
    _on_message: Closure<dyn FnMut(JsValue)>,
    _on_disconnect: Closure<dyn FnMut()>,
}

impl Port {
    /// Connects to whoever listens for ports of this name. `on_disconnect` is called once if the other end closes or if
    /// there is none.
    pub fn connect(
        name: &str,
        on_message: impl FnMut(String) + 'static,
        on_disconnect: impl FnMut() + 'static,
    ) -> Result<Self, ApiError> {
        let options = object(&[("name", name.into())]);
        Ok(Self::new(raw_connect(&options)?, on_message, on_disconnect))
    }

    /// Takes over a port, be it one that another context has opened. `on_disconnect` is called once if the other end
    /// closes; it may drop the port.
    pub fn new(
        raw: RawPort,
        mut on_message: impl FnMut(String) + 'static,
        on_disconnect: impl FnMut() + 'static,
    ) -> Self {
        let on_message = Closure::new(move |message: JsValue| {
            if let Some(text) = message.as_string() {
                on_message(text);
            }
        });
        let on_disconnect = Closure::new(on_disconnect);
        raw.on_message().add_listener(on_message.as_ref());
        raw.on_disconnect().add_listener(on_disconnect.as_ref());
        Self {
            raw,
            _on_message: on_message,
            _on_disconnect: on_disconnect,
        }
    }

    /// Sends a text to the other end. Errors when the port is closed.
    pub fn post(&self, text: &str) -> Result<(), ApiError> {
        Ok(self.raw.post_message(text)?)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.raw
            .on_message()
            .remove_listener(self._on_message.as_ref());
        self.raw
            .on_disconnect()
            .remove_listener(self._on_disconnect.as_ref());
        self.raw.disconnect();
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        opaque(f, "Port")
    }
}

#[wasm_bindgen]
extern "C" {
    /// A port as the browser gives it.
    pub type RawPort;
    #[wasm_bindgen(method, getter)]
    fn name(this: &RawPort) -> String;
    #[wasm_bindgen(method, getter, js_name = onMessage)]
    fn on_message(this: &RawPort) -> RawEvent;
    #[wasm_bindgen(method, getter, js_name = onDisconnect)]
    fn on_disconnect(this: &RawPort) -> RawEvent;
    #[wasm_bindgen(method, catch, js_name = postMessage)]
    fn post_message(this: &RawPort, text: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn disconnect(this: &RawPort);

    type RawManifest;
    #[wasm_bindgen(method, getter)]
    fn version(this: &RawManifest) -> String;

    type RawEvent;
    #[wasm_bindgen(method, js_name = addListener)]
    fn add_listener(this: &RawEvent, listener: &JsValue);
    #[wasm_bindgen(method, js_name = removeListener)]
    fn remove_listener(this: &RawEvent, listener: &JsValue);

    #[wasm_bindgen(catch, js_namespace = ["chrome", "runtime"], js_name = sendMessage)]
    fn raw_send_message(text: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["chrome", "runtime"], js_name = connect)]
    fn raw_connect(options: &Object) -> Result<RawPort, JsValue>;
    #[wasm_bindgen(js_namespace = ["chrome", "runtime"], js_name = getURL)]
    fn raw_url_of(path: &str) -> String;
    #[wasm_bindgen(js_namespace = ["chrome", "runtime"], js_name = openOptionsPage)]
    fn raw_open_options_page();
    #[wasm_bindgen(js_namespace = ["chrome", "runtime"], js_name = getManifest)]
    fn raw_manifest() -> RawManifest;
    #[wasm_bindgen(thread_local_v2, js_namespace = ["chrome", "runtime"], js_name = onMessage)]
    static ON_MESSAGE: RawEvent;
    #[wasm_bindgen(thread_local_v2, js_namespace = ["chrome", "runtime"], js_name = onConnect)]
    static ON_CONNECT: RawEvent;
}
