//! A program that is killed leaves no half file under a final name, and nothing that the next one doesn't remove.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};

use crate::folder::{helper, helper_folder, is_part, names, open, place, store, temporary, write};

const BYTES: usize = 100_000;

#[test]
fn kill_leaves_whole_files_and_parts_of_our_own() {
    for stored in [1, 7, 40] {
        let folder = temporary();
        let mut child = Killed(
            helper(&[], "killed::helper_stores_files", folder.path())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let out = child.0.stdout.take().unwrap();
        let lines = BufReader::new(out).lines().map(Result::unwrap);
        let told: BTreeSet<String> = lines
            .filter_map(|line| Some(line.strip_prefix("stored ")?.to_owned()))
            .take(stored)
            .collect();
        drop(child);

        let there = names(folder.path());
        let (parts, files): (Vec<_>, Vec<_>) = there.iter().partition(|name| is_part(name));
        assert!(parts.len() >= 3, "three are always open: {there:?}");
        assert!(told.iter().all(|name| there.contains(name)));
        for name in files {
            let mut data = Vec::new();
            std::fs::File::open(folder.path().join(name))
                .unwrap()
                .read_to_end(&mut data)
                .unwrap();
            assert_eq!(data, vec![7; BYTES], "{name}");
        }
        let inbox = open(folder.path());
        assert!(names(folder.path()).iter().all(|name| !is_part(name)));
        store(&inbox, place("after"), b"x");
    }
}

#[test]
fn helper_stores_files() {
    let Some(folder) = helper_folder() else {
        return;
    };
    let inbox = open(&folder);
    let mut open = Vec::new();
    for bytes in [10, 2 * 1024 * 1024, 5 * 1024 * 1024 * 1024] {
        let mut incoming = inbox.create(place("never"), bytes).unwrap();
        write(&mut incoming, b"x").unwrap();
        open.push(incoming);
    }
    // On a line of its own, whatever the test harness has written.
    println!();
    loop {
        let stored = store(&inbox, place("a"), &[7; BYTES]);
        println!("stored {}", stored.name);
        std::io::stdout().flush().unwrap();
    }
}

/// A process that is killed when the test has seen enough of it, or fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
