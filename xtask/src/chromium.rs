//! Finds a Chromium that loads unpacked extensions from the command line, or gets one. Branded Chrome and Edge don't.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::process;

/// Names the program to use, if the usual places are wrong. The scripts read it too.
pub(crate) const VARIABLE: &str = "TABFERRY_CHROMIUM";

/// The Chromium to use. Installs Debian's package where that can be done without asking anybody: as root, with apt.
/// Errors with what to install otherwise.
pub(crate) fn find_or_install() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let program = PathBuf::from(named);
        if !program.is_file() {
            bail!("{VARIABLE} names no file: {}", program.display());
        }
        return Ok(program);
    }
    if let Some(program) = find() {
        return Ok(program);
    }
    if is_root() && Path::new("/usr/bin/apt-get").exists() {
        install()?;
        if let Some(program) = find() {
            return Ok(program);
        }
    }
    bail!(
        "no Chromium found. Install it (Debian: apt-get install chromium; Fedora: dnf install chromium; macOS: brew \
         install chromium), or Chrome for Testing (npx @puppeteer/browsers install chrome@stable) and name its program \
         in the environment variable {VARIABLE}. Google Chrome and Edge will not do: they no longer load an extension \
         from the command line"
    )
}

fn find() -> Option<PathBuf> {
    let names: &[&str] = if cfg!(windows) {
        &["chromium.exe"]
    } else {
        &["chromium", "chromium-browser", "chrome-for-testing"]
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .chain(usual_places())
        .find(|program| program.is_file() && starts(program))
}

fn usual_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = [
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
    ]
    .iter()
    .map(PathBuf::from)
    .collect();
    if let Some(local) = std::env::var_os("LOCALAPPDATA") {
        places.push(Path::new(&local).join(r"Chromium\Application\chrome.exe"));
    }
    if let Some(home) = std::env::home_dir() {
        // Where Puppeteer's and Playwright's installers leave Chrome for Testing: <cache>/<version>/<platform>/<program>.
        for cache in [
            ".cache/puppeteer/chrome",
            ".cache/ms-playwright",
            "Library/Caches/ms-playwright",
            r"AppData\Local\ms-playwright",
        ] {
            for version in folders(&home.join(cache)) {
                for platform in folders(&version) {
                    places.push(platform.join("chrome"));
                    places.push(platform.join("chrome.exe"));
                    places.push(platform.join(
                        "Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
                    ));
                }
            }
        }
    }
    places
}

/// Folders in a folder, the last in the alphabet first: of several versions mostly the newest.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found.reverse();
    found
}

/// Ubuntu has a program of this name that only tells to install a snap.
fn starts(program: &Path) -> bool {
    // On Windows asking for the version opens a window instead.
    cfg!(windows)
        || Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
}

fn install() -> anyhow::Result<()> {
    process::heading("no Chromium here: installing Debian's package \"chromium\" with apt-get");
    let apt = |arguments: &[&str]| {
        process::run(
            Command::new("apt-get")
                .args(["-qq", "-o", "Dpkg::Use-Pty=0"])
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdin(Stdio::null()),
        )
    };
    apt(&["update"])?;
    apt(&["install", "-y", "--no-install-recommends", "chromium"])
        .context("apt-get could not install chromium")
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Our own process's folder belongs to our effective user.
    std::fs::metadata("/proc/self").is_ok_and(|folder| folder.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
