//! `cargo xtask`: the one tool to build, try, test and measure. Each command has its own file; this one only knows their
//! names.
#![expect(
    clippy::disallowed_methods,
    reason = "what it writes is built, and nobody else's"
)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for a terminal: printing is its output"
)]

mod build;
mod checks;
mod chromium;
mod counts;
mod dist;
mod load;
mod node;
mod process;
mod script;
mod size;
mod test;
mod tidy;
mod toolchain;
mod wasm;
mod workspace;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand, ValueEnum};

use crate::script::EndsOn;
use crate::workspace::Workspace;

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
    /// Send a page, a link and a file from one browser to another on this machine
    Demo {
        /// Show two browsers and leave them to you until you press Enter or close them
        #[arg(long)]
        open: bool,
    },
    /// Run the tests, all or one group
    Test {
        /// Which group
        group: Option<test::Group>,
        /// Passed on to cargo test or Playwright, for instance a filter
        #[arg(last = true, requires = "group")]
        arguments: Vec<String>,
    },
    /// Measure beside a bare data channel in the same run
    Bench {
        /// What to measure
        what: Bench,
    },
    /// Measure the signaling server under load; fails when a bound is missed
    Load(load::Load),
    /// Show the sizes of what the extension's contexts load, and fail when one is over its budget
    Size,
    /// Make what a release consists of, in target/dist: the extension, the program for this system, checksums
    Dist {
        /// Make everything twice and look into it
        #[arg(long)]
        check: bool,
    },
    /// Check the rules of the code base that no compiler knows
    Tidy,
    /// Run everything that has to pass: formatting, lints, tidy, size, tests
    Ci,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bench {
    /// The speed of a transfer from browser to browser
    Browser,
    /// How long it takes until a session can be used, and what of it is the handshake
    Handshake,
    /// The speed of bytes to the native host, from a browser and from another host
    Host,
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
    let workspace = Workspace::load()?;
    match task {
        Task::Build => {
            build::extension(&workspace)?;
            build::programs(&workspace)
        }
        Task::Demo { open: false } => typescript(&workspace, &["demo.ts"], EndsOn::Interrupt),
        Task::Demo { open: true } => {
            script::check_desktop()?;
            typescript(&workspace, &["demo.ts", "--open"], EndsOn::Enter)
        }
        Task::Test { group, arguments } => {
            let summary = test::run(&workspace, *group, arguments);
            let passed = summary.print();
            println!("{}", summary.counts());
            if !passed {
                std::process::exit(1);
            }
            Ok(())
        }
        Task::Bench {
            what: Bench::Browser,
        } => typescript(&workspace, &["bench-browser.ts"], EndsOn::Interrupt),
        Task::Bench {
            what: Bench::Handshake,
        } => typescript(&workspace, &["bench-handshake.ts"], EndsOn::Interrupt),
        Task::Bench { what: Bench::Host } => {
            build::bare_host(&workspace)?;
            typescript(&workspace, &["bench-host.ts"], EndsOn::Interrupt)
        }
        Task::Load(load) => load::run(&workspace, load),
        Task::Size => size::report(&workspace),
        Task::Dist { check: false } => dist::make(&workspace).map(|_| ()),
        Task::Dist { check: true } => dist::check(&workspace),
        Task::Tidy => tidy::check(&workspace),
        Task::Ci => {
            let passed = checks::run(&workspace);
            let summary = test::run(&workspace, None, &[]);
            let passed = summary.print() && passed;
            println!("{}", summary.counts());
            if !passed {
                std::process::exit(1);
            }
            Ok(())
        }
    }
}

fn typescript(workspace: &Workspace, arguments: &[&str], ends_on: EndsOn) -> anyhow::Result<()> {
    let mut command = script::prepare(workspace)?;
    command
        .args(["--import", "ts-blank-space/register"])
        .args(arguments);
    let status = script::run(&mut command, ends_on)?;
    if !status.success() {
        bail!("{} ended with {status}", arguments[0]);
    }
    Ok(())
}
