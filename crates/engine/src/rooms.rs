//! Which rooms of the signaling server this device is in: those that its settings, its paired devices and the hour ask for.
//! Rooms of codes come and go with their code. It knows no peer but by its room.

use std::collections::VecDeque;
use std::net::IpAddr;

use tabferry_protocol::address::is_private;
use tabferry_protocol::host::{DeviceView, GroupState, GroupView, Settings, Visibility, Visible};
use tabferry_protocol::id::{DeviceId, PeerId};
use tabferry_protocol::limits::{GROUPS, ROOM_RETRY_MS, UNRELATED_DEVICES};
use tabferry_protocol::pair::{hours_around, next_change};
use tabferry_protocol::signaling::{Room, Welcome};

use crate::engine::Engine;
use crate::io::Time;
use crate::table::Table;

/// Sockets of all endpoints of this device that are remembered: the server forgets a silent one after a minute.
const OWN_PEERS: usize = 32;

/// The rooms that the server was asked for, and what decides which they are.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    asked: Table<Room, Asked>,
    /// Seconds since 1970 by the server's clock, and when it said so.
    server_time: Option<(u64, Time)>,
    /// Where the server sees us.
    address: String,
    /// Who this device's endpoints are to the server, or were lately: it may take a while until it knows that a socket is gone,
    /// and where no card is shown, nothing but this tells such a peer from another device.
    own: VecDeque<PeerId>,
    /// The last address at which too many strangers were.
    crowded_at: Option<String>,
    /// The address at which a person wants to be seen all the same.
    shown_at: Option<String>,
}

#[derive(Debug)]
struct Asked {
    /// Whose room it is, if it is that of a pair.
    paired: Option<DeviceId>,
    answer: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    None,
    Joined,
    /// To be asked for again then.
    Refused(Time),
}

impl Rooms {
    /// The server is there.
    pub(crate) fn welcome(&mut self, now: Time, welcome: &Welcome) {
        self.asked = Table::default();
        self.server_time = Some((welcome.time, now));
        self.address.clone_from(&welcome.address);
        self.add_own(welcome.peer);
    }

    fn add_own(&mut self, peer: PeerId) {
        if !self.own.contains(&peer) {
            self.own.truncate(OWN_PEERS - 1);
            self.own.push_front(peer);
        }
    }

    /// Whether a peer is this device itself, through a socket of now or before, of whatever endpoint.
    pub(crate) fn was_own(&self, peer: PeerId) -> bool {
        self.own.contains(&peer)
    }

    /// The server is gone, and with it every room.
    pub(crate) fn clear(&mut self) {
        self.asked = Table::default();
        self.server_time = None;
    }

    /// The hour is what the server says it is: devices whose own clocks differ agree by it.
    fn server_seconds(&self, now: Time) -> Option<u64> {
        let (seconds, at) = self.server_time?;
        Some(seconds.saturating_add(now.since(at) / 1000))
    }

    /// Whether a room was asked for and not refused.
    pub(crate) fn is_asked(&self, room: Room) -> bool {
        let asked = self.asked.get(&room);
        asked.is_some_and(|asked| !matches!(asked.answer, Answer::Refused(_)))
    }

    /// Whose room it is, if it is that of a pair.
    pub(crate) fn paired(&self, room: Room) -> Option<DeviceId> {
        self.asked.get(&room)?.paired
    }

    pub(crate) fn joined(&mut self, room: Room) {
        if let Some(asked) = self.asked.get_mut(&room) {
            asked.answer = Answer::Joined;
        }
    }

    pub(crate) fn refused(&mut self, now: Time, room: Room) {
        if let Some(asked) = self.asked.get_mut(&room) {
            asked.answer = Answer::Refused(now + ROOM_RETRY_MS);
        }
    }

    /// One that this device is in.
    fn any_joined(&self) -> Option<Room> {
        let mut rooms = self.asked.iter();
        let joined = rooms.find(|(_, asked)| asked.answer == Answer::Joined);
        joined.map(|(room, _)| *room)
    }

    /// When other rooms are to be asked for.
    pub(crate) fn deadline(&self, now: Time) -> Option<Time> {
        let (_, at) = self.server_time?;
        let seconds = self.server_seconds(now)?;
        let pairs = self.asked.values().any(|asked| asked.paired.is_some());
        let change = next_change(seconds).saturating_sub(seconds) * 1000;
        // A whole second of the server's clock begins when ours is a whole one past its word.
        let change = now + (change - now.since(at) % 1000);
        let retries = self.asked.values().filter_map(|asked| match asked.answer {
            Answer::Refused(until) => Some(until),
            Answer::None | Answer::Joined => None,
        });
        retries.chain(pairs.then_some(change)).min()
    }

    fn is_crowded(&self) -> bool {
        self.crowded_at.as_ref() == Some(&self.address)
            && self.shown_at.as_ref() != Some(&self.address)
    }

    pub(crate) fn show_in_crowd(&mut self) {
        self.shown_at = Some(self.address.clone());
    }

    /// So many devices are near that are not paired. True if that makes this one hide.
    pub(crate) fn count_unrelated(&mut self, devices: usize) -> bool {
        let address: Option<IpAddr> = self.address.parse().ok();
        let is_public = address.is_some_and(|address| !is_private(address));
        if devices > UNRELATED_DEVICES && is_public {
            self.crowded_at = Some(self.address.clone());
        }
        self.is_crowded()
    }

    fn visible(&self, visibility: Visibility) -> Visible {
        let nearby = self.asked.get(&Room::Nearby);
        match visibility {
            Visibility::Nobody => Visible::Nobody,
            Visibility::Paired => Visible::Paired,
            Visibility::Everyone if self.is_crowded() => Visible::Crowded,
            Visibility::Everyone
                if nearby.is_some_and(|asked| matches!(asked.answer, Answer::Refused(_))) =>
            {
                Visible::Unavailable
            }
            Visibility::Everyone => Visible::Everyone,
        }
    }
}

impl Engine {
    /// The rooms to be in, each with the device whose room it is.
    fn wanted_rooms(&self, settings: &Settings) -> Vec<(Room, Option<DeviceId>)> {
        let mut wanted = Vec::new();
        if settings.visibility == Visibility::Everyone && !self.rooms.is_crowded() {
            wanted.push((Room::Nearby, None));
        }
        if settings.visibility == Visibility::Nobody {
            return wanted;
        }
        let groups = settings.groups.iter().take(GROUPS);
        wanted.extend(groups.map(|name| (Room::Group { name: *name }, None)));
        if let Some(seconds) = self.rooms.server_seconds(self.now) {
            for hour in hours_around(seconds) {
                let pairs = self.trust.tags(hour);
                wanted.extend(pairs.map(|(device, tag)| (Room::Pair { tag }, Some(device))));
            }
        }
        wanted
    }

    /// Leaves the rooms that are no longer wanted, and asks for those that are.
    pub(crate) fn update_rooms(&mut self) {
        let (Some(settings), true) = (&self.settings, self.signaling.is_online()) else {
            return;
        };
        let wanted = self.wanted_rooms(settings);
        let kept = |room: &Room| wanted.iter().any(|(known, _)| known == room);
        let left = self.rooms.asked.keys().filter(|room| !kept(room)).copied();
        for room in left.collect::<Vec<_>>() {
            self.rooms.asked.remove(&room);
            self.signaling.send_leave(room, &mut self.out);
            self.close_room(room);
        }
        let now = self.now;
        for (room, paired) in wanted {
            let is_due =
                self.rooms.asked.get(&room).is_none_or(
                    |asked| matches!(asked.answer, Answer::Refused(until) if until <= now),
                );
            if is_due {
                let answer = Answer::None;
                self.rooms.asked.insert(room, Asked { paired, answer });
                let card = self.card().filter(|_| room.shows_cards());
                self.signaling.send_join(room, card, &mut self.out);
            }
        }
    }

    /// Finds out whether the server is still there: whoever loses one path may have lost all, and a socket tells only after
    /// minutes.
    pub(crate) fn probe_signaling(&mut self) {
        if let Some(room) = self.rooms.any_joined() {
            let card = self.card().filter(|_| room.shows_cards());
            self.signaling.probe(self.now, room, card, &mut self.out);
        }
    }

    /// These are other endpoints of this device.
    pub(crate) fn handle_own_peers(&mut self, peers: Vec<PeerId>) {
        for peer in peers {
            self.rooms.add_own(peer);
            if self.presence.get(peer).is_some() {
                self.presence.remove(peer);
                self.lose_sight(peer);
            }
        }
    }

    /// Nobody is in a room any more, as far as this device knows.
    pub(crate) fn close_room(&mut self, room: Room) {
        let within: Vec<_> = self.presence.within(room).map(|peer| peer.id).collect();
        for peer in within {
            self.part(room, peer);
        }
        self.out.changed();
    }

    /// Hides from everyone nearby if there are too many strangers.
    pub(crate) fn hide_in_crowd(&mut self) {
        let near = self.presence.devices_within(Room::Nearby, self.id());
        let unrelated = near
            .into_iter()
            .filter(|device| !self.trust.is_paired(device.id));
        if self.rooms.count_unrelated(unrelated.count()) {
            self.update_rooms();
            self.out.changed();
        }
    }

    /// Who can find this device.
    pub(crate) fn visible(&self) -> Visible {
        let settings = self.settings.as_ref();
        self.rooms
            .visible(settings.map(|it| it.visibility).unwrap_or_default())
    }

    /// The groups that this device is in.
    pub(crate) fn groups(&self) -> Vec<GroupView> {
        let Some(settings) = &self.settings else {
            return Vec::new();
        };
        let state = |room| match self.rooms.asked.get(&room).map(|asked| asked.answer) {
            Some(Answer::Joined) => {
                let others: Vec<DeviceView> = self.presence.devices_within(room, self.id());
                GroupState::Joined {
                    others: u32::try_from(others.len()).unwrap_or(u32::MAX),
                }
            }
            Some(Answer::Refused(_)) => GroupState::Refused,
            Some(Answer::None) | None => GroupState::Away,
        };
        let groups = settings.groups.iter().take(GROUPS).copied();
        groups
            .map(|name| GroupView {
                name,
                state: state(Room::Group { name }),
            })
            .collect()
    }
}
