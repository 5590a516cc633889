//! Which peers we are connected to: presence into sessions, signals into connections, losses into retries and ends.

use tabferry_protocol::card::DeviceCard;
use tabferry_protocol::code::Code;
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::frame::{Awaiting, Close, ControlFrame};
use tabferry_protocol::handshake::{Progress, Verified};
use tabferry_protocol::host::{DeviceView, Direction, Event, TransferState};
use tabferry_protocol::id::{ConnectionId, DeviceId, PeerId, TransferId};
use tabferry_protocol::limits::{
    CONNECT_RETRY_MS, CONNECT_TIMEOUT_MS, INCOMING_CONNECTIONS, LEFT_PEER_TIMEOUT_MS,
    PROPOSAL_RETRIES, SESSIONS, WAITING_RETRY_MS, WAITING_TIMEOUT_MS,
};
use tabferry_protocol::signaling::{self, Room, ServerMessage, Signal, SignalBody, SignalingCode};

use crate::connection::Connection;
use crate::engine::Engine;
use crate::io::{ConnectionKey, ConnectionState, Output, Time};
use crate::presence::Peer;
use crate::session::{Session, SessionKey};
use crate::transfer::{Body, Transfer};

/// Devices whose names are kept after they left.
const KNOWN_DEVICES: usize = 256;

impl Engine {
    pub(crate) fn handle_signaling_received(&mut self, text: &str) {
        let was_online = self.signaling.is_online();
        let message = self
            .signaling
            .handle_received(self.now, text, &mut self.out);
        self.forget_rooms_if_lost(was_online);
        match message {
            Some(ServerMessage::Welcome(welcome)) => {
                self.rooms.welcome(self.now, &welcome);
                // Before the rooms, so that the other endpoints know who comes there.
                self.out.push(Output::OwnPeer(Some(welcome.peer)));
                self.update_rooms();
            }
            Some(ServerMessage::Joined { room, peers }) => self.handle_joined(room, &peers),
            Some(ServerMessage::PeerJoined { room, peer }) => {
                if let Some(peer) = self.enter(room, &peer, false) {
                    self.meet(&peer, true);
                }
                self.hide_in_crowd();
            }
            Some(ServerMessage::PeerUpdated { peer }) => {
                if let Some(card) = &peer.device {
                    self.update_peer(peer.id, card);
                }
            }
            Some(ServerMessage::PeerLeft { room, peer }) => self.part(room, peer),
            Some(ServerMessage::RoomClosed { room }) if self.codes.is_room(room) => {
                self.code_room_closed(room);
            }
            Some(ServerMessage::RoomClosed { room }) => {
                self.rooms.refused(self.now, room);
                self.close_room(room);
            }
            Some(ServerMessage::Signal { from, signal }) => self.handle_signal(from, signal),
            Some(ServerMessage::Error {
                code: SignalingCode::PeerNotFound,
                to: Some(peer),
                ..
            }) => {
                self.presence.remove(peer);
                self.lose_sight(peer);
            }
            Some(ServerMessage::Error {
                code,
                room: Some(room),
                ..
            }) if self.codes.is_room(room) => self.code_room_refused(code),
            Some(ServerMessage::Error {
                room: Some(room), ..
            }) => {
                self.rooms.refused(self.now, room);
                self.out.changed();
            }
            _ => {}
        }
    }

    pub(crate) fn forget_rooms_if_lost(&mut self, was_online: bool) {
        if was_online && !self.signaling.is_online() {
            self.out.push(Output::OwnPeer(None));
            self.rooms.clear();
            self.presence.clear();
            self.code_room_lost();
            self.out.changed();
        }
    }

    /// The server has let us into a room.
    fn handle_joined(&mut self, room: Room, peers: &[signaling::Peer]) {
        let is_code = self.codes.is_room(room);
        if !is_code && !self.rooms.is_asked(room) {
            // Left again before the answer came.
            return;
        }
        self.rooms.joined(room);
        // All of them before any is met: who seems to have left may come later in the list.
        let entered: Vec<_> = peers
            .iter()
            .filter_map(|peer| self.enter(room, peer, true))
            .collect();
        for peer in entered {
            self.meet(&peer, false);
        }
        if is_code {
            let peers: Vec<_> = peers.iter().map(|peer| peer.id).collect();
            self.code_room_joined(&peers);
        }
        self.hide_in_crowd();
        self.out.changed();
    }

    /// Someone is in a room of ours, and was `listed` there when we came, or comes now. Returns the peer if there is anything
    /// new about it.
    fn enter(&mut self, room: Room, peer: &signaling::Peer, listed: bool) -> Option<Peer> {
        let is_ours = self.rooms.is_asked(room) || self.codes.is_room(room);
        if !is_ours || self.rooms.was_own(peer.id) {
            return None;
        }
        let paired = self.rooms.paired(room);
        let paired = paired.and_then(|device| self.trust.device(device));
        let before = self.presence.get(peer.id).cloned();
        let entered = self.presence.enter(room, peer, paired, listed);
        if self.codes.is_room(room) {
            self.guest_came(peer.id);
        }
        let now = self.presence.get(peer.id).filter(|_| entered)?;
        let same = before.is_some_and(|before| before.device() == now.device());
        (!same).then(|| now.clone())
    }

    /// A peer is there. If it is one that we knew under an older id, its session follows it: if that id has left, or if the
    /// peer `joined` now and nothing gets through to the older one. Who was there before may be another browser of the device.
    fn meet(&mut self, peer: &Peer, joined: bool) {
        if let Some(device) = peer.device() {
            self.remember(device.clone());
        }
        self.out.changed();
        let returned: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| {
                let gone = self.presence.get(session.peer).is_none();
                let lost = gone || (joined && !session.is_well());
                session.is_with(peer) && session.peer != peer.id && lost
            })
            .map(|(key, _)| *key)
            .collect();
        for key in returned {
            self.follow(key, peer);
        }
        self.find_sessions(|transfer| peer.device().is_some_and(|it| it.id == transfer.device.id));
        if let Some(key) = self.session_with(peer.id) {
            self.attempt_again(key);
        }
    }

    /// Lets go of an attempt that the peer can't know of, and makes another one if it is wanted.
    fn attempt_again(&mut self, key: SessionKey) {
        if self.wanting_ends(key).is_some() {
            self.drop_connection(key);
            self.start_attempt(key);
        }
    }

    /// A session's peer has a new id. If it has connected under that one already, what waits goes there.
    fn follow(&mut self, key: SessionKey, peer: &Peer) {
        let other = self.session_with(peer.id).filter(|other| *other != key);
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        match other {
            None => {
                session.peer = peer.id;
                if session.verified.is_none() {
                    session.device = peer.device().cloned();
                }
                session.probe_until = session.probe_until.filter(|_| session.is_open());
            }
            Some(other) if !session.is_open() => {
                for id in self.transfers_of(key) {
                    self.attach(id, other);
                }
                self.pairings.follow(key, other);
                self.ask_to_pair(other);
                self.remove_session(key);
            }
            Some(_) => {}
        }
    }

    /// If a session's peer is there under another id as well, and may not hear us under the one that we know, follows it: the
    /// server takes a minute to notice that a socket is gone.
    fn follow_newest(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(&key) else {
            return;
        };
        let gone = self.presence.get(session.peer).is_none();
        let newest = if gone {
            self.presence.newest(|peer| session.is_with(peer))
        } else {
            let after = session.arrivals;
            self.presence
                .newest_joined(after, |peer| session.is_with(peer))
        };
        if let Some(peer) = newest.filter(|peer| peer.id != session.peer).cloned()
            && (gone || !session.is_well())
        {
            self.follow(key, &peer);
        }
    }

    fn remember(&mut self, device: DeviceView) {
        if self.known.len() >= KNOWN_DEVICES && !self.known.contains_key(&device.id) {
            let first = self.known.keys().next().copied();
            first.and_then(|first| self.known.remove(&first));
        }
        self.known.insert(device.id, device);
    }

    fn update_peer(&mut self, peer: PeerId, card: &DeviceCard) {
        if !self.presence.update(peer, card) {
            return;
        }
        let Some(device) = self.presence.get(peer).and_then(Peer::device).cloned() else {
            return;
        };
        self.remember(device.clone());
        // What a device has proved of itself stands until it connects again.
        for session in self
            .sessions
            .values_mut()
            .filter(|session| session.peer == peer && session.verified.is_none())
        {
            session.device = Some(device.clone());
        }
        self.out.changed();
    }

    /// The server says that a peer has left a room, or we have.
    pub(crate) fn part(&mut self, room: Room, peer: PeerId) {
        if self.presence.leave(room, peer) && self.presence.get(peer).is_none() {
            self.lose_sight(peer);
        }
        self.out.changed();
    }

    /// A peer is in no room with us any more. An open connection may outlive that: it is asked for a sign of life.
    pub(crate) fn lose_sight(&mut self, peer: PeerId) {
        self.out.changed();
        let keys: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, it)| it.peer == peer)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            self.probe(key);
            self.follow_newest(key);
            self.turn_to_other_endpoint(key);
            self.attempt_again(key);
        }
    }

    /// Takes what waits for a peer that has left to another endpoint of its device, if there is one.
    fn turn_to_other_endpoint(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(&key) else {
            return;
        };
        let device = session.device.as_ref().map(|device| device.id);
        let elsewhere = device.and_then(|device| self.presence.peer_of(device, false));
        if session.is_open() || self.presence.get(session.peer).is_some() || elsewhere.is_none() {
            return;
        }
        let waiting: Vec<_> = self.waiting(key).map(|(_, id)| id).collect();
        for id in waiting {
            // What an endpoint has a part of goes on there.
            if !self.transfers.get(&id).is_some_and(Transfer::is_accepted) {
                self.find_session(id);
            }
        }
    }

    /// Asks for a sign of life.
    fn probe(&mut self, key: SessionKey) {
        self.send_frame(key, &ControlFrame::Ping);
        if let Some(session) = self.sessions.get_mut(&key) {
            session
                .probe_until
                .get_or_insert(self.now + LEFT_PEER_TIMEOUT_MS);
        }
    }

    /// Finds or makes the session for a transfer of ours and puts it on its way.
    pub(crate) fn find_session(&mut self, id: TransferId) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let device = transfer.device.id;
        let native = transfer
            .sending()
            .is_some_and(|sending| !sending.is_inline());
        match self.reach(device, native) {
            Ok(key) => self.attach(id, key),
            Err(_) if self.trust.is_paired(device) => self.wait(id),
            Err(code) => self.end(id, TransferState::Failed { code }),
        }
    }

    /// A transfer waits until its device is there, or there again.
    pub(crate) fn wait(&mut self, id: TransferId) {
        if let Some(transfer) = self.transfers.get_mut(&id)
            && transfer.state != TransferState::Waiting
        {
            transfer.state = TransferState::Waiting;
            transfer.moved_at = self.now;
            transfer.paused_there = false;
            self.out.changed();
        }
    }

    /// Finds sessions for those of the transfers that wait and have none.
    fn find_sessions(&mut self, meant: impl Fn(&Transfer) -> bool) {
        let waiting: Vec<_> = self
            .transfers
            .values()
            .filter(|it| it.session.is_none() && it.is_waiting() && meant(it))
            .map(|it| it.id)
            .collect();
        for id in waiting {
            self.find_session(id);
        }
    }

    /// Finds or makes the session with a device, a native endpoint of it first if `native` is wanted.
    pub(crate) fn reach(&mut self, device: DeviceId, native: bool) -> Result<SessionKey, Code> {
        let peer = self.presence.peer_of(device, native).cloned();
        match peer {
            Some(peer) => match self.open_session_with(&peer) {
                Some(key) => Ok(key),
                None => self.session_for(&peer),
            },
            // Without the server, a connection that is open still does.
            None => self
                .sessions
                .iter()
                .find(|(_, it)| it.is_of(device) && it.is_open())
                .map(|(key, _)| *key)
                .ok_or(if self.signaling.is_online() {
                    Code::PeerNotFound
                } else {
                    Code::Unreachable
                }),
        }
    }

    fn attach(&mut self, id: TransferId, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.session = Some(key);
            if let Some(device) = &session.device {
                transfer.device = device.clone();
                self.out.changed();
            }
        }
        if session.is_open() {
            self.propose_waiting(key);
            self.ask_for_awaited(key);
        } else {
            self.connect_if_needed(key);
        }
    }

    pub(crate) fn connect_if_needed(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get(&key)
            && session.connection.is_none()
            && session.retry_at.is_none()
        {
            self.start_attempt(key);
        }
    }

    fn session_with(&self, peer: PeerId) -> Option<SessionKey> {
        self.sessions
            .iter()
            .find(|(_, session)| session.peer == peer)
            .map(|(key, _)| *key)
    }

    /// The open session with a peer, also if it began under an older id of the peer: the server may take long to notice
    /// that a socket is gone. Whether the session is older than the peer's engine as well, a sign of life tells.
    fn open_session_with(&mut self, peer: &Peer) -> Option<SessionKey> {
        if self.session_with(peer.id).is_some() {
            return None;
        }
        let older = |session: &Session| session.is_with(peer) && session.is_open();
        let key = self
            .sessions
            .iter()
            .find(|(_, session)| older(session))
            .map(|(key, _)| *key)?;
        self.probe(key);
        Some(key)
    }

    pub(crate) fn session_for(&mut self, peer: &Peer) -> Result<SessionKey, Code> {
        if let Some(key) = self.session_with(peer.id) {
            return Ok(key);
        }
        if self.sessions.len() >= SESSIONS {
            let unused = self
                .sessions
                .keys()
                .copied()
                .find(|key| !self.is_used(*key))
                .ok_or(Code::Busy)?;
            self.remove_session(unused);
        }
        let key = SessionKey(self.out.key());
        self.sessions.insert(key, Session::new(peer, self.now));
        Ok(key)
    }

    fn is_used(&self, key: SessionKey) -> bool {
        self.pairings.uses(key)
            || self.codes.uses(key)
            || self
                .transfers
                .values()
                .any(|transfer| transfer.session == Some(key))
    }

    fn start_attempt(&mut self, key: SessionKey) {
        self.follow_newest(key);
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        session.retry_at = None;
        if self.signaling.is_online() && self.presence.get(session.peer).is_some() {
            let with = (session.endpoint, self.signaling.ice_servers());
            session.connection = Some(Connection::offer(self.now, with, &mut self.out));
        }
    }

    fn signal(&mut self, key: SessionKey, body: SignalBody) {
        let Some(session) = self.sessions.get(&key) else {
            return;
        };
        if let Some(connection) = session
            .connection
            .as_ref()
            .filter(|_| self.presence.get(session.peer).is_some())
        {
            let signal = Signal {
                connection: connection.id,
                body,
            };
            self.signaling
                .send_signal(session.peer, signal, &mut self.out);
        }
    }

    fn handle_signal(&mut self, from: PeerId, signal: Signal) {
        let connection = signal.connection;
        if let SignalBody::Offer { sdp } = signal.body {
            if let Err(code) = self.handle_offer(from, connection, sdp) {
                self.refuse_offer(from, connection, code);
            }
            return;
        }
        let Some(key) = self.session_with(from) else {
            return;
        };
        let out = &mut self.out;
        let Some(known) = self
            .sessions
            .get_mut(&key)
            .and_then(|session| session.connection.as_mut())
        else {
            return;
        };
        if known.id != connection {
            return;
        }
        match signal.body {
            SignalBody::Answer { sdp, nonce } => match known.apply_answer(sdp, nonce, out) {
                Ok(()) => {}
                Err(Code::ConnectionLost) => self.lose_connection(key, Code::ConnectionLost),
                Err(code) => self.close_session(key, code),
            },
            SignalBody::Candidate { candidate, mid } => {
                known.apply_candidate(Some((candidate, mid)), out)
            }
            SignalBody::EndOfCandidates => known.apply_candidate(None, out),
            SignalBody::RestartRequest => known.handle_restart_request(out),
            SignalBody::Bye { code: None } => self.lose_connection(key, Code::ConnectionLost),
            // Anybody on the way may have said this: it counts once the connection is gone, or not at all.
            SignalBody::Bye { code: Some(code) } if known.open => {
                if let Some(session) = self.sessions.get_mut(&key) {
                    session.bye = Some(code);
                }
                self.probe(key);
            }
            SignalBody::Bye { code: Some(code) } => self.end_session(key, code),
            SignalBody::Offer { .. }
            | SignalBody::Relay { .. }
            | SignalBody::RelayAnswer { .. }
            | SignalBody::Unknown => {}
        }
    }

    /// Takes an offer: an ICE restart, a first one, or one that crosses ours. Of two that cross, the one with the higher
    /// id wins, which both ends see alike. Errors if it is to be refused.
    fn handle_offer(&mut self, from: PeerId, id: ConnectionId, sdp: String) -> Result<(), Code> {
        let Some(peer) = self.presence.get(from).cloned() else {
            return Ok(());
        };
        if let Some(key) = self.session_with(from) {
            match self
                .connection_mut(key)
                .map(|known| (known.id, known.offerer && !known.open))
            {
                Some((known, _)) if known == id => {
                    let session = self.sessions.get_mut(&key);
                    return match session.and_then(|session| session.connection.as_mut()) {
                        Some(connection) => connection.apply_offer(sdp, &mut self.out),
                        None => Ok(()),
                    };
                }
                Some((known, true)) if known > id => return Ok(()),
                _ => {}
            }
        }
        let incoming = self
            .sessions
            .values()
            .filter(|it| it.peer != from && it.is_incoming())
            .count();
        if incoming >= INCOMING_CONNECTIONS {
            return Err(Code::Busy);
        }
        let key = self.session_for(&peer)?;
        if self.sessions.get(&key).is_some_and(Session::is_open) {
            // The peer starts anew: it has lost what we still hold.
            self.lose_connection(key, Code::ConnectionLost);
        } else {
            self.drop_connection(key);
        }
        let with = (peer.endpoint, self.signaling.ice_servers());
        let answer = Connection::answer(id, sdp, self.now, with, &mut self.out)?;
        if !self.sessions.contains_key(&key) {
            self.sessions.insert(key, Session::new(&peer, self.now));
        }
        if let Some(session) = self.sessions.get_mut(&key) {
            session.connection = Some(answer);
            session.retry_at = None;
        }
        Ok(())
    }

    /// Says no to an offer. One that is not to be trusted ends the session that it is for; after another one the peer may
    /// try again.
    fn refuse_offer(&mut self, from: PeerId, connection: ConnectionId, code: Code) {
        let session = self.session_with(from);
        let of_session = session.and_then(|key| self.connection_mut(key).map(|known| known.id));
        if let (Some(key), true) = (session, of_session == Some(connection)) {
            return self.close_session(key, code);
        }
        let code = Some(code).filter(|code| *code == Code::Unverified);
        let signal = Signal {
            connection,
            body: SignalBody::Bye { code },
        };
        self.signaling.send_signal(from, signal, &mut self.out);
        if let (Some(code), Some(key)) = (code, session) {
            self.end_session(key, code);
        }
    }

    pub(crate) fn session_of(&self, connection: ConnectionKey) -> Option<SessionKey> {
        let holds = |session: &Session| {
            session
                .connection
                .as_ref()
                .is_some_and(|known| known.key == connection)
        };
        self.sessions
            .iter()
            .find(|(_, session)| holds(session))
            .map(|(key, _)| *key)
    }

    pub(crate) fn connection_mut(&mut self, key: SessionKey) -> Option<&mut Connection> {
        self.sessions.get_mut(&key)?.connection.as_mut()
    }

    pub(crate) fn send_frame(&mut self, key: SessionKey, frame: &ControlFrame) {
        let connection = self
            .sessions
            .get(&key)
            .and_then(|session| session.connection.as_ref());
        if let Some(connection) = connection.filter(|connection| connection.open) {
            connection.send(frame, &mut self.out);
        }
    }

    /// Sends what may be said before the peer has proved who it is, if the channels are open.
    pub(crate) fn send_unproven(&mut self, key: SessionKey, frame: &ControlFrame) {
        let connection = self
            .sessions
            .get(&key)
            .and_then(|session| session.connection.as_ref())
            .filter(|connection| connection.channels_open);
        if let Some(connection) = connection {
            connection.send(frame, &mut self.out);
        }
    }

    pub(crate) fn handle_local_description(&mut self, connection: ConnectionKey, sdp: String) {
        let Some(key) = self.session_of(connection) else {
            return;
        };
        let signals = self
            .connection_mut(key)
            .map(|known| known.handle_local_description(sdp))
            .unwrap_or_default();
        for body in signals {
            self.signal(key, body);
        }
    }

    pub(crate) fn handle_local_candidate(
        &mut self,
        connection: ConnectionKey,
        candidate: Option<(String, Option<String>)>,
    ) {
        let Some(key) = self.session_of(connection) else {
            return;
        };
        if let Some(body) = self
            .connection_mut(key)
            .and_then(|known| known.handle_local_candidate(candidate))
        {
            self.signal(key, body);
        }
    }

    pub(crate) fn handle_connection_changed(
        &mut self,
        connection: ConnectionKey,
        state: ConnectionState,
    ) {
        let now = self.now;
        let Some(key) = self.session_of(connection) else {
            return;
        };
        let Some(known) = self.connection_mut(key) else {
            return;
        };
        if state == ConnectionState::Failed && !known.channels_open {
            self.lose_connection(key, Code::ConnectionLost);
            return;
        }
        known.handle_change(now, state);
        if state != ConnectionState::Connected {
            self.follow_newest(key);
            self.probe_signaling();
        }
        self.restart_if_due(key);
    }

    fn restart_if_due(&mut self, key: SessionKey) {
        let now = self.now;
        let Some(connection) = self
            .sessions
            .get_mut(&key)
            .and_then(|session| session.connection.as_mut())
        else {
            return;
        };
        if let Some(body) = connection.restart_if_due(now, &mut self.out) {
            self.signal(key, body);
        }
    }

    pub(crate) fn handle_channels_opened(
        &mut self,
        connection: ConnectionKey,
        presented: Option<Fingerprint>,
    ) {
        let (Some(key), Some(card)) = (self.session_of(connection), self.signed_card()) else {
            return;
        };
        let seed = self.out.bytes();
        let Some(known) = self
            .sessions
            .get_mut(&key)
            .and_then(|session| session.connection.as_mut())
        else {
            return;
        };
        known.channels_open = true;
        let progress = known
            .authentication
            .begin(presented, &self.key, &card, seed);
        if let Err(code) = progress.and_then(|progress| self.advance_handshake(key, progress)) {
            self.close_session(key, code);
        }
    }

    /// Takes a message of the handshake.
    pub(crate) fn handle_handshake(
        &mut self,
        key: SessionKey,
        message: Vec<u8>,
    ) -> Result<(), Code> {
        let Some(connection) = self.connection_mut(key) else {
            return Ok(());
        };
        let progress = connection.authentication.read(message)?;
        self.advance_handshake(key, progress)
    }

    fn advance_handshake(
        &mut self,
        key: SessionKey,
        progress: Option<Progress>,
    ) -> Result<(), Code> {
        match progress {
            Some(Progress::Reply(message)) => {
                self.send_unproven(key, &ControlFrame::Handshake(message));
                Ok(())
            }
            Some(Progress::Verified(verified, last)) => self.open_session(key, *verified, last),
            None => Ok(()),
        }
    }

    /// The peer has proved its key. Whether that is the key of the device that this session is for, its id tells.
    fn open_session(
        &mut self,
        key: SessionKey,
        verified: Verified,
        last: Option<Vec<u8>>,
    ) -> Result<(), Code> {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(&key) else {
            return Ok(());
        };
        // Whoever has the code may be any device; from then on it is this one.
        let meant = match &session.device {
            Some(device) => DeviceId::of(&verified.peer) == device.id,
            None => session.by_code,
        };
        if !meant || !self.trust.fits(verified.peer) {
            return Err(Code::Unverified);
        }
        session.device = Some(self.trust.shown(DeviceView {
            id: verified.card.id,
            name: verified.card.name,
            kind: verified.card.kind,
            paired: false,
        }));
        session.verified = Some((verified.peer, verified.transcript));
        session.retry_at = None;
        session.idle_since = now;
        let by_code = session.by_code;
        if let Some(last) = last {
            self.send_unproven(key, &ControlFrame::Handshake(last));
        }
        verified.versions.common().ok_or(Code::Incompatible)?;
        if !by_code {
            self.use_session(key);
        }
        self.begin_code_proof(key);
        Ok(())
    }

    /// The peer has proved all that it must: what waits for it begins.
    pub(crate) fn use_session(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        let Some(device) = session.device.clone() else {
            return;
        };
        if let Some(connection) = session.connection.as_mut() {
            connection.open = true;
        }
        for transfer in self
            .transfers
            .values_mut()
            .filter(|transfer| transfer.session == Some(key))
        {
            transfer.device = device.clone();
        }
        let seen = self.unix_seconds();
        self.trust
            .change(device.id, &mut self.out, |known| known.last_seen = seen);
        self.out.changed();
        if let Some(session) = self.sessions.get_mut(&key) {
            session.failures = 0;
            session.arrivals = self.presence.arrivals();
        }
        self.find_sessions(|transfer| transfer.device.id == device.id);
        self.ask_for_awaited(key);
        self.propose_waiting(key);
        self.ask_to_pair(key);
    }

    /// Asks a peer for what we have not received in full: it may be over at its end, without our having heard.
    pub(crate) fn ask_for_awaited(&mut self, key: SessionKey) {
        let of_session = |it: &&Transfer| it.session == Some(key) && it.is_live();
        let awaited = self.transfers.values().filter(of_session);
        let awaited = awaited.filter(|it| it.direction == Direction::Receive && it.wire.is_none());
        let resume: Vec<_> = awaited.map(|it| it.resume).collect();
        if !resume.is_empty() {
            self.send_frame(key, &ControlFrame::Awaiting(Awaiting { resume }));
        }
    }

    pub(crate) fn handle_connection_ended(&mut self, connection: ConnectionKey) {
        if let Some(key) = self.session_of(connection) {
            self.lose_connection(key, Code::ConnectionLost);
        }
    }

    /// Closes a connection without a word on its transfers.
    fn drop_connection(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        session.verified = None;
        if let Some(connection) = session.connection.take() {
            self.out.push(Output::CloseConnection {
                connection: connection.key,
            });
        }
    }

    /// A connection is gone. What the other end has not answered is proposed again; what was under way waits for another
    /// connection. What can do neither ends with `code`.
    fn lose_connection(&mut self, key: SessionKey, code: Code) {
        let online = self.signaling.is_online();
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        if let Some(code) = session.bye {
            self.end_session(key, code);
            return;
        }
        let gone = online && self.presence.get(session.peer).is_none();
        let code = if gone && code == Code::ConnectionLost {
            Code::PeerGone
        } else {
            code
        };
        // The other end may not know yet; whoever of the two still wants a connection tries again.
        self.signal(key, SignalBody::Bye { code: None });
        self.drop_connection(key);
        self.interrupt_pairing(key, code);
        self.interrupt_code(key, code);
        for id in self.transfers_of(key) {
            let Some(transfer) = self.transfers.get_mut(&id) else {
                continue;
            };
            transfer.wire = None;
            self.interrupt(id, code);
        }
        self.retry_if_wanted(key);
    }

    /// What becomes of a transfer whose connection is gone.
    fn interrupt(&mut self, id: TransferId, code: Code) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let (waiting, paused) = (transfer.is_waiting(), transfer.is_paused());
        match &mut transfer.body {
            Some(Body::Send(_)) if waiting => {}
            Some(Body::Send(sending)) if sending.is_accepted() => match sending.interrupt(paused) {
                Ok(()) => self.wait(id),
                Err(code) => self.end(id, TransferState::Failed { code }),
            },
            Some(Body::Send(sending)) if sending.proposals < PROPOSAL_RETRIES => {
                transfer.state = TransferState::Connecting;
                transfer.moved_at = self.now;
                self.out.changed();
            }
            Some(Body::Send(_)) => self.end(id, TransferState::Failed { code }),
            Some(Body::Receive(receiving)) if receiving.accepted => {
                receiving.interrupt();
                self.wait(id);
            }
            // The person can still answer: the peer proposes it again.
            Some(Body::Receive(_)) | None => {}
        }
    }

    /// Lets go of a session that has no connection, unless something wants one.
    fn retry_if_wanted(&mut self, key: SessionKey) {
        let now = self.now;
        let wanted = self.wanting_ends(key).is_some();
        let hurry = self.is_awaited(key);
        let used = self.is_used(key);
        let Some(session) = self.sessions.get_mut(&key).filter(|_| used) else {
            self.remove_session(key);
            return;
        };
        session.probe_until = None;
        let wait = if hurry {
            CONNECT_RETRY_MS
        } else {
            let doubled = CONNECT_RETRY_MS << session.failures.min(10);
            session.failures += 1;
            doubled.min(WAITING_RETRY_MS)
        };
        session.retry_at = wanted.then_some(now + wait);
    }

    /// Whether somebody looks on, until something comes of a connection.
    fn is_awaited(&self, key: SessionKey) -> bool {
        let connecting = |it: &Transfer| it.state == TransferState::Connecting;
        let mut transfers = self.transfers.values();
        transfers.any(|it| it.session == Some(key) && connecting(it))
            || self.pairings.wanting_ends(key).is_some()
            || self.codes.wanting_ends(key).is_some()
    }

    /// The transfers that wait for a session, each with when it has waited for too long.
    fn waiting(&self, key: SessionKey) -> impl Iterator<Item = (Time, TransferId)> {
        self.transfers
            .values()
            .filter(move |it| it.session == Some(key) && (it.is_waiting() || it.is_interrupted()))
            .map(|transfer| {
                let patience = match transfer.state {
                    TransferState::Waiting => WAITING_TIMEOUT_MS,
                    _ => CONNECT_TIMEOUT_MS,
                };
                (transfer.moved_at + patience, transfer.id)
            })
    }

    /// When a transfer that waits for a connection has waited for too long; `None` if none waits or the connection is open.
    fn wanting_ends(&self, key: SessionKey) -> Option<Time> {
        let open = self.sessions.get(&key)?.is_open();
        let transfers = self.waiting(key).map(|(at, _)| at);
        transfers
            .chain(self.pairings.wanting_ends(key))
            .chain(self.codes.wanting_ends(key))
            .min()
            .filter(|_| !open)
    }

    /// Ends what has waited for a connection for too long.
    fn give_up_waiting(&mut self, key: SessionKey) {
        let due: Vec<_> = self
            .waiting(key)
            .filter(|(at, _)| *at <= self.now)
            .map(|(_, id)| id)
            .collect();
        for id in due {
            self.give_up(id, Code::Unreachable);
        }
        if self
            .pairings
            .wanting_ends(key)
            .is_some_and(|at| at <= self.now)
        {
            self.lose_pairing(key, Code::Unreachable);
        }
        if !self.is_used(key) {
            self.signal(key, SignalBody::Bye { code: None });
            self.remove_session(key);
        }
    }

    /// A transfer could not even be proposed. What is for a paired device goes when that is there again.
    fn give_up(&mut self, id: TransferId, code: Code) {
        let Some(transfer) = self.transfers.get(&id) else {
            return;
        };
        let queued = transfer.state == TransferState::Connecting;
        if queued && self.trust.is_paired(transfer.device.id) {
            self.wait(id);
        } else {
            self.fail(id, code);
        }
    }

    /// A peer that we were about to connect with has left, and shows no sign of life.
    fn give_up_connecting(&mut self, key: SessionKey) {
        self.drop_connection(key);
        self.lose_pairing(key, Code::PeerGone);
        self.lose_code(key, Code::PeerGone);
        for id in self.transfers_of(key) {
            let transfer = self.transfers.get(&id);
            if transfer.is_some_and(|it| it.state == TransferState::Connecting) {
                self.give_up(id, Code::PeerGone);
            }
        }
        self.retry_if_wanted(key);
    }

    /// A transfer has waited for too long.
    pub(crate) fn expire(&mut self, id: TransferId, code: Code) {
        let Some(transfer) = self.transfers.get(&id) else {
            return;
        };
        match transfer.session {
            Some(session) if code == Code::Stalled => self.lose_connection(session, code),
            _ => self.fail(id, code),
        }
    }

    fn transfers_of(&self, key: SessionKey) -> Vec<TransferId> {
        self.transfers
            .values()
            .filter(|transfer| transfer.session == Some(key))
            .map(|transfer| transfer.id)
            .collect()
    }

    /// Ends a session because of the peer's fault, and tells it which, through the server as well: the path may be lost, or
    /// in the hands of whoever is at fault.
    pub(crate) fn close_session(&mut self, key: SessionKey, code: Code) {
        self.send_unproven(key, &ControlFrame::Close(Close { code }));
        self.signal(key, SignalBody::Bye { code: Some(code) });
        self.end_session(key, code);
    }

    /// Ends a session and all its transfers with a code.
    pub(crate) fn end_session(&mut self, key: SessionKey, code: Code) {
        // Who comes with a code is told where that was typed; who comes with none has no name.
        if let Some(session) = self.sessions.get(&key).filter(|it| !it.by_code)
            && let Some(device) = session.device.clone()
            && code == Code::Unverified
        {
            self.out.event(Event::Unverified { device });
        }
        self.drop_connection(key);
        self.lose_pairing(key, code);
        self.lose_code(key, code);
        for id in self.transfers_of(key) {
            let pending = self.transfers.get(&id).is_some_and(Transfer::is_pending);
            let state = if pending {
                TransferState::Cancelled { here: false }
            } else {
                TransferState::Failed { code }
            };
            self.end(id, state);
        }
        self.remove_session(key);
    }

    fn remove_session(&mut self, key: SessionKey) {
        self.drop_connection(key);
        self.lose_pairing(key, Code::ConnectionLost);
        self.lose_code(key, Code::ConnectionLost);
        self.sessions.remove(&key);
    }

    /// When [`Engine::tick_session`] has something to do.
    pub(crate) fn session_deadline(&self, key: SessionKey) -> Option<Time> {
        let session = self.sessions.get(&key)?;
        let path = session.connection.as_ref().and_then(Connection::deadline);
        let idle = (!self.is_used(key)).then(|| {
            if session.is_open() {
                session.idling_ends()
            } else {
                self.now
            }
        });
        let idle = idle.filter(|_| session.attempt_ends().is_none());
        let path = path.filter(|_| session.is_open());
        [
            session.attempt_ends(),
            self.wanting_ends(key),
            session.retry_at,
            session.probe_until,
            path,
            idle,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(crate) fn tick_session(&mut self, key: SessionKey) {
        let now = self.now;
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        let Some(session) = self.sessions.get(&key) else {
            return;
        };
        let open = session.is_open();
        if due(session.probe_until) {
            return if open {
                self.lose_connection(key, Code::PeerGone)
            } else {
                self.give_up_connecting(key)
            };
        }
        // What ends now does not put off what others wait for.
        if due(self.wanting_ends(key)) {
            self.give_up_waiting(key);
        }
        let Some(session) = self.sessions.get(&key) else {
            return;
        };
        if due(session.attempt_ends())
            || session
                .connection
                .as_ref()
                .is_some_and(|it| open && it.is_lost(now))
        {
            self.lose_connection(key, Code::ConnectionLost);
        } else if due(session.retry_at) {
            self.start_attempt(key);
        } else if !self.is_used(key)
            && session.attempt_ends().is_none()
            && (!open || session.idling_ends() <= now)
        {
            self.signal(key, SignalBody::Bye { code: None });
            self.remove_session(key);
        } else if open {
            self.restart_if_due(key);
        }
    }
}
