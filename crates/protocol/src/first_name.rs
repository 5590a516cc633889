//! What a device is called before anybody has named it. Tells nothing of the machine or its owner.

use crate::card::{DeviceName, InvalidDeviceName};

/// First halves.
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

/// The first name for these random bits. Never errors: every first name is valid.
pub fn of_random([quality, animal]: [u8; 2]) -> Result<DeviceName, InvalidDeviceName> {
    let quality = QUALITIES[usize::from(quality) % QUALITIES.len()];
    let animal = ANIMALS[usize::from(animal) % ANIMALS.len()];
    DeviceName::try_from([quality, " ", animal].concat())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_first_name_is_valid_and_its_own() {
        let names: BTreeSet<_> = (0..32)
            .flat_map(|quality| (0..32).map(move |animal| of_random([quality, animal]).unwrap()))
            .collect();
        assert_eq!(names.len(), 32 * 32);
    }
}
