//! The handshake: two honest ends always verify each other, and nothing that anybody does to the messages, or tells one end
//! about the path, ever gives a verified peer. The other end of many tests is written here anew, from `docs/protocol.md`.

use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use snow::resolvers::{CryptoResolver, DefaultResolver, FallbackResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use tabferry_protocol::card::{DeviceKind, DeviceName};
use tabferry_protocol::code::Code;
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::handshake::{
    Handshake, HandshakeError, Params, Path, Progress, Seed, Verified,
};
use tabferry_protocol::id::DeviceId;
use tabferry_protocol::identity::{
    DeviceKey, InvalidPublicKey, InvalidSignature, PublicKey, SignedCard,
};
use tabferry_protocol::limits::{DEVICE_NAME_BYTES, HANDSHAKE_MESSAGE_BYTES, VERSIONS};
use tabferry_protocol::version::Versions;

use crate::identity::hex;
use crate::strategies;

/// One end: its device, and what it believes of the path.
#[derive(Debug, Clone)]
struct End {
    key: [u8; 32],
    name: &'static str,
    versions: Versions,
    path: Path,
    session: [u8; 32],
    seed: [u8; 32],
}

impl End {
    fn with<T>(&self, use_params: impl FnOnce(&Params<'_>) -> T) -> T {
        let key = DeviceKey::from_seed(&self.key);
        let name = DeviceName::try_from(self.name.to_owned()).expect("a valid name");
        use_params(&Params {
            key: &key,
            card: &SignedCard::sign(&key, &name, DeviceKind::Computer),
            versions: &self.versions,
            path: self.path,
            session: self.session,
            seed: Seed::from_bytes(self.seed),
        })
    }

    fn initiator(&self) -> (Handshake, Vec<u8>) {
        self.with(Handshake::initiator).expect("it starts")
    }

    fn responder(&self) -> Handshake {
        self.with(Handshake::responder).expect("it starts")
    }

    fn public(&self) -> PublicKey {
        DeviceKey::from_seed(&self.key).public()
    }
}

fn fingerprint(byte: u8) -> Fingerprint {
    Fingerprint::from_bytes([byte; 32])
}

fn direct(local: u8, remote: u8) -> Path {
    Path::Direct {
        local: fingerprint(local),
        remote: fingerprint(remote),
    }
}

/// An initiator and a responder that agree on everything.
fn ends() -> (End, End) {
    let end = |number: u8, name, path| End {
        key: [number; 32],
        name,
        versions: Versions::spoken(),
        path,
        session: [7; 32],
        seed: [number + 100; 32],
    };
    (
        end(1, "Ada", direct(0xA1, 0xB2)),
        end(2, "Bob", direct(0xB2, 0xA1)),
    )
}

fn reply(progress: Result<Progress, HandshakeError>) -> Vec<u8> {
    match progress {
        Ok(Progress::Reply(message)) => message,
        other => panic!("no reply but {other:?}"),
    }
}

fn verified(progress: Result<Progress, HandshakeError>) -> (Verified, Option<Vec<u8>>) {
    match progress {
        Ok(Progress::Verified(verified, last)) => (*verified, last),
        other => panic!("not verified but {other:?}"),
    }
}

fn refused(progress: Result<Progress, HandshakeError>) -> HandshakeError {
    let error = progress.expect_err("it must be refused");
    assert_eq!(error.code(), Code::Unverified);
    error
}

/// All three messages, and what the initiator and the responder learn.
fn run(initiator: &End, responder: &End) -> ([Vec<u8>; 3], Verified, Verified) {
    let (mut left, first) = initiator.initiator();
    let mut right = responder.responder();
    let second = reply(right.read(&first));
    let (of_left, third) = verified(left.read(&second));
    let third = third.expect("a third message");
    let (of_right, none) = verified(right.read(&third));
    assert_eq!(none, None);
    ([first, second, third], of_left, of_right)
}

#[test]
fn two_ends_verify_each_other() {
    let (ada, bob) = ends();
    let (messages, of_ada, of_bob) = run(&ada, &bob);
    assert_eq!((of_ada.peer, of_bob.peer), (bob.public(), ada.public()));
    assert_eq!(of_ada.card.id, DeviceId::of(&bob.public()));
    assert_eq!(of_ada.card.name.as_str(), "Bob");
    assert_eq!(of_bob.card.name.as_str(), "Ada");
    assert_eq!(of_ada.transcript, of_bob.transcript);
    let lengths = messages.map(|message| message.len());
    // Overhead, key, proof, one version, card.
    let payload = 32 + 64 + 1 + 2 + 64 + 2 + 3;
    assert_eq!(lengths, [32, 32 + 48 + payload + 16, 48 + payload + 16]);
}

#[test]
fn the_relay_is_a_path_too() {
    let (mut ada, mut bob) = ends();
    (ada.path, bob.path) = (Path::Relay, Path::Relay);
    let (_, of_ada, of_bob) = run(&ada, &bob);
    assert_eq!(of_ada.transcript, of_bob.transcript);
}

#[test]
fn the_longest_message_is_within_the_limit() {
    let (mut ada, mut bob) = ends();
    let longest: &str = "n".repeat(DEVICE_NAME_BYTES).leak();
    (ada.name, bob.name) = (longest, longest);
    let versions: Vec<u16> = (1..).take(VERSIONS).collect();
    bob.versions = versions.clone().try_into().expect("as many as allowed");
    let (messages, of_ada, _) = run(&ada, &bob);
    assert_eq!(messages[1].len(), 355);
    assert!(messages[1].len() <= HANDSHAKE_MESSAGE_BYTES);
    assert_eq!(Vec::from(of_ada.versions), versions);
}

#[test]
fn no_two_handshakes_are_alike() {
    let (ada, bob) = ends();
    let (messages, of_ada, _) = run(&ada, &bob);
    let (mut later_ada, mut later_bob) = (ada, bob);
    // Even with the same randomness: another session gives other keys.
    (later_ada.session, later_bob.session) = ([8; 32], [8; 32]);
    let (later, of_later, _) = run(&later_ada, &later_bob);
    assert_ne!(of_ada.transcript, of_later.transcript);
    for (message, later) in messages.iter().zip(&later) {
        assert_ne!(message[..32], later[..32]);
    }
}

#[test]
fn every_changed_bit_is_noticed() {
    let (ada, bob) = ends();
    let ([first, second, third], ..) = run(&ada, &bob);
    let flipped = |message: &[u8], bit: usize| {
        let mut message = message.to_vec();
        message[bit / 8] ^= 1 << (bit % 8);
        message
    };
    for bit in 0..first.len() * 8 {
        let (mut left, _) = ada.initiator();
        let second = reply(bob.responder().read(&flipped(&first, bit)));
        assert_eq!(
            refused(left.read(&second)),
            HandshakeError::Mismatch,
            "{bit}"
        );
    }
    for bit in 0..second.len() * 8 {
        let (mut left, _) = ada.initiator();
        refused(left.read(&flipped(&second, bit)));
        assert_eq!(refused(left.read(&second)), HandshakeError::Ended);
    }
    for bit in 0..third.len() * 8 {
        let mut right = bob.responder();
        reply(right.read(&first));
        refused(right.read(&flipped(&third, bit)));
        assert_eq!(refused(right.read(&third)), HandshakeError::Ended);
    }
}

#[test]
fn every_other_length_is_noticed() {
    let (ada, bob) = ends();
    let ([first, second, third], ..) = run(&ada, &bob);
    let others = |message: &[u8]| {
        let mut longer = message.to_vec();
        longer.push(0);
        let far = [message, &vec![0; HANDSHAKE_MESSAGE_BYTES][..]].concat();
        let mut all: Vec<Vec<u8>> = (0..message.len())
            .map(|length| message[..length].to_vec())
            .collect();
        all.extend([longer, far, vec![0; 100_000]]);
        all
    };
    for message in others(&first) {
        assert_eq!(
            refused(bob.responder().read(&message)),
            HandshakeError::WrongLength
        );
    }
    for message in others(&second) {
        refused(ada.initiator().0.read(&message));
    }
    for message in others(&third) {
        let mut right = bob.responder();
        reply(right.read(&first));
        refused(right.read(&message));
    }
}

/// Runs a handshake whose ends may disagree: at least the initiator must notice, and the responder never verifies.
fn disagree(initiator: &End, responder: &End) {
    let (mut left, first) = initiator.initiator();
    let mut right = responder.responder();
    let second = reply(right.read(&first));
    assert_eq!(refused(left.read(&second)), HandshakeError::Mismatch);
    // Whoever sits in between makes up the rest.
    for third in [&first, &second, &vec![0; 200]] {
        let mut right = responder.responder();
        reply(right.read(&first));
        refused(right.read(third));
    }
}

#[test]
fn ends_that_were_told_different_things_notice() {
    let (ada, bob) = ends();
    let mut others = Vec::new();
    for byte in 0..32 {
        let mut other = bob.clone();
        other.session[byte] ^= 1;
        others.push(other);
    }
    for path in [
        Path::Relay,
        // One leg of a server in between: it shows Bob its own certificate as Ada's.
        direct(0xB2, 0xEE),
        // It shows Ada its own as Bob's.
        direct(0xEE, 0xA1),
        // Both.
        direct(0xEE, 0xEF),
        // Ends that take themselves for the other.
        direct(0xA1, 0xB2),
        direct(0, 0xA1),
    ] {
        let mut other = bob.clone();
        other.path = path;
        others.push(other);
    }
    for bit in 0..256 {
        let mut bytes = [0xA1; 32];
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut other = bob.clone();
        other.path = Path::Direct {
            local: fingerprint(0xB2),
            remote: Fingerprint::from_bytes(bytes),
        };
        others.push(other);
    }
    for other in &others {
        disagree(&ada, other);
    }
}

#[test]
fn two_ends_of_the_same_role_never_agree() {
    let (ada, bob) = ends();
    let (mut left, first_of_left) = ada.initiator();
    let (mut right, first_of_right) = bob.initiator();
    assert_eq!(
        refused(left.read(&first_of_right)),
        HandshakeError::WrongLength
    );
    assert_eq!(
        refused(right.read(&first_of_left)),
        HandshakeError::WrongLength
    );
}

#[test]
fn an_end_does_not_verify_itself() {
    let (ada, mut mirror) = ends();
    mirror.key = ada.key;
    let (mut left, first) = ada.initiator();
    let mut right = mirror.responder();
    let second = reply(right.read(&first));
    assert_eq!(refused(left.read(&second)), HandshakeError::Reflected);
    // The responder's side of it.
    let (_, bob) = ends();
    let mut evil = Evil::initiator(&bob);
    let mut right = bob.responder();
    let second = reply(right.read(&evil.write(&[])));
    evil.read(&second);
    let payload = evil.payload(&Forgery::default());
    let third = evil.write(&payload);
    assert_eq!(refused(right.read(&third)), HandshakeError::Reflected);
    // And a path on which both certificates are one.
    let mut same = ends().0;
    same.path = direct(1, 1);
    let error = same.with(Handshake::initiator).expect_err("reflected");
    assert_eq!(error, HandshakeError::Reflected);
    let error = same.with(Handshake::responder).expect_err("reflected");
    assert_eq!(error, HandshakeError::Reflected);
}

#[test]
fn every_message_in_every_state_has_one_outcome() {
    let (ada, bob) = ends();
    let (messages, ..) = run(&ada, &bob);
    let (mut other_ada, mut other_bob) = (ada.clone(), bob.clone());
    (other_ada.seed, other_bob.seed) = ([55; 32], [56; 32]);
    (other_ada.session, other_bob.session) = ([9; 32], [9; 32]);
    let (others, ..) = run(&other_ada, &other_bob);
    let junk = [
        Vec::new(),
        vec![0; 32],
        vec![0xFF; 32],
        vec![1; 200],
        vec![1; 600],
    ];
    let all: Vec<&Vec<u8>> = messages.iter().chain(&others).chain(&junk).collect();
    let [first, second, third] = &messages;

    type Start = fn(&End, &End, &[Vec<u8>; 3]) -> Handshake;
    let states: [(&str, Start); 5] = [
        ("initiator, before the second", |ada, _, _| {
            ada.initiator().0
        }),
        ("initiator, verified", |ada, _, messages| {
            let mut left = ada.initiator().0;
            verified(left.read(&messages[1]));
            left
        }),
        ("responder, before the first", |_, bob, _| bob.responder()),
        ("responder, before the third", |_, bob, messages| {
            let mut right = bob.responder();
            reply(right.read(&messages[0]));
            right
        }),
        ("responder, verified", |_, bob, messages| {
            let mut right = bob.responder();
            reply(right.read(&messages[0]));
            verified(right.read(&messages[2]));
            right
        }),
    ];
    for (name, start) in states {
        for message in &all {
            let mut end = start(&ada, &bob, &messages);
            let progress = end.read(message);
            let ended = match (name, *message) {
                ("initiator, before the second", message) if message == second => {
                    verified(progress);
                    true
                }
                ("responder, before the third", message) if message == third => {
                    verified(progress);
                    true
                }
                // Anybody may begin, with any 32 bytes that are no point of small order.
                ("responder, before the first", message)
                    if message == first || message == &others[0] || message == &junk[2] =>
                {
                    reply(progress);
                    false
                }
                (state, _) => {
                    let error = refused(progress);
                    assert_eq!(error == HandshakeError::Ended, state.ends_with("verified"));
                    true
                }
            };
            if ended {
                for message in &all {
                    assert_eq!(refused(end.read(message)), HandshakeError::Ended);
                }
            }
        }
    }
}

#[test]
fn points_of_small_order_are_refused() {
    // u = 0, 1, the two of order 8, p - 1, p, p + 1, and those with the unused bit set.
    for low in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        let low: [u8; 32] = hex(low);
        let (ada, bob) = ends();
        let error = refused(bob.responder().read(&low));
        assert_eq!(error, HandshakeError::WeakExchange);
        let second = [&low[..], &[0; 200]].concat();
        let error = refused(ada.initiator().0.read(&second));
        assert_eq!(error, HandshakeError::WeakExchange);
    }
}

/// What an end of the other side's making claims.
#[derive(Debug, Clone)]
struct Forgery {
    /// The device key that it shows.
    shown: [u8; 32],
    /// The one that signs its Noise key, and what is signed.
    signer: [u8; 32],
    domain: &'static [u8],
    prologue: Option<Vec<u8>>,
    role: Option<u8>,
    fixed: Option<[u8; 32]>,
    /// The one that signs its card.
    card_signer: [u8; 32],
    versions: Vec<u16>,
    name: &'static [u8],
}

impl Default for Forgery {
    /// The honest claims of device 2.
    fn default() -> Self {
        Self {
            shown: SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes(),
            signer: [2; 32],
            domain: b"tabferry-noise-static-v1",
            prologue: None,
            role: None,
            fixed: None,
            card_signer: [2; 32],
            versions: vec![1],
            name: b"Bob",
        }
    }
}

/// An end written from the document, which may claim anything.
struct Evil {
    noise: snow::HandshakeState,
    role: u8,
    prologue: Vec<u8>,
}

impl Evil {
    const FIXED: [u8; 32] = [0x51; 32];
    const EPHEMERAL: [u8; 32] = [0x52; 32];

    /// The end that speaks to this responder.
    fn initiator(with: &End) -> Self {
        Self::new(with, true)
    }

    /// The end that speaks to this initiator.
    fn responder(with: &End) -> Self {
        Self::new(with, false)
    }

    fn new(with: &End, is_initiator: bool) -> Self {
        let Path::Direct { local, remote } = with.path else {
            panic!("a direct path");
        };
        let (initiator, responder) = if is_initiator {
            (remote, local)
        } else {
            (local, remote)
        };
        let prologue = [
            b"tabferry/1\x01",
            &with.session[..],
            b"I",
            initiator.as_bytes(),
            b"R",
            responder.as_bytes(),
        ]
        .concat();
        let params = "Noise_XX_25519_ChaChaPoly_SHA256".parse().expect("known");
        let resolver = FallbackResolver::new(Box::new(NoRandomness), Box::new(DefaultResolver));
        let builder = snow::Builder::with_resolver(params, Box::new(resolver))
            .prologue(&prologue)
            .and_then(|builder| builder.local_private_key(&Self::FIXED))
            .expect("set once")
            .fixed_ephemeral_key_for_testing_only(&Self::EPHEMERAL);
        let noise = if is_initiator {
            builder.build_initiator()
        } else {
            builder.build_responder()
        };
        Self {
            noise: noise.expect("complete"),
            role: if is_initiator { b'I' } else { b'R' },
            prologue,
        }
    }

    fn write(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut message = vec![0; 65_535];
        let length = self
            .noise
            .write_message(payload, &mut message)
            .expect("its turn");
        message.truncate(length);
        message
    }

    fn read(&mut self, message: &[u8]) -> Vec<u8> {
        let mut payload = vec![0; 65_535];
        let length = self
            .noise
            .read_message(message, &mut payload)
            .expect("honest");
        payload.truncate(length);
        payload
    }

    fn payload(&self, forgery: &Forgery) -> Vec<u8> {
        let fixed = MontgomeryPoint::mul_base_clamped(Self::FIXED).to_bytes();
        let signed = [
            forgery.domain,
            forgery.prologue.as_ref().unwrap_or(&self.prologue),
            &[forgery.role.unwrap_or(self.role)],
            &forgery.fixed.unwrap_or(fixed),
        ]
        .concat();
        let proof = SigningKey::from_bytes(&forgery.signer).sign(&signed);
        let mut payload = [&forgery.shown[..], &proof.to_bytes()].concat();
        payload.push(u8::try_from(forgery.versions.len()).expect("few"));
        for version in &forgery.versions {
            payload.extend(version.to_le_bytes());
        }
        let length = u8::try_from(forgery.name.len()).expect("short");
        let card = [&[1, length], forgery.name].concat();
        let signed = [b"tabferry-device-card-v1", &card[..]].concat();
        let signature = SigningKey::from_bytes(&forgery.card_signer).sign(&signed);
        payload.extend(signature.to_bytes());
        payload.extend(card);
        payload
    }
}

struct NoRandomness;

impl CryptoResolver for NoRandomness {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Self))
    }

    fn resolve_dh(&self, _: &snow::params::DHChoice) -> Option<Box<dyn Dh>> {
        None
    }

    fn resolve_hash(&self, _: &snow::params::HashChoice) -> Option<Box<dyn Hash>> {
        None
    }

    fn resolve_cipher(&self, _: &snow::params::CipherChoice) -> Option<Box<dyn Cipher>> {
        None
    }
}

impl Random for NoRandomness {
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), snow::Error> {
        Err(snow::Error::Rng)
    }
}

/// Plays both roles against an honest end, with a payload of one's own making.
fn both_roles(payload: impl Fn(&Evil) -> Vec<u8>) -> [Result<Progress, HandshakeError>; 2] {
    let (ada, mut bob) = ends();
    bob.key = [3; 32];
    let (mut left, first) = ada.initiator();
    let mut evil = Evil::responder(&ada);
    evil.read(&first);
    let made = payload(&evil);
    let as_responder = left.read(&evil.write(&made));

    let mut right = bob.responder();
    let mut evil = Evil::initiator(&bob);
    let second = reply(right.read(&evil.write(&[])));
    evil.read(&second);
    let made = payload(&evil);
    let as_initiator = right.read(&evil.write(&made));
    [as_responder, as_initiator]
}

#[test]
fn an_implementation_of_the_document_is_understood() {
    for progress in both_roles(|evil| evil.payload(&Forgery::default())) {
        let (verified, _) = verified(progress);
        assert_eq!(verified.peer.as_bytes(), &Forgery::default().shown);
        assert_eq!(verified.card.name.as_str(), "Bob");
    }
    // And what is said to it is what the document says.
    let (ada, _) = ends();
    let (mut left, first) = ada.initiator();
    let mut evil = Evil::responder(&ada);
    evil.read(&first);
    let honest = evil.payload(&Forgery::default());
    let (_, third) = verified(left.read(&evil.write(&honest)));
    let payload = evil.read(&third.expect("a third message"));
    assert_eq!(&payload[..32], ada.public().as_bytes());
    assert_eq!(&payload[96..99], [1, 1, 0]);
    assert_eq!(&payload[163..], b"\x01\x03Ada");
}

#[test]
fn nobody_passes_for_another() {
    let honest = Forgery::default();
    let signature = HandshakeError::InvalidSignature(InvalidSignature);
    let key = HandshakeError::InvalidKey(InvalidPublicKey);
    let torsion = hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    let neutral = hex("0100000000000000000000000000000000000000000000000000000000000000");
    for (name, forgery, error) in [
        (
            "signed by another",
            Forgery {
                signer: [9; 32],
                ..honest.clone()
            },
            signature,
        ),
        (
            "its card signed by another",
            Forgery {
                card_signer: [9; 32],
                ..honest.clone()
            },
            signature,
        ),
        (
            "signed as a card",
            Forgery {
                domain: b"tabferry-device-card-v1",
                ..honest.clone()
            },
            signature,
        ),
        (
            "signed as nothing",
            Forgery {
                domain: b"",
                ..honest.clone()
            },
            signature,
        ),
        (
            "of another session",
            Forgery {
                prologue: Some(vec![0; 109]),
                ..honest.clone()
            },
            signature,
        ),
        (
            "of no session",
            Forgery {
                prologue: Some(Vec::new()),
                ..honest.clone()
            },
            signature,
        ),
        (
            "as another role",
            Forgery {
                role: Some(b'X'),
                ..honest.clone()
            },
            signature,
        ),
        (
            "of another Noise key",
            Forgery {
                fixed: Some([0; 32]),
                ..honest.clone()
            },
            signature,
        ),
        (
            "a key of order 8",
            Forgery {
                shown: torsion,
                ..honest.clone()
            },
            key,
        ),
        (
            "the neutral key",
            Forgery {
                shown: neutral,
                ..honest.clone()
            },
            key,
        ),
        (
            "no point",
            Forgery {
                shown: hex(&"02".repeat(32)),
                ..honest.clone()
            },
            key,
        ),
        (
            "no versions",
            Forgery {
                versions: Vec::new(),
                ..honest.clone()
            },
            HandshakeError::Malformed,
        ),
        (
            "too many versions",
            Forgery {
                versions: vec![1; 17],
                ..honest.clone()
            },
            HandshakeError::Malformed,
        ),
        (
            "no name",
            Forgery {
                name: b"",
                ..honest.clone()
            },
            HandshakeError::Malformed,
        ),
        (
            "a name that is not UTF-8",
            Forgery {
                name: b"\xFF",
                ..honest.clone()
            },
            HandshakeError::Malformed,
        ),
        (
            "an invisible name",
            Forgery {
                name: "\u{202E}x".as_bytes(),
                ..honest.clone()
            },
            HandshakeError::Malformed,
        ),
        (
            "too long a name",
            Forgery {
                name: &[b'n'; 65],
                ..honest.clone()
            },
            HandshakeError::Malformed,
        ),
    ] {
        for progress in both_roles(|evil| evil.payload(&forgery)) {
            assert_eq!(refused(progress), error, "{name}");
        }
    }
}

#[test]
fn a_proof_serves_one_role_only() {
    let honest = Forgery::default();
    let swapped = |evil: &Evil| {
        let role = if evil.role == b'I' { b'R' } else { b'I' };
        evil.payload(&Forgery {
            role: Some(role),
            ..honest.clone()
        })
    };
    for progress in both_roles(swapped) {
        let error = HandshakeError::InvalidSignature(InvalidSignature);
        assert_eq!(refused(progress), error);
    }
}

#[test]
fn a_payload_has_no_byte_too_many_or_too_few() {
    let length = Evil::initiator(&ends().1)
        .payload(&Forgery::default())
        .len();
    for cut in 0..length {
        for progress in both_roles(|evil| evil.payload(&Forgery::default())[..cut].to_vec()) {
            assert_eq!(refused(progress), HandshakeError::Malformed, "{cut}");
        }
    }
    let longer = |evil: &Evil| [&evil.payload(&Forgery::default())[..], &[0]].concat();
    for progress in both_roles(longer) {
        assert_eq!(refused(progress), HandshakeError::Malformed);
    }
    for progress in both_roles(|_| vec![1; 60_000]) {
        assert_eq!(refused(progress), HandshakeError::WrongLength);
    }
}

#[test]
fn the_first_message_carries_nothing() {
    let (_, bob) = ends();
    let first = Evil::initiator(&bob).write(b"x");
    assert_eq!(
        refused(bob.responder().read(&first)),
        HandshakeError::WrongLength
    );
}

#[test]
fn two_sessions_cannot_be_spliced() {
    let (ada, bob) = ends();
    let ([first, second, third], ..) = run(&ada, &bob);
    // The same devices, path and session, once more.
    let (mut other_ada, mut other_bob) = (ada.clone(), bob.clone());
    (other_ada.seed, other_bob.seed) = ([77; 32], [78; 32]);
    let ([other_first, other_second, other_third], ..) = run(&other_ada, &other_bob);
    let (mut left, _) = ada.initiator();
    assert_eq!(refused(left.read(&other_second)), HandshakeError::Mismatch);
    let (mut left, _) = other_ada.initiator();
    assert_eq!(refused(left.read(&second)), HandshakeError::Mismatch);
    for (first, third) in [(&first, &other_third), (&other_first, &third)] {
        for responder in [&bob, &other_bob] {
            let mut right = responder.responder();
            reply(right.read(first));
            assert_eq!(refused(right.read(third)), HandshakeError::Mismatch);
        }
    }
    // What each responder said to a first message was answered for that one only.
    let mut right = other_bob.responder();
    reply(right.read(&first));
    assert_eq!(refused(right.read(&third)), HandshakeError::Mismatch);
}

#[test]
fn no_secret_is_printed() {
    let (ada, _) = ends();
    let shown = ada.with(|params| format!("{params:?}"));
    assert!(shown.ends_with("seed: Seed }"), "{shown}");
    let (handshake, _) = ada.initiator();
    let shown = format!("{handshake:?}");
    assert_eq!(
        shown,
        "Handshake { role: Initiator, awaits: Some(Second), .. }"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn honest_ends_always_verify_each_other(
        keys: [[u8; 32]; 2],
        seeds: [[u8; 32]; 2],
        session: [u8; 32],
        fingerprints: [[u8; 32]; 2],
        relayed: bool,
        cards in [strategies::device(), strategies::device()],
        versions in [strategies::versions(), strategies::versions()],
    ) {
        prop_assume!(keys[0] != keys[1] && fingerprints[0] != fingerprints[1]);
        let keys = keys.map(|key| DeviceKey::from_seed(&key));
        let signed = [0, 1].map(|at| SignedCard::sign(&keys[at], &cards[at].name, cards[at].kind));
        let params = |own: usize| {
            let fingerprint = |at: usize| Fingerprint::from_bytes(fingerprints[at]);
            let path = if relayed {
                Path::Relay
            } else {
                Path::Direct { local: fingerprint(own), remote: fingerprint(1 - own) }
            };
            Params {
                key: &keys[own],
                card: &signed[own],
                versions: &versions[own],
                path,
                session,
                seed: Seed::from_bytes(seeds[own]),
            }
        };
        let (mut left, first) = Handshake::initiator(&params(0)).expect("it starts");
        let mut right = Handshake::responder(&params(1)).expect("it starts");
        let second = reply(right.read(&first));
        let (of_left, third) = verified(left.read(&second));
        let (of_right, _) = verified(right.read(&third.expect("a third message")));
        prop_assert_eq!(of_left.transcript, of_right.transcript);
        for (learned, other) in [(of_left, 1), (of_right, 0)] {
            prop_assert_eq!(learned.peer, keys[other].public());
            prop_assert_eq!(learned.card.id, DeviceId::of(&keys[other].public()));
            prop_assert_eq!(&learned.card.name, &cards[other].name);
            prop_assert_eq!(learned.card.kind, cards[other].kind);
            prop_assert_eq!(&learned.versions, &versions[other]);
        }
    }

    #[test]
    fn no_bytes_break_an_end(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 1..4)) {
        let (ada, bob) = ends();
        let (mut left, _) = ada.initiator();
        let mut right = bob.responder();
        for message in &messages {
            prop_assert!(!matches!(left.read(message), Ok(Progress::Verified(..))));
            prop_assert!(!matches!(right.read(message), Ok(Progress::Verified(..))));
        }
    }

    #[test]
    fn an_authentic_payload_of_any_bytes_breaks_nothing(payload: Vec<u8>) {
        for progress in both_roles(|_| payload.clone()) {
            refused(progress);
        }
    }
}
