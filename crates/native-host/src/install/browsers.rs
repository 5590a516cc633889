//! The table of browsers: for each and each system, how to tell that it is installed, where it looks for the manifests of
//! native messaging hosts, and what its confined packages are called. Knows names and places only; touches no disk.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use crate::install::machine::{Machine, Os};

/// A browser that Tabferry runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "their names say it")]
pub enum Browser {
    Chrome,
    Chromium,
    Edge,
    Brave,
    Vivaldi,
    Opera,
    Firefox,
    #[value(name = "librewolf")]
    #[serde(rename = "librewolf")]
    LibreWolf,
}

/// What a browser descends from: decides how its manifests name the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Takes `allowed_origins`.
    Chromium,
    /// Takes `allowed_extensions`.
    Firefox,
}

/// A place that depends on the person and the system.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the home directory.
    Home(&'static str),
    /// In [`Machine::config`].
    Config(&'static str),
    /// In [`Machine::local`].
    Local(&'static str),
}

impl Place {
    fn path(self, machine: &Machine) -> PathBuf {
        match self {
            Self::Home(path) => join(&machine.home, path),
            Self::Config(path) => join(&machine.config, path),
            Self::Local(path) => join(&machine.local, path),
        }
    }
}

/// Appends a path that is written with `/`.
fn join(base: &Path, path: &str) -> PathBuf {
    base.join(path.split('/').collect::<PathBuf>())
}

/// A row of the table.
struct Row {
    name: &'static str,
    family: Family,
    linux: Linux,
    macos: Macos,
    windows: Windows,
}

struct Linux {
    /// Files that the browser makes at its first start. Directories won't do: an installer of manifests makes them too.
    started: &'static [Place],
    programs: &'static [&'static str],
    manifests: &'static [Place],
    /// Where manifests for all users are, below `/`.
    system: &'static [&'static str],
    flatpak: &'static str,
    snap: Option<&'static str>,
    /// See [`Browser::hidden_profile`].
    former: Option<Former>,
}

/// A directory in the home directory that the browser used to have its profiles in, and the one of today in
/// [`Machine::config`].
struct Former {
    home: &'static str,
    config: &'static str,
}

struct Macos {
    started: &'static str,
    application: &'static str,
    /// In `~/Library/Application Support`.
    manifests: &'static [&'static str],
}

struct Windows {
    started: Place,
    /// Below `HKEY_CURRENT_USER\Software`. Brave, Vivaldi and Opera read Chrome's key, LibreWolf reads Firefox'.
    key: &'static str,
}

static CHROME: Row = Row {
    name: "Chrome",
    family: Family::Chromium,
    linux: Linux {
        started: &[Place::Config("google-chrome/Local State")],
        programs: &["google-chrome", "google-chrome-stable"],
        manifests: &[Place::Config("google-chrome/NativeMessagingHosts")],
        system: &["etc/opt/chrome/native-messaging-hosts"],
        flatpak: "com.google.Chrome",
        snap: None,
        former: None,
    },
    macos: Macos {
        started: "Google/Chrome/Local State",
        application: "Google Chrome.app",
        manifests: &["Google/Chrome/NativeMessagingHosts"],
    },
    windows: Windows {
        started: Place::Local("Google/Chrome/User Data/Local State"),
        key: r"Google\Chrome",
    },
};

static CHROMIUM: Row = Row {
    name: "Chromium",
    family: Family::Chromium,
    linux: Linux {
        started: &[Place::Config("chromium/Local State")],
        programs: &["chromium", "chromium-browser"],
        manifests: &[Place::Config("chromium/NativeMessagingHosts")],
        system: &["etc/chromium/native-messaging-hosts"],
        flatpak: "org.chromium.Chromium",
        snap: Some("chromium"),
        former: None,
    },
    macos: Macos {
        started: "Chromium/Local State",
        application: "Chromium.app",
        manifests: &["Chromium/NativeMessagingHosts"],
    },
    windows: Windows {
        started: Place::Local("Chromium/User Data/Local State"),
        key: "Chromium",
    },
};

static EDGE: Row = Row {
    name: "Edge",
    family: Family::Chromium,
    linux: Linux {
        started: &[Place::Config("microsoft-edge/Local State")],
        programs: &["microsoft-edge", "microsoft-edge-stable"],
        manifests: &[Place::Config("microsoft-edge/NativeMessagingHosts")],
        system: &["etc/opt/edge/native-messaging-hosts"],
        flatpak: "com.microsoft.Edge",
        snap: None,
        former: None,
    },
    macos: Macos {
        started: "Microsoft Edge/Local State",
        application: "Microsoft Edge.app",
        manifests: &["Microsoft Edge/NativeMessagingHosts"],
    },
    windows: Windows {
        started: Place::Local("Microsoft/Edge/User Data/Local State"),
        key: r"Microsoft\Edge",
    },
};

static BRAVE: Row = Row {
    name: "Brave",
    family: Family::Chromium,
    linux: Linux {
        started: &[Place::Config("BraveSoftware/Brave-Browser/Local State")],
        programs: &["brave-browser", "brave-browser-stable", "brave"],
        manifests: &[Place::Config(
            "BraveSoftware/Brave-Browser/NativeMessagingHosts",
        )],
        system: &[],
        flatpak: "com.brave.Browser",
        snap: Some("brave"),
        former: None,
    },
    macos: Macos {
        started: "BraveSoftware/Brave-Browser/Local State",
        application: "Brave Browser.app",
        manifests: &["BraveSoftware/Brave-Browser/NativeMessagingHosts"],
    },
    windows: Windows {
        started: Place::Local("BraveSoftware/Brave-Browser/User Data/Local State"),
        key: r"Google\Chrome",
    },
};

static VIVALDI: Row = Row {
    name: "Vivaldi",
    family: Family::Chromium,
    linux: Linux {
        started: &[Place::Config("vivaldi/Local State")],
        programs: &["vivaldi", "vivaldi-stable"],
        manifests: &[Place::Config("vivaldi/NativeMessagingHosts")],
        system: &[],
        flatpak: "com.vivaldi.Vivaldi",
        snap: Some("vivaldi"),
        former: None,
    },
    macos: Macos {
        started: "Vivaldi/Local State",
        application: "Vivaldi.app",
        manifests: &["Vivaldi/NativeMessagingHosts"],
    },
    windows: Windows {
        started: Place::Local("Vivaldi/User Data/Local State"),
        key: r"Google\Chrome",
    },
};

/// Opera's versions differ in whether they look in a directory of their own or in Chrome's.
static OPERA: Row = Row {
    name: "Opera",
    family: Family::Chromium,
    linux: Linux {
        started: &[Place::Config("opera/Local State")],
        programs: &["opera", "opera-stable"],
        manifests: &[
            Place::Config("opera/NativeMessagingHosts"),
            Place::Config("google-chrome/NativeMessagingHosts"),
        ],
        system: &[],
        flatpak: "com.opera.Opera",
        snap: Some("opera"),
        former: None,
    },
    macos: Macos {
        started: "com.operasoftware.Opera/Local State",
        application: "Opera.app",
        manifests: &[
            "com.operasoftware.Opera/NativeMessagingHosts",
            "Google/Chrome/NativeMessagingHosts",
        ],
    },
    windows: Windows {
        started: Place::Config("Opera Software/Opera Stable/Local State"),
        key: r"Google\Chrome",
    },
};

/// Since Firefox 147 its profiles may be in the configuration directory. Its manifests are not.
static FIREFOX: Row = Row {
    name: "Firefox",
    family: Family::Firefox,
    linux: Linux {
        started: &[
            Place::Home(".mozilla/firefox/profiles.ini"),
            Place::Config("mozilla/firefox/profiles.ini"),
        ],
        programs: &["firefox", "firefox-esr"],
        manifests: &[Place::Home(".mozilla/native-messaging-hosts")],
        system: &[
            "usr/lib/mozilla/native-messaging-hosts",
            "usr/lib64/mozilla/native-messaging-hosts",
        ],
        flatpak: "org.mozilla.firefox",
        snap: Some("firefox"),
        // What decides there is ~/.mozilla/firefox, which no manifest needs.
        former: None,
    },
    macos: Macos {
        started: "Firefox/profiles.ini",
        application: "Firefox.app",
        manifests: &["Mozilla/NativeMessagingHosts"],
    },
    windows: Windows {
        started: Place::Config("Mozilla/Firefox/profiles.ini"),
        key: "Mozilla",
    },
};

static LIBREWOLF: Row = Row {
    name: "LibreWolf",
    family: Family::Firefox,
    linux: Linux {
        started: &[
            Place::Home(".librewolf/profiles.ini"),
            Place::Config("librewolf/profiles.ini"),
            Place::Config("librewolf/librewolf/profiles.ini"),
        ],
        programs: &["librewolf"],
        manifests: &[Place::Home(".librewolf/native-messaging-hosts")],
        system: &["usr/lib/librewolf/native-messaging-hosts"],
        flatpak: "io.gitlab.librewolf-community",
        snap: None,
        former: Some(Former {
            home: ".librewolf",
            config: "librewolf",
        }),
    },
    macos: Macos {
        started: "librewolf/profiles.ini",
        application: "LibreWolf.app",
        manifests: &["LibreWolf/NativeMessagingHosts"],
    },
    windows: Windows {
        started: Place::Config("librewolf/profiles.ini"),
        key: "Mozilla",
    },
};

impl Browser {
    /// All, in the order in which they are shown.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    fn row(self) -> &'static Row {
        match self {
            Self::Chrome => &CHROME,
            Self::Chromium => &CHROMIUM,
            Self::Edge => &EDGE,
            Self::Brave => &BRAVE,
            Self::Vivaldi => &VIVALDI,
            Self::Opera => &OPERA,
            Self::Firefox => &FIREFOX,
            Self::LibreWolf => &LIBREWOLF,
        }
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it descends from.
    pub fn family(self) -> Family {
        self.row().family
    }

    /// Files that are there once the browser was started by this person.
    pub(super) fn started(self, machine: &Machine) -> Vec<PathBuf> {
        let row = self.row();
        match machine.os {
            Os::Linux => paths(row.linux.started, machine),
            Os::Macos => vec![join(&machine.config, row.macos.started)],
            Os::Windows => vec![row.windows.started.path(machine)],
        }
    }

    /// What it is called on the command line; Linux only.
    pub(super) fn programs(self, os: Os) -> &'static [&'static str] {
        match os {
            Os::Linux => self.row().linux.programs,
            Os::Macos | Os::Windows => &[],
        }
    }

    /// Where it is as an application; macOS only.
    pub(super) fn applications(self, machine: &Machine) -> Vec<PathBuf> {
        match machine.os {
            Os::Macos => [&machine.root, &machine.home]
                .map(|base| base.join("Applications").join(self.row().macos.application))
                .into(),
            Os::Linux | Os::Windows => Vec::new(),
        }
    }

    /// Its name among the packages of Flatpak.
    pub(super) fn flatpak(self) -> &'static str {
        self.row().linux.flatpak
    }

    /// Its name among the packages of Snap.
    pub(super) fn snap(self) -> Option<&'static str> {
        self.row().linux.snap
    }

    /// The directories where it looks for this person's manifests; none on Windows, where it looks in the registry.
    pub(super) fn directories(self, machine: &Machine) -> Vec<PathBuf> {
        let row = self.row();
        match machine.os {
            Os::Linux => paths(row.linux.manifests, machine),
            Os::Macos => row
                .macos
                .manifests
                .iter()
                .map(|path| join(&machine.config, path))
                .collect(),
            Os::Windows => Vec::new(),
        }
    }

    /// The directories where it looks for manifests for all users; Linux only.
    pub(super) fn system_directories(self, machine: &Machine) -> Vec<PathBuf> {
        match machine.os {
            Os::Linux => self
                .row()
                .linux
                .system
                .iter()
                .map(|path| join(&machine.root, path))
                .collect(),
            Os::Macos | Os::Windows => Vec::new(),
        }
    }

    /// The key below `HKEY_CURRENT_USER` whose default value is the path of the manifest; Windows only.
    pub(super) fn key(self, os: Os, host: &str) -> Option<String> {
        (os == Os::Windows).then(|| {
            format!(
                r"Software\{}\NativeMessagingHosts\{host}",
                self.row().windows.key
            )
        })
    }

    /// The profile that the browser might not find any more if the directory for its manifests were made: it takes the
    /// directory around that for its former profile.
    pub(super) fn hidden_profile(self, machine: &Machine) -> Option<PathBuf> {
        let former = self.row().linux.former.as_ref()?;
        let profile = join(&machine.config, former.config);
        (machine.os == Os::Linux && !join(&machine.home, former.home).exists() && profile.exists())
            .then_some(profile)
    }
}

fn paths(of: &[Place], machine: &Machine) -> Vec<PathBuf> {
    of.iter().map(|place| place.path(machine)).collect()
}
