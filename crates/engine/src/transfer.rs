//! One transfer as the engine keeps and shows it, whichever way it goes.

use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    DeviceView, Direction, PlainItem, ProposalView, StoredFile, Subject, TransferState,
    TransferView,
};
use tabferry_protocol::id::{ResumeId, SourceId, TransferId, WireTransferId};
use tabferry_protocol::limits::{PROPOSAL_TIMEOUT_MS, STALL_TIMEOUT_MS, WAITING_TIMEOUT_MS};
use tabferry_protocol::manifest::{FileEntry, Item, Manifest};
use tabferry_protocol::name::{ReceivedName, cut_to_bytes};

use crate::io::Time;
use crate::receiving::Receiving;
use crate::sending::{Content, Sending};
use crate::session::SessionKey;
use crate::speed::Speed;

/// Bytes of a text that stand for it in a list.
const EXCERPT_BYTES: usize = 120;

#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) id: TransferId,
    /// The same at both ends.
    pub(crate) resume: ResumeId,
    pub(crate) device: DeviceView,
    /// The session that carries it, until it has ended.
    pub(crate) session: Option<SessionKey>,
    /// Its number on the session's wire, once proposed.
    pub(crate) wire: Option<WireTransferId>,
    pub(crate) subject: Subject,
    pub(crate) bytes: u64,
    pub(crate) state: TransferState,
    pub(crate) direction: Direction,
    /// What keeps it going; gone when it has ended.
    pub(crate) body: Option<Body>,
    pub(crate) bytes_done: u64,
    pub(crate) files_done: u32,
    pub(crate) stored: Option<StoredFile>,
    /// Whether a person here holds it, and whether one at the other end does.
    pub(crate) paused_here: bool,
    pub(crate) paused_there: bool,
    pub(crate) speed: Speed,
    /// When it last moved, or entered its state.
    pub(crate) moved_at: Time,
}

#[derive(Debug)]
pub(crate) enum Body {
    Send(Sending),
    Receive(Receiving),
}

impl Transfer {
    pub(crate) fn new(
        id: TransferId,
        resume: ResumeId,
        device: DeviceView,
        subject: Subject,
        state: TransferState,
        body: Body,
        now: Time,
    ) -> Self {
        let (direction, bytes) = match &body {
            Body::Send(sending) => (Direction::Send, sending.bytes()),
            Body::Receive(receiving) => (Direction::Receive, receiving.bytes()),
        };
        Self {
            id,
            resume,
            device,
            session: None,
            wire: None,
            subject,
            bytes,
            state,
            direction,
            body: Some(body),
            bytes_done: 0,
            files_done: 0,
            stored: None,
            paused_here: false,
            paused_there: false,
            speed: Speed::default(),
            moved_at: now,
        }
    }

    pub(crate) fn sending(&mut self) -> Option<&mut Sending> {
        match &mut self.body {
            Some(Body::Send(sending)) => Some(sending),
            _ => None,
        }
    }

    pub(crate) fn receiving(&mut self) -> Option<&mut Receiving> {
        match &mut self.body {
            Some(Body::Receive(receiving)) => Some(receiving),
            _ => None,
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        !self.state.is_final()
    }

    /// Whether it is a proposal that a person here has not answered.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(&self.body, Some(Body::Receive(receiving)) if !receiving.accepted)
    }

    /// Whether it was accepted here and waits for its turn.
    pub(crate) fn is_queued(&self) -> bool {
        matches!(&self.body, Some(Body::Receive(receiving)) if receiving.accepted && !receiving.is_running())
    }

    /// Whether it waits to be proposed, for the first time or again.
    pub(crate) fn is_waiting(&self) -> bool {
        let away = self.state == TransferState::Waiting && self.direction == Direction::Send;
        away || self.state == TransferState::Connecting
    }

    /// Whether the receiver has said yes, on this connection or an earlier one.
    pub(crate) fn is_accepted(&self) -> bool {
        match &self.body {
            Some(Body::Send(sending)) => sending.is_accepted(),
            Some(Body::Receive(receiving)) => receiving.accepted,
            None => false,
        }
    }

    /// Whether its bytes came here, and its connection is lost.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.state == TransferState::Waiting && self.direction == Direction::Receive
    }

    /// Whether a person at either end holds it.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_here || self.paused_there
    }

    /// The state that a person is shown.
    fn shown_state(&self) -> TransferState {
        match self.state {
            TransferState::Running | TransferState::Waiting if self.paused_here => {
                TransferState::Paused { here: true }
            }
            TransferState::Running if self.paused_there => TransferState::Paused { here: false },
            state => state,
        }
    }

    /// Whether it carries files to the peer that has not answered yet.
    pub(crate) fn is_unanswered(&self) -> bool {
        let files = matches!(&self.body, Some(Body::Send(sending)) if !sending.is_inline());
        files && self.state == TransferState::Proposed
    }

    pub(crate) fn prepares(&self, source: SourceId) -> bool {
        matches!(&self.body, Some(Body::Send(Sending { content: Content::Preparing(prepared), .. })) if *prepared == source)
    }

    /// Takes the byte counts from its body.
    pub(crate) fn moved(&mut self, now: Time) {
        self.moved_at = now;
        match &self.body {
            Some(Body::Send(sending)) => {
                self.bytes_done = sending.bytes_done();
                self.files_done = sending.stored_entries();
            }
            Some(Body::Receive(receiving)) => {
                self.bytes_done = receiving.bytes_done();
                self.files_done = receiving.stored_entries();
            }
            None => {}
        }
        self.speed.record(now, self.bytes_done);
    }

    /// When it has waited for too long, and the code for that.
    /// `session_moved_at`: when bytes of any transfer of its session last moved.
    pub(crate) fn expiry(&self, session_moved_at: Time) -> Option<(Time, Code)> {
        let inline = matches!(&self.body, Some(Body::Send(sending)) if sending.is_inline());
        match self.state {
            TransferState::Running if self.is_paused() => None,
            TransferState::Waiting => {
                Some((self.moved_at + WAITING_TIMEOUT_MS, Code::ConnectionLost))
            }
            TransferState::Proposed if self.is_queued() => None,
            TransferState::Proposed if inline => {
                Some((self.moved_at + STALL_TIMEOUT_MS, Code::NoAnswer))
            }
            TransferState::Proposed => Some((self.moved_at + PROPOSAL_TIMEOUT_MS, Code::NoAnswer)),
            TransferState::Running => Some((
                self.moved_at.max(session_moved_at) + STALL_TIMEOUT_MS,
                Code::Stalled,
            )),
            _ => None,
        }
    }

    pub(crate) fn view(&self, now: Time) -> TransferView {
        let running = self.state == TransferState::Running;
        let bytes_per_second = if running {
            self.speed.bytes_per_second(now, self.bytes_done)
        } else {
            0
        };
        let left = self.bytes.saturating_sub(self.bytes_done);
        TransferView {
            id: self.id,
            direction: self.direction,
            device: self.device.clone(),
            subject: self.subject.clone(),
            bytes: self.bytes,
            bytes_done: self.bytes_done,
            files_done: self.files_done,
            bytes_per_second,
            seconds_left: (bytes_per_second > 0).then(|| left.div_ceil(bytes_per_second)),
            state: self.shown_state(),
            stored: self.stored.clone(),
        }
    }

    pub(crate) fn proposal(&self) -> Option<ProposalView> {
        let Some(Body::Receive(receiving)) = &self.body else {
            return None;
        };
        Some(ProposalView {
            transfer: self.id,
            from: self.device.clone(),
            names: receiving.names(ProposalView::NAMES),
            files: receiving.count(),
            programs: receiving.programs(),
            bytes: self.bytes,
        })
    }
}

/// The line that stands for a manifest.
pub(crate) fn subject(manifest: &Manifest) -> Subject {
    match manifest {
        Manifest::Files(files) => files_subject(files),
        Manifest::Items(items) => items.first().map_or_else(
            || Subject::Text {
                excerpt: String::new(),
            },
            item_subject,
        ),
    }
}

fn files_subject(files: &[FileEntry]) -> Subject {
    let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
    let first = files.first().map_or("", |file| file.name.as_str());
    // Files of one folder are shown as that.
    let folder = files.first().map_or("", top_folder);
    let one_folder = files.iter().all(|file| top_folder(file) == folder);
    let name = if folder.is_empty() || !one_folder {
        first
    } else {
        folder
    };
    Subject::Files {
        name: ReceivedName::from_proposed(name).to_string(),
        count,
    }
}

fn top_folder(file: &FileEntry) -> &str {
    file.folder.split('/').next().unwrap_or_default()
}

fn item_subject(item: &Item) -> Subject {
    plain_subject(&PlainItem::from(item.clone()))
}

/// The line that stands for a page, link or text.
pub(crate) fn plain_subject(item: &PlainItem) -> Subject {
    let title_or = |title: &str, url: &str| if title.is_empty() { url } else { title }.to_owned();
    match item {
        PlainItem::Page { url, title } => Subject::Page {
            title: title_or(title, url),
        },
        PlainItem::Link { url, title } => Subject::Link {
            title: title_or(title, url),
        },
        PlainItem::Text { text } => Subject::Text {
            excerpt: cut_to_bytes(text.trim(), EXCERPT_BYTES).to_owned(),
        },
    }
}
