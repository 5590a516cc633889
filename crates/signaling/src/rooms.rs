//! The rules of the server: peers, rooms, quotas, and who may hear what. Messages go in, actions come out; `now` is an
//! argument. It must not know sockets, clocks or randomness, nor what is inside a session description.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::time::Instant;

use tabferry_protocol::card::{DeviceCard, EndpointKind};
use tabferry_protocol::id::PairTag;
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::{PAIR_ROOM_PEERS, ROOM_PEERS, ROOMS_PER_PEER};
use tabferry_protocol::secret_code::{GroupCode, Nameplate};
use tabferry_protocol::signaling::{
    ClientHello, ClientMessage, IceServer, PassedSignal, Peer, Room, ServerMessage, Signal,
    SignalBody, SignalingCode, Welcome,
};

use crate::address::{Doubt, Location, NearbyKey};
use crate::bucket::{Bucket, Rate};
use crate::clock::Now;
use crate::close::Ending;
use crate::codes::{CodeQuotas, Codes};

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
    /// A signal that can be passed on as it is.
    Signal {
        /// To whom.
        to: PeerId,
        /// What.
        signal: PassedSignal,
    },
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
    /// Send a signal to a peer.
    Pass {
        /// To whom.
        to: PeerId,
        /// What.
        signal: PassedSignal,
    },
    /// Give a peer a ticket for a relayed connection, or tell it why not.
    OpenRelay {
        /// Who asks.
        from: PeerId,
        /// Where it is: whose quota the connection uses.
        address: IpAddr,
        /// With whom; the two may talk to each other.
        to: PeerId,
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
    services: Services,
    peers: HashMap<PeerId, Member>,
    /// Rooms that someone is in, with their members in order of arrival.
    rooms: HashMap<RoomKey, Vec<Place>>,
    /// What else there is to know of the code rooms among them.
    codes: Codes,
    /// Nearby rooms that may mix strangers, and how many peers are the reason: nobody is in these rooms.
    doubtful: HashMap<NearbyKey, usize>,
    census: Census,
}

/// What the server has for its peers besides rooms: announced to all of them.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// For their connections.
    pub ice_servers: Vec<IceServer>,
    /// Whether it relays.
    pub relay: bool,
}

/// How many rooms of each kind someone is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// See [`Room::Nearby`].
    pub nearby: usize,
    /// See [`Room::Code`].
    pub code: usize,
    /// See [`Room::Group`].
    pub group: usize,
    /// See [`Room::Pair`].
    pub pair: usize,
}

impl Census {
    fn of(&mut self, key: RoomKey) -> &mut usize {
        match key {
            RoomKey::Nearby(_) => &mut self.nearby,
            RoomKey::Code(_) => &mut self.code,
            RoomKey::Group(_) => &mut self.group,
            RoomKey::Pair(_) => &mut self.pair,
        }
    }
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
    Code(Nameplate),
    Group(GroupCode),
    Pair(PairTag),
}

impl RoomKey {
    /// The room as its members know it.
    fn room(self) -> Room {
        match self {
            Self::Nearby(_) => Room::Nearby,
            Self::Code(nameplate) => Room::Code { nameplate },
            Self::Group(name) => Room::Group { name },
            Self::Pair(tag) => Room::Pair { tag },
        }
    }
}

/// What a refused message was about, as its sender is told.
#[derive(Debug, Clone, Copy, Default)]
struct About {
    to: Option<PeerId>,
    room: Option<Room>,
}

impl About {
    fn message(incoming: &Incoming) -> Self {
        match incoming {
            Incoming::Message(
                ClientMessage::Signal { to, .. } | ClientMessage::OpenRelay { to },
            )
            | Incoming::Signal { to, .. } => Self::peer(*to),
            Incoming::Message(ClientMessage::Join { room, .. }) => Self::room(*room),
            Incoming::Message(ClientMessage::Open { nameplate }) => Self::room(Room::Code {
                nameplate: *nameplate,
            }),
            _ => Self::default(),
        }
    }

    fn peer(to: PeerId) -> Self {
        Self {
            to: Some(to),
            room: None,
        }
    }

    fn room(room: Room) -> Self {
        Self {
            to: None,
            // A kind that the server doesn't know it can't name.
            room: Some(room).filter(|room| *room != Room::Unknown),
        }
    }
}

#[derive(Debug)]
struct Member {
    /// Where it comes from.
    location: Location,
    /// Through what its device is present; `None` before its hello.
    endpoint: Option<EndpointKind>,
    /// The rooms it is in: at most [`ROOMS_PER_PEER`].
    rooms: Vec<RoomKey>,
    messages: Bucket,
    refusals: Bucket,
}

impl Rooms {
    /// No peers yet.
    pub fn new(quotas: PeerQuotas, codes: CodeQuotas, services: Services) -> Self {
        Self {
            quotas,
            services,
            peers: HashMap::new(),
            rooms: HashMap::new(),
            codes: Codes::new(codes),
            doubtful: HashMap::new(),
            census: Census::default(),
        }
    }

    /// A peer arrived, with an id drawn at random. False when the id is taken: draw another one.
    pub fn connect(&mut self, now: Instant, id: PeerId, location: Location) -> bool {
        if self.peers.contains_key(&id) {
            return false;
        }
        let member = Member {
            location,
            endpoint: None,
            rooms: Vec::new(),
            messages: Bucket::full(now),
            refusals: Bucket::full(now),
        };
        self.peers.insert(id, member);
        true
    }

    /// A peer sent something. Unknown peers are ignored: they were closed while it was on its way.
    pub fn receive(&mut self, now: Now, id: PeerId, incoming: Incoming) -> Vec<Action> {
        let mut actions = self.expire(now.steady);
        actions.extend(self.handle(now, id, incoming));
        actions
    }

    fn handle(&mut self, moment: Now, id: PeerId, incoming: Incoming) -> Vec<Action> {
        let now = moment.steady;
        let rate = self.quotas.messages;
        let Some(member) = self.peers.get_mut(&id) else {
            return Vec::new();
        };
        let about = About::message(&incoming);
        if !member.messages.try_take(now, rate) {
            return self.refuse(now, id, SignalingCode::RateLimited, about);
        }
        let greeted = member.endpoint.is_some();
        let message = match incoming {
            Incoming::Message(message) => message,
            Incoming::Invalid => {
                return self.refuse(now, id, SignalingCode::InvalidMessage, about);
            }
            Incoming::Empty => return Vec::new(),
            Incoming::Signal { .. } if !greeted => {
                return self.refuse(now, id, SignalingCode::OutOfOrder, about);
            }
            Incoming::Signal { to, signal } => return self.pass(id, to, signal),
        };
        match message {
            ClientMessage::Unknown => answer(id, SignalingCode::Unsupported, about),
            ClientMessage::Hello(hello) if !greeted => self.greet(moment, id, &hello),
            ClientMessage::Hello(_) => self.refuse(now, id, SignalingCode::OutOfOrder, about),
            _ if !greeted => self.refuse(now, id, SignalingCode::OutOfOrder, about),
            ClientMessage::Join { room, device } => match self.key(id, room) {
                Some(_) if room.shows_cards() != device.is_some() => {
                    self.refuse(now, id, SignalingCode::InvalidMessage, about)
                }
                Some(key) => self.join(now, id, key, device),
                None => answer(id, SignalingCode::Unsupported, about),
            },
            ClientMessage::Open { nameplate } => self.open(now, id, nameplate),
            ClientMessage::Leave { room } => match self.key(id, room) {
                Some(key) => self.leave(id, key),
                None => answer(id, SignalingCode::Unsupported, about),
            },
            ClientMessage::Signal { to, signal } => self.route(id, to, signal),
            ClientMessage::Update { device } => self.update(id, device),
            ClientMessage::OpenRelay { to } => self.open_relay(id, to),
        }
    }

    /// Closes the code rooms whose time is over.
    pub fn expire(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(nameplate) = self.codes.overdue(now) {
            actions.extend(self.close_room(RoomKey::Code(nameplate)));
        }
        actions
    }

    /// When to call [`Self::expire`] next, whatever happens until then.
    pub fn next_expiry(&self, now: Instant) -> Instant {
        self.codes.next_end(now)
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
        if member.endpoint.is_some() && member.location.doubt == Doubt::Everyone {
            let nearby = NearbyKey::of(member.location.address);
            if let Entry::Occupied(mut doubtful) = self.doubtful.entry(nearby) {
                *doubtful.get_mut() -= 1;
                if *doubtful.get() == 0 {
                    doubtful.remove();
                }
            }
        }
        member
            .rooms
            .into_iter()
            .flat_map(|key| self.remove(id, key))
            .collect()
    }

    /// The server stops: everyone is told and closed.
    pub fn shut_down(&mut self) -> Vec<Action> {
        self.rooms.clear();
        self.codes.clear();
        self.doubtful.clear();
        self.census = Census::default();
        let peers: Vec<_> = self.peers.drain().map(|(id, _)| id).collect();
        let farewell = Action::Send {
            to: peers.clone(),
            message: error(SignalingCode::ShuttingDown, About::default()),
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

    /// Numbers of rooms that someone is in.
    pub fn census(&self) -> Census {
        self.census
    }

    fn greet(&mut self, now: Now, id: PeerId, hello: &ClientHello) -> Vec<Action> {
        let Some(version) = hello.versions.common() else {
            let mut actions = answer(id, SignalingCode::Incompatible, About::default());
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
            address: member.location.address.to_canonical().to_string(),
            time: now.unix_seconds,
            ice_servers: self.services.ice_servers.clone(),
            relay: self.services.relay,
        };
        let location = member.location;
        let mut actions = send(vec![id], ServerMessage::Welcome(welcome));
        if location.doubt == Doubt::Everyone {
            let nearby = NearbyKey::of(location.address);
            *self.doubtful.entry(nearby).or_default() += 1;
            actions.extend(self.close_room(RoomKey::Nearby(nearby)));
        }
        actions
    }

    /// The room that a peer means; `None` when this server has no such kind.
    fn key(&self, id: PeerId, room: Room) -> Option<RoomKey> {
        match room {
            Room::Nearby => {
                let address = self.peers.get(&id)?.location.address;
                Some(RoomKey::Nearby(NearbyKey::of(address)))
            }
            Room::Code { nameplate } => Some(RoomKey::Code(nameplate)),
            Room::Group { name } => Some(RoomKey::Group(name)),
            Room::Pair { tag } => Some(RoomKey::Pair(tag)),
            Room::Unknown => None,
        }
    }

    /// Lets a peer into a room if the rules allow it. Who is in already just hears again who else is.
    fn join(
        &mut self,
        now: Instant,
        id: PeerId,
        key: RoomKey,
        card: Option<DeviceCard>,
    ) -> Vec<Action> {
        if self.places(key).any(|place| place.peer == id) {
            return self.tell_joined(id, key);
        }
        match self.admit(now, id, key) {
            Ok(()) => self.enter(id, key, card),
            Err(code) => answer(id, code, About::room(key.room())),
        }
    }

    /// Opens a code room with a peer in it.
    fn open(&mut self, now: Instant, id: PeerId, nameplate: Nameplate) -> Vec<Action> {
        let key = RoomKey::Code(nameplate);
        match self.admit_opener(now, id, nameplate) {
            Ok(()) => self.enter(id, key, None),
            Err(code) => answer(id, code, About::room(key.room())),
        }
    }

    /// Whether a peer may enter a room that it is not in. A code room takes it for its guest from now on.
    fn admit(&mut self, now: Instant, id: PeerId, key: RoomKey) -> Result<(), SignalingCode> {
        let member = self.peers.get(&id).ok_or(SignalingCode::OutOfOrder)?;
        match key {
            // Before anything that depends on whether the code is open.
            RoomKey::Code(_) if !self.codes.try_attempt(now, member.location.address) => {
                return Err(SignalingCode::RateLimited);
            }
            RoomKey::Nearby(nearby)
                if member.location.doubt != Doubt::None || self.doubtful.contains_key(&nearby) =>
            {
                return Err(SignalingCode::NearbyUnavailable);
            }
            _ => {}
        }
        if member.rooms.len() >= ROOMS_PER_PEER {
            return Err(SignalingCode::RateLimited);
        }
        let most = match key {
            RoomKey::Code(nameplate) => return self.codes.enter(nameplate, id),
            RoomKey::Nearby(_) | RoomKey::Group(_) => ROOM_PEERS,
            RoomKey::Pair(_) => PAIR_ROOM_PEERS,
        };
        if self.places(key).count() >= most {
            return Err(SignalingCode::RoomFull);
        }
        Ok(())
    }

    /// Whether a peer may open a code. If so, the code is open from now on.
    fn admit_opener(
        &mut self,
        now: Instant,
        id: PeerId,
        nameplate: Nameplate,
    ) -> Result<(), SignalingCode> {
        let member = self.peers.get(&id).ok_or(SignalingCode::OutOfOrder)?;
        // This tells as much as joining does of whether a code is open, so both are counted.
        let address = member.location.address;
        let may_try = self.codes.try_attempt(now, address);
        if !may_try || member.rooms.len() >= ROOMS_PER_PEER {
            return Err(SignalingCode::RateLimited);
        }
        self.codes.open(now, nameplate, id, address)
    }

    /// Puts a peer into a room that it is not in.
    fn enter(&mut self, id: PeerId, key: RoomKey, card: Option<DeviceCard>) -> Vec<Action> {
        let Some(member) = self.peers.get_mut(&id) else {
            return Vec::new();
        };
        member.rooms.push(key);
        let place = Place { peer: id, card };
        let peer = self.peer(&place);
        let others = self.others(id, key);
        let places = self.rooms.entry(key).or_insert_with(|| {
            *self.census.of(key) += 1;
            Vec::new()
        });
        places.push(place);
        let mut actions = self.tell_joined(id, key);
        if let Some(peer) = peer {
            let room = key.room();
            actions.extend(send(others, ServerMessage::PeerJoined { room, peer }));
        }
        actions
    }

    /// Tells a member who else is in a room.
    fn tell_joined(&self, id: PeerId, key: RoomKey) -> Vec<Action> {
        let others = self.places(key).filter(|place| place.peer != id);
        let joined = ServerMessage::Joined {
            room: key.room(),
            peers: others.filter_map(|place| self.peer(place)).collect(),
        };
        send(vec![id], joined)
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

    /// Takes a peer off a room's list, and closes the room if that was its end.
    fn remove(&mut self, id: PeerId, key: RoomKey) -> Vec<Action> {
        let Some(places) = self.rooms.get_mut(&key) else {
            return Vec::new();
        };
        places.retain(|place| place.peer != id);
        let is_over = match key {
            RoomKey::Code(nameplate) => self.codes.part(nameplate, id),
            RoomKey::Nearby(_) | RoomKey::Group(_) | RoomKey::Pair(_) => places.is_empty(),
        };
        let left = ServerMessage::PeerLeft {
            room: key.room(),
            peer: id,
        };
        let mut actions = send(self.others(id, key), left);
        if is_over {
            actions.extend(self.close_room(key));
        }
        actions
    }

    /// Takes everyone out of a room who is still in it.
    fn close_room(&mut self, key: RoomKey) -> Vec<Action> {
        if let RoomKey::Code(nameplate) = key {
            self.codes.close(nameplate);
        }
        let Some(places) = self.rooms.remove(&key) else {
            return Vec::new();
        };
        *self.census.of(key) -= 1;
        let members: Vec<_> = places.into_iter().map(|place| place.peer).collect();
        for id in &members {
            if let Some(member) = self.peers.get_mut(id) {
                member.rooms.retain(|room| *room != key);
            }
        }
        send(members, ServerMessage::RoomClosed { room: key.room() })
    }

    /// Passes a signal on. That a peer is elsewhere and that there is no such peer look the same from outside.
    fn route(&mut self, from: PeerId, to: PeerId, signal: Signal) -> Vec<Action> {
        if signal.body == SignalBody::Unknown {
            return answer(from, SignalingCode::Unsupported, About::peer(to));
        }
        if from == to || !self.shared(from, to) {
            return answer(from, SignalingCode::PeerNotFound, About::peer(to));
        }
        send(vec![to], ServerMessage::Signal { from, signal })
    }

    /// Passes on a signal that need not be looked at.
    fn pass(&self, from: PeerId, to: PeerId, signal: PassedSignal) -> Vec<Action> {
        if from == to || !self.shared(from, to) {
            return answer(from, SignalingCode::PeerNotFound, About::peer(to));
        }
        vec![Action::Pass { to, signal }]
    }

    /// Lets a peer have a relayed connection with another one, under the same rule as for signals.
    fn open_relay(&self, from: PeerId, to: PeerId) -> Vec<Action> {
        if !self.services.relay {
            return answer(from, SignalingCode::RelayOff, About::peer(to));
        }
        match self.peers.get(&from) {
            Some(member) if from != to && self.shared(from, to) => vec![Action::OpenRelay {
                from,
                address: member.location.address,
                to,
            }],
            _ => answer(from, SignalingCode::PeerNotFound, About::peer(to)),
        }
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
        about: About,
    ) -> Vec<Action> {
        let rate = self.quotas.refusals;
        let mut actions = answer(id, code, about);
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

fn answer(id: PeerId, code: SignalingCode, about: About) -> Vec<Action> {
    send(vec![id], error(code, about))
}

fn error(code: SignalingCode, about: About) -> ServerMessage {
    let About { to, room } = about;
    ServerMessage::Error { code, to, room }
}

#[cfg(test)]
#[path = "rooms_tests.rs"]
mod tests;
