//! Where the program keeps things: one directory each for the socket, for state and for configuration, all of them this
//! person's alone. Knows no file in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use directories::BaseDirs;

/// Names one directory that holds all of the others, in place of the system's usual places.
pub const HOME_VARIABLE: &str = "TABFERRY_HOME";

/// Name of the program's directory among those of other programs.
const PROGRAM: &str = "tabferry";

/// The directories. They need not be there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Of the daemon's socket and its lock.
    pub runtime: PathBuf,
    /// Of what the daemon keeps, and of logs.
    pub state: PathBuf,
    /// Of what a person has set.
    pub config: PathBuf,
}

/// There is nowhere to keep anything.
#[derive(Debug, thiserror::Error)]
#[error("this account has no home directory; set {HOME_VARIABLE} to a directory for Tabferry")]
pub struct NoHome;

impl Places {
    /// As the environment says.
    pub fn of_environment() -> Result<Self, NoHome> {
        if let Some(home) = std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()) {
            // A relative path would be another one for a daemon with another working directory.
            let home = std::path::absolute(home).map_err(|_| NoHome)?;
            return Ok(Self::within(&home));
        }
        let base = BaseDirs::new().ok_or(NoHome)?;
        let state = base
            .state_dir()
            .unwrap_or_else(|| base.data_local_dir())
            .join(PROGRAM);
        let runtime = base
            .runtime_dir()
            .map(Path::to_owned)
            .or_else(session_directory)
            .map_or_else(|| state.join("run"), |dir| dir.join(PROGRAM));
        Ok(Self {
            runtime,
            config: base.config_dir().join(PROGRAM),
            state,
        })
    }

    /// All in one directory.
    pub fn within(home: &Path) -> Self {
        Self {
            runtime: home.join("run"),
            state: home.join("state"),
            config: home.join("config"),
        }
    }
}

/// Where the sessions of this user have their sockets on Linux, for one that was not told: a job of cron, `su -`.
#[cfg(target_os = "linux")]
fn session_directory() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let us = rustix::process::geteuid().as_raw();
    let directory = PathBuf::from(format!("/run/user/{us}"));
    let found = fs::symlink_metadata(&directory).ok()?;
    (found.is_dir() && found.uid() == us).then_some(directory)
}

#[cfg(not(target_os = "linux"))]
fn session_directory() -> Option<PathBuf> {
    None
}

/// Makes a directory that only this person can look into, and its parents. Errors if it belongs to somebody else.
pub fn make_private(directory: &Path) -> io::Result<()> {
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent)?;
    }
    private::make(directory)
}

#[cfg(unix)]
mod private {
    use std::fs::{self, DirBuilder, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    use std::path::Path;

    pub(super) fn make(directory: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let found = fs::symlink_metadata(directory)?;
        let us = rustix::process::geteuid().as_raw();
        if !found.is_dir() || found.uid() != us {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} is not a directory of this user", directory.display()),
            ));
        }
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod private {
    use std::io;
    use std::path::Path;

    /// A person's own directories there let nobody else in, and what is made in them inherits that.
    pub(super) fn make(directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_private_directory_is_closed_to_others_even_if_it_was_open() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("deep/run");
        make_private(&directory).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        make_private(&directory).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_link_in_the_place_of_a_private_directory_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), home.path().join("run")).unwrap();
        assert!(make_private(&home.path().join("run")).is_err());
    }
}
