//! The signaling servers and the sockets to them: messages keep their order within a socket's direction, and no order
//! between sockets. A server can be killed, start again, refuse and lose a socket, and deliver something else than it
//! should.

use std::collections::{BTreeMap, BTreeSet};

use evil::{Act, Variant};
use tabferry_engine::Input;
use tabferry_protocol::card::DeviceCard;
use tabferry_protocol::host::SignalingProblem;
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::SIGNALING_MESSAGE_BYTES;
use tabferry_protocol::signaling::{
    ClientHello, ClientMessage, IceServer, Peer, Room, ServerMessage, SignalingCode, Welcome,
};
use tabferry_protocol::version::SPOKEN;

use crate::ledger::Life;
use crate::trace;
use crate::world::{Happening, World};

pub(crate) const SERVERS: [&str; 2] = ["ws://one.test", "ws://two.test"];

/// All servers, and the sockets to them.
#[derive(Debug, Default)]
pub(crate) struct Signaling {
    /// Which servers are down.
    pub down: [bool; SERVERS.len()],
    pub sockets: BTreeMap<u64, Socket>,
    last_socket: u64,
}

/// A socket, as both ends see it.
#[derive(Debug)]
pub(crate) struct Socket {
    pub owner: Life,
    pub server: usize,
    /// Open, for the client.
    open: bool,
    hello: Option<ClientHello>,
    peer: Option<PeerId>,
    /// The rooms that it is in, each with its card there.
    rooms: BTreeMap<Room, Option<DeviceCard>>,
    /// The rooms of codes that it opened.
    opened: BTreeSet<Room>,
    /// Nothing gets through any more, and an end has not noticed yet.
    dead: bool,
    /// When the last message on its way arrives.
    up_at: u64,
    down_at: u64,
}

impl Socket {
    fn is_near(&self) -> bool {
        self.rooms.contains_key(&Room::Nearby)
    }
}

impl World {
    pub(crate) fn open_socket(&mut self, node: usize, address: &str) {
        let owner = self.life(node);
        assert!(
            self.nodes[node].socket.is_none(),
            "a second socket to the signaling server"
        );
        self.signaling.last_socket += 1;
        let id = self.signaling.last_socket;
        self.nodes[node].socket = Some(id);
        let at = self.now + self.signaling_delay();
        let Some(server) = SERVERS.iter().position(|known| *known == address) else {
            let problem = SignalingProblem::WrongAddress;
            self.schedule(
                at,
                Happening::SocketClosed {
                    socket: id,
                    owner,
                    problem,
                },
            );
            return;
        };
        if self.signaling.down[server] {
            let problem = SignalingProblem::Unreachable;
            self.schedule(
                at,
                Happening::SocketClosed {
                    socket: id,
                    owner,
                    problem,
                },
            );
            return;
        }
        let socket = Socket {
            owner,
            server,
            open: false,
            hello: None,
            peer: None,
            rooms: BTreeMap::new(),
            opened: BTreeSet::new(),
            dead: false,
            up_at: at,
            down_at: at,
        };
        self.signaling.sockets.insert(id, socket);
        self.schedule(at, Happening::SocketOpened { socket: id });
    }

    pub(crate) fn socket_opened(&mut self, id: u64) {
        let Some(socket) = self.signaling.sockets.get_mut(&id) else {
            return;
        };
        socket.open = true;
        let owner = socket.owner;
        if self.is_current_socket(owner, id) {
            self.step(owner.node, Input::SignalingOpened);
        }
    }

    pub(crate) fn close_socket(&mut self, node: usize) {
        let id = self.nodes[node].socket.take().expect("a socket to close");
        let at = self.now + self.signaling_delay();
        self.schedule(at, Happening::ServerLoses { socket: id });
    }

    /// The client has lost its socket.
    pub(crate) fn socket_closed(&mut self, id: u64, owner: Life, problem: SignalingProblem) {
        if self.is_current_socket(owner, id) {
            self.nodes[owner.node].socket = None;
            self.step(owner.node, Input::SignalingClosed(problem));
        }
    }

    fn is_current_socket(&self, owner: Life, id: u64) -> bool {
        self.is_alive(owner) && self.nodes[owner.node].socket == Some(id)
    }

    pub(crate) fn send_to_server(&mut self, node: usize, text: String) {
        let id = self.nodes[node].socket.expect("a socket to send on");
        let message =
            ClientMessage::decode(&text).expect("an engine sends messages that keep their limits");
        assert_eq!(
            message.encode(),
            text,
            "an engine's message says all that it means"
        );
        let at = self.now + self.signaling_delay();
        let Some(socket) = self.signaling.sockets.get_mut(&id) else {
            return;
        };
        assert!(socket.open, "a message on a socket that is not open");
        if socket.dead {
            return;
        }
        socket.up_at = socket.up_at.max(at);
        let at = socket.up_at;
        self.schedule(at, Happening::ServerReceives { socket: id, text });
    }

    pub(crate) fn send_to_client(&mut self, id: u64, message: &ServerMessage) {
        let to = self
            .signaling
            .sockets
            .get(&id)
            .and_then(|socket| socket.peer);
        match (&mut self.evil, to) {
            (Some(evil), Some(to)) => {
                let acts = evil.deliver(to, message.clone());
                self.perform_acts(acts);
            }
            _ => self.send_honestly(id, message),
        }
    }

    /// Does what an attack asks for.
    pub(crate) fn perform_acts(&mut self, acts: Vec<Act>) {
        for act in acts {
            let (to, message) = match act {
                Act::Deliver { to, message } => (to, message),
                Act::Intercept { from, to, signal } => {
                    let signal = self.intercept(signal);
                    (to, ServerMessage::Signal { from, signal })
                }
            };
            let socket = self
                .signaling
                .sockets
                .iter()
                .find(|(_, socket)| socket.peer == Some(to));
            if let Some((id, _)) = socket {
                self.send_honestly(*id, &message);
            }
        }
    }

    /// How the servers attack, if they do now.
    pub(crate) fn attack(&self) -> Option<Variant> {
        self.evil.as_ref()?.variant()
    }

    fn send_honestly(&mut self, id: u64, message: &ServerMessage) {
        let mut text = message.encode();
        assert!(
            text.len() <= SIGNALING_MESSAGE_BYTES,
            "the server's messages keep their limit"
        );
        if self.plan.server_garbage && !self.quiet && self.random.one_in(30) {
            text = self.garbled_text(&text);
        }
        self.send_text_to_client(id, text);
    }

    pub(crate) fn send_text_to_client(&mut self, id: u64, text: String) {
        let at = self.now + self.signaling_delay();
        let Some(socket) = self
            .signaling
            .sockets
            .get_mut(&id)
            .filter(|socket| !socket.dead)
        else {
            return;
        };
        socket.down_at = socket.down_at.max(at);
        let at = socket.down_at;
        let owner = socket.owner;
        self.schedule(
            at,
            Happening::ClientReceives {
                socket: id,
                owner,
                text,
            },
        );
    }

    pub(crate) fn client_receives(&mut self, id: u64, owner: Life, text: &str) {
        if self.is_current_socket(owner, id) {
            self.step(owner.node, Input::SignalingReceived(text));
        }
    }

    pub(crate) fn server_receives(&mut self, id: u64, text: &str) {
        let Some(socket) = self.signaling.sockets.get(&id) else {
            return;
        };
        let message = ClientMessage::decode(text).expect("checked when it was sent");
        let (server, peer) = (socket.server, socket.peer);
        match message {
            ClientMessage::Hello(hello) => {
                assert!(peer.is_none(), "a second hello");
                let peer = PeerId::from_bytes(self.random.bytes());
                let socket = self.signaling.sockets.get_mut(&id).expect("looked up");
                socket.hello = Some(hello);
                socket.peer = Some(peer);
                let ice_servers = vec![IceServer {
                    url: "stun:stun.test".to_owned(),
                    username: None,
                    credential: None,
                }];
                let address = "192.0.2.1".to_owned();
                self.send_to_client(
                    id,
                    &ServerMessage::Welcome(Welcome {
                        version: SPOKEN[0],
                        peer,
                        address,
                        time: self.now / 1000,
                        ice_servers,
                        relay: false,
                    }),
                );
            }
            ClientMessage::Join { room, device } => {
                assert_eq!(
                    device.is_some(),
                    room.shows_cards(),
                    "a card where it is due"
                );
                if matches!(room, Room::Code { .. }) && self.members(server, room, id).is_empty() {
                    let code = SignalingCode::CodeNotFound;
                    return self.refuse_room(id, room, code);
                }
                self.enter(id, room, device);
            }
            ClientMessage::Open { nameplate } => {
                let room = Room::Code { nameplate };
                if self.members(server, room, id).is_empty() {
                    let socket = self.signaling.sockets.get_mut(&id).expect("looked up");
                    socket.opened.insert(room);
                    self.enter(id, room, None);
                } else {
                    self.refuse_room(id, room, SignalingCode::Taken);
                }
            }
            ClientMessage::Leave { room } => self.leave(id, room),
            ClientMessage::Signal { to, signal } => {
                let from = peer.expect("a signal after hello");
                if self.plan.hostile.is_some() {
                    self.ledger.connection_ids.push(signal.connection);
                }
                let other = self.in_reach(server, id, to);
                let busy = !self.quiet && self.random.percent(self.plan.faults.busy);
                match other {
                    Some(other) if busy => {
                        let (a, b) = (
                            self.signaling.sockets[&id].owner.node,
                            self.signaling.sockets[&other].owner.node,
                        );
                        self.ledger.disturb(a, b);
                        self.send_to_client(
                            id,
                            &ServerMessage::Error {
                                code: SignalingCode::Busy,
                                to: Some(to),
                                room: None,
                            },
                        );
                    }
                    Some(other) => {
                        self.send_to_client(other, &ServerMessage::Signal { from, signal })
                    }
                    None => {
                        self.send_to_client(
                            id,
                            &ServerMessage::Error {
                                code: SignalingCode::PeerNotFound,
                                to: Some(to),
                                room: None,
                            },
                        );
                    }
                }
            }
            ClientMessage::Update { device } => {
                let socket = self.signaling.sockets.get_mut(&id).expect("looked up");
                for card in socket.rooms.values_mut().flatten() {
                    *card = device.clone();
                }
                let cards = socket.rooms.iter().filter(|(_, card)| card.is_some());
                let rooms: Vec<_> = cards.map(|(room, _)| *room).collect();
                let mut told = BTreeSet::new();
                for room in rooms {
                    let peer = self.peer(id, room);
                    for other in self.members(server, room, id) {
                        if told.insert(other) {
                            let peer = peer.clone();
                            self.send_to_client(other, &ServerMessage::PeerUpdated { peer });
                        }
                    }
                }
            }
            ClientMessage::OpenRelay { .. } | ClientMessage::Unknown => {
                panic!("an engine says what it means")
            }
        }
    }

    fn refuse_room(&mut self, id: u64, room: Room, code: SignalingCode) {
        let room = Some(room);
        self.send_to_client(
            id,
            &ServerMessage::Error {
                code,
                to: None,
                room,
            },
        );
    }

    fn enter(&mut self, id: u64, room: Room, card: Option<DeviceCard>) {
        let socket = self.signaling.sockets.get_mut(&id).expect("looked up");
        let server = socket.server;
        socket.rooms.insert(room, card);
        let others = self.members(server, room, id);
        let peers = others.iter().map(|other| self.peer(*other, room)).collect();
        let peer = self.peer(id, room);
        for other in others {
            let peer = peer.clone();
            self.send_to_client(other, &ServerMessage::PeerJoined { room, peer });
        }
        self.send_to_client(id, &ServerMessage::Joined { room, peers });
    }

    /// A socket leaves a room. A code ends with the one who opened it.
    fn leave(&mut self, id: u64, room: Room) {
        let Some(socket) = self.signaling.sockets.get_mut(&id) else {
            return;
        };
        let (server, peer) = (socket.server, socket.peer.expect("a member is welcome"));
        if socket.rooms.remove(&room).is_none() {
            return;
        }
        let closes = socket.opened.remove(&room);
        for other in self.members(server, room, id) {
            if closes {
                let socket = self.signaling.sockets.get_mut(&other).expect("listed");
                socket.rooms.remove(&room);
                self.send_to_client(other, &ServerMessage::RoomClosed { room });
            } else {
                self.send_to_client(other, &ServerMessage::PeerLeft { room, peer });
            }
        }
    }

    /// The server notices that a socket is gone.
    pub(crate) fn server_loses(&mut self, id: u64) {
        let Some(socket) = self.signaling.sockets.get(&id) else {
            return;
        };
        for room in socket.rooms.keys().copied().collect::<Vec<_>>() {
            self.leave(id, room);
        }
        self.signaling.sockets.remove(&id);
    }

    /// Sockets in a room of a server, but for one.
    fn members(&self, server: usize, room: Room, but: u64) -> Vec<u64> {
        let within = |socket: &Socket| socket.rooms.contains_key(&room) && socket.server == server;
        let sockets = self.signaling.sockets.iter();
        sockets
            .filter(|(id, socket)| **id != but && within(socket))
            .map(|(id, _)| *id)
            .collect()
    }

    /// The socket of a peer that is in a room with another one.
    fn in_reach(&self, server: usize, id: u64, to: PeerId) -> Option<u64> {
        let rooms = self.signaling.sockets[&id].rooms.keys();
        let mut others = rooms.flat_map(|room| self.members(server, *room, id));
        others.find(|other| self.signaling.sockets[other].peer == Some(to))
    }

    fn peer(&self, id: u64, room: Room) -> Peer {
        let socket = &self.signaling.sockets[&id];
        let hello = socket.hello.as_ref().expect("a member has said hello");
        Peer {
            id: socket.peer.expect("a member is welcome"),
            device: socket.rooms[&room].clone(),
            endpoint: hello.endpoint,
        }
    }

    /// Whether the two devices see each other through one server, as far as the server knows.
    pub(crate) fn share_a_room(&self, a: usize, b: usize) -> bool {
        let server = |node: usize| {
            let socket = self.signaling.sockets.get(&self.nodes[node].socket?)?;
            (socket.is_near() && !socket.dead).then_some(socket.server)
        };
        server(a).is_some() && server(a) == server(b)
    }

    /// Sockets through which a hostile device can reach the others.
    pub(crate) fn socket_peers(&self, node: usize) -> Option<(PeerId, Vec<(u64, PeerId)>)> {
        let id = self.nodes[node].socket?;
        let socket = self
            .signaling
            .sockets
            .get(&id)
            .filter(|socket| socket.is_near())?;
        let others = self.members(socket.server, Room::Nearby, id).into_iter();
        let others = others
            .filter_map(|other| Some((other, self.signaling.sockets[&other].peer?)))
            .collect();
        Some((socket.peer?, others))
    }

    /// Kills a server: everything on its sockets is lost.
    pub(crate) fn kill_server(&mut self, server: usize) {
        trace::line(self.now, || format!("server {server} is killed"));
        self.signaling.down[server] = true;
        let lost: Vec<_> = self
            .signaling
            .sockets
            .iter()
            .filter(|(_, socket)| socket.server == server)
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            let socket = self.signaling.sockets.remove(&id).expect("listed");
            let at = self.now + self.random.between(0, 50);
            let problem = SignalingProblem::Lost;
            self.schedule(
                at,
                Happening::SocketClosed {
                    socket: id,
                    owner: socket.owner,
                    problem,
                },
            );
        }
    }

    pub(crate) fn start_server(&mut self, server: usize) {
        trace::line(self.now, || format!("server {server} starts"));
        self.signaling.down[server] = false;
    }

    /// One device loses its socket; both ends notice when they do.
    pub(crate) fn drop_socket(&mut self, node: usize) {
        let Some(id) = self.nodes[node].socket else {
            return;
        };
        trace::line(self.now, || format!("n{node} loses its socket"));
        let owner = self.life(node);
        let Some(socket) = self.signaling.sockets.get_mut(&id) else {
            return;
        };
        socket.dead = true;
        let (client, server) = (
            self.now + self.random.between(0, 3_000),
            self.now + self.random.between(0, 30_000),
        );
        self.schedule(
            client,
            Happening::SocketClosed {
                socket: id,
                owner,
                problem: SignalingProblem::Lost,
            },
        );
        self.schedule(server, Happening::ServerLoses { socket: id });
    }

    fn signaling_delay(&mut self) -> u64 {
        let (least, most) = self.plan.signaling_delay;
        self.random.between(least, most)
    }
}
