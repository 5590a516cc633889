//! What the Rust toolchain needs beyond itself: the standard library for wasm. rust-toolchain.toml asks rustup for it, but
//! rustup looks there only when it installs a toolchain, and may be told not to install anything by itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, bail};

use crate::process;
use crate::workspace::Workspace;

/// The target of everything that runs in a browser.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// A cargo command in the workspace's folder that can build for [`WASM`].
pub(crate) fn cargo_with_wasm(workspace: &Workspace) -> anyhow::Result<Command> {
    static THERE: OnceLock<()> = OnceLock::new();
    if THERE.get().is_none() {
        install_wasm(&workspace.root)?;
        let _ = THERE.set(());
    }
    let mut cargo = process::cargo();
    cargo.current_dir(&workspace.root);
    Ok(cargo)
}

/// A setting for cargo that keeps the paths of this machine out of what is built for [`WASM`]: panics name the place in the
/// source, and the same source shall make the same bytes on every machine. Adds to the flags of `.cargo/config.toml`.
pub(crate) fn without_paths(workspace: &Workspace) -> String {
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .unwrap_or_default();
    let flags: Vec<_> = [(&workspace.root, "tabferry"), (&cargo_home, "cargo")]
        .map(|(path, name)| format!("'--remap-path-prefix={}={name}'", path.display()))
        .into();
    format!("target.{WASM}.rustflags=[{}]", flags.join(", "))
}

fn install_wasm(root: &Path) -> anyhow::Result<()> {
    let libraries = process::output(
        Command::new("rustc")
            .args(["--print=target-libdir", "--target", WASM])
            .current_dir(root),
    )?;
    if Path::new(libraries.trim()).exists() {
        return Ok(());
    }
    process::heading(&format!("rustup target add {WASM}"));
    process::run(
        Command::new("rustup")
            .args(["target", "add", WASM])
            .current_dir(root),
    )
    .with_context(|| format!("this Rust toolchain cannot build for {WASM}"))?;
    if !Path::new(libraries.trim()).exists() {
        bail!("rustup added {WASM} to another toolchain than the one that builds here");
    }
    Ok(())
}
