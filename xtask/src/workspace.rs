//! The workspace as cargo sees it: where it is, where its outputs go, what its packages are made of.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use crate::process;

/// Root, target directory and packages of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// The directory with the workspace's `Cargo.toml`.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Where cargo and we leave what was built.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    /// Our own packages.
    pub(crate) packages: Vec<Package>,
}

/// One of our packages.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// As in its `Cargo.toml`.
    pub(crate) name: String,
    version: String,
    /// Libraries, programs and tests.
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let text = process::output(
            process::cargo()
                .args(["metadata", "--format-version=1", "--no-deps"])
                .current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))),
        )?;
        serde_json::from_str(&text).context("cannot read cargo's metadata")
    }

    /// Names of a package's programs.
    pub(crate) fn programs(&self, package: &str) -> Vec<&str> {
        self.packages
            .iter()
            .filter(|candidate| candidate.name == package)
            .flat_map(|package| &package.targets)
            .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
            .map(|target| target.name.as_str())
            .collect()
    }

    /// A package's version.
    pub(crate) fn version(&self, package: &str) -> Option<&str> {
        self.packages
            .iter()
            .find(|candidate| candidate.name == package)
            .map(|package| package.version.as_str())
    }

    /// The unpacked extension, as a browser loads it.
    pub(crate) fn extension(&self) -> PathBuf {
        self.target.join("extension").join("chromium")
    }

    /// The folder of the programs in release form.
    pub(crate) fn programs_folder(&self) -> PathBuf {
        self.target.join("release")
    }
}
