//! The WebSocket to the signaling server: passes texts on, and finds out why
//! there is no connection. It knows no message of signaling, and tries once: when to try again is the engine's.

use core::cell::{Cell, RefCell};

use serde::Deserialize;
use tabferry_engine::Input;
use tabferry_protocol::host::SignalingProblem;
use tabferry_protocol::signaling::PATH;
use tabferry_protocol::signaling_address::socket_url;
use tabferry_protocol::version::Versions;
use url::Url;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    AbortSignal, CloseEvent, MessageEvent, RequestCache, RequestInit, RequestMode, Response,
    WebSocket,
};

use super::host::Host;
use super::log;
use crate::json;

/// What a Tabferry server calls itself in its answer to `/health`.
const SERVICE: &str = "tabferry-signaling";

/// How long a server may take to say what it is. Milliseconds.
const DIAGNOSIS_TIMEOUT_MS: u32 = 5_000;

/// WebSocket close codes of a server that wants no more of us: policy violation, try again later.
const REFUSALS: [u16; 2] = [1008, 1013];

/// The place of the one socket.
#[derive(Debug, Default)]
pub(crate) struct SignalingSocket {
    current: RefCell<Option<Socket>>,
    opened: Cell<bool>,
    /// Counts the sockets, so that nothing late is taken for news of the current one.
    attempt: Cell<u32>,
}

#[derive(Debug)]
struct Socket {
    raw: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl SignalingSocket {
    /// Opens a socket in place of the current one, if there is one.
    pub(crate) fn open(&self, host: &Host, server: &str) {
        self.close();
        let socket = socket_url(server).and_then(|url| Socket::open(host, url, self.attempt.get()));
        if socket.is_none() {
            host.tell(Input::SignalingClosed(SignalingProblem::WrongAddress));
        }
        self.current.replace(socket);
    }

    /// Closes it and says nothing of it.
    pub(crate) fn close(&self) {
        self.attempt.set(self.attempt.get().wrapping_add(1));
        self.opened.set(false);
        self.current.replace(None);
    }

    /// Sends a text. What can't be sent is lost with the socket, whose end is told.
    pub(crate) fn send(&self, text: &str) {
        let sent = self
            .current
            .borrow()
            .as_ref()
            .map(|socket| socket.raw.send_with_str(text));
        if let Some(Err(thrown)) = sent {
            log::warn_js("signaling", &thrown);
        }
    }

    fn handle_open(&self, host: &Host) {
        self.opened.set(true);
        host.tell(Input::SignalingOpened);
    }

    fn handle_close(&self, host: &Host, url: &Url, attempt: u32, code: u16) {
        if REFUSALS.contains(&code) {
            self.end(host, attempt, SignalingProblem::Refused);
        } else if self.opened.get() {
            self.end(host, attempt, SignalingProblem::Lost);
        } else {
            // The browser doesn't tell a program why a socket could not be opened.
            let (host, url) = (host.clone(), url.clone());
            spawn_local(async move {
                let problem = diagnose(&url).await;
                host.signaling().end(&host, attempt, problem);
            });
        }
    }

    fn end(&self, host: &Host, attempt: u32, problem: SignalingProblem) {
        if self.attempt.get() == attempt {
            self.close();
            host.tell(Input::SignalingClosed(problem));
        }
    }
}

impl Socket {
    fn open(host: &Host, url: Url, attempt: u32) -> Option<Self> {
        let raw = WebSocket::new(url.as_str())
            .inspect_err(|thrown| log::warn_js("signaling", thrown))
            .ok()?;
        let on_open = Closure::new({
            let host = host.clone();
            move || host.signaling().handle_open(&host)
        });
        let on_message = Closure::new({
            let host = host.clone();
            move |event: MessageEvent| {
                if let Some(text) = event.data().as_string() {
                    host.handle_signaling(&text);
                }
            }
        });
        let on_close = Closure::new({
            let host = host.clone();
            move |event: CloseEvent| {
                host.signaling()
                    .handle_close(&host, &url, attempt, event.code());
            }
        });
        raw.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        raw.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        raw.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Some(Self {
            raw,
            _on_open: on_open,
            _on_message: on_message,
            _on_close: on_close,
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.raw.set_onopen(None);
        self.raw.set_onmessage(None);
        self.raw.set_onclose(None);
        // Fails only for codes and reasons, of which there are none.
        let _ = self.raw.close();
    }
}

/// Where that server says what it is.
fn health(socket: &Url) -> Option<Url> {
    let scheme = if socket.scheme() == "wss" {
        "https"
    } else {
        "http"
    };
    let mut url = socket.clone();
    url.set_scheme(scheme).ok()?;
    url.set_path("/health");
    url.set_query(None);
    Some(url)
}

#[derive(Deserialize)]
struct Health {
    service: String,
    protocol: Versions,
}

/// Why no socket could be opened.
async fn diagnose(socket: &Url) -> SignalingProblem {
    let Some(url) = health(socket) else {
        return SignalingProblem::WrongAddress;
    };
    if let Some(text) = fetch_text(url.as_str()).await {
        return match json::from_str::<Health>(&text) {
            Ok(health) if health.service != SERVICE => SignalingProblem::WrongAddress,
            Ok(health) if health.protocol.common().is_none() => SignalingProblem::Incompatible,
            // It is there, so it does not want us, or not at this path.
            Ok(_) if socket.path() == PATH => SignalingProblem::Refused,
            Ok(_) => SignalingProblem::WrongAddress,
            Err(_) => SignalingProblem::WrongAddress,
        };
    }
    // A server that lets no other origin read its answer is none of ours, but it is there.
    match fetch(url.as_str(), RequestMode::NoCors).await {
        Some(_) => SignalingProblem::WrongAddress,
        None => SignalingProblem::Unreachable,
    }
}

async fn fetch_text(url: &str) -> Option<String> {
    let text = fetch(url, RequestMode::Cors).await?.text().ok()?;
    JsFuture::from(text).await.ok()?.as_string()
}

async fn fetch(url: &str, mode: RequestMode) -> Option<Response> {
    let options = RequestInit::new();
    options.set_mode(mode);
    options.set_cache(RequestCache::NoStore);
    options.set_signal(Some(&AbortSignal::timeout_with_u32(DIAGNOSIS_TIMEOUT_MS)));
    let response = web_sys::window()?.fetch_with_str_and_init(url, &options);
    JsFuture::from(response).await.ok()?.dyn_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_at_its_root() {
        let url = socket_url("wss://ferry.example:8443/own/path?key=1").unwrap();
        assert_eq!(
            health(&url).unwrap().as_str(),
            "https://ferry.example:8443/health"
        );
    }
}
