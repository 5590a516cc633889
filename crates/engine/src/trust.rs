//! The devices that a person has paired with this one, and what they may do unasked. It knows no session: whoever asks has
//! seen the device prove its key.

use std::collections::VecDeque;

use tabferry_protocol::host::{DeviceView, PairedView};
use tabferry_protocol::id::{DeviceId, PairTag};
use tabferry_protocol::identity::PublicKey;
use tabferry_protocol::limits::{
    PAIRED_DEVICES, UNASKED_BYTES_PER_DAY, UNASKED_FILES_PER_DAY, UNASKED_ITEMS_PER_HOUR,
    UNASKED_ITEMS_PER_MINUTE,
};
use tabferry_protocol::manifest::Item;
use tabferry_protocol::pair::PairSecret;
use tabferry_protocol::paired::{AutoAccept, PairedDevice};

use crate::io::{Output, Time};
use crate::outbox::Outbox;
use crate::table::Table;

const MINUTE_MS: u64 = 60 * 1000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The paired devices.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    paired: Table<DeviceId, PairedDevice>,
    /// What came unasked in the day that began then.
    unasked: Table<DeviceId, Unasked>,
    /// When pages, links and texts were opened or copied unasked in the last hour, oldest first.
    items: Table<DeviceId, VecDeque<Time>>,
}

#[derive(Debug, Clone, Copy)]
struct Unasked {
    since: Time,
    bytes: u64,
    files: u32,
}

impl Trust {
    /// What was kept before.
    pub(crate) fn of_kept(kept: Vec<PairedDevice>) -> Self {
        let mut paired = Table::default();
        for device in kept.into_iter().take(PAIRED_DEVICES) {
            paired.insert(device.id(), device);
        }
        Self {
            paired,
            unasked: Table::default(),
            items: Table::default(),
        }
    }

    /// Under which tag each paired device is found in this hour.
    pub(crate) fn tags(&self, hour: u64) -> impl Iterator<Item = (DeviceId, PairTag)> {
        let paired = self.paired.iter();
        paired.map(move |(device, known)| (*device, known.secret.tag(hour)))
    }

    pub(crate) fn is_paired(&self, device: DeviceId) -> bool {
        self.paired.contains_key(&device)
    }

    /// A paired device, as it is shown.
    pub(crate) fn device(&self, device: DeviceId) -> Option<DeviceView> {
        self.paired.get(&device).map(|known| view(known).device)
    }

    /// Whether a proven key may be that of the device with its id: an id could, in theory, have a second one.
    pub(crate) fn fits(&self, key: PublicKey) -> bool {
        let known = self.paired.get(&DeviceId::of(&key));
        known.is_none_or(|known| known.key == key)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.paired.len() >= PAIRED_DEVICES
    }

    /// Keeps a device that has proved this key. What a person has chosen for one that is paired already stays. False if there
    /// can't be another one.
    pub(crate) fn pair(
        &mut self,
        key: PublicKey,
        device: &DeviceView,
        secret: PairSecret,
        unix_seconds: u64,
        out: &mut Outbox,
    ) -> bool {
        let id = DeviceId::of(&key);
        if let Some(known) = self.paired.get_mut(&id) {
            known.secret = secret;
        } else if self.is_full() {
            return false;
        } else {
            let new = PairedDevice {
                key,
                name: device.name.clone(),
                kind: device.kind,
                secret,
                since: unix_seconds,
                last_seen: unix_seconds,
                auto_accept: AutoAccept::default(),
            };
            self.paired.insert(id, new);
        }
        self.keep(out);
        true
    }

    /// Takes these in place of those there are. What has come unasked still counts.
    pub(crate) fn replace(&mut self, paired: Vec<PairedDevice>, out: &mut Outbox) {
        self.paired = Self::of_kept(paired).paired;
        self.keep(out);
    }

    pub(crate) fn remove(&mut self, device: DeviceId, out: &mut Outbox) {
        if self.paired.remove(&device).is_some() {
            self.keep(out);
        }
    }

    /// Changes what is known of a device.
    pub(crate) fn change(
        &mut self,
        device: DeviceId,
        out: &mut Outbox,
        change: impl FnOnce(&mut PairedDevice),
    ) {
        if let Some(known) = self.paired.get_mut(&device) {
            change(known);
            self.keep(out);
        }
    }

    fn keep(&self, out: &mut Outbox) {
        out.push(Output::KeepPaired(self.paired.values().cloned().collect()));
        out.changed();
    }

    /// Whether a device may send these files unasked, which then count.
    pub(crate) fn take_unasked(
        &mut self,
        now: Time,
        device: DeviceId,
        bytes: u64,
        files: u32,
    ) -> bool {
        let Some(AutoAccept {
            files: Some(most), ..
        }) = self.paired.get(&device).map(|known| known.auto_accept)
        else {
            return false;
        };
        let today = self
            .unasked
            .get(&device)
            .copied()
            .filter(|unasked| now.since(unasked.since) < DAY_MS)
            .unwrap_or(Unasked {
                since: now,
                bytes: 0,
                files: 0,
            });
        let after = Unasked {
            since: today.since,
            bytes: today.bytes.saturating_add(bytes),
            files: today.files.saturating_add(files),
        };
        let within = bytes <= most
            && after.bytes <= UNASKED_BYTES_PER_DAY
            && after.files <= UNASKED_FILES_PER_DAY;
        if within {
            self.unasked.insert(device, after);
        }
        within
    }

    /// Whether an item of a device is to be opened or copied unasked, which then counts.
    pub(crate) fn take_item(&mut self, now: Time, device: DeviceId, item: &Item) -> bool {
        let allowed = self.paired.get(&device).map(|known| known.auto_accept);
        let allowed = allowed.is_some_and(|allowed| match item {
            Item::Page { .. } | Item::Link { .. } => allowed.links,
            Item::Text { .. } => allowed.texts,
        });
        if !allowed {
            return false;
        }
        if !self.items.contains_key(&device) {
            self.items.insert(device, VecDeque::new());
        }
        let Some(taken) = self.items.get_mut(&device) else {
            return false;
        };
        while taken.front().is_some_and(|at| now.since(*at) >= HOUR_MS) {
            taken.pop_front();
        }
        let lately = taken.iter().rev();
        let lately = lately.take_while(|at| now.since(**at) < MINUTE_MS).count();
        let within = lately < UNASKED_ITEMS_PER_MINUTE && taken.len() < UNASKED_ITEMS_PER_HOUR;
        if within {
            taken.push_back(now);
        }
        within
    }

    /// What a device is shown as: under the name that it has here, if it is paired.
    pub(crate) fn shown(&self, mut device: DeviceView) -> DeviceView {
        let known = self.paired.get(&device.id);
        device.paired = known.is_some();
        if let Some(known) = known {
            device.name = known.name.clone();
        }
        device
    }

    /// All of them, by name.
    pub(crate) fn views(&self) -> Vec<PairedView> {
        let mut views: Vec<_> = self.paired.values().map(view).collect();
        views.sort_unstable_by(|a, b| {
            (&a.device.name, a.device.id).cmp(&(&b.device.name, b.device.id))
        });
        views
    }
}

fn view(known: &PairedDevice) -> PairedView {
    PairedView {
        device: DeviceView {
            id: known.id(),
            name: known.name.clone(),
            kind: known.kind,
            paired: true,
        },
        since: known.since,
        last_seen: known.last_seen,
        auto_accept: known.auto_accept,
    }
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::card::{DeviceKind, DeviceName};
    use tabferry_protocol::identity::DeviceKey;
    use tabferry_protocol::link::WebUrl;
    use tabferry_protocol::pair::PairHalf;

    use super::*;

    fn paired(auto_accept: AutoAccept) -> (Trust, DeviceId) {
        let half = PairHalf::from_bytes([1; 32]);
        let device = PairedDevice {
            key: DeviceKey::from_seed(&[5; 32]).public(),
            name: DeviceName::from_typed("Phone").unwrap(),
            kind: DeviceKind::Phone,
            secret: PairSecret::of_halves(&half, &half),
            since: 0,
            last_seen: 0,
            auto_accept,
        };
        let id = device.id();
        (Trust::of_kept(vec![device]), id)
    }

    fn link() -> Item {
        Item::Link {
            url: WebUrl::try_from("https://example.org/".to_owned()).unwrap(),
            title: String::new(),
        }
    }

    fn text() -> Item {
        Item::Text {
            text: "x".to_owned(),
        }
    }

    #[test]
    fn only_what_a_person_allows_happens_unasked() {
        let nothing = AutoAccept::default();
        let links = AutoAccept {
            links: true,
            ..nothing
        };
        let texts = AutoAccept {
            texts: true,
            ..nothing
        };
        for (allowed, for_link, for_text) in [
            (nothing, false, false),
            (links, true, false),
            (texts, false, true),
        ] {
            let (mut trust, device) = paired(allowed);
            assert_eq!(trust.take_item(Time(0), device, &link()), for_link);
            assert_eq!(trust.take_item(Time(0), device, &text()), for_text);
            let stranger = DeviceId::from_bytes([9; 16]);
            assert!(!trust.take_item(Time(0), stranger, &link()));
        }
    }

    #[test]
    fn links_open_unasked_a_few_times_a_minute_and_an_hour() {
        let (mut trust, device) = paired(AutoAccept {
            links: true,
            ..AutoAccept::default()
        });
        let mut take = |at| trust.take_item(Time(at), device, &link());
        let mut taken = 0;
        for (minute, most) in
            (0..20).zip((UNASKED_ITEMS_PER_MINUTE..).step_by(UNASKED_ITEMS_PER_MINUTE))
        {
            for second in 0..10 {
                taken += usize::from(take(minute * MINUTE_MS + second * 1000));
            }
            assert_eq!(
                taken,
                most.min(UNASKED_ITEMS_PER_HOUR),
                "after minute {minute}"
            );
        }
        assert!(!take(HOUR_MS - 1));
        assert!(take(HOUR_MS), "the first one is an hour old");
        assert!(!take(HOUR_MS));
    }
}
