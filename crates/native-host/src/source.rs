//! What is sent: files and folders of this computer. It knows which files a person named, that they may change while they
//! are being sent, and how many of them may be open. It knows nothing of transfers.
//!
//! Links are followed where a person named one, and nowhere below that: a folder may hold links to anywhere.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use bytes::Bytes;
use tabferry_engine::ReadKey;
use tabferry_protocol::host::SourceFile;
use tabferry_protocol::id::SourceId;
use tabferry_protocol::limits::{
    CHUNK_BYTES, FOLDER_BYTES, FOLDER_DEPTH, MANIFEST_ENTRIES, READ_BYTES,
};
use tokio::sync::mpsc;

/// Files that are open at a time. Those that were read last stay open: a transfer reads one after the other.
const OPEN_FILES: usize = 16;

/// Why something can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is nothing under this path, or it can't be read.
    #[error("{} can't be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// It is neither a file nor a folder: a pipe, a socket or a device.
    #[error("{} is neither a file nor a folder", .0.display())]
    Special(PathBuf),
    /// It has no name of its own.
    #[error("{} has no name to send it under", .0.display())]
    Nameless(PathBuf),
    /// More files than one transfer takes.
    #[error("more than {MANIFEST_ENTRIES} files")]
    TooMany,
    /// Folders in folders in folders.
    #[error(
        "folders more than {FOLDER_DEPTH} deep, or with names of more than {FOLDER_BYTES} bytes together"
    )]
    TooDeep,
}

impl SourceError {
    /// A short fixed word for it, for logs and answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(..) => "unreadable",
            Self::Special(_) => "special",
            Self::Nameless(_) => "nameless",
            Self::TooMany => "too-many",
            Self::TooDeep => "too-deep",
        }
    }
}

/// What was found under a path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Files in the order of their paths, each in its folder from the one that was named down.
    pub files: Vec<SourceFile>,
    /// Links in folders, which are not sent.
    pub links: u32,
    /// Pipes, sockets and devices in folders, which are not sent.
    pub special: u32,
    /// Files and folders in folders that can't be read.
    pub unreadable: u32,
}

/// What came of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceReport {
    /// Its next bytes: [`CHUNK_BYTES`], or what is left.
    Chunk {
        /// Of which read.
        read: ReadKey,
        /// The bytes.
        data: Bytes,
    },
    /// The file changed, shrank or vanished, or can't be read. No chunk of this read follows.
    ReadFailed {
        /// Which read.
        read: ReadKey,
    },
}

/// Everything that can be read. One thread answers all reads, in the order in which they were asked for. Dropping it stops
/// that thread.
pub struct Sources {
    shared: Arc<Shared>,
}

impl Sources {
    /// Starts with nothing to read. Whoever doesn't take the reports stops the reading.
    pub fn start(reports: mpsc::Sender<SourceReport>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let reader = Reader {
            shared: Arc::clone(&shared),
            reports,
            open: VecDeque::new(),
        };
        thread::Builder::new()
            .name("source".to_owned())
            .spawn(move || reader.work())?;
        Ok(Self { shared })
    }

    /// Takes a file in, or all files of a folder and those below. Blocks. What is left out is counted.
    pub fn add(&self, path: &Path) -> Result<Found, SourceError> {
        let mut walk = Walk::default();
        walk.start(path)?;
        let mut state = self.shared.state();
        let files = walk
            .files
            .into_iter()
            .map(|walked| state.add(walked.name, walked.folder, walked.source))
            .collect();
        Ok(Found {
            files,
            ..walk.found
        })
    }

    /// Asks for bytes, and returns at once. Answered in its turn. The engine bounds how many wait.
    pub fn read(&self, read: ReadKey, source: SourceId, offset: u64, bytes: u64) {
        self.shared.state().tasks.push_back(Task::Read(Read {
            key: read,
            source,
            offset,
            bytes,
        }));
        self.shared.asked.notify_one();
    }

    /// Forgets a source. What is still to be read of it fails.
    pub fn release(&self, source: SourceId) {
        let mut state = self.shared.state();
        if state.sources.remove(&source).is_some() {
            state.tasks.push_back(Task::Close(source));
            self.shared.asked.notify_one();
        }
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.shared.state().stopping = true;
        self.shared.asked.notify_one();
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A task came, or the work is to stop.
    asked: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done where a thread could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    sources: HashMap<SourceId, Source>,
    last_id: u32,
    tasks: VecDeque<Task>,
    stopping: bool,
}

impl State {
    fn add(&mut self, name: String, folder: String, source: Source) -> SourceFile {
        self.last_id = self.last_id.wrapping_add(1);
        let id = SourceId(self.last_id);
        let bytes = source.stamp.bytes;
        self.sources.insert(id, source);
        SourceFile {
            source: id,
            name,
            folder,
            bytes,
            media_type: None,
        }
    }
}

enum Task {
    Read(Read),
    Close(SourceId),
}

struct Read {
    key: ReadKey,
    source: SourceId,
    offset: u64,
    bytes: u64,
}

/// A file as it was when it was named.
#[derive(Debug, Clone)]
struct Source {
    path: PathBuf,
    stamp: Stamp,
}

/// What tells that a file is still the one that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    /// Which file it is, where that can be told.
    id: Option<(u64, u64)>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let id = {
            use std::os::unix::fs::MetadataExt as _;
            Some((metadata.dev(), metadata.ino()))
        };
        #[cfg(not(unix))]
        let id = None;
        Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            id,
        }
    }
}

/// Looks for files under a path.
#[derive(Default)]
struct Walk {
    files: Vec<WalkedFile>,
    found: Found,
}

struct WalkedFile {
    name: String,
    folder: String,
    source: Source,
}

impl Walk {
    fn start(&mut self, named: &Path) -> Result<(), SourceError> {
        let unreadable = |error| SourceError::Unreadable(named.to_owned(), error);
        let path = fs::canonicalize(named).map_err(unreadable)?;
        let metadata = fs::symlink_metadata(&path).map_err(unreadable)?;
        // A link's own name, but the real one of "." and "..".
        let name = named
            .file_name()
            .or_else(|| path.file_name())
            .ok_or_else(|| SourceError::Nameless(named.to_owned()))?
            .to_string_lossy()
            .into_owned();
        if metadata.is_dir() {
            // What is below may be unreadable in parts, but not as a whole.
            fs::read_dir(&path).map_err(unreadable)?;
            self.folder(path, name)
        } else if metadata.is_file() {
            // Later it is opened only when it is its turn; a person is told now.
            open(&path).map_err(unreadable)?;
            self.file(path, name, "", &metadata)
        } else {
            Err(SourceError::Special(named.to_owned()))
        }
    }

    fn folder(&mut self, path: PathBuf, name: String) -> Result<(), SourceError> {
        let mut folders = vec![(path, name)];
        while let Some((path, folder)) = folders.pop() {
            let Ok(mut entries) = read_sorted(&path) else {
                self.found.unreadable += 1;
                continue;
            };
            let mut below = Vec::new();
            for entry in entries.drain(..) {
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = entry.path();
                // Says what the entry itself is, without following it.
                let Ok(metadata) = entry.metadata() else {
                    self.found.unreadable += 1;
                    continue;
                };
                if metadata.is_symlink() {
                    self.found.links += 1;
                } else if metadata.is_dir() {
                    let inside = format!("{folder}/{name}");
                    if inside.len() > FOLDER_BYTES || inside.split('/').count() > FOLDER_DEPTH {
                        return Err(SourceError::TooDeep);
                    }
                    below.push((path, inside));
                } else if metadata.is_file() {
                    self.file(path, name, &folder, &metadata)?;
                } else {
                    self.found.special += 1;
                }
            }
            folders.extend(below.into_iter().rev());
        }
        Ok(())
    }

    fn file(
        &mut self,
        path: PathBuf,
        name: String,
        folder: &str,
        metadata: &Metadata,
    ) -> Result<(), SourceError> {
        if self.files.len() >= MANIFEST_ENTRIES {
            return Err(SourceError::TooMany);
        }
        self.files.push(WalkedFile {
            name,
            folder: folder.to_owned(),
            source: Source {
                path,
                stamp: Stamp::of(metadata),
            },
        });
        Ok(())
    }
}

fn read_sorted(path: &Path) -> io::Result<Vec<fs::DirEntry>> {
    // One more than may be sent is enough to say that there are too many.
    let mut entries: Vec<_> = fs::read_dir(path)?
        .take(MANIFEST_ENTRIES + 1)
        .collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

/// Opens a file for reading. A link is not followed, and a pipe that took its place doesn't block.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    }
    #[expect(clippy::disallowed_methods, reason = "reads, and makes no file")]
    options.open(path)
}

/// The thread that reads.
struct Reader {
    shared: Arc<Shared>,
    reports: mpsc::Sender<SourceReport>,
    /// Those that were read last, the last one first.
    open: VecDeque<(SourceId, File)>,
}

impl Reader {
    fn work(mut self) {
        while let Some((task, source)) = self.next_task() {
            let done = match task {
                Task::Close(source) => {
                    self.open.retain(|(open, _)| *open != source);
                    Ok(())
                }
                Task::Read(read) => match source {
                    Some(source) => self.answer(&read, &source),
                    None => self.report(SourceReport::ReadFailed { read: read.key }),
                },
            };
            if done.is_err() {
                return;
            }
        }
    }

    /// The next task, and the source of a read.
    fn next_task(&self) -> Option<(Task, Option<Source>)> {
        let mut state = self.shared.state();
        loop {
            if state.stopping {
                return None;
            }
            if let Some(task) = state.tasks.pop_front() {
                let source = match &task {
                    Task::Read(read) => state.sources.get(&read.source).cloned(),
                    Task::Close(_) => None,
                };
                return Some((task, source));
            }
            state = self
                .shared
                .asked
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Errors if no one takes reports any more.
    fn answer(&mut self, read: &Read, source: &Source) -> Result<(), Closed> {
        let failed = SourceReport::ReadFailed { read: read.key };
        let end = match read.offset.checked_add(read.bytes) {
            Some(end) if end > read.offset => end,
            _ => return self.report(failed),
        };
        // A piece at a time, so that whoever asks for a lot gets no more memory than others.
        let mut offset = read.offset;
        while offset < end {
            let bytes = READ_BYTES.min(end - offset);
            let mut data = match self.load(read.source, source, offset, bytes) {
                Ok(data) => data,
                Err(error) => {
                    tracing::warn!(%error, "a file that is being sent can't be read");
                    self.open.retain(|(open, _)| *open != read.source);
                    return self.report(failed);
                }
            };
            while !data.is_empty() {
                let data = data.split_to(data.len().min(CHUNK_BYTES));
                self.report(SourceReport::Chunk {
                    read: read.key,
                    data,
                })?;
            }
            offset += bytes;
        }
        Ok(())
    }

    /// Reads exactly these bytes of a file that is still what it was, before and after.
    fn load(
        &mut self,
        id: SourceId,
        source: &Source,
        offset: u64,
        bytes: u64,
    ) -> io::Result<Bytes> {
        let file = self.file(id, source)?;
        let mut data = Vec::with_capacity(usize::try_from(bytes).map_err(io::Error::other)?);
        file.seek(SeekFrom::Start(offset))?;
        file.take(bytes).read_to_end(&mut data)?;
        let metadata = file.metadata()?;
        if data.len() as u64 != bytes || Stamp::of(&metadata) != source.stamp {
            return Err(io::Error::other("the file has changed"));
        }
        // An open file outlives its name; one that was replaced or deleted is not sent as if it were still there.
        let there = fs::symlink_metadata(&source.path)?;
        if Stamp::of(&there) != source.stamp {
            return Err(io::Error::other("the file was replaced"));
        }
        Ok(data.into())
    }

    fn file(&mut self, id: SourceId, source: &Source) -> io::Result<&mut File> {
        let known = self.open.iter().position(|(open, _)| *open == id);
        let entry = match known.and_then(|known| self.open.remove(known)) {
            Some(entry) => entry,
            None => {
                let file = open(&source.path)?;
                if !file.metadata()?.is_file() {
                    return Err(io::Error::other("the file was replaced"));
                }
                (id, file)
            }
        };
        self.open.truncate(OPEN_FILES - 1);
        self.open.push_front(entry);
        Ok(&mut self.open[0].1)
    }

    fn report(&self, report: SourceReport) -> Result<(), Closed> {
        self.reports.blocking_send(report).map_err(|_| Closed)
    }
}

/// No one takes reports any more.
struct Closed;
