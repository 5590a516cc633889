//! `tabferry send`: hands what a person names to the daemon and follows the transfer to its end.

use std::io;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{Command, PlainItem, Subject, TransferState, TransferView};
use tabferry_protocol::id::TransferId;
use tabferry_protocol::limits::TEXT_BYTES;
use tabferry_protocol::native::{FromDaemon, Outgoing, SourcePath, ToDaemon};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt;

use super::CommandError;
use super::arguments::SendArguments;
use super::devices::{Hearing, find};
use super::terminal::{self, print};
use crate::client::{Client, ClientError, Speaker};
use crate::places::Places;

/// What stdin is called at the other end if nobody says it.
const STDIN_NAME: &str = "stdin.bin";

pub(super) async fn run(places: &Places, arguments: SendArguments) -> Result<(), CommandError> {
    // It is read by the daemon until the transfer has ended.
    let (what, _spooled) = outgoing(&arguments).await?;
    let mut client = Client::start(places).await?;
    client.say(&ToDaemon::Watch).await?;
    let (mut speaker, mut hearing) = client.split();
    let to = find(&mut hearing, &arguments.to).await?;
    speaker.say(&ToDaemon::Send { to: to.id, what }).await?;
    let transfer = transfer_id(&mut hearing).await?;
    let progress = Progress::new(arguments.quiet);
    let last = tokio::select! {
        last = follow(&mut hearing, transfer, &progress) => last?,
        _ = tokio::signal::ctrl_c() => {
            cancel(&mut speaker, &mut hearing, transfer, &progress).await?;
            return Err(CommandError::Interrupted);
        }
    };
    progress.bar.finish_and_clear();
    let name = terminal::device(&to);
    match last.state {
        TransferState::Done if arguments.quiet => Ok(()),
        TransferState::Done => print(&format!("Sent {} to {name}.", subject(&last.subject))),
        TransferState::Declined { code } => Err(CommandError::Declined(format!(
            "{name} declined: {}",
            reason(code)
        ))),
        TransferState::Cancelled { .. } => Err(CommandError::Declined(
            "the transfer was stopped".to_owned(),
        )),
        TransferState::Failed {
            code: code @ (Code::Unreachable | Code::PeerNotFound | Code::PeerGone),
        } => Err(CommandError::Unreachable(format!(
            "{name}: {}",
            reason(code)
        ))),
        TransferState::Failed { code } => Err(CommandError::Other(reason(code))),
        _ => Err(ClientError::Ended.into()),
    }
}

/// What is to be sent, and the file where it lies if it came from stdin.
async fn outgoing(
    arguments: &SendArguments,
) -> Result<(Outgoing, Option<NamedTempFile>), CommandError> {
    let from_stdin = arguments.what.iter().any(|what| what == "-");
    if from_stdin || arguments.text {
        return match arguments.what.as_slice() {
            [only] if only == "-" && arguments.text => Ok((text().await?, None)),
            [only] if only == "-" => spool(arguments.name.as_deref()).await,
            _ => Err(CommandError::Other(
                "- goes alone, and --text with it".to_owned(),
            )),
        };
    }
    let is_link = |what: &String| what.starts_with("http://") || what.starts_with("https://");
    match arguments.what.as_slice() {
        [url] if is_link(url) => {
            let (url, title) = (url.clone(), String::new());
            return Ok((Outgoing::Item(PlainItem::Link { url, title }), None));
        }
        several if several.iter().any(is_link) => {
            return Err(CommandError::Other("send a link alone".to_owned()));
        }
        _ => {}
    }
    let paths = arguments.what.iter().map(|typed| {
        let path = std::path::absolute(typed);
        let path = path.and_then(|path| std::fs::metadata(&path).map(|_| path));
        path.map(|path| SourcePath { path, name: None })
            .map_err(|error| CommandError::Io(typed.clone(), error))
    });
    Ok((Outgoing::Paths(paths.collect::<Result<_, _>>()?), None))
}

async fn text() -> Result<Outgoing, CommandError> {
    let mut text = String::new();
    let mut limited = tokio::io::stdin().take(TEXT_BYTES as u64 + 1);
    limited.read_to_string(&mut text).await.map_err(stdin)?;
    if text.is_empty() || text.len() > TEXT_BYTES {
        return Err(CommandError::Other(format!(
            "a text has 1 to {TEXT_BYTES} bytes; without --text it is sent as a file"
        )));
    }
    Ok(Outgoing::Item(PlainItem::Text { text }))
}

/// Puts what comes from stdin into a file: a receiver is told the size first.
async fn spool(name: Option<&str>) -> Result<(Outgoing, Option<NamedTempFile>), CommandError> {
    let spooled = tokio::task::spawn_blocking(|| {
        let mut file = NamedTempFile::new()?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        Ok(file)
    });
    let file: NamedTempFile = spooled
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(stdin)?;
    let path: PathBuf = file.path().to_owned();
    let name = Some(name.unwrap_or(STDIN_NAME).to_owned());
    Ok((Outgoing::Paths(vec![SourcePath { path, name }]), Some(file)))
}

fn stdin(error: io::Error) -> CommandError {
    CommandError::Io("stdin".to_owned(), error)
}

async fn transfer_id(hearing: &mut Hearing) -> Result<TransferId, CommandError> {
    loop {
        match hearing.recv().await.ok_or(ClientError::Ended)?? {
            FromDaemon::Sending { transfer } => return Ok(transfer),
            FromDaemon::Error { code, message } => {
                return Err(CommandError::refused(code, message));
            }
            _ => {}
        }
    }
}

/// The transfer's last state.
async fn follow(
    hearing: &mut Hearing,
    id: TransferId,
    progress: &Progress,
) -> Result<TransferView, CommandError> {
    loop {
        let snapshot = super::devices::next_snapshot(hearing).await?;
        let Some(transfer) = snapshot.transfers.into_iter().find(|shown| shown.id == id) else {
            continue;
        };
        progress.show(&transfer);
        if transfer.state.is_final() {
            return Ok(transfer);
        }
    }
}

async fn cancel(
    speaker: &mut Speaker,
    hearing: &mut Hearing,
    transfer: TransferId,
    progress: &Progress,
) -> Result<(), CommandError> {
    speaker
        .say(&ToDaemon::Command(Command::Cancel { transfer }))
        .await?;
    follow(hearing, transfer, progress).await?;
    progress.bar.finish_and_clear();
    Ok(())
}

/// The bar on stderr.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        let bar = if quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(0)
        };
        let style =
            ProgressStyle::with_template("{wide_bar} {binary_bytes}/{binary_total_bytes} {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self { bar }
    }

    fn show(&self, transfer: &TransferView) {
        self.bar.set_length(transfer.bytes);
        self.bar.set_position(transfer.bytes_done);
        self.bar.set_message(match transfer.state {
            TransferState::Preparing | TransferState::Connecting => "connecting".to_owned(),
            TransferState::Proposed => "waiting for the other device".to_owned(),
            TransferState::Waiting => "waiting for the device to be back".to_owned(),
            TransferState::Paused { here: true } => "paused".to_owned(),
            TransferState::Paused { here: false } => "paused by the other device".to_owned(),
            _ => format!("{}/s", terminal::bytes(transfer.bytes_per_second)),
        });
    }
}

/// What a transfer is about, in a few words.
pub(super) fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Files { name, count: 1 } => terminal::line(name),
        Subject::Files { name, count } => {
            format!("{} and {} more files", terminal::line(name), count - 1)
        }
        Subject::Page { title } | Subject::Link { title } => terminal::line(title),
        Subject::Text { excerpt } => format!("the text “{}”", terminal::line(excerpt)),
    }
}

/// Why something ended, and what to do.
pub(super) fn reason(code: Code) -> String {
    match code {
        Code::Cancelled => "it was stopped",
        Code::Declined => "a person, or a rule of theirs, said no",
        Code::NoAnswer => "nobody answered in time",
        Code::PeerNotFound => "the device is not there; open Tabferry on it",
        Code::PeerGone => "the device went away",
        Code::Unreachable => "no connection came up; both devices must be in one network, without a guest's isolation",
        Code::ConnectionLost => "the connection broke and did not come back; send it again",
        Code::Stalled => "nothing moved for too long; send it again",
        Code::Incompatible => "the other device speaks another version; update the older one",
        Code::InvalidFrame | Code::PeerMisbehaved => "the other device does not keep to the rules; update both",
        Code::Unverified => "the other device could not prove who it is; somebody may be in between",
        Code::WrongCode => "the other device has another code",
        Code::Busy => "too many transfers at once; try again later",
        Code::TooLarge => "more files or bytes than allowed; send less at once",
        Code::ForbiddenLink => "only http and https links without a password can be sent",
        Code::SourceFailed => "the file changed or vanished while it was read",
        Code::FetchFailed => "what was to be sent could not be had",
        Code::StorageFull => "there is no space left where the file should go",
        Code::StorageFailed => "the file could not be stored; is the folder there, and may it be written to?",
        Code::DigestMismatch => "the bytes that arrived are not those that were sent; send it again",
        Code::Unknown => "the other device is newer and says something that this program does not know",
    }
    .to_owned()
}
