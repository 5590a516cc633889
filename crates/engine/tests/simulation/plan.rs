//! What a schedule is like: how many devices, how busy people are, how fast links and storage, how much goes wrong.

use crate::random::Random;

/// The frame of one schedule. Times in milliseconds, rates in bytes per millisecond, chances in percent.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub nodes: usize,
    /// People and faults act within this time; then everything calms down and must end well.
    pub active_ms: u64,
    /// Things that each person does.
    pub actions: u64,
    pub answering: Answering,
    /// Largest file.
    pub largest: u64,
    /// Bytes that all people together put on the way.
    pub budget: u64,
    pub signaling_delay: (u64, u64),
    pub latency: (u64, u64),
    pub link_rate: u64,
    pub sink_rate: u64,
    pub sink_delay: (u64, u64),
    pub source_delay: (u64, u64),
    pub faults: Faults,
    /// The node whose words can't be trusted.
    pub hostile: Option<usize>,
    /// Whether the signaling server talks nonsense in between.
    pub server_garbage: bool,
}

/// How people answer proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answering {
    /// Yes, no, or not before everything calms down.
    Random,
    /// Yes, soon.
    Accept,
    /// Only as the test says.
    Scripted,
}

/// How often what goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Times that the path between two devices is lost for a while.
    pub path_losses: u64,
    /// Times that all connections between two devices end.
    pub total_losses: u64,
    /// Times that the server is killed and started again.
    pub server_kills: u64,
    /// Times that one device loses its socket.
    pub socket_drops: u64,
    /// Times that a device's engine disappears and another one starts.
    pub crashes: u64,
    /// Chance that a step of a negotiation fails or hangs.
    pub negotiation: u64,
    /// Chance that the server refuses a signal as busy.
    pub busy: u64,
    /// Chance that a sink fails.
    pub sinks: u64,
    /// Chance that a source fails.
    pub sources: u64,
}

impl Plan {
    /// Nothing goes wrong and nobody does anything that the test doesn't say.
    pub(crate) fn scripted(nodes: usize) -> Self {
        Self {
            nodes,
            active_ms: 0,
            actions: 0,
            answering: Answering::Scripted,
            largest: 0,
            budget: 0,
            signaling_delay: (1, 20),
            latency: (1, 10),
            link_rate: 5_000,
            sink_rate: 50_000,
            sink_delay: (0, 5),
            source_delay: (0, 2),
            faults: Faults::default(),
            hostile: None,
            server_garbage: false,
        }
    }

    /// As chance has it.
    pub(crate) fn random(random: &mut Random) -> Self {
        let nodes = random.pick(&[2, 2, 2, 3, 3, 4, 5]);
        // A slow link or sink moves less in the same time.
        let link_rate = random.pick(&[40, 500, 5_000, 50_000]);
        let sink_rate = random.pick(&[50, 1_000, 20_000, 100_000]);
        let slow = link_rate < 100 || sink_rate < 100;
        let heavy = !slow && random.one_in(60);
        let hostile = random.one_in(5).then(|| random.index(nodes));
        Self {
            nodes,
            active_ms: random.pick(&[2_000, 20_000, 90_000]),
            actions: random.between(1, 8),
            answering: if random.one_in(3) {
                Answering::Accept
            } else {
                Answering::Random
            },
            largest: if heavy { 12 << 20 } else { 1 << 20 },
            budget: if heavy { 24 << 20 } else { 3 << 20 },
            signaling_delay: (0, random.pick(&[0, 5, 50, 400])),
            latency: (0, random.pick(&[0, 3, 30, 200])),
            link_rate,
            sink_rate,
            sink_delay: (0, random.pick(&[0, 5, 50, 500])),
            source_delay: (0, random.pick(&[0, 0, 2, 20])),
            faults: Faults::random(random),
            hostile,
            server_garbage: random.one_in(25),
        }
    }
}

impl Faults {
    /// A third of all schedules is calm, so that nothing excuses a transfer that doesn't end well.
    fn random(random: &mut Random) -> Self {
        if random.one_in(3) {
            return Self::default();
        }
        let mut some = |most| {
            if random.one_in(2) {
                random.between(0, most)
            } else {
                0
            }
        };
        Self {
            path_losses: some(3),
            total_losses: some(2),
            server_kills: some(2),
            socket_drops: some(2),
            crashes: some(2),
            negotiation: some(20),
            busy: some(10),
            sinks: some(30),
            sources: some(15),
        }
    }
}
