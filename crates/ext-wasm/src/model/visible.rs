//! Who can find this device, where that is not everyone nearby.

use tabferry_protocol::host::{ConnectionView, Snapshot, Visible};
use tabferry_protocol::limits::UNRELATED_DEVICES;

use crate::i18n::Words;

/// What is shown of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleModel {
    /// Who can, and why only they.
    pub words: String,
    /// Whether a person may want to be found by everyone all the same.
    pub crowded: bool,
}

impl VisibleModel {
    /// `None` where there is nothing to say: everyone nearby can, or as long as there is no connection nobody.
    pub fn new(snapshot: &Snapshot, words: Words<'_>) -> Option<Self> {
        let key = match snapshot.visible {
            _ if snapshot.connection != ConnectionView::Online => return None,
            Visible::Everyone => return None,
            Visible::Paired => "visible_paired",
            Visible::Nobody => "visible_nobody",
            Visible::Crowded => {
                let most = UNRELATED_DEVICES.to_string();
                return Some(Self {
                    words: words("visible_crowded", &[&most]),
                    crowded: true,
                });
            }
            Visible::Unavailable => "visible_unavailable",
        };
        Some(Self {
            words: words(key, &[]),
            crowded: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::english;

    fn shown(connection: ConnectionView, visible: Visible) -> Option<VisibleModel> {
        let snapshot = Snapshot {
            device: None,
            connection,
            visible,
            devices: Vec::new(),
            incoming: Vec::new(),
            transfers: Vec::new(),
            items: Vec::new(),
        };
        VisibleModel::new(&snapshot, &english)
    }

    #[test]
    fn each_way_to_be_hidden_has_its_own_words() {
        let mut said: Vec<_> = [
            Visible::Paired,
            Visible::Nobody,
            Visible::Crowded,
            Visible::Unavailable,
        ]
        .map(|visible| {
            let shown = shown(ConnectionView::Online, visible).unwrap();
            assert_eq!(shown.crowded, visible == Visible::Crowded);
            shown.words
        })
        .to_vec();
        said.dedup();
        assert_eq!(said.len(), 4);
        assert!(said[2].starts_with("More than 8 devices"), "{}", said[2]);
    }

    #[test]
    fn nothing_is_said_where_everyone_can_or_nobody_yet() {
        assert_eq!(shown(ConnectionView::Online, Visible::Everyone), None);
        assert_eq!(shown(ConnectionView::Connecting, Visible::Nobody), None);
    }
}
