//! What the service worker is to do: decided here as plain data, carried out by its glue, `extension/background.js`, which
//! knows the browser's APIs. So every decision is tested without a browser, and the worker loads no machinery for waiting.

use serde::Serialize;

use super::notice::Notice;
use crate::envelope::OffscreenMessage;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Show a notification, in the place of one with the same id, and keep what its click needs.
    Notify(Notice),
    /// Take a notification away and forget what was kept for it.
    Clear {
        /// Which.
        id: String,
    },
    /// Open a link in a tab.
    Open {
        /// The link.
        url: String,
        /// If no person has clicked: then the tab stays behind, and is kept for a click on the notification with this id.
        unasked: Option<String>,
    },
    /// Bring a tab to the front, or the popup if it is gone.
    ShowTab {
        /// The browser's number for the tab.
        tab: u32,
    },
    /// Show a download's file in its folder.
    ShowInFolder {
        /// The browser's number for the download.
        download: u32,
    },
    /// Open the popup.
    ShowPopup,
    /// Tell the offscreen document, which is opened if it is not there.
    Tell(OffscreenMessage),
}
