//! What the daemon keeps from one start to the next: its device, the paired devices, and what waits for somebody to take
//! it. Each is a file that is there whole or not at all. Knows no rule about any of it.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tabferry_protocol::host::Settings;
use tabferry_protocol::native::Identity;
use tabferry_protocol::paired::PairedDevice;

use crate::daemon::items::KeptItem;
use crate::files;
use crate::places::{self, Places};

/// The device that the daemon is an endpoint of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptDevice {
    /// Which.
    pub(crate) identity: Identity,
    /// Its settings.
    pub(crate) settings: Settings,
    /// Whether an extension shares it: then the settings are the extension's.
    pub(crate) associated: bool,
}

/// A file can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {error}")]
pub(crate) struct StateError {
    path: String,
    error: io::Error,
}

/// The files.
#[derive(Debug)]
pub(crate) struct State {
    directory: PathBuf,
}

const DEVICE: &str = "device.json";
const PAIRED: &str = "paired.json";
const ITEMS: &str = "items.json";

impl State {
    pub(crate) fn open(places: &Places) -> Result<Self, StateError> {
        let directory = places.state.clone();
        places::make_private(&directory).map_err(|error| StateError {
            path: directory.display().to_string(),
            error,
        })?;
        Ok(Self { directory })
    }

    pub(crate) fn device(&self) -> Result<Option<KeptDevice>, StateError> {
        self.read(DEVICE)
    }

    pub(crate) fn paired(&self) -> Result<Vec<PairedDevice>, StateError> {
        Ok(self.read(PAIRED)?.unwrap_or_default())
    }

    pub(crate) fn items(&self) -> Result<Vec<KeptItem>, StateError> {
        Ok(self.read(ITEMS)?.unwrap_or_default())
    }

    pub(crate) fn keep_device(&self, device: &KeptDevice) -> io::Result<()> {
        files::write(&self.directory.join(DEVICE), device)
    }

    pub(crate) fn keep_paired(&self, paired: &[PairedDevice]) -> io::Result<()> {
        files::write(&self.directory.join(PAIRED), &paired)
    }

    pub(crate) fn keep_items(&self, items: &[KeptItem]) -> io::Result<()> {
        files::write(&self.directory.join(ITEMS), &items)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) -> io::Result<()> {
        // The device last: whatever is left without it would be another one's.
        for name in [ITEMS, PAIRED, DEVICE] {
            match fs::remove_file(self.directory.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let path = self.directory.join(name);
        let read = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read,
        };
        read.and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
            .map(Some)
            .map_err(|error| StateError {
                path: path.display().to_string(),
                error,
            })
    }
}
