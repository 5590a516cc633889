//! The words of Tabferry: ids, limits, signaling messages, frames, manifests, received names, digests, keys, the handshake,
//! pairing, typed codes, and the vocabulary between an engine and whoever shows it. Everything that crosses a boundary is
//! parsed here into a type that cannot hold a wrong value. This crate knows no socket, clock, thread, file or randomness.
#![forbid(unsafe_code)]

pub mod address;
pub mod card;
pub mod code;
pub mod code_proof;
pub mod digest;
mod digits;
pub mod emoji;
pub mod fingerprint;
pub mod first_name;
pub mod frame;
pub mod handshake;
pub mod hex;
pub mod host;
pub mod id;
pub mod identity;
pub mod limits;
pub mod link;
pub mod manifest;
pub mod name;
pub mod native;
mod noise;
pub mod pair;
pub mod paired;
pub mod relay;
pub mod sas;
pub mod secret_code;
pub mod signaling;
pub mod signaling_address;
pub mod spelling;
mod tagged;
pub mod version;

/// Bytes that are not a message of this protocol. The guilty one is whoever encoded them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFrame {
    /// Nothing at all, or less than the fixed header.
    #[error("the frame is shorter than its header")]
    TooShort,
    /// Longer than the limit for its kind.
    #[error("the frame has {length} bytes, more than the {limit} allowed")]
    TooLong {
        /// Length of the refused frame in bytes.
        length: usize,
        /// The limit from [`limits`] that it broke.
        limit: usize,
    },
    /// The body does not parse, or breaks a limit inside.
    #[error("the frame cannot be read: {0}")]
    Malformed(String),
}

impl InvalidFrame {
    pub(crate) fn check_length(length: usize, limit: usize) -> Result<(), Self> {
        if length > limit {
            return Err(Self::TooLong { length, limit });
        }
        Ok(())
    }
}

impl From<serde_json::Error> for InvalidFrame {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}
