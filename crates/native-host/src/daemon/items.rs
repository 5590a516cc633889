//! Received pages, links and texts until somebody has taken them, and whom each is offered to meanwhile. Knows no file and no
//! connection.

use serde::{Deserialize, Serialize};
use tabferry_protocol::host::ItemView;
use tabferry_protocol::id::ItemId;
use tabferry_protocol::limits::KEPT_ITEMS;

use super::clients::ClientId;

/// One that waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptItem {
    /// Under an id that is never given out again while others wait.
    pub(crate) item: ItemView,
    /// Whether it was to be opened or copied at once when it came. One that has waited for somebody is not: whoever starts a
    /// browser an hour later does not expect it.
    #[serde(skip)]
    pub(crate) unasked: bool,
    /// Who has been offered it.
    #[serde(skip)]
    offered_to: Option<ClientId>,
}

/// All that wait, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Items {
    kept: Vec<KeptItem>,
    last_id: u32,
}

impl Items {
    pub(crate) fn of_kept(kept: Vec<KeptItem>) -> Self {
        let last_id = kept.iter().map(|kept| kept.item.id.0).max().unwrap_or(0);
        Self { kept, last_id }
    }

    pub(crate) fn kept(&self) -> &[KeptItem] {
        &self.kept
    }

    /// One has come. When there are too many, the oldest is lost.
    pub(crate) fn add(&mut self, mut item: ItemView, unasked: bool) {
        self.last_id = self.last_id.wrapping_add(1);
        item.id = ItemId(self.last_id);
        if self.kept.len() >= KEPT_ITEMS {
            self.kept.remove(0);
        }
        self.kept.push(KeptItem {
            item,
            unasked,
            offered_to: None,
        });
    }

    /// Offers what nobody has been offered to this client, or to nobody if there is none.
    pub(crate) fn offer(&mut self, to: Option<ClientId>) -> Vec<KeptItem> {
        let free = self
            .kept
            .iter_mut()
            .filter(|kept| kept.offered_to.is_none());
        let mut offered = Vec::new();
        for kept in free {
            match to {
                Some(_) => {
                    kept.offered_to = to;
                    offered.push(kept.clone());
                }
                None => kept.unasked = false,
            }
        }
        offered
    }

    /// A client has left: what it has not taken is free for others.
    pub(crate) fn release(&mut self, client: ClientId) {
        for kept in &mut self.kept {
            if kept.offered_to == Some(client) {
                kept.offered_to = None;
                // It may have been opened there already.
                kept.unasked = false;
            }
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }

    /// Whether this client had been offered it.
    pub(crate) fn take(&mut self, client: ClientId, item: ItemId) -> bool {
        let before = self.kept.len();
        self.kept
            .retain(|kept| kept.item.id != item || kept.offered_to != Some(client));
        self.kept.len() < before
    }
}

#[cfg(test)]
mod tests {
    use tabferry_protocol::card::{DeviceKind, DeviceName};
    use tabferry_protocol::host::{DeviceView, PlainItem};
    use tabferry_protocol::id::DeviceId;

    use super::*;

    fn text(text: &str) -> ItemView {
        ItemView {
            id: ItemId(7),
            from: DeviceView {
                id: DeviceId::from_bytes([1; 16]),
                name: DeviceName::from_typed("Laptop").unwrap(),
                kind: DeviceKind::Computer,
                paired: true,
            },
            item: PlainItem::Text {
                text: text.to_owned(),
            },
        }
    }

    #[test]
    fn an_item_is_offered_to_one_at_a_time_until_one_has_taken_it() {
        let (first, second) = (ClientId(1), ClientId(2));
        let mut items = Items::default();
        items.add(text("a"), true);
        let offered = items.offer(Some(first));
        assert_eq!(offered.len(), 1);
        assert!(offered[0].unasked);
        assert!(items.offer(Some(second)).is_empty());
        let id = offered[0].item.id;
        assert!(!items.take(second, id), "it was not offered to the second");
        items.release(first);
        let offered = items.offer(Some(second));
        assert!(!offered[0].unasked, "the first may have opened it");
        assert!(items.take(second, id));
        assert!(items.kept().is_empty());
    }

    #[test]
    fn what_has_waited_is_not_opened_by_itself() {
        let mut items = Items::default();
        items.add(text("a"), true);
        assert!(items.offer(None).is_empty());
        assert!(!items.offer(Some(ClientId(1)))[0].unasked);
    }

    #[test]
    fn ids_go_on_after_a_restart_and_the_oldest_goes_first() {
        let mut items = Items::default();
        for index in 0..=KEPT_ITEMS {
            items.add(text(&index.to_string()), false);
        }
        assert_eq!(items.kept().len(), KEPT_ITEMS);
        assert_eq!(items.kept()[0].item.item, text("1").item);
        let mut again = Items::of_kept(items.kept().to_vec());
        again.add(text("new"), false);
        let ids: std::collections::HashSet<_> =
            again.kept().iter().map(|kept| kept.item.id.0).collect();
        assert_eq!(ids.len(), KEPT_ITEMS);
    }
}
