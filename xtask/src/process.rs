//! Starting other programs and waiting for them. Knows nothing of what they do.

use std::process::Command;

use anyhow::{Context as _, bail};

/// Runs a program with the terminal's streams. Errors when it can't be started or fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", program(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a program and returns what it wrote to its standard output. Errors when it can't be started or fails.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", program(command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", line(command), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A heading above what follows.
pub(crate) fn heading(text: &str) {
    println!("\n== {text}");
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let mut line = program(command);
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
