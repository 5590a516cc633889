//! Connecting with a code: one person reads out what one device shows, another one types it, and both devices are paired once
//! they have proved to each other that it is the same. One at a time. The server knows the first half of the code only:
//! `docs/protocol.md`, "Typed codes".

use tabferry_protocol::code::Code;
use tabferry_protocol::code_proof::{CodeProof, Progress};
use tabferry_protocol::frame::{self, ControlFrame, PairStop};
use tabferry_protocol::host::{CodeEnd, CodeStep};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::{
    CODE_GUESTS, CODE_LIFE_MS, CODE_LIFE_SLACK_MS, CODE_PROOF_MESSAGE_BYTES, CONNECT_TIMEOUT_MS,
};
use tabferry_protocol::pair::PairSecret;
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
        /// The proof under way, and on which session.
        proof: Option<(SessionKey, CodeProof)>,
        /// The first message of a guest whose coming the server has not told yet, and on which session.
        early: Option<(SessionKey, Vec<u8>)>,
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

    /// Whether a code is typed here.
    pub(crate) fn is_guest(&self) -> bool {
        let state = self.live().map(|live| &live.state);
        matches!(state, Some(State::Entering | State::Connecting { .. }))
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
}

impl Engine {
    /// A person wants a code to read out.
    pub(crate) fn open_code(&mut self) {
        self.end_code();
        match self.refuse_code() {
            Some(code) => self.end_code_with(CodeEnd::Failed { code }),
            None => self.draw_code(1),
        }
    }

    /// A person has typed a code.
    pub(crate) fn enter_code(&mut self, typed: &CodeText) {
        self.end_code();
        let Ok(code) = SecretCode::from_pasted(typed.expose()) else {
            return self.end_code_with(CodeEnd::Mistyped);
        };
        if let Some(code) = self.refuse_code() {
            return self.end_code_with(CodeEnd::Failed { code });
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
        self.finish_code(None, None);
    }

    fn end_code_with(&mut self, reason: CodeEnd) {
        self.finish_code(Some(CodeStep::Ended { reason }), None);
    }

    /// The code is no more: nor are the sessions that stand by nothing else, but for one that its caller sees to, nor is its
    /// room. In this order: whom the room alone has shown is told first, and connected to nobody any more.
    fn finish_code(&mut self, ended: Option<CodeStep>, but: Option<SessionKey>) {
        let room = self.codes.live().map(Live::room);
        self.codes.current = ended.map(Current::Ended);
        self.out.changed();
        let by_code = |(key, session): (&SessionKey, &Session)| session.by_code.then_some(*key);
        let unproven: Vec<_> = self.sessions.iter().filter_map(by_code).collect();
        for session in unproven {
            if Some(session) != but {
                self.close_session(session, Code::Cancelled);
            }
        }
        if let Some(room) = room {
            self.signaling.send_leave(room, &mut self.out);
            self.close_room(room);
        }
    }

    /// Why there can be no code now. What a pairing is told on a session must not be taken for a word on a code.
    fn refuse_code(&self) -> Option<Code> {
        if !self.signaling.is_online() {
            return Some(Code::Unreachable);
        }
        (self.trust.is_full() || self.pairings.is_live()).then_some(Code::Busy)
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
                    early: None,
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
        self.end_code_with(reason);
    }

    /// The server has ended the room: its opener is gone, time is over, or there were too many guests. A proof that has begun
    /// goes on, over a connection of its own: perhaps the host has just heard the last of it.
    pub(crate) fn code_room_closed(&mut self, room: Room) {
        let Some(live) = self.codes.live() else {
            return;
        };
        let over = live.until <= self.now + CODE_LIFE_SLACK_MS;
        let reason = match live.state {
            State::Connecting { proof: Some(_), .. } => return self.close_room(room),
            State::Opening { .. } | State::Entering | State::Connecting { .. } => CodeEnd::NotFound,
            State::Open { .. } if over => CodeEnd::Expired,
            State::Open { wrong: 0, .. } => CodeEnd::Failed {
                code: Code::Unreachable,
            },
            State::Open { .. } => CodeEnd::Guessed,
        };
        self.end_code_with(reason);
    }

    /// The server is gone, and with it the room.
    pub(crate) fn code_room_lost(&mut self) {
        if let Some(live) = self.codes.live()
            && !matches!(live.state, State::Connecting { .. })
        {
            let code = Code::Unreachable;
            self.end_code_with(CodeEnd::Failed { code });
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
        let guest = self.presence.get(session.peer);
        let is_guest = guest.is_some_and(|guest| guest.is_in(room));
        let read = match &mut live.state {
            State::Open { proof, .. } if is_guest => {
                // A first message begins anew: a proof that was left alone has told its guest nothing.
                let known = proof
                    .take()
                    .filter(|(of, _)| *of == key && message.len() != CODE_PROOF_MESSAGE_BYTES);
                let secret = &live.code.secret;
                let (_, host) = proof.insert(
                    known.unwrap_or_else(|| (key, CodeProof::host(secret, &transcript, &seed))),
                );
                host.read(message)
            }
            State::Open { early, .. } if !session.by_code => {
                *early = Some((key, message.to_vec()));
                return Ok(());
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

    /// The server tells who has come to the room of our code.
    pub(crate) fn guest_came(&mut self, guest: PeerId) {
        let of_guest = |(key, _): &mut (SessionKey, Vec<u8>)| {
            let session = self.sessions.get(key);
            session.is_some_and(|session| session.peer == guest)
        };
        let early = match self.codes.live_mut().map(|live| &mut live.state) {
            Some(State::Open { early, .. }) => early.take_if(of_guest),
            _ => None,
        };
        if let Some((key, message)) = early
            && let Err(code) = self.handle_code_proof(key, &message)
        {
            self.close_session(key, code);
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
            let reason = CodeEnd::Wrong;
            self.finish_code(Some(CodeStep::Ended { reason }), Some(key));
            return Err(Code::WrongCode);
        };
        *proof = None;
        *wrong += 1;
        let guessed = *wrong >= CODE_GUESTS;
        self.out.changed();
        if guessed {
            let reason = CodeEnd::Guessed;
            self.finish_code(Some(CodeStep::Ended { reason }), Some(key));
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
        // First into the room of the pair, so that each is still seen by the other when they leave that of the code.
        let Some(device) = self.pair_with(key, secret) else {
            let code = Code::Busy;
            return self.end_code_with(CodeEnd::Failed { code });
        };
        if let Some(session) = self.sessions.get_mut(&key)
            && core::mem::take(&mut session.by_code)
        {
            self.use_session(key);
        }
        self.finish_code(Some(CodeStep::Done { device }), None);
    }

    /// A session is gone.
    pub(crate) fn lose_code(&mut self, key: SessionKey, code: Code) {
        if self.codes.uses(key) {
            let reason = match code {
                Code::WrongCode => CodeEnd::Wrong,
                code => CodeEnd::Failed { code },
            };
            self.finish_code(Some(CodeStep::Ended { reason }), Some(key));
        }
    }

    /// A connection broke. If nothing was proved on it yet, the next one will do.
    pub(crate) fn interrupt_code(&mut self, key: SessionKey, code: Code) {
        if self.codes.wanting_ends(key).is_none() {
            self.lose_code(key, code);
        }
    }
}
