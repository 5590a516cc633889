//! The commands `install` and `uninstall`: their options, and their reports in words. What they do is `crate::install`'s.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::install::browsers::Browser;
use crate::install::detection::Confinement;
use crate::install::machine::Machine;
use crate::install::registry::Registry;
use crate::install::{Change, Installer, Mode, Note, Outcome, Refusal, Report, Selection, Target};

/// Options of `tabferry install`.
#[derive(Debug, Args)]
pub struct InstallArguments {
    /// Register with this browser, also if it is not found; may be repeated [default: all that are found]
    #[arg(long, value_name = "NAME")]
    browser: Vec<Browser>,
    /// Register with a browser of Chromium's family that keeps its data in this directory (its --user-data-dir); may be
    /// repeated
    #[arg(long, value_name = "DIRECTORY")]
    profile_dir: Vec<PathBuf>,
    /// Only show what would be written where
    #[arg(long)]
    dry_run: bool,
}

/// Options of `tabferry uninstall`.
#[derive(Debug, Args)]
pub struct UninstallArguments {
    /// Remove the registration from this user data directory too; may be repeated
    #[arg(long, value_name = "DIRECTORY")]
    profile_dir: Vec<PathBuf>,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
}

/// Why a command failed, all of it or in part.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Nothing to register with.
    #[error(
        "no browser was found that could start Tabferry. Start the browser once, or name it: tabferry install --browser chrome"
    )]
    NoBrowser,
    /// Some places failed; each is in the report.
    #[error("{failed} of {all} places could not be changed; see above")]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
    },
    /// A directory that was named.
    #[error("can't use the directory {}: {error}", directory.display())]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Nothing could be tried.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The terminal, or what the output was sent to.
    #[error("can't write the output: {0}")]
    Output(#[from] io::Error),
}

/// Runs `tabferry install` for a program, whose path is absolute.
pub fn install(
    arguments: &InstallArguments,
    program: &Path,
    machine: &Machine,
    registry: &mut dyn Registry,
    output: &mut dyn Write,
) -> Result<(), InstallError> {
    let mode = mode(arguments.dry_run);
    let selection = Selection {
        browsers: arguments.browser.clone(),
        profiles: absolute(&arguments.profile_dir)?,
    };
    let mut installer = Installer {
        machine,
        registry,
        program,
    };
    let report = installer.install(&selection, mode)?;
    let mut text = String::new();
    if mode == Mode::DryRun && !report.outcomes.is_empty() {
        text.push_str("Nothing is changed. tabferry install would do this:\n\n");
    }
    describe(&report, mode, &mut text);
    let known_for_all = |note: &Note| matches!(note, Note::ForAll { .. });
    let nobody = report.outcomes.is_empty() && !report.notes.iter().any(known_for_all);
    if !nobody && mode == Mode::Apply {
        text.push_str(
            "\nNow turn on \u{201c}Save with the Tabferry app\u{201d} in the settings of the extension.\n",
        );
    }
    output.write_all(text.as_bytes())?;
    if nobody {
        return Err(InstallError::NoBrowser);
    }
    failures(&report)
}

/// Runs `tabferry uninstall` for a program, whose path is absolute. `stop` is the command that ends the daemon, if one runs.
pub fn uninstall(
    arguments: &UninstallArguments,
    program: &Path,
    machine: &Machine,
    registry: &mut dyn Registry,
    stop: Option<&str>,
    output: &mut dyn Write,
) -> Result<(), InstallError> {
    let mode = mode(arguments.dry_run);
    let mut installer = Installer {
        machine,
        registry,
        program,
    };
    let report = installer.uninstall(&absolute(&arguments.profile_dir)?, mode)?;
    let mut text = String::new();
    let removes = |outcome: &Outcome| matches!(outcome.change, Ok(Change::Removed));
    if !report.outcomes.iter().any(removes) {
        text.push_str("Nothing to remove: no browser of this user knows this program.\n");
    } else if mode == Mode::DryRun {
        text.push_str("Nothing is changed. tabferry uninstall would do this:\n\n");
    }
    describe(&report, mode, &mut text);
    if let Some(stop) = stop {
        let _ = writeln!(
            text,
            "\nTabferry still runs in the background. To end it: {stop}"
        );
    }
    output.write_all(text.as_bytes())?;
    failures(&report)
}

fn mode(dry_run: bool) -> Mode {
    if dry_run { Mode::DryRun } else { Mode::Apply }
}

fn absolute(directories: &[PathBuf]) -> Result<Vec<PathBuf>, InstallError> {
    directories
        .iter()
        .map(|directory| {
            std::path::absolute(directory).map_err(|error| InstallError::Directory {
                directory: directory.clone(),
                error,
            })
        })
        .collect()
}

fn failures(report: &Report) -> Result<(), InstallError> {
    let all = report.outcomes.len();
    let failed = report
        .outcomes
        .iter()
        .filter(|outcome| outcome.change.is_err())
        .count();
    if failed > 0 {
        return Err(InstallError::Failed { failed, all });
    }
    Ok(())
}

// Writing into a String can't fail: the results below say nothing.

fn describe(report: &Report, mode: Mode, text: &mut String) {
    for outcome in &report.outcomes {
        let target = &outcome.target;
        let _ = match &outcome.change {
            Ok(change) => writeln!(text, "{}: {}", who(target), what(change, mode)),
            Err(error) => writeln!(text, "{}: FAILED: {error}", who(target)),
        };
        let _ = writeln!(text, "  {}", target.manifest.display());
        if let Some(key) = &target.key {
            let _ = writeln!(text, "  HKEY_CURRENT_USER\\{key}");
        }
        if let (
            Mode::DryRun,
            Ok(Change::Created { text: json } | Change::Replaced { text: json, .. }),
        ) = (mode, &outcome.change)
        {
            for line in json.lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    for note in &report.notes {
        let _ = match note {
            Note::Confined { browser, by } => writeln!(
                text,
                "{name}: is installed as a {by}, which can't start other programs. To use Tabferry with it, {advice}.",
                name = browser.name(),
                by = by.name(),
                advice = advice(*browser, *by),
            ),
            Note::ForAll { browser, manifest } => writeln!(
                text,
                "{}: registered for all users, by the package that this program came in\n  {}",
                browser.name(),
                manifest.display()
            ),
            Note::WouldHideProfile { browser, profile } => writeln!(
                text,
                "{name}: left out. Its profile is in {profile}, and it may not find that any more once there is a directory \
                 for its registrations. To do it all the same: tabferry install --browser {key}",
                name = browser.name(),
                profile = profile.display(),
                key = browser.name().to_lowercase(),
            ),
        };
    }
}

fn who(target: &Target) -> String {
    if target.browsers.is_empty() {
        return "Custom profile".to_owned();
    }
    let names: Vec<_> = target
        .browsers
        .iter()
        .map(|browser| browser.name())
        .collect();
    names.join(", ")
}

fn what(change: &Change, mode: Mode) -> String {
    let starts = |program: &Option<PathBuf>| match program {
        Some(program) => format!("a registration of {}", program.display()),
        None => "something that is no registration of Tabferry".to_owned(),
    };
    match (change, mode) {
        (Change::Created { .. }, Mode::Apply) => "registered".to_owned(),
        (Change::Created { .. }, Mode::DryRun) => "register".to_owned(),
        (Change::Replaced { former, .. }, Mode::Apply) => {
            format!("registered, in place of {}", starts(former))
        }
        (Change::Replaced { former, .. }, Mode::DryRun) => {
            format!("register, in place of {}", starts(former))
        }
        (Change::Unchanged, _) => "registered already".to_owned(),
        (Change::Removed, Mode::Apply) => "removed".to_owned(),
        (Change::Removed, Mode::DryRun) => "remove".to_owned(),
        (Change::Left { program }, _) => format!("left, it is {}", starts(program)),
    }
}

fn advice(browser: Browser, by: Confinement) -> String {
    let name = browser.name();
    match browser {
        Browser::Chromium => {
            format!(
                "install a Chromium or another browser that is no {} or {}",
                by.name(),
                other(by).name()
            )
        }
        _ => format!("install {name} from its maker's site, or as a package of your system"),
    }
}

fn other(by: Confinement) -> Confinement {
    match by {
        Confinement::Flatpak => Confinement::Snap,
        Confinement::Snap => Confinement::Flatpak,
    }
}
