//! Peer connections as a platform models them: a negotiation with descriptions that carry identities, candidates needed
//! both ways, certificates that are presented and must be those that were announced, a path that can be lost and found,
//! two ordered channels without an order among each other, and `bufferedAmount`. It knows no frame.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use evil::description;
use tabferry_engine::{Channel, ConnectionKey, ConnectionState, Input};
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::limits::{
    BUFFERED_HIGH_BYTES, BUFFERED_LOW_BYTES, CHUNK_BYTES, READ_BYTES, READS_AHEAD,
};

use crate::ledger::Life;
use crate::trace;
use crate::world::{Happening, World};

/// All peer connections, and the paths that are lost.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub connections: BTreeMap<u64, PeerConnection>,
    last_connection: u64,
    /// Pairs of devices between which nothing gets through.
    down: BTreeSet<(usize, usize)>,
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct PeerConnection {
    pub owner: Life,
    pub key: ConnectionKey,
    negotiation: Negotiation,
    /// Counts ICE restarts.
    generation: u32,
    /// The other end and its generation, from its description.
    remote: Option<(u64, u32)>,
    /// Whether a candidate of that generation is known.
    candidate: bool,
    /// The certificates of which the other end may present any, from its description.
    expected: Vec<Fingerprint>,
    /// Who presented one that was expected.
    partner: Option<Partner>,
    /// What it was connected to last, with both generations.
    connected: Option<(u64, u32, u32)>,
    state: Option<ConnectionState>,
    /// Nothing gets through: the number of the loss.
    lost: Option<u64>,
    /// Only an ICE restart helps.
    stale: bool,
    /// It is about to end, whatever is done.
    doomed: bool,
    /// Whether the engine knows that both channels are open.
    pub opened: bool,
    /// What arrived before that.
    early: Vec<(Channel, Vec<u8>)>,
    queues: [Queue; 2],
    closing: bool,
    /// The engine was told that it is of no more use.
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Negotiation {
    Stable,
    MakingOffer,
    OfferSet,
    MakingAnswer,
}

/// Who presents a certificate to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Partner {
    /// The end that it is connected to.
    End,
    /// An attacker between the two.
    Middle,
}

/// What waits in a channel.
#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    bytes: u64,
    draining: bool,
    /// When the last frame on its way arrives.
    arrives_at: u64,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// What a description says: whether it is an offer, its end and generation, and for an answer the end that it answers.
pub(crate) fn parse_description(sdp: &str) -> Option<(bool, u64, u32, u64)> {
    let mut words = sdp
        .strip_prefix("v=0\r\nsim ")?
        .split_once("\r\n")?
        .0
        .split(' ');
    let offer = match words.next()? {
        "offer" => true,
        "answer" => false,
        _ => return None,
    };
    let mut number = || words.next()?.parse::<u64>().ok();
    let (serial, generation, of) = (number()?, number()?, number()?);
    Some((offer, serial, u32::try_from(generation).ok()?, of))
}

/// The fingerprint of the certificate of one end.
pub(crate) fn certificate(id: u64) -> Fingerprint {
    Fingerprint::of_certificate(&id.to_le_bytes())
}

impl World {
    pub(crate) fn open_connection(&mut self, node: usize, key: ConnectionKey) {
        self.network.last_connection += 1;
        let id = self.network.last_connection;
        let known = self.nodes[node].connections.insert(key, id);
        assert!(known.is_none(), "a connection key used twice");
        let connection = PeerConnection {
            owner: self.life(node),
            key,
            negotiation: Negotiation::Stable,
            generation: 0,
            remote: None,
            candidate: false,
            expected: Vec::new(),
            partner: None,
            connected: None,
            state: None,
            lost: None,
            stale: false,
            doomed: false,
            opened: false,
            early: Vec::new(),
            queues: [Queue::default(), Queue::default()],
            closing: false,
            ended: false,
        };
        self.network.connections.insert(id, connection);
    }

    fn connection_of(&mut self, node: usize, key: ConnectionKey) -> (u64, &mut PeerConnection) {
        let id = *self.nodes[node]
            .connections
            .get(&key)
            .expect("an output names a connection that is open");
        (
            id,
            self.network
                .connections
                .get_mut(&id)
                .expect("an open connection"),
        )
    }

    pub(crate) fn make_offer(&mut self, node: usize, key: ConnectionKey, restart: bool) {
        let (id, connection) = self.connection_of(node, key);
        if connection.ended {
            return;
        }
        assert_ne!(
            connection.negotiation,
            Negotiation::MakingAnswer,
            "an offer in the midst of an answer"
        );
        assert_eq!(
            restart,
            connection.generation > 0,
            "the first offer restarts nothing, each further one does"
        );
        connection.negotiation = Negotiation::MakingOffer;
        connection.generation += 1;
        self.describe(id);
    }

    pub(crate) fn apply_offer(&mut self, node: usize, key: ConnectionKey, sdp: &str) {
        let (id, connection) = self.connection_of(node, key);
        if connection.ended {
            return;
        }
        let Some((true, serial, generation, _)) = parse_description(sdp) else {
            return self.misuse(id, "a description that is no offer");
        };
        let same_end = connection.remote.is_none_or(|(known, _)| known == serial);
        let answerer = matches!(
            connection.negotiation,
            Negotiation::Stable | Negotiation::MakingAnswer
        );
        if !answerer || !same_end {
            return self.misuse(id, "an offer that doesn't fit");
        }
        if connection.remote != Some((serial, generation)) {
            connection.generation += 1;
            connection.candidate = false;
        }
        connection.remote = Some((serial, generation));
        connection.expected = description::certificates(sdp);
        connection.negotiation = Negotiation::MakingAnswer;
        self.describe(id);
    }

    pub(crate) fn apply_answer(&mut self, node: usize, key: ConnectionKey, sdp: &str) {
        let (id, connection) = self.connection_of(node, key);
        if connection.ended {
            return;
        }
        let Some((false, serial, generation, of)) = parse_description(sdp) else {
            return self.misuse(id, "a description that is no answer");
        };
        // A platform can't tell to which of our offers it belongs: an older answer makes a path that doesn't work.
        let answers = of == id;
        if connection.negotiation != Negotiation::OfferSet || !answers {
            return self.misuse(id, "an answer that doesn't fit");
        }
        if connection.remote.is_some_and(|(known, _)| known != serial) {
            // The other end was started anew and took the restart for a beginning. Its certificate is another one.
            let at = self.now + 1;
            self.schedule(at, Happening::ConnectionEnded { id });
            return;
        }
        if connection.remote != Some((serial, generation)) {
            connection.candidate = false;
        }
        connection.remote = Some((serial, generation));
        connection.expected = description::certificates(sdp);
        connection.negotiation = Negotiation::Stable;
        self.check_path(id);
    }

    pub(crate) fn apply_candidate(
        &mut self,
        node: usize,
        key: ConnectionKey,
        candidate: Option<&str>,
    ) {
        let (id, connection) = self.connection_of(node, key);
        let Some((serial, generation)) = connection.remote else {
            assert!(
                connection.ended || self.is_tampered(),
                "a candidate before any remote description"
            );
            return;
        };
        if candidate.is_some_and(|candidate| {
            candidate.starts_with(&format!("candidate:{serial} {generation} "))
        }) {
            connection.candidate = true;
            self.check_path(id);
        }
    }

    /// What the platform refuses: honest engines never come to it.
    fn misuse(&mut self, id: u64, what: &str) {
        assert!(self.is_tampered(), "{what}");
        let at = self.now + 1;
        self.schedule(at, Happening::ConnectionEnded { id });
    }

    fn describe(&mut self, id: u64) {
        let at = self.now + self.random.between(0, 20);
        if !self.quiet && self.random.percent(self.plan.faults.negotiation) {
            self.disturb_connection(id);
            trace::line(self.now, || {
                format!("negotiation of connection {id} fails or hangs")
            });
            if self.random.one_in(2) {
                self.schedule(at, Happening::ConnectionEnded { id });
            }
            return;
        }
        let generation = self.network.connections[&id].generation;
        self.schedule(at, Happening::Described { id, generation });
    }

    /// Marks what is on the way between the ends of a connection; between its owner and all others if it has no other
    /// end yet.
    fn disturb_connection(&mut self, id: u64) {
        let connection = &self.network.connections[&id];
        let node = connection.owner.node;
        let other = connection
            .remote
            .and_then(|(other, _)| self.network.connections.get(&other));
        match other.map(|other| other.owner.node) {
            Some(other) => self.ledger.disturb(node, other),
            None => (0..self.nodes.len()).for_each(|other| self.ledger.disturb(node, other)),
        }
    }

    /// The local description is set.
    pub(crate) fn described(&mut self, id: u64, generation: u32) {
        let Some(connection) = self.network.connections.get_mut(&id) else {
            return;
        };
        if connection.ended || connection.closing || connection.generation != generation {
            return;
        }
        let (kind, of) = if connection.negotiation == Negotiation::MakingOffer {
            connection.negotiation = Negotiation::OfferSet;
            ("offer", 0)
        } else {
            connection.negotiation = Negotiation::Stable;
            ("answer", connection.remote.unwrap_or_default().0)
        };
        let fingerprint = certificate(id);
        let sdp = format!(
            "v=0\r\nsim {kind} {id} {generation} {of}\r\na=fingerprint:sha-256 {fingerprint}\r\n"
        );
        let (owner, key) = (connection.owner, connection.key);
        let mut at = self.now;
        let count = self.random.between(1, 3);
        for number in 0..=count {
            at += self.random.between(0, 40);
            let number = (number < count).then_some(number);
            self.schedule(
                at,
                Happening::Gathered {
                    id,
                    generation,
                    number,
                },
            );
        }
        let gives_up = self.now + self.random.between(15_000, 30_000);
        self.schedule(gives_up, Happening::IceGivesUp { id, generation });
        self.step(
            owner.node,
            Input::LocalDescription {
                connection: key,
                sdp,
            },
        );
        self.check_path(id);
    }

    pub(crate) fn gathered(&mut self, id: u64, generation: u32, number: Option<u64>) {
        let Some(connection) = self
            .network
            .connections
            .get(&id)
            .filter(|connection| !connection.ended)
        else {
            return;
        };
        let (owner, key) = (connection.owner, connection.key);
        let candidate = number.map(|number| {
            (
                format!("candidate:{id} {generation} {number}"),
                Some("0".to_owned()),
            )
        });
        if self.is_alive(owner) {
            self.step(
                owner.node,
                Input::LocalCandidate {
                    connection: key,
                    candidate,
                },
            );
        }
    }

    /// Connects two ends that know all that they need of each other.
    fn check_path(&mut self, id: u64) {
        let Some((other, generation, other_generation)) = self.match_of(id) else {
            return;
        };
        let connected = |id: u64, with: (u64, u32, u32)| {
            self.network.connections[&id].connected == Some(with)
                && self.network.connections[&id].lost.is_none()
        };
        if connected(id, (other, generation, other_generation))
            && connected(other, (id, other_generation, generation))
        {
            return;
        }
        let at = self.now + self.random.between(5, 200);
        self.schedule(
            at,
            Happening::PathChecked {
                id,
                generation,
                other_generation,
            },
        );
    }

    fn match_of(&self, id: u64) -> Option<(u64, u32, u32)> {
        let connection = self.network.connections.get(&id)?;
        let (other_id, other_generation) = connection.remote?;
        let other = self.network.connections.get(&other_id)?;
        let usable = |end: &PeerConnection| {
            !end.closing
                && !end.doomed
                && !end.ended
                && end.candidate
                && end.negotiation == Negotiation::Stable
        };
        let agreed = other.remote == Some((id, connection.generation))
            && other.generation == other_generation;
        (agreed && usable(connection) && usable(other)).then_some((
            other_id,
            connection.generation,
            other_generation,
        ))
    }

    pub(crate) fn path_checked(&mut self, id: u64, generation: u32, other_generation: u32) {
        let Some((other, ..)) = self
            .match_of(id)
            .filter(|(_, a, b)| (*a, *b) == (generation, other_generation))
        else {
            return;
        };
        if self.is_down(id, other) {
            return;
        }
        if !self.present_certificates(id, other) {
            return;
        }
        for (end, with) in [
            (id, (other, generation, other_generation)),
            (other, (id, other_generation, generation)),
        ] {
            let connection = self.network.connections.get_mut(&end).expect("matched");
            connection.connected = Some(with);
            connection.lost = None;
            connection.stale = false;
        }
        for end in [id, other] {
            self.tell_state(end, ConnectionState::Connected);
            let at = self.now + self.random.between(0, 50);
            self.schedule(at, Happening::ChannelsOpen { id: end });
            self.pump(end);
        }
    }

    /// Both ends of a path present their certificates, once. Whether each gets one that it expects; if not, both learn it,
    /// the other one from the alert that ends DTLS.
    fn present_certificates(&mut self, id: u64, other: u64) -> bool {
        if self.network.connections[&id].partner.is_some() {
            return true;
        }
        let expects = |end: u64, certificate: Fingerprint| {
            self.network.connections[&end]
                .expected
                .contains(&certificate)
        };
        let middle = self
            .middle_certificate()
            .filter(|certificate| expects(id, *certificate) && expects(other, *certificate));
        if middle.is_none() && !(expects(id, certificate(other)) && expects(other, certificate(id)))
        {
            for end in [id, other] {
                let at = self.now + self.random.between(0, 20);
                self.schedule(at, Happening::CertificateRefused { id: end });
            }
            return false;
        }
        let partner = middle.map_or(Partner::End, |_| Partner::Middle);
        for end in [id, other] {
            self.network
                .connections
                .get_mut(&end)
                .expect("matched")
                .partner = Some(partner);
        }
        true
    }

    pub(crate) fn certificate_refused(&mut self, id: u64) {
        self.end_connection(id, |connection| Input::ConnectionUnverified { connection });
    }

    fn is_down(&self, id: u64, other: u64) -> bool {
        let node = |id: u64| self.network.connections[&id].owner.node;
        self.network.down.contains(&pair(node(id), node(other)))
    }

    fn tell_state(&mut self, id: u64, state: ConnectionState) {
        let Some(connection) = self.network.connections.get_mut(&id) else {
            return;
        };
        if connection.ended || connection.state == Some(state) {
            return;
        }
        connection.state = Some(state);
        let (owner, key) = (connection.owner, connection.key);
        if self.is_alive(owner) {
            self.step(
                owner.node,
                Input::ConnectionChanged {
                    connection: key,
                    state,
                },
            );
        }
    }

    pub(crate) fn channels_open(&mut self, id: u64) {
        let Some(connection) = self.network.connections.get_mut(&id) else {
            return;
        };
        if connection.opened || connection.ended || connection.closing {
            return;
        }
        connection.opened = true;
        let (owner, key) = (connection.owner, connection.key);
        // Not every platform tells.
        let presented = match connection.partner {
            _ if !id.is_multiple_of(2) => None,
            Some(Partner::Middle) => self.middle_certificate(),
            _ => connection.connected.map(|(other, ..)| certificate(other)),
        };
        let opened = Input::ChannelsOpened {
            connection: key,
            presented,
        };
        self.step(owner.node, opened);
        let early = self
            .network
            .connections
            .get_mut(&id)
            .map(|connection| std::mem::take(&mut connection.early));
        for (channel, bytes) in early.unwrap_or_default() {
            self.arrive(id, channel, bytes);
        }
        if self
            .network
            .connections
            .get(&id)
            .is_some_and(|connection| connection.partner == Some(Partner::Middle))
        {
            self.middle_opens(id);
        }
    }

    /// An attempt of ICE has taken too long.
    pub(crate) fn ice_gives_up(&mut self, id: u64, generation: u32) {
        let Some(connection) = self.network.connections.get(&id) else {
            return;
        };
        let through = connection
            .connected
            .is_some_and(|(_, own, _)| own >= generation);
        if !through && connection.generation == generation && connection.connected.is_none() {
            self.tell_state(id, ConnectionState::Failed);
        }
    }

    pub(crate) fn queue_frame(
        &mut self,
        node: usize,
        key: ConnectionKey,
        channel: Channel,
        frame: Vec<u8>,
    ) {
        let (id, connection) = self.connection_of(node, key);
        if connection.ended {
            return;
        }
        assert!(connection.opened, "a frame before the channels are open");
        let queue = &mut connection.queues[channel as usize];
        queue.bytes += frame.len() as u64;
        queue.frames.push_back(frame);
        let most = BUFFERED_HIGH_BYTES + READS_AHEAD as u64 * READ_BYTES + 64 * CHUNK_BYTES as u64;
        assert!(
            channel == Channel::Control || queue.bytes <= most,
            "{} bytes wait in a bulk channel",
            queue.bytes
        );
        self.pump(id);
    }

    pub(crate) fn buffered(&self, id: u64) -> u64 {
        self.network.connections.get(&id).map_or(0, |connection| {
            connection.queues[Channel::Bulk as usize].bytes
        })
    }

    /// Whether frames get from an end to the other one.
    fn flows(&self, id: u64) -> Option<u64> {
        let connection = &self.network.connections[&id];
        let (other, ..) = connection.connected?;
        if connection.partner == Some(Partner::Middle) {
            return connection.lost.is_none().then_some(other);
        }
        let alive = self
            .network
            .connections
            .get(&other)
            .is_some_and(|other| other.lost.is_none());
        (connection.lost.is_none() && alive && !self.is_down(id, other)).then_some(other)
    }

    fn pump(&mut self, id: u64) {
        for channel in [Channel::Control, Channel::Bulk] {
            let Some(connection) = self.network.connections.get(&id) else {
                return;
            };
            let queue = &connection.queues[channel as usize];
            let Some(frame) = queue.frames.front() else {
                continue;
            };
            if queue.draining || self.flows(id).is_none() {
                continue;
            }
            let takes = (frame.len() as u64).div_ceil(self.plan.link_rate);
            let takes = if channel == Channel::Control {
                takes.min(5)
            } else {
                takes
            };
            self.network
                .connections
                .get_mut(&id)
                .expect("looked up")
                .queues[channel as usize]
                .draining = true;
            let at = self.now + takes;
            self.schedule(at, Happening::Drained { id, channel });
        }
    }

    /// The first frame of a channel has left.
    pub(crate) fn drained(&mut self, id: u64, channel: Channel) {
        if !self.network.connections.contains_key(&id) {
            return;
        }
        let other = self.flows(id);
        let (least, most) = self.plan.latency;
        let arrives = self.now + self.random.between(least, most);
        let connection = self.network.connections.get_mut(&id).expect("checked");
        let queue = &mut connection.queues[channel as usize];
        queue.draining = false;
        let (Some(other), false) = (other, queue.frames.is_empty()) else {
            return;
        };
        let frame = queue.frames.pop_front().expect("not empty");
        let before = queue.bytes;
        queue.bytes -= frame.len() as u64;
        let low = channel == Channel::Bulk
            && before > BUFFERED_LOW_BYTES
            && queue.bytes <= BUFFERED_LOW_BYTES;
        queue.arrives_at = queue.arrives_at.max(arrives);
        let at = queue.arrives_at;
        let (owner, key, closing) = (connection.owner, connection.key, connection.closing);
        let frames = match connection.partner {
            Some(Partner::Middle) => self.middle_reads(id, other, channel, frame),
            _ => vec![(other, frame)],
        };
        for (id, bytes) in frames {
            self.schedule(at, Happening::Arrived { id, channel, bytes });
        }
        if low && !closing && self.is_alive(owner) {
            self.step(owner.node, Input::BufferedLow { connection: key });
        }
        self.pump(id);
        self.finish_close(id, false);
    }

    pub(crate) fn arrive(&mut self, id: u64, channel: Channel, bytes: Vec<u8>) {
        let Some(connection) = self
            .network
            .connections
            .get_mut(&id)
            .filter(|connection| !connection.ended)
        else {
            return;
        };
        if !connection.opened {
            connection.early.push((channel, bytes));
            return;
        }
        let (owner, key) = (connection.owner, connection.key);
        if self.is_alive(owner) {
            self.step(
                owner.node,
                Input::Frame {
                    connection: key,
                    channel,
                    bytes: &bytes,
                },
            );
        }
    }

    pub(crate) fn close_connection(&mut self, node: usize, key: ConnectionKey) {
        let (id, connection) = self.connection_of(node, key);
        connection.closing = true;
        connection.queues[Channel::Bulk as usize].frames.clear();
        self.nodes[node].connections.remove(&key);
        let at = self.now + 5_000;
        self.schedule(at, Happening::CloseTimeout { id });
        self.finish_close(id, false);
    }

    /// Takes a closing connection away once nothing waits in its control channel, or at once.
    pub(crate) fn finish_close(&mut self, id: u64, now: bool) {
        let Some(connection) = self.network.connections.get(&id) else {
            return;
        };
        let flushed = connection.queues[Channel::Control as usize]
            .frames
            .is_empty()
            || connection.connected.is_none();
        if connection.closing && (flushed || now || connection.ended) {
            self.remove_connection(id, true);
        }
    }

    /// Takes an end away. The other end notices: at once if it is told, otherwise as a lost path.
    fn remove_connection(&mut self, id: u64, tell: bool) {
        let arrives_at = self.network.connections[&id]
            .queues
            .iter()
            .map(|queue| queue.arrives_at)
            .max()
            .unwrap_or_default();
        let told = self.flows(id).filter(|_| tell);
        let connection = self.network.connections.remove(&id).expect("looked up");
        let Some((other, ..)) = connection.connected else {
            return;
        };
        if connection.partner == Some(Partner::Middle) {
            // Whoever is in between keeps the other end's connection.
            return;
        }
        if let Some(other) = told {
            let at = arrives_at.max(self.now) + self.random.between(0, 50);
            self.schedule(at, Happening::ConnectionEnded { id: other });
        } else {
            self.lose(other, true);
        }
    }

    /// Nothing gets through to an end any more; it notices by and by.
    fn lose(&mut self, id: u64, stale: bool) {
        let (disconnected, failed) = (
            self.random.between(3_000, 7_000),
            self.random.between(15_000, 35_000),
        );
        let (at, loss) = (self.now, self.sequence);
        let Some(connection) = self.network.connections.get_mut(&id) else {
            return;
        };
        connection.stale |= stale;
        if connection.lost.is_none() {
            connection.lost = Some(loss);
            self.schedule(
                at + disconnected,
                Happening::LossNoticed {
                    id,
                    loss,
                    state: ConnectionState::Disconnected,
                },
            );
            self.schedule(
                at + failed,
                Happening::LossNoticed {
                    id,
                    loss,
                    state: ConnectionState::Failed,
                },
            );
        }
    }

    pub(crate) fn loss_noticed(&mut self, id: u64, loss: u64, state: ConnectionState) {
        let Some(connection) = self
            .network
            .connections
            .get_mut(&id)
            .filter(|connection| connection.lost == Some(loss))
        else {
            return;
        };
        connection.stale |= state == ConnectionState::Failed;
        self.tell_state(id, state);
    }

    pub(crate) fn connection_ended(&mut self, id: u64) {
        self.end_connection(id, |connection| Input::ConnectionEnded { connection });
    }

    /// An end is of no more use, and its engine is told why.
    fn end_connection(&mut self, id: u64, why: fn(ConnectionKey) -> Input<'static>) {
        let Some(connection) = self.network.connections.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut connection.ended, true) {
            return;
        }
        let (owner, key) = (connection.owner, connection.key);
        if self.is_alive(owner) {
            self.step(owner.node, why(key));
        }
        self.finish_close(id, true);
    }

    /// The ends of all connections between two devices.
    fn between(&self, a: usize, b: usize) -> Vec<u64> {
        let node_of = |id: u64| {
            self.network
                .connections
                .get(&id)
                .map(|connection| connection.owner.node)
        };
        let joins = |connection: &PeerConnection| {
            let other = connection.remote.and_then(|(other, _)| node_of(other));
            other.is_some_and(|other| pair(connection.owner.node, other) == pair(a, b))
        };
        self.network
            .connections
            .iter()
            .filter(|(_, connection)| joins(connection))
            .map(|(id, _)| *id)
            .collect()
    }

    pub(crate) fn are_connected(&self, a: usize, b: usize) -> bool {
        self.between(a, b)
            .iter()
            .any(|id| self.network.connections[id].opened && self.flows(*id).is_some())
    }

    /// The path between two devices is lost. If `stale`, a new one has to be found by an ICE restart afterwards.
    pub(crate) fn lose_path(&mut self, a: usize, b: usize, stale: bool) {
        trace::line(self.now, || format!("path n{a} n{b} is lost"));
        self.ledger.disturb(a, b);
        self.network.down.insert(pair(a, b));
        for id in self.between(a, b) {
            if self.network.connections[&id].connected.is_some() {
                self.lose(id, stale);
            }
        }
    }

    /// The path is there again.
    pub(crate) fn find_path(&mut self, a: usize, b: usize) {
        trace::line(self.now, || format!("path n{a} n{b} is there"));
        self.network.down.remove(&pair(a, b));
        let ends = self.between(a, b);
        for id in &ends {
            let Some(connection) = self.network.connections.get(id) else {
                continue;
            };
            let stale = |id: u64| {
                self.network
                    .connections
                    .get(&id)
                    .is_none_or(|connection| connection.stale)
            };
            let recovers = connection
                .connected
                .is_some_and(|(other, ..)| !stale(*id) && !stale(other));
            if recovers {
                self.network
                    .connections
                    .get_mut(id)
                    .expect("looked up")
                    .lost = None;
            }
        }
        for id in ends {
            if self.network.connections.get(&id).is_some_and(|connection| {
                connection.lost.is_none() && connection.state == Some(ConnectionState::Disconnected)
            }) {
                self.tell_state(id, ConnectionState::Connected);
            }
            self.pump(id);
            self.check_path(id);
        }
    }

    /// All connections between two devices end, each end learns it when it does.
    pub(crate) fn end_connections(&mut self, a: usize, b: usize) {
        trace::line(self.now, || format!("connections n{a} n{b} end"));
        self.ledger.disturb(a, b);
        for id in self.between(a, b) {
            self.lose(id, true);
            if let Some(connection) = self.network.connections.get_mut(&id) {
                connection.doomed = true;
            }
            let at = self.now + self.random.between(0, 3_000);
            self.schedule(at, Happening::ConnectionEnded { id });
        }
    }

    /// The connections of a device that disappears.
    pub(crate) fn drop_connections(&mut self, owner: Life, tell: bool) {
        let own: Vec<_> = self
            .network
            .connections
            .iter()
            .filter(|(_, connection)| connection.owner == owner)
            .map(|(id, _)| *id)
            .collect();
        for id in own {
            self.remove_connection(id, tell);
        }
    }
}

impl Network {
    /// Whether something is wrong with the path between two devices, or with a connection of either of them.
    pub(crate) fn is_troubled(&self, a: usize, b: usize) -> bool {
        let theirs = |connection: &&PeerConnection| [a, b].contains(&connection.owner.node);
        let troubled = |connection: &PeerConnection| {
            connection.lost.is_some() || connection.stale || connection.doomed
        };
        self.down.contains(&pair(a, b)) || self.connections.values().filter(theirs).any(troubled)
    }
}
