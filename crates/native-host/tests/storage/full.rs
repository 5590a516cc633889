//! A disk that runs full, at every point where it may.

use std::fs::{self, File};

use tabferry_engine::FileFailure;

use crate::folder::{Mounted, names, open, place, store, try_store, write};

const MIB: u64 = 1024 * 1024;
static CHUNK: [u8; 1024 * 1024] = [1; 1024 * 1024];

#[test]
fn a_file_that_leaves_too_little_space_is_refused_before_its_first_byte() {
    let Some(mounted) = Mounted::new("size=600m") else {
        return;
    };
    let inbox = open(mounted.path());
    assert!(inbox.check_space(80 * MIB).is_ok());
    for bytes in [89 * MIB, 600 * MIB, u64::MAX - MIB, u64::MAX] {
        assert_eq!(inbox.check_space(bytes).unwrap_err().code(), "full");
        let refused = inbox.create(place("a"), bytes).unwrap_err();
        assert_eq!(refused.failure(), FileFailure::Full, "{bytes}");
    }
    assert!(names(mounted.path()).is_empty());
    let small = inbox.create(place("a"), 80 * MIB).unwrap();
    // What is promised to one file is not there for another.
    assert_eq!(
        inbox.create(place("b"), 80 * MIB).unwrap_err().code(),
        "full"
    );
    drop(small);
    inbox.create(place("b"), 80 * MIB).unwrap();
}

#[test]
fn a_transfer_that_does_not_fit_as_a_whole_is_refused_with_its_first_file() {
    let Some(mounted) = Mounted::new("size=600m") else {
        return;
    };
    let inbox = open(mounted.path());
    let mut first = place("first");
    first.to_come = 89 * MIB;
    assert_eq!(inbox.create(first.clone(), 1).unwrap_err().code(), "full");
    first.to_come = 80 * MIB;
    assert!(inbox.create(first, 1).is_ok());
}

#[test]
fn a_disk_that_others_fill_keeps_its_promise_to_a_file() {
    let Some(mounted) = Mounted::new("size=600m") else {
        return;
    };
    let inbox = open(mounted.path());
    let mut incoming = inbox.create(place("a"), 4 * MIB).unwrap();
    mounted.remount("size=4m");
    for _ in 0..4 {
        write(&mut incoming, &CHUNK[..]).unwrap();
    }
    assert!(File::create(mounted.path().join("other")).is_ok());
    assert!(fs::write(mounted.path().join("other"), &CHUNK[..]).is_err());
    let stored = incoming.commit().unwrap();
    assert_eq!(fs::metadata(stored.path).unwrap().len(), 4 * MIB);
}

#[test]
fn a_disk_that_is_full_in_mid_way_takes_nothing_of_a_file() {
    let Some(mounted) = Mounted::new("size=6g") else {
        return;
    };
    let inbox = open(mounted.path());
    // Too long to be preallocated.
    let mut incoming = inbox.create(place("a"), 4_200 * MIB).unwrap();
    mounted.remount("size=3m");
    let failure = (0..4)
        .find_map(|_| write(&mut incoming, &CHUNK[..]).err())
        .expect("4 MiB don't fit into 3");
    assert_eq!(failure.failure(), FileFailure::Full, "{failure:?}");
    drop(incoming);
    assert!(names(mounted.path()).is_empty());
    mounted.remount("size=600m");
    store(&inbox, place("a"), &CHUNK[..]);
}

#[test]
fn a_disk_without_room_for_one_more_name_is_full() {
    let Some(mounted) = Mounted::new("size=600m,nr_inodes=8") else {
        return;
    };
    let inbox = open(mounted.path());
    let mut incoming = inbox.create(place("folder/a"), 1).unwrap();
    write(&mut incoming, b"x").unwrap();
    let mut fillers = 0;
    while File::create(mounted.path().join(fillers.to_string())).is_ok() {
        fillers += 1;
    }
    // No room for a folder, when the file is complete; none for a file.
    assert_eq!(incoming.commit().unwrap_err().failure(), FileFailure::Full);
    File::create(mounted.path().join("last")).unwrap();
    let failure = try_store(&inbox, place("b"), b"x").unwrap_err();
    assert_eq!(failure.failure(), FileFailure::Full);
    assert_eq!(names(mounted.path()).len(), fillers + 1);
    fs::remove_file(mounted.path().join("last")).unwrap();
    store(&inbox, place("b"), b"x");
}
