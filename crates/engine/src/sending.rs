//! The sending side of one transfer: which bytes to read next, when an entry is done, what the receiver has. It knows
//! credit and order, not the channel nor the source.

use tabferry_protocol::code::Code;
use tabferry_protocol::digest::{Digest, Hasher};
use tabferry_protocol::frame::{Accept, BulkHeader, ControlFrame, EntryDone};
use tabferry_protocol::host::{SourceFile, Subject};
use tabferry_protocol::id::{SourceId, WireTransferId};
use tabferry_protocol::limits::{READ_BYTES, UNCOMMITTED_FILES};
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
    /// How often it was proposed.
    pub(crate) proposals: u32,
    /// Since the receiver's first accept.
    run: Option<Run>,
    /// Entries of which all bytes were sent at least once.
    done_entries: u32,
    /// Which entries the receiver has for good.
    stored: Vec<bool>,
    stored_entries: u32,
    stored_bytes: u64,
}

/// Bytes on their way under one epoch.
#[derive(Debug)]
struct Run {
    epoch: u32,
    /// Next entry and offset to ask the source for.
    read_entry: u32,
    read_offset: u64,
    /// Entry that the next chunk belongs to, what of it was sent, and its digest so far.
    sent_offset: u64,
    hasher: Hasher,
    /// Bytes the receiver still takes.
    credit: u64,
    /// Bytes of the entries before the epoch began.
    base: u64,
    /// Bytes that the receiver reported as written since.
    confirmed: u64,
}

/// A read to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextRead {
    pub(crate) source: SourceId,
    pub(crate) epoch: u32,
    pub(crate) entry: u32,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Sending {
    pub(crate) fn new(content: Content) -> Self {
        Self {
            content,
            proposals: 0,
            run: None,
            done_entries: 0,
            stored: Vec::new(),
            stored_entries: 0,
            stored_bytes: 0,
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

    /// Takes the receiver's accept: the first one, or one with a higher epoch that goes back.
    pub(crate) fn accept(&mut self, accept: Accept) -> Result<(), Code> {
        let newer = accept.epoch > self.run.as_ref().map_or(0, |run| run.epoch);
        let known = index(accept.entry) < self.files().len();
        if !newer || !known || accept.offset != 0 {
            return Err(Code::PeerMisbehaved);
        }
        self.run = Some(Run {
            epoch: accept.epoch,
            read_entry: accept.entry,
            read_offset: 0,
            sent_offset: 0,
            hasher: Hasher::default(),
            credit: accept.credit,
            base: self
                .files()
                .iter()
                .take(index(accept.entry))
                .map(|file| file.bytes)
                .sum(),
            confirmed: 0,
        });
        Ok(())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.run.is_some()
    }

    pub(crate) fn credit(&mut self, epoch: u32, bytes: u64) -> Result<(), Code> {
        match &mut self.run {
            Some(run) if run.epoch == epoch => {
                run.credit = run.credit.checked_add(bytes).ok_or(Code::PeerMisbehaved)?;
                run.confirmed = run.confirmed.saturating_add(bytes);
                Ok(())
            }
            Some(run) if epoch < run.epoch => Ok(()),
            _ => Err(Code::PeerMisbehaved),
        }
    }

    /// An entry has arrived for good. Returns whether it was the last one.
    pub(crate) fn entry_stored(&mut self, entry: u32) -> Result<bool, Code> {
        let entries = self.entries();
        let sent = self.is_inline() || entry < self.done_entries;
        if index(entry) >= entries || !sent {
            return Err(Code::PeerMisbehaved);
        }
        self.stored.resize(entries, false);
        if !core::mem::replace(&mut self.stored[index(entry)], true) {
            self.stored_entries += 1;
            self.stored_bytes += self.files().get(index(entry)).map_or(0, |file| file.bytes);
        }
        Ok(index(self.stored_entries) == entries)
    }

    pub(crate) fn stored_entries(&self) -> u32 {
        self.stored_entries
    }

    /// Bytes that the receiver has, as far as it told us.
    pub(crate) fn bytes_done(&self) -> u64 {
        let written = self
            .run
            .as_ref()
            .map_or(0, |run| run.base.saturating_add(run.confirmed));
        written.max(self.stored_bytes).min(self.bytes())
    }

    /// Passes over entries without bytes, which are done as soon as it is their turn.
    pub(crate) fn skip_empty(&mut self, transfer: WireTransferId) -> Vec<ControlFrame> {
        let mut done = Vec::new();
        while let Some(bytes) = self.current_file().map(|file| file.bytes) {
            let window_full = self.uncommitted() >= UNCOMMITTED_FILES;
            let Some(run) = self.run.as_mut() else { break };
            if bytes != 0 || window_full {
                break;
            }
            done.push(entry_done(
                transfer,
                run.epoch,
                run.read_entry,
                Digest::of(&[]),
            ));
            run.read_entry += 1;
            self.done_entries = self.done_entries.max(run.read_entry);
        }
        done
    }

    /// The next read that credit and order allow. Takes its bytes off the credit.
    pub(crate) fn next_read(&mut self) -> Option<NextRead> {
        let file = self.current_file()?;
        let (source, size) = (file.source, file.bytes);
        let blocked = self.uncommitted() >= UNCOMMITTED_FILES;
        let run = self.run.as_mut()?;
        let bytes = READ_BYTES.min(run.credit).min(size - run.read_offset);
        if bytes == 0 || (blocked && run.read_offset == 0) {
            return None;
        }
        let read = NextRead {
            source,
            epoch: run.epoch,
            entry: run.read_entry,
            offset: run.read_offset,
            bytes,
        };
        run.credit -= bytes;
        run.read_offset += bytes;
        if run.read_offset == size {
            run.read_entry += 1;
            run.read_offset = 0;
        }
        Some(read)
    }

    fn current_file(&self) -> Option<&SourceFile> {
        self.files().get(index(self.run.as_ref()?.read_entry))
    }

    fn uncommitted(&self) -> usize {
        let read = self.run.as_ref().map_or(0, |run| run.read_entry);
        index(read.saturating_sub(self.stored_entries))
    }

    /// Takes the next bytes of an entry, in order. Returns the header to send them with, and the frame that follows the
    /// entry's last bytes; `None` if they were read for an older epoch.
    pub(crate) fn handle_chunk(
        &mut self,
        transfer: WireTransferId,
        epoch: u32,
        entry: u32,
        data: &[u8],
    ) -> Option<(BulkHeader, Option<ControlFrame>)> {
        let size = self.files().get(index(entry))?.bytes;
        let run = self.run.as_mut().filter(|run| run.epoch == epoch)?;
        let header = BulkHeader {
            transfer,
            epoch: run.epoch,
            entry,
            offset: run.sent_offset,
        };
        run.hasher.update(data);
        run.sent_offset += data.len() as u64;
        if run.sent_offset < size {
            return Some((header, None));
        }
        let digest = core::mem::take(&mut run.hasher).digest();
        run.sent_offset = 0;
        self.done_entries = self.done_entries.max(entry + 1);
        Some((header, Some(entry_done(transfer, run.epoch, entry, digest))))
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
