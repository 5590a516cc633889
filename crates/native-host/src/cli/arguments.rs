//! The command line as a person types it. Knows nothing of what the commands do.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::generated::{CompletionsArguments, ManArguments};
use super::install::{InstallArguments, UninstallArguments};

const AFTER_HELP: &str = "\
Everything here speaks to a daemon that is started when it is needed and goes on in the background.

Exit codes:
  0  done
  1  it failed; stderr says why and what to do
  2  the command line is wrong
  3  the other device declined, or what was sent was stopped there
  4  there is no such device, or it can't be reached
  130  stopped by Ctrl+C";

/// Sends and receives files, pages, links and text between the devices near you, and saves for the Tabferry extension
/// straight to disk.
#[derive(Debug, Parser)]
#[command(name = "tabferry", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register with the browsers of this machine, so that the extension finds this program
    Install(InstallArguments),
    /// Undo install
    Uninstall(UninstallArguments),
    /// Say how things stand: the browsers, the daemon, its device and the server
    Status(StatusArguments),
    /// List the devices that can be sent to
    Devices(DevicesArguments),
    /// Send files, folders, a link, or what comes from stdin
    Send(SendArguments),
    /// Receive here and now: ask about files, print links and texts
    Receive(ReceiveArguments),
    /// Connect with a device by a code: show one, or enter one
    Pair(PairArguments),
    /// Show or change settings
    Config(ConfigArguments),
    /// End the daemon
    Stop,
    /// Print completions for a shell
    Completions(CompletionsArguments),
    /// Print the manual page
    #[command(hide = true)]
    Man(ManArguments),
    /// Be the daemon
    #[command(hide = true)]
    Daemon(DaemonArguments),
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevicesArguments {
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
    /// Seconds to wait for devices to appear
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub(super) wait: u16,
}

#[derive(Debug, Args)]
pub(crate) struct SendArguments {
    /// Files and folders, one http or https link, or - for what comes from stdin
    #[arg(required = true, value_name = "WHAT")]
    pub(super) what: Vec<String>,
    /// To which device: its name or its id (see `tabferry devices`)
    #[arg(long, value_name = "DEVICE")]
    pub(super) to: String,
    /// What the file is called at the other end, if it comes from stdin
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Send what comes from stdin as a text, not as a file
    #[arg(long, conflicts_with = "name")]
    pub(super) text: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReceiveArguments {
    /// End after the first transfer, link or text
    #[arg(long)]
    pub(super) once: bool,
    /// Accept everything without asking
    #[arg(long)]
    pub(super) accept: bool,
    /// Put received files into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(super) to_dir: Option<PathBuf>,
}

/// A code is never an argument: other users of the machine could read it there, and the shell would keep it.
#[derive(Debug, Args)]
pub(crate) struct PairArguments {
    /// Enter the code that the other device shows: it is asked for
    #[arg(long)]
    pub(super) enter: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    pub(super) change: Option<ConfigCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show all settings
    List,
    /// Show one setting
    Get {
        /// Which: downloads, idle-exit, name or server
        key: String,
    },
    /// Change one setting
    Set {
        /// Which: downloads (a folder), idle-exit (auto, never or minutes), name, server (an address)
        key: String,
        /// What it is to be
        value: String,
    },
    /// Make one setting what it was before anybody changed it
    Unset {
        /// Which
        key: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DaemonArguments {
    /// Leave the session of the process that started it
    #[arg(long)]
    pub(super) background: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_daemon_is_started_as_it_understands() {
        let arguments = ["tabferry"]
            .into_iter()
            .chain(crate::launch::DAEMON_ARGUMENTS);
        let parsed = Arguments::try_parse_from(arguments).unwrap();
        assert!(matches!(
            parsed.command,
            Command::Daemon(DaemonArguments { background: true })
        ));
    }
}
