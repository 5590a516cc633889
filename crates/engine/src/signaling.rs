//! The client's end of signaling: open, hello, join, and back again after a loss. It knows the socket's state, not what
//! peers signal to each other.

use tabferry_protocol::card::{DeviceCard, EndpointKind};
use tabferry_protocol::host::{ConnectionView, Settings, SignalingProblem};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::{
    SIGNALING_BACKOFF_HURRIED_MS, SIGNALING_BACKOFF_MAX_MS, SIGNALING_BACKOFF_MIN_MS,
    SIGNALING_HELLO_TIMEOUT_MS, SIGNALING_PROBE_TIMEOUT_MS,
};
use tabferry_protocol::secret_code::Nameplate;
use tabferry_protocol::signaling::{
    ClientHello, ClientMessage, IceServer, Room, ServerMessage, Signal, SignalingCode, Welcome,
};
use tabferry_protocol::version::{SPOKEN, Versions};

use crate::io::{Output, Time};
use crate::outbox::Outbox;

/// The signaling connection.
#[derive(Debug)]
pub(crate) struct Signaling {
    state: State,
    /// Attempts since it was last online.
    attempts: u32,
    /// Whether something waits for it.
    pub(crate) hurried: bool,
    /// Why it is not online, once that is known.
    problem: Option<SignalingProblem>,
    /// What the server said of its reason before it closed the socket.
    refusal: Option<SignalingProblem>,
    /// Something was asked of the server: without a word from it until then, it is gone.
    heard_by: Option<Time>,
    /// From the last welcome, or renewed since: also good for connections made while the server is away.
    ice_servers: Vec<IceServer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not configured yet.
    Idle,
    /// No socket until then.
    Waiting { until: Time },
    /// Socket asked for, or hello sent.
    Opening { since: Time },
    /// Welcomed.
    Online,
}

impl Signaling {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Idle,
            attempts: 0,
            hurried: false,
            problem: None,
            refusal: None,
            heard_by: None,
            ice_servers: Vec::new(),
        }
    }

    pub(crate) fn is_online(&self) -> bool {
        self.state == State::Online
    }

    pub(crate) fn ice_servers(&self) -> Vec<IceServer> {
        self.ice_servers.clone()
    }

    pub(crate) fn view(&self) -> ConnectionView {
        match (self.state, self.problem) {
            (State::Online, _) => ConnectionView::Online,
            (_, Some(problem)) => ConnectionView::Offline { problem },
            (_, None) => ConnectionView::Connecting,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Opening { since } => Some(since + SIGNALING_HELLO_TIMEOUT_MS),
            State::Online => self.heard_by,
            State::Idle => None,
        }
    }

    /// Connects at once, also if a connection is there.
    pub(crate) fn connect(&mut self, now: Time, settings: &Settings, out: &mut Outbox) {
        if matches!(self.state, State::Opening { .. } | State::Online) {
            out.push(Output::CloseSignaling);
        }
        self.attempts = 0;
        self.problem = None;
        self.open(now, settings, out);
    }

    fn open(&mut self, now: Time, settings: &Settings, out: &mut Outbox) {
        self.refusal = None;
        self.heard_by = None;
        self.state = State::Opening { since: now };
        out.push(Output::OpenSignaling {
            server: settings.server.clone(),
        });
        out.changed();
    }

    pub(crate) fn handle_opened(&self, endpoint: EndpointKind, out: &mut Outbox) {
        if matches!(self.state, State::Opening { .. }) {
            let hello = ClientHello {
                versions: Versions::spoken(),
                endpoint,
                capabilities: Vec::new(),
            };
            send(&ClientMessage::Hello(hello), out);
        }
    }

    /// Reads a message and keeps what concerns the connection itself. Returns what concerns the rest of the engine.
    pub(crate) fn handle_received(
        &mut self,
        now: Time,
        text: &str,
        out: &mut Outbox,
    ) -> Option<ServerMessage> {
        self.heard_by = None;
        let Ok(message) = ServerMessage::decode(text) else {
            self.give_up(now, SignalingProblem::WrongAddress, out);
            return None;
        };
        match (self.state, message) {
            (State::Opening { .. }, ServerMessage::Welcome(welcome)) => {
                self.welcome(now, &welcome, out);
                Some(ServerMessage::Welcome(welcome)).filter(|_| self.is_online())
            }
            (
                _,
                ServerMessage::Error {
                    code: SignalingCode::Incompatible,
                    ..
                },
            ) => {
                self.refusal = Some(SignalingProblem::Incompatible);
                None
            }
            (
                _,
                ServerMessage::Error {
                    code: SignalingCode::RateLimited,
                    room: None,
                    ..
                },
            ) => {
                self.refusal = Some(SignalingProblem::Refused);
                None
            }
            (State::Online, ServerMessage::IceServers { ice_servers }) => {
                self.ice_servers = ice_servers;
                None
            }
            (State::Online, message) => Some(message),
            _ => None,
        }
    }

    fn welcome(&mut self, now: Time, welcome: &Welcome, out: &mut Outbox) {
        if !SPOKEN.contains(&welcome.version) {
            self.give_up(now, SignalingProblem::Incompatible, out);
            return;
        }
        self.ice_servers = welcome.ice_servers.clone();
        self.state = State::Online;
        self.attempts = 0;
        self.problem = None;
        out.changed();
    }

    /// Enters a room, shown there with a card if one is given.
    pub(crate) fn send_join(&self, room: Room, device: Option<DeviceCard>, out: &mut Outbox) {
        if self.is_online() {
            send(&ClientMessage::Join { room, device }, out);
        }
    }

    /// Asks for a room that this device is in, which the server answers and which changes nothing.
    pub(crate) fn probe(
        &mut self,
        now: Time,
        room: Room,
        device: Option<DeviceCard>,
        out: &mut Outbox,
    ) {
        if self.is_online() && self.heard_by.is_none() {
            self.heard_by = Some(now + SIGNALING_PROBE_TIMEOUT_MS);
            self.send_join(room, device, out);
        }
    }

    /// Opens the room of a code.
    pub(crate) fn send_open(&self, nameplate: Nameplate, out: &mut Outbox) {
        if self.is_online() {
            send(&ClientMessage::Open { nameplate }, out);
        }
    }

    /// Leaves a room.
    pub(crate) fn send_leave(&self, room: Room, out: &mut Outbox) {
        if self.is_online() {
            send(&ClientMessage::Leave { room }, out);
        }
    }

    pub(crate) fn handle_closed(&mut self, now: Time, problem: SignalingProblem, out: &mut Outbox) {
        if matches!(self.state, State::Opening { .. } | State::Online) {
            let problem = self.refusal.take().unwrap_or(problem);
            self.wait(now, problem, out);
        }
    }

    pub(crate) fn tick(&mut self, now: Time, settings: &Settings, out: &mut Outbox) {
        match self.state {
            State::Waiting { until } if until <= now => self.open(now, settings, out),
            State::Opening { since } if now.since(since) >= SIGNALING_HELLO_TIMEOUT_MS => {
                self.give_up(now, SignalingProblem::Unreachable, out);
            }
            State::Online if self.heard_by.is_some_and(|by| by <= now) => {
                self.give_up(now, SignalingProblem::Lost, out);
            }
            _ => {}
        }
    }

    pub(crate) fn send_signal(&self, to: PeerId, signal: Signal, out: &mut Outbox) {
        if self.is_online() {
            send(&ClientMessage::Signal { to, signal }, out);
        }
    }

    pub(crate) fn send_update(&self, device: DeviceCard, out: &mut Outbox) {
        if self.is_online() {
            send(&ClientMessage::Update { device }, out);
        }
    }

    fn give_up(&mut self, now: Time, problem: SignalingProblem, out: &mut Outbox) {
        out.push(Output::CloseSignaling);
        self.wait(now, problem, out);
    }

    /// Full jitter: after a restart of the server its clients come back spread out.
    fn wait(&mut self, now: Time, problem: SignalingProblem, out: &mut Outbox) {
        let most = if self.hurried {
            SIGNALING_BACKOFF_HURRIED_MS
        } else {
            SIGNALING_BACKOFF_MAX_MS
        };
        let ceiling = SIGNALING_BACKOFF_MIN_MS
            .saturating_mul(1 << self.attempts.min(16))
            .min(most);
        self.attempts = self.attempts.saturating_add(1);
        self.problem = Some(problem);
        let least = SIGNALING_BACKOFF_MIN_MS / 2;
        self.state = State::Waiting {
            until: now + least + out.below(ceiling),
        };
        out.changed();
    }
}

fn send(message: &ClientMessage, out: &mut Outbox) {
    out.push(Output::SendSignaling(message.encode()));
}
