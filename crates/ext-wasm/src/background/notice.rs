//! Which notification tells what, and what a click on it does. A notification's id and what is kept for it say all that
//! a worker needs which starts when it is clicked.
//!
//! | id | buttons | body |
//! |---|---|---|
//! | `proposal:<transfer>` | Accept, Decline | the popup, where names and sizes stand |
//! | `item:<item>` | Open or Copy | the same |
//! | `received:<transfer>:<download>` | Show in folder | the same, through the native host if the transfer is its own |
//! | others | | the popup |

use serde::{Deserialize, Serialize};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    Command, DeviceView, Direction, Event, ItemView, ProposalView, Subject, TransferState,
    TransferView,
};
use tabferry_protocol::id::{ItemId, TransferId};
use tabferry_protocol::limits::KEPT_ITEMS;
use tabferry_protocol::name::cut_to_bytes;

use super::click::Unsendable;
use super::output::Output;
use crate::envelope::{NativeCommand, OffscreenMessage, is_native};
use crate::i18n::{Words, files, size};
use crate::model::item::ItemModel;
use crate::model::proposal::ProposalModel;
use crate::model::transfer::{code_key, title as title_of};

/// The id of a question to pair: there is one at a time.
const PAIRING: &str = "pairing";

/// Longest quotation of a received text. Bytes; the system shows a few lines.
const EXCERPT_BYTES: usize = 300;

/// A notification to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Its id; the browser takes up to 500 characters.
    pub id: String,
    /// First line.
    pub title: String,
    /// The rest.
    pub message: String,
    /// What its buttons say: at most two.
    pub buttons: Vec<String>,
    /// Whether it stays until a person has done something with it.
    pub stays: bool,
    /// What must be kept for a click, because the id is too short for it.
    pub kept: Option<Kept>,
}

/// What is kept for a click.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// A link to open.
    Link(String),
    /// A text to copy.
    Text(String),
    /// A tab that was opened unasked: the browser's number for it.
    Tab(u32),
}

/// What to do about an event.
pub fn outputs_of(event: &Event, words: Words<'_>) -> Vec<Output> {
    match event {
        Event::ProposalEnded { transfer } => {
            let id = proposal_id(*transfer);
            return vec![Output::Clear { id }];
        }
        Event::PairingAnswered => {
            let id = PAIRING.to_owned();
            return vec![Output::Clear { id }];
        }
        _ => {}
    }
    let Some(mut notice) = of_event(event, words) else {
        return Vec::new();
    };
    let (done, dropped) = match event {
        Event::ItemReceived { item, unasked } => {
            let done = unasked.then(|| do_unasked(&mut notice));
            (done.flatten(), dropped_by(item.id))
        }
        _ => (None, None),
    };
    let clear = dropped.map(|item| Output::Clear { id: item_id(item) });
    let notify = Some(Output::Notify(notice));
    [done, notify, clear].into_iter().flatten().collect()
}

/// Opens or copies at once what a click on its notification would. A click then shows the tab, or copies once more.
fn do_unasked(notice: &mut Notice) -> Option<Output> {
    if let Some(Kept::Text(text)) = &notice.kept {
        let text = text.clone();
        return Some(Output::Tell(OffscreenMessage::Copy { text }));
    }
    let unasked = Some(notice.id.clone());
    match notice.kept.take() {
        Some(Kept::Link(url)) => Some(Output::Open { url, unasked }),
        _ => None,
    }
}

/// The notification for an event, if it is one to notify of.
fn of_event(event: &Event, words: Words<'_>) -> Option<Notice> {
    match event {
        Event::ProposalArrived { proposal } => Some(of_proposal(proposal, words)),
        Event::ProposalEnded { .. } | Event::PairingAnswered => None,
        Event::ItemReceived { item, unasked } => Some(of_item(item, *unasked, words)),
        Event::TransferEnded { transfer } => of_ended(transfer, words),
        Event::PairingAsked { device } => {
            let id = PAIRING.to_owned();
            Some(of_device(id, "notification_pairing", device, words))
        }
        // One for each device, however often it happens.
        Event::Unverified { device } => {
            let id = ["unverified:", &device.id.to_string()].concat();
            Some(of_device(id, "notification_unverified", device, words))
        }
    }
}

/// Whether a notification makes sense only to the engine that caused it.
pub fn needs_its_engine(id: &str) -> bool {
    id.starts_with("proposal:") || id == PAIRING
}

/// Whether a notification is about a transfer of the native host.
pub fn needs_the_native_host(id: &str) -> bool {
    let (_, transfer) = parts(id);
    transfer.is_some_and(is_native)
}

/// What a notification's id says it is about, and which transfer, if one.
fn parts(id: &str) -> (&str, Option<TransferId>) {
    let mut parts = id.split(':');
    let kind = parts.next().unwrap_or_default();
    let number = parts.next().and_then(|number| number.parse().ok());
    (kind, number.map(TransferId))
}

fn proposal_id(transfer: TransferId) -> String {
    format!("proposal:{}", transfer.0)
}

fn item_id(item: ItemId) -> String {
    format!("item:{}", item.0)
}

/// The item that falls off the list of received ones when this one comes.
fn dropped_by(item: ItemId) -> Option<ItemId> {
    let kept = u32::try_from(KEPT_ITEMS).unwrap_or(u32::MAX);
    item.0.checked_sub(kept).map(ItemId)
}

/// The bytes of a file could not be fetched and its link was sent.
pub fn of_link_instead(url: &str, words: Words<'_>) -> Notice {
    Notice {
        id: "link-instead".to_owned(),
        title: words("notification_link_instead_title", &[]),
        message: words("notification_link_instead", &[url]),
        ..Notice::EMPTY
    }
}

/// A click on a menu item sent nothing.
pub fn of_unsendable(why: Unsendable, words: Words<'_>) -> Notice {
    let message = match why {
        Unsendable::Address => "code_forbidden_link",
        Unsendable::Nothing => "notification_nothing_to_send",
    };
    Notice {
        id: "unsendable".to_owned(),
        title: words("notification_unsendable_title", &[]),
        message: words(message, &[]),
        ..Notice::EMPTY
    }
}

/// What a click on a notification does: on a button, or on its body.
pub fn reaction(id: &str, button: Option<u32>, kept: Option<Kept>) -> Output {
    let (kind, transfer) = parts(id);
    let download = || -> Option<u32> { id.split(':').nth(2)?.parse().ok() };
    let command = |command| Output::Tell(OffscreenMessage::Command(command));
    let reaction = match (kind, button, kept) {
        ("proposal", Some(0), _) => transfer.map(|transfer| command(Command::Accept { transfer })),
        ("proposal", Some(_), _) => transfer.map(|transfer| command(Command::Decline { transfer })),
        ("received", ..) => transfer.and_then(|transfer| {
            let download = download()?;
            Some(if is_native(transfer) {
                let show = NativeCommand::ShowInFolder { transfer };
                Output::Tell(OffscreenMessage::Native(show))
            } else {
                Output::ShowInFolder { download }
            })
        }),
        ("item", _, Some(Kept::Link(url))) => Some(Output::Open { url, unasked: None }),
        ("item", _, Some(Kept::Tab(tab))) => Some(Output::ShowTab { tab }),
        ("item", _, Some(Kept::Text(text))) => Some(Output::Tell(OffscreenMessage::Copy { text })),
        _ => None,
    };
    reaction.unwrap_or(Output::ShowPopup)
}

fn of_proposal(proposal: &ProposalView, words: Words<'_>) -> Notice {
    let shown = ProposalModel::new(proposal, words);
    let mut message = String::new();
    if let Some(warning) = shown.warning {
        message.push_str(&warning);
        message.push('\n');
    }
    for name in &proposal.names {
        message.push_str(name);
        message.push('\n');
    }
    if let Some(more) = shown.more {
        message.push_str(&more);
        message.push('\n');
    }
    message.push_str(&shown.size);
    let buttons = ["accept_button", "decline_button"]
        .map(|key| words(key, &[]))
        .to_vec();
    Notice {
        id: proposal_id(proposal.transfer),
        title: shown.title,
        message,
        buttons,
        stays: true,
        kept: None,
    }
}

fn of_item(item: &ItemView, unasked: bool, words: Words<'_>) -> Notice {
    let shown = ItemModel::new(item, words);
    let excerpt = cut_to_bytes(&shown.title, EXCERPT_BYTES);
    let message = match &shown.host {
        Some(host) if *excerpt != shown.copied => format!("{excerpt}\n{host}"),
        Some(host) => host.clone(),
        None => excerpt.to_owned(),
    };
    let (button, done, kept) = match shown.url {
        Some(url) => ("open_button", "notification_opened", Kept::Link(url)),
        None => (
            "copy_button",
            "notification_copied",
            Kept::Text(shown.copied),
        ),
    };
    let title = if unasked {
        words(done, &[&shown.caption])
    } else {
        shown.caption
    };
    Notice {
        id: item_id(item.id),
        title,
        message,
        buttons: vec![words(button, &[])],
        kept: Some(kept),
        ..Notice::EMPTY
    }
}

/// Something about a device that a person must not miss.
fn of_device(id: String, key: &str, device: &DeviceView, words: Words<'_>) -> Notice {
    Notice {
        id,
        title: words(&[key, "_title"].concat(), &[device.name.as_str()]),
        message: words(key, &[]),
        stays: true,
        ..Notice::EMPTY
    }
}

/// Of what a person here did or declined nothing more is said, and nothing of a transfer that ended because its connection
/// could not be verified: that is said of the device.
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
        (TransferState::Failed { code }, _) if code != Code::Unverified => {
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
        title,
        message,
        buttons,
        ..Notice::EMPTY
    }
}

fn of_failed(title: &str, transfer: &TransferView, code: Code, words: Words<'_>) -> Notice {
    let device = transfer.device.name.as_str();
    let what = title_of(&transfer.subject, words).full();
    Notice {
        id: format!("ended:{}", transfer.id.0),
        title: words(title, &[device, &what]),
        message: words(code_key(code), &[]),
        ..Notice::EMPTY
    }
}

impl Notice {
    const EMPTY: Self = Self {
        id: String::new(),
        title: String::new(),
        message: String::new(),
        buttons: Vec::new(),
        stays: false,
        kept: None,
    };
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::host::{PlainItem, StoredFile};

    use super::*;
    use crate::model::tests::{device, english};

    fn notice(event: &Event) -> Notice {
        match outputs_of(event, &english).as_slice() {
            [Output::Notify(notice)] => notice.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn received(item: PlainItem) -> Notice {
        let from = device(1, "Ada");
        let id = ItemId(7);
        let item = ItemView { id, from, item };
        notice(&Event::ItemReceived {
            item,
            unasked: false,
        })
    }

    #[test]
    fn a_connection_that_could_not_be_verified_is_told_once() {
        let device = device(1, "Ada");
        let shown = notice(&Event::Unverified { device });
        assert_eq!(shown.title, "The connection to Ada could not be verified");
        let code = Code::Unverified;
        let ended = transfer(Direction::Send, TransferState::Failed { code }, 1);
        let transfer = Event::TransferEnded { transfer: ended };
        assert_eq!(outputs_of(&transfer, &english), []);
    }

    fn transfer(direction: Direction, state: TransferState, count: u32) -> TransferView {
        TransferView {
            id: TransferId(3),
            direction,
            device: device(1, "Ada"),
            subject: Subject::Files {
                name: "photo.jpg".to_owned(),
                count,
            },
            bytes: 1_500_000,
            bytes_done: 0,
            files_done: 0,
            bytes_per_second: 0,
            seconds_left: None,
            state,
            stored: Some(StoredFile {
                id: 12,
                name: "photo (1).jpg".to_owned(),
            }),
        }
    }

    fn ended(direction: Direction, state: TransferState, count: u32) -> Option<Notice> {
        let transfer = transfer(direction, state, count);
        let event = Event::TransferEnded { transfer };
        let outputs = outputs_of(&event, &english);
        (!outputs.is_empty()).then(|| notice(&event))
    }

    #[test]
    fn a_proposal_can_be_answered() {
        let proposal = ProposalView {
            transfer: TransferId(3),
            from: device(1, "Ada"),
            names: vec!["a.txt".to_owned(), "b.txt".to_owned()],
            files: 4,
            programs: 0,
            bytes: 1_500_000,
        };
        let asked = notice(&Event::ProposalArrived { proposal });
        assert_eq!(asked.title, "Ada wants to send you 4 files");
        assert_eq!(asked.message, "a.txt\nb.txt\nand 2 more\n1.50 MB in all");
        assert_eq!(asked.buttons, ["Accept", "Decline"]);
        assert!(asked.stays);

        let transfer = TransferId(3);
        let tell = |command| Output::Tell(OffscreenMessage::Command(command));
        let click = |button| reaction(&asked.id, button, None);
        assert_eq!(click(Some(0)), tell(Command::Accept { transfer }));
        assert_eq!(click(Some(1)), tell(Command::Decline { transfer }));
        assert_eq!(click(None), Output::ShowPopup);

        let answered = outputs_of(&Event::ProposalEnded { transfer }, &english);
        assert_eq!(
            answered,
            [Output::Clear {
                id: asked.id.clone()
            }]
        );
        assert!(needs_its_engine(&asked.id));
    }

    #[test]
    fn a_link_shows_its_host_and_opens() {
        let url = "https://example.org/a?b".to_owned();
        let title = "A title".to_owned();
        let shown = received(PlainItem::Link {
            url: url.clone(),
            title,
        });
        assert_eq!(shown.title, "Link from Ada");
        assert_eq!(shown.message, "A title\nexample.org");
        assert_eq!(shown.buttons, ["Open"]);
        for button in [None, Some(0)] {
            let open = Output::Open {
                url: url.clone(),
                unasked: None,
            };
            assert_eq!(reaction(&shown.id, button, shown.kept.clone()), open);
        }
        // What was kept is gone.
        assert_eq!(reaction(&shown.id, Some(0), None), Output::ShowPopup);
        assert!(!needs_its_engine(&shown.id));
    }

    #[test]
    fn a_link_without_title_shows_its_host() {
        let url = "https://example.org/a".to_owned();
        let title = String::new();
        assert_eq!(
            received(PlainItem::Page { url, title }).message,
            "example.org"
        );
    }

    #[test]
    fn a_text_shows_its_beginning_and_is_copied_whole() {
        let text = "長".repeat(1_000);
        let shown = received(PlainItem::Text { text: text.clone() });
        assert_eq!(shown.title, "Text from Ada");
        assert!(shown.message.len() <= EXCERPT_BYTES && shown.message.starts_with('長'));
        assert_eq!(shown.buttons, ["Copy"]);
        let copy = Output::Tell(OffscreenMessage::Copy { text });
        assert_eq!(reaction(&shown.id, Some(0), shown.kept), copy);
    }

    #[test]
    fn what_is_no_web_link_never_opens() {
        let url = "javascript:alert(1)".to_owned();
        let title = "x".to_owned();
        let link = PlainItem::Link { url, title };
        let shown = received(link.clone());
        assert!(!matches!(shown.kept, Some(Kept::Link(_))));
        let opened = |output: &Output| matches!(output, Output::Open { .. });
        assert!(!unasked(link).iter().any(opened));
    }

    #[test]
    fn what_is_allowed_is_done_at_once_and_told() {
        let url = "https://example.org/a".to_owned();
        let title = "A title".to_owned();
        let page = PlainItem::Page {
            url: url.clone(),
            title,
        };
        let id = Some("item:7".to_owned());
        let opened = Output::Open { url, unasked: id };
        let told = "Page from Ada: opened in a new tab";
        let shown = assert_told(&unasked(page), &opened, told);
        // The browser says which tab it is.
        assert_eq!(shown.kept, None);
        let kept = serde_json::from_str(r#"{"tab":12}"#).unwrap();
        let tab = Output::ShowTab { tab: 12 };
        assert_eq!(reaction(&shown.id, None, Some(kept)), tab);
        let text = "hello".to_owned();
        let copied = Output::Tell(OffscreenMessage::Copy { text: text.clone() });
        let told = "Text from Ada: copied to the clipboard";
        let shown = assert_told(&unasked(PlainItem::Text { text }), &copied, told);
        assert_eq!(reaction(&shown.id, Some(0), shown.kept), copied);
    }

    fn unasked(item: PlainItem) -> Vec<Output> {
        let from = device(1, "Ada");
        let id = ItemId(7);
        let item = ItemView { id, from, item };
        let unasked = true;
        outputs_of(&Event::ItemReceived { item, unasked }, &english)
    }

    fn assert_told(outputs: &[Output], done: &Output, title: &str) -> Notice {
        match outputs {
            [first, Output::Notify(notice)] => {
                assert_eq!((first, notice.title.as_str()), (done, title));
                notice.clone()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_notification_of_a_dropped_item_goes() {
        let item = |id| ItemView {
            id: ItemId(id),
            from: device(1, "Ada"),
            item: PlainItem::Text {
                text: "x".to_owned(),
            },
        };
        let outputs = |id| {
            outputs_of(
                &Event::ItemReceived {
                    item: item(id),
                    unasked: false,
                },
                &english,
            )
        };
        assert_eq!(outputs(49).len(), 1);
        let cleared = Output::Clear {
            id: "item:1".to_owned(),
        };
        assert_eq!(outputs(51).last(), Some(&cleared));
    }

    #[test]
    fn received_files_have_one_summary() {
        let done = |count| ended(Direction::Receive, TransferState::Done, count).unwrap();
        let one = done(1);
        assert_eq!(one.title, "Received 1 file from Ada");
        assert_eq!(one.message, "photo (1).jpg\n1.50 MB");
        assert_eq!(done(3).title, "Received 3 files from Ada");
        assert_eq!(done(3).message, "1.50 MB");
        assert_eq!(one.buttons, ["Show in folder"]);
        for button in [None, Some(0)] {
            let show = Output::ShowInFolder { download: 12 };
            assert_eq!(reaction(&one.id, button, None), show);
        }
    }

    #[test]
    fn what_the_native_host_has_received_is_shown_by_it() {
        let state = TransferState::Done;
        let mut transfer = transfer(Direction::Receive, state, 1);
        transfer.id = TransferId(tabferry_engine::NATIVE_KEYS + 5);
        let id = transfer.id;
        let shown = notice(&Event::TransferEnded { transfer });
        let show = NativeCommand::ShowInFolder { transfer: id };
        let show = Output::Tell(OffscreenMessage::Native(show));
        assert_eq!(reaction(&shown.id, Some(0), None), show);
        assert!(needs_the_native_host(&shown.id));
    }

    #[test]
    fn only_what_is_of_the_native_host_goes_with_it() {
        for id in [
            "proposal:2147483649",
            "ended:2147483650",
            "received:2147483651:7",
        ] {
            assert!(needs_the_native_host(id), "{id}");
        }
        for id in [
            "",
            "proposal:3",
            "received:3:2147483651",
            "pairing",
            "item:7",
        ] {
            assert!(!needs_the_native_host(id), "{id}");
        }
    }

    #[test]
    fn failures_are_told_with_their_reason() {
        let failed = TransferState::Failed {
            code: Code::StorageFull,
        };
        let received = ended(Direction::Receive, failed, 1).unwrap();
        assert_eq!(received.title, "Could not receive “photo.jpg” from Ada");
        assert_eq!(received.message, english("code_storage_full", &[]));
        let sent = ended(Direction::Send, failed, 3).unwrap();
        assert_eq!(sent.title, "Could not send “3 files” to Ada");
        assert_eq!(reaction(&sent.id, None, None), Output::ShowPopup);

        let declined = TransferState::Declined {
            code: Code::NoAnswer,
        };
        let declined = ended(Direction::Send, declined, 1).unwrap();
        assert_eq!(declined.title, "Ada did not take “photo.jpg”");
        assert_eq!(declined.message, english("code_no_answer", &[]));
        let cancelled = TransferState::Cancelled { here: false };
        let cancelled = ended(Direction::Receive, cancelled, 1).unwrap();
        assert_eq!(cancelled.title, "Ada cancelled “photo.jpg”");
    }

    #[test]
    fn what_a_person_here_did_is_not_told() {
        let code = Code::Declined;
        for (direction, state) in [
            (Direction::Send, TransferState::Done),
            (Direction::Send, TransferState::Cancelled { here: true }),
            (Direction::Receive, TransferState::Cancelled { here: true }),
            (Direction::Receive, TransferState::Declined { code }),
        ] {
            assert_eq!(ended(direction, state, 1), None, "{direction:?} {state:?}");
        }
    }

    #[test]
    fn ids_that_are_not_ours_only_show_the_popup() {
        for id in [
            "",
            "proposal",
            "proposal:x",
            "received:1:",
            "received:1",
            "fish:1",
        ] {
            assert_eq!(reaction(id, Some(0), None), Output::ShowPopup, "{id}");
        }
    }
}
