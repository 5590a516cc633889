//! Shows a file in its folder, by the program that the system has for that. Knows no transfer.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts it and does not wait. Errors with `NotFound` if the file has gone.
pub(crate) fn reveal(path: &Path) -> io::Result<()> {
    std::fs::symlink_metadata(path)?;
    let mut child = program(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // Somebody must wait for it, or its entry stays in the system's table.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// The programs for that open a folder; few can mark a file in it.
#[cfg(all(unix, not(target_os = "macos")))]
fn program(path: &Path) -> Command {
    let mut command = Command::new("xdg-open");
    command.arg(path.parent().unwrap_or(path));
    command
}

#[cfg(target_os = "macos")]
fn program(path: &Path) -> Command {
    let mut command = Command::new("open");
    command.arg("-R").arg(path);
    command
}

#[cfg(windows)]
fn program(path: &Path) -> Command {
    use std::os::windows::process::CommandExt;

    let mut command = Command::new("explorer.exe");
    // A file's name can't have quotes there.
    command.raw_arg(format!("/select,\"{}\"", path.display()));
    command
}
