//! What a device says of itself. Hints until a handshake proves them: never a reason to trust.

use serde::{Deserialize, Serialize};

use crate::id::DeviceId;
use crate::limits::DEVICE_NAME_BYTES;
use crate::name::is_invisible;

/// Name, kind and id of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCard {
    /// Which device.
    pub id: DeviceId,
    /// What its owner calls it.
    pub name: DeviceName,
    /// Chooses the icon.
    pub kind: DeviceKind,
}

/// What kind of device, for the icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// A desktop or laptop computer.
    #[default]
    Computer,
    /// A phone.
    Phone,
    /// A tablet.
    Tablet,
    /// A kind that this version doesn't know.
    #[serde(other)]
    Other,
}

/// Through what a device is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointKind {
    /// The extension's engine in a browser.
    Browser,
    /// The native host's daemon.
    Native,
    /// A web page without the extension.
    Page,
    /// A kind that this version doesn't know.
    #[serde(other)]
    Other,
}

/// A device's name: one visible line of 1 to [`DEVICE_NAME_BYTES`] bytes, without control, bidi or invisible characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceName(String);

/// A text that can't be a device's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a device name has 1 to {DEVICE_NAME_BYTES} bytes of visible text")]
pub struct InvalidDeviceName;

impl DeviceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest valid name to what a person typed: invisible characters dropped, white space folded, cut to the limit.
    /// Errors when nothing visible is left.
    pub fn from_typed(text: &str) -> Result<Self, InvalidDeviceName> {
        let visible: String = text
            .chars()
            .filter(|c| c.is_whitespace() || !is_invisible(*c))
            .collect();
        let folded = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut = crate::name::cut_to_bytes(&folded, DEVICE_NAME_BYTES).trim_end();
        Self::try_from(cut.to_owned())
    }
}

impl TryFrom<String> for DeviceName {
    type Error = InvalidDeviceName;

    fn try_from(text: String) -> Result<Self, InvalidDeviceName> {
        let visible = !text.chars().any(is_invisible);
        let trimmed = text.trim() == text;
        if text.is_empty() || text.len() > DEVICE_NAME_BYTES || !visible || !trimmed {
            return Err(InvalidDeviceName);
        }
        Ok(Self(text))
    }
}

impl From<DeviceName> for String {
    fn from(name: DeviceName) -> Self {
        name.0
    }
}

impl core::fmt::Display for DeviceName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}
