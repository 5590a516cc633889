//! Bytes of a fixed length as lower-case hexadecimal text, for the bodies of frames and for storage. One spelling for each
//! value. Knows no meaning.

use crate::digits::HEX;

/// A text that is not the bytes it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not lower-case hexadecimal text of the right length")]
pub struct InvalidHex;

/// Two characters for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    HEX.encode(bytes)
}

/// The bytes of a text that [`encode`] wrote. Errors on any other text, also on capitals.
pub(crate) fn decode<const N: usize>(text: &str) -> Result<[u8; N], InvalidHex> {
    let mut bytes = [0; N];
    HEX.decode(text, &mut bytes).ok_or(InvalidHex)?;
    Ok(bytes)
}

/// For serde: bytes of any length as such text. Whoever holds them checks the length.
pub(crate) mod text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{HEX, InvalidHex};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let mut bytes = vec![0; text.len() / 2];
        let read = HEX.decode(&text, &mut bytes).map(|()| bytes);
        read.ok_or_else(|| D::Error::custom(InvalidHex))
    }
}
