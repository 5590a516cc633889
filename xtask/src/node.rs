//! Node and npm: finds them, and installs what a folder's lock file names.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::process;

/// The oldest release line that what we take from npm supports.
const OLDEST_NODE: u32 = 20;

/// A node command.
pub(crate) fn node() -> Command {
    Command::new("node")
}

/// Why node can't be used here, if it can't.
pub(crate) fn missing() -> Option<String> {
    let install = format!(
        "install Node.js {OLDEST_NODE} or newer with npm, from nodejs.org or your system's packages"
    );
    let Ok(output) = node().arg("--version").stdin(Stdio::null()).output() else {
        return Some(format!("node is not installed: {install}"));
    };
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST_NODE) {
        return Some(format!("node is too old ({version}): {install}"));
    }
    if npm()
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .is_err()
    {
        return Some(format!("npm is not installed: {install}"));
    }
    None
}

/// Makes `node_modules` of a folder match its lock file.
pub(crate) fn install(folder: &Path) -> anyhow::Result<()> {
    if let Some(reason) = missing() {
        bail!(reason);
    }
    let lock = std::fs::metadata(folder.join("package-lock.json"))?.modified()?;
    // npm writes this file last, so it tells when an installation was complete.
    let installed = std::fs::metadata(folder.join("node_modules/.package-lock.json"))
        .and_then(|file| file.modified());
    if installed.is_ok_and(|installed| installed >= lock) {
        return Ok(());
    }
    process::heading(&format!("npm ci in {}", folder.display()));
    process::run(
        npm()
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            // The browsers are found or installed by us; this download is not available everywhere.
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
            .stdin(Stdio::null())
            .current_dir(folder),
    )
}

fn npm() -> Command {
    // On Windows npm is a script, which only its full name starts.
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}
