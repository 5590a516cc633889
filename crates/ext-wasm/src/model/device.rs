//! A device in the list of devices.

use tabferry_protocol::card::DeviceKind;
use tabferry_protocol::host::DeviceView;
use tabferry_protocol::id::DeviceId;

use crate::i18n::Words;

/// What is shown of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceModel {
    /// Which.
    pub id: DeviceId,
    /// What it calls itself.
    pub name: String,
    /// Name of its icon.
    pub icon: &'static str,
    /// What the icon says.
    pub kind: String,
    /// Whether it is paired with this one.
    pub paired: bool,
    /// Accessible name of the link that begins to pair.
    pub pair: String,
    /// Accessible name of the button that sends the current page.
    pub send_page: String,
    /// Accessible name of the button that sends files.
    pub send_files: String,
    /// Accessible name of the button that sends a text.
    pub send_text: String,
}

impl DeviceModel {
    /// What is shown of this device.
    pub fn new(device: &DeviceView, words: Words<'_>) -> Self {
        let name = device.name.as_str();
        let kind = match device.kind {
            DeviceKind::Computer => "kind_computer",
            DeviceKind::Phone => "kind_phone",
            DeviceKind::Tablet => "kind_tablet",
            DeviceKind::Other => "kind_other",
        };
        Self {
            id: device.id,
            name: name.to_owned(),
            icon: icon_of(device.kind),
            kind: words(kind, &[]),
            paired: device.paired,
            pair: words("pair_with", &[name]),
            send_page: words("send_page_to", &[name]),
            send_files: words("send_files_to", &[name]),
            send_text: words("send_text_to", &[name]),
        }
    }
}

/// Name of the icon for a kind of device.
pub fn icon_of(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Computer => "computer",
        DeviceKind::Phone => "phone",
        DeviceKind::Tablet => "tablet",
        DeviceKind::Other => "device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{device, english};

    #[test]
    fn the_buttons_are_named_after_the_device() {
        let shown = DeviceModel::new(&device(1, "Ada’s laptop"), &english);
        assert_eq!(shown.send_page, "Send this page to Ada’s laptop");
        assert_eq!(shown.send_files, "Send files to Ada’s laptop");
        assert_eq!(shown.send_text, "Send text to Ada’s laptop");
        assert_eq!((shown.icon, shown.kind.as_str()), ("computer", "Computer"));
    }

    #[test]
    fn a_name_is_never_taken_for_a_substitution() {
        let shown = DeviceModel::new(&device(1, "$1 $NAME$"), &english);
        assert_eq!(shown.send_text, "Send text to $1 $NAME$");
    }

    #[test]
    fn every_kind_has_an_icon() {
        let symbols = include_str!("../../../../extension/icons/symbols.svg");
        for kind in [
            DeviceKind::Computer,
            DeviceKind::Phone,
            DeviceKind::Tablet,
            DeviceKind::Other,
        ] {
            let view = DeviceView {
                kind,
                ..device(1, "x")
            };
            let icon = DeviceModel::new(&view, &english).icon;
            assert!(symbols.contains(&format!("id=\"{icon}\"")), "{icon}");
        }
    }
}
