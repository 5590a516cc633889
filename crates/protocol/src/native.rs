//! What the daemon of the native host and its clients say to each other: JSON, one message to a frame. A client is an
//! extension, behind the bridge that its browser has started, or a command in a terminal. In a browser's hands a frame is a
//! native message; on the daemon's local socket it has the same form. Knows no socket, no file and no rule of the engine.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::card::DeviceCard;
use crate::hex;
use crate::host::{
    Command, ConnectionView, DeviceView, Event, ItemView, PlainItem, Settings, Snapshot, Trust,
    TrustCommand,
};
use crate::id::{DeviceId, ItemId, PeerId, TransferId};
use crate::identity::{DeviceKey, KEY_BYTES};
use crate::paired::PairedDevice;

/// Name of the native messaging host, under which browsers know it.
pub const HOST_NAME: &str = "app.tabferry.host";

/// Version of these messages. Both ends must speak the same: whoever has the lower one is to be updated.
pub const VERSION: u16 = 1;

/// The first frame on the daemon's socket: who is behind it. The bridge writes it, never the extension, so an extension can't
/// take itself for a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Client {
    /// An extension.
    Browser {
        /// As the browser gave it: `chrome-extension://<id>/`, or the id of a Firefox add-on.
        origin: String,
    },
    /// A command in a terminal of the same person. It may say everything, an extension only what
    /// [`ToDaemon::is_for_browsers`] allows.
    Terminal,
}

/// What a client says to the daemon. Variants and fields are closed: anything else is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToDaemon {
    /// First message, and whenever the client wants to know whose the daemon is now; answered by [`FromDaemon::Welcome`].
    Hello {
        /// The client's [`VERSION`].
        version: u16,
        /// The client's own version, to be shown.
        program: String,
    },
    /// Be an endpoint of this device. Refused with [`DaemonCode::OtherDevice`] if the daemon is one of another device. If it
    /// is one of this device already, it takes over the settings and not the paired devices: of those only
    /// [`ToDaemon::Paired`] tells what has changed, and [`FromDaemon::Paired`] follows if the daemon has others.
    ///
    /// Until it has been associated or adopted, an extension is a stranger: it is told nothing but
    /// [`FromDaemon::Welcome`] and may say nothing else.
    Associate(Association),
    /// Make the client an endpoint of the daemon's device; answered by [`FromDaemon::Adopted`], or refused with
    /// [`DaemonCode::NotFound`] if it has none.
    Adopt,
    /// Forget the device and all that belongs to it, and be present no more.
    Forget,
    /// The settings have changed.
    Configure(Settings),
    /// The client has changed the paired devices; answered by [`FromDaemon::Paired`].
    Paired {
        /// As the client last had them from the daemon.
        base: Vec<PairedDevice>,
        /// As they are there now.
        now: Vec<PairedDevice>,
    },
    /// Who the client's own engine is to the signaling server; `None` if it is not there.
    OwnPeer {
        /// Who.
        peer: Option<PeerId>,
    },
    /// For the daemon's engine.
    Command(Command),
    /// For the daemon's engine, from a terminal.
    Trust(TrustCommand),
    /// A page, link or text is in the client's hands: the daemon need not keep it any more.
    ItemTaken {
        /// Which.
        item: ItemId,
    },
    /// Show the received files of a transfer in their folder.
    ShowInFolder {
        /// Which.
        transfer: TransferId,
    },
    /// Send something, from a terminal; answered by [`FromDaemon::Sending`].
    Send {
        /// To which device.
        to: DeviceId,
        /// What.
        what: Outgoing,
    },
    /// Show from now on what there is, in a terminal; answered by [`FromDaemon::Shown`] at once and at every change. A
    /// daemon that is no endpoint of any device becomes a device of its own.
    Watch,
    /// A person is here, at a terminal, who answers proposals and takes pages, links and texts, until this client leaves.
    Receive {
        /// Where received files go meanwhile, if not where they always do. An absolute path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folder: Option<PathBuf>,
    },
    /// Read the configuration file again.
    Reload,
    /// Say how things stand; answered by [`FromDaemon::Status`].
    Status,
    /// End the daemon.
    Stop,
}

impl ToDaemon {
    /// Whether an extension may say this. It never names a path.
    pub fn is_for_browsers(&self) -> bool {
        match self {
            Self::Hello { .. }
            | Self::Associate(_)
            | Self::Adopt
            | Self::Forget
            | Self::Configure(_)
            | Self::Paired { .. }
            | Self::OwnPeer { .. }
            | Self::ItemTaken { .. }
            | Self::ShowInFolder { .. } => true,
            Self::Command(command) => matches!(
                command,
                Command::Reconnect
                    | Command::Accept { .. }
                    | Command::Decline { .. }
                    | Command::Cancel { .. }
                    | Command::Pause { .. }
                    | Command::Resume { .. }
                    | Command::Dismiss { .. }
                    | Command::ShowInCrowd
            ),
            Self::Trust(_)
            | Self::Send { .. }
            | Self::Watch
            | Self::Receive { .. }
            | Self::Reload
            | Self::Status
            | Self::Stop => false,
        }
    }
}

/// What makes the daemon an endpoint of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Association {
    /// Which device.
    pub identity: Identity,
    /// Its paired devices.
    pub paired: Vec<PairedDevice>,
    /// Its settings.
    pub settings: Settings,
}

/// A device's key on its way between two endpoints of it, on one machine. As text the seed in hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity([u8; KEY_BYTES]);

impl Identity {
    /// That of this key.
    pub fn of(key: &DeviceKey) -> Self {
        Self(*key.expose_seed())
    }

    /// The key.
    pub fn key(&self) -> DeviceKey {
        DeviceKey::from_seed(&self.0)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", DeviceId::of(&self.key().public()))
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        hex::decode(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// What is sent from a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outgoing {
    /// Files and folders.
    Paths(Vec<SourcePath>),
    /// A page, link or text.
    Item(PlainItem),
}

/// A file or folder to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePath {
    /// Where it is: an absolute path.
    pub path: PathBuf,
    /// What the other end is told that it is called, if not as here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What the daemon says to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromDaemon {
    /// Answer to hello. If the versions differ, nothing else follows, and the connection ends.
    Welcome {
        /// The daemon's [`VERSION`].
        version: u16,
        /// The program's own version, to be shown.
        program: String,
        /// The device that the daemon is an endpoint of, if there is one.
        device: Option<DeviceCard>,
        /// Where received files go, to be shown.
        folder: String,
    },
    /// The daemon is an endpoint of the client's device now.
    Associated,
    /// The device that the client is to be an endpoint of.
    Adopted(Association),
    /// There is something else to show. Without items, which come one by one.
    Shown {
        /// What there is.
        snapshot: Snapshot,
        /// Whom this device trusts; only for a terminal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trust: Option<Trust>,
    },
    /// Something happened. Never [`Event::ItemReceived`].
    Event(Event),
    /// A page, link or text came, or has waited for a client. Said to one client at a time, until it has said
    /// [`ToDaemon::ItemTaken`].
    Item {
        /// What, and from whom. Its id is the daemon's.
        item: ItemView,
        /// Whether it is to be opened or copied at once. Never, if it has waited.
        unasked: bool,
    },
    /// The paired devices, as all endpoints of the device are to have them.
    Paired {
        /// Who.
        paired: Vec<PairedDevice>,
    },
    /// Who the device's other endpoints are to the signaling server.
    OwnPeers {
        /// Who.
        peers: Vec<PeerId>,
    },
    /// What was to be sent is on its way, or has failed already: what is shown tells.
    Sending {
        /// As which transfer.
        transfer: TransferId,
    },
    /// How things stand.
    Status(Status),
    /// A message was refused. The connection goes on, except after [`DaemonCode::InvalidMessage`].
    Error {
        /// Why.
        code: DaemonCode,
        /// In words, for whoever looks for the cause.
        message: String,
    },
}

/// How a daemon stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Process id.
    pub pid: u32,
    /// Seconds since its start.
    pub uptime: u64,
    /// How many extensions are connected.
    pub browsers: u32,
    /// Pages, links and texts that wait for somebody to take them.
    pub waiting_items: u32,
    /// Whether an extension shares the daemon's device.
    pub associated: bool,
    /// The signaling connection, if the daemon is an endpoint of a device.
    pub connection: Option<ConnectionView>,
    /// The other devices that it sees.
    pub devices: Vec<DeviceView>,
    /// How many transfers have not ended.
    pub transfers: u32,
}

/// Why the daemon refuses a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonCode {
    /// It can't be read, or comes before hello.
    InvalidMessage,
    /// This client may not say it.
    NotAllowed,
    /// The daemon is an endpoint of another device already.
    OtherDevice,
    /// There is no such transfer, item, file or folder.
    NotFound,
    /// The disk or the system refuses it.
    Failed,
}
