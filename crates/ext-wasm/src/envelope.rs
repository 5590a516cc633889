//! What the extension's contexts say to each other. Control only: file bytes never travel here.
//!
//! Four ways, each for one thing:
//! - `chrome.runtime.sendMessage` carries an [`Envelope`] as a JSON string; a request's answer is a JSON string too, or null.
//! - A port named [`PAGE_PORT`] joins a page to the offscreen document for as long as the page is open: the page sends what is
//!   [`Asked`], the offscreen document what is [`Shown`] whenever it changes. JSON strings.
//! - A `BroadcastChannel` named [`FILES_CHANNEL`] hands `File` objects from a page to the offscreen document:
//!   `{request: string, to: string, files: File[]}`, answered by `{accepted: string}` with the same request.
//! - A port named [`NATIVE_PORT`] joins the offscreen document to the native host, through the service worker, which alone may
//!   reach it and opens the port when asked: there what is to be said to the daemon, back `{heard: what it says}` or, at the
//!   end, `{gone: why}`.

use serde::{Deserialize, Serialize};
use tabferry_engine::NATIVE_KEYS;
use tabferry_protocol::card::DeviceName;
use tabferry_protocol::host::{
    Command, ConnectionView, DeviceView, Event, Settings, Snapshot, StoredFile, Trust, TrustCommand,
};
use tabferry_protocol::id::{DeviceId, TransferId};

/// Name of the port between a page and the offscreen document.
pub const PAGE_PORT: &str = "page";

/// Name of the port between the offscreen document and the native host.
pub const NATIVE_PORT: &str = "native";

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
    /// What to do with the native host.
    #[serde(default)]
    pub native: Option<NativeCommand>,
}

/// What a page is shown, with `native` beside it: a [`NativeShown`], of which the daemon's part is passed on as it came. Each
/// page reads only the parts that are its subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What there is.
    pub snapshot: Snapshot,
    /// Whom this device trusts.
    pub trust: Trust,
}

/// What a page is shown of the native host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeShown {
    /// How this browser and the daemon stand.
    pub state: NativeState,
    /// What the daemon shows, if it is an endpoint of this device.
    pub snapshot: Option<Snapshot>,
}

/// How this browser and the native host's daemon stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NativeState {
    /// A person doesn't want it.
    #[default]
    Off,
    /// On its way.
    Connecting,
    /// A person has just allowed it; the browser lets the service worker make use of that from its next start.
    Restarting,
    /// The browser doesn't allow it: a person has to.
    NotAllowed,
    /// It is not installed for this browser.
    Missing,
    /// It is not for this extension.
    Refused,
    /// It ends, or never starts.
    Failed,
    /// It speaks an older version than this extension. Its own version.
    AppOutdated(String),
    /// It speaks a newer version than this extension. Its own version.
    ExtensionOutdated(String),
    /// It is an endpoint of another device, which is called so.
    OtherDevice(DeviceName),
    /// It is an endpoint of this device.
    Connected {
        /// Its own version.
        program: String,
        /// Where received files go.
        folder: String,
    },
}

/// What to do with the native host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NativeCommand {
    /// Connect with it from now on.
    On,
    /// Have nothing to do with it from now on.
    Off,
    /// Try to connect now.
    TryAgain,
    /// Make this browser an endpoint of its device.
    Adopt,
    /// Make it forget this device.
    Forget,
    /// Show the received files of one of its transfers in their folder.
    ShowInFolder {
        /// Which.
        transfer: TransferId,
    },
}

/// What the offscreen document starts with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Start {
    /// For the engine.
    pub settings: Settings,
    /// Whether to connect with the native host.
    pub native: bool,
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
    /// The offscreen document runs. Answered with a [`Start`].
    EngineStarted,
    /// What badge and menus show has changed.
    Status(EngineStatus),
    /// Something a person may want to be notified of.
    Happened(Event),
    /// Open a port named [`NATIVE_PORT`]. Answered with `true`.
    ConnectNative,
    /// The native host has gone, and what it asked with it.
    NativeGone,
    /// This browser is now an endpoint of another device, with its settings: they are to be kept, and the engine to be started
    /// anew.
    Adopted(Settings),
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
    /// For the native host, or about it.
    Native(NativeCommand),
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
    /// Whether the native host stores received files.
    pub native: bool,
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

/// Whether a transfer is one of the native host.
pub fn is_native(transfer: TransferId) -> bool {
    transfer.0 >= NATIVE_KEYS
}
