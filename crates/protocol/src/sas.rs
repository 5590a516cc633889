//! The short authentication string: four pictures that are the same at both ends of a handshake, for two people (or one
//! person with two devices) to compare. Knows the three messages that make it, and the decoys it is shown among; draws
//! nothing at random, and must not know who compares or what follows from it.
//!
//! Whoever sits in between has two handshakes with two transcripts, so two strings. It can't make them alike: the end that
//! asks is bound to its nonce before it sees the other's, and the other draws its own before it sees the asker's.
//! So one attempt succeeds with a chance of 2^-24, and each takes a person.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::hex::{self, InvalidHex};

/// What BLAKE3 derives the parts under.
const COMMITMENT_CONTEXT: &str = "tabferry pairing commitment v1";
const SAS_CONTEXT: &str = "tabferry short authentication string v1";
const CHOICES_CONTEXT: &str = "tabferry short authentication choices v1";

/// Symbols of one string.
pub const SYMBOLS: usize = 4;

/// Symbols in which a decoy differs at least from the right string and from the other decoy: one would be overlooked.
const DIFFERENT: usize = 2;

/// 32 bytes that one end drew at random for one pairing; as text 64 lower-case hexadecimal characters. Serves once: drawn
/// anew for every attempt. Is not printed: until it is shown, the asker's is a secret.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce([u8; 32]);

/// What binds the asker to its nonce without showing it; as text 64 lower-case hexadecimal characters.
// The comparison of a blake3::Hash takes the same time for all values.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Commitment(blake3::Hash);

/// The nonce is not the one that was committed to: a fault, or somebody in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the nonce is not the one that was committed to")]
pub struct WrongNonce;

impl WrongNonce {
    /// What to close the session with.
    pub const fn code(self) -> Code {
        Code::Unverified
    }
}

impl Nonce {
    /// The nonce with these bytes, which the caller drew at random.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Commitment {
    fn to(transcript: &[u8; 32], nonce: &Nonce) -> Self {
        let committed = [&transcript[..], &nonce.0].concat();
        Self(blake3::derive_key(COMMITMENT_CONTEXT, &committed).into())
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce")
    }
}

impl TryFrom<String> for Nonce {
    type Error = InvalidHex;

    fn try_from(text: String) -> Result<Self, InvalidHex> {
        hex::decode(&text).map(Self)
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        hex::encode(&nonce.0)
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({})", self.0.to_hex())
    }
}

impl TryFrom<String> for Commitment {
    type Error = InvalidHex;

    fn try_from(text: String) -> Result<Self, InvalidHex> {
        let bytes: [u8; 32] = hex::decode(&text)?;
        Ok(Self(bytes.into()))
    }
}

impl From<Commitment> for String {
    fn from(commitment: Commitment) -> Self {
        hex::encode(commitment.0.as_bytes())
    }
}

/// The end that asks to pair. It shows its nonce only after it has the other's.
#[derive(Debug)]
pub struct Asker {
    transcript: [u8; 32],
    nonce: Nonce,
}

impl Asker {
    /// Begins with the transcript of a verified handshake and a fresh nonce. Send the commitment.
    pub fn new(transcript: [u8; 32], nonce: Nonce) -> (Self, Commitment) {
        let commitment = Commitment::to(&transcript, &nonce);
        (Self { transcript, nonce }, commitment)
    }

    /// Takes the other end's nonce. Send this end's, which is returned, and let a person compare the string.
    pub fn answer(self, other: &Nonce) -> (Nonce, Sas) {
        let sas = Sas::of(&self.transcript, &self.nonce, other);
        (self.nonce, sas)
    }
}

/// The end that is asked. It learns the string only from the nonce that the asker had committed to.
#[derive(Debug)]
pub struct Asked {
    transcript: [u8; 32],
    nonce: Nonce,
    commitment: Commitment,
}

impl Asked {
    /// Takes the asker's commitment, with the transcript of the same handshake. Send the nonce, which is fresh.
    pub const fn new(transcript: [u8; 32], nonce: Nonce, commitment: Commitment) -> Self {
        Self {
            transcript,
            nonce,
            commitment,
        }
    }

    /// Takes the asker's nonce; let a person compare the string. After an error the pairing is over, and the session with
    /// it.
    pub fn reveal(self, asker: &Nonce) -> Result<Sas, WrongNonce> {
        if Commitment::to(&self.transcript, asker) != self.commitment {
            return Err(WrongNonce);
        }
        Ok(Sas::of(&self.transcript, asker, &self.nonce))
    }
}

/// A short authentication string: 24 bits as four symbols.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sas([u8; SYMBOLS]);

impl Sas {
    fn of(transcript: &[u8; 32], asker: &Nonce, asked: &Nonce) -> Self {
        let material = [&transcript[..], &asker.0, &asked.0].concat();
        let [first, second, third, ..] = blake3::derive_key(SAS_CONTEXT, &material);
        Self::from_bytes([first, second, third])
    }

    /// 24 bits, six at a time from the highest.
    const fn from_bytes(bytes: [u8; 3]) -> Self {
        let [first, second, third] = bytes;
        Self([
            first >> 2,
            (first & 0b11) << 4 | second >> 4,
            (second & 0b1111) << 2 | third >> 6,
            third & 0b11_1111,
        ])
    }

    /// The four symbols in reading order, each a number below 64: an index of [`EMOJI`](crate::emoji::EMOJI).
    pub const fn symbols(self) -> [u8; SYMBOLS] {
        self.0
    }

    /// This string among two decoys, for a person to pick the one that the other device shows: a question that no
    /// habitual yes answers. The seed is 32 random bytes of this end's own, never shown and never used for anything else.
    pub fn choices(self, seed: [u8; 32]) -> Choices {
        let mut drawn = blake3::Hasher::new_derive_key(CHOICES_CONTEXT)
            .update(&seed)
            .finalize_xof();
        let mut draw = || {
            let mut bytes = [0; 3];
            drawn.fill(&mut bytes);
            bytes
        };
        // Two of 2^24 strings that are too near are drawn once in tens of thousands of times; there is always a next one.
        let mut decoy = |others: &[Self]| loop {
            let decoy = Self::from_bytes(draw());
            if others.iter().all(|other| other.is_far_from(decoy)) {
                return decoy;
            }
        };
        let first = decoy(&[self]);
        let second = decoy(&[self, first]);
        let [high, middle, low] = draw();
        // The bias of 2^24 modulo 3 is below 10^-7.
        let right = (u32::from_be_bytes([0, high, middle, low]) % 3) as usize;
        let mut shown = [first, second, self];
        shown.swap(right, 2);
        Choices { shown, right }
    }

    fn is_far_from(self, other: Self) -> bool {
        let different = self.0.iter().zip(other.0).filter(|(a, b)| **a != *b);
        different.count() >= DIFFERENT
    }
}

impl fmt::Debug for Sas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sas{:?}", self.0)
    }
}

/// Three strings to pick from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choices {
    /// In the order in which they are shown. Any two differ in two symbols or more.
    pub shown: [Sas; 3],
    /// Index of the right one.
    pub right: usize,
}
