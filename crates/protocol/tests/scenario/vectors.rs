//! Published test vectors of the primitives that the handshake and the proof of a code rest on, computed with the crates and
//! calls that they use, and signatures that only a lenient check would take. For native tests and for the wasm build, whose
//! arithmetic is other code. Knows no test framework.

use chacha20poly1305::{AeadInPlace as _, ChaCha20Poly1305, KeyInit as _};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar;
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _};
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256, Sha512};
use snow::params::{CipherChoice, HashChoice};
use snow::resolvers::{CryptoResolver as _, DefaultResolver};
use tabferry_protocol::identity::{DeviceKey, InvalidSignature, SignedCard};

/// What a vector promises, and whether it holds. Errors with what does not.
pub(crate) type Vector = (&'static str, fn() -> Result<(), String>);

pub(crate) const ALL: [Vector; 11] = [
    ("X25519 of RFC 7748, section 5.2 and 6.1", x25519),
    ("X25519 a thousand times, RFC 7748", x25519_iterated),
    (
        "X25519 of points of small order is zero",
        x25519_small_order,
    ),
    ("Ed25519 of RFC 8032, section 7.1", ed25519),
    ("Ed25519 signatures with S of L or more", ed25519_large_s),
    ("Ed25519 signatures with R of small order", ed25519_weak_r),
    (
        "Ed25519 signatures right but for the cofactor",
        ed25519_cofactor,
    ),
    ("ChaCha20-Poly1305 of RFC 8439, section 2.8.2", aead),
    ("ChaCha20-Poly1305 of RFC 8439, appendix A.5", aead_of_noise),
    ("HKDF-SHA256 of RFC 5869, appendix A.1 and A.2", hkdf),
    ("HKDF-SHA256 of RFC 5869, appendix A.3", hkdf_of_noise),
];

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap_or_default()
}

/// Zeros if the text is none of this length, which then fails its vector.
fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap_or([0; N])
}

fn equal(what: &str, found: &[u8], expected: &[u8]) -> Result<(), String> {
    if found == expected && !expected.is_empty() {
        return Ok(());
    }
    let [found, expected] = [found, expected].map(|bytes| HEXLOWER.encode(bytes));
    Err(format!("{what}:\nfound    {found}\nexpected {expected}"))
}

fn shared(secret: [u8; 32], public: [u8; 32]) -> [u8; 32] {
    MontgomeryPoint(public).mul_clamped(secret).to_bytes()
}

fn x25519() -> Result<(), String> {
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
        (
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        ),
        (
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        ),
    ] {
        let found = shared(array(secret), array(public));
        equal("shared secret", &found, &bytes(expected))?;
    }
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
        let found = MontgomeryPoint::mul_base_clamped(array(secret)).to_bytes();
        equal("public key", &found, &bytes(public))?;
    }
    Ok(())
}

fn x25519_iterated() -> Result<(), String> {
    let mut secret = [0; 32];
    secret[0] = 9;
    let mut point = secret;
    for round in 1..=1_000 {
        (secret, point) = (shared(secret, point), secret);
        if round == 1 {
            let once = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
            equal("after one", &secret, &bytes(once))?;
        }
    }
    let often = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
    equal("after a thousand", &secret, &bytes(often))
}

fn x25519_small_order() -> Result<(), String> {
    for low in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let mut low: [u8; 32] = array(low);
        equal(&format!("{low:x?}"), &shared([0x5A; 32], low), &[0; 32])?;
        // The highest bit does not count.
        low[31] |= 0x80;
        equal(&format!("{low:x?}"), &shared([0xA5; 32], low), &[0; 32])?;
    }
    Ok(())
}

fn ed25519() -> Result<(), String> {
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ] {
        let key = SigningKey::from_bytes(&array(seed));
        let message = bytes(message);
        equal("public key", key.verifying_key().as_bytes(), &bytes(public))?;
        equal(
            "signature",
            &key.sign(&message).to_bytes(),
            &bytes(signature),
        )?;
        let right: [u8; 64] = array(signature);
        for bit in 0..right.len() * 8 {
            let mut wrong = right;
            wrong[bit / 8] ^= 1 << (bit % 8);
            let wrong = Signature::from_bytes(&wrong);
            if key.verifying_key().verify_strict(&message, &wrong).is_ok() {
                return Err(format!("the signature passes with bit {bit} flipped"));
            }
        }
    }
    Ok(())
}

/// What the card of this device is signed over, and the card's own bytes, which end it.
const SIGNED: &[u8] = b"tabferry-device-card-v1\x01\x05tests";
const CARD: &[u8] = b"\x01\x05tests";

/// Whether the device with this key is taken to have signed a card with this signature.
fn passes(key: &SigningKey, r: &[u8; 32], s: &[u8; 32]) -> Result<bool, String> {
    let card =
        SignedCard::decode(&[&r[..], s, CARD].concat()).map_err(|error| error.to_string())?;
    let key = DeviceKey::from_seed(key.as_bytes()).public();
    match card.verify(&key) {
        Ok(_) => Ok(true),
        Err(InvalidSignature) => Ok(false),
    }
}

fn refused(key: &SigningKey, r: &[u8; 32], s: &[u8; 32]) -> Result<(), String> {
    if passes(key, r, s)? {
        return Err(format!("taken: R {r:x?}, S {s:x?}"));
    }
    Ok(())
}

/// The order of the base point, little-endian.
const L: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// None if it takes more than 32 bytes.
fn sum(a: &[u8; 32], b: &[u8; 32]) -> Option<[u8; 32]> {
    let mut sum = [0; 32];
    let mut carry = 0;
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        let all = u16::from(*a) + u16::from(*b) + carry;
        [*sum, _] = all.to_le_bytes();
        carry = all >> 8;
    }
    (carry == 0).then_some(sum)
}

fn ed25519_large_s() -> Result<(), String> {
    let key = SigningKey::from_bytes(&[1; 32]);
    let signature = key.sign(SIGNED);
    let (r, s) = (signature.r_bytes(), signature.s_bytes());
    if !passes(&key, r, s)? {
        return Err("an honest signature is refused".to_owned());
    }
    let mut larger = *s;
    // Below 2^256 there are at least fifteen more with the same remainder.
    for _ in 0..15 {
        larger = sum(&larger, &array(L)).ok_or("S has more bytes than it should")?;
        refused(&key, r, &larger)?;
    }
    refused(&key, r, &array(L))?;
    refused(&key, r, &[0xFF; 32])
}

/// The signature whose R is this, by whoever knows the key and this logarithm of R.
fn signature(key: &SigningKey, r: &[u8; 32], logarithm: Scalar) -> [u8; 32] {
    let public = key.verifying_key();
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(public.as_bytes())
        .chain_update(SIGNED);
    let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    (logarithm + challenge * key.to_scalar()).to_bytes()
}

/// Encodings of points of small order, also such that are not canonical.
const SMALL_ORDER: [&str; 11] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
];

fn ed25519_weak_r() -> Result<(), String> {
    let key = SigningKey::from_bytes(&[2; 32]);
    for r in SMALL_ORDER {
        let r = array(r);
        // The logarithm of the neutral point; the others have none, and pass where the cofactor is multiplied in.
        refused(&key, &r, &signature(&key, &r, Scalar::ZERO))?;
    }
    // The control: a check that is not strict takes the first.
    let neutral: [u8; 32] = array(SMALL_ORDER[0]);
    let lenient = Signature::from_components(neutral, signature(&key, &neutral, Scalar::ZERO));
    key.verifying_key()
        .verify(SIGNED, &lenient)
        .map_err(|error| error.to_string())
}

fn ed25519_cofactor() -> Result<(), String> {
    let key = SigningKey::from_bytes(&[3; 32]);
    let logarithm = Scalar::from_bytes_mod_order([7; 32]);
    let honest = EdwardsPoint::mul_base(&logarithm);
    let r = honest.compress().to_bytes();
    if !passes(&key, &r, &signature(&key, &r, logarithm))? {
        return Err("a signature that is right is refused".to_owned());
    }
    for torsion in &SMALL_ORDER[4..] {
        let torsion = CompressedEdwardsY(array(torsion)).decompress();
        let torsion = torsion.ok_or("a point of small order can't be read")?;
        let r = (honest + torsion).compress().to_bytes();
        refused(&key, &r, &signature(&key, &r, logarithm))?;
    }
    Ok(())
}

fn aead() -> Result<(), String> {
    let key: [u8; 32] = array("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    let nonce: [u8; 12] = array("070000004041424344454647");
    let extra = bytes("50515253c0c1c2c3c4c5c6c7");
    let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
        sunscreen would be it.";
    let sealed = bytes(concat!(
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6",
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36",
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc",
        "3ff4def08e4b7a9de576d26586cec64b6116",
    ));
    let tag: [u8; 16] = array("1ae10b594f09e26a7e902ecbd0600691");
    let cipher = ChaCha20Poly1305::new(&key.into());
    let mut found = text.to_vec();
    let found_tag = cipher
        .encrypt_in_place_detached(&nonce.into(), &extra, &mut found)
        .map_err(|error| error.to_string())?;
    equal("ciphertext", &found, &sealed)?;
    equal("tag", &found_tag, &tag)?;
    let open = |nonce: [u8; 12], extra: &[u8], tag: [u8; 16]| {
        let mut opened = sealed.clone();
        cipher
            .decrypt_in_place_detached(&nonce.into(), extra, &mut opened, &tag.into())
            .map(|()| opened)
    };
    let opened = open(nonce, &extra, tag).map_err(|error| error.to_string())?;
    equal("plaintext", &opened, text)?;
    for bit in 0..128 {
        let mut wrong = tag;
        wrong[bit / 8] ^= 1 << (bit % 8);
        if open(nonce, &extra, wrong).is_ok() {
            return Err(format!("the tag passes with bit {bit} flipped"));
        }
    }
    Ok(())
}

fn aead_of_noise() -> Result<(), String> {
    let extra = bytes("f33388860000000000004e91");
    let text = "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or \
        obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference material or to \
        cite them other than as /\u{201C}work in progress./\u{201D}";
    let sealed = bytes(concat!(
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2",
        "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf",
        "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855",
        "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4",
        "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e",
        "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a",
        "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10",
        "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29",
        "a6ad5cb4022b02709b",
        "eead9d67890cbb22392336fea1851f38",
    ));
    // Noise counts its nonces; this one's first four bytes are zero, as Noise has them.
    let nonce = u64::from_le_bytes(array("0102030405060708"));
    let mut cipher = DefaultResolver
        .resolve_cipher(&CipherChoice::ChaChaPoly)
        .ok_or("Noise has no such cipher")?;
    cipher.set(&array(
        "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
    ));
    let mut found = vec![0; sealed.len()];
    cipher.encrypt(nonce, &extra, text.as_bytes(), &mut found);
    equal("ciphertext and tag", &found, &sealed)?;
    let mut opened = vec![0; text.len()];
    cipher
        .decrypt(nonce, &extra, &sealed, &mut opened)
        .map_err(|error| error.to_string())?;
    equal("plaintext", &opened, text.as_bytes())?;
    for bit in 0..sealed.len() * 8 {
        let mut wrong = sealed.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        if cipher.decrypt(nonce, &extra, &wrong, &mut opened).is_ok() {
            return Err(format!("it opens with bit {bit} flipped"));
        }
    }
    for bit in 0..extra.len() * 8 {
        let mut wrong = extra.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        if cipher.decrypt(nonce, &wrong, &sealed, &mut opened).is_ok() {
            return Err(format!("it opens with bit {bit} of its context flipped"));
        }
    }
    for bit in 0..64 {
        let nonce = nonce ^ 1 << bit;
        if cipher.decrypt(nonce, &extra, &sealed, &mut opened).is_ok() {
            return Err(format!("it opens with bit {bit} of its nonce flipped"));
        }
    }
    Ok(())
}

fn hkdf() -> Result<(), String> {
    let counted = |range: core::ops::RangeInclusive<u8>| range.collect::<Vec<u8>>();
    for (key, salt, info, extracted, expanded) in [
        (
            vec![0x0B; 22],
            counted(0..=0x0C),
            counted(0xF0..=0xF9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            counted(0..=0x4F),
            counted(0x60..=0xAF),
            counted(0xB0..=0xFF),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
    ] {
        let (found, hkdf) = Hkdf::<Sha256>::extract(Some(&salt), &key);
        equal("extracted", &found, &bytes(extracted))?;
        let expanded = bytes(expanded);
        let mut found = vec![0; expanded.len()];
        hkdf.expand(&info, &mut found)
            .map_err(|error| error.to_string())?;
        equal("expanded", &found, &expanded)?;
    }
    Ok(())
}

fn hkdf_of_noise() -> Result<(), String> {
    let expanded = bytes(
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    );
    let key = [0x0B; 22];
    let mut hash = DefaultResolver
        .resolve_hash(&HashChoice::SHA256)
        .ok_or("Noise has no such hash")?;
    // Noise expands without further words, to two or three keys; this vector has none, and a part of the second.
    let [mut first, mut second, mut third] = [[0; 32]; 3];
    hash.hkdf(&[], &key, 2, &mut first, &mut second, &mut third);
    let mut found = [first, second].concat();
    found.truncate(expanded.len());
    equal("expanded by Noise", &found, &expanded)?;
    let (extracted, hkdf) = Hkdf::<Sha256>::extract(None, &key);
    let expected = "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04";
    equal("extracted", &extracted, &bytes(expected))?;
    let mut found = vec![0; expanded.len()];
    hkdf.expand(&[], &mut found)
        .map_err(|error| error.to_string())?;
    equal("expanded", &found, &expanded)
}
