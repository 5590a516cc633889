//! Runs a node program of `tests/e2e` with all it needs: packages, Chromium, the extension, the programs. It holds one
//! end of the program's standard input: when we end for whatever reason, the program sees it close and cleans up.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;
use crate::{build, chromium, node};

/// The folder of the browser tests.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests").join("e2e")
}

/// Builds what the browser tests use and returns a node command that finds all of it.
pub(crate) fn prepare(workspace: &Workspace) -> anyhow::Result<Command> {
    let folder = folder(workspace);
    node::install(&folder)?;
    let chromium = chromium::find_or_install()?;
    build::extension(workspace)?;
    build::programs(workspace)?;
    let mut command = node::node();
    command
        .current_dir(folder)
        .env(chromium::VARIABLE, chromium)
        .env("TABFERRY_EXTENSION", workspace.extension())
        .env("TABFERRY_PROGRAMS", workspace.programs_folder());
    Ok(command)
}

/// Errors where no window can be shown.
pub(crate) fn check_desktop() -> anyhow::Result<()> {
    let shown = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let windows_or_mac = cfg!(any(windows, target_os = "macos"));
    if !windows_or_mac && !shown("DISPLAY") && !shown("WAYLAND_DISPLAY") {
        bail!(
            "there is no desktop to show browsers on: neither DISPLAY nor WAYLAND_DISPLAY is set. Run this in a terminal \
             on a desktop, or leave --open out"
        );
    }
    Ok(())
}

/// What ends a running script from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndsOn {
    /// Only the end of our own process.
    Interrupt,
    /// Enter on the terminal, too.
    Enter,
}

/// Runs a command and waits for it. Ctrl-C asks it to end, and we wait until it has cleaned up.
pub(crate) fn run(command: &mut Command, ends_on: EndsOn) -> anyhow::Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start node")?;
    let lifeline = Lifeline::of(&mut child);
    let at_interrupt = lifeline.clone();
    ctrlc::set_handler(move || at_interrupt.cut()).context("cannot listen for Ctrl-C")?;
    if ends_on == EndsOn::Enter {
        let at_enter = lifeline.clone();
        // Ends with the process: a read from a terminal can't be called off.
        std::thread::spawn(move || {
            // Without a terminal there is no Enter: then only the browsers' closing or a signal ends it.
            if matches!(std::io::stdin().read(&mut [0; 1]), Ok(1)) {
                at_enter.cut();
            }
        });
    }
    let status = child.wait();
    lifeline.cut();
    Ok(status?)
}

/// Our end of a script's standard input.
#[derive(Clone)]
struct Lifeline(Arc<Mutex<Option<ChildStdin>>>);

impl Lifeline {
    fn of(child: &mut Child) -> Self {
        Self(Arc::new(Mutex::new(child.stdin.take())))
    }

    fn cut(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
