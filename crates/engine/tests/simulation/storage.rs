//! Sources that are read in chunks and sinks that take their time: both may fail in between. Every byte is checked as it
//! passes.

use tabferry_engine::{FileFailure, FileKey, Input, ReadKey};
use tabferry_protocol::frame::BulkHeader;
use tabferry_protocol::host::StoredFile;
use tabferry_protocol::id::SourceId;
use tabferry_protocol::limits::{
    CHUNK_BYTES, READ_BYTES, READS_AHEAD, RECEIVE_WINDOW_BYTES, STORAGE_RESTARTS,
};
use tabferry_protocol::name::{ReceivedFolder, ReceivedName};

use crate::content;
use crate::ledger::{Life, ProposalState};
use crate::world::{Happening, World};

/// A read that has not been answered in full.
#[derive(Debug)]
pub(crate) struct PendingRead {
    read: ReadKey,
    file: usize,
    source: SourceId,
    offset: u64,
    left: u64,
}

/// The chunk that an engine is handling.
#[derive(Debug)]
pub(crate) struct CurrentChunk {
    file: usize,
    source: SourceId,
    offset: u64,
    data: Vec<u8>,
}

/// A file being received.
#[derive(Debug)]
pub(crate) struct SinkFile {
    /// Which file it is, if its name is one of ours.
    file: Option<usize>,
    bytes: u64,
    written: u64,
    /// Bytes still in memory.
    unwritten: u64,
    committing: bool,
    /// Whether all bytes were those of the file.
    intact: bool,
    scheduled: bool,
    fails_at_commit: Option<FileFailure>,
}

impl World {
    pub(crate) fn read(
        &mut self,
        node: usize,
        read: ReadKey,
        source: SourceId,
        offset: u64,
        bytes: u64,
    ) {
        let life = self.life(node);
        assert!(
            self.nodes[node].sources.contains(&source),
            "a read of a source that is released or unknown"
        );
        let file = self.ledger.file_of(life, source).expect("a known source");
        assert!((1..=READ_BYTES).contains(&bytes), "a read of {bytes} bytes");
        assert!(
            offset + bytes <= self.ledger.files[file].bytes,
            "a read beyond the end of a file"
        );
        let to = self.ledger.sendings[self.ledger.files[file].sending].to;
        self.nodes[node].reads.push_back(PendingRead {
            read,
            file,
            source,
            offset,
            left: bytes,
        });
        let holds = &self.nodes[node];
        let same_peer = |pending: &&PendingRead| {
            let wanted = holds.sources.contains(&pending.source);
            wanted && self.ledger.sendings[self.ledger.files[pending.file].sending].to == to
        };
        let ahead = holds.reads.iter().filter(same_peer).count();
        assert!(ahead <= READS_AHEAD, "{ahead} reads at once for one peer");
        self.schedule_chunk(node);
    }

    fn schedule_chunk(&mut self, node: usize) {
        if self.nodes[node].reads.is_empty()
            || std::mem::replace(&mut self.nodes[node].reading, true)
        {
            return;
        }
        let (least, most) = self.plan.source_delay;
        let at = self.now + self.random.between(least, most);
        let owner = self.life(node);
        self.schedule(at, Happening::ChunkRead { owner });
    }

    /// The next chunk of the oldest read is there.
    pub(crate) fn chunk_read(&mut self, owner: Life) {
        let node = owner.node;
        if !self.is_alive(owner) {
            return;
        }
        self.nodes[node].reading = false;
        let Some(pending) = self.nodes[node].reads.front_mut() else {
            return;
        };
        let (read, file, source, offset) =
            (pending.read, pending.file, pending.source, pending.offset);
        let length = pending.left.min(CHUNK_BYTES as u64);
        pending.offset += length;
        pending.left -= length;
        let fails = self.ledger.files[file]
            .fails_at
            .is_some_and(|at| offset + length > at);
        if pending.left == 0 || fails {
            self.nodes[node].reads.pop_front();
        }
        if fails {
            let sending = self.ledger.files[file].sending;
            self.ledger.sendings[sending].source_failed = true;
            self.step(node, Input::ReadFailed { read });
        } else {
            let buffered = self.nodes[node]
                .source_connections
                .get(&source)
                .map_or(0, |id| self.buffered(*id));
            let data = content::bytes(file, offset, length);
            self.nodes[node].chunk = Some(CurrentChunk {
                file,
                source,
                offset,
                data: data.clone(),
            });
            self.step(
                node,
                Input::Chunk {
                    read,
                    data: &data,
                    buffered,
                },
            );
            self.nodes[node].chunk = None;
        }
        self.schedule_chunk(node);
    }

    /// The bulk frame of the chunk being handled. It may be sent once.
    pub(crate) fn take_chunk(&mut self, node: usize, header: BulkHeader, id: u64) -> Vec<u8> {
        let chunk = self.nodes[node]
            .chunk
            .take()
            .expect("bulk frames follow from chunks, one from each");
        let sending = &self.ledger.sendings[self.ledger.files[chunk.file].sending];
        assert_eq!(
            sending.files.get(header.entry as usize),
            Some(&chunk.file),
            "a chunk under the wrong entry"
        );
        assert_eq!(
            header.offset, chunk.offset,
            "a chunk under the wrong offset"
        );
        self.nodes[node].source_connections.insert(chunk.source, id);
        [&header.encode()[..], &chunk.data].concat()
    }

    pub(crate) fn release_source(&mut self, node: usize, source: SourceId) {
        assert!(
            self.nodes[node].sources.remove(&source),
            "a source released twice, or unknown"
        );
        self.nodes[node].source_connections.remove(&source);
        // The driver stops reading; now and then a chunk is on its way already.
        if self.random.one_in(2) {
            self.nodes[node]
                .reads
                .retain(|pending| pending.source != source);
        }
    }

    pub(crate) fn check_folder(&self, folder: &ReceivedFolder, name: &ReceivedName) {
        for part in folder.names() {
            assert_eq!(
                ReceivedName::from_proposed(part.as_str()),
                *part,
                "a folder that is not safe"
            );
        }
        let file = self.ledger.file_named(name.as_str());
        if let Some(file) = file.filter(|file| !self.is_hostile(self.ledger.files[*file].sending)) {
            let proposed = &self.ledger.files[file].folder;
            assert_eq!(*folder, ReceivedFolder::from_proposed(proposed));
        }
    }

    pub(crate) fn open_file(&mut self, node: usize, key: FileKey, name: &ReceivedName, bytes: u64) {
        assert_eq!(
            ReceivedName::from_proposed(name.as_str()),
            *name,
            "a name that is not safe"
        );
        let file = self.ledger.file_named(name.as_str());
        let sending = file.map(|file| self.ledger.files[file].sending);
        let trusted = sending.is_some_and(|sending| !self.is_hostile(sending));
        let accepted = self.nodes[node].told.values().any(|told| {
            told.proposal == Some(ProposalState::Accepted)
                && told.ended.is_none()
                && (told.sending == sending || !trusted)
        });
        assert!(
            accepted,
            "the file {name} is opened and nobody has accepted it"
        );
        assert!(
            trusted || self.plan.hostile.is_some(),
            "a file that nobody has sent: {name}"
        );
        if let Some(file) = file.filter(|_| trusted) {
            assert_eq!(
                self.ledger.files[file].bytes, bytes,
                "the size of a file has changed on its way"
            );
            let to = self.ledger.sendings[self.ledger.files[file].sending].to;
            assert_eq!(to, node, "a file has come to the wrong device");
        }
        let fails = !self.quiet && self.random.percent(self.plan.faults.sinks);
        let failure = self.random.pick(&[
            FileFailure::Full,
            FileFailure::Refused,
            FileFailure::Cancelled,
            FileFailure::Interrupted,
            FileFailure::Interrupted,
        ]);
        let fails_at_commit = (fails && self.random.one_in(3)).then_some(failure);
        let sink = SinkFile {
            file,
            bytes,
            written: 0,
            unwritten: 0,
            committing: false,
            intact: true,
            scheduled: false,
            fails_at_commit,
        };
        let known = self.nodes[node].files.insert(key, sink);
        assert!(known.is_none(), "a file key used twice");
        if fails && fails_at_commit.is_none() {
            let at = self.now + self.random.pick(&[0, 1, 10, 100, 1_000]);
            let owner = self.life(node);
            self.schedule(
                at,
                Happening::SinkFails {
                    owner,
                    key,
                    failure,
                },
            );
        }
    }

    pub(crate) fn write(&mut self, node: usize, key: FileKey, data: &[u8]) {
        assert!(!data.is_empty(), "a write follows from a bulk frame");
        let sink = self.nodes[node]
            .files
            .get_mut(&key)
            .expect("a write goes to an open file");
        assert!(!sink.committing, "a write after the commit");
        let length = data.len() as u64;
        assert!(
            sink.written + length <= sink.bytes,
            "more bytes written than proposed"
        );
        sink.intact &= sink
            .file
            .is_none_or(|file| content::matches(file, sink.written, data));
        sink.written += length;
        self.tally.bytes_received += length;
        sink.unwritten += length;
        let (file, intact) = (sink.file, sink.intact);
        let trusted = file.is_some_and(|file| !self.is_hostile(self.ledger.files[file].sending));
        assert!(intact || !trusted, "wrong bytes between honest devices");
        if let Some(file) = file {
            let sending = self.ledger.files[file].sending;
            let same = |sink: &&SinkFile| {
                sink.file
                    .is_some_and(|file| self.ledger.files[file].sending == sending)
            };
            let unwritten: u64 = self.nodes[node]
                .files
                .values()
                .filter(same)
                .map(|sink| sink.unwritten)
                .sum();
            self.tally.most_unwritten = self.tally.most_unwritten.max(unwritten);
            // A hostile device may propose one thing twice.
            assert!(
                unwritten <= RECEIVE_WINDOW_BYTES || !trusted,
                "{unwritten} bytes wait to be written"
            );
        }
        self.schedule_sink(node, key);
    }

    fn schedule_sink(&mut self, node: usize, key: FileKey) {
        let sink = self.nodes[node].files.get_mut(&key).expect("an open file");
        if std::mem::replace(&mut sink.scheduled, true) {
            return;
        }
        let (least, most) = self.plan.sink_delay;
        let at = self.now + self.random.between(least, most).max(10);
        let owner = self.life(node);
        self.schedule(
            at,
            Happening::SinkWrites {
                owner,
                key,
                since: self.now,
            },
        );
    }

    /// The storage has taken some bytes, or all and the commit.
    pub(crate) fn sink_writes(&mut self, owner: Life, key: FileKey, since: u64) {
        let node = owner.node;
        if !self.is_alive(owner) {
            return;
        }
        let able = (self.now - since) * self.plan.sink_rate;
        let Some(sink) = self.nodes[node].files.get_mut(&key) else {
            return;
        };
        sink.scheduled = false;
        let bytes = sink.unwritten.min(able);
        sink.unwritten -= bytes;
        if bytes > 0 {
            self.step(node, Input::Written { file: key, bytes });
        }
        let Some(sink) = self.nodes[node].files.get(&key) else {
            return;
        };
        if sink.unwritten > 0 {
            self.schedule_sink(node, key);
        } else if sink.committing && !sink.scheduled {
            self.finish_commit(node, key);
        }
    }

    pub(crate) fn commit_file(&mut self, node: usize, key: FileKey) {
        let sink = self.nodes[node]
            .files
            .get_mut(&key)
            .expect("a commit of an open file");
        assert!(
            !std::mem::replace(&mut sink.committing, true),
            "a second commit"
        );
        assert_eq!(
            sink.written, sink.bytes,
            "a commit of a file that is not complete"
        );
        // Of a size that a hostile device made up, nobody knows the right bytes.
        let as_sent = |file: usize| self.ledger.files[file].bytes == sink.bytes;
        if sink.file.is_some_and(as_sent) {
            assert!(sink.intact, "a commit of wrong bytes");
        }
        self.schedule_sink(node, key);
    }

    fn finish_commit(&mut self, node: usize, key: FileKey) {
        let sink = &self.nodes[node].files[&key];
        let (file, failure) = (sink.file, sink.fails_at_commit);
        if let Some(failure) = failure {
            return self.sink_fails(self.life(node), key, failure);
        }
        if let Some(file) = file {
            self.ledger.files[file].stored += 1;
            let sending = self.ledger.files[file].sending;
            let excused = self.ledger.sendings[sending].crashed || self.is_hostile(sending);
            assert!(
                excused || self.ledger.files[file].stored == 1,
                "a file stored twice"
            );
        }
        self.nodes[node].files.remove(&key);
        self.tally.files_stored += 1;
        let stored = StoredFile {
            id: key.0,
            name: format!("stored {}", key.0),
        };
        self.step(node, Input::Stored { file: key, stored });
    }

    pub(crate) fn sink_fails(&mut self, owner: Life, key: FileKey, failure: FileFailure) {
        let node = owner.node;
        if !self.is_alive(owner) {
            return;
        }
        let Some(sink) = self.nodes[node].files.remove(&key) else {
            return;
        };
        if let Some(file) = sink.file {
            let sending = self.ledger.files[file].sending;
            let sending = &mut self.ledger.sendings[sending];
            sending.interruptions += 1;
            sending.storage_failed |=
                failure != FileFailure::Interrupted || sending.interruptions > STORAGE_RESTARTS;
        }
        self.step(node, Input::FileFailed { file: key, failure });
    }

    pub(crate) fn abort_file(&mut self, node: usize, key: FileKey) {
        assert!(
            self.nodes[node].files.remove(&key).is_some(),
            "an abort of a file that is not open"
        );
    }
}
