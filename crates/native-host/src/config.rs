//! What a person sets at a terminal: a JSON file with few keys. Knows what they mean to nobody.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tabferry_protocol::card::DeviceName;
use tabferry_protocol::signaling_address::socket_url;

use crate::files;
use crate::inbox;
use crate::places::{self, Places};

/// Everything that can be set. What is missing in the file is as nobody has set it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Where received files go; `None`: where the browsers' do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads: Option<PathBuf>,
    /// When an idle daemon ends.
    #[serde(default)]
    pub idle_exit: IdleExit,
    /// What this computer is called, if no extension says it; `None`: by a name drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<DeviceName>,
    /// The signaling server, if no extension says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// When a daemon ends that no client is connected to and that transfers nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdleExit {
    /// Never if it shares its device with an extension or was started to stay: others want to send to it while no browser
    /// runs. Else after [`IdleExit::DEFAULT_MINUTES`].
    #[default]
    Auto,
    /// Never.
    Never,
    /// After so many minutes in any case.
    Minutes(u32),
}

impl IdleExit {
    /// See [`IdleExit::Auto`].
    pub const DEFAULT_MINUTES: u32 = 10;

    /// After how many minutes, if ever.
    pub fn minutes(self, is_wanted: bool) -> Option<u32> {
        match self {
            Self::Auto => (!is_wanted).then_some(Self::DEFAULT_MINUTES),
            Self::Never => None,
            Self::Minutes(minutes) => Some(minutes),
        }
    }
}

/// What can be set, by name.
pub const KEYS: [&str; 4] = ["downloads", "idle-exit", "name", "server"];

/// Why something can't be set or read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such key.
    #[error("there is no setting {0:?}; there are {list}", list = KEYS.join(", "))]
    UnknownKey(String),
    /// The key can't have this value.
    #[error("{0}")]
    Value(&'static str),
    /// The file is not what it should be.
    #[error("{path}: {error}; correct it or delete it")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
}

impl Config {
    /// Reads the file; all defaults if there is none.
    pub fn load(places: &Places) -> Result<Self, ConfigError> {
        let path = path(places);
        let read = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            read => read,
        };
        read.and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
            .map_err(|error| at(&path, error))
    }

    /// Writes the file.
    pub fn save(&self, places: &Places) -> Result<(), ConfigError> {
        let path = path(places);
        places::make_private(&places.config)
            .and_then(|()| files::write(&path, self))
            .map_err(|error| at(&path, error))
    }

    /// The value of a key, as a person reads it; `None` if nobody has set it.
    pub fn value(&self, key: &str) -> Result<Option<String>, ConfigError> {
        Ok(match key {
            "downloads" => self
                .downloads
                .as_ref()
                .map(|path| path.display().to_string()),
            "idle-exit" => match self.idle_exit {
                IdleExit::Auto => None,
                IdleExit::Never => Some("never".to_owned()),
                IdleExit::Minutes(minutes) => Some(minutes.to_string()),
            },
            "name" => self.name.as_ref().map(ToString::to_string),
            "server" => self.server.clone(),
            _ => return Err(ConfigError::UnknownKey(key.to_owned())),
        })
    }

    /// Sets a key as a person has typed it; `None`: as nobody has set it.
    pub fn set(&mut self, key: &str, value: Option<&str>) -> Result<(), ConfigError> {
        match key {
            "downloads" => {
                self.downloads = value.map(absolute_directory).transpose()?;
            }
            "idle-exit" => {
                self.idle_exit = match value {
                    None | Some("auto") => IdleExit::Auto,
                    Some("never") => IdleExit::Never,
                    Some(minutes) => IdleExit::Minutes(minutes.parse().map_err(|_| {
                        ConfigError::Value("idle-exit is auto, never, or a number of minutes")
                    })?),
                };
            }
            "name" => {
                self.name = value.map(DeviceName::from_typed).transpose().map_err(|_| {
                    ConfigError::Value("a name needs at least one visible character")
                })?;
            }
            "server" => {
                let is_address = |url: &str| socket_url(url).is_some();
                if value.is_some_and(|url| !is_address(url)) {
                    return Err(ConfigError::Value(
                        "a server's address begins with ws://, wss://, http:// or https://",
                    ));
                }
                self.server = value.map(str::to_owned);
            }
            _ => return Err(ConfigError::UnknownKey(key.to_owned())),
        }
        Ok(())
    }

    /// Where received files go.
    pub fn downloads(&self) -> PathBuf {
        self.downloads
            .clone()
            .or_else(inbox::downloads)
            .unwrap_or_else(std::env::temp_dir)
    }
}

fn absolute_directory(typed: &str) -> Result<PathBuf, ConfigError> {
    let path = std::path::absolute(typed).ok().filter(|path| path.is_dir());
    path.ok_or(ConfigError::Value("there is no such folder; make it first"))
}

fn path(places: &Places) -> PathBuf {
    places.config.join("config.json")
}

fn at(path: &Path, error: io::Error) -> ConfigError {
    let path = path.display().to_string();
    ConfigError::File { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read_again() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::within(home.path());
        assert_eq!(Config::load(&places).unwrap(), Config::default());
        let mut config = Config::default();
        for (key, value) in [
            ("downloads", home.path().to_str().unwrap()),
            ("idle-exit", "5"),
            ("name", "NAS"),
            ("server", "wss://ferry.example"),
        ] {
            config.set(key, Some(value)).unwrap();
            assert_eq!(config.value(key).unwrap().as_deref(), Some(value));
        }
        config.save(&places).unwrap();
        let mut read = Config::load(&places).unwrap();
        assert_eq!(read, config);
        for key in KEYS {
            read.set(key, None).unwrap();
        }
        assert_eq!(read, Config::default());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut config = Config::default();
        for (key, value) in [
            ("downloads", "/no/such/folder"),
            ("idle-exit", "soon"),
            ("name", "\u{202e}"),
            ("server", "nowhere"),
            ("colour", "blue"),
        ] {
            assert!(config.set(key, Some(value)).is_err(), "{key}");
        }
        assert_eq!(config, Config::default());
    }

    #[test]
    fn a_damaged_file_is_told_and_not_taken_for_none() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::within(home.path());
        Config::default().save(&places).unwrap();
        files::write(&path(&places), &["not", "settings"]).unwrap();
        assert!(matches!(
            Config::load(&places),
            Err(ConfigError::File { .. })
        ));
    }
}
