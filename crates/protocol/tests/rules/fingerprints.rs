//! The fingerprint of a session description: exactly one, or a refusal with its reason.

use proptest::prelude::*;
use tabferry_protocol::fingerprint::{Fingerprint, InvalidFingerprint};

/// 32 bytes as they stand in a description.
fn digits(seed: u8) -> String {
    let byte = |index: u8| format!("{:02X}", index.wrapping_mul(37) ^ seed);
    (0..32).map(byte).collect::<Vec<_>>().join(":")
}

fn fingerprint(seed: u8) -> Fingerprint {
    let mut index = 0_u8;
    Fingerprint::from_bytes([(); 32].map(|()| {
        index += 1;
        (index - 1).wrapping_mul(37) ^ seed
    }))
}

/// A description with these lines for the session and for its one medium.
fn description(session: &[&str], medium: &[&str]) -> String {
    let mut lines = vec![
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
    ];
    lines.extend(session);
    lines.extend([
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:4ZcD",
        "a=ice-pwd:2/1muCWoOi3uLifh0NuRHlFg",
    ]);
    lines.extend(medium);
    lines.extend(["a=setup:actpass", "a=mid:0", "a=sctp-port:5000", ""]);
    lines.join("\r\n")
}

#[test]
fn exactly_one_fingerprint_is_taken() {
    let one = format!("a=fingerprint:sha-256 {}", digits(1));
    let lower = one.to_lowercase();
    let capitals = format!("a=fingerprint:SHA-256 {}", digits(1));
    let two = format!("a=fingerprint:sha-256 {}", digits(2));
    let sha_1 = format!("a=fingerprint:sha-1 {}", &digits(1)[..59]);
    let sha_512 = format!("a=fingerprint:sha-512 {0}:{0}", digits(1));
    let found = Ok(fingerprint(1));
    for (name, session, medium, expected) in [
        ("in the medium", vec![], vec![&one], found),
        ("in the session", vec![&one], vec![], found),
        ("in both", vec![&one], vec![&one], found),
        ("twice", vec![], vec![&one, &one], found),
        ("in small letters", vec![], vec![&lower], found),
        (
            "in capitals and small letters",
            vec![&capitals],
            vec![&lower],
            found,
        ),
        ("none", vec![], vec![], Err(InvalidFingerprint::Missing)),
        (
            "a second appended",
            vec![],
            vec![&one, &two],
            Err(InvalidFingerprint::Several),
        ),
        (
            "a second put before",
            vec![],
            vec![&two, &one],
            Err(InvalidFingerprint::Several),
        ),
        (
            "another in the session",
            vec![&two],
            vec![&one],
            Err(InvalidFingerprint::Several),
        ),
        (
            "sha-1 only",
            vec![],
            vec![&sha_1],
            Err(InvalidFingerprint::OtherAlgorithm),
        ),
        (
            "sha-512 only",
            vec![],
            vec![&sha_512],
            Err(InvalidFingerprint::OtherAlgorithm),
        ),
        (
            "sha-1 beside",
            vec![],
            vec![&one, &sha_1],
            Err(InvalidFingerprint::OtherAlgorithm),
        ),
        (
            "sha-1 in the session",
            vec![&sha_1],
            vec![&one],
            Err(InvalidFingerprint::OtherAlgorithm),
        ),
        (
            "sha-512 beside",
            vec![],
            vec![&one, &sha_512],
            Err(InvalidFingerprint::OtherAlgorithm),
        ),
    ] {
        let lines = |lines: Vec<&String>| lines.into_iter().cloned().collect::<Vec<_>>();
        let (session, medium) = (lines(session), lines(medium));
        let session: Vec<&str> = session.iter().map(String::as_str).collect();
        let medium: Vec<&str> = medium.iter().map(String::as_str).collect();
        let sdp = description(&session, &medium);
        assert_eq!(Fingerprint::of_description(&sdp), expected, "{name}");
        let unix = sdp.replace('\r', "");
        assert_eq!(Fingerprint::of_description(&unix), expected, "{name}");
    }
}

#[test]
fn a_line_that_two_readers_may_understand_differently_is_refused() {
    let one = format!("a=fingerprint:sha-256 {}", digits(1));
    let other = digits(2);
    for line in [
        format!(" a=fingerprint:sha-256 {other}"),
        format!("\ta=fingerprint:sha-256 {other}"),
        format!("A=fingerprint:sha-256 {other}"),
        format!("a=Fingerprint:sha-256 {other}"),
        format!("a=FINGERPRINT:sha-256 {other}"),
        format!("a =fingerprint:sha-256 {other}"),
        format!("a= fingerprint:sha-256 {other}"),
        format!("a=fingerprint :sha-256 {other}"),
        format!("a=fingerprint: sha-256 {other}"),
        format!("a=x\0a=fingerprint:sha-256 {other}"),
        format!("a=x\u{85}a=fingerprint:sha-256 {other}"),
        format!("a=x\u{2028}a=fingerprint:sha-256 {other}"),
        format!("a=x\u{b}a=fingerprint:sha-256 {other}"),
        format!("\u{FEFF}a=fingerprint:sha-256 {other}"),
        format!("i=a=fingerprint:sha-256 {other}"),
        "a=fingerprint".to_owned(),
        "a=fingerprint:".to_owned(),
        "a=fingerprint:sha-256".to_owned(),
    ] {
        let sdp = description(&[], &[&one, &line]);
        assert_eq!(
            Fingerprint::of_description(&sdp),
            Err(InvalidFingerprint::Malformed),
            "{line:?}"
        );
    }
    // Some readers end a line at a lone carriage return.
    for line in [
        format!("a=x\ra=fingerprint:sha-256 {other}"),
        format!("a=x\r\ra=fingerprint:sha-256 {other}"),
        format!("a=x\n\ra=fingerprint:sha-256 {other}"),
    ] {
        let sdp = description(&[], &[&one, &line]);
        assert_eq!(
            Fingerprint::of_description(&sdp),
            Err(InvalidFingerprint::Several),
            "{line:?}"
        );
    }
}

#[test]
fn digits_are_32_pairs_with_colons() {
    let right = digits(1);
    for wrong in [
        String::new(),
        " ".to_owned(),
        right[..right.len() - 1].to_owned(),
        right[..right.len() - 3].to_owned(),
        format!("{right}:"),
        format!("{right}:00"),
        format!("{right} "),
        format!(" {right}"),
        format!(":{right}"),
        right.replace(':', ""),
        right.replace(':', " "),
        right.replacen(':', "::", 1),
        right.replacen("01", "1", 1),
        right.replacen("01", "001", 1),
        right.replacen("01", "+1", 1),
        right.replacen("01", "0x", 1),
        right.replacen("01", "0G", 1),
        right.replacen("01", "é", 1),
        format!("{right} {right}"),
    ] {
        assert_ne!(wrong, right);
        let sdp = description(&[], &[&format!("a=fingerprint:sha-256 {wrong}")]);
        assert_eq!(
            Fingerprint::of_description(&sdp),
            Err(InvalidFingerprint::Malformed),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_certificate_has_the_sha_256_of_its_bytes() {
    // FIPS 180-2, B.1.
    assert_eq!(
        Fingerprint::of_certificate(b"abc").to_string(),
        "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_fingerprint_is_read_as_it_is_written(bytes: [u8; 32]) {
        let fingerprint = Fingerprint::from_bytes(bytes);
        let sdp = description(&[], &[&format!("a=fingerprint:sha-256 {fingerprint}")]);
        prop_assert_eq!(Fingerprint::of_description(&sdp), Ok(fingerprint));
    }

    #[test]
    fn a_second_line_anywhere_is_never_missed(at: proptest::sample::Index, seed in 2..=255_u8) {
        let honest = description(&[], &[&format!("a=fingerprint:sha-256 {}", digits(1))]);
        let mut lines: Vec<&str> = honest.split("\r\n").collect();
        let appended = format!("a=fingerprint:sha-256 {}", digits(seed));
        lines.insert(at.index(lines.len() + 1), &appended);
        let sdp = lines.join("\r\n");
        prop_assert_eq!(Fingerprint::of_description(&sdp), Err(InvalidFingerprint::Several));
    }

    #[test]
    fn no_text_breaks_the_reader(text in "(a=fingerprint:sha-256 [0-9A-F:]{0,100}\r?\n?|.{0,40}\r?\n?){0,5}") {
        let _ = Fingerprint::of_description(&text);
    }
}
