//! Between an engine and the inbox: takes what the engine wants stored and says what became of it. It knows the order of a
//! file's steps and who works on it, and nothing of folders, names or transfers.
//!
//! A few threads serve all files. Each file's steps are done in order and by one thread at a time; whichever is free takes
//! the file that waited longest. What waits of a file is written in one go, so the slower the disk, the larger the pieces.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::{Bytes, BytesMut};
use tabferry_engine::{FileFailure, FileKey};
use tabferry_protocol::host::StoredFile;
use tabferry_protocol::limits::{CHUNK_BYTES, RECEIVE_WINDOW_BYTES};
use tokio::sync::mpsc;

use crate::inbox::{Inbox, InboxError, Incoming, Place, Stored};

/// Nine tenths of a small file's time are two flushes, and files that wait together are flushed together. More threads than
/// these made it no faster on ext4.
const WORKERS: usize = 8;

/// Bytes of one file that are written before another file has its turn.
const BATCH_BYTES: usize = 1024 * 1024;

/// Shorter pieces are copied together: each would keep the whole packet that it came in.
const SMALL_BYTES: usize = CHUNK_BYTES / 4;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskReport {
    /// Bytes have left our memory.
    Written {
        /// Of which file.
        file: FileKey,
        /// How many since the last report.
        bytes: u64,
    },
    /// A file is there for good.
    Stored {
        /// Which.
        file: FileKey,
        /// Its name, and a number for it.
        stored: StoredFile,
        /// Where it is.
        path: PathBuf,
    },
    /// A file can't be stored; nothing of it is left.
    FileFailed {
        /// Which.
        file: FileKey,
        /// Why.
        failure: FileFailure,
    },
}

/// Stores received files. All methods but [`Disk::receive_to`] and [`Disk::stop`] return at once; a key that is not open is
/// ignored. Dropping it breaks off what is under way.
pub struct Disk {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Disk {
    /// Starts, with a folder for received files. It need not be there, or be of any use, before a file is received.
    ///
    /// Whoever doesn't take the reports stops the work, but not the engine's calls: at most the receive window waits for
    /// each file.
    pub fn start(folder: PathBuf, reports: mpsc::Sender<DiskReport>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            ready: Condvar::new(),
            target: Mutex::new(Target {
                folder,
                inbox: None,
            }),
            reports,
        });
        let mut disk = Self {
            shared,
            workers: Vec::with_capacity(WORKERS),
        };
        for _ in 0..WORKERS {
            let shared = Arc::clone(&disk.shared);
            let worker = thread::Builder::new()
                .name("disk".to_owned())
                .spawn(move || shared.work())?;
            disk.workers.push(worker);
        }
        Ok(disk)
    }

    /// Changes where files go that are opened from now on. Blocks. Errors, and changes nothing, if no file can be made there.
    pub fn receive_to(&self, folder: PathBuf) -> Result<(), InboxError> {
        let inbox = Arc::new(Inbox::open(&folder)?);
        *lock(&self.shared.target) = Target {
            folder,
            inbox: Some(inbox),
        };
        Ok(())
    }

    /// The same for a folder that may be of no use now: then each file fails until it is.
    pub fn return_to(&self, folder: PathBuf) {
        *lock(&self.shared.target) = Target {
            folder,
            inbox: None,
        };
    }

    /// Begins a file.
    pub fn open(&self, file: FileKey, place: Place, bytes: u64) {
        let mut state = self.shared.state();
        state.files.insert(
            file,
            Waiting {
                step: Some(Step::Open(place, bytes)),
                ..Waiting::default()
            },
        );
        self.shared.schedule(&mut state, file);
    }

    /// Appends bytes. Writing to the last byte doesn't end a file; a commit does.
    pub fn write(&self, file: FileKey, data: Bytes) {
        let mut state = self.shared.state();
        let Some(waiting) = state.files.get_mut(&file) else {
            return;
        };
        if waiting.data.bytes + data.len() as u64 > RECEIVE_WINDOW_BYTES {
            waiting.end_with(End::Overrun);
        } else if waiting.end.is_none() {
            waiting.data.push(data);
        }
        self.shared.schedule(&mut state, file);
    }

    /// Ends a file: answered by [`DiskReport::Stored`] or [`DiskReport::FileFailed`].
    pub fn commit(&self, file: FileKey) {
        let mut state = self.shared.state();
        if let Some(waiting) = state.files.get_mut(&file) {
            waiting.end.get_or_insert(End::Commit);
            self.shared.schedule(&mut state, file);
        }
    }

    /// Removes what there is of a file. Not answered, and nothing is said of the file afterwards but what is on its way.
    pub fn abort(&self, file: FileKey) {
        let mut state = self.shared.state();
        if let Some(waiting) = state.files.get_mut(&file) {
            waiting.end_with(End::Abort);
            self.shared.schedule(&mut state, file);
        }
    }

    /// Breaks off what is under way, and waits until nothing of it is left. Blocks; the receiver of the reports has to be
    /// dropped or read meanwhile.
    pub fn stop(mut self) {
        self.shared.stop();
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a thread of the disk had panicked");
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

/// Where new files go.
struct Target {
    folder: PathBuf,
    /// `None` until it could be opened.
    inbox: Option<Arc<Inbox>>,
}

struct Shared {
    state: Mutex<State>,
    /// A file was scheduled, or the work is to stop.
    ready: Condvar,
    /// Locked after, never before, `state` is let go of.
    target: Mutex<Target>,
    reports: mpsc::Sender<DiskReport>,
}

#[derive(Default)]
struct State {
    files: HashMap<FileKey, Waiting>,
    /// Files that have work and no worker.
    queue: VecDeque<FileKey>,
    last_stored: u32,
    stopping: bool,
}

/// A file, with what is still to be done for it.
#[derive(Default)]
struct Waiting {
    /// How far it is. `None` while a worker has it.
    step: Option<Step>,
    data: Data,
    end: Option<End>,
    /// Whether it is in the queue or with a worker.
    scheduled: bool,
}

/// How a file ends once nothing waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Commit,
    Abort,
    /// More was to be written than a peer may have on its way. The engine sees to that; if it fails, memory must not.
    Overrun,
}

enum Step {
    Open(Place, u64),
    Write(Box<Incoming>),
}

/// Bytes that wait to be written.
#[derive(Default)]
struct Data {
    pieces: VecDeque<Bytes>,
    /// Short pieces, copied together.
    tail: BytesMut,
    bytes: u64,
}

impl Data {
    fn push(&mut self, data: Bytes) {
        self.bytes += data.len() as u64;
        if data.len() >= SMALL_BYTES {
            self.flush();
            self.pieces.push_back(data);
            return;
        }
        self.tail.extend_from_slice(&data);
        if self.tail.len() >= CHUNK_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.pieces.push_back(tail);
        }
    }

    /// What is written next.
    fn take_batch(&mut self) -> Vec<Bytes> {
        self.flush();
        let mut length = 0;
        let mut batch = Vec::new();
        while let Some(piece) = self
            .pieces
            .pop_front_if(|piece| length == 0 || length + piece.len() <= BATCH_BYTES)
        {
            length += piece.len();
            batch.push(piece);
        }
        self.bytes -= length as u64;
        batch
    }
}

impl Waiting {
    /// Ends it with nothing more to be written.
    fn end_with(&mut self, end: End) {
        self.end = Some(end);
        self.data = Data::default();
    }
}

/// What a worker has taken on.
struct Job {
    file: FileKey,
    step: Step,
    batch: Vec<Bytes>,
    /// Set if this is the last of the file.
    end: Option<End>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn schedule(&self, state: &mut State, file: FileKey) {
        if let Some(waiting) = state.files.get_mut(&file)
            && !waiting.scheduled
        {
            waiting.scheduled = true;
            state.queue.push_back(file);
            self.ready.notify_one();
        }
    }

    fn stop(&self) {
        self.state().stopping = true;
        self.ready.notify_all();
    }

    /// What a worker does until the work is to stop.
    fn work(&self) {
        while let Some(job) = self.next_job() {
            let file = job.file;
            let step = self.do_job(job);
            self.put_back(file, step);
        }
        // Parts are removed here, by whichever worker is first.
        let files = std::mem::take(&mut self.state().files);
        drop(files);
    }

    fn next_job(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if state.stopping {
                return None;
            }
            let Some(file) = state.queue.pop_front() else {
                state = self
                    .ready
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(waiting) = state.files.get_mut(&file) else {
                continue;
            };
            let Some(step) = waiting.step.take() else {
                continue;
            };
            let batch = waiting.data.take_batch();
            return Some(Job {
                file,
                step,
                end: waiting.end.filter(|_| waiting.data.bytes == 0),
                batch,
            });
        }
    }

    /// Takes a file one or more steps on. Returns how far it is, or nothing if it has ended.
    fn do_job(&self, job: Job) -> Option<Step> {
        let file = job.file;
        match self.try_job(job) {
            Ok(Progress::Open(incoming)) => Some(Step::Write(incoming)),
            Ok(Progress::Stored(stored)) => {
                self.report_stored(file, stored);
                None
            }
            Ok(Progress::Aborted) => None,
            Err(error) => {
                tracing::warn!(
                    code = error.code(),
                    error = &error as &dyn std::error::Error,
                    "a file can't be stored"
                );
                let failure = error.failure();
                self.report(DiskReport::FileFailed { file, failure });
                None
            }
        }
    }

    fn try_job(&self, job: Job) -> Result<Progress, InboxError> {
        match job.end {
            // The part is removed with the step.
            Some(End::Abort) => return Ok(Progress::Aborted),
            Some(End::Overrun) => {
                return Err(InboxError::Interrupted(io::ErrorKind::OutOfMemory.into()));
            }
            Some(End::Commit) | None => {}
        }
        let mut incoming = match job.step {
            Step::Open(place, bytes) => Box::new(self.create(&place, bytes)?),
            Step::Write(incoming) => incoming,
        };
        if !job.batch.is_empty() {
            let mut slices: Vec<IoSlice<'_>> =
                job.batch.iter().map(|piece| IoSlice::new(piece)).collect();
            incoming.write(&mut slices)?;
            let bytes = job.batch.iter().map(|piece| piece.len() as u64).sum();
            drop(job.batch);
            self.report(DiskReport::Written {
                file: job.file,
                bytes,
            });
        }
        if job.end.is_some() {
            incoming.commit().map(Progress::Stored)
        } else {
            Ok(Progress::Open(incoming))
        }
    }

    fn create(&self, place: &Place, bytes: u64) -> Result<Incoming, InboxError> {
        match self.inbox()?.create(place.clone(), bytes) {
            Err(InboxError::Gone) => {
                // Someone deleted the folder. It is made anew once.
                lock(&self.target).inbox = None;
                self.inbox()?.create(place.clone(), bytes)
            }
            created => created,
        }
    }

    fn inbox(&self) -> Result<Arc<Inbox>, InboxError> {
        let mut target = lock(&self.target);
        if let Some(inbox) = &target.inbox {
            return Ok(Arc::clone(inbox));
        }
        let inbox = Arc::new(Inbox::open(&target.folder)?);
        target.inbox = Some(Arc::clone(&inbox));
        Ok(inbox)
    }

    fn report_stored(&self, file: FileKey, stored: Stored) {
        let id = {
            let mut state = self.state();
            state.last_stored = state.last_stored.wrapping_add(1);
            state.last_stored
        };
        self.report(DiskReport::Stored {
            file,
            stored: StoredFile {
                id,
                name: stored.name,
            },
            path: stored.path,
        });
    }

    fn report(&self, report: DiskReport) {
        // Without anyone to report to there is nothing to work for.
        if self.reports.blocking_send(report).is_err() {
            self.stop();
        }
    }

    /// Takes a file back from a worker, or forgets it.
    fn put_back(&self, file: FileKey, step: Option<Step>) {
        let mut state = self.state();
        let (Some(step), Some(waiting)) = (step, state.files.get_mut(&file)) else {
            state.files.remove(&file);
            return;
        };
        waiting.step = Some(step);
        waiting.scheduled = false;
        if waiting.end.is_some() || waiting.data.bytes > 0 {
            self.schedule(&mut state, file);
        }
    }
}

enum Progress {
    Open(Box<Incoming>),
    Stored(Stored),
    Aborted,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done where a thread could panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
