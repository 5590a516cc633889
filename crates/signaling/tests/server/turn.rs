//! Peers get TURN credentials of their own, new ones before those expire, and a real TURN server takes them.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use ring::hmac;
use tabferry_protocol::signaling::{IceServer, ServerMessage};
use tabferry_signaling::turn::TurnConfig;
use tokio::net::TcpStream;

use crate::client::{Client, TestServer, eventually, hello};

const SECRET: &str = "north";
const URL: &str = "turn:turn.example.org:3478";

fn with_turn(url: &str, life: Duration) -> TestServer {
    // Read at the start, and not needed later.
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    writeln!(secret, "{SECRET}").unwrap();
    TestServer::with(|config| {
        config.ice_servers = vec![IceServer {
            url: "stun:stun.example.org:3478".to_owned(),
            username: None,
            credential: None,
        }];
        config.turn = Some(TurnConfig {
            urls: vec![url.to_owned()],
            secret_file: secret.path().to_owned(),
            life,
        });
    })
}

/// What a client is welcomed with.
async fn welcomed(client: &mut Client) -> Vec<IceServer> {
    client.send(&hello(&[1])).await;
    match client.next().await {
        ServerMessage::Welcome(welcome) => welcome.ice_servers,
        other => panic!("{other:?}"),
    }
}

/// Checks the list and the password. Returns the TURN server's user name and when it expires.
fn checked(servers: &[IceServer]) -> (String, u64) {
    let [stun, turn] = servers else {
        panic!("{servers:?}");
    };
    assert_eq!((stun.username.as_ref(), turn.url.as_str()), (None, URL));
    let username = turn.username.clone().unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
    let password = hmac::sign(&key, username.as_bytes());
    let password = data_encoding::BASE64.encode(password.as_ref());
    assert_eq!(turn.credential.as_ref(), Some(&password));
    let (expires, _) = username.split_once(':').unwrap();
    let expires = expires.parse().unwrap();
    (username, expires)
}

fn seconds_since_1970() -> u64 {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    time.unwrap().as_secs()
}

#[tokio::test]
async fn every_welcome_has_credentials_of_its_own() {
    let server = with_turn(URL, Duration::from_secs(3600));
    let before = seconds_since_1970();
    let (mut one, mut other) = (server.connect().await, server.connect().await);
    let (first, expires) = checked(&welcomed(&mut one).await);
    let (second, _) = checked(&welcomed(&mut other).await);
    let after = seconds_since_1970();
    assert_ne!(first, second);
    assert!((before + 3600..=after + 3600).contains(&expires));
}

#[tokio::test]
async fn credentials_are_renewed_before_they_expire_and_again() {
    let server = with_turn(URL, Duration::from_secs(4));
    let mut client = server.connect().await;
    let (mut username, mut expires) = checked(&welcomed(&mut client).await);
    for _ in 0..2 {
        let renewed = match client.next().await {
            ServerMessage::IceServers { ice_servers } => checked(&ice_servers),
            other => panic!("{other:?}"),
        };
        assert!(seconds_since_1970() < expires, "too late");
        assert_ne!(renewed.0, username);
        assert!(renewed.1 > expires);
        (username, expires) = renewed;
    }
}

/// A TURN server, ended when the test ends.
struct TurnServer(Child);

impl Drop for TurnServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[tokio::test]
async fn coturn_takes_the_credentials_and_no_others() {
    if !["turnserver", "turnutils_uclient"]
        .into_iter()
        .all(is_installed)
    {
        println!("SKIPPED: coturn is not installed");
        return;
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let within = |name: &str| folder.path().join(name).display().to_string();
    let turn = Command::new("turnserver")
        .arg("-n")
        .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1"])
        .args(["--use-auth-secret", "--realm=tabferry", "--no-cli"])
        .args(["--no-tls", "--no-dtls", "--allow-loopback-peers"])
        .arg(format!("--static-auth-secret={SECRET}"))
        .arg(format!("--listening-port={port}"))
        .arg(format!("--pidfile={}", within("pid")))
        .arg(format!("--userdb={}", within("db")))
        .args(["--log-file", "stdout"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _turn = TurnServer(turn);
    let address = ("127.0.0.1", port);
    eventually(true, async || TcpStream::connect(address).await.is_ok()).await;

    let server = with_turn(&format!("turn:127.0.0.1:{port}"), Duration::from_secs(3600));
    let servers = welcomed(&mut server.connect().await).await;
    let turn = &servers[1];
    let (username, credential) = (turn.username.as_ref(), turn.credential.as_ref());
    let passes = |credential: &str| {
        Command::new("turnutils_uclient")
            .args(["-y", "-n", "1", "-m", "1"])
            .args(["-u", username.unwrap(), "-w", credential])
            .args(["-p", &port.to_string(), "127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    assert!(passes(credential.unwrap()));
    assert!(!passes("bm90IHRoaXMgb25l"));
}
