//! What an engine's host keeps of a paired device, and what that device may do unasked. Knows no session and no storage.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::card::{DeviceKind, DeviceName};
use crate::id::DeviceId;
use crate::identity::PublicKey;
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
