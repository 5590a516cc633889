//! A home for a daemon of its own, clients that speak to it as extensions and commands do, and a signaling server.

#![allow(dead_code, reason = "not every test needs all of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where its ground gives way"
)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tabferry_host::bridge::ORIGINS;
use tabferry_host::frames;
use tabferry_host::places::Places;
use tabferry_protocol::card::{DeviceKind, DeviceName};
use tabferry_protocol::host::{self, Settings, Snapshot, TransferState, TransferView, Visibility};
use tabferry_protocol::id::TransferId;
use tabferry_protocol::identity::DeviceKey;
use tabferry_protocol::native::{
    Association, Client, FromDaemon, Identity, Status, ToDaemon, VERSION,
};
use tabferry_protocol::pair::PairSecret;
use tabferry_protocol::paired::{AutoAccept, PairedDevice};
use tabferry_signaling::{Config, Server};
use tempfile::TempDir;
use tokio::net::UnixStream;

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with everything of one daemon.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
    pub(crate) places: Places,
    pub(crate) downloads: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let places = Places::within(directory.path());
        let downloads = directory.path().join("downloads");
        std::fs::create_dir(&downloads).unwrap();
        let home = Self {
            directory,
            places,
            downloads,
        };
        let downloads = home.downloads.to_str().unwrap().to_owned();
        home.config("downloads", &downloads);
        home
    }

    pub(crate) fn config(&self, key: &str, value: &str) {
        let output = self
            .command(&["config", "set", key, value])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tabferry"));
        command
            .args(arguments)
            .env("TABFERRY_HOME", self.directory.path())
            .env("TABFERRY_LOG", "debug,webrtc=warn,rtc=warn")
            // Nobody at this desktop is to be asked.
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("DISPLAY");
        command
    }

    /// A daemon that listens already.
    pub(crate) async fn daemon(&self) -> Daemon {
        let mut command = self.command(&["daemon"]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        self.listening(child).await
    }

    /// The daemon that was started, once it listens.
    pub(crate) async fn listening(&self, child: Child) -> Daemon {
        let daemon = Daemon(child);
        self.wait_for_daemon().await;
        daemon
    }

    async fn wait_for_daemon(&self) {
        let listening = async {
            while self.connect().await.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, listening).await;
        in_time.unwrap_or_else(|_| panic!("no daemon: {}", self.log()));
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.places.runtime.join("daemon.sock")
    }

    async fn connect(&self) -> Option<UnixStream> {
        UnixStream::connect(self.socket()).await.ok()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.places.state.join("daemon.log")).unwrap_or_default()
    }

    /// A connection that has said nothing yet.
    pub(crate) async fn stream(&self) -> UnixStream {
        self.connect().await.expect("the daemon listens")
    }

    pub(crate) async fn terminal(&self) -> TestClient {
        TestClient::greet(self.stream().await, &Client::Terminal).await
    }

    /// A terminal of the daemon as a device of its own, with all that is shown.
    pub(crate) async fn watching(&self) -> TestClient {
        let mut client = self.terminal().await;
        client.say(&ToDaemon::Watch).await;
        client
    }

    pub(crate) async fn browser(&self) -> TestClient {
        let origin = ORIGINS[0].to_owned();
        TestClient::greet(self.stream().await, &Client::Browser { origin }).await
    }

    /// An extension that has made the daemon an endpoint of its device.
    pub(crate) async fn member(&self, association: &Association) -> TestClient {
        let mut client = self.browser().await;
        client.say(&ToDaemon::Associate(association.clone())).await;
        client
            .until(|message| matches!(message, FromDaemon::Associated).then_some(()))
            .await;
        client
    }
}

/// A process that ends with the test.
pub(crate) struct Daemon(pub(crate) Child);

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// As `kill -9`.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A client of the daemon.
pub(crate) struct TestClient {
    pub(crate) stream: UnixStream,
    pub(crate) welcome: FromDaemon,
}

impl TestClient {
    async fn greet(mut stream: UnixStream, who: &Client) -> Self {
        frames::write_message(&mut stream, who).await.unwrap();
        let program = "test".to_owned();
        let version = VERSION;
        frames::write_message(&mut stream, &ToDaemon::Hello { version, program })
            .await
            .unwrap();
        let welcome = hear(&mut stream).await.expect("a welcome");
        assert!(matches!(welcome, FromDaemon::Welcome { .. }), "{welcome:?}");
        Self { stream, welcome }
    }

    pub(crate) async fn say(&mut self, message: &ToDaemon) {
        frames::write_message(&mut self.stream, message)
            .await
            .unwrap();
    }

    pub(crate) async fn hear(&mut self) -> Option<FromDaemon> {
        hear(&mut self.stream).await
    }

    /// What the first message yields of which this is something.
    pub(crate) async fn until<T>(&mut self, mut wanted: impl FnMut(FromDaemon) -> Option<T>) -> T {
        loop {
            let message = self.hear().await.expect("the daemon goes on");
            if let Some(found) = wanted(message) {
                return found;
            }
        }
    }

    pub(crate) async fn shown<T>(&mut self, mut wanted: impl FnMut(Snapshot) -> Option<T>) -> T {
        self.until(|message| match message {
            FromDaemon::Shown { snapshot, .. } => wanted(snapshot),
            FromDaemon::Error { code, message } => panic!("{code:?}: {message}"),
            _ => None,
        })
        .await
    }

    pub(crate) async fn transfer(
        &mut self,
        id: TransferId,
        is_wanted: impl Fn(&TransferView) -> bool,
    ) -> TransferView {
        self.shown(|snapshot| {
            let mut transfers = snapshot.transfers.into_iter();
            transfers.find(|shown| shown.id == id && is_wanted(shown))
        })
        .await
    }

    pub(crate) async fn ended(&mut self, id: TransferId) -> TransferState {
        self.transfer(id, |shown| shown.state.is_final())
            .await
            .state
    }

    pub(crate) async fn status(&mut self) -> Status {
        self.say(&ToDaemon::Status).await;
        self.until(|message| match message {
            FromDaemon::Status(status) => Some(status),
            _ => None,
        })
        .await
    }

    /// Everything that is said until the answer to a status, which is asked for now.
    pub(crate) async fn said_so_far(&mut self) -> Vec<FromDaemon> {
        self.say(&ToDaemon::Status).await;
        let mut said = Vec::new();
        self.until(|message| match message {
            FromDaemon::Status(_) | FromDaemon::Error { .. } => Some(()),
            other => {
                said.push(other);
                None
            }
        })
        .await;
        said
    }

    pub(crate) async fn error(&mut self) -> (tabferry_protocol::native::DaemonCode, String) {
        self.until(|message| match message {
            FromDaemon::Error { code, message } => Some((code, message)),
            _ => None,
        })
        .await
    }
}

pub(crate) async fn hear(stream: &mut UnixStream) -> Option<FromDaemon> {
    let read = tokio::time::timeout(PATIENCE, frames::read(stream));
    let frame = read.await.expect("something is said in time").ok()??;
    Some(serde_json::from_slice(&frame).unwrap())
}

pub(crate) fn name(name: &str) -> DeviceName {
    DeviceName::from_typed(name).unwrap()
}

/// Of a device whose server is not there.
pub(crate) fn association(seed: u8) -> Association {
    Association {
        identity: Identity::of(&DeviceKey::from_seed(&[seed; 32])),
        paired: Vec::new(),
        settings: Settings {
            name: name("Laptop"),
            kind: DeviceKind::Computer,
            server: "ws://127.0.0.1:9".to_owned(),
            visibility: Visibility::Everyone,
            groups: Vec::new(),
        },
    }
}

pub(crate) fn paired(seed: u8, called: &str) -> PairedDevice {
    PairedDevice {
        key: DeviceKey::from_seed(&[seed; 32]).public(),
        name: name(called),
        kind: DeviceKind::Phone,
        secret: PairSecret::from_text(&"11".repeat(32)).unwrap(),
        since: 1,
        last_seen: 1,
        auto_accept: AutoAccept::default(),
    }
}

/// A signaling server for as long as the test's runtime lives. Its address.
pub(crate) fn signaling() -> String {
    let server = Server::bind(Config::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).unwrap();
    let url = server.url();
    tokio::spawn(server.serve(std::future::pending()));
    url
}

/// A started bridge, as a browser holds it.
pub(crate) struct Bridge {
    pub(crate) child: Child,
}

impl Bridge {
    pub(crate) fn start(home: &Home, origin: &str) -> Self {
        let child = home
            .command(&[origin])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.child.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    pub(crate) fn say(&mut self, message: &ToDaemon) {
        let json = serde_json::to_vec(message).unwrap();
        self.write(&u32::try_from(json.len()).unwrap().to_ne_bytes());
        self.write(&json);
    }

    /// `None` at the end.
    pub(crate) fn hear(&mut self) -> Option<FromDaemon> {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut header = [0; 4];
        stdout.read_exact(&mut header).ok()?;
        let mut frame = vec![0; u32::from_ne_bytes(header) as usize];
        stdout.read_exact(&mut frame).unwrap();
        Some(serde_json::from_slice(&frame).unwrap())
    }

    pub(crate) fn close(&mut self) {
        self.child.stdin = None;
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub(crate) fn trust_of(message: FromDaemon) -> Option<host::Trust> {
    match message {
        FromDaemon::Shown { trust, .. } => trust,
        _ => None,
    }
}
