//! Rules of the code base that no compiler knows, checked on the files and on cargo's dependency graph: who may depend on
//! what, where the platform may show, that every file says what it is for, that lock files name no host, and that the
//! wire is documented.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::process;
use crate::workspace::Workspace;

/// Which of our packages each of ours may depend on. A package that is missing here may depend on any of them.
const OURS: &[(&str, &[&str])] = &[
    ("tabferry-protocol", &[]),
    ("tabferry-engine", &["tabferry-protocol"]),
    ("tabferry-signaling", &["tabferry-protocol"]),
    ("tabferry-ext", &["tabferry-protocol", "tabferry-engine"]),
    (
        "tabferry",
        &["tabferry-protocol", "tabferry-engine", "tabferry-signaling"],
    ),
    ("tabferry-system-tests", &["tabferry-protocol"]),
    ("xtask", &[]),
];

/// What must not be among the dependencies, near or far, of the packages without a platform.
const PLATFORMS: &[&str] = &["js-sys", "tokio", "wasm-bindgen", "web-sys", "webrtc"];

/// The packages without a platform.
const PURE: &[&str] = &["tabferry-protocol", "tabferry-engine"];

/// Folders of the packages that know a platform, and so may say `cfg(target_arch = …)`.
const LEAVES: &[&str] = &[
    "crates/ext-wasm",
    "crates/native-host",
    "crates/signaling",
    "tests",
    "xtask",
];

/// The files that define what crosses the wire, each with the document that names every kind in it.
const WIRE: &[(&str, &str)] = &[
    ("crates/protocol/src/frame.rs", "docs/protocol.md"),
    ("crates/protocol/src/signaling.rs", "docs/signaling.md"),
    ("crates/protocol/src/relay.rs", "docs/signaling.md"),
];

/// Checks everything. Errors with all broken rules.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    dependencies(workspace, &mut problems)?;
    sources(workspace, &mut problems)?;
    lock_files(workspace, &mut problems)?;
    wire_documents(workspace, &mut problems)?;
    if !problems.is_empty() {
        bail!("{}", problems.join("\n       "));
    }
    println!("tidy: every rule is kept");
    deny(workspace)
}

/// Cargo's resolved graph.
#[derive(Debug, Deserialize)]
struct Graph {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    dependencies: Vec<Requirement>,
}

#[derive(Debug, Deserialize)]
struct Requirement {
    name: String,
    req: String,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// None for a dependency of the library or program itself; "dev" or "build" otherwise.
    kind: Option<String>,
}

fn dependencies(workspace: &Workspace, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let text = process::output(
        process::cargo()
            .args(["metadata", "--format-version=1", "--locked"])
            .current_dir(&workspace.root),
    )
    .context("Cargo.lock does not fit the packages")?;
    let graph: Graph = serde_json::from_str(&text)?;
    let packages: BTreeMap<&str, &Package> = graph
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package))
        .collect();
    let near: BTreeMap<&str, Vec<&str>> = graph
        .resolve
        .nodes
        .iter()
        .map(|node| {
            let shipped = |dependency: &&Dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind.is_none())
            };
            let ids = node
                .deps
                .iter()
                .filter(shipped)
                .map(|dependency| dependency.pkg.as_str());
            (node.id.as_str(), ids.collect())
        })
        .collect();

    for id in &graph.workspace_members {
        let Some(package) = packages.get(id.as_str()) else {
            continue;
        };
        let near_ours = near.get(id.as_str()).into_iter().flatten();
        if let Some((_, allowed)) = OURS.iter().find(|(name, _)| *name == package.name) {
            for dependency in near_ours {
                let name = packages.get(dependency).map_or("", |package| &package.name);
                let is_ours = graph
                    .workspace_members
                    .iter()
                    .any(|member| member == dependency);
                if is_ours && !allowed.contains(&name) {
                    problems.push(format!("{} must not depend on {name}", package.name));
                }
            }
        }
        if PURE.contains(&package.name.as_str()) {
            for name in far(id, &near, &packages) {
                if PLATFORMS.contains(&name) {
                    problems.push(format!(
                        "{} must know no platform, but has {name} among its dependencies",
                        package.name
                    ));
                }
            }
        }
    }
    bindgen_versions(&graph, problems);
    Ok(())
}

/// Names of all direct and indirect dependencies.
fn far<'graph>(
    root: &str,
    near: &BTreeMap<&str, Vec<&'graph str>>,
    packages: &BTreeMap<&str, &'graph Package>,
) -> Vec<&'graph str> {
    let mut open: Vec<&str> = near.get(root).cloned().unwrap_or_default();
    let mut seen = Vec::new();
    let mut names = Vec::new();
    while let Some(id) = open.pop() {
        if seen.contains(&id) {
            continue;
        }
        seen.push(id);
        if let Some(package) = packages.get(id) {
            names.push(package.name.as_str());
        }
        open.extend(near.get(id).into_iter().flatten());
    }
    names
}

/// The bindings in the code and the library that reads them must be the same version, or the build fails with riddles.
fn bindgen_versions(graph: &Graph, problems: &mut Vec<String>) {
    let names = ["wasm-bindgen", "wasm-bindgen-cli-support"];
    let resolved: Vec<&Package> = graph
        .packages
        .iter()
        .filter(|package| names.contains(&package.name.as_str()))
        .collect();
    if resolved.len() != 2 || resolved[0].version != resolved[1].version {
        problems.push(
            "wasm-bindgen and wasm-bindgen-cli-support must be one version each, the same"
                .to_owned(),
        );
    }
    for package in &graph.packages {
        if !graph.workspace_members.contains(&package.id) {
            continue;
        }
        for requirement in &package.dependencies {
            if names.contains(&requirement.name.as_str()) && !requirement.req.starts_with('=') {
                problems.push(format!(
                    "{} must pin {} exactly",
                    package.name, requirement.name
                ));
            }
        }
    }
}

fn sources(workspace: &Workspace, problems: &mut Vec<String>) -> anyhow::Result<()> {
    for file in files(workspace)? {
        if file.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(workspace.root.join(&file))?;
        if !text.starts_with("//!") {
            problems.push(format!(
                "{} must begin with //! and say what it knows",
                file.display()
            ));
        }
        let is_leaf = LEAVES.iter().any(|leaf| file.starts_with(leaf));
        if !is_leaf && text.contains("cfg(target_arch") {
            problems.push(format!(
                "{} must not depend on target_arch: that belongs in a leaf crate",
                file.display()
            ));
        }
    }
    Ok(())
}

fn lock_files(workspace: &Workspace, problems: &mut Vec<String>) -> anyhow::Result<()> {
    // Cargo writes this name for its default registry, wherever that is fetched from.
    let default_registry = "registry+https://github.com/rust-lang/crates.io-index";
    for file in files(workspace)? {
        let name = file.file_name().unwrap_or_default();
        if name != "package-lock.json" && name != "Cargo.lock" {
            continue;
        }
        let text = std::fs::read_to_string(workspace.root.join(&file))?;
        for (index, line) in text.replace(default_registry, "").lines().enumerate() {
            // npm copies where a package asks for donations; nothing is fetched from there.
            if line.contains("://") && !line.trim_start().starts_with("\"url\":") {
                problems.push(format!("{}:{} names a host", file.display(), index + 1));
            }
        }
    }
    Ok(())
}

/// Every kind of message on the wire stands in the wire's document, under the name that the code gives it.
fn wire_documents(workspace: &Workspace, problems: &mut Vec<String>) -> anyhow::Result<()> {
    for (source, document) in WIRE {
        let text = std::fs::read_to_string(workspace.root.join(source))
            .with_context(|| format!("cannot read {source}"))?;
        let described = std::fs::read_to_string(workspace.root.join(document)).unwrap_or_default();
        let file = source.rsplit('/').next().unwrap_or(source);
        if !described.contains(file) {
            problems.push(format!(
                "{document} must describe the wire and name {source}"
            ));
            continue;
        }
        for kind in kinds(&text) {
            if !described.contains(&format!("`{kind}`")) {
                problems.push(format!("{document} must describe `{kind}` of {source}"));
            }
        }
    }
    Ok(())
}

/// Names on the wire of the variants of the enums that list kinds of messages.
fn kinds(source: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    let mut inside = false;
    for line in source.lines() {
        let opens = [
            "enum FrameKind {",
            "enum ClientMessage {",
            "enum ServerMessage {",
        ];
        if opens.iter().any(|open| line.trim_end().ends_with(open)) {
            inside = true;
        } else if line == "}" {
            inside = false;
        } else if inside && line.starts_with("    ") && !line.starts_with("     ") {
            let name: String = line
                .trim_start()
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            // What an older version makes of newer kinds is not a kind of its own.
            if name != "Unknown" && name.starts_with(|first: char| first.is_ascii_uppercase()) {
                kinds.push(kebab(&name));
            }
        }
    }
    kinds
}

/// `EntryDone` as `entry-done`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

/// Licences, advisories, sources and bans, by a tool that not every machine has.
fn deny(workspace: &Workspace) -> anyhow::Result<()> {
    let installed = process::cargo()
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        println!("cargo deny: SKIPPED: it is not installed (cargo install --locked cargo-deny)");
        return Ok(());
    }
    process::run(
        process::cargo()
            .args(["deny", "--all-features", "check"])
            .current_dir(&workspace.root),
    )
}

/// All files that git knows or would add, as paths inside the workspace.
fn files(workspace: &Workspace) -> anyhow::Result<Vec<PathBuf>> {
    let list = process::output(
        Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&workspace.root),
    )?;
    Ok(list
        .split('\0')
        .map(Path::new)
        .filter(|file| workspace.root.join(file).is_file())
        .map(Path::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_kinds_of_messages() {
        let source = "\
            /// Kinds.\n\
            #[repr(u8)]\n\
            enum FrameKind {\n    /// First.\n    Hello = 1,\n    EntryDone = 8,\n}\n\
            enum Other {\n    Not,\n}\n\
            pub enum ClientMessage {\n    #[serde(x)]\n    Join {\n        room: Room,\n    },\n    Leave(Leave),\n}\n";
        assert_eq!(kinds(source), ["hello", "entry-done", "join", "leave"]);
    }
}
