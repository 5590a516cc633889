//! `tabferry receive`: a person at a terminal takes the place of an extension: answers proposals, and takes pages, links and
//! texts.

use std::collections::VecDeque;

use tabferry_protocol::host::{
    Command, Direction, Event, ItemView, PlainItem, ProposalView, TransferState, TransferView,
};
use tabferry_protocol::id::TransferId;
use tabferry_protocol::native::{FromDaemon, ToDaemon};

use super::CommandError;
use super::arguments::ReceiveArguments;
use super::devices::Hearing;
use super::send::{reason, subject};
use super::terminal::{self, ask, is_interactive, print};
use crate::client::{Client, ClientError, Speaker};
use crate::places::Places;

pub(super) async fn run(places: &Places, arguments: ReceiveArguments) -> Result<(), CommandError> {
    if !arguments.accept && !is_interactive() {
        return Err(CommandError::Other(
            "nobody can be asked here: stdin is no terminal; use --accept to accept everything"
                .to_owned(),
        ));
    }
    let folder = match &arguments.to_dir {
        Some(typed) => Some(
            std::path::absolute(typed)
                .and_then(std::fs::canonicalize)
                .map_err(|error| CommandError::Io(typed.display().to_string(), error))?,
        ),
        None => None,
    };
    let mut client = Client::start(places).await?;
    let shown = folder.clone().unwrap_or_else(|| client.folder.clone());
    client.say(&ToDaemon::Watch).await?;
    client.say(&ToDaemon::Receive { folder }).await?;
    let (speaker, hearing) = client.split();
    let mut receiver = Receiver {
        speaker,
        hearing,
        accept: arguments.accept,
        once: arguments.once,
        proposals: VecDeque::new(),
    };
    eprint(&format!(
        "Receiving into {}. End with Ctrl+C.",
        shown.display()
    ));
    tokio::select! {
        ended = receiver.serve() => ended,
        _ = tokio::signal::ctrl_c() => Err(CommandError::Interrupted),
    }
}

struct Receiver {
    speaker: Speaker,
    hearing: Hearing,
    accept: bool,
    once: bool,
    /// Those that wait for an answer, the first one asked about.
    proposals: VecDeque<ProposalView>,
}

impl Receiver {
    async fn serve(&mut self) -> Result<(), CommandError> {
        // Only one answer is read at a time: a line that is typed belongs to the question that it stands behind.
        let mut answer = None;
        loop {
            if answer.is_none()
                && let Some(proposal) = self.proposals.front()
            {
                let question = question(proposal);
                answer = Some((proposal.transfer, tokio::spawn(ask(question))));
            }
            let asked = async {
                match &mut answer {
                    Some((transfer, answer)) => (*transfer, answer.await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = self.hearing.recv() => {
                    let heard = heard.ok_or(ClientError::Ended)??;
                    if self.take(heard).await? {
                        return Ok(());
                    }
                }
                (transfer, typed) = asked => {
                    answer = None;
                    let typed = typed.map_err(|error| CommandError::Other(error.to_string()))??;
                    // The end of the input says no to everything.
                    let yes = typed.is_some_and(|typed| matches!(typed.to_lowercase().as_str(), "y" | "yes"));
                    self.answer(transfer, yes).await?;
                }
            }
        }
    }

    /// Whether that was all.
    async fn take(&mut self, heard: FromDaemon) -> Result<bool, CommandError> {
        match heard {
            FromDaemon::Shown { snapshot, .. } => {
                for proposal in snapshot.incoming {
                    self.propose(proposal).await?;
                }
                Ok(false)
            }
            FromDaemon::Event(Event::ProposalArrived { proposal }) => {
                self.propose(proposal).await?;
                Ok(false)
            }
            FromDaemon::Event(Event::ProposalEnded { transfer }) => {
                self.proposals
                    .retain(|waiting| waiting.transfer != transfer);
                Ok(false)
            }
            FromDaemon::Event(Event::TransferEnded { transfer })
                if transfer.direction == Direction::Receive =>
            {
                self.end(&transfer)
            }
            FromDaemon::Item { item, .. } => {
                show(&item)?;
                self.speaker
                    .say(&ToDaemon::ItemTaken { item: item.id })
                    .await?;
                Ok(self.once)
            }
            FromDaemon::Error { code, message } => Err(CommandError::refused(code, message)),
            _ => Ok(false),
        }
    }

    async fn propose(&mut self, proposal: ProposalView) -> Result<(), CommandError> {
        let mut known = self.proposals.iter();
        if known.any(|known| known.transfer == proposal.transfer) {
            return Ok(());
        }
        if self.accept {
            let transfer = proposal.transfer;
            let command = Command::Accept { transfer };
            return Ok(self.speaker.say(&ToDaemon::Command(command)).await?);
        }
        self.proposals.push_back(proposal);
        Ok(())
    }

    async fn answer(&mut self, transfer: TransferId, yes: bool) -> Result<(), CommandError> {
        let was_there = self
            .proposals
            .iter()
            .any(|waiting| waiting.transfer == transfer);
        self.proposals
            .retain(|waiting| waiting.transfer != transfer);
        if !was_there {
            eprint("It was withdrawn meanwhile.");
            return Ok(());
        }
        let command = if yes {
            Command::Accept { transfer }
        } else {
            Command::Decline { transfer }
        };
        Ok(self.speaker.say(&ToDaemon::Command(command)).await?)
    }

    fn end(&self, transfer: &TransferView) -> Result<bool, CommandError> {
        let (what, from) = (
            subject(&transfer.subject),
            terminal::device(&transfer.device),
        );
        match transfer.state {
            TransferState::Done => {
                let name = transfer
                    .stored
                    .as_ref()
                    .map(|stored| terminal::line(&stored.name));
                match name.filter(|name| *name != what) {
                    Some(name) => {
                        print(&format!("Received {what} from {from}, the last as {name}."))?
                    }
                    None => print(&format!("Received {what} from {from}."))?,
                }
                Ok(self.once)
            }
            TransferState::Failed { code } if self.once => Err(CommandError::Other(format!(
                "{what} from {from}: {}",
                reason(code)
            ))),
            TransferState::Failed { code } => {
                eprint(&format!("{what} from {from}: {}", reason(code)));
                Ok(false)
            }
            TransferState::Cancelled { .. } | TransferState::Declined { .. } if self.once => Err(
                CommandError::Declined(format!("{what} from {from} was stopped")),
            ),
            _ => Ok(false),
        }
    }
}

fn question(proposal: &ProposalView) -> String {
    let mut names: Vec<_> = proposal
        .names
        .iter()
        .map(|name| terminal::line(name))
        .collect();
    if usize::try_from(proposal.files).is_ok_and(|files| files > names.len()) {
        names.push("…".to_owned());
    }
    let programs = match proposal.programs {
        0 => "",
        _ => " Among them are programs: accept only what you expect.",
    };
    format!(
        "{} wants to send {} files, {}: {}.{programs} Accept? [y/N] ",
        terminal::device(&proposal.from),
        proposal.files,
        terminal::bytes(proposal.bytes),
        names.join(", "),
    )
}

fn show(received: &ItemView) -> Result<(), CommandError> {
    eprint(&format!("From {}:", terminal::device(&received.from)));
    match &received.item {
        PlainItem::Page { url, title } | PlainItem::Link { url, title } => {
            if !title.is_empty() {
                eprint(&terminal::line(title));
            }
            print(&terminal::line(url))
        }
        PlainItem::Text { text } => print(&terminal::lines(text)),
    }
}

/// A line on stderr, beside what is received. Nobody is left to be told if this fails.
fn eprint(line: &str) {
    use std::io::Write as _;

    let _ = writeln!(std::io::stderr(), "{line}");
}
