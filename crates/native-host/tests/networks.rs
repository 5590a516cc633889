//! From one daemon to another over a network that fails in between: a cable that is pulled, an address that changes. Each
//! device has a network namespace of its own, which takes root; elsewhere these tests say that they are skipped.
//!
//! `TABFERRY_LOSSES` sets how often the cable is pulled, `TABFERRY_SEED` when.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test ends where its ground gives way, and says what it measured or left out"
)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use support::{Daemon, Home, TestClient, name};
use tabferry_protocol::host::{self, Event, TransferState};
use tabferry_protocol::id::{DeviceId, TransferId};
use tabferry_protocol::native::{FromDaemon, Outgoing, SourcePath, ToDaemon};
use tabferry_signaling::{Config, Server};

const MIB: usize = 1024 * 1024;

/// A device waits a minute at most before it tries to connect again.
const MOST: Duration = Duration::from_secs(200);

/// Cables pulled when nothing else is asked for.
const LOSSES: u32 = 2;

/// A switch with a signaling server on it, and the cables of two devices.
struct Network {
    name: String,
}

impl Network {
    /// `None` where namespaces can't be made.
    fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tf{}-{number}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        if !made.is_ok_and(|made| made.status.success()) {
            eprintln!("SKIPPED: network namespaces take root and iproute2");
            return None;
        }
        let network = Self { name };
        network.ip(None, "link set lo up");
        network.ip(None, "link add switch type bridge");
        network.ip(None, "addr add 10.77.0.1/24 dev switch");
        network.ip(None, "link set switch up");
        for device in [1, 2] {
            let space = network.space(device);
            run(&format!("ip netns add {space}"));
            network.ip(
                None,
                &format!("link add port{device} type veth peer name cable netns {space}"),
            );
            network.ip(None, &format!("link set port{device} master switch up"));
            network.ip(Some(device), "link set lo up");
            network.ip(
                Some(device),
                &format!("addr add 10.77.0.{} dev cable", prefixed(10 + device)),
            );
            network.ip(Some(device), "link set cable up");
            // 25 MB/s, so that a transfer lasts.
            run(&format!(
                "ip netns exec {space} tc qdisc add dev cable root tbf rate 200mbit burst 256kb latency 50ms"
            ));
        }
        Some(network)
    }

    fn space(&self, device: u32) -> String {
        format!("{}-{device}", self.name)
    }

    /// Runs `ip` in the namespace of a device, or of the switch.
    fn ip(&self, device: Option<u32>, arguments: &str) {
        let space = device.map_or(self.name.clone(), |device| self.space(device));
        run(&format!("ip -n {space} {arguments}"));
    }

    fn plug(&self, device: u32, there: bool) {
        let state = if there { "up" } else { "down" };
        self.ip(None, &format!("link set port{device} {state}"));
    }

    /// A signaling server on the switch. Its address.
    fn signaling(&self) -> String {
        let space = File::open(format!("/run/netns/{}", self.name)).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&space), kind).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            runtime.block_on(async {
                let address = SocketAddr::from((Ipv4Addr::new(10, 77, 0, 1), 0));
                let server = Server::bind(Config::new(address)).unwrap();
                tell.send(server.url()).unwrap();
                server.serve(std::future::pending()).await;
            });
        });
        told.recv().unwrap()
    }

    /// A daemon at the end of a cable.
    async fn daemon(&self, device: u32, home: &Home) -> Daemon {
        let inner = home.command(&["daemon"]);
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.space(device)])
            .arg(inner.get_program())
            .args(inner.get_args());
        for (key, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        home.listening(child).await
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for space in [self.space(1), self.space(2), self.name.clone()] {
            let _ = Command::new("ip").args(["netns", "del", &space]).output();
        }
    }
}

fn prefixed(last: u32) -> String {
    format!("{last}/24")
}

fn run(line: &str) {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap())
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

/// A sender and a receiver on one network.
struct Devices {
    network: Network,
    sender: Home,
    receiver: Home,
    _daemons: [Daemon; 2],
    /// At the sender, and at the receiver.
    terminal: TestClient,
    person: TestClient,
    to: DeviceId,
}

impl Devices {
    async fn new() -> Option<Self> {
        let network = Network::new()?;
        let server = network.signaling();
        let (sender, receiver) = (Home::new(), Home::new());
        for (home, name) in [(&sender, "Sender"), (&receiver, "Receiver")] {
            home.config("server", &server);
            home.config("name", name);
        }
        let daemons = [
            network.daemon(1, &sender).await,
            network.daemon(2, &receiver).await,
        ];
        let mut person = receiver.watching().await;
        person.say(&ToDaemon::Receive { folder: None }).await;
        let mut terminal = sender.watching().await;
        let to = terminal
            .shown(|snapshot| {
                let mut devices = snapshot.devices.into_iter();
                devices.find(|device| device.name == name("Receiver"))
            })
            .await
            .id;
        Some(Self {
            network,
            sender,
            receiver,
            _daemons: daemons,
            terminal,
            person,
            to,
        })
    }

    /// Sends a file and says yes to it. The transfer at the sender and at the receiver.
    async fn begin(&mut self, path: &Path) -> (TransferId, TransferId) {
        let to = self.to;
        let path = SourcePath {
            path: path.to_owned(),
            name: None,
        };
        let what = Outgoing::Paths(vec![path]);
        self.terminal.say(&ToDaemon::Send { to, what }).await;
        let sent = self
            .terminal
            .until(|message| match message {
                FromDaemon::Sending { transfer } => Some(transfer),
                _ => None,
            })
            .await;
        let transfer = self
            .person
            .until(|message| match message {
                FromDaemon::Event(Event::ProposalArrived { proposal }) => Some(proposal.transfer),
                _ => None,
            })
            .await;
        let accept = host::Command::Accept { transfer };
        self.person.say(&ToDaemon::Command(accept)).await;
        (sent, transfer)
    }

    /// Waits for the end of a transfer while something goes wrong with the network.
    async fn end(
        &mut self,
        (sent, received): (TransferId, TransferId),
        fault: impl AsyncFnOnce(&Network),
    ) {
        let Self {
            network,
            terminal,
            person,
            ..
        } = self;
        // Who doesn't hear a daemon out is cut off.
        let ends = async {
            tokio::join!(
                fault(network),
                async { assert_eq!(terminal.ended(sent).await, TransferState::Done) },
                async { assert_eq!(person.ended(received).await, TransferState::Done) },
            )
        };
        let in_time = tokio::time::timeout(MOST, ends).await;
        if in_time.is_err() {
            let logs = [&self.sender, &self.receiver].map(Home::log);
            panic!("no end; the sender: {}\nthe receiver: {}", logs[0], logs[1])
        }
    }

    /// A file of the sender's that no other has the content of.
    fn file(&self, seed: u64, bytes: usize) -> PathBuf {
        let path = self.sender.directory.path().join(format!("{seed}.bin"));
        let mut content = blake3::Hasher::new()
            .update(&seed.to_le_bytes())
            .finalize_xof();
        let mut file = File::create(&path).unwrap();
        let mut block = vec![0; MIB];
        for _ in 0..bytes / MIB {
            content.fill(&mut block);
            file.write_all(&block).unwrap();
        }
        path
    }

    fn assert_arrived(&self, path: &Path) {
        let arrived = self.receiver.downloads.join(path.file_name().unwrap());
        assert_eq!(digest(&arrived), digest(path), "{}", path.display());
        std::fs::remove_file(arrived).unwrap();
        std::fs::remove_file(path).unwrap();
        let left: Vec<_> = support::names(&self.receiver.downloads);
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

fn digest(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path).unwrap();
    let mut block = vec![0; MIB];
    loop {
        let read = file.read(&mut block).unwrap();
        if read == 0 {
            return hasher.finalize();
        }
        hasher.update(&block[..read]);
    }
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The moment in a transfer at which something happens, and for how long, drawn from a seed. Milliseconds.
fn moment(seed: u64) -> (u64, u64) {
    let drawn = blake3::hash(&seed.to_le_bytes());
    let [a, b, ..] = *drawn.as_bytes();
    // Most losses heal by an ICE restart; after the longest the connection is gone.
    let away = [300, 1_000, 3_000, 8_000, 45_000];
    (u64::from(a) * 6, away[usize::from(b) % away.len()])
}

#[tokio::test]
async fn a_cable_that_is_pulled_in_mid_way_costs_time_and_nothing_else() {
    let Some(mut devices) = Devices::new().await else {
        return;
    };
    let losses = number_from("TABFERRY_LOSSES").unwrap_or(LOSSES.into());
    let first = number_from("TABFERRY_SEED").unwrap_or(0);
    for seed in first..first + losses {
        let path = devices.file(seed, 40 * MIB);
        let transfer = devices.begin(&path).await;
        let (at, away) = moment(seed);
        let device = if seed % 2 == 0 { 2 } else { 1 };
        let mut back = Instant::now();
        let pull = async |network: &Network| {
            tokio::time::sleep(Duration::from_millis(at)).await;
            network.plug(device, false);
            tokio::time::sleep(Duration::from_millis(away)).await;
            network.plug(device, true);
            back = Instant::now();
        };
        devices.end(transfer, pull).await;
        devices.assert_arrived(&path);
        eprintln!(
            "seed {seed}: device {device} away for {away} ms after {at} ms, done {:.1} s after it was back",
            back.elapsed().as_secs_f64()
        );
    }
}

#[tokio::test]
async fn an_address_that_changes_in_mid_way_costs_time_and_nothing_else() {
    let Some(mut devices) = Devices::new().await else {
        return;
    };
    for (seed, device) in [(1_000, 1)] {
        let path = devices.file(seed, 40 * MIB);
        let transfer = devices.begin(&path).await;
        let mut changed = Instant::now();
        let change = async |network: &Network| {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let [old, new] = [10, 20].map(|tens| prefixed(tens + device));
            network.ip(Some(device), &format!("addr del 10.77.0.{old} dev cable"));
            network.ip(Some(device), &format!("addr add 10.77.0.{new} dev cable"));
            changed = Instant::now();
        };
        devices.end(transfer, change).await;
        devices.assert_arrived(&path);
        eprintln!(
            "device {device}: done {:.1} s after its address changed",
            changed.elapsed().as_secs_f64()
        );
    }
}
