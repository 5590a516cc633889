//! The manifest of the native messaging host: what is in it, how it is read, written and told from others. Knows nothing of
//! browsers' places.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tabferry_protocol::native::HOST_NAME;

use crate::install::browsers::Family;

/// The extension as Chromium and its descendants name it to a host. Its id follows from the key in `extension/manifest.json`.
pub const CHROMIUM_ORIGIN: &str = "chrome-extension://imfpdplahoccelbkgcfjfibikmoechld/";

/// The extension as Firefox and its descendants name it to a host.
pub const FIREFOX_ADD_ON: &str = "tabferry@tabferry.app";

/// Longer ones are not read: a manifest has a few hundred bytes.
const MANIFEST_BYTES: u64 = 64 * 1024;

#[derive(Serialize)]
struct Manifest<'a> {
    name: &'a str,
    description: &'a str,
    path: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    // One browser refuses the other's list.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_origins: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_extensions: Option<[&'a str; 1]>,
}

/// What of a manifest tells whose it is.
#[derive(Deserialize)]
struct Known {
    name: String,
    path: PathBuf,
}

/// What is at the place of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Existing {
    /// Nothing.
    Nothing,
    /// A manifest under our name.
    Manifest {
        /// The program that it starts.
        program: PathBuf,
        /// All of it.
        text: String,
    },
    /// Something else.
    Other,
}

/// The file's name: browsers look for the host's.
pub(super) fn file_name() -> String {
    format!("{HOST_NAME}.json")
}

/// A manifest for a program.
pub(super) fn text(family: Family, program: &str) -> Result<String, serde_json::Error> {
    let manifest = Manifest {
        name: HOST_NAME,
        description: "Tabferry: receives files in the background",
        path: program,
        kind: "stdio",
        allowed_origins: (family == Family::Chromium).then_some([CHROMIUM_ORIGIN]),
        allowed_extensions: (family == Family::Firefox).then_some([FIREFOX_ADD_ON]),
    };
    Ok(serde_json::to_string_pretty(&manifest)? + "\n")
}

/// Reads what is at the place of a manifest.
pub(super) fn read(path: &Path) -> io::Result<Existing> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Nothing),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MANIFEST_BYTES).read_to_end(&mut bytes)?;
    let known = serde_json::from_slice::<Known>(&bytes);
    Ok(match (known, String::from_utf8(bytes)) {
        (Ok(known), Ok(text)) if known.name == HOST_NAME => Existing::Manifest {
            program: known.path,
            text,
        },
        _ => Existing::Other,
    })
}

/// Writes a manifest, so that a browser sees the whole of it or what was there before. Makes the directories that are missing.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_directories(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(".")
        .tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn make_directories(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    // Browsers keep their profiles in directories that nobody else can read, and may find these there.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Whether two paths lead to one program.
pub(super) fn same_program(one: &Path, other: &Path) -> bool {
    one == other
        || match (fs::canonicalize(one), fs::canonicalize(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
}
