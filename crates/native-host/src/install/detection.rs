//! Tells which browsers a person has, and which of them are packages that can't start a program outside of themselves.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::install::browsers::Browser;
use crate::install::machine::{Machine, Os};

/// A script that only starts a snap is far shorter.
const SCRIPT_BYTES: u64 = 4096;

/// A kind of package whose browsers can't start a native messaging host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confinement {
    /// Flatpak.
    Flatpak,
    /// Snap.
    Snap,
}

impl Confinement {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flatpak => "Flatpak",
            Self::Snap => "Snap",
        }
    }
}

/// In which forms a browser is there. A person may have several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// As a program that can start a host.
    pub native: bool,
    /// As a package that can't.
    pub confined: Vec<Confinement>,
}

impl Found {
    /// Looks for a browser.
    pub fn look(browser: Browser, machine: &Machine) -> Self {
        let mut confined = Vec::new();
        if machine.os == Os::Linux {
            let apps = [
                machine.root.join("var/lib/flatpak/app"),
                machine.local.join("flatpak/app"),
            ];
            if apps
                .iter()
                .any(|apps| apps.join(browser.flatpak()).exists())
            {
                confined.push(Confinement::Flatpak);
            }
            if browser
                .snap()
                .is_some_and(|name| snaps(machine).any(|snaps| snaps.join(name).exists()))
            {
                confined.push(Confinement::Snap);
            }
        }
        let started = || browser.started(machine).iter().any(|file| file.exists());
        let application = || {
            browser
                .applications(machine)
                .iter()
                .any(|application| application.exists())
        };
        let program = || {
            machine.path.iter().any(|directory| {
                browser.programs(machine.os).iter().any(|name| {
                    let program = directory.join(name);
                    is_program(&program) && !starts_snap(&program, machine)
                })
            })
        };
        Self {
            native: started() || application() || program(),
            confined,
        }
    }

    /// Whether there is any form of it.
    pub fn any(&self) -> bool {
        self.native || !self.confined.is_empty()
    }
}

fn snaps(machine: &Machine) -> impl Iterator<Item = PathBuf> {
    ["snap", "var/lib/snapd/snap"]
        .into_iter()
        .map(|path| machine.root.join(path))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file())
}

/// Whether a program of the path is a snap: a link to the starter of all snaps, or a script of the distribution that calls it.
fn starts_snap(program: &Path, machine: &Machine) -> bool {
    if snaps(machine).any(|snaps| program.starts_with(snaps)) {
        return true;
    }
    if fs::canonicalize(program)
        .is_ok_and(|real| real.file_name().is_some_and(|name| name == "snap"))
    {
        return true;
    }
    let mut beginning = Vec::new();
    let read = fs::File::open(program)
        .and_then(|file| file.take(SCRIPT_BYTES).read_to_end(&mut beginning));
    read.is_ok()
        && beginning.starts_with(b"#!")
        && String::from_utf8_lossy(&beginning).contains("/snap/bin/")
}
