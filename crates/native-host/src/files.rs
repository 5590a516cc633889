//! Writes files of the program's own that are there whole or not at all, for nobody else to read. Knows no file.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

/// Puts this value, as JSON, in the place of what is there. The directory must be there.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&serde_json::to_vec_pretty(value)?)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync(directory)
}

/// A rename is lost with the power unless its directory is written, too.
#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_directory: &Path) -> io::Result<()> {
    Ok(())
}
