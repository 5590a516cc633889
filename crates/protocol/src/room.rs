//! Names of rooms: the nameplate of a code, the name of a group, the tag of a pair. Strict forms as they travel; how a
//! person may type a code, and how devices find their tags, is not known here.

use core::fmt;
use core::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use crate::id::{InvalidId, text_id};

/// Crockford's base 32, by value: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Bits of one character.
const CHARACTER_BITS: usize = 5;

macro_rules! crockford_name {
    ($(#[$doc:meta])* $name:ident, $bits:ident: $characters:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($bits);

        impl $name {
            /// Number of bits that tell one from another.
            pub const BITS: usize = $characters * CHARACTER_BITS;

            /// The name with the lowest [`Self::BITS`] of a number that the caller drew at random.
            pub const fn from_bits(bits: $bits) -> Self {
                Self(bits & ((1 << Self::BITS) - 1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_characters(f, self.0.into(), $characters)
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
                let bits = read_characters(text, $characters)?;
                $bits::try_from(bits).map(Self).map_err(|_| InvalidId)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    };
}

crockford_name! {
    /// The public part of a code: which code room. Whoever knows it may knock; the secret part decides who gets in.
    ///
    /// 20 bits; as text 4 characters of Crockford's base 32, capitals only.
    Nameplate, u32: 4
}
crockford_name! {
    /// The name of a group's room.
    ///
    /// 40 bits; as text 8 characters of Crockford's base 32, capitals only.
    GroupCode, u64: 8
}
text_id! {
    /// The room of two paired devices for the time being: both compute it, nobody else can.
    PairTag
}

fn write_characters(f: &mut fmt::Formatter<'_>, bits: u64, characters: usize) -> fmt::Result {
    for place in (0..characters).rev() {
        let [lowest, ..] = (bits >> (place * CHARACTER_BITS)).to_le_bytes();
        fmt::Write::write_char(f, char::from(ALPHABET[usize::from(lowest & 31)]))?;
    }
    Ok(())
}

fn read_characters(text: &str, characters: usize) -> Result<u64, InvalidId> {
    if text.len() != characters {
        return Err(InvalidId);
    }
    text.bytes().try_fold(0, |bits, character| {
        let value = ALPHABET.iter().position(|known| *known == character);
        let value = value.and_then(|value| u64::try_from(value).ok());
        Ok(bits << CHARACTER_BITS | value.ok_or(InvalidId)?)
    })
}
