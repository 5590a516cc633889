//! Connecting with a code: one person reads out what one device shows, another one types it, and both devices are paired once
//! they have proved to each other that it is the same. One at a time. The server knows the first half of the code only:
//! `docs/protocol.md`, "Typed codes".

use tabferry_protocol::code::Code;
use tabferry_protocol::code_proof::{CodeProof, Progress};
use tabferry_protocol::frame::{self, ControlFrame, PairStop};
use tabferry_protocol::host::{CodeEnd, CodeStep};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::{CODE_GUESTS, CODE_LIFE_MS, CONNECT_TIMEOUT_MS};
use tabferry_protocol::pair::PairSecret;
use tabferry_protocol::paired::{AutoAccept, PairedDevice};
use tabferry_protocol::secret_code::{CodeText, SecretCode};
use tabferry_protocol::signaling::{Room, SignalingCode};

use crate::engine::Engine;
use crate::io::Time;
use crate::session::{Session, SessionKey};

/// Codes that are drawn before it is given up that all are taken: of a million, a server has at most some thousands open.
const DRAWS: u32 = 3;

/// The code under way, or how the last one ended.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    current: Option<Current>,
}

#[derive(Debug)]
enum Current {
    Live(Box<Live>),
    Ended(CodeStep),
}

#[derive(Debug)]
struct Live {
    code: SecretCode,
    /// When this state is given up.
    until: Time,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The server is asked to open a room.
    Opening { draws: u32 },
    /// It is open for whoever has the code.
    Open {
        /// Seconds since 1970 when it ends.
        until: u64,
        wrong: u32,
        /// With whom the proof is under way.
        proof: Option<(SessionKey, CodeProof)>,
    },
    /// The server is asked who is in the room.
    Entering,
    /// The device that opened it is being connected.
    Connecting {
        session: SessionKey,
        /// Once there is one, nothing is tried again: each is a guess of whoever may be in between.
        proof: Option<CodeProof>,
    },
}

impl Live {
    fn room(&self) -> Room {
        Room::Code {
            nameplate: self.code.nameplate,
        }
    }

    fn step(&self) -> CodeStep {
        match &self.state {
            State::Opening { .. } => CodeStep::Opening,
            State::Open { until, wrong, .. } => CodeStep::Shows {
                code: CodeText::from(self.code.spelled()),
                until: *until,
                wrong: *wrong,
            },
            State::Entering | State::Connecting { .. } => CodeStep::Connecting,
        }
    }

    /// Whether it is the guest's end, and this session the one with the host.
    fn connects(&self, key: SessionKey) -> bool {
        matches!(self.state, State::Connecting { session, .. } if session == key)
    }
}

impl Codes {
    pub(crate) fn view(&self) -> Option<CodeStep> {
        self.current.as_ref().map(|current| match current {
            Current::Live(live) => live.step(),
            Current::Ended(step) => step.clone(),
        })
    }

    fn live(&self) -> Option<&Live> {
        match &self.current {
            Some(Current::Live(live)) => Some(live),
            _ => None,
        }
    }

    fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.current {
            Some(Current::Live(live)) => Some(live),
            _ => None,
        }
    }

    /// Whether a room is that of the code under way.
    pub(crate) fn is_room(&self, room: Room) -> bool {
        self.live().is_some_and(|live| live.room() == room)
    }

    /// Whether a session is needed for it.
    pub(crate) fn uses(&self, session: SessionKey) -> bool {
        self.live().is_some_and(|live| live.connects(session))
    }

    /// When it has waited for a connection for too long.
    pub(crate) fn wanting_ends(&self, key: SessionKey) -> Option<Time> {
        let live = self.live()?;
        match &live.state {
            State::Connecting {
                session,
                proof: None,
            } if *session == key => Some(live.until),
            _ => None,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.live().map(|live| live.until)
    }

    /// A session goes on as another one.
    pub(crate) fn follow(&mut self, from: SessionKey, to: SessionKey) {
        if let Some(Live {
            state: State::Connecting { session, .. },
            ..
        }) = self.live_mut()
            && *session == from
        {
            *session = to;
        }
    }
}

impl Engine {
    /// A person wants a code to read out.
    pub(crate) fn open_code(&mut self) {
        self.end_code();
        if let Some(code) = self.refuse_code() {
            return self.code_ended(CodeEnd::Failed { code });
        }
        self.draw_code(1);
    }

    /// A person has typed a code.
    pub(crate) fn enter_code(&mut self, typed: &CodeText) {
        self.end_code();
        let Ok(code) = SecretCode::from_pasted(typed.expose()) else {
            return self.code_ended(CodeEnd::Mistyped);
        };
        if let Some(code) = self.refuse_code() {
            return self.code_ended(CodeEnd::Failed { code });
        }
        let live = Live {
            code,
            until: self.now + CONNECT_TIMEOUT_MS,
            state: State::Entering,
        };
        self.signaling.send_join(live.room(), None, &mut self.out);
        self.codes.current = Some(Current::Live(Box::new(live)));
        self.out.changed();
    }

    /// A person wants no more of it, or has seen how it ended.
    pub(crate) fn end_code(&mut self) {
        let room = self.codes.live().map(Live::room);
        self.codes.current = None;
        self.out.changed();
        self.leave_code_room(room);
        let by_code = |(key, session): (&SessionKey, &Session)| session.by_code.then_some(*key);
        let unproven: Vec<_> = self.sessions.iter().filter_map(by_code).collect();
        for session in unproven {
            self.close_session(session, Code::Cancelled);
        }
    }

    /// Why there can be no code now.
    fn refuse_code(&self) -> Option<Code> {
        if !self.signaling.is_online() {
            return Some(Code::Unreachable);
        }
        self.trust.is_full().then_some(Code::Busy)
    }

    fn draw_code(&mut self, draws: u32) {
        let code = SecretCode::from_random(self.out.bytes());
        self.signaling.send_open(code.nameplate, &mut self.out);
        self.codes.current = Some(Current::Live(Box::new(Live {
            code,
            until: self.now + CONNECT_TIMEOUT_MS,
            state: State::Opening { draws },
        })));
        self.out.changed();
    }

    /// The code must have ended before: whoever is left in the room is not to be connected again.
    fn leave_code_room(&mut self, room: Option<Room>) {
        if let Some(room) = room {
            self.signaling.send_leave(room, &mut self.out);
            self.close_room(room);
        }
    }

    fn code_ended(&mut self, reason: CodeEnd) {
        self.codes.current = Some(Current::Ended(CodeStep::Ended { reason }));
        self.out.changed();
    }

    /// Ends it, the room as well.
    fn end_code_with(&mut self, reason: CodeEnd) {
        let room = self.codes.live().map(Live::room);
        self.code_ended(reason);
        self.leave_code_room(room);
    }

    /// The server has let us into the code's room.
    pub(crate) fn code_room_joined(&mut self, peers: &[PeerId]) {
        let unix_seconds = self.unix_seconds();
        let now = self.now;
        let Some(live) = self.codes.live_mut() else {
            return;
        };
        match live.state {
            State::Opening { .. } => {
                live.until = now + CODE_LIFE_MS;
                live.state = State::Open {
                    until: unix_seconds + CODE_LIFE_MS / 1000,
                    wrong: 0,
                    proof: None,
                };
                self.out.changed();
            }
            State::Entering => {
                let host = peers.first().and_then(|host| self.presence.get(*host));
                match host.cloned().map(|host| self.session_for(&host)) {
                    Some(Ok(session)) => self.connect_to_host(session),
                    Some(Err(code)) => self.end_code_with(CodeEnd::Failed { code }),
                    None => self.end_code_with(CodeEnd::NotFound),
                }
            }
            State::Open { .. } | State::Connecting { .. } => {}
        }
    }

    fn connect_to_host(&mut self, session: SessionKey) {
        if let Some(live) = self.codes.live_mut() {
            live.state = State::Connecting {
                session,
                proof: None,
            };
        }
        self.connect_if_needed(session);
        self.begin_code_proof(session);
    }

    /// The server refuses the room of the code, or it has ended.
    pub(crate) fn code_room_refused(&mut self, refusal: SignalingCode) {
        let reason = match self.codes.live().map(|live| &live.state) {
            Some(State::Opening { draws }) if refusal == SignalingCode::Taken => {
                let draws = *draws;
                if draws < DRAWS {
                    return self.draw_code(draws + 1);
                }
                CodeEnd::Failed { code: Code::Busy }
            }
            Some(State::Opening { .. } | State::Entering) => match refusal {
                SignalingCode::CodeNotFound => CodeEnd::NotFound,
                SignalingCode::Unsupported => CodeEnd::Failed {
                    code: Code::Incompatible,
                },
                _ => CodeEnd::Failed { code: Code::Busy },
            },
            Some(State::Open { .. } | State::Connecting { .. }) | None => return,
        };
        self.code_ended(reason);
    }

    /// The server has ended the room: too many guests, or time is over. A guest's connection goes on for itself.
    pub(crate) fn code_room_closed(&mut self, room: Room) {
        let now = self.now;
        let over = self
            .codes
            .live()
            .filter(|live| matches!(live.state, State::Open { .. }))
            .map(|live| live.until <= now);
        self.close_room(room);
        match over {
            Some(true) => self.code_ended(CodeEnd::Expired),
            Some(false) => self.code_ended(CodeEnd::Guessed),
            None => {}
        }
    }

    /// The server is gone, and with it the room.
    pub(crate) fn code_room_lost(&mut self) {
        if let Some(live) = self.codes.live()
            && !matches!(live.state, State::Connecting { .. })
        {
            let code = Code::Unreachable;
            self.code_ended(CodeEnd::Failed { code });
        }
    }

    pub(crate) fn tick_code(&mut self) {
        let Some(live) = self.codes.live().filter(|live| live.until <= self.now) else {
            return;
        };
        let reason = match live.state {
            State::Open { .. } => CodeEnd::Expired,
            State::Opening { .. } | State::Entering | State::Connecting { .. } => CodeEnd::Failed {
                code: Code::Unreachable,
            },
        };
        self.end_code_with(reason);
    }

    fn is_by_code(&self, key: SessionKey) -> bool {
        self.sessions.get(&key).is_some_and(|known| known.by_code)
    }

    /// The handshake with the host of the code is done: the guest begins.
    pub(crate) fn begin_code_proof(&mut self, key: SessionKey) {
        let Some(transcript) = self.sessions.get(&key).and_then(|it| it.transcript()) else {
            return;
        };
        let seed = self.out.bytes();
        let Some(live) = self.codes.live_mut() else {
            return;
        };
        if let State::Connecting { session, proof } = &mut live.state
            && *session == key
            && proof.is_none()
        {
            let (guest, first) = CodeProof::guest(&live.code.secret, &transcript, &seed);
            *proof = Some(guest);
            self.send_code_proof(key, first);
        }
    }

    fn send_code_proof(&mut self, key: SessionKey, message: Vec<u8>) {
        self.send_unproven(key, &ControlFrame::CodeProof(frame::CodeProof { message }));
    }

    /// Takes a message of the proof.
    pub(crate) fn handle_code_proof(
        &mut self,
        key: SessionKey,
        message: &[u8],
    ) -> Result<(), Code> {
        let seed = self.out.bytes();
        let (Some(session), Some(live)) = (self.sessions.get(&key), self.codes.live_mut()) else {
            return self.no_code(key);
        };
        let room = live.room();
        let Some(transcript) = session.transcript() else {
            return Err(Code::Unverified);
        };
        let read = match &mut live.state {
            State::Open { proof, .. }
                if self
                    .presence
                    .within(room)
                    .any(|guest| guest.id == session.peer) =>
            {
                let secret = &live.code.secret;
                let known = proof.take().filter(|(of, _)| *of == key);
                let (_, host) = proof.insert(
                    known.unwrap_or_else(|| (key, CodeProof::host(secret, &transcript, &seed))),
                );
                host.read(message)
            }
            State::Connecting {
                session,
                proof: Some(guest),
            } if *session == key => guest.read(message),
            _ => return self.no_code(key),
        };
        match read {
            Ok(Progress::Reply(reply)) => {
                self.send_code_proof(key, reply);
                Ok(())
            }
            Ok(Progress::Proven(last, secret)) => {
                if let Some(last) = last {
                    self.send_code_proof(key, last);
                }
                self.code_proven(key, secret);
                Ok(())
            }
            Err(_) => self.code_not_proven(key),
        }
    }

    /// A message of a proof that has ended here, or that nobody began.
    fn no_code(&self, key: SessionKey) -> Result<(), Code> {
        if self.is_by_code(key) {
            Err(Code::Cancelled)
        } else {
            Ok(())
        }
    }

    /// The other end has no such code. A session that stands without one goes on.
    fn code_not_proven(&mut self, key: SessionKey) -> Result<(), Code> {
        let Some(live) = self.codes.live_mut() else {
            return Ok(());
        };
        let State::Open { wrong, proof, .. } = &mut live.state else {
            // Whoever answers us with a wrong one is not the device that shows the code.
            self.end_code_with(CodeEnd::Wrong);
            return Err(Code::WrongCode);
        };
        *proof = None;
        *wrong += 1;
        let guessed = *wrong >= CODE_GUESTS;
        self.out.changed();
        if guessed {
            self.end_code_with(CodeEnd::Guessed);
        }
        if self.is_by_code(key) {
            return Err(Code::WrongCode);
        }
        self.send_frame(key, &ControlFrame::PairStop(PairStop {}));
        Ok(())
    }

    /// The host says no, on a session that stands without a code.
    pub(crate) fn handle_code_stop(&mut self, key: SessionKey) {
        if self.codes.uses(key) {
            self.end_code_with(CodeEnd::Wrong);
        }
    }

    /// Both have the same code: the devices are paired.
    fn code_proven(&mut self, key: SessionKey, secret: PairSecret) {
        let seen = self.unix_seconds();
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        let (Some((public, _)), Some(device)) = (session.verified, &mut session.device) else {
            return;
        };
        let was_by_code = core::mem::take(&mut session.by_code);
        device.paired = true;
        let device = device.clone();
        self.trust.insert(
            PairedDevice {
                key: public,
                name: device.name.clone(),
                kind: device.kind,
                secret,
                since: seen,
                last_seen: seen,
                auto_accept: AutoAccept::default(),
            },
            &mut self.out,
        );
        let room = self.codes.live().map(Live::room);
        self.codes.current = Some(Current::Ended(CodeStep::Done { device }));
        // First into the room of the pair, so that each is still seen by the other.
        self.trust_changed();
        self.leave_code_room(room);
        if was_by_code {
            self.use_session(key);
        }
    }

    /// A session is gone.
    pub(crate) fn lose_code(&mut self, key: SessionKey, code: Code) {
        if self.codes.uses(key) {
            self.end_code_with(match code {
                Code::WrongCode => CodeEnd::Wrong,
                code => CodeEnd::Failed { code },
            });
        }
    }

    /// A connection broke. If nothing was proved on it yet, the next one will do.
    pub(crate) fn interrupt_code(&mut self, key: SessionKey, code: Code) {
        if self.codes.wanting_ends(key).is_none() {
            self.lose_code(key, code);
        }
    }
}
