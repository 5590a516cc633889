//! What other contexts bring: commands and files from open pages, messages and a port from the service worker. Hands each to the
//! driver that it is for, and snapshots back to the pages.

use core::cell::{Cell, RefCell};
use core::fmt;

use js_sys::{Array, Object, Reflect};
use serde::Deserialize;
use tabferry_engine::Input;
use tabferry_protocol::host::Command;
use tabferry_protocol::id::DeviceId;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BroadcastChannel, File, MessageEvent};

use super::host::Host;
use super::{clipboard, fetch, log};
use crate::chrome::runtime::{ConnectListener, MessageListener, Port, RawPort};
use crate::envelope::{Asked, FILES_CHANNEL, NATIVE_PORT, OffscreenMessage, PAGE_PORT, Shown};
use crate::json;
use tabferry_engine::Table;

/// The ways in from other contexts.
pub(crate) struct Pages {
    ports: RefCell<Table<u32, Port>>,
    last_port: Cell<u32>,
    files: Option<FilesChannel>,
    _connections: ConnectListener,
    _native: ConnectListener,
    _messages: MessageListener,
}

impl Pages {
    pub(crate) fn open(host: &Host) -> Self {
        let connections = ConnectListener::new(PAGE_PORT, {
            let host = host.clone();
            move |raw| {
                if let Some(pages) = host.pages() {
                    pages.connect(&host, raw);
                }
            }
        });
        let native = ConnectListener::new(NATIVE_PORT, {
            let host = host.clone();
            move |raw| host.native().take_port(&host, raw)
        });
        let messages = MessageListener::new({
            let host = host.clone();
            move |text| {
                match json::from_str::<Heard>(&text) {
                    Ok(heard) => {
                        if let Some(message) = heard.offscreen {
                            handle_message(&host, message);
                        }
                    }
                    Err(error) => log::warn("message", error),
                }
                None
            }
        });
        let files = FilesChannel::open(host)
            .inspect_err(|thrown| log::warn_js("files", thrown))
            .ok();
        Self {
            ports: RefCell::default(),
            last_port: Cell::default(),
            files,
            _connections: connections,
            _native: native,
            _messages: messages,
        }
    }

    pub(crate) fn is_any_open(&self) -> bool {
        !self.ports.borrow().is_empty()
    }

    /// Shows every open page how things stand: here, and with the native host, which is JSON already.
    pub(crate) fn show(&self, shown: &Shown, native: &str) {
        let mut text = match serde_json::to_string(shown) {
            Ok(text) => text,
            Err(error) => return log::warn("snapshot", error),
        };
        // One more field before the closing brace.
        text.pop();
        let text = [&text, ",\"native\":", native, "}"].concat();
        for port in self.ports.borrow().values() {
            // A page that has just closed misses nothing.
            if let Err(error) = port.post(&text) {
                log::warn("page", error);
            }
        }
    }

    fn connect(&self, host: &Host, raw: RawPort) {
        let key = self.last_port.get().wrapping_add(1);
        self.last_port.set(key);
        let on_message = {
            let host = host.clone();
            move |text: String| match json::from_str::<Asked>(&text) {
                Ok(asked) => {
                    if let Some(command) = asked.command {
                        host.command(command);
                    }
                    if let Some(command) = asked.trust {
                        host.tell(Input::TrustCommand(command));
                    }
                    if let Some(command) = asked.native {
                        host.native().handle_command(&host, command);
                    }
                }
                Err(error) => log::warn("command", error),
            }
        };
        let on_disconnect = {
            let host = host.clone();
            move || {
                let closed = host
                    .pages()
                    .and_then(|pages| pages.ports.borrow_mut().remove(&key));
                drop(closed);
            }
        };
        let port = Port::new(raw, on_message, on_disconnect);
        self.ports.borrow_mut().insert(key, port);
        host.publish();
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("files", &self.files.is_some())
            .finish_non_exhaustive()
    }
}

/// An [`Envelope`](crate::envelope::Envelope), of which only what is for this context is read: reading the rest costs 12 KB.
#[derive(Deserialize)]
struct Heard {
    offscreen: Option<OffscreenMessage>,
}

fn handle_message(host: &Host, message: OffscreenMessage) {
    match message {
        OffscreenMessage::Command(command) => host.command(command),
        OffscreenMessage::Native(command) => host.native().handle_command(host, command),
        OffscreenMessage::SendBytes { to, url, title } => fetch::send(host, to, &url, title),
        OffscreenMessage::Copy { text } => clipboard::copy(&text),
        OffscreenMessage::DownloadEnded { download, state } => {
            host.downloads().handle_end(host, &download, state);
        }
    }
}

/// The channel on which pages hand over files.
struct FilesChannel {
    raw: BroadcastChannel,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl FilesChannel {
    fn open(host: &Host) -> Result<Self, JsValue> {
        let raw = BroadcastChannel::new(FILES_CHANNEL)?;
        let on_message = Closure::new({
            let (host, raw) = (host.clone(), raw.clone());
            move |event: MessageEvent| {
                let Some(handed) = HandedFiles::read(&event.data()) else {
                    return;
                };
                let request = handed.request.clone();
                handed.send(&host);
                if let Err(thrown) = accept(&raw, &request) {
                    log::warn_js("files", &thrown);
                }
            }
        });
        raw.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        Ok(Self {
            raw,
            _on_message: on_message,
        })
    }
}

impl Drop for FilesChannel {
    fn drop(&mut self) {
        self.raw.close();
    }
}

/// Tells the page that it may close: its files are in safe hands.
fn accept(channel: &BroadcastChannel, request: &JsValue) -> Result<(), JsValue> {
    let answer = Object::new();
    Reflect::set(&answer, &"accepted".into(), request)?;
    channel.post_message(&answer)
}

/// Files from a page, and to which device they are to go.
struct HandedFiles {
    request: JsValue,
    to: DeviceId,
    files: Vec<File>,
}

impl HandedFiles {
    /// `None` if it is no such message.
    fn read(message: &JsValue) -> Option<Self> {
        let field = |name: &str| Reflect::get(message, &name.into()).ok();
        let request = field("request").filter(JsValue::is_string)?;
        let to = field("to")?.as_string()?.parse().ok()?;
        let files = field("files")?.dyn_into::<Array>().ok()?;
        let files: Result<Vec<File>, _> = files.iter().map(JsCast::dyn_into).collect();
        Some(Self {
            request,
            to,
            files: files.ok()?,
        })
    }

    fn send(self, host: &Host) {
        let describe = |file: File| {
            let name = file.name();
            host.sources().add(file.into(), name)
        };
        let files = self.files.into_iter().map(describe).collect();
        host.command(Command::SendFiles { to: self.to, files });
    }
}
