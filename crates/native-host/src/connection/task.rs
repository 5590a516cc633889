//! The life of one peer connection, as a task of its own: takes the steps of the negotiation in their order, tells what
//! happens, moves frames both ways, and closes. It knows nothing inside a description but the fingerprint that it is held
//! against, and no rule of negotiation.

use core::future::Future;
use core::net::IpAddr;
use core::panic::AssertUnwindSafe;
use core::pin::pin;
use core::time::Duration;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use rtc::peer_connection::configuration::RTCOfferOptions;
use tabferry_engine::{Channel, ConnectionKey, ConnectionState};
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::limits::BUFFERED_LOW_BYTES;
use tabferry_protocol::signaling::IceServer;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use webrtc::data_channel::DataChannel;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionEventHandler, RTCIceCandidateInit, RTCIceGatheringState,
    RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription,
};

use super::candidate::{self, Candidate};
use super::channel::{self, Budget, Lost};
use super::outgoing::Outgoing;
use super::platform::{self, Peer, Sockets};
use super::{ConnectionEvent, Step};

/// How long a connection that is to be closed may take to send what it still holds.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Local candidates that wait to be told. Each interface and ICE server makes one or two.
const LOCAL_CANDIDATES: usize = 256;

/// Candidates of the other end that one description may be followed by: each is paired with every one of ours.
const REMOTE_CANDIDATES: usize = 64;

/// Names of candidates that are looked up at once.
const LOOKUPS: usize = 8;

/// How long an address found for a name is of use: an attempt to connect takes no longer.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of received bulk frames in use at once: two transfers with full windows, and the next waits for the disk.
const BULK_BYTES: u32 = 32 * 1024 * 1024;

/// Bytes of received control frames in use at once: they are read and dropped.
const CONTROL_BYTES: u32 = 2 * 1024 * 1024;

/// What is wanted of a connection from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// That it goes on.
    Live,
    /// That it ends: more is asked of it than it can hold.
    End,
    /// That it sends what its control channel holds, and is gone.
    Close,
}

/// Why a connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Ended,
    Unverified,
}

impl From<Lost> for End {
    fn from(_: Lost) -> Self {
        Self::Ended
    }
}

/// What the task needs of the world.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) key: ConnectionKey,
    pub(super) ice_servers: Vec<IceServer>,
    pub(super) events: mpsc::Sender<ConnectionEvent>,
    pub(super) steps: mpsc::Receiver<Step>,
    pub(super) control: Arc<Outgoing>,
    pub(super) bulk: Arc<Outgoing>,
    pub(super) wish: watch::Receiver<Wish>,
}

impl Task {
    /// Lives until it is told to close.
    pub(super) async fn run(self) {
        let Self {
            key,
            ice_servers,
            events,
            steps,
            control,
            bulk,
            mut wish,
        } = self;
        let teller = Teller { key, events };
        let queues = Queues {
            control: &control,
            bulk: &bulk,
        };
        let end = live(&teller, &ice_servers, steps, queues, &mut wish).await;
        control.discard();
        bulk.discard();
        if let Some(end) = end {
            let told = teller.tell(match end {
                End::Ended => ConnectionEvent::Ended { connection: key },
                End::Unverified => ConnectionEvent::Unverified { connection: key },
            });
            tokio::select! {
                biased;
                () = is_closed(&mut wish) => {}
                _ = told => {}
            }
        }
    }
}

/// What the engine's loop has put in for each channel.
#[derive(Debug, Clone, Copy)]
struct Queues<'a> {
    control: &'a Outgoing,
    bulk: &'a Outgoing,
}

/// Makes a connection and lives with it. Returns why it ended, unless it was told to close.
async fn live(
    teller: &Teller,
    ice_servers: &[IceServer],
    steps: mpsc::Receiver<Step>,
    queues: Queues<'_>,
    wish: &mut watch::Receiver<Wish>,
) -> Option<End> {
    let (handler, reports) = Handler::new();
    let made = unless_panicked(Peer::new(ice_servers, Arc::new(handler))).await;
    let mut peer = match made {
        Some(Ok(peer)) => peer,
        Some(Err(error)) => {
            tracing::warn!(%error, "peer connection");
            return Some(End::Ended);
        }
        None => return Some(End::Ended),
    };
    let life = live_with(teller, &mut peer, steps, reports, queues, wish);
    let end = unless_panicked(life).await.unwrap_or(Some(End::Ended));
    // Always: what isn't closed leaves descriptors behind.
    if let Err(error) = peer.connection.close().await {
        tracing::debug!(%error, "peer connection");
    }
    end
}

async fn live_with(
    teller: &Teller,
    peer: &mut Peer,
    steps: mpsc::Receiver<Step>,
    reports: Reports,
    queues: Queues<'_>,
    wish: &mut watch::Receiver<Wish>,
) -> Option<End> {
    let Peer {
        connection,
        control,
        bulk,
        sockets,
        stopped,
    } = peer;
    let (control, bulk) = (&**control, &**bulk);
    let negotiation = Negotiation {
        teller,
        connection: &**connection,
        sockets,
        described: OnceLock::new(),
    };
    let (open, opened) = watch::channel(false);
    // These outlive the rest: what control holds at either end gets through even while the connection ends.
    let mut talking = pin!(send_control(control, queues.control, opened.clone()));
    let mut listening = pin!(receive(
        teller,
        control,
        Channel::Control,
        CONTROL_BYTES,
        opened.clone()
    ));
    let mut has_heard_all = false;
    let end = {
        let exchange = async {
            tokio::try_join!(channel::opened(control), channel::opened(bulk))?;
            let presented = negotiation.verify().await?;
            teller
                .tell(ConnectionEvent::ChannelsOpened {
                    connection: teller.key,
                    presented: Some(presented),
                })
                .await?;
            open.send_replace(true);
            receive(teller, bulk, Channel::Bulk, BULK_BYTES, opened.clone()).await?;
            Ok(())
        };
        let mut breaking = wish.clone();
        tokio::select! {
            biased;
            () = is_closed(wish) => None,
            () = is_broken(&mut breaking) => Some(End::Ended),
            end = negotiation.run(steps, reports) => Some(end),
            ended = exchange => Some(ended.err().unwrap_or(End::Ended)),
            Err(Lost) = send_bulk(teller, bulk, queues.bulk, opened.clone()) => Some(End::Ended),
            Err(Lost) = &mut talking => Some(End::Ended),
            _ = &mut listening => {
                has_heard_all = true;
                Some(End::Ended)
            }
            // Nothing is ever sent: it errs with the driver's end.
            _ = stopped => Some(End::Ended),
        }
    };
    if *opened.borrow() {
        let rest = async {
            match end {
                None => {
                    queues.bulk.discard();
                    queues.control.close();
                    if talking.await.is_ok() {
                        channel::emptied(control).await;
                    }
                }
                // The other end may have said why before it left.
                Some(End::Ended) if !has_heard_all => {
                    tokio::select! {
                        () = is_closed(wish) => {}
                        _ = listening => {}
                    }
                }
                Some(_) => {}
            }
        };
        if timeout(CLOSE_TIMEOUT, rest).await.is_err() {
            tracing::debug!("peer connection: ended before all had got through");
        }
    }
    end
}

/// `None` if it panicked. Nothing here does, but descriptions come from strangers, and webrtc-rs is large.
async fn unless_panicked<T>(future: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(future).catch_unwind().await.ok()
}

/// Waits until nobody wants it any more.
async fn is_closed(wish: &mut watch::Receiver<Wish>) {
    // Errs when whoever could wish is gone.
    let _ = wish.wait_for(|wish| *wish == Wish::Close).await;
}

/// Waits until it is to end for what was asked of it.
async fn is_broken(wish: &mut watch::Receiver<Wish>) {
    if wish.wait_for(|wish| *wish == Wish::End).await.is_err() {
        core::future::pending::<()>().await;
    }
}

/// Tells the engine's loop, one event after the other.
#[derive(Debug)]
struct Teller {
    key: ConnectionKey,
    events: mpsc::Sender<ConnectionEvent>,
}

impl Teller {
    async fn tell(&self, event: ConnectionEvent) -> Result<(), Lost> {
        self.events.send(event).await.map_err(|_| Lost)
    }
}

/// The steps of the negotiation and what comes of them.
struct Negotiation<'a> {
    teller: &'a Teller,
    connection: &'a dyn PeerConnection,
    sockets: &'a Sockets,
    /// The certificate that the other end's descriptions announce.
    described: OnceLock<Fingerprint>,
}

impl Negotiation<'_> {
    /// Takes steps and tells of candidates and states, until something fails.
    async fn run(&self, mut steps: mpsc::Receiver<Step>, mut reports: Reports) -> End {
        let mut remote = RemoteCandidates::default();
        loop {
            let taken = tokio::select! {
                Some(step) = steps.recv() => self.take(step, &mut remote).await,
                Some(candidate) = reports.candidates.recv() => {
                    self.tell_candidate(candidate).await.map_err(End::from)
                }
                Some(found) = remote.lookups.join_next() => {
                    for line in found.unwrap_or_default() {
                        self.add(&line, None).await;
                    }
                    Ok(())
                }
                Ok(()) = reports.state.changed() => {
                    let state = *reports.state.borrow_and_update();
                    self.tell_state(state).await
                }
                else => Err(End::Ended),
            };
            if let Err(end) = taken {
                return end;
            }
        }
    }

    async fn take(&self, step: Step, remote: &mut RemoteCandidates) -> Result<(), End> {
        match step {
            Step::MakeOffer { restart } => {
                let options = RTCOfferOptions {
                    ice_restart: restart,
                };
                let offer = self.connection.create_offer(Some(options)).await;
                self.describe(offer).await
            }
            Step::ApplyOffer { sdp } => {
                self.check(&sdp)?;
                remote.begin();
                self.apply(RTCSessionDescription::offer(sdp)).await?;
                let answer = self.connection.create_answer(None).await;
                self.describe(answer).await
            }
            Step::ApplyAnswer { sdp } => {
                self.check(&sdp)?;
                remote.begin();
                self.apply(RTCSessionDescription::answer(sdp)).await
            }
            Step::ApplyCandidate { candidate } => {
                // The end of candidates changes nothing: those of the other end that aren't told are found by its checks.
                if let Some((line, mid)) = candidate
                    && remote.count()
                {
                    match candidate::judge(&line) {
                        Candidate::Usable => self.add(&line, mid).await,
                        Candidate::Named(name) => remote.look_up(line, name),
                        Candidate::Useless => {}
                    }
                }
                Ok(())
            }
        }
    }

    /// Takes what there is to know from a description of the other end: its fingerprint and its kind. An ICE restart must keep it.
    fn check(&self, sdp: &str) -> Result<(), End> {
        let described = Fingerprint::of_description(sdp).map_err(|error| {
            tracing::debug!(%error, "description");
            End::Ended
        })?;
        self.sockets.tune_for(sdp);
        if *self.described.get_or_init(|| described) == described {
            Ok(())
        } else {
            Err(End::Unverified)
        }
    }

    async fn apply(&self, description: Made) -> Result<(), End> {
        let applied = async { self.connection.set_remote_description(description?).await };
        applied.await.map_err(|error| ended(&error))
    }

    /// Sets a description of our own, and tells it.
    async fn describe(&self, made: Made) -> Result<(), End> {
        let description = made.map_err(|error| ended(&error))?;
        let sdp = platform::signed(&description.sdp);
        self.connection
            .set_local_description(description)
            .await
            .map_err(|error| ended(&error))?;
        self.teller
            .tell(ConnectionEvent::LocalDescription {
                connection: self.teller.key,
                sdp,
            })
            .await?;
        Ok(())
    }

    /// Adds a candidate of the other end. One that can't be used says nothing of the others.
    async fn add(&self, line: &str, mid: Option<String>) {
        let candidate = RTCIceCandidateInit {
            candidate: line.to_owned(),
            sdp_mid: mid,
            ..RTCIceCandidateInit::default()
        };
        if let Err(error) = self.connection.add_ice_candidate(candidate).await {
            tracing::debug!(%error, "candidate");
        }
    }

    async fn tell_candidate(&self, line: Option<String>) -> Result<(), Lost> {
        let candidate = match line {
            // webrtc-rs doesn't say to which section it belongs; there is one, and browsers insist on its name.
            Some(line) => Some((line, self.section().await)),
            None => None,
        };
        self.teller
            .tell(ConnectionEvent::LocalCandidate {
                connection: self.teller.key,
                candidate,
            })
            .await
    }

    async fn section(&self) -> Option<String> {
        let description = self.connection.local_description().await?;
        let mid = description
            .sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=mid:"));
        mid.map(str::to_owned)
    }

    async fn tell_state(&self, state: RTCPeerConnectionState) -> Result<(), End> {
        let state = match state {
            RTCPeerConnectionState::Connected => ConnectionState::Connected,
            RTCPeerConnectionState::Disconnected => ConnectionState::Disconnected,
            RTCPeerConnectionState::Failed => ConnectionState::Failed,
            RTCPeerConnectionState::Closed => return Err(End::Ended),
            _ => return Ok(()),
        };
        self.teller
            .tell(ConnectionEvent::Changed {
                connection: self.teller.key,
                state,
            })
            .await?;
        Ok(())
    }

    /// Holds the certificate that the other end presented against its description, and returns its fingerprint.
    async fn verify(&self) -> Result<Fingerprint, End> {
        let transport = self.connection.sctp().await.ok_or(End::Ended)?.transport();
        let chain = transport
            .get_remote_certificates()
            .await
            .map_err(|error| ended(&error))?;
        let certificate = chain.first().ok_or(End::Unverified)?;
        let presented = Fingerprint::of_certificate(certificate);
        if self.described.get() == Some(&presented) {
            Ok(presented)
        } else {
            Err(End::Unverified)
        }
    }
}

/// A description that webrtc-rs was to make or to read.
type Made = webrtc::error::Result<RTCSessionDescription>;

fn ended(error: &webrtc::error::Error) -> End {
    tracing::debug!(%error, "negotiation");
    End::Ended
}

/// How many candidates the other end has told, and names that are being looked up.
#[derive(Debug, Default)]
struct RemoteCandidates {
    told: usize,
    lookups: JoinSet<Vec<String>>,
}

impl RemoteCandidates {
    /// A new description is followed by new candidates.
    fn begin(&mut self) {
        self.told = 0;
    }

    /// Counts one; whether it is within bounds.
    fn count(&mut self) -> bool {
        self.told += 1;
        self.told <= REMOTE_CANDIDATES
    }

    /// Asks the system for the addresses of a name, and makes candidates of them.
    fn look_up(&mut self, line: String, name: String) {
        if self.lookups.len() >= LOOKUPS {
            return;
        }
        self.lookups.spawn(async move {
            let found = timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((name, 0))).await;
            let Ok(Ok(found)) = found else {
                return Vec::new();
            };
            found
                .filter_map(|address| candidate::with_address(&line, address.ip()))
                .collect()
        });
    }
}

/// Waits until frames may be sent and taken.
async fn may_exchange(opened: &mut watch::Receiver<bool>) -> Result<(), Lost> {
    opened
        .wait_for(|opened| *opened)
        .await
        .map(drop)
        .map_err(|_| Lost)
}

/// Sends control frames until their queue is closed and empty.
async fn send_control(
    channel: &dyn DataChannel,
    queue: &Outgoing,
    mut opened: watch::Receiver<bool>,
) -> Result<(), Lost> {
    may_exchange(&mut opened).await?;
    while channel::send_next(channel, queue).await?.is_some() {}
    Ok(())
}

/// Sends bulk frames, and tells when few are left.
async fn send_bulk(
    teller: &Teller,
    channel: &dyn DataChannel,
    queue: &Outgoing,
    mut opened: watch::Receiver<bool>,
) -> Result<(), Lost> {
    may_exchange(&mut opened).await?;
    while let Some(taken) = channel::send_next(channel, queue).await? {
        if taken.before > BUFFERED_LOW_BYTES && taken.after <= BUFFERED_LOW_BYTES {
            let connection = teller.key;
            teller
                .tell(ConnectionEvent::BufferedLow { connection })
                .await?;
        }
    }
    Ok(())
}

/// Hands on the messages of a channel while there is room for them.
async fn receive(
    teller: &Teller,
    channel: &dyn DataChannel,
    kind: Channel,
    limit: u32,
    mut opened: watch::Receiver<bool>,
) -> Result<(), Lost> {
    may_exchange(&mut opened).await?;
    let budget = Budget::new(limit);
    loop {
        let message = channel::next_message(channel).await?;
        let bytes = budget.admit(message).await?;
        teller
            .tell(ConnectionEvent::Frame {
                connection: teller.key,
                channel: kind,
                bytes,
            })
            .await?;
    }
}

/// What webrtc-rs reports, on the task that also answers the other end's checks: nothing may wait there.
struct Handler {
    candidates: mpsc::Sender<Option<String>>,
    state: watch::Sender<RTCPeerConnectionState>,
}

/// Its reports.
struct Reports {
    candidates: mpsc::Receiver<Option<String>>,
    state: watch::Receiver<RTCPeerConnectionState>,
}

impl Handler {
    fn new() -> (Self, Reports) {
        let (candidates, candidates_out) = mpsc::channel(LOCAL_CANDIDATES);
        let (state, state_out) = watch::channel(RTCPeerConnectionState::New);
        (
            Self { candidates, state },
            Reports {
                candidates: candidates_out,
                state: state_out,
            },
        )
    }

    fn report(&self, candidate: Option<String>) {
        if self.candidates.try_send(candidate).is_err() {
            tracing::debug!("local candidate: nobody takes it");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        // A wildcard socket, where there is no interface, has no address that could be dialed.
        let is_wildcard = event
            .candidate
            .address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_unspecified());
        if let Ok(candidate) = event.candidate.to_json()
            && !is_wildcard
        {
            self.report(Some(candidate.candidate));
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.report(None);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }
}
