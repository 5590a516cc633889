//! How many signals the server passes on with one processor, and how long they take.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tabferry_protocol::id::PeerId;

use crate::client::{Client, SDP_BYTES, Start, signal_frame};
use crate::program::{Apart, Program};
use crate::report::{Report, Times, ms};

/// The bounds for 200 pairs with the server on one processor.
const MESSAGES_PER_SECOND: f64 = 60_000.0;
const P99: Duration = Duration::from_millis(10);

/// The server's processor; the clients have the others.
const PROCESSOR: usize = 0;

/// Not measured at first, until everything has been used once.
const WARM_UP: Duration = Duration::from_secs(2);

/// Two clients in a room of their own.
#[derive(Debug)]
pub(crate) struct Pair {
    clients: [Client; 2],
    /// What each of them sends to the other.
    frames: [Vec<u8>; 2],
}

impl Pair {
    pub(crate) async fn open(server: SocketAddr, number: usize) -> anyhow::Result<Self> {
        let source = format!("11.{}.{}.1", number / 256, number % 256);
        let start = Start::signaling(server, &source);
        let (mut one, one_id) = Client::greeted(start).await?;
        let (mut other, other_id) = Client::greeted(start).await?;
        one.join_nearby().await?;
        other.join_nearby().await?;
        // That the other one has come.
        one.hear().await?;
        let signal = |to: PeerId| signal_frame(to, SDP_BYTES);
        Ok(Self {
            clients: [one, other],
            frames: [signal(other_id), signal(one_id)],
        })
    }

    /// Sends a signal there and one back. Returns how long each took.
    pub(crate) async fn exchange(&mut self) -> anyhow::Result<[Duration; 2]> {
        let [one, other] = &mut self.clients;
        let began = Instant::now();
        one.send(&self.frames[0]).await?;
        other.next().await?;
        let between = Instant::now();
        other.send(&self.frames[1]).await?;
        one.next().await?;
        Ok([between - began, between.elapsed()])
    }

    pub(crate) fn message_bytes(&self) -> usize {
        self.frames[0].len()
    }
}

/// Lets pairs signal to each other as fast as they can, each with one signal on its way.
pub(crate) fn measure(server: &Path, pairs: usize, seconds: u64) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _apart = Apart::from(PROCESSOR)?;
    // No client of the product sends so much.
    let unlimited = [
        "--message-burst",
        "1000000",
        "--messages-per-minute",
        "1000000000",
    ];
    let program = Program::start(
        server,
        ([127, 0, 0, 1], 0).into(),
        Some(PROCESSOR),
        &unlimited,
    )?;
    runtime.block_on(async {
        let mut opened = Vec::new();
        for number in 0..pairs {
            opened.push(Pair::open(program.address, number).await?);
        }
        let bytes = opened.first().map_or(0, Pair::message_bytes);
        let begin = Instant::now() + WARM_UP;
        let end = begin + Duration::from_secs(seconds);
        let exchanges = opened.into_iter().map(|mut pair| async move {
            let mut times = Times::default();
            loop {
                let [there, back] = pair.exchange().await?;
                let now = Instant::now();
                if now >= end {
                    return anyhow::Ok(times);
                }
                if now >= begin {
                    times.add(there);
                    times.add(back);
                }
            }
        });
        let watch = async {
            tokio::time::sleep_until(begin.into()).await;
            let before = program.processor_time()?;
            tokio::time::sleep_until((end - Duration::from_millis(50)).into()).await;
            anyhow::Ok(program.processor_time()? - before)
        };
        let (all, used) = tokio::try_join!(try_join_all(exchanges), watch)?;
        let mut times = Times::default();
        all.into_iter().for_each(|some| times.extend(some));
        let rate = times.len() as f64 / seconds as f64;
        let mut report = Report::new(format!(
            "{pairs} pairs, signals of {bytes} bytes, the server on one processor"
        ));
        report.bound(
            rate >= MESSAGES_PER_SECOND,
            format!("{rate:.0} messages/s (at least {MESSAGES_PER_SECOND:.0})"),
        );
        let (p50, p99) = (times.per_mille(500), times.per_mille(990));
        report.note(format!("p50 {}", ms(p50)));
        report.bound(p99 <= P99, format!("p99 {} (at most {})", ms(p99), ms(P99)));
        report.note(format!(
            "{:.0} % of a processor, {:.1} MiB",
            100.0 * used.as_secs_f64() / seconds as f64,
            program.resident_kib()? as f64 / 1024.0
        ));
        Ok(report)
    })
}
