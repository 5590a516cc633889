//! The daemon's clients as connections: reads what each says, one message at a time, and lets what it is told wait in a
//! queue. One that does not read is cut. Knows no message but the first frame, which says who is there.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tabferry_protocol::limits::{NATIVE_CLIENTS, NATIVE_FRAME_BYTES};
use tabferry_protocol::native::{Client, FromDaemon, ToDaemon};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::{debug, warn};

use crate::frames::{self, FrameError};
use crate::local_socket::Stream;

/// Messages and bytes that wait for one client; the longest wait is that of a browser's start.
const QUEUE_MESSAGES: usize = 256;
/// See [`QUEUE_MESSAGES`].
const QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// Messages of all clients that wait for the daemon.
const INBOX_MESSAGES: usize = 32;

/// A client says who it is, and hello, within this.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// One write may block for this long: a client that is cut gets what it was told last, or nothing.
const BLOCKED_WRITE: Duration = Duration::from_secs(10);

/// One connection; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientId(pub(crate) u64);

/// What comes of a client.
#[derive(Debug)]
pub(crate) enum Said {
    /// It has said who it is.
    Came(Client),
    /// It has said this.
    Message(Box<ToDaemon>),
    /// It has said what can't be read; nothing else follows.
    Nonsense(String),
    /// It has left.
    Left,
}

/// All connections.
#[derive(Debug)]
pub(crate) struct Connections {
    by_id: BTreeMap<ClientId, Connection>,
    last: u64,
    /// Those that did not read.
    cut: Vec<ClientId>,
    inbox: mpsc::Sender<(ClientId, Said)>,
}

#[derive(Debug)]
struct Connection {
    queue: mpsc::Sender<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
    reader: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The writer ends by itself once the queue is empty.
        self.reader.abort();
    }
}

impl Connections {
    /// With where to hear of them.
    pub(crate) fn new() -> (Self, mpsc::Receiver<(ClientId, Said)>) {
        let (inbox, said) = mpsc::channel(INBOX_MESSAGES);
        let connections = Self {
            by_id: BTreeMap::new(),
            last: 0,
            cut: Vec::new(),
            inbox,
        };
        (connections, said)
    }

    /// Takes up a connection, unless there are too many.
    pub(crate) fn add(&mut self, stream: Stream) {
        if self.by_id.len() >= NATIVE_CLIENTS {
            warn!("too many clients");
            return;
        }
        self.last += 1;
        let id = ClientId(self.last);
        let (from, to) = tokio::io::split(stream);
        let (queue, queued) = mpsc::channel(QUEUE_MESSAGES);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        tokio::spawn(write(to, queued, Arc::clone(&queued_bytes)));
        let reader = tokio::spawn(read(id, from, self.inbox.clone())).abort_handle();
        self.by_id.insert(
            id,
            Connection {
                queue,
                queued_bytes,
                reader,
            },
        );
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Tells a client something. One that too much waits for already is cut.
    pub(crate) fn tell(&mut self, id: ClientId, message: &FromDaemon) {
        let Some(connection) = self.by_id.get(&id) else {
            return;
        };
        let frame = match serde_json::to_vec(message) {
            Ok(frame) if frame.len() <= NATIVE_FRAME_BYTES => frame,
            Ok(frame) => return warn!(bytes = frame.len(), "a message is too long"),
            Err(error) => return warn!(%error, "a message can't be written"),
        };
        let length = frame.len();
        let before = connection.queued_bytes.fetch_add(length, Ordering::Relaxed);
        if before + length > QUEUE_BYTES || connection.queue.try_send(frame).is_err() {
            warn!(client = id.0, "cut: it does not read");
            self.by_id.remove(&id);
            self.cut.push(id);
        }
    }

    /// Those that were cut since the last time.
    pub(crate) fn take_cut(&mut self) -> Vec<ClientId> {
        std::mem::take(&mut self.cut)
    }

    /// Says no more to a client, and listens no more to it, once it has been told what waits for it.
    pub(crate) fn remove(&mut self, id: ClientId) {
        self.by_id.remove(&id);
    }
}

async fn write(
    mut to: WriteHalf<Stream>,
    mut queued: mpsc::Receiver<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
) {
    while let Some(frame) = queued.recv().await {
        let written = tokio::time::timeout(BLOCKED_WRITE, frames::write(&mut to, &frame)).await;
        queued_bytes.fetch_sub(frame.len(), Ordering::Relaxed);
        match written {
            Ok(Ok(())) => {}
            // Its reader hears of the end, or nobody listens any more.
            Ok(Err(_)) | Err(_) => break,
        }
    }
    let _ = to.shutdown().await;
}

async fn read(id: ClientId, mut from: ReadHalf<Stream>, inbox: mpsc::Sender<(ClientId, Said)>) {
    let last = match pass_on(id, &mut from, &inbox).await {
        Ok(()) => Said::Left,
        Err(nonsense) => Said::Nonsense(nonsense),
    };
    let _ = inbox.send((id, last)).await;
}

async fn pass_on(
    id: ClientId,
    from: &mut ReadHalf<Stream>,
    inbox: &mpsc::Sender<(ClientId, Said)>,
) -> Result<(), String> {
    let greeting = async {
        let Some(client) = next::<Client>(from).await? else {
            return Ok(None);
        };
        let hello = next::<ToDaemon>(from).await?;
        Ok::<_, String>(hello.map(|hello| (client, hello)))
    };
    let Ok(greeting) = tokio::time::timeout(HELLO_TIMEOUT, greeting).await else {
        return Err("no hello in time".to_owned());
    };
    let Some((client, hello)) = greeting? else {
        return Ok(());
    };
    debug!(client = id.0, ?client, "came");
    let mut message = Some(hello);
    let mut is_open = inbox.send((id, Said::Came(client))).await.is_ok();
    while let Some(said) = message.filter(|_| is_open) {
        is_open = inbox
            .send((id, Said::Message(Box::new(said))))
            .await
            .is_ok();
        message = next(from).await?;
    }
    Ok(())
}

/// The next message; `None` at the end. Errors for what can't be read.
async fn next<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> Result<Option<T>, String> {
    match frames::read(from).await {
        Ok(Some(frame)) => serde_json::from_slice(&frame)
            .map(Some)
            .map_err(|error| error.to_string()),
        Ok(None) | Err(FrameError::Cut) => Ok(None),
        Err(FrameError::Io(error)) => {
            if error.kind() != io::ErrorKind::ConnectionReset {
                debug!(%error, "a client's connection broke");
            }
            Ok(None)
        }
        Err(error) => Err(error.to_string()),
    }
}
