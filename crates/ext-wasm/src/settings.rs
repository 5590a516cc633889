//! The settings that a person can change, in `chrome.storage.local`: one key each, plain text.

use js_sys::Uint8Array;
use tabferry_protocol::card::{DeviceCard, DeviceKind, DeviceName, EndpointKind};
use tabferry_protocol::host::Settings;
use tabferry_protocol::id::DeviceId;
use wasm_bindgen::prelude::*;

use crate::chrome::ApiError;
use crate::chrome::storage::Area;

/// Which device this is, for good: a [`DeviceId`].
pub const DEVICE_ID: &str = "deviceId";

/// What others see it as: a [`DeviceName`].
pub const DEVICE_NAME: &str = "deviceName";

/// The signaling server's base URL, as a person typed it; the engine's driver adds the path.
pub const SERVER: &str = "server";

/// A server on the same machine, at the port that it listens on by default.
pub const DEFAULT_SERVER: &str = "ws://127.0.0.1:7717";

/// First halves of a first name, which shall tell nothing of the machine or its owner.
const QUALITIES: [&str; 32] = [
    "Amber", "Brave", "Bright", "Calm", "Clever", "Copper", "Coral", "Crimson", "Dawn", "Gentle",
    "Golden", "Happy", "Honest", "Indigo", "Ivory", "Jolly", "Kind", "Lucky", "Lunar", "Merry",
    "Misty", "Nimble", "Olive", "Patient", "Proud", "Quiet", "Silver", "Snowy", "Sunny", "Swift",
    "Violet", "Warm",
];

/// Second halves: animals of the water's edge, which a ferry may meet.
const ANIMALS: [&str; 32] = [
    "Avocet",
    "Beaver",
    "Bittern",
    "Coot",
    "Cormorant",
    "Crab",
    "Crane",
    "Curlew",
    "Dipper",
    "Dolphin",
    "Duck",
    "Egret",
    "Frog",
    "Goose",
    "Grebe",
    "Gull",
    "Heron",
    "Ibis",
    "Kingfisher",
    "Lapwing",
    "Newt",
    "Osprey",
    "Otter",
    "Pelican",
    "Plover",
    "Puffin",
    "Seal",
    "Snipe",
    "Swan",
    "Teal",
    "Tern",
    "Turtle",
];

/// Reads the settings; what is missing or damaged is made anew and kept. Only the service worker does this, so that two
/// contexts can't draw two ids.
pub async fn load() -> Result<Settings, ApiError> {
    let id = Area::Local.get(DEVICE_ID).await?;
    let id = match id.and_then(|text| text.parse().ok()) {
        Some(id) => id,
        None => {
            let id = DeviceId::from_bytes(random());
            Area::Local.set(&[(DEVICE_ID, &id.to_string())]).await?;
            id
        }
    };
    let name = Area::Local.get(DEVICE_NAME).await?;
    let name = match name.and_then(|text| DeviceName::try_from(text).ok()) {
        Some(name) => name,
        None => {
            let [quality, animal] = random();
            let name = first_name(quality, animal);
            Area::Local.set(&[(DEVICE_NAME, name.as_str())]).await?;
            name
        }
    };
    let server = Area::Local.get(SERVER).await?;
    Ok(Settings {
        device: DeviceCard {
            id,
            name,
            kind: DeviceKind::Computer,
        },
        endpoint: EndpointKind::Browser,
        server: server.unwrap_or_else(|| DEFAULT_SERVER.to_owned()),
    })
}

/// Whether a change of this key of the local area changes the [`Settings`].
pub fn is_setting(key: &str) -> bool {
    [DEVICE_ID, DEVICE_NAME, SERVER].contains(&key)
}

fn first_name(quality: u8, animal: u8) -> DeviceName {
    let quality = QUALITIES[usize::from(quality) % QUALITIES.len()];
    let animal = ANIMALS[usize::from(animal) % ANIMALS.len()];
    #[expect(clippy::expect_used, reason = "a test tries all of them")]
    DeviceName::try_from(format!("{quality} {animal}")).expect("two short words")
}

fn random<const N: usize>() -> [u8; N] {
    let array = Uint8Array::new_with_length(u32::try_from(N).unwrap_or(u32::MAX));
    fill_random(&array);
    let mut bytes = [0; N];
    array.copy_to(&mut bytes);
    bytes
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(array: &Uint8Array);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_first_name_is_valid_and_its_own() {
        let names: BTreeSet<_> = (0..32)
            .flat_map(|quality| (0..32).map(move |animal| first_name(quality, animal)))
            .collect();
        assert_eq!(names.len(), 32 * 32);
    }
}
