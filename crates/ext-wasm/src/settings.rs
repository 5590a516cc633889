//! The settings that a person can change, in `chrome.storage.local`: one key each, plain text.

use serde::{Deserialize, Serialize};
use tabferry_protocol::card::{DeviceKind, InvalidDeviceName};
use tabferry_protocol::first_name;
use tabferry_protocol::host::{Settings, Visibility};
use tabferry_protocol::limits;
use tabferry_protocol::secret_code::GroupCode;
use tabferry_protocol::signaling_address::DEFAULT_SERVER;

/// What others see it as: a [`DeviceName`].
pub const DEVICE_NAME: &str = "deviceName";

/// The signaling server's base URL, as a person typed it; the engine's driver adds the path.
pub const SERVER: &str = "server";

/// Who may find this device: a [`Visibility`] in its own word.
pub const VISIBILITY: &str = "visibility";

/// The groups that it is in: every [`GroupCode`] in its own letters, with a space between two.
pub const GROUPS: &str = "groups";

/// Whether files are to be saved by the native host: [`ON`], or missing. Read by the service worker.
pub const NATIVE: &str = "native";

/// See [`NATIVE`].
pub const ON: &str = "on";

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptSettings {
    /// See [`DEVICE_NAME`].
    pub device_name: Option<String>,
    /// See [`SERVER`].
    pub server: Option<String>,
    /// See [`VISIBILITY`].
    pub visibility: Option<String>,
    /// See [`GROUPS`].
    pub groups: Option<String>,
}

impl KeptSettings {
    /// What is to be kept of these.
    pub fn of(settings: Settings) -> Self {
        Self {
            groups: Some(groups_text(&settings.groups)),
            device_name: Some(settings.name.into()),
            server: Some(settings.server),
            visibility: Some(visibility_word(settings.visibility).to_owned()),
        }
    }

    /// The settings; what is missing or damaged is made anew from random bytes, and must then be kept. Only the service
    /// worker does this, so that two contexts can't draw two names. Never errors: every first name is valid.
    pub fn complete(self, random: [u8; 2]) -> Result<Settings, InvalidDeviceName> {
        let kept_name = self.device_name.and_then(|text| text.try_into().ok());
        let first_name = || first_name::of_random(random);
        Ok(Settings {
            name: kept_name.map_or_else(first_name, Ok)?,
            kind: DeviceKind::Computer,
            server: self.server.unwrap_or_else(|| DEFAULT_SERVER.to_owned()),
            visibility: visibility_of(self.visibility.as_deref()),
            groups: groups_of(&self.groups.unwrap_or_default()),
        })
    }
}

/// A kept visibility. One that can't be read may have been a narrow one: then only paired devices see this one.
pub fn visibility_of(kept: Option<&str>) -> Visibility {
    match kept {
        None | Some("everyone") => Visibility::Everyone,
        Some("nobody") => Visibility::Nobody,
        Some(_) => Visibility::Paired,
    }
}

/// The word for a visibility, to be kept.
pub fn visibility_word(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Everyone => "everyone",
        Visibility::Paired => "paired",
        Visibility::Nobody => "nobody",
    }
}

/// Kept groups. What can't be read is left out.
pub fn groups_of(kept: &str) -> Vec<GroupCode> {
    let groups = kept.split(' ').filter_map(|name| name.parse().ok());
    groups.take(limits::GROUPS).collect()
}

/// Groups, to be kept.
pub fn groups_text(groups: &[GroupCode]) -> String {
    let names: Vec<String> = groups.iter().map(|name| (*name).into()).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays() {
        let kept = KeptSettings {
            device_name: Some("Ada’s laptop".to_owned()),
            server: Some("wss://ferry.example.org".to_owned()),
            visibility: Some("nobody".to_owned()),
            groups: Some("F0RTYB1T A1B20XYZ".to_owned()),
        };
        let settings = kept.clone().complete([9; 2]).unwrap();
        let mut again = KeptSettings::of(settings.clone());
        assert_eq!(again.clone().complete([0; 2]).unwrap(), settings);
        again.groups.clone_from(&kept.groups);
        assert_eq!(again, kept);
        assert_eq!(settings.name.as_str(), "Ada’s laptop");
        assert_eq!(settings.server, "wss://ferry.example.org");
        assert_eq!(settings.visibility, Visibility::Nobody);
        let groups: Vec<_> = settings.groups.iter().map(GroupCode::spelled).collect();
        assert_eq!(groups, ["F0RT-YB1T", "A1B2-0XYZ"]);
    }

    #[test]
    fn a_visibility_comes_back_and_a_damaged_one_is_narrow() {
        for visibility in [Visibility::Everyone, Visibility::Paired, Visibility::Nobody] {
            let word = visibility_word(visibility);
            assert_eq!(visibility_of(Some(word)), visibility);
        }
        assert_eq!(visibility_of(Some("everybody")), Visibility::Paired);
    }

    #[test]
    fn groups_come_back_and_there_are_not_too_many() {
        let groups: Vec<_> = (0..=limits::GROUPS)
            .map(|number| GroupCode::from_random([u8::try_from(number).unwrap(); 5]))
            .collect();
        let kept = groups_of(&groups_text(&groups));
        assert_eq!(kept, groups[..limits::GROUPS]);
        assert_eq!(groups_of(&groups_text(&[])), []);
    }

    #[test]
    fn what_is_missing_or_damaged_is_made() {
        let damaged = KeptSettings {
            device_name: Some("\u{202E}".to_owned()),
            groups: Some("nothing".to_owned()),
            ..KeptSettings::default()
        };
        for kept in [KeptSettings::default(), damaged] {
            let settings = kept.complete([2; 2]).unwrap();
            assert_eq!(settings.name.as_str(), "Bright Bittern");
            assert_eq!(settings.server, DEFAULT_SERVER);
            assert_eq!(settings.visibility, Visibility::Everyone);
            assert_eq!(settings.groups, []);
        }
    }
}
