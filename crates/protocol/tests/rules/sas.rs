//! The short authentication string: both ends come to the same one, nobody in between makes two of them alike, and the
//! decoys that it is shown among are easy to tell from it. The attacker is written here anew, from `docs/protocol.md`.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tabferry_protocol::code::Code;
use tabferry_protocol::emoji::EMOJI;
use tabferry_protocol::hex::InvalidHex;
use tabferry_protocol::sas::{Asked, Asker, Choices, Commitment, Nonce, Sas, WrongNonce};

/// The asker's string and the other end's, on one transcript each.
fn pair(transcripts: [[u8; 32]; 2], nonces: [[u8; 32]; 2]) -> Result<[Sas; 2], WrongNonce> {
    let (asker, commitment) = Asker::new(transcripts[0], Nonce::from_bytes(nonces[0]));
    let other = Nonce::from_bytes(nonces[1]);
    let asked = Asked::new(transcripts[1], other, commitment);
    let (shown, of_asker) = asker.answer(&other);
    Ok([of_asker, asked.reveal(&shown)?])
}

fn symbols(bits: u32) -> [u8; 4] {
    [18, 12, 6, 0].map(|shift| u8::try_from(bits >> shift & 63).expect("six bits"))
}

/// The string as the document says, in 24 bits.
fn documented(transcript: &[u8; 32], asker: &[u8; 32], asked: &[u8; 32]) -> u32 {
    let material = [&transcript[..], asker, asked].concat();
    let bytes = blake3::derive_key("tabferry short authentication string v1", &material);
    u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])
}

/// A string cut to 16 bits, so that an attack can succeed within a test.
fn cut(sas: Sas) -> u16 {
    let bits = sas
        .symbols()
        .iter()
        .fold(0, |bits, symbol| bits << 6 | u32::from(*symbol));
    cut_bits(bits)
}

fn cut_bits(bits: u32) -> u16 {
    u16::try_from(bits >> 8).expect("24 bits")
}

/// Numbers that only look random.
struct Draw(blake3::OutputReader);

impl Draw {
    fn new(seed: &str) -> Self {
        Self(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof())
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill(&mut bytes);
        bytes
    }
}

#[test]
fn both_ends_come_to_the_string_of_the_document() {
    let mut draw = Draw::new("honest");
    for _ in 0..1_000 {
        let (transcript, asker, asked) = (draw.bytes(), draw.bytes(), draw.bytes());
        let [left, right] = pair([transcript; 2], [asker, asked]).expect("honest");
        assert_eq!(left, right);
        let expected = symbols(documented(&transcript, &asker, &asked));
        assert_eq!(left.symbols(), expected);
    }
}

#[test]
fn a_nonce_that_was_not_committed_to_is_refused() {
    let (transcript, nonce) = ([1; 32], [2; 32]);
    let (_, commitment) = Asker::new(transcript, Nonce::from_bytes(nonce));
    let reveal = |transcript, nonce| {
        Asked::new(transcript, Nonce::from_bytes([3; 32]), commitment)
            .reveal(&Nonce::from_bytes(nonce))
    };
    assert!(reveal(transcript, nonce).is_ok());
    for bit in 0..256 {
        let mut other = nonce;
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(reveal(transcript, other), Err(WrongNonce));
        let mut elsewhere = transcript;
        elsewhere[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(reveal(elsewhere, nonce), Err(WrongNonce));
    }
    assert_eq!(WrongNonce.code(), Code::Unverified);
    // Its own nonce and the commitment itself, sent back.
    assert_eq!(reveal(transcript, [3; 32]), Err(WrongNonce));
    let text = String::from(commitment);
    let echo = Nonce::try_from(text).expect("as long as a nonce");
    let asked = Asked::new(transcript, Nonce::from_bytes([3; 32]), commitment);
    assert_eq!(asked.reveal(&echo), Err(WrongNonce));
}

#[test]
fn every_part_changes_the_string() {
    let all = |transcript, asker, asked| {
        let [sas, _] = pair([transcript; 2], [asker, asked]).expect("honest");
        sas
    };
    let sas = all([1; 32], [2; 32], [3; 32]);
    assert_ne!(sas, all([4; 32], [2; 32], [3; 32]));
    assert_ne!(sas, all([1; 32], [4; 32], [3; 32]));
    assert_ne!(sas, all([1; 32], [2; 32], [4; 32]));
    assert_ne!(sas, all([1; 32], [3; 32], [2; 32]), "the roles count");
}

/// Somebody sits between two ends, with a handshake of his own to each. He may speak to them in any order, but must commit
/// towards the one that is asked before it answers, and answer the asker before it shows its nonce. So of the two strings
/// the one that is complete first is fixed before he knows the other.
#[test]
fn an_attacker_who_must_commit_has_one_guess() {
    let mut draw = Draw::new("in between");
    let sessions = 1 << 20;
    let mut won = 0;
    for session in 0..sessions {
        let [to_asker, to_asked] = [draw.bytes(), draw.bytes()];
        let (asker, _) = Asker::new(to_asker, Nonce::from_bytes(draw.bytes()));
        let of_asked = draw.bytes();
        let of_attacker = draw.bytes();
        let of_attacker_as_asker = Nonce::from_bytes(of_attacker);
        let (_, commitment) = Asker::new(to_asked, of_attacker_as_asker);
        let asked = Asked::new(to_asked, Nonce::from_bytes(of_asked), commitment);
        let strings = if session % 2 == 0 {
            // He hears the end that is asked out, and answers the asker with what he likes best: its own nonce.
            let right = asked.reveal(&of_attacker_as_asker);
            let (_, left) = asker.answer(&Nonce::from_bytes(of_asked));
            [left, right.expect("he keeps to his commitment")]
        } else {
            // He hears the asker out first, with a nonce from nowhere, and then finds another for himself that would fit.
            let (shown, left) = asker.answer(&of_attacker_as_asker);
            // Too late: that one is not what he committed to.
            let asked = match asked.reveal(&shown) {
                Err(WrongNonce) => Asked::new(to_asked, Nonce::from_bytes(of_asked), commitment),
                Ok(_) => panic!("another nonce passed"),
            };
            let right = asked.reveal(&of_attacker_as_asker);
            [left, right.expect("he keeps to his commitment")]
        };
        won += u32::from(cut(strings[0]) == cut(strings[1]));
    }
    let fair = sessions >> 16;
    assert!(won > 0, "the model lets nobody guess at all");
    assert!(won * 2 <= fair * 3, "{won} of {sessions}");
}

/// The control: the same attacker, against the same exchange without a commitment. He chooses his nonce last.
#[test]
fn without_a_commitment_the_attacker_would_win() {
    let mut draw = Draw::new("control");
    for session in 0..32 {
        let [to_asker, to_asked] = [draw.bytes(), draw.bytes()];
        let [of_asker, to_answer] = [draw.bytes(), draw.bytes()];
        let left = cut_bits(documented(&to_asker, &of_asker, &to_answer));
        let of_asked = draw.bytes();
        // A chance of e^-16 that none fits.
        let fitting = (0..1 << 20)
            .map(|_| draw.bytes())
            .find(|nonce| cut_bits(documented(&to_asked, nonce, &of_asked)) == left);
        assert!(fitting.is_some(), "session {session}");
    }
}

fn different(one: Sas, other: Sas) -> usize {
    let pairs = one.symbols().into_iter().zip(other.symbols());
    pairs.filter(|(a, b)| a != b).count()
}

#[test]
fn the_right_choice_stands_anywhere_among_clear_decoys() {
    let mut draw = Draw::new("choices");
    let mut places = [0; 3];
    let mut decoys = BTreeSet::new();
    for _ in 0..30_000 {
        let [sas, _] = pair([draw.bytes(); 2], [draw.bytes(), draw.bytes()]).expect("honest");
        let Choices { shown, right } = sas.choices(draw.bytes());
        assert_eq!(shown[right], sas);
        places[right] += 1;
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            assert!(different(shown[one], shown[other]) >= 2);
        }
        decoys.extend(shown.map(Sas::symbols));
    }
    assert!(places.iter().all(|count| (9_500..10_500).contains(count)));
    // Of 90,000 strings out of 2^24 some 240 were drawn before.
    assert!(decoys.len() > 89_500, "{}", decoys.len());
}

#[test]
fn choices_depend_on_the_seed_alone() {
    let [sas, _] = pair([[1; 32]; 2], [[2; 32], [3; 32]]).expect("honest");
    assert_eq!(sas.choices([4; 32]), sas.choices([4; 32]));
    assert_ne!(sas.choices([4; 32]), sas.choices([5; 32]));
}

#[test]
fn every_symbol_has_one_picture_and_one_word() {
    let characters: BTreeSet<_> = EMOJI.iter().map(|(character, _)| character).collect();
    let words: BTreeSet<_> = EMOJI.iter().map(|(_, word)| word).collect();
    assert_eq!((characters.len(), words.len()), (64, 64));
    for (character, word) in EMOJI {
        assert!(!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()));
        let mut characters = character.chars();
        let code = u32::from(characters.next().expect("a character"));
        assert_eq!(characters.next(), None, "{word} is put together");
        assert!(!(0x1F1E6..=0x1F1FF).contains(&code), "{word} is a flag");
        assert!(!(0x1F3FB..=0x1F3FF).contains(&code), "{word} is a tone");
        // Of Unicode 9 or older: what came later begins at U+1F6D3, U+1F6F7, U+1F93F, U+1F94C, U+1F95F, U+1F992, U+1F9C1.
        let old = [
            0x2300..=0x2BFF,
            0x1F300..=0x1F6D2,
            0x1F910..=0x1F91E,
            0x1F940..=0x1F94B,
            0x1F980..=0x1F991,
        ];
        assert!(old.iter().any(|range| range.contains(&code)), "{word}");
    }
}

#[test]
fn symbols_are_taken_from_the_highest_bit_on() {
    // Strings of all kinds, so that each symbol's bits are seen in each place.
    let mut draw = Draw::new("symbols");
    let mut seen = [[false; 64]; 4];
    for _ in 0..5_000 {
        let [sas, _] = pair([draw.bytes(); 2], [draw.bytes(), draw.bytes()]).expect("honest");
        for (seen, symbol) in seen.iter_mut().zip(sas.symbols()) {
            seen[usize::from(symbol)] = true;
        }
    }
    assert!(seen.iter().flatten().all(|seen| *seen));
}

#[test]
fn a_commitment_and_a_nonce_have_one_spelling() {
    let text = "0123456789abcdef".repeat(4);
    let nonce = Nonce::try_from(text.clone()).expect("a nonce");
    assert_eq!(String::from(nonce), text);
    let commitment = Commitment::try_from(text.clone()).expect("a commitment");
    assert_eq!(String::from(commitment), text);
    for wrong in [
        String::new(),
        text[..62].to_owned(),
        text[..63].to_owned(),
        format!("{text}0"),
        format!("{text}00"),
        text.to_uppercase(),
        text.replacen('0', "g", 1),
        text.replacen("01", " 1", 1),
        format!("{}é", &text[..62]),
    ] {
        assert_eq!(Nonce::try_from(wrong.clone()), Err(InvalidHex), "{wrong:?}");
        assert_eq!(Commitment::try_from(wrong), Err(InvalidHex));
    }
}

#[test]
fn no_nonce_is_printed() {
    let (asker, commitment) = Asker::new([1; 32], Nonce::from_bytes([0xAB; 32]));
    let asked = Asked::new([1; 32], Nonce::from_bytes([0xCD; 32]), commitment);
    let shown = format!("{asker:?} {asked:?}");
    assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
    assert!(!shown.contains("205") && !shown.contains("cdcd"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn ends_of_one_handshake_agree(transcript: [u8; 32], nonces: [[u8; 32]; 2], seed: [u8; 32]) {
        let [left, right] = pair([transcript; 2], nonces).expect("honest");
        prop_assert_eq!(left, right);
        prop_assert!(left.symbols().iter().all(|symbol| *symbol < 64));
        let choices = left.choices(seed);
        prop_assert_eq!(choices.shown[choices.right], right);
    }

    #[test]
    fn ends_of_two_handshakes_notice_at_the_commitment(transcripts: [[u8; 32]; 2], nonces: [[u8; 32]; 2]) {
        prop_assume!(transcripts[0] != transcripts[1]);
        prop_assert_eq!(pair(transcripts, nonces), Err(WrongNonce));
    }
}
