//! Sockets of clients, each with one to the honest server: what clients say is passed on, what the server says goes through
//! the attack. It must not know what an attack is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evil::{Act, Evil, Variant};
use futures_util::{SinkExt as _, StreamExt as _};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::signaling::{PATH, ServerMessage};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async, client_async};

use crate::{Passage, say};

/// Messages that wait for one client.
const QUEUE: usize = 1_024;

/// The server between clients and an honest server.
#[derive(Debug, Clone)]
pub(crate) struct Proxy(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    upstream: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    evil: Evil,
    /// To clients that were welcomed. One that is dropped ends its client's socket.
    lines: BTreeMap<PeerId, mpsc::Sender<String>>,
}

impl Proxy {
    pub(crate) fn new(upstream: &str, variant: Option<Variant>, seed: u64) -> Self {
        let [first, ..] = Variant::ALL;
        let mut evil = Evil::new(variant.unwrap_or(first), seed);
        if variant.is_none() {
            evil.rest();
        }
        Self(Arc::new(Shared {
            upstream: upstream.to_owned(),
            state: Mutex::new(State {
                evil,
                lines: BTreeMap::new(),
            }),
        }))
    }

    pub(crate) fn rest(&self) {
        self.lock().change(Evil::rest);
    }

    pub(crate) fn attack(&self, variant: Variant, seed: u64) {
        self.lock().change(|evil| evil.attack(variant, seed));
    }

    pub(crate) fn provoke(&self) {
        let mut state = self.lock();
        let acts = state.evil.provoke();
        state.perform(acts);
    }

    /// Delivers a signal as it is.
    pub(crate) fn deliver(&self, passage: Passage) {
        let Passage { from, to, signal } = passage;
        let message = ServerMessage::Signal { from, signal };
        self.lock().perform(vec![Act::Deliver { to, message }]);
    }

    /// Serves a client until it or the honest server goes.
    pub(crate) fn serve(&self, client: TcpStream) {
        let proxy = self.clone();
        // However a socket ends, there is no one to tell.
        tokio::spawn(async move { proxy.connect(client).await.ok() });
    }

    async fn connect(&self, client: TcpStream) -> Result<(), Error> {
        let mut client = accept_async(client).await?;
        let upstream = &self.0.upstream;
        let stream = TcpStream::connect(upstream).await?;
        let address = format!("ws://{upstream}{PATH}");
        let (mut server, _) = client_async(address, stream).await?;
        let (line, mut waiting) = mpsc::channel(QUEUE);
        let mut line = Some(line);
        let mut peer = None;
        loop {
            tokio::select! {
                said = client.next() => match said {
                    Some(Ok(message @ Message::Text(_))) => server.send(message).await?,
                    Some(Ok(Message::Close(_))) | None => break,
                    Some(said) => drop(said?),
                },
                said = server.next() => match said {
                    Some(Ok(Message::Text(text))) => {
                        let message = ServerMessage::decode(&text);
                        if let (Ok(ServerMessage::Welcome(welcome)), Some(line)) = (&message, line.take()) {
                            peer = Some(welcome.peer);
                            self.lock().lines.insert(welcome.peer, line);
                        }
                        match (peer, message) {
                            (Some(to), Ok(message)) => self.lock().pass(to, message),
                            _ => client.send(Message::Text(text)).await?,
                        }
                    }
                    Some(Ok(Message::Close(_))) | None => break,
                    Some(said) => drop(said?),
                },
                text = waiting.recv() => match text {
                    Some(text) => client.send(Message::text(text)).await?,
                    None => break,
                },
            }
        }
        if let Some(peer) = peer {
            self.lock().lines.remove(&peer);
        }
        client.close(None).await?;
        server.close(None).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Attacks in another way, or not at all. Clients that were told lies, or are to be told some, have to come back.
    fn change(&mut self, change: impl FnOnce(&mut Evil)) {
        let lied = |evil: &Evil| evil.variant().is_some_and(Variant::lies);
        let before = lied(&self.evil);
        change(&mut self.evil);
        if before || lied(&self.evil) {
            self.lines.clear();
        }
    }

    /// Delivers what the honest server says to a client, or what is said instead.
    fn pass(&mut self, to: PeerId, message: ServerMessage) {
        let honest = Act::Deliver {
            to,
            message: message.clone(),
        };
        let acts = self.evil.deliver(to, message.clone());
        let intercepted = matches!(acts[..], [Act::Intercept { .. }]);
        if let ServerMessage::Signal { from, signal } = message
            && !intercepted
            && acts != [honest]
        {
            tell("attacked", &Passage { from, to, signal });
        }
        self.perform(acts);
    }

    fn perform(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Deliver { to, message } => {
                    let line = self.lines.get(&to);
                    // A client that does not read is no more than that.
                    line.map(|line| line.try_send(message.encode()));
                }
                Act::Intercept { from, to, signal } => {
                    tell("intercepted", &Passage { from, to, signal });
                }
            }
        }
    }
}

fn tell(word: &str, passage: &Passage) {
    // It consists of ids and text.
    let Ok(json) = serde_json::to_string(passage) else {
        return;
    };
    say(&format!("{word} {json}"));
}
