//! What is delivered instead of what should be, for each attack. Which attacks there are, and what has to come of them, is
//! in `variant.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tabferry_protocol::card::DeviceName;
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::id::{AnswerNonce, ConnectionId, DeviceId, PeerId};
use tabferry_protocol::signaling::{Peer, ServerMessage, Signal, SignalBody};

use crate::description;
use crate::memory::Memory;
use crate::variant::Variant;

/// What the server does with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Delivers one.
    Deliver {
        /// To whom.
        to: PeerId,
        /// What.
        message: ServerMessage,
    },
    /// Hands a signal to the attacker's own peer connections, which say what is delivered in its place.
    Intercept {
        /// Who says it.
        from: PeerId,
        /// For whom it is.
        to: PeerId,
        /// What it says.
        signal: Signal,
    },
}

/// The server's evil half: between what an honest server would deliver and those for whom it is.
#[derive(Debug)]
pub struct Evil {
    variant: Variant,
    ways: Ways,
    /// Whether it does anything.
    active: bool,
    memory: Memory,
    /// Who is in the room.
    room: BTreeSet<PeerId>,
    /// Attempts to connect since the attack began.
    attempts: BTreeMap<ConnectionId, Attempt>,
    /// The last connection that a peer offered to another one, whenever that was.
    offered: BTreeMap<(PeerId, PeerId), ConnectionId>,
    /// Connections whose ICE is restarted: they were offered more than once.
    restarted: BTreeSet<ConnectionId>,
    /// Peers that were not announced yet, by whom they were to be announced to.
    unannounced: BTreeMap<PeerId, Peer>,
    /// Answers that wait for another one to be exchanged with, by whom they are for.
    answers: BTreeMap<PeerId, (PeerId, Signal)>,
    /// The signal's sender and connection in whose place one comes from now on, by its own connection.
    exchanged: BTreeMap<ConnectionId, (PeerId, ConnectionId)>,
}

/// What an attack leaves to chance.
#[derive(Debug)]
struct Ways {
    random: ChaCha8Rng,
    certificate: Fingerprint,
    /// Which descriptions are changed, where either would do.
    offers: bool,
    answers: bool,
    /// Whether nobody is told that the other end could not verify the connection.
    silent: bool,
    /// Either of two ways to do the same.
    other_way: bool,
}

#[derive(Debug)]
struct Attempt {
    offerer: PeerId,
    answerer: PeerId,
    /// A third peer, and in whose name it gets the offers that it gets.
    diverted: Option<(PeerId, PeerId)>,
}

impl Ways {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut certificate = [0; 32];
        random.fill_bytes(&mut certificate);
        let which = random.next_u64() % 3;
        Self {
            certificate: Fingerprint::from_bytes(certificate),
            offers: which != 0,
            answers: which != 1,
            silent: random.next_u64().is_multiple_of(2),
            other_way: random.next_u64().is_multiple_of(2),
            random,
        }
    }
}

impl Evil {
    /// A server that attacks in one way. What is left to chance follows from the seed.
    pub fn new(variant: Variant, seed: u64) -> Self {
        Self {
            variant,
            ways: Ways::new(seed),
            active: true,
            memory: Memory::default(),
            room: BTreeSet::new(),
            attempts: BTreeMap::new(),
            offered: BTreeMap::new(),
            restarted: BTreeSet::new(),
            unannounced: BTreeMap::new(),
            answers: BTreeMap::new(),
            exchanged: BTreeMap::new(),
        }
    }

    /// Is honest from now on. Lies about who is there are believed until the devices have come back.
    pub fn rest(&mut self) {
        self.active = false;
        self.unannounced.clear();
    }

    /// Attacks from now on, with what it remembers.
    pub fn attack(&mut self, variant: Variant, seed: u64) {
        self.rest();
        self.variant = variant;
        self.ways = Ways::new(seed);
        self.attempts.clear();
        self.answers.clear();
        self.exchanged.clear();
        self.active = true;
    }

    /// How it attacks, if it does.
    pub fn variant(&self) -> Option<Variant> {
        self.active.then_some(self.variant)
    }

    /// The certificate that ends are told, where the attack is that.
    pub fn certificate(&self) -> Fingerprint {
        self.ways.certificate
    }

    /// Whether it keeps back what one end says to the other of a connection that it could not verify.
    pub fn is_silent(&self) -> bool {
        self.ways.silent
    }

    /// How many connections were tried since the attack began.
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// Takes what an honest server would deliver, and says what is done instead.
    pub fn deliver(&mut self, to: PeerId, message: ServerMessage) -> Vec<Act> {
        match message {
            ServerMessage::Signal { from, signal } => self.deliver_signal(from, to, signal),
            ServerMessage::Joined { room, peers } => {
                self.room.insert(to);
                let peers = peers
                    .into_iter()
                    .flat_map(|peer| self.announce(to, peer))
                    .collect();
                vec![deliver(to, ServerMessage::Joined { room, peers })]
            }
            ServerMessage::PeerJoined { room, peer } => self
                .announce(to, peer)
                .into_iter()
                .map(|peer| deliver(to, ServerMessage::PeerJoined { room, peer }))
                .collect(),
            ServerMessage::PeerUpdated { peer } => self
                .renew(peer)
                .into_iter()
                .map(|peer| deliver(to, ServerMessage::PeerUpdated { peer }))
                .collect(),
            ServerMessage::PeerLeft { room, peer } => {
                self.forget(peer);
                if self.unannounced.get(&to).is_some_and(|it| it.id == peer) {
                    self.unannounced.remove(&to);
                    return Vec::new();
                }
                vec![deliver(to, ServerMessage::PeerLeft { room, peer })]
            }
            message => vec![deliver(to, message)],
        }
    }

    /// A peer is gone, and perhaps nobody is left who would be told.
    pub fn forget(&mut self, peer: PeerId) {
        self.room.remove(&peer);
    }

    /// Makes offerers restart ICE, as if those had asked for it to whom they offered last.
    pub fn provoke(&self) -> Vec<Act> {
        let ask = |((offerer, answerer), connection): (&(PeerId, PeerId), &ConnectionId)| {
            let signal = Signal {
                connection: *connection,
                body: SignalBody::RestartRequest,
            };
            deliver_signal(*answerer, *offerer, signal)
        };
        self.offered
            .iter()
            .filter(|((offerer, answerer), _)| {
                self.room.contains(offerer) && self.room.contains(answerer)
            })
            .map(ask)
            .collect()
    }

    /// What a device is told of a peer that is there.
    fn announce(&mut self, to: PeerId, mut peer: Peer) -> Vec<Peer> {
        self.room.insert(peer.id);
        match self.variant() {
            Some(Variant::SwapCards) => match self.unannounced.remove(&to) {
                None => {
                    self.unannounced.insert(to, peer);
                    Vec::new()
                }
                Some(mut first) => {
                    core::mem::swap(&mut first.device, &mut peer.device);
                    vec![first, peer]
                }
            },
            _ => self.renew(peer).into_iter().collect(),
        }
    }

    /// What everybody is told of a peer that is there or has another card.
    fn renew(&self, mut peer: Peer) -> Option<Peer> {
        match (self.variant(), &mut peer.device) {
            (Some(Variant::SwapCards), _) => return None,
            (Some(Variant::FalseId), Some(device)) => {
                device.id = DeviceId::from_bytes(device.id.as_bytes().map(|byte| !byte));
            }
            (Some(Variant::FalseName), Some(device)) => {
                let name = format!("False {}", device.name.as_str());
                if let Ok(name) = DeviceName::from_typed(&name) {
                    device.name = name;
                }
            }
            _ => {}
        }
        Some(peer)
    }

    fn deliver_signal(&mut self, from: PeerId, to: PeerId, signal: Signal) -> Vec<Act> {
        if matches!(signal.body, SignalBody::Offer { .. }) {
            let last = self.offered.insert((from, to), signal.connection);
            if last == Some(signal.connection) {
                self.restarted.insert(signal.connection);
            }
        }
        self.memory.note(from, to, &signal);
        match self.variant() {
            None => vec![deliver_signal(from, to, signal)],
            Some(variant) => self.attack_signal(variant, from, to, signal),
        }
    }

    fn attack_signal(
        &mut self,
        variant: Variant,
        from: PeerId,
        to: PeerId,
        mut signal: Signal,
    ) -> Vec<Act> {
        let is_farewell = matches!(signal.body, SignalBody::Bye { code: Some(_) });
        if is_farewell && self.ways.silent {
            return Vec::new();
        }
        self.note_attempt(from, to, &signal);
        match variant {
            Variant::Middle | Variant::MiddleWithOwnKey => {
                return match signal.body {
                    SignalBody::Offer { .. }
                    | SignalBody::Answer { .. }
                    | SignalBody::Candidate { .. }
                    | SignalBody::EndOfCandidates => vec![Act::Intercept { from, to, signal }],
                    _ => vec![deliver_signal(from, to, signal)],
                };
            }
            Variant::ReplayInstead => self.replay_instead(from, to, &mut signal),
            Variant::ReplayBeside => return self.replay_beside(from, to, signal),
            Variant::Reflect => return self.reflect(from, to, signal),
            Variant::Mirror => return self.mirror(from, to, signal),
            Variant::Splice => return self.splice(from, to, signal),
            Variant::Divert => return self.divert(from, to, signal),
            _ => self.change(variant, &mut signal),
        }
        vec![deliver_signal(from, to, signal)]
    }

    fn note_attempt(&mut self, from: PeerId, to: PeerId, signal: &Signal) {
        if !matches!(signal.body, SignalBody::Offer { .. }) {
            return;
        }
        let third = self.third(from, to);
        let in_whose_name = if self.ways.other_way { to } else { from };
        self.attempts.entry(signal.connection).or_insert(Attempt {
            offerer: from,
            answerer: to,
            diverted: third.map(|third| (third, in_whose_name)),
        });
    }

    /// Changes what a description or an answer says.
    fn change(&mut self, variant: Variant, signal: &mut Signal) {
        let restarts = self.restarted.contains(&signal.connection);
        let ways = &mut self.ways;
        let (sdp, either, swapped) = match &mut signal.body {
            SignalBody::Offer { sdp } => (sdp, ways.offers, variant != Variant::SwapAnswer),
            SignalBody::Answer { sdp, nonce } => {
                if variant == Variant::Nonce {
                    *nonce = AnswerNonce::from_bytes(nonce.as_bytes().map(|byte| !byte));
                }
                (sdp, ways.answers, variant != Variant::SwapOffer)
            }
            _ => return,
        };
        *sdp = match variant {
            Variant::SwapBoth | Variant::SwapOffer | Variant::SwapAnswer if swapped => {
                description::with_certificate(sdp, ways.certificate)
            }
            Variant::Restart if either && restarts => {
                description::with_certificate(sdp, ways.certificate)
            }
            Variant::Append if either => {
                description::with_further_certificate(sdp, ways.certificate, ways.other_way)
            }
            Variant::Sha1 if either => {
                let mut digest = [0; 20];
                ways.random.fill_bytes(&mut digest);
                description::with_sha_1(sdp, digest)
            }
            _ => return,
        };
    }

    fn replay_instead(&self, from: PeerId, to: PeerId, signal: &mut Signal) {
        let replayed = match signal.body {
            SignalBody::Offer { .. } => self.ways.offers,
            SignalBody::Answer { .. } => self.ways.answers,
            SignalBody::Candidate { .. } => true,
            _ => false,
        };
        if let Some(earlier) = self.memory.other(from, to, signal).filter(|_| replayed) {
            signal.body = earlier.body;
        }
    }

    fn replay_beside(&self, from: PeerId, to: PeerId, signal: Signal) -> Vec<Act> {
        let earlier = self.memory.other(from, to, &signal);
        let mut signals: Vec<_> = core::iter::once(signal).chain(earlier).collect();
        if self.ways.other_way {
            signals.reverse();
        }
        signals
            .into_iter()
            .map(|signal| deliver_signal(from, to, signal))
            .collect()
    }

    /// Sends a signal back, also under an id that takes precedence over the one that its sender drew.
    fn reflect(&self, from: PeerId, to: PeerId, mut signal: Signal) -> Vec<Act> {
        if self.ways.other_way {
            let mut id = *signal.connection.as_bytes();
            id[0] = 255;
            signal.connection = ConnectionId::from_bytes(id);
        }
        vec![deliver_signal(to, from, signal)]
    }

    /// What an end says to either of two peers is said to it by the other one of them.
    fn mirror(&self, from: PeerId, to: PeerId, signal: Signal) -> Vec<Act> {
        let attempt = self.attempts.get(&signal.connection);
        match attempt.and_then(|attempt| Some((attempt.answerer, attempt.diverted?))) {
            Some((answerer, (third, _))) => {
                let other = if to == answerer { third } else { answerer };
                vec![deliver_signal(other, from, signal)]
            }
            None => vec![deliver_signal(from, to, signal)],
        }
    }

    fn splice(&mut self, from: PeerId, to: PeerId, signal: Signal) -> Vec<Act> {
        if matches!(signal.body, SignalBody::Answer { .. }) {
            return match self.answers.remove(&to) {
                Some((other, first)) if other != from => {
                    let (one, two) = (first.connection, signal.connection);
                    self.exchanged.insert(one, (from, two));
                    self.exchanged.insert(two, (other, one));
                    [(other, first), (from, signal)]
                        .into_iter()
                        .flat_map(|(from, signal)| self.in_exchange(from, to, signal))
                        .collect()
                }
                _ => {
                    self.answers.insert(to, (from, signal));
                    Vec::new()
                }
            };
        }
        let answerer = self
            .attempts
            .get(&signal.connection)
            .map(|attempt| attempt.answerer);
        if answerer == Some(from) {
            self.in_exchange(from, to, signal)
        } else {
            vec![deliver_signal(from, to, signal)]
        }
    }

    fn in_exchange(&self, from: PeerId, to: PeerId, signal: Signal) -> Vec<Act> {
        let (from, connection) = self
            .exchanged
            .get(&signal.connection)
            .copied()
            .unwrap_or((from, signal.connection));
        let body = signal.body;
        vec![deliver_signal(from, to, Signal { connection, body })]
    }

    fn divert(&self, from: PeerId, to: PeerId, signal: Signal) -> Vec<Act> {
        let attempt = self.attempts.get(&signal.connection);
        let Some((attempt, (third, name))) =
            attempt.and_then(|attempt| Some((attempt, attempt.diverted?)))
        else {
            return vec![deliver_signal(from, to, signal)];
        };
        if from == attempt.offerer {
            vec![deliver_signal(name, third, signal)]
        } else {
            vec![deliver_signal(attempt.answerer, attempt.offerer, signal)]
        }
    }

    /// Someone else in the room.
    fn third(&self, one: PeerId, other: PeerId) -> Option<PeerId> {
        let others = self.room.iter().copied();
        others.into_iter().find(|id| *id != one && *id != other)
    }
}

fn deliver(to: PeerId, message: ServerMessage) -> Act {
    Act::Deliver { to, message }
}

fn deliver_signal(from: PeerId, to: PeerId, signal: Signal) -> Act {
    deliver(to, ServerMessage::Signal { from, signal })
}
