//! Why the server ends a WebSocket, and the close codes that say so (RFC 6455 section 7.4). The table for people is in
//! `docs/signaling.md`.

/// Why the server ends a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Not WebSocket.
    ProtocolError,
    /// A text message that is not UTF-8.
    NotText,
    /// A message beyond the limit.
    TooLong,
    /// No protocol version in common.
    Incompatible,
    /// No hello in time.
    HelloTimeout,
    /// Too many refused messages.
    TooManyRefusals,
    /// The client was silent for too long, pings included.
    SilenceTimeout,
    /// The server stops, or restarts.
    ShuttingDown,
    /// The client reads too slowly.
    TooSlow,
    /// The client's source has too many connections.
    TooManyConnections,
}

impl Ending {
    /// The close code.
    pub fn code(self) -> u16 {
        match self {
            Self::ProtocolError => 1002,
            Self::NotText => 1007,
            Self::Incompatible
            | Self::HelloTimeout
            | Self::TooManyRefusals
            | Self::SilenceTimeout => 1008,
            Self::TooLong => 1009,
            Self::ShuttingDown => 1012,
            Self::TooSlow | Self::TooManyConnections => 1013,
        }
    }

    /// The reason in the close frame: a constant word for machines.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ProtocolError => "protocol-error",
            Self::NotText => "not-text",
            Self::TooLong => "too-long",
            Self::Incompatible => "incompatible",
            Self::HelloTimeout => "hello-timeout",
            Self::TooManyRefusals => "too-many-refusals",
            Self::SilenceTimeout => "silence-timeout",
            Self::ShuttingDown => "shutting-down",
            Self::TooSlow => "too-slow",
            Self::TooManyConnections => "too-many-connections",
        }
    }
}
