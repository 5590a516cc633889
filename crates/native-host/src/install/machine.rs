//! Where a person's files and a system's programs are. The rest of the installer asks no environment variable, so that every
//! system's places can be tried on any.

use std::path::PathBuf;

use directories::BaseDirs;

/// A family of systems with the same conventions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Os {
    /// Linux and others with XDG directories.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

impl Os {
    /// The one that this program was built for.
    pub const HERE: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::Macos
    } else {
        Self::Linux
    };
}

/// One person's directories and one system's programs.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Whose conventions hold.
    pub os: Os,
    /// The home directory.
    pub home: PathBuf,
    /// `XDG_CONFIG_HOME`, `~/Library/Application Support` or `%APPDATA%`.
    pub config: PathBuf,
    /// `XDG_DATA_HOME`, `~/Library/Application Support` or `%LOCALAPPDATA%`.
    pub local: PathBuf,
    /// What paths like `/etc` begin with.
    pub root: PathBuf,
    /// Where programs are looked for.
    pub path: Vec<PathBuf>,
}

impl Machine {
    /// Those of the person who runs this program. `None` if there is no home directory.
    pub fn here() -> Option<Self> {
        let base = BaseDirs::new()?;
        Some(Self {
            os: Os::HERE,
            home: base.home_dir().to_owned(),
            config: base.config_dir().to_owned(),
            local: base.data_local_dir().to_owned(),
            root: PathBuf::from("/"),
            path: std::env::var_os("PATH")
                .map(|path| std::env::split_paths(&path).collect())
                .unwrap_or_default(),
        })
    }
}
