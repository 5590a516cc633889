//! `cargo xtask`: the one tool to build, try, test and measure. Each command has its own file; this one only knows their
//! names. What CI runs is `cargo xtask ci`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for a terminal: printing is its output"
)]

mod build;
mod node;
mod process;
mod size;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, tries, tests and measures Tabferry.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the extension (target/extension/chromium) and the programs (target/release)
    Build,
    /// Show the sizes of what the extension's contexts load, and fail when one is over its budget
    Size,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::load()?;
    match task {
        Task::Build => {
            build::extension(&workspace)?;
            build::programs(&workspace)
        }
        Task::Size => size::report(&workspace),
    }
}
