//! Engines among themselves: several in one thread, with a simulated server, network, storage, people and clock, all from
//! one seed. Whatever goes wrong, nothing is stored that nobody accepted, nothing else than was sent, every transfer has
//! exactly one end, and what nothing disturbs arrives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "a simulation that is not as expected ends with a panic"
)]

#[path = "simulation/attacks.rs"]
mod attacks;
#[path = "simulation/checks.rs"]
mod checks;
#[path = "simulation/codes.rs"]
mod codes;
#[path = "simulation/content.rs"]
mod content;
#[path = "simulation/faults.rs"]
mod faults;
#[path = "simulation/hostile.rs"]
mod hostile;
#[path = "simulation/ledger.rs"]
mod ledger;
#[path = "simulation/middle.rs"]
mod middle;
#[path = "simulation/network.rs"]
mod network;
#[path = "simulation/pairing.rs"]
mod pairing;
#[path = "simulation/people.rs"]
mod people;
#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/scenarios.rs"]
mod scenarios;
#[path = "simulation/server.rs"]
mod server;
#[path = "simulation/storage.rs"]
mod storage;
#[path = "simulation/trace.rs"]
mod trace;
#[path = "simulation/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::faults::run_schedule;
use crate::world::Tally;

/// Threads that share the schedules.
const THREADS: usize = 2;

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} must be a number, and is {text:?}")),
    )
}

/// Runs what failed once more, to tell what led to it. `again` is what is to be set to run it alone.
fn explain(again: &str, lines: usize, run: impl FnOnce()) -> ! {
    trace::start(lines);
    let failure = catch_unwind(AssertUnwindSafe(run)).err();
    let lines = trace::take().join("\n");
    let Some(failure) = failure else {
        panic!("{again} failed, and does not any more: something is not decided by the seed");
    };
    let message = failure.downcast_ref::<String>().map(String::as_str);
    let message = message
        .or_else(|| failure.downcast_ref::<&str>().copied())
        .unwrap_or_default();
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    panic!(
        "{again} fails after\n{lines}\n{message}\n\
         Again: {again} cargo test -p tabferry-engine --test simulation {test}"
    );
}

/// Runs one schedule, which its seed stands for.
fn explain_schedule(seed: u64, lines: usize) -> ! {
    explain(&format!("TABFERRY_SEED={seed}"), lines, || {
        run_schedule(seed);
    })
}

#[test]
fn ten_thousand_random_schedules() {
    if let Some(seed) = number_from("TABFERRY_SEED") {
        if catch_unwind(AssertUnwindSafe(|| run_schedule(seed))).is_err() {
            explain_schedule(seed, usize::MAX);
        }
        return;
    }
    let schedules = number_from("TABFERRY_SCHEDULES").unwrap_or(10_000);
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let failed = AtomicU64::new(u64::MAX);
    let total = Mutex::new(Tally::default());
    let work = || {
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= schedules || failed.load(Ordering::Relaxed) != u64::MAX {
                break;
            }
            match catch_unwind(AssertUnwindSafe(|| run_schedule(seed))) {
                Ok(of_schedule) => tally.add(of_schedule),
                Err(_) => {
                    failed.fetch_min(seed, Ordering::Relaxed);
                }
            }
        }
        total.lock().unwrap().add(tally);
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner();
    if failed != u64::MAX {
        explain_schedule(failed, 200);
    }
    let Tally {
        steps,
        transfers,
        done,
        declined,
        cancelled,
        failed,
        files_stored,
        undisturbed,
        most_unwritten,
        bytes_received: _,
    } = total.into_inner().unwrap();
    println!(
        "{schedules} schedules, {transfers} transfers ({done} ends done, {declined} declined, {cancelled} cancelled, \
         {failed} failed; {undisturbed} undisturbed, all done), {files_stored} files stored, {steps} steps, \
         {most_unwritten} bytes unwritten at most, {:.1} s",
        started.elapsed().as_secs_f64()
    );
}
