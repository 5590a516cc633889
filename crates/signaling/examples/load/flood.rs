//! Whether honest clients notice a thousand that don't read and a thousand that send as much as they can.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use crate::client::{Client, SDP_BYTES, Start, signal_frame};
use crate::pairs::Pair;
use crate::program::Program;
use crate::report::{Report, Times, ms};

const STALLED: usize = 1000;
const FLOODS: usize = 1000;

/// Pairs that signal now and then, as the product's do.
const PAIRS: usize = 50;
const PAUSE: Duration = Duration::from_millis(1100);

/// Signals to a reader that stalls, at once: more than all buffers on the way hold.
const BURST: usize = 60;
const LONG_SDP_BYTES: usize = 14 * 1024;

const P99: Duration = Duration::from_millis(100);
const MIB: u64 = 256;

/// Signals of pairs while others misbehave.
pub(crate) fn measure(server: &Path, seconds: u64) -> anyhow::Result<Report> {
    // The attackers have threads of their own, so that the honest clients' times are the server's.
    let attackers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let honest = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let program = Program::start(server, ([127, 0, 0, 1], 0).into(), None, &[])?;
    let address = program.address;
    let mut pairs = honest.block_on(async {
        stream::iter(0..PAIRS)
            .map(|number| Pair::open(address, number))
            .buffered(10)
            .try_collect::<Vec<_>>()
            .await
    })?;
    let attack = attackers.block_on(async {
        let mut attack = JoinSet::new();
        for number in 0..STALLED {
            attack.spawn(stall(address, number));
        }
        for number in 0..FLOODS {
            attack.spawn(flood(address, number));
        }
        attack
    });
    let (mut times, cut) = honest.block_on(async {
        let end = Instant::now() + Duration::from_secs(seconds);
        let all = join_all(
            pairs
                .iter_mut()
                .enumerate()
                .map(|(number, pair)| async move {
                    let mut times = Times::default();
                    let share = u32::try_from(number).unwrap_or_default();
                    tokio::time::sleep(PAUSE * share / 50).await;
                    while Instant::now() < end {
                        match pair.exchange().await {
                            Ok(both) => both.into_iter().for_each(|time| times.add(time)),
                            Err(_) => return (times, true),
                        }
                        tokio::time::sleep(PAUSE).await;
                    }
                    (times, false)
                }),
        )
        .await;
        let mut times = Times::default();
        let mut cut = 0;
        for (some, ended) in all {
            times.extend(some);
            cut += usize::from(ended);
        }
        (times, cut)
    });
    let kib = program.resident_kib()?;
    drop(attack);
    attackers.shutdown_background();
    let mut report = Report::new(format!(
        "{PAIRS} honest pairs beside {STALLED} clients that don't read and {FLOODS} floods"
    ));
    let (p50, p99) = (times.per_mille(500), times.per_mille(990));
    report.note(format!("{} signals, p50 {}", times.len(), ms(p50)));
    report.bound(p99 < P99, format!("p99 {} (below {})", ms(p99), ms(P99)));
    report.bound(cut == 0, format!("{cut} honest pairs were cut (none)"));
    report.bound(
        kib <= MIB * 1024,
        format!("{:.1} MiB resident (at most {MIB})", kib as f64 / 1024.0),
    );
    report.note(format!(
        "{} signals were refused since their readers don't read; floods were closed {} times",
        BUSY.load(Ordering::Relaxed),
        CLOSED.load(Ordering::Relaxed)
    ));
    Ok(report)
}

/// Signals to stalled readers that the server did not take.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// How often the server has closed a flood's socket.
static CLOSED: AtomicUsize = AtomicUsize::new(0);

/// A client that joins a room and reads nothing, while another one in the room signals to it.
async fn stall(server: SocketAddr, number: usize) {
    let source = format!("12.{}.{}.1", number / 256, number % 256);
    let attempt = async {
        let mut start = Start::signaling(server, &source);
        start.receive_buffer = Some(4096);
        let (mut stalled, id) = Client::greeted(start).await?;
        stalled.join_nearby().await?;
        let (mut sender, _) = Client::greeted(Start::signaling(server, &source)).await?;
        sender.join_nearby().await?;
        let frame = signal_frame(id, LONG_SDP_BYTES);
        let mut sent = 0;
        loop {
            // Within what a client may send, so that only the reader misbehaves. At first enough to fill every buffer.
            sender.send(&frame).await?;
            sent += 1;
            let pause = Duration::from_millis(if sent < BURST { 10 } else { 1000 });
            // Hears what was refused.
            let mut pause = pin!(tokio::time::sleep(pause));
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    heard = sender.next() => {
                        if heard?.payload.windows(6).any(|word| word == b"\"busy\"") {
                            BUSY.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            }
        }
    };
    // However it ended: it was no honest client's.
    let _: anyhow::Result<Infallible> = attempt.await;
}

/// A client that sends as fast as it can, and comes back when it is closed, as fast as it may.
async fn flood(server: SocketAddr, number: usize) {
    let source = format!("13.{}.{}.1", number / 256, number % 256);
    for _ in 0..40 {
        let attempt = async {
            let (mut client, id) = Client::greeted(Start::signaling(server, &source)).await?;
            client.join_nearby().await?;
            let frame = signal_frame(id, SDP_BYTES);
            loop {
                client.send(&frame).await?;
            }
        };
        let _: anyhow::Result<Infallible> = attempt.await;
        CLOSED.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
