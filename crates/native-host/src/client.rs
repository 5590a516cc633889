//! A terminal command's connection to the daemon. Knows the handshake, and nothing of what is said after it.

use std::io;
use std::path::PathBuf;

use tabferry_protocol::card::DeviceCard;
use tabferry_protocol::native::{Client as Who, FromDaemon, ToDaemon, VERSION};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use crate::frames::{self, FrameError};
use crate::launch::{self, LaunchError};
use crate::local_socket::Stream;
use crate::places::Places;

/// Why the daemon can't be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It can't be reached.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// This can't be said to it.
    #[error("{0}")]
    Unsayable(String),
    /// It has gone.
    #[error("the daemon has ended")]
    Ended,
    /// It says what is not understood.
    #[error("the daemon is not understood: {0}")]
    Nonsense(String),
    /// It is of another version.
    #[error(
        "the daemon that runs is version {daemon} and this program is {}; end it with `tabferry stop` and try again",
        env!("CARGO_PKG_VERSION")
    )]
    OtherVersion {
        /// The daemon's.
        daemon: String,
    },
}

/// Messages that wait for a command. What the daemon shows waits there, not here.
const HEARD_MESSAGES: usize = 16;

/// A connection.
#[derive(Debug)]
pub struct Client {
    from: ReadHalf<Stream>,
    to: WriteHalf<Stream>,
    /// The device that the daemon was an endpoint of at hello.
    pub device: Option<DeviceCard>,
    /// Where received files go.
    pub folder: PathBuf,
}

impl Client {
    /// Connects to the daemon if one runs.
    pub async fn to_running(places: &Places) -> Result<Option<Self>, ClientError> {
        match launch::connect_to_running(places).await? {
            Some(stream) => Self::greet(stream).await.map(Some),
            None => Ok(None),
        }
    }

    /// Connects to the daemon, starting it if none runs.
    pub async fn start(places: &Places) -> Result<Self, ClientError> {
        Self::greet(launch::connect_or_start(places).await?).await
    }

    async fn greet(stream: Stream) -> Result<Self, ClientError> {
        let (from, mut to) = tokio::io::split(stream);
        frames::write_message(&mut to, &Who::Terminal)
            .await
            .map_err(|_| ClientError::Ended)?;
        let mut client = Self {
            from,
            to,
            device: None,
            folder: PathBuf::new(),
        };
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let version = VERSION;
        client.say(&ToDaemon::Hello { version, program }).await?;
        match client.hear().await? {
            FromDaemon::Welcome {
                version: VERSION,
                device,
                folder,
                ..
            } => {
                client.device = device;
                client.folder = folder.into();
                Ok(client)
            }
            FromDaemon::Welcome { program, .. } => {
                Err(ClientError::OtherVersion { daemon: program })
            }
            other => Err(ClientError::Nonsense(format!(
                "{other:?} in place of a welcome"
            ))),
        }
    }

    /// Says something.
    pub async fn say(&mut self, message: &ToDaemon) -> Result<(), ClientError> {
        frames::write_message(&mut self.to, message)
            .await
            .map_err(|error| unsaid(&error))
    }

    /// The next thing that the daemon says. Not to be dropped in mid-way and then called again.
    pub async fn hear(&mut self) -> Result<FromDaemon, ClientError> {
        hear(&mut self.from).await
    }

    /// Hears in a task of its own, so that a command can wait for other things meanwhile.
    pub fn split(self) -> (Speaker, mpsc::Receiver<Result<FromDaemon, ClientError>>) {
        let (heard, hearing) = mpsc::channel(HEARD_MESSAGES);
        let Self { mut from, to, .. } = self;
        tokio::spawn(async move {
            let mut goes_on = true;
            while goes_on {
                let message = hear(&mut from).await;
                goes_on = message.is_ok();
                goes_on &= heard.send(message).await.is_ok();
            }
        });
        (Speaker(to), hearing)
    }
}

/// The half of a connection that speaks.
#[derive(Debug)]
pub struct Speaker(WriteHalf<Stream>);

impl Speaker {
    /// Says something.
    pub async fn say(&mut self, message: &ToDaemon) -> Result<(), ClientError> {
        frames::write_message(&mut self.0, message)
            .await
            .map_err(|error| unsaid(&error))
    }
}

fn unsaid(error: &io::Error) -> ClientError {
    let why = match error.kind() {
        io::ErrorKind::InvalidInput => {
            "that is too much at once; name the folder instead of all files in it"
        }
        io::ErrorKind::InvalidData | io::ErrorKind::Other => {
            "a path can't be told to the daemon: its name is not valid Unicode"
        }
        _ => return ClientError::Ended,
    };
    ClientError::Unsayable(why.to_owned())
}

async fn hear(from: &mut ReadHalf<Stream>) -> Result<FromDaemon, ClientError> {
    match frames::read(from).await {
        Ok(Some(frame)) => {
            serde_json::from_slice(&frame).map_err(|error| ClientError::Nonsense(error.to_string()))
        }
        Ok(None) | Err(FrameError::Cut | FrameError::Io(_)) => Err(ClientError::Ended),
        Err(error) => Err(ClientError::Nonsense(error.to_string())),
    }
}
