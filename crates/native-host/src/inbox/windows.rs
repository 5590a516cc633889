//! A folder on Windows: a path whose folders are kept open without the right for others to rename or delete them, so that
//! the path keeps its meaning. Never run so far, only compiled.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempPath;

use super::origin::MarkTarget;

const FILE_SHARE_READ: u32 = 1;
const FILE_SHARE_WRITE: u32 = 2;
const FILE_SHARE_DELETE: u32 = 4;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;

/// Which folder it is. It is kept from being renamed only while it is open, so in between its time of creation tells.
pub(super) type FolderId = u64;

/// A folder. While its handle is open, neither it nor a folder above it can be renamed.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: File,
}

impl Folder {
    /// Opens a folder, wherever links lead on the way to it: its path is the person's own. Finds out by a file of the given
    /// name whether files can be made there.
    pub(super) fn open(path: &Path, probe: &str) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let path = std::fs::canonicalize(path)?;
        let folder = Self {
            handle: open_in_place(&path)?,
            path,
        };
        drop(folder.create_part(probe)?);
        folder.remove(probe)?;
        Ok(folder)
    }

    /// Opens a folder in this one; a link to one is none.
    pub(super) fn enter(&self, name: &str) -> io::Result<Self> {
        let path = self.path.join(name);
        Ok(Self {
            handle: open_in_place(&path)?,
            path,
        })
    }

    pub(super) fn make_folder(&self, name: &str) -> io::Result<()> {
        std::fs::create_dir(self.path.join(name))
    }

    pub(super) fn id(&self) -> io::Result<FolderId> {
        Ok(self.handle.metadata()?.creation_time())
    }

    /// Bytes that the person may still use, and in all.
    pub(super) fn space(&self) -> io::Result<(u64, u64)> {
        let stat = fs4::statvfs(&self.path)?;
        Ok((stat.available_space(), stat.total_space()))
    }

    /// Makes a new file that nobody else may read or write meanwhile.
    pub(super) fn create_part(&self, name: &str) -> io::Result<File> {
        #[expect(clippy::disallowed_methods, reason = "a new file, in the inbox")]
        File::options()
            .write(true)
            .create_new(true)
            .share_mode(FILE_SHARE_DELETE)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
            .open(self.path.join(name))
    }

    /// Files inherit the rights that the folder gives.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn set_mode(&self, _file: &File) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn mark_target(&self, name: &str, _file: &File) -> impl MarkTarget + use<> {
        Streams(self.path.join(name))
    }

    /// Whether it is this file that is there under this name. Nobody else can have opened it to rename it.
    pub(super) fn has(&self, name: &str, _file: &File) -> io::Result<bool> {
        std::fs::symlink_metadata(self.path.join(name)).map(|there| there.is_file())
    }

    /// Renames a file into a folder, where nothing has that name, or errors with [`ErrorKind::AlreadyExists`].
    pub(super) fn publish(&self, part: &str, to: &Self, name: &str) -> io::Result<()> {
        TempPath::try_from_path(self.path.join(part))?
            .persist_noclobber(to.path.join(name))
            .map_err(|refused| {
                // Dropping a temporary path deletes the file, which may still get another name.
                let _ = refused.path.keep();
                refused.error
            })
    }

    /// The file system's journal keeps the order of names; there is nothing more to ask for.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    /// What is there. Names that are no text are none of ours.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    /// Removes a part if it is a file that no one is writing: whoever writes it lets nobody else open it.
    pub(super) fn remove_stale(&self, name: &str, _before: SystemTime) -> io::Result<bool> {
        let path = self.path.join(name);
        let is_stale = std::fs::symlink_metadata(&path)?.is_file() && File::open(&path).is_ok();
        if is_stale {
            self.remove(name)?;
        }
        Ok(is_stale)
    }
}

/// Opens a folder so that nobody can rename or delete it meanwhile. A link to a folder is none.
fn open_in_place(path: &Path) -> io::Result<File> {
    #[expect(clippy::disallowed_methods, reason = "opens a folder, makes no file")]
    let handle = File::options()
        .read(true)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    let metadata = handle.metadata()?;
    let is_link = metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0;
    if metadata.is_dir() && !is_link {
        Ok(handle)
    } else {
        Err(ErrorKind::NotADirectory.into())
    }
}

/// Takes the space for a file, so that it can't run out later.
pub(super) fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    file.set_len(bytes)
}

/// The system begins by itself.
pub(super) fn begin_writeback(_file: &File, _offset: u64, _bytes: u64) {}

/// The alternate streams of a file.
struct Streams(PathBuf);

impl MarkTarget for Streams {
    fn write_stream(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut path = self.0.clone().into_os_string();
        path.push(":");
        path.push(name);
        #[expect(clippy::disallowed_methods, reason = "a stream of a file in the inbox")]
        let mut stream = File::create(path)?;
        stream.write_all(content)
    }

    fn set_attribute(&mut self, _name: &str, _value: &[u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}
