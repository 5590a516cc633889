//! Ids, names of rooms, digests, versions and device names: which texts are some, and that each has one spelling.

use proptest::prelude::*;
use tabferry_protocol::card::DeviceName;
use tabferry_protocol::digest::{Digest, Hasher};
use tabferry_protocol::id::PairTag;
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::DEVICE_NAME_BYTES;
use tabferry_protocol::name::is_invisible;
use tabferry_protocol::secret_code::{GroupCode, Nameplate};
use tabferry_protocol::version::{SPOKEN, Versions};

#[test]
fn an_id_has_one_spelling() {
    let id = PeerId::from_bytes([0xA5; 16]);
    let text = id.to_string();
    assert_eq!(text.len(), 26);
    assert_eq!(text.parse(), Ok(id));
    let shortened = &text[..25];
    for wrong in [
        "",
        shortened,
        &format!("{text}a"),
        &format!("{text}======"),
        &text.to_uppercase(),
        &format!("{shortened}="),
        &format!("{shortened}1"),
        &format!("{shortened} "),
        &format!("{}é", &text[..24]),
        // The last character has two bits more than the id: only zeros are its spelling.
        &format!("{shortened}z"),
    ] {
        assert!(wrong.parse::<PeerId>().is_err(), "{wrong:?}");
    }
}

#[test]
fn names_of_rooms_have_one_spelling() {
    for wrong in [
        "", "7K3", "7K3MX", "7k3m", "7K3I", "7K3L", "7K3O", "7K3U", "7-3M", "7K 3", " 7K3", "7K3é",
        "7K3\0", "+123", "-123", "٧٧",
    ] {
        assert!(wrong.parse::<Nameplate>().is_err(), "{wrong:?}");
        let longer = format!("{wrong}7K3M");
        assert!(longer.parse::<GroupCode>().is_err(), "{longer:?}");
    }
    assert!("7K3M7K3M".parse::<Nameplate>().is_err());
    assert!("7K3M".parse::<GroupCode>().is_err());
    assert!("7K3M7K3M".parse::<PairTag>().is_err());
}

#[test]
fn a_digest_has_one_spelling() {
    let digest = Digest::of(b"abc");
    // From the test vectors of the BLAKE3 paper's reference implementation.
    let text = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
    assert_eq!(digest.to_string(), text);
    assert_eq!(Digest::try_from(text.to_owned()), Ok(digest));
    for wrong in [
        String::new(),
        text[..62].to_owned(),
        text[..63].to_owned(),
        format!("{text}0"),
        format!("{text}00"),
        text.to_uppercase(),
        text.replacen('6', "F", 1),
        text.replacen('6', "g", 1),
        text.replacen("64", "0x", 1),
        text.replacen("64", " 4", 1),
        format!("{}é", &text[..62]),
        "é".repeat(32),
    ] {
        assert!(Digest::try_from(wrong.clone()).is_err(), "{wrong:?}");
    }
}

#[test]
fn the_common_version_is_the_highest_both_speak() {
    assert_eq!(SPOKEN, [1], "the rows below assume it");
    for (theirs, common) in [
        (&[1][..], Some(1)),
        (&[1, 2, 3], Some(1)),
        (&[3, 1, 2], Some(1)),
        (&[1, 1], Some(1)),
        (&[u16::MAX, 1], Some(1)),
        (&[2], None),
        (&[0], None),
        (&[u16::MAX], None),
    ] {
        let versions = Versions::try_from(theirs.to_vec()).expect("1 to 16 versions");
        assert_eq!(versions.common(), common, "{theirs:?}");
    }
    assert_eq!(Versions::spoken().common(), SPOKEN.iter().max().copied());
}

#[test]
fn a_typed_device_name_becomes_the_nearest_valid_one() {
    let seventy = "n".repeat(70);
    let cut = "n".repeat(DEVICE_NAME_BYTES);
    let spaced = format!("{} x", "n".repeat(DEVICE_NAME_BYTES - 1));
    for (typed, name) in [
        ("Laptop", Some("Laptop")),
        ("  My\t\tlaptop \r\n", Some("My laptop")),
        ("a\u{A0}\u{2003}b\u{2028}c\u{85}d", Some("a b c d")),
        ("\u{202E}potpaL\u{202C}", Some("potpaL")),
        ("Lap\u{0}\u{1b}[31mtop", Some("Lap[31mtop")),
        ("\u{FEFF}L\u{200B}\u{E0041}", Some("L")),
        ("Åsa's 💻", Some("Åsa's 💻")),
        ("<b>&amp;\"", Some("<b>&amp;\"")),
        ("👨\u{200D}👩", Some("👨👩")),
        ("/\\..", Some("/\\..")),
        (&seventy, Some(&cut)),
        (&spaced, Some(&cut[1..])),
        ("", None),
        (" \t\u{2029}\u{3000}", None),
        ("\u{200B}\u{2060}\u{FEFF}", None),
        ("\u{3164}\u{2800}\u{115F}", None),
    ] {
        let found = DeviceName::from_typed(typed).ok();
        assert_eq!(found.as_ref().map(DeviceName::as_str), name, "{typed:?}");
    }
}

#[test]
fn a_device_name_from_elsewhere_is_taken_only_as_it_is() {
    for good in ["n", "Åsa's 💻", "a  b", "a\u{A0}b", "️x"] {
        assert!(DeviceName::try_from(good.to_owned()).is_ok(), "{good:?}");
    }
    for wrong in [
        "",
        " ",
        " n",
        "n ",
        "n\u{A0}",
        "\u{3000}n",
        "a\tb",
        "a\nb",
        "a\0",
        "\u{202E}n",
        "n\u{200B}",
        "a\u{2028}b",
        "n\u{E0041}",
        "\u{7f}",
        "\u{85}",
        "\u{2800}",
        "\u{E000}",
        "\u{FFFF}",
    ] {
        assert!(DeviceName::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_id_is_read_as_it_is_written(bytes: [u8; 16]) {
        let id = PeerId::from_bytes(bytes);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn every_tag_is_read_as_it_is_written(bytes: [u8; 16]) {
        let tag = PairTag::from_bytes(bytes);
        prop_assert_eq!(tag.to_string().parse(), Ok(tag));
    }

    #[test]
    fn whatever_is_read_as_a_name_of_a_room_is_written_the_same(text in "[0-9A-Za-z]{4}|[0-9A-Z]{8}|.{0,9}") {
        if let Ok(nameplate) = text.parse::<Nameplate>() {
            prop_assert_eq!(nameplate.to_string(), &text[..]);
        }
        if let Ok(name) = text.parse::<GroupCode>() {
            prop_assert_eq!(String::from(name), text);
        }
    }

    #[test]
    fn whatever_is_read_as_an_id_is_written_the_same(text in "[a-z2-7]{26}|.{0,30}") {
        if let Ok(id) = text.parse::<PeerId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn whatever_is_read_as_a_digest_is_written_the_same(text in "[0-9a-f]{64}|[0-9a-fA-F]{60,66}|.{0,70}") {
        if let Ok(digest) = Digest::try_from(text.clone()) {
            prop_assert_eq!(digest.to_string(), text);
        }
    }

    #[test]
    fn a_digest_does_not_depend_on_the_pieces(bytes: Vec<u8>, cut: proptest::sample::Index) {
        let (start, end) = bytes.split_at(cut.index(bytes.len() + 1));
        let mut hasher = Hasher::default();
        hasher.update(start);
        hasher.update(end);
        prop_assert_eq!(hasher.digest(), Digest::of(&bytes));
    }

    #[test]
    fn every_typed_name_is_valid_and_stays(typed in ".{0,90}|\\PC{0,40}") {
        if let Ok(name) = DeviceName::from_typed(&typed) {
            let text = name.as_str();
            prop_assert!((1..=DEVICE_NAME_BYTES).contains(&text.len()));
            prop_assert!(!text.chars().any(is_invisible));
            prop_assert_eq!(DeviceName::from_typed(text), Ok(name.clone()));
        }
    }
}
