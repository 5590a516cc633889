//! From one daemon to another, with a real signaling server, real peer connections and real files: what is sent arrives, and
//! goes on without whoever asked for it.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "a test ends where its ground gives way, and says what it measured or left out"
)]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

use support::{Daemon, Home, PATIENCE, TestClient, association, name, names, signaling, trust_of};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    CodeStep, Command, Event, ItemView, PlainItem, ProposalView, Subject, TransferState,
    TrustCommand,
};
use tabferry_protocol::id::{DeviceId, TransferId};
use tabferry_protocol::limits::NATIVE_FRAME_BYTES;
use tabferry_protocol::native::{Association, FromDaemon, Outgoing, SourcePath, ToDaemon};

/// A sender and a receiver who see each other.
struct Pair {
    sender: Home,
    receiver: Home,
    _sender_daemon: Daemon,
    receiver_daemon: Option<Daemon>,
    /// At the sender.
    terminal: TestClient,
    to: DeviceId,
}

impl Pair {
    async fn new() -> Self {
        let server = signaling();
        let (sender, receiver) = (Home::new(), Home::new());
        for (home, name) in [(&sender, "Sender"), (&receiver, "Receiver")] {
            home.config("server", &server);
            home.config("name", name);
        }
        let (sender_daemon, receiver_daemon) = (sender.daemon().await, receiver.daemon().await);
        // It is a device from the first watching on.
        receiver.watching().await.shown(Some).await;
        let mut terminal = sender.watching().await;
        let to = device(&mut terminal, "Receiver").await;
        Self {
            sender,
            receiver,
            _sender_daemon: sender_daemon,
            receiver_daemon: Some(receiver_daemon),
            terminal,
            to,
        }
    }

    /// A person at the receiver.
    async fn person(&self) -> TestClient {
        let mut person = self.receiver.watching().await;
        person.say(&ToDaemon::Receive { folder: None }).await;
        person
    }

    fn file(&self, name: &str, bytes: usize) -> PathBuf {
        let path = self.sender.directory.path().join(name);
        let block: Vec<u8> = (0..1024 * 1024).map(|at| (at * 7 % 251) as u8).collect();
        let mut file = fs::File::create(&path).unwrap();
        let mut left = bytes;
        while left > 0 {
            let part = left.min(block.len());
            // No two blocks are the same.
            file.write_all(&left.to_le_bytes()[..part.min(8)]).unwrap();
            file.write_all(&block[part.min(8)..part]).unwrap();
            left -= part;
        }
        path
    }

    async fn send(&mut self, what: Outgoing) -> TransferId {
        let to = self.to;
        self.terminal.say(&ToDaemon::Send { to, what }).await;
        self.terminal
            .until(|message| match message {
                FromDaemon::Sending { transfer } => Some(transfer),
                FromDaemon::Error { code, message } => panic!("{code:?}: {message}"),
                _ => None,
            })
            .await
    }

    async fn send_file(&mut self, path: &Path) -> TransferId {
        self.send(Outgoing::Paths(vec![SourcePath {
            path: path.to_owned(),
            name: None,
        }]))
        .await
    }
}

async fn device(client: &mut TestClient, called: &str) -> DeviceId {
    client
        .shown(|snapshot| {
            let mut devices = snapshot.devices.into_iter();
            devices.find(|device| device.name == name(called))
        })
        .await
        .id
}

async fn proposal(client: &mut TestClient) -> ProposalView {
    client
        .until(|message| match message {
            FromDaemon::Event(Event::ProposalArrived { proposal }) => Some(proposal),
            FromDaemon::Shown { mut snapshot, .. } => snapshot.incoming.pop(),
            _ => None,
        })
        .await
}

async fn item(client: &mut TestClient) -> ItemView {
    client
        .until(|message| match message {
            FromDaemon::Item { item, .. } => Some(item),
            _ => None,
        })
        .await
}

fn same(a: &Path, b: &Path) -> bool {
    fs::read(a).unwrap() == fs::read(b).unwrap()
}

#[tokio::test]
async fn a_file_arrives_whole_under_its_name() {
    let mut pair = Pair::new().await;
    let mut person = pair.person().await;
    let path = pair.file("holiday.bin", 64 * 1024 * 1024);
    let started = Instant::now();
    let sent = pair.send_file(&path).await;
    let proposal = proposal(&mut person).await;
    assert_eq!(proposal.names, ["holiday.bin"]);
    assert_eq!(proposal.bytes, 64 * 1024 * 1024);
    let transfer = proposal.transfer;
    person
        .say(&ToDaemon::Command(Command::Accept { transfer }))
        .await;
    assert_eq!(pair.terminal.ended(sent).await, TransferState::Done);
    let megabytes = 64.0 * 1.048_576 / started.elapsed().as_secs_f64();
    eprintln!("64 MiB at {megabytes:.0} MB/s, connection and debug build included");
    assert_eq!(person.ended(transfer).await, TransferState::Done);
    assert_eq!(names(&pair.receiver.downloads), ["holiday.bin"]);
    assert!(same(&path, &pair.receiver.downloads.join("holiday.bin")));
}

#[tokio::test]
async fn a_folder_of_files_and_an_empty_one_among_them_arrive() {
    let mut pair = Pair::new().await;
    let mut person = pair.person().await;
    let folder = pair.sender.directory.path().join("photos");
    fs::create_dir_all(folder.join("2025")).unwrap();
    for (name, text) in [("a.txt", "a"), ("empty", ""), ("2025/b.txt", "b")] {
        fs::write(folder.join(name), text).unwrap();
    }
    let sent = pair.send_file(&folder).await;
    let proposal = proposal(&mut person).await;
    assert_eq!((proposal.files, proposal.bytes), (3, 2));
    let transfer = proposal.transfer;
    person
        .say(&ToDaemon::Command(Command::Accept { transfer }))
        .await;
    assert_eq!(pair.terminal.ended(sent).await, TransferState::Done);
    assert_eq!(names(&pair.receiver.downloads), ["photos"]);
    let received = pair.receiver.downloads.join("photos");
    for (name, text) in [("a.txt", "a"), ("empty", ""), ("2025/b.txt", "b")] {
        assert_eq!(fs::read_to_string(received.join(name)).unwrap(), text);
    }
}

#[tokio::test]
async fn what_is_declined_leaves_nothing() {
    let mut pair = Pair::new().await;
    let mut person = pair.person().await;
    let path = pair.file("unwanted.bin", 1000);
    let sent = pair.send_file(&path).await;
    let transfer = proposal(&mut person).await.transfer;
    person
        .say(&ToDaemon::Command(Command::Decline { transfer }))
        .await;
    let code = Code::Declined;
    assert_eq!(
        pair.terminal.ended(sent).await,
        TransferState::Declined { code }
    );
    assert_eq!(names(&pair.receiver.downloads), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_cancelled_in_mid_way_leaves_nothing() {
    let mut pair = Pair::new().await;
    let mut person = pair.person().await;
    let path = pair.file("long.bin", 512 * 1024 * 1024);
    let sent = pair.send_file(&path).await;
    let transfer = proposal(&mut person).await.transfer;
    person
        .say(&ToDaemon::Command(Command::Accept { transfer }))
        .await;
    person
        .transfer(transfer, |shown| shown.bytes_done > 0)
        .await;
    person
        .say(&ToDaemon::Command(Command::Cancel { transfer }))
        .await;
    assert_eq!(
        person.ended(transfer).await,
        TransferState::Cancelled { here: true }
    );
    assert_eq!(
        pair.terminal.ended(sent).await,
        TransferState::Cancelled { here: false }
    );
    // The end of the daemon waits for the disk.
    person.say(&ToDaemon::Stop).await;
    pair.receiver_daemon.take().unwrap().0.wait().unwrap();
    assert_eq!(names(&pair.receiver.downloads), Vec::<String>::new());
}

#[tokio::test]
async fn a_transfer_goes_on_when_all_who_asked_for_it_have_left() {
    let mut pair = Pair::new().await;
    let mut person = pair.person().await;
    let path = pair.file("long.bin", 48 * 1024 * 1024);
    let sent = pair.send_file(&path).await;
    let transfer = proposal(&mut person).await.transfer;
    person
        .say(&ToDaemon::Command(Command::Accept { transfer }))
        .await;
    person
        .transfer(transfer, |shown| shown.bytes_done > 0)
        .await;
    drop(person);
    drop(std::mem::replace(
        &mut pair.terminal,
        pair.sender.terminal().await,
    ));
    let mut later = pair.sender.watching().await;
    assert_eq!(later.ended(sent).await, TransferState::Done);
    assert!(same(&path, &pair.receiver.downloads.join("long.bin")));
}

#[tokio::test]
async fn pages_links_and_texts_wait_for_a_browser_across_a_crash_and_go_to_one() {
    let mut pair = Pair::new().await;
    let items = [
        PlainItem::Page {
            url: "https://example.org/page".to_owned(),
            title: "A page".to_owned(),
        },
        PlainItem::Link {
            url: "https://example.org/link".to_owned(),
            title: String::new(),
        },
        PlainItem::Text {
            text: "a text\nof two lines".to_owned(),
        },
    ];
    for item in &items {
        let sent = pair.send(Outgoing::Item(item.clone())).await;
        assert_eq!(pair.terminal.ended(sent).await, TransferState::Done);
    }
    assert_eq!(
        pair.receiver.terminal().await.status().await.waiting_items,
        3
    );
    pair.receiver_daemon.take().unwrap().kill();
    pair.receiver_daemon = Some(pair.receiver.daemon().await);
    // A browser comes, and takes the first.
    let mut first = adopt(&pair.receiver).await;
    let mut taken = Vec::new();
    for _ in 0..items.len() {
        taken.push(item(&mut first).await);
    }
    let came: Vec<_> = taken.iter().map(|taken| taken.item.clone()).collect();
    assert_eq!(came, items);
    first.say(&ToDaemon::ItemTaken { item: taken[0].id }).await;
    // What it has not taken goes to another one when it leaves, and not before.
    let mut second = adopt(&pair.receiver).await;
    drop(first);
    assert_eq!(item(&mut second).await.item, items[1]);
    assert_eq!(item(&mut second).await.item, items[2]);
    for taken in &taken[1..] {
        second.say(&ToDaemon::ItemTaken { item: taken.id }).await;
    }
    second.say(&ToDaemon::Command(Command::Reconnect)).await;
    assert!(
        second
            .said_so_far()
            .await
            .iter()
            .all(|said| !matches!(said, FromDaemon::Item { .. }))
    );
    assert_eq!(
        pair.receiver.terminal().await.status().await.waiting_items,
        0
    );
    // What comes while a browser is there goes to it at once.
    let sent = pair.send(Outgoing::Item(items[2].clone())).await;
    assert_eq!(item(&mut second).await.item, items[2]);
    assert_eq!(pair.terminal.ended(sent).await, TransferState::Done);
}

/// An extension that has become an endpoint of the daemon's device.
async fn adopt(home: &Home) -> TestClient {
    let mut browser = home.browser().await;
    browser.say(&ToDaemon::Adopt).await;
    let _: Association = browser
        .until(|message| match message {
            FromDaemon::Adopted(association) => Some(association),
            _ => None,
        })
        .await;
    browser
}

#[tokio::test]
async fn an_associated_daemon_is_seen_as_its_device_and_tells_its_peer() {
    let server = signaling();
    let (home, other) = (Home::new(), Home::new());
    other.config("server", &server);
    let (_daemon, _other_daemon) = (home.daemon().await, other.daemon().await);
    let mut laptop = association(1);
    laptop.settings.server = server;
    let mut member = home.member(&laptop).await;
    let peers = member
        .until(|message| match message {
            FromDaemon::OwnPeers { peers } if !peers.is_empty() => Some(peers),
            _ => None,
        })
        .await;
    assert_eq!(peers.len(), 1);
    let mut terminal = other.watching().await;
    let seen = device(&mut terminal, "Laptop").await;
    assert_eq!(seen, DeviceId::of(&laptop.identity.key().public()));
    // To an extension a snapshot says nothing of trust.
    let trust = member
        .until(|message| match message {
            FromDaemon::Shown { trust, .. } => Some(trust),
            _ => None,
        })
        .await;
    assert_eq!(trust, None);
}

#[tokio::test]
async fn two_terminals_pair_by_a_code_and_both_keep_it() {
    let mut pair = Pair::new().await;
    let mut person = pair.receiver.watching().await;
    person.say(&ToDaemon::Trust(TrustCommand::OpenCode)).await;
    let code = person
        .until(|message| match trust_of(message)?.code? {
            CodeStep::Shows { code, .. } => Some(code),
            _ => None,
        })
        .await;
    pair.terminal
        .say(&ToDaemon::Trust(TrustCommand::EnterCode { typed: code }))
        .await;
    for client in [&mut pair.terminal, &mut person] {
        client
            .until(|message| match trust_of(message)?.code? {
                CodeStep::Done { .. } => Some(()),
                CodeStep::Ended { reason } => panic!("{reason:?}"),
                _ => None,
            })
            .await;
    }
    pair.receiver_daemon.take().unwrap().kill();
    pair.receiver_daemon = Some(pair.receiver.daemon().await);
    let mut again = pair.receiver.watching().await;
    let paired = again.until(|message| Some(trust_of(message)?.paired)).await;
    assert_eq!(paired.len(), 1);
    assert_eq!(paired[0].device.name, name("Sender"));
}

/// A command that is under way, and its output at the end.
fn started(home: &Home, arguments: &[&str]) -> Child {
    home.command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn finished(child: Child) -> (Option<i32>, String) {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .unwrap()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test]
async fn commands_send_and_receive() {
    let pair = Pair::new().await;
    let inbox = tempfile::tempdir().unwrap();
    let folder = inbox.path().to_str().unwrap();
    let receive = ["receive", "--once", "--accept", "--to-dir", folder];

    let path = pair.file("notes.txt", 5000);
    let receiving = started(&pair.receiver, &receive);
    let sending = started(
        &pair.sender,
        &["send", path.to_str().unwrap(), "--to", "receiver"],
    );
    let (code, said) = finished(sending).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Sent notes.txt to Receiver"), "{said}");
    let (code, said) = finished(receiving).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(same(&path, &inbox.path().join("notes.txt")));
    assert!(pair.receiver.downloads.read_dir().unwrap().next().is_none());

    // From stdin, under a name.
    let receiving = started(&pair.receiver, &receive);
    let mut sending = started(
        &pair.sender,
        &[
            "send",
            "-",
            "--name",
            "log.txt",
            "--to",
            &pair.to.to_string(),
        ],
    );
    sending
        .stdin
        .take()
        .unwrap()
        .write_all(b"from stdin")
        .unwrap();
    let (code, said) = finished(sending).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(finished(receiving).await.0, Some(0));
    assert_eq!(
        fs::read(inbox.path().join("log.txt")).unwrap(),
        b"from stdin"
    );

    // A link is printed.
    let receiving = started(&pair.receiver, &receive);
    let (code, said) = finished(started(
        &pair.sender,
        &["send", "https://example.org/x", "--to", "Receiver"],
    ))
    .await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = finished(receiving).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("https://example.org/x"), "{said}");
}

#[tokio::test]
async fn commands_tell_apart_why_nothing_was_sent() {
    let mut pair = Pair::new().await;
    let path = pair.file("notes.txt", 5000);
    let path = path.to_str().unwrap();
    let (code, said) = finished(started(
        &pair.sender,
        &["send", "/no/such/file", "--to", "Receiver"],
    ))
    .await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("/no/such/file"), "{said}");
    let (code, said) = finished(started(&pair.sender, &["send", path, "--to", "Nobody"])).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("Receiver"), "{said}");
    let mut person = pair.person().await;
    let sending = started(&pair.sender, &["send", path, "--to", "Receiver"]);
    let transfer = proposal(&mut person).await.transfer;
    person
        .say(&ToDaemon::Command(Command::Decline { transfer }))
        .await;
    let (code, said) = finished(sending).await;
    assert_eq!(code, Some(3), "{said}");
    let (code, said) = finished(started(&pair.receiver, &["receive"])).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--accept"), "{said}");
    // And what goes well: the devices and the state of things.
    let (code, said) = finished(started(&pair.sender, &["devices", "--wait", "1"])).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Receiver"), "{said}");
    let (code, said) = finished(started(&pair.sender, &["status", "--json"])).await;
    assert_eq!(code, Some(0), "{said}");
    let status: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(status["daemon"]["device"]["name"], "Sender");
    assert_eq!(status["daemon"]["connection"], "online");
    pair.terminal.status().await;
}

#[tokio::test]
async fn what_is_shown_always_fits_a_frame() {
    let mut pair = Pair::new().await;
    let path = pair.file(&"n".repeat(200), 1);
    for _ in 0..80 {
        pair.send_file(&path).await;
    }
    let shown = pair
        .terminal
        .shown(|snapshot| (snapshot.transfers.len() >= 60).then_some(snapshot))
        .await;
    assert!(serde_json::to_vec(&shown).unwrap().len() < NATIVE_FRAME_BYTES);
    assert!(matches!(shown.transfers[0].subject, Subject::Files { .. }));
}
