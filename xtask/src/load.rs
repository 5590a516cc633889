//! `cargo xtask load`: builds the signaling server and its load generator, and runs one against the other. Knows nothing of
//! what is measured.

use clap::Args;

use crate::process;
use crate::workspace::Workspace;

/// How much load, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Clients that do nothing
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
    /// Pairs of clients that signal to each other
    #[arg(long, default_value_t = 200)]
    pairs: usize,
    /// How long each rate is measured
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only one part: idle, pairs, restart, flood or relay
    #[arg(long)]
    only: Option<String>,
}

/// Measures everything. Errors when a bound is missed.
pub(crate) fn run(workspace: &Workspace, load: &Load) -> anyhow::Result<()> {
    process::run(
        process::cargo()
            .args(["build", "--release", "--package=tabferry-signaling"])
            .args(["--bin=tabferry-signaling", "--example=load"])
            .current_dir(&workspace.root),
    )?;
    let programs = workspace.programs_folder();
    let name = |name: &str| format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let mut command = std::process::Command::new(programs.join("examples").join(name("load")));
    command
        .arg("--server")
        .arg(programs.join(name("tabferry-signaling")))
        .arg(format!("--clients={}", load.clients))
        .arg(format!("--pairs={}", load.pairs))
        .arg(format!("--seconds={}", load.seconds));
    if let Some(only) = &load.only {
        command.arg(format!("--only={only}"));
    }
    process::run(&mut command)
}
