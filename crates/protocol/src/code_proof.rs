//! The proof that both ends of a handshake have the same typed code: SPAKE2 over edwards25519, then a confirmation from each
//! end. Messages in, messages out; knows no channel, clock or engine, draws nothing at random, and must not know where
//! a code comes from or how many attempts it has.
//!
//! The password is the code's secret together with the transcript of the handshake. So whoever sits between two handshakes
//! proves nothing with what one end tells him, and nobody learns from a run more than whether one guess was right. The
//! guest, who typed the code, confirms first: to a wrong one the host says nothing that could be tried against other codes
//! afterwards.

use core::fmt;

use rand_core::{CryptoRng, RngCore};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use crate::code::Code;
use crate::pair::PairSecret;
use crate::secret_code::Secret;

/// What BLAKE3 derives the secret scalar and the key of the confirmations under.
const SCALAR_CONTEXT: &str = "tabferry code proof scalar v1";
const CONFIRMATION_CONTEXT: &str = "tabferry code proof confirmation v1";

/// The second message of each end. The first has 33 bytes: one that says whose it is, and a point.
const CONFIRMATION_BYTES: usize = 32;

/// Where a message has brought the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Send this and wait for the next message.
    Reply(Vec<u8>),
    /// The other end has the same code. Send the last message first, if there is one. What both share from now on.
    Proven(Option<Vec<u8>>, PairSecret),
}

/// Why nothing was proved. The code is used up for this attempt, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The message is longer or shorter than the one that is awaited.
    #[error("the message has a wrong length")]
    WrongLength,
    /// The message is no point, or one of this end's own role.
    #[error("the message can't be read")]
    Malformed,
    /// The other end has another code, or another handshake.
    #[error("the other end has not proved to have the same code")]
    Mismatch,
    /// A message after the end, or after an error.
    #[error("the proof has ended")]
    Ended,
}

impl ProofError {
    /// What to close the session with.
    pub const fn code(self) -> Code {
        Code::WrongCode
    }
}

/// One end of one proof: one attempt of one guess. Is of no more use after an error, and after [`Progress::Proven`].
pub struct CodeProof {
    role: Role,
    transcript: [u8; 32],
    awaits: Option<Awaits>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It typed the code, and begins.
    Guest,
    /// It shows the code.
    Host,
}

/// What an end waits for.
enum Awaits {
    /// The other's point. This end's own, which the host has not sent yet.
    Point(Spake2<Ed25519Group>, Option<Vec<u8>>),
    /// The other's confirmation, under this key, and what both share then.
    Confirmation(Zeroizing<[u8; 32]>, PairSecret),
}

impl CodeProof {
    /// The end whose person typed the code, and its first message. Takes the transcript of the verified handshake, and 32
    /// random bytes that serve nothing else.
    pub fn guest(secret: &Secret, transcript: &[u8; 32], seed: &[u8; 32]) -> (Self, Vec<u8>) {
        let (exchange, point) = Role::Guest.start(secret, transcript, seed);
        let proof = Self {
            role: Role::Guest,
            transcript: *transcript,
            awaits: Some(Awaits::Point(exchange, None)),
        };
        (proof, point)
    }

    /// The end that shows the code. Takes what [`CodeProof::guest`] takes.
    pub fn host(secret: &Secret, transcript: &[u8; 32], seed: &[u8; 32]) -> Self {
        let (exchange, point) = Role::Host.start(secret, transcript, seed);
        Self {
            role: Role::Host,
            transcript: *transcript,
            awaits: Some(Awaits::Point(exchange, Some(point))),
        }
    }

    /// Takes a message of the other end. After an error the session must be closed: a second attempt is a second guess.
    pub fn read(&mut self, message: &[u8]) -> Result<Progress, ProofError> {
        match self.awaits.take().ok_or(ProofError::Ended)? {
            Awaits::Point(exchange, point) => {
                let key = exchange.finish(message).map_err(|error| match error {
                    spake2::Error::WrongLength => ProofError::WrongLength,
                    _ => ProofError::Malformed,
                })?;
                let shared = Zeroizing::new(key);
                let secret = PairSecret::of_code(&shared);
                let key = Zeroizing::new(blake3::derive_key(CONFIRMATION_CONTEXT, &shared));
                let reply = match point {
                    Some(point) => point,
                    None => self.confirmation(self.role, &key).as_bytes().to_vec(),
                };
                self.awaits = Some(Awaits::Confirmation(key, secret));
                Ok(Progress::Reply(reply))
            }
            Awaits::Confirmation(key, secret) => {
                let found: [u8; CONFIRMATION_BYTES] =
                    message.try_into().map_err(|_| ProofError::WrongLength)?;
                // The comparison of a blake3::Hash takes the same time for all values.
                if self.confirmation(self.role.other(), &key) != found {
                    return Err(ProofError::Mismatch);
                }
                let last = match self.role {
                    Role::Guest => None,
                    Role::Host => Some(self.confirmation(self.role, &key).as_bytes().to_vec()),
                };
                Ok(Progress::Proven(last, secret))
            }
        }
    }

    fn confirmation(&self, of: Role, key: &[u8; 32]) -> blake3::Hash {
        blake3::keyed_hash(key, &[&[of.byte()], &self.transcript[..]].concat())
    }
}

impl fmt::Debug for CodeProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaits = match self.awaits {
            Some(Awaits::Point(..)) => "a point",
            Some(Awaits::Confirmation(..)) => "a confirmation",
            None => "nothing",
        };
        f.debug_struct("CodeProof")
            .field("role", &self.role)
            .field("awaits", &awaits)
            .finish_non_exhaustive()
    }
}

impl Role {
    const fn other(self) -> Self {
        match self {
            Self::Guest => Self::Host,
            Self::Host => Self::Guest,
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Guest => b'G',
            Self::Host => b'H',
        }
    }

    /// This role's side of SPAKE2, and its point.
    fn start(
        self,
        secret: &Secret,
        transcript: &[u8; 32],
        seed: &[u8; 32],
    ) -> (Spake2<Ed25519Group>, Vec<u8>) {
        let password = Zeroizing::new([&secret.expose_characters()[..], transcript].concat());
        // With all that a run is about, so that even a seed that was used twice gives different scalars.
        let mut drawn = blake3::Hasher::new_derive_key(SCALAR_CONTEXT);
        drawn.update(seed).update(&[self.byte()]).update(&password);
        let drawn = Drawn(drawn.finalize_xof());
        let password = Password::new(&password[..]);
        let guest = Identity::new(b"tabferry code guest v1");
        let host = Identity::new(b"tabferry code host v1");
        match self {
            Self::Guest => Spake2::start_a_with_rng(&password, &guest, &host, drawn),
            Self::Host => Spake2::start_b_with_rng(&password, &guest, &host, drawn),
        }
    }
}

/// The randomness of one run, out of its seed.
struct Drawn(blake3::OutputReader);

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Drawn {}
