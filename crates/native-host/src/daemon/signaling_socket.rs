//! The WebSocket to the signaling server: passes texts on and says why there is no connection. It knows no message of
//! signaling, and tries once: when to try again is the engine's.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tabferry_protocol::host::SignalingProblem;
use tabferry_protocol::limits::{
    HANDSHAKE_TIMEOUT_MS, PING_INTERVAL_MS, SIGNALING_MESSAGE_BYTES, SILENCE_TIMEOUT_MS,
};
use tabferry_protocol::signaling_address::socket_url;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tracing::{debug, info};
use url::Url;

/// Messages that wait for the server. Who has more to say than this has lost it.
const QUEUE_MESSAGES: usize = 256;

/// Answers to a WebSocket's opening from a server that is there but wants no more of us: too many requests, unavailable.
const REFUSALS: [u16; 2] = [429, 503];

/// What comes of the socket.
#[derive(Debug)]
pub(crate) enum SignalingEvent {
    Opened,
    Received(String),
    Closed(SignalingProblem),
}

/// The place of the one socket.
#[derive(Debug)]
pub(crate) struct SignalingSocket {
    events: mpsc::Sender<(u32, SignalingEvent)>,
    current: Option<Socket>,
    /// Counts the sockets, so that nothing late is taken for news of the current one.
    attempt: u32,
}

#[derive(Debug)]
struct Socket {
    queue: mpsc::Sender<String>,
    task: JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SignalingSocket {
    /// One that tells there what happens.
    pub(crate) fn new(events: mpsc::Sender<(u32, SignalingEvent)>) -> Self {
        Self {
            events,
            current: None,
            attempt: 0,
        }
    }

    /// Opens a socket in place of the current one, if there is one.
    pub(crate) fn open(&mut self, server: &str) {
        self.close();
        let (queue, queued) = mpsc::channel(QUEUE_MESSAGES);
        let (events, attempt) = (self.events.clone(), self.attempt);
        let url = socket_url(server);
        let task = tokio::spawn(async move {
            let problem = match url {
                Some(url) => serve(&url, queued, &events, attempt).await,
                None => SignalingProblem::WrongAddress,
            };
            let _ = events
                .send((attempt, SignalingEvent::Closed(problem)))
                .await;
        });
        self.current = Some(Socket { queue, task });
    }

    /// Closes it and says nothing of it.
    pub(crate) fn close(&mut self) {
        self.attempt = self.attempt.wrapping_add(1);
        self.current = None;
    }

    /// Sends a text. What can't be sent is lost with the socket, whose end is told.
    pub(crate) fn send(&mut self, text: String) {
        if let Some(socket) = &mut self.current
            && socket.queue.try_send(text).is_err()
        {
            // A queue that nobody can put anything into is at its end; the task tells of it.
            socket.queue = mpsc::channel(1).0;
        }
    }

    /// Whether this is news of the current socket.
    pub(crate) fn is_current(&self, attempt: u32) -> bool {
        self.attempt == attempt && self.current.is_some()
    }
}

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a socket and passes texts in both directions until its end. Returns why it ended.
async fn serve(
    url: &Url,
    mut queued: mpsc::Receiver<String>,
    events: &mpsc::Sender<(u32, SignalingEvent)>,
    attempt: u32,
) -> SignalingProblem {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(SIGNALING_MESSAGE_BYTES))
        .max_frame_size(Some(SIGNALING_MESSAGE_BYTES));
    let opening = connect_async_with_config(url.as_str(), Some(limits), true);
    let mut socket = match timeout(Duration::from_millis(HANDSHAKE_TIMEOUT_MS), opening).await {
        Ok(Ok((socket, _))) => socket,
        Ok(Err(error)) => {
            info!(%error, "the signaling server can't be reached");
            return problem_of(&error);
        }
        Err(_) => return SignalingProblem::Unreachable,
    };
    if events
        .send((attempt, SignalingEvent::Opened))
        .await
        .is_err()
    {
        return SignalingProblem::Lost;
    }
    let problem = exchange(&mut socket, &mut queued, events, attempt).await;
    debug!(?problem, "the signaling connection has ended");
    problem
}

async fn exchange(
    socket: &mut WebSocket,
    queued: &mut mpsc::Receiver<String>,
    events: &mpsc::Sender<(u32, SignalingEvent)>,
    attempt: u32,
) -> SignalingProblem {
    let silence = Duration::from_millis(SILENCE_TIMEOUT_MS);
    let mut dead_at = Instant::now() + silence;
    let mut pings = interval(Duration::from_millis(PING_INTERVAL_MS));
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let sent = tokio::select! {
            text = queued.recv() => match text {
                Some(text) => socket.send(Message::text(text)).await,
                // More was to be sent than could be.
                None => return SignalingProblem::Lost,
            },
            _ = pings.tick() => socket.send(Message::Ping(Default::default())).await,
            () = sleep_until(dead_at) => return SignalingProblem::Lost,
            received = socket.next() => {
                dead_at = Instant::now() + silence;
                match received {
                    Some(Ok(Message::Text(text))) => {
                        let event = SignalingEvent::Received(text.as_str().to_owned());
                        if events.send((attempt, event)).await.is_err() {
                            return SignalingProblem::Lost;
                        }
                        Ok(())
                    }
                    Some(Ok(Message::Close(Some(close))))
                        if matches!(close.code, CloseCode::Policy | CloseCode::Again) =>
                    {
                        return SignalingProblem::Refused;
                    }
                    Some(Ok(_)) => Ok(()),
                    Some(Err(error)) => Err(error),
                    None => return SignalingProblem::Lost,
                }
            }
        };
        if let Err(error) = sent {
            debug!(%error, "signaling");
            return SignalingProblem::Lost;
        }
    }
}

/// Why no socket could be opened.
fn problem_of(error: &Error) -> SignalingProblem {
    match error {
        Error::Http(response) if REFUSALS.contains(&response.status().as_u16()) => {
            SignalingProblem::Refused
        }
        // What answers with a certificate for another name, or of nobody's, or with no TLS at all.
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            SignalingProblem::WrongAddress
        }
        Error::Io(_) | Error::ConnectionClosed => SignalingProblem::Unreachable,
        _ => SignalingProblem::WrongAddress,
    }
}
