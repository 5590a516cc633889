//! Builds the extension and the programs. Leaves the unpacked extension in `target/extension/chromium`: the files of
//! `extension/` and, in its folder `wasm`, one module per context.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::process;
use crate::toolchain;
use crate::wasm::{self, Loader};
use crate::workspace::Workspace;

/// The package whose programs are the extension's contexts.
const CONTEXTS: &str = "tabferry-ext";

/// Builds the unpacked extension.
pub(crate) fn extension(workspace: &Workspace) -> anyhow::Result<()> {
    process::heading("the extension");
    process::run(
        toolchain::cargo_with_wasm(workspace)?
            .args(["build", "--package", CONTEXTS, "--bins", "--profile=wasm"])
            .args(["--target", toolchain::WASM])
            .args(["--config", &toolchain::without_paths(workspace)]),
    )?;
    let built = workspace.target.join(toolchain::WASM).join("wasm");

    let mut files = Files::default();
    let glue = workspace.target.join("glue");
    std::fs::create_dir_all(&glue)?;
    for context in workspace.programs(CONTEXTS) {
        let script = format!("{context}.js");
        wasm::minify(
            workspace,
            &workspace.root.join("extension").join(&script),
            &glue.join(&script),
        )?;
        let module = wasm::make(
            workspace,
            &built.join(format!("{context}.wasm")),
            context,
            Loader::Browser,
        )?;
        files.add_folder(&module, Path::new("wasm"))?;
    }
    files.add_folder(&glue, Path::new(""))?;
    files.add_folder(&workspace.root.join("extension"), Path::new(""))?;
    ensure!(
        files.has("manifest.json"),
        "extension/manifest.json is missing"
    );
    files.write(&workspace.extension())?;
    println!("{}", workspace.extension().display());
    Ok(())
}

/// Builds the native host's end of a bare connection, which `bench host` measures beside the host.
pub(crate) fn bare_host(workspace: &Workspace) -> anyhow::Result<()> {
    process::heading("the bare host");
    process::run(
        process::cargo()
            .args(["build", "--release", "--example=bare"])
            .arg("--package=tabferry")
            .current_dir(&workspace.root),
    )
}

/// Builds the program `tabferry` in release form.
pub(crate) fn host(workspace: &Workspace) -> anyhow::Result<()> {
    process::heading("the program tabferry");
    process::run(
        process::cargo()
            .args(["build", "--release", "--package=tabferry", "--bins"])
            .current_dir(&workspace.root),
    )
}

/// Builds the programs `tabferry` and `tabferry-signaling` in release form.
pub(crate) fn programs(workspace: &Workspace) -> anyhow::Result<()> {
    process::heading("the programs");
    process::run(
        process::cargo()
            .args(["build", "--release", "--bins"])
            .args(["--package=tabferry", "--package=tabferry-signaling"])
            .current_dir(&workspace.root),
    )?;
    println!("{}", workspace.programs_folder().display());
    Ok(())
}

/// Builds the program that the browser tests put between browsers and `tabferry-signaling`.
pub(crate) fn attacker(workspace: &Workspace) -> anyhow::Result<()> {
    process::run(
        process::cargo()
            .args(["build", "--release", "--bins"])
            .arg("--package=tabferry-system-tests")
            .current_dir(&workspace.root),
    )
}

/// What a folder shall contain: files by their path inside it, the first one where two have the same. Hidden files are
/// left out.
#[derive(Debug, Default)]
struct Files {
    wanted: Vec<(PathBuf, PathBuf)>,
}

impl Files {
    fn has(&self, path: &str) -> bool {
        self.wanted
            .iter()
            .any(|(inside, _)| inside == Path::new(path))
    }

    fn add_folder(&mut self, folder: &Path, inside: &Path) -> anyhow::Result<()> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let inside = inside.join(entry.file_name());
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                self.add_folder(&entry.path(), &inside)?;
            } else if !self.wanted.iter().any(|(known, _)| *known == inside) {
                self.wanted.push((inside, entry.path()));
            }
        }
        Ok(())
    }

    /// Makes a folder contain exactly the wanted files. Untouched ones keep their time, so that a browser with the
    /// extension open does not see it change for nothing.
    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let mut kept = BTreeSet::new();
        for (inside, from) in &self.wanted {
            let to = folder.join(inside);
            let bytes = std::fs::read(from)?;
            if std::fs::read(&to).ok().as_ref() != Some(&bytes) {
                if let Some(parent) = to.parent() {
                    std::fs::create_dir_all(parent)?;
                }
                std::fs::write(&to, bytes)
                    .with_context(|| format!("cannot write {}", to.display()))?;
            }
            kept.insert(to);
        }
        remove_others(folder, &kept)
    }
}

fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if kept.contains(&path) {
            continue;
        }
        if !path.is_dir() {
            std::fs::remove_file(&path)?;
        } else if kept.iter().any(|file| file.starts_with(&path)) {
            remove_others(&path, kept)?;
        } else {
            std::fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}
