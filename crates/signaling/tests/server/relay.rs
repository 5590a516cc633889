//! Two ends that a ticket brings together pass bytes to each other as they are, with credit, within limits, and whatever one
//! of them does, nobody else notices.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, SinkExt, StreamExt};
use tabferry_protocol::id::RelayTicket;
use tabferry_protocol::limits::{RELAY_CREDIT_BYTES, RELAY_CREDIT_STEP_BYTES, RELAY_FRAME_BYTES};
use tabferry_protocol::relay::{PATH, RelayClientMessage, RelayEnd, RelayServerMessage};
use tabferry_protocol::signaling::{ClientMessage, ServerMessage, SignalingCode};
use tabferry_signaling::Config;
use tabferry_signaling::config::RelayLimits;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{
    Client, ELSEWHERE, HOME, PATIENCE, TestServer, closed, eventually, pair, request_for,
    signal_to, trust_loopback,
};

/// The metric of relayed connections.
const RELAYS: &str = "tabferry_signaling_relays";

/// One end on a relay's socket.
struct End {
    socket: WebSocketStream<TcpStream>,
}

impl End {
    async fn open(server: &TestServer) -> Self {
        Self::over(TcpStream::connect(server.address).await.unwrap()).await
    }

    async fn over(stream: TcpStream) -> Self {
        let opened = tokio_tungstenite::client_async(request_for(PATH, &[]), stream);
        let (socket, _) = timeout(PATIENCE, opened).await.unwrap().unwrap();
        Self { socket }
    }

    /// An end with the smallest receive buffer, which reads nothing on its own.
    async fn stalled(server: &TestServer) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket.connect(server.address).await.unwrap()).await
    }

    /// An end that has shown its ticket.
    async fn join(server: &TestServer, ticket: RelayTicket) -> Self {
        let mut end = Self::open(server).await;
        end.show(ticket).await;
        end
    }

    async fn show(&mut self, ticket: RelayTicket) {
        let text = RelayClientMessage::Join { ticket }.encode();
        self.send(Message::text(text)).await;
    }

    async fn send(&mut self, message: Message) {
        let sent = timeout(PATIENCE, self.socket.send(message)).await;
        sent.unwrap().unwrap();
    }

    async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.send(Message::binary(bytes)).await;
    }

    async fn next(&mut self) -> Message {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.unwrap() {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return message,
                other => panic!("a message expected, {other:?} received"),
            }
        }
    }

    async fn next_text(&mut self) -> RelayServerMessage {
        match self.next().await {
            Message::Text(text) => RelayServerMessage::decode(&text).unwrap(),
            other => panic!("a text expected, {other:?} received"),
        }
    }

    async fn expect_joined(&mut self) {
        let credit = RELAY_CREDIT_BYTES;
        assert_eq!(
            self.next_text().await,
            RelayServerMessage::Joined { credit }
        );
    }

    /// The next bytes of the other end; credit that comes in between is added to `credit`.
    async fn next_bytes(&mut self, credit: &mut u64) -> Vec<u8> {
        loop {
            match self.next().await {
                Message::Binary(bytes) => return bytes.to_vec(),
                Message::Text(text) => match RelayServerMessage::decode(&text).unwrap() {
                    RelayServerMessage::Credit { bytes } => *credit += bytes,
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            }
        }
    }

    async fn expect_bytes(&mut self, expected: &[u8]) {
        let mut credit = 0;
        assert_eq!(self.next_bytes(&mut credit).await, expected);
    }

    async fn expect_end(&mut self, end: RelayEnd) {
        let expected = (end.code(), end.reason().to_owned());
        assert_eq!(closed(&mut self.socket).await, expected);
    }
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn relay_limits(config: &mut Config) -> &mut RelayLimits {
    config.relay.as_mut().unwrap()
}

/// Two clients that can reach each other.
async fn neighbors(server: &TestServer) -> (Client, Client) {
    let mut one = server.joined("One").await;
    let two = server.joined("Two").await;
    assert!(matches!(one.next().await, ServerMessage::PeerJoined { .. }));
    (one, two)
}

/// What the server answers to a client that wants a relayed connection.
async fn asked(client: &mut Client, to: &Client) -> Result<RelayTicket, SignalingCode> {
    let to = to.id.unwrap();
    client.send(&ClientMessage::OpenRelay { to }).await;
    match client.next().await {
        ServerMessage::Relay { to: peer, ticket } if peer == to => Ok(ticket),
        ServerMessage::Error {
            code,
            to: Some(peer),
            room: None,
        } if peer == to => Err(code),
        other => panic!("{other:?}"),
    }
}

async fn ticket(server: &TestServer) -> RelayTicket {
    let (mut one, two) = neighbors(server).await;
    asked(&mut one, &two).await.unwrap()
}

/// Two ends that have met.
async fn met(server: &TestServer) -> (End, End) {
    let ticket = ticket(server).await;
    let mut one = End::join(server, ticket).await;
    let mut two = End::join(server, ticket).await;
    one.expect_joined().await;
    two.expect_joined().await;
    (one, two)
}

#[tokio::test]
async fn bytes_go_both_ways_as_they_are() {
    let server = TestServer::start();
    let (mut one, mut two) = met(&server).await;
    let longest: Vec<u8> = (0..=250).cycle().take(RELAY_FRAME_BYTES).collect();
    one.send_bytes(vec![7]).await;
    two.send_bytes(b"other way".to_vec()).await;
    one.send_bytes(longest.clone()).await;
    two.expect_bytes(&[7]).await;
    two.expect_bytes(&longest).await;
    one.expect_bytes(b"other way").await;
    assert_eq!(server.metric(RELAYS).await, 1);
    drop((one, two));
    eventually(0, async || server.metric(RELAYS).await).await;
    let bytes = 1 + 9 + RELAY_FRAME_BYTES as u64;
    let counted = "tabferry_signaling_relayed_bytes_total";
    assert_eq!(server.metric(counted).await, bytes);
}

#[tokio::test]
async fn credit_comes_back_as_bytes_arrive_and_never_runs_out() {
    const FRAME: usize = 64 * 1024;
    const FRAMES: u8 = 160;
    let server = TestServer::start();
    let (mut one, mut two) = met(&server).await;
    let reader = tokio::spawn(async move {
        let mut credit = 0;
        for n in 0..FRAMES {
            let bytes = two.next_bytes(&mut credit).await;
            assert_eq!((bytes.len(), bytes[0]), (FRAME, n));
        }
        two
    });
    let mut credit = RELAY_CREDIT_BYTES;
    for n in 0..FRAMES {
        while credit < FRAME as u64 {
            match one.next_text().await {
                RelayServerMessage::Credit { bytes } => {
                    assert!(bytes >= RELAY_CREDIT_STEP_BYTES, "{bytes}");
                    credit += bytes;
                }
                other => panic!("{other:?}"),
            }
        }
        credit -= FRAME as u64;
        one.send_bytes(vec![n; FRAME]).await;
    }
    reader.await.unwrap();
}

#[tokio::test]
async fn a_ticket_is_good_for_two_sockets() {
    let server = TestServer::start();
    let ticket = ticket(&server).await;
    let mut one = End::join(&server, ticket).await;
    let mut two = End::join(&server, ticket).await;
    one.expect_joined().await;
    two.expect_joined().await;
    let mut third = End::join(&server, ticket).await;
    third.expect_end(RelayEnd::UnknownTicket).await;
    let mut guesser = End::join(&server, RelayTicket::from_bytes([1; 16])).await;
    guesser.expect_end(RelayEnd::UnknownTicket).await;
    one.send_bytes(b"undisturbed".to_vec()).await;
    two.expect_bytes(b"undisturbed").await;
    let closes = "tabferry_signaling_relay_closes_total{code=\"1008\",reason=\"unknown-ticket\"}";
    assert_eq!(server.metric(closes).await, 2);
}

#[tokio::test]
async fn a_ticket_expires() {
    let server = TestServer::with(|config| {
        relay_limits(config).quotas.ticket_life = Duration::from_secs(3);
    });
    let (mut one, two) = neighbors(&server).await;
    let unused = asked(&mut one, &two).await.unwrap();
    let half = asked(&mut one, &two).await.unwrap();
    let mut waiting = End::join(&server, half).await;
    waiting.expect_end(RelayEnd::PeerMissing).await;
    for ticket in [unused, half] {
        let mut late = End::join(&server, ticket).await;
        late.expect_end(RelayEnd::UnknownTicket).await;
    }
}

#[tokio::test]
async fn an_end_that_leaves_before_the_other_comes_takes_the_ticket_along() {
    let server = TestServer::start();
    let ticket = ticket(&server).await;
    let mut first = End::join(&server, ticket).await;
    first.send(Message::Close(None)).await;
    while first.socket.next().await.is_some() {}
    let mut second = End::join(&server, ticket).await;
    second.expect_end(RelayEnd::UnknownTicket).await;
}

#[tokio::test]
async fn who_shares_no_room_gets_no_ticket() {
    let server = TestServer::behind_proxy();
    let mut home = server.joined_from(HOME, "Home").await;
    let mut elsewhere = server.joined_from(ELSEWHERE, "Elsewhere").await;
    let refused = Err(SignalingCode::PeerNotFound);
    assert_eq!(asked(&mut home, &elsewhere).await, refused);
    home.enter(pair(1)).await;
    assert_eq!(asked(&mut home, &elsewhere).await, refused);
    elsewhere.enter(pair(1)).await;
    assert!(matches!(
        home.next().await,
        ServerMessage::PeerJoined { .. }
    ));
    assert!(asked(&mut home, &elsewhere).await.is_ok());
    // Nor for oneself.
    let me = home.id.unwrap();
    home.send(&ClientMessage::OpenRelay { to: me }).await;
    home.expect_error(SignalingCode::PeerNotFound).await;
}

#[tokio::test]
async fn what_is_no_join_closes_with_the_reason() {
    let server = TestServer::start();
    for message in [
        Message::text(""),
        Message::text("{}"),
        Message::text(r#"{"type":"hello"}"#),
        Message::text(r#"{"type":"join","ticket":"x"}"#),
        Message::text(" ".repeat(RELAY_FRAME_BYTES)),
        Message::binary(vec![1]),
        Message::binary(Vec::new()),
    ] {
        let mut end = End::open(&server).await;
        end.send(message).await;
        end.expect_end(RelayEnd::InvalidMessage).await;
    }
    let mut end = End::open(&server).await;
    end.send(Message::text(" ".repeat(RELAY_FRAME_BYTES + 1)))
        .await;
    end.expect_end(RelayEnd::TooLong).await;
}

#[tokio::test]
async fn who_shows_no_ticket_in_time_is_closed() {
    let server = TestServer::with(|config| config.limits.handshake = Duration::from_millis(300));
    let mut end = End::open(&server).await;
    end.expect_end(RelayEnd::JoinTimeout).await;
}

#[tokio::test]
async fn before_the_other_end_is_there_nothing_may_be_sent() {
    let server = TestServer::start();
    let mut early = End::join(&server, ticket(&server).await).await;
    early.send_bytes(vec![1]).await;
    early.expect_end(RelayEnd::CreditExceeded).await;
    let mut early = End::join(&server, ticket(&server).await).await;
    early.send(Message::text("more")).await;
    early.expect_end(RelayEnd::InvalidMessage).await;
}

#[tokio::test]
async fn a_fault_ends_both_and_what_was_sent_before_arrives() {
    let server = TestServer::start();
    for (fault, end) in [
        (
            Message::text(r#"{"type":"credit","bytes":1}"#),
            RelayEnd::InvalidMessage,
        ),
        (Message::binary(Vec::new()), RelayEnd::InvalidMessage),
        (
            Message::binary(vec![0; RELAY_FRAME_BYTES + 1]),
            RelayEnd::TooLong,
        ),
    ] {
        let (mut one, mut two) = met(&server).await;
        one.send_bytes(b"before".to_vec()).await;
        // The server may have closed before all of it was sent.
        let _ = timeout(PATIENCE, one.socket.send(fault)).await.unwrap();
        one.expect_end(end).await;
        two.expect_bytes(b"before").await;
        two.expect_end(RelayEnd::PeerLeft).await;
    }
    let (mut one, mut two) = met(&server).await;
    // A frame that is not masked.
    one.socket.get_mut().write_all(b"\x82\x01a").await.unwrap();
    one.expect_end(RelayEnd::ProtocolError).await;
    two.expect_end(RelayEnd::PeerLeft).await;
}

#[tokio::test]
async fn who_sends_on_without_credit_is_closed() {
    // So small that the credit which nobody reads soon fills the buffers in between, after which there is none.
    let server = TestServer::with(|config| relay_limits(config).credit = 16);
    let ticket = ticket(&server).await;
    let mut sender = End::stalled(&server).await;
    sender.show(ticket).await;
    let mut reader = End::join(&server, ticket).await;
    assert_eq!(
        reader.next_text().await,
        RelayServerMessage::Joined { credit: 16 }
    );
    let reading = tokio::spawn(async move { closed(&mut reader.socket).await });
    let message = Message::binary(vec![1; 4]);
    while sender.socket.feed(message.clone()).await.is_ok() && !reading.is_finished() {}
    let left = RelayEnd::PeerLeft;
    let ended = timeout(PATIENCE, reading).await.unwrap().unwrap();
    assert_eq!(ended, (left.code(), left.reason().to_owned()));
    let closes = "tabferry_signaling_relay_closes_total{code=\"1008\",reason=\"credit-exceeded\"}";
    assert_eq!(server.metric(closes).await, 1);
}

#[tokio::test]
async fn a_stalled_end_holds_up_its_sender_and_nobody_else() {
    let server = TestServer::with(|config| {
        relay_limits(config).blocked_write = Duration::from_secs(10);
    });
    let (mut signaling, other) = neighbors(&server).await;
    let mut other = other;
    let ticket = asked(&mut signaling, &other).await.unwrap();
    let mut stalled = End::stalled(&server).await;
    stalled.show(ticket).await;
    let mut sender = End::join(&server, ticket).await;
    sender.expect_joined().await;
    let frame = Message::binary(vec![3; 32 * 1024]);
    let mut sent = 0;
    while sent < 64 * 1024 * 1024 {
        let Ok(result) = timeout(
            Duration::from_millis(300),
            sender.socket.send(frame.clone()),
        )
        .await
        else {
            break;
        };
        result.unwrap();
        sent += 32 * 1024;
    }
    // All that is anywhere on the way: buffers of three sockets in the kernel, and one message in the server.
    assert!(sent < 16 * 1024 * 1024, "{sent} bytes were taken");

    let (mut one, mut two) = met(&server).await;
    let mut slowest = Duration::ZERO;
    for n in 0..50 {
        let began = Instant::now();
        one.send_bytes(vec![n; 1000]).await;
        two.expect_bytes(&[n; 1000]).await;
        signaling.send(&signal_to(other.id, "v=0\r\n")).await;
        while !matches!(other.next().await, ServerMessage::Signal { .. }) {}
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    // The other direction goes on as well, until the write has been blocked for too long.
    stalled.send_bytes(b"still here".to_vec()).await;
    sender.expect_bytes(b"still here").await;
    sender.expect_end(RelayEnd::PeerLeft).await;
    let closes = "tabferry_signaling_relay_closes_total{code=\"1013\",reason=\"too-slow\"}";
    assert_eq!(server.metric(closes).await, 1);
}

#[tokio::test]
async fn what_was_on_its_way_arrives_after_its_sender_has_left() {
    let server = TestServer::start();
    for polite in [true, false] {
        let (mut one, mut two) = met(&server).await;
        for n in 0..4 {
            one.send_bytes(vec![n; RELAY_FRAME_BYTES]).await;
        }
        // Bytes that the leaving end will never read must not cost what it has sent.
        if polite {
            one.send(Message::Close(None)).await;
        } else {
            one.socket.get_mut().shutdown().await.unwrap();
        }
        two.send_bytes(vec![9; 100_000 / 2]).await;
        for n in 0..4 {
            two.expect_bytes(&vec![n; RELAY_FRAME_BYTES]).await;
        }
        two.expect_end(RelayEnd::PeerLeft).await;
        if polite {
            // Its close is answered once everything has arrived.
            while one.socket.next().await.is_some() {}
        }
    }
    eventually(0, async || server.metric(RELAYS).await).await;
}

#[tokio::test]
async fn a_silent_end_is_dead_and_one_that_answers_pings_is_not() {
    let server = TestServer::with(|config| {
        config.limits.ping_interval = Duration::from_millis(200);
        config.limits.silence = Duration::from_secs(3);
    });
    let (mut one, mut two) = met(&server).await;
    // For longer than the timeout both read, and so answer.
    let quiet = timeout(Duration::from_millis(4500), async {
        tokio::join!(one.socket_idle(), two.socket_idle())
    });
    assert!(quiet.await.is_err());
    // From now on nobody reads the second one.
    one.expect_end(RelayEnd::PeerLeft).await;
    two.expect_end(RelayEnd::SilenceTimeout).await;
}

impl End {
    /// Reads pings, for ever.
    async fn socket_idle(&mut self) {
        let mut message = self.socket.next().await;
        while matches!(message, Some(Ok(Message::Ping(_)))) {
            message = self.socket.next().await;
        }
        panic!("{message:?}");
    }
}

#[tokio::test]
async fn a_source_has_so_many_relayed_connections_and_tickets() {
    let server = TestServer::with(|config| {
        relay_limits(config).quotas.limit_private = true;
        relay_limits(config).quotas.source_relays = number(1);
        relay_limits(config).quotas.source_tickets = number(2);
    });
    let (mut one, two) = neighbors(&server).await;
    let ticket = asked(&mut one, &two).await.unwrap();
    let spare = asked(&mut one, &two).await.unwrap();
    let refused = Err(SignalingCode::RelayQuota);
    assert_eq!(asked(&mut one, &two).await, refused);
    let mut first = End::join(&server, ticket).await;
    let _second = End::join(&server, ticket).await;
    first.expect_joined().await;
    assert_eq!(asked(&mut one, &two).await, refused);
    let mut third = End::join(&server, spare).await;
    let mut fourth = End::join(&server, spare).await;
    third.expect_end(RelayEnd::Quota).await;
    fourth.expect_end(RelayEnd::Quota).await;
    drop(first);
    eventually(0, async || server.metric(RELAYS).await).await;
    assert!(asked(&mut one, &two).await.is_ok());
    let errors = "tabferry_signaling_errors_total{code=\"relay-quota\"}";
    assert_eq!(server.metric(errors).await, 2);
}

#[tokio::test]
async fn a_source_has_so_many_bytes_a_day() {
    let server = TestServer::with(|config| {
        relay_limits(config).quotas.limit_private = true;
        relay_limits(config).quotas.source_bytes_per_day = 2 * 1024 * 1024;
    });
    let (mut asking, other) = neighbors(&server).await;
    let ticket = asked(&mut asking, &other).await.unwrap();
    let mut one = End::join(&server, ticket).await;
    let mut two = End::join(&server, ticket).await;
    one.expect_joined().await;
    two.expect_joined().await;
    let reading = tokio::spawn(async move { closed(&mut two.socket).await });
    let frame = Message::binary(vec![5; RELAY_FRAME_BYTES]);
    for _ in 0..64 {
        // Reading keeps the credit from filling the buffers.
        while one.socket.next().now_or_never().is_some() {}
        if one.socket.send(frame.clone()).await.is_err() {
            break;
        }
    }
    let quota = RelayEnd::Quota;
    let ended = (quota.code(), quota.reason().to_owned());
    assert_eq!(timeout(PATIENCE, reading).await.unwrap().unwrap(), ended);
    assert_eq!(
        asked(&mut asking, &other).await,
        Err(SignalingCode::RelayQuota)
    );
}

#[tokio::test]
async fn a_full_server_relays_no_more_until_someone_ends() {
    let server = TestServer::with(|config| relay_limits(config).quotas.relays = number(1));
    let (one, _two) = met(&server).await;
    let (mut asking, other) = neighbors_of_a_group(&server).await;
    assert_eq!(asked(&mut asking, &other).await, Err(SignalingCode::Busy));
    drop(one);
    eventually(0, async || server.metric(RELAYS).await).await;
    assert!(asked(&mut asking, &other).await.is_ok());
}

/// Two clients in a room of their own.
async fn neighbors_of_a_group(server: &TestServer) -> (Client, Client) {
    let mut one = server.greeted("One").await;
    let mut two = server.greeted("Two").await;
    one.enter(pair(7)).await;
    two.enter(pair(7)).await;
    assert!(matches!(one.next().await, ServerMessage::PeerJoined { .. }));
    (one, two)
}

#[tokio::test]
async fn a_server_may_relay_nothing() {
    let server = TestServer::with(|config| config.relay = None);
    let mut client = server.connect().await;
    client.send(&crate::client::hello(&[1])).await;
    match client.next().await {
        ServerMessage::Welcome(welcome) => assert!(!welcome.relay),
        other => panic!("{other:?}"),
    }
    let (mut one, two) = neighbors(&server).await;
    assert_eq!(asked(&mut one, &two).await, Err(SignalingCode::RelayOff));
    let stream = TcpStream::connect(server.address).await.unwrap();
    match tokio_tungstenite::client_async(request_for(PATH, &[]), stream).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 404),
        other => panic!("{:?}", other.map(|_| "connected")),
    }
}

#[tokio::test]
async fn web_pages_may_not_relay_and_sources_come_at_a_rate() {
    let server = TestServer::with(|config| {
        trust_loopback(config);
        config.limits.sources.new.burst = number(1);
        config.limits.sources.new.per_minute = number(1);
    });
    let connect = async |headers: &[(&'static str, &str)]| {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let opened = tokio_tungstenite::client_async(request_for(PATH, headers), stream).await;
        match opened {
            Ok(_) => 101,
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
    };
    let home = ("x-forwarded-for", HOME);
    let page = ("origin", "https://example.org");
    assert_eq!(connect(&[home, page]).await, 403);
    assert_eq!(connect(&[home]).await, 101);
    assert_eq!(connect(&[home]).await, 429);
    assert_eq!(connect(&[("x-forwarded-for", ELSEWHERE)]).await, 101);
}

#[tokio::test]
async fn a_server_that_stops_tells_every_end() {
    let mut server = TestServer::start();
    let (mut one, mut two) = met(&server).await;
    let (mut asking, other) = neighbors_of_a_group(&server).await;
    let ticket = asked(&mut asking, &other).await.unwrap();
    let mut waiting = End::join(&server, ticket).await;
    let mut silent = End::open(&server).await;
    // The server has read the ticket when it answers what was sent after it.
    waiting
        .send(Message::Ping(b"there?".as_slice().into()))
        .await;
    let pong = timeout(PATIENCE, waiting.socket.next()).await.unwrap();
    assert!(matches!(pong, Some(Ok(Message::Pong(_)))), "{pong:?}");
    server.stop();
    for end in [&mut one, &mut two, &mut waiting, &mut silent] {
        end.expect_end(RelayEnd::ShuttingDown).await;
    }
    let began = Instant::now();
    server.stopped().await;
    assert!(began.elapsed() < Duration::from_secs(7));
}
