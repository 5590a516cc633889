//! The receiving side of one transfer of files: what was proposed, which byte comes next, what is stored, how much more
//! may be sent. It trusts its own books only; what a frame says of sizes and places is checked against them.

use tabferry_protocol::code::Code;
use tabferry_protocol::digest::{Digest, Hasher};
use tabferry_protocol::frame::{Accept, BulkHeader, ControlFrame, Credit, EntryDone};
use tabferry_protocol::id::{ResumeId, TransferId, WireTransferId};
use tabferry_protocol::limits::{
    CREDIT_INTERVAL_MS, CREDIT_STEP_BYTES, INLINE_ENTRIES, MANIFEST_TEXT_BYTES,
    RECEIVE_WINDOW_BYTES, STORAGE_RESTARTS, UNCOMMITTED_FILES,
};
use tabferry_protocol::manifest::{Entry, FileEntry, Item, Manifest};
use tabferry_protocol::name::{ReceivedFolder, ReceivedName};

use crate::io::{FileKey, Output, Time};
use crate::outbox::Outbox;
use crate::sending::index;
use crate::table::Table;

/// A manifest of which pages are still to come.
#[derive(Debug)]
pub(crate) struct Collecting {
    pub(crate) resume: ResumeId,
    count: usize,
    entries: Vec<Entry>,
    /// Bytes of all texts in the entries.
    bytes: usize,
}

impl Collecting {
    pub(crate) fn new(resume: ResumeId, count: u32) -> Self {
        Self {
            resume,
            count: index(count),
            entries: Vec::new(),
            bytes: 0,
        }
    }

    /// Bytes of all that is here.
    pub(crate) fn memory(&self) -> usize {
        self.bytes + self.entries.len() * size_of::<Entry>()
    }

    /// Takes a page. Returns the manifest when it is complete.
    pub(crate) fn add(&mut self, page: Vec<Entry>) -> Result<Option<Manifest>, Code> {
        let items = page.iter().any(|entry| matches!(entry, Entry::Item(_)));
        self.bytes += page.iter().map(text_bytes).sum::<usize>();
        self.entries.extend(page);
        if self.entries.len() > self.count
            || self.bytes > MANIFEST_TEXT_BYTES
            || (items && self.count > INLINE_ENTRIES)
        {
            return Err(Code::TooLarge);
        }
        if self.entries.len() < self.count {
            return Ok(None);
        }
        Manifest::new(core::mem::take(&mut self.entries)).map(Some)
    }
}

/// What an entry keeps in memory besides itself.
fn text_bytes(entry: &Entry) -> usize {
    match entry {
        Entry::File(file) => file.text_bytes(),
        Entry::Item(Item::Page { url, title } | Item::Link { url, title }) => {
            url.as_str().len() + title.len()
        }
        Entry::Item(Item::Text { text }) => text.len(),
        Entry::Unknown => 0,
    }
}

/// A transfer of files as its receiver keeps it.
#[derive(Debug)]
pub(crate) struct Receiving {
    id: TransferId,
    /// Its number on the connection that brings it.
    pub(crate) transfer: WireTransferId,
    files: Vec<FileEntry>,
    /// How many of them may run something when they are opened.
    programs: u32,
    /// Bytes of all texts in `files`.
    text_bytes: usize,
    /// Bytes of all files.
    bytes: u64,
    /// Whether a person said yes. Nothing is stored before.
    pub(crate) accepted: bool,
    /// 0 until bytes were asked for.
    epoch: u32,
    /// Whether the next accept waits for files that are being committed: it says which entries are stored.
    settling: bool,
    /// Entry and offset of the next byte.
    entry: u32,
    offset: u64,
    hasher: Hasher,
    /// Digests that the sender announced.
    announced: Table<u32, Digest>,
    /// Files that are open in the storage, by entry.
    open: Table<u32, OpenFile>,
    stored: Vec<bool>,
    stored_entries: u32,
    stored_bytes: u64,
    /// Bytes of this epoch that may come, and that came.
    allowed: u64,
    received: u64,
    /// Bytes that left our memory and were not given back as credit yet.
    ungranted: u64,
    /// When credit was given last.
    granted_at: Time,
    /// Times that the storage broke off.
    restarts: u32,
}

#[derive(Debug)]
struct OpenFile {
    key: FileKey,
    /// Epoch under which its bytes came: only those of the present one count for credit.
    epoch: u32,
    received: u64,
    written: u64,
    /// Digest of what came, once all came.
    digest: Option<Digest>,
    committing: bool,
}

impl Receiving {
    pub(crate) fn new(id: TransferId, transfer: WireTransferId, files: Vec<FileEntry>) -> Self {
        let is_program = |file: &&FileEntry| {
            ReceivedName::from_proposed(&file.name).is_program()
                || ReceivedFolder::from_proposed(&file.folder).is_program()
        };
        let programs = files.iter().filter(is_program).count();
        let text_bytes = files.iter().map(FileEntry::text_bytes).sum();
        let bytes = files.iter().map(|file| file.bytes).sum();
        let programs = u32::try_from(programs).unwrap_or(u32::MAX);
        let stored = vec![false; files.len()];
        Self {
            id,
            transfer,
            files,
            programs,
            text_bytes,
            bytes,
            accepted: false,
            epoch: 0,
            settling: false,
            entry: 0,
            offset: 0,
            hasher: Hasher::default(),
            announced: Table::default(),
            open: Table::default(),
            stored,
            stored_entries: 0,
            stored_bytes: 0,
            allowed: 0,
            received: 0,
            ungranted: 0,
            granted_at: Time::default(),
            restarts: 0,
        }
    }

    /// How many files.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.files.len()).unwrap_or(u32::MAX)
    }

    /// Bytes of what was proposed.
    pub(crate) fn memory(&self) -> usize {
        self.text_bytes + self.files.len() * size_of::<FileEntry>()
    }

    pub(crate) fn programs(&self) -> u32 {
        self.programs
    }

    /// Bytes in all.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn names(&self, most: usize) -> Vec<String> {
        self.files.iter().take(most).map(received_path).collect()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.epoch > 0
    }

    pub(crate) fn is_complete(&self) -> bool {
        index(self.stored_entries) == self.files.len()
    }

    pub(crate) fn stored_entries(&self) -> u32 {
        self.stored_entries
    }

    /// Bytes that have left our memory for the storage, or are there for good.
    pub(crate) fn bytes_done(&self) -> u64 {
        self.stored_bytes + self.open.values().map(|file| file.written).sum::<u64>()
    }

    /// Whether these are the files.
    pub(crate) fn is_of(&self, files: &[FileEntry]) -> bool {
        self.files == files
    }

    /// Bytes are wanted, at first or again: [`Self::accept_if_settled`] says which. What is still on its way is dropped.
    pub(crate) fn want(&mut self, transfer: WireTransferId) {
        self.transfer = transfer;
        self.epoch += 1;
        self.settling = true;
        (self.allowed, self.received, self.ungranted) = (0, 0, 0);
    }

    /// The connection is lost. Files that are there in full go on being committed.
    pub(crate) fn interrupt(&mut self) {
        self.settling = false;
    }

    /// Asks for the bytes that are missing, once it is known which those are.
    pub(crate) fn accept_if_settled(
        &mut self,
        now: Time,
        out: &mut Outbox,
    ) -> Option<ControlFrame> {
        if !self.settling || self.open.values().any(|file| file.committing) {
            return None;
        }
        self.settling = false;
        let first = self.stored.iter().position(|stored| !stored);
        let first = first.map_or(self.count(), |first| {
            u32::try_from(first).unwrap_or(u32::MAX)
        });
        let (offset, prefix) = self.go_on_at(first);
        for (entry, file) in core::mem::take(&mut self.open) {
            if entry == first && offset > 0 {
                self.open.insert(entry, file);
            } else {
                out.push(Output::AbortFile { file: file.key });
            }
        }
        self.announced = Table::default();
        // What the storage has not taken off our memory yet is part of the window.
        let mut unwritten = 0;
        for file in self.open.values_mut() {
            file.epoch = self.epoch;
            unwritten += file.received - file.written;
        }
        let credit = RECEIVE_WINDOW_BYTES.saturating_sub(unwritten);
        self.allowed = credit;
        self.granted_at = now;
        Some(ControlFrame::Accept(Accept {
            transfer: self.transfer,
            epoch: self.epoch,
            entry: first,
            offset,
            prefix,
            stored: self.stored_behind(first),
            credit,
        }))
    }

    /// How much of an entry is there, and its digest.
    fn go_on_at(&mut self, entry: u32) -> (u64, Option<Digest>) {
        let open = self.open.get(&entry);
        let complete = open.and_then(|file| file.digest);
        let partial = open.is_some() && entry == self.entry;
        if complete.is_some() {
            self.offset = self.size(entry).unwrap_or_default();
        } else if !partial {
            self.offset = 0;
        }
        if self.offset == 0 {
            self.hasher = Hasher::default();
        }
        self.entry = entry;
        let prefix = complete.or_else(|| Some(self.hasher.digest()));
        (self.offset, prefix.filter(|_| self.offset > 0))
    }

    /// The stored entries behind one that is not.
    fn stored_behind(&self, first: u32) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for (entry, _) in (0..)
            .zip(&self.stored)
            .skip(index(first))
            .filter(|(_, it)| **it)
        {
            match ranges.last_mut() {
                Some((_, to)) if *to == entry => *to += 1,
                _ => ranges.push((entry, entry + 1)),
            }
        }
        ranges
    }

    /// Takes the bytes of a bulk frame.
    pub(crate) fn handle_bulk(
        &mut self,
        header: BulkHeader,
        data: &[u8],
        out: &mut Outbox,
    ) -> Result<(), Code> {
        if header.epoch < self.epoch && self.epoch > 0 {
            // On its way when we asked to go back.
            return Ok(());
        }
        let length = data.len() as u64;
        self.received += length;
        if self.epoch == 0 || header.epoch > self.epoch || self.received > self.allowed {
            return Err(Code::PeerMisbehaved);
        }
        // The sender passes over what was stored when this epoch began; behind the present entry nothing else is.
        while self.size(self.entry).is_some_and(|size| {
            size == self.offset || (self.offset == 0 && self.stored[index(self.entry)])
        }) {
            self.entry += 1;
            self.offset = 0;
        }
        let size = self.size(self.entry).ok_or(Code::PeerMisbehaved)?;
        let in_place = header.entry == self.entry && header.offset == self.offset;
        if !in_place || length > size - self.offset {
            return Err(Code::PeerMisbehaved);
        }
        let entry = self.entry;
        self.offset += length;
        if header.offset == 0 {
            self.open_file(entry, size, out)?;
            self.hasher = Hasher::default();
        }
        self.hasher.update(data);
        let complete = self.offset == size;
        let digest = complete.then(|| self.hasher.digest());
        if let Some(file) = self.open.get_mut(&entry) {
            out.push(Output::Write { file: file.key });
            file.received += length;
            file.digest = digest;
        }
        if complete {
            self.commit_if_verified(entry, out)?;
        }
        Ok(())
    }

    pub(crate) fn handle_entry_done(
        &mut self,
        done: EntryDone,
        out: &mut Outbox,
    ) -> Result<(), Code> {
        let size = self.size(done.entry).ok_or(Code::PeerMisbehaved)?;
        if self.epoch == 0 || done.epoch > self.epoch {
            return Err(Code::PeerMisbehaved);
        }
        if done.epoch < self.epoch || self.stored[index(done.entry)] {
            return Ok(());
        }
        if self
            .announced
            .insert(done.entry, done.digest)
            .is_some_and(|known| known != done.digest)
        {
            return Err(Code::PeerMisbehaved);
        }
        if size == 0 && !self.open.contains_key(&done.entry) {
            self.open_file(done.entry, 0, out)?;
            if let Some(file) = self.open.get_mut(&done.entry) {
                file.digest = Some(Digest::of(&[]));
            }
        }
        self.commit_if_verified(done.entry, out)
    }

    fn open_file(&mut self, entry: u32, bytes: u64, out: &mut Outbox) -> Result<(), Code> {
        // Each may hold a file of the system, and of those there are not many.
        if self.open.len() >= UNCOMMITTED_FILES {
            return Err(Code::PeerMisbehaved);
        }
        let key = FileKey(out.key());
        let there = self.open.values().map(|file| file.received).sum::<u64>();
        let to_come = self.bytes - self.stored_bytes - there;
        let file = &self.files[index(entry)];
        out.push(Output::OpenFile {
            file: key,
            transfer: self.id,
            folder: ReceivedFolder::from_proposed(&file.folder),
            name: ReceivedName::from_proposed(&file.name),
            bytes,
            to_come,
        });
        self.open.insert(
            entry,
            OpenFile {
                key,
                epoch: self.epoch,
                received: 0,
                written: 0,
                digest: None,
                committing: false,
            },
        );
        Ok(())
    }

    fn commit_if_verified(&mut self, entry: u32, out: &mut Outbox) -> Result<(), Code> {
        let (Some(file), Some(announced)) = (self.open.get_mut(&entry), self.announced.get(&entry))
        else {
            return Ok(());
        };
        match file.digest {
            Some(digest) if digest == *announced => {
                if !core::mem::replace(&mut file.committing, true) {
                    out.push(Output::CommitFile { file: file.key });
                }
                Ok(())
            }
            Some(_) => Err(Code::DigestMismatch),
            None => Ok(()),
        }
    }

    fn entry_of(&self, key: FileKey) -> Option<u32> {
        self.open
            .iter()
            .find(|(_, file)| file.key == key)
            .map(|(entry, _)| *entry)
    }

    pub(crate) fn has_file(&self, key: FileKey) -> bool {
        self.entry_of(key).is_some()
    }

    /// The storage took bytes off our memory. Returns credit to give back, if it is time for it.
    pub(crate) fn handle_written(
        &mut self,
        now: Time,
        key: FileKey,
        bytes: u64,
    ) -> Option<ControlFrame> {
        let entry = self.entry_of(key)?;
        let file = self.open.get_mut(&entry)?;
        let bytes = bytes.min(file.received - file.written);
        file.written += bytes;
        if file.epoch == self.epoch {
            self.give_back(now, bytes)
        } else {
            None
        }
    }

    fn give_back(&mut self, now: Time, bytes: u64) -> Option<ControlFrame> {
        self.ungranted += bytes;
        let due = now.since(self.granted_at) >= CREDIT_INTERVAL_MS;
        if self.ungranted == 0 || (self.ungranted < CREDIT_STEP_BYTES && !due) {
            return None;
        }
        self.granted_at = now;
        let bytes = core::mem::take(&mut self.ungranted);
        self.allowed = self.allowed.saturating_add(bytes);
        Some(ControlFrame::Credit(Credit {
            transfer: self.transfer,
            epoch: self.epoch,
            bytes,
        }))
    }

    /// A file is stored for good. Returns its entry.
    pub(crate) fn handle_stored(&mut self, key: FileKey) -> Option<u32> {
        let entry = self.entry_of(key)?;
        if !self.open.get(&entry)?.committing {
            return None;
        }
        self.open.remove(&entry);
        self.announced.remove(&entry);
        self.stored[index(entry)] = true;
        self.stored_entries += 1;
        self.stored_bytes += self.files[index(entry)].bytes;
        Some(entry)
    }

    /// The storage broke off a file. Returns whether it may be tried once more.
    pub(crate) fn may_restart(&mut self, key: FileKey) -> bool {
        self.forget(key);
        self.restarts += 1;
        self.restarts <= STORAGE_RESTARTS
    }

    /// The storage has let go of a file. Returns its entry.
    pub(crate) fn forget(&mut self, key: FileKey) -> Option<u32> {
        let entry = self.entry_of(key)?;
        self.open.remove(&entry);
        self.announced.remove(&entry);
        Some(entry)
    }

    /// Lets go of every open file.
    pub(crate) fn abort(&mut self, out: &mut Outbox) {
        for file in core::mem::take(&mut self.open).values() {
            out.push(Output::AbortFile { file: file.key });
        }
    }

    fn size(&self, entry: u32) -> Option<u64> {
        self.files.get(index(entry)).map(|file| file.bytes)
    }
}

/// How a file will be called here, with its folders.
fn received_path(file: &FileEntry) -> String {
    let folder = ReceivedFolder::from_proposed(&file.folder);
    let name = ReceivedName::from_proposed(&file.name);
    let names = folder.names().iter().chain([&name]);
    names
        .map(ReceivedName::as_str)
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Entry {
        Entry::Item(Item::Text {
            text: "x".repeat(1024),
        })
    }

    #[test]
    fn items_of_a_manifest_too_long_for_them_are_refused_at_once() {
        let collecting = |count| Collecting::new(ResumeId::from_bytes([1; 16]), count);
        assert_eq!(collecting(10_000).add(vec![text()]), Err(Code::TooLarge));
        let mut collecting = collecting(2);
        assert_eq!(collecting.add(vec![text()]), Ok(None));
        assert!(matches!(collecting.add(vec![text()]), Ok(Some(_))));
    }

    #[test]
    fn a_sender_that_ends_no_file_may_not_begin_any_number_of_them() {
        let file = FileEntry {
            name: "x".to_owned(),
            folder: String::new(),
            bytes: 1,
            media_type: None,
        };
        let transfer = WireTransferId(1);
        let mut receiving = Receiving::new(TransferId(1), transfer, vec![file; 100]);
        let mut out = Outbox::new([0; 32], 0);
        receiving.want(transfer);
        receiving.accept_if_settled(Time(0), &mut out);
        let mut begin = |entry| {
            let header = BulkHeader {
                transfer,
                epoch: 1,
                entry,
                offset: 0,
            };
            receiving.handle_bulk(header, &[1], &mut out)
        };
        let most = u32::try_from(UNCOMMITTED_FILES).unwrap();
        for entry in 0..most {
            assert_eq!(begin(entry), Ok(()));
        }
        assert_eq!(begin(most), Err(Code::PeerMisbehaved));
    }

    #[test]
    fn every_text_of_an_unfinished_manifest_counts() {
        let file = Entry::File(FileEntry {
            name: String::new(),
            folder: String::new(),
            bytes: 1,
            media_type: Some("x".repeat(MANIFEST_TEXT_BYTES / 2)),
        });
        let mut collecting = Collecting::new(ResumeId::from_bytes([1; 16]), 10_000);
        assert_eq!(collecting.add(vec![file.clone(), file.clone()]), Ok(None));
        assert_eq!(collecting.add(vec![file]), Err(Code::TooLarge));
    }
}
