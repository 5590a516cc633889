//! The service worker's program: what its glue, `extension/background.js`, calls for each of the browser's events.

use core::cell::RefCell;
use core::pin::Pin;
use std::collections::BTreeMap;

use js_sys::Promise;
use tabferry_ext::background::click::Click;
use tabferry_ext::background::notice::{self, Kept, Notice, Reaction};
use tabferry_ext::background::{download, engine, status};
use tabferry_ext::chrome::storage::Area;
use tabferry_ext::chrome::{ApiError, action, downloads, i18n, notifications, runtime, tabs};
use tabferry_ext::envelope::{BackgroundMessage, DownloadState, OffscreenMessage};
use tabferry_ext::{json, settings};
use tabferry_protocol::host::Event;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

/// Nothing is done before the glue reports an event; it reports the worker's start, too.
fn main() {}

/// The worker has started, whatever for.
#[wasm_bindgen]
pub fn started() -> Promise {
    run(async {
        status::restore().await?;
        engine::ensure().await
    })
}

/// A message from another context: a [`BackgroundMessage`] as JSON. Answered with JSON.
#[wasm_bindgen]
pub fn message(text: String) -> Promise {
    answer(Box::pin(async move {
        match json::from_str(&text)? {
            BackgroundMessage::EnsureEngine => {
                engine::ensure().await?;
                Ok(serde_json::to_string(&true)?)
            }
            BackgroundMessage::EngineStarted => {
                clear_notifications_of_the_last_engine().await?;
                Ok(serde_json::to_string(&engine::started().await?)?)
            }
            BackgroundMessage::DownloadState { download } => {
                Ok(serde_json::to_string(&download::state(&download).await?)?)
            }
            BackgroundMessage::Status(status) => nothing(status::update(&status).await),
            BackgroundMessage::Happened(event) => nothing(happened(&event).await),
            BackgroundMessage::SentLinkInstead { url } => {
                nothing(notify(notice::of_link_instead(&url, &i18n::message)).await)
            }
        }
    }))
}

/// Keys of a storage area have got other values.
#[wasm_bindgen]
pub fn storage_changed(area: String, keys: Vec<String>) -> Promise {
    run(async move {
        if area == "local" && keys.iter().any(|key| settings::is_setting(key)) {
            engine::configure().await?;
        }
        Ok(())
    })
}

/// A person has clicked on a menu item: a [`Click`] as JSON.
#[wasm_bindgen]
pub fn menu_clicked(click: String) -> Promise {
    run(async move {
        match json::from_str::<Click>(&click)?.message() {
            Ok(message) => engine::send(message).await,
            Err(why) => notify(notice::of_unsendable(why, &i18n::message)).await,
        }
    })
}

/// A person has clicked on a notification: on the button with this number, or on its body.
#[wasm_bindgen]
pub fn notification_clicked(id: String, button: Option<u32>) -> Promise {
    run(async move {
        let kept: Option<Kept> = match Area::Session.get(&key_of(&id)).await? {
            Some(text) => json::from_str(&text).ok(),
            None => None,
        };
        match notice::reaction(&id, button, kept) {
            Reaction::Command(command) => engine::command(command).await?,
            Reaction::Open(url) => tabs::open(&url).await?,
            Reaction::Copy(text) => engine::send(OffscreenMessage::Copy { text }).await?,
            Reaction::ShowInFolder(download) => downloads::show(download),
            Reaction::ShowPopup => show_popup().await?,
        }
        clear(&id).await
    })
}

/// A notification has gone.
#[wasm_bindgen]
pub fn notification_closed(id: String) -> Promise {
    run(async move { Area::Session.remove(&key_of(&id)).await })
}

thread_local! {
    /// Our downloads that have not ended, by the browser's number. They need this life of the worker to go on.
    static RUNNING: RefCell<BTreeMap<u32, String>> = const { RefCell::new(BTreeMap::new()) };
}

/// A download, ours or not, has begun.
#[wasm_bindgen]
pub fn download_created(id: u32, url: String) {
    if let Some(download) = download::id_of_url(&url, &runtime::url_of("")) {
        RUNNING.with_borrow_mut(|running| running.insert(id, download.to_owned()));
    }
}

/// A download, ours or not, has another state.
#[wasm_bindgen]
pub fn download_changed(id: u32) -> Promise {
    run(async move {
        if let Some(item) = downloads::by_id(id).await?
            && let Some(download) = download::id_of_url(&item.url, &runtime::url_of(""))
        {
            let state = download::state_of(&item);
            if state != DownloadState::Running {
                RUNNING.with_borrow_mut(|running| running.remove(&id));
                return ended(download.to_owned(), state).await;
            }
        }
        Ok(())
    })
}

/// A download, ours or not, has been taken off the list: one that still runs is stopped by that.
#[wasm_bindgen]
pub fn download_erased(id: u32) -> Promise {
    run(async move {
        match RUNNING.with_borrow_mut(|running| running.remove(&id)) {
            Some(download) => ended(download, DownloadState::Cancelled).await,
            None => Ok(()),
        }
    })
}

/// The browser asks for a received file whose stream is not here: the worker that had taken it has died.
#[wasm_bindgen]
pub fn download_lost(download: String) -> Promise {
    run(ended(download, DownloadState::Interrupted))
}

/// The header that makes the browser store a file under its name.
#[wasm_bindgen]
pub fn content_disposition(name: String) -> String {
    download::content_disposition(&name)
}

async fn ended(download: String, state: DownloadState) -> Result<(), ApiError> {
    engine::send(OffscreenMessage::DownloadEnded { download, state }).await
}

async fn happened(event: &Event) -> Result<(), ApiError> {
    if let Event::ProposalEnded { transfer } = event {
        notifications::clear(&notice::proposal_id(*transfer)).await?;
    }
    match notice::of_event(event, &i18n::message) {
        Some(notice) => notify(notice).await,
        None => Ok(()),
    }
}

async fn notify(notice: Notice) -> Result<(), ApiError> {
    if let Some(kept) = &notice.kept {
        let text = serde_json::to_string(kept)?;
        Area::Session.set(&[(&key_of(&notice.id), &text)]).await?;
    }
    notifications::show(&notice.id, &notice.notification).await?;
    match notice::dropped_by(&notice.id) {
        Some(dropped) => clear(&dropped).await,
        None => Ok(()),
    }
}

async fn clear(id: &str) -> Result<(), ApiError> {
    notifications::clear(id).await?;
    Area::Session.remove(&key_of(id)).await
}

async fn clear_notifications_of_the_last_engine() -> Result<(), ApiError> {
    for id in notifications::ids().await? {
        if notice::needs_its_engine(&id) {
            clear(&id).await?;
        }
    }
    Ok(())
}

/// Key in the session area of what is kept for a notification.
fn key_of(notification: &str) -> String {
    format!("notification:{notification}")
}

/// The popup, or a tab with it where the browser opens no popup by itself.
async fn show_popup() -> Result<(), ApiError> {
    match action::open_popup().await {
        Ok(()) => Ok(()),
        Err(_) => tabs::open(&runtime::url_of("popup.html")).await,
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<String, ApiError>>>>;

/// What the glue waits for. One kind of future for all events, because each costs kilobytes.
fn answer(answering: Answering) -> Promise {
    future_to_promise(async {
        match answering.await {
            Ok(text) => Ok(text.into()),
            Err(error) => Err(JsError::from(error).into()),
        }
    })
}

fn run(running: impl Future<Output = Result<(), ApiError>> + 'static) -> Promise {
    answer(Box::pin(async { nothing(running.await) }))
}

/// The answer where no one asked.
fn nothing(done: Result<(), ApiError>) -> Result<String, ApiError> {
    done.map(|()| "null".to_owned())
}
