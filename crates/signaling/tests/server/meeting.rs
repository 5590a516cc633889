//! Peers of one room see each other and reach each other; peers of different rooms never do.

use std::time::{SystemTime, UNIX_EPOCH};

use tabferry_protocol::id::PeerId;
use tabferry_protocol::signaling::{ClientMessage, IceServer, Room, ServerMessage, SignalingCode};

use crate::client::{
    ELSEWHERE, HOME, PATIENCE, TestServer, card, eventually, hello, offer, signal_to,
};

#[tokio::test]
async fn welcome_says_who_and_where_one_is() {
    let server_entry = IceServer {
        url: "turn:turn.example.org:3478".to_owned(),
        username: Some("user".to_owned()),
        credential: Some("secret".to_owned()),
    };
    let announced = server_entry.clone();
    let server = TestServer::with(|config| config.ice_servers.push(announced));
    let mut client = server.connect().await;
    client.send(&hello(&[1])).await;
    let ServerMessage::Welcome(welcome) = client.next().await else {
        panic!("no welcome");
    };
    assert_eq!(welcome.version, 1);
    assert_eq!(welcome.address, "127.0.0.1");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let late = now.as_secs() - welcome.time;
    assert!(late <= PATIENCE.as_secs(), "{late} s");
    assert_eq!(welcome.ice_servers, [server_entry]);
    let other = server.greeted("Phone").await;
    assert_ne!(Some(welcome.peer), other.id);
}

#[tokio::test]
async fn peers_see_each_other_come_change_and_go() {
    let server = TestServer::start();
    let mut desk = server.joined("Desk").await;
    let mut phone = server.greeted("Phone").await;
    let present = phone.join().await;
    assert_eq!(present.len(), 1);
    assert_eq!(present[0].device, Some(card("Desk")));
    assert_eq!(Some(present[0].id), desk.id);

    let ServerMessage::PeerJoined { room, peer } = desk.next().await else {
        panic!("the newcomer was not announced");
    };
    assert_eq!((room, Some(peer.id)), (Room::Nearby, phone.id));
    assert_eq!(peer.device, Some(card("Phone")));

    let device = card("New phone");
    phone.send(&ClientMessage::Update { device }).await;
    let ServerMessage::PeerUpdated { peer } = desk.next().await else {
        panic!("the new name was not announced");
    };
    assert_eq!(peer.device, Some(card("New phone")));

    let left = ServerMessage::PeerLeft {
        room: Room::Nearby,
        peer: phone.id.unwrap(),
    };
    phone
        .send(&ClientMessage::Leave { room: Room::Nearby })
        .await;
    assert_eq!(desk.next().await, left);
    phone.join().await;
    desk.next().await;
    drop(phone);
    assert_eq!(desk.next().await, left);

    drop(desk);
    eventually(0, async || server.metric("tabferry_signaling_peers").await).await;
    assert_eq!(
        server
            .metric("tabferry_signaling_rooms{kind=\"nearby\"}")
            .await,
        0
    );
}

#[tokio::test]
async fn a_signal_arrives_with_its_sender() {
    let server = TestServer::start();
    let mut desk = server.joined("Desk").await;
    let mut phone = server.joined("Phone").await;
    desk.next().await;
    let sdp = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\n";
    phone.send(&signal_to(desk.id, sdp)).await;
    let expected = ServerMessage::Signal {
        from: phone.id.unwrap(),
        signal: offer(sdp),
    };
    assert_eq!(desk.next().await, expected);
}

#[tokio::test]
async fn who_is_elsewhere_is_neither_seen_nor_reached() {
    let server = TestServer::behind_proxy();
    let mut home = server.joined_from(HOME, "Home").await;
    let mut stranger = server.joined_from(ELSEWHERE, "Stranger").await;
    for id in [home.id, Some(PeerId::from_bytes([1; 16]))] {
        stranger.send(&signal_to(id, "v=0\r\n")).await;
        let expected = ServerMessage::Error {
            code: SignalingCode::PeerNotFound,
            to: id,
            room: None,
        };
        assert_eq!(stranger.next().await, expected);
    }
    home.expect_silence().await;
    // The same for someone from home who has not joined.
    let mut outside = server
        .connect_with(&[("x-forwarded-for", HOME)])
        .await
        .unwrap();
    outside.greet("Outside").await;
    outside.send(&signal_to(home.id, "v=0\r\n")).await;
    outside.expect_error(SignalingCode::PeerNotFound).await;
    home.expect_silence().await;
}
