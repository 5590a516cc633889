//! Program `tabferry`: the optional native messaging host. Reads the command line and hands on; every command's work is in the
//! library.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use tabferry_host::cli::generated::{self, CompletionsArguments, ManArguments};
use tabferry_host::cli::install::{self, InstallArguments, UninstallArguments};
use tabferry_host::install::machine::Machine;
use tabferry_host::install::registry::CurrentUser;
use tabferry_host::install::status;

/// Receives files from the Tabferry extension straight to disk.
#[derive(Debug, Parser)]
#[command(name = "tabferry", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Register with the browsers of this machine, so that the extension finds this program
    Install(InstallArguments),
    /// Undo install
    Uninstall(UninstallArguments),
    /// Show which browsers know this program
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell
    Completions(CompletionsArguments),
    /// Print the manual page
    #[command(hide = true)]
    Man(ManArguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told if this fails too.
            let _ = writeln!(io::stderr(), "tabferry: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("can't find this program's own file")?;
    let machine = Machine::here().context("this account has no home directory")?;
    let registry = &mut CurrentUser;
    let output = &mut io::stdout().lock();
    match command {
        Command::Install(arguments) => {
            install::install(&arguments, &program, &machine, registry, output)?;
        }
        Command::Uninstall(arguments) => {
            install::uninstall(&arguments, &program, &machine, registry, None, output)?;
        }
        Command::Status { json } => {
            let browsers = status::look(&machine, registry, &program);
            if json {
                serde_json::to_writer_pretty(&mut *output, &browsers)?;
                writeln!(output)?;
            } else {
                for browser in browsers {
                    write!(output, "{browser}")?;
                }
            }
        }
        Command::Completions(arguments) => {
            generated::completions(&arguments, Arguments::command(), output)?;
        }
        Command::Man(arguments) => generated::man(&arguments, Arguments::command(), output)?,
    }
    Ok(())
}
