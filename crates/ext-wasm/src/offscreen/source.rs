//! Where bytes to send come from: files that a person chose, and blobs made here. Reads them in order, a few at a time
//! ahead of the channel, and knows nothing of what they are for.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::{ArrayBuffer, Promise, Uint8Array};
use tabferry_engine::{ConnectionKey, Input, ReadKey};
use tabferry_protocol::frame::BulkHeader;
use tabferry_protocol::host::SourceFile;
use tabferry_protocol::id::SourceId;
use tabferry_protocol::limits::CHUNK_BYTES;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, Blob};

use super::host::Host;
use super::log;
use tabferry_engine::Table;

/// Everything that can be read.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    sources: RefCell<Table<SourceId, Source>>,
    last_id: Cell<u32>,
    /// Reads on their way, in the order in which they were asked for. The engine bounds their number.
    reads: RefCell<VecDeque<Read>>,
    /// Whether someone waits for the first of them.
    awaited: Cell<bool>,
}

#[derive(Debug)]
enum Source {
    Ready {
        blob: Blob,
        /// On which connection its last bytes went out.
        route: Option<ConnectionKey>,
    },
    /// Still being fetched; aborting it stops that.
    Fetching(AbortController),
}

#[derive(Debug)]
struct Read {
    key: ReadKey,
    source: SourceId,
    bytes: u64,
    /// `None` if there is nothing to read from.
    buffer: Option<Promise>,
}

impl Sources {
    /// Takes a file or blob in and describes it as the engine wants it.
    pub(crate) fn add(&self, blob: Blob, name: String) -> SourceFile {
        let source = self.draw_id();
        self.insert(source, blob, name)
    }

    /// Keeps an id for what is still being fetched.
    pub(crate) fn add_fetch(&self, fetch: AbortController) -> SourceId {
        let source = self.draw_id();
        let mut sources = self.sources.borrow_mut();
        sources.insert(source, Source::Fetching(fetch));
        source
    }

    /// Takes in what was fetched for an id; `None` if no one wants it any more.
    pub(crate) fn fetched(&self, source: SourceId, blob: Blob, name: String) -> Option<SourceFile> {
        self.has(source).then(|| self.insert(source, blob, name))
    }

    /// Whether a source is still wanted.
    pub(crate) fn has(&self, source: SourceId) -> bool {
        self.sources.borrow().get(&source).is_some()
    }

    /// Forgets a source, and stops its fetch.
    pub(crate) fn release(&self, source: SourceId) {
        let released = self.sources.borrow_mut().remove(&source);
        if let Some(Source::Fetching(fetch)) = released {
            fetch.abort();
        }
    }

    /// Begins a read at once and answers it in its turn.
    pub(crate) fn read(
        &self,
        host: &Host,
        key: ReadKey,
        source: SourceId,
        offset: u64,
        bytes: u64,
    ) {
        let buffer = match self.sources.borrow().get(&source) {
            Some(Source::Ready { blob, .. }) => {
                slice(blob, offset, bytes).map(|slice| slice.array_buffer())
            }
            _ => None,
        };
        self.reads.borrow_mut().push_back(Read {
            key,
            source,
            bytes,
            buffer,
        });
        if !self.awaited.replace(true) {
            spawn_local(answer(host.clone()));
        }
    }

    fn route(&self, source: SourceId) -> Option<ConnectionKey> {
        match self.sources.borrow().get(&source)? {
            Source::Ready { route, .. } => *route,
            Source::Fetching(_) => None,
        }
    }

    fn set_route(&self, source: SourceId, sent: Option<ConnectionKey>) {
        if let Some(Source::Ready { route, .. }) = self.sources.borrow_mut().get_mut(&source) {
            *route = sent;
        }
    }

    fn draw_id(&self) -> SourceId {
        self.last_id.set(self.last_id.get().wrapping_add(1));
        SourceId(self.last_id.get())
    }

    fn insert(&self, source: SourceId, blob: Blob, name: String) -> SourceFile {
        let file = SourceFile {
            source,
            name,
            folder: String::new(),
            bytes: size(&blob),
            media_type: Some(blob.type_()).filter(|media_type| !media_type.is_empty()),
        };
        let mut sources = self.sources.borrow_mut();
        sources.insert(source, Source::Ready { blob, route: None });
        file
    }
}

/// Answers reads until there are none.
async fn answer(host: Host) {
    // A whole frame: the header's place, then the data, so that sending it needs no second copy.
    let mut frame = vec![0; BulkHeader::BYTES + CHUNK_BYTES];
    loop {
        let Some(read) = host.sources().reads.borrow_mut().pop_front() else {
            break;
        };
        match load(&read).await {
            Some(data) => {
                hand_in(&host, &read, &data, &mut frame);
                host.spent().add(data.buffer());
            }
            None => host.tell(Input::ReadFailed { read: read.key }),
        }
    }
    host.sources().awaited.set(false);
}

async fn load(read: &Read) -> Option<Uint8Array> {
    let buffer = JsFuture::from(read.buffer.clone()?)
        .await
        .inspect_err(|thrown| log::warn_js("read of a file", thrown))
        .ok()?;
    let data = Uint8Array::new(buffer.dyn_ref::<ArrayBuffer>()?);
    (u64::from(data.length()) == read.bytes).then_some(data)
}

fn hand_in(host: &Host, read: &Read, data: &Uint8Array, frame: &mut [u8]) {
    let mut start = 0;
    while start < data.length() {
        let chunk = data.subarray(start, start.saturating_add(CHUNK_LENGTH));
        let length = chunk.length() as usize;
        let Some(frame) = frame.get_mut(..BulkHeader::BYTES + length) else {
            return;
        };
        chunk.copy_to(&mut frame[BulkHeader::BYTES..]);
        // The first chunk of a source finds out where it goes; what waits there is asked from the second one on.
        let route = host.sources().route(read.source);
        let buffered = route.map_or(0, |connection| host.connections().buffered(connection));
        let sent = host.handle_chunk(read.key, frame, buffered);
        if sent.is_some() && sent != route {
            host.sources().set_route(read.source, sent);
        }
        start += chunk.length();
    }
}

#[expect(clippy::cast_possible_truncation, reason = "128 KiB")]
const CHUNK_LENGTH: u32 = CHUNK_BYTES as u32;

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes of files are below 2^53 in JavaScript too"
)]
fn slice(blob: &Blob, offset: u64, bytes: u64) -> Option<Blob> {
    let end = offset.checked_add(bytes)?;
    blob.slice_with_f64_and_f64(offset as f64, end as f64).ok()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a size is a whole number from 0 to 2^53"
)]
fn size(blob: &Blob) -> u64 {
    blob.size() as u64
}
