//! The service worker's program: one function per event, all of them pure. Its glue, `extension/background.js`, brings the
//! event with what is kept for it and carries out what comes back; all of it travels as JSON.

use serde::Serialize;
use tabferry_ext::background::badge::{Badge, badge};
use tabferry_ext::background::click::Click;
use tabferry_ext::background::download::{self, DownloadItem};
use tabferry_ext::background::menu::{self, MenuItem, Step};
use tabferry_ext::background::notice::{self, Kept};
use tabferry_ext::background::output::Output;
use tabferry_ext::chrome::i18n;
use tabferry_ext::envelope::{DownloadState, EngineStatus};
use tabferry_ext::json::{self, InvalidJson};
use tabferry_ext::settings::KeptSettings;
use tabferry_protocol::host::{Event, Settings};
use wasm_bindgen::prelude::*;

fn main() {}

type Answer = Result<String, JsError>;

/// What to show of an [`EngineStatus`], or of none, where these [`MenuItem`]s stand; `None` if that is not known.
#[wasm_bindgen]
pub fn show(status: Option<String>, menu: Option<String>) -> Answer {
    #[derive(Serialize)]
    struct Shown {
        badge: Badge,
        /// What shall stand there.
        menu: Vec<MenuItem>,
        /// The way to it; if there is none, all must go first.
        steps: Option<Vec<Step>>,
    }
    let status: Option<EngineStatus> = status.and_then(|text| json::from_str(&text).ok());
    let before: Option<Vec<MenuItem>> = menu.and_then(|text| json::from_str(&text).ok());
    let badge = badge(status.as_ref(), &i18n::message);
    let devices = status.map_or_else(Vec::new, |status| status.devices);
    let menu = menu::items(&devices, &i18n::message);
    let steps = before.and_then(|before| menu::steps(&before, &menu));
    answer(&Shown { badge, menu, steps })
}

/// What to do about an [`Event`] of the engine.
#[wasm_bindgen]
pub fn happened(event: &str) -> Answer {
    let event: Event = json::from_str(event)?;
    outputs(&notice::outputs_of(&event, &i18n::message))
}

/// What to do about a file whose link had to be sent instead.
#[wasm_bindgen]
pub fn sent_link_instead(url: &str) -> Answer {
    outputs(&[Output::Notify(notice::of_link_instead(url, &i18n::message))])
}

/// What to do about a [`Click`] on a menu item.
#[wasm_bindgen]
pub fn menu_clicked(click: &str) -> Answer {
    let click: Click = json::from_str(click)?;
    outputs(&[match click.message() {
        Ok(message) => Output::Tell(message),
        Err(why) => Output::Notify(notice::of_unsendable(why, &i18n::message)),
    }])
}

/// What to do about a click on a notification: on the button with this number, or on its body.
#[wasm_bindgen]
pub fn notification_clicked(id: String, button: Option<u32>, kept: Option<String>) -> Answer {
    let kept: Option<Kept> = kept.and_then(|text| json::from_str(&text).ok());
    outputs(&[notice::reaction(&id, button, kept), Output::Clear { id }])
}

/// What to do about the notifications that are there when a new engine starts.
#[wasm_bindgen]
pub fn engine_started(notifications: Vec<String>) -> Answer {
    clear(notifications, notice::needs_its_engine)
}

/// What to do about the notifications that are there when the native host goes.
#[wasm_bindgen]
pub fn native_gone(notifications: Vec<String>) -> Answer {
    clear(notifications, notice::needs_the_native_host)
}

/// What is to be kept of settings that come from elsewhere: [`KeptSettings`].
#[wasm_bindgen]
pub fn kept_settings(settings: &str) -> Answer {
    let settings: Settings = json::from_str(settings)?;
    answer(&KeptSettings::of(settings))
}

/// The settings, from [`KeptSettings`] and as many random bytes as [`KeptSettings::complete`] needs.
#[wasm_bindgen]
pub fn settings(kept: &str, random: &[u8]) -> Answer {
    let kept: KeptSettings = json::from_str(kept)?;
    let settings = random.try_into().map(|random| kept.complete(random));
    match settings {
        Ok(Ok(settings)) => answer(&settings),
        _ => Err(unexpected()),
    }
}

/// The [`DownloadState`] of a [`DownloadItem`], or of one that the browser doesn't know.
#[wasm_bindgen]
pub fn download_state(item: Option<String>) -> Answer {
    let Some(item) = item else {
        return answer(&DownloadState::Interrupted);
    };
    answer(&download::state_of(&json::from_str::<DownloadItem>(&item)?))
}

fn clear(notifications: Vec<String>, is_stale: fn(&str) -> bool) -> Answer {
    let stale = notifications.into_iter().filter(|id| is_stale(id));
    let clear = stale.map(|id| Output::Clear { id });
    outputs(&clear.collect::<Vec<_>>())
}

fn outputs(outputs: &[Output]) -> Answer {
    answer(&outputs)
}

fn answer(data: &impl Serialize) -> Answer {
    json::to_string(data).map_err(|InvalidJson| unexpected())
}

fn unexpected() -> JsError {
    JsError::new("unexpected data")
}
