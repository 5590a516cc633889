//! Every bound of the server, reached.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::{ROOM_PEERS, SDP_BYTES};
use tabferry_protocol::signaling::{ClientMessage, Room, ServerMessage, SignalingCode};
use tabferry_signaling::bucket::Rate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{
    Client, ELSEWHERE, HOME, PATIENCE, TestServer, eventually, handshake, hello, join, offer,
    signal_to, trust_loopback,
};

/// Signals of the longest kind: more than kernel buffers and queue hold together, and less than a burst.
const SIGNALS: usize = 100;

/// The metric of sockets that were cut.
const CUT: &str = "tabferry_signaling_closes_total{code=\"1013\",reason=\"too-slow\"}";

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

async fn connect_from(server: &TestServer, address: &str) -> Result<Client, Error> {
    server.connect_with(&[("x-forwarded-for", address)]).await
}

#[tokio::test]
async fn one_source_has_so_many_connections_and_is_told_so() {
    let server = TestServer::with(|config| {
        trust_loopback(config);
        config.limits.sources.connections = number(3);
    });
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = connect_from(&server, HOME).await.unwrap();
        client.greet("Desk").await;
        clients.push(client);
    }
    let mut fourth = connect_from(&server, HOME).await.unwrap();
    fourth.expect_error(SignalingCode::RateLimited).await;
    let expected = (1013, "too-many-connections".to_owned());
    assert_eq!(fourth.closed().await, expected);
    connect_from(&server, ELSEWHERE)
        .await
        .unwrap()
        .greet("Elsewhere")
        .await;

    drop(clients.pop());
    eventually(2, async || server.metric("tabferry_signaling_peers").await).await;
    connect_from(&server, HOME)
        .await
        .unwrap()
        .greet("Desk")
        .await;
}

#[tokio::test]
async fn private_clients_are_not_counted_unless_asked() {
    let server = TestServer::with(|config| config.limits.sources.connections = number(2));
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(server.greeted("Tab").await);
    }
    let server = TestServer::with(|config| {
        config.limits.sources.connections = number(2);
        config.limits.sources.limit_private = true;
    });
    clients.push(server.greeted("Tab").await);
    clients.push(server.greeted("Tab").await);
    let mut third = server.connect().await;
    third.expect_error(SignalingCode::RateLimited).await;
}

#[tokio::test]
async fn new_connections_of_one_source_come_at_a_rate() {
    let rate = Rate {
        burst: number(4),
        per_minute: number(1),
    };
    let server = TestServer::with(|config| {
        trust_loopback(config);
        config.limits.sources.new = rate;
    });
    for _ in 0..4 {
        connect_from(&server, HOME).await.unwrap();
    }
    match connect_from(&server, HOME).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 429),
        other => panic!("{:?}", other.map(|_| "connected")),
    }
    connect_from(&server, ELSEWHERE).await.unwrap();

    // Without a proxy in between nothing is spent on such a connection, not even an answer.
    let server = TestServer::with(|config| {
        config.limits.sources.new = rate;
        config.limits.sources.limit_private = true;
    });
    for _ in 0..4 {
        server.connect().await;
    }
    assert!(server.connect_with(&[]).await.is_err());
}

#[tokio::test]
async fn a_full_server_takes_no_more_until_someone_leaves() {
    let server = TestServer::with(|config| config.limits.connections = number(2));
    let first = server.greeted("One").await;
    let _second = server.greeted("Two").await;
    assert!(server.connect_with(&[]).await.is_err());
    drop(first);
    eventually(true, async || server.connect_with(&[]).await.is_ok()).await;
}

#[tokio::test]
async fn a_flood_of_messages_is_refused_then_closed_and_the_room_hears_little() {
    let server = TestServer::start();
    let mut victim = server.joined("Victim").await;
    let mut flooder = server.joined("Flooder").await;
    let message = Message::text(signal_to(victim.id, "v=0\r\n").encode());
    for _ in 0..200 {
        // The server may have closed already.
        if futures_util::SinkExt::send(&mut flooder.socket, message.clone())
            .await
            .is_err()
        {
            break;
        }
    }
    for _ in 0..17 {
        let refused = flooder.next().await;
        let expected = ServerMessage::Error {
            code: SignalingCode::RateLimited,
            to: victim.id,
            room: None,
        };
        assert_eq!(refused, expected);
    }
    assert_eq!(
        flooder.closed().await,
        (1008, "too-many-refusals".to_owned())
    );
    assert!(matches!(
        victim.next().await,
        ServerMessage::PeerJoined { .. }
    ));
    let mut signals = 0;
    while matches!(victim.next().await, ServerMessage::Signal { .. }) {
        signals += 1;
    }
    assert!((118..=122).contains(&signals), "{signals}");
}

#[tokio::test]
async fn a_flood_of_pings_is_closed_too() {
    let server = TestServer::start();
    let mut flooder = server.greeted("Flooder").await;
    let ping = b"\x89\x80\0\0\0\0".repeat(200);
    flooder.socket.get_mut().write_all(&ping).await.unwrap();
    assert_eq!(
        flooder.closed().await,
        (1008, "too-many-refusals".to_owned())
    );
}

#[tokio::test]
async fn the_33rd_device_of_a_room_is_told_that_it_is_full() {
    let server = TestServer::start();
    let mut members = Vec::new();
    for _ in 0..ROOM_PEERS {
        members.push(server.joined("Member").await);
    }
    let mut late = server.greeted("Late").await;
    late.send(&join("Late")).await;
    late.expect_error(SignalingCode::RoomFull).await;
    members.pop();
    eventually(true, async || {
        late.send(&join("Late")).await;
        matches!(late.next().await, ServerMessage::Joined { .. })
    })
    .await;
}

#[tokio::test]
async fn who_does_not_say_hello_is_closed() {
    let server = TestServer::with(|config| config.limits.handshake = Duration::from_secs(1));
    let mut silent = server.connect().await;
    let mut busy = server.connect().await;
    busy.send(&join("Busy")).await;
    busy.expect_error(SignalingCode::OutOfOrder).await;
    let expected = (1008, "hello-timeout".to_owned());
    assert_eq!(silent.closed().await, expected);
    assert_eq!(busy.closed().await, expected);
}

#[tokio::test]
async fn hello_ends_the_hello_timeout() {
    let server = TestServer::with(|config| config.limits.handshake = Duration::from_secs(1));
    let mut client = server.greeted("Desk").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    client.join().await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_dropped() {
    let server = TestServer::with(|config| config.limits.handshake = Duration::from_millis(200));
    for begun in ["", "GET /v1/sig", "GET /v1/signal HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{begun}");
    }
    let refused = "tabferry_signaling_refused_total{reason=\"handshake\"}";
    assert_eq!(server.metric(refused).await, 3);
}

#[tokio::test]
async fn while_too_many_have_not_said_hello_others_wait_their_turn() {
    let server = TestServer::with(|config| {
        config.limits.pending = number(2);
        config.limits.handshake = Duration::from_secs(2);
    });
    let mut first = server.connect().await;
    let _second = server.connect().await;
    let began = Instant::now();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut waiting = Box::pin(handshake(stream, &[]));
    let early = timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "a third one got in");
    first.greet("Desk").await;
    waiting.await.unwrap().greet("Phone").await;
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_dead_and_one_that_does_is_not() {
    let server = TestServer::with(|config| {
        config.limits.ping_interval = Duration::from_millis(200);
        config.limits.silence = Duration::from_secs(1);
    });
    let mut alive = server.joined("Alive").await;
    // Nobody reads this socket, so nobody answers its pings.
    let dead = server.joined("Dead").await;
    assert!(matches!(
        alive.next().await,
        ServerMessage::PeerJoined { .. }
    ));
    let began = Instant::now();
    let left = ServerMessage::PeerLeft {
        room: Room::Nearby,
        peer: dead.id.unwrap(),
    };
    assert_eq!(alive.next().await, left);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let mut dead = dead;
    assert_eq!(dead.closed().await, (1008, "silence-timeout".to_owned()));
    // Two more timeouts' time of nothing but pings and pongs.
    let quiet = timeout(Duration::from_millis(2500), alive.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    alive.expect_silence().await;
}

/// A client with the smallest receive buffer, which reads nothing on its own.
async fn stalled(server: &TestServer, name: &str) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(server.address).await.unwrap();
    let mut client = handshake(stream, &[]).await.unwrap();
    client.greet(name).await;
    client.join().await;
    client
}

/// Sends `id` nearly as much as one burst allows. Returns how many of these signals were refused as busy.
async fn fill(sender: &mut Client, id: PeerId) -> usize {
    for _ in 0..SIGNALS {
        sender.send(&signal_to(id, "x".repeat(SDP_BYTES))).await;
    }
    sender
        .send_raw(Message::text(r#"{"type":"from-the-future"}"#))
        .await;
    let mut refused = 0;
    loop {
        match sender.next().await {
            ServerMessage::Error {
                code: SignalingCode::Busy,
                to,
                ..
            } => {
                assert_eq!(to, Some(id));
                refused += 1;
            }
            ServerMessage::Error {
                code: SignalingCode::Unsupported,
                ..
            } => break,
            ServerMessage::PeerJoined { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((1..SIGNALS).contains(&refused), "{refused}");
    refused
}

/// Reads until `id` has left.
async fn until_left(client: &mut Client, id: PeerId) {
    loop {
        if let ServerMessage::PeerLeft { peer, .. } = client.next().await {
            assert_eq!(peer, id);
            return;
        }
    }
}

#[tokio::test]
async fn a_slow_reader_is_cut_and_delays_nobody() {
    let server = TestServer::with(|config| {
        config.limits.blocked_write = Duration::from_millis(1500);
    });
    let mut witness = server.joined("Witness").await;
    let slow = stalled(&server, "Slow").await;
    let mut sender = server.joined("Sender").await;
    let id = slow.id.unwrap();
    fill(&mut sender, id).await;
    // Everyone else goes on meanwhile, the one who sends to it included.
    assert!(matches!(
        witness.next().await,
        ServerMessage::PeerJoined { .. }
    ));
    assert!(matches!(
        witness.next().await,
        ServerMessage::PeerJoined { .. }
    ));
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let began = Instant::now();
        witness.send(&signal_to(sender.id, "v=0\r\n")).await;
        while !matches!(sender.next().await, ServerMessage::Signal { .. }) {}
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    assert_eq!(server.metric(CUT).await, 0, "cut before its time");
    until_left(&mut witness, id).await;
    until_left(&mut sender, id).await;
    eventually(1, async || server.metric(CUT).await).await;
}

#[tokio::test]
async fn peers_cannot_have_a_reader_cut_that_is_only_busy() {
    let server = TestServer::start();
    let mut sender = server.joined("Sender").await;
    let mut slow = stalled(&server, "Slow").await;
    let refused = fill(&mut sender, slow.id.unwrap()).await;
    // It takes what was not refused, then everything is as before.
    for _ in 0..SIGNALS - refused {
        assert!(matches!(slow.next().await, ServerMessage::Signal { .. }));
    }
    sender.send(&signal_to(slow.id, "last")).await;
    let last = ServerMessage::Signal {
        from: sender.id.unwrap(),
        signal: offer("last"),
    };
    assert_eq!(slow.next().await, last);
}

#[tokio::test]
async fn who_misses_news_of_its_room_is_cut_and_told_so_when_it_reads_on() {
    let server = TestServer::with(|config| {
        config.limits.queue.messages = 8;
        config.limits.blocked_write = 3 * PATIENCE;
    });
    let mut sender = server.joined("Sender").await;
    let mut slow = stalled(&server, "Slow").await;
    let id = slow.id.unwrap();
    fill(&mut sender, id).await;
    let mut visitor = server.greeted("Visitor").await;
    for _ in 0..5 {
        visitor.send(&join("Visitor")).await;
        visitor
            .send(&ClientMessage::Leave { room: Room::Nearby })
            .await;
    }
    let left = ServerMessage::PeerLeft {
        room: Room::Nearby,
        peer: id,
    };
    while sender.next().await != left {}
    // At once, though a write to it is blocked.
    eventually(1, async || server.metric(CUT).await).await;
    assert_eq!(slow.closed().await, (1013, "too-slow".to_owned()));
}

#[tokio::test]
async fn a_burst_cuts_nobody_who_reads() {
    let server = TestServer::start();
    let mut reader = server.joined("Reader").await;
    let mut senders = Vec::new();
    for _ in 0..8 {
        senders.push(server.joined("Sender").await);
    }
    let id = reader.id;
    let bursts: Vec<_> = senders
        .into_iter()
        .map(|mut sender| {
            tokio::spawn(async move {
                let message = Message::text(signal_to(id, "v=0\r\n").encode());
                for _ in 0..100 {
                    sender.send_raw(message.clone()).await;
                }
                sender
            })
        })
        .collect();
    let mut signals = 0;
    while signals < 800 {
        if matches!(reader.next().await, ServerMessage::Signal { .. }) {
            signals += 1;
        }
    }
    for burst in bursts {
        burst.await.unwrap();
    }
}

#[tokio::test]
async fn a_bad_version_of_hello_does_not_wait_for_the_timeout() {
    let server = TestServer::start();
    let mut client = server.connect().await;
    client.send(&hello(&[99])).await;
    let began = Instant::now();
    client.expect_error(SignalingCode::Incompatible).await;
    client.closed().await;
    assert!(began.elapsed() < Duration::from_secs(2));
}
