//! What a browser starts: it passes frames on in both directions, starts the daemon, refuses what breaks a limit with a
//! frame that says so, and ends when either end does. As a real process with real pipes.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends where its ground gives way, and makes what is in the way of the program"
)]

mod support;

use std::io::Read;

use support::{Bridge, Home};
use tabferry_host::bridge::ORIGINS;
use tabferry_protocol::limits::NATIVE_FRAME_BYTES;
use tabferry_protocol::native::{DaemonCode, FromDaemon, ToDaemon, VERSION};

fn hello() -> ToDaemon {
    ToDaemon::Hello {
        version: VERSION,
        program: "test".to_owned(),
    }
}

fn error(bridge: &mut Bridge) -> DaemonCode {
    match bridge.hear() {
        Some(FromDaemon::Error { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

/// Ends the daemon that a bridge has started.
fn stop(home: &Home) {
    assert!(home.command(&["stop"]).status().unwrap().success());
}

#[test]
fn it_starts_the_daemon_and_passes_frames_on_until_the_browser_ends() {
    let home = Home::new();
    let mut bridge = Bridge::start(&home, ORIGINS[0]);
    bridge.say(&hello());
    let welcome = bridge.hear().unwrap();
    assert!(matches!(
        welcome,
        FromDaemon::Welcome {
            version: VERSION,
            device: None,
            ..
        }
    ));
    bridge.close();
    assert!(bridge.child.wait().unwrap().success());
    // Nothing but frames has come to stdout, and nobody holds it open: it is at its end.
    let mut rest = Vec::new();
    bridge
        .child
        .stdout
        .as_mut()
        .unwrap()
        .read_to_end(&mut rest)
        .unwrap();
    assert!(rest.is_empty());
    // The daemon has outlived it.
    let mut again = Bridge::start(&home, ORIGINS[0]);
    again.say(&hello());
    assert!(again.hear().is_some());
    stop(&home);
    assert!(again.hear().is_none(), "the daemon's end ends the bridge");
    assert!(again.child.wait().unwrap().success());
}

#[test]
fn firefox_is_known_by_its_arguments() {
    let home = Home::new();
    let manifest = home.directory.path().join("app.tabferry.host.json");
    for (add_on, is_known) in [(ORIGINS[1], true), ("other@example.org", false)] {
        let child = home
            .command(&[manifest.to_str().unwrap(), add_on])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut bridge = Bridge { child };
        if is_known {
            bridge.say(&hello());
            assert!(matches!(bridge.hear(), Some(FromDaemon::Welcome { .. })));
        } else {
            assert_eq!(error(&mut bridge), DaemonCode::NotAllowed);
        }
    }
    stop(&home);
}

#[test]
fn another_extension_is_refused_and_no_daemon_is_started_for_it() {
    let home = Home::new();
    for origin in [
        "chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
        "chrome-extension://imfpdplahoccelbkgcfjfibikmoechld",
        "chrome-extension://imfpdplahoccelbkgcfjfibikmoechld/x",
        "chrome-extension://",
    ] {
        let mut bridge = Bridge::start(&home, origin);
        assert_eq!(error(&mut bridge), DaemonCode::NotAllowed, "{origin}");
        assert!(bridge.hear().is_none());
        assert!(!bridge.child.wait().unwrap().success());
    }
    assert!(!home.socket().exists());
}

#[test]
fn a_frame_of_a_wrong_length_is_refused_before_it_comes() {
    let home = Home::new();
    let longest = u32::try_from(NATIVE_FRAME_BYTES).unwrap();
    for length in [0, longest + 1, u32::MAX] {
        let mut bridge = Bridge::start(&home, ORIGINS[0]);
        bridge.say(&hello());
        assert!(matches!(bridge.hear(), Some(FromDaemon::Welcome { .. })));
        // Not one byte of the frame itself follows: the answer must not wait for it.
        bridge.write(&length.to_ne_bytes());
        assert_eq!(error(&mut bridge), DaemonCode::InvalidMessage, "{length}");
        assert!(bridge.hear().is_none());
        assert!(!bridge.child.wait().unwrap().success());
    }
    stop(&home);
}

#[test]
fn the_longest_frame_passes() {
    let home = Home::new();
    let mut bridge = Bridge::start(&home, ORIGINS[0]);
    let mut json = serde_json::to_vec(&hello()).unwrap();
    json.resize(NATIVE_FRAME_BYTES, b' ');
    bridge.write(&u32::try_from(json.len()).unwrap().to_ne_bytes());
    bridge.write(&json);
    assert!(matches!(bridge.hear(), Some(FromDaemon::Welcome { .. })));
    stop(&home);
}

#[test]
fn garbage_is_answered_and_ends_the_connection() {
    let home = Home::new();
    for garbage in [
        &b"{"[..],
        b"\xff\xfe",
        b"null",
        b"{\"halt\":{}}",
        b"{\"hello\":{\"version\":1,\"program\":\"x\",\"more\":1}}",
        b"\"status\"",
    ] {
        let mut bridge = Bridge::start(&home, ORIGINS[0]);
        bridge.write(&u32::try_from(garbage.len()).unwrap().to_ne_bytes());
        bridge.write(garbage);
        assert_eq!(
            error(&mut bridge),
            DaemonCode::InvalidMessage,
            "{garbage:?}"
        );
        assert!(bridge.hear().is_none());
        bridge.child.wait().unwrap();
    }
    stop(&home);
}

#[test]
fn a_browser_that_is_killed_within_a_frame_leaves_nothing_behind() {
    let home = Home::new();
    for cut in [&[1u8, 0][..], &[100, 0, 0, 0], &[100, 0, 0, 0, b'{']] {
        let mut bridge = Bridge::start(&home, ORIGINS[0]);
        bridge.say(&hello());
        assert!(matches!(bridge.hear(), Some(FromDaemon::Welcome { .. })));
        bridge.write(cut);
        bridge.close();
        assert!(bridge.child.wait().unwrap().success());
        assert!(bridge.hear().is_none());
    }
    stop(&home);
}

#[test]
fn a_daemon_that_cannot_be_started_is_told() {
    let home = Home::new();
    // No directory can be made where a file is.
    std::fs::write(&home.places.runtime, "").unwrap();
    let mut bridge = Bridge::start(&home, ORIGINS[0]);
    assert_eq!(error(&mut bridge), DaemonCode::Failed);
    assert!(bridge.hear().is_none());
}
