//! Why something ended: one closed set of codes, on the wire and towards whoever shows them. The words that a person
//! reads belong to the code's message in `_locales`, never to this file.

use serde::{Deserialize, Serialize};

/// Why a transfer, a session or a request ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A person stopped it.
    Cancelled,
    /// A person, or a rule of theirs, said no.
    Declined,
    /// Nobody answered the proposal in time.
    NoAnswer,
    /// The device is not there.
    PeerNotFound,
    /// The device went away in mid-way.
    PeerGone,
    /// No connection came up in time.
    Unreachable,
    /// The connection broke and did not come back.
    ConnectionLost,
    /// Nothing moved for too long.
    Stalled,
    /// The other end speaks no version that we do, or asks for something of a newer one.
    Incompatible,
    /// The other end sent bytes that are no frame.
    InvalidFrame,
    /// The other end broke the rules of the protocol.
    PeerMisbehaved,
    /// The other end could not prove who it is: a fault, or somebody in between.
    Unverified,
    /// The other end could not prove to have the same typed code.
    WrongCode,
    /// Too many of these at once.
    Busy,
    /// More entries or bytes than allowed.
    TooLarge,
    /// The link is not one that may be sent or opened (only http and https are).
    ForbiddenLink,
    /// The file changed or vanished while it was read.
    SourceFailed,
    /// What was to be fetched could not be had.
    FetchFailed,
    /// No space left where the file should go.
    StorageFull,
    /// The file could not be stored.
    StorageFailed,
    /// The bytes that arrived are not those that were sent.
    DigestMismatch,
    /// A code of a newer version.
    #[serde(other)]
    Unknown,
}

impl Code {
    /// Every code that this version can produce, for tables and tests.
    pub const ALL: [Self; 22] = [
        Self::Cancelled,
        Self::Declined,
        Self::NoAnswer,
        Self::PeerNotFound,
        Self::PeerGone,
        Self::Unreachable,
        Self::ConnectionLost,
        Self::Stalled,
        Self::Incompatible,
        Self::InvalidFrame,
        Self::PeerMisbehaved,
        Self::Unverified,
        Self::WrongCode,
        Self::Busy,
        Self::TooLarge,
        Self::ForbiddenLink,
        Self::SourceFailed,
        Self::FetchFailed,
        Self::StorageFull,
        Self::StorageFailed,
        Self::DigestMismatch,
        Self::Unknown,
    ];
}
