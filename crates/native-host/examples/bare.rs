//! One end of a bare peer connection for `cargo xtask bench host`: webrtc-rs with the product's settings and nothing of the
//! product on top, no engine, no disk, no digest. It is told what to do by JSON lines on standard input and tells what
//! happens on standard output; it sends or counts bytes on the bulk channel as fast as it can.
//!
//! In: `{"do":"offer"}`, `{"do":"description","type":"offer"|"answer","sdp":…}`,
//! `{"do":"candidate","candidate":…,"mid":…}`, `{"do":"send","bytes":…,"message":…}` (once open; `message` is the size of
//! each), `{"do":"expect","bytes":…}` (once open, before the other end sends), `{"do":"close"}`.
//!
//! Out: `{"tell":"description",…}`, `{"tell":"candidate",…}`, `{"tell":"open"}`, `{"tell":"ready"}` (to expect),
//! `{"tell":"received","bytes":…,"seconds":…,"mb_per_s":…}` (from the first message to the last), `{"tell":"sent",…}` (all
//! acknowledged), `{"tell":"closed"}`. Megabytes are 10^6 bytes.
//!
//! `bare --loopback BYTES [MESSAGE_BYTES]` measures two ends in two processes by itself.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use tabferry_host::connection::platform::{self, Peer};
use tabferry_protocol::limits::CHUNK_BYTES;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceCandidateInit, RTCPeerConnectionIceEvent,
    RTCSessionDescription,
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Order {
    Offer,
    Description {
        #[serde(rename = "type")]
        kind: Kind,
        sdp: String,
    },
    Candidate {
        candidate: String,
        mid: Option<String>,
    },
    Send {
        bytes: usize,
        message: usize,
    },
    Expect {
        bytes: usize,
    },
    Close,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "lowercase")]
enum Report {
    Description {
        #[serde(rename = "type")]
        kind: Kind,
        sdp: String,
    },
    Candidate {
        candidate: String,
        mid: Option<String>,
    },
    Open,
    Ready,
    Received(Measured),
    Sent(Measured),
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Offer,
    Answer,
}

#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    bytes: usize,
    seconds: f64,
    mb_per_s: f64,
}

impl Measured {
    fn since(began: Instant, bytes: usize) -> Self {
        let seconds = began.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate that is printed")]
        let mb_per_s = bytes as f64 / 1e6 / seconds;
        Self {
            bytes,
            seconds,
            mb_per_s,
        }
    }
}

struct Handler(mpsc::Sender<String>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            let _ = self.0.try_send(candidate.candidate);
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        None => serve().await,
        Some("--loopback") => {
            let bytes = arguments.next().context("how many bytes?")?.parse()?;
            let message = arguments
                .next()
                .map_or(Ok(CHUNK_BYTES), |size| size.parse())?;
            measure(bytes, message).await
        }
        Some(other) => bail!("unknown argument {other}"),
    }
}

/// One end, as it is told.
async fn serve() -> anyhow::Result<()> {
    let (found, mut candidates) = mpsc::channel(256);
    let peer = Peer::new(&[], Arc::new(Handler(found))).await?;
    let (ordered, mut orders) = mpsc::channel(64);
    // Ends with the process: standard input can't be read without a thread of its own.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if ordered.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let opening = Arc::clone(&peer.bulk);
    let mut opening = std::pin::pin!(async move { opening.poll().await });
    let mut is_open = false;
    loop {
        tokio::select! {
            event = &mut opening, if !is_open => {
                is_open = matches!(event, Some(DataChannelEvent::OnOpen));
                if !is_open {
                    bail!("the channel did not open: {event:?}");
                }
                tell(&Report::Open)?;
            }
            Some(candidate) = candidates.recv() => {
                tell(&Report::Candidate { candidate, mid: Some("0".to_owned()) })?;
            }
            order = orders.recv() => {
                let Some(order) = order else { break };
                match serde_json::from_str(&order)? {
                    Order::Send { bytes, message } => {
                        let measured = send(&*peer.bulk, bytes, message).await?;
                        tell(&Report::Sent(measured))?;
                    }
                    Order::Expect { bytes } => {
                        tell(&Report::Ready)?;
                        let measured = receive(&*peer.bulk, bytes).await?;
                        tell(&Report::Received(measured))?;
                    }
                    Order::Close => break,
                    order => negotiate(&peer, order).await?,
                }
            }
        }
    }
    peer.connection.close().await?;
    tell(&Report::Closed)
}

async fn negotiate(peer: &Peer, order: Order) -> anyhow::Result<()> {
    let connection = &peer.connection;
    let (kind, made) = match order {
        Order::Offer => (Kind::Offer, connection.create_offer(None).await?),
        Order::Description {
            kind: Kind::Offer,
            sdp,
        } => {
            peer.sockets.tune_for(&sdp);
            let offer = RTCSessionDescription::offer(sdp)?;
            connection.set_remote_description(offer).await?;
            (Kind::Answer, connection.create_answer(None).await?)
        }
        Order::Description { sdp, .. } => {
            peer.sockets.tune_for(&sdp);
            let answer = RTCSessionDescription::answer(sdp)?;
            return Ok(connection.set_remote_description(answer).await?);
        }
        Order::Candidate { candidate, mid } => {
            let candidate = RTCIceCandidateInit {
                candidate,
                sdp_mid: mid,
                ..RTCIceCandidateInit::default()
            };
            // One that can't be used says nothing of the others.
            let _ = connection.add_ice_candidate(candidate).await;
            return Ok(());
        }
        _ => return Ok(()),
    };
    let sdp = platform::signed(&made.sdp);
    connection.set_local_description(made).await?;
    tell(&Report::Description { kind, sdp })
}

async fn send(channel: &dyn DataChannel, bytes: usize, message: usize) -> anyhow::Result<Measured> {
    let began = Instant::now();
    let mut left = bytes;
    while left > 0 {
        let next = left.min(message);
        channel.send(BytesMut::zeroed(next)).await?;
        left -= next;
    }
    while channel.outstanding_bytes().await? > 0 {
        // Every acknowledgement counts, and not each is an event.
        if let Ok(None) = timeout(Duration::from_millis(1), channel.poll()).await {
            bail!("the channel closed");
        }
    }
    Ok(Measured::since(began, bytes))
}

async fn receive(channel: &dyn DataChannel, bytes: usize) -> anyhow::Result<Measured> {
    let mut began = None;
    let mut received = 0;
    loop {
        match channel.poll().await {
            Some(DataChannelEvent::OnMessage(message)) => {
                let began = *began.get_or_insert_with(Instant::now);
                received += message.data.len();
                if received >= bytes {
                    return Ok(Measured::since(began, received));
                }
            }
            Some(DataChannelEvent::OnClose | DataChannelEvent::OnError) | None => {
                bail!("the channel closed after {received} bytes")
            }
            Some(_) => {}
        }
    }
}

fn tell(report: &Report) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()?;
    Ok(())
}

/// An end in a process of its own.
struct End {
    child: Child,
    orders: ChildStdin,
    reports: tokio::io::Lines<BufReader<ChildStdout>>,
}

impl End {
    fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().context("standard input")?;
        let out = child.stdout.take().context("standard output")?;
        let reports = BufReader::new(out).lines();
        Ok(Self {
            child,
            orders,
            reports,
        })
    }

    async fn order(&mut self, order: &Order) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        Ok(self.orders.write_all(&line).await?)
    }

    async fn next(&mut self) -> anyhow::Result<Report> {
        let line = self.reports.next_line().await?.context("it has ended")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// The next report that is not about the negotiation.
    async fn result(&mut self) -> anyhow::Result<Report> {
        loop {
            match self.next().await? {
                Report::Candidate { .. } | Report::Description { .. } | Report::Open => {}
                report => return Ok(report),
            }
        }
    }
}

/// Carries what one end reports to the other. Whether the report was that it is open.
async fn carry(report: Report, to: &mut End) -> anyhow::Result<bool> {
    match report {
        Report::Description { kind, sdp } => to.order(&Order::Description { kind, sdp }).await?,
        Report::Candidate { candidate, mid } => {
            to.order(&Order::Candidate { candidate, mid }).await?;
        }
        Report::Open => return Ok(true),
        report => bail!("too early: {report:?}"),
    }
    Ok(false)
}

async fn measure(bytes: usize, message: usize) -> anyhow::Result<()> {
    let (mut sender, mut receiver) = (End::start()?, End::start()?);
    let began = Instant::now();
    sender.order(&Order::Offer).await?;
    let (mut here, mut there) = (false, false);
    while !(here && there) {
        tokio::select! {
            report = sender.next() => here |= carry(report?, &mut receiver).await?,
            report = receiver.next() => there |= carry(report?, &mut sender).await?,
        }
    }
    let connected = began.elapsed();
    receiver.order(&Order::Expect { bytes }).await?;
    receiver.result().await?;
    sender.order(&Order::Send { bytes, message }).await?;
    let received = receiver.result().await?;
    let sent = sender.result().await?;
    for end in [&mut sender, &mut receiver] {
        end.order(&Order::Close).await?;
        end.child.wait().await?;
    }
    let connected_ms = connected.as_millis();
    let line =
        serde_json::json!({ "connected_ms": connected_ms, "received": received, "sent": sent });
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(())
}
