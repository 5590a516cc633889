//! The program as people start it: its first line, its answers on the command line, signals and exit codes.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tabferry_protocol::id::PairTag;
use tabferry_protocol::signaling::SignalingCode;
use tokio::net::TcpStream;

use crate::client::{PATIENCE, code, group, handshake, opening, pair};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tabferry-signaling");

/// A running program, killed when the test ends.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .strip_prefix("listening on ws://")
            .and_then(|rest| rest.strip_suffix('\n'))
            .unwrap_or_else(|| panic!("first line: {line:?}"));
        Self {
            address: address.parse().unwrap(),
            child,
        }
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the program does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&mut self) -> String {
        let mut log = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn signals_close_every_client_and_end_the_program_well() {
    for signal in ["TERM", "INT"] {
        let mut server = Running::start(&[]);
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut client = handshake(stream, &[]).await.unwrap();
        client.greet("Desk").await;
        let began = Instant::now();
        server.signal(signal);
        assert_eq!(client.closed().await, (1012, "shutting-down".to_owned()));
        assert_eq!(server.wait().code(), Some(0), "{signal}");
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        let log = server.log();
        assert!(log.contains("stopped"), "{log}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn addresses_are_logged_only_on_request_and_names_never() {
    for (arguments, shown) in [
        (&["--log-json"][..], false),
        (&[][..], false),
        (&["--log-json", "--log-addresses"][..], true),
    ] {
        let common = ["--log-level", "debug", "--trusted-proxy", "127.0.0.1"];
        let mut server = Running::start(&[&common[..], arguments].concat());
        let stream = TcpStream::connect(server.address).await.unwrap();
        let headers = [("x-forwarded-for", "203.0.113.77")];
        let mut client = handshake(stream, &headers).await.unwrap();
        client.greet("Unmistakable").await;
        client.open(code("7K3M")).await;
        client.send(&opening(code("7K3M"))).await;
        client
            .expect_refused(SignalingCode::Taken, code("7K3M"))
            .await;
        client.enter(group("F0RTYB1T")).await;
        client.enter(pair(7)).await;
        server.signal("TERM");
        client.closed().await;
        server.wait();
        let log = server.log();
        assert!(log.contains("disconnected"), "{log}");
        assert_eq!(log.contains("203.0.113.77"), shown, "{log}");
        let tag = PairTag::from_bytes([7; 16]).to_string();
        for secret in ["Unmistakable", "7K3M", "F0RTYB1T", &tag] {
            assert!(!log.contains(secret), "{log}");
        }
        if arguments.contains(&"--log-json") {
            for line in log.lines() {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
    }
}

#[test]
fn what_cannot_work_is_said_in_words_and_exits_with_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, words) in [
        (
            &["--listen", &taken][..],
            "another program uses this port already",
        ),
        (
            &["--listen", "203.0.113.1:0"],
            "this machine has no such address",
        ),
        (&["--listen", "localhost"], "invalid socket address"),
        (
            &["--trusted-proxy", "10.0.0.0/33"],
            "an address or a network is needed",
        ),
        (
            &["--trusted-proxy", "proxy"],
            "an address or a network is needed",
        ),
        (&["--allow-origin", "example.org"], "a web origin is needed"),
        (
            &["--turn-server", "turn:turn.example.org:3478"],
            "--turn-secret-file",
        ),
        (
            &["--turn-secret-file", "/nonexistent/secret"],
            "--turn-server",
        ),
        (
            &[
                "--turn-server",
                "turn:turn.example.org:3478",
                "--turn-secret-file",
                "/nonexistent/secret",
            ],
            "can't read the TURN secret in /nonexistent/secret",
        ),
        (
            &[
                "--turn-server",
                "stun:stun.example.org",
                "--turn-secret-file",
                "x",
            ],
            "must begin with turn: or turns:",
        ),
        (
            &[
                "--turn-server",
                "turn:a.example.org,anna,secret",
                "--turn-secret-file",
                "x",
            ],
            "they are made from the secret",
        ),
        (
            &["--turn-server", "turn:", "--turn-secret-file", "x"],
            "a URL such as turn:HOST:PORT is needed",
        ),
        (&["--relay-quota-gib", "0"], "--relay-quota-gib"),
        (
            &["--ice-server", "https://example.org"],
            "must begin with stun:",
        ),
        (
            &["--ice-server", "stun:"],
            "a URL such as stun:HOST:PORT is needed",
        ),
        (
            &["--ice-server", "turn:turn.example.org"],
            "a TURN server needs both",
        ),
        (
            &["--ice-server", "stun:stun.example.org,user,secret"],
            "takes no username",
        ),
        (&["--tls-cert", "cert.pem"], "--tls-key"),
        (
            &["--tls-cert", "missing.pem", "--tls-key", "missing.pem"],
            "can't read missing.pem",
        ),
        (&["--message-burst", "0"], "--message-burst"),
        (&["--no-such-option"], "--no-such-option"),
        (
            &[
                "--ice-server",
                "stun:a stun:b stun:c stun:d stun:e stun:f stun:g stun:h stun:i",
            ],
            "9 ICE servers",
        ),
    ] {
        let output = run(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(words), "{words:?} not in {text:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        assert!(!text.contains("panicked"), "{text}");
    }
}

#[test]
fn help_and_version_are_given() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for option in [
        "--listen",
        "127.0.0.1:7717",
        "--ice-server",
        "--trusted-proxy",
        "--allow-origin",
        "--tls-cert",
        "--tls-key",
        "--log-addresses",
        "--source-connections",
        "--no-relay",
        "--relay-quota-gib",
        "--turn-server",
        "--turn-secret-file",
    ] {
        assert!(help.contains(option), "{option} not in {help}");
    }
    let version = String::from_utf8(run(&["--version"]).stdout).unwrap();
    let expected = format!("tabferry-signaling {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(version, expected);
}
