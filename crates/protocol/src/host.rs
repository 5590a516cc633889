//! The vocabulary between an engine and whoever shows it: what a person asks ([`Command`]), what happened ([`Event`]) and
//! all there is to show ([`Snapshot`]). The same for every engine host, so a popup can't tell them apart. Times and speeds
//! are the engine's; words for codes belong to `_locales`.
//!
//! A popup reads this anew at every click, so reading must be cheap to load: links are plain texts (checking one takes a
//! URL parser with its tables, 170 KB of wasm) and enums carry their variant as the key (a tag inside needs look-ahead,
//! 30 KB).

use serde::{Deserialize, Serialize};

use crate::card::{DeviceCard, DeviceKind, DeviceName};
use crate::code::Code;
use crate::id::{DeviceId, ItemId, SourceId, TransferId};
use crate::limits::{TEXT_BYTES, TITLE_BYTES};
use crate::link::WebUrl;
use crate::manifest::Item;
use crate::name::cut_to_bytes;
use crate::paired::AutoAccept;
use crate::secret_code::{CodeText, GroupCode};

/// What a person (or a page acting for one) asks of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
        item: PlainItem,
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
        /// What to send in its place, for example its link; the transfer fails if there is nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead: Option<PlainItem>,
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
    /// Hold a transfer.
    Pause {
        /// Which.
        transfer: TransferId,
    },
    /// Go on with a transfer that a person here has paused.
    Resume {
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
    /// Be seen by everyone nearby after all, where that is [`Visible::Crowded`]: until this device has another address, or
    /// its engine is started anew.
    ShowInCrowd,
    /// Take what another endpoint of this device has received.
    TakeItem {
        /// From whom.
        from: DeviceView,
        /// What.
        item: PlainItem,
        /// Whether it is to be opened or copied at once.
        unasked: bool,
    },
}

/// What a person asks about paired devices. Apart from [`Command`], so that only the pages for it read and write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustCommand {
    /// Begin to pair with a device.
    Pair {
        /// With which.
        with: DeviceId,
    },
    /// Say yes or no to a device that asks to pair.
    AnswerPairing {
        /// Whether yes.
        yes: bool,
    },
    /// Say which of [`PairingStep::Picks`] the other device shows.
    PickPairing {
        /// Index of it; `None`: none of them.
        choice: Option<u8>,
    },
    /// Stop a pairing, or take one that has ended off the screen.
    EndPairing,
    /// Trust a device no more.
    Unpair {
        /// Which.
        device: DeviceId,
    },
    /// Call a paired device something else, here.
    Rename {
        /// Which.
        device: DeviceId,
        /// What.
        name: DeviceName,
    },
    /// Change what a paired device may do unasked.
    SetAutoAccept {
        /// Which.
        device: DeviceId,
        /// What it may.
        auto_accept: AutoAccept,
    },
    /// Make a code for a person at another device. One that is under way ends.
    OpenCode,
    /// Connect with the device whose code this is. One that is under way ends.
    EnterCode {
        /// The code or a link with it, as it was typed or pasted.
        typed: CodeText,
    },
    /// Stop connecting with a code, or take what came of it off the screen.
    EndCode,
}

/// What the engine must know to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What this device is called.
    pub name: DeviceName,
    /// Of what kind it is.
    pub kind: DeviceKind,
    /// WebSocket URL of the signaling server.
    pub server: String,
    /// Who may find this device.
    pub visibility: Visibility,
    /// The groups that it is in; at most [`GROUPS`](crate::limits::GROUPS) count.
    pub groups: Vec<GroupCode>,
}

/// Who may find a device. A code connects it with whoever was told the code, in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// The devices of its network, paired devices anywhere, and the members of its groups.
    #[default]
    Everyone,
    /// Paired devices anywhere, and the members of its groups.
    Paired,
    /// Nobody.
    Nobody,
}

/// A file that the host can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// The host's name for it.
    pub source: SourceId,
    /// What it is called.
    pub name: String,
    /// The folder that it shall be in at the other end: names with `/` between two; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// Exact size in bytes.
    pub bytes: u64,
    /// Media type, if known.
    pub media_type: Option<String>,
}

/// What happened, for notifications and announcements. States are in the [`Snapshot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
        /// Whether the person here lets this device have it opened or copied: to be done at once.
        unasked: bool,
    },
    /// A transfer has ended, well or not.
    TransferEnded {
        /// Its last state.
        transfer: TransferView,
    },
    /// A device asks to pair; a person has to answer.
    PairingAsked {
        /// Which.
        device: DeviceView,
    },
    /// Nobody has to answer a device that asked to pair any more.
    PairingAnswered,
    /// A connection with a device could not be verified, or not any more: a fault, or somebody in between. It is closed.
    Unverified {
        /// The device, as the signaling server names it.
        device: DeviceView,
    },
}

/// Everything a user interface shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// This device, once configured.
    pub device: Option<DeviceCard>,
    /// The signaling connection.
    pub connection: ConnectionView,
    /// Who can find this device while it is online.
    pub visible: Visible,
    /// Other devices, by name.
    pub devices: Vec<DeviceView>,
    /// Proposals that wait for an answer, oldest first.
    pub incoming: Vec<ProposalView>,
    /// Transfers, newest first: running ones and the last that ended. Not those in `incoming`.
    pub transfers: Vec<TransferView>,
    /// Received pages, links and texts, newest first.
    pub items: Vec<ItemView>,
}

/// Whom a person trusts. Apart from [`Snapshot`], so that only the pages for it read all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// Paired devices, by name.
    pub paired: Vec<PairedView>,
    /// The pairing under way, or the last one until it is taken off the screen.
    pub pairing: Option<PairingView>,
    /// The code under way, or the last one until it is taken off the screen.
    pub code: Option<CodeStep>,
    /// The groups that this device is in, in the order of the settings.
    pub groups: Vec<GroupView>,
}

/// A group that this device is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Which.
    pub name: GroupCode,
    /// Whether it is there.
    pub state: GroupState,
}

/// Whether a device is among its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// Not, as long as the signaling server is not there or nobody may find the device.
    Away,
    /// It is.
    Joined {
        /// How many other devices are in it now.
        others: u32,
    },
    /// The server refuses: the group is full, or there are too many.
    Refused,
}

/// Who can find this device now: the setting, and what the network makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visible {
    /// Everyone nearby, and paired devices.
    Everyone,
    /// Paired devices: a person wants it so.
    Paired,
    /// Nobody: a person wants it so.
    Nobody,
    /// Paired devices, though a person would let everyone: too many strangers share the public address.
    Crowded,
    /// Paired devices, though a person would let everyone: the server can't tell who is near.
    Unavailable,
}

/// How far a connection with a code is, and what a person has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeStep {
    /// The server is asked to open one.
    Opening,
    /// Tell this to the person at the other device.
    Shows {
        /// The code as people read it: `ABCD-EFGH`.
        code: CodeText,
        /// When it ends. Seconds since 1970.
        until: u64,
        /// How often somebody came with a wrong one.
        wrong: u32,
    },
    /// The device whose code was typed is being connected.
    Connecting,
    /// Both had the same code: the devices are paired.
    Done {
        /// The other device.
        device: DeviceView,
    },
    /// Nothing came of it.
    Ended {
        /// Why.
        reason: CodeEnd,
    },
}

/// Why a code came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeEnd {
    /// What was typed has no code's form.
    Mistyped,
    /// No such code is open: mistyped, used, or too old.
    NotFound,
    /// The other device has another code: mistyped, or somebody is in between.
    Wrong,
    /// Here the code was open for as long as codes are.
    Expired,
    /// Too often somebody came with a wrong one.
    Guessed,
    /// Something else.
    Failed {
        /// What.
        code: Code,
    },
}

/// A paired device, wherever it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedView {
    /// Which, under the name that it has here.
    pub device: DeviceView,
    /// When it was paired. Seconds since 1970.
    pub since: u64,
    /// When it last proved itself. Seconds since 1970.
    pub last_seen: u64,
    /// What it may do unasked.
    pub auto_accept: AutoAccept,
}

/// A pairing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingView {
    /// With which device.
    pub device: DeviceView,
    /// How far it is.
    pub step: PairingStep,
}

/// Four symbols: indices of [`EMOJI`](crate::emoji::EMOJI).
pub type Symbols = [u8; 4];

/// How far a pairing is, and what a person has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairingStep {
    /// The devices are being connected.
    Connecting,
    /// Wait: a person at the other device has to answer.
    Waiting,
    /// Answer: the other device asks.
    Asked,
    /// Show these to the person at the other device, who picks them there.
    Shows {
        /// Which.
        symbols: Symbols,
    },
    /// Pick what the other device shows.
    Picks {
        /// From these.
        choices: [Symbols; 3],
    },
    /// The devices are paired.
    Done,
    /// They are not.
    Ended {
        /// Why.
        reason: PairingEnd,
    },
}

/// Why a pairing came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairingEnd {
    /// A person here picked other symbols than those of the connection: somebody may be in between.
    Mismatch,
    /// A person at the other device stopped it, or picked others.
    Stopped,
    /// Something else.
    Failed {
        /// What.
        code: Code,
    },
}

/// Whether the signaling server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// What it is called: by the person here if it is paired, by itself otherwise.
    pub name: DeviceName,
    /// For the icon.
    pub kind: DeviceKind,
    /// Whether it is paired with this one. To connect to it, its key must be proved.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub paired: bool,
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
    /// How many of them may run something when they are opened.
    pub programs: u32,
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
#[serde(rename_all = "kebab-case")]
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
#[serde(rename_all = "kebab-case")]
pub enum TransferState {
    /// The host is still fetching the file.
    Preparing,
    /// No connection to the device yet.
    Connecting,
    /// The other end has not answered yet.
    Proposed,
    /// Bytes move.
    Running,
    /// The device is away, or no connection comes up: the transfer begins or goes on by itself when it is back.
    Waiting,
    /// A person holds it.
    Paused {
        /// Whether it was a person here.
        here: bool,
    },
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
    pub item: PlainItem,
}

/// An [`Item`] as an interface handles it, with a link as plain text. What the engine shows was checked; what it is
/// asked to send becomes an [`Item`] first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlainItem {
    /// A page.
    Page {
        /// Where it is.
        url: String,
        /// What it calls itself; may be empty.
        title: String,
    },
    /// A link.
    Link {
        /// Where it leads.
        url: String,
        /// Its text; may be empty.
        title: String,
    },
    /// A text.
    Text {
        /// The text.
        text: String,
    },
}

impl TryFrom<PlainItem> for Item {
    type Error = Code;

    /// Cuts a title to its limit. Errors with [`Code::ForbiddenLink`] or [`Code::TooLarge`] (also for an empty text).
    fn try_from(item: PlainItem) -> Result<Self, Code> {
        let link = |url| WebUrl::try_from(url).map_err(|_| Code::ForbiddenLink);
        let cut = |title: &str| cut_to_bytes(title, TITLE_BYTES).to_owned();
        Ok(match item {
            PlainItem::Page { url, title } => Self::Page {
                url: link(url)?,
                title: cut(&title),
            },
            PlainItem::Link { url, title } => Self::Link {
                url: link(url)?,
                title: cut(&title),
            },
            PlainItem::Text { text } if text.is_empty() || text.len() > TEXT_BYTES => {
                return Err(Code::TooLarge);
            }
            PlainItem::Text { text } => Self::Text { text },
        })
    }
}

impl From<Item> for PlainItem {
    fn from(item: Item) -> Self {
        match item {
            Item::Page { url, title } => Self::Page {
                url: url.into(),
                title,
            },
            Item::Link { url, title } => Self::Link {
                url: url.into(),
                title,
            },
            Item::Text { text } => Self::Text { text },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(url: &str, title: &str) -> PlainItem {
        PlainItem::Link {
            url: url.to_owned(),
            title: title.to_owned(),
        }
    }

    #[test]
    fn a_plain_item_becomes_an_item_and_comes_back() {
        let plain = link("https://example.org/", "Example");
        let item = Item::try_from(plain.clone()).unwrap();
        assert_eq!(PlainItem::from(item), plain);
    }

    #[test]
    fn what_may_not_be_sent_is_refused() {
        for url in [
            "",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://a:b@example.org/",
        ] {
            assert_eq!(
                Item::try_from(link(url, "")),
                Err(Code::ForbiddenLink),
                "{url}"
            );
        }
        for text in [String::new(), "x".repeat(TEXT_BYTES + 1)] {
            assert_eq!(
                Item::try_from(PlainItem::Text { text }),
                Err(Code::TooLarge)
            );
        }
    }

    #[test]
    fn a_long_title_is_cut_between_characters() {
        let Item::Link { title, .. } =
            Item::try_from(link("https://example.org/", &"长".repeat(TITLE_BYTES))).unwrap()
        else {
            panic!("a link stays a link");
        };
        assert_eq!(title.len(), TITLE_BYTES / 3 * 3);
    }
}
