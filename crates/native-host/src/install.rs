//! Makes this program known to a person's browsers, as a native messaging host, and tells how that stands. Everything it
//! writes belongs to the person: no administrator is needed. Knows no terminal; `cli/install.rs` puts its reports into words.

pub mod browsers;
pub mod detection;
pub mod machine;
mod manifest;
pub mod registry;
pub mod status;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use tabferry_protocol::native::HOST_NAME;

pub use crate::install::manifest::{CHROMIUM_ORIGIN, FIREFOX_ADD_ON};

use crate::install::browsers::{Browser, Family};
use crate::install::detection::{Confinement, Found};
use crate::install::machine::{Machine, Os};
use crate::install::manifest::Existing;
use crate::install::registry::Registry;

/// Which browsers are meant: nothing chosen means all that are found.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These, found or not.
    pub browsers: Vec<Browser>,
    /// Browsers of Chromium's family with these user data directories.
    pub profiles: Vec<PathBuf>,
}

impl Selection {
    fn is_empty(&self) -> bool {
        self.browsers.is_empty() && self.profiles.is_empty()
    }
}

/// Whether to change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Do it.
    Apply,
    /// Only say what would be done.
    DryRun,
}

/// A place where browsers look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Who looks there; none for a custom profile.
    pub browsers: Vec<Browser>,
    /// The manifest.
    pub manifest: PathBuf,
    /// The key in the registry whose value is the manifest's path; Windows only.
    pub key: Option<String>,
    family: Family,
}

/// What became of a target.
#[derive(Debug)]
pub struct Outcome {
    /// Where.
    pub target: Target,
    /// What was done there, or would be.
    pub change: io::Result<Change>,
}

/// What was done at a target, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// There was no manifest.
    Created {
        /// What it contains.
        text: String,
    },
    /// There was something else.
    Replaced {
        /// What it contains.
        text: String,
        /// The program that the former manifest started; `None` if it was no manifest of ours.
        former: Option<PathBuf>,
    },
    /// Everything was as it should be.
    Unchanged,
    /// It is gone.
    Removed,
    /// It is not ours and was left.
    Left {
        /// The program that it starts; `None` if it is no manifest of ours.
        program: Option<PathBuf>,
    },
}

/// What a person should know about a browser besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It can't start a host.
    Confined {
        /// Which.
        browser: Browser,
        /// Why.
        by: Confinement,
    },
    /// It knows this program already, like every person's.
    ForAll {
        /// Which.
        browser: Browser,
        /// From where.
        manifest: PathBuf,
    },
    /// It was left out because it might not find its profile any more.
    WouldHideProfile {
        /// Which.
        browser: Browser,
        /// Where its profile is.
        profile: PathBuf,
    },
}

/// All that was done.
#[derive(Debug, Default)]
pub struct Report {
    /// By place.
    pub outcomes: Vec<Outcome>,
    /// By browser.
    pub notes: Vec<Note>,
}

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Manifests are text.
    #[error("the path of this program can't be written into a manifest: {}", .0.display())]
    ProgramPath(PathBuf),
    /// Windows has one place for all profiles.
    #[error("on Windows a custom profile needs nothing of its own: leave out --profile-dir")]
    ProfilesOnWindows,
    /// Never happens with the manifests that there are.
    #[error("the manifest can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Registers and unregisters a program.
#[expect(missing_debug_implementations, reason = "the registry has none")]
pub struct Installer<'a> {
    /// Where things are.
    pub machine: &'a Machine,
    /// Only asked on Windows.
    pub registry: &'a mut dyn Registry,
    /// The program, as an absolute path.
    pub program: &'a Path,
}

impl Installer<'_> {
    /// Makes the program known to browsers. A failure at one place doesn't keep it from the others.
    pub fn install(&mut self, selection: &Selection, mode: Mode) -> Result<Report, Refusal> {
        let program = self
            .program
            .to_str()
            .ok_or_else(|| Refusal::ProgramPath(self.program.to_owned()))?;
        let mut report = Report::default();
        let mut chosen = Vec::new();
        for browser in Browser::all().iter().copied() {
            let asked_for = selection.browsers.contains(&browser);
            if !asked_for && !selection.is_empty() {
                continue;
            }
            let found = Found::look(browser, self.machine);
            let confined = found.confined.iter();
            report
                .notes
                .extend(confined.map(|&by| Note::Confined { browser, by }));
            if asked_for {
                chosen.push(browser);
            } else if found.native {
                if let Some(manifest) = self.manifest_for_all(browser) {
                    report.notes.push(Note::ForAll { browser, manifest });
                } else if let Some(profile) = browser.hidden_profile(self.machine) {
                    report
                        .notes
                        .push(Note::WouldHideProfile { browser, profile });
                } else {
                    chosen.push(browser);
                }
            }
        }
        for target in self.targets(&chosen, &selection.profiles)? {
            let text = manifest::text(target.family, program)?;
            let change = self.register(&target, text, mode);
            report.outcomes.push(Outcome { target, change });
        }
        Ok(report)
    }

    /// Removes the program's manifests from all places where browsers look, found or not, and from custom profiles. Those of
    /// another program, and those for all persons, are left and told.
    pub fn uninstall(&mut self, profiles: &[PathBuf], mode: Mode) -> Result<Report, Refusal> {
        let targets = self.targets(Browser::all(), profiles)?;
        // Several keys may lead to one manifest: look at all of them before anything is removed.
        let found: Vec<_> = targets
            .into_iter()
            .map(|target| (self.existing(&target), target))
            .collect();
        let mut report = Report::default();
        for (existing, target) in found {
            let change = match existing {
                Ok(Existing::Nothing) => continue,
                Ok(Existing::Manifest { program, .. }) if self.is_this(&program) => match mode {
                    Mode::Apply => self.unregister(&target).map(|()| Change::Removed),
                    Mode::DryRun => Ok(Change::Removed),
                },
                Ok(Existing::Manifest { program, .. }) => Ok(Change::Left {
                    program: Some(program),
                }),
                Ok(Existing::Other) => Ok(Change::Left { program: None }),
                Err(error) => Err(error),
            };
            report.outcomes.push(Outcome { target, change });
        }
        for browser in Browser::all().iter().copied() {
            if let Some(manifest) = self.manifest_for_all(browser) {
                report.notes.push(Note::ForAll { browser, manifest });
            }
        }
        Ok(report)
    }

    fn targets(&self, browsers: &[Browser], profiles: &[PathBuf]) -> Result<Vec<Target>, Refusal> {
        if self.machine.os == Os::Windows && !profiles.is_empty() {
            return Err(Refusal::ProfilesOnWindows);
        }
        let mut targets = targets(self.machine, browsers);
        targets.extend(profiles.iter().map(|profile| {
            Target {
                browsers: Vec::new(),
                manifest: profile
                    .join("NativeMessagingHosts")
                    .join(manifest::file_name()),
                key: None,
                family: Family::Chromium,
            }
        }));
        Ok(targets)
    }

    fn is_this(&self, program: &Path) -> bool {
        manifest::same_program(program, self.program)
    }

    /// The manifest for all persons that starts this program, if there is one.
    fn manifest_for_all(&self, browser: Browser) -> Option<PathBuf> {
        manifests_for_all(self.machine, browser).find(|path| {
            matches!(manifest::read(path), Ok(Existing::Manifest { program, .. }) if self.is_this(&program))
        })
    }

    /// What a browser finds that looks at a target.
    fn existing(&self, target: &Target) -> io::Result<Existing> {
        existing(target, self.registry)
    }

    fn register(&mut self, target: &Target, text: String, mode: Mode) -> io::Result<Change> {
        let change = match self.existing(target)? {
            Existing::Nothing => Change::Created { text },
            Existing::Manifest { text: there, .. } if there == text => Change::Unchanged,
            Existing::Manifest { program, .. } => Change::Replaced {
                text,
                former: Some(program),
            },
            Existing::Other => Change::Replaced { text, former: None },
        };
        let (Change::Created { text } | Change::Replaced { text, .. }) = &change else {
            return Ok(change);
        };
        if mode == Mode::Apply {
            manifest::write(&target.manifest, text)?;
            if let Some(key) = &target.key {
                let path = target
                    .manifest
                    .to_str()
                    .ok_or(io::ErrorKind::InvalidInput)?;
                self.registry.write(key, path)?;
            }
        }
        Ok(change)
    }

    fn unregister(&mut self, target: &Target) -> io::Result<()> {
        // The key first: it must not lead to nothing.
        if let Some(key) = &target.key {
            self.registry.remove(key)?;
        }
        match std::fs::remove_file(&target.manifest) {
            // Another key led to it too.
            Err(error) if target.key.is_some() && error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// The places where browsers look for this person's manifest, each once.
fn targets(machine: &Machine, browsers: &[Browser]) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for browser in browsers.iter().copied() {
        let family = browser.family();
        let files = browser
            .directories(machine)
            .into_iter()
            .map(|directory| (directory.join(manifest::file_name()), None));
        let keys = browser.key(machine.os, HOST_NAME).map(|key| {
            let directory = match family {
                Family::Chromium => "chromium",
                Family::Firefox => "firefox",
            };
            let manifest = machine.local.join("Tabferry").join(directory);
            (manifest.join(manifest::file_name()), Some(key))
        });
        for (manifest, key) in files.chain(keys) {
            let same = |known: &&mut Target| known.manifest == manifest && known.key == key;
            if let Some(known) = targets.iter_mut().find(same) {
                known.browsers.push(browser);
            } else {
                targets.push(Target {
                    browsers: vec![browser],
                    manifest,
                    key,
                    family,
                });
            }
        }
    }
    targets
}

/// The places where a browser looks for manifests for all persons.
fn manifests_for_all(machine: &Machine, browser: Browser) -> impl Iterator<Item = PathBuf> {
    browser
        .system_directories(machine)
        .into_iter()
        .map(|directory| directory.join(manifest::file_name()))
}

/// What a browser finds that looks at a target.
fn existing(target: &Target, registry: &dyn Registry) -> io::Result<Existing> {
    match &target.key {
        None => manifest::read(&target.manifest),
        Some(key) => match registry.read(key)? {
            None => Ok(Existing::Nothing),
            Some(path) => Ok(match manifest::read(Path::new(&path))? {
                // The key is there and leads to nothing.
                Existing::Nothing => Existing::Other,
                // A manifest elsewhere: another installation's, even if it starts the same program.
                Existing::Manifest { program, .. } if Path::new(&path) != target.manifest => {
                    Existing::Manifest {
                        program,
                        text: String::new(),
                    }
                }
                other => other,
            }),
        },
    }
}
