//! Helpers: folders to receive into, and what is in them.

use std::collections::BTreeSet;
use std::fs;
use std::io::IoSlice;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tabferry_host::inbox::{Inbox, InboxError, Incoming, Place, Stored};
use tabferry_protocol::id::TransferId;
use tabferry_protocol::name::{ReceivedFolder, ReceivedName};
use tempfile::TempDir;

pub(crate) fn temporary() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn open(folder: &Path) -> Arc<Inbox> {
    Arc::new(Inbox::open(folder).unwrap())
}

/// A file by its path inside the inbox, as part of a transfer.
pub(crate) fn place_in(transfer: u32, path: &str) -> Place {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    Place {
        transfer: TransferId(transfer),
        to_come: 0,
        folder: ReceivedFolder::from_proposed(folder),
        name: ReceivedName::from_proposed(name),
    }
}

pub(crate) fn place(name: &str) -> Place {
    place_in(1, name)
}

pub(crate) fn write(incoming: &mut Incoming, data: &[u8]) -> Result<(), InboxError> {
    incoming.write(&mut [IoSlice::new(data)])
}

pub(crate) fn try_store(
    inbox: &Arc<Inbox>,
    place: Place,
    data: &[u8],
) -> Result<Stored, InboxError> {
    let mut incoming = inbox.create(place, data.len() as u64)?;
    write(&mut incoming, data)?;
    incoming.commit()
}

pub(crate) fn store(inbox: &Arc<Inbox>, place: Place, data: &[u8]) -> Stored {
    try_store(inbox, place, data).unwrap()
}

/// Everything in a folder, hidden or not.
pub(crate) fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

pub(crate) fn is_part(name: &str) -> bool {
    name.strip_prefix(".tabferry-")
        .and_then(|rest| rest.strip_suffix(".part"))
        .is_some_and(|bits| bits.len() == 32 && bits.bytes().all(|c| c.is_ascii_hexdigit()))
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A file system of a test's own.
pub(crate) struct Mounted(pub(crate) TempDir);

impl Mounted {
    /// `None`, with a word on standard output, if this process may not mount.
    pub(crate) fn new(options: &str) -> Option<Self> {
        if !is_root() {
            println!("SKIPPED: only root may mount a file system of a certain size");
            return None;
        }
        let folder = temporary();
        let mounted = mount(
            &["-t", "tmpfs", "-o", options, "tabferry-test"],
            folder.path(),
        );
        if !mounted {
            println!("SKIPPED: this container may not mount");
            return None;
        }
        Some(Self(folder))
    }

    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(mount(&["-o", &options], self.path()));
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let mount = Command::new("mount").args(arguments).arg(folder).status();
    mount.is_ok_and(|status| status.success())
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// This program again, to do what one of its helpers does in a folder.
pub(crate) fn helper(program: &[&str], test: &str, folder: &Path) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = match program {
        [] => Command::new(this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
    };
    command
        .args(["--exact", test, "--nocapture"])
        .env("TABFERRY_TEST_FOLDER", folder);
    command
}

/// The folder that a helper was given. `None` where it is not run by another test: then it has nothing to do.
pub(crate) fn helper_folder() -> Option<std::path::PathBuf> {
    std::env::var_os("TABFERRY_TEST_FOLDER").map(Into::into)
}
