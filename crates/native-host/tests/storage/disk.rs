//! What the engine asks of the disk, and what it is told.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tabferry_engine::{FileFailure, FileKey};
use tabferry_host::disk::{Disk, DiskReport};
use tabferry_protocol::limits::{CHUNK_BYTES, RECEIVE_WINDOW_BYTES, UNCOMMITTED_FILES};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::folder::{Mounted, is_part, names, place, place_in, temporary};

struct Rig {
    disk: Disk,
    reports: mpsc::Receiver<DiskReport>,
}

impl Rig {
    fn new(folder: &Path) -> Self {
        let (sender, reports) = mpsc::channel(64);
        let disk = Disk::start(folder.to_owned(), sender).unwrap();
        Self { disk, reports }
    }

    async fn next(&mut self) -> DiskReport {
        timeout(Duration::from_secs(30), self.reports.recv())
            .await
            .expect("the disk says something")
            .expect("the disk is there")
    }

    /// Bytes written until a file has ended, and how.
    async fn end(&mut self, key: FileKey) -> (u64, Result<(String, u32), FileFailure>) {
        let mut written = 0;
        loop {
            match self.next().await {
                DiskReport::Written { file, bytes } if file == key => written += bytes,
                DiskReport::Stored { file, stored, .. } if file == key => {
                    return (written, Ok((stored.name, stored.id)));
                }
                DiskReport::FileFailed { file, failure } if file == key => {
                    return (written, Err(failure));
                }
                other => panic!("not of this file: {other:?}"),
            }
        }
    }

    async fn store(
        &mut self,
        key: u32,
        path: &str,
        data: &'static [u8],
    ) -> Result<(String, u32), FileFailure> {
        let file = FileKey(key);
        self.disk.open(file, place(path), data.len() as u64);
        self.disk.write(file, Bytes::from_static(data));
        self.disk.commit(file);
        self.end(file).await.1
    }
}

#[tokio::test]
async fn a_file_is_written_told_and_stored() {
    let folder = temporary();
    let mut rig = Rig::new(folder.path());
    let file = FileKey(1);
    // Short and long pieces, in turn.
    let mut data = Vec::new();
    let mut pieces = Vec::new();
    for (index, length) in [
        1,
        5,
        CHUNK_BYTES,
        3,
        40_000,
        CHUNK_BYTES,
        CHUNK_BYTES - 1,
        7,
    ]
    .into_iter()
    .cycle()
    .take(100)
    .enumerate()
    {
        let piece = vec![u8::try_from(index).unwrap(); length];
        data.extend_from_slice(&piece);
        pieces.push(Bytes::from(piece));
    }
    rig.disk.open(file, place("a/b.bin"), data.len() as u64);
    for piece in pieces {
        rig.disk.write(file, piece);
    }
    rig.disk.commit(file);
    let (written, stored) = rig.end(file).await;
    assert_eq!(written, data.len() as u64);
    assert_eq!(stored, Ok(("b.bin".to_owned(), 1)));
    assert!(fs::read(folder.path().join("a/b.bin")).unwrap() == data);
    assert_eq!(
        rig.store(2, "empty", b"").await,
        Ok(("empty".to_owned(), 2))
    );
    assert_eq!(fs::read(folder.path().join("empty")).unwrap(), b"");
}

#[tokio::test]
async fn credit_comes_before_the_end() {
    let folder = temporary();
    let mut rig = Rig::new(folder.path());
    let file = FileKey(1);
    rig.disk.open(file, place("a"), 4);
    for piece in [b"a", b"b"] {
        rig.disk.write(file, Bytes::from_static(piece));
        assert_eq!(rig.next().await, DiskReport::Written { file, bytes: 1 });
    }
    // Fewer bytes than were announced are no file.
    rig.disk.commit(file);
    assert_eq!(rig.end(file).await, (0, Err(FileFailure::Refused)));
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn an_aborted_file_leaves_nothing_and_is_not_told() {
    let folder = temporary();
    let mut rig = Rig::new(folder.path());
    let file = FileKey(1);
    rig.disk.open(file, place("a"), 4);
    rig.disk.write(file, Bytes::from_static(b"a"));
    assert_eq!(rig.next().await, DiskReport::Written { file, bytes: 1 });
    rig.disk.abort(file);
    // What is said of a file that there isn't is ignored.
    for key in [file, FileKey(77)] {
        rig.disk.write(key, Bytes::from_static(b"bcd"));
        rig.disk.commit(key);
        rig.disk.abort(key);
    }
    rig.disk.open(FileKey(2), place("never"), 4);
    rig.disk.abort(FileKey(2));
    let (mut reports, disk) = (rig.reports, rig.disk);
    tokio::task::spawn_blocking(move || disk.stop())
        .await
        .unwrap();
    assert_eq!(reports.recv().await, None);
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn stopping_removes_what_is_under_way() {
    let folder = temporary();
    let mut rig = Rig::new(folder.path());
    for key in 0..40 {
        rig.disk.open(FileKey(key), place("a"), 2);
        rig.disk.write(FileKey(key), Bytes::from_static(b"a"));
    }
    for _ in 0..40 {
        rig.next().await;
    }
    assert_eq!(
        names(folder.path())
            .iter()
            .filter(|name| is_part(name))
            .count(),
        40
    );
    drop(rig.reports);
    tokio::task::spawn_blocking(move || rig.disk.stop())
        .await
        .unwrap();
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn no_more_than_the_window_waits_in_memory() {
    let folder = temporary();
    let (sender, mut reports) = mpsc::channel(1);
    let disk = Disk::start(folder.path().to_owned(), sender).unwrap();
    let file = FileKey(1);
    // Nobody takes reports, so at most two batches are written.
    let piece = Bytes::from(vec![0; CHUNK_BYTES]);
    let pieces = RECEIVE_WINDOW_BYTES / CHUNK_BYTES as u64 + 64;
    disk.open(file, place("a"), pieces * CHUNK_BYTES as u64);
    for _ in 0..pieces {
        disk.write(file, piece.clone());
    }
    disk.commit(file);
    let mut written = 0;
    let failure = loop {
        let report = timeout(Duration::from_secs(30), reports.recv()).await;
        match report.expect("it ends").expect("it is told") {
            DiskReport::Written { bytes, .. } => written += bytes,
            DiskReport::FileFailed { failure, .. } => break failure,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(failure, FileFailure::Interrupted);
    assert!(written <= 2 * 1024 * 1024, "{written}");
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn new_files_go_to_the_new_folder() {
    let around = temporary();
    let (one, two) = (around.path().join("one"), around.path().join("two"));
    let mut rig = Rig::new(&one);
    rig.disk.open(FileKey(1), place("begun"), 1);
    rig.disk.write(FileKey(1), Bytes::from_static(b"x"));
    rig.next().await;
    rig.disk.receive_to(two.clone()).unwrap();
    assert!(rig.disk.receive_to("/proc/nowhere".into()).is_err());
    rig.store(2, "new", b"x").await.unwrap();
    rig.disk.commit(FileKey(1));
    rig.end(FileKey(1)).await.1.unwrap();
    assert_eq!(names(&one), ["begun".to_owned()].into());
    assert_eq!(names(&two), ["new".to_owned()].into());
}

#[tokio::test]
async fn a_folder_that_was_deleted_is_made_again() {
    let around = temporary();
    let folder = around.path().join("box");
    let mut rig = Rig::new(&folder);
    rig.store(1, "a", b"x").await.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    rig.store(2, "b/c", b"x").await.unwrap();
    assert_eq!(names(&folder), ["b".to_owned()].into());
}

#[tokio::test]
async fn a_folder_that_is_of_no_use_fails_each_file_until_it_is() {
    let around = temporary();
    let folder = around.path().join("box");
    fs::write(&folder, "a file").unwrap();
    let mut rig = Rig::new(&folder);
    for key in 0..3 {
        assert_eq!(rig.store(key, "a", b"x").await, Err(FileFailure::Refused));
    }
    fs::remove_file(&folder).unwrap();
    rig.store(4, "a", b"x").await.unwrap();
}

/// As the engine does it: so many small files at once as it leaves uncommitted.
async fn small_files(folder: &Path, count: u32) {
    let mut rig = Rig::new(folder);
    let data = Bytes::from(vec![7; 1024]);
    let (mut opened, mut stored) = (0, 0);
    while stored < count {
        while opened < count && opened - stored < u32::try_from(UNCOMMITTED_FILES).unwrap() {
            let file = FileKey(opened);
            let path = format!("top/{}/{opened}.txt", opened / 1_000);
            rig.disk.open(file, place_in(1, &path), 1024);
            rig.disk.write(file, data.clone());
            rig.disk.commit(file);
            opened += 1;
        }
        match rig.next().await {
            DiskReport::Stored { .. } => stored += 1,
            DiskReport::Written { .. } => {}
            DiskReport::FileFailed { failure, .. } => panic!("{failure:?}"),
        }
    }
    let there: usize = fs::read_dir(folder.join("top"))
        .unwrap()
        .map(|below| fs::read_dir(below.unwrap().path()).unwrap().count())
        .sum();
    assert_eq!(there, count as usize);
}

#[tokio::test]
async fn many_small_files() {
    small_files(temporary().path(), 1_000).await;
}

/// In memory: to remove them again takes a disk minutes.
#[tokio::test]
async fn a_hundred_thousand_small_files() {
    if let Some(mounted) = Mounted::new("size=2g") {
        small_files(mounted.path(), 100_000).await;
    }
}

/// As the engine does it: no more than the window on its way.
#[tokio::test]
async fn a_file_of_many_windows() {
    let bytes = 4 * RECEIVE_WINDOW_BYTES;
    let folder = temporary();
    let mut rig = Rig::new(folder.path());
    let data = Bytes::from(vec![7; CHUNK_BYTES]);
    let file = FileKey(1);
    rig.disk.open(file, place("large"), bytes);
    let (mut sent, mut written) = (0, 0);
    while written < bytes {
        while sent < bytes && sent - written <= RECEIVE_WINDOW_BYTES - CHUNK_BYTES as u64 {
            rig.disk.write(file, data.clone());
            sent += CHUNK_BYTES as u64;
        }
        match rig.next().await {
            DiskReport::Written { bytes, .. } => written += bytes,
            other => panic!("{other:?}"),
        }
    }
    rig.disk.commit(file);
    rig.end(file).await.1.unwrap();
    assert_eq!(
        fs::metadata(folder.path().join("large")).unwrap().len(),
        bytes
    );
}
