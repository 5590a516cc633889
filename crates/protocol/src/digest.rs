//! Digests of file content. BLAKE3, because it keeps up with a disk in wasm too and verifies prefixes for resume.

use serde::{Deserialize, Serialize};

/// A BLAKE3 digest (32 bytes); as text 64 lower-case hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(blake3::Hash);

/// A text that is not 64 hexadecimal characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 hexadecimal characters")]
pub struct InvalidDigest;

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes))
    }
}

/// Computes the digest of bytes that come piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Box<blake3::Hasher>);

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken so far.
    pub fn digest(&self) -> Digest {
        Digest(self.0.finalize())
    }
}

impl core::fmt::Display for Digest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl core::fmt::Debug for Digest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if !lower {
            return Err(InvalidDigest);
        }
        blake3::Hash::from_hex(text.as_bytes())
            .map(Self)
            .map_err(|_| InvalidDigest)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}
