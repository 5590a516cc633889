//! The vocabulary between an engine and whoever shows it: what a person asks ([`Command`]), what happened ([`Event`]) and
//! all there is to show ([`Snapshot`]). The same for every engine host, so a popup can't tell them apart. Times and speeds
//! are the engine's; words for codes belong to `_locales`.

use serde::{Deserialize, Serialize};

use crate::card::{DeviceCard, DeviceKind, DeviceName, EndpointKind};
use crate::code::Code;
use crate::id::{DeviceId, ItemId, SourceId, TransferId};
use crate::manifest::Item;

/// What a person (or a page acting for one) asks of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// New settings: the first one starts the engine's signaling.
    Configure(Settings),
    /// Try the signaling server again now.
    Reconnect,
    /// Send a page, link or text.
    SendItem {
        /// To which device.
        to: DeviceId,
        /// What.
        item: Item,
    },
    /// Send files that the host can read.
    SendFiles {
        /// To which device.
        to: DeviceId,
        /// Which, in order.
        files: Vec<SourceFile>,
    },
    /// Announce a file that the host is still fetching, so that it is shown and can be cancelled. The source's size is
    /// not known yet.
    Prepare {
        /// To which device.
        to: DeviceId,
        /// Under what name it is shown.
        name: String,
        /// The host's name for it.
        source: SourceId,
    },
    /// A file announced by [`Command::Prepare`] is ready to be sent.
    Prepared {
        /// With the same source id.
        file: SourceFile,
    },
    /// A file announced by [`Command::Prepare`] can't be had.
    PrepareFailed {
        /// The one announced.
        source: SourceId,
        /// Why.
        code: Code,
    },
    /// Say yes to a proposal.
    Accept {
        /// Which.
        transfer: TransferId,
    },
    /// Say no to a proposal.
    Decline {
        /// Which.
        transfer: TransferId,
    },
    /// Stop a transfer in either direction.
    Cancel {
        /// Which.
        transfer: TransferId,
    },
    /// Take an ended transfer off the list.
    Dismiss {
        /// Which.
        transfer: TransferId,
    },
    /// Take a received page, link or text off the list.
    DismissItem {
        /// Which.
        item: ItemId,
    },
}

/// What the engine must know to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// This device.
    pub device: DeviceCard,
    /// Through what it is present here.
    pub endpoint: EndpointKind,
    /// WebSocket URL of the signaling server.
    pub server: String,
}

/// A file that the host can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// The host's name for it.
    pub source: SourceId,
    /// What it is called.
    pub name: String,
    /// Exact size in bytes.
    pub bytes: u64,
    /// Media type, if known.
    pub media_type: Option<String>,
}

/// What happened, for notifications and announcements. States are in the [`Snapshot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Someone wants to send files; a person has to answer.
    ProposalArrived {
        /// The proposal.
        proposal: ProposalView,
    },
    /// A proposal needs no answer any more: answered, withdrawn or expired.
    ProposalEnded {
        /// Which.
        transfer: TransferId,
    },
    /// A page, link or text came.
    ItemReceived {
        /// What, and from whom.
        item: ItemView,
    },
    /// A transfer has ended, well or not.
    TransferEnded {
        /// Its last state.
        transfer: TransferView,
    },
}

/// Everything a user interface shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// This device, once configured.
    pub device: Option<DeviceCard>,
    /// The signaling connection.
    pub connection: ConnectionView,
    /// Other devices, by name.
    pub devices: Vec<DeviceView>,
    /// Proposals that wait for an answer, oldest first.
    pub incoming: Vec<ProposalView>,
    /// Transfers, newest first: running ones and the last that ended. Not those in `incoming`.
    pub transfers: Vec<TransferView>,
    /// Received pages, links and texts, newest first.
    pub items: Vec<ItemView>,
}

/// Whether the signaling server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ConnectionView {
    /// On its way.
    Connecting,
    /// Devices nearby are seen.
    Online,
    /// Not connected; the engine tries again by itself.
    Offline {
        /// Why.
        problem: SignalingProblem,
    },
}

/// Why there is no signaling connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalingProblem {
    /// Nothing answers at the address.
    Unreachable,
    /// Something answers there that is no Tabferry server, or the address is none.
    WrongAddress,
    /// The server speaks no version that we do.
    Incompatible,
    /// The server refuses us for now: too many connections or messages.
    Refused,
    /// The connection was there and broke.
    Lost,
}

/// Another device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    /// Which.
    pub id: DeviceId,
    /// What it calls itself.
    pub name: DeviceName,
    /// For the icon.
    pub kind: DeviceKind,
}

/// A proposal that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalView {
    /// Which transfer.
    pub transfer: TransferId,
    /// From whom.
    pub from: DeviceView,
    /// The first names, as the files will be called here; at most [`ProposalView::NAMES`].
    pub names: Vec<String>,
    /// How many files.
    pub files: u32,
    /// How many bytes in all.
    pub bytes: u64,
}

impl ProposalView {
    /// Names shown of one proposal.
    pub const NAMES: usize = 5;
}

/// Which way a transfer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From here.
    Send,
    /// To here.
    Receive,
}

/// What a transfer is about, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Subject {
    /// One or more files.
    Files {
        /// The first one's name, safe to show.
        name: String,
        /// How many.
        count: u32,
    },
    /// A page.
    Page {
        /// Its title, or its address.
        title: String,
    },
    /// A link.
    Link {
        /// Its title, or its address.
        title: String,
    },
    /// A text.
    Text {
        /// Its beginning.
        excerpt: String,
    },
}

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferView {
    /// Which.
    pub id: TransferId,
    /// Which way.
    pub direction: Direction,
    /// The other device.
    pub device: DeviceView,
    /// What.
    pub subject: Subject,
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes that have arrived for sure.
    pub bytes_done: u64,
    /// Files that are stored.
    pub files_done: u32,
    /// Speed over the last seconds; 0 when nothing moves.
    pub bytes_per_second: u64,
    /// Seconds left at this speed, if there is one.
    pub seconds_left: Option<u64>,
    /// Where it stands.
    pub state: TransferState,
    /// The storage's name for the last stored file, to show it in its folder.
    pub stored: Option<StoredFile>,
}

/// A stored file, as its storage names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// The storage's number for it: in a browser the download's id.
    pub id: u32,
    /// Name under which it was stored.
    pub name: String,
}

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum TransferState {
    /// The host is still fetching the file.
    Preparing,
    /// No connection to the device yet.
    Connecting,
    /// The other end has not answered yet.
    Proposed,
    /// Bytes move.
    Running,
    /// Everything is stored at the receiver.
    Done,
    /// The receiver said no.
    Declined {
        /// Why.
        code: Code,
    },
    /// Stopped by a person.
    Cancelled {
        /// Whether it was a person here.
        here: bool,
    },
    /// Ended by a failure.
    Failed {
        /// Which.
        code: Code,
    },
}

impl TransferState {
    /// Whether nothing will follow.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Done | Self::Declined { .. } | Self::Cancelled { .. } | Self::Failed { .. }
        )
    }
}

/// A received page, link or text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemView {
    /// Which.
    pub id: ItemId,
    /// From whom.
    pub from: DeviceView,
    /// What.
    pub item: Item,
}
