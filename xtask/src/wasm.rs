//! From a wasm file as rustc leaves it to what a JavaScript engine loads: bindings, both made small, and a look
//! at the imports. Does the work only when the input has changed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use wasm_bindgen_cli_support::Bindgen;
use wasmparser::{Parser, Payload};

use crate::node;
use crate::process;
use crate::workspace::Workspace;

/// Part of every fingerprint: raise it when the steps below change.
const RECIPE: &[u8] =
    b"wasm-bindgen 0.2.130, wasm-opt -Oz, flat and again, reordered, terser, recipe 6";

/// What rustc emits for wasm32-unknown-unknown, and the 128-bit SIMD that we ask for.
const WASM_FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// Who loads the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loader {
    /// A page or worker, as an ES module; made as small as it gets.
    Browser,
    /// Node, for tests.
    Node,
}

/// Makes the module `name` from `input` and leaves `<name>.js` and `<name>_bg.wasm` in a folder of its own, which it
/// returns.
pub(crate) fn make(
    workspace: &Workspace,
    input: &Path,
    name: &str,
    loader: Loader,
) -> anyhow::Result<PathBuf> {
    let bytes = std::fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    let fingerprint = blake3::Hasher::new()
        .update(RECIPE)
        .update(&std::fs::read(tools(workspace).join("package-lock.json"))?)
        .update(&bytes)
        .finalize()
        .to_hex();
    let folder = workspace
        .target
        .join("wasm-modules")
        .join(format!("{loader:?}").to_lowercase())
        .join(name);
    let stamp = folder.join(".fingerprint");
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == fingerprint.as_str()) {
        return Ok(folder);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }

    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name(name)
        .typescript(false)
        .remove_name_section(true);
    match loader {
        Loader::Browser => bindgen.web(true)?,
        Loader::Node => bindgen.nodejs(true)?,
    };
    bindgen
        .generate(&folder)
        .with_context(|| format!("wasm-bindgen refuses {}", input.display()))?;

    let module = folder.join(format!("{name}_bg.wasm"));
    if loader == Loader::Browser {
        node::install(&tools(workspace))?;
        optimize(workspace, &module)?;
        let bindings = folder.join(format!("{name}.js"));
        minify(workspace, &bindings, &bindings)?;
    }
    check_imports(&module)?;
    // Last, so that an interrupted run is not taken for a complete one.
    std::fs::write(stamp, fingerprint.as_str())?;
    Ok(folder)
}

fn optimize(workspace: &Workspace, module: &Path) -> anyhow::Result<()> {
    process::run(
        node::node()
            .arg(tools(workspace).join("node_modules/binaryen/bin/wasm-opt"))
            .args(["-Oz", "--merge-similar-functions"])
            .args(["--flatten", "--rereloop", "-Oz", "-Oz", "--converge"])
            // What is called most gets the shortest numbers.
            .args(["--reorder-functions", "--reorder-locals", "-Oz"])
            .args(WASM_FEATURES)
            .args(["--strip-debug", "--strip-producers", "-o"])
            .arg(module)
            .arg(module),
    )
}

/// Makes a module of JavaScript short: it is loaded each time its context starts. `to` may be `from`.
pub(crate) fn minify(workspace: &Workspace, from: &Path, to: &Path) -> anyhow::Result<()> {
    node::install(&tools(workspace))?;
    process::run(
        node::node()
            .arg(tools(workspace).join("node_modules/terser/bin/terser"))
            .args(["--module", "--ecma", "2020", "--compress", "passes=3"])
            .args(["--mangle", "--output"])
            .arg(to)
            .arg("--")
            .arg(from),
    )
}

/// A function that no JavaScript provides shows as an import from `env`: the module would not start.
fn check_imports(module: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(module)?;
    let mut version_seen = false;
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.with_context(|| format!("{} is no wasm module", module.display()))? {
            Payload::Version { .. } => version_seen = true,
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if import.module == "env" {
                        bail!(
                            "{} imports {:?} from \"env\": a dependency needs something that a browser lacks",
                            module.display(),
                            import.name
                        );
                    }
                }
            }
            _ => {}
        }
    }
    ensure!(version_seen, "{} is empty", module.display());
    Ok(())
}

/// The folder whose lock file names wasm-opt and terser.
fn tools(workspace: &Workspace) -> PathBuf {
    workspace.root.join("xtask")
}
