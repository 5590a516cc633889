//! Peer connections with the two data channels of a session, on webrtc-rs: passes descriptions, candidates and frames on
//! in their order, as the engine's contract (`tabferry_engine::Input` and `Output`) has it. It knows no rule of negotiation
//! and nothing of what is in a frame. No other module names `webrtc` or `rtc`.
//!
//! | file | its subject |
//! |---|---|
//! | `task.rs` | the life of one connection |
//! | `channel.rs`, `outgoing.rs` | its data channels; frames that wait for them |
//! | `candidate.rs` | which candidates of the other end are of use |
//! | `platform.rs`, `socket.rs` | how webrtc-rs and its sockets are set up |

mod candidate;
mod channel;
mod outgoing;
pub mod platform;
mod socket;
mod task;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tabferry_engine::{Channel, ConnectionKey, ConnectionState};
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::frame::BulkHeader;
use tabferry_protocol::limits::{CONTROL_FRAME_BYTES, EARLY_CANDIDATES};
use tabferry_protocol::signaling::IceServer;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use outgoing::Outgoing;
use task::{Task, Wish};

/// Steps other than candidates that may wait for their turn: each of them answers to the engine.
const DESCRIPTION_STEPS: usize = 8;

/// A step of the negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make an offer and set it as local description.
    MakeOffer {
        /// Whether ICE is to be restarted.
        restart: bool,
    },
    /// Set a remote offer, make an answer, set it as local description.
    ApplyOffer {
        /// The SDP.
        sdp: String,
    },
    /// Set a remote answer.
    ApplyAnswer {
        /// The SDP.
        sdp: String,
    },
    /// Add a remote ICE candidate; `None` is the end of candidates.
    ApplyCandidate {
        /// The candidate line and its media section.
        candidate: Option<(String, Option<String>)>,
    },
}

/// What a connection tells: the inputs of the same names that an engine takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The description that a step asked for is set.
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
    Changed {
        /// Which connection.
        connection: ConnectionKey,
        /// To what.
        state: ConnectionState,
    },
    /// Both data channels are open, and the other end has the certificate that its description announces.
    ChannelsOpened {
        /// Which connection.
        connection: ConnectionKey,
        /// Of the certificate that the other end presented.
        presented: Option<Fingerprint>,
    },
    /// The connection is of no more use. It is still to be closed.
    Ended {
        /// Which connection.
        connection: ConnectionKey,
    },
    /// The other end presented a certificate that its description doesn't announce. Nothing was sent to it or taken from
    /// it. The connection is still to be closed.
    Unverified {
        /// Which connection.
        connection: ConnectionKey,
    },
    /// A frame arrived.
    Frame {
        /// Which connection.
        connection: ConnectionKey,
        /// On which channel.
        channel: Channel,
        /// Its bytes. While any of them are held they count against what the connection may have in memory.
        bytes: Bytes,
    },
    /// What waits in the bulk channel has come down to
    /// [`BUFFERED_LOW_BYTES`](tabferry_protocol::limits::BUFFERED_LOW_BYTES).
    BufferedLow {
        /// Which connection.
        connection: ConnectionKey,
    },
}

/// The peer connections by their keys. Nothing here waits: each connection has a task of its own, within a tokio runtime.
/// What is asked of a connection that is not there is ignored.
#[derive(Debug)]
pub struct Connections {
    events: mpsc::Sender<ConnectionEvent>,
    open: HashMap<ConnectionKey, Handle>,
    tasks: JoinSet<()>,
}

/// A connection as the engine's loop holds it.
#[derive(Debug)]
struct Handle {
    steps: mpsc::Sender<Step>,
    control: Arc<Outgoing>,
    bulk: Arc<Outgoing>,
    wish: watch::Sender<Wish>,
}

impl Connections {
    /// No connection yet; `events` is where all of them tell. While nobody takes events from there, connections receive
    /// nothing more and the other ends learn to wait.
    pub fn new(events: mpsc::Sender<ConnectionEvent>) -> Self {
        Self {
            events,
            open: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Makes a peer connection with both channels.
    pub fn open(&mut self, key: ConnectionKey, ice_servers: &[IceServer]) {
        while self.tasks.try_join_next().is_some() {}
        let (steps, steps_out) = mpsc::channel(EARLY_CANDIDATES + DESCRIPTION_STEPS);
        let (wish, wish_out) = watch::channel(Wish::Live);
        let handle = Handle {
            steps,
            control: Arc::default(),
            bulk: Arc::default(),
            wish,
        };
        let task = Task {
            key,
            ice_servers: ice_servers.to_vec(),
            events: self.events.clone(),
            steps: steps_out,
            control: Arc::clone(&handle.control),
            bulk: Arc::clone(&handle.bulk),
            wish: wish_out,
        };
        self.open.insert(key, handle);
        self.tasks.spawn(task.run());
    }

    /// Takes a step after those that were asked for before.
    pub fn take_step(&self, key: ConnectionKey, step: Step) {
        let Some(handle) = self.open.get(&key) else {
            return;
        };
        let is_candidate = matches!(step, Step::ApplyCandidate { .. });
        // Only candidates can come in numbers: those that don't fit are dropped, and leave room for the rest.
        if is_candidate && handle.steps.capacity() <= DESCRIPTION_STEPS {
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = handle.steps.try_send(step) {
            handle.end("steps");
        }
    }

    /// Sends a control frame.
    pub fn send_control(&self, key: ConnectionKey, frame: Vec<u8>) {
        self.send(key, BytesMut::from(Bytes::from(frame)), |handle| {
            &handle.control
        });
    }

    /// Sends a bulk frame.
    pub fn send_bulk(&self, key: ConnectionKey, header: BulkHeader, data: &[u8]) {
        let mut frame = BytesMut::with_capacity(BulkHeader::BYTES + data.len());
        frame.extend_from_slice(&header.encode());
        frame.extend_from_slice(data);
        self.send(key, frame, |handle| &handle.bulk);
    }

    /// Bytes that wait in the bulk channel.
    pub fn buffered(&self, key: ConnectionKey) -> u64 {
        self.open.get(&key).map_or(0, |handle| handle.bulk.bytes())
    }

    /// Lets go of a connection. What waits in its control channel is still sent, then it is closed.
    pub fn close(&mut self, key: ConnectionKey) {
        if let Some(handle) = self.open.remove(&key) {
            handle.wish.send_replace(Wish::Close);
        }
    }

    /// Closes all connections and waits until they are: at most a few seconds.
    pub async fn finish(mut self) {
        self.open.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    fn send(
        &self,
        key: ConnectionKey,
        frame: BytesMut,
        channel: impl FnOnce(&Handle) -> &Outgoing,
    ) {
        let Some(handle) = self.open.get(&key) else {
            return;
        };
        // The other end would refuse a longer one, and a channel that never empties ends like one that refuses.
        if frame.len() > CONTROL_FRAME_BYTES || channel(handle).push(frame).is_err() {
            handle.end("frames");
        }
    }
}

/// Lets the connections go as [`Connections::finish`] does, without waiting for them.
impl Drop for Connections {
    fn drop(&mut self) {
        self.open.clear();
        self.tasks.detach_all();
    }
}

impl Handle {
    /// Ends a connection of which more is asked than it can hold.
    fn end(&self, what: &'static str) {
        tracing::warn!(what, "peer connection: too much");
        self.wish.send_replace(Wish::End);
    }
}
