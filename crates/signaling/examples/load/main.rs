//! Measures the signaling server against its bounds: idle clients, pairs that signal, a restart, floods beside honest
//! clients, and relayed bytes beside a bare pass-through. Started by `cargo xtask load`; ends with 1 when a bound is missed.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for a terminal: printing is its output"
)]

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod flood;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod pairs;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod restart;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// What to measure, and with how many.
#[derive(Debug, Parser)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "measures on Linux only")
)]
struct Arguments {
    /// The server's program.
    #[arg(long)]
    server: PathBuf,
    /// Idle clients.
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
    /// Pairs that signal to each other.
    #[arg(long, default_value_t = 200)]
    pairs: usize,
    /// How long each measurement of a rate takes.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only this.
    #[arg(long)]
    only: Option<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Memory of idle clients.
    Idle,
    /// Signals per second and how long they take.
    Pairs,
    /// All clients are back after the server was killed.
    Restart,
    /// Stalled readers and floods beside honest clients.
    Flood,
    /// Bytes per second through the relay.
    Relay,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when every bound was met.
#[cfg(target_os = "linux")]
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let server = &arguments.server;
    let mut met = true;
    let chosen = |part| arguments.only.is_none_or(|only| only == part);
    if chosen(Part::Idle) {
        met &= idle::measure(server, arguments.clients)?.print();
    }
    if chosen(Part::Pairs) {
        met &= pairs::measure(server, arguments.pairs, arguments.seconds)?.print();
    }
    if chosen(Part::Restart) {
        met &= restart::measure(server)?.print();
    }
    if chosen(Part::Flood) {
        met &= flood::measure(server, arguments.seconds)?.print();
    }
    if chosen(Part::Relay) {
        met &= relay::measure(arguments.seconds)?.print();
    }
    Ok(met)
}

#[cfg(not(target_os = "linux"))]
fn run(_: &Arguments) -> anyhow::Result<bool> {
    anyhow::bail!("the load is measured on Linux: it reads /proc and pins programs to processors")
}
