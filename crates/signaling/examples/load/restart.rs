//! How long it takes until all clients are back after the server was killed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tabferry_protocol::limits::{SIGNALING_BACKOFF_MAX_MS, SIGNALING_BACKOFF_MIN_MS};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Client, Start};
use crate::program::Program;
use crate::report::Report;

const CLIENTS: usize = 2000;

/// All are back by then.
const BOUND: Duration = Duration::from_secs(60);

/// How long the server is away: long enough for the clients to have tried several times.
const AWAY: Duration = Duration::from_secs(5);

/// Kills the server under clients that come back as the product's do, and starts it again on its port.
pub(crate) fn measure(server: &Path) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut program = Program::start(server, ([127, 0, 0, 1], 0).into(), None, &[])?;
    let address = program.address;
    runtime.block_on(async {
        let online = Arc::new(Online::new());
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(live(address, number, online.clone()));
        }
        online.wait_for(CLIENTS, BOUND).await?;
        program.kill()?;
        online.wait_for(0, BOUND).await?;
        tokio::time::sleep(AWAY).await;
        let program = Program::start(server, address, None, &[])?;
        let began = Instant::now();
        let back = online.wait_for(CLIENTS, BOUND).await;
        let took = began.elapsed();
        let mut report = Report::new(format!(
            "{CLIENTS} clients after kill -9 of the server, which was away for {} s",
            AWAY.as_secs()
        ));
        report.bound(
            back.is_ok(),
            format!(
                "{} are back after {:.1} s (all within {} s)",
                online.count.load(Ordering::Relaxed),
                took.as_secs_f64(),
                BOUND.as_secs()
            ),
        );
        report.note(format!(
            "{:.2} s of processor time of the server for that",
            program.processor_time()?.as_secs_f64()
        ));
        Ok(report)
    })
}

/// How many clients are in their room.
#[derive(Debug)]
struct Online {
    count: AtomicUsize,
    changed: watch::Sender<()>,
}

impl Online {
    fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            changed: watch::Sender::new(()),
        }
    }

    fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.changed.send_replace(());
    }

    fn remove(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.changed.send_replace(());
    }

    async fn wait_for(&self, number: usize, patience: Duration) -> anyhow::Result<()> {
        let mut changed = self.changed.subscribe();
        let reached = async {
            while self.count.load(Ordering::Relaxed) != number {
                if changed.changed().await.is_err() {
                    break;
                }
            }
        };
        let done = tokio::time::timeout(patience, reached).await;
        ensure!(done.is_ok(), "not all clients changed in time");
        Ok(())
    }
}

/// A client that always wants to be connected, with the product's back-off: a random time up to a bound that doubles.
async fn live(server: SocketAddr, number: usize, online: Arc<Online>) {
    let household = number / 4;
    let source = format!("11.{}.{}.1", household / 256, household % 256);
    let mut attempts = 0;
    loop {
        let opened = async {
            let mut start = Start::signaling(server, &source);
            start.buffer = 1024;
            let (mut client, _) = Client::greeted(start).await?;
            client.join_nearby().await?;
            anyhow::Ok(client)
        };
        if let Ok(mut client) = opened.await {
            attempts = 0;
            online.add();
            while client.next().await.is_ok() {}
            online.remove();
        }
        let bound = (SIGNALING_BACKOFF_MIN_MS << attempts.min(16)).min(SIGNALING_BACKOFF_MAX_MS);
        attempts += 1;
        tokio::time::sleep(Duration::from_millis(up_to(bound))).await;
    }
}

/// A random number below `bound`.
fn up_to(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    // Without randomness all come back at once, which is the harder case.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes) % bound
}
