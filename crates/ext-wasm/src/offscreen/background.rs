//! What the offscreen document tells the service worker and asks of it. A message wakes a worker that has died.

use serde::de::DeserializeOwned;
use wasm_bindgen_futures::spawn_local;

use super::log;
use crate::chrome::runtime;
use crate::envelope::{BackgroundMessage, DownloadState, Envelope, Start};
use crate::json;

/// Tells it something.
pub(crate) fn tell(message: BackgroundMessage) {
    spawn_local(async move {
        send(message).await;
    });
}

/// Tells it what has happened to another engine of this device: an event as JSON, which need not be read on its way.
pub(crate) fn tell_happened(event: &str) {
    let text = ["{\"background\":{\"happened\":", event, "}}"].concat();
    spawn_local(async move {
        send_text(&text).await;
    });
}

/// Says that the engine runs and asks what it is to run with.
pub(crate) async fn start() -> Option<Start> {
    ask(BackgroundMessage::EngineStarted).await
}

/// Asks for a port to the native host. Whether it comes.
pub(crate) async fn connect_native() -> bool {
    let answer = send(BackgroundMessage::ConnectNative).await;
    answer.as_deref() == Some("true")
}

/// Asks how a download stands.
pub(crate) async fn download_state(download: String) -> Option<DownloadState> {
    ask(BackgroundMessage::DownloadState { download }).await
}

async fn ask<T: DeserializeOwned>(message: BackgroundMessage) -> Option<T> {
    let answer = send(message).await?;
    json::from_str(&answer)
        .inspect_err(|error| log::warn("answer of the service worker", error))
        .ok()
}

async fn send(message: BackgroundMessage) -> Option<String> {
    let text = serde_json::to_string(&Envelope::Background(message))
        .inspect_err(|error| log::warn("message to the service worker", error))
        .ok()?;
    send_text(&text).await
}

async fn send_text(text: &str) -> Option<String> {
    runtime::send_message(text)
        .await
        .inspect_err(|error| log::warn("message to the service worker", error))
        .ok()?
}
