//! What a browser starts: copies frames between the browser and the daemon, in both directions, and ends with either. It
//! knows which extensions may speak to the daemon, and no message but those with which it says that it can't go on.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use tabferry_protocol::native::{Client, DaemonCode, FromDaemon};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tracing::{info, warn};

use crate::frames::{self, FrameError};
use crate::install::{CHROMIUM_ORIGIN, FIREFOX_ADD_ON};
use crate::launch;
use crate::places::Places;

/// The extensions that may speak to the daemon, as browsers name them: Chromium's by its page origin, Firefox' by the id of
/// the add-on.
pub const ORIGINS: [&str; 2] = [CHROMIUM_ORIGIN, FIREFOX_ADD_ON];

/// Whom a browser has started us for; `None` if no browser has started us. The arguments are those after the program's name.
pub fn origin_of(arguments: &[OsString]) -> Option<String> {
    let text = |argument: &OsStr| argument.to_string_lossy().into_owned();
    match arguments {
        // On Windows a window's number follows.
        [origin, ..] if text(origin).starts_with("chrome-extension://") => Some(text(origin)),
        [manifest, add_on]
            if Path::new(manifest).is_absolute()
                && Path::new(manifest).extension() == Some(OsStr::new("json")) =>
        {
            Some(text(add_on))
        }
        _ => None,
    }
}

/// Why the bridge ends other than by an end of the browser's or the daemon's.
#[derive(Debug, thiserror::Error)]
enum BridgeError {
    #[error("{0} is no extension that this program works for")]
    Origin(String),
    #[error("from the browser: {0}")]
    Browser(FrameError),
    #[error("{0}")]
    Daemon(String),
}

impl BridgeError {
    fn code(&self) -> DaemonCode {
        match self {
            Self::Origin(_) => DaemonCode::NotAllowed,
            Self::Browser(_) => DaemonCode::InvalidMessage,
            Self::Daemon(_) => DaemonCode::Failed,
        }
    }
}

/// Serves the browser at these streams until its end, or the daemon's.
pub async fn run(
    places: &Places,
    origin: String,
    from_browser: impl AsyncRead + Unpin,
    mut to_browser: impl AsyncWrite + Unpin,
) -> ExitCode {
    info!(origin, "started");
    let Err(error) = serve(places, origin, from_browser, &mut to_browser).await else {
        info!("ended");
        return ExitCode::SUCCESS;
    };
    warn!(%error, "ended");
    let told = FromDaemon::Error {
        code: error.code(),
        message: error.to_string(),
    };
    if let Err(error) = frames::write_message(&mut to_browser, &told).await {
        warn!(%error, "the browser does not listen any more");
    }
    ExitCode::FAILURE
}

async fn serve(
    places: &Places,
    origin: String,
    mut from_browser: impl AsyncRead + Unpin,
    to_browser: &mut (impl AsyncWrite + Unpin),
) -> Result<(), BridgeError> {
    if !ORIGINS.contains(&origin.as_str()) {
        return Err(BridgeError::Origin(origin));
    }
    let daemon = launch::connect_or_start(places)
        .await
        .map_err(|error| BridgeError::Daemon(error.to_string()))?;
    let (mut from_daemon, mut to_daemon) = tokio::io::split(daemon);
    frames::write_message(&mut to_daemon, &Client::Browser { origin })
        .await
        .map_err(|error| BridgeError::Daemon(error.to_string()))?;
    let up = async {
        while let Some(frame) = frames::read(&mut from_browser).await.map_err(or_end)? {
            if frames::write(&mut to_daemon, &frame).await.is_err() {
                // It has gone, and may have said why.
                std::future::pending::<()>().await;
            }
        }
        // The daemon is told, and what it says from now on is for nobody.
        let _ = to_daemon.shutdown().await;
        Ok(())
    };
    let down = async {
        loop {
            match frames::read(&mut from_daemon).await {
                Ok(Some(frame)) => {
                    if frames::write(to_browser, &frame).await.is_err() {
                        return Ok(());
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(BridgeError::Daemon(error.to_string())),
            }
        }
    };
    tokio::select! {
        ended = up => match ended {
            Err(None) | Ok(()) => Ok(()),
            Err(Some(error)) => Err(BridgeError::Browser(error)),
        },
        ended = down => ended,
    }
}

/// A browser that is killed leaves a frame unfinished or a stream broken: that is its end, and nobody is there to be told.
fn or_end(error: FrameError) -> Option<FrameError> {
    match error {
        FrameError::TooLong(_) | FrameError::Empty => Some(error),
        FrameError::Cut | FrameError::Io(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(arguments: &[&str]) -> Option<String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        origin_of(&arguments)
    }

    #[test]
    fn a_browser_is_told_from_a_person_by_the_arguments() {
        assert_eq!(origin(&[ORIGINS[0]]).as_deref(), Some(ORIGINS[0]));
        assert_eq!(
            origin(&[ORIGINS[0], "--parent-window=42"]).as_deref(),
            Some(ORIGINS[0])
        );
        assert_eq!(
            origin(&["chrome-extension://other/"]).as_deref(),
            Some("chrome-extension://other/")
        );
        let manifest = std::env::temp_dir().join("app.tabferry.host.json");
        assert_eq!(
            origin(&[manifest.to_str().unwrap(), ORIGINS[1]]).as_deref(),
            Some(ORIGINS[1])
        );
        for of_a_person in [
            &[][..],
            &["status"],
            &["send", "notes.json"],
            &["send", "/tmp/notes.json", "--to", "nas"],
            &["https://example.org/"],
        ] {
            assert_eq!(origin(of_a_person), None, "{of_a_person:?}");
        }
    }
}
