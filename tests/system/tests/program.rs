//! The program in front of a real server: what clients hear through it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use evil::Variant;
use futures_util::{SinkExt as _, StreamExt as _};
use tabferry_protocol::card::{DeviceCard, DeviceKind, DeviceName, EndpointKind};
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::id::{ConnectionId, DeviceId, PeerId};
use tabferry_protocol::signaling::{
    ClientHello, ClientMessage, Room, ServerMessage, Signal, SignalBody,
};
use tabferry_protocol::version::Versions;
use tabferry_signaling::{Config, Server};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program, which ends with the test.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Program {
    /// Starts it in front of a server of its own.
    fn start(arguments: &[&str]) -> Self {
        let server = Server::bind(Config::new(([127, 0, 0, 1], 0).into())).unwrap();
        let upstream = server.url();
        tokio::spawn(server.serve(std::future::pending()));
        let mut child = Command::new(env!("CARGO_BIN_EXE_tabferry-evil-signaling"))
            .args(["--upstream", &upstream])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("listening on ws://").unwrap();
        let address = address.to_owned();
        Self {
            child,
            input,
            output,
            address,
        }
    }

    /// Has it obey a line.
    fn order(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
        assert_eq!(self.says("done"), line);
    }

    /// What it says after this word, when it does.
    fn says(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "no {word}");
            let line = line.trim_end();
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            if first == word {
                return rest.to_owned();
            }
        }
    }

    /// The signal that it speaks of after this word.
    fn passage(&mut self, word: &str) -> serde_json::Value {
        serde_json::from_str(&self.says(word)).unwrap()
    }

    /// A client in the room, and its id.
    async fn join(&self, number: u8) -> (Client, PeerId) {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let address = format!("ws://{}/v1/signal", self.address);
        let (socket, _) = client_async(address, stream).await.unwrap();
        let mut client = Client(socket);
        let hello = ClientHello {
            versions: Versions::spoken(),
            endpoint: EndpointKind::Browser,
            capabilities: Vec::new(),
        };
        client.say(&ClientMessage::Hello(hello)).await;
        let room = Room::Nearby;
        client
            .say(&ClientMessage::Join {
                room,
                device: Some(card(number)),
            })
            .await;
        let Some(ServerMessage::Welcome(welcome)) = client.next().await else {
            panic!("not welcome");
        };
        let joined = client.next().await;
        assert!(matches!(joined, Some(ServerMessage::Joined { .. })));
        (client, welcome.peer)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn say(&mut self, message: &ClientMessage) {
        self.0.send(Message::text(message.encode())).await.unwrap();
    }

    /// The next message; none if the socket is closed.
    async fn next(&mut self) -> Option<ServerMessage> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.unwrap() {
                Some(Ok(Message::Text(text))) => {
                    return Some(ServerMessage::decode(&text).unwrap());
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn signalled(&mut self) -> (PeerId, Signal) {
        match self.next().await {
            Some(ServerMessage::Signal { from, signal }) => (from, signal),
            other => panic!("{other:?} where a signal was to come"),
        }
    }
}

fn card(number: u8) -> DeviceCard {
    DeviceCard {
        id: DeviceId::from_bytes([number; 16]),
        name: DeviceName::from_typed(&format!("Device {number}")).unwrap(),
        kind: DeviceKind::Computer,
    }
}

fn offer(number: u8) -> Signal {
    let certificate = Fingerprint::from_bytes([7; 32]);
    Signal {
        connection: ConnectionId::from_bytes([number; 16]),
        body: SignalBody::Offer {
            sdp: format!("v=0\r\na=fingerprint:sha-256 {certificate}\r\n"),
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attack_begins_and_ends_when_it_is_told() {
    let mut program = Program::start(&[]);
    let (mut ada, from) = program.join(1).await;
    let (mut bee, to) = program.join(2).await;

    ada.say(&ClientMessage::Signal {
        to,
        signal: offer(1),
    })
    .await;
    assert_eq!(bee.signalled().await, (from, offer(1)));

    program.order(&format!("evil {} 1", Variant::SwapBoth));
    ada.say(&ClientMessage::Signal {
        to,
        signal: offer(2),
    })
    .await;
    let (_, changed) = bee.signalled().await;
    assert_ne!(changed, offer(2));
    let SignalBody::Offer { sdp } = changed.body else {
        panic!("not an offer");
    };
    assert!(Fingerprint::of_description(&sdp).is_ok());
    for word in ["offered", "attacked"] {
        let signal = &program.passage(word)["signal"];
        assert_eq!(signal, &serde_json::json!(offer(2)));
    }

    program.order("honest");
    ada.say(&ClientMessage::Signal {
        to,
        signal: offer(3),
    })
    .await;
    assert_eq!(bee.signalled().await, (from, offer(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_for_the_attackers_own_connections_come_out_and_go_in() {
    let mut program = Program::start(&["--variant", Variant::Middle.name()]);
    let (mut ada, from) = program.join(1).await;
    let (mut bee, to) = program.join(2).await;
    ada.say(&ClientMessage::Signal {
        to,
        signal: offer(1),
    })
    .await;
    let mut passage = program.passage("intercepted");
    assert_eq!(passage["from"], serde_json::json!(from));
    passage["signal"]["sdp"] = "v=0\r\n".into();
    program.order(&format!("deliver {passage}"));
    let (heard, signal) = bee.signalled().await;
    let sdp = "v=0\r\n".to_owned();
    assert_eq!((heard, signal.body), (from, SignalBody::Offer { sdp }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_lies_has_to_come_back() {
    let mut program = Program::start(&["--variant", Variant::FalseName.name()]);
    let (mut ada, _) = program.join(1).await;
    let _bee = program.join(2).await;
    let Some(ServerMessage::PeerJoined { peer, .. }) = ada.next().await else {
        panic!("nobody has come");
    };
    assert_eq!(peer.device.unwrap().name.as_str(), "False Device 2");
    program.order("honest");
    assert_eq!(ada.next().await, None);
}
