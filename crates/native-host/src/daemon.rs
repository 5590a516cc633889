//! The daemon: one for each user, with the engine of this computer's native endpoint. Here are its loop and its state; what
//! clients say is in `messages`, what the engine wants in `wishes`.

mod clients;
mod device;
mod items;
mod messages;
mod notification;
mod publisher;
mod reveal;
mod signaling_socket;
mod state;
mod wishes;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tabferry_engine::{Input, Kept};
use tabferry_protocol::card::{DeviceKind, DeviceName};
use tabferry_protocol::first_name;
use tabferry_protocol::host::{Command, Settings, SourceFile, Visibility};
use tabferry_protocol::id::{DeviceId, PeerId};
use tabferry_protocol::identity::{DeviceKey, KEY_BYTES};
use tabferry_protocol::limits::NATIVE_CLIENTS;
use tabferry_protocol::native::{Client, FromDaemon, Identity};
use tabferry_protocol::paired::PairedDevice;
use tabferry_protocol::signaling_address::DEFAULT_SERVER;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use self::clients::{ClientId, Connections, Said};
use self::device::{Device, Report};
use self::items::Items;
use self::notification::{Answer, Notifications};
use self::publisher::Publisher;
use self::state::{KeptDevice, State};
use crate::config::Config;
use crate::local_socket::{BindError, Listener};
use crate::places::Places;
use crate::source::SourceError;

/// Exit code of a daemon that found another one running.
pub const TAKEN_EXIT_CODE: u8 = 3;

/// A daemon that has just started waits at least this long for whoever started it.
const FIRST_CLIENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything of the daemon.
struct Daemon {
    started: Instant,
    config: Config,
    places: Places,
    state: State,
    /// The device that the daemon is an endpoint of; there is an engine exactly if there is one.
    kept: Option<KeptDevice>,
    device: Option<Device>,
    paired: Vec<PairedDevice>,
    /// Who the daemon's engine is to the signaling server.
    own_peer: Option<PeerId>,
    connections: Connections,
    clients: BTreeMap<ClientId, ClientState>,
    items: Items,
    notifications: Notifications,
    found: mpsc::Sender<FoundSources>,
    publisher: Publisher,
    /// Since when no client is there and nothing is transferred.
    idle_since: Option<Instant>,
    /// Whether anything is transferred, at which revision of the engine.
    transferring: (Option<u64>, bool),
    had_client: bool,
    is_ending: bool,
    /// Whether it was started to stay, and not by a client that needed it.
    stays: bool,
}

/// What the daemon knows of a client.
#[derive(Debug)]
struct ClientState {
    who: Client,
    /// It has said hello in our version.
    greeted: bool,
    /// Whether it shares the daemon's device. A terminal does.
    member: bool,
    /// Whether it is told what there is to show.
    watches: bool,
    /// Whether a person answers proposals and takes items there.
    receives: bool,
    /// Where received files go while it is there.
    folder: Option<PathBuf>,
    /// Who its engine is to the signaling server.
    peer: Option<PeerId>,
    /// The paired devices as it has them, if that is known.
    paired: Option<Vec<PairedDevice>>,
    /// The other endpoints as it has been told.
    own_peers: Vec<PeerId>,
}

impl ClientState {
    fn new(who: Client) -> Self {
        Self {
            member: who == Client::Terminal,
            who,
            greeted: false,
            watches: false,
            receives: false,
            folder: None,
            peer: None,
            paired: None,
            own_peers: Vec::new(),
        }
    }

    fn is_browser(&self) -> bool {
        matches!(self.who, Client::Browser { .. })
    }
}

/// Runs until it is told to end, or has nothing to do. `background` leaves the session that it was started in.
pub async fn run(places: Places, background: bool) -> ExitCode {
    #[cfg(unix)]
    if background && let Err(error) = rustix::process::setsid() {
        // It leads one already.
        info!(%error, "no session of its own");
    }
    let listener = match Listener::bind(&places) {
        Ok(listener) => listener,
        Err(error @ BindError::Taken) => {
            info!("{error}");
            return ExitCode::from(TAKEN_EXIT_CODE);
        }
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match Daemon::start(places, !background) {
        Ok((daemon, inboxes)) => daemon.serve(listener, inboxes).await,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Where the daemon hears of others.
struct Inboxes {
    said: mpsc::Receiver<(ClientId, Said)>,
    answers: mpsc::Receiver<Answer>,
    found: mpsc::Receiver<FoundSources>,
}

/// What a client wants to send, as sources for the engine.
#[derive(Debug)]
struct FoundSources {
    client: ClientId,
    to: DeviceId,
    result: io::Result<Result<Vec<SourceFile>, SourceError>>,
}

/// What the loop waits for.
enum Happening {
    Client(io::Result<crate::local_socket::Stream>),
    Said(ClientId, Said),
    Answer(Answer),
    Found(FoundSources),
    Report(Report),
    Tick,
    Publish,
    Idle,
    End,
}

impl Daemon {
    fn start(places: Places, stays: bool) -> anyhow::Result<(Self, Inboxes)> {
        let state = State::open(&places)?;
        let config = Config::load(&places)?;
        let (connections, said) = Connections::new();
        let (notifications, answers) = Notifications::new();
        let (found, found_sources) = mpsc::channel(NATIVE_CLIENTS);
        let mut daemon = Self {
            started: Instant::now(),
            kept: state.device()?,
            device: None,
            paired: state.paired()?,
            items: Items::of_kept(state.items()?),
            own_peer: None,
            connections,
            clients: BTreeMap::new(),
            notifications,
            found,
            publisher: Publisher::default(),
            idle_since: Some(Instant::now()),
            transferring: (None, false),
            had_client: false,
            is_ending: false,
            stays,
            config,
            places,
            state,
        };
        if let Some(kept) = daemon.kept.clone() {
            daemon.start_device(&kept)?;
        }
        let inboxes = Inboxes {
            said,
            answers,
            found: found_sources,
        };
        Ok((daemon, inboxes))
    }

    async fn serve(mut self, mut listener: Listener, mut inboxes: Inboxes) -> ExitCode {
        info!(version = env!("CARGO_PKG_VERSION"), "started");
        let end = ended_by_signal();
        tokio::pin!(end);
        while !self.is_ending {
            let tick = self.device.as_ref().and_then(Device::deadline);
            let publish = self.publisher.due();
            let idle = self.idle_deadline();
            let happening = tokio::select! {
                () = &mut end => Happening::End,
                accepted = listener.accept() => Happening::Client(accepted),
                Some((client, said)) = inboxes.said.recv() => Happening::Said(client, said),
                Some(answer) = inboxes.answers.recv() => Happening::Answer(answer),
                Some(found) = inboxes.found.recv() => Happening::Found(found),
                report = next_report(self.device.as_mut()) => Happening::Report(report),
                () = at(tick) => Happening::Tick,
                () = at(publish) => Happening::Publish,
                () = at(idle) => Happening::Idle,
            };
            self.take(happening).await;
            self.follow_up();
        }
        if let Some(device) = self.device.take() {
            device.end().await;
        }
        info!("ended");
        ExitCode::SUCCESS
    }

    async fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Client(Ok(stream)) => self.connections.add(stream),
            Happening::Client(Err(error)) => {
                // Out of descriptors, most likely: until some are free, trying again at once would only burn time.
                warn!(%error, "no client can be taken up");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Happening::Said(client, said) => self.take_said(client, said),
            Happening::Answer((transfer, yes)) => self.command(if yes {
                Command::Accept { transfer }
            } else {
                Command::Decline { transfer }
            }),
            Happening::Found(found) => self.send_found(found),
            Happening::Report(report) => {
                if let Some(device) = &mut self.device {
                    device.take_reports(report);
                }
            }
            Happening::Tick => self.input(Input::Tick),
            Happening::Publish => self.publish(),
            Happening::Idle => {
                info!("nothing to do");
                self.is_ending = true;
            }
            Happening::End => self.is_ending = true,
        }
    }

    /// What is to be done after anything has happened.
    fn follow_up(&mut self) {
        for client in self.connections.take_cut() {
            self.part(client);
        }
        self.fulfil_wishes();
        if let Some(device) = &self.device {
            self.publisher.notice(Instant::now(), device.revision());
        }
        let is_idle = self.connections.count() == 0 && !self.is_transferring();
        if !is_idle {
            self.idle_since = None;
        } else if self.idle_since.is_none() {
            self.idle_since = Some(Instant::now());
        }
    }

    /// Whether a transfer has not ended, or waits for an answer.
    fn is_transferring(&mut self) -> bool {
        let Some(device) = &self.device else {
            return false;
        };
        // This is asked for at every frame.
        let revision = device.revision();
        if self.transferring.0 != Some(revision) {
            let snapshot = device.snapshot();
            let mut transfers = snapshot.transfers.iter();
            let is_transferring = !snapshot.incoming.is_empty()
                || transfers.any(|transfer| !transfer.state.is_final());
            self.transferring = (Some(revision), is_transferring);
        }
        self.transferring.1
    }

    fn idle_deadline(&self) -> Option<Instant> {
        let associated = self.kept.as_ref().is_some_and(|kept| kept.associated);
        let minutes = self.config.idle_exit.minutes(associated || self.stays)?;
        let allowed = Duration::from_secs(u64::from(minutes) * 60);
        let allowed = if self.had_client {
            allowed
        } else {
            allowed.max(FIRST_CLIENT_TIMEOUT)
        };
        Some(self.idle_since? + allowed)
    }

    /// Hands an input to the engine, if there is one.
    fn input(&mut self, input: Input<'_>) {
        if let Some(device) = &mut self.device {
            device.handle(input);
        }
    }

    fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    /// Tells every client that this is for.
    fn tell_all(&mut self, message: &FromDaemon, is_for: impl Fn(&ClientState) -> bool) {
        let told: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|(_, client)| is_for(client))
            .map(|(id, _)| *id)
            .collect();
        for client in told {
            self.connections.tell(client, message);
        }
    }

    /// Becomes an endpoint of this device, from now on and at the next start.
    fn become_device(&mut self, kept: KeptDevice, paired: Vec<PairedDevice>) -> anyhow::Result<()> {
        self.state.keep_paired(&paired)?;
        self.state.keep_device(&kept)?;
        self.paired = paired;
        self.start_device(&kept)?;
        self.kept = Some(kept);
        Ok(())
    }

    /// Becomes a device of its own, if it is none yet.
    fn ensure_device(&mut self) -> anyhow::Result<()> {
        if self.kept.is_some() {
            return Ok(());
        }
        let mut seed = [0; KEY_BYTES];
        getrandom::fill(&mut seed).map_err(io::Error::from)?;
        let identity = Identity::of(&DeviceKey::from_seed(&seed));
        let kept = KeptDevice {
            settings: self.own_settings(&identity),
            identity,
            associated: false,
        };
        self.become_device(kept, Vec::new())
    }

    /// The settings of a device that no extension shares.
    fn own_settings(&self, identity: &Identity) -> Settings {
        let server = self.config.server.clone();
        Settings {
            name: self
                .config
                .name
                .clone()
                .unwrap_or_else(|| first_name_of(identity)),
            kind: DeviceKind::Computer,
            server: server.unwrap_or_else(|| DEFAULT_SERVER.to_owned()),
            visibility: Visibility::default(),
            groups: Vec::new(),
        }
    }

    fn start_device(&mut self, kept: &KeptDevice) -> anyhow::Result<()> {
        let engine = Kept {
            key: kept.identity.key(),
            paired: self.paired.clone(),
        };
        let mut device = Device::start(engine, self.folder())?;
        device.handle(Input::Command(Command::Configure(kept.settings.clone())));
        self.device = Some(device);
        Ok(())
    }

    /// Where received files go now.
    fn folder(&self) -> PathBuf {
        let latest_first = self.clients.values().rev();
        let folder = latest_first
            .filter_map(|client| client.folder.clone())
            .next();
        folder.unwrap_or_else(|| self.config.downloads())
    }
}

async fn next_report(device: Option<&mut Device>) -> Report {
    match device {
        Some(device) => device.next_report().await,
        None => std::future::pending().await,
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// When the system or a person at the terminal asks the daemon to end.
#[cfg(unix)]
async fn ended_by_signal() {
    use tokio::signal::unix::{SignalKind, signal};

    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt)] = signals else {
        warn!("signals can't be heard");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(not(unix))]
async fn ended_by_signal() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        warn!(%error, "Ctrl+C can't be heard");
        std::future::pending::<()>().await;
    }
}

/// What a device is called that nobody has named: always the same, and nothing that tells of its owner.
fn first_name_of(identity: &Identity) -> DeviceName {
    let id = DeviceId::of(&identity.key().public());
    let [first, second, ..] = *id.as_bytes();
    #[expect(clippy::expect_used, reason = "every first name is valid")]
    first_name::of_random([first, second]).expect("a valid name")
}
