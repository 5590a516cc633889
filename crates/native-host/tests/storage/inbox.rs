//! One file's way into the inbox, and everyone who is in its way.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, SystemTime};

use tabferry_engine::FileFailure;
use tabferry_host::inbox::{Inbox, InboxError};

use crate::folder::{
    Mounted, helper, helper_folder, is_part, is_root, names, open, place, place_in, store,
    temporary, try_store, write,
};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let folder = temporary();
    let inbox = open(folder.path());
    let mut incoming = inbox.create(place("a.txt"), 6).unwrap();
    write(&mut incoming, b"abc").unwrap();
    let [part] = &names(folder.path()).into_iter().collect::<Vec<_>>()[..] else {
        panic!("nothing but a part is there");
    };
    assert!(is_part(part), "{part}");
    assert_eq!(mode(&folder.path().join(part)), 0o600);
    write(&mut incoming, b"def").unwrap();
    let stored = incoming.commit().unwrap();
    assert_eq!(stored.name, "a.txt");
    assert_eq!(stored.path, folder.path().join("a.txt"));
    assert_eq!(names(folder.path()), ["a.txt".to_owned()].into());
    assert_eq!(fs::read(&stored.path).unwrap(), b"abcdef");
}

#[test]
fn a_file_that_is_dropped_leaves_nothing() {
    let folder = temporary();
    let inbox = open(folder.path());
    let mut incoming = inbox.create(place("photos/a.txt"), 6).unwrap();
    write(&mut incoming, b"abc").unwrap();
    drop(incoming);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn only_as_many_bytes_as_were_announced() {
    let folder = temporary();
    let inbox = open(folder.path());
    let mut incoming = inbox.create(place("a"), 2).unwrap();
    assert!(matches!(
        write(&mut incoming, b"abc"),
        Err(InboxError::Refused(_))
    ));
    write(&mut incoming, b"a").unwrap();
    assert!(matches!(incoming.commit(), Err(InboxError::Refused(_))));
    assert!(names(folder.path()).is_empty());
}

#[test]
fn taken_names_get_numbers() {
    let folder = temporary();
    let inbox = open(folder.path());
    fs::write(folder.path().join("a.tar.gz"), "mine").unwrap();
    fs::create_dir(folder.path().join("b")).unwrap();
    assert_eq!(store(&inbox, place("a.tar.gz"), b"x").name, "a.tar (1).gz");
    assert_eq!(store(&inbox, place("a.tar.gz"), b"y").name, "a.tar (2).gz");
    assert_eq!(store(&inbox, place("b"), b"z").name, "b (1)");
    assert_eq!(fs::read(folder.path().join("a.tar.gz")).unwrap(), b"mine");
}

#[test]
fn after_99_numbers_come_random_ones() {
    let folder = temporary();
    let inbox = open(folder.path());
    fs::write(folder.path().join("a.txt"), "").unwrap();
    for number in 1..=99 {
        fs::write(folder.path().join(format!("a ({number}).txt")), "").unwrap();
    }
    for _ in 0..2 {
        let name = store(&inbox, place("a.txt"), b"x").name;
        let random = name
            .strip_prefix("a (")
            .and_then(|rest| rest.strip_suffix(").txt"))
            .unwrap_or_else(|| panic!("{name}"));
        assert_eq!(random.len(), 8, "{name}");
    }
    assert_eq!(names(folder.path()).len(), 102);
}

#[test]
fn thirty_two_files_of_one_name_all_arrive() {
    let folder = temporary();
    let inbox = open(folder.path());
    let start = Barrier::new(32);
    let stored: Vec<_> = thread::scope(|scope| {
        let senders: Vec<_> = (0..32)
            .map(|sender: u32| {
                let (inbox, start) = (&inbox, &start);
                scope.spawn(move || {
                    let data = format!("from {sender}");
                    let mut incoming = inbox
                        .create(place_in(sender, "a.txt"), data.len() as u64)
                        .unwrap();
                    write(&mut incoming, data.as_bytes()).unwrap();
                    start.wait();
                    (data, incoming.commit().unwrap())
                })
            })
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .collect()
    });
    let numbered = (1..32).map(|number| format!("a ({number}).txt"));
    let expected = std::iter::once("a.txt".to_owned()).chain(numbered);
    assert_eq!(names(folder.path()), expected.collect());
    for (data, stored) in stored {
        assert_eq!(fs::read_to_string(&stored.path).unwrap(), data);
    }
}

#[test]
fn hostile_names_stay_in_the_folder() {
    let around = temporary();
    let folder = around.path().join("in/box");
    let inbox = open(&folder);
    let long = "長".repeat(300);
    let hostile = [
        "../x",
        "../../x",
        "..",
        ".",
        "",
        "/",
        "/etc/passwd",
        "..\\..\\x",
        "C:\\x",
        "\\\\server\\share\\x",
        "a/../../x",
        "./x",
        "x/",
        "x\0y",
        "\0",
        "con",
        "NUL.txt",
        "COM¹",
        "lpt9 .x",
        ".bashrc",
        "~root",
        "desktop.ini",
        "x.lnk",
        "x.desktop",
        "invoice\u{202E}fdp.exe",
        "\u{200B}",
        "x\n.txt",
        "cafe\u{301}",
        "café",
        "trailing. . .",
        "   ",
        "a:b",
        "x:Zone.Identifier",
        "*?\"<>|",
        long.as_str(),
        ".tabferry-0123456789abcdef0123456789abcdef.part",
        "%2e%2e%2fx",
        "..%c0%afx",
        "-rf",
        "$(reboot)",
    ];
    for hostile in hostile {
        // As a file, and as a folder with one.
        let mut place = place("file");
        place.name = tabferry_protocol::name::ReceivedName::from_proposed(hostile);
        let stored = store(&inbox, place.clone(), b"x");
        assert_eq!(stored.path.parent(), Some(folder.as_path()), "{hostile:?}");
        assert_eq!(mode(&stored.path) & 0o133, 0, "{hostile:?}");
        let twice = format!("{0}/{0}", place.name);
        place.folder = tabferry_protocol::name::ReceivedFolder::from_proposed(&twice);
        let stored = store(&inbox, place, b"x");
        let depth = stored.path.strip_prefix(&folder).unwrap().iter().count();
        assert_eq!(depth, 3, "{hostile:?}");
        assert!(!stored.name.starts_with('.'), "{hostile:?}");
    }
    assert_eq!(names(around.path()), ["in".to_owned()].into());
    assert_eq!(names(&around.path().join("in")), ["box".to_owned()].into());
    let files = fs::read_dir(&folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_file())
        .count();
    assert_eq!(files, hostile.len());
}

#[test]
fn files_are_never_executable_and_follow_the_umask() {
    for (umask, expected) in [
        ("077", 0o600),
        ("022", 0o644),
        ("000", 0o644),
        ("027", 0o640),
    ] {
        let folder = temporary();
        let shell = format!("umask {umask}; exec \"$@\"");
        let status = helper(
            &["sh", "-c", &shell, "sh"],
            "inbox::helper_stores_a_program",
            folder.path(),
        )
        .status()
        .unwrap();
        assert!(status.success());
        let folders = 0o755 & !u32::from_str_radix(umask, 8).unwrap();
        assert_eq!(mode(&folder.path().join("run.sh")), expected, "{umask}");
        assert_eq!(mode(&folder.path().join("a")), folders, "{umask}");
        assert_eq!(mode(&folder.path().join("a/run")), expected, "{umask}");
    }
}

#[test]
fn helper_stores_a_program() {
    let Some(folder) = helper_folder() else {
        return;
    };
    let inbox = open(&folder);
    store(&inbox, place("run.sh"), b"#!/bin/sh\n");
    store(&inbox, place("a/run"), b"#!/bin/sh\n");
}

/// System calls that the order of operations is made of, in their order, without those before the file is made.
fn steps(trace: &str) -> Vec<&'static str> {
    const STEPS: [(&str, &str); 10] = [
        ("O_EXCL", "create"),
        ("flock(", "lock"),
        ("fallocate(", "reserve"),
        ("writev(", "write"),
        ("fdatasync(", "flush the file"),
        ("fchmod(", "set the mode"),
        ("renameat2(", "rename"),
        ("linkat(", "link"),
        ("fsync(", "flush the folder"),
        ("mkdirat(", "make a folder"),
    ];
    // The one after the probe for the mode.
    let start = trace.rfind("O_EXCL").unwrap();
    let start = trace[..start].rfind('\n').map_or(0, |end| end + 1);
    let mut steps: Vec<_> = trace[start..]
        .lines()
        .filter_map(|line| {
            let step = STEPS.iter().find(|(call, _)| line.contains(call))?;
            Some(step.1)
        })
        .collect();
    steps.dedup();
    steps
}

#[test]
fn a_file_is_flushed_before_it_gets_its_name_and_its_folder_after() {
    let folder = temporary();
    let trace = folder.path().join("trace");
    let calls =
        "trace=openat,flock,fallocate,writev,fdatasync,fchmod,renameat2,linkat,fsync,mkdirat";
    let arguments = ["strace", "-f", "-e", calls, "-o", trace.to_str().unwrap()];
    let into = folder.path().join("into");
    let test = "inbox::helper_stores_a_folder";
    if !helper(&arguments, test, &into)
        .status()
        .is_ok_and(|status| status.success())
    {
        println!("SKIPPED: strace is not there, or may not trace");
        return;
    }
    assert_eq!(
        steps(&fs::read_to_string(trace).unwrap()),
        [
            "create",
            "lock",
            "reserve",
            "write",
            "flush the file",
            "make a folder",
            "flush the folder",
            "make a folder",
            "flush the folder",
            "set the mode",
            "rename",
            "flush the folder",
        ]
    );
    assert_eq!(names(&into.join("a/b")), ["c".to_owned()].into());
}

#[test]
fn helper_stores_a_folder() {
    let Some(folder) = helper_folder() else {
        return;
    };
    let inbox = open(&folder);
    store(&inbox, place("a/b/c"), &vec![7; 2 * 1024 * 1024]);
}

#[test]
fn a_folder_keeps_its_tree_and_its_transfer_together() {
    let folder = temporary();
    let inbox = open(folder.path());
    for path in [
        "photos.2024/a.jpg",
        "photos.2024/b/c/d.jpg",
        "e.jpg",
        "other/f",
    ] {
        store(&inbox, place_in(1, path), path.as_bytes());
    }
    for path in ["photos.2024/a.jpg", "photos.2024/b/c/d.jpg", "other/f"] {
        store(&inbox, place_in(2, path), path.as_bytes());
    }
    // The first one isn't over yet.
    let late = store(&inbox, place_in(1, "photos.2024/b/late"), b"late");
    assert_eq!(late.path, folder.path().join("photos.2024/b/late"));
    for (path, data) in [
        ("photos.2024/a.jpg", "photos.2024/a.jpg"),
        ("photos.2024/b/c/d.jpg", "photos.2024/b/c/d.jpg"),
        ("e.jpg", "e.jpg"),
        ("other/f", "other/f"),
        ("photos.2024 (1)/a.jpg", "photos.2024/a.jpg"),
        ("photos.2024 (1)/b/c/d.jpg", "photos.2024/b/c/d.jpg"),
        ("other (1)/f", "other/f"),
    ] {
        assert_eq!(
            fs::read_to_string(folder.path().join(path)).unwrap(),
            data,
            "{path}"
        );
    }
    assert_eq!(names(folder.path()).len(), 5);
    assert_eq!(names(&folder.path().join("photos.2024 (1)")).len(), 2);
}

#[test]
fn many_threads_make_one_tree() {
    let folder = temporary();
    let inbox = open(folder.path());
    thread::scope(|scope| {
        for thread in 0..8 {
            let inbox = &inbox;
            scope.spawn(move || {
                for file in 0..25 {
                    store(
                        inbox,
                        place(&format!("top/{}/{thread}-{file}", file % 5)),
                        b"x",
                    );
                }
            });
        }
    });
    assert_eq!(names(folder.path()), ["top".to_owned()].into());
    for below in 0..5 {
        assert_eq!(names(&folder.path().join(format!("top/{below}"))).len(), 40);
    }
}

#[test]
fn a_folder_that_was_there_is_not_touched() {
    let folder = temporary();
    let inbox = open(folder.path());
    fs::create_dir(folder.path().join("photos")).unwrap();
    symlink("/nowhere", folder.path().join("photos (1)")).unwrap();
    let stored = store(&inbox, place("photos/a"), b"x");
    assert_eq!(stored.path, folder.path().join("photos (2)/a"));
    assert!(names(&folder.path().join("photos")).is_empty());
}

#[test]
fn a_link_in_place_of_the_inbox_leads_nowhere() {
    let around = temporary();
    let (folder, aside, elsewhere) = (
        around.path().join("box"),
        around.path().join("aside"),
        around.path().join("elsewhere"),
    );
    fs::create_dir(&elsewhere).unwrap();
    let inbox = open(&folder);
    let mut begun = inbox.create(place("begun"), 1).unwrap();
    fs::rename(&folder, &aside).unwrap();
    symlink(&elsewhere, &folder).unwrap();
    write(&mut begun, b"x").unwrap();
    begun.commit().unwrap();
    store(&inbox, place("new"), b"x");
    store(&inbox, place("folder/new"), b"x");
    assert!(names(&elsewhere).is_empty());
    assert_eq!(names(&aside).len(), 3);
}

#[test]
fn a_link_in_place_of_a_received_folder_is_not_followed() {
    let around = temporary();
    let elsewhere = around.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(elsewhere.join("b")).unwrap();
    let folder = around.path().join("box");
    for swapped in ["a", "a/b"] {
        let inbox = open(&folder);
        let first = store(&inbox, place("a/b/first"), b"x").path;
        let top = first.parent().unwrap().parent().unwrap();
        let swapped = if swapped == "a" {
            top.to_owned()
        } else {
            top.join("b")
        };
        let mut begun = inbox.create(place("a/b/begun"), 1).unwrap();
        write(&mut begun, b"x").unwrap();
        fs::rename(&swapped, around.path().join("aside")).unwrap();
        symlink(&elsewhere, &swapped).unwrap();
        let failures = [
            begun.commit().unwrap_err(),
            try_store(&inbox, place("a/b/late"), b"x").unwrap_err(),
        ];
        for failure in failures {
            assert_eq!(failure.failure(), FileFailure::Refused, "{failure:?}");
        }
        fs::remove_dir_all(around.path().join("aside")).unwrap();
    }
    assert_eq!(names(&elsewhere), ["b".to_owned()].into());
    assert!(names(&elsewhere.join("b")).is_empty());
    assert!(names(&folder).iter().all(|name| !is_part(name)));
}

#[test]
fn another_folder_in_place_of_a_received_one_gets_nothing() {
    let folder = temporary();
    let inbox = open(folder.path());
    store(&inbox, place("a/first"), b"x");
    let mine = folder.path().join("mine");
    fs::rename(folder.path().join("a"), folder.path().join("aside")).unwrap();
    fs::create_dir(&mine).unwrap();
    fs::rename(&mine, folder.path().join("a")).unwrap();
    let failure = try_store(&inbox, place("a/second"), b"x").unwrap_err();
    assert_eq!(failure.code(), "refused");
    assert!(names(&folder.path().join("a")).is_empty());
}

#[test]
fn a_link_under_the_final_name_stays_what_it_is() {
    let folder = temporary();
    let inbox = open(folder.path());
    let (dangling, alive) = (folder.path().join("dangling"), folder.path().join("alive"));
    let target = folder.path().join("target");
    symlink(folder.path().join("nowhere"), &dangling).unwrap();
    fs::write(&target, "mine").unwrap();
    symlink(&target, &alive).unwrap();
    assert_eq!(store(&inbox, place("dangling"), b"x").name, "dangling (1)");
    assert_eq!(store(&inbox, place("alive"), b"x").name, "alive (1)");
    assert!(!folder.path().join("nowhere").exists());
    assert_eq!(fs::read(&target).unwrap(), b"mine");
    assert!(fs::symlink_metadata(&alive).unwrap().is_symlink());
}

#[test]
fn a_part_that_someone_removes_is_a_cancelled_file() {
    let folder = temporary();
    let inbox = open(folder.path());
    let incoming = inbox.create(place("a"), 0).unwrap();
    for name in names(folder.path()) {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_eq!(
        incoming.commit().unwrap_err().failure(),
        FileFailure::Cancelled
    );
}

#[test]
fn a_link_in_place_of_a_part_is_not_renamed() {
    let folder = temporary();
    let inbox = open(folder.path());
    let incoming = inbox.create(place("a"), 0).unwrap();
    for name in names(folder.path()) {
        fs::remove_file(folder.path().join(&name)).unwrap();
        symlink("/etc/passwd", folder.path().join(&name)).unwrap();
    }
    assert_eq!(incoming.commit().unwrap_err().code(), "refused");
    assert!(!names(folder.path()).contains("a"));
}

#[test]
fn a_deleted_folder_is_told() {
    let around = temporary();
    let folder = around.path().join("box");
    let inbox = open(&folder);
    let mut begun = inbox.create(place("a"), 1).unwrap();
    write(&mut begun, b"x").unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(inbox.create(place("b"), 1), Err(InboxError::Gone)));
    assert_eq!(
        begun.commit().unwrap_err().failure(),
        FileFailure::Cancelled
    );
    // Opened again, it is made.
    store(&open(&folder), place("c"), b"x");
}

#[test]
fn a_folder_that_takes_no_files_is_told_at_once() {
    let folder = temporary();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        assert_eq!(Inbox::open(&path).unwrap_err().code(), "refused");
    }
    assert_eq!(
        Inbox::open(Path::new("/proc/tabferry"))
            .unwrap_err()
            .failure(),
        FileFailure::Refused
    );
    if is_root() {
        let Some(mounted) = Mounted::new("size=600m,ro") else {
            return;
        };
        assert_eq!(Inbox::open(mounted.path()).unwrap_err().code(), "refused");
    } else {
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
        assert_eq!(Inbox::open(&closed).unwrap_err().code(), "refused");
    }
}

#[test]
fn a_folder_that_becomes_read_only_takes_no_more() {
    let Some(mounted) = Mounted::new("size=600m") else {
        return;
    };
    let inbox = open(mounted.path());
    store(&inbox, place("before"), b"x");
    mounted.remount("ro");
    let failure = try_store(&inbox, place("after"), b"x").unwrap_err();
    assert_eq!(failure.failure(), FileFailure::Refused, "{failure:?}");
    mounted.remount("rw");
    store(&inbox, place("again"), b"x");
    assert_eq!(names(mounted.path()).len(), 2);
}

#[test]
fn only_stale_parts_of_our_own_are_removed() {
    let folder = temporary();
    let path = |name: &str| folder.path().join(name);
    let part = |digit: &str| format!(".tabferry-{}.part", digit.repeat(32));
    let inbox = open(folder.path());
    let live = inbox.create(place("live"), 0).unwrap();
    let live_name = names(folder.path()).pop_first().unwrap();

    fs::write(path(&part("0")), "stale").unwrap();
    let old = File::create(path(&part("1"))).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(30 * 24 * 60 * 60))
        .unwrap();
    drop(old);

    let mut stay = vec![live_name];
    for name in [
        "a.part",
        ".a.part",
        ".tabferry-.part",
        ".tabferry-0.part",
        &part("g"),
        &part("A"),
        &format!("{}.txt", part("2")),
        &format!("x{}", part("2")),
    ] {
        fs::write(path(name), "mine").unwrap();
        stay.push(name.to_owned());
    }
    symlink(path("a.part"), path(&part("3"))).unwrap();
    symlink(path("nowhere"), path(&part("4"))).unwrap();
    fs::create_dir(path(&part("5"))).unwrap();
    let fifo = Command::new("mkfifo").arg(path(&part("6"))).status();
    assert!(fifo.unwrap().success());
    let held = File::create(path(&part("7"))).unwrap();
    held.lock().unwrap();
    stay.extend(["3", "4", "5", "6", "7"].map(part));
    if is_root() {
        fs::write(path(&part("8")), "another user's").unwrap();
        std::os::unix::fs::chown(path(&part("8")), Some(12_345), None).unwrap();
        stay.push(part("8"));
    } else {
        println!("SKIPPED: only root can make another user's file");
    }

    let again = open(folder.path());
    assert_eq!(names(folder.path()), stay.into_iter().collect());
    assert_eq!(fs::read(path("a.part")).unwrap(), b"mine");
    assert_eq!(live.commit().unwrap().name, "live");
    store(&again, place("live"), b"x");
}

#[test]
fn another_tabferry_that_opens_the_folder_takes_nothing_that_is_alive() {
    let folder = temporary();
    let inbox = open(folder.path());
    thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..100).for_each(|_| drop(store(&inbox, place("a"), b"x")))))
            .collect();
        while senders.iter().any(|sender| !sender.is_finished()) {
            drop(open(folder.path()));
        }
    });
    let names = names(folder.path());
    assert_eq!(names.len(), 400);
    assert!(names.iter().all(|name| !is_part(name)));
}

#[test]
fn a_part_is_one_name_for_one_file() {
    let folder = temporary();
    let inbox = open(folder.path());
    let stored = store(&inbox, place("a"), b"x");
    let metadata = fs::metadata(stored.path).unwrap();
    assert_eq!(metadata.nlink(), 1);
    assert_eq!(metadata.len(), 1);
}
