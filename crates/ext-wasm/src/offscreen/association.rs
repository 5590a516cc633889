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
    Hello {
        version: u16,
        program: String,
    },
    Associate(native::Association),
    Adopt,
    Forget,
    Configure(Settings),
    Paired {
        base: Vec<PairedDevice>,
        now: Vec<PairedDevice>,
    },
    OwnPeer {
        peer: Option<PeerId>,
    },
    Command(Passed),
    ItemTaken {
        item: ItemId,
    },
    ShowInFolder {
        transfer: TransferId,
    },
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
    Pause { transfer: TransferId },
    Resume { transfer: TransferId },
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
            Command::Pause { transfer } => (Self::Pause { transfer }, transfer),
            Command::Resume { transfer } => (Self::Resume { transfer }, transfer),
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
    /// Whether a person wants this browser to become another device.
    is_joining: bool,
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
            is_joining: false,
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
                    self.is_joining = true;
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
        self.is_joining = false;
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
            Heard::Adopted(association) if self.is_joining => {
                self.is_joining = false;
                vec![Action::Become(association)]
            }
            // Between adopting and the new engine's start they would go to the old one, and be lost with it.
            Heard::Paired { .. } | Heard::Item { .. } if self.port != Link::Associated => {
                Vec::new()
            }
            Heard::Paired { paired } => self.handle_agreed(paired),
            Heard::OwnPeers { peers } => vec![Action::Tell(Input::OwnPeers(peers))],
            Heard::Item { item, unasked } => vec![
                Action::Tell(Input::Command(Command::TakeItem {
                    from: item.from,
                    item: item.item,
                    unasked,
                })),
                Action::Say(Said::ItemTaken { item: item.id }),
            ],
            // It is of no more use, has become another device's since its welcome, or can't become one with this.
            Heard::Error { code }
                if self.port == Link::Stranger || code == DaemonCode::InvalidMessage =>
            {
                let mut actions = vec![Action::Close];
                actions.extend(self.handle_gone(""));
                actions
            }
            Heard::Associated | Heard::Adopted(_) | Heard::Error { .. } => Vec::new(),
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

#[cfg(test)]
mod tests {
    use tabferry_protocol::card::{DeviceKind, DeviceName};
    use tabferry_protocol::host::{DeviceView, PlainItem, Visibility};
    use tabferry_protocol::identity::DeviceKey;
    use tabferry_protocol::native::{FromDaemon, ToDaemon};
    use tabferry_protocol::pair::PairSecret;
    use tabferry_protocol::paired::AutoAccept;

    use super::*;

    fn identity(seed: u8) -> Identity {
        Identity::of(&DeviceKey::from_seed(&[seed; 32]))
    }

    fn paired(seed: u8, name: &str) -> PairedDevice {
        PairedDevice {
            key: DeviceKey::from_seed(&[seed; 32]).public(),
            name: DeviceName::from_typed(name).unwrap(),
            kind: DeviceKind::Phone,
            secret: PairSecret::from_text(&"11".repeat(32)).unwrap(),
            since: 1,
            last_seen: 2,
            auto_accept: AutoAccept::default(),
        }
    }

    fn settings() -> Settings {
        Settings {
            name: DeviceName::from_typed("Ada").unwrap(),
            kind: DeviceKind::Computer,
            server: "ws://server".to_owned(),
            visibility: Visibility::Everyone,
            groups: Vec::new(),
        }
    }

    fn device(seed: u8, name: &str) -> DeviceCard {
        DeviceCard {
            id: DeviceId::of(&DeviceKey::from_seed(&[seed; 32]).public()),
            name: DeviceName::from_typed(name).unwrap(),
            kind: DeviceKind::Computer,
        }
    }

    /// As the daemon would say it.
    fn heard(from: &FromDaemon) -> Heard {
        serde_json::from_str(&serde_json::to_string(from).unwrap()).unwrap()
    }

    fn welcome(version: u16, device: Option<DeviceCard>) -> Heard {
        heard(&FromDaemon::Welcome {
            version,
            program: "9".to_owned(),
            device,
            folder: "/files".to_owned(),
        })
    }

    fn peer() -> PeerId {
        PeerId::from_bytes([5; 16])
    }

    /// A browser with settings that is wanted to connect, and has opened its port.
    fn opened(own: &[PairedDevice], agreed: &[PairedDevice]) -> Association {
        let (own, agreed) = (own.to_vec(), agreed.to_vec());
        let mut here = Association::new("1".to_owned(), identity(1), own, agreed);
        here.configure(settings());
        let actions = here.handle_command(NativeCommand::On);
        assert_eq!(actions[..2], [Action::Open, Action::Say(here.hello())]);
        assert_eq!(*here.state(), NativeState::Connecting);
        here
    }

    fn connected(own: &[PairedDevice], agreed: &[PairedDevice]) -> Association {
        let mut here = opened(own, agreed);
        here.handle_heard(welcome(VERSION, Some(device(1, "Ada"))));
        here.handle_heard(heard(&FromDaemon::Associated));
        assert!(here.is_associated());
        here
    }

    fn said(actions: &[Action]) -> Vec<&Said> {
        let said = actions.iter().map(|action| match action {
            Action::Say(said) => Some(said),
            _ => None,
        });
        said.flatten().collect()
    }

    #[test]
    fn what_is_said_is_what_the_daemon_reads() {
        let transfer = TransferId(7);
        let associate = || native::Association {
            identity: identity(1),
            paired: vec![paired(2, "Bee")],
            settings: settings(),
        };
        for (said, read) in [
            (
                Said::Hello {
                    version: 1,
                    program: "1".to_owned(),
                },
                ToDaemon::Hello {
                    version: 1,
                    program: "1".to_owned(),
                },
            ),
            (
                Said::Associate(associate()),
                ToDaemon::Associate(associate()),
            ),
            (Said::Adopt, ToDaemon::Adopt),
            (Said::Forget, ToDaemon::Forget),
            (Said::Configure(settings()), ToDaemon::Configure(settings())),
            (
                Said::Paired {
                    base: vec![paired(2, "Bee")],
                    now: Vec::new(),
                },
                ToDaemon::Paired {
                    base: vec![paired(2, "Bee")],
                    now: Vec::new(),
                },
            ),
            (
                Said::OwnPeer { peer: Some(peer()) },
                ToDaemon::OwnPeer { peer: Some(peer()) },
            ),
            (
                Said::ItemTaken { item: ItemId(3) },
                ToDaemon::ItemTaken { item: ItemId(3) },
            ),
            (
                Said::ShowInFolder { transfer },
                ToDaemon::ShowInFolder { transfer },
            ),
        ] {
            assert_eq!(read_again(&said), read);
            assert!(read.is_for_browsers());
        }
    }

    fn read_again(said: &Said) -> ToDaemon {
        serde_json::from_str(&serde_json::to_string(said).unwrap()).unwrap()
    }

    #[test]
    fn commands_go_where_their_transfers_are() {
        for transfer in [3, tabferry_engine::NATIVE_KEYS + 3].map(TransferId) {
            for command in [
                Command::Accept { transfer },
                Command::Decline { transfer },
                Command::Cancel { transfer },
                Command::Dismiss { transfer },
            ] {
                match Passed::of(&command) {
                    Some((passed, true)) => {
                        assert!(is_native(transfer));
                        let read = read_again(&Said::Command(passed));
                        assert_eq!(read, ToDaemon::Command(command));
                    }
                    passed => assert!(passed.is_none() && !is_native(transfer)),
                }
            }
        }
        for command in [Command::Reconnect, Command::ShowInCrowd] {
            let (passed, is_done) = Passed::of(&command).unwrap();
            let read = read_again(&Said::Command(passed));
            assert_eq!((read, is_done), (ToDaemon::Command(command), false));
        }
        let item = ItemId(tabferry_engine::NATIVE_KEYS + 3);
        assert_eq!(Passed::of(&Command::DismissItem { item }), None);
    }

    #[test]
    fn a_daemon_without_a_device_takes_this_one() {
        let bee = [paired(2, "Bee")];
        let mut here = opened(&bee, &[]);
        here.handle_own_peer(Some(peer()));
        let actions = here.handle_heard(welcome(VERSION, None));
        let associate = Said::Associate(native::Association {
            identity: identity(1),
            paired: bee.to_vec(),
            settings: settings(),
        });
        assert_eq!(
            actions,
            [Action::KeepAgreed(bee.to_vec()), Action::Say(associate)]
        );
        let actions = here.handle_heard(heard(&FromDaemon::Associated));
        let peer = Some(peer());
        assert_eq!(
            actions,
            [Action::Say(Said::OwnPeer { peer }), Action::Changed]
        );
        let (program, folder) = ("9".to_owned(), "/files".to_owned());
        assert_eq!(*here.state(), NativeState::Connected { program, folder });
    }

    #[test]
    fn what_has_changed_while_apart_is_said_against_what_both_had() {
        let (bee, cat) = ([paired(2, "Bee")], [paired(3, "Cat")]);
        let mut here = opened(&cat, &bee);
        let actions = here.handle_heard(welcome(VERSION, Some(device(1, "Ada"))));
        assert!(matches!(said(&actions)[..], [Said::Associate(_)]));
        let actions = here.handle_heard(heard(&FromDaemon::Associated));
        let changed = Said::Paired {
            base: bee.to_vec(),
            now: cat.to_vec(),
        };
        assert_eq!(said(&actions)[1..], [&changed]);

        // Both have the same now, and what the engine keeps because of that is no news.
        let both = vec![paired(3, "Cat"), paired(4, "Dog")];
        let actions = here.handle_heard(heard(&FromDaemon::Paired {
            paired: both.clone(),
        }));
        let expected = [
            Action::KeepAgreed(both.clone()),
            Action::Tell(Input::Paired(both.clone())),
        ];
        assert_eq!(actions, expected);
        let other_order = both.iter().rev().cloned().collect();
        assert_eq!(here.handle_paired(other_order), []);
        // What is not known to be heard is said again, against the same base.
        let now = bee.to_vec();
        let again = || Said::Paired {
            base: both.clone(),
            now: now.clone(),
        };
        for _ in 0..2 {
            let actions = here.handle_paired(now.clone());
            assert_eq!(said(&actions), [&again()]);
        }
    }

    #[test]
    fn nothing_is_said_to_a_stranger() {
        let mut here = opened(&[], &[]);
        here.handle_heard(welcome(VERSION, Some(device(9, "Carl"))));
        let carl = DeviceName::from_typed("Carl").unwrap();
        assert_eq!(*here.state(), NativeState::OtherDevice(carl));
        let transfer = TransferId(tabferry_engine::NATIVE_KEYS + 1);
        let show = NativeCommand::ShowInFolder { transfer };
        let mut actions = here.configure(settings());
        actions.extend(here.handle_own_peer(Some(peer())));
        actions.extend(here.handle_paired(vec![paired(2, "Bee")]));
        actions.extend(here.pass_on(Passed::Accept { transfer }));
        actions.extend(here.handle_command(show));
        actions.extend(here.handle_command(NativeCommand::Forget));
        assert_eq!(actions, []);
    }

    #[test]
    fn a_browser_becomes_another_device_only_if_a_person_says_so() {
        let mut here = opened(&[], &[]);
        assert_eq!(here.handle_command(NativeCommand::Adopt), []);
        here.handle_heard(welcome(VERSION, Some(device(9, "Carl"))));
        let actions = here.handle_command(NativeCommand::Adopt);
        assert_eq!(actions, [Action::Say(Said::Adopt)]);
        let association = native::Association {
            identity: identity(9),
            paired: vec![paired(2, "Bee")],
            settings: settings(),
        };
        let adopted = heard(&FromDaemon::Adopted(association.clone()));
        let actions = here.handle_heard(adopted);
        assert_eq!(actions, [Action::Become(association)]);
        // What comes before the new engine's start is for that one, and is said to it again.
        let paired = Vec::new();
        for early in [&hello(), &FromDaemon::Paired { paired }] {
            assert_eq!(here.handle_heard(heard(early)), []);
        }
        // Without having been asked, a daemon makes nobody anything.
        let association = native::Association {
            identity: identity(9),
            paired: Vec::new(),
            settings: settings(),
        };
        let adopted = || heard(&FromDaemon::Adopted(association.clone()));
        assert_eq!(opened(&[], &[]).handle_heard(adopted()), []);
        assert_eq!(connected(&[], &[]).handle_heard(adopted()), []);
    }

    /// A text from Bee.
    fn hello() -> FromDaemon {
        let card = device(2, "Bee");
        FromDaemon::Item {
            item: ItemView {
                id: ItemId(8),
                from: DeviceView {
                    id: card.id,
                    name: card.name,
                    kind: card.kind,
                    paired: true,
                },
                item: PlainItem::Text {
                    text: "hello".to_owned(),
                },
            },
            unasked: true,
        }
    }

    #[test]
    fn items_are_taken_and_the_daemon_told() {
        let mut here = connected(&[], &[]);
        let FromDaemon::Item {
            item: ItemView { id, from, item },
            ..
        } = hello()
        else {
            panic!("an item")
        };
        let actions = here.handle_heard(heard(&hello()));
        let take = Command::TakeItem {
            from,
            item,
            unasked: true,
        };
        let taken = Action::Say(Said::ItemTaken { item: id });
        assert_eq!(actions, [Action::Tell(Input::Command(take)), taken]);
    }

    #[test]
    fn versions_that_differ_end_it_and_say_who_is_to_be_updated() {
        let (old, new) = (VERSION - 1, VERSION + 1);
        let program = || "9".to_owned();
        for (version, state) in [
            (old, NativeState::AppOutdated(program())),
            (new, NativeState::ExtensionOutdated(program())),
        ] {
            let mut here = opened(&[], &[]);
            let actions = here.handle_heard(welcome(version, None));
            assert_eq!(actions[..2], [Action::Close, Action::Alarm(1_000)]);
            assert_eq!(said(&actions), [] as [&Said; 0]);
            assert_eq!(*here.state(), state);
            // An updated one is met at the next try, and until then the state stays.
            assert_eq!(here.handle_alarm()[0], Action::Open);
            assert_eq!(*here.state(), state);
            here.handle_heard(welcome(VERSION, None));
            here.handle_heard(heard(&FromDaemon::Associated));
            assert!(matches!(here.state(), NativeState::Connected { .. }));
        }
    }

    #[test]
    fn a_port_that_ends_is_opened_again_more_and_more_seldom() {
        let mut here = opened(&[], &[]);
        let missing = "Specified native messaging host not found.";
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            let actions = here.handle_gone(missing);
            assert_eq!(actions[0], Action::Alarm(pause * 1_000));
            assert_eq!(*here.state(), NativeState::Missing);
            assert_eq!(here.handle_alarm()[0], Action::Open);
        }
        here.handle_heard(welcome(VERSION, None));
        here.handle_heard(heard(&FromDaemon::Associated));
        let actions = here.handle_gone("Native host has exited.");
        let gone = [Action::Forget, Action::Alarm(1_000), Action::Changed];
        assert_eq!(actions, gone);
        assert_eq!(*here.state(), NativeState::Connecting);
    }

    #[test]
    fn the_end_of_a_port_says_what_is_wrong() {
        for (why, state) in [
            ("permission", NativeState::NotAllowed),
            ("restart", NativeState::Restarting),
            (
                "Specified native messaging host not found.",
                NativeState::Missing,
            ),
            (
                "Access to the specified native messaging host is forbidden.",
                NativeState::Refused,
            ),
            ("Native host has exited.", NativeState::Failed),
            ("", NativeState::Failed),
        ] {
            let mut here = opened(&[], &[]);
            let actions = here.handle_gone(why);
            assert_eq!(*here.state(), state);
            let restarts = actions[0] == Action::Alarm(RESTART_PAUSE_MS);
            assert_eq!(restarts, why == "restart");
        }
    }

    #[test]
    fn a_daemon_that_refuses_is_left_alone_for_a_while() {
        for code in [DaemonCode::InvalidMessage, DaemonCode::OtherDevice] {
            let mut here = opened(&[], &[]);
            let message = "no".to_owned();
            let error = heard(&FromDaemon::Error { code, message });
            let actions = here.handle_heard(error);
            assert_eq!(actions[..2], [Action::Close, Action::Alarm(1_000)]);
        }
    }

    #[test]
    fn turned_off_it_stays_off() {
        let mut here = connected(&[], &[]);
        let actions = here.handle_command(NativeCommand::Off);
        assert_eq!(actions, [Action::Close, Action::Forget, Action::Changed]);
        assert_eq!(*here.state(), NativeState::Off);
        assert_eq!(here.handle_alarm(), []);
        assert_eq!(here.handle_command(NativeCommand::TryAgain), []);
    }

    #[test]
    fn a_daemon_has_time_to_forget_before_the_port_closes() {
        let end = [Action::Close, Action::Forget, Action::Changed];
        let leaving = || {
            let mut here = connected(&[], &[]);
            let actions = here.handle_command(NativeCommand::Forget);
            assert_eq!(said(&actions)[0], &Said::Forget);
            assert_eq!(actions.last(), Some(&Action::Alarm(FORGET_MS)));
            assert_eq!(here.handle_command(NativeCommand::Off), []);
            here
        };
        assert_eq!(leaving().handle_heard(welcome(VERSION, None)), end);
        assert_eq!(leaving().handle_alarm(), end);
        assert_eq!(leaving().handle_gone("")[..], end[1..]);
    }
}
