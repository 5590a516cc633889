//! The sending side of one transfer: which bytes to read next, when an entry is done, what the receiver has, and whether
//! that is the same. It knows credit and order, not the channel nor the source.

use std::collections::VecDeque;

use tabferry_protocol::code::Code;
use tabferry_protocol::digest::{Digest, Hasher};
use tabferry_protocol::frame::{Accept, BulkHeader, ControlFrame, EntryDone};
use tabferry_protocol::host::{SourceFile, Subject};
use tabferry_protocol::id::{SourceId, WireTransferId};
use tabferry_protocol::limits::{
    CHECKPOINT_BYTES, CHECKPOINTS, FRUITLESS_RESUMPTIONS, READ_BYTES, RECEIVE_WINDOW_BYTES,
    UNCOMMITTED_FILES,
};
use tabferry_protocol::manifest::{FileEntry, Item, Manifest};
use tabferry_protocol::name::ReceivedName;

/// What is sent.
#[derive(Debug)]
pub(crate) enum Content {
    /// The host is still fetching the only file.
    Preparing(SourceId),
    /// Files, by their sources.
    Files(Vec<SourceFile>),
    /// Pages, links, texts.
    Items(Vec<Item>),
}

/// A transfer as its sender keeps it.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) content: Content,
    /// How often it was proposed without an answer.
    pub(crate) proposals: u32,
    /// Whether the receiver has accepted it, on this connection or an earlier one.
    accepted: bool,
    /// From the receiver's accept to the loss of the connection.
    run: Option<Run>,
    /// How many there were: receivers that have lost their books begin with the same epochs.
    runs: u32,
    /// Entries of which all bytes were sent at least once.
    done_entries: u32,
    /// Which entries the receiver has for good.
    stored: Vec<bool>,
    stored_entries: u32,
    stored_bytes: u64,
    /// What the receiver has, as far as it told.
    bytes_done: u64,
    /// States of the digest in places where the receiver may want to go on, oldest first.
    checkpoints: VecDeque<Checkpoint>,
    /// Accepts in a row after which nothing moved.
    fruitless: u32,
}

#[derive(Debug, Clone)]
struct Checkpoint {
    entry: u32,
    offset: u64,
    hasher: Hasher,
}

/// Bytes on their way under one epoch.
#[derive(Debug)]
struct Run {
    number: u32,
    /// Entries that were stored when it began.
    stored_entries: u32,
    epoch: u32,
    /// Next entry and offset to ask the source for.
    read_entry: u32,
    read_offset: u64,
    /// What of the entry that the next chunk belongs to was sent, or is not needed, and the digest of that.
    sent_offset: u64,
    hasher: Hasher,
    /// What the receiver has of the first entry, until that is known to be the same: bytes, and their digest.
    prefix: Option<(u64, Digest)>,
    /// Entries that were begun and are not stored.
    uncommitted: usize,
    /// Bytes the receiver still takes.
    credit: u64,
    /// Bytes that the receiver had written before the epoch began.
    base: u64,
    /// Bytes that the receiver reported as written since.
    confirmed: u64,
}

/// A read to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextRead {
    pub(crate) source: SourceId,
    pub(crate) run: u32,
    pub(crate) entry: u32,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Sending {
    pub(crate) fn new(content: Content) -> Self {
        Self {
            content,
            proposals: 0,
            accepted: false,
            run: None,
            runs: 0,
            done_entries: 0,
            stored: Vec::new(),
            stored_entries: 0,
            stored_bytes: 0,
            bytes_done: 0,
            checkpoints: VecDeque::new(),
            fruitless: 0,
        }
    }

    pub(crate) fn is_inline(&self) -> bool {
        matches!(self.content, Content::Items(_))
    }

    /// What to propose. Errors with the code of the limit it breaks.
    pub(crate) fn manifest(&self) -> Result<Manifest, Code> {
        match &self.content {
            Content::Items(items) => Manifest::of_items(items.clone()),
            Content::Files(files) => Manifest::of_files(files.iter().map(entry).collect()),
            Content::Preparing(_) => Err(Code::Busy),
        }
    }

    pub(crate) fn sources(&self) -> Vec<SourceId> {
        match &self.content {
            Content::Preparing(source) => vec![*source],
            Content::Files(files) => files.iter().map(|file| file.source).collect(),
            Content::Items(_) => Vec::new(),
        }
    }

    /// File bytes in all.
    pub(crate) fn bytes(&self) -> u64 {
        self.files()
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// The line that stands for content that breaks a limit.
    pub(crate) fn unsendable_subject(&self) -> Subject {
        let count = u32::try_from(self.entries()).unwrap_or(u32::MAX);
        match self.files().first() {
            Some(file) => Subject::Files {
                name: ReceivedName::from_proposed(&file.name).to_string(),
                count,
            },
            None => Subject::Text {
                excerpt: String::new(),
            },
        }
    }

    fn files(&self) -> &[SourceFile] {
        match &self.content {
            Content::Files(files) => files,
            _ => &[],
        }
    }

    fn entries(&self) -> usize {
        match &self.content {
            Content::Files(files) => files.len(),
            Content::Items(items) => items.len(),
            Content::Preparing(_) => 0,
        }
    }

    /// Takes the receiver's accept: the first one, or one with a higher epoch that begins elsewhere. Errors with
    /// [`Code::SourceFailed`] if the receiver's beginning of a file is not that of ours.
    pub(crate) fn accept(&mut self, accept: &Accept) -> Result<(), Code> {
        let newer = accept.epoch > self.run.as_ref().map_or(0, |run| run.epoch);
        let entries = self.files().len();
        let size = self
            .files()
            .get(index(accept.entry))
            .map_or(0, |file| file.bytes);
        let last = accept.stored.last().map_or(accept.entry, |(_, to)| *to);
        if !newer || index(last) > entries || accept.offset > size || self.is_inline() {
            return Err(Code::PeerMisbehaved);
        }
        self.accepted = true;
        self.proposals = 0;
        self.take_stored(accept);
        let start = self.checkpoint(accept.entry, accept.offset);
        // What the receiver has not written yet it takes off the credit.
        let unwritten = RECEIVE_WINDOW_BYTES.saturating_sub(accept.credit);
        let base = (self.stored_bytes + accept.offset).saturating_sub(unwritten);
        self.bytes_done = base;
        self.runs = self.runs.wrapping_add(1);
        self.run = Some(Run {
            number: self.runs,
            stored_entries: self.stored_entries,
            epoch: accept.epoch,
            read_entry: accept.entry,
            read_offset: start.offset,
            sent_offset: start.offset,
            hasher: start.hasher,
            prefix: accept.prefix.map(|digest| (accept.offset, digest)),
            uncommitted: usize::from(accept.offset > 0),
            credit: accept.credit,
            base,
            confirmed: 0,
        });
        self.check_prefix()
    }

    /// Which entries the receiver has, by its accept: it may have lost what it had before.
    fn take_stored(&mut self, accept: &Accept) {
        self.stored = vec![false; self.files().len()];
        for (from, to) in core::iter::once((0, accept.entry)).chain(accept.stored.iter().copied()) {
            self.stored[index(from)..index(to)].fill(true);
        }
        self.done_entries = self.done_entries.max(accept.entry);
        let stored = self.files().iter().zip(&self.stored);
        let stored = stored
            .filter(|(_, stored)| **stored)
            .map(|(file, _)| file.bytes);
        let (entries, bytes) = stored.fold((0, 0), |(n, sum), bytes| (n + 1, sum + bytes));
        (self.stored_entries, self.stored_bytes) = (entries, bytes);
    }

    /// The last place before this one of which the digest is known. What lies behind it comes again.
    fn checkpoint(&mut self, entry: u32, offset: u64) -> Checkpoint {
        self.checkpoints
            .retain(|it| it.entry == entry && it.offset <= offset);
        self.checkpoints.back().cloned().unwrap_or(Checkpoint {
            entry,
            offset: 0,
            hasher: Hasher::default(),
        })
    }

    /// Compares what the receiver has with ours, once that was read.
    fn check_prefix(&mut self) -> Result<(), Code> {
        let Some(run) = &mut self.run else {
            return Ok(());
        };
        match run.prefix {
            Some((until, digest)) if run.sent_offset == until => {
                run.prefix = None;
                if digest == run.hasher.digest() {
                    Ok(())
                } else {
                    Err(Code::SourceFailed)
                }
            }
            _ => Ok(()),
        }
    }

    /// Whether the receiver has accepted it.
    pub(crate) fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// Whether what the receiver has is being compared with ours: nothing is sent meanwhile.
    pub(crate) fn is_comparing(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.prefix.is_some())
    }

    /// A connection on which it was proposed is lost. Errors if that happens again and again, and nothing moves in between.
    /// One that a person holds has no reason to move.
    pub(crate) fn interrupt(&mut self, paused: bool) -> Result<(), Code> {
        let moved = self.run.take().is_some_and(|run| {
            self.bytes_done > run.base || self.stored_entries > run.stored_entries
        });
        self.fruitless = match (moved, paused) {
            (true, _) => 0,
            (false, true) => self.fruitless,
            (false, false) => self.fruitless + 1,
        };
        if self.fruitless > FRUITLESS_RESUMPTIONS {
            return Err(Code::Stalled);
        }
        Ok(())
    }

    pub(crate) fn credit(&mut self, epoch: u32, bytes: u64) -> Result<(), Code> {
        match &mut self.run {
            Some(run) if run.epoch == epoch => {
                run.credit = run.credit.checked_add(bytes).ok_or(Code::PeerMisbehaved)?;
                run.confirmed = run.confirmed.saturating_add(bytes);
                self.bytes_done = run.base.saturating_add(run.confirmed);
                Ok(())
            }
            Some(run) if epoch < run.epoch => Ok(()),
            _ => Err(Code::PeerMisbehaved),
        }
    }

    /// An entry has arrived for good. Returns whether it was the last one.
    pub(crate) fn entry_stored(&mut self, entry: u32) -> Result<bool, Code> {
        let entries = self.entries();
        let read = self.run.as_ref().map_or(u32::MAX, |run| run.read_entry);
        let sent = self.is_inline() || entry < self.done_entries.min(read);
        if index(entry) >= entries || !sent {
            return Err(Code::PeerMisbehaved);
        }
        self.stored.resize(entries, false);
        if !core::mem::replace(&mut self.stored[index(entry)], true) {
            self.stored_entries += 1;
            self.stored_bytes += self.files().get(index(entry)).map_or(0, |file| file.bytes);
            if let Some(run) = &mut self.run {
                run.uncommitted = run.uncommitted.saturating_sub(1);
            }
        }
        Ok(self.is_stored())
    }

    /// Whether the receiver has everything.
    pub(crate) fn is_stored(&self) -> bool {
        index(self.stored_entries) == self.entries()
    }

    pub(crate) fn stored_entries(&self) -> u32 {
        self.stored_entries
    }

    /// Bytes that the receiver has, as far as it told us.
    pub(crate) fn bytes_done(&self) -> u64 {
        self.bytes_done.max(self.stored_bytes).min(self.bytes())
    }

    /// Passes over what needs no bytes: entries that are stored, that are empty, and one that the receiver has in full
    /// already. Returns what is to be said of them.
    pub(crate) fn pass_over(&mut self, transfer: WireTransferId) -> Vec<ControlFrame> {
        let mut done = Vec::new();
        while let Some(bytes) = self.current_file().map(|file| file.bytes) {
            let Some(run) = self.run.as_mut() else { break };
            let is_stored = self.stored.get(index(run.read_entry)) == Some(&true);
            let is_empty = bytes == 0 && run.uncommitted < UNCOMMITTED_FILES;
            let is_there = bytes > 0 && run.prefix.is_none() && run.read_offset == bytes;
            if is_there {
                let digest = core::mem::take(&mut run.hasher).digest();
                (run.sent_offset, run.read_offset) = (0, 0);
                done.push(entry_done(transfer, run.epoch, run.read_entry, digest));
            } else if is_empty && !is_stored {
                run.uncommitted += 1;
                done.push(entry_done(
                    transfer,
                    run.epoch,
                    run.read_entry,
                    Digest::of(&[]),
                ));
            } else if !is_stored {
                break;
            }
            run.read_entry += 1;
            self.done_entries = self.done_entries.max(run.read_entry);
        }
        done
    }

    /// The next read that credit and order allow. Takes its bytes off the credit.
    pub(crate) fn next_read(&mut self) -> Option<NextRead> {
        let file = self.current_file()?;
        let (source, size) = (file.source, file.bytes);
        let run = self.run.as_mut()?;
        let begins = run.read_offset == 0 && run.prefix.is_none();
        // What the receiver has is read to be compared, and nothing else is until that is done.
        let bytes = match run.prefix {
            Some((until, _)) => READ_BYTES.min(until - run.read_offset),
            None => READ_BYTES.min(run.credit).min(size - run.read_offset),
        };
        if bytes == 0 || (begins && run.uncommitted >= UNCOMMITTED_FILES) {
            return None;
        }
        let read = NextRead {
            source,
            run: run.number,
            entry: run.read_entry,
            offset: run.read_offset,
            bytes,
        };
        run.uncommitted += usize::from(begins);
        run.read_offset += bytes;
        if run.prefix.is_none() {
            run.credit -= bytes;
            if run.read_offset == size {
                run.read_entry += 1;
                run.read_offset = 0;
            }
        }
        Some(read)
    }

    fn current_file(&self) -> Option<&SourceFile> {
        self.files().get(index(self.run.as_ref()?.read_entry))
    }

    /// Takes the next bytes of an entry, in order. Returns the header to send them with, and the frame that follows the
    /// entry's last bytes; `None` if they are not to be sent: they were read for an older run, or to be compared. Errors
    /// with [`Code::SourceFailed`] if they differ from what the receiver has.
    pub(crate) fn handle_chunk(
        &mut self,
        transfer: WireTransferId,
        number: u32,
        entry: u32,
        data: &[u8],
    ) -> Result<Option<(BulkHeader, Option<ControlFrame>)>, Code> {
        let size = self.files().get(index(entry)).map_or(0, |file| file.bytes);
        let Some(run) = self.run.as_mut().filter(|run| run.number == number) else {
            return Ok(None);
        };
        let header = BulkHeader {
            transfer,
            epoch: run.epoch,
            entry,
            offset: run.sent_offset,
        };
        run.hasher.update(data);
        run.sent_offset += data.len() as u64;
        if run.sent_offset / CHECKPOINT_BYTES > header.offset / CHECKPOINT_BYTES {
            let checkpoint = Checkpoint {
                entry,
                offset: run.sent_offset,
                hasher: run.hasher.clone(),
            };
            self.checkpoints.push_back(checkpoint);
            if self.checkpoints.len() > CHECKPOINTS {
                self.checkpoints.pop_front();
            }
        }
        if run.prefix.is_some() {
            return self.check_prefix().map(|()| None);
        }
        if run.sent_offset < size {
            return Ok(Some((header, None)));
        }
        let digest = core::mem::take(&mut run.hasher).digest();
        run.sent_offset = 0;
        self.done_entries = self.done_entries.max(entry + 1);
        let done = entry_done(transfer, run.epoch, entry, digest);
        Ok(Some((header, Some(done))))
    }
}

fn entry(file: &SourceFile) -> FileEntry {
    FileEntry {
        name: file.name.clone(),
        folder: file.folder.clone(),
        bytes: file.bytes,
        media_type: file.media_type.clone(),
    }
}

fn entry_done(transfer: WireTransferId, epoch: u32, entry: u32, digest: Digest) -> ControlFrame {
    ControlFrame::EntryDone(EntryDone {
        transfer,
        epoch,
        entry,
        digest,
    })
}

/// An entry's number as an index. On every platform we build for, `usize` has at least 32 bits.
pub(crate) fn index(entry: u32) -> usize {
    entry as usize
}
