//! The proof of a typed code: two ends with the same code and handshake always succeed, and no other pair of ends, nor anybody
//! who plays with their messages, ever does. The other end of some tests is written here anew, from `docs/protocol.md`.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use tabferry_protocol::code::Code;
use tabferry_protocol::code_proof::{CodeProof, Progress, ProofError};
use tabferry_protocol::pair::PairSecret;
use tabferry_protocol::secret_code::{Secret, SecretCode};

use crate::identity::hex;

const TRANSCRIPT: [u8; 32] = [7; 32];

fn secret(number: u32) -> Secret {
    let [a, b, c, d] = number.to_be_bytes();
    SecretCode::from_random([0, a, b, c, d]).secret
}

fn guest(secret: &Secret) -> (CodeProof, Vec<u8>) {
    CodeProof::guest(secret, &TRANSCRIPT, &[1; 32])
}

fn host(secret: &Secret) -> CodeProof {
    CodeProof::host(secret, &TRANSCRIPT, &[2; 32])
}

fn reply(progress: Result<Progress, ProofError>) -> Vec<u8> {
    match progress {
        Ok(Progress::Reply(message)) => message,
        other => panic!("no reply but {other:?}"),
    }
}

fn refused(progress: Result<Progress, ProofError>) -> ProofError {
    let error = progress.expect_err("it must be refused");
    assert_eq!(error.code(), Code::WrongCode);
    error
}

/// The four messages of two honest ends.
fn run(mut guest: (CodeProof, Vec<u8>), mut host: CodeProof) -> [Vec<u8>; 4] {
    let first = guest.1;
    let second = reply(host.read(&first));
    let third = reply(guest.0.read(&second));
    let fourth = match host.read(&third) {
        Ok(Progress::Proven(Some(fourth), _)) => fourth,
        other => panic!("not proven but {other:?}"),
    };
    assert!(matches!(
        guest.0.read(&fourth),
        Ok(Progress::Proven(None, _))
    ));
    [first, second, third, fourth]
}

/// What the host says to a guest with this secret and transcript, until it refuses.
fn refused_by_host(guessed: &Secret, transcript: &[u8; 32], right: &Secret) -> ProofError {
    let (mut guest, first) = CodeProof::guest(guessed, transcript, &[1; 32]);
    let mut host = host(right);
    let second = reply(host.read(&first));
    let third = reply(guest.read(&second));
    let error = refused(host.read(&third));
    assert_eq!(host.read(&third), Err(ProofError::Ended));
    error
}

#[test]
fn two_ends_with_the_same_code_prove_it() {
    let code = secret(12_345);
    let messages = run(guest(&code), host(&code));
    assert_eq!(messages.map(|message| message.len()), [33, 33, 32, 32]);
}

#[test]
fn ten_thousand_wrong_guesses_are_refused() {
    // No two guesses are the same, as the factor is odd.
    let right = secret(500_000);
    for guess in (1..=10_000).map(|step| (500_000 + step * 104_729) % (1 << 20)) {
        let error = refused_by_host(&secret(guess), &TRANSCRIPT, &right);
        assert_eq!(error, ProofError::Mismatch, "{guess}");
    }
}

#[test]
fn a_guest_notices_a_host_with_another_code() {
    let (mut ours, first) = guest(&secret(1));
    let mut other = host(&secret(2));
    let second = reply(other.read(&first));
    reply(ours.read(&second));
    for made_up in [[0; 32], [0xFF; 32], TRANSCRIPT] {
        let (mut ours, _) = guest(&secret(1));
        reply(ours.read(&second));
        assert_eq!(refused(ours.read(&made_up)), ProofError::Mismatch);
    }
    // Not even a host that says nothing sensible gets a second message out of it.
    assert_eq!(refused(ours.read(&second)), ProofError::WrongLength);
    assert_eq!(refused(ours.read(&second)), ProofError::Ended);
}

#[test]
fn a_proof_is_worth_nothing_in_another_handshake() {
    let code = secret(77);
    for bit in 0..256 {
        let mut transcript = TRANSCRIPT;
        transcript[bit / 8] ^= 1 << (bit % 8);
        let error = refused_by_host(&code, &transcript, &code);
        assert_eq!(error, ProofError::Mismatch);
    }
}

#[test]
fn every_changed_bit_is_noticed() {
    let code = secret(99);
    let [first, second, third, fourth] = run(guest(&code), host(&code));
    let flipped = |message: &[u8], bit: usize| {
        let mut message = message.to_vec();
        message[bit / 8] ^= 1 << (bit % 8);
        message
    };
    for bit in 0..first.len() * 8 {
        let mut right = host(&code);
        if let Ok(progress) = right.read(&flipped(&first, bit)) {
            assert!(matches!(progress, Progress::Reply(_)));
            assert_eq!(refused(right.read(&third)), ProofError::Mismatch);
        }
        let (mut left, _) = guest(&code);
        if let Ok(progress) = left.read(&flipped(&second, bit)) {
            assert!(matches!(progress, Progress::Reply(_)));
            assert_eq!(refused(left.read(&fourth)), ProofError::Mismatch);
        }
    }
    for bit in 0..third.len() * 8 {
        let mut right = host(&code);
        reply(right.read(&first));
        let error = refused(right.read(&flipped(&third, bit)));
        assert_eq!(error, ProofError::Mismatch);
        assert_eq!(refused(right.read(&third)), ProofError::Ended);
        let (mut left, _) = guest(&code);
        reply(left.read(&second));
        let error = refused(left.read(&flipped(&fourth, bit)));
        assert_eq!(error, ProofError::Mismatch);
        assert_eq!(refused(left.read(&fourth)), ProofError::Ended);
    }
}

#[test]
fn messages_have_one_length_each() {
    let code = secret(3);
    let [first, second, third, fourth] = run(guest(&code), host(&code));
    let others = |message: &[u8]| {
        let mut all: Vec<Vec<u8>> = (0..message.len())
            .map(|at| message[..at].to_vec())
            .collect();
        all.push([message, &[0]].concat());
        all.push(vec![0; 100_000]);
        all
    };
    for message in others(&first) {
        assert_eq!(refused(host(&code).read(&message)), ProofError::WrongLength);
    }
    for message in others(&second) {
        let error = refused(guest(&code).0.read(&message));
        assert_eq!(error, ProofError::WrongLength);
    }
    for message in others(&third) {
        let mut right = host(&code);
        reply(right.read(&first));
        assert_eq!(refused(right.read(&message)), ProofError::WrongLength);
    }
    for message in others(&fourth) {
        let (mut left, _) = guest(&code);
        reply(left.read(&second));
        assert_eq!(refused(left.read(&message)), ProofError::WrongLength);
    }
}

#[test]
fn an_end_does_not_prove_anything_to_itself() {
    let code = secret(4);
    let [first, second, third, _] = run(guest(&code), host(&code));
    // Sent back as it is, and as if the other role had sent it.
    let (mut left, own) = guest(&code);
    assert_eq!(own, first);
    assert_eq!(refused(left.read(&own)), ProofError::Malformed);
    let (mut left, mut own) = guest(&code);
    own[0] = b'B';
    let confirmation = reply(left.read(&own));
    assert_eq!(refused(left.read(&confirmation)), ProofError::Mismatch);

    let mut right = host(&code);
    assert_eq!(refused(right.read(&second)), ProofError::Malformed);
    let mut right = host(&code);
    let mut own = second.clone();
    own[0] = b'A';
    assert_eq!(reply(right.read(&own)), second);
    assert_eq!(refused(right.read(&third)), ProofError::Mismatch);

    // The guest's confirmation, sent back to it.
    let (mut left, _) = guest(&code);
    reply(left.read(&second));
    assert_eq!(refused(left.read(&third)), ProofError::Mismatch);
}

#[test]
fn two_runs_cannot_be_spliced() {
    let code = secret(5);
    let other_guest = || CodeProof::guest(&code, &TRANSCRIPT, &[3; 32]);
    let other_host = || CodeProof::host(&code, &TRANSCRIPT, &[4; 32]);
    let [first, second, third, fourth] = run(guest(&code), host(&code));
    let others = run(other_guest(), other_host());
    for (index, message) in [&first, &second, &third, &fourth].into_iter().enumerate() {
        assert_ne!(message, &others[index]);
    }
    for (start, confirmation) in [(&first, &others[2]), (&others[0], &third)] {
        for mut right in [host(&code), other_host()] {
            reply(right.read(start));
            assert_eq!(refused(right.read(confirmation)), ProofError::Mismatch);
        }
    }
    let mut right = other_host();
    reply(right.read(&first));
    assert_eq!(refused(right.read(&third)), ProofError::Mismatch);
    for (point, confirmation) in [(&second, &others[3]), (&others[1], &fourth)] {
        for mut left in [guest(&code).0, other_guest().0] {
            reply(left.read(point));
            assert_eq!(refused(left.read(confirmation)), ProofError::Mismatch);
        }
    }
}

#[test]
fn every_message_in_every_state_has_one_outcome() {
    let code = secret(6);
    let messages = run(guest(&code), host(&code));
    let others = run(
        CodeProof::guest(&code, &TRANSCRIPT, &[3; 32]),
        CodeProof::host(&code, &TRANSCRIPT, &[4; 32]),
    );
    let junk = [Vec::new(), vec![0; 32], vec![0xFF; 33], vec![b'A'; 33]];
    let all: Vec<&Vec<u8>> = messages.iter().chain(&others).chain(&junk).collect();
    // How many of the messages to it each end has read.
    for (is_guest, read) in [
        (true, 0),
        (true, 1),
        (true, 2),
        (false, 0),
        (false, 1),
        (false, 2),
    ] {
        let start = || {
            let (mut end, to_it) = if is_guest {
                (guest(&code).0, [&messages[1], &messages[3]])
            } else {
                (host(&code), [&messages[0], &messages[2]])
            };
            for message in &to_it[..read] {
                end.read(message).expect("honest");
            }
            (end, to_it.get(read).copied())
        };
        for message in &all {
            let (mut end, awaited) = start();
            let progress = end.read(message);
            if awaited == Some(*message) {
                assert_eq!(matches!(progress, Ok(Progress::Proven(..))), read == 1);
                continue;
            }
            match progress {
                // Anybody may send a point of the right role.
                Ok(Progress::Reply(_)) => assert!(read == 0 && message.len() == 33),
                Ok(Progress::Proven(..)) => panic!("proven by another message"),
                Err(error) => {
                    assert_eq!(error == ProofError::Ended, read == 2);
                    assert_eq!(end.read(message), Err(ProofError::Ended));
                }
            }
        }
    }
}

#[test]
fn points_of_small_order_and_second_encodings_prove_nothing() {
    let code = secret(8);
    for point in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
        // No point of the curve.
        "0200000000000000000000000000000000000000000000000000000000000000",
    ] {
        let point: [u8; 32] = hex(point);
        let mut right = host(&code);
        if let Ok(Progress::Reply(_)) = right.read(&[b"A", &point[..]].concat()) {
            // The key that an end would have if the point made the exchange worthless.
            for shared in [[0; 32], point] {
                let key = blake3::derive_key("tabferry code proof confirmation v1", &shared);
                let confirmation = blake3::keyed_hash(&key, &[b"G", &TRANSCRIPT[..]].concat());
                let mut right = host(&code);
                reply(right.read(&[b"A", &point[..]].concat()));
                let error = refused(right.read(confirmation.as_bytes()));
                assert_eq!(error, ProofError::Mismatch);
            }
        }
    }
}

/// A guest or host written from the document.
struct Documented {
    is_guest: bool,
    password: Vec<u8>,
    scalar: Scalar,
}

impl Documented {
    /// M of the guest, N of the host.
    fn blind(is_guest: bool) -> EdwardsPoint {
        let point = if is_guest {
            "15cfd18e385952982b6a8f8c7854963b58e34388c8e6dae891db756481a02312"
        } else {
            "f04f2e7eb734b2a8f8b472eaf9c3c632576ac64aea650b496a8a20ff00e583c3"
        };
        CompressedEdwardsY(hex(point))
            .decompress()
            .expect("a point")
    }

    fn factor(&self) -> Scalar {
        let mut wide = [0; 48];
        Hkdf::<Sha256>::new(Some(b""), &self.password)
            .expand(b"SPAKE2 pw", &mut wide)
            .expect("48 bytes");
        // Big-endian, and 64 bytes for the reduction.
        let mut little = [0; 64];
        for (to, from) in little.iter_mut().zip(wide.iter().rev()) {
            *to = *from;
        }
        Scalar::from_bytes_mod_order_wide(&little)
    }

    fn point(&self) -> Vec<u8> {
        let point =
            EdwardsPoint::mul_base(&self.scalar) + Self::blind(self.is_guest) * self.factor();
        let side = if self.is_guest { b"A" } else { b"B" };
        [side, &point.compress().to_bytes()[..]].concat()
    }

    /// Both confirmations, the guest's first, and what both share then.
    fn confirmations(&self, other: &[u8]) -> ([Vec<u8>; 2], PairSecret) {
        let theirs: [u8; 32] = other[1..].try_into().expect("33 bytes");
        let point = CompressedEdwardsY(theirs).decompress().expect("a point");
        let shared = (point - Self::blind(!self.is_guest) * self.factor()) * self.scalar;
        let own = self.point();
        let points = if self.is_guest {
            [&own[1..], &other[1..]]
        } else {
            [&other[1..], &own[1..]]
        };
        let mut hash = Sha256::new();
        hash.update(Sha256::digest(&self.password));
        hash.update(Sha256::digest("tabferry code guest v1"));
        hash.update(Sha256::digest("tabferry code host v1"));
        hash.update(points.concat());
        hash.update(shared.compress().to_bytes());
        let shared = hash.finalize();
        let key = blake3::derive_key("tabferry code proof confirmation v1", &shared);
        let confirmations = [b"G", b"H"].map(|role| {
            let confirmed = [role, &TRANSCRIPT[..]].concat();
            blake3::keyed_hash(&key, &confirmed).as_bytes().to_vec()
        });
        let secret = blake3::derive_key("tabferry code pair secret v1", &shared);
        let text = HEXLOWER.encode(&secret);
        (
            confirmations,
            PairSecret::from_text(&text).expect("32 bytes"),
        )
    }
}

#[test]
fn an_implementation_of_the_document_is_understood() {
    let code = SecretCode::from_typed("0000-a1bz").expect("a code").secret;
    let end = |is_guest| Documented {
        is_guest,
        password: [b"A1BZ", &TRANSCRIPT[..]].concat(),
        scalar: Scalar::from_bytes_mod_order([9; 32]),
    };
    let mut right = host(&code);
    let documented = end(true);
    let answer = reply(right.read(&documented.point()));
    let ([of_guest, of_host], secret) = documented.confirmations(&answer);
    let proven = Progress::Proven(Some(of_host), secret);
    assert_eq!(right.read(&of_guest), Ok(proven));

    let (mut left, first) = guest(&code);
    let documented = end(false);
    let ([of_guest, of_host], secret) = documented.confirmations(&first);
    assert_eq!(reply(left.read(&documented.point())), of_guest);
    assert_eq!(left.read(&of_host), Ok(Progress::Proven(None, secret)));
}

#[test]
fn no_secret_is_printed() {
    let code = secret(9);
    let (mut left, _) = guest(&code);
    let mut right = host(&code);
    let shown = format!("{left:?} {right:?}");
    assert_eq!(
        shown,
        "CodeProof { role: Guest, awaits: \"a point\", .. } \
         CodeProof { role: Host, awaits: \"a point\", .. }"
    );
    let [first, second, ..] = run(guest(&code), host(&code));
    reply(right.read(&first));
    refused(left.read(&first));
    let shown = format!("{left:?} {right:?}");
    assert_eq!(
        shown,
        "CodeProof { role: Guest, awaits: \"nothing\", .. } \
         CodeProof { role: Host, awaits: \"a confirmation\", .. }"
    );
    assert_eq!(second.len(), 33);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn honest_ends_always_succeed(code: [u8; 5], transcript: [u8; 32], seeds: [[u8; 32]; 2]) {
        let secret = SecretCode::from_random(code).secret;
        let guest = CodeProof::guest(&secret, &transcript, &seeds[0]);
        run(guest, CodeProof::host(&secret, &transcript, &seeds[1]));
    }

    #[test]
    fn one_seed_serves_two_runs_without_harm(codes: [[u8; 5]; 2], seed: [u8; 32]) {
        let points = codes.map(|code| {
            CodeProof::guest(&SecretCode::from_random(code).secret, &TRANSCRIPT, &seed).1
        });
        let same = SecretCode::from_random(codes[0]).spelled()[5..] == SecretCode::from_random(codes[1]).spelled()[5..];
        prop_assert_eq!(points[0] == points[1], same);
    }

    #[test]
    fn no_bytes_break_an_end(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..4)) {
        let code = secret(10);
        let (mut left, _) = guest(&code);
        let mut right = host(&code);
        for message in &messages {
            prop_assert!(!matches!(left.read(message), Ok(Progress::Proven(..))));
            prop_assert!(!matches!(right.read(message), Ok(Progress::Proven(..))));
        }
    }

    #[test]
    fn no_point_breaks_an_end(point: [u8; 32], confirmation: [u8; 32]) {
        let code = secret(11);
        let (mut left, _) = guest(&code);
        let mut right = host(&code);
        for (end, side) in [(&mut left, b"B"), (&mut right, b"A")] {
            let read = end.read(&[side, &point[..]].concat());
            prop_assert!(!matches!(read, Ok(Progress::Proven(..))));
            prop_assert!(end.read(&confirmation).is_err());
        }
    }
}
