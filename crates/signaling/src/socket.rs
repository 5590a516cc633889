//! The life of one WebSocket: reads, writes, pings, timeouts, closing. It must not know rooms, nor wait for any other
//! socket.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::SIGNALING_MESSAGE_BYTES;
use tabferry_protocol::signaling::{ClientMessage, PassedSignal, ServerMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::close::Ending;
use crate::config::Limits;
use crate::hub::Hub;
use crate::outbox::{Outbox, Outgoing};
use crate::rooms::Incoming;

/// A WebSocket on a connection that was HTTP before.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How long a client may take to read what a close frame says and to close its side.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of a client that are read and dropped after a close frame. Closing a connection with unread bytes resets it, and
/// the client might not see the close frame.
const CLOSE_DISCARD_BYTES: u64 = 4 * SIGNALING_MESSAGE_BYTES as u64;

/// How long and for how many bytes more a client is heard after its close frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) time: Duration,
    pub(crate) bytes: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            time: CLOSE_PATIENCE,
            bytes: CLOSE_DISCARD_BYTES,
        }
    }
}

/// What a client did that is no WebSocket, or not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It breaks the rules of WebSocket.
    Protocol,
    /// A text message that is not UTF-8.
    NotText,
    /// A message beyond the limit.
    TooLong,
}

impl From<Fault> for Ending {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Protocol => Self::ProtocolError,
            Fault::NotText => Self::NotText,
            Fault::TooLong => Self::TooLong,
        }
    }
}

/// Makes a WebSocket of an upgraded connection, with messages up to `longest` bytes, read in pieces of `read_buffer`.
pub(crate) async fn open(upgraded: Upgraded, longest: usize, read_buffer: usize) -> Socket {
    let config = WebSocketConfig::default()
        .read_buffer_size(read_buffer)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * longest)
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await
}

/// One peer's socket and what it shares with the rest. Dropping it takes the peer out of its rooms.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) limits: &'a Limits,
    pub(crate) id: PeerId,
    pub(crate) outbox: Arc<Outbox>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.hub.disconnect(self.id);
    }
}

impl Line<'_> {
    /// Moves messages until one side ends it; `None` means that the client did. `pending` is given back with the
    /// hello, which must come before `hello_by`.
    pub(crate) async fn drive(
        &self,
        socket: &mut Socket,
        hello_by: Instant,
        pending: OwnedSemaphorePermit,
    ) -> Option<Ending> {
        let mut pending = Some(pending);
        let mut heard = Instant::now();
        let mut pinged = heard;
        let mut turn = Turn::default();
        // Whatever happens makes the next alarm later: it is set again only when it has come.
        let first = heard + self.limits.ping_interval.min(self.limits.silence);
        let mut alarm = pin!(sleep_until(hello_by.min(first)));
        let mut renew_at: Option<Instant> = None;
        loop {
            tokio::select! {
                // Who asks much gets its answers before it may ask more.
                biased;
                outgoing = self.outbox.next() => match outgoing {
                    Outgoing::Message(text) => {
                        if let Err(ending) = self.write(socket, Message::Text(text)).await {
                            return ending;
                        }
                    }
                    Outgoing::Close(ending) => return Some(ending),
                },
                frame = turn.next(socket) => {
                    heard = Instant::now();
                    let incoming = match frame {
                        Some(Ok(frame)) => read(&frame, self.id)?,
                        Some(Err(error)) => return fault(&error).map(Ending::from),
                        None => return None,
                    };
                    if self.hub.receive(self.id, incoming) && pending.take().is_some() {
                        renew_at = self.hub.renewal().map(|after| heard + after);
                        if let Some(at) = renew_at.filter(|at| *at < alarm.deadline()) {
                            alarm.as_mut().reset(at);
                        }
                    }
                }
                () = &mut alarm => {
                    let now = Instant::now();
                    let silent_at = heard + self.limits.silence;
                    let ping_at = heard.max(pinged) + self.limits.ping_interval;
                    let hello_by = pending.as_ref().map(|_| hello_by);
                    if hello_by.is_some_and(|at| at <= now) {
                        return Some(Ending::HelloTimeout);
                    }
                    if silent_at <= now {
                        return Some(Ending::SilenceTimeout);
                    }
                    let mut next = silent_at.min(ping_at);
                    if ping_at <= now {
                        pinged = now;
                        next = silent_at.min(now + self.limits.ping_interval);
                        if let Err(ending) = self.write(socket, Message::Ping(Bytes::new())).await {
                            return ending;
                        }
                    }
                    if let Some(at) = renew_at.filter(|at| *at <= now) {
                        self.hub.renew(self.id);
                        renew_at = self.hub.renewal().map(|after| at + after);
                    }
                    let others = [hello_by, renew_at].into_iter().flatten();
                    alarm.as_mut().reset(others.fold(next, Instant::min));
                }
            }
        }
    }

    /// Writes a message, unless that blocks for too long or the peer is cut meanwhile.
    async fn write(&self, socket: &mut Socket, message: Message) -> Result<(), Option<Ending>> {
        tokio::select! {
            // Hardly any write blocks.
            biased;
            written = timeout(self.limits.blocked_write, socket.send(message)) => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(None),
                Err(_) => Err(Some(Ending::TooSlow)),
            },
            () = self.outbox.until_cut() => Err(Some(Ending::TooSlow)),
        }
    }
}

/// Whose turn it is when a client has sent much. A burst that is here already must not be handled in one go: those whom it
/// concerns could not empty their queues meanwhile.
#[derive(Debug, Default)]
struct Turn {
    /// A frame was handled, and since then nobody else had a chance.
    is_over: bool,
    /// What was read when the turn was over.
    held: Option<Frame>,
}

impl Turn {
    /// The next frame, one for each turn. Nothing is lost when the future is dropped.
    async fn next(&mut self, socket: &mut Socket) -> Frame {
        let frame = poll_fn(|cx| {
            if let Some(frame) = self.held.take() {
                return Poll::Ready(frame);
            }
            match socket.poll_next_unpin(cx) {
                Poll::Ready(frame) if self.is_over => {
                    self.is_over = false;
                    self.held = Some(frame);
                    // Behind everyone who is waiting now.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Ready(frame) => Poll::Ready(frame),
                Poll::Pending => {
                    self.is_over = false;
                    Poll::Pending
                }
            }
        })
        .await;
        self.is_over = true;
        frame
    }
}

/// What comes from a socket.
type Frame = Option<Result<Message, Error>>;

/// Tells a client something before its socket is closed.
pub(crate) async fn tell(socket: &mut Socket, message: &ServerMessage) {
    // A client that does not listen is closed all the same.
    let _ = timeout(CLOSE_PATIENCE, socket.send(Message::text(message.encode()))).await;
}

/// Ends the WebSocket, with a close frame of this code and reason where the server is the one who ends it.
pub(crate) async fn close(
    mut socket: Socket,
    ending: Option<(u16, &'static str)>,
    patience: Patience,
) {
    let farewell = async {
        // Whatever fails from here on, the connection ends: there is no one left to tell.
        let _ = match ending {
            Some((code, reason)) => {
                let frame = CloseFrame {
                    code: code.into(),
                    reason: reason.into(),
                };
                socket.send(Message::Close(Some(frame))).await
            }
            // The answer to the client's close frame.
            None => socket.flush().await,
        };
        let connection = socket.get_mut();
        let _ = connection.shutdown().await;
        let mut rest = connection.take(patience.bytes);
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    };
    let _ = timeout(patience.time, farewell).await;
}

/// What a frame of a peer says; `None` is its goodbye.
fn read(frame: &Message, from: PeerId) -> Option<Incoming> {
    match frame {
        Message::Text(text) => Some(match PassedSignal::read(text, from) {
            Some((to, signal)) => Incoming::Signal { to, signal },
            None => ClientMessage::decode(text).map_or(Incoming::Invalid, Incoming::Message),
        }),
        Message::Binary(_) => Some(Incoming::Invalid),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Some(Incoming::Empty),
        Message::Close(_) => None,
    }
}

/// Whether an error is the client's fault, and which.
pub(crate) fn fault(error: &Error) -> Option<Fault> {
    match error {
        Error::Capacity(_) => Some(Fault::TooLong),
        Error::Utf8(_) => Some(Fault::NotText),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(Fault::Protocol),
        _ => None,
    }
}
