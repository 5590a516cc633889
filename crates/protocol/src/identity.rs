//! Who a device is: its Ed25519 key, the id that follows from it, and what it signs. Knows every domain that a signature
//! belongs to, so that one can never pass for another. Must not know how keys are stored or when they are shown.

use core::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::InvalidFrame;
use crate::card::{DeviceCard, DeviceKind, DeviceName};
use crate::hex;
use crate::id::DeviceId;

/// Bytes of a secret or a public key.
pub const KEY_BYTES: usize = 32;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// What BLAKE3 derives device ids under.
const ID_CONTEXT: &str = "tabferry device id v1";

/// What a signature is for. Its words stand in front of the signed bytes; none is the beginning of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// The key that a device takes part in one handshake with.
    NoiseStatic,
    /// Name and kind of a device.
    DeviceCard,
}

impl Domain {
    const fn words(self) -> &'static str {
        match self {
            Self::NoiseStatic => "tabferry-noise-static-v1",
            Self::DeviceCard => "tabferry-device-card-v1",
        }
    }

    fn message(self, bytes: &[u8]) -> Vec<u8> {
        [self.words().as_bytes(), bytes].concat()
    }
}

/// A device's secret key (Ed25519, RFC 8032). Is never printed, and wiped from memory when dropped.
pub struct DeviceKey(SigningKey);

impl DeviceKey {
    /// The key with this seed, which the caller drew at random or stored before.
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for storing. Whoever has it is this device.
    pub fn expose_seed(&self) -> &[u8; KEY_BYTES] {
        self.0.as_bytes()
    }

    /// What others know this device by.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, domain: Domain, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(&domain.message(bytes)).to_bytes()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", DeviceId::of(&self.public()))
    }
}

/// A device's public key: a point of the curve in its one canonical encoding, and none of those few that verify
/// signatures of nobody.
///
/// As text: 64 lower-case hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; KEY_BYTES]);

/// Bytes that are no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid public key")]
pub struct InvalidPublicKey;

/// A signature that this key did not make over these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not that of this key")]
pub struct InvalidSignature;

impl PublicKey {
    /// The key with these bytes. Errors if they are no point of the curve, a second encoding of one, or a point of small
    /// order.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, InvalidPublicKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| InvalidPublicKey)?;
        let canonical = key.to_edwards().compress().to_bytes() == *bytes;
        if !canonical || key.is_weak() {
            return Err(InvalidPublicKey);
        }
        Ok(Self(*bytes))
    }

    /// The key as it travels.
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    pub(crate) fn verify(
        &self,
        domain: Domain,
        bytes: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), InvalidSignature> {
        VerifyingKey::from_bytes(&self.0)
            .and_then(|key| {
                key.verify_strict(&domain.message(bytes), &Signature::from_bytes(signature))
            })
            .map_err(|_| InvalidSignature)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = InvalidPublicKey;

    fn try_from(text: String) -> Result<Self, InvalidPublicKey> {
        let bytes = hex::decode(&text).map_err(|_| InvalidPublicKey)?;
        Self::from_bytes(&bytes)
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        hex::encode(&key.0)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", DeviceId::of(self))
    }
}

impl DeviceId {
    /// The id of the device with this key: the first 128 bits of a BLAKE3 digest in a domain of its own. Finding a second
    /// key for an id takes 2^128 attempts; trust is nevertheless kept for keys, not ids.
    pub fn of(key: &PublicKey) -> Self {
        let digest = blake3::derive_key(ID_CONTEXT, key.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self::from_bytes(id)
    }
}

/// Name and kind of a device, signed by it. Says nothing until [`SignedCard::verify`] did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCard {
    /// As it was signed: a kind of a newer version must keep its signature.
    kind: u8,
    name: DeviceName,
    signature: [u8; SIGNATURE_BYTES],
}

impl SignedCard {
    /// Signs what a device says of itself.
    pub fn sign(key: &DeviceKey, name: &DeviceName, kind: DeviceKind) -> Self {
        let kind = kind_byte(kind);
        let signature = key.sign(Domain::DeviceCard, &signed_bytes(kind, name));
        Self {
            kind,
            name: name.clone(),
            signature,
        }
    }

    /// The card of the device with this key. Errors if that key did not sign it.
    pub fn verify(&self, key: &PublicKey) -> Result<DeviceCard, InvalidSignature> {
        let signed = signed_bytes(self.kind, &self.name);
        key.verify(Domain::DeviceCard, &signed, &self.signature)?;
        Ok(DeviceCard {
            id: DeviceId::of(key),
            name: self.name.clone(),
            kind: kind_of_byte(self.kind),
        })
    }

    /// Signature, kind, length of the name, name: 67 to 130 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.signature.to_vec();
        bytes.extend(signed_bytes(self.kind, &self.name));
        bytes
    }

    /// Reads what [`SignedCard::encode`] wrote. Errors if a byte is missing or left over, or the name is not valid.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidFrame> {
        let (signature, rest) = bytes
            .split_first_chunk::<SIGNATURE_BYTES>()
            .ok_or(InvalidFrame::TooShort)?;
        let [kind, length, name @ ..] = rest else {
            return Err(InvalidFrame::TooShort);
        };
        if name.len() != usize::from(*length) {
            return Err(malformed("the name has another length than it says"));
        }
        let name = core::str::from_utf8(name).map_err(|_| malformed("the name is not UTF-8"))?;
        let name = DeviceName::try_from(name.to_owned())
            .map_err(|error| InvalidFrame::Malformed(error.to_string()))?;
        Ok(Self {
            kind: *kind,
            name,
            signature: *signature,
        })
    }
}

fn malformed(what: &str) -> InvalidFrame {
    InvalidFrame::Malformed(what.to_owned())
}

/// Kind, length of the name, name.
fn signed_bytes(kind: u8, name: &DeviceName) -> Vec<u8> {
    let name = name.as_str().as_bytes();
    // A name has at most 64 bytes.
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    [&[kind, length], name].concat()
}

const fn kind_byte(kind: DeviceKind) -> u8 {
    match kind {
        DeviceKind::Other => 0,
        DeviceKind::Computer => 1,
        DeviceKind::Phone => 2,
        DeviceKind::Tablet => 3,
    }
}

const fn kind_of_byte(byte: u8) -> DeviceKind {
    match byte {
        1 => DeviceKind::Computer,
        2 => DeviceKind::Phone,
        3 => DeviceKind::Tablet,
        _ => DeviceKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let bytes = HEXLOWER.decode(text.as_bytes()).expect("hexadecimal");
        bytes.try_into().expect("of this length")
    }

    #[test]
    fn signatures_are_those_of_rfc_8032() {
        // Section 7.1, tests 1 to 3.
        for (seed, message, signature) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                &[][..],
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                &[0x72],
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                &[0xAF, 0x82],
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ] {
            let key = DeviceKey::from_seed(&hex(seed));
            assert_eq!(key.0.sign(message).to_bytes(), hex(signature));
        }
    }

    #[test]
    fn no_domain_is_the_beginning_of_another() {
        let all = [Domain::NoiseStatic, Domain::DeviceCard];
        for one in all {
            for other in all.into_iter().filter(|&other| other != one) {
                assert!(!other.words().starts_with(one.words()));
            }
        }
    }
}
