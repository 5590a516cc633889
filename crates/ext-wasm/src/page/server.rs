//! Tries a signaling server: says hello and looks at the answer, without entering a room.

use js_sys::Promise;
use serde::Deserialize;
use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::limits::SIGNALING_HELLO_TIMEOUT_MS;
use tabferry_protocol::signaling::{ClientHello, ClientMessage};
use tabferry_protocol::version::Versions;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageEvent, RequestInit, RequestMode, WebSocket};

use crate::json;
use crate::model::address::{http_url, signal_url};
use crate::model::server::Verdict;
use crate::view::dom::{Listener, window};

/// What matters of a server's first message.
#[derive(Deserialize)]
struct Answer {
    r#type: String,
    version: Option<u32>,
    code: Option<String>,
}

/// What is at this base URL. `None` if it is no URL.
pub async fn look_at(base: &str) -> Option<Verdict> {
    let socket = WebSocket::new(&signal_url(base)).ok()?;
    let answer = hello(&socket).await;
    // Fails only for bad close codes.
    let _ = socket.close();
    let Some(answer) = answer else {
        return Some(if something_answers(&http_url(base)).await {
            Verdict::Foreign
        } else {
            Verdict::Unreachable
        });
    };
    let answer: Option<Answer> = json::from_str(&answer).ok();
    Some(match answer {
        Some(Answer {
            r#type,
            version: Some(version),
            ..
        }) if r#type == "welcome" => Verdict::Reachable { version },
        Some(Answer {
            r#type,
            code: Some(code),
            ..
        }) if r#type == "error" => {
            if code == "incompatible" {
                Verdict::Incompatible
            } else {
                Verdict::Refused
            }
        }
        _ => Verdict::Foreign,
    })
}

/// The first message after our hello, if there is one in time.
async fn hello(socket: &WebSocket) -> Option<String> {
    let message = ClientMessage::Hello(ClientHello {
        versions: Versions::spoken(),
        endpoint: EndpointKind::Page,
        capabilities: Vec::new(),
    });
    let message = json::to_string(&message).ok()?;
    let mut resolve = None;
    let answered = Promise::new(&mut |function, _| resolve = Some(function));
    let resolve = resolve?;

    let end = |kind| {
        let resolve = resolve.clone();
        Listener::new(socket, kind, move |event| {
            let data = event.dyn_ref::<MessageEvent>().map(MessageEvent::data);
            // A resolve function does not throw.
            let _ = resolve.call1(&JsValue::UNDEFINED, &data.into());
        })
    };
    let listeners = [end("message"), end("error"), end("close")];
    let opened = socket.clone();
    let open = Listener::new(socket, "open", move |_| {
        // Fails only before it is open.
        let _ = opened.send_with_str(&message);
    });
    let timeout = i32::try_from(SIGNALING_HELLO_TIMEOUT_MS).unwrap_or(i32::MAX);
    let timer = window()
        .set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, timeout)
        .ok()?;
    let answer = JsFuture::from(answered).await.ok()?;
    window().clear_timeout_with_handle(timer);
    drop((listeners, open));
    answer.as_string()
}

/// Whether anything at all answers there; its answer stays hidden from us.
async fn something_answers(url: &str) -> bool {
    let options = RequestInit::new();
    options.set_mode(RequestMode::NoCors);
    JsFuture::from(window().fetch_with_str_and_init(url, &options))
        .await
        .is_ok()
}
