//! The native host, which people know as the Tabferry app: how it stands and what to do, who saves files, and its proposals
//! and transfers among this browser's.

use tabferry_protocol::host::Snapshot;

use crate::envelope::NativeState;
use crate::i18n::Words;

/// What the settings say of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeModel {
    /// `good`, `bad` or nothing in particular, for the look.
    pub state: &'static str,
    /// How it stands.
    pub status: String,
    /// What follows from that, or what to do.
    pub advice: Option<String>,
    /// Whether it is to be installed, in steps of which the command is the last.
    pub steps: bool,
    /// A command for a terminal.
    pub command: Option<&'static str>,
    /// Whether browsers in a sandbox of the system can't use it.
    pub sandbox: bool,
    /// Whether another try may help.
    pub again: bool,
    /// Whether this browser can become a part of another device.
    pub join: bool,
}

/// What the popup says of who saves files.
pub fn saved_by(state: &NativeState, words: Words<'_>) -> String {
    match state {
        NativeState::Off => words("saved_by_browser", &[]),
        NativeState::Connected { folder, .. } => words("saved_by_native", &[folder]),
        _ => words("saved_by_browser_meanwhile", &[]),
    }
}

/// Shows what the daemon shows as if it were the engine's here. Files come to the daemon, so its part is first.
pub fn add(snapshot: &mut Snapshot, daemon: Snapshot) {
    fn before<T>(own: &mut Vec<T>, mut first: Vec<T>) {
        first.append(own);
        *own = first;
    }
    before(&mut snapshot.incoming, daemon.incoming);
    before(&mut snapshot.transfers, daemon.transfers);
}

/// The operating system, as far as commands differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Windows.
    Windows,
    /// Linux and its like, where browsers may be packed into Flatpaks and Snaps.
    Linux,
    /// Any other.
    Other,
}

impl System {
    /// By the browser's name for it.
    pub fn of(platform: &str) -> Self {
        if platform.starts_with("Win") {
            Self::Windows
        } else if platform.starts_with("Linux") {
            Self::Linux
        } else {
            Self::Other
        }
    }

    const fn install(self) -> &'static str {
        match self {
            Self::Windows => ".\\tabferry.exe install",
            _ => "./tabferry install",
        }
    }
}

impl NativeModel {
    /// What there is to say. `version` is the extension's.
    pub fn new(state: &NativeState, system: System, version: &str, words: Words<'_>) -> Self {
        let model = |state, status| Self {
            state,
            status,
            advice: None,
            steps: false,
            command: None,
            sandbox: false,
            again: false,
            join: false,
        };
        let bad = |key| Self {
            again: true,
            ..model("bad", words(key, &[]))
        };
        let install = |model| Self {
            advice: Some(words("native_install_advice", &[])),
            steps: true,
            command: Some(system.install()),
            ..model
        };
        match state {
            NativeState::Off => model("", words("native_off", &[])),
            NativeState::Connecting => model("", words("native_connecting", &[])),
            NativeState::Restarting => model("", words("native_restarting", &[])),
            NativeState::NotAllowed => Self {
                advice: Some(words("native_not_allowed_advice", &[])),
                again: false,
                ..bad("native_not_allowed")
            },
            NativeState::Missing => Self {
                sandbox: system == System::Linux,
                ..install(bad("native_missing"))
            },
            NativeState::Refused => install(bad("native_refused")),
            NativeState::Failed => Self {
                advice: Some(words("native_failed_advice", &[])),
                command: Some("tabferry status"),
                ..bad("native_failed")
            },
            NativeState::AppOutdated(program) => {
                let status = words("native_app_outdated", &[program, version]);
                install(Self {
                    again: true,
                    ..model("bad", status)
                })
            }
            NativeState::ExtensionOutdated(program) => Self {
                advice: Some(words("native_extension_outdated_advice", &[])),
                again: true,
                ..model(
                    "bad",
                    words("native_extension_outdated", &[version, program]),
                )
            },
            NativeState::OtherDevice(name) => Self {
                advice: Some(words("native_other_device_advice", &[name.as_str()])),
                join: true,
                ..model("bad", words("native_other_device", &[name.as_str()]))
            },
            NativeState::Connected { program, folder } => Self {
                advice: Some(words("native_connected_advice", &[program])),
                ..model("good", words("native_connected", &[folder]))
            },
        }
    }

    /// A person turns it off while the app is there: what the app is to do then.
    pub fn leaving(words: Words<'_>) -> Self {
        Self {
            status: words("native_off_question", &[]),
            advice: Some(words("native_off_advice", &[])),
            ..Self::new(&NativeState::Off, System::Other, "", words)
        }
    }

    /// What a person chose could not be kept.
    pub fn not_saved(words: Words<'_>) -> Self {
        Self {
            state: "bad",
            status: words("save_failed", &[]),
            ..Self::new(&NativeState::Off, System::Other, "", words)
        }
    }

    /// A person was asked by the browser and said no.
    pub fn denied(words: Words<'_>) -> Self {
        Self {
            state: "bad",
            status: words("native_denied", &[]),
            ..Self::new(&NativeState::Off, System::Other, "", words)
        }
    }
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::card::DeviceName;
    use tabferry_protocol::host::{ConnectionView, ProposalView, Visible};
    use tabferry_protocol::id::TransferId;

    use super::*;
    use crate::model::tests::{device, english};

    fn shown(state: &NativeState) -> NativeModel {
        NativeModel::new(state, System::Linux, "0.1.0", &english)
    }

    fn states() -> Vec<NativeState> {
        let program = "0.2.0".to_owned();
        vec![
            NativeState::Off,
            NativeState::Connecting,
            NativeState::Restarting,
            NativeState::NotAllowed,
            NativeState::Missing,
            NativeState::Refused,
            NativeState::Failed,
            NativeState::AppOutdated(program.clone()),
            NativeState::ExtensionOutdated(program.clone()),
            NativeState::OtherDevice(DeviceName::from_typed("Ada").unwrap()),
            NativeState::Connected {
                program,
                folder: "/home/ada/Downloads".to_owned(),
            },
        ]
    }

    #[test]
    fn every_state_has_its_own_words_and_what_is_wrong_has_a_way_out() {
        let models: Vec<_> = states().iter().map(shown).collect();
        for (index, one) in models.iter().enumerate() {
            for other in &models[index + 1..] {
                assert_ne!(one.status, other.status);
            }
            if one.state == "bad" {
                assert!(one.advice.is_some(), "{one:?}");
                let turn_off_and_on = one.status == english("native_not_allowed", &[]);
                assert!(one.again || one.join || turn_off_and_on, "{one:?}");
            }
        }
    }

    #[test]
    fn an_app_that_is_not_there_is_installed_by_the_command_of_the_system() {
        let missing = |system| NativeModel::new(&NativeState::Missing, system, "0.1.0", &english);
        let linux = missing(System::of("Linux"));
        assert_eq!(linux.command, Some("./tabferry install"));
        assert!(linux.steps && linux.sandbox);
        let windows = missing(System::of("Windows"));
        assert_eq!(windows.command, Some(".\\tabferry.exe install"));
        assert!(windows.steps && !windows.sandbox);
        let mac = missing(System::of("macOS"));
        assert_eq!(mac.command, Some("./tabferry install"));
        assert!(!mac.sandbox);
    }

    #[test]
    fn who_is_to_be_updated_is_said_with_both_versions() {
        let program = "0.2.0".to_owned();
        let app = shown(&NativeState::AppOutdated(program.clone()));
        assert!(app.status.contains("0.2.0, the extension 0.1.0") && app.steps);
        let extension = shown(&NativeState::ExtensionOutdated(program));
        assert!(extension.status.contains("0.1.0, the app 0.2.0") && !extension.steps);
    }

    #[test]
    fn who_saves_files_is_said() {
        let texts: Vec<_> = states()
            .iter()
            .map(|state| saved_by(state, &english))
            .collect();
        assert_eq!(texts[0], "Received files are saved by this browser.");
        for text in &texts[1..texts.len() - 1] {
            assert_eq!(*text, english("saved_by_browser_meanwhile", &[]));
        }
        assert_eq!(
            texts.last().unwrap(),
            "Received files are saved by the Tabferry app to /home/ada/Downloads"
        );
    }

    #[test]
    fn what_the_daemon_shows_comes_first_and_nothing_else_of_it() {
        let snapshot = |transfer| Snapshot {
            device: None,
            connection: ConnectionView::Online,
            visible: Visible::Everyone,
            devices: vec![device(1, "Ada")],
            incoming: vec![ProposalView {
                transfer: TransferId(transfer),
                from: device(1, "Ada"),
                names: Vec::new(),
                files: 1,
                programs: 0,
                bytes: 1,
            }],
            transfers: Vec::new(),
            items: Vec::new(),
        };
        let mut shown = snapshot(1);
        add(&mut shown, snapshot(7));
        let transfers: Vec<_> = shown.incoming.iter().map(|one| one.transfer.0).collect();
        assert_eq!(transfers, [7, 1]);
        assert_eq!(shown.devices.len(), 1);
    }
}
