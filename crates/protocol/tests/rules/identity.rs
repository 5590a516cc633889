//! Device keys, ids and signed cards: which keys are some, whose signature counts, and that no secret is printed.

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use tabferry_protocol::card::{DeviceKind, DeviceName};
use tabferry_protocol::id::DeviceId;
use tabferry_protocol::identity::{
    DeviceKey, InvalidPublicKey, InvalidSignature, PublicKey, SignedCard,
};

use crate::strategies;

pub(crate) fn hex<const N: usize>(text: &str) -> [u8; N] {
    let bytes = HEXLOWER.decode(text.as_bytes()).expect("hexadecimal");
    bytes.try_into().expect("of this length")
}

fn name(text: &str) -> DeviceName {
    DeviceName::try_from(text.to_owned()).expect("a valid name")
}

#[test]
fn keys_are_those_of_rfc_8032() {
    // Section 7.1, tests 1, 2, 3, 1024 and SHA(abc).
    for (seed, public) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        ),
        (
            "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
            "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        ),
    ] {
        let key = DeviceKey::from_seed(&hex(seed));
        assert_eq!(key.expose_seed(), &hex(seed));
        assert_eq!(key.public().as_bytes(), &hex(public));
        assert_eq!(PublicKey::from_bytes(&hex(public)), Ok(key.public()));
    }
}

#[test]
fn keys_of_nobody_are_refused() {
    // All points of small order, the encodings of them that are not canonical, and others that are not.
    for wrong in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        // y = p + 3 and p + 4: points of the curve, but 3 and 4 are their only spelling.
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // No point of the curve.
        "0200000000000000000000000000000000000000000000000000000000000000",
    ] {
        assert_eq!(
            PublicKey::from_bytes(&hex(wrong)),
            Err(InvalidPublicKey),
            "{wrong}"
        );
    }
}

#[test]
fn an_id_follows_from_the_key() {
    let key = DeviceKey::from_seed(&[1; 32]).public();
    // Written down when it was first computed: it must never change.
    assert_eq!(DeviceId::of(&key).to_string(), "pdzsusu72qht3ycqzbdeak3vzq");
    assert_ne!(
        DeviceId::of(&key),
        DeviceId::of(&DeviceKey::from_seed(&[2; 32]).public())
    );
}

#[test]
fn no_secret_is_printed() {
    let key = DeviceKey::from_seed(&[0xAB; 32]);
    let id = DeviceId::of(&key.public());
    assert_eq!(format!("{key:?}"), format!("DeviceKey({id})"));
    assert_eq!(format!("{:?}", key.public()), format!("PublicKey({id})"));
}

#[test]
fn a_card_counts_for_its_signer_only() {
    let (ada, bob) = (
        DeviceKey::from_seed(&[1; 32]),
        DeviceKey::from_seed(&[2; 32]),
    );
    let card = SignedCard::sign(&ada, &name("Ada's laptop"), DeviceKind::Computer);
    let read = card.verify(&ada.public()).expect("her own");
    assert_eq!(read.id, DeviceId::of(&ada.public()));
    assert_eq!(read.name, name("Ada's laptop"));
    assert_eq!(read.kind, DeviceKind::Computer);
    assert_eq!(card.verify(&bob.public()), Err(InvalidSignature));
}

#[test]
fn every_changed_bit_of_a_card_is_noticed() {
    let key = DeviceKey::from_seed(&[1; 32]);
    let bytes = SignedCard::sign(&key, &name("phone"), DeviceKind::Phone).encode();
    for position in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[position / 8] ^= 1 << (position % 8);
        if let Ok(card) = SignedCard::decode(&changed) {
            assert_eq!(
                card.verify(&key.public()),
                Err(InvalidSignature),
                "{position}"
            );
        }
    }
    for length in 0..bytes.len() {
        assert!(SignedCard::decode(&bytes[..length]).is_err(), "{length}");
    }
    assert!(SignedCard::decode(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_kind_of_a_newer_version_keeps_its_signature() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let signed = [&[200, 5], &b"watch"[..]].concat();
    let message = [&b"tabferry-device-card-v1"[..], &signed].concat();
    let signature = ed25519_dalek::Signer::sign(&key, &message).to_bytes();
    let bytes = [&signature[..], &signed].concat();
    let card = SignedCard::decode(&bytes).expect("a card");
    assert_eq!(card.encode(), bytes);
    let public = DeviceKey::from_seed(&[1; 32]).public();
    let read = card.verify(&public).expect("signed");
    assert_eq!(read.kind, DeviceKind::Other);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_card_is_read_as_it_was_signed(seed: [u8; 32], card in strategies::device()) {
        let key = DeviceKey::from_seed(&seed);
        let signed = SignedCard::sign(&key, &card.name, card.kind);
        let bytes = signed.encode();
        prop_assert!((67..=130).contains(&bytes.len()));
        prop_assert_eq!(SignedCard::decode(&bytes), Ok(signed.clone()));
        let read = signed.verify(&key.public()).expect("signed by this key");
        prop_assert_eq!((read.name, read.kind), (card.name, card.kind));
    }

    #[test]
    fn no_bytes_break_the_reader_of_keys_and_cards(key: [u8; 32], bytes: Vec<u8>) {
        let key = PublicKey::from_bytes(&key);
        if let (Ok(key), Ok(card)) = (key, SignedCard::decode(&bytes)) {
            prop_assert!(card.verify(&key).is_err());
        }
    }
}
