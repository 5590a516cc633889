//! What stands in the context menus: which items for which devices, and the way there from what stood there before.
//!
//! Per kind of thing that can be clicked on there is one item while one device is near, and one submenu with an item per
//! device while there are several. An item's id says what to send and to whom: `link:<device id>`. A submenu's id is
//! its kind alone.

use serde::{Deserialize, Serialize};
use tabferry_protocol::host::DeviceView;
use tabferry_protocol::id::DeviceId;

use crate::i18n::Words;

/// An item, as `chrome.contextMenus.create` wants it. The browser keeps items while the worker is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MenuItem {
    /// What a click reports.
    pub id: String,
    /// The item whose submenu it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Its text: the browser puts the selection for `%s` and takes `&` as the mark of an access key.
    pub title: String,
    /// What a person must have clicked on for the item to be shown: one.
    pub contexts: Vec<String>,
}

/// What an item sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The address of the page, or of the frame that was clicked on.
    Page,
    /// The selected text.
    Selection,
    /// The address that a link leads to.
    Link,
    /// The bytes of an image.
    Image,
    /// The bytes of a video.
    Video,
    /// The bytes of an audio.
    Audio,
    /// The bytes at the address that a link leads to.
    File,
}

impl Kind {
    /// All of them, in the order in which they stand where several apply.
    pub const ALL: [Self; 7] = [
        Self::Selection,
        Self::Link,
        Self::File,
        Self::Image,
        Self::Video,
        Self::Audio,
        Self::Page,
    ];

    /// Its name in ids and message keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Selection => "selection",
            Self::Link => "link",
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::File => "file",
        }
    }

    /// The browser's context in which it applies. The browser shows `page` in frames too, where nothing else applies.
    const fn context(self) -> &'static str {
        match self {
            Self::File => Self::Link.name(),
            kind => kind.name(),
        }
    }
}

/// What the item with this id sends, and to whom. `None` for an id that is not ours.
pub fn target_of(id: &str) -> Option<(Kind, DeviceId)> {
    let (name, device) = id.split_once(':')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    Some((kind, device.parse().ok()?))
}

/// The items for these devices, each behind its parent.
pub fn items(devices: &[DeviceView], words: Words<'_>) -> Vec<MenuItem> {
    let item = |kind: Kind, id: String, parent_id: Option<String>, title: String| MenuItem {
        id,
        parent_id,
        title,
        contexts: vec![kind.context().to_owned()],
    };
    let id = |kind: Kind, device: &DeviceView| format!("{}:{}", kind.name(), device.id);
    let mut items = Vec::new();
    for kind in Kind::ALL {
        let key = format!("menu_{}", kind.name());
        match devices {
            [] => {}
            [device] => {
                let title = words(&key, &[&shown(device, words)]);
                items.push(item(kind, id(kind, device), None, title));
            }
            devices => {
                let parent = kind.name().to_owned();
                let title = words(&format!("{key}_submenu"), &[]);
                items.push(item(kind, parent.clone(), None, title));
                items.extend(devices.iter().map(|device| {
                    let title = shown(device, words);
                    item(kind, id(kind, device), Some(parent.clone()), title)
                }));
            }
        }
    }
    items
}

/// A device's name as the browser is to show it, see [`MenuItem::title`], with the mark of a paired device behind it. In
/// other names nothing looks like that mark: a menu has nothing but text.
fn shown(device: &DeviceView, words: Words<'_>) -> String {
    let mut literal = String::new();
    for c in device.name.as_str().chars() {
        match c {
            '✓' | '✔' | '✅' | '☑' | '√' | '\u{1F5F8}' | '\u{1F5F9}' if !device.paired => {
                literal.push('?');
            }
            '&' => literal.push_str("&&"),
            // Invisible, so that no `%s` is left.
            '%' => literal.push_str("%\u{2060}"),
            c => literal.push(c),
        }
    }
    if device.paired {
        literal = words("menu_paired", &[&literal]);
    }
    literal
}

/// One step from the old items to the new ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Remove the item and its submenu.
    Remove {
        /// Which.
        id: String,
    },
    /// Give the item a new text.
    Retitle {
        /// Which.
        id: String,
        /// The text.
        title: String,
    },
    /// Add the item behind those with the same parent.
    Create(MenuItem),
}

/// The steps that lead from one list of items to another. `None` if the browser, which adds items only at the end, can't
/// get there without removing all.
pub fn steps(before: &[MenuItem], after: &[MenuItem]) -> Option<Vec<Step>> {
    let same = |a: &MenuItem, b: &MenuItem| {
        a.id == b.id && a.parent_id == b.parent_id && a.contexts == b.contexts
    };
    let kept = |item: &MenuItem, list: &[MenuItem]| list.iter().any(|other| same(item, other));
    let mut steps = Vec::new();

    let stays = |item: &&MenuItem| kept(item, after);
    let parent_stays = |item: &MenuItem| {
        let parent = before
            .iter()
            .find(|parent| item.parent_id.as_ref() == Some(&parent.id));
        parent.is_none_or(|parent| kept(parent, after))
    };
    let removed = before
        .iter()
        .filter(|item| !stays(item) && parent_stays(item));
    steps.extend(removed.map(|item| Step::Remove {
        id: item.id.clone(),
    }));

    for item in after {
        match before.iter().find(|old| same(old, item)) {
            Some(old) if old.title == item.title => {}
            Some(_) => steps.push(Step::Retitle {
                id: item.id.clone(),
                title: item.title.clone(),
            }),
            None => steps.push(Step::Create(item.clone())),
        }
    }

    let parents = after.iter().map(|item| &item.parent_id);
    let reached = parents.into_iter().all(|parent| {
        let child = |item: &&MenuItem| item.parent_id == *parent;
        let old = before.iter().filter(child).filter(stays);
        let new = after
            .iter()
            .filter(child)
            .filter(|item| !kept(item, before));
        let wanted = after.iter().filter(child);
        old.chain(new)
            .map(|item| &item.id)
            .eq(wanted.map(|item| &item.id))
    });
    reached.then_some(steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::tests::{device, english};

    fn top_level<'a>(items: &'a [MenuItem], context: &str) -> Vec<&'a str> {
        items
            .iter()
            .filter(|item| item.parent_id.is_none() && item.contexts[0] == context)
            .map(|item| item.title.as_str())
            .collect()
    }

    #[test]
    fn no_device_no_item() {
        assert_eq!(items(&[], &english), []);
    }

    #[test]
    fn one_device_has_one_flat_item() {
        let items = items(&[device(1, "Quiet Heron")], &english);
        assert_eq!(top_level(&items, "page"), ["Send page to Quiet Heron"]);
        assert_eq!(
            top_level(&items, "selection"),
            ["Send selected text to Quiet Heron"]
        );
        assert_eq!(top_level(&items, "image"), ["Send image to Quiet Heron"]);
        assert_eq!(top_level(&items, "video"), ["Send video to Quiet Heron"]);
        assert_eq!(top_level(&items, "audio"), ["Send audio to Quiet Heron"]);
        assert_eq!(
            top_level(&items, "link"),
            [
                "Send link to Quiet Heron",
                "Send linked file to Quiet Heron"
            ]
        );
        assert!(items.iter().all(|item| item.parent_id.is_none()));
    }

    #[test]
    fn several_devices_have_a_submenu() {
        let items = items(&[device(1, "Ant"), device(2, "Bee")], &english);
        assert_eq!(top_level(&items, "page"), ["Send page to"]);
        let inside: Vec<_> = items
            .iter()
            .filter(|item| item.parent_id.as_deref() == Some("page"))
            .map(|item| (item.title.as_str(), target_of(&item.id)))
            .collect();
        assert_eq!(
            inside,
            [
                ("Ant", Some((Kind::Page, DeviceId::from_bytes([1; 16])))),
                ("Bee", Some((Kind::Page, DeviceId::from_bytes([2; 16]))))
            ]
        );
    }

    #[test]
    fn ids_that_are_not_ours_have_no_target() {
        for id in [
            "",
            "page",
            "page:",
            "page:x",
            "fish:aeaqcaibaeaqcaibaeaqcaibae",
        ] {
            assert_eq!(target_of(id), None, "{id}");
        }
    }

    #[test]
    fn a_name_is_shown_as_it_is() {
        let items = items(&[device(1, "R&D %s")], &english);
        assert_eq!(top_level(&items, "page"), ["Send page to R&&D %\u{2060}s"]);
    }

    #[test]
    fn a_paired_device_is_marked_and_no_other_can_be() {
        let mut ada = device(1, "Ada");
        ada.paired = true;
        let titles = |device: DeviceView| items(&[device], &english).remove(6).title;
        assert_eq!(titles(ada.clone()), "Send page to Ada (paired ✓)");
        let copy = device(2, "Ada (paired ✓)");
        assert_eq!(titles(copy.clone()), "Send page to Ada (paired ?)");
        let items = items(&[ada, copy], &english);
        let shown: Vec<_> = items
            .iter()
            .filter(|item| item.parent_id.as_deref() == Some("page"))
            .map(|item| item.title.as_str())
            .collect();
        assert_eq!(shown, ["Ada (paired ✓)", "Ada (paired ?)"]);
    }

    #[test]
    fn a_new_name_only_changes_titles() {
        let before = items(&[device(1, "Ant"), device(2, "Bee")], &english);
        let after = items(&[device(1, "Ant"), device(2, "Cow")], &english);
        let steps = steps(&before, &after).unwrap();
        assert_eq!(steps.len(), Kind::ALL.len());
        assert!(
            steps
                .iter()
                .all(|step| matches!(step, Step::Retitle { title, .. } if title == "Cow"))
        );
    }

    /// What the browser does with the steps; panics where it would refuse one.
    fn browser(mut menu: Vec<MenuItem>, steps: &[Step]) -> Vec<MenuItem> {
        for step in steps {
            match step {
                Step::Remove { id } => {
                    let count = menu.len();
                    menu.retain(|old| old.id != *id);
                    assert_eq!(menu.len(), count - 1, "removed what was not there");
                    menu.retain(|old| old.parent_id.as_ref() != Some(id));
                }
                Step::Retitle { id, title } => {
                    let old = menu.iter_mut().find(|old| old.id == *id).unwrap();
                    old.title.clone_from(title);
                }
                Step::Create(item) => {
                    assert!(menu.iter().all(|old| old.id != item.id));
                    if let Some(parent) = &item.parent_id {
                        assert!(menu.iter().any(|old| old.id == *parent));
                    }
                    menu.push(item.clone());
                }
            }
        }
        menu
    }

    /// As a person sees it: submenus in their place.
    fn seen(menu: &[MenuItem]) -> Vec<&MenuItem> {
        let tops = menu.iter().filter(|item| item.parent_id.is_none());
        tops.flat_map(|top| {
            let inside = menu
                .iter()
                .filter(|item| item.parent_id.as_ref() == Some(&top.id));
            core::iter::once(top).chain(inside)
        })
        .collect()
    }

    fn some_devices() -> impl Strategy<Value = Vec<DeviceView>> {
        proptest::sample::subsequence(vec![1u8, 2, 3, 4], 0..=4)
            .prop_flat_map(|numbers| {
                let names = proptest::collection::vec("[A-D]", numbers.len());
                (Just(numbers).prop_shuffle(), names)
            })
            .prop_map(|(numbers, names)| {
                let pairs = numbers.into_iter().zip(names);
                pairs.map(|(number, name)| device(number, &name)).collect()
            })
    }

    proptest! {
        #[test]
        fn the_steps_lead_to_the_new_items(before in some_devices(), after in some_devices()) {
            let before = items(&before, &english);
            let after = items(&after, &english);
            if let Some(steps) = steps(&before, &after) {
                let menu = browser(before.clone(), &steps);
                prop_assert_eq!(seen(&menu), after.iter().collect::<Vec<_>>());
            } else {
                // Only where a kept item would have to move.
                prop_assert!(after.iter().any(|item| before.iter().any(|old| old.id == item.id)));
            }
        }
    }
}
