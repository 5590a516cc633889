//! The handshake: two ends prove their device keys to each other, over a path whose certificates, session and roles both
//! see alike. Messages in, messages out; knows no channel, clock or engine, and draws nothing at random.
//!
//! Noise XX runs with all that both ends must agree on as its prologue, so an end that was told anything else, by whoever
//! carries its signaling, ends with an error and not with a wrong peer. The static keys of Noise are drawn anew for each handshake;
//! each is signed by its device together with the prologue.

use core::fmt;

use zeroize::Zeroizing;

use crate::card::DeviceCard;
use crate::code::Code;
use crate::fingerprint::Fingerprint;
use crate::identity::{
    DeviceKey, Domain, InvalidPublicKey, InvalidSignature, KEY_BYTES, PublicKey, SIGNATURE_BYTES,
    SignedCard,
};
use crate::limits::HANDSHAKE_MESSAGE_BYTES;
use crate::noise::{Noise, Secret, public_of};
use crate::version::Versions;

/// Name and version of the handshake: the prologue begins with it.
const PROTOCOL: &[u8] = b"tabferry/1";

/// What BLAKE3 derives the Noise keys of one handshake under.
const STATIC_CONTEXT: &str = "tabferry noise static key v1";
const EPHEMERAL_CONTEXT: &str = "tabferry noise ephemeral key v1";

/// What one end brings along.
#[derive(Debug)]
pub struct Params<'a> {
    /// The device's key.
    pub key: &'a DeviceKey,
    /// What the device says of itself, signed by that key.
    pub card: &'a SignedCard,
    /// What this end speaks.
    pub versions: &'a Versions,
    /// What the messages travel on.
    pub path: Path,
    /// The session: 32 bytes, of which each end drew one half at random. Both give them in the same order.
    pub session: [u8; 32],
    /// Randomness of this handshake.
    pub seed: Seed,
}

/// What carries the messages, as this end sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// A peer connection.
    Direct {
        /// Of this end's certificate.
        local: Fingerprint,
        /// Of the certificate that the other end presented, or that its description announced.
        remote: Fingerprint,
    },
    /// The signaling server, which sees every byte.
    Relay,
}

/// 32 random bytes for one handshake, never used for another. Are not printed, and wiped from memory when dropped.
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// The seed with these bytes, which the caller drew at random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A secret key. The prologue goes into it, so that even a seed that was used twice gives different keys.
    fn secret(&self, context: &str, prologue: &[u8]) -> Secret {
        let material = Zeroizing::new([&self.0[..], prologue].concat());
        Zeroizing::new(blake3::derive_key(context, &material))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

/// What a handshake proved of the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The key it holds.
    pub peer: PublicKey,
    /// Its id, which follows from the key, and what it says of itself.
    pub card: DeviceCard,
    /// What it speaks.
    pub versions: Versions,
    /// The digest of the whole handshake, the same at both ends and different for every handshake: what a short
    /// authentication string is made of.
    pub transcript: [u8; 32],
}

/// Where a message has brought the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Send this and wait for the next message.
    Reply(Vec<u8>),
    /// The other end is verified. Send the last message first, if there is one: it shows this end's key, so an initiator
    /// that wants one certain peer compares keys before.
    Verified(Box<Verified>, Option<Vec<u8>>),
}

/// Why a handshake ended without a verified peer. None of them can be told from an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The message is too short, or longer than [`HANDSHAKE_MESSAGE_BYTES`].
    #[error("the message has a wrong length")]
    WrongLength,
    /// The message does not decrypt: it was changed, or the ends don't agree on path, session, certificates or roles.
    #[error("the message does not fit this handshake")]
    Mismatch,
    /// The other end's key exchange would give a secret that everybody knows.
    #[error("the key exchange is worthless")]
    WeakExchange,
    /// The payload can't be read.
    #[error("the payload can't be read")]
    Malformed,
    /// The other end's device key is none.
    #[error(transparent)]
    InvalidKey(#[from] InvalidPublicKey),
    /// The other end does not hold the device key that it shows, or did not sign its card.
    #[error(transparent)]
    InvalidSignature(#[from] InvalidSignature),
    /// The other end is this one.
    #[error("the other end is this device")]
    Reflected,
    /// A message after the end, or after an error.
    #[error("the handshake has ended")]
    Ended,
    /// The cryptography is incomplete. A fault of this program.
    #[error("the handshake can't be run")]
    Unavailable,
}

impl HandshakeError {
    /// What to close the session with.
    pub const fn code(self) -> Code {
        Code::Unverified
    }
}

/// One end of a handshake of three messages: the initiator writes the first and the third, the responder the second.
pub struct Handshake {
    role: Role,
    awaits: Option<Message>,
    noise: Noise,
    prologue: Vec<u8>,
    /// This end's payload: proof, versions, card.
    payload: Vec<u8>,
    own: PublicKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Initiator,
    Responder,
}

/// What an end waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    First,
    Second,
    Third,
}

impl Handshake {
    /// The end that begins, and its first message. Errors with [`HandshakeError::Reflected`] if both certificates are the
    /// same one.
    pub fn initiator(params: &Params<'_>) -> Result<(Self, Vec<u8>), HandshakeError> {
        let mut handshake = Self::new(Role::Initiator, params)?;
        let first = handshake.noise.write(&[])?;
        handshake.awaits = Some(Message::Second);
        Ok((handshake, first))
    }

    /// The end that waits for the first message. Errors as [`Handshake::initiator`] does.
    pub fn responder(params: &Params<'_>) -> Result<Self, HandshakeError> {
        let mut handshake = Self::new(Role::Responder, params)?;
        handshake.awaits = Some(Message::First);
        Ok(handshake)
    }

    fn new(role: Role, params: &Params<'_>) -> Result<Self, HandshakeError> {
        if matches!(params.path, Path::Direct { local, remote } if local == remote) {
            return Err(HandshakeError::Reflected);
        }
        let prologue = prologue(role, params.path, &params.session);
        let fixed = params.seed.secret(STATIC_CONTEXT, &prologue);
        let ephemeral = params.seed.secret(EPHEMERAL_CONTEXT, &prologue);
        let proof = signed_bytes(&prologue, role, &public_of(&fixed));
        let own = params.key.public();
        let payload = Payload {
            key: *own.as_bytes(),
            proof: params.key.sign(Domain::NoiseStatic, &proof),
            versions: params.versions.clone(),
            card: params.card.clone(),
        };
        Ok(Self {
            role,
            awaits: None,
            noise: Noise::new(role == Role::Initiator, &prologue, &fixed, ephemeral)?,
            prologue,
            payload: payload.encode(),
            own,
        })
    }

    /// Takes a message of the other end. After an error, and after [`Progress::Verified`], every further message is an error:
    /// the session must be closed, as a second attempt would be the attacker's.
    pub fn read(&mut self, message: &[u8]) -> Result<Progress, HandshakeError> {
        let awaited = self.awaits.take().ok_or(HandshakeError::Ended)?;
        if message.len() > HANDSHAKE_MESSAGE_BYTES {
            return Err(HandshakeError::WrongLength);
        }
        let payload = self.noise.read(message)?;
        match awaited {
            Message::First => {
                if !payload.is_empty() {
                    return Err(HandshakeError::WrongLength);
                }
                let reply = self.noise.write(&self.payload)?;
                self.awaits = Some(Message::Third);
                Ok(Progress::Reply(reply))
            }
            Message::Second => {
                let (peer, payload) = self.check(&payload)?;
                let last = self.noise.write(&self.payload)?;
                self.verified(peer, payload, Some(last))
            }
            Message::Third => {
                let (peer, payload) = self.check(&payload)?;
                self.verified(peer, payload, None)
            }
        }
    }

    /// The other end's key and payload. Errors unless it holds the key.
    fn check(&self, payload: &[u8]) -> Result<(PublicKey, Payload), HandshakeError> {
        let payload = Payload::decode(payload).ok_or(HandshakeError::Malformed)?;
        let peer = PublicKey::from_bytes(&payload.key)?;
        if peer == self.own {
            return Err(HandshakeError::Reflected);
        }
        let fixed = self.noise.remote_static().ok_or(HandshakeError::Ended)?;
        let signed = signed_bytes(&self.prologue, self.role.other(), &fixed);
        peer.verify(Domain::NoiseStatic, &signed, &payload.proof)?;
        Ok((peer, payload))
    }

    fn verified(
        &self,
        peer: PublicKey,
        payload: Payload,
        last: Option<Vec<u8>>,
    ) -> Result<Progress, HandshakeError> {
        let verified = Verified {
            peer,
            card: payload.card.verify(&peer)?,
            versions: payload.versions,
            transcript: self.noise.transcript(),
        };
        Ok(Progress::Verified(Box::new(verified), last))
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("role", &self.role)
            .field("awaits", &self.awaits)
            .finish_non_exhaustive()
    }
}

impl Role {
    const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Initiator => b'I',
            Self::Responder => b'R',
        }
    }
}

/// All that both ends must see alike, 109 bytes: protocol, path, session, and each role with its fingerprint.
fn prologue(role: Role, path: Path, session: &[u8; 32]) -> Vec<u8> {
    let (path, local, remote) = match path {
        Path::Direct { local, remote } => (1, *local.as_bytes(), *remote.as_bytes()),
        Path::Relay => (2, [0; 32], [0; 32]),
    };
    let (initiator, responder) = match role {
        Role::Initiator => (local, remote),
        Role::Responder => (remote, local),
    };
    [
        PROTOCOL,
        &[path],
        session,
        &[Role::Initiator.byte()],
        &initiator,
        &[Role::Responder.byte()],
        &responder,
    ]
    .concat()
}

/// What a device signs to take part: the handshake that it means, its role in it, and its Noise static key.
fn signed_bytes(prologue: &[u8], role: Role, fixed: &[u8; 32]) -> Vec<u8> {
    [prologue, &[role.byte()], fixed].concat()
}

/// What the second and third message carry.
#[derive(Debug)]
struct Payload {
    key: [u8; KEY_BYTES],
    proof: [u8; SIGNATURE_BYTES],
    versions: Versions,
    card: SignedCard,
}

impl Payload {
    fn encode(&self) -> Vec<u8> {
        let versions = Vec::from(self.versions.clone());
        let mut bytes = [&self.key[..], &self.proof[..]].concat();
        // At most 16.
        bytes.push(u8::try_from(versions.len()).unwrap_or(u8::MAX));
        for version in versions {
            bytes.extend(version.to_le_bytes());
        }
        bytes.extend(self.card.encode());
        bytes
    }

    /// None if a byte is missing or left over, or a part is not valid.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk()?;
        let (proof, rest) = rest.split_first_chunk()?;
        let (&count, mut rest) = rest.split_first()?;
        let mut versions = Vec::new();
        for _ in 0..count {
            let (version, after) = rest.split_first_chunk()?;
            versions.push(u16::from_le_bytes(*version));
            rest = after;
        }
        Some(Self {
            key: *key,
            proof: *proof,
            versions: Versions::try_from(versions).ok()?,
            card: SignedCard::decode(rest).ok()?,
        })
    }
}
