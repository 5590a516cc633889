//! One peer that we are connected to, or want to be: its connection, and since when what is awaited.

use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::code::Code;
use tabferry_protocol::host::DeviceView;
use tabferry_protocol::id::{DeviceId, PeerId};
use tabferry_protocol::identity::PublicKey;
use tabferry_protocol::limits::{
    CONNECT_ATTEMPT_MS, CONNECT_TIMEOUT_MS, IDLE_TIMEOUT_MS, ITEMS_PER_MINUTE,
};

use crate::connection::Connection;
use crate::io::Time;
use crate::presence::Peer;

/// A session inside one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionKey(pub(crate) u32);

#[derive(Debug)]
pub(crate) struct Session {
    /// How signaling reaches it. Changes when the peer comes back under a new id.
    pub(crate) peer: PeerId,
    /// Which device it is; `None` until it has proved that, if all that brought it here is a code.
    pub(crate) device: Option<DeviceView>,
    /// Whether it is open only once the peer has proved to have the code.
    pub(crate) by_code: bool,
    pub(crate) endpoint: EndpointKind,
    pub(crate) connection: Option<Connection>,
    /// When to try again.
    pub(crate) retry_at: Option<Time>,
    /// Peers that had arrived when it was opened last. Whoever is the same endpoint and was there already is another browser of
    /// the same device.
    pub(crate) arrivals: u64,
    /// Attempts in a row that nobody hurried and that came to nothing.
    pub(crate) failures: u32,
    /// The server says that the peer has left: without a sign of life until then, it has.
    pub(crate) probe_until: Option<Time>,
    /// Why the peer has ended the open session, if what came through the server is true. A pong shows that it isn't.
    pub(crate) bye: Option<Code>,
    /// Since when no transfer needs it.
    pub(crate) idle_since: Time,
    /// When bytes of any transfer last moved: those of one may wait for long behind those of others.
    pub(crate) moved_at: Time,
    /// What the peer has proved on this connection, once it has.
    pub(crate) verified: Option<(PublicKey, [u8; 32])>,
    /// Items taken in the minute that began then.
    items: (Time, usize),
}

impl Session {
    pub(crate) fn new(peer: &Peer, now: Time) -> Self {
        let device = peer.device().cloned();
        Self {
            peer: peer.id,
            by_code: device.is_none(),
            device,
            endpoint: peer.endpoint,
            connection: None,
            retry_at: None,
            arrivals: 0,
            failures: 0,
            probe_until: None,
            bye: None,
            idle_since: now,
            moved_at: now,
            verified: None,
            items: (now, 0),
        }
    }

    /// Whether a peer is the endpoint that this session is with, under whatever id.
    pub(crate) fn is_with(&self, peer: &Peer) -> bool {
        let same = |known: &DeviceView| peer.device().is_some_and(|it| it.id == known.id);
        self.device.as_ref().is_some_and(same) && self.endpoint == peer.endpoint
    }

    /// Whether it is with this device.
    pub(crate) fn is_of(&self, device: DeviceId) -> bool {
        self.device.as_ref().is_some_and(|known| known.id == device)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|connection| connection.open)
    }

    /// Whether it is open, and packets get through as far as is known.
    pub(crate) fn is_well(&self) -> bool {
        let well = |connection: &Connection| connection.open && !connection.is_interrupted();
        self.connection.as_ref().is_some_and(well)
    }

    /// The key that the peer has proved.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        self.verified.map(|(key, _)| key)
    }

    /// The digest of the handshake.
    pub(crate) fn transcript(&self) -> Option<[u8; 32]> {
        self.verified.map(|(_, transcript)| transcript)
    }

    /// Whether the peer connects to us, and has not finished.
    pub(crate) fn is_incoming(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|connection| !connection.offerer && !connection.open)
    }

    /// Whether it may deliver this many items more without being asked.
    pub(crate) fn take_items(&mut self, now: Time, count: usize) -> bool {
        if now.since(self.items.0) >= 60_000 {
            self.items = (now, 0);
        }
        self.items.1 = self.items.1.saturating_add(count);
        self.items.1 <= ITEMS_PER_MINUTE
    }

    /// When a connection that is not open yet is given up. The offerer tries again; the answerer lets it.
    pub(crate) fn attempt_ends(&self) -> Option<Time> {
        let connection = self
            .connection
            .as_ref()
            .filter(|connection| !connection.open)?;
        let patience = if connection.offerer {
            CONNECT_ATTEMPT_MS
        } else {
            CONNECT_TIMEOUT_MS
        };
        Some(connection.started + patience)
    }

    /// When an open connection that nobody uses is closed.
    pub(crate) fn idling_ends(&self) -> Time {
        self.idle_since + IDLE_TIMEOUT_MS
    }
}
