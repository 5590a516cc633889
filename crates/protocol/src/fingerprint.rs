//! The fingerprint of a DTLS certificate, and how the one of the other end is found in its session description. Knows the
//! lines of SDP that name one (RFC 8122); must not know what else a description says, or who wrote it.
//!
//! A WebRTC stack accepts a certificate that matches *any* fingerprint of the description. So a description from which a
//! fingerprint is taken must not name a second one, in whatever disguise: else the server on the way could add its own.

use core::fmt;

use sha2::{Digest as _, Sha256};

/// SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// Why no fingerprint can be taken from a session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFingerprint {
    /// The description names none.
    #[error("the description has no fingerprint")]
    Missing,
    /// It names two that differ.
    #[error("the description has more than one fingerprint")]
    Several,
    /// It names one of another algorithm than SHA-256, alone or beside others.
    #[error("the description has a fingerprint that is not SHA-256")]
    OtherAlgorithm,
    /// A line speaks of a fingerprint but can't be read as one.
    #[error("the description has an unreadable fingerprint")]
    Malformed,
}

impl Fingerprint {
    /// The fingerprint with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The fingerprint of a certificate in DER.
    pub fn of_certificate(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The one fingerprint of a session description, which may stand in it several times: for the session and for each
    /// medium. Errors unless all are the same and SHA-256.
    pub fn of_description(sdp: &str) -> Result<Self, InvalidFingerprint> {
        let mut found = None;
        // Some readers of SDP end a line at a lone carriage return, so this one must, too.
        for line in sdp.split(['\r', '\n']) {
            if !mentions_fingerprint(line) {
                continue;
            }
            let fingerprint = of_line(line)?;
            if *found.get_or_insert(fingerprint) != fingerprint {
                return Err(InvalidFingerprint::Several);
            }
        }
        found.ok_or(InvalidFingerprint::Missing)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// As in a session description: `A0:B1:…`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether the word stands anywhere in the line, in any case: a line that one reader takes for a fingerprint and another
/// does not must not pass.
fn mentions_fingerprint(line: &str) -> bool {
    const WORD: &[u8] = b"fingerprint";
    line.as_bytes()
        .windows(WORD.len())
        .any(|part| part.eq_ignore_ascii_case(WORD))
}

fn of_line(line: &str) -> Result<Fingerprint, InvalidFingerprint> {
    let (algorithm, digits) = line
        .strip_prefix("a=fingerprint:")
        .and_then(|value| value.split_once(' '))
        .filter(|(algorithm, _)| !algorithm.is_empty())
        .ok_or(InvalidFingerprint::Malformed)?;
    if !algorithm.eq_ignore_ascii_case("sha-256") {
        return Err(InvalidFingerprint::OtherAlgorithm);
    }
    let mut bytes = [0; 32];
    let mut pairs = digits.split(':');
    for byte in &mut bytes {
        *byte = pairs
            .next()
            .and_then(byte_of)
            .ok_or(InvalidFingerprint::Malformed)?;
    }
    if pairs.next().is_some() {
        return Err(InvalidFingerprint::Malformed);
    }
    Ok(Fingerprint(bytes))
}

/// The byte of exactly two hexadecimal digits.
fn byte_of(pair: &str) -> Option<u8> {
    let &[high, low] = pair.as_bytes() else {
        return None;
    };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}
