//! The devices that a person has paired with this one, and what they may do unasked. It knows no session: whoever asks has
//! seen the device prove its key.

use tabferry_protocol::host::{DeviceView, PairedView};
use tabferry_protocol::id::{DeviceId, PairTag};
use tabferry_protocol::identity::PublicKey;
use tabferry_protocol::limits::{PAIRED_DEVICES, UNASKED_BYTES_PER_DAY, UNASKED_FILES_PER_DAY};
use tabferry_protocol::paired::{AutoAccept, PairedDevice};

use crate::io::{Output, Time};
use crate::outbox::Outbox;
use crate::table::Table;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The paired devices.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    paired: Table<DeviceId, PairedDevice>,
    /// What came unasked in the day that began then.
    unasked: Table<DeviceId, Unasked>,
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

    /// Keeps a device, in place of what was known of it.
    pub(crate) fn insert(&mut self, device: PairedDevice, out: &mut Outbox) {
        self.paired.insert(device.id(), device);
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
