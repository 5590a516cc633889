//! What is sent is what a person named, as it was when they named it.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tabferry_engine::ReadKey;
use tabferry_host::source::{Found, SourceError, SourceReport, Sources};
use tabferry_protocol::id::SourceId;
use tabferry_protocol::limits::{CHUNK_BYTES, READ_BYTES};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::folder::temporary;

struct Rig {
    sources: Sources,
    reports: mpsc::Receiver<SourceReport>,
}

impl Rig {
    fn new() -> Self {
        let (sender, reports) = mpsc::channel(4);
        let sources = Sources::start(sender).unwrap();
        Self { sources, reports }
    }

    fn add(&self, path: &Path) -> Found {
        self.sources.add(path).unwrap()
    }

    fn add_file(&self, path: &Path) -> SourceId {
        let found = self.add(path);
        assert_eq!(found.files.len(), 1);
        found.files[0].file.source
    }

    async fn next(&mut self) -> SourceReport {
        timeout(Duration::from_secs(30), self.reports.recv())
            .await
            .expect("an answer comes")
            .expect("the reader is there")
    }

    /// Asks for bytes and takes exactly those, or learns that they can't be had.
    async fn read(&mut self, source: SourceId, offset: u64, bytes: u64) -> Option<Vec<u8>> {
        let key = ReadKey(u32::try_from(offset % 1_000).unwrap());
        self.sources.read(key, source, offset, bytes);
        let mut data = Vec::new();
        while (data.len() as u64) < bytes {
            match self.next().await {
                SourceReport::Chunk { read, data: chunk } => {
                    assert_eq!(read, key);
                    data.extend_from_slice(&chunk);
                    let is_last = data.len() as u64 == bytes;
                    assert!(chunk.len() == CHUNK_BYTES || is_last, "{}", chunk.len());
                }
                SourceReport::ReadFailed { read } => {
                    assert_eq!(read, key);
                    return None;
                }
            }
        }
        Some(data)
    }
}

fn paths(found: &Found) -> Vec<String> {
    let path = |file: &tabferry_host::source::FoundFile| {
        let mut components = file.folder.clone();
        components.push(file.file.name.clone());
        components.join("/")
    };
    found.files.iter().map(path).collect()
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[tokio::test]
async fn reads_are_answered_in_chunks_and_in_order() {
    let folder = temporary();
    let mut rig = Rig::new();
    let data: Vec<u8> = (0..251).cycle().take(3 * CHUNK_BYTES + 17).collect();
    fs::write(folder.path().join("a"), &data).unwrap();
    fs::write(folder.path().join("b"), b"bbb").unwrap();
    let found = rig.add(&folder.path().join("a"));
    assert_eq!(paths(&found), ["a"]);
    assert_eq!(found.files[0].file.bytes, data.len() as u64);
    let a = found.files[0].file.source;
    let b = rig.add_file(&folder.path().join("b"));
    assert_ne!(a, b);

    let all = data.len() as u64;
    assert!(rig.read(a, 0, all).await.unwrap() == data);
    assert_eq!(rig.read(a, 5, 4).await.unwrap(), data[5..9]);
    assert_eq!(rig.read(b, 1, 2).await.unwrap(), b"bb");
    for (key, source) in [(1, a), (2, b), (3, SourceId(99)), (4, a)] {
        rig.sources.read(ReadKey(key), source, 0, 3);
    }
    for key in 1..=4 {
        let read = match rig.next().await {
            SourceReport::Chunk { read, .. } => read,
            SourceReport::ReadFailed { read } => {
                assert_eq!(key, 3);
                read
            }
        };
        assert_eq!(read, ReadKey(key));
    }
}

#[tokio::test]
async fn a_long_read_is_read_in_pieces() {
    let folder = temporary();
    let mut rig = Rig::new();
    let path = folder.path().join("sparse");
    let bytes = 3 * READ_BYTES + 5;
    File::create(&path).unwrap().set_len(bytes).unwrap();
    let source = rig.add_file(&path);
    assert_eq!(
        rig.read(source, 0, bytes).await.unwrap().len() as u64,
        bytes
    );
    // Beyond the end, or nothing at all, is no read.
    for (offset, length) in [(bytes, 1), (bytes - 1, 2), (u64::MAX, 1), (0, u64::MAX)] {
        rig.sources.read(ReadKey(9), source, offset, length);
        let failed = SourceReport::ReadFailed { read: ReadKey(9) };
        while rig.next().await != failed {
            assert_eq!((offset, length), (0, u64::MAX), "only what is there");
        }
    }
    rig.sources.read(ReadKey(10), source, 0, 0);
    assert_eq!(
        rig.next().await,
        SourceReport::ReadFailed { read: ReadKey(10) }
    );
}

#[tokio::test]
async fn a_file_that_is_not_what_it_was_is_not_sent() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 8] = [
        ("grown", |path| {
            fs::write(path, "longer than before").unwrap()
        }),
        ("shrunk", |path| fs::write(path, "a").unwrap()),
        ("rewritten", |path| {
            fs::write(path, "after!").unwrap();
            let later = std::time::SystemTime::now() + Duration::from_secs(5);
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(later).unwrap();
        }),
        ("vanished", |path| fs::remove_file(path).unwrap()),
        ("replaced", |path| {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            fs::write(path.with_extension("new"), "after!").unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(modified).unwrap();
        }),
        ("a link", |path| {
            let aside = path.with_extension("aside");
            fs::rename(path, &aside).unwrap();
            symlink(&aside, path).unwrap();
        }),
        ("a pipe", |path| {
            fs::remove_file(path).unwrap();
            make_fifo(path);
        }),
        ("a folder", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for (what, change) in changes {
        // Changed before the first read, and in mid-way.
        for read_before in [false, true] {
            let folder = temporary();
            let path = folder.path().join("file");
            fs::write(&path, "before").unwrap();
            let mut rig = Rig::new();
            let source = rig.add_file(&path);
            if read_before {
                assert_eq!(rig.read(source, 0, 3).await.unwrap(), b"bef", "{what}");
            }
            change(&path);
            assert_eq!(rig.read(source, 3, 3).await, None, "{what}");
            assert_eq!(rig.read(source, 0, 1).await, None, "{what}");
        }
    }
}

#[tokio::test]
async fn a_released_source_is_read_no_more() {
    let folder = temporary();
    let path = folder.path().join("file");
    fs::write(&path, "data").unwrap();
    let mut rig = Rig::new();
    let source = rig.add_file(&path);
    assert_eq!(rig.read(source, 0, 4).await.unwrap(), b"data");
    rig.sources.release(source);
    rig.sources.release(source);
    assert_eq!(rig.read(source, 0, 4).await, None);
    let again = rig.add_file(&path);
    assert_ne!(again, source);
    assert_eq!(rig.read(again, 0, 4).await.unwrap(), b"data");
}

#[tokio::test]
async fn few_files_are_open_at_a_time() {
    let folder = temporary();
    let mut rig = Rig::new();
    for number in 0..50 {
        fs::write(folder.path().join(format!("{number:02}")), [number]).unwrap();
    }
    let found = rig.add(folder.path());
    assert_eq!(found.files.len(), 50);
    let canonical = fs::canonicalize(folder.path()).unwrap();
    for _ in 0..2 {
        for (number, file) in (0..).zip(&found.files) {
            assert_eq!(rig.read(file.file.source, 0, 1).await.unwrap(), [number]);
        }
    }
    let open = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter(|path| path.starts_with(&canonical))
        .count();
    assert!((1..=16).contains(&open), "{open}");
}

#[tokio::test]
async fn a_folder_is_walked_without_its_links() {
    let around = temporary();
    let top = around.path().join("top");
    fs::create_dir_all(top.join("b/c")).unwrap();
    fs::create_dir_all(top.join("empty")).unwrap();
    fs::create_dir(around.path().join("outside")).unwrap();
    fs::write(around.path().join("outside/secret"), "secret").unwrap();
    for file in ["z", "a", "b/d", "b/c/e", ".hidden"] {
        fs::write(top.join(file), file).unwrap();
    }
    fs::write(top.join("nothing"), "").unwrap();
    symlink("../outside", top.join("link-out")).unwrap();
    symlink("../../outside/secret", top.join("b/link-to-file")).unwrap();
    symlink(".", top.join("b/loop")).unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
    make_fifo(&top.join("pipe"));
    let _socket = std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();

    let mut rig = Rig::new();
    let found = rig.add(&top);
    assert_eq!(
        paths(&found),
        [
            "top/.hidden",
            "top/a",
            "top/nothing",
            "top/z",
            "top/b/d",
            "top/b/c/e"
        ]
    );
    assert_eq!((found.links, found.special, found.unreadable), (4, 2, 0));
    let nothing = &found.files[2].file;
    assert_eq!((nothing.name.as_str(), nothing.bytes), ("nothing", 0));
    let source = found.files[5].file.source;
    assert_eq!(rig.read(source, 0, 5).await.unwrap(), b"b/c/e");

    // The real name of a folder that was named by a dot; a link's own name where a person named the link.
    assert_eq!(paths(&rig.add(&top.join("b/.."))), paths(&found));
    assert_eq!(paths(&rig.add(&top.join("link-out"))), ["link-out/secret"]);
    assert_eq!(
        paths(&rig.add(&top.join("b/link-to-file"))),
        ["link-to-file"]
    );
}

#[test]
fn what_is_no_file_and_no_folder_is_refused() {
    let folder = temporary();
    let rig = Rig::new();
    let add = |path: &Path| rig.sources.add(path).unwrap_err();
    make_fifo(&folder.path().join("pipe"));
    assert!(matches!(
        add(&folder.path().join("pipe")),
        SourceError::Special(_)
    ));
    assert!(matches!(
        add(Path::new("/dev/null")),
        SourceError::Special(_)
    ));
    assert_eq!(add(&folder.path().join("missing")).code(), "unreadable");
    assert_eq!(add(Path::new("/")).code(), "nameless");
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    assert_eq!(add(&folder.path().join("dangling")).code(), "unreadable");
}

#[test]
fn a_folder_of_endless_folders_ends() {
    let folder = temporary();
    let mut path = folder.path().join("x");
    for _ in 0..70 {
        path.push("x");
    }
    fs::create_dir_all(&path).unwrap();
    let rig = Rig::new();
    let refused = rig.sources.add(&folder.path().join("x")).unwrap_err();
    assert_eq!(refused.code(), "too-deep");
}
