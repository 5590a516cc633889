//! The commands, one file each, and how they end.

pub mod arguments;
mod config;
mod devices;
pub mod generated;
pub mod install;
mod pair;
mod receive;
mod send;
mod status;
mod terminal;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tabferry_protocol::native::{DaemonCode, FromDaemon, ToDaemon};

use self::arguments::{Arguments, Command};
use self::generated::GenerateError;
use self::install::{InstallError, UninstallArguments};
use crate::client::{Client, ClientError};
use crate::config::ConfigError;
use crate::install::machine::Machine;
use crate::install::registry::CurrentUser;
use crate::places::Places;

/// What the command line asks for.
#[derive(Debug)]
pub enum Mode {
    /// To be the daemon.
    Daemon {
        /// In a session of its own.
        background: bool,
    },
    /// Something else.
    Command(Asked),
}

/// A command for [`run`].
#[derive(Debug)]
pub struct Asked(Command);

/// Why a command failed. Each says what can be done about it.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error("{0}")]
    Refused(String),
    /// A device can't be found or reached.
    #[error("{0}")]
    Unreachable(String),
    /// The other end does not want it.
    #[error("{0}")]
    Declined(String),
    #[error("{0}")]
    Other(String),
    #[error("{0}: {1}")]
    Io(String, io::Error),
    #[error("stopped")]
    Interrupted,
}

impl CommandError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Declined(_) => 3,
            Self::Unreachable(_) => 4,
            Self::Interrupted => 130,
            Self::Client(_)
            | Self::Config(_)
            | Self::Install(_)
            | Self::Generate(_)
            | Self::Refused(_)
            | Self::Other(_)
            | Self::Io(..) => 1,
        }
    }

    /// For an [`FromDaemon::Error`].
    fn refused(code: DaemonCode, message: String) -> Self {
        match code {
            DaemonCode::InvalidMessage => Self::Refused(format!(
                "the daemon does not understand this program ({message}); end it with `tabferry stop` and try again"
            )),
            _ => Self::Refused(message),
        }
    }
}

/// Reads the command line. Ends the program if it is wrong, or if it asks for help.
pub fn parse() -> Mode {
    match Arguments::parse().command {
        Command::Daemon(daemon) => Mode::Daemon {
            background: daemon.background,
        },
        command => Mode::Command(Asked(command)),
    }
}

/// Carries a command out.
pub async fn run(places: &Places, Asked(command): Asked) -> ExitCode {
    let result = match command {
        Command::Status(arguments) => status::run(places, &arguments).await,
        Command::Devices(arguments) => devices::run(places, &arguments).await,
        Command::Send(arguments) => send::run(places, arguments).await,
        Command::Receive(arguments) => receive::run(places, arguments).await,
        Command::Pair(arguments) => pair::run(places, &arguments).await,
        Command::Config(arguments) => config::run(places, arguments).await,
        Command::Stop => stop(places).await,
        Command::Install(arguments) => installing(|here, output| {
            let Here { program, machine } = here;
            install::install(&arguments, program, machine, &mut CurrentUser, output)
        }),
        Command::Uninstall(arguments) => uninstall(places, &arguments).await,
        Command::Completions(arguments) => {
            generated::completions(&arguments, Arguments::command(), &mut io::stdout())
                .map_err(CommandError::from)
        }
        Command::Man(arguments) => {
            generated::man(&arguments, Arguments::command(), &mut io::stdout())
                .map_err(CommandError::from)
        }
        // It is no command that anybody waits for.
        Command::Daemon(_) => Ok(()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Says on stderr what went wrong.
pub fn complain(error: &impl Display) -> ExitCode {
    // Nobody is left to be told if this fails, too.
    let _ = writeln!(io::stderr(), "tabferry: {error}");
    ExitCode::FAILURE
}

/// This program on this machine.
struct Here {
    program: PathBuf,
    machine: Machine,
}

impl Here {
    fn find() -> Result<Self, CommandError> {
        let program = std::env::current_exe()
            .map_err(|error| CommandError::Io("this program's own file".to_owned(), error))?;
        let machine = Machine::here()
            .ok_or_else(|| CommandError::Other("this account has no home directory".to_owned()))?;
        Ok(Self { program, machine })
    }
}

fn installing(
    work: impl FnOnce(&Here, &mut dyn Write) -> Result<(), InstallError>,
) -> Result<(), CommandError> {
    Ok(work(&Here::find()?, &mut io::stdout())?)
}

async fn uninstall(places: &Places, arguments: &UninstallArguments) -> Result<(), CommandError> {
    let running = Client::to_running(places).await.ok().flatten();
    let stop = running.is_some().then_some("tabferry stop");
    installing(|here, output| {
        let Here { program, machine } = here;
        install::uninstall(arguments, program, machine, &mut CurrentUser, stop, output)
    })
}

async fn stop(places: &Places) -> Result<(), CommandError> {
    let Some(mut client) = Client::to_running(places).await? else {
        return terminal::print("No daemon runs.");
    };
    client.say(&ToDaemon::Stop).await?;
    loop {
        match client.hear().await {
            Err(ClientError::Ended) => return Ok(()),
            Ok(FromDaemon::Error { code, message }) => {
                return Err(CommandError::refused(code, message));
            }
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
