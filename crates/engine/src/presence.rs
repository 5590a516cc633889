//! Who is there, as the signaling server tells it. Cards are hints; nothing here is proven.

use tabferry_protocol::card::{DeviceCard, EndpointKind};
use tabferry_protocol::host::DeviceView;
use tabferry_protocol::id::{DeviceId, PeerId};
use tabferry_protocol::signaling;

use crate::table::Table;

/// A peer whose card is shown.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) device: DeviceCard,
    pub(crate) endpoint: EndpointKind,
}

impl Peer {
    /// The peer as the server tells of it; `None` if it shows no card.
    pub(crate) fn with_card(peer: signaling::Peer) -> Option<Self> {
        Some(Self {
            id: peer.id,
            device: peer.device?,
            endpoint: peer.endpoint,
        })
    }
}

/// The peers of our rooms.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// Each with the order of its arrival: a device that came back is reached through its newest peer.
    peers: Table<PeerId, (u64, Peer)>,
    arrivals: u64,
}

impl Presence {
    pub(crate) fn clear(&mut self) {
        self.peers = Table::default();
    }

    pub(crate) fn insert(&mut self, peer: Peer) {
        self.arrivals += 1;
        self.peers.insert(peer.id, (self.arrivals, peer));
    }

    /// Takes a changed card of a peer that is there.
    pub(crate) fn update(&mut self, peer: Peer) {
        if let Some((_, known)) = self.peers.get_mut(&peer.id) {
            *known = peer;
        }
    }

    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// Everyone who is there.
    pub(crate) fn ids(&self) -> Vec<PeerId> {
        self.peers.values().map(|(_, peer)| peer.id).collect()
    }

    pub(crate) fn get(&self, peer: PeerId) -> Option<&Peer> {
        self.peers.get(&peer).map(|(_, peer)| peer)
    }

    /// The newest peer of a device, a native one first if `native` is wanted.
    pub(crate) fn peer_of(&self, device: DeviceId, native: bool) -> Option<&Peer> {
        let wanted = |peer: &Peer| native == (peer.endpoint == EndpointKind::Native);
        let of_device = |peer: &Peer| peer.device.id == device;
        self.newest(|peer| of_device(peer) && wanted(peer))
            .or_else(|| self.newest(of_device))
    }

    /// The newest of some peers.
    pub(crate) fn newest(&self, among: impl Fn(&Peer) -> bool) -> Option<&Peer> {
        self.peers
            .values()
            .filter(|(_, peer)| among(peer))
            .max_by_key(|(arrival, _)| *arrival)
            .map(|(_, peer)| peer)
    }

    /// The devices but our own, each once.
    pub(crate) fn devices(&self, own: DeviceId) -> Vec<DeviceView> {
        let newest = |(arrival, peer): &&(u64, Peer)| {
            let same = |(_, other): &&(u64, Peer)| other.device.id == peer.device.id;
            !self
                .peers
                .values()
                .filter(same)
                .any(|(later, _)| later > arrival)
        };
        let others = self
            .peers
            .values()
            .filter(|(_, peer)| peer.device.id != own);
        others.filter(newest).map(|(_, peer)| view(peer)).collect()
    }
}

pub(crate) fn view(peer: &Peer) -> DeviceView {
    DeviceView {
        id: peer.device.id,
        name: peer.device.name.clone(),
        kind: peer.device.kind,
        paired: false,
    }
}
