//! What has to pass besides the tests: formatting, lints for every target, types of the TypeScript, tidy, sizes.

use crate::workspace::Workspace;
use crate::{node, process, script, size, tidy, toolchain};

/// The packages that run in a browser.
const WASM_PACKAGES: &[&str] = &[
    "--package=tabferry-protocol",
    "--package=tabferry-engine",
    "--package=tabferry-ext",
    "--package=tabferry-wasm-tests",
];

type Check = fn(&Workspace) -> anyhow::Result<()>;

/// Runs all checks, also after one has failed; prints how each ended and returns whether all passed.
pub(crate) fn run(workspace: &Workspace) -> bool {
    let checks: &[(&str, Check)] = &[
        ("formatting", formatting),
        ("lints", lints),
        ("lints for wasm", wasm_lints),
        ("types of the TypeScript", types),
        ("tidy", tidy::check),
        ("size", size::report),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        process::heading(name);
        if let Err(error) = check(workspace) {
            println!("{name}: FAILED: {error:#}");
            failed.push(*name);
        }
    }
    process::heading("checks");
    for (name, _) in checks {
        let verdict = if failed.contains(name) {
            "FAILED"
        } else {
            "ok"
        };
        println!("{name:<24} {verdict}");
    }
    failed.is_empty()
}

fn formatting(workspace: &Workspace) -> anyhow::Result<()> {
    process::run(
        process::cargo()
            .args(["fmt", "--all", "--check"])
            .current_dir(&workspace.root),
    )
}

fn lints(workspace: &Workspace) -> anyhow::Result<()> {
    clippy(workspace, &["--workspace", "--all-targets"])
}

fn wasm_lints(workspace: &Workspace) -> anyhow::Result<()> {
    let mut scope = WASM_PACKAGES.to_vec();
    scope.extend(["--lib", "--bins", "--target", toolchain::WASM]);
    clippy(workspace, &scope)
}

fn clippy(workspace: &Workspace, scope: &[&str]) -> anyhow::Result<()> {
    process::run(
        toolchain::cargo_with_wasm(workspace)?
            .arg("clippy")
            .args(scope)
            .args(["--", "--deny=warnings"]),
    )
}

fn types(workspace: &Workspace) -> anyhow::Result<()> {
    let folder = script::folder(workspace);
    node::install(&folder)?;
    process::run(
        node::node()
            .args(["node_modules/typescript/bin/tsc", "--project", "."])
            .current_dir(folder),
    )
}
