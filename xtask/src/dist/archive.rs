//! Archives and their checksums. What goes in decides every byte of what comes out: entries are sorted, times and owners fixed.
//! Knows nothing of what is in them.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The time of every entry: 1 January 1980, the oldest that a zip can say. Seconds since 1970.
const TIME: u64 = 315_532_800;

/// A file that goes into an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Its name there, with slashes.
    pub(crate) inside: String,
    /// Where it is now.
    pub(crate) from: PathBuf,
    /// Whether it is a program.
    pub(crate) executable: bool,
}

/// The files of a folder, under a folder of the archive; `""` for its top.
pub(crate) fn folder(from: &Path, inside: &str) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for found in
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?
    {
        let found = found?;
        let name = found
            .file_name()
            .into_string()
            .map_err(|name| anyhow::anyhow!("{} is no text", name.display()))?;
        let inside = if inside.is_empty() {
            name
        } else {
            format!("{inside}/{name}")
        };
        if found.file_type()?.is_dir() {
            entries.extend(folder(&found.path(), &inside)?);
        } else {
            entries.push(Entry {
                inside,
                from: found.path(),
                executable: false,
            });
        }
    }
    entries.sort();
    Ok(entries)
}

/// Writes a zip.
pub(crate) fn zip(entries: &[Entry], to: &Path) -> anyhow::Result<()> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort();
    let mut writer = ZipWriter::new(BufWriter::new(File::create(to)?));
    for entry in sorted {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::default())
            .unix_permissions(mode(entry));
        writer.start_file(entry.inside.as_str(), options)?;
        io::copy(&mut open(&entry.from)?, &mut writer)?;
    }
    writer.finish()?.flush()?;
    Ok(())
}

/// Writes a compressed tar.
pub(crate) fn tar_gz(mut entries: Vec<Entry>, to: &Path) -> anyhow::Result<()> {
    entries.sort();
    // The header of gzip would have a time and a system.
    let compressed = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(BufWriter::new(File::create(to)?), Compression::best());
    let mut writer = tar::Builder::new(compressed);
    for entry in entries {
        let file = open(&entry.from)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(file.metadata()?.len());
        header.set_mode(mode(&entry));
        header.set_mtime(TIME);
        header.set_uid(0);
        header.set_gid(0);
        writer.append_data(&mut header, &entry.inside, file)?;
    }
    writer.into_inner()?.finish()?.flush()?;
    Ok(())
}

/// Digests of files in the form that `sha256sum --check` reads.
pub(crate) fn checksums(files: &[PathBuf]) -> anyhow::Result<String> {
    let mut text = String::new();
    for file in files {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .context("a file without a name")?;
        text.push_str(&format!("{}  {name}\n", digest(file)?));
    }
    Ok(text)
}

/// Checks the files that a list of checksums names, beside the list.
pub(crate) fn verify(list: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(list)?;
    ensure!(!text.is_empty(), "{} is empty", list.display());
    for line in text.lines() {
        let (expected, name) = line
            .split_once("  ")
            .with_context(|| format!("{} is no list of checksums", list.display()))?;
        if digest(&list.with_file_name(name))? != expected {
            bail!("{name} is not what {} says", list.display());
        }
    }
    Ok(())
}

fn digest(file: &Path) -> anyhow::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut open(file)?, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("cannot read {}", path.display()))
}

fn mode(entry: &Entry) -> u32 {
    if entry.executable { 0o755 } else { 0o644 }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A folder with files of ages of their own.
    fn sample(age: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("wasm")).unwrap();
        for name in ["b.js", "a.js", "wasm/c.wasm"] {
            let path = folder.path().join(name);
            std::fs::write(&path, name.repeat(1000)).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            File::open(&path).unwrap().set_modified(time).unwrap();
        }
        folder
    }

    #[test]
    fn the_same_files_make_the_same_archives_whenever_they_were_made() {
        let out = tempfile::tempdir().unwrap();
        let make = |age, name: &str| {
            let folder = sample(age);
            let mut entries = super::folder(folder.path(), "top").unwrap();
            let (zipped, tarred) = (
                out.path().join(name),
                out.path().join(format!("{name}.tar")),
            );
            zip(&entries, &zipped).unwrap();
            entries.reverse();
            tar_gz(entries, &tarred).unwrap();
            (
                std::fs::read(zipped).unwrap(),
                std::fs::read(tarred).unwrap(),
            )
        };
        assert_eq!(make(0, "first"), make(1_000_000, "second"));
    }

    #[test]
    fn a_zip_has_every_file_under_its_name_sorted() {
        let folder = sample(0);
        let to = folder.path().with_extension("zip");
        zip(&super::folder(folder.path(), "").unwrap(), &to).unwrap();
        let mut archive = zip::ZipArchive::new(File::open(&to).unwrap()).unwrap();
        let names: Vec<_> = archive
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect();
        assert_eq!(names, ["a.js", "b.js", "wasm/c.wasm"]);
        let mut text = String::new();
        let mut file = archive.by_name("wasm/c.wasm").unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "wasm/c.wasm".repeat(1000));
        std::fs::remove_file(to).unwrap();
    }

    #[test]
    fn a_program_in_a_tar_can_be_run() {
        let folder = sample(0);
        let to = folder.path().join("archive.tar.gz");
        let entry = |inside: &str, executable| Entry {
            inside: inside.to_owned(),
            from: folder.path().join("a.js"),
            executable,
        };
        tar_gz(
            vec![entry("t/program", true), entry("t/document", false)],
            &to,
        )
        .unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(to).unwrap()));
        let modes: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().header().mode().unwrap())
            .collect();
        assert_eq!(modes, [0o644, 0o755]);
    }

    #[test]
    fn a_changed_file_does_not_match_its_checksum() {
        let folder = sample(0);
        let file = folder.path().join("a.js");
        let list = folder.path().join("SHA256SUMS");
        std::fs::write(&file, "abc").unwrap();
        let text = checksums(std::slice::from_ref(&file)).unwrap();
        assert_eq!(
            text,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.js\n"
        );
        std::fs::write(&list, text).unwrap();
        verify(&list).unwrap();
        std::fs::write(&file, "abd").unwrap();
        assert!(verify(&list).is_err());
    }
}
