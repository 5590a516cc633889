//! `cargo xtask test`: runs the groups of tests, shows what they print, and adds up their counts.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;

use crate::counts::Counts;
use crate::script::{self, EndsOn};
use crate::wasm::{self, Loader};
use crate::workspace::Workspace;
use crate::{build, node, process, toolchain};

/// The package with the tests that run as wasm.
const WASM_TESTS: &str = "tabferry-wasm-tests";

/// A group of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Everything `cargo test` runs: units, simulation, servers, several processes
    Unit,
    /// The protocol compiled to wasm, in Node
    Wasm,
    /// Two real browsers with the extension
    Browser,
}

/// How a group ended.
#[derive(Debug)]
enum Outcome {
    /// It ran.
    Ran(Counts),
    /// Something it needs is not here.
    Skipped(String),
    /// It could not even start, for instance because something does not compile.
    Broken(anyhow::Error),
}

/// What all groups together did.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    groups: Vec<(Group, Outcome, Duration)>,
}

/// Runs one group or all. `arguments` go to the group's own test runner.
pub(crate) fn run(workspace: &Workspace, only: Option<Group>, arguments: &[String]) -> Summary {
    let mut summary = Summary::default();
    for group in [Group::Unit, Group::Wasm, Group::Browser] {
        if only.is_some_and(|only| only != group) {
            continue;
        }
        process::heading(&format!("tests: {}", name(group)));
        let started = Instant::now();
        let outcome = match lacks(group) {
            Some(reason) => Outcome::Skipped(reason),
            None => match group {
                Group::Unit => unit(workspace, arguments),
                Group::Wasm => wasm_in_node(workspace),
                Group::Browser => browser(workspace, arguments),
            }
            .map_or_else(Outcome::Broken, Outcome::Ran),
        };
        summary.groups.push((group, outcome, started.elapsed()));
    }
    summary
}

impl Summary {
    /// A line per group, and whether nothing failed.
    pub(crate) fn print(&self) -> bool {
        process::heading("summary");
        for (group, outcome, time) in &self.groups {
            let seconds = time.as_secs_f64();
            match outcome {
                Outcome::Ran(counts) => println!("{:<8} {counts} ({seconds:.0} s)", name(*group)),
                Outcome::Skipped(reason) => println!("{:<8} SKIPPED: {reason}", name(*group)),
                Outcome::Broken(error) => println!("{:<8} FAILED: {error:#}", name(*group)),
            }
        }
        self.counts().failed == 0
    }

    /// All counts. A group that could not start counts as one failure, one that was left out as one skipped.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for (_, outcome, _) in &self.groups {
            sum += match outcome {
                Outcome::Ran(counts) => *counts,
                Outcome::Skipped(_) => Counts {
                    skipped: 1,
                    ..Counts::default()
                },
                Outcome::Broken(_) => Counts {
                    failed: 1,
                    ..Counts::default()
                },
            };
        }
        sum
    }
}

fn name(group: Group) -> &'static str {
    match group {
        Group::Unit => "unit",
        Group::Wasm => "wasm",
        Group::Browser => "browser",
    }
}

/// Why a group can't run here. In CI nothing is left out: there it fails instead.
fn lacks(group: Group) -> Option<String> {
    if group == Group::Unit || std::env::var_os("CI").is_some() {
        return None;
    }
    node::missing()
}

fn unit(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<Counts> {
    count_lines(
        process::cargo()
            .args(["test", "--workspace", "--no-fail-fast"])
            .args(arguments)
            .current_dir(&workspace.root),
        Counts::from_cargo_line,
    )
}

fn wasm_in_node(workspace: &Workspace) -> anyhow::Result<Counts> {
    if let Some(reason) = node::missing() {
        bail!(reason);
    }
    process::run(
        toolchain::cargo_with_wasm(workspace)?
            .args(["build", "--package", WASM_TESTS, "--lib"])
            .args(["--target", toolchain::WASM]),
    )?;
    let built = workspace
        .target
        .join(toolchain::WASM)
        .join("debug/tabferry_wasm_tests.wasm");
    let module = wasm::make(workspace, &built, "tests", Loader::Node)?;
    count_lines(
        node::node()
            .arg(workspace.root.join("tests/wasm/run.cjs"))
            .arg(module.join("tests.js")),
        Counts::from_plain_line,
    )
}

fn browser(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<Counts> {
    let mut command = script::prepare(workspace)?;
    build::attacker(workspace)?;
    let report = workspace.target.join("browser-tests.json");
    if report.exists() {
        std::fs::remove_file(&report)?;
    }
    command
        .args(["node_modules/@playwright/test/cli.js", "test"])
        .args(arguments)
        .env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report);
    let status = script::run(&mut command, EndsOn::Interrupt)?;
    let text = std::fs::read_to_string(&report)
        .with_context(|| format!("Playwright wrote no report ({status})"))?;
    let counts = Counts::from_playwright(&text).context("cannot read Playwright's report")?;
    ensure!(
        status.success() || counts.failed > 0,
        "Playwright ended with {status}"
    );
    Ok(counts)
}

/// Runs a test program, shows what it prints and adds up the counts in it.
fn count_lines(
    command: &mut Command,
    read: impl Fn(&str) -> Option<Counts>,
) -> anyhow::Result<Counts> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the tests")?;
    let stdout = child.stdout.take().context("the tests have no output")?;
    let mut sum = Counts::default();
    let mut programs = 0;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        if let Some(counts) = read(&line) {
            sum += counts;
            programs += 1;
        }
    }
    let status = child.wait()?;
    ensure!(programs > 0, "no test ran ({status})");
    if !status.success() && sum.failed == 0 {
        // A test program that crashed before its last line.
        sum.failed = 1;
    }
    Ok(sum)
}
