//! Program `tabferry`: what it is depends on who starts it. A browser gets the bridge, a person a command. The daemon is a
//! command that the other two start.

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

use tabferry_host::places::Places;
use tabferry_host::{bridge, cli, daemon, logging};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let places = match Places::of_environment() {
        Ok(places) => places,
        Err(error) => return cli::complain(&error),
    };
    if let Some(origin) = bridge::origin_of(&arguments) {
        // A browser has nobody to show an error of this to, and what is not logged still works.
        let _ = logging::start(&places, "bridge");
        let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
        return block_on(bridge::run(&places, origin, stdin, stdout));
    }
    match cli::parse() {
        cli::Mode::Daemon { background } => {
            if let Err(error) = logging::start(&places, "daemon") {
                return cli::complain(&error);
            }
            block_on(daemon::run(places, background))
        }
        cli::Mode::Command(command) => block_on(cli::run(&places, command)),
    }
}

fn block_on(mode: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return cli::complain(&error),
    };
    let code = runtime.block_on(mode);
    // Not waiting for a thread that still waits for stdin.
    runtime.shutdown_background();
    code
}
