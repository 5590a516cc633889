//! Groups and pairs: devices that know the same name meet, wherever they are, and nobody else does.

use tabferry_protocol::limits::{PAIR_ROOM_PEERS, ROOMS_PER_PEER};
use tabferry_protocol::signaling::{ClientMessage, Room, ServerMessage, SignalingCode};

use crate::client::{
    ELSEWHERE, HOME, TestServer, card, code, eventually, group, offer, pair, signal_to,
};

#[tokio::test]
async fn a_group_meets_across_networks_and_vanishes_with_its_last_member() {
    let server = TestServer::behind_proxy();
    let room = group("F0RTYB1T");
    let mut desk = server.greeted_from(HOME, "Desk").await;
    assert_eq!(desk.enter(room).await, []);
    let mut phone = server.greeted_from(ELSEWHERE, "Phone").await;
    let present = phone.enter(room).await;
    assert_eq!(present[0].device, Some(card("Desk")));
    let ServerMessage::PeerJoined { room: found, peer } = desk.next().await else {
        panic!("the newcomer was not announced");
    };
    assert_eq!((found, peer.device), (room, Some(card("Phone"))));
    phone.send(&signal_to(desk.id, "v=0\r\n")).await;
    let expected = ServerMessage::Signal {
        from: phone.id.unwrap(),
        signal: offer("v=0\r\n"),
    };
    assert_eq!(desk.next().await, expected);

    let groups = "tabferry_signaling_rooms{kind=\"group\"}";
    assert_eq!(server.metric(groups).await, 1);
    phone.send(&ClientMessage::Leave { room }).await;
    assert!(matches!(desk.next().await, ServerMessage::PeerLeft { .. }));
    drop(desk);
    eventually(0, async || server.metric(groups).await).await;
}

#[tokio::test]
async fn a_pair_meets_without_cards_and_has_room_for_eight() {
    let server = TestServer::start();
    let mut first = server.greeted("First").await;
    assert_eq!(first.enter(pair(1)).await, []);
    let mut others = Vec::new();
    for n in 1..PAIR_ROOM_PEERS {
        let mut other = server.greeted("Other").await;
        let present = other.enter(pair(1)).await;
        assert_eq!(present.len(), n);
        assert!(present.iter().all(|peer| peer.device.is_none()));
        others.push(other);
        match first.next().await {
            ServerMessage::PeerJoined { peer, .. } => assert_eq!(peer.device, None),
            other => panic!("a newcomer expected, {other:?} received"),
        }
    }
    let mut late = server.greeted("Late").await;
    late.send(&late.entering(pair(1))).await;
    late.expect_refused(SignalingCode::RoomFull, pair(1)).await;
    // A changed card is nothing that a pair's room hears of.
    first.join().await;
    let device = card("New name");
    first.send(&ClientMessage::Update { device }).await;
    first.expect_silence().await;
    for other in &mut others[PAIR_ROOM_PEERS - 2..] {
        other.expect_silence().await;
    }
}

#[tokio::test]
async fn who_shares_no_room_is_not_reached_whatever_the_rooms() {
    let server = TestServer::start();
    let rooms = [
        code("7K3M"),
        code("7K3N"),
        group("F0RTYB1T"),
        group("F0RTYB1S"),
        pair(1),
        pair(2),
    ];
    let mut clients = Vec::new();
    for room in rooms {
        let mut client = server.greeted("Client").await;
        match room {
            Room::Code { .. } => client.open(room).await,
            _ => assert_eq!(client.enter(room).await, []),
        }
        clients.push(client);
    }
    let ids: Vec<_> = clients.iter().map(|client| client.id).collect();
    for client in &mut clients {
        for id in &ids {
            client.send(&signal_to(*id, "v=0\r\n")).await;
            client.expect_error(SignalingCode::PeerNotFound).await;
        }
    }
}

#[tokio::test]
async fn one_device_joins_the_rooms_of_all_its_pairs_at_once() {
    let server = TestServer::start();
    let mut client = server.greeted("Client").await;
    for n in 0..=ROOMS_PER_PEER {
        let room = pair(u8::try_from(n).unwrap());
        client.send(&client.entering(room)).await;
    }
    for _ in 0..ROOMS_PER_PEER {
        assert!(matches!(client.next().await, ServerMessage::Joined { .. }));
    }
    let last = pair(u8::try_from(ROOMS_PER_PEER).unwrap());
    client
        .expect_refused(SignalingCode::RateLimited, last)
        .await;
    let pairs = "tabferry_signaling_rooms{kind=\"pair\"}";
    let all = u64::try_from(ROOMS_PER_PEER).unwrap();
    assert_eq!(server.metric(pairs).await, all);
}
