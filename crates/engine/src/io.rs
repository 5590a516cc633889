//! What goes into the engine and what comes out. Keys are drawn by the engine and never used twice; an input with a key
//! that the engine has let go of is ignored, so drivers need not cancel what is on its way.

use core::ops::Add;

use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::code::Code;
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::frame::BulkHeader;
use tabferry_protocol::host::{Command, Event, SignalingProblem, StoredFile, TrustCommand};
use tabferry_protocol::id::{PeerId, SourceId, TransferId};
use tabferry_protocol::name::{ReceivedFolder, ReceivedName};
use tabferry_protocol::paired::PairedDevice;
use tabferry_protocol::signaling::IceServer;

/// A moment on the driver's monotonic clock, in milliseconds from a start of its choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub u64);

impl Time {
    /// Milliseconds from `earlier` to here; 0 if it is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Time {
    type Output = Self;

    fn add(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

/// A peer connection with its two data channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey(pub u32);

/// A file being received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(pub u32);

/// One read of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadKey(pub u32);

/// The two data channels of a session: negotiated, ordered, reliable. Their ids are in `docs/protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Id 0: control frames.
    Control,
    /// Id 1: bulk frames.
    Bulk,
}

/// What the platform says of a peer connection's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Packets get through.
    Connected,
    /// They don't, for the moment.
    Disconnected,
    /// They don't, and won't without an ICE restart.
    Failed,
}

/// Why a file being received can't be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFailure {
    /// No space left.
    Full,
    /// The storage refuses it, and would again.
    Refused,
    /// A person stopped it at the storage's own controls.
    Cancelled,
    /// The storage broke off; the file can be started again from its beginning.
    Interrupted,
}

/// Everything that can happen to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// A person, or a page for them, wants something.
    Command(Command),
    /// A person decides whom to trust.
    TrustCommand(TrustCommand),
    /// Who the device's other endpoints are to the signaling server: where no card is shown, nothing but this tells them from
    /// other devices.
    OwnPeers(Vec<PeerId>),
    /// The paired devices as another endpoint of this device has them; they take the place of those here.
    Paired(Vec<PairedDevice>),
    /// The socket asked for by [`Output::OpenSignaling`] is open.
    SignalingOpened,
    /// It received a text message.
    SignalingReceived(&'a str),
    /// It could not be opened, or has closed.
    SignalingClosed(SignalingProblem),
    /// The description asked for by [`Output::MakeOffer`] or [`Output::ApplyOffer`] is set.
    LocalDescription {
        /// Which connection.
        connection: ConnectionKey,
        /// The SDP.
        sdp: String,
    },
    /// A local ICE candidate was gathered; `None` is the end of candidates.
    LocalCandidate {
        /// Which connection.
        connection: ConnectionKey,
        /// The candidate line and its media section.
        candidate: Option<(String, Option<String>)>,
    },
    /// The path has changed its state.
    ConnectionChanged {
        /// Which connection.
        connection: ConnectionKey,
        /// To what.
        state: ConnectionState,
    },
    /// Both data channels are open.
    ChannelsOpened {
        /// Which connection.
        connection: ConnectionKey,
        /// Of the certificate that the other end presented, if the platform tells.
        presented: Option<Fingerprint>,
    },
    /// A data channel has closed, or a step of the negotiation failed: the connection is of no more use. It is still to be
    /// closed, by [`Output::CloseConnection`].
    ConnectionEnded {
        /// Which connection.
        connection: ConnectionKey,
    },
    /// One end presented a certificate that its description doesn't announce. The connection is still to be closed, by
    /// [`Output::CloseConnection`].
    ConnectionUnverified {
        /// Which connection.
        connection: ConnectionKey,
    },
    /// A frame arrived.
    Frame {
        /// Which connection.
        connection: ConnectionKey,
        /// On which channel.
        channel: Channel,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The next bytes of a read: 1 to [`CHUNK_BYTES`](tabferry_protocol::limits::CHUNK_BYTES). All but the last chunk of a
    /// read are that long. Reads are answered in the order in which they were asked for.
    Chunk {
        /// Which read.
        read: ReadKey,
        /// The bytes.
        data: &'a [u8],
        /// Bytes that wait now (`bufferedAmount`) in the bulk channel that the source's last chunk went to; 0 before that.
        buffered: u64,
    },
    /// A read failed: the source changed, shrank or vanished.
    ReadFailed {
        /// Which read.
        read: ReadKey,
    },
    /// The bulk channel has drained to [`BUFFERED_LOW_BYTES`](tabferry_protocol::limits::BUFFERED_LOW_BYTES).
    BufferedLow {
        /// Which connection.
        connection: ConnectionKey,
    },
    /// The storage has taken bytes of earlier [`Output::Write`]s off our memory.
    Written {
        /// Which file.
        file: FileKey,
        /// How many since the last report.
        bytes: u64,
    },
    /// A file is stored for good, after [`Output::CommitFile`].
    Stored {
        /// Which file.
        file: FileKey,
        /// As what.
        stored: StoredFile,
    },
    /// A file can't be stored. Nothing of it is left.
    FileFailed {
        /// Which file.
        file: FileKey,
        /// Why.
        failure: FileFailure,
    },
    /// Time has passed.
    Tick,
}

/// Everything an engine can ask of its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a WebSocket to the signaling server; there is none open.
    OpenSignaling {
        /// As the person gave it: the driver completes it.
        server: String,
    },
    /// Send a text message on it.
    SendSignaling(String),
    /// Close it. No [`Input::SignalingClosed`] is expected.
    CloseSignaling,
    /// Make a peer connection with both channels.
    OpenConnection {
        /// Its key.
        connection: ConnectionKey,
        /// What the other end is, as far as the server knows.
        peer: EndpointKind,
        /// For ICE.
        ice_servers: Vec<IceServer>,
    },
    /// Make an offer and set it as local description.
    MakeOffer {
        /// Which connection.
        connection: ConnectionKey,
        /// Whether ICE is to be restarted.
        restart: bool,
    },
    /// Set a remote offer, make an answer, set it as local description.
    ApplyOffer {
        /// Which connection.
        connection: ConnectionKey,
        /// The SDP.
        sdp: String,
    },
    /// Set a remote answer.
    ApplyAnswer {
        /// Which connection.
        connection: ConnectionKey,
        /// The SDP.
        sdp: String,
    },
    /// Add a remote ICE candidate; `None` is the end of candidates. Comes after the remote description.
    ApplyCandidate {
        /// Which connection.
        connection: ConnectionKey,
        /// The candidate line and its media section.
        candidate: Option<(String, Option<String>)>,
    },
    /// Close a peer connection once what was sent on its control channel has left, and forget its key.
    CloseConnection {
        /// Which.
        connection: ConnectionKey,
    },
    /// Send a control frame.
    SendControl {
        /// Which connection.
        connection: ConnectionKey,
        /// The frame.
        frame: Vec<u8>,
    },
    /// Send a bulk frame: this header, then the bytes of the [`Input::Chunk`] just handed in.
    SendBulk {
        /// Which connection.
        connection: ConnectionKey,
        /// The header.
        header: BulkHeader,
    },
    /// Read from a source, and answer with [`Input::Chunk`]s or [`Input::ReadFailed`].
    Read {
        /// Names the read.
        read: ReadKey,
        /// What to read.
        source: SourceId,
        /// From where.
        offset: u64,
        /// How much.
        bytes: u64,
    },
    /// A source is no longer needed; a fetch that prepares it is to be stopped.
    ReleaseSource {
        /// Which.
        source: SourceId,
    },
    /// Start to store a file. Writes may follow at once; the driver holds them until the storage is ready.
    OpenFile {
        /// Names the file.
        file: FileKey,
        /// Its transfer: files of one transfer that are in one folder stay together.
        transfer: TransferId,
        /// Where it is to be. A storage without folders leaves it out.
        folder: ReceivedFolder,
        /// What it is to be called.
        name: ReceivedName,
        /// How long it will be.
        bytes: u64,
        /// How much its transfer still brings, this file and all later ones. Bytes.
        to_come: u64,
    },
    /// Append the data of the bulk frame just handed in: all that follows its header.
    Write {
        /// Which file.
        file: FileKey,
    },
    /// Every byte of the file is written and verified: give it its name. Answered by [`Input::Stored`] or
    /// [`Input::FileFailed`].
    CommitFile {
        /// Which.
        file: FileKey,
    },
    /// Remove what there is of a file. Not answered.
    AbortFile {
        /// Which.
        file: FileKey,
    },
    /// Something happened that a person may want to know.
    Event(Event),
    /// Who this endpoint is to the signaling server now, for the device's other endpoints; `None` if it is not there.
    OwnPeer(Option<PeerId>),
    /// Keep these paired devices, in place of those that were kept.
    KeepPaired(Vec<PairedDevice>),
}

impl From<FileFailure> for Code {
    fn from(failure: FileFailure) -> Self {
        match failure {
            FileFailure::Full => Self::StorageFull,
            FileFailure::Cancelled => Self::Cancelled,
            FileFailure::Refused | FileFailure::Interrupted => Self::StorageFailed,
        }
    }
}
