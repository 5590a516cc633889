//! Who is in which of our rooms, as the signaling server tells it. Everything here is a hint; nothing is proven.

use tabferry_protocol::card::{DeviceCard, EndpointKind};
use tabferry_protocol::host::DeviceView;
use tabferry_protocol::id::{DeviceId, PeerId};
use tabferry_protocol::limits::ROOM_PEERS;
use tabferry_protocol::signaling::{self, Room};

use crate::table::Table;

/// Someone who is in a room with us.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) endpoint: EndpointKind,
    /// Whether it was there when we came.
    listed: bool,
    /// The rooms that we share with it.
    rooms: Vec<Room>,
    /// What its card says, while one of the rooms shows cards.
    card: Option<DeviceView>,
    /// The paired device whose room it is in.
    paired: Option<DeviceView>,
}

impl Peer {
    /// The device that it is taken for; `None` if all that is known of it is a code. A card comes first: it is what a server
    /// shows to everyone, whereas anyone of a pair may be in the pair's room.
    pub(crate) fn device(&self) -> Option<&DeviceView> {
        self.card.as_ref().or(self.paired.as_ref())
    }

    pub(crate) fn is_in(&self, room: Room) -> bool {
        self.rooms.contains(&room)
    }

    fn is(&self, device: DeviceId) -> bool {
        self.device().is_some_and(|known| known.id == device)
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

    /// A peer is in a room: in that of a paired device, it is taken for that one. False if it doesn't show what one must show
    /// there, or if there can't be so many.
    pub(crate) fn enter(
        &mut self,
        room: Room,
        peer: &signaling::Peer,
        paired: Option<DeviceView>,
        listed: bool,
    ) -> bool {
        let card = peer.device.as_ref().filter(|_| room.shows_cards());
        if room.shows_cards() && card.is_none() || self.within(room).count() >= ROOM_PEERS {
            return false;
        }
        if !self.peers.contains_key(&peer.id) {
            self.arrivals += 1;
            let new = Peer {
                id: peer.id,
                endpoint: peer.endpoint,
                listed,
                rooms: Vec::new(),
                card: None,
                paired: None,
            };
            self.peers.insert(peer.id, (self.arrivals, new));
        }
        let Some((_, known)) = self.peers.get_mut(&peer.id) else {
            return false;
        };
        if !known.rooms.contains(&room) {
            known.rooms.push(room);
        }
        known.card = card.map(view).or(known.card.take());
        known.paired = paired.or(known.paired.take());
        true
    }

    /// Takes a changed card of a peer that shows one of the same device. False if there is none.
    pub(crate) fn update(&mut self, peer: PeerId, card: &DeviceCard) -> bool {
        let known = self
            .peers
            .get_mut(&peer)
            .and_then(|(_, peer)| peer.card.as_mut())
            .filter(|known| known.id == card.id);
        known.map(|known| *known = view(card)).is_some()
    }

    /// A peer has left a room. False if it was not in.
    pub(crate) fn leave(&mut self, room: Room, peer: PeerId) -> bool {
        let Some((_, known)) = self.peers.get_mut(&peer) else {
            return false;
        };
        let before = known.rooms.len();
        known.rooms.retain(|other| *other != room);
        let left = known.rooms.len() < before;
        if !known.rooms.iter().any(|room| room.shows_cards()) {
            known.card = None;
        }
        if !known
            .rooms
            .iter()
            .any(|room| matches!(room, Room::Pair { .. }))
        {
            known.paired = None;
        }
        if known.rooms.is_empty() {
            self.peers.remove(&peer);
        }
        left
    }

    /// A peer is in none of the rooms any more.
    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// Who is in a room.
    pub(crate) fn within(&self, room: Room) -> impl Iterator<Item = &Peer> {
        let peers = self.peers.values().map(|(_, peer)| peer);
        peers.filter(move |peer| peer.is_in(room))
    }

    pub(crate) fn get(&self, peer: PeerId) -> Option<&Peer> {
        self.peers.get(&peer).map(|(_, peer)| peer)
    }

    /// The newest peer of a device, a native one first if `native` is wanted.
    pub(crate) fn peer_of(&self, device: DeviceId, native: bool) -> Option<&Peer> {
        let wanted = |peer: &Peer| native == (peer.endpoint == EndpointKind::Native);
        self.newest(|peer| peer.is(device) && wanted(peer))
            .or_else(|| self.newest(|peer| peer.is(device)))
    }

    /// How many peers have arrived.
    pub(crate) fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// The newest of some peers.
    pub(crate) fn newest(&self, among: impl Fn(&Peer) -> bool) -> Option<&Peer> {
        self.newest_joined_or_listed(|_, peer| among(peer))
    }

    /// The newest of some peers that we have seen coming, after that many arrivals.
    pub(crate) fn newest_joined(
        &self,
        arrivals: u64,
        among: impl Fn(&Peer) -> bool,
    ) -> Option<&Peer> {
        self.newest_joined_or_listed(|at, peer| at > arrivals && !peer.listed && among(peer))
    }

    fn newest_joined_or_listed(&self, among: impl Fn(u64, &Peer) -> bool) -> Option<&Peer> {
        self.peers
            .values()
            .filter(|(arrival, peer)| among(*arrival, peer))
            .max_by_key(|(arrival, _)| *arrival)
            .map(|(_, peer)| peer)
    }

    /// The devices but our own, each once and as its newest peer shows it.
    pub(crate) fn devices(&self, own: DeviceId) -> Vec<DeviceView> {
        self.distinct(own, |_| true)
    }

    /// The same, of one room.
    pub(crate) fn devices_within(&self, room: Room, own: DeviceId) -> Vec<DeviceView> {
        self.distinct(own, |peer| peer.is_in(room))
    }

    fn distinct(&self, own: DeviceId, among: impl Fn(&Peer) -> bool) -> Vec<DeviceView> {
        let mut newest: Table<DeviceId, (u64, &DeviceView)> = Table::default();
        for (arrival, peer) in self.peers.values().filter(|(_, peer)| among(peer)) {
            if let Some(device) = peer.device()
                && device.id != own
                && newest.get(&device.id).is_none_or(|(at, _)| at < arrival)
            {
                newest.insert(device.id, (*arrival, device));
            }
        }
        newest
            .values()
            .map(|(_, device)| (*device).clone())
            .collect()
    }
}

fn view(card: &DeviceCard) -> DeviceView {
    DeviceView {
        id: card.id,
        name: card.name.clone(),
        kind: card.kind,
        paired: false,
    }
}
