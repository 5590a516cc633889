//! The rules of the server: peers, rooms, quotas, and who may hear what. Messages go in, actions come out; `now` is an
//! argument. It must not know sockets, clocks or randomness, nor what is inside a session description.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use tabferry_protocol::card::{DeviceCard, EndpointKind};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::{ROOM_PEERS, ROOMS_PER_PEER};
use tabferry_protocol::signaling::{
    ClientHello, ClientMessage, IceServer, Peer, Room, ServerMessage, Signal, SignalBody,
    SignalingCode, Welcome,
};

use crate::address::NearbyKey;
use crate::bucket::{Bucket, Rate};
use crate::close::Ending;

/// What one peer may do.
#[derive(Debug, Clone, Copy)]
pub struct PeerQuotas {
    /// Messages and other frames it may send.
    pub messages: Rate,
    /// Messages of it that may be refused before it is closed.
    pub refusals: Rate,
}

/// What a peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message.
    Message(ClientMessage),
    /// Something that is none.
    Invalid,
    /// A frame without a message, such as a ping.
    Empty,
}

/// What is to be done now, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a message to each of these.
    Send {
        /// To whom.
        to: Vec<PeerId>,
        /// What.
        message: ServerMessage,
    },
    /// Close a peer's socket after what was sent to it. The peer is already forgotten here.
    Close {
        /// Whose.
        peer: PeerId,
        /// Why.
        ending: Ending,
    },
}

/// All peers and all rooms of one server.
#[derive(Debug)]
pub struct Rooms {
    quotas: PeerQuotas,
    /// Announced to every peer.
    ice_servers: Vec<IceServer>,
    peers: HashMap<PeerId, Member>,
    /// Rooms that someone is in, with their members in order of arrival.
    rooms: HashMap<RoomKey, Vec<Place>>,
}

/// A member's place in one room.
#[derive(Debug)]
struct Place {
    peer: PeerId,
    /// The card it shows there, if the room shows cards.
    card: Option<DeviceCard>,
}

/// A room as the server knows it: unlike [`Room`], which a client names, it says whose nearby room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum RoomKey {
    Nearby(NearbyKey),
}

impl RoomKey {
    /// The room as its members know it.
    fn room(self) -> Room {
        match self {
            Self::Nearby(_) => Room::Nearby,
        }
    }
}

#[derive(Debug)]
struct Member {
    /// Where it comes from.
    address: IpAddr,
    /// Through what its device is present; `None` before its hello.
    endpoint: Option<EndpointKind>,
    /// The rooms it is in: at most [`ROOMS_PER_PEER`].
    rooms: Vec<RoomKey>,
    messages: Bucket,
    refusals: Bucket,
}

impl Rooms {
    /// No peers yet.
    pub fn new(quotas: PeerQuotas, ice_servers: Vec<IceServer>) -> Self {
        Self {
            quotas,
            ice_servers,
            peers: HashMap::new(),
            rooms: HashMap::new(),
        }
    }

    /// A peer arrived from `address`, with an id drawn at random. False when the id is taken: draw another one.
    pub fn connect(&mut self, now: Instant, id: PeerId, address: IpAddr) -> bool {
        if self.peers.contains_key(&id) {
            return false;
        }
        let member = Member {
            address,
            endpoint: None,
            rooms: Vec::new(),
            messages: Bucket::full(now),
            refusals: Bucket::full(now),
        };
        self.peers.insert(id, member);
        true
    }

    /// A peer sent something. Unknown peers are ignored: they were closed while it was on its way.
    pub fn receive(&mut self, now: Instant, id: PeerId, incoming: Incoming) -> Vec<Action> {
        let rate = self.quotas.messages;
        let Some(member) = self.peers.get_mut(&id) else {
            return Vec::new();
        };
        if !member.messages.try_take(now, rate) {
            let to = match incoming {
                Incoming::Message(ClientMessage::Signal { to, .. }) => Some(to),
                _ => None,
            };
            return self.refuse(now, id, SignalingCode::RateLimited, to);
        }
        let greeted = member.endpoint.is_some();
        match incoming {
            Incoming::Empty => Vec::new(),
            Incoming::Invalid => self.refuse(now, id, SignalingCode::InvalidMessage, None),
            Incoming::Message(ClientMessage::Unknown) => {
                answer(id, SignalingCode::Unsupported, None)
            }
            Incoming::Message(ClientMessage::Hello(hello)) if !greeted => self.greet(id, hello),
            Incoming::Message(ClientMessage::Hello(_)) => {
                self.refuse(now, id, SignalingCode::OutOfOrder, None)
            }
            Incoming::Message(_) if !greeted => {
                self.refuse(now, id, SignalingCode::OutOfOrder, None)
            }
            Incoming::Message(ClientMessage::Join { room, device }) => match self.key(id, room) {
                Some(_) if room.shows_cards() != device.is_some() => {
                    self.refuse(now, id, SignalingCode::InvalidMessage, None)
                }
                Some(key) => self.enter(id, key, device),
                None => answer(id, SignalingCode::Unsupported, None),
            },
            Incoming::Message(ClientMessage::Leave { room }) => match self.key(id, room) {
                Some(key) => self.leave(id, key),
                None => answer(id, SignalingCode::Unsupported, None),
            },
            Incoming::Message(ClientMessage::Signal { to, signal }) => self.route(id, to, signal),
            Incoming::Message(ClientMessage::Update { device }) => self.update(id, device),
        }
    }

    /// Whether a peer is here and has said hello.
    pub fn has_greeted(&self, id: PeerId) -> bool {
        self.peers
            .get(&id)
            .is_some_and(|member| member.endpoint.is_some())
    }

    /// A peer's socket is gone.
    pub fn disconnect(&mut self, id: PeerId) -> Vec<Action> {
        let Some(member) = self.peers.remove(&id) else {
            return Vec::new();
        };
        member
            .rooms
            .into_iter()
            .flat_map(|key| self.remove(id, key))
            .collect()
    }

    /// The server stops: everyone is told and closed.
    pub fn shut_down(&mut self) -> Vec<Action> {
        self.rooms.clear();
        let peers: Vec<_> = self.peers.drain().map(|(id, _)| id).collect();
        let farewell = Action::Send {
            to: peers.clone(),
            message: error(SignalingCode::ShuttingDown, None),
        };
        let closes = peers.into_iter().map(|peer| Action::Close {
            peer,
            ending: Ending::ShuttingDown,
        });
        std::iter::once(farewell).chain(closes).collect()
    }

    /// Number of peers, those without hello included.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// Number of rooms that someone is in.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    fn greet(&mut self, id: PeerId, hello: ClientHello) -> Vec<Action> {
        let Some(version) = hello.versions.common() else {
            let mut actions = answer(id, SignalingCode::Incompatible, None);
            actions.extend(self.close(id, Ending::Incompatible));
            return actions;
        };
        let Some(member) = self.peers.get_mut(&id) else {
            return Vec::new();
        };
        member.endpoint = Some(hello.endpoint);
        let welcome = Welcome {
            version,
            peer: id,
            address: member.address.to_canonical().to_string(),
            ice_servers: self.ice_servers.clone(),
        };
        vec![Action::Send {
            to: vec![id],
            message: ServerMessage::Welcome(welcome),
        }]
    }

    /// The room that a peer means; `None` when this server has no such kind.
    fn key(&self, id: PeerId, room: Room) -> Option<RoomKey> {
        match room {
            Room::Nearby => {
                let address = self.peers.get(&id)?.address;
                Some(RoomKey::Nearby(NearbyKey::of(address)))
            }
            Room::Code { .. } | Room::Group { .. } | Room::Pair { .. } | Room::Unknown => None,
        }
    }

    /// Puts a peer into a room. Who is there already just hears again who else is.
    fn enter(&mut self, id: PeerId, key: RoomKey, card: Option<DeviceCard>) -> Vec<Action> {
        let Some(member) = self.peers.get_mut(&id) else {
            return Vec::new();
        };
        let present = self.rooms.get(&key).map_or(&[][..], Vec::as_slice);
        let news = !member.rooms.contains(&key);
        if news {
            if member.rooms.len() >= ROOMS_PER_PEER {
                return answer(id, SignalingCode::RateLimited, None);
            }
            if present.len() >= ROOM_PEERS {
                return answer(id, SignalingCode::RoomFull, None);
            }
            member.rooms.push(key);
            let place = Place { peer: id, card };
            self.rooms.entry(key).or_default().push(place);
        }
        let room = key.room();
        let mut actions = vec![Action::Send {
            to: vec![id],
            message: ServerMessage::Joined {
                room,
                peers: self
                    .places(key)
                    .filter(|place| place.peer != id)
                    .filter_map(|place| self.peer(place))
                    .collect(),
            },
        }];
        let place = self.places(key).find(|place| place.peer == id);
        if let Some(peer) = place.and_then(|place| self.peer(place)).filter(|_| news) {
            let others = self.others(id, key);
            actions.extend(send(others, ServerMessage::PeerJoined { room, peer }));
        }
        actions
    }

    /// Who is in a room, in order of arrival.
    fn places(&self, key: RoomKey) -> impl Iterator<Item = &Place> {
        self.rooms.get(&key).into_iter().flatten()
    }

    /// Who else is in a room.
    fn others(&self, id: PeerId, key: RoomKey) -> Vec<PeerId> {
        let peers = self.places(key).map(|place| place.peer);
        peers.filter(|peer| *peer != id).collect()
    }

    /// Takes a peer out of a room. It is no mistake to leave a room that one is not in.
    fn leave(&mut self, id: PeerId, key: RoomKey) -> Vec<Action> {
        let Some(member) = self.peers.get_mut(&id) else {
            return Vec::new();
        };
        if !member.rooms.contains(&key) {
            return Vec::new();
        }
        member.rooms.retain(|room| *room != key);
        self.remove(id, key)
    }

    /// Takes a peer off a room's list, and the room with its last member.
    fn remove(&mut self, id: PeerId, key: RoomKey) -> Vec<Action> {
        let Some(members) = self.rooms.get_mut(&key) else {
            return Vec::new();
        };
        members.retain(|place| place.peer != id);
        let others: Vec<_> = members.iter().map(|place| place.peer).collect();
        if others.is_empty() {
            self.rooms.remove(&key);
        }
        let left = ServerMessage::PeerLeft {
            room: key.room(),
            peer: id,
        };
        send(others, left)
    }

    /// Passes a signal on. That a peer is elsewhere and that there is no such peer look the same from outside.
    fn route(&mut self, from: PeerId, to: PeerId, signal: Signal) -> Vec<Action> {
        if signal.body == SignalBody::Unknown {
            return answer(from, SignalingCode::Unsupported, Some(to));
        }
        if from == to || !self.shared(from, to) {
            return answer(from, SignalingCode::PeerNotFound, Some(to));
        }
        send(vec![to], ServerMessage::Signal { from, signal })
    }

    /// Whether two peers are in a common room.
    fn shared(&self, one: PeerId, other: PeerId) -> bool {
        match (self.peers.get(&one), self.peers.get(&other)) {
            (Some(one), Some(other)) => one.rooms.iter().any(|key| other.rooms.contains(key)),
            _ => false,
        }
    }

    /// Changes a peer's card wherever it shows one, and nowhere else: the others there need not learn that it has one.
    fn update(&mut self, id: PeerId, device: DeviceCard) -> Vec<Action> {
        let Some(member) = self.peers.get(&id) else {
            return Vec::new();
        };
        let Some(endpoint) = member.endpoint else {
            return Vec::new();
        };
        let mut others = Vec::new();
        for key in &member.rooms {
            let Some(places) = self.rooms.get_mut(key) else {
                continue;
            };
            let own = places.iter_mut().find(|place| place.peer == id);
            if let Some(card) = own.and_then(|place| place.card.as_mut()) {
                card.clone_from(&device);
                others.extend(places.iter().map(|place| place.peer));
            }
        }
        others.retain(|peer| *peer != id);
        others.sort_unstable();
        others.dedup();
        let peer = Peer {
            id,
            device: Some(device),
            endpoint,
        };
        send(others, ServerMessage::PeerUpdated { peer })
    }

    /// A peer as others see it in a room.
    fn peer(&self, place: &Place) -> Option<Peer> {
        Some(Peer {
            id: place.peer,
            device: place.card.clone(),
            endpoint: self.peers.get(&place.peer)?.endpoint?,
        })
    }

    /// Refuses what a well-behaved client would not send; who goes on is closed.
    fn refuse(
        &mut self,
        now: Instant,
        id: PeerId,
        code: SignalingCode,
        to: Option<PeerId>,
    ) -> Vec<Action> {
        let rate = self.quotas.refusals;
        let mut actions = answer(id, code, to);
        let patience = self
            .peers
            .get_mut(&id)
            .is_some_and(|member| member.refusals.try_take(now, rate));
        if !patience {
            actions.extend(self.close(id, Ending::TooManyRefusals));
        }
        actions
    }

    /// Closes a peer and forgets it.
    fn close(&mut self, id: PeerId, ending: Ending) -> Vec<Action> {
        let mut actions = vec![Action::Close { peer: id, ending }];
        actions.extend(self.disconnect(id));
        actions
    }
}

fn send(to: Vec<PeerId>, message: ServerMessage) -> Vec<Action> {
    if to.is_empty() {
        return Vec::new();
    }
    vec![Action::Send { to, message }]
}

fn answer(id: PeerId, code: SignalingCode, to: Option<PeerId>) -> Vec<Action> {
    send(vec![id], error(code, to))
}

fn error(code: SignalingCode, to: Option<PeerId>) -> ServerMessage {
    ServerMessage::Error { code, to }
}

#[cfg(test)]
#[path = "rooms_tests.rs"]
mod tests;
