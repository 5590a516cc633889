//! Noise_XX_25519_ChaChaPoly_SHA256 (noiseprotocol.org, revision 34): the seam to the library that runs it. The library gets
//! its X25519 keys from here and wipes them, and refuses a shared secret of zeros. Knows no payload.

use core::fmt;

use curve25519_dalek::montgomery::MontgomeryPoint;
use snow::params::{
    BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifierList, HandshakePattern,
    HashChoice, NoiseParams,
};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, Error, HandshakeState};
use zeroize::Zeroizing;

use crate::handshake::HandshakeError;

/// What the transcript begins with.
const NAME: &str = "Noise_XX_25519_ChaChaPoly_SHA256";

/// Bytes that a message has beyond its payload, at most: an ephemeral key, a static key with its tag, a tag.
const OVERHEAD_BYTES: usize = 32 + 48 + 16;

/// A secret X25519 key.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// One side of a handshake. After an error it is of no more use.
pub(crate) struct Noise(HandshakeState);

impl Noise {
    /// The side that writes first, or the one that reads first, with its static and its ephemeral key. The latter must
    /// never have been used before.
    /// Errors only if the library lacks a part.
    pub(crate) fn new(
        is_initiator: bool,
        prologue: &[u8],
        fixed: &Secret,
        ephemeral: Secret,
    ) -> Result<Self, HandshakeError> {
        let handshake = HandshakeChoice {
            pattern: HandshakePattern::XX,
            modifiers: HandshakeModifierList { list: Vec::new() },
        };
        let params = NoiseParams::new(
            NAME.to_owned(),
            BaseChoice::Noise,
            handshake,
            DHChoice::Curve25519,
            CipherChoice::ChaChaPoly,
            HashChoice::SHA256,
        );
        Builder::with_resolver(params, Box::new(Resolver(ephemeral)))
            .prologue(prologue)
            .and_then(|builder| builder.local_private_key(&fixed[..]))
            .and_then(|builder| {
                if is_initiator {
                    builder.build_initiator()
                } else {
                    builder.build_responder()
                }
            })
            .map(Self)
            .map_err(|error| refusal(&error))
    }

    /// The next message, with this payload.
    pub(crate) fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let mut message = vec![0; payload.len() + OVERHEAD_BYTES];
        let length = self
            .0
            .write_message(payload, &mut message)
            .map_err(|error| refusal(&error))?;
        message.truncate(length);
        Ok(message)
    }

    /// The payload of the other side's next message.
    pub(crate) fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let mut payload = vec![0; message.len()];
        let length = self
            .0
            .read_message(message, &mut payload)
            .map_err(|error| refusal(&error))?;
        payload.truncate(length);
        Ok(payload)
    }

    /// The other side's static key, once it was read.
    pub(crate) fn remote_static(&self) -> Option<[u8; 32]> {
        self.0.get_remote_static()?.try_into().ok()
    }

    /// The digest of all that was written and read so far; the same on both sides.
    pub(crate) fn transcript(&self) -> [u8; 32] {
        let mut transcript = [0; 32];
        transcript.copy_from_slice(self.0.get_handshake_hash());
        transcript
    }
}

impl fmt::Debug for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Noise")
    }
}

/// The public key of a secret one.
pub(crate) fn public_of(secret: &Secret) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(**secret).to_bytes()
}

/// What an error of the library means.
const fn refusal(error: &Error) -> HandshakeError {
    match error {
        Error::Input => HandshakeError::WrongLength,
        Error::Decrypt => HandshakeError::Mismatch,
        Error::Dh => HandshakeError::WeakExchange,
        Error::State(_) => HandshakeError::Ended,
        _ => HandshakeError::Unavailable,
    }
}

/// Gives the library our keys and our X25519; all else is its own.
struct Resolver(Secret);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(OneKey(Some(self.0.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::<X25519>::default() as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// Randomness for one ephemeral key, which is all that a side of XX draws.
struct OneKey(Option<Secret>);

impl Random for OneKey {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let key = self.0.take().ok_or(Error::Rng)?;
        if bytes.len() != key.len() {
            return Err(Error::Rng);
        }
        bytes.copy_from_slice(&key[..]);
        Ok(())
    }
}

/// X25519 (RFC 7748).
#[derive(Default)]
struct X25519 {
    secret: Secret,
    public: [u8; 32],
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    // The library hands over the 32 bytes that it was given.
    fn set(&mut self, secret: &[u8]) {
        self.secret.copy_from_slice(secret);
        self.public = public_of(&self.secret);
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), Error> {
        random.try_fill_bytes(&mut self.secret[..])?;
        self.public = public_of(&self.secret);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &self.secret[..]
    }

    /// Errors if the other side's key is one of the few that make every secret zero. The library's own X25519 lets them
    /// pass.
    fn dh(&self, public: &[u8], shared: &mut [u8]) -> Result<(), Error> {
        let public = public.first_chunk::<32>().ok_or(Error::Dh)?;
        let point = MontgomeryPoint(*public).mul_clamped(*self.secret);
        let bytes = Zeroizing::new(point.to_bytes());
        // Every byte is looked at, whatever the secret.
        if bytes.iter().fold(0, |all, byte| all | byte) == 0 {
            return Err(Error::Dh);
        }
        shared
            .first_chunk_mut::<32>()
            .ok_or(Error::Dh)?
            .copy_from_slice(&bytes[..]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    fn hex(text: &str) -> [u8; 32] {
        let bytes = HEXLOWER.decode(text.as_bytes()).expect("hexadecimal");
        bytes.try_into().expect("32 bytes")
    }

    fn shared(secret: &[u8; 32], public: &[u8; 32]) -> Result<[u8; 32], Error> {
        let mut own = X25519::default();
        own.set(secret);
        let mut shared = [0; 32];
        own.dh(public, &mut shared).map(|()| shared)
    }

    #[test]
    fn x25519_is_that_of_rfc_7748() {
        // Section 5.2; the second one has the unused bit of its point set.
        for (secret, public, expected) in [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
            // Section 6.1.
            (
                "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
                "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
                "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
            ),
        ] {
            assert_eq!(shared(&hex(secret), &hex(public)), Ok(hex(expected)));
        }
    }

    #[test]
    fn x25519_iterated_is_that_of_rfc_7748() {
        let mut secret = hex("0900000000000000000000000000000000000000000000000000000000000000");
        let mut point = secret;
        for round in 1..=1_000 {
            let next = shared(&secret, &point).expect("no point of small order");
            (point, secret) = (secret, next);
            if round == 1 {
                let once = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
                assert_eq!(secret, hex(once));
            }
        }
        let often = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
        assert_eq!(secret, hex(often));
    }

    #[test]
    fn both_sides_of_rfc_7748_have_the_public_keys_it_says() {
        for (secret, public) in [
            (
                "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
                "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            ),
            (
                "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
                "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            ),
        ] {
            assert_eq!(public_of(&Zeroizing::new(hex(secret))), hex(public));
        }
    }

    #[test]
    fn one_ephemeral_key_is_drawn_and_no_second() {
        let mut random = OneKey(Some(Zeroizing::new([1; 32])));
        let mut bytes = [0; 32];
        assert_eq!(random.try_fill_bytes(&mut bytes), Ok(()));
        assert_eq!(bytes, [1; 32]);
        assert_eq!(random.try_fill_bytes(&mut bytes), Err(Error::Rng));
    }
}
