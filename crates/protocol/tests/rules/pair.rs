//! What paired devices share: both come to the same secret and meet every hour, others learn nothing, and nothing is printed.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tabferry_protocol::hex::InvalidHex;
use tabferry_protocol::limits::PAIR_TAG_OVERLAP_SECONDS;
use tabferry_protocol::pair::{PairHalf, PairSecret, hours_around, next_change};

fn secret(asker: u8, asked: u8) -> PairSecret {
    let half = |byte| PairHalf::from_bytes([byte; 32]);
    PairSecret::of_halves(&half(asker), &half(asked))
}

fn hours(unix_seconds: u64) -> Vec<u64> {
    hours_around(unix_seconds).collect()
}

#[test]
fn each_half_changes_the_secret_and_so_does_their_order() {
    let secrets = [(1, 2), (1, 3), (3, 2), (2, 1), (1, 1)].map(|(asker, asked)| {
        let text = secret(asker, asked).expose_text();
        assert_eq!(text.len(), 64);
        text.to_string()
    });
    assert_eq!(secrets.iter().collect::<BTreeSet<_>>().len(), secrets.len());
}

#[test]
fn tags_are_those_of_the_document() {
    let material = [[1; 32], [2; 32]].concat();
    let shared = blake3::derive_key("tabferry pair secret v1", &material);
    let key = blake3::derive_key("tabferry pair tag v1", &shared);
    for hour in [0, 1, 490_000, u64::MAX] {
        let tag = blake3::keyed_hash(&key, &hour.to_le_bytes());
        let text = data_encoding::BASE32_NOPAD.encode(&tag.as_bytes()[..16]);
        let found = secret(1, 2).tag(hour).to_string();
        assert_eq!(found, text.to_ascii_lowercase());
    }
}

#[test]
fn no_two_hours_or_pairs_have_a_tag_in_common() {
    let mut tags = BTreeSet::new();
    for pair in 0..100 {
        for hour in 490_000..490_100 {
            assert!(tags.insert(secret(pair, 200).tag(hour)));
        }
    }
}

#[test]
fn a_device_is_found_under_the_neighboring_hour_near_its_boundary() {
    let hour = 490_000;
    let at = |minute: u64, second: u64| hours(hour * 3_600 + minute * 60 + second);
    assert_eq!(at(0, 0), [hour, hour - 1]);
    assert_eq!(at(4, 59), [hour, hour - 1]);
    assert_eq!(at(5, 0), [hour]);
    assert_eq!(at(30, 0), [hour]);
    assert_eq!(at(54, 59), [hour]);
    assert_eq!(at(55, 0), [hour, hour + 1]);
    assert_eq!(at(59, 59), [hour, hour + 1]);
    assert_eq!(hours(0), [0], "there is no hour before the first");
    assert_eq!(hours(u64::MAX).first(), Some(&(u64::MAX / 3_600)));
}

#[test]
fn a_stored_secret_has_one_spelling() {
    let text = secret(1, 2).expose_text();
    let read = PairSecret::from_text(&text).expect("as it was written");
    assert_eq!(read.expose_text(), text);
    for wrong in [
        "",
        &text[..63],
        &format!("{}0", *text),
        &text.to_uppercase(),
        &format!(" {}", &text[1..]),
    ] {
        assert_eq!(PairSecret::from_text(wrong).err(), Some(InvalidHex));
        let half = PairHalf::try_from((*wrong).to_owned());
        assert_eq!(half.err(), Some(InvalidHex));
    }
}

#[test]
fn no_secret_is_printed() {
    assert_eq!(format!("{:?}", secret(0xAB, 0xCD)), "PairSecret");
    assert_eq!(
        format!("{:?}", PairHalf::from_bytes([0xAB; 32])),
        "PairHalf"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn devices_whose_clocks_differ_a_little_always_meet(
        now in 3_600u64..1 << 40,
        difference in 0..=2 * PAIR_TAG_OVERLAP_SECONDS,
    ) {
        let here = hours(now);
        prop_assert!(hours(now + difference).iter().any(|hour| here.contains(hour)));
        prop_assert!(here.len() <= 2);
        prop_assert_eq!(here[0], now / 3_600);
    }

    #[test]
    fn hours_change_when_they_are_said_to(now in 3_600u64..1 << 40) {
        let sorted = |at| {
            let mut hours = hours(at);
            hours.sort_unstable();
            hours
        };
        let next = next_change(now);
        prop_assert!(next > now && next <= now + 3_600);
        prop_assert_eq!(sorted(next - 1), sorted(now));
        prop_assert_ne!(sorted(next), sorted(now));
    }

    #[test]
    fn every_half_is_read_as_it_is_written(bytes: [u8; 32], other: [u8; 32]) {
        let half = PairHalf::from_bytes(bytes);
        let read = PairHalf::try_from(String::from(half.clone())).expect("as it was written");
        prop_assert_eq!(&read, &half);
        prop_assert_eq!(PairHalf::from_bytes(other) == half, other == bytes);
    }
}
