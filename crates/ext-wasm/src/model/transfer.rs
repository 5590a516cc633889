//! A transfer in the list of transfers.

use tabferry_protocol::code::Code;
use tabferry_protocol::host::{Direction, Subject, TransferState, TransferView};
use tabferry_protocol::id::TransferId;

use super::item::label;
use super::name::ShownName;
use crate::envelope::is_native;
use crate::i18n::{Words, duration, files, size};

/// What is shown of a transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferModel {
    /// Which.
    pub id: TransferId,
    /// Name of the icon: which way it goes.
    pub icon: &'static str,
    /// Name of the state, for the look.
    pub state: &'static str,
    /// The file, "n files", or a title.
    pub title: ShownName,
    /// The other device.
    pub device: String,
    /// The bar, as long as it runs.
    pub progress: Option<Progress>,
    /// How far it is, or how it ended.
    pub detail: String,
    /// Why it ended and what to do, if it went wrong.
    pub advice: Option<String>,
    /// The button that holds it or lets it go on, while that means anything.
    pub hold: Option<Hold>,
    /// Accessible name of the button that cancels, as long as that is possible.
    pub cancel: Option<String>,
    /// Accessible name of the button that takes it off the list, once it has ended.
    pub dismiss: Option<String>,
    /// The stored file to show in its folder.
    pub show: Option<ShowFile>,
}

/// The button that holds a transfer or lets it go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What a click on it means, and the name of its icon.
    pub click: &'static str,
    /// Accessible name.
    pub name: String,
}

/// A bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// Nothing to measure yet.
    Unknown,
    /// This part of all, from 0 to 1.
    Part(f64),
}

/// The button that shows a file in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowFile {
    /// What a click on it means, see [`Click`](crate::page::click::Click).
    pub click: &'static str,
    /// About what: the browser's number for the download, or the native host's for the transfer.
    pub id: u32,
    /// Accessible name.
    pub name: String,
}

impl TransferModel {
    /// What is shown of this transfer.
    pub fn new(transfer: &TransferView, words: Words<'_>) -> Self {
        let device = transfer.device.name.as_str();
        let sending = transfer.direction == Direction::Send;
        let title = title(&transfer.subject, words);
        let name = title.full();
        let ended = transfer.state.is_final();
        let (state, detail, advice) = match transfer.state {
            TransferState::Preparing => ("preparing", words("transfer_preparing", &[]), None),
            TransferState::Connecting => ("connecting", words("transfer_connecting", &[]), None),
            TransferState::Proposed => ("proposed", words("transfer_proposed", &[]), None),
            TransferState::Running => ("running", running(transfer, words), None),
            TransferState::Waiting => (
                "waiting",
                held(transfer, words, words("transfer_away", &[device])),
                Some(words("transfer_away_advice", &[])),
            ),
            TransferState::Paused { here: true } => (
                "paused",
                held(transfer, words, words("transfer_paused_here", &[])),
                None,
            ),
            TransferState::Paused { here: false } => (
                "paused",
                held(transfer, words, words("transfer_paused_there", &[device])),
                None,
            ),
            TransferState::Done => {
                let key = if sending {
                    "transfer_done_to"
                } else {
                    "transfer_done_from"
                };
                let mut parts = vec![words(key, &[])];
                if matches!(transfer.subject, Subject::Files { .. }) {
                    parts.push(size(transfer.bytes, words));
                }
                ("done", join(&parts), None)
            }
            TransferState::Declined { code } => (
                "declined",
                words("transfer_declined", &[]),
                Some(words(code_key(code), &[])),
            ),
            TransferState::Cancelled { here: true } => {
                ("cancelled", words("transfer_cancelled_here", &[]), None)
            }
            TransferState::Cancelled { here: false } => (
                "cancelled",
                words("transfer_cancelled_there", &[device]),
                None,
            ),
            TransferState::Failed { code } => (
                "failed",
                words("transfer_failed", &[]),
                Some(words(code_key(code), &[])),
            ),
        };
        Self {
            id: transfer.id,
            icon: if sending { "send" } else { "receive" },
            state,
            device: words(
                if sending {
                    "transfer_to"
                } else {
                    "transfer_from"
                },
                &[device],
            ),
            progress: (!ended).then(|| progress(transfer)),
            detail,
            advice,
            hold: hold(transfer.state, &name, words),
            cancel: (!ended).then(|| words("cancel_transfer", &[&name])),
            dismiss: ended.then(|| words("dismiss_named", &[&name])),
            show: transfer.stored.as_ref().filter(|_| ended).map(|file| {
                let (click, id) = if is_native(transfer.id) {
                    ("show-native", transfer.id.0)
                } else {
                    ("show", file.id)
                };
                let name = words("show_named", &[&file.name]);
                ShowFile { click, id, name }
            }),
            title,
        }
    }
}

/// What a transfer is called: the file, "n files", or a title.
pub fn title(subject: &Subject, words: Words<'_>) -> ShownName {
    match subject {
        Subject::Files { name, count: 1 } => ShownName::of_file(name),
        Subject::Files { count, .. } => ShownName::of_text(files(*count, words)),
        Subject::Page { title } | Subject::Link { title } => ShownName::of_text(label(title)),
        Subject::Text { excerpt } => ShownName::of_text(label(excerpt)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes stay below 2^53")]
fn progress(transfer: &TransferView) -> Progress {
    match transfer.state {
        TransferState::Running | TransferState::Paused { .. } | TransferState::Waiting
            if transfer.bytes > 0 =>
        {
            Progress::Part(transfer.bytes_done as f64 / transfer.bytes as f64)
        }
        _ => Progress::Unknown,
    }
}

fn hold(state: TransferState, name: &str, words: Words<'_>) -> Option<Hold> {
    let (click, key) = match state {
        TransferState::Running | TransferState::Paused { here: false } => {
            ("pause", "pause_transfer")
        }
        TransferState::Paused { here: true } => ("resume", "resume_transfer"),
        _ => return None,
    };
    let name = words(key, &[name]);
    Some(Hold { click, name })
}

/// "12.3 MB of 64.0 MB · Paused"
fn held(transfer: &TransferView, words: Words<'_>, why: String) -> String {
    if transfer.bytes_done == 0 {
        return why;
    }
    let (done, total) = (
        size(transfer.bytes_done, words),
        size(transfer.bytes, words),
    );
    join(&[words("progress_bytes", &[&done, &total]), why])
}

/// "12.3 MB of 64.0 MB · 23.1 MB/s · 2 s left · 1 of 3 files"
fn running(transfer: &TransferView, words: Words<'_>) -> String {
    let total = size(transfer.bytes, words);
    let mut parts = vec![words(
        "progress_bytes",
        &[&size(transfer.bytes_done, words), &total],
    )];
    if transfer.bytes_per_second > 0 {
        parts.push(words(
            "progress_speed",
            &[&size(transfer.bytes_per_second, words)],
        ));
        if let Some(seconds) = transfer.seconds_left {
            parts.push(words("progress_left", &[&duration(seconds, words)]));
        }
    } else {
        parts.push(words("transfer_waiting", &[]));
    }
    if let Subject::Files { count, .. } = transfer.subject
        && count > 1
    {
        let done = transfer.files_done.to_string();
        parts.push(words("progress_files", &[&done, &count.to_string()]));
    }
    join(&parts)
}

fn join(parts: &[String]) -> String {
    parts.join(" · ")
}

/// The key of a code's words.
pub const fn code_key(code: Code) -> &'static str {
    match code {
        Code::Cancelled => "code_cancelled",
        Code::Declined => "code_declined",
        Code::NoAnswer => "code_no_answer",
        Code::PeerNotFound => "code_peer_not_found",
        Code::PeerGone => "code_peer_gone",
        Code::Unreachable => "code_unreachable",
        Code::ConnectionLost => "code_connection_lost",
        Code::Stalled => "code_stalled",
        Code::Incompatible => "code_incompatible",
        Code::InvalidFrame => "code_invalid_frame",
        Code::PeerMisbehaved => "code_peer_misbehaved",
        Code::Unverified => "code_unverified",
        Code::WrongCode => "code_wrong_code",
        Code::Busy => "code_busy",
        Code::TooLarge => "code_too_large",
        Code::ForbiddenLink => "code_forbidden_link",
        Code::SourceFailed => "code_source_failed",
        Code::FetchFailed => "code_fetch_failed",
        Code::StorageFull => "code_storage_full",
        Code::StorageFailed => "code_storage_failed",
        Code::DigestMismatch => "code_digest_mismatch",
        Code::Unknown => "code_unknown",
    }
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::host::StoredFile;

    use super::*;
    use crate::model::tests::{device, english};

    fn view(state: TransferState) -> TransferView {
        TransferView {
            id: TransferId(7),
            direction: Direction::Send,
            device: device(1, "Ada"),
            subject: Subject::Files {
                name: "film.mp4".to_owned(),
                count: 1,
            },
            bytes: 64_000_000,
            bytes_done: 16_000_000,
            files_done: 0,
            bytes_per_second: 8_000_000,
            seconds_left: Some(6),
            state,
            stored: None,
        }
    }

    fn shown(state: TransferState) -> TransferModel {
        TransferModel::new(&view(state), &english)
    }

    #[test]
    fn a_running_transfer_says_how_far_it_is() {
        let one = shown(TransferState::Running);
        assert_eq!(one.detail, "16.0 MB of 64.0 MB · 8.00 MB/s · 6 s left");
        assert_eq!(one.progress, Some(Progress::Part(0.25)));
        assert_eq!(one.cancel.as_deref(), Some("Cancel film.mp4"));
        assert_eq!((one.dismiss, one.show, one.advice), (None, None, None));
        assert_eq!((one.device.as_str(), one.icon), ("To Ada", "send"));

        let mut view = view(TransferState::Running);
        view.subject = Subject::Files {
            name: "film.mp4".to_owned(),
            count: 3,
        };
        view.files_done = 1;
        view.bytes_per_second = 0;
        view.seconds_left = None;
        let three = TransferModel::new(&view, &english);
        assert_eq!(three.title.full(), "3 files");
        assert_eq!(
            three.detail,
            "16.0 MB of 64.0 MB · Waiting for data… · 1 of 3 files"
        );
    }

    #[test]
    fn what_waits_has_a_bar_without_a_measure() {
        for (state, detail) in [
            (TransferState::Preparing, "Fetching the file…"),
            (TransferState::Connecting, "Connecting…"),
            (TransferState::Proposed, "Waiting for an answer…"),
        ] {
            let shown = shown(state);
            assert_eq!(shown.detail, detail);
            assert_eq!(shown.progress, Some(Progress::Unknown));
            assert!(shown.cancel.is_some() && shown.dismiss.is_none());
        }
        let mut empty = view(TransferState::Running);
        empty.bytes = 0;
        empty.bytes_done = 0;
        let shown = TransferModel::new(&empty, &english);
        assert_eq!(shown.progress, Some(Progress::Unknown));
    }

    #[test]
    fn what_is_held_says_why_and_how_far_it_is() {
        for (state, detail, button) in [
            (TransferState::Waiting, "Waiting for Ada…", None),
            (
                TransferState::Paused { here: true },
                "Paused",
                Some("Resume film.mp4"),
            ),
            (
                TransferState::Paused { here: false },
                "Ada has paused it",
                Some("Pause film.mp4"),
            ),
        ] {
            let shown = shown(state);
            assert_eq!(shown.detail, format!("16.0 MB of 64.0 MB · {detail}"));
            assert_eq!(shown.progress, Some(Progress::Part(0.25)));
            assert_eq!(shown.hold.map(|hold| hold.name).as_deref(), button);
            assert!(shown.cancel.is_some());
        }
        let mut queued = view(TransferState::Waiting);
        queued.bytes_done = 0;
        let shown = TransferModel::new(&queued, &english);
        assert_eq!(shown.detail, "Waiting for Ada…");
        assert!(shown.advice.is_some());
    }

    #[test]
    fn what_has_ended_says_how_and_can_be_dismissed() {
        for (state, detail) in [
            (TransferState::Done, "Sent · 64.0 MB"),
            (TransferState::Cancelled { here: true }, "You cancelled"),
            (TransferState::Cancelled { here: false }, "Ada cancelled"),
        ] {
            let shown = shown(state);
            assert_eq!((shown.detail.as_str(), &shown.advice), (detail, &None));
            assert_eq!(shown.dismiss.as_deref(), Some("Dismiss film.mp4"));
            assert_eq!((shown.cancel, shown.progress), (None, None));
        }
    }

    #[test]
    fn every_failure_gives_its_reason() {
        for code in Code::ALL {
            for state in [
                TransferState::Failed { code },
                TransferState::Declined { code },
            ] {
                let shown = shown(state);
                assert_eq!(shown.advice, Some(english(code_key(code), &[])));
                assert!(shown.dismiss.is_some());
            }
        }
    }

    #[test]
    fn a_received_file_can_be_shown_in_its_folder() {
        let mut view = view(TransferState::Done);
        view.direction = Direction::Receive;
        view.stored = Some(StoredFile {
            id: 12,
            name: "film (1).mp4".to_owned(),
        });
        let shown = TransferModel::new(&view, &english);
        assert_eq!(shown.detail, "Received · 64.0 MB");
        let show = shown.show.unwrap();
        assert_eq!((show.click, show.id), ("show", 12));
        assert_eq!(show.name, "Show in folder: film (1).mp4");
        view.id = TransferId(tabferry_engine::NATIVE_KEYS + 5);
        let show = TransferModel::new(&view, &english).show.unwrap();
        assert_eq!((show.click, show.id), ("show-native", view.id.0));
    }

    #[test]
    fn a_text_is_named_by_its_beginning() {
        let mut view = view(TransferState::Done);
        view.subject = Subject::Text {
            excerpt: "one\ntwo".to_owned(),
        };
        let shown = TransferModel::new(&view, &english);
        assert_eq!(shown.title.full(), "one two");
        assert_eq!(shown.detail, "Sent");
    }
}
