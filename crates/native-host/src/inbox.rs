//! Where received files go: the only module that creates them. It knows the steps by which a file comes to be there whole
//! or not at all, and that whatever else is in the folder belongs to others. It knows nothing of peers or of what is in a
//! file, and takes no name but a [`ReceivedName`]. Everything here blocks.
//!
//! A file arrives as a part: a hidden, locked file in the folder itself, readable by its owner alone. Once it is complete
//! it is flushed, gets its mode and its mark, and is renamed to a name that nobody has. Kept handles, and not paths, say
//! where that happens, so a folder that is exchanged for a link in the meantime leads nowhere else.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tabferry_engine::FileFailure;
use tabferry_protocol::id::TransferId;
use tabferry_protocol::limits::OPEN_TRANSFERS;
use tabferry_protocol::name::{ReceivedFolder, ReceivedName};

use self::origin::System;

mod origin;
#[cfg(unix)]
#[path = "inbox/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "inbox/windows.rs"]
mod system;

use system::{Folder, FolderId};

/// Space that a received file must leave, at least: a full disk breaks more than a transfer.
const SPACE_LEFT_BYTES: u64 = 512 * 1024 * 1024;

/// The same as a part of the file system: one in so many bytes.
const SPACE_LEFT_SHARE: u64 = 100;

/// Below this a file isn't preallocated: its bytes are here already, and preallocation takes longer than to write them.
const PREALLOCATED_FROM_BYTES: u64 = 1024 * 1024;

/// Above this a file isn't preallocated but made sparse: some file systems write what they preallocate.
const PREALLOCATED_TO_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// So much is handed to the disk at once, while more is still coming: otherwise gigabytes would wait for the flush at the end.
const WRITEBACK_BYTES: u64 = 16 * 1024 * 1024;

/// Highest number that a taken name gets; after it come random ones.
const HIGHEST_NUMBER: u32 = 99;

/// Random names tried after the numbered ones. One would do, unless someone makes files to be in the way.
const RANDOM_NAMES: usize = 8;

/// Where a lock tells nothing, a part is stale after this.
const STALE_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const PART_PREFIX: &str = ".tabferry-";
const PART_SUFFIX: &str = ".part";

/// Why a file can't be stored.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// It doesn't fit, or would leave too little space.
    #[error("not enough space is left")]
    Full,
    /// The folder itself is there no more.
    #[error("the folder is gone")]
    Gone,
    /// The folder or the file system doesn't take it, and wouldn't the next time.
    #[error("the folder does not take it")]
    Refused(#[source] io::Error),
    /// Someone removed the part.
    #[error("it was removed while it was being received")]
    Cancelled,
    /// An operation failed that may succeed another time.
    #[error("the disk failed")]
    Interrupted(#[source] io::Error),
}

impl InboxError {
    /// A short fixed word for it, for logs and answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Gone => "gone",
            Self::Refused(_) => "refused",
            Self::Cancelled => "cancelled",
            Self::Interrupted(_) => "interrupted",
        }
    }

    /// What the engine is told.
    pub fn failure(&self) -> FileFailure {
        match self {
            Self::Full => FileFailure::Full,
            Self::Gone | Self::Refused(_) => FileFailure::Refused,
            Self::Cancelled => FileFailure::Cancelled,
            Self::Interrupted(_) => FileFailure::Interrupted,
        }
    }

    fn refused(why: &'static str) -> Self {
        Self::Refused(io::Error::other(why))
    }
}

impl From<io::Error> for InboxError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::CrossesDevices
            | ErrorKind::FileTooLarge
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
            | ErrorKind::Unsupported => Self::Refused(error),
            _ => Self::Interrupted(error),
        }
    }
}

/// What a file is to be called, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The transfer it is part of: files of one transfer share their folders.
    pub transfer: TransferId,
    /// What the transfer still brings, with this file. Nothing of it is stored if there is no space for all. Bytes.
    pub to_come: u64,
    /// The folder, from the inbox down. Empty for the inbox itself.
    pub folder: ReceivedFolder,
    /// The name, which gets a number if it is taken.
    pub name: ReceivedName,
}

/// A file that is there for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The name it got.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The folder of downloads that the person's desktop names, or `Downloads` in their home; `None` if they have no home.
pub fn downloads() -> Option<PathBuf> {
    let dirs = directories::UserDirs::new()?;
    let named = dirs.download_dir().map(Path::to_owned);
    Some(named.unwrap_or_else(|| dirs.home_dir().join("Downloads")))
}

/// A folder that takes received files.
#[derive(Debug)]
pub struct Inbox {
    path: PathBuf,
    folder: Arc<Folder>,
    trees: Mutex<Trees>,
}

impl Inbox {
    /// Opens a folder, which is made if it is missing, and removes what earlier runs left behind there. Errors if no file
    /// can be made in it.
    pub fn open(path: &Path) -> Result<Self, InboxError> {
        let folder = Folder::open(path, &part_name()?)?;
        for name in folder.names()? {
            if is_part(&name) {
                match folder.remove_stale(&name, stale_before()) {
                    Ok(true) => tracing::debug!("removed a part that an earlier run left"),
                    Ok(false) => {}
                    // It hurts nobody, and may be gone by now.
                    Err(error) => tracing::debug!(%error, "a part that may be stale stays"),
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            folder: Arc::new(folder),
            trees: Mutex::default(),
        })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Errors with [`InboxError::Full`] if so many bytes would leave less than 512 MiB, or less than 1 % of the file
    /// system.
    pub fn check_space(&self, bytes: u64) -> Result<(), InboxError> {
        let (available, total) = self.folder.space()?;
        // Some network file systems know nothing of their size.
        let unknown = total == 0;
        let left = SPACE_LEFT_BYTES.max(total / SPACE_LEFT_SHARE);
        let needed = bytes.checked_add(left);
        if unknown || needed.is_some_and(|needed| needed <= available) {
            Ok(())
        } else {
            Err(InboxError::Full)
        }
    }

    /// Begins a file of this length. If there is not enough space for it, that is found out here.
    pub fn create(self: &Arc<Self>, place: Place, bytes: u64) -> Result<Incoming, InboxError> {
        self.check_space(bytes.max(place.to_come))?;
        let part = Part::create(&self.folder)?;
        part.reserve(bytes)?;
        Ok(Incoming {
            inbox: Arc::clone(self),
            place,
            part,
            bytes,
            written: 0,
            handed_over: 0,
        })
    }

    /// The folder of a place, made if it is missing, and its path for people.
    fn enter(&self, place: &Place) -> Result<(Arc<Folder>, PathBuf), InboxError> {
        let Some((top, below)) = place.folder.names().split_first() else {
            return Ok((Arc::clone(&self.folder), self.path.clone()));
        };
        // Held until the folders are flushed: no file counts as stored in one that a crash may take away.
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let tops = trees.of(place.transfer);
        let (mut folder, mut path) = match tops.get(top) {
            Some(known) => {
                let folder = self.folder.enter(&known.name)?;
                if folder.id()? != known.id {
                    return Err(InboxError::refused("the folder was replaced by another"));
                }
                (folder, self.path.join(&known.name))
            }
            None => {
                let name = self.make_folder(top)?;
                let folder = self.folder.enter(&name)?;
                let path = self.path.join(&name);
                let id = folder.id()?;
                tops.insert(top.clone(), Top { name, id });
                (folder, path)
            }
        };
        for name in below.iter().map(ReceivedName::as_str) {
            folder = match folder.enter(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    folder.make_folder(name)?;
                    folder.sync()?;
                    folder.enter(name)?
                }
                entered => entered?,
            };
            path.push(name);
        }
        Ok((Arc::new(folder), path))
    }

    /// Makes a folder of a name that was not there.
    fn make_folder(&self, wanted: &ReceivedName) -> Result<String, InboxError> {
        for name in candidates(wanted.as_str(), "") {
            match self.folder.make_folder(&name) {
                Ok(()) => {
                    self.folder.sync()?;
                    return Ok(name);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(InboxError::Gone),
                Err(error) => return Err(error.into()),
            }
        }
        Err(InboxError::refused("every name is taken"))
    }
}

/// A file being received. It is removed when this is dropped before it is committed.
#[derive(Debug)]
pub struct Incoming {
    inbox: Arc<Inbox>,
    place: Place,
    part: Part,
    bytes: u64,
    written: u64,
    /// How many of the written bytes the disk was told to take.
    handed_over: u64,
}

impl Incoming {
    /// Appends bytes. Errors if that would be more than were announced.
    pub fn write(&mut self, mut data: &mut [IoSlice<'_>]) -> Result<(), InboxError> {
        let length: u64 = data.iter().map(|slice| slice.len() as u64).sum();
        if length > self.bytes - self.written {
            return Err(InboxError::refused("more bytes than were announced"));
        }
        IoSlice::advance_slices(&mut data, 0);
        while !data.is_empty() {
            match self.part.file.write_vectored(data) {
                Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Ok(count) => {
                    self.written += count as u64;
                    IoSlice::advance_slices(&mut data, count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.written - self.handed_over >= WRITEBACK_BYTES {
            system::begin_writeback(
                &self.part.file,
                self.handed_over,
                self.written - self.handed_over,
            );
            self.handed_over = self.written;
        }
        Ok(())
    }

    /// Gives the file its name, once every byte was written. When this returns it survives a crash.
    pub fn commit(self) -> Result<Stored, InboxError> {
        if self.written != self.bytes {
            return Err(InboxError::refused("fewer bytes than were announced"));
        }
        // If this fails nobody knows which bytes are lost, so it is not tried again on this file.
        self.part.file.sync_data()?;
        let (folder, mut path) = self.inbox.enter(&self.place)?;
        let name = self.part.publish(&folder, &self.place.name)?;
        if let Err(error) = folder.sync() {
            // Whoever is told of the failure begins again, and would find this name taken.
            let _ = folder.remove(&name);
            return Err(error.into());
        }
        path.push(&name);
        Ok(Stored { name, path })
    }
}

/// The file that an incoming one is written to. Dropping it removes it.
#[derive(Debug)]
struct Part {
    folder: Arc<Folder>,
    name: String,
    file: File,
    published: bool,
}

impl Part {
    fn create(folder: &Arc<Folder>) -> Result<Self, InboxError> {
        loop {
            let name = part_name()?;
            match folder.create_part(&name) {
                Ok(file) => {
                    return Ok(Self {
                        folder: Arc::clone(folder),
                        name,
                        file,
                        published: false,
                    });
                }
                // Another Tabferry that opens the folder took it for stale, before it was locked.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(InboxError::Gone),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn reserve(&self, bytes: u64) -> Result<(), InboxError> {
        if bytes < PREALLOCATED_FROM_BYTES {
            return Ok(());
        }
        if bytes <= PREALLOCATED_TO_BYTES {
            system::preallocate(&self.file, bytes)?;
        } else {
            self.file.set_len(bytes)?;
        }
        Ok(())
    }

    fn publish(mut self, folder: &Folder, wanted: &ReceivedName) -> Result<String, InboxError> {
        self.folder.set_mode(&self.file)?;
        origin::mark(
            System::CURRENT,
            &mut self.folder.mark_target(&self.name, &self.file),
        );
        match self.folder.has(&self.name, &self.file) {
            Ok(true) => {}
            Ok(false) => return Err(InboxError::refused("the part was replaced")),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(InboxError::Cancelled),
            Err(error) => return Err(error.into()),
        }
        let (stem, extension) = wanted.split_extension();
        for name in candidates(stem, extension) {
            match self.folder.publish(&self.name, folder, &name) {
                Ok(()) => {
                    self.published = true;
                    return Ok(name);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(InboxError::refused("every name is taken"))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = self.folder.remove(&self.name)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%error, "a part stays until the folder is opened again");
        }
    }
}

/// The top folders of transfers: each is named once, for all files below it.
#[derive(Debug, Default)]
struct Trees(VecDeque<(TransferId, HashMap<ReceivedName, Top>)>);

#[derive(Debug)]
struct Top {
    /// The name it got.
    name: String,
    id: FolderId,
}

impl Trees {
    /// Those of one transfer. The transfer that was asked for longest ago is forgotten: more than [`OPEN_TRANSFERS`] can't be
    /// under way.
    fn of(&mut self, transfer: TransferId) -> &mut HashMap<ReceivedName, Top> {
        let known = self.0.iter().position(|(of, _)| *of == transfer);
        let tree = known
            .and_then(|known| self.0.remove(known))
            .unwrap_or_else(|| (transfer, HashMap::new()));
        self.0.truncate(OPEN_TRANSFERS - 1);
        self.0.push_front(tree);
        &mut self.0[0].1
    }
}

/// The names that a file may get, best first.
fn candidates(stem: &str, extension: &str) -> impl Iterator<Item = String> {
    let numbered = (1..=HIGHEST_NUMBER).map(move |number| format!("{stem} ({number}){extension}"));
    let random = (0..RANDOM_NAMES).filter_map(move |_| {
        let number = getrandom::u32().ok()?;
        Some(format!("{stem} ({number:08x}){extension}"))
    });
    std::iter::once(format!("{stem}{extension}"))
        .chain(numbered)
        .chain(random)
}

fn part_name() -> io::Result<String> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(io::Error::other)?;
    let bits = u128::from_ne_bytes(bits);
    Ok(format!("{PART_PREFIX}{bits:032x}{PART_SUFFIX}"))
}

/// Whether a name is one that [`part_name`] makes.
fn is_part(name: &str) -> bool {
    name.strip_prefix(PART_PREFIX)
        .and_then(|rest| rest.strip_suffix(PART_SUFFIX))
        .is_some_and(|bits| {
            bits.len() == 32 && bits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
        })
}

fn stale_before() -> SystemTime {
    SystemTime::now()
        .checked_sub(STALE_AFTER)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
