//! Tells, for each browser, whether it knows a Tabferry host, which program that is, and whether it is this one. Changes
//! nothing. Its JSON is for scripts: names in it stay.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::install::browsers::Browser;
use crate::install::detection::{Confinement, Found};
use crate::install::machine::Machine;
use crate::install::manifest::{self, Existing};
use crate::install::registry::Registry;
use crate::install::{existing, manifests_for_all, targets};

/// How things stand with a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrowserStatus {
    /// Which.
    pub browser: Browser,
    /// As people call it.
    pub name: &'static str,
    /// Whether it is there as a program that can start a host.
    pub found: bool,
    /// The packages of it that are there and can't.
    pub confined: Vec<Confinement>,
    /// The manifests that it finds, in the order in which it looks.
    pub registrations: Vec<Registration>,
}

/// A manifest that a browser finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// Where.
    pub manifest: PathBuf,
    /// Whose browsers find it.
    pub scope: Scope,
    /// The program that it starts, if it is a manifest of ours.
    pub program: Option<PathBuf>,
    /// What is to be thought of it.
    pub state: RegistrationState,
}

/// Whose browsers find a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// This person's.
    User,
    /// Everybody's.
    System,
}

/// What is to be thought of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrationState {
    /// It starts this program.
    ThisProgram,
    /// It starts another one.
    OtherProgram,
    /// The program that it would start is not there.
    ProgramMissing,
    /// It can't be read, or is none of ours.
    Broken,
}

/// Looks at all browsers.
pub fn look(machine: &Machine, registry: &dyn Registry, program: &Path) -> Vec<BrowserStatus> {
    Browser::all()
        .iter()
        .map(|&browser| {
            let found = Found::look(browser, machine);
            let own = targets(machine, &[browser]).into_iter().map(|target| {
                let existing = existing(&target, registry);
                (target.manifest, Scope::User, existing)
            });
            let everybodys = manifests_for_all(machine, browser).map(|path| {
                let existing = manifest::read(&path);
                (path, Scope::System, existing)
            });
            BrowserStatus {
                browser,
                name: browser.name(),
                found: found.native,
                confined: found.confined,
                registrations: own
                    .chain(everybodys)
                    .filter_map(|(manifest, scope, existing)| {
                        let (state, starts) = match existing {
                            Ok(Existing::Nothing) => return None,
                            Ok(Existing::Manifest {
                                program: starts, ..
                            }) => (state(&starts, program), Some(starts)),
                            Ok(Existing::Other) | Err(_) => (RegistrationState::Broken, None),
                        };
                        Some(Registration {
                            manifest,
                            scope,
                            program: starts,
                            state,
                        })
                    })
                    .collect(),
            }
        })
        .collect()
}

fn state(starts: &Path, program: &Path) -> RegistrationState {
    if manifest::same_program(starts, program) {
        RegistrationState::ThisProgram
    } else if starts.is_file() {
        RegistrationState::OtherProgram
    } else {
        RegistrationState::ProgramMissing
    }
}

impl fmt::Display for BrowserStatus {
    /// A line for each that is to be known; nothing for a browser that is not there and has no manifest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for confinement in &self.confined {
            let by = confinement.name();
            writeln!(f, "{:<10} as a {by}: can't start other programs", self.name)?;
        }
        if self.registrations.is_empty() && self.found {
            writeln!(f, "{:<10} not registered: run tabferry install", self.name)?;
        }
        for registration in &self.registrations {
            write!(f, "{:<10} ", self.name)?;
            let program = registration.program.as_deref().unwrap_or(Path::new(""));
            match registration.state {
                RegistrationState::ThisProgram => write!(f, "registered")?,
                RegistrationState::OtherProgram => {
                    write!(f, "registered with another program, {}", program.display())?;
                }
                RegistrationState::ProgramMissing => {
                    write!(
                        f,
                        "registered with a program that is gone, {}",
                        program.display()
                    )?;
                }
                RegistrationState::Broken => write!(f, "its manifest can't be used")?,
            }
            let for_all = match registration.scope {
                Scope::User => "",
                Scope::System => ", for all users",
            };
            writeln!(f, "{for_all} ({})", registration.manifest.display())?;
        }
        Ok(())
    }
}
