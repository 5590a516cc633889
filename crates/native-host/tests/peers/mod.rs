//! Two ends of a peer connection in one process, and whoever carries descriptions and candidates between them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test uses a part of it, and fails where it panics"
)]

use std::time::Duration;

use bytes::Bytes;
use tabferry_engine::{Channel, ConnectionKey};
use tabferry_host::connection::{ConnectionEvent, Connections, Step};
use tabferry_protocol::fingerprint::Fingerprint;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Nothing here takes as long: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const KEY: ConnectionKey = ConnectionKey(7);

/// What takes the place of the engine at one end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) connections: Connections,
    pub(crate) events: mpsc::Receiver<ConnectionEvent>,
    pub(crate) opened: Option<Fingerprint>,
    pub(crate) described: Option<Fingerprint>,
}

impl End {
    pub(crate) fn new() -> Self {
        let (tell, events) = mpsc::channel(64);
        let mut connections = Connections::new(tell);
        connections.open(KEY, &[]);
        Self {
            connections,
            events,
            opened: None,
            described: None,
        }
    }

    /// The next event that is not about the negotiation.
    pub(crate) async fn next(&mut self) -> ConnectionEvent {
        loop {
            match self.any().await {
                ConnectionEvent::LocalDescription { .. }
                | ConnectionEvent::LocalCandidate { .. }
                | ConnectionEvent::Changed { .. } => {}
                event => return event,
            }
        }
    }

    /// The next event.
    pub(crate) async fn any(&mut self) -> ConnectionEvent {
        timeout(PATIENCE, self.events.recv())
            .await
            .expect("an event in time")
            .expect("the connections live")
    }

    pub(crate) async fn frame(&mut self) -> (Channel, Bytes) {
        match self.next().await {
            ConnectionEvent::Frame { channel, bytes, .. } => (channel, bytes),
            event => panic!("no frame: {event:?}"),
        }
    }

    pub(crate) fn step(&self, step: Step) {
        self.connections.take_step(KEY, step);
    }
}

/// What whoever carries descriptions makes of them.
pub(crate) type Alter = fn(String) -> String;

/// Carries what the first end tells to the other. Returns any event that is not about the negotiation.
pub(crate) fn carry(
    from: &mut End,
    to: &End,
    event: ConnectionEvent,
    is_offerer: bool,
    alter: Alter,
) -> Option<ConnectionEvent> {
    match event {
        ConnectionEvent::LocalDescription { sdp, .. } => {
            from.described = Some(Fingerprint::of_description(&sdp).unwrap());
            let sdp = alter(sdp);
            to.step(if is_offerer {
                Step::ApplyOffer { sdp }
            } else {
                Step::ApplyAnswer { sdp }
            });
            None
        }
        ConnectionEvent::LocalCandidate { candidate, .. } => {
            to.step(Step::ApplyCandidate { candidate });
            None
        }
        ConnectionEvent::Changed { .. } => None,
        ConnectionEvent::ChannelsOpened { presented, .. } => {
            from.opened = presented;
            None
        }
        event => Some(event),
    }
}

/// Lets both ends negotiate until both have opened their channels, or one tells something else.
pub(crate) async fn negotiate(
    offerer: &mut End,
    answerer: &mut End,
    restart: bool,
    alter_offer: Alter,
    alter_answer: Alter,
) -> Option<(bool, ConnectionEvent)> {
    (offerer.opened, answerer.opened) = (None, None);
    offerer.step(Step::MakeOffer { restart });
    let negotiated = async {
        while offerer.opened.is_none() || answerer.opened.is_none() {
            let told = tokio::select! {
                Some(event) = offerer.events.recv() => {
                    carry(offerer, answerer, event, true, alter_offer).map(|event| (true, event))
                }
                Some(event) = answerer.events.recv() => {
                    carry(answerer, offerer, event, false, alter_answer).map(|event| (false, event))
                }
            };
            if told.is_some() {
                return told;
            }
        }
        None
    };
    timeout(PATIENCE, negotiated).await.expect("they connect")
}

/// Two ends that are connected.
pub(crate) async fn connected() -> (End, End) {
    let (mut offerer, mut answerer) = (End::new(), End::new());
    let told = negotiate(&mut offerer, &mut answerer, false, |sdp| sdp, |sdp| sdp).await;
    assert_eq!(told, None);
    (offerer, answerer)
}
