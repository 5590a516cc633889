//! Device ids as people type them: which texts are some, and that no wrong or exchanged character passes.

use proptest::prelude::*;
use tabferry_protocol::id::DeviceId;
use tabferry_protocol::spelling::Misspelled;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn samples() -> Vec<DeviceId> {
    [
        [0; 16],
        [0xFF; 16],
        *b"device-of-golden",
        core::array::from_fn(|index| u8::try_from(index * 17).expect("below 256")),
    ]
    .map(DeviceId::from_bytes)
    .to_vec()
}

/// The characters without hyphens.
fn characters(id: &DeviceId) -> Vec<u8> {
    id.spelled().replace('-', "").into_bytes()
}

fn read(characters: &[u8]) -> Result<DeviceId, Misspelled> {
    DeviceId::from_spelled(core::str::from_utf8(characters).expect("ASCII"))
}

#[test]
fn an_id_is_spelled_in_seven_groups() {
    let id = DeviceId::from_bytes(*b"device-of-golden");
    let spelled = id.spelled();
    assert_eq!(spelled, "MRSX-M2LD-MUWW-6ZRN-M5XW-YZDF-NYNC");
    assert!(
        spelled
            .to_lowercase()
            .replace('-', "")
            .starts_with(&id.to_string())
    );
    for typed in [
        spelled.as_str(),
        &spelled.to_lowercase(),
        &spelled.replace('-', ""),
        &spelled.replace('-', " "),
        &spelled.replace('-', " - "),
        &format!("\t{spelled}\n"),
        &spelled.replace('-', "\u{A0}"),
    ] {
        assert_eq!(DeviceId::from_spelled(typed), Ok(id), "{typed:?}");
    }
}

#[test]
fn digits_that_no_id_has_are_taken_for_letters() {
    let lookalikes = [('O', '0'), ('I', '1'), ('B', '8')];
    for (letter, digit) in lookalikes {
        let id = (0..=255)
            .map(|byte| DeviceId::from_bytes([byte; 16]))
            .find(|id| id.spelled().contains(letter))
            .expect("some id has it");
        let typed = id.spelled().replace(letter, &digit.to_string());
        assert_eq!(DeviceId::from_spelled(&typed), Ok(id), "{typed}");
    }
}

#[test]
fn other_texts_are_refused_for_a_reason() {
    let spelled = DeviceId::from_bytes([7; 16]).spelled();
    let one_less = &spelled[..spelled.len() - 1];
    for (typed, reason) in [
        (String::new(), Misspelled::Length),
        ("-".repeat(28), Misspelled::Length),
        (one_less.to_owned(), Misspelled::Length),
        (format!("{spelled}A"), Misspelled::Length),
        ("A".repeat(10_000), Misspelled::Length),
        (format!("{one_less}9"), Misspelled::Character),
        (format!("{one_less}="), Misspelled::Character),
        (format!("{one_less}é"), Misspelled::Character),
        (format!("{one_less}Ａ"), Misspelled::Character),
        (format!("{spelled}\0"), Misspelled::Character),
        (format!("{spelled}\u{202E}"), Misspelled::Character),
        (spelled.replace('-', "_"), Misspelled::Character),
    ] {
        assert_eq!(DeviceId::from_spelled(&typed), Err(reason), "{typed:.40?}");
    }
}

#[test]
fn no_single_wrong_character_passes() {
    for id in samples() {
        let right = characters(&id);
        for position in 0..right.len() {
            for &wrong in ALPHABET.iter().filter(|&&other| other != right[position]) {
                let mut typed = right.clone();
                typed[position] = wrong;
                assert_eq!(read(&typed), Err(Misspelled::Check), "{position} of {id}");
            }
        }
    }
}

#[test]
fn no_two_exchanged_neighbours_pass() {
    // All pairs of values, at every place whose bits are all the id's own.
    for first in ALPHABET {
        for second in ALPHABET.iter().filter(|&second| second != first) {
            for position in 0..24 {
                let mut id = [b'A'; 26];
                (id[position], id[position + 1]) = (*first, *second);
                let text = String::from_utf8(id.to_ascii_lowercase()).expect("ASCII");
                let id: DeviceId = text.parse().expect("an id");
                let mut typed = characters(&id);
                typed.swap(position, position + 1);
                assert_eq!(read(&typed), Err(Misspelled::Check), "{position} of {id}");
            }
        }
    }
}

#[test]
fn no_two_wrong_characters_pass() {
    let right = characters(&DeviceId::from_bytes(*b"device-of-golden"));
    for position in 0..right.len() {
        for other in position + 1..right.len() {
            let mut typed = right.clone();
            for &wrong in ALPHABET.iter().filter(|&&wrong| wrong != right[position]) {
                typed[position] = wrong;
                for &also in ALPHABET.iter().filter(|&&also| also != right[other]) {
                    typed[other] = also;
                    assert_eq!(read(&typed), Err(Misspelled::Check));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_id_is_read_as_it_is_spelled(bytes: [u8; 16]) {
        let id = DeviceId::from_bytes(bytes);
        prop_assert_eq!(DeviceId::from_spelled(&id.spelled()), Ok(id));
    }

    #[test]
    fn no_two_exchanged_characters_pass(bytes: [u8; 16]) {
        let right = characters(&DeviceId::from_bytes(bytes));
        for position in 0..right.len() {
            for other in position + 1..right.len() {
                let mut typed = right.clone();
                typed.swap(position, other);
                if typed != right {
                    prop_assert_eq!(read(&typed), Err(Misspelled::Check));
                }
            }
        }
    }

    #[test]
    fn whatever_is_read_as_a_spelled_id_is_spelled_alike(typed in "[A-Z2-7]{28}|[A-Za-z0-9 -]{28,40}|.{0,40}") {
        if let Ok(id) = DeviceId::from_spelled(&typed) {
            let letters: String = typed
                .chars()
                .filter(|c| *c != '-' && !c.is_whitespace())
                .map(|c| match c {
                    '0' => 'O',
                    '1' => 'I',
                    '8' => 'B',
                    c => c.to_ascii_uppercase(),
                })
                .collect();
            prop_assert_eq!(id.spelled().replace('-', ""), letters);
        }
    }
}
