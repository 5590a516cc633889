//! A server on a free port and clients that fail instead of waiting for ever.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::id::PairTag;
use tabferry_protocol::id::{ConnectionId, PeerId};
use tabferry_protocol::signaling::{
    ClientHello, ClientMessage, Peer, Room, ServerMessage, Signal, SignalBody, SignalingCode,
};
use tabferry_protocol::version::Versions;
use tabferry_signaling::proxy::TrustedProxies;
use tabferry_signaling::{Config, Server};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Two public addresses, and one more.
pub(crate) const HOME: &str = "203.0.113.7";
pub(crate) const ELSEWHERE: &str = "198.51.100.9";

/// A server inside this process, stopped when the test ends.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// A server that takes this machine for a proxy, so that clients can come from anywhere.
    pub(crate) fn behind_proxy() -> Self {
        Self::with(trust_loopback)
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(([127, 0, 0, 1], 0).into());
        change(&mut config);
        let server = Server::bind(config).unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop: Some(stop),
            served,
        }
    }

    /// A client that has connected and said nothing.
    pub(crate) async fn connect(&self) -> Client {
        self.connect_with(&[]).await.unwrap()
    }

    pub(crate) async fn connect_with(
        &self,
        headers: &[(&'static str, &str)],
    ) -> Result<Client, Error> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        handshake(stream, headers).await
    }

    /// A client that has said hello.
    pub(crate) async fn greeted(&self, name: &str) -> Client {
        let mut client = self.connect().await;
        client.greet(name).await;
        client
    }

    /// A client that has joined its nearby room.
    pub(crate) async fn joined(&self, name: &str) -> Client {
        let mut client = self.greeted(name).await;
        client.join().await;
        client
    }

    /// A client behind the proxy that has said hello.
    pub(crate) async fn greeted_from(&self, address: &str, name: &str) -> Client {
        let mut client = self
            .connect_with(&[("x-forwarded-for", address)])
            .await
            .unwrap();
        client.greet(name).await;
        client
    }

    /// A client behind the proxy, in its nearby room.
    pub(crate) async fn joined_from(&self, address: &str, name: &str) -> Client {
        let mut client = self.greeted_from(address, name).await;
        client.join().await;
        client
    }

    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(self) {
        timeout(PATIENCE, self.served).await.unwrap().unwrap();
    }

    /// One HTTP request, its response as text.
    pub(crate) async fn http(&self, request: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut response))
            .await
            .unwrap()
            .unwrap();
        response
    }

    /// The value of one metric, 0 when it has no value yet.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let response = self.http("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
        response
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .map_or(0, |value| value.parse().unwrap())
    }
}

pub(crate) fn trust_loopback(config: &mut Config) {
    config.trusted_proxies = TrustedProxies::new(["127.0.0.1/32".parse().unwrap()]);
}

/// One WebSocket.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) socket: WebSocketStream<S>,
    pub(crate) id: Option<PeerId>,
    pub(crate) name: String,
}

pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    headers: &[(&'static str, &str)],
) -> Result<Client<S>, Error> {
    let request = request(headers);
    let (socket, _) = timeout(PATIENCE, tokio_tungstenite::client_async(request, stream))
        .await
        .unwrap()?;
    Ok(Client::new(socket))
}

pub(crate) fn request(headers: &[(&'static str, &str)]) -> Request {
    request_for(tabferry_protocol::signaling::PATH, headers)
}

/// A request for a WebSocket at `path`.
pub(crate) fn request_for(path: &str, headers: &[(&'static str, &str)]) -> Request {
    let url = format!("ws://localhost{path}");
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(*name, value);
    }
    request
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(socket: WebSocketStream<S>) -> Self {
        Self {
            socket,
            id: None,
            name: String::new(),
        }
    }

    /// Says hello, and remembers under which name to join rooms.
    pub(crate) async fn greet(&mut self, name: &str) {
        self.name = name.to_owned();
        self.send(&hello(&[1])).await;
        match self.next().await {
            ServerMessage::Welcome(welcome) => self.id = Some(welcome.peer),
            other => panic!("welcome expected, {other:?} received"),
        }
    }

    /// Joins the nearby room under the name that it said; returns who is there.
    pub(crate) async fn join(&mut self) -> Vec<Peer> {
        self.enter(Room::Nearby).await
    }

    /// Joins a room, with a card if it shows cards; returns who is there.
    pub(crate) async fn enter(&mut self, room: Room) -> Vec<Peer> {
        self.send(&self.entering(room)).await;
        self.expect_joined(room).await
    }

    pub(crate) fn entering(&self, room: Room) -> ClientMessage {
        let device = room.shows_cards().then(|| card(&self.name));
        ClientMessage::Join { room, device }
    }

    /// Opens a code.
    pub(crate) async fn open(&mut self, room: Room) {
        self.send(&opening(room)).await;
        assert_eq!(self.expect_joined(room).await, []);
    }

    async fn expect_joined(&mut self, expected: Room) -> Vec<Peer> {
        match self.next().await {
            ServerMessage::Joined { room, peers } if room == expected => peers,
            other => panic!("joined expected, {other:?} received"),
        }
    }

    /// What is said next is that a join or open was refused.
    pub(crate) async fn expect_refused(&mut self, code: SignalingCode, room: Room) {
        let refused = ServerMessage::Error {
            code,
            to: None,
            room: Some(room),
        };
        assert_eq!(self.next().await, refused);
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) {
        self.send_raw(Message::text(message.encode())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        timeout(PATIENCE, self.socket.send(message))
            .await
            .unwrap()
            .unwrap();
    }

    /// The next message of the server.
    pub(crate) async fn next(&mut self) -> ServerMessage {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.unwrap() {
                Some(Ok(Message::Text(text))) => return ServerMessage::decode(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("a message expected, {other:?} received"),
            }
        }
    }

    pub(crate) async fn expect_error(&mut self, code: SignalingCode) {
        match self.next().await {
            ServerMessage::Error { code: found, .. } => assert_eq!(found, code),
            other => panic!("{code:?} expected, {other:?} received"),
        }
    }

    /// Reads until the server's close frame and the end of the connection; returns what the frame says.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        closed(&mut self.socket).await
    }

    /// Nothing has arrived so far that was not read: the answer to a message of ours comes next.
    pub(crate) async fn expect_silence(&mut self) {
        self.send_raw(Message::text(r#"{"type":"from-the-future"}"#))
            .await;
        self.expect_error(SignalingCode::Unsupported).await;
    }
}

/// Reads until the server's close frame and the end of the connection; returns what the frame says.
pub(crate) async fn closed<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> (u16, String) {
    let mut said = None;
    loop {
        match timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(Message::Close(Some(frame)))) => {
                said = Some((frame.code.into(), frame.reason.to_string()));
            }
            Some(Ok(message)) => assert!(said.is_none(), "{message:?} after close"),
            Some(Err(error)) => panic!("close frame expected, {error} received"),
            None => return said.unwrap(),
        }
    }
}

pub(crate) fn hello(versions: &[u16]) -> ClientMessage {
    ClientMessage::Hello(ClientHello {
        versions: Versions::try_from(versions.to_vec()).unwrap(),
        endpoint: EndpointKind::Browser,
        capabilities: Vec::new(),
    })
}

pub(crate) fn card(name: &str) -> tabferry_protocol::card::DeviceCard {
    serde_json::from_value(serde_json::json!({
        "id": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "name": name, "kind": "computer",
    }))
    .unwrap()
}

pub(crate) fn join(name: &str) -> ClientMessage {
    ClientMessage::Join {
        room: Room::Nearby,
        device: Some(card(name)),
    }
}

pub(crate) fn code(nameplate: &str) -> Room {
    Room::Code {
        nameplate: nameplate.parse().unwrap(),
    }
}

pub(crate) fn group(name: &str) -> Room {
    Room::Group {
        name: name.parse().unwrap(),
    }
}

pub(crate) fn pair(n: u8) -> Room {
    Room::Pair {
        tag: PairTag::from_bytes([n; 16]),
    }
}

pub(crate) fn opening(room: Room) -> ClientMessage {
    match room {
        Room::Code { nameplate } => ClientMessage::Open { nameplate },
        other => panic!("{other:?} can't be opened"),
    }
}

pub(crate) fn offer(sdp: impl Into<String>) -> Signal {
    Signal {
        connection: ConnectionId::from_bytes([9; 16]),
        body: SignalBody::Offer { sdp: sdp.into() },
    }
}

pub(crate) fn signal_to(to: impl Into<Option<PeerId>>, sdp: impl Into<String>) -> ClientMessage {
    ClientMessage::Signal {
        to: to.into().unwrap(),
        signal: offer(sdp),
    }
}

/// Waits until `check` holds; for what a server does after a client could observe it directly.
pub(crate) async fn eventually<T: Debug + PartialEq>(
    expected: T,
    mut check: impl AsyncFnMut() -> T,
) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = check().await;
        if found == expected {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{found:?} instead of {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
