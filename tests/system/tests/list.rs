//! The list of attacks: every name stands for one, and what is changed is what has to be.

use evil::{Act, Evil, Variant, description};
use tabferry_protocol::fingerprint::{Fingerprint, InvalidFingerprint};
use tabferry_protocol::id::{AnswerNonce, ConnectionId, PeerId};
use tabferry_protocol::signaling::{Room, ServerMessage, Signal, SignalBody};

const ADA: PeerId = PeerId::from_bytes([1; 16]);
const BEE: PeerId = PeerId::from_bytes([2; 16]);
const CLEO: PeerId = PeerId::from_bytes([4; 16]);

fn certificate(number: u8) -> Fingerprint {
    Fingerprint::from_bytes([number; 32])
}

/// No two connections have the same description.
fn sdp(connection: u8) -> String {
    let line = format!("a=fingerprint:sha-256 {}\r\n", certificate(7));
    format!(
        "v=0\r\no=- {connection} 2 IN IP4 127.0.0.1\r\n{line}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{line}a=mid:0\r\n"
    )
}

fn signal(connection: u8, body: SignalBody) -> Signal {
    Signal {
        connection: ConnectionId::from_bytes([connection; 16]),
        body,
    }
}

fn offer(connection: u8) -> Signal {
    let sdp = sdp(connection);
    signal(connection, SignalBody::Offer { sdp })
}

fn answer(connection: u8) -> Signal {
    let (sdp, nonce) = (sdp(connection), AnswerNonce::from_bytes([connection; 16]));
    signal(connection, SignalBody::Answer { sdp, nonce })
}

/// What an honest server does with what Ada says to Bee, and what this one does.
fn acts(evil: &mut Evil, signal: Signal) -> (Vec<Act>, Vec<Act>) {
    let message = ServerMessage::Signal { from: ADA, signal };
    let honest = Act::Deliver {
        to: BEE,
        message: message.clone(),
    };
    (vec![honest], evil.deliver(BEE, message))
}

#[test]
fn every_attack_has_a_name_of_its_own() {
    for variant in Variant::ALL {
        assert_eq!(variant.name().parse(), Ok(variant));
    }
    assert!("none".parse::<Variant>().is_err());
}

#[test]
fn a_description_keeps_all_but_its_certificate() {
    let changed = description::with_certificate(&sdp(1), certificate(9));
    assert_eq!(Fingerprint::of_description(&changed), Ok(certificate(9)));
    let back = description::with_certificate(&changed, certificate(7));
    assert_eq!(back, sdp(1));

    for before in [true, false] {
        let more = description::with_further_certificate(&sdp(1), certificate(9), before);
        assert!(description::certificates(&more).contains(&certificate(9)));
        assert!(description::certificates(&more).contains(&certificate(7)));
        let several = Err(InvalidFingerprint::Several);
        assert_eq!(Fingerprint::of_description(&more), several);
    }
    let sha_1 = description::with_sha_1(&sdp(1), [0; 20]);
    let other = Err(InvalidFingerprint::OtherAlgorithm);
    assert_eq!(Fingerprint::of_description(&sha_1), other);
}

#[test]
fn every_attack_changes_something_and_rest_is_honest() {
    for variant in Variant::ALL.into_iter().filter(|it| !it.lies()) {
        for seed in 0..20 {
            // Three are in the room, two connections are known, and one of them is offered again.
            let mut evil = Evil::new(variant, seed);
            evil.rest();
            for peer in [ADA, BEE, CLEO] {
                let (room, peers) = (Room::Nearby, Vec::new());
                evil.deliver(peer, ServerMessage::Joined { room, peers });
            }
            let signals = || [offer(1), answer(1), offer(2), offer(2), answer(2)];
            for signal in signals() {
                let (honest, done) = acts(&mut evil, signal);
                assert_eq!(done, honest, "{variant}");
            }
            evil.attack(variant, seed);
            let changes = signals().into_iter().filter(|signal| {
                let (honest, done) = acts(&mut evil, signal.clone());
                done != honest
            });
            assert!(changes.count() > 0, "{variant}, seed {seed}");
        }
    }
}
