//! Whether honest clients notice a thousand that don't read and a thousand that send as much as they can.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinSet;

use crate::client::{Client, Start, signal_frame};
use crate::pairs::Pair;
use crate::program::Program;
use crate::report::{Report, Times, ms};

const STALLED: usize = 1000;
const FLOODS: usize = 1000;

/// Pairs that signal now and then, as the product's do.
const PAIRS: usize = 50;
const PAUSE: Duration = Duration::from_millis(1100);

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
    let mut attack = attack;
    let (mut stalls, mut refused) = (0, 0);
    while let Some(ended) = attack.try_join_next() {
        match ended {
            Ok(Attack::Stalled) => stalls += 1,
            Ok(Attack::Flooded) => refused += 1,
            Err(error) => return Err(error.into()),
        }
    }
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
        "{stalls} connections of stalled readers and {refused} of floods were closed"
    ));
    Ok(report)
}

/// How an attacker's connection ended.
#[derive(Debug, Clone, Copy)]
enum Attack {
    Stalled,
    Flooded,
}

/// A client that joins a room and reads nothing, while another one in the room signals to it.
async fn stall(server: std::net::SocketAddr, number: usize) -> Attack {
    let source = format!("12.{}.{}.1", number / 256, number % 256);
    let attempt = async {
        let mut start = Start::signaling(server, &source);
        start.receive_buffer = Some(4096);
        let (mut stalled, id) = Client::greeted(start).await?;
        stalled.join_nearby().await?;
        let (mut sender, _) = Client::greeted(Start::signaling(server, &source)).await?;
        sender.join_nearby().await?;
        let frame = signal_frame(id);
        loop {
            // Within what a client may send, so that only the reader misbehaves; answers must be read.
            sender.send(&frame).await?;
            let pause = tokio::time::sleep(Duration::from_millis(500));
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    heard = sender.next() => { heard?; }
                }
            }
        }
    };
    let ended: anyhow::Result<std::convert::Infallible> = attempt.await;
    drop(ended);
    Attack::Stalled
}

/// A client that sends as fast as it can, and comes back when it is closed, as fast as it may.
async fn flood(server: std::net::SocketAddr, number: usize) -> Attack {
    let source = format!("13.{}.{}.1", number / 256, number % 256);
    for _ in 0..40 {
        let attempt = async {
            let (mut client, id) = Client::greeted(Start::signaling(server, &source)).await?;
            client.join_nearby().await?;
            let frame = signal_frame(id);
            loop {
                client.send(&frame).await?;
            }
        };
        let ended: anyhow::Result<std::convert::Infallible> = attempt.await;
        drop(ended);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Attack::Flooded
}
