//! The engine's last status, kept beyond the worker's death, and what is shown of it: badge and menus.

use core::cell::Cell;

use super::badge;
use super::menu::{self, Step};
use crate::chrome::context_menus::{self, MenuItem};
use crate::chrome::storage::Area;
use crate::chrome::{ApiError, action, i18n};
use crate::envelope::EngineStatus;
use crate::json;

/// Key in the session area: the last status.
const STATUS: &str = "status";

/// Key in the session area: the menu items that are there. Missing after the browser's start and a new load of the
/// extension, when the browser still shows those of last time.
const MENU: &str = "menu";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Showing {
    Idle,
    Busy,
    /// The status has changed meanwhile.
    Outdated,
}

thread_local! {
    /// Menus are changed in many calls: one change at a time.
    static SHOWING: Cell<Showing> = const { Cell::new(Showing::Idle) };
}

/// Keeps and shows a new status.
pub async fn update(status: &EngineStatus) -> Result<(), ApiError> {
    let text = serde_json::to_string(status)?;
    Area::Session.set(&[(STATUS, &text)]).await?;
    show().await
}

/// There is no engine and no status.
pub async fn forget() -> Result<(), ApiError> {
    Area::Session.remove(STATUS).await?;
    show().await
}

/// Shows the status, unless what is shown outlived the worker.
pub async fn restore() -> Result<(), ApiError> {
    if Area::Session.get(MENU).await?.is_none() {
        show().await?;
    }
    Ok(())
}

/// Shows the status that is kept. Returns early if another call is at it, which then shows the newest.
async fn show() -> Result<(), ApiError> {
    if SHOWING.replace(Showing::Outdated) != Showing::Idle {
        return Ok(());
    }
    let mut shown = Ok(());
    while SHOWING.replace(Showing::Busy) == Showing::Outdated {
        shown = show_once().await;
        if SHOWING.get() == Showing::Busy {
            break;
        }
    }
    SHOWING.set(Showing::Idle);
    shown
}

async fn show_once() -> Result<(), ApiError> {
    let status: Option<EngineStatus> = kept(STATUS).await?;
    action::show_badge(&badge::badge(status.as_ref(), &i18n::message)).await?;

    let before: Option<Vec<MenuItem>> = kept(MENU).await?;
    let devices = status.map_or_else(Vec::new, |status| status.devices);
    let after = menu::items(&devices, &i18n::message);
    let steps = before
        .as_ref()
        .and_then(|before| menu::steps(before, &after));
    let changed = match steps {
        Some(steps) => change(&steps).await.is_ok(),
        None => false,
    };
    if !changed {
        context_menus::remove_all().await?;
        for item in &after {
            context_menus::create(item).await?;
        }
    }
    let text = serde_json::to_string(&after)?;
    Area::Session.set(&[(MENU, &text)]).await
}

async fn change(steps: &[Step<'_>]) -> Result<(), ApiError> {
    for step in steps {
        match step {
            Step::Remove(item) => context_menus::remove(&item.id).await?,
            Step::Retitle(item) => context_menus::set_title(item).await?,
            Step::Create(item) => context_menus::create(item).await?,
        }
    }
    Ok(())
}

/// What is kept under a key; as good as nothing if this version can't read it.
async fn kept<T: serde::de::DeserializeOwned>(key: &str) -> Result<Option<T>, ApiError> {
    let text = Area::Session.get(key).await?;
    Ok(text.and_then(|text| json::from_str(&text).ok()))
}
