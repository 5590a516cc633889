//! Reaches the daemon, and starts it where none runs. Knows no message.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::local_socket::{Stream, connect};
use crate::places::Places;

/// The hidden subcommand that makes a process the daemon, and the option with which it leaves the session it was started in.
pub const DAEMON_ARGUMENTS: [&str; 2] = ["daemon", "--background"];

/// A daemon listens after so long, also on a machine that is busy starting a browser.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A socket's appearance can't be awaited on all systems, so it is looked for this often.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Why the daemon can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The socket is there but refuses.
    #[error("the daemon's socket: {0}")]
    Socket(io::Error),
    /// The program could not be started.
    #[error("the daemon could not be started: {0}")]
    Start(io::Error),
    /// It was started and does not listen.
    #[error("the daemon was started but does not answer; its log is daemon.log in {0}")]
    Silent(String),
}

/// Connects to the daemon if one runs.
pub async fn connect_to_running(places: &Places) -> Result<Option<Stream>, LaunchError> {
    match connect(places).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(LaunchError::Socket(error)),
    }
}

/// Connects to the daemon, starting it if none runs.
pub async fn connect_or_start(places: &Places) -> Result<Stream, LaunchError> {
    if let Some(stream) = connect_to_running(places).await? {
        return Ok(stream);
    }
    let mut child = start().map_err(LaunchError::Start)?;
    let started = Instant::now();
    let mut ended = false;
    loop {
        if let Some(stream) = connect_to_running(places).await? {
            return Ok(stream);
        }
        // One that has ended may have lost against another that was started at the same time and is about to listen.
        if ended || started.elapsed() > START_TIMEOUT {
            return Err(LaunchError::Silent(places.state.display().to_string()));
        }
        ended = child
            .try_wait()
            .map_err(LaunchError::Start)?
            .is_some_and(|status| status.code() != Some(i32::from(crate::daemon::TAKEN_EXIT_CODE)));
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

/// Starts this same program as the daemon. It has none of our streams: a browser waits for the end of its host's stdout.
fn start() -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(DAEMON_ARGUMENTS)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Not to keep a file system busy that we were started on.
        .current_dir(root());
    detach(&mut command);
    command.spawn()
}

#[cfg(unix)]
fn root() -> &'static str {
    "/"
}

#[cfg(windows)]
fn root() -> std::path::PathBuf {
    std::env::temp_dir()
}

/// On Unix the daemon itself opens a session of its own.
#[cfg(unix)]
fn detach(_command: &mut Command) {}

/// Without a console, deaf to its Ctrl+C, and out of the job that a browser ends its hosts with.
#[cfg(windows)]
fn detach(command: &mut Command) {
    use std::os::windows::process::CommandExt;

    use windows_sys::Win32::System::Threading::{
        CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS,
    };

    command.creation_flags(CREATE_BREAKAWAY_FROM_JOB | CREATE_NEW_PROCESS_GROUP | DETACHED_PROCESS);
}
