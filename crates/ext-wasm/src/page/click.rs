//! What a click on a button means. Buttons say it in two attributes, `data-click` and `data-id`, so that one listener
//! serves all that come and go.

use tabferry_protocol::host::Command;
use tabferry_protocol::id::{DeviceId, ItemId, TransferId};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event};

/// What a person wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Click {
    /// Something that the engine does alone.
    Command(Command),
    /// Send the current page to a device.
    SendPage(DeviceId),
    /// Choose files for a device.
    SendFiles(DeviceId),
    /// Type a text for a device.
    SendText(DeviceId),
    /// Type no text after all.
    CancelText,
    /// Open a received link.
    Open(ItemId),
    /// Copy a received link or text.
    Copy(ItemId),
    /// Show a stored file in its folder, by the browser's number for the download.
    Show(u32),
    /// Show the files of a transfer of the native host in their folder.
    ShowNative(TransferId),
    /// Change the settings.
    Settings,
    /// Try to connect again.
    TryAgain,
}

impl Click {
    /// What the click on a button, or on something inside one, means. `None` for any other click.
    pub fn of(event: &Event) -> Option<Self> {
        let target = event.target()?.dyn_into::<Element>().ok()?;
        let button = target.closest("[data-click]").ok()??;
        let id = button.get_attribute("data-id").unwrap_or_default();
        Self::parse(&button.get_attribute("data-click")?, &id)
    }

    fn parse(click: &str, id: &str) -> Option<Self> {
        let device = || id.parse::<DeviceId>().ok();
        let number = || id.parse::<u32>().ok();
        let transfer = || number().map(TransferId);
        let item = || number().map(ItemId);
        Some(match click {
            "accept" => Self::Command(Command::Accept {
                transfer: transfer()?,
            }),
            "decline" => Self::Command(Command::Decline {
                transfer: transfer()?,
            }),
            "cancel" => Self::Command(Command::Cancel {
                transfer: transfer()?,
            }),
            "pause" => Self::Command(Command::Pause {
                transfer: transfer()?,
            }),
            "resume" => Self::Command(Command::Resume {
                transfer: transfer()?,
            }),
            "dismiss" => Self::Command(Command::Dismiss {
                transfer: transfer()?,
            }),
            "dismiss-item" => Self::Command(Command::DismissItem { item: item()? }),
            "show-in-crowd" => Self::Command(Command::ShowInCrowd),
            "send-page" => Self::SendPage(device()?),
            "send-files" => Self::SendFiles(device()?),
            "send-text" => Self::SendText(device()?),
            "cancel-text" => Self::CancelText,
            "open" => Self::Open(item()?),
            "copy" => Self::Copy(item()?),
            "show" => Self::Show(number()?),
            "show-native" => Self::ShowNative(transfer()?),
            "settings" => Self::Settings,
            "try-again" => Self::TryAgain,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_say_what_they_mean() {
        let device = DeviceId::from_bytes([7; 16]);
        assert_eq!(
            Click::parse("send-text", &device.to_string()),
            Some(Click::SendText(device))
        );
        assert_eq!(
            Click::parse("cancel", "9"),
            Some(Click::Command(Command::Cancel {
                transfer: TransferId(9)
            }))
        );
        assert_eq!(Click::parse("show", "3"), Some(Click::Show(3)));
        assert_eq!(
            Click::parse("show-native", "2147483649"),
            Some(Click::ShowNative(TransferId(2_147_483_649)))
        );
        assert_eq!(Click::parse("settings", ""), Some(Click::Settings));
    }

    #[test]
    fn what_is_no_button_of_ours_means_nothing() {
        for (click, id) in [
            ("", ""),
            ("cancel", ""),
            ("cancel", "x"),
            ("send-page", "1"),
        ] {
            assert_eq!(Click::parse(click, id), None);
        }
    }

    #[test]
    fn every_button_in_the_pages_means_something() {
        for page in [
            include_str!("../../../../extension/popup.html"),
            include_str!("../../../../extension/send.html"),
        ] {
            for rest in page.split("data-click=\"").skip(1) {
                let (click, _) = rest.split_once('"').unwrap();
                assert!(Click::parse(click, "").is_some(), "{click}");
            }
        }
    }
}
