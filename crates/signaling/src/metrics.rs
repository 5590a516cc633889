//! What an operator may watch: counts, never addresses, ids or names.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tabferry_protocol::relay::RelayEnd;
use tabferry_protocol::signaling::{ServerMessage, SignalingCode};

use crate::close::Ending;
use crate::rooms::Rooms;

/// Why a connection was refused before it became a WebSocket.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    /// The server holds as many as it may.
    ServerFull,
    /// The source opens them too fast.
    TooFast,
    /// A web page that is not allowed.
    Origin,
    /// No TLS, HTTP or WebSocket handshake in time, or not a correct one.
    Handshake,
}

/// The metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    connections: Counter,
    refused: Family<Reason, Counter>,
    messages: Counter,
    errors: Family<Code, Counter>,
    closes: Family<Close, Counter>,
    doubtful_forwarding: Counter,
    relays: Gauge<i64, AtomicI64>,
    relayed_bytes: Counter,
    relay_closes: Family<Close, Counter>,
    peers: Gauge<i64, AtomicI64>,
    /// In the order of [`KINDS`]: a look-up for each message would be too much.
    rooms: [Gauge<i64, AtomicI64>; 4],
}

/// Kinds of rooms.
const KINDS: [&str; 4] = ["nearby", "code", "group", "pair"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Close {
    code: u32,
    reason: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tabferry_signaling");
        let rooms = Family::<Kind, Gauge<i64, AtomicI64>>::default();
        let metrics = Self {
            connections: Counter::default(),
            refused: Family::default(),
            messages: Counter::default(),
            errors: Family::default(),
            closes: Family::default(),
            doubtful_forwarding: Counter::default(),
            relays: Gauge::default(),
            relayed_bytes: Counter::default(),
            relay_closes: Family::default(),
            peers: Gauge::default(),
            rooms: KINDS.map(|kind| rooms.get_or_create(&Kind { kind }).clone()),
            registry: Registry::default(),
        };
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", version);
        registry.register(
            "connections",
            "WebSockets opened",
            metrics.connections.clone(),
        );
        registry.register(
            "refused",
            "Connections refused before they were WebSockets",
            metrics.refused.clone(),
        );
        registry.register(
            "messages",
            "Messages received from peers",
            metrics.messages.clone(),
        );
        registry.register("errors", "Errors answered", metrics.errors.clone());
        registry.register(
            "closes",
            "WebSockets closed by the server",
            metrics.closes.clone(),
        );
        registry.register(
            "doubtful_forwarding",
            "X-Forwarded-For headers that were not believed or not readable, or missing",
            metrics.doubtful_forwarding.clone(),
        );
        registry.register("relays", "Relayed connections now", metrics.relays.clone());
        registry.register(
            "relayed_bytes",
            "Bytes relayed, counted where they come in",
            metrics.relayed_bytes.clone(),
        );
        registry.register(
            "relay_closes",
            "Sockets of relays closed by the server",
            metrics.relay_closes.clone(),
        );
        registry.register("peers", "Peers connected now", metrics.peers.clone());
        registry.register("rooms", "Rooms in use now", rooms);
        Self {
            registry,
            ..metrics
        }
    }

    pub(crate) fn count_connection(&self) {
        self.connections.inc();
    }

    pub(crate) fn count_message(&self) {
        self.messages.inc();
    }

    pub(crate) fn count_doubtful_forwarding(&self) {
        self.doubtful_forwarding.inc();
    }

    pub(crate) fn count_refusal(&self, refusal: Refusal) {
        let reason = match refusal {
            Refusal::ServerFull => "server-full",
            Refusal::TooFast => "too-fast",
            Refusal::Origin => "origin",
            Refusal::Handshake => "handshake",
        };
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    /// Counts an answer if it is an error.
    pub(crate) fn count_answer(&self, message: &ServerMessage) {
        if let ServerMessage::Error { code, .. } = message {
            self.errors.get_or_create(&Code { code: word(*code) }).inc();
        }
    }

    pub(crate) fn count_close(&self, ending: Ending) {
        let close = Close {
            code: ending.code().into(),
            reason: ending.reason(),
        };
        self.closes.get_or_create(&close).inc();
    }

    pub(crate) fn count_relay_begun(&self) {
        self.relays.inc();
    }

    pub(crate) fn count_relay_ended(&self) {
        self.relays.dec();
    }

    pub(crate) fn count_relayed(&self, bytes: u64) {
        self.relayed_bytes.inc_by(bytes);
    }

    pub(crate) fn count_relay_close(&self, end: RelayEnd) {
        let close = Close {
            code: end.code().into(),
            reason: end.reason(),
        };
        self.relay_closes.get_or_create(&close).inc();
    }

    pub(crate) fn set_population(&self, rooms: &Rooms) {
        self.peers.set(count(rooms.peers()));
        let census = rooms.census();
        let numbers = [census.nearby, census.code, census.group, census.pair];
        for (gauge, number) in self.rooms.iter().zip(numbers) {
            gauge.set(count(number));
        }
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The code as it stands on the wire.
fn word(code: SignalingCode) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
