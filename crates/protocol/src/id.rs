//! Ids that travel. Each kind is its own type, so that one can't be taken for another.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digits::BASE32;

/// A text that is not the id it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct InvalidId;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 128 bits; as text 26 lower-case characters of base 32 (RFC 4648).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these bits, which the caller drew at random.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bits.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let mut bytes = [0; 16];
                BASE32.decode(text, &mut bytes).ok_or(InvalidId)?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

text_id! {
    /// A device: what a person sees once, whatever endpoints it is present through.
    DeviceId
}
text_id! {
    /// One endpoint in the rooms of a signaling server, for the life of its socket. The server draws it.
    PeerId
}
text_id! {
    /// One attempt to connect two peers. The offerer draws it; signals of other attempts are stale.
    ConnectionId
}
text_id! {
    /// Where two paired devices find each other for an hour. It follows from what they share, and tells nobody else anything.
    PairTag
}

text_id! {
    /// The answerer's part of one attempt to connect, drawn at random: so that neither end alone decides what their
    /// [`handshake`](crate::handshake) is bound to.
    AnswerNonce
}

text_id! {
    /// A transfer for as long as it isn't over, on whatever connection: the sender draws it at random, and proposes the
    /// transfer under it again when a connection was lost.
    ResumeId
}

text_id! {
    /// Lets two peers into one relayed connection. The server draws it; whoever knows it may be one of the two.
    RelayTicket
}

/// A transfer on the wire: drawn by its sender, unique among the sender's transfers of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WireTransferId(pub u32);

/// A transfer inside one engine: both directions, all peers, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransferId(pub u32);

/// A received page, link or text inside one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemId(pub u32);

/// Something an engine host can read bytes from, named by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub u32);
