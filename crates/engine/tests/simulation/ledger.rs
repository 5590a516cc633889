//! What was sent by whom, what happened to it, and what became of it: the outside's account, against which every engine is
//! held. It knows no engine.

use std::collections::BTreeMap;

use tabferry_protocol::host::TransferState;
use tabferry_protocol::id::{ConnectionId, DeviceId, ResumeId, SourceId, TransferId};
use tabferry_protocol::name::{ReceivedFolder, ReceivedName};

/// Styles of names: one that is as harmless as it looks, and one that looks so and is a program.
pub(crate) const PLAIN: u64 = 6;
pub(crate) const PROGRAM: u64 = 3;

/// One engine's life on one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub node: usize,
    pub life: u32,
}

/// A command to send something, with everything that excuses it from ending well.
#[derive(Debug)]
pub(crate) struct Sending {
    pub from: Life,
    pub to: usize,
    pub files: Vec<usize>,
    /// Number of the item, for a sending without files.
    pub item: Option<u64>,
    /// The sender's transfer and how it ended.
    pub sent: Option<TransferId>,
    pub sent_end: Option<TransferState>,
    /// Transfers at the receiver: more than one if it was proposed again.
    pub received: Vec<(Life, TransferId)>,
    /// How many transfers at the receiver ended as done.
    pub received_done: u32,
    /// Times that the item was delivered.
    pub deliveries: u32,
    /// Something happened to the connection, to the server before there was one, or to one of the engines.
    pub disturbed: bool,
    /// One of the engines disappeared.
    pub crashed: bool,
    /// The receiver's person has said yes.
    pub accepted: bool,
    pub declined: bool,
    pub cancelled_by_sender: bool,
    pub cancelled_by_receiver: bool,
    pub source_failed: bool,
    pub storage_failed: bool,
    /// Times that the storage broke off.
    pub interruptions: u32,
    /// One that no engine may take: too many files, an unknown device.
    pub refusable: bool,
}

/// A file of a sending.
#[derive(Debug)]
pub(crate) struct SentFile {
    pub sending: usize,
    pub name: String,
    pub folder: String,
    pub bytes: u64,
    /// The read after so many bytes fails.
    pub fails_at: Option<u64>,
    /// Times that it was stored.
    pub stored: u32,
}

/// A transfer or proposal as one engine tells of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub sending: Option<usize>,
    /// A proposal: whether it waits for an answer.
    pub proposal: Option<ProposalState>,
    pub ended: Option<TransferState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProposalState {
    Waiting,
    Accepted,
    Ended,
}

/// The whole account.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub sendings: Vec<Sending>,
    pub files: Vec<SentFile>,
    by_name: BTreeMap<String, usize>,
    pub by_source: BTreeMap<(Life, SourceId), usize>,
    pub items: BTreeMap<u64, usize>,
    /// Devices that could not be verified, each with the node that says so.
    pub unverified: Vec<(usize, DeviceId)>,
    /// Attempts to connect that a hostile device has heard of.
    pub connection_ids: Vec<ConnectionId>,
    /// Transfers by the ids that they are resumed under.
    pub resumes: Vec<ResumeId>,
}

impl Ledger {
    pub(crate) fn add_sending(&mut self, from: Life, to: usize) -> usize {
        self.sendings.push(Sending {
            from,
            to,
            files: Vec::new(),
            item: None,
            sent: None,
            sent_end: None,
            received: Vec::new(),
            received_done: 0,
            deliveries: 0,
            disturbed: false,
            crashed: false,
            accepted: false,
            declined: false,
            cancelled_by_sender: false,
            cancelled_by_receiver: false,
            source_failed: false,
            storage_failed: false,
            interruptions: 0,
            refusable: false,
        });
        self.sendings.len() - 1
    }

    /// Adds a file with a name that nothing else has, `style` chooses how hostile to a file system.
    pub(crate) fn add_file(
        &mut self,
        sending: usize,
        source: SourceId,
        bytes: u64,
        style: u64,
    ) -> usize {
        let file = self.files.len();
        let name = match style {
            0 => format!("../../f{file}.bin"),
            1 => format!("C:\\f{file}.bin"),
            2 => format!("f{file} 文件 🛳.tar.gz"),
            PROGRAM => format!("f{file}\u{202E}gpj.exe"),
            4 => format!("con.{file}"),
            5 => format!(".f{file}.lnk"),
            _ => format!("f{file}.bin"),
        };
        // A folder of its own, by which a list shows it when it is alone.
        let folder = match style {
            0 => format!("d{file}/../../etc"),
            6 => format!("d{file}/b"),
            7 => format!("d{file}/C:\\x"),
            _ => String::new(),
        };
        if let Some(top) = ReceivedFolder::from_proposed(&folder).names().first() {
            self.by_name.insert(top.as_str().to_owned(), file);
        }
        let received = ReceivedName::from_proposed(&name);
        let known = self.by_name.insert(received.as_str().to_owned(), file);
        assert!(
            known.is_none(),
            "two files of the simulation are called {received}"
        );
        let from = self.sendings[sending].from;
        self.by_source.insert((from, source), file);
        self.sendings[sending].files.push(file);
        self.files.push(SentFile {
            sending,
            name,
            folder,
            bytes,
            fails_at: None,
            stored: 0,
        });
        file
    }

    pub(crate) fn file_named(&self, name: &str) -> Option<usize> {
        // Without the folders that it is shown with.
        let last = name.rsplit('/').next()?;
        self.by_name.get(last).copied()
    }

    /// The sender of the file with this source.
    pub(crate) fn file_of(&self, from: Life, source: SourceId) -> Option<usize> {
        self.by_source.get(&(from, source)).copied()
    }

    /// Marks what is on the way between two devices.
    pub(crate) fn disturb(&mut self, a: usize, b: usize) {
        for sending in &mut self.sendings {
            if [(a, b), (b, a)].contains(&(sending.from.node, sending.to)) && !sending.is_over() {
                sending.disturbed = true;
            }
        }
    }
}

impl Ledger {
    /// Marks what a device that disappears has a part in.
    pub(crate) fn crash(&mut self, node: usize) {
        for sending in &mut self.sendings {
            if (sending.from.node == node || sending.to == node) && !sending.is_over() {
                sending.crashed = true;
            }
        }
    }
}

impl Sending {
    /// Whether both ends are through with it, so that what happens from now on excuses nothing.
    pub(crate) fn is_over(&self) -> bool {
        self.sent_end.is_some()
            && (self.item.is_some() || self.sent_end == Some(TransferState::Done))
    }

    /// Whether nothing excuses it from ending well. The loss of a connection does not, once the receiver has said yes.
    pub(crate) fn must_arrive(&self) -> bool {
        !(self.crashed
            || (self.disturbed && !self.accepted)
            || self.declined
            || self.cancelled_by_sender
            || self.cancelled_by_receiver
            || self.source_failed
            || self.storage_failed
            || self.refusable)
    }
}
