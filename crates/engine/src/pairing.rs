//! Pairing with a device beside this one: two persons compare four symbols, each picks what the other's screen shows, and
//! both devices know each other's keys from then on. One at a time. Who sits in between would have to guess the symbols,
//! once for each try of a person: `docs/protocol.md`, "Pairing".

use tabferry_protocol::code::Code;
use tabferry_protocol::frame::{
    ControlFrame, PairAsk, PairNonce, PairPicked, PairReveal, PairStop,
};
use tabferry_protocol::host::{DeviceView, Event, PairingEnd, PairingStep, PairingView};
use tabferry_protocol::id::DeviceId;
use tabferry_protocol::limits::{CONNECT_TIMEOUT_MS, PAIRING_BACKOFF_MS, PAIRING_TIMEOUT_MS};
use tabferry_protocol::pair::{PairHalf, PairSecret};
use tabferry_protocol::sas::{Asked, Asker, Choices, Commitment, Nonce, Sas};

use crate::engine::Engine;
use crate::io::Time;
use crate::session::SessionKey;
use crate::table::Table;

/// Devices whose last refusal is remembered.
const REMEMBERED_REFUSALS: usize = 64;

/// The pairing under way, or the last one, and who was refused lately.
#[derive(Debug, Default)]
pub(crate) struct Pairings {
    current: Option<Pairing>,
    refused: Table<DeviceId, Time>,
}

#[derive(Debug)]
struct Pairing {
    device: DeviceView,
    session: SessionKey,
    since: Time,
    state: State,
}

#[derive(Debug)]
enum State {
    /// We want to ask, once the session is open.
    Connecting,
    /// We asked. None while the machine is in use.
    Asking(Asker),
    /// We were asked; our person has not answered.
    Asked(Commitment),
    /// Our person said yes, we have shown our nonce.
    Answered(Asked),
    /// Both have the string.
    Comparing(Comparison),
    Ended(PairingStep),
}

#[derive(Debug)]
struct Comparison {
    sas: Sas,
    choices: Choices,
    /// Whether we asked: then we show first, and the other end picks first.
    asker: bool,
    half: PairHalf,
    /// Whether our person has picked the right one.
    picked: bool,
    /// The other end's half: its person has picked the right one, it says.
    other: Option<PairHalf>,
}

impl Comparison {
    fn step(&self) -> PairingStep {
        // One screen shows while the other picks, then they change places.
        let picks = !self.picked && (!self.asker || self.other.is_some());
        if picks {
            PairingStep::Picks {
                choices: self.choices.shown.map(Sas::symbols),
            }
        } else {
            PairingStep::Shows {
                symbols: self.sas.symbols(),
            }
        }
    }
}

impl Pairing {
    fn is_live(&self) -> bool {
        !matches!(self.state, State::Ended(_))
    }

    fn step(&self) -> PairingStep {
        match &self.state {
            State::Connecting => PairingStep::Connecting,
            State::Asking(_) | State::Answered(_) => PairingStep::Waiting,
            State::Asked(_) => PairingStep::Asked,
            State::Comparing(comparison) => comparison.step(),
            State::Ended(step) => *step,
        }
    }
}

impl Pairings {
    pub(crate) fn view(&self) -> Option<PairingView> {
        self.current.as_ref().map(|pairing| PairingView {
            device: pairing.device.clone(),
            step: pairing.step(),
        })
    }

    /// Whether there is one.
    pub(crate) fn is_live(&self) -> bool {
        self.current.as_ref().is_some_and(Pairing::is_live)
    }

    /// Whether a session is needed for it.
    pub(crate) fn uses(&self, session: SessionKey) -> bool {
        self.live_with(session).is_some()
    }

    /// When it has waited for a connection for too long.
    pub(crate) fn wanting_ends(&self, session: SessionKey) -> Option<Time> {
        self.live_with(session)
            .filter(|pairing| matches!(pairing.state, State::Connecting))
            .map(|pairing| pairing.since + CONNECT_TIMEOUT_MS)
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        let live = self.current.as_ref().filter(|pairing| pairing.is_live())?;
        Some(live.since + PAIRING_TIMEOUT_MS)
    }

    /// A session goes on as another one.
    pub(crate) fn follow(&mut self, from: SessionKey, to: SessionKey) {
        if let Some(pairing) = self.live_with_mut(from) {
            pairing.session = to;
        }
    }

    fn live_with(&self, session: SessionKey) -> Option<&Pairing> {
        self.current
            .as_ref()
            .filter(|pairing| pairing.is_live() && pairing.session == session)
    }

    fn live_with_mut(&mut self, session: SessionKey) -> Option<&mut Pairing> {
        self.current
            .as_mut()
            .filter(|pairing| pairing.is_live() && pairing.session == session)
    }

    fn is_refused(&self, now: Time, device: DeviceId) -> bool {
        self.refused
            .get(&device)
            .is_some_and(|since| now.since(*since) < PAIRING_BACKOFF_MS)
    }

    fn refuse(&mut self, now: Time, device: DeviceId) {
        self.refused
            .retain(|_, since| now.since(*since) < PAIRING_BACKOFF_MS);
        if self.refused.len() < REMEMBERED_REFUSALS {
            self.refused.insert(device, now);
        }
    }
}

impl Engine {
    /// A person wants to pair with a device.
    pub(crate) fn pair(&mut self, with: DeviceId) {
        if self.pairings.is_live() {
            return;
        }
        let device = self.device_view(with);
        let busy = self.trust.is_full() || self.codes.is_guest();
        let reached = if busy || self.pairings.is_refused(self.now, with) {
            Err(Code::Busy)
        } else {
            self.reach(with, false)
        };
        let (session, state) = match reached {
            Ok(session) => (session, State::Connecting),
            Err(code) => {
                let reason = PairingEnd::Failed { code };
                (SessionKey(0), State::Ended(PairingStep::Ended { reason }))
            }
        };
        self.pairings.current = Some(Pairing {
            device,
            session,
            since: self.now,
            state,
        });
        self.out.changed();
        if reached.is_ok() {
            self.connect_if_needed(session);
            self.ask_to_pair(session);
        }
    }

    /// Asks, if that is wanted and the session is open.
    pub(crate) fn ask_to_pair(&mut self, session: SessionKey) {
        let Some(open) = self.sessions.get(&session).filter(|it| it.is_open()) else {
            return;
        };
        let (Some(transcript), Some(device)) = (open.transcript(), open.device.clone()) else {
            return;
        };
        let nonce = Nonce::from_bytes(self.out.bytes());
        let Some(pairing) = self
            .pairings
            .live_with_mut(session)
            .filter(|pairing| matches!(pairing.state, State::Connecting))
        else {
            return;
        };
        let (asker, commitment) = Asker::new(transcript, nonce);
        pairing.device = device;
        pairing.since = self.now;
        pairing.state = State::Asking(asker);
        self.out.changed();
        self.send_frame(session, &ControlFrame::PairAsk(PairAsk { commitment }));
    }

    /// The peer asks. Of two that ask at once, the one that began the handshake has asked.
    pub(crate) fn handle_pair_ask(
        &mut self,
        session: SessionKey,
        ask: PairAsk,
    ) -> Result<(), Code> {
        let Some((initiator, device)) = self.sessions.get(&session).and_then(|known| {
            let connection = known.connection.as_ref()?;
            Some((connection.offerer, known.device.clone()?))
        }) else {
            return Ok(());
        };
        let known = self
            .pairings
            .live_with(session)
            .map(|pairing| &pairing.state);
        let agreed = match known {
            Some(State::Asking(_)) if initiator => return Ok(()),
            Some(State::Asking(_) | State::Connecting) => true,
            Some(_) => return Err(Code::PeerMisbehaved),
            None => false,
        };
        let busy = (self.pairings.is_live() || self.codes.is_guest()) && !agreed;
        if busy || self.pairings.is_refused(self.now, device.id) || self.trust.is_full() {
            self.send_frame(session, &ControlFrame::PairStop(PairStop {}));
            return Ok(());
        }
        self.pairings.current = Some(Pairing {
            device: device.clone(),
            session,
            since: self.now,
            state: State::Asked(ask.commitment),
        });
        self.out.changed();
        if agreed {
            // Our person has asked for the same.
            self.answer_pairing(true);
        } else {
            self.out.event(Event::PairingAsked { device });
        }
        Ok(())
    }

    /// Our person answers the device that asks.
    pub(crate) fn answer_pairing(&mut self, yes: bool) {
        let nonce = Nonce::from_bytes(self.out.bytes());
        let Some(pairing) = self.pairings.current.as_mut() else {
            return;
        };
        let State::Asked(commitment) = pairing.state else {
            return;
        };
        let (session, device) = (pairing.session, pairing.device.id);
        let transcript = self
            .sessions
            .get(&session)
            .and_then(|session| session.transcript());
        self.out.event(Event::PairingAnswered);
        match transcript.filter(|_| yes) {
            Some(transcript) => {
                pairing.state = State::Answered(Asked::new(transcript, nonce, commitment));
                pairing.since = self.now;
                self.out.changed();
                self.send_frame(session, &ControlFrame::PairNonce(PairNonce { nonce }));
            }
            None => {
                self.pairings.refuse(self.now, device);
                self.pairings.current = None;
                self.out.changed();
                self.send_frame(session, &ControlFrame::PairStop(PairStop {}));
            }
        }
    }

    /// The peer's person has said yes.
    pub(crate) fn handle_pair_nonce(
        &mut self,
        session: SessionKey,
        answer: PairNonce,
    ) -> Result<(), Code> {
        let Some(pairing) = self.pairings.live_with_mut(session) else {
            // Of one that has ended here.
            return Ok(());
        };
        match core::mem::replace(&mut pairing.state, State::Connecting) {
            State::Asking(asker) => {
                let (nonce, sas) = asker.answer(&answer.nonce);
                self.send_frame(session, &ControlFrame::PairReveal(PairReveal { nonce }));
                self.compare(sas, true);
                Ok(())
            }
            other => {
                pairing.state = other;
                Err(Code::PeerMisbehaved)
            }
        }
    }

    /// The peer shows what it had committed to.
    pub(crate) fn handle_pair_reveal(
        &mut self,
        session: SessionKey,
        reveal: PairReveal,
    ) -> Result<(), Code> {
        let Some(pairing) = self.pairings.live_with_mut(session) else {
            return Ok(());
        };
        match core::mem::replace(&mut pairing.state, State::Connecting) {
            State::Answered(asked) => {
                let sas = asked.reveal(&reveal.nonce).map_err(|error| error.code())?;
                self.compare(sas, false);
                Ok(())
            }
            other => {
                pairing.state = other;
                Err(Code::PeerMisbehaved)
            }
        }
    }

    fn compare(&mut self, sas: Sas, asker: bool) {
        let comparison = Comparison {
            sas,
            choices: sas.choices(self.out.bytes()),
            asker,
            half: PairHalf::from_bytes(self.out.bytes()),
            picked: false,
            other: None,
        };
        if let Some(pairing) = self.pairings.current.as_mut() {
            pairing.state = State::Comparing(comparison);
            pairing.since = self.now;
            self.out.changed();
        }
    }

    /// Our person has looked at the other screen.
    pub(crate) fn pick_pairing(&mut self, choice: Option<u8>) {
        let Some(pairing) = self.pairings.current.as_mut() else {
            return;
        };
        let State::Comparing(comparison) = &mut pairing.state else {
            return;
        };
        if !matches!(comparison.step(), PairingStep::Picks { .. }) {
            return;
        }
        let (session, device) = (pairing.session, pairing.device.id);
        if choice.map(usize::from) == Some(comparison.choices.right) {
            comparison.picked = true;
            pairing.since = self.now;
            let half = comparison.half.clone();
            self.out.changed();
            self.send_frame(session, &ControlFrame::PairPicked(PairPicked { half }));
            self.finish_pairing();
        } else {
            self.pairings.refuse(self.now, device);
            self.send_frame(session, &ControlFrame::PairStop(PairStop {}));
            self.end_pairing_with(PairingEnd::Mismatch);
        }
    }

    /// The peer's person has picked. Whoever is in between can say so, too: it proves nothing.
    pub(crate) fn handle_pair_picked(
        &mut self,
        session: SessionKey,
        picked: PairPicked,
    ) -> Result<(), Code> {
        let Some(pairing) = self.pairings.live_with_mut(session) else {
            return Ok(());
        };
        match &mut pairing.state {
            State::Comparing(comparison) if comparison.other.is_none() => {
                comparison.other = Some(picked.half);
                pairing.since = self.now;
                self.out.changed();
                self.finish_pairing();
                Ok(())
            }
            _ => Err(Code::PeerMisbehaved),
        }
    }

    /// Both have picked: the devices are paired.
    fn finish_pairing(&mut self) {
        let Some(pairing) = self.pairings.current.as_mut() else {
            return;
        };
        let State::Comparing(Comparison {
            picked: true,
            other: Some(other),
            half,
            asker,
            ..
        }) = &pairing.state
        else {
            return;
        };
        let secret = match asker {
            true => PairSecret::of_halves(half, other),
            false => PairSecret::of_halves(other, half),
        };
        let session = pairing.session;
        let step = match self.pair_with(session, secret) {
            Some(_) => PairingStep::Done,
            None => PairingStep::Ended {
                reason: PairingEnd::Failed { code: Code::Busy },
            },
        };
        if let Some(pairing) = self.pairings.current.as_mut() {
            pairing.state = State::Ended(step);
        }
    }

    /// The device that has proved its key on this session is paired from now on, and what both share is this. `None` if there
    /// are as many paired devices as can be.
    pub(crate) fn pair_with(
        &mut self,
        session: SessionKey,
        secret: PairSecret,
    ) -> Option<DeviceView> {
        let now = self.unix_seconds();
        let known = self.sessions.get(&session)?;
        let (key, device) = (known.key()?, known.device.clone()?);
        if !self.trust.pair(key, &device, secret, now, &mut self.out) {
            return None;
        }
        self.trust_changed();
        Some(self.trust.shown(device))
    }

    /// The peer's person wants no more.
    pub(crate) fn handle_pair_stop(&mut self, session: SessionKey) {
        self.handle_code_stop(session);
        if let Some(pairing) = self.pairings.live_with(session) {
            let device = pairing.device.id;
            if matches!(pairing.state, State::Comparing(_)) {
                self.pairings.refuse(self.now, device);
            }
            self.end_pairing_with(PairingEnd::Stopped);
        }
    }

    /// Our person stops it, or has seen how it ended.
    pub(crate) fn end_pairing(&mut self) {
        let Some(pairing) = self.pairings.current.take() else {
            return;
        };
        self.out.changed();
        if pairing.is_live() {
            if matches!(pairing.state, State::Asked(_)) {
                self.out.event(Event::PairingAnswered);
            }
            if matches!(pairing.state, State::Comparing(_)) {
                self.pairings.refuse(self.now, pairing.device.id);
            }
            self.send_frame(pairing.session, &ControlFrame::PairStop(PairStop {}));
        }
    }

    /// The session of a pairing is gone.
    pub(crate) fn lose_pairing(&mut self, session: SessionKey, code: Code) {
        if self.pairings.uses(session) {
            self.end_pairing_with(PairingEnd::Failed { code });
        }
    }

    /// A connection broke. A pairing that has not begun waits for the next one.
    pub(crate) fn interrupt_pairing(&mut self, session: SessionKey, code: Code) {
        if self.pairings.wanting_ends(session).is_none() {
            self.lose_pairing(session, code);
        }
    }

    pub(crate) fn tick_pairing(&mut self) {
        if self.pairings.deadline().is_some_and(|due| due <= self.now) {
            if let Some(pairing) = &self.pairings.current {
                let (session, device) = (pairing.session, pairing.device.id);
                if matches!(pairing.state, State::Comparing(_)) {
                    self.pairings.refuse(self.now, device);
                }
                self.send_frame(session, &ControlFrame::PairStop(PairStop {}));
            }
            let code = Code::NoAnswer;
            self.end_pairing_with(PairingEnd::Failed { code });
        }
    }

    fn end_pairing_with(&mut self, reason: PairingEnd) {
        let Some(pairing) = self.pairings.current.as_mut() else {
            return;
        };
        self.out.changed();
        if matches!(pairing.state, State::Asked(_)) {
            // Nobody here has anything to learn from its end.
            self.pairings.current = None;
            self.out.event(Event::PairingAnswered);
        } else {
            pairing.state = State::Ended(PairingStep::Ended { reason });
        }
    }
}
