//! How much each context of the extension loads before it can do anything, against its budget. The popup starts anew at
//! every click, so what counts is the uncompressed size that a JavaScript engine reads.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::build;
use crate::workspace::Workspace;

/// Budgets in KiB of wasm and all JavaScript together, uncompressed.
const BUDGETS_KIB: &[(&str, usize)] = &[
    ("background", 100),
    // Loaded once for each start of the browser. The cryptography of the handshake and of pairing is an eighth of it, what is
    // said to the native host and heard from it 26 KiB, what lets transfers outlive their connection 26.
    ("offscreen", 704),
    ("popup", 120),
    ("send", 120),
    // Twice the subjects of any other page, and seldom opened.
    ("options", 124),
    ("pair", 120),
    ("code", 120),
];

/// Prints the table. Errors when a context is over its budget.
pub(crate) fn report(workspace: &Workspace) -> anyhow::Result<()> {
    build::extension(workspace)?;
    println!("\ncontext      wasm KiB    js KiB     total    budget   gzip KiB");
    let mut over = Vec::new();
    for (context, budget) in BUDGETS_KIB {
        let folder = workspace.extension().join("wasm");
        let wasm = Measured::read(&folder.join(format!("{context}_bg.wasm")))?;
        let script = format!("{context}.js");
        let bindings = Measured::read(&folder.join(&script))?;
        let glue = Measured::read(&workspace.extension().join(&script))?;
        let js_bytes = bindings.bytes + glue.bytes;
        let total = wasm.bytes + js_bytes;
        let verdict = if total > budget * 1024 {
            over.push(*context);
            "  over budget"
        } else {
            ""
        };
        println!(
            "{context:<12} {:>8} {:>9} {:>9} {:>9} {:>10}{verdict}",
            kib(wasm.bytes),
            kib(js_bytes),
            kib(total),
            kib(budget * 1024),
            kib(wasm.gzip_bytes + bindings.gzip_bytes + glue.gzip_bytes),
        );
    }
    if !over.is_empty() {
        bail!("over budget: {}", over.join(", "));
    }
    Ok(())
}

struct Measured {
    bytes: usize,
    gzip_bytes: usize,
}

impl Measured {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        Ok(Self {
            bytes: bytes.len(),
            gzip_bytes: encoder.finish()?.len(),
        })
    }
}

/// KiB with one decimal.
fn kib(bytes: usize) -> String {
    format!("{}.{}", bytes / 1024, bytes % 1024 * 10 / 1024)
}
