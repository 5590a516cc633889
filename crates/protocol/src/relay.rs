//! Words of a relay's socket: a text message with one JSON object to join, then binary messages that the server passes on
//! unread, and texts of the server. It must not know what is relayed, nor who asked for it.

use serde::Serialize;

use crate::InvalidFrame;
use crate::id::RelayTicket;
use crate::limits::RELAY_MESSAGE_BYTES;
use crate::tagged::tagged;

/// Where the WebSocket is, on every server that relays.
pub const PATH: &str = "/v1/relay";

tagged! {
    "type"

    /// What an end says to the server.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum RelayClientMessage {
        /// First message, within ten seconds, and the only text.
        Join {
            /// From signaling.
            ticket: RelayTicket,
        },
        /// A kind of a newer version; refused as [`RelayEnd::InvalidMessage`].
        #[serde(other)]
        Unknown,
    }
}

tagged! {
    "type"

    /// What the server says to an end.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum RelayServerMessage {
        /// Both ends are there.
        Joined {
            /// Bytes that we may have on their way.
            credit: u64,
        },
        /// So many bytes of ours have gone on to the other end: as many more may be sent.
        Credit {
            /// How many.
            bytes: u64,
        },
        /// A kind of a newer version, to be ignored.
        #[serde(other)]
        Unknown,
    }
}

impl RelayClientMessage {
    /// The message as JSON.
    pub fn encode(&self) -> String {
        encode(self)
    }

    /// Reads an end's message.
    pub fn decode(text: &str) -> Result<Self, InvalidFrame> {
        InvalidFrame::check_length(text.len(), RELAY_MESSAGE_BYTES)?;
        Ok(serde_json::from_str(text)?)
    }
}

impl RelayServerMessage {
    /// The message as JSON.
    pub fn encode(&self) -> String {
        encode(self)
    }

    /// Reads the server's message.
    pub fn decode(text: &str) -> Result<Self, InvalidFrame> {
        InvalidFrame::check_length(text.len(), RELAY_MESSAGE_BYTES)?;
        Ok(serde_json::from_str(text)?)
    }
}

fn encode<T: Serialize>(message: &T) -> String {
    #[expect(clippy::expect_used, reason = "the messages have string keys only")]
    serde_json::to_string(message).expect("messages always serialize")
}

/// Why the server closes a relay's socket: a close code (RFC 6455 section 7.4) and a constant word for machines. The table
/// for people is in `docs/signaling.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayEnd {
    /// The other end has closed its socket, or lost it. Everything that it sent before has been delivered.
    PeerLeft,
    /// Not WebSocket.
    ProtocolError,
    /// A text message that is not UTF-8.
    NotText,
    /// No ticket where one was due, a text after it, or a message of no bytes.
    InvalidMessage,
    /// No ticket in time.
    JoinTimeout,
    /// The ticket was never given out, has been used twice, or is too old.
    UnknownTicket,
    /// The other end did not come in time.
    PeerMissing,
    /// More bytes on their way than there was credit for.
    CreditExceeded,
    /// Nothing was heard for too long, pings included.
    SilenceTimeout,
    /// A message beyond [`RELAY_FRAME_BYTES`](crate::limits::RELAY_FRAME_BYTES).
    TooLong,
    /// The server stops, or restarts.
    ShuttingDown,
    /// A write was blocked for too long.
    TooSlow,
    /// The source that asked for the connection has relayed as much as it may, or too many connections.
    Quota,
    /// The server relays as many connections as it may.
    Busy,
}

impl RelayEnd {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::PeerLeft,
        Self::ProtocolError,
        Self::NotText,
        Self::InvalidMessage,
        Self::JoinTimeout,
        Self::UnknownTicket,
        Self::PeerMissing,
        Self::CreditExceeded,
        Self::SilenceTimeout,
        Self::TooLong,
        Self::ShuttingDown,
        Self::TooSlow,
        Self::Quota,
        Self::Busy,
    ];

    /// The close code.
    pub const fn code(self) -> u16 {
        match self {
            Self::PeerLeft => 1000,
            Self::ProtocolError => 1002,
            Self::NotText => 1007,
            Self::InvalidMessage
            | Self::JoinTimeout
            | Self::UnknownTicket
            | Self::PeerMissing
            | Self::CreditExceeded
            | Self::SilenceTimeout => 1008,
            Self::TooLong => 1009,
            Self::ShuttingDown => 1012,
            Self::TooSlow | Self::Quota | Self::Busy => 1013,
        }
    }

    /// The reason in the close frame.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::PeerLeft => "peer-left",
            Self::ProtocolError => "protocol-error",
            Self::NotText => "not-text",
            Self::InvalidMessage => "invalid-message",
            Self::JoinTimeout => "join-timeout",
            Self::UnknownTicket => "unknown-ticket",
            Self::PeerMissing => "peer-missing",
            Self::CreditExceeded => "credit-exceeded",
            Self::SilenceTimeout => "silence-timeout",
            Self::TooLong => "too-long",
            Self::ShuttingDown => "shutting-down",
            Self::TooSlow => "too-slow",
            Self::Quota => "relay-quota",
            Self::Busy => "busy",
        }
    }

    /// What a close frame's reason says; `None` if this version has no such word.
    pub fn from_reason(reason: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.reason() == reason)
    }
}
