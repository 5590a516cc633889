//! The rooms and the queues of all sockets under one lock: an input and everything that follows from it happen at once,
//! so every peer hears of events in one order. Nothing here waits for a socket.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tabferry_protocol::id::{PeerId, RelayTicket};
use tabferry_protocol::signaling::{ClientMessage, IceServer, ServerMessage, SignalingCode};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::address::Location;
use crate::clock::Now;
use crate::codes::CodeQuotas;
use crate::metrics::Metrics;
use crate::outbox::{Full, Outbox, QueueLimits};
use crate::random::random;
use crate::relay_desk::RelayDesk;
use crate::relay_socket::Endpoint;
use crate::rooms::{Action, Incoming, PeerQuotas, Rooms, Services};
use crate::turn::Turn;

/// Everything the sockets share.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
    queue: QueueLimits,
    /// Those that never change.
    ice_servers: Vec<IceServer>,
    /// Those whose credentials do.
    turn: Option<Turn>,
    /// Who gives out tickets, where the server relays.
    desk: Option<Arc<RelayDesk<Endpoint>>>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct State {
    rooms: Rooms,
    /// The queue of every connected peer.
    outboxes: HashMap<PeerId, Arc<Outbox>>,
    /// The server stops; nobody new comes in.
    stopping: bool,
}

/// The peer that a signal was for has no room in its queue.
struct Busy;

impl Hub {
    pub(crate) fn new(
        quotas: PeerQuotas,
        codes: CodeQuotas,
        queue: QueueLimits,
        services: Services,
        turn: Option<Turn>,
        desk: Option<Arc<RelayDesk<Endpoint>>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let ice_servers = services.ice_servers.clone();
        let state = State {
            rooms: Rooms::new(quotas, codes, services),
            outboxes: HashMap::new(),
            stopping: false,
        };
        Self {
            state: Mutex::new(state),
            queue,
            ice_servers,
            turn,
            desk,
            metrics,
        }
    }

    /// Lets a peer in, under an id from `draw_id`. What is to be written to its socket comes out of the outbox.
    pub(crate) fn connect(
        &self,
        location: Location,
        mut draw_id: impl FnMut() -> PeerId,
    ) -> (PeerId, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::new(self.queue));
        let mut state = self.lock();
        let now = Instant::now();
        let mut id = draw_id();
        while !state.rooms.connect(now, id, location) {
            id = draw_id();
        }
        state.outboxes.insert(id, outbox.clone());
        if state.stopping {
            let actions = state.rooms.shut_down();
            let _ = self.apply(&mut state, actions);
        }
        (id, outbox)
    }

    /// Handles what a peer sent. True when the peer has said hello.
    pub(crate) fn receive(&self, id: PeerId, incoming: Incoming) -> bool {
        let to = match &incoming {
            Incoming::Message(ClientMessage::Signal { to, .. }) | Incoming::Signal { to, .. } => {
                Some(*to)
            }
            _ => None,
        };
        if incoming != Incoming::Empty {
            self.metrics.count_message();
        }
        let now = Now::read();
        let mut state = self.lock();
        let actions = state.rooms.receive(now, id, incoming);
        if self.apply(&mut state, actions).is_err() {
            let busy = Action::Send {
                to: vec![id],
                message: ServerMessage::Error {
                    code: SignalingCode::Busy,
                    to,
                    room: None,
                },
            };
            let _ = self.apply(&mut state, vec![busy]);
        }
        state.rooms.has_greeted(id)
    }

    /// How often a peer is to have its credentials renewed, if it has any.
    pub(crate) fn renewal(&self) -> Option<Duration> {
        self.turn.as_ref().map(Turn::renewal)
    }

    /// Gives a peer new credentials.
    pub(crate) fn renew(&self, id: PeerId) {
        let Some(turn) = &self.turn else {
            return;
        };
        let mut ice_servers = self.ice_servers.clone();
        ice_servers.extend(turn.servers(Now::read().unix_seconds, random()));
        let renewed = Action::Send {
            to: vec![id],
            message: ServerMessage::IceServers { ice_servers },
        };
        let _ = self.apply(&mut self.lock(), vec![renewed]);
    }

    /// A peer's socket has ended.
    pub(crate) fn disconnect(&self, id: PeerId) {
        let mut state = self.lock();
        state.outboxes.remove(&id);
        let actions = state.rooms.disconnect(id);
        let _ = self.apply(&mut state, actions);
    }

    /// Closes every code room when its time is over, for ever.
    pub(crate) async fn expire(&self) -> Infallible {
        loop {
            let next = {
                let mut state = self.lock();
                let now = Instant::now();
                let actions = state.rooms.expire(now);
                let _ = self.apply(&mut state, actions);
                state.rooms.next_expiry(now)
            };
            tokio::time::sleep_until(next.into()).await;
        }
    }

    /// Tells everyone that the server stops, now and whoever still comes.
    pub(crate) fn shut_down(&self) {
        let mut state = self.lock();
        state.stopping = true;
        let actions = state.rooms.shut_down();
        let _ = self.apply(&mut state, actions);
    }

    /// Does what the rooms want. A peer whose queue is full is cut, which the others then hear of; but a signal that does
    /// not fit is dropped, and its sender is to hear that the peer is busy.
    fn apply(&self, state: &mut State, actions: Vec<Action>) -> Result<(), Busy> {
        let mut done = Ok(());
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Send { to, mut message } => {
                    if let (ServerMessage::Welcome(welcome), Some(turn)) =
                        (&mut message, &self.turn)
                    {
                        let servers = turn.servers(welcome.time, random());
                        welcome.ice_servers.extend(servers);
                    }
                    self.metrics.count_answer(&message);
                    let is_signal = matches!(message, ServerMessage::Signal { .. });
                    let text = Utf8Bytes::from(message.encode());
                    for peer in to {
                        let Some(outbox) = state.outboxes.get(&peer) else {
                            continue;
                        };
                        if is_signal {
                            done = outbox.try_push_signal(text.clone()).map_err(|Full| Busy);
                        } else if outbox.push(text.clone()).is_err() {
                            state.outboxes.remove(&peer);
                            actions.extend(state.rooms.disconnect(peer));
                        }
                    }
                }
                Action::Pass { to, signal } => {
                    if let Some(outbox) = state.outboxes.get(&to) {
                        let text = Utf8Bytes::from(signal.into_text());
                        done = outbox.try_push_signal(text).map_err(|Full| Busy);
                    }
                }
                Action::OpenRelay { from, address, to } => {
                    actions.push_back(Action::Send {
                        to: vec![from],
                        message: self.open_relay(address, to),
                    });
                }
                Action::Close { peer, ending } => {
                    if let Some(outbox) = state.outboxes.remove(&peer) {
                        outbox.close(ending);
                    }
                }
            }
        }
        self.metrics.set_population(&state.rooms);
        done
    }

    /// The answer to a peer at `address` that may have a relayed connection with another one.
    fn open_relay(&self, address: IpAddr, to: PeerId) -> ServerMessage {
        let issued = match &self.desk {
            Some(desk) => desk.issue(address, || RelayTicket::from_bytes(random())),
            None => Err(SignalingCode::RelayOff),
        };
        match issued {
            Ok(ticket) => ServerMessage::Relay { to, ticket },
            Err(code) => ServerMessage::Error {
                code,
                to: Some(to),
                room: None,
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of another thread is a bug of ours that ends its own socket; the others should go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
