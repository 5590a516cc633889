//! The Debian package, made by cargo-deb from what `crates/native-host/Cargo.toml` says is in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::process;
use crate::workspace::Workspace;

/// The version of cargo-deb that the packages were tried with.
const CARGO_DEB: &str = "3.8.0";

/// What has to be in the package.
const CONTENTS: &[&str] = &[
    "./usr/bin/tabferry",
    "./etc/opt/chrome/native-messaging-hosts/app.tabferry.host.json",
    "./etc/chromium/native-messaging-hosts/app.tabferry.host.json",
    "./etc/opt/edge/native-messaging-hosts/app.tabferry.host.json",
    "./usr/lib/mozilla/native-messaging-hosts/app.tabferry.host.json",
    "./usr/lib/systemd/user/tabferry.service",
    "./usr/share/bash-completion/completions/tabferry",
    "./usr/share/zsh/vendor-completions/_tabferry",
    "./usr/share/fish/vendor_completions.d/tabferry.fish",
    "./usr/share/man/man1/tabferry.1",
    "./usr/share/doc/tabferry/copyright",
    "./usr/share/doc/tabferry/LICENSE-MIT",
    "./usr/share/doc/tabferry/LICENSE-APACHE",
];

/// Makes the package; none on other systems than Linux.
pub(crate) fn make(workspace: &Workspace, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !cfg!(target_os = "linux") {
        println!("the Debian package: SKIPPED: it is made on Linux");
        return Ok(None);
    }
    let tool = cargo_deb(workspace)?;
    let made = process::output(
        Command::new(tool)
            .args(["--package=tabferry", "--no-build", "--quiet", "--output"])
            .arg(folder)
            .current_dir(&workspace.root),
    )?;
    let package = made.lines().next_back().context("cargo-deb made nothing")?;
    Ok(Some(PathBuf::from(package)))
}

/// Looks whether everything is in a package.
pub(crate) fn check(package: &Path) -> anyhow::Result<()> {
    let list = process::output(Command::new("dpkg-deb").arg("--contents").arg(package))?;
    let names: Vec<_> = list
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        // Manual pages are compressed if that makes them smaller.
        .map(|name| name.trim_end_matches(".gz"))
        .collect();
    for path in CONTENTS {
        ensure!(names.contains(path), "{} lacks {path}", package.display());
    }
    Ok(())
}

/// Finds cargo-deb, or installs it beside what is built here.
fn cargo_deb(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let tools = workspace.target.join("tools");
    let ours = tools.join("bin/cargo-deb");
    for tool in [PathBuf::from("cargo-deb"), ours.clone()] {
        let version = Command::new(&tool)
            .arg("--version")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        if version.is_ok_and(|version| {
            version.status.success() && String::from_utf8_lossy(&version.stdout).contains(CARGO_DEB)
        }) {
            return Ok(tool);
        }
    }
    process::heading(&format!("cargo install cargo-deb {CARGO_DEB}"));
    process::run(
        process::cargo()
            .args(["install", "cargo-deb", "--locked", "--version", CARGO_DEB])
            .arg("--root")
            .arg(&tools)
            .current_dir(&workspace.root),
    )
    .with_context(|| {
        format!(
            "the Debian package needs cargo-deb {CARGO_DEB}: cargo install cargo-deb --locked --version {CARGO_DEB}"
        )
    })?;
    Ok(ours)
}
