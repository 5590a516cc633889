//! The daemon as its clients know it: who may speak to it and what, whose device it is, what it keeps and what it shares
//! among several extensions. As a real process.
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

use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream as StdUnixStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use support::{Bridge, Home, PATIENCE, TestClient, association, hear, name, paired, signaling};
use tabferry_host::bridge::ORIGINS;
use tabferry_host::frames;
use tabferry_protocol::host::{Command, ConnectionView, TrustCommand};
use tabferry_protocol::id::{ItemId, PeerId, TransferId};
use tabferry_protocol::native::{Client, DaemonCode, FromDaemon, Outgoing, ToDaemon, VERSION};
use tabferry_protocol::paired::PairedDevice;

#[tokio::test]
async fn another_version_is_told_ours_and_nothing_else() {
    let home = Home::new();
    let _daemon = home.daemon().await;
    for version in [0, VERSION + 1] {
        let mut stream = home.stream().await;
        frames::write_message(&mut stream, &Client::Terminal)
            .await
            .unwrap();
        let program = "9.9.9".to_owned();
        let hello = ToDaemon::Hello { version, program };
        frames::write_message(&mut stream, &hello).await.unwrap();
        let told = hear(&mut stream).await;
        assert!(matches!(
            told,
            Some(FromDaemon::Welcome {
                version: VERSION,
                ..
            })
        ));
        assert!(hear(&mut stream).await.is_none());
    }
}

#[tokio::test]
async fn whoever_says_something_before_hello_is_sent_away() {
    let home = Home::new();
    let _daemon = home.daemon().await;
    let mut stream = home.stream().await;
    frames::write_message(&mut stream, &Client::Terminal)
        .await
        .unwrap();
    frames::write_message(&mut stream, &ToDaemon::Stop)
        .await
        .unwrap();
    let told = hear(&mut stream).await;
    assert!(matches!(
        told,
        Some(FromDaemon::Error {
            code: DaemonCode::InvalidMessage,
            ..
        })
    ));
    assert!(hear(&mut stream).await.is_none());
    home.terminal().await;
}

#[tokio::test]
async fn an_unknown_extension_behind_the_bridge_is_sent_away() {
    let home = Home::new();
    let _daemon = home.daemon().await;
    let mut stream = home.stream().await;
    let origin = "chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/".to_owned();
    frames::write_message(&mut stream, &Client::Browser { origin })
        .await
        .unwrap();
    let program = String::new();
    let hello = ToDaemon::Hello {
        version: VERSION,
        program,
    };
    frames::write_message(&mut stream, &hello).await.unwrap();
    let told = hear(&mut stream).await;
    assert!(matches!(
        told,
        Some(FromDaemon::Error {
            code: DaemonCode::NotAllowed,
            ..
        })
    ));
    assert!(hear(&mut stream).await.is_none());
}

#[tokio::test]
async fn an_extension_says_only_what_extensions_may() {
    let home = Home::new();
    let _daemon = home.daemon().await;
    let forbidden = |_| {
        let to = tabferry_protocol::id::DeviceId::from_bytes([1; 16]);
        [
            ToDaemon::Stop,
            ToDaemon::Status,
            ToDaemon::Reload,
            ToDaemon::Watch,
            ToDaemon::Receive { folder: None },
            ToDaemon::Trust(TrustCommand::OpenCode),
            ToDaemon::Send {
                to,
                what: Outgoing::Paths(Vec::new()),
            },
            ToDaemon::Command(Command::SendFiles {
                to,
                files: Vec::new(),
            }),
        ]
    };
    let mut stranger = home.browser().await;
    let mut member = home.member(&association(1)).await;
    for (stranger_says, member_says) in forbidden(0).into_iter().zip(forbidden(1)) {
        stranger.say(&stranger_says).await;
        assert_eq!(stranger.error().await.0, DaemonCode::NotAllowed);
        member.say(&member_says).await;
        assert_eq!(member.error().await.0, DaemonCode::NotAllowed);
    }
    // And one that shares no device may do nothing with it, and is told nothing of it.
    for message in [
        ToDaemon::Forget,
        ToDaemon::Configure(association(2).settings),
        ToDaemon::Paired {
            base: Vec::new(),
            now: vec![paired(7, "Mallory")],
        },
        ToDaemon::OwnPeer {
            peer: Some(PeerId::from_bytes([1; 16])),
        },
        ToDaemon::Command(Command::Accept {
            transfer: TransferId(1),
        }),
        ToDaemon::ItemTaken { item: ItemId(1) },
        ToDaemon::ShowInFolder {
            transfer: TransferId(1),
        },
    ] {
        stranger.say(&message).await;
        let answer = stranger.hear().await;
        assert!(
            matches!(
                answer,
                Some(FromDaemon::Error {
                    code: DaemonCode::NotAllowed,
                    ..
                })
            ),
            "{answer:?}"
        );
    }
    stranger.say(&ToDaemon::Associate(association(2))).await;
    assert_eq!(stranger.error().await.0, DaemonCode::OtherDevice);
}

fn peers(message: FromDaemon) -> Option<Vec<PeerId>> {
    match message {
        FromDaemon::OwnPeers { peers } => Some(peers),
        _ => None,
    }
}

fn pairs(base: &[PairedDevice], now: &[PairedDevice]) -> ToDaemon {
    ToDaemon::Paired {
        base: base.to_vec(),
        now: now.to_vec(),
    }
}

fn paired_names(message: FromDaemon) -> Option<Vec<String>> {
    match message {
        FromDaemon::Paired { paired } => {
            let mut names: Vec<_> = paired
                .iter()
                .map(|device| device.name.to_string())
                .collect();
            names.sort();
            Some(names)
        }
        _ => None,
    }
}

#[tokio::test]
async fn two_extensions_share_one_daemon_and_know_of_each_other() {
    let home = Home::new();
    let _daemon = home.daemon().await;
    let mut first = home.member(&association(1)).await;
    // The second adopts what the first has brought.
    let mut second = home.browser().await;
    let FromDaemon::Welcome { device, .. } = &second.welcome else {
        panic!("a welcome");
    };
    assert_eq!(device.as_ref().unwrap().name, name("Laptop"));
    second.say(&ToDaemon::Adopt).await;
    let adopted = second
        .until(|message| match message {
            FromDaemon::Adopted(association) => Some(association),
            _ => None,
        })
        .await;
    assert_eq!(adopted, association(1));

    let (one, two) = (PeerId::from_bytes([1; 16]), PeerId::from_bytes([2; 16]));
    first.say(&ToDaemon::OwnPeer { peer: Some(one) }).await;
    assert_eq!(second.until(peers).await, [one]);
    second.say(&ToDaemon::OwnPeer { peer: Some(two) }).await;
    assert_eq!(first.until(peers).await, [two]);

    // What one changes in the paired devices both are told, and the changes of both stay.
    first.say(&pairs(&[], &[paired(7, "Phone")])).await;
    for client in [&mut first, &mut second] {
        assert_eq!(client.until(paired_names).await, ["Phone"]);
    }
    // The second has not heard of that when it pairs another one.
    second.say(&pairs(&[], &[paired(8, "Tablet")])).await;
    for client in [&mut first, &mut second] {
        assert_eq!(client.until(paired_names).await, ["Phone", "Tablet"]);
    }
    let both = [paired(7, "Phone"), paired(8, "Tablet")];
    first.say(&pairs(&both, &both[1..])).await;
    for client in [&mut first, &mut second] {
        assert_eq!(client.until(paired_names).await, ["Tablet"]);
    }
    // No change is answered, too: it may have been one that was made here already.
    first.say(&pairs(&both, &both[1..])).await;
    assert_eq!(first.until(paired_names).await, ["Tablet"]);

    // One that leaves takes its peer away.
    drop(first);
    assert_eq!(second.until(peers).await, []);
    let mut terminal = home.terminal().await;
    assert_eq!(terminal.status().await.browsers, 1);
}

#[tokio::test]
async fn an_extension_that_comes_again_is_told_what_has_changed() {
    let home = Home::new();
    let _daemon = home.daemon().await;
    let mut first = home.member(&association(1)).await;
    first
        .say(&ToDaemon::Paired {
            base: Vec::new(),
            now: vec![paired(7, "Phone")],
        })
        .await;
    first.say(&ToDaemon::Command(Command::Reconnect)).await;
    let mut second = home.browser().await;
    let mut changed = association(1);
    changed.settings.name = name("Other name");
    second.say(&ToDaemon::Associate(changed)).await;
    assert_eq!(second.until(paired_names).await, ["Phone"]);
    // Of the settings the last association's hold.
    let welcome = home.browser().await.welcome;
    let FromDaemon::Welcome {
        device: Some(device),
        ..
    } = welcome
    else {
        panic!("{welcome:?}");
    };
    assert_eq!(device.name, name("Other name"));
}

#[tokio::test]
async fn a_device_that_is_forgotten_is_forgotten_for_good() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut first = home.member(&association(1)).await;
    let mut second = home.member(&association(1)).await;
    first
        .say(&ToDaemon::Paired {
            base: Vec::new(),
            now: vec![paired(7, "Phone")],
        })
        .await;
    second.until(paired_names).await;
    first.say(&ToDaemon::Forget).await;
    let program = String::new();
    let version = VERSION;
    first.say(&ToDaemon::Hello { version, program }).await;
    first
        .until(|message| match message {
            FromDaemon::Welcome { device: None, .. } => Some(()),
            _ => None,
        })
        .await;
    // The other one has to come again, and finds a daemon of nobody.
    while second.hear().await.is_some() {}
    let welcome = home.browser().await.welcome;
    assert!(matches!(welcome, FromDaemon::Welcome { device: None, .. }));
    first.say(&ToDaemon::Adopt).await;
    assert_eq!(first.error().await.0, DaemonCode::NotFound);
    daemon.kill();
    let _daemon = home.daemon().await;
    let mut anew = home.member(&association(2)).await;
    assert!(
        anew.said_so_far()
            .await
            .into_iter()
            .all(|said| paired_names(said).is_none())
    );
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_kept() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut member = home.member(&association(1)).await;
    member
        .say(&ToDaemon::Paired {
            base: Vec::new(),
            now: vec![paired(7, "Phone")],
        })
        .await;
    // Answers come in order.
    member.said_so_far().await;
    daemon.kill();
    assert!(
        home.socket().exists(),
        "the dead daemon's socket lies there"
    );
    let _daemon = home.daemon().await;
    let mut again = home.browser().await;
    let FromDaemon::Welcome {
        device: Some(device),
        ..
    } = &again.welcome
    else {
        panic!("{:?}", again.welcome);
    };
    assert_eq!(device.name, name("Laptop"));
    again.say(&ToDaemon::Adopt).await;
    let adopted = again
        .until(|message| match message {
            FromDaemon::Adopted(association) => Some(association),
            _ => None,
        })
        .await;
    assert_eq!(adopted.identity, association(1).identity);
    assert_eq!(adopted.paired, [paired(7, "Phone")]);
    let status = home.terminal().await.status().await;
    assert!(status.associated);
}

#[tokio::test]
async fn of_two_daemons_started_at_once_one_wins_and_serves_both_clients() {
    let home = Home::new();
    // Each of them starts a daemon if it finds none.
    let started: Vec<_> = (0..4)
        .map(|_| {
            let mut bridge = Bridge::start(&home, ORIGINS[0]);
            bridge.say(&ToDaemon::Hello {
                version: VERSION,
                program: String::new(),
            });
            bridge
        })
        .collect();
    let welcomed = tokio::task::spawn_blocking(move || {
        let mut started = started;
        for bridge in &mut started {
            assert!(matches!(bridge.hear(), Some(FromDaemon::Welcome { .. })));
        }
        started
    })
    .await
    .unwrap();
    let mut terminal = home.terminal().await;
    assert_eq!(terminal.status().await.browsers, 4);
    drop(welcomed);
    // A further one ends by itself and takes nothing away.
    let late = home.command(&["daemon"]).output().unwrap();
    assert_eq!(late.status.code(), Some(3));
    assert!(home.socket().exists());
    terminal.say(&ToDaemon::Stop).await;
    while terminal.hear().await.is_some() {}
}

#[tokio::test]
async fn it_listens_on_no_tcp_port() {
    let server = signaling();
    let home = Home::new();
    home.config("server", &server);
    let daemon = home.daemon().await;
    assert_eq!(listening(daemon.pid()), Vec::<String>::new());
    let mut terminal = home.watching().await;
    terminal
        .shown(|snapshot| (snapshot.connection == ConnectionView::Online).then_some(()))
        .await;
    assert_eq!(listening(daemon.pid()), Vec::<String>::new());
}

/// Lines of the system's tables of TCP sockets that a process listens on.
fn listening(pid: u32) -> Vec<String> {
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.ok()?.path()).ok()?;
            let inode = target
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    assert!(!inodes.is_empty(), "the daemon has its own socket at least");
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| table.lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields[3] == "0A" && inodes.iter().any(|inode| inode == fields[9])
        })
        .collect()
}

/// What another user does with the daemon's socket: this test program itself, run as that user.
const ROLE: &str = "TABFERRY_TEST_ROLE";
const SOCKET: &str = "TABFERRY_TEST_SOCKET";

/// The part of the other user in the tests below. Does nothing by itself.
#[test]
fn the_other_user() {
    let (Ok(role), Ok(socket)) = (std::env::var(ROLE), std::env::var(SOCKET)) else {
        return;
    };
    if role == "connect" {
        match StdUnixStream::connect(socket) {
            Err(error) => println!("other user: {:?}", error.kind()),
            Ok(mut stream) => {
                // Whatever it says: the daemon must not wait for it, and must not answer.
                let heard = stream.read(&mut [0; 1]);
                println!("other user: connected, then {heard:?}");
            }
        }
    } else {
        let listener = UnixListener::bind(socket).unwrap();
        println!("other user: listening");
        let (mut stream, _) = listener.accept().unwrap();
        let heard = stream.read(&mut [0; 1]);
        println!("other user: heard {heard:?}");
    }
}

/// Starts it; `None` where that is not possible.
fn other_user(home: &Home, role: &str) -> Option<support::Daemon> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can run a process as another user");
        return None;
    }
    static COPIES: AtomicU32 = AtomicU32::new(0);
    let copy = COPIES.fetch_add(1, Ordering::Relaxed);
    let program = home.directory.path().join(format!("other-user-{copy}"));
    // By another process: a file that this one has open for writing, in a child of another test, can't be run.
    let copied = std::process::Command::new("cp")
        .arg(std::env::current_exe().unwrap())
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    // Even where directories would let them in.
    for path in [home.directory.path(), &home.places.runtime, &program] {
        std::fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    }
    let spawned = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(["--exact", "the_other_user", "--nocapture"])
        .env(ROLE, role)
        .env(SOCKET, home.socket())
        .stdout(Stdio::piped())
        .spawn();
    if spawned.is_err() {
        eprintln!("SKIPPED: setpriv is not installed");
    }
    spawned.ok().map(support::Daemon)
}

/// The next thing that the other user tells.
fn told(other: &mut support::Daemon) -> String {
    let mut line = String::new();
    let stdout = other.0.stdout.as_mut().unwrap();
    let mut byte = [0];
    while !line.starts_with("other user: ") || !line.ends_with('\n') {
        if line.ends_with('\n') {
            line.clear();
        }
        stdout.read_exact(&mut byte).unwrap();
        line.push(byte[0].into());
        // The test's own name may stand before it.
        if let Some(at) = line.find("other user: ") {
            line.drain(..at);
        }
    }
    line.trim_start_matches("other user: ").trim().to_owned()
}

#[tokio::test]
async fn another_user_cannot_connect() {
    let home = Home::new();
    let _daemon = home.daemon().await;
    let Some(mut other) = other_user(&home, "connect") else {
        return;
    };
    assert_eq!(told(&mut other), "PermissionDenied");
    // If the socket's mode lets them connect, the daemon knows them by their uid.
    std::fs::set_permissions(home.socket(), Permissions::from_mode(0o777)).unwrap();
    let mut other = other_user(&home, "connect").unwrap();
    assert_eq!(told(&mut other), "connected, then Ok(0)");
    assert!(home.log().contains("belongs to user 65534"));
    home.terminal().await;
}

#[tokio::test]
async fn a_client_does_not_speak_to_another_users_daemon() {
    let home = Home::new();
    std::fs::create_dir_all(&home.places.runtime).unwrap();
    let Some(mut impostor) = other_user(&home, "listen") else {
        return;
    };
    assert_eq!(told(&mut impostor), "listening");
    let output = home.command(&["status"]).output().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("belongs to user 65534"), "{complaint}");
    assert_eq!(told(&mut impostor), "heard Ok(0)");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_disturbs_nobody() {
    let home = Home::new();
    let _daemon = home.daemon().await;
    let mut deaf = home.watching().await;
    // Each is answered, and no answer is read.
    let flood = async {
        loop {
            let sent = frames::write_message(&mut deaf.stream, &ToDaemon::Watch).await;
            if sent.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, flood)
        .await
        .expect("it is cut");
    let mut other: TestClient = home.terminal().await;
    assert_eq!(other.status().await.browsers, 0);
}

#[tokio::test]
async fn an_idle_daemon_ends_and_says_so_in_its_log() {
    let home = Home::new();
    home.config("idle-exit", "0");
    let mut daemon = home.daemon().await;
    let mut terminal = home.watching().await;
    terminal.status().await;
    drop(terminal);
    let ended = tokio::task::spawn_blocking(move || daemon.0.wait().unwrap());
    let status = tokio::time::timeout(PATIENCE, ended)
        .await
        .unwrap()
        .unwrap();
    assert!(status.success());
    assert!(home.log().contains("nothing to do"));
    assert!(!home.socket().exists());
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_terminate_ends_in_order() {
    let home = Home::new();
    let mut daemon = home.daemon().await;
    let mut terminal = home.watching().await;
    terminal.status().await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(daemon.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    while terminal.hear().await.is_some() {}
    assert!(daemon.0.wait().unwrap().success());
    assert!(!home.socket().exists());
}
