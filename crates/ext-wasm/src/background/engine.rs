//! The life of the offscreen document, and what is said to the engine in it.

use core::cell::RefCell;

use js_sys::{Function, Promise};
use serde::Serialize;
use tabferry_protocol::host::{Command, Settings};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use super::status;
use crate::chrome::storage::Area;
use crate::chrome::{ApiError, offscreen, runtime};
use crate::envelope::OffscreenMessage;
use crate::settings;

/// Key in the session area: there while the document's program listens.
const LISTENING: &str = "engine";

/// How long the document may take to load its program. Milliseconds; it takes well below one second.
const START_TIMEOUT_MS: i32 = 10_000;

thread_local! {
    /// The attempt that is under way: there can be only one document.
    static STARTING: RefCell<Option<Promise>> = const { RefCell::new(None) };
    /// Told when the document's program listens.
    static WAITING: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Makes sure that the document is there and its program listens. Errors if it doesn't within ten seconds.
pub async fn ensure() -> Result<(), ApiError> {
    let starting = STARTING.with_borrow_mut(|starting| {
        let start = || {
            future_to_promise(async {
                let started = start().await;
                STARTING.set(None);
                started
                    .map(|()| JsValue::UNDEFINED)
                    .map_err(|error| JsError::from(error).into())
            })
        };
        starting.get_or_insert_with(start).clone()
    });
    JsFuture::from(starting).await?;
    Ok(())
}

async fn start() -> Result<(), ApiError> {
    if !offscreen::exists().await? {
        Area::Session.remove(LISTENING).await?;
        status::forget().await?;
        let listening = listening();
        // CLIPBOARD, because copying a text from a notification needs a document.
        let reasons = ["WEB_RTC", "CLIPBOARD"];
        offscreen::create("offscreen.html", &reasons, "Connects to your other devices").await?;
        JsFuture::from(listening).await?;
    } else if Area::Session.get(LISTENING).await?.is_none() {
        let listening = listening();
        // It may have begun to listen between the two looks.
        if Area::Session.get(LISTENING).await?.is_none() {
            JsFuture::from(listening).await?;
        }
    }
    Ok(())
}

/// Is kept when the document's program listens, broken after [`START_TIMEOUT_MS`].
fn listening() -> Promise {
    Promise::new(&mut |resolve, reject| {
        let error = js_sys::Error::new("the offscreen document does not start");
        let late = reject.bind1(&JsValue::UNDEFINED, &error);
        set_timeout(late.as_ref(), START_TIMEOUT_MS);
        WAITING.set(Some(resolve));
    })
}

/// The document's program listens and asks for its settings.
pub async fn started() -> Result<Settings, ApiError> {
    Area::Session.set(&[(LISTENING, "1")]).await?;
    if let Some(resolve) = WAITING.take() {
        resolve.call0(&JsValue::UNDEFINED)?;
    }
    settings::load().await
}

/// The settings have changed.
pub async fn configure() -> Result<(), ApiError> {
    command(Command::Configure(settings::load().await?)).await
}

/// Tells the engine what a person wants.
pub async fn command(command: Command) -> Result<(), ApiError> {
    send(OffscreenMessage::Command(command)).await
}

/// [`Envelope`](crate::envelope::Envelope), without the words for messages that only come in.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outgoing {
    Offscreen(OffscreenMessage),
}

/// Tells the offscreen document something.
pub async fn send(message: OffscreenMessage) -> Result<(), ApiError> {
    ensure().await?;
    let text = serde_json::to_string(&Outgoing::Offscreen(message))?;
    runtime::send_message(&text).await?;
    Ok(())
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &JsValue, delay_ms: i32);
}
