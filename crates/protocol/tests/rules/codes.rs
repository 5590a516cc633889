//! Codes that people type: which texts are some, that each has one spelling on the wire, that all are equally likely, and that
//! no secret is printed.

use proptest::prelude::*;
use serde_json::json;
use tabferry_protocol::secret_code::{GroupCode, Mistyped, Nameplate, SecretCode};

const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What a typed text is read as by both kinds of codes, spelled.
pub(crate) fn typed(text: &str) -> Result<String, Mistyped> {
    let code = SecretCode::from_typed(text).map(|code| code.spelled().to_string());
    let group = GroupCode::from_typed(text).map(|code| code.spelled());
    assert_eq!(code, group, "{text:?}");
    code
}

#[test]
fn bits_are_spelled_from_the_highest() {
    for (bytes, spelled) in [
        ([0; 5], "0000-0000"),
        ([0xFF; 5], "ZZZZ-ZZZZ"),
        ([0, 0, 0, 0, 1], "0000-0001"),
        ([0x80, 0, 0, 0, 0], "G000-0000"),
        // The values 0 to 7, and 24 to 31.
        ([0x00, 0x44, 0x32, 0x14, 0xC7], "0123-4567"),
        ([0xC6, 0x75, 0xBE, 0x77, 0xDF], "RSTV-WXYZ"),
    ] {
        let code = SecretCode::from_random(bytes);
        assert_eq!(*code.spelled(), spelled);
        assert_eq!(code.nameplate.to_string(), spelled[..4]);
        assert_eq!(GroupCode::from_random(bytes).spelled(), spelled);
    }
}

#[test]
fn a_code_is_read_however_it_is_typed() {
    for text in [
        "A1B2-0XYZ",
        "A1B20XYZ",
        "a1b2-0xyz",
        "aib2-oxyz",
        "AlB2 OxYz",
        "ALB2OXYZ",
        "  a 1 b 2 - 0 x y z\r\n",
        "A1B2\u{2013}0XYZ",
        "A1B2\u{2011}0XYZ",
        "A1B2\u{2212}0XYZ",
        "A1B2\u{2014}0XYZ",
        "A1B2\u{AD}0XYZ",
        "A1B2\u{FF0D}0XYZ",
        "A1B2\u{30FC}0XYZ",
        "A1B2\u{A0}0XYZ",
        "\u{FEFF}A1B2\u{3000}0XYZ\u{200B}",
        "-----A1B2--0XYZ-",
    ] {
        assert_eq!(typed(text).as_deref(), Ok("A1B2-0XYZ"), "{text:?}");
    }
}

#[test]
fn other_texts_are_refused_for_a_reason() {
    for (text, reason) in [
        ("", Mistyped::TooShort),
        ("-", Mistyped::TooShort),
        ("A1B2-0XY", Mistyped::TooShort),
        ("A1B2-0XYZ0", Mistyped::TooLong),
        ("A1B2-0XYZ-A1B2-0XYZ", Mistyped::TooLong),
        (&"0".repeat(100_000), Mistyped::TooLong),
        ("A1B2-0XYU", Mistyped::Character),
        ("u", Mistyped::Character),
        ("A1B2-0XYZ0u", Mistyped::Character),
        ("A1B2_0XYZ", Mistyped::Character),
        ("A1B2.0XYZ", Mistyped::Character),
        ("A1B2-0XY\u{E9}", Mistyped::Character),
        // Look like A, Z and K, and the last is k in lower case.
        ("\u{FF21}1B2-0XYZ", Mistyped::Character),
        ("A1B2-0XY\u{396}", Mistyped::Character),
        ("A1B2-0XY\u{212A}", Mistyped::Character),
        ("A1B2-0XY\u{131}", Mistyped::Character),
        ("A1B2-0XYZ\0", Mistyped::Character),
        ("A1B2-0XYZ\u{202E}", Mistyped::Character),
        (
            "https://tabferry.example/#code=A1B20XYZ",
            Mistyped::Character,
        ),
    ] {
        assert_eq!(typed(text), Err(reason), "{text:.40?}");
    }
}

#[test]
fn a_link_carries_a_code_in_its_fragment() {
    let code = SecretCode::from_typed("a1b2-0xyz").expect("a code");
    assert_eq!(*code.fragment(), "#code=A1B20XYZ");
    let read = |text| SecretCode::from_pasted(text).map(|code| code.spelled().to_string());
    for link in [
        "https://tabferry.example/#code=A1B20XYZ",
        "#code=A1B20XYZ",
        "#code=a1b2-0xyz",
        "#code=aib2 oxyz",
        " a1b2 0xyz ",
    ] {
        assert_eq!(read(link), Ok("A1B2-0XYZ".to_owned()), "{link}");
    }
    for (link, reason) in [
        ("", Mistyped::TooShort),
        ("#code=", Mistyped::TooShort),
        ("#", Mistyped::Character),
        ("#A1B20XYZ", Mistyped::Character),
        ("##code=A1B20XYZ", Mistyped::Character),
        ("#CODE=A1B20XYZ", Mistyped::Character),
        ("?code=A1B20XYZ", Mistyped::Character),
        ("#code=A1B20XYZ&x=1", Mistyped::Character),
        ("#code=A1B2%2D0XYZ", Mistyped::Character),
        ("https://tabferry.example/A1B20XYZ", Mistyped::Character),
    ] {
        assert_eq!(read(link), Err(reason), "{link}");
    }
}

#[test]
fn a_code_has_one_spelling_on_the_wire() {
    let code = SecretCode::from_typed("A1B2-0XYZ").expect("a code");
    assert_eq!(json!(code.nameplate), json!("A1B2"));
    let group = GroupCode::from_typed("A1B2-0XYZ").expect("a code");
    assert_eq!(json!(group), json!("A1B20XYZ"));
    let nameplate = |text: &str| Nameplate::try_from(text.to_owned()).is_ok();
    let group = |text: &str| GroupCode::try_from(text.to_owned()).is_ok();
    assert!(nameplate("A1B2") && group("A1B20XYZ"));
    for wrong in [
        "",
        "A1B",
        "A1B20",
        "a1b2",
        "A1BO",
        "A1BI",
        "A1BL",
        "A1BU",
        "A-B2",
        " A1B",
        "A1\u{E9}",
        "\u{1F436}",
    ] {
        assert!(!nameplate(wrong), "{wrong:?}");
        assert!(!group(wrong), "{wrong:?}");
    }
    for wrong in [
        "A1B2-0XYZ",
        "a1b20xyz",
        "A1B20XY",
        "A1B20XYZ0",
        "A1B2OXYZ",
        "A1B2 XYZ",
    ] {
        assert!(!group(wrong), "{wrong:?}");
    }
}

#[test]
fn no_secret_is_printed() {
    let code = SecretCode::from_typed("A1B2-0XYZ").expect("a code");
    assert_eq!(
        format!("{code:?}"),
        "SecretCode { nameplate: A1B2, secret: Secret }"
    );
    let group = GroupCode::from_typed("A1B2-0XYZ").expect("a code");
    assert_eq!(format!("{group:?}"), "GroupCode");
}

/// A million codes: in each place every character is as likely as any other. Of fair codes one set of eight places in
/// thirteen would be refused; the numbers are always the same, so this one is not.
#[test]
fn no_character_is_favored() {
    let codes = 1_000_000;
    let mut random = blake3::Hasher::new().update(b"codes").finalize_xof();
    let mut counts = [[0u32; 32]; 8];
    for _ in 0..codes {
        let mut bytes = [0; 5];
        random.fill(&mut bytes);
        let code = SecretCode::from_random(bytes);
        let spelled = code.spelled();
        let characters = spelled.chars().filter(|character| *character != '-');
        for (counts, character) in counts.iter_mut().zip(characters) {
            counts[ALPHABET.find(character).expect("of the alphabet")] += 1;
        }
    }
    let expected = f64::from(codes) / 32.0;
    for (place, counts) in counts.iter().enumerate() {
        assert_eq!(counts.iter().sum::<u32>(), codes);
        let squares: f64 = counts
            .iter()
            .map(|count| (f64::from(*count) - expected).powi(2) / expected)
            .sum();
        // The 99th percentile for 31 degrees of freedom.
        assert!(squares < 52.19, "place {place}: {squares}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_code_is_read_as_it_is_spelled(bytes: [u8; 5]) {
        let code = SecretCode::from_random(bytes);
        let spelled = code.spelled().to_string();
        prop_assert_eq!(typed(&spelled), Ok(spelled.clone()));
        prop_assert_eq!(typed(&spelled.to_lowercase()), Ok(spelled.clone()));
        let again = SecretCode::from_pasted(&code.fragment()).expect("this one");
        prop_assert_eq!(&*again.spelled(), &spelled);
        let group = GroupCode::from_random(bytes);
        prop_assert_eq!(GroupCode::try_from(String::from(group)), Ok(group));
        let nameplate = code.nameplate;
        prop_assert_eq!(Nameplate::try_from(String::from(nameplate)), Ok(nameplate));
    }

    #[test]
    fn whatever_is_read_as_a_code_is_spelled_alike(text in "[0-9A-Za-z -]{8,12}|[0-9A-TV-Z]{8}|.{0,12}") {
        if let Ok(spelled) = typed(&text) {
            prop_assert_eq!(typed(&spelled), Ok(spelled.clone()));
            let significant = spelled.replace('-', "");
            prop_assert!(significant.chars().all(|character| ALPHABET.contains(character)));
            prop_assert_eq!(significant.len(), 8);
        }
    }

    #[test]
    fn whatever_is_read_as_a_nameplate_is_written_the_same(text in "[0-9A-Z]{4}|.{0,5}") {
        if let Ok(nameplate) = Nameplate::try_from(text.clone()) {
            prop_assert_eq!(nameplate.to_string(), text);
        }
    }
}
