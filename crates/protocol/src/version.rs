//! Versions of the protocol and how two ends agree on one.

use serde::{Deserialize, Serialize};

use crate::limits::VERSIONS;

/// The versions that this build speaks, best first.
pub const SPOKEN: &[u16] = &[1];

/// The versions one end speaks, in any order: 1 to [`VERSIONS`] numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u16>", into = "Vec<u16>")]
pub struct Versions(Vec<u16>);

/// A list of versions that is empty or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a list of 1 to {VERSIONS} versions is needed")]
pub struct InvalidVersions;

impl Versions {
    /// What this build speaks.
    pub fn spoken() -> Self {
        Self(SPOKEN.to_vec())
    }

    /// The highest version that both this build and `self` speak; `None` means incompatible.
    pub fn common(&self) -> Option<u16> {
        self.0
            .iter()
            .copied()
            .filter(|version| SPOKEN.contains(version))
            .max()
    }
}

impl TryFrom<Vec<u16>> for Versions {
    type Error = InvalidVersions;

    fn try_from(versions: Vec<u16>) -> Result<Self, InvalidVersions> {
        if versions.is_empty() || versions.len() > VERSIONS {
            return Err(InvalidVersions);
        }
        Ok(Self(versions))
    }
}

impl From<Versions> for Vec<u16> {
    fn from(versions: Versions) -> Self {
        versions.0
    }
}
