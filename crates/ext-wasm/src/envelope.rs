//! What the extension's contexts say to each other. Control only: file bytes never travel here.
//!
//! Three ways, each for one thing:
//! - `chrome.runtime.sendMessage` carries an [`Envelope`] as a JSON string; a request's answer is a JSON string too, or null.
//! - A port named [`PAGE_PORT`] joins a page to the offscreen document for as long as the page is open: the page sends what is
//!   [`Asked`], the offscreen document what is [`Shown`] whenever it changes. JSON strings.
//! - A `BroadcastChannel` named [`FILES_CHANNEL`] hands `File` objects from a page to the offscreen document:
//!   `{request: string, to: string, files: File[]}`, answered by `{accepted: string}` with the same request.

use serde::{Deserialize, Serialize};
use tabferry_protocol::host::{
    Command, ConnectionView, DeviceView, Event, Snapshot, StoredFile, Trust, TrustCommand,
};
use tabferry_protocol::id::DeviceId;

/// Name of the port between a page and the offscreen document.
pub const PAGE_PORT: &str = "page";

/// Name of the channel on which pages hand over files.
pub const FILES_CHANNEL: &str = "files";

/// What a page asks of the engine: one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Asked {
    /// Something to do.
    #[serde(default)]
    pub command: Option<Command>,
    /// Whom to trust.
    #[serde(default)]
    pub trust: Option<TrustCommand>,
}

/// What a page is shown. Each page reads only the parts that are its subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What there is.
    pub snapshot: Snapshot,
    /// Whom this device trusts.
    pub trust: Trust,
}

/// A message with its destination: every context hears every message and drops what is not for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Envelope {
    /// For the service worker.
    Background(BackgroundMessage),
    /// For the offscreen document.
    Offscreen(OffscreenMessage),
}

/// What the service worker is told or asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackgroundMessage {
    /// A page needs the engine. Answered with `true` once the offscreen document listens.
    EnsureEngine,
    /// The offscreen document runs. Answered with [`Settings`](tabferry_protocol::host::Settings).
    EngineStarted,
    /// What badge and menus show has changed.
    Status(EngineStatus),
    /// Something a person may want to be notified of.
    Happened(Event),
    /// How a download of ours stands. Answered with a [`DownloadState`].
    DownloadState {
        /// The id in its URL, see [`download_path`].
        download: String,
    },
    /// The bytes of a page's file could not be fetched and its link was sent instead.
    SentLinkInstead {
        /// The link.
        url: String,
    },
}

/// What the offscreen document is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffscreenMessage {
    /// For the engine.
    Command(Command),
    /// Fetch what is at a URL and send its bytes; the link instead, if they can't be had.
    SendBytes {
        /// To which device.
        to: DeviceId,
        /// http, https, data or blob URL of an image, video, audio or link target.
        url: String,
        /// Title for the link, if it comes to that.
        title: String,
    },
    /// Put a text on the clipboard.
    Copy {
        /// The text.
        text: String,
    },
    /// A download of ours has ended.
    DownloadEnded {
        /// The id in its URL, see [`download_path`].
        download: String,
        /// How.
        state: DownloadState,
    },
}

/// What the service worker shows without asking the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// The signaling connection.
    pub connection: ConnectionView,
    /// The devices that something can be sent to.
    pub devices: Vec<DeviceView>,
    /// Proposals that wait for an answer.
    pub waiting: u32,
}

/// How a download into the browser's Downloads stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DownloadState {
    /// Not ended.
    Running,
    /// The file is there.
    Complete(StoredFile),
    /// A person stopped it in the browser's own list of downloads.
    Cancelled,
    /// No space left on the disk.
    Full,
    /// The disk or the browser's rules refused it.
    Refused,
    /// It broke off for another reason, or the browser doesn't know it: it can be started again.
    Interrupted,
}

/// Path of the URL at which the service worker answers with a received file, for the id that the offscreen document
/// drew.
pub fn download_path(download: &str) -> String {
    format!("/download/{download}")
}
