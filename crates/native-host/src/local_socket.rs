//! The daemon's socket, which only its own user reaches: both ends make sure who the other one is. Never a TCP port. Knows
//! no message.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::places::{Places, make_private};

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

pub use platform::{Server, Stream, connect};

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon of this user runs.
    #[error("another daemon runs already")]
    Taken,
    /// The system refuses it.
    #[error("the daemon's socket in {directory}: {error}")]
    Io {
        /// Where it was to be.
        directory: String,
        /// Why not.
        error: io::Error,
    },
}

/// The socket, with the lock that keeps other daemons away for as long as this one lives, however it ends.
#[derive(Debug)]
pub struct Listener {
    server: Server,
    _lock: File,
}

impl Listener {
    /// Becomes this user's one daemon. What a dead one has left behind is replaced. Call within a runtime.
    pub fn bind(places: &Places) -> Result<Self, BindError> {
        let failed = |error| BindError::Io {
            directory: places.runtime.display().to_string(),
            error,
        };
        make_private(&places.runtime).map_err(failed)?;
        // Beside what it protects: the socket's directory may be another one for another session of the same user.
        make_private(&places.state).map_err(failed)?;
        let lock = lock(&places.state.join("daemon.lock"))?.map_err(failed)?;
        // Nobody else gets here as long as we have the lock.
        let server = Server::bind(places).map_err(failed)?;
        Ok(Self {
            server,
            _lock: lock,
        })
    }

    /// The next client of the same user; others are sent away. Errors when the system is out of something.
    pub async fn accept(&mut self) -> io::Result<Stream> {
        self.server.accept().await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the file is empty, in a directory of this user alone, and is there to be locked"
)]
fn lock(path: &Path) -> Result<io::Result<File>, BindError> {
    let opened = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Ok(file)),
        Err(TryLockError::WouldBlock) => Err(BindError::Taken),
        Err(TryLockError::Error(error)) => Ok(Err(error)),
    }
}
