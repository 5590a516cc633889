//! How many bytes per second go through the relay, beside a bare pass-through of WebSockets in the same process.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use tabferry_protocol::relay::{PATH, RelayClientMessage, RelayServerMessage};
use tabferry_protocol::signaling::{ClientMessage, ServerMessage};
use tabferry_signaling::proxy::TrustedProxies;
use tabferry_signaling::{Config, Server};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::client::{Client, Start, binary_frame, text_frame};
use crate::report::Report;

/// What the product sends: a Noise record of the longest kind.
const FRAME_BYTES: usize = 65_535;

/// What goes through the relay at least, as a share of what goes through a bare pass-through: the relay's sockets have small
/// buffers in the kernel, so that each of many connections takes little.
const SHARE: f64 = 0.5;

/// Measured in turns, so that what else the machine does meets both.
const TURNS: u64 = 4;

pub(crate) fn measure(seconds: u64) -> anyhow::Result<Report> {
    let servers = runtime()?;
    let clients = runtime()?;
    let relay = servers.block_on(async {
        let mut config = Config::new(([127, 0, 0, 1], 0).into());
        config.trusted_proxies = TrustedProxies::new(["127.0.0.0/8".parse()?]);
        let server = Server::bind(config)?;
        let address = server.address();
        tokio::spawn(server.serve(std::future::pending()));
        anyhow::Ok(address)
    })?;
    let bare = servers.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(pass_through(listener));
        anyhow::Ok(address)
    })?;
    let turn = Duration::from_secs_f64(seconds as f64 / TURNS as f64);
    let (mut relayed, mut passed) = (0.0, 0.0);
    for number in 0..TURNS {
        relayed += clients.block_on(through_relay(relay, number, turn))?;
        passed += clients.block_on(through_bare(bare, turn))?;
    }
    let rate = |bytes: f64| bytes / seconds as f64 / 1e6;
    let mut report = Report::new("the relay beside a bare pass-through, one connection each");
    report.note(format!("{:.0} MB/s relayed", rate(relayed)));
    report.note(format!("{:.0} MB/s passed through", rate(passed)));
    report.bound(
        relayed >= SHARE * passed,
        format!("ratio {:.2} (at least {SHARE})", relayed / passed),
    );
    servers.shutdown_background();
    Ok(report)
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?)
}

/// Passes the messages of every first client on to the second one, as simply as the library allows.
async fn pass_through(listener: TcpListener) -> anyhow::Result<()> {
    loop {
        let (one, _) = listener.accept().await?;
        let one = tokio_tungstenite::accept_async(one).await?;
        let (other, _) = listener.accept().await?;
        let other = tokio_tungstenite::accept_async(other).await?;
        tokio::spawn(async move {
            let (_, mut from) = one.split();
            let (mut to, _) = other.split();
            while let Some(Ok(message)) = from.next().await {
                to.send(message).await?;
            }
            anyhow::Ok(())
        });
    }
}

/// Bytes that a bare pass-through moves in this time.
async fn through_bare(server: SocketAddr, time: Duration) -> anyhow::Result<f64> {
    let start = start(server, "/", "11.0.0.1");
    let sender = Client::open(start).await?;
    let receiver = Client::open(start).await?;
    moved(sender, receiver, u64::MAX, time).await
}

/// Bytes that the relay moves in this time.
async fn through_relay(server: SocketAddr, number: u64, time: Duration) -> anyhow::Result<f64> {
    let source = format!("11.0.1.{number}");
    let mut one = Client::greeted(Start::signaling(server, &source)).await?.0;
    let (mut other, id) = Client::greeted(Start::signaling(server, &source)).await?;
    one.join_nearby().await?;
    other.join_nearby().await?;
    one.say(&ClientMessage::OpenRelay { to: id }).await?;
    let ticket = loop {
        match one.hear().await? {
            ServerMessage::Relay { ticket, .. } => break ticket,
            ServerMessage::Error { code, .. } => anyhow::bail!("no ticket: {code:?}"),
            _ => {}
        }
    };
    let join = text_frame(&RelayClientMessage::Join { ticket }.encode());
    let start = start(server, PATH, &source);
    let mut sender = Client::open(start).await?;
    sender.send(&join).await?;
    let mut receiver = Client::open(start).await?;
    receiver.send(&join).await?;
    let mut credit = 0;
    for client in [&mut sender, &mut receiver] {
        credit = match relay_message(client.next().await?.payload)? {
            RelayServerMessage::Joined { credit } => credit,
            other => anyhow::bail!("{other:?}"),
        };
    }
    moved(sender, receiver, credit, time).await
}

fn start<'a>(server: SocketAddr, path: &'a str, source: &'a str) -> Start<'a> {
    Start {
        server,
        path,
        source,
        receive_buffer: None,
        buffer: 256 * 1024,
    }
}

fn relay_message(payload: &[u8]) -> anyhow::Result<RelayServerMessage> {
    Ok(RelayServerMessage::decode(std::str::from_utf8(payload)?)?)
}

/// Sends as much as the credit allows for this time. Returns how many bytes came out.
async fn moved(
    mut sender: Client,
    mut receiver: Client,
    mut credit: u64,
    time: Duration,
) -> anyhow::Result<f64> {
    let frame = binary_frame(&vec![7; FRAME_BYTES]);
    let end = Instant::now() + time;
    let sending = async {
        loop {
            while credit < FRAME_BYTES as u64 {
                match relay_message(sender.next().await?.payload)? {
                    RelayServerMessage::Credit { bytes } => credit += bytes,
                    other => anyhow::bail!("{other:?}"),
                }
            }
            if credit != u64::MAX {
                credit -= FRAME_BYTES as u64;
            }
            sender.send(&frame).await?;
        }
    };
    let receiving = async {
        let mut bytes = 0;
        while Instant::now() < end {
            let frame = receiver.next().await?;
            if frame.is_binary() {
                bytes += frame.payload.len();
            }
        }
        anyhow::Ok(bytes as f64)
    };
    let sending: std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>>>> = Box::pin(sending);
    tokio::select! {
        ended = sending => Err(ended.err().context("sending never ends")?),
        bytes = receiving => bytes,
    }
}
