//! A folder on Unix: a directory handle. No operation here follows a symbolic link, and none takes a path of more than one
//! component.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::origin::MarkTarget;

/// Which folder it is, whatever it is called.
pub(super) type FolderId = (u64, u64);

/// A folder by its handle.
#[derive(Debug)]
pub(super) struct Folder {
    handle: File,
    /// What files get: readable by all that the person's umask allows, never executable.
    mode: Mode,
}

impl Folder {
    /// Opens a folder, wherever links lead on the way to it: its path is the person's own. Finds out by a file of the given
    /// name whether files can be made there, and with what mode: asking for the umask would change it for a moment.
    pub(super) fn open(path: &Path, probe: &str) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let wanted = Mode::from_raw_mode(0o644);
        let probed = rustix::fs::openat(&handle, probe, new_file(), wanted)?;
        let mode = rustix::fs::fstat(&probed).map(|stat| Mode::from_raw_mode(stat.st_mode));
        match rustix::fs::unlinkat(&handle, probe, AtFlags::empty()) {
            // Another Tabferry may have taken it for stale.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self {
            handle,
            mode: mode? & wanted,
        })
    }

    /// Opens a folder in this one; a link to one is none.
    pub(super) fn enter(&self, name: &str) -> io::Result<Self> {
        let handle = match open_beneath(&self.handle, name) {
            Err(Errno::LOOP) => return Err(ErrorKind::NotADirectory.into()),
            opened => opened?,
        };
        Ok(Self {
            handle: handle.into(),
            mode: self.mode,
        })
    }

    pub(super) fn make_folder(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(
            &self.handle,
            name,
            Mode::from_raw_mode(0o755),
        )?)
    }

    pub(super) fn id(&self) -> io::Result<FolderId> {
        let metadata = self.handle.metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    }

    /// Bytes that the person may still use, and in all.
    pub(super) fn space(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::fstatvfs(&self.handle)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok((bytes(stat.f_bavail), bytes(stat.f_blocks)))
    }

    /// Makes a new file that only its owner reads, and locks it. Errors with [`ErrorKind::AlreadyExists`] if someone took
    /// it for a stale one in between.
    pub(super) fn create_part(&self, name: &str) -> io::Result<File> {
        let mode = Mode::from_raw_mode(0o600);
        let file = File::from(rustix::fs::openat(&self.handle, name, new_file(), mode)?);
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(ErrorKind::AlreadyExists.into()),
            // Not every file system has locks; there a part's age tells whether it is stale.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if rustix::fs::fstat(&file)?.st_nlink == 0 {
            return Err(ErrorKind::AlreadyExists.into());
        }
        Ok(file)
    }

    pub(super) fn set_mode(&self, file: &File) -> io::Result<()> {
        Ok(rustix::fs::fchmod(file, self.mode)?)
    }

    pub(super) fn mark_target<'a>(&self, _name: &str, file: &'a File) -> impl MarkTarget + 'a {
        Attributes(file)
    }

    /// Whether it is this file that is there under this name.
    pub(super) fn has(&self, name: &str, file: &File) -> io::Result<bool> {
        let there = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let file = rustix::fs::fstat(file)?;
        Ok((there.st_dev, there.st_ino) == (file.st_dev, file.st_ino))
    }

    /// Renames a file into a folder, where nothing has that name, or errors with [`ErrorKind::AlreadyExists`].
    pub(super) fn publish(&self, part: &str, to: &Self, name: &str) -> io::Result<()> {
        match rustix::fs::renameat_with(
            &self.handle,
            part,
            &to.handle,
            name,
            RenameFlags::NOREPLACE,
        ) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.link(part, to, name),
            renamed => Ok(renamed?),
        }
    }

    /// The same where a rename can't be told not to replace.
    fn link(&self, part: &str, to: &Self, name: &str) -> io::Result<()> {
        rustix::fs::linkat(&self.handle, part, &to.handle, name, AtFlags::empty())?;
        self.remove(part)
    }

    /// What was made or renamed in it survives a crash from here on.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.handle)?)
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// What is there. Names that are no text are none of ours.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            if let Ok(name) = entry?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Removes a part if it is a file of this user that no one is writing: nobody holds its lock, or, where there are no
    /// locks, nobody wrote to it after the given time.
    pub(super) fn remove_stale(&self, name: &str, before: SystemTime) -> io::Result<bool> {
        let stat = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let own = stat.st_uid == rustix::process::geteuid().as_raw();
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || !own {
            return Ok(false);
        }
        // Not blocked by a pipe, should one have taken its place.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(
            &self.handle,
            name,
            flags,
            Mode::empty(),
        )?);
        if !self.has(name, &file)? || !file.metadata()?.is_file() {
            return Ok(false);
        }
        let is_stale = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(_)) => is_old(&file, before)?,
        };
        if is_stale {
            // While it is locked, so that whoever has just made it, and locks it next, learns of this.
            self.remove(name)?;
        }
        Ok(is_stale)
    }
}

fn is_old(file: &File, before: SystemTime) -> io::Result<bool> {
    Ok(file.metadata()?.modified()? < before)
}

fn new_file() -> OFlags {
    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Asks the kernel not to leave the folder, if it can be asked that. A single component without following links can't.
fn open_beneath(folder: &File, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match rustix::fs::openat2(folder, name, flags, Mode::empty(), resolve) {
            // Old kernels don't know it, and some containers forbid what they don't know.
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => {}
            opened => return opened,
        }
    }
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// Takes the space for a file, so that it can't run out later. Where that isn't possible it can.
pub(super) fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(bytes),
        #[cfg(target_os = "macos")]
        Err(Errno::INVAL) => file.set_len(bytes),
        preallocated => Ok(preallocated?),
    }
}

/// Has the kernel begin to write a range to the disk.
#[cfg(target_os = "linux")]
pub(super) fn begin_writeback(file: &File, offset: u64, bytes: u64) {
    // Linux begins to write what it is told not to keep. Only a hint, so it can't fail in a way that matters.
    let advice = rustix::fs::Advice::DontNeed;
    let _ = rustix::fs::fadvise(file, offset, std::num::NonZeroU64::new(bytes), advice);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn begin_writeback(_file: &File, _offset: u64, _bytes: u64) {}

/// A file's extended attributes.
struct Attributes<'a>(&'a File);

impl MarkTarget for Attributes<'_> {
    fn write_stream(&mut self, _name: &str, _content: &[u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn set_attribute(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        let flags = rustix::fs::XattrFlags::empty();
        Ok(rustix::fs::fsetxattr(self.0, name, value, flags)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn part(folder: &Folder) {
        drop(folder.create_part(".part").unwrap());
    }

    fn names(folder: &Folder) -> BTreeSet<String> {
        folder.names().unwrap().into_iter().collect()
    }

    type Publish = fn(&Folder, &str, &Folder, &str) -> io::Result<()>;

    #[test]
    fn neither_a_rename_nor_a_link_replaces_what_is_there() {
        for publish in [Folder::publish as Publish, Folder::link] {
            let path = tempfile::tempdir().unwrap();
            let folder = Folder::open(path.path(), ".probe").unwrap();
            folder.make_folder("below").unwrap();
            let below = folder.enter("below").unwrap();
            for to in [&folder, &below] {
                part(&folder);
                publish(&folder, ".part", to, "a").unwrap();
                assert!(names(to).contains("a"));
                assert!(!names(&folder).contains(".part"));
                part(&folder);
                let refused = publish(&folder, ".part", to, "a").unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
                assert!(names(&folder).contains(".part"));
                folder.remove(".part").unwrap();
            }
            assert_eq!(names(&folder), ["a".to_owned(), "below".to_owned()].into());
        }
    }

    #[test]
    fn a_folder_is_no_link_and_no_file() {
        let path = tempfile::tempdir().unwrap();
        let folder = Folder::open(path.path(), ".probe").unwrap();
        folder.make_folder("folder").unwrap();
        std::os::unix::fs::symlink("folder", path.path().join("link")).unwrap();
        part(&folder);
        for (name, kind) in [
            ("link", ErrorKind::NotADirectory),
            (".part", ErrorKind::NotADirectory),
            ("missing", ErrorKind::NotFound),
        ] {
            assert_eq!(folder.enter(name).unwrap_err().kind(), kind, "{name}");
        }
        let entered = folder.enter("folder").unwrap();
        assert_ne!(entered.id().unwrap(), folder.id().unwrap());
        // The kernel that was asked not to leave the folder doesn't.
        #[cfg(target_os = "linux")]
        assert!(entered.enter("..").is_err());
    }

    #[test]
    fn where_there_are_no_locks_age_decides() {
        let path = tempfile::tempdir().unwrap();
        let folder = Folder::open(path.path(), ".probe").unwrap();
        let file = folder.create_part(".part").unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        let second = std::time::Duration::from_secs(1);
        let removed = folder.remove_stale(".part", written + second);
        assert!(!removed.unwrap(), "it is locked");
        assert!(!is_old(&file, written).unwrap());
        assert!(is_old(&file, written + second).unwrap());
    }
}
