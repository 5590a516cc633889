//! Which notification tells what, and what a click on it does. A notification's id and what is kept for it say all that
//! a worker needs which starts when it is clicked.
//!
//! | id | buttons | body |
//! |---|---|---|
//! | `proposal:<transfer>` | Accept, Decline | the popup, where names and sizes stand |
//! | `item:<item>` | Open or Copy | the same |
//! | `received:<transfer>:<download>` | Show in folder | the same |
//! | others | | the popup |

use serde::{Deserialize, Serialize};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    Command, Direction, Event, ItemView, ProposalView, Subject, TransferState, TransferView,
};
use tabferry_protocol::id::TransferId;
use tabferry_protocol::limits::KEPT_ITEMS;
use tabferry_protocol::name::cut_to_bytes;

use super::click::Unsendable;
use crate::chrome::notifications::Notification;
use crate::i18n::{Words, files, size};
use crate::model::item::ItemModel;
use crate::model::proposal::ProposalModel;
use crate::model::transfer::{TransferModel, code_key};

/// Longest quotation of a received text. Bytes; the system shows a few lines.
const EXCERPT_BYTES: usize = 300;

/// A notification to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: String,
    /// What it shows.
    pub notification: Notification,
    /// What must be kept for a click.
    pub kept: Option<Kept>,
}

/// What is kept for a click, because the id is too short for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// A link to open.
    Link(String),
    /// A text to copy.
    Text(String),
}

/// What a click does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Tell the engine.
    Command(Command),
    /// Open a link.
    Open(String),
    /// Copy a text.
    Copy(String),
    /// Show a download's file in its folder.
    ShowInFolder(u32),
    /// Show the popup.
    ShowPopup,
}

/// The notification for an event, if it is one to notify of.
pub fn of_event(event: &Event, words: Words<'_>) -> Option<Notice> {
    match event {
        Event::ProposalArrived { proposal } => Some(of_proposal(proposal, words)),
        Event::ProposalEnded { .. } => None,
        Event::ItemReceived { item } => Some(of_item(item, words)),
        Event::TransferEnded { transfer } => of_ended(transfer, words),
    }
}

/// The id of a proposal's notification.
pub fn proposal_id(transfer: TransferId) -> String {
    format!("proposal:{}", transfer.0)
}

/// Whether a notification makes sense only to the engine that caused it.
pub fn needs_its_engine(id: &str) -> bool {
    id.starts_with("proposal:")
}

/// The id of the item that the list of received items has dropped when this one came.
pub fn dropped_by(id: &str) -> Option<String> {
    let item: usize = id.strip_prefix("item:")?.parse().ok()?;
    Some(format!("item:{}", item.checked_sub(KEPT_ITEMS)?))
}

/// The bytes of a file could not be fetched and its link was sent.
pub fn of_link_instead(url: &str, words: Words<'_>) -> Notice {
    Notice {
        id: "link-instead".to_owned(),
        notification: brief(
            words("notification_link_instead_title", &[]),
            words("notification_link_instead", &[url]),
            Vec::new(),
        ),
        kept: None,
    }
}

/// A click on a menu item sent nothing.
pub fn of_unsendable(why: Unsendable, words: Words<'_>) -> Notice {
    let message = match why {
        Unsendable::Address => words("code_forbidden_link", &[]),
        Unsendable::Nothing => words("notification_nothing_to_send", &[]),
    };
    Notice {
        id: "unsendable".to_owned(),
        notification: brief(
            words("notification_unsendable_title", &[]),
            message,
            Vec::new(),
        ),
        kept: None,
    }
}

/// What a click on a notification does: on a button, or on its body.
pub fn reaction(id: &str, button: Option<u32>, kept: Option<Kept>) -> Reaction {
    let mut parts = id.split(':');
    let kind = parts.next().unwrap_or_default();
    let mut number = || -> Option<u32> { parts.next()?.parse().ok() };
    let transfer = number().map(TransferId);
    let reaction = match (kind, button, kept) {
        ("proposal", Some(0), _) => {
            transfer.map(|transfer| Reaction::Command(Command::Accept { transfer }))
        }
        ("proposal", Some(_), _) => {
            transfer.map(|transfer| Reaction::Command(Command::Decline { transfer }))
        }
        ("received", ..) => number().map(Reaction::ShowInFolder),
        ("item", _, Some(Kept::Link(url))) => Some(Reaction::Open(url)),
        ("item", _, Some(Kept::Text(text))) => Some(Reaction::Copy(text)),
        _ => None,
    };
    reaction.unwrap_or(Reaction::ShowPopup)
}

fn of_proposal(proposal: &ProposalView, words: Words<'_>) -> Notice {
    let shown = ProposalModel::new(proposal, words);
    let mut message = proposal.names.join(", ");
    for line in shown.more.into_iter().chain([shown.size]) {
        message.push('\n');
        message.push_str(&line);
    }
    let buttons = ["accept_button", "decline_button"]
        .map(|key| words(key, &[]))
        .to_vec();
    Notice {
        id: proposal_id(proposal.transfer),
        notification: Notification {
            stays: true,
            ..brief(shown.title, message, buttons)
        },
        kept: None,
    }
}

fn of_item(item: &ItemView, words: Words<'_>) -> Notice {
    let shown = ItemModel::new(item, words);
    let excerpt = cut_to_bytes(&shown.title, EXCERPT_BYTES);
    let message = match &shown.host {
        Some(host) if *excerpt != shown.copied => format!("{excerpt}\n{host}"),
        Some(host) => host.clone(),
        None => excerpt.to_owned(),
    };
    let (button, kept) = match shown.url {
        Some(url) => ("open_button", Kept::Link(url)),
        None => ("copy_button", Kept::Text(shown.copied)),
    };
    Notice {
        id: format!("item:{}", item.id.0),
        notification: brief(shown.caption, message, vec![words(button, &[])]),
        kept: Some(kept),
    }
}

/// Of what a person here did or declined nothing more is said.
fn of_ended(transfer: &TransferView, words: Words<'_>) -> Option<Notice> {
    let receives = transfer.direction == Direction::Receive;
    match (transfer.state, &transfer.subject) {
        (TransferState::Done, Subject::Files { count, .. }) if receives => {
            Some(of_received(transfer, *count, words))
        }
        (TransferState::Declined { code }, _) if !receives => {
            Some(of_failed("notification_declined", transfer, code, words))
        }
        (TransferState::Cancelled { here: false }, _) => Some(of_failed(
            "notification_cancelled",
            transfer,
            Code::Cancelled,
            words,
        )),
        (TransferState::Failed { code }, _) => {
            let title = if receives {
                "notification_receive_failed"
            } else {
                "notification_send_failed"
            };
            Some(of_failed(title, transfer, code, words))
        }
        _ => None,
    }
}

fn of_received(transfer: &TransferView, count: u32, words: Words<'_>) -> Notice {
    let from = transfer.device.name.as_str();
    let title = words("notification_received", &[&files(count, words), from]);
    let stored = transfer.stored.as_ref();
    let size = size(transfer.bytes, words);
    let message = match stored {
        Some(file) if count == 1 => format!("{}\n{size}", file.name),
        _ => size,
    };
    let buttons: Vec<_> = stored.iter().map(|_| words("show_button", &[])).collect();
    let download = stored.map_or_else(String::new, |file| file.id.to_string());
    Notice {
        id: format!("received:{}:{download}", transfer.id.0),
        notification: brief(title, message, buttons),
        kept: None,
    }
}

fn of_failed(title: &str, transfer: &TransferView, code: Code, words: Words<'_>) -> Notice {
    let device = transfer.device.name.as_str();
    let what = TransferModel::new(transfer, words).title.full();
    Notice {
        id: format!("ended:{}", transfer.id.0),
        notification: brief(
            words(title, &[device, &what]),
            words(code_key(code), &[]),
            Vec::new(),
        ),
        kept: None,
    }
}

fn brief(title: String, message: String, buttons: Vec<String>) -> Notification {
    Notification {
        title,
        message,
        buttons,
        stays: false,
    }
}
