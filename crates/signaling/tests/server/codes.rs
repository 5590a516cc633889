//! Two people meet by a code, wherever they are; whoever guesses codes does not get far.

use std::num::NonZeroU32;
use std::time::Duration;

use tabferry_protocol::signaling::{ClientMessage, Room, ServerMessage, SignalingCode};

use crate::client::{
    Client, ELSEWHERE, HOME, TestServer, code, offer, opening, signal_to, trust_loopback,
};

const CODES: &str = "tabferry_signaling_rooms{kind=\"code\"}";

fn closed(room: Room) -> ServerMessage {
    ServerMessage::RoomClosed { room }
}

fn left(room: Room, peer: &Client) -> ServerMessage {
    ServerMessage::PeerLeft {
        room,
        peer: peer.id.unwrap(),
    }
}

/// Reads that a guest has come, without a card.
async fn expect_guest(opener: &mut Client, room: Room, guest: &Client) {
    match opener.next().await {
        ServerMessage::PeerJoined { room: found, peer } => {
            assert_eq!((found, Some(peer.id)), (room, guest.id));
            assert_eq!(peer.device, None);
        }
        other => panic!("a guest expected, {other:?} received"),
    }
}

#[tokio::test]
async fn opener_and_guest_reach_each_other_across_networks_and_nobody_else_does() {
    let server = TestServer::behind_proxy();
    let room = code("7K3M");
    let mut opener = server.greeted_from(HOME, "Opener").await;
    opener.open(room).await;
    let mut guest = server.greeted_from(ELSEWHERE, "Guest").await;
    let present = guest.enter(room).await;
    assert_eq!(present.len(), 1);
    assert_eq!(
        (Some(present[0].id), &present[0].device),
        (opener.id, &None)
    );
    expect_guest(&mut opener, room, &guest).await;
    guest.send(&signal_to(opener.id, "v=0\r\n")).await;
    let expected = ServerMessage::Signal {
        from: guest.id.unwrap(),
        signal: offer("v=0\r\n"),
    };
    assert_eq!(opener.next().await, expected);

    let mut third = server.greeted_from(HOME, "Third").await;
    third.send(&third.entering(room)).await;
    third.expect_refused(SignalingCode::Busy, room).await;
    third.send(&opening(room)).await;
    third.expect_refused(SignalingCode::Taken, room).await;
    for to in [opener.id, guest.id] {
        third.send(&signal_to(to, "v=0\r\n")).await;
        third.expect_error(SignalingCode::PeerNotFound).await;
    }
    drop(guest);
    assert!(matches!(
        opener.next().await,
        ServerMessage::PeerLeft { .. }
    ));
    assert_eq!(third.enter(room).await.len(), 1);
    expect_guest(&mut opener, room, &third).await;
    opener.expect_silence().await;
}

#[tokio::test]
async fn a_code_ends_with_its_opener_or_after_its_third_guest() {
    let server = TestServer::start();
    let room = code("7K3M");
    let mut guest = server.greeted("Guest").await;
    let mut opener = server.greeted("Opener").await;
    opener.open(room).await;
    for guests in 1..=3 {
        guest.enter(room).await;
        expect_guest(&mut opener, room, &guest).await;
        guest.send(&ClientMessage::Leave { room }).await;
        assert_eq!(opener.next().await, left(room, &guest));
        if guests == 3 {
            assert_eq!(opener.next().await, closed(room));
        }
    }
    guest.send(&guest.entering(room)).await;
    guest
        .expect_refused(SignalingCode::CodeNotFound, room)
        .await;

    opener.open(room).await;
    guest.enter(room).await;
    expect_guest(&mut opener, room, &guest).await;
    let gone = left(room, &opener);
    drop(opener);
    assert_eq!(guest.next().await, gone);
    assert_eq!(guest.next().await, closed(room));
    assert_eq!(server.metric(CODES).await, 0);
    guest.expect_silence().await;
}

#[tokio::test]
async fn a_code_ends_in_time_though_nobody_says_anything() {
    let server = TestServer::with(|config| config.limits.codes.life = Duration::from_secs(1));
    let room = code("7K3M");
    let mut opener = server.greeted("Opener").await;
    // The server looks after codes from its start on; this one is opened in between.
    tokio::time::sleep(Duration::from_millis(300)).await;
    opener.open(room).await;
    let mut guest = server.greeted("Guest").await;
    guest.enter(room).await;
    expect_guest(&mut opener, room, &guest).await;
    assert_eq!(opener.next().await, closed(room));
    assert_eq!(guest.next().await, closed(room));
    assert_eq!(server.metric(CODES).await, 0);
    // And the next one does, too.
    opener.open(room).await;
    assert_eq!(opener.next().await, closed(room));
}

#[tokio::test]
async fn guesses_of_one_source_are_few_and_others_do_not_suffer() {
    let server = TestServer::behind_proxy();
    let room = code("7K3M");
    let mut opener = server.greeted_from("203.0.113.200", "Opener").await;
    opener.open(room).await;
    let wrong = code("0000");
    // From two sockets, which doesn't help.
    let mut guessers = [
        server.greeted_from(ELSEWHERE, "One").await,
        server.greeted_from(ELSEWHERE, "Two").await,
    ];
    for n in 0..10 {
        let guesser = &mut guessers[n % 2];
        guesser.send(&guesser.entering(wrong)).await;
        guesser
            .expect_refused(SignalingCode::CodeNotFound, wrong)
            .await;
    }
    for guesser in &mut guessers {
        for room in [wrong, room] {
            guesser.send(&guesser.entering(room)).await;
            guesser
                .expect_refused(SignalingCode::RateLimited, room)
                .await;
            guesser.send(&opening(room)).await;
            guesser
                .expect_refused(SignalingCode::RateLimited, room)
                .await;
        }
    }
    let mut honest = server.greeted_from(HOME, "Honest").await;
    assert_eq!(honest.enter(room).await.len(), 1);
    let errors = "tabferry_signaling_errors_total{code=\"code-not-found\"}";
    assert_eq!(server.metric(errors).await, 10);
}

#[tokio::test]
async fn a_source_has_so_many_codes_open() {
    let server = TestServer::with(|config| {
        trust_loopback(config);
        config.limits.codes.open = NonZeroU32::new(2).unwrap();
    });
    let mut first = server.greeted_from(HOME, "First").await;
    let mut second = server.greeted_from(HOME, "Second").await;
    let mut elsewhere = server.greeted_from(ELSEWHERE, "Elsewhere").await;
    first.open(code("0001")).await;
    second.open(code("0002")).await;
    second.send(&opening(code("0003"))).await;
    second
        .expect_refused(SignalingCode::RateLimited, code("0003"))
        .await;
    elsewhere.open(code("0003")).await;
    first
        .send(&ClientMessage::Leave { room: code("0001") })
        .await;
    first.expect_silence().await;
    second.open(code("0004")).await;
}
