//! How this browser and the native host's daemon become endpoints of one device, and what both then tell each other: the
//! paired devices, the settings, who they are to the signaling server. Pure: what is to be done comes back as a list. Knows
//! neither ports nor what the daemon shows.

use serde::{Deserialize, Serialize};
use tabferry_engine::Input;
use tabferry_protocol::card::DeviceCard;
use tabferry_protocol::host::{Command, ItemView, Settings};
use tabferry_protocol::id::{DeviceId, ItemId, PeerId, TransferId};
use tabferry_protocol::native::{self, DaemonCode, Identity, VERSION};
use tabferry_protocol::paired::PairedDevice;

use crate::envelope::{NativeCommand, NativeState, is_native};

/// First and longest pause before another try. Milliseconds.
const PAUSE_MS: (u64, u64) = (1_000, 60_000);

/// Pause after which the service worker has died of having nothing to do, if it had nothing to do. Milliseconds.
const RESTART_PAUSE_MS: u64 = 35_000;

/// How long a daemon may take to say that it has forgotten this device. Milliseconds.
const FORGET_MS: u64 = 2_000;

/// What this needs of what the daemon says: a part of [`FromDaemon`](native::FromDaemon), for what is only passed on is
/// never read here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Heard {
    Welcome {
        version: u16,
        program: String,
        device: Option<DeviceCard>,
        folder: String,
    },
    Associated,
    Adopted(native::Association),
    Item {
        item: ItemView,
        unasked: bool,
    },
    Paired {
        paired: Vec<PairedDevice>,
    },
    OwnPeers {
        peers: Vec<PeerId>,
    },
    Error {
        code: DaemonCode,
    },
}

/// What is said to the daemon: a part of [`ToDaemon`](native::ToDaemon), for all of it costs more wasm.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Said {
    Hello { version: u16, program: String },
    Associate(native::Association),
    Adopt,
    Forget,
    Configure(Settings),
    Paired {
        base: Vec<PairedDevice>,
        now: Vec<PairedDevice>,
    },
    OwnPeer { peer: Option<PeerId> },
    Command(Passed),
    ItemTaken { item: ItemId },
    ShowInFolder { transfer: TransferId },
}

/// A command for the daemon's engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Passed {
    Reconnect,
    ShowInCrowd,
    Accept { transfer: TransferId },
    Decline { transfer: TransferId },
    Cancel { transfer: TransferId },
    Dismiss { transfer: TransferId },
}

impl Passed {
    /// The part of a command that is the daemon's, and whether the engine here takes none of it.
    pub(crate) fn of(command: &Command) -> Option<(Self, bool)> {
        let (passed, transfer) = match *command {
            Command::Reconnect => return Some((Self::Reconnect, false)),
            Command::ShowInCrowd => return Some((Self::ShowInCrowd, false)),
            Command::Accept { transfer } => (Self::Accept { transfer }, transfer),
            Command::Decline { transfer } => (Self::Decline { transfer }, transfer),
            Command::Cancel { transfer } => (Self::Cancel { transfer }, transfer),
            Command::Dismiss { transfer } => (Self::Dismiss { transfer }, transfer),
            _ => return None,
        };
        is_native(transfer).then_some((passed, true))
    }
}

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Open a port to the native host; there is none.
    Open,
    /// Close it.
    Close,
    /// Say something on it.
    Say(Said),
    /// Call [`Association::handle_alarm`] after so many milliseconds, in place of what was set before.
    Alarm(u64),
    /// For the engine.
    Tell(Input<'static>),
    /// Keep the paired devices that the daemon has now, too.
    KeepAgreed(Vec<PairedDevice>),
    /// Keep key, paired devices and settings of another device, and start anew as it.
    Become(native::Association),
    /// What the daemon has shown is no more.
    Forget,
    /// [`Association::state`] is another.
    Changed,
}

/// This browser's side.
#[derive(Debug)]
pub(crate) struct Association {
    /// The extension's version.
    program: String,
    identity: Identity,
    settings: Option<Settings>,
    /// The paired devices as the engine has them.
    paired: Vec<PairedDevice>,
    /// Those that the daemon was known to have last.
    agreed: Vec<PairedDevice>,
    own_peer: Option<PeerId>,
    wanted: bool,
    port: Link,
    /// Tries that have failed one after the other.
    failed: u32,
    state: NativeState,
    /// What the daemon has said of itself.
    welcome: (String, String),
}

/// How far the port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Closed,
    /// Open, and the daemon knows nothing of this device.
    Stranger,
    /// Both are endpoints of one device.
    Associated,
    /// The daemon is to forget this device, and then the port to be closed.
    Leaving,
}

impl Association {
    /// Not wanted yet. `agreed` are the paired devices that the daemon had last.
    pub(crate) fn new(
        program: String,
        identity: Identity,
        paired: Vec<PairedDevice>,
        agreed: Vec<PairedDevice>,
    ) -> Self {
        Self {
            program,
            identity,
            settings: None,
            paired,
            agreed,
            own_peer: None,
            wanted: false,
            port: Link::Closed,
            failed: 0,
            state: NativeState::Off,
            welcome: Default::default(),
        }
    }

    pub(crate) fn state(&self) -> &NativeState {
        &self.state
    }

    /// Whether the daemon is an endpoint of this device.
    pub(crate) fn is_associated(&self) -> bool {
        self.port == Link::Associated
    }

    /// A person wants something.
    pub(crate) fn handle_command(&mut self, command: NativeCommand) -> Vec<Action> {
        match command {
            NativeCommand::On => {
                self.wanted = true;
                self.try_again()
            }
            NativeCommand::Off => {
                self.wanted = false;
                match self.port {
                    Link::Leaving => Vec::new(),
                    _ => self.leave(),
                }
            }
            NativeCommand::TryAgain => self.try_again(),
            NativeCommand::Adopt => match (self.port, &self.state) {
                (Link::Stranger, NativeState::OtherDevice(_)) => {
                    vec![Action::Say(Said::Adopt)]
                }
                _ => Vec::new(),
            },
            NativeCommand::Forget if self.is_associated() => {
                self.port = Link::Leaving;
                // A daemon that has forgotten says so in its next welcome.
                vec![
                    Action::Say(Said::Forget),
                    Action::Say(self.hello()),
                    Action::Alarm(FORGET_MS),
                ]
            }
            NativeCommand::ShowInFolder { transfer } => {
                self.say(|| Said::ShowInFolder { transfer })
            }
            NativeCommand::Forget => Vec::new(),
        }
    }

    /// A command is the daemon's.
    pub(crate) fn pass_on(&self, command: Passed) -> Vec<Action> {
        self.say(|| Said::Command(command))
    }

    /// The settings are these.
    pub(crate) fn configure(&mut self, settings: Settings) -> Vec<Action> {
        self.settings = Some(settings.clone());
        self.say(|| Said::Configure(settings))
    }

    /// The engine has other paired devices.
    pub(crate) fn handle_paired(&mut self, paired: Vec<PairedDevice>) -> Vec<Action> {
        self.paired = paired;
        self.say_paired()
    }

    /// Who the engine is to the signaling server.
    pub(crate) fn handle_own_peer(&mut self, peer: Option<PeerId>) -> Vec<Action> {
        self.own_peer = peer;
        self.say(|| Said::OwnPeer { peer })
    }

    /// The port is closed. `why` is the browser's own text, or one of the service worker's.
    pub(crate) fn handle_gone(&mut self, why: &str) -> Vec<Action> {
        let was_leaving = self.port == Link::Leaving;
        let was_known = self.port == Link::Associated || was_leaving;
        self.port = Link::Closed;
        let mut actions = Vec::new();
        if was_known {
            actions.push(Action::Forget);
        }
        if was_leaving || !self.wanted {
            self.wanted = false;
            self.enter(NativeState::Off, &mut actions);
            return actions;
        }
        let pause = if why == "restart" {
            RESTART_PAUSE_MS
        } else {
            let (first, longest) = PAUSE_MS;
            let pause = first << self.failed.min(6);
            self.failed += 1;
            pause.min(longest)
        };
        actions.push(Action::Alarm(pause));
        let state = match state_of(why) {
            // It may just have been started anew.
            NativeState::Failed if was_known => NativeState::Connecting,
            state => state,
        };
        self.enter(state, &mut actions);
        actions
    }

    /// The time set by [`Action::Alarm`] has come.
    pub(crate) fn handle_alarm(&mut self) -> Vec<Action> {
        match self.port {
            Link::Leaving => {
                self.wanted = false;
                self.leave()
            }
            _ => self.try_again(),
        }
    }

    /// The daemon has said something.
    pub(crate) fn handle_heard(&mut self, heard: Heard) -> Vec<Action> {
        if self.port == Link::Leaving {
            return match heard {
                Heard::Welcome { .. } | Heard::Error { .. } => self.handle_alarm(),
                _ => Vec::new(),
            };
        }
        match heard {
            Heard::Welcome {
                version,
                program,
                device,
                folder,
            } => self.handle_welcome(version, program, device, folder),
            Heard::Associated if self.port == Link::Stranger => self.handle_associated(),
            Heard::Adopted(association) => vec![Action::Become(association)],
            Heard::Paired { paired } => self.handle_agreed(paired),
            Heard::OwnPeers { peers } => vec![Action::Tell(Input::OwnPeers(peers))],
            Heard::Item { item, unasked } => vec![
                Action::Say(Said::ItemTaken { item: item.id }),
                Action::Tell(Input::Command(Command::TakeItem {
                    from: item.from,
                    item: item.item,
                    unasked,
                })),
            ],
            // It is of no more use, or has become another device's since its welcome.
            Heard::Error {
                code: DaemonCode::InvalidMessage | DaemonCode::OtherDevice,
            } => {
                let mut actions = vec![Action::Close];
                actions.extend(self.handle_gone(""));
                actions
            }
            Heard::Associated | Heard::Error { .. } => Vec::new(),
        }
    }

    fn handle_welcome(
        &mut self,
        version: u16,
        program: String,
        device: Option<DeviceCard>,
        folder: String,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        if version != VERSION {
            actions.push(Action::Close);
            actions.extend(self.handle_gone(""));
            // Whoever is updated starts anew, or is met at a later try.
            let state = if version < VERSION {
                NativeState::AppOutdated(program)
            } else {
                NativeState::ExtensionOutdated(program)
            };
            self.enter(state, &mut actions);
            return actions;
        }
        self.welcome = (program, folder);
        match device {
            Some(other) if other.id != self.id() => {
                self.failed = 0;
                self.enter(NativeState::OtherDevice(other.name), &mut actions);
            }
            device => {
                let Some(settings) = self.settings.clone() else {
                    return actions;
                };
                if device.is_none() {
                    // It takes ours.
                    self.agreed.clone_from(&self.paired);
                    actions.push(Action::KeepAgreed(self.agreed.clone()));
                }
                actions.push(Action::Say(Said::Associate(native::Association {
                    identity: self.identity.clone(),
                    paired: self.paired.clone(),
                    settings,
                })));
            }
        }
        actions
    }

    fn handle_associated(&mut self) -> Vec<Action> {
        self.port = Link::Associated;
        self.failed = 0;
        let peer = self.own_peer;
        let mut actions = vec![Action::Say(Said::OwnPeer { peer })];
        actions.extend(self.say_paired());
        let (program, folder) = self.welcome.clone();
        self.enter(NativeState::Connected { program, folder }, &mut actions);
        actions
    }

    /// The daemon has these paired devices, and so shall this browser.
    fn handle_agreed(&mut self, paired: Vec<PairedDevice>) -> Vec<Action> {
        self.agreed.clone_from(&paired);
        let mut actions = vec![Action::KeepAgreed(paired.clone())];
        if !are_same(&self.paired, &paired) {
            self.paired.clone_from(&paired);
            actions.push(Action::Tell(Input::Paired(paired)));
        }
        actions
    }

    /// Says what has changed since both had the same.
    fn say_paired(&self) -> Vec<Action> {
        if are_same(&self.paired, &self.agreed) {
            return Vec::new();
        }
        self.say(|| Said::Paired {
            base: self.agreed.clone(),
            now: self.paired.clone(),
        })
    }

    fn say(&self, what: impl FnOnce() -> Said) -> Vec<Action> {
        if self.is_associated() {
            vec![Action::Say(what())]
        } else {
            Vec::new()
        }
    }

    fn try_again(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.wanted && self.port == Link::Closed {
            self.port = Link::Stranger;
            actions.push(Action::Open);
            actions.push(Action::Say(self.hello()));
            // A state that says what is wrong stays until it is known to be over.
            if self.state == NativeState::Off {
                self.enter(NativeState::Connecting, &mut actions);
            }
        }
        actions
    }

    fn leave(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.port != Link::Closed {
            actions.push(Action::Close);
        }
        actions.extend(self.handle_gone(""));
        self.failed = 0;
        actions
    }

    fn hello(&self) -> Said {
        Said::Hello {
            version: VERSION,
            program: self.program.clone(),
        }
    }

    fn id(&self) -> DeviceId {
        DeviceId::of(&self.identity.key().public())
    }

    fn enter(&mut self, state: NativeState, actions: &mut Vec<Action>) {
        if self.state != state {
            self.state = state;
            actions.push(Action::Changed);
        }
    }
}

/// Whether two lists hold the same devices, in whatever order.
fn are_same(one: &[PairedDevice], other: &[PairedDevice]) -> bool {
    one.len() == other.len() && one.iter().all(|device| other.contains(device))
}

/// What a port's end means. The first two are the service worker's own words, the others Chromium's.
fn state_of(why: &str) -> NativeState {
    match why {
        "permission" => NativeState::NotAllowed,
        "restart" => NativeState::Restarting,
        why if why.contains("not found") => NativeState::Missing,
        why if why.contains("forbidden") => NativeState::Refused,
        _ => NativeState::Failed,
    }
}
