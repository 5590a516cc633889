//! `cargo xtask dist`: makes what a release consists of, and leaves it in `target/dist`. The same source makes the same bytes
//! of the extension; how archives are written is `archive`'s, the Debian package `deb`'s.

mod archive;
mod deb;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use crate::build;
use crate::dist::archive::Entry;
use crate::process;
use crate::workspace::Workspace;

/// The package of the program.
const HOST: &str = "tabferry";

/// Name of the file with the digests of all others.
const CHECKSUMS: &str = "SHA256SUMS";

/// Shells, and what each calls a file of completions.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "tabferry.bash"),
    ("zsh", "_tabferry"),
    ("fish", "tabferry.fish"),
    ("powershell", "_tabferry.ps1"),
    ("elvish", "tabferry.elv"),
];

/// Makes everything and returns the files, the checksums last.
pub(crate) fn make(workspace: &Workspace) -> anyhow::Result<Vec<PathBuf>> {
    let version = version(workspace)?;
    build::extension(workspace)?;
    build::host(workspace)?;
    let folder = workspace.target.join("dist");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;

    process::heading("the release");
    let extension = folder.join(format!("tabferry-extension-chromium-{version}.zip"));
    archive::zip(&archive::folder(&workspace.extension(), "")?, &extension)?;
    let mut files = vec![extension];
    files.push(host(workspace, &folder, &version)?);
    files.extend(deb::make(workspace, &folder)?);

    let checksums = folder.join(CHECKSUMS);
    std::fs::write(&checksums, archive::checksums(&files)?)?;
    files.push(checksums);
    for file in &files {
        println!("{}", file.display());
    }
    Ok(files)
}

/// Makes everything twice and looks whether the extension's package is the same, the checksums are right, and everything that
/// belongs into the Debian package is in it.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let digests = |files: Vec<PathBuf>| archive::checksums(&files[..1]);
    let first = digests(make(workspace)?)?;
    let files = make(workspace)?;
    archive::verify(&workspace.target.join("dist").join(CHECKSUMS))?;
    if let Some(package) = files.iter().find(|file| is_deb(file)) {
        deb::check(package)?;
    }
    ensure!(
        digests(files)? == first,
        "the extension's package differs from run to run"
    );
    println!("dist: everything is in its place");
    Ok(())
}

fn is_deb(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "deb")
}

/// The version of the release: that of the program, which has to be the extension's too.
fn version(workspace: &Workspace) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Manifest {
        version: String,
    }

    let program = workspace
        .version(HOST)
        .context("there is no package tabferry")?;
    let text = std::fs::read_to_string(workspace.root.join("extension/manifest.json"))?;
    let extension = serde_json::from_str::<Manifest>(&text)?.version;
    if program != extension {
        bail!("Cargo.toml says version {program}, extension/manifest.json says {extension}");
    }
    Ok(extension)
}

/// Makes the archive of the program, with what belongs to it.
fn host(workspace: &Workspace, folder: &Path, version: &str) -> anyhow::Result<PathBuf> {
    let name = format!("tabferry-{version}-{}", target(workspace)?);
    let suffix = std::env::consts::EXE_SUFFIX;
    let program = workspace
        .programs_folder()
        .join(format!("tabferry{suffix}"));
    let made = generate(workspace, &program)?;

    let mut entries = archive::folder(&made, &name)?;
    let mut add = |from: PathBuf, inside: &str, executable| {
        entries.push(Entry {
            inside: format!("{name}/{inside}"),
            from,
            executable,
        });
    };
    add(program, &format!("tabferry{suffix}"), true);
    for document in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        add(workspace.root.join(document), document, false);
    }
    if cfg!(target_os = "linux") {
        let unit = "tabferry.service";
        add(workspace.root.join("packaging").join(unit), unit, false);
    }
    if cfg!(windows) {
        let archive = folder.join(format!("{name}.zip"));
        archive::zip(&entries, &archive)?;
        return Ok(archive);
    }
    let archive = folder.join(format!("{name}.tar.gz"));
    archive::tar_gz(entries, &archive)?;
    Ok(archive)
}

/// Has the program write its completions and manual pages into a folder, where the Debian package takes them from too.
fn generate(workspace: &Workspace, program: &Path) -> anyhow::Result<PathBuf> {
    let folder = workspace.programs_folder().join("packaging");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let completions = folder.join("completions");
    std::fs::create_dir_all(&completions)?;
    for (shell, file) in COMPLETIONS {
        let script = process::output(Command::new(program).args(["completions", shell]))?;
        std::fs::write(completions.join(file), script)?;
    }
    process::run(
        Command::new(program)
            .args(["man", "--to"])
            .arg(folder.join("man")),
    )?;
    Ok(folder)
}

/// The target that programs are built for here.
fn target(workspace: &Workspace) -> anyhow::Result<String> {
    let version = process::output(
        Command::new("rustc")
            .arg("-vV")
            .current_dir(&workspace.root),
    )?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc does not say what it builds for")
}
