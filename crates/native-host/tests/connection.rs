//! Peer connections of webrtc-rs, each end with another: what goes in at one end comes out at the other, and nothing that
//! the other end says or fails to say makes one hang, panic or grow.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

mod peers;

use std::collections::VecDeque;
use std::time::Duration;

use peers::{End, KEY, PATIENCE, carry, connected, negotiate};
use tabferry_engine::{Channel, ConnectionState};
use tabferry_host::connection::{ConnectionEvent, Step};
use tabferry_protocol::frame::BulkHeader;
use tabferry_protocol::id::WireTransferId;
use tabferry_protocol::limits::{
    BUFFERED_HIGH_BYTES, CHUNK_BYTES, CONTROL_FRAME_BYTES, RECEIVE_WINDOW_BYTES,
};
use tokio::time::timeout;

const MIB: usize = 1024 * 1024;

fn header(offset: usize) -> BulkHeader {
    BulkHeader {
        transfer: WireTransferId(3),
        epoch: 1,
        entry: 2,
        offset: offset as u64,
    }
}

#[tokio::test]
async fn two_ends_connect_and_exchange_frames_on_both_channels() {
    let (mut offerer, mut answerer) = connected().await;
    // What each presented is what it described, and no two connections share a certificate.
    assert_eq!(offerer.opened, answerer.described);
    assert_eq!(answerer.opened, offerer.described);
    assert_ne!(offerer.described, answerer.described);

    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut offerer, &mut answerer];
        for number in 0..100_u8 {
            ends[from].connections.send_control(KEY, vec![number; 5]);
        }
        for number in 0..100_u8 {
            let (channel, bytes) = ends[to].frame().await;
            assert_eq!((channel, &bytes[..]), (Channel::Control, &[number; 5][..]));
        }
        ends[from]
            .connections
            .send_bulk(KEY, header(9), b"bytes of a file");
        let (channel, bytes) = ends[to].frame().await;
        assert_eq!(channel, Channel::Bulk);
        let (read, data) = BulkHeader::decode(&bytes).unwrap();
        assert_eq!((read, data), (header(9), &b"bytes of a file"[..]));
    }
}

#[tokio::test]
async fn restarting_ice_keeps_the_connection() {
    let (mut offerer, mut answerer) = connected().await;
    offerer.step(Step::MakeOffer { restart: true });
    answerer
        .connections
        .send_control(KEY, b"still here".to_vec());
    // Carry on until the answer has come back, and the path is found again.
    let (mut offers, mut answers, mut heard) = (0, 0, false);
    let restarted = async {
        while answers == 0 || !heard {
            tokio::select! {
                Some(event) = offerer.events.recv() => {
                    offers += usize::from(matches!(event, ConnectionEvent::LocalDescription { .. }));
                    if let Some(event) = carry(&mut offerer, &answerer, event, true, |sdp| sdp) {
                        assert!(matches!(event, ConnectionEvent::Frame { .. }), "{event:?}");
                        heard = true;
                    }
                }
                Some(event) = answerer.events.recv() => {
                    answers += usize::from(matches!(event, ConnectionEvent::LocalDescription { .. }));
                    let told = carry(&mut answerer, &offerer, event, false, |sdp| sdp);
                    assert_eq!(told, None);
                }
            }
        }
    };
    timeout(PATIENCE, restarted).await.unwrap();
    assert_eq!((offers, answers), (1, 1));
    offerer.connections.send_control(KEY, b"after".to_vec());
    let after = async {
        loop {
            tokio::select! {
                Some(event) = offerer.events.recv() => {
                    assert_eq!(carry(&mut offerer, &answerer, event, true, |sdp| sdp), None);
                }
                Some(event) = answerer.events.recv() => {
                    match carry(&mut answerer, &offerer, event, false, |sdp| sdp) {
                        None => {}
                        Some(ConnectionEvent::Frame { bytes, .. }) => return bytes,
                        Some(event) => panic!("{event:?}"),
                    }
                }
            }
        }
    };
    assert_eq!(&timeout(PATIENCE, after).await.unwrap()[..], b"after");
}

/// The same description with another certificate's fingerprint.
fn with_another_fingerprint(sdp: String) -> String {
    let at = sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
    let mut sdp = sdp.into_bytes();
    // Every place of it: descriptions may repeat it.
    let original = sdp[at..at + 95].to_vec();
    let digit = if original[0] == b'0' { b'1' } else { b'0' };
    for place in 0..sdp.len() - original.len() {
        if sdp[place..].starts_with(&original) {
            sdp[place] = digit;
        }
    }
    String::from_utf8(sdp).unwrap()
}

#[tokio::test]
async fn another_certificate_than_the_described_one_is_told_and_nothing_gets_through() {
    for at_offerer in [true, false] {
        let (mut offerer, mut answerer) = (End::new(), End::new());
        for end in [&offerer, &answerer] {
            end.connections.send_control(KEY, b"a secret".to_vec());
        }
        let same: peers::Alter = |sdp| sdp;
        let (alter_offer, alter_answer) = if at_offerer {
            (same, with_another_fingerprint as peers::Alter)
        } else {
            (with_another_fingerprint as peers::Alter, same)
        };
        // The end that was not lied to may find its channels open, and then that they are no more.
        let mut told = negotiate(
            &mut offerer,
            &mut answerer,
            false,
            alter_offer,
            alter_answer,
        )
        .await;
        let mut events = Vec::new();
        loop {
            let (by_offerer, event) = match told.take() {
                Some(told) => told,
                None => tokio::select! {
                    event = offerer.next() => (true, event),
                    event = answerer.next() => (false, event),
                },
            };
            if by_offerer == at_offerer {
                assert_eq!(event, ConnectionEvent::Unverified { connection: KEY });
                break;
            }
            events.push(event);
        }
        // It heard nothing from the other end, which had a frame to send and was sent none.
        for event in events {
            assert_eq!(event, ConnectionEvent::Ended { connection: KEY });
        }
        let deceived = if at_offerer { &offerer } else { &answerer };
        assert_eq!(deceived.opened, None);
    }
}

#[tokio::test]
async fn a_later_description_with_another_certificate_is_refused() {
    let (mut offerer, answerer) = connected().await;
    offerer.step(Step::MakeOffer { restart: true });
    loop {
        if let ConnectionEvent::LocalDescription { sdp, .. } = offerer.any().await {
            let sdp = with_another_fingerprint(sdp);
            answerer.step(Step::ApplyOffer { sdp });
            break;
        }
    }
    let mut answerer = answerer;
    assert_eq!(
        answerer.next().await,
        ConnectionEvent::Unverified { connection: KEY }
    );
}

/// What a chunk at an offset is filled with.
fn byte_at(offset: usize) -> u8 {
    u8::try_from(offset / CHUNK_BYTES % 251).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_bytes_arrive_in_their_order_with_a_bounded_queue() {
    let (mut sender, mut receiver) = connected().await;
    let total = 64 * MIB;
    let sending = async {
        let mut chunk = vec![0; CHUNK_BYTES];
        let (mut sent, mut lows) = (0, 0);
        while sent < total {
            let buffered = sender.connections.buffered(KEY);
            if buffered >= BUFFERED_HIGH_BYTES {
                while sender.next().await != (ConnectionEvent::BufferedLow { connection: KEY }) {}
                lows += 1;
                continue;
            }
            chunk.fill(byte_at(sent));
            sender.connections.send_bulk(KEY, header(sent), &chunk);
            let queued = sender.connections.buffered(KEY);
            assert!(queued <= BUFFERED_HIGH_BYTES + (CHUNK_BYTES + BulkHeader::BYTES) as u64);
            sent += chunk.len();
        }
        lows
    };
    let receiving = async {
        let mut received = 0;
        while received < total {
            let (channel, bytes) = receiver.frame().await;
            assert_eq!(channel, Channel::Bulk);
            let (read, data) = BulkHeader::decode(&bytes).unwrap();
            assert_eq!(read, header(received));
            let byte = byte_at(received);
            assert!(data.iter().all(|found| *found == byte));
            received += data.len();
        }
    };
    let (lows, ()) = tokio::join!(sending, receiving);
    assert!(lows > 0, "the queue was never full");
    assert_eq!(sender.connections.buffered(KEY), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_holds_is_bounded_and_control_still_gets_through() {
    let (mut sender, mut receiver) = connected().await;
    let frames = 300;
    let most =
        2 * usize::try_from(RECEIVE_WINDOW_BYTES).unwrap() / (CHUNK_BYTES + BulkHeader::BYTES);
    let sending = async {
        let chunk = vec![0; CHUNK_BYTES];
        for number in 0..frames {
            while sender.connections.buffered(KEY) >= BUFFERED_HIGH_BYTES {
                while sender.next().await != (ConnectionEvent::BufferedLow { connection: KEY }) {}
            }
            sender
                .connections
                .send_bulk(KEY, header(number * CHUNK_BYTES), &chunk);
        }
        // By now more than the other end may hold has left: what waits here is less than the rest.
        sender.connections.send_control(KEY, b"hello".to_vec());
    };
    let receiving = async {
        let mut held = VecDeque::new();
        while let (Channel::Bulk, bytes) = receiver.frame().await {
            held.push_back(bytes);
        }
        assert_eq!(held.len(), most, "as many as there is room for");
        // Each that is dropped makes room for another.
        let mut received = held.len();
        while received < frames {
            held.pop_front();
            let (channel, bytes) = receiver.frame().await;
            assert_eq!(channel, Channel::Bulk);
            held.push_back(bytes);
            received += 1;
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn a_frame_that_is_too_long_ends_the_connection_and_is_not_sent() {
    let (mut sender, mut receiver) = connected().await;
    sender
        .connections
        .send_control(KEY, vec![1; CONTROL_FRAME_BYTES]);
    assert_eq!(receiver.frame().await.1.len(), CONTROL_FRAME_BYTES);
    sender
        .connections
        .send_control(KEY, vec![1; CONTROL_FRAME_BYTES + 1]);
    let ended = ConnectionEvent::Ended { connection: KEY };
    assert_eq!(sender.next().await, ended);
    assert_eq!(receiver.next().await, ended);

    let (mut sender, mut receiver) = connected().await;
    let data = vec![1; CONTROL_FRAME_BYTES];
    sender.connections.send_bulk(KEY, header(0), &data);
    assert_eq!(sender.next().await, ended);
    assert_eq!(receiver.next().await, ended);
}

#[tokio::test]
async fn more_than_a_queue_may_hold_ends_the_connection() {
    let ended = ConnectionEvent::Ended { connection: KEY };
    // Nobody answers: everything waits.
    let mut end = End::new();
    let data = vec![0; CHUNK_BYTES];
    for number in 0..17 * MIB / CHUNK_BYTES {
        end.connections.send_bulk(KEY, header(number), &data);
    }
    assert_eq!(end.next().await, ended);

    let mut end = End::new();
    for _ in 0..1000 {
        end.step(Step::MakeOffer { restart: true });
    }
    assert_eq!(end.next().await, ended);
}

#[tokio::test]
async fn closing_delivers_what_control_holds() {
    let (mut closing, mut other) = connected().await;
    let (frames, size) = (200, 1024);
    for number in 0..frames {
        closing.connections.send_control(KEY, vec![number; size]);
    }
    closing.connections.close(KEY);
    closing.connections.close(KEY);
    // Who has closed hears nothing more, and what it asks for is ignored.
    closing.connections.send_control(KEY, vec![1]);
    closing.step(Step::MakeOffer { restart: false });
    assert_eq!(closing.connections.buffered(KEY), 0);
    timeout(PATIENCE, closing.connections.finish())
        .await
        .unwrap();
    while let Some(event) = closing.events.recv().await {
        assert!(!matches!(event, ConnectionEvent::Ended { .. }), "{event:?}");
    }
    // The other end looks only now, and finds all of it before the end.
    for number in 0..frames {
        let (channel, bytes) = other.frame().await;
        assert_eq!(channel, Channel::Control);
        assert_eq!((bytes.len(), bytes[0]), (size, number));
    }
    assert_eq!(
        other.next().await,
        ConnectionEvent::Ended { connection: KEY }
    );
}

#[test]
fn a_peer_that_vanishes_is_noticed() {
    let here = tokio::runtime::Runtime::new().unwrap();
    let there = tokio::runtime::Runtime::new().unwrap();
    let mut offerer = here.block_on(async { End::new() });
    let mut answerer = there.block_on(async { End::new() });
    here.block_on(async {
        let told = negotiate(&mut offerer, &mut answerer, false, |sdp| sdp, |sdp| sdp).await;
        assert_eq!(told, None);
    });
    // As by kill -9: its tasks stop where they are, and its sockets are gone.
    there.shutdown_background();
    let noticed = here.block_on(async {
        timeout(Duration::from_secs(10), async {
            loop {
                if let ConnectionEvent::Changed { state, .. } = offerer.any().await
                    && state != ConnectionState::Connected
                {
                    return state;
                }
            }
        })
        .await
    });
    assert_eq!(noticed, Ok(ConnectionState::Disconnected));
    // And it can be closed all the same, with a frame that nobody takes.
    here.block_on(async {
        offerer.connections.send_control(KEY, b"goodbye".to_vec());
        offerer.connections.close(KEY);
        timeout(PATIENCE, offerer.connections.finish())
            .await
            .unwrap();
    });
}

#[tokio::test]
async fn a_description_that_makes_no_sense_ends_the_connection() {
    let mut source = End::new();
    source.step(Step::MakeOffer { restart: false });
    let offer = loop {
        if let ConnectionEvent::LocalDescription { sdp, .. } = source.any().await {
            break sdp;
        }
    };
    let mut descriptions = vec![
        String::new(),
        "v=0".to_owned(),
        "\0\0\0".to_owned(),
        "🦀".repeat(4000),
        offer.replace("a=fingerprint", "a=finger"),
        offer.replace("a=ice-ufrag", "a=ice-none"),
        offer.replace("a=ice-pwd:", "a=ice-pwd:\0"),
        offer.replace("m=application", "m=audio"),
    ];
    // Cut off anywhere.
    descriptions.extend((1..20).map(|part| offer[..offer.len() * part / 20].to_owned()));
    for sdp in descriptions {
        for step in [
            Step::ApplyOffer { sdp: sdp.clone() },
            Step::ApplyAnswer { sdp: sdp.clone() },
        ] {
            let mut end = End::new();
            end.step(step);
            // What can't be held against webrtc-rs still must not hang: another step that can't be taken now.
            end.step(Step::ApplyAnswer { sdp: String::new() });
            assert_eq!(
                end.next().await,
                ConnectionEvent::Ended { connection: KEY },
                "{sdp:?}"
            );
        }
    }
}

#[tokio::test]
async fn candidates_that_make_no_sense_disturb_nothing() {
    let (mut offerer, mut answerer) = (End::new(), End::new());
    let garbage = || {
        [
            "",
            "candidate:",
            "garbage",
            "candidate:1 1 udp 1 not-an-address 1 typ host",
            "candidate:1 1 udp 1 192.0.2.1 99999 typ host",
            "candidate:1 1 udp 99999999999999 192.0.2.1 9 typ host",
            "candidate:1 1 udp 1 192.0.2.1 9 typ nothing",
            "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype passive",
            "candidate:1 1 udp 1 00000000-0000-4000-8000-000000000000.local 9 typ host",
            "candidate:1 1 udp 1 example.org 9 typ host",
            "candidate:\0",
        ]
        .map(|line| Some((line.to_owned(), Some("0".to_owned()))))
        .into_iter()
        .chain([None])
    };
    // Too early for any candidate, and in numbers.
    for candidate in garbage().cycle().take(1000) {
        answerer.step(Step::ApplyCandidate { candidate });
    }
    let told = negotiate(&mut offerer, &mut answerer, false, |sdp| sdp, |sdp| sdp).await;
    assert_eq!(told, None);
    for candidate in garbage() {
        offerer.step(Step::ApplyCandidate { candidate });
    }
    answerer
        .connections
        .send_control(KEY, b"undisturbed".to_vec());
    assert_eq!(&offerer.frame().await.1[..], b"undisturbed");
}
