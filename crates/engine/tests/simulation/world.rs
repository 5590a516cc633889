//! Several engines in one thread, with one clock that jumps from event to event. Everything follows from the seed. After
//! each step of an engine, what it tells is held against what the outside knows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use evil::Evil;
use tabferry_engine::{
    Channel, ConnectionKey, ConnectionState, Engine, FileFailure, FileKey, Input, Kept, Output,
    Time,
};
use tabferry_protocol::card::DeviceName;
use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::frame::{BulkHeader, ControlFrame};
use tabferry_protocol::host::{
    ConnectionView, SignalingProblem, Snapshot, SourceFile, Visibility, Visible,
};
use tabferry_protocol::id::{DeviceId, SourceId, TransferId};
use tabferry_protocol::identity::DeviceKey;
use tabferry_protocol::paired::PairedDevice;
use tabferry_protocol::secret_code::GroupCode;

use crate::ledger::{Ledger, Life, Told};
use crate::middle::Middle;
use crate::network::Network;
use crate::plan::Plan;
use crate::random::Random;
use crate::server::{SERVERS, Signaling};
use crate::storage::{CurrentChunk, PendingRead, SinkFile};
use crate::trace;

/// Steps after which a schedule is taken for endless.
const MOST_STEPS: u64 = 1_000_000;

/// The time of day at the beginning. Seconds since 1970.
const UNIX_SECONDS: u64 = 1_800_000_000;

/// What will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    SocketOpened {
        socket: u64,
    },
    SocketClosed {
        socket: u64,
        owner: Life,
        problem: SignalingProblem,
    },
    ServerReceives {
        socket: u64,
        text: String,
    },
    ServerLoses {
        socket: u64,
    },
    ClientReceives {
        socket: u64,
        owner: Life,
        text: String,
    },
    Described {
        id: u64,
        generation: u32,
    },
    Gathered {
        id: u64,
        generation: u32,
        number: Option<u64>,
    },
    IceGivesUp {
        id: u64,
        generation: u32,
    },
    PathChecked {
        id: u64,
        generation: u32,
        other_generation: u32,
    },
    ChannelsOpen {
        id: u64,
    },
    Drained {
        id: u64,
        channel: Channel,
    },
    Arrived {
        id: u64,
        channel: Channel,
        bytes: Vec<u8>,
    },
    LossNoticed {
        id: u64,
        loss: u64,
        state: ConnectionState,
    },
    ConnectionEnded {
        id: u64,
    },
    CertificateRefused {
        id: u64,
    },
    CloseTimeout {
        id: u64,
    },
    ChunkRead {
        owner: Life,
    },
    SinkWrites {
        owner: Life,
        key: FileKey,
        since: u64,
    },
    SinkFails {
        owner: Life,
        key: FileKey,
        failure: FileFailure,
    },
    Acts {
        node: usize,
    },
    Answered {
        owner: Life,
        transfer: TransferId,
        yes: bool,
    },
    Prepared {
        owner: Life,
        source: SourceId,
        file: Option<SourceFile>,
    },
    ReturnsToServer {
        owner: Life,
    },
    HostileActs,
    PathLost {
        a: usize,
        b: usize,
        stale: bool,
        back: u64,
    },
    PathFound {
        a: usize,
        b: usize,
    },
    ConnectionsEnd {
        a: usize,
        b: usize,
    },
    ServerKilled {
        server: usize,
        back: u64,
    },
    ServerStarted {
        server: usize,
    },
    SocketDropped {
        node: usize,
    },
    Crashed {
        node: usize,
        back: u64,
    },
    Started {
        node: usize,
    },
}

#[derive(Debug)]
struct Event {
    at: u64,
    sequence: u64,
    happening: Happening,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// A device and what its driver holds.
#[derive(Debug)]
pub(crate) struct Node {
    pub device: DeviceId,
    /// What its key is made of.
    pub key_seed: [u8; 32],
    /// What its driver keeps for it.
    pub paired: Vec<PairedDevice>,
    pub renames: u32,
    /// Who may find it.
    pub visibility: Visibility,
    pub groups: Vec<GroupCode>,
    /// Which server its person has chosen; none of ours if `None`.
    pub server: Option<usize>,
    pub life: u32,
    /// None while it is away.
    pub engine: Option<Engine>,
    pub socket: Option<u64>,
    pub connections: BTreeMap<ConnectionKey, u64>,
    pub sources: BTreeSet<SourceId>,
    pub next_source: u32,
    /// Through which connection a source was sent last.
    pub source_connections: BTreeMap<SourceId, u64>,
    pub reads: VecDeque<PendingRead>,
    /// Whether the next chunk is on its way.
    pub reading: bool,
    pub chunk: Option<CurrentChunk>,
    pub files: BTreeMap<FileKey, SinkFile>,
    pub told: BTreeMap<TransferId, Told>,
    /// The sending whose transfer the engine is about to name.
    pub linking: Option<usize>,
    pub snapshot: Snapshot,
    pub revision: u64,
    /// How late the next tick comes.
    lateness: u64,
    /// Ticks in a row after which another one was due at once.
    hurried: u32,
}

/// What came of it, in numbers.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub steps: u64,
    pub transfers: u64,
    pub done: u64,
    pub declined: u64,
    pub cancelled: u64,
    pub failed: u64,
    pub files_stored: u64,
    /// Transfers that nothing excused, all of which arrived.
    pub undisturbed: u64,
    /// Most bytes of one transfer that a receiver held in memory.
    pub most_unwritten: u64,
    /// Bytes of files that receivers were handed.
    pub bytes_received: u64,
}

/// What becomes of a frame on its way out.
type Alteration = fn(ControlFrame) -> ControlFrame;

/// All of it.
#[derive(Debug)]
pub(crate) struct World {
    pub now: u64,
    queue: BinaryHeap<Reverse<Event>>,
    pub sequence: u64,
    pub random: Random,
    pub plan: Plan,
    pub nodes: Vec<Node>,
    pub signaling: Signaling,
    /// What the servers deliver instead of what they should.
    pub evil: Option<Evil>,
    /// The attacker's own peer connections.
    pub middle: Middle,
    pub network: Network,
    pub ledger: Ledger,
    /// Whether faults have ended and people answer everything.
    pub quiet: bool,
    /// A node that says something else than its engine, and what.
    pub alter: Option<(usize, Alteration)>,
    pub tally: Tally,
}

impl World {
    /// A world at its beginning: every device is started at the first moment.
    pub(crate) fn new(random: Random, plan: Plan) -> Self {
        let mut world = Self {
            now: 0,
            queue: BinaryHeap::new(),
            sequence: 0,
            random,
            plan,
            nodes: Vec::new(),
            signaling: Signaling::default(),
            evil: None,
            middle: Middle::default(),
            network: Network::default(),
            ledger: Ledger::default(),
            quiet: false,
            alter: None,
            tally: Tally::default(),
        };
        for node in 0..world.plan.nodes {
            let key_seed = world.random.bytes();
            world.nodes.push(Node::new(key_seed));
            world.schedule(0, Happening::Started { node });
        }
        world
    }

    pub(crate) fn schedule(&mut self, at: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse(Event {
            at: at.max(self.now),
            sequence: self.sequence,
            happening,
        }));
    }

    pub(crate) fn life(&self, node: usize) -> Life {
        Life {
            node,
            life: self.nodes[node].life,
        }
    }

    pub(crate) fn is_alive(&self, owner: Life) -> bool {
        let node = &self.nodes[owner.node];
        node.life == owner.life && node.engine.is_some()
    }

    /// Whether anything stands between two devices that may excuse a transfer that begins now.
    pub(crate) fn is_troubled(&self, a: usize, b: usize) -> bool {
        let hostile = self.plan.server_garbage
            || self.attack().is_some()
            || self
                .plan
                .hostile
                .is_some_and(|hostile| hostile == a || hostile == b);
        hostile || !self.share_a_room(a, b) || self.network.is_troubled(a, b)
    }

    /// Whether descriptions, signals and frames may be others than the engines make.
    pub(crate) fn is_tampered(&self) -> bool {
        self.plan.hostile.is_some() || self.plan.server_garbage || self.evil.is_some()
    }

    /// Lets time pass until `end`.
    pub(crate) fn run_until(&mut self, end: u64) {
        while self.run_once(end) {}
        self.now = self.now.max(end);
    }

    /// Lets time pass until something is so. Panics if it is not within `limit` milliseconds.
    pub(crate) fn run_while(
        &mut self,
        what: &str,
        limit: u64,
        mut condition: impl FnMut(&Self) -> bool,
    ) {
        let end = self.now + limit;
        while condition(self) {
            assert!(self.run_once(end), "still, after {limit} ms: {what}");
        }
    }

    pub(crate) fn run_for(&mut self, milliseconds: u64) {
        self.run_until(self.now + milliseconds);
    }

    /// Does the next thing, if it is due by `end`.
    fn run_once(&mut self, end: u64) -> bool {
        let tick = |(index, node): (usize, &Node)| {
            Some((node.engine.as_ref()?.deadline()?.0 + node.lateness, index))
        };
        let tick = self.nodes.iter().enumerate().filter_map(tick).min();
        let event = self.queue.peek().map(|Reverse(event)| event.at);
        match (tick, event) {
            (Some((at, node)), event) if at <= end && event.is_none_or(|event| at < event) => {
                self.now = self.now.max(at);
                self.tick(node);
                true
            }
            (_, Some(at)) if at <= end => {
                self.now = self.now.max(at);
                let Some(Reverse(event)) = self.queue.pop() else {
                    return false;
                };
                self.happen(event.happening);
                true
            }
            _ => false,
        }
    }

    fn tick(&mut self, node: usize) {
        self.step(node, Input::Tick);
        self.nodes[node].lateness = if self.random.one_in(4) {
            self.random.below(200)
        } else {
            0
        };
        let due = self.nodes[node].engine.as_ref().and_then(Engine::deadline);
        let hurried = if due.is_some_and(|due| due.0 <= self.now) {
            self.nodes[node].hurried + 1
        } else {
            0
        };
        self.nodes[node].hurried = hurried;
        assert!(
            hurried < 2,
            "ticks don't bring the engine of n{node} any further"
        );
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::SocketOpened { socket } => self.socket_opened(socket),
            Happening::SocketClosed {
                socket,
                owner,
                problem,
            } => self.socket_closed(socket, owner, problem),
            Happening::ServerReceives { socket, text } => self.server_receives(socket, &text),
            Happening::ServerLoses { socket } => self.server_loses(socket),
            Happening::ClientReceives {
                socket,
                owner,
                text,
            } => self.client_receives(socket, owner, &text),
            Happening::Described { id, generation } => self.described(id, generation),
            Happening::Gathered {
                id,
                generation,
                number,
            } => self.gathered(id, generation, number),
            Happening::IceGivesUp { id, generation } => self.ice_gives_up(id, generation),
            Happening::PathChecked {
                id,
                generation,
                other_generation,
            } => {
                self.path_checked(id, generation, other_generation);
            }
            Happening::ChannelsOpen { id } => self.channels_open(id),
            Happening::Drained { id, channel } => self.drained(id, channel),
            Happening::Arrived { id, channel, bytes } => self.arrive(id, channel, bytes),
            Happening::LossNoticed { id, loss, state } => self.loss_noticed(id, loss, state),
            Happening::ConnectionEnded { id } => self.connection_ended(id),
            Happening::CertificateRefused { id } => self.certificate_refused(id),
            Happening::CloseTimeout { id } => self.finish_close(id, true),
            Happening::ChunkRead { owner } => self.chunk_read(owner),
            Happening::SinkWrites { owner, key, since } => self.sink_writes(owner, key, since),
            Happening::SinkFails {
                owner,
                key,
                failure,
            } => self.sink_fails(owner, key, failure),
            Happening::Acts { node } => self.act(node),
            Happening::Answered {
                owner,
                transfer,
                yes,
            } => self.answer(owner, transfer, yes),
            Happening::Prepared {
                owner,
                source,
                file,
            } => self.prepared(owner, source, file),
            Happening::ReturnsToServer { owner } => {
                if self.is_alive(owner) && self.nodes[owner.node].server != Some(0) {
                    self.nodes[owner.node].server = Some(0);
                    self.configure(owner.node);
                }
            }
            Happening::HostileActs => self.act_hostile(),
            Happening::PathLost { a, b, stale, back } => {
                self.lose_path(a, b, stale);
                self.schedule(self.now + back, Happening::PathFound { a, b });
            }
            Happening::PathFound { a, b } => self.find_path(a, b),
            Happening::ConnectionsEnd { a, b } => self.end_connections(a, b),
            Happening::ServerKilled { server, back } => {
                for a in 0..self.nodes.len() {
                    for b in 0..a {
                        if !self.are_connected(a, b) {
                            self.ledger.disturb(a, b);
                        }
                    }
                }
                self.kill_server(server);
                self.schedule(self.now + back, Happening::ServerStarted { server });
            }
            Happening::ServerStarted { server } => self.start_server(server),
            Happening::SocketDropped { node } => {
                (0..self.nodes.len()).for_each(|other| self.ledger.disturb(node, other));
                self.drop_socket(node);
            }
            Happening::Crashed { node, back } => {
                self.crash(node);
                self.schedule(self.now + back, Happening::Started { node });
            }
            Happening::Started { node } => self.start(node),
        }
    }

    fn start(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            trace::line(self.now, || format!("n{node} starts"));
            let seed = self.random.bytes();
            let kept = Kept {
                key: DeviceKey::from_seed(&self.nodes[node].key_seed),
                paired: self.nodes[node].paired.clone(),
            };
            let unix_seconds = UNIX_SECONDS + self.now / 1000;
            self.nodes[node].engine = Some(Engine::new(
                EndpointKind::Browser,
                kept,
                seed,
                Time(self.now),
                unix_seconds,
            ));
            self.configure(node);
        }
    }

    fn altered(&self, node: usize, frame: Vec<u8>) -> Vec<u8> {
        match self.alter {
            Some((liar, alter)) if liar == node => {
                alter(ControlFrame::decode(&frame).expect("a frame of an engine")).encode()
            }
            _ => frame,
        }
    }

    /// A device's engine disappears. Others learn it at once, or have to find out.
    fn crash(&mut self, node: usize) {
        let told = self.random.one_in(2);
        let noticed = self.random.pick(&[0, 30_000]);
        self.disappear(node, told, noticed);
    }

    /// A device's engine disappears; the server knows at once, its peers are not told.
    pub(crate) fn vanish(&mut self, node: usize) {
        self.disappear(node, false, 0);
    }

    /// A device's engine disappears with all that it and its driver held. `told`: whether its connections end at their
    /// other ends. `noticed`: when the server knows, in milliseconds.
    fn disappear(&mut self, node: usize, told: bool, noticed: u64) {
        if self.nodes[node].engine.is_none() {
            return;
        }
        trace::line(self.now, || format!("n{node} disappears"));
        let owner = self.life(node);
        (0..self.nodes.len()).for_each(|other| self.ledger.disturb(node, other));
        self.ledger.crash(node);
        if let Some(socket) = self.nodes[node].socket {
            self.schedule(self.now + noticed, Happening::ServerLoses { socket });
        }
        self.drop_connections(owner, told);
        let old = &self.nodes[node];
        let (life, renames, next_source) = (old.life + 1, old.renames, old.next_source);
        self.nodes[node] = Node {
            paired: old.paired.clone(),
            life,
            renames,
            visibility: old.visibility,
            groups: old.groups.clone(),
            next_source,
            ..Node::new(old.key_seed)
        };
    }

    /// Faults end, whoever is away comes back, and people answer what waits.
    pub(crate) fn calm_down(&mut self) {
        trace::line(self.now, || "everything calms down".to_owned());
        self.quiet = true;
        if self.plan.server_garbage {
            // What it has not said, nobody will learn before they come back.
            (0..SERVERS.len()).for_each(|server| self.kill_server(server));
        }
        (0..SERVERS.len()).for_each(|server| self.start_server(server));
        for a in 0..self.nodes.len() {
            (0..a).for_each(|b| self.find_path(a, b));
        }
        for node in 0..self.nodes.len() {
            self.start(node);
            if self.nodes[node].server != Some(0) {
                self.nodes[node].server = Some(0);
                self.configure(node);
            }
            let incoming: Vec<_> = self.nodes[node]
                .snapshot
                .incoming
                .iter()
                .map(|proposal| proposal.transfer)
                .collect();
            incoming
                .into_iter()
                .for_each(|transfer| self.consider(node, transfer));
        }
    }

    /// Hands one input to an engine and does what it asks.
    pub(crate) fn step(&mut self, node: usize, input: Input<'_>) {
        self.tally.steps += 1;
        assert!(self.tally.steps < MOST_STEPS, "no end in sight");
        trace::line(self.now, || format!("n{node} <- {}", trace::input(&input)));
        let data = match input {
            Input::Frame {
                bytes,
                channel: Channel::Bulk,
                ..
            } => bytes.get(BulkHeader::BYTES..).unwrap_or_default(),
            _ => &[],
        };
        let holds = &self.nodes[node];
        let most = 300
            + 8 * (holds.sources.len()
                + holds.files.len()
                + holds.told.len()
                + holds.connections.len());
        let Some(engine) = self.nodes[node].engine.as_mut() else {
            panic!("an input for a device that is away")
        };
        engine.handle(Time(self.now), input);
        let mut outputs = Vec::new();
        while let Some(output) = engine.poll() {
            outputs.push(output);
            assert!(
                outputs.len() <= most,
                "more than {most} outputs of one input"
            );
        }
        for output in outputs {
            trace::line(self.now, || {
                format!("n{node} -> {}", trace::output(&output))
            });
            self.perform(node, output, data);
        }
        self.observe(node);
    }

    fn perform(&mut self, node: usize, output: Output, data: &[u8]) {
        match output {
            Output::OpenSignaling { server } => self.open_socket(node, &server),
            Output::SendSignaling(text) => self.send_to_server(node, text),
            Output::CloseSignaling => self.close_socket(node),
            Output::OpenConnection { connection, .. } => self.open_connection(node, connection),
            Output::MakeOffer {
                connection,
                restart,
            } => self.make_offer(node, connection, restart),
            Output::ApplyOffer { connection, sdp } => self.apply_offer(node, connection, &sdp),
            Output::ApplyAnswer { connection, sdp } => self.apply_answer(node, connection, &sdp),
            Output::ApplyCandidate {
                connection,
                candidate,
            } => {
                self.apply_candidate(
                    node,
                    connection,
                    candidate.as_ref().map(|(candidate, _)| candidate.as_str()),
                );
            }
            Output::CloseConnection { connection } => self.close_connection(node, connection),
            Output::SendControl { connection, frame } => {
                let frame = self.altered(node, frame);
                for frame in self.mangle(node, Channel::Control, frame) {
                    self.queue_frame(node, connection, Channel::Control, frame);
                }
            }
            Output::SendBulk { connection, header } => {
                let id = self.nodes[node].connections[&connection];
                let frame = self.take_chunk(node, header, id);
                for frame in self.mangle(node, Channel::Bulk, frame) {
                    self.queue_frame(node, connection, Channel::Bulk, frame);
                }
            }
            Output::Read {
                read,
                source,
                offset,
                bytes,
            } => self.read(node, read, source, offset, bytes),
            Output::ReleaseSource { source } => self.release_source(node, source),
            Output::OpenFile {
                file,
                folder,
                name,
                bytes,
                ..
            } => {
                self.check_folder(&folder, &name);
                self.open_file(node, file, &name, bytes);
            }
            Output::Write { file } => self.write(node, file, data),
            Output::CommitFile { file } => self.commit_file(node, file),
            Output::AbortFile { file } => self.abort_file(node, file),
            Output::Event(event) => self.hear(node, event),
            Output::KeepPaired(paired) => self.nodes[node].paired = paired,
            Output::OwnPeer(_) => {}
        }
    }
}

impl Node {
    fn new(key_seed: [u8; 32]) -> Self {
        Self {
            device: DeviceId::of(&DeviceKey::from_seed(&key_seed).public()),
            key_seed,
            paired: Vec::new(),
            renames: 0,
            visibility: Visibility::Everyone,
            groups: Vec::new(),
            server: Some(0),
            life: 0,
            engine: None,
            socket: None,
            connections: BTreeMap::new(),
            sources: BTreeSet::new(),
            next_source: 0,
            source_connections: BTreeMap::new(),
            reads: VecDeque::new(),
            reading: false,
            chunk: None,
            files: BTreeMap::new(),
            told: BTreeMap::new(),
            linking: None,
            snapshot: Snapshot {
                device: None,
                connection: ConnectionView::Connecting,
                visible: Visible::Everyone,
                devices: Vec::new(),
                incoming: Vec::new(),
                transfers: Vec::new(),
                items: Vec::new(),
            },
            revision: 0,
            lateness: 0,
            hurried: 0,
        }
    }

    /// The names of the devices that it sees.
    pub(crate) fn sees(&self) -> Vec<&DeviceName> {
        self.snapshot
            .devices
            .iter()
            .map(|device| &device.name)
            .collect()
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.transfers += other.transfers;
        self.done += other.done;
        self.declined += other.declined;
        self.cancelled += other.cancelled;
        self.failed += other.failed;
        self.files_stored += other.files_stored;
        self.undisturbed += other.undisturbed;
        self.bytes_received += other.bytes_received;
        self.most_unwritten = self.most_unwritten.max(other.most_unwritten);
    }
}
