//! What two paired devices share: a secret of two halves, and the tag under which they find each other for an hour. Knows
//! hours, but no clock; must not know how secrets are stored or what a server makes of tags.
//!
//! A tag is a room on a signaling server that only the two can name. The tags of two hours, or of two pairs, can't be
//! linked without the secret, so no server learns that the same two devices come back.

use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::hex::{self, InvalidHex};
use crate::id::PairTag;
use crate::limits::PAIR_TAG_OVERLAP_SECONDS;

/// What BLAKE3 derives the secret and the key of its tags under.
const SECRET_CONTEXT: &str = "tabferry pair secret v1";
const CODE_SECRET_CONTEXT: &str = "tabferry code pair secret v1";
const TAG_CONTEXT: &str = "tabferry pair tag v1";

/// One tag serves for this long.
const HOUR_SECONDS: u64 = 60 * 60;

/// One end's part of the secret: 32 bytes that it drew at random for this pairing; as text 64 lower-case hexadecimal
/// characters. Is sent to the other end once a person has found the strings to be the same, only over a path that encrypts;
/// is not printed, and wiped from memory when dropped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PairHalf(Zeroizing<[u8; 32]>);

impl PairHalf {
    /// The half with these bytes, which the caller drew at random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl TryFrom<String> for PairHalf {
    type Error = InvalidHex;

    fn try_from(text: String) -> Result<Self, InvalidHex> {
        let text = Zeroizing::new(text);
        hex::decode(&text).map(Self::from_bytes)
    }
}

impl From<PairHalf> for String {
    fn from(half: PairHalf) -> Self {
        hex::encode(&half.0[..])
    }
}

/// In the same time for all values.
impl PartialEq for PairHalf {
    fn eq(&self, other: &Self) -> bool {
        blake3::Hash::from_bytes(*self.0) == blake3::Hash::from_bytes(*other.0)
    }
}

impl Eq for PairHalf {}

impl fmt::Debug for PairHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairHalf")
    }
}

/// What two paired devices share, 32 bytes. Is not printed, and wiped from memory when dropped. Whoever has it finds both
/// devices; it proves nobody's key and opens nothing.
#[derive(Clone)]
pub struct PairSecret(Zeroizing<[u8; 32]>);

impl PairSecret {
    /// The secret of two halves: of the end that asked to pair, and of the other. Both ends must give them in this order.
    pub fn of_halves(asker: &PairHalf, asked: &PairHalf) -> Self {
        let material = Zeroizing::new([&asker.0[..], &asked.0[..]].concat());
        Self(Zeroizing::new(blake3::derive_key(
            SECRET_CONTEXT,
            &material,
        )))
    }

    /// The secret of two devices that proved to have the same code: of what both share after that proof.
    pub(crate) fn of_code(shared: &[u8]) -> Self {
        Self(Zeroizing::new(blake3::derive_key(
            CODE_SECRET_CONTEXT,
            shared,
        )))
    }

    /// The secret as text, for storing: 64 lower-case hexadecimal characters.
    pub fn expose_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(&self.0[..]))
    }

    /// The secret that was stored. Errors on a text that [`PairSecret::expose_text`] did not write.
    pub fn from_text(text: &str) -> Result<Self, InvalidHex> {
        hex::decode(text).map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Where the two devices find each other in this hour since 1970.
    pub fn tag(&self, hour: u64) -> PairTag {
        let key = Zeroizing::new(blake3::derive_key(TAG_CONTEXT, &self.0[..]));
        let tag = blake3::keyed_hash(&key, &hour.to_le_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&tag.as_bytes()[..16]);
        PairTag::from_bytes(bytes)
    }
}

/// In the same time for all values.
impl PartialEq for PairSecret {
    fn eq(&self, other: &Self) -> bool {
        blake3::Hash::from_bytes(*self.0) == blake3::Hash::from_bytes(*other.0)
    }
}

impl Eq for PairSecret {}

impl fmt::Debug for PairSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairSecret")
    }
}

/// When [`hours_around`] gives others than at this moment. Both are seconds since 1970.
pub fn next_change(unix_seconds: u64) -> u64 {
    let passed = unix_seconds % HOUR_SECONDS;
    let changes = [
        PAIR_TAG_OVERLAP_SECONDS,
        HOUR_SECONDS - PAIR_TAG_OVERLAP_SECONDS,
        HOUR_SECONDS + PAIR_TAG_OVERLAP_SECONDS,
    ];
    let next = changes.into_iter().find(|change| *change > passed);
    unix_seconds.saturating_add(next.unwrap_or(HOUR_SECONDS) - passed)
}

/// The hours under whose tags a device should be found at this moment (seconds since 1970): the current one first, and within
/// [`PAIR_TAG_OVERLAP_SECONDS`] of its beginning or end the one before or after. So two devices whose clocks differ by
/// up to twice that have an hour in common at any time.
pub fn hours_around(unix_seconds: u64) -> impl Iterator<Item = u64> {
    let hour = unix_seconds / HOUR_SECONDS;
    let passed = unix_seconds % HOUR_SECONDS;
    let neighbor = if passed < PAIR_TAG_OVERLAP_SECONDS {
        hour.checked_sub(1)
    } else if passed >= HOUR_SECONDS - PAIR_TAG_OVERLAP_SECONDS {
        hour.checked_add(1)
    } else {
        None
    };
    core::iter::once(hour).chain(neighbor)
}
