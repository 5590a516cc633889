//! What can be set, and the defaults. The numbers themselves are in `tabferry_protocol::limits`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use tabferry_protocol::limits;
use tabferry_protocol::signaling::IceServer;

use crate::bucket::Rate;
use crate::codes::CodeQuotas;
use crate::origin::AllowedOrigins;
use crate::outbox::QueueLimits;
use crate::proxy::TrustedProxies;
use crate::relays::RelayQuotas;
use crate::rooms::PeerQuotas;
use crate::sources::SourceQuotas;
use crate::tls::TlsFiles;
use crate::turn::TurnConfig;

/// Everything a server needs to know to start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Announced to every peer, at most [`limits::ICE_SERVERS`].
    pub ice_servers: Vec<IceServer>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Web origins that may connect, besides extensions.
    pub allowed_origins: AllowedOrigins,
    /// Certificate and key; without them the server speaks plain `ws://`.
    pub tls: Option<TlsFiles>,
    /// TURN servers that share a secret with this one: announced with credentials of their own for each peer.
    pub turn: Option<TurnConfig>,
    /// Whether and how the server relays.
    pub relay: Option<RelayLimits>,
    /// Whether addresses of clients appear in the log.
    pub log_addresses: bool,
    /// See there.
    pub limits: Limits,
}

/// Every bound of relaying.
#[derive(Debug, Clone, Copy)]
pub struct RelayLimits {
    /// See there.
    pub quotas: RelayQuotas,
    /// Bytes that one end may have on their way to the other.
    pub credit: u64,
    /// How long one write may block.
    pub blocked_write: Duration,
}

/// Every bound of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub connections: NonZeroU32,
    /// Those of them that have not said hello.
    pub pending: NonZeroU32,
    /// From arrival to hello.
    pub handshake: Duration,
    /// What one source may have.
    pub sources: SourceQuotas,
    /// What one peer may do.
    pub peers: PeerQuotas,
    /// What may be done with codes.
    pub codes: CodeQuotas,
    /// What may wait for one socket.
    pub queue: QueueLimits,
    /// How long one write may block.
    pub blocked_write: Duration,
    /// How often a socket is pinged.
    pub ping_interval: Duration,
    /// After how much silence a socket is dead.
    pub silence: Duration,
    /// How long sockets may take to close when the server stops.
    pub drain: Duration,
}

impl Config {
    /// A server at `listen` with the defaults.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            ice_servers: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            allowed_origins: AllowedOrigins::default(),
            tls: None,
            turn: None,
            relay: Some(RelayLimits::default()),
            log_addresses: false,
            limits: Limits::default(),
        }
    }
}

#[expect(
    clippy::unwrap_used,
    reason = "evaluated by the compiler, which refuses a zero"
)]
const fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// Bytes of so many GiB.
pub fn gib(number: NonZeroU32) -> u64 {
    u64::from(number.get()) << 30
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            quotas: RelayQuotas {
                relays: const { number(limits::RELAYS) },
                source_relays: const { number(limits::SOURCE_RELAYS) },
                tickets: limits::RELAY_TICKETS,
                source_tickets: const { number(limits::SOURCE_RELAY_TICKETS) },
                ticket_life: Duration::from_millis(limits::RELAY_TICKET_LIFE_MS),
                source_bytes_per_day: gib(const { number(limits::SOURCE_RELAY_GIB_PER_DAY) }),
                limit_private: false,
            },
            credit: limits::RELAY_CREDIT_BYTES,
            blocked_write: Duration::from_millis(limits::RELAY_BLOCKED_WRITE_MS),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: const { number(limits::SERVER_CONNECTIONS) },
            pending: const { number(limits::PENDING_CONNECTIONS) },
            handshake: Duration::from_millis(limits::HANDSHAKE_TIMEOUT_MS),
            sources: SourceQuotas {
                connections: const { number(limits::SOURCE_CONNECTIONS) },
                new: Rate {
                    burst: const { number(limits::SOURCE_NEW_BURST) },
                    per_minute: const { number(limits::SOURCE_NEW_PER_MINUTE) },
                },
                limit_private: false,
            },
            peers: PeerQuotas {
                messages: Rate {
                    burst: const { number(limits::MESSAGES_BURST) },
                    per_minute: const { number(limits::MESSAGES_PER_MINUTE) },
                },
                refusals: Rate {
                    burst: const { number(limits::REFUSALS_BURST) },
                    per_minute: const { number(limits::REFUSALS_PER_MINUTE) },
                },
            },
            codes: CodeQuotas {
                life: Duration::from_millis(limits::CODE_LIFE_MS),
                guests: const { number(limits::CODE_GUESTS) },
                open: const { number(limits::SOURCE_CODES) },
                attempts: Rate {
                    burst: const { number(limits::CODE_ATTEMPTS_PER_MINUTE) },
                    per_minute: const { number(limits::CODE_ATTEMPTS_PER_MINUTE) },
                },
                lasting_attempts: Rate {
                    burst: const { number(limits::CODE_ATTEMPTS_PER_HOUR) },
                    per_minute: const { number(limits::CODE_ATTEMPTS_PER_HOUR / 60) },
                },
                limit_private: false,
            },
            queue: QueueLimits {
                messages: limits::QUEUE_MESSAGES,
                bytes: limits::QUEUE_BYTES,
            },
            blocked_write: Duration::from_millis(limits::BLOCKED_WRITE_MS),
            ping_interval: Duration::from_millis(limits::PING_INTERVAL_MS),
            silence: Duration::from_millis(limits::SILENCE_TIMEOUT_MS),
            drain: Duration::from_millis(limits::DRAIN_TIMEOUT_MS),
        }
    }
}
