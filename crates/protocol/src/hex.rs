//! Bytes of a fixed length as lower-case hexadecimal text, for the bodies of frames and for storage. One spelling for each
//! value. Knows no meaning.

use data_encoding::HEXLOWER;

/// A text that is not the bytes it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not lower-case hexadecimal text of the right length")]
pub struct InvalidHex;

/// Two characters for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// The bytes of a text that [`encode`] wrote. Errors on any other text, also on capitals.
pub(crate) fn decode<const N: usize>(text: &str) -> Result<[u8; N], InvalidHex> {
    let mut bytes = [0; N];
    // The library wants a buffer of exactly this length, and the text may have any.
    if text.len() != 2 * N {
        return Err(InvalidHex);
    }
    HEXLOWER
        .decode_mut(text.as_bytes(), &mut bytes)
        .map_err(|_| InvalidHex)?;
    Ok(bytes)
}

/// For serde: bytes of any length as such text. Whoever holds them checks the length.
pub(crate) mod text {
    use data_encoding::HEXLOWER;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::InvalidHex;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        HEXLOWER
            .decode(String::deserialize(from)?.as_bytes())
            .map_err(|_| D::Error::custom(InvalidHex))
    }
}
