//! A paired device in the settings: what it is called, since when, and what it may do unasked.

use tabferry_protocol::host::PairedView;
use tabferry_protocol::id::DeviceId;
use tabferry_protocol::limits::UNASKED_BYTES_PER_DAY;
use tabferry_protocol::paired::AutoAccept;

use crate::i18n::{Words, size};

/// The limits that can be chosen for files that come unasked. Bytes.
pub const LIMITS: [u64; 4] = [
    10_000_000,
    100_000_000,
    1_000_000_000,
    UNASKED_BYTES_PER_DAY,
];

/// What is shown of a paired device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedModel {
    /// Which.
    pub id: DeviceId,
    /// The id as people compare it.
    pub spelled: String,
    /// What it is called here.
    pub name: String,
    /// Name of its icon.
    pub icon: &'static str,
    /// When it was paired. Seconds since 1970.
    pub since: u64,
    /// When it was last seen. Seconds since 1970.
    pub last_seen: u64,
    /// How many of [`LIMITS`] are too low for what it may send unasked, and one; 0 if it may not.
    pub limit: usize,
    /// Whether its pages and links open by themselves.
    pub links: bool,
    /// Whether its texts are copied by themselves.
    pub texts: bool,
}

impl PairedModel {
    /// What is shown of this device.
    pub fn new(paired: &PairedView, icon: &'static str) -> Self {
        let limit = paired.auto_accept.files.map_or(0, |most| {
            let lower = LIMITS.iter().filter(|limit| **limit < most).count();
            lower.min(LIMITS.len() - 1) + 1
        });
        Self {
            id: paired.device.id,
            spelled: paired.device.id.spelled(),
            name: paired.device.name.as_str().to_owned(),
            icon,
            since: paired.since,
            last_seen: paired.last_seen,
            limit,
            links: paired.auto_accept.links,
            texts: paired.auto_accept.texts,
        }
    }
}

/// One change of what a paired device may do unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Files: the number of the chosen one of [`limit_words`].
    Files(usize),
    /// Whether its pages and links open by themselves.
    Links(bool),
    /// Whether its texts are copied by themselves.
    Texts(bool),
}

impl Change {
    /// What the device may after it; all else stays.
    pub fn of(self, mut known: AutoAccept) -> AutoAccept {
        match self {
            Self::Files(choice) => {
                let limit = choice.checked_sub(1);
                known.files = limit.and_then(|index| LIMITS.get(index).copied());
            }
            Self::Links(may) => known.links = may,
            Self::Texts(may) => known.texts = may,
        }
        known
    }
}

/// The words for each limit that can be chosen, the first for none.
pub fn limit_words(words: Words<'_>) -> Vec<String> {
    let up_to = |limit: &u64| words("paired_files_up_to", &[&size(*limit, words)]);
    std::iter::once(words("paired_files_ask", &[]))
        .chain(LIMITS.iter().map(up_to))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{device, english};

    #[test]
    fn every_limit_is_shown_as_the_one_that_was_chosen() {
        let limit = |files| {
            let view = PairedView {
                device: device(1, "Ada"),
                since: 1,
                last_seen: 2,
                auto_accept: AutoAccept {
                    files,
                    ..AutoAccept::default()
                },
            };
            PairedModel::new(&view, "computer").limit
        };
        assert_eq!(limit(None), 0);
        for (index, chosen) in LIMITS.into_iter().enumerate() {
            assert_eq!(limit(Some(chosen)), index + 1);
        }
        assert_eq!(limit(Some(u64::MAX)), LIMITS.len());
        assert_eq!(limit_words(&english).len(), LIMITS.len() + 1);
    }

    #[test]
    fn a_change_leaves_the_rest() {
        let known = AutoAccept {
            files: Some(123),
            links: true,
            texts: false,
        };
        for (change, files, links, texts) in [
            (Change::Files(2), Some(100_000_000), true, false),
            (Change::Files(0), None, true, false),
            (Change::Links(false), Some(123), false, false),
            (Change::Texts(true), Some(123), true, true),
        ] {
            let after = AutoAccept {
                files,
                links,
                texts,
            };
            assert_eq!(change.of(known), after, "{change:?}");
        }
    }
}
