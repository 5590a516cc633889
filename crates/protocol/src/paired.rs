//! What an engine's host keeps of a paired device, what that device may do unasked, and how the lists of two endpoints of
//! one device become one. Knows no session and no storage.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::card::{DeviceKind, DeviceName};
use crate::id::DeviceId;
use crate::identity::PublicKey;
use crate::limits::PAIRED_DEVICES;
use crate::pair::PairSecret;

/// A device that was paired, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedDevice {
    /// What it proves itself with. Trust is in this key, whatever else changes.
    pub key: PublicKey,
    /// What it is called here.
    pub name: DeviceName,
    /// For the icon.
    pub kind: DeviceKind,
    /// What both devices share.
    #[serde(serialize_with = "write_secret", deserialize_with = "read_secret")]
    pub secret: PairSecret,
    /// When it was paired. Seconds since 1970.
    pub since: u64,
    /// When it last proved itself. Seconds since 1970.
    pub last_seen: u64,
    /// What it may do unasked.
    pub auto_accept: AutoAccept,
}

impl PairedDevice {
    /// Which device it is.
    pub fn id(&self) -> DeviceId {
        DeviceId::of(&self.key)
    }
}

/// The paired devices after another endpoint has changed them from `base` to `now`, where they are `current` here. What
/// only one of both has changed becomes so. What both have changed becomes as in `now`, but a device that either has
/// removed stays removed, unless the other has paired it anew since. When a device was last seen is no change.
pub fn merge(
    current: &[PairedDevice],
    base: &[PairedDevice],
    now: &[PairedDevice],
) -> Vec<PairedDevice> {
    let current_or_new = current.iter().chain(
        now.iter()
            .filter(|device| find(current, device.id()).is_none()),
    );
    current_or_new
        .filter_map(|device| {
            let id = device.id();
            merge_one(find(current, id), find(base, id), find(now, id))
        })
        .take(PAIRED_DEVICES)
        .collect()
}

fn find(devices: &[PairedDevice], id: DeviceId) -> Option<&PairedDevice> {
    devices.iter().find(|device| device.id() == id)
}

fn merge_one(
    current: Option<&PairedDevice>,
    base: Option<&PairedDevice>,
    now: Option<&PairedDevice>,
) -> Option<PairedDevice> {
    let (Some(current), Some(now)) = (current, now) else {
        let left = current.or(now)?;
        // Missing in the base: it is new. Another secret: it was paired anew.
        let is_kept = base.is_none_or(|base| base.secret != left.secret);
        return is_kept.then(|| left.clone());
    };
    let is_unchanged = base.is_some_and(|base| {
        let last_seen = now.last_seen;
        PairedDevice {
            last_seen,
            ..base.clone()
        } == *now
    });
    let mut merged = if is_unchanged { current } else { now }.clone();
    merged.last_seen = current.last_seen.max(now.last_seen);
    Some(merged)
}

/// What a paired device may do without anybody being asked. Nothing, unless a person says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoAccept {
    /// Files of a proposal that together are not larger. Bytes; `None`: a person is asked. Files that may run something
    /// when they are opened are always asked for.
    #[serde(default)]
    pub files: Option<u64>,
    /// Pages and links open by themselves, a few a minute.
    #[serde(default)]
    pub links: bool,
    /// Texts are copied to the clipboard, a few a minute.
    #[serde(default)]
    pub texts: bool,
}

fn write_secret<S: Serializer>(secret: &PairSecret, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&secret.expose_text())
}

fn read_secret<'de, D: Deserializer<'de>>(from: D) -> Result<PairSecret, D::Error> {
    PairSecret::from_text(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::DeviceKey;

    fn device(seed: u8, name: &str) -> PairedDevice {
        PairedDevice {
            key: DeviceKey::from_seed(&[seed; 32]).public(),
            name: DeviceName::from_typed(name).unwrap(),
            kind: DeviceKind::Computer,
            secret: PairSecret::from_text(&"11".repeat(32)).unwrap(),
            since: 1,
            last_seen: 1,
            auto_accept: AutoAccept::default(),
        }
    }

    fn merged(
        current: &[PairedDevice],
        base: &[PairedDevice],
        now: &[PairedDevice],
    ) -> Vec<(String, u64)> {
        let devices = merge(current, base, now);
        let shown = devices
            .into_iter()
            .map(|device| (device.name.to_string(), device.last_seen));
        shown.collect()
    }

    fn one(name: &str) -> Vec<PairedDevice> {
        vec![device(1, name)]
    }

    #[test]
    fn what_one_end_has_changed_becomes_so() {
        let named = |name: &str| vec![(name.to_owned(), 1)];
        assert_eq!(merged(&one("a"), &one("a"), &one("b")), named("b"));
        assert_eq!(merged(&one("b"), &one("a"), &one("a")), named("b"));
        assert_eq!(merged(&one("b"), &one("a"), &one("c")), named("c"));
    }

    #[test]
    fn a_device_that_one_end_has_removed_is_gone() {
        assert_eq!(merged(&one("a"), &one("a"), &[]), []);
        assert_eq!(merged(&[], &one("a"), &one("a")), []);
        // Whatever the other end has changed of it: trust that was withdrawn does not come back.
        assert_eq!(merged(&one("b"), &one("a"), &[]), []);
        assert_eq!(merged(&[], &one("a"), &one("b")), []);
    }

    #[test]
    fn a_device_that_was_paired_anew_is_there() {
        let anew = PairedDevice {
            secret: PairSecret::from_text(&"22".repeat(32)).unwrap(),
            ..device(1, "again")
        };
        assert_eq!(
            merged(&[], &one("a"), core::slice::from_ref(&anew)),
            [("again".to_owned(), 1)]
        );
        assert_eq!(merged(&[anew], &one("a"), &[]), [("again".to_owned(), 1)]);
    }

    #[test]
    fn new_devices_of_both_ends_are_there() {
        let current = [device(1, "a"), device(2, "b")];
        let now = [device(1, "a"), device(3, "c")];
        let names: Vec<_> = merged(&current, &one("a"), &now)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn having_been_seen_is_no_change_and_is_not_forgotten() {
        let seen = PairedDevice {
            last_seen: 9,
            ..device(1, "a")
        };
        assert_eq!(
            merged(&one("b"), &one("a"), core::slice::from_ref(&seen)),
            [("b".to_owned(), 9)]
        );
        assert_eq!(merged(&[], &one("a"), core::slice::from_ref(&seen)), []);
        assert_eq!(merged(&[seen], &one("a"), &one("a")), [("a".to_owned(), 9)]);
    }

    #[test]
    fn a_merged_list_is_no_longer_than_any() {
        let many =
            |from: u8| -> Vec<_> { (from..from + 32).map(|seed| device(seed, "d")).collect() };
        assert_eq!(merge(&many(0), &[], &many(100)).len(), PAIRED_DEVICES);
    }
}
