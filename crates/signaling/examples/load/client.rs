//! A WebSocket client that costs next to nothing: messages are frames that were made before, and of what comes only the
//! heads of frames are read, unless somebody wants to know more.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::id::PeerId;
use tabferry_protocol::signaling::{
    ClientHello, ClientMessage, Room, ServerMessage, Signal, SignalBody,
};
use tabferry_protocol::version::Versions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes on a machine that is not broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// One WebSocket.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    /// What was read and not yet looked at, from `start` on.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// A frame of the server.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    head: u8,
    pub(crate) payload: &'a [u8],
}

impl Frame<'_> {
    pub(crate) fn is_binary(&self) -> bool {
        self.head == BINARY
    }
}

/// How a client begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) server: SocketAddr,
    pub(crate) path: &'a str,
    /// Where it says that it comes from.
    pub(crate) source: &'a str,
    /// Its receive buffer in the kernel, if that should be small.
    pub(crate) receive_buffer: Option<u32>,
    /// Bytes that it reads at once.
    pub(crate) buffer: usize,
}

impl<'a> Start<'a> {
    pub(crate) fn signaling(server: SocketAddr, source: &'a str) -> Self {
        Self {
            server,
            path: tabferry_protocol::signaling::PATH,
            source,
            receive_buffer: None,
            buffer: 4096,
        }
    }
}

impl Client {
    /// Opens a WebSocket.
    pub(crate) async fn open(start: Start<'_>) -> anyhow::Result<Self> {
        timeout(PATIENCE, Self::handshake(start))
            .await
            .context("no WebSocket in time")?
    }

    async fn handshake(start: Start<'_>) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = start.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let mut stream = socket.connect(start.server).await?;
        stream.set_nodelay(true)?;
        let Start { path, source, .. } = start;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             x-forwarded-for: {source}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut client = Self {
            stream,
            buffer: vec![0; start.buffer],
            start: 0,
            end: 0,
        };
        let head = loop {
            let read = &client.buffer[..client.end];
            if let Some(at) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            client.read().await?;
        };
        let read = &client.buffer[..head];
        ensure!(
            read.starts_with(b"HTTP/1.1 101"),
            "no WebSocket: {}",
            String::from_utf8_lossy(read)
        );
        client.start = head;
        Ok(client)
    }

    /// A client that has said hello, and its id.
    pub(crate) async fn greeted(start: Start<'_>) -> anyhow::Result<(Self, PeerId)> {
        let mut client = Self::open(start).await?;
        let hello = ClientMessage::Hello(ClientHello {
            versions: Versions::spoken(),
            endpoint: EndpointKind::Browser,
            capabilities: Vec::new(),
        });
        client.say(&hello).await?;
        match client.hear().await? {
            ServerMessage::Welcome(welcome) => Ok((client, welcome.peer)),
            other => bail!("welcome expected, {other:?} received"),
        }
    }

    /// Enters its nearby room and waits until it is in.
    pub(crate) async fn join_nearby(&mut self) -> anyhow::Result<()> {
        let device = serde_json::json!({
            "id": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "name": "Anna's laptop", "kind": "computer",
        });
        let join = ClientMessage::Join {
            room: Room::Nearby,
            device: Some(serde_json::from_value(device)?),
        };
        self.say(&join).await?;
        while !matches!(self.hear().await?, ServerMessage::Joined { .. }) {}
        Ok(())
    }

    pub(crate) async fn say(&mut self, message: &ClientMessage) -> anyhow::Result<()> {
        self.send(&text_frame(&message.encode())).await
    }

    /// Writes a frame.
    pub(crate) async fn send(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(frame).await?)
    }

    /// The next message of signaling.
    pub(crate) async fn hear(&mut self) -> anyhow::Result<ServerMessage> {
        let frame = timeout(PATIENCE, self.next())
            .await
            .context("no answer")??;
        Ok(ServerMessage::decode(std::str::from_utf8(frame.payload)?)?)
    }

    /// The next message. Pings are answered, and a close is an error.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Frame<'_>> {
        loop {
            if let Some((head, from, to)) = self.take() {
                match head {
                    TEXT | BINARY => {
                        let payload = &self.buffer[from..to];
                        return Ok(Frame { head, payload });
                    }
                    PING => self.stream.write_all(&[PONG, 0x80, 0, 0, 0, 0]).await?,
                    PONG => {}
                    CLOSE => bail!(
                        "closed: {}",
                        String::from_utf8_lossy(&self.buffer[from..to])
                    ),
                    other => bail!("a frame with the head {other:x}"),
                }
            } else {
                self.read().await?;
            }
        }
    }

    /// Takes a whole frame off the buffer: its head, and where its payload is.
    fn take(&mut self) -> Option<(u8, usize, usize)> {
        let read = &self.buffer[self.start..self.end];
        let (payload, length) = match (*read.get(1)?, read.get(2..10)) {
            (126, _) => (
                4,
                usize::from(u16::from_be_bytes([*read.get(2)?, *read.get(3)?])),
            ),
            (127, bytes) => {
                let bytes = bytes?.try_into().ok()?;
                (10, usize::try_from(u64::from_be_bytes(bytes)).ok()?)
            }
            (short, _) => (2, usize::from(short)),
        };
        let (head, from) = (read[0], self.start + payload);
        let to = from + length;
        if to > self.end {
            // Grown once, to what the longest frame takes.
            let wanted = payload + length;
            if self.buffer.len() - self.start < wanted {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                if self.buffer.len() < wanted {
                    self.buffer.resize(wanted, 0);
                }
            }
            return None;
        }
        self.start = to;
        Some((head, from, to))
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let read = self.stream.read(&mut self.buffer[self.end..]).await?;
        ensure!(read > 0, "the connection has ended");
        self.end += read;
        Ok(())
    }
}

/// A text message as a client sends it.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    frame(TEXT, text.as_bytes())
}

/// A binary message as a client sends it.
pub(crate) fn binary_frame(payload: &[u8]) -> Vec<u8> {
    frame(BINARY, payload)
}

fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![head];
    match u16::try_from(payload.len()) {
        Ok(short @ 0..=125) => frame.push(0x80 | short.to_be_bytes()[1]),
        Ok(medium) => {
            frame.push(0x80 | 126);
            frame.extend(medium.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// The description in a signal of two kilobytes.
pub(crate) const SDP_BYTES: usize = 1780;

/// A signal: an offer with its candidates, as browsers write them.
pub(crate) fn signal_frame(to: PeerId, sdp_bytes: usize) -> Vec<u8> {
    let mut sdp = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
        c=IN IP4 0.0.0.0\r\na=ice-ufrag:Zp2F\r\na=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09:DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF\r\n\
        a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n"
        .to_owned();
    while sdp.len() < sdp_bytes {
        sdp.push_str("a=candidate:1467250027 1 udp 2122260223 192.168.0.196 46243 typ host generation 0 network-id 1\r\n");
    }
    let signal = Signal {
        connection: tabferry_protocol::id::ConnectionId::from_bytes([9; 16]),
        body: SignalBody::Offer { sdp },
    };
    text_frame(&ClientMessage::Signal { to, signal }.encode())
}
