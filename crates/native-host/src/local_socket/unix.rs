//! The socket on Unix: a socket file in a directory of mode 0700, and the user ids that the kernel tells of both ends.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tokio::net::{UnixListener, UnixStream};

use crate::places::Places;

/// A connection between the daemon and a client.
pub type Stream = UnixStream;

/// What listens.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    pub(super) fn bind(places: &Places) -> io::Result<Self> {
        let path = path(places);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Clients of other users are sent away.
    pub(super) async fn accept(&mut self) -> io::Result<Stream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            match check_peer(&stream) {
                Ok(()) => return Ok(stream),
                Err(error) => tracing::warn!(%error, "a client was sent away"),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The next daemon would replace it anyway.
        let _ = fs::remove_file(&self.path);
    }
}

/// Connects to this user's daemon. Errors with `NotFound` or `ConnectionRefused` if there is none, and with
/// `PermissionDenied` if whoever listens there is somebody else.
pub async fn connect(places: &Places) -> io::Result<Stream> {
    let stream = UnixStream::connect(path(places)).await?;
    check_peer(&stream)?;
    Ok(stream)
}

fn path(places: &Places) -> PathBuf {
    places.runtime.join("daemon.sock")
}

fn check_peer(stream: &UnixStream) -> io::Result<()> {
    let (us, them) = (
        rustix::process::geteuid().as_raw(),
        stream.peer_cred()?.uid(),
    );
    if us == them {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("the other end of the daemon's socket belongs to user {them}, not to {us}"),
    ))
}
