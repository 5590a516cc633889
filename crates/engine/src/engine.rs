//! The machine itself: all state, where inputs go, what time brings, what there is to show. The rules of each part are
//! in its own file.

use std::collections::VecDeque;

use tabferry_protocol::card::{DeviceCard, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{self, DeviceView, ItemView, Settings, Snapshot, TransferState};
use tabferry_protocol::id::{DeviceId, ResumeId, TransferId};
use tabferry_protocol::identity::{DeviceKey, SignedCard};
use tabferry_protocol::paired::PairedDevice;

use crate::codes::Codes;
use crate::flow::Read;
use crate::io::{Input, Output, ReadKey, Time};
use crate::outbox::Outbox;
use crate::pairing::Pairings;
use crate::presence::Presence;
use crate::rooms::Rooms;
use crate::session::{Session, SessionKey};
use crate::signaling::Signaling;
use crate::table::Table;
use crate::transfer::Transfer;
use crate::trust::Trust;

/// The state machine. See the crate's documentation for the contract with its driver.
#[derive(Debug)]
pub struct Engine {
    pub(crate) now: Time,
    /// Seconds since 1970 when the engine started, which was then.
    started: (u64, Time),
    /// Who this device is.
    pub(crate) key: DeviceKey,
    /// What of this device it is.
    endpoint: EndpointKind,
    pub(crate) settings: Option<Settings>,
    pub(crate) signaling: Signaling,
    pub(crate) rooms: Rooms,
    pub(crate) presence: Presence,
    /// Devices seen since the start, for the names of those that have left.
    pub(crate) known: Table<DeviceId, DeviceView>,
    pub(crate) trust: Trust,
    pub(crate) pairings: Pairings,
    pub(crate) codes: Codes,
    pub(crate) sessions: Table<SessionKey, Session>,
    pub(crate) transfers: Table<TransferId, Transfer>,
    /// Received pages, links and texts, oldest first.
    pub(crate) items: VecDeque<ItemView>,
    pub(crate) reads: Table<ReadKey, Read>,
    /// How transfers and items from other devices ended, oldest first.
    pub(crate) outcomes: VecDeque<(DeviceId, ResumeId, TransferState)>,
    pub(crate) out: Outbox,
}

/// Ids of a native endpoint's transfers and items are above this, those of other endpoints below.
pub const NATIVE_KEYS: u32 = 1 << 31;

/// What a host keeps for its engine from one start to the next.
#[derive(Debug)]
pub struct Kept {
    /// Who this device is.
    pub key: DeviceKey,
    /// The last [`Output::KeepPaired`].
    pub paired: Vec<PairedDevice>,
}

impl Engine {
    /// A new engine that has heard nothing yet. `seed` must be random and never used before: ids, keys of handshakes and
    /// back-off derive from it. `unix_seconds` is the time of day, for what a person is shown of it.
    pub fn new(
        endpoint: EndpointKind,
        kept: Kept,
        seed: [u8; 32],
        now: Time,
        unix_seconds: u64,
    ) -> Self {
        // The endpoints of one device are shown together, so no two of them may give out the same number.
        let first_key = match endpoint {
            EndpointKind::Native => NATIVE_KEYS,
            _ => 0,
        };
        Self {
            now,
            started: (unix_seconds, now),
            key: kept.key,
            endpoint,
            settings: None,
            signaling: Signaling::new(),
            rooms: Rooms::default(),
            presence: Presence::default(),
            known: Table::default(),
            trust: Trust::of_kept(kept.paired),
            pairings: Pairings::default(),
            codes: Codes::default(),
            sessions: Table::default(),
            transfers: Table::default(),
            items: VecDeque::new(),
            reads: Table::default(),
            outcomes: VecDeque::new(),
            out: Outbox::new(seed, first_key),
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = self.now.max(now);
        if matches!(input, Input::Tick | Input::SignalingClosed(_)) {
            let mut transfers = self.transfers.values();
            self.signaling.hurried = transfers.any(|it| it.state == TransferState::Waiting);
        }
        match input {
            Input::Command(command) => self.handle_command(command),
            Input::TrustCommand(command) => self.handle_trust_command(command),
            Input::OwnPeers(peers) => self.handle_own_peers(peers),
            Input::Paired(paired) => self.handle_paired(paired),
            Input::SignalingOpened => {
                self.signaling.handle_opened(self.endpoint, &mut self.out);
            }
            Input::SignalingReceived(text) => self.handle_signaling_received(text),
            Input::SignalingClosed(problem) => {
                let was_online = self.signaling.is_online();
                self.signaling
                    .handle_closed(self.now, problem, &mut self.out);
                self.forget_rooms_if_lost(was_online);
            }
            Input::LocalDescription { connection, sdp } => {
                self.handle_local_description(connection, sdp)
            }
            Input::LocalCandidate {
                connection,
                candidate,
            } => self.handle_local_candidate(connection, candidate),
            Input::ConnectionChanged { connection, state } => {
                self.handle_connection_changed(connection, state)
            }
            Input::ChannelsOpened {
                connection,
                presented,
            } => self.handle_channels_opened(connection, presented),
            Input::ConnectionEnded { connection } => self.handle_connection_ended(connection),
            Input::ConnectionUnverified { connection } => {
                if let Some(session) = self.session_of(connection) {
                    self.close_session(session, Code::Unverified);
                }
            }
            Input::Frame {
                connection,
                channel,
                bytes,
            } => self.handle_frame(connection, channel, bytes),
            Input::Chunk {
                read,
                data,
                buffered,
            } => self.handle_chunk(read, data, buffered),
            Input::ReadFailed { read } => self.handle_read_failed(read),
            Input::BufferedLow { connection } => self.handle_buffered_low(connection),
            Input::Written { file, bytes } => self.handle_written(file, bytes),
            Input::Stored { file, stored } => self.handle_stored(file, stored),
            Input::FileFailed { file, failure } => self.handle_file_failed(file, failure),
            Input::Tick => self.tick(),
        }
    }

    /// Which device this is.
    pub(crate) fn id(&self) -> DeviceId {
        DeviceId::of(&self.key.public())
    }

    /// What this device says of itself, once configured.
    pub(crate) fn card(&self) -> Option<DeviceCard> {
        self.settings.as_ref().map(|settings| DeviceCard {
            id: self.id(),
            name: settings.name.clone(),
            kind: settings.kind,
        })
    }

    /// The same, signed.
    pub(crate) fn signed_card(&self) -> Option<SignedCard> {
        let settings = self.settings.as_ref()?;
        Some(SignedCard::sign(&self.key, &settings.name, settings.kind))
    }

    /// The other devices, under the names that they have here.
    fn devices(&self) -> Vec<DeviceView> {
        let devices = self.presence.devices(self.id()).into_iter();
        let mut shown: Vec<_> = devices.map(|device| self.trust.shown(device)).collect();
        shown.sort_unstable_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        shown
    }

    /// Seconds since 1970.
    pub(crate) fn unix_seconds(&self) -> u64 {
        let (unix_seconds, at) = self.started;
        unix_seconds.saturating_add(self.now.since(at) / 1000)
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// When [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Time> {
        let sessions = self
            .sessions
            .keys()
            .filter_map(|key| self.session_deadline(*key));
        let transfers = self
            .transfers
            .values()
            .filter_map(|transfer| self.expiry(transfer).map(|(at, _)| at));
        self.signaling
            .deadline()
            .into_iter()
            .chain(sessions)
            .chain(transfers)
            .chain(self.pairings.deadline())
            .chain(self.codes.deadline())
            .chain(self.rooms.deadline(self.now))
            .min()
    }

    /// When a transfer has waited for too long, and the code for that.
    fn expiry(&self, transfer: &Transfer) -> Option<(Time, Code)> {
        let moved_at = transfer
            .session
            .and_then(|key| self.sessions.get(&key))
            .map_or(transfer.moved_at, |session| session.moved_at);
        transfer.expiry(moved_at)
    }

    fn tick(&mut self) {
        if let Some(settings) = &self.settings {
            let was_online = self.signaling.is_online();
            self.signaling.tick(self.now, settings, &mut self.out);
            self.forget_rooms_if_lost(was_online);
        }
        self.update_rooms();
        self.tick_pairing();
        self.tick_code();
        let sessions: Vec<_> = self.sessions.keys().copied().collect();
        for key in sessions {
            self.tick_session(key);
        }
        let expired: Vec<(TransferId, Code)> = self
            .transfers
            .values()
            .filter_map(|transfer| {
                let (at, code) = self.expiry(transfer)?;
                (at <= self.now).then_some((transfer.id, code))
            })
            .collect();
        for (id, code) in expired {
            self.expire(id, code);
        }
    }

    /// Changes whenever a new snapshot would differ in more than the progress of running transfers.
    pub fn revision(&self) -> u64 {
        self.out.revision()
    }

    /// All that there is to show.
    pub fn snapshot(&self, now: Time) -> Snapshot {
        let (pending, others): (Vec<&Transfer>, Vec<&Transfer>) = self
            .transfers
            .values()
            .partition(|transfer| transfer.is_pending());
        Snapshot {
            device: self.card(),
            connection: self.signaling.view(),
            visible: self.visible(),
            devices: self.devices(),
            incoming: pending.into_iter().filter_map(Transfer::proposal).collect(),
            transfers: others
                .into_iter()
                .rev()
                .map(|transfer| transfer.view(now))
                .collect(),
            items: self.items.iter().rev().cloned().collect(),
        }
    }

    /// Whom the person at this device trusts.
    pub fn trust(&self) -> host::Trust {
        host::Trust {
            paired: self.trust.views(),
            pairing: self.pairings.view(),
            code: self.codes.view(),
            groups: self.groups(),
        }
    }
}
