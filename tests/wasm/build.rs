//! Lists the golden files, and computes with the native build what the tests expect of the wasm build.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[path = "src/transcript.rs"]
mod transcript;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/protocol/tests/golden")
        .canonicalize()?;
    println!("cargo::rerun-if-changed={}", golden.display());
    println!("cargo::rerun-if-changed=src/transcript.rs");

    let mut generated = String::from("pub(crate) static GOLDEN: &[(&str, &str, &[u8])] = &[\n");
    for folder in sorted(&golden)?.into_iter().filter(|path| path.is_dir()) {
        println!("cargo::rerun-if-changed={}", folder.display());
        for file in sorted(&folder)? {
            let name = |path: &Path| {
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
            };
            writeln!(
                generated,
                "    ({:?}, {:?}, include_bytes!({:?})),",
                name(&folder).unwrap_or_default(),
                name(&file).unwrap_or_default(),
                file
            )?;
        }
    }
    generated.push_str("];\n");
    writeln!(
        generated,
        "pub(crate) const NATIVE_NAMES: &str = {:?};",
        transcript::names()
    )?;
    writeln!(
        generated,
        "pub(crate) const NATIVE_DIGESTS: &str = {:?};",
        transcript::digests()
    )?;
    writeln!(
        generated,
        "pub(crate) const NATIVE_HANDSHAKES: &str = {:?};",
        transcript::handshakes()
    )?;
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    #[expect(clippy::disallowed_methods, reason = "built files go where cargo says")]
    std::fs::write(Path::new(&out).join("expected.rs"), generated)?;
    Ok(())
}

fn sorted(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
