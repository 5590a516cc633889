//! `docs/signaling.md` says what the server does.

use std::collections::BTreeSet;

use serde_json::Value;
use tabferry_protocol::relay::{RelayClientMessage, RelayEnd, RelayServerMessage};
use tabferry_protocol::signaling::{ClientMessage, ServerMessage};
use tabferry_signaling::close::Ending;

const DOCUMENT: &str = include_str!("../../../../docs/signaling.md");

/// The examples under a heading, one message per line.
fn examples(heading: &str) -> Vec<&'static str> {
    let (_, rest) = DOCUMENT.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    section
        .split("```json\n")
        .skip(1)
        .flat_map(|block| block.split("```").next().unwrap().lines())
        .collect()
}

/// Checks that every example is exactly what its type writes. Returns the kinds of the examples.
fn check(heading: &str, rewrite: impl Fn(&str) -> String) -> BTreeSet<String> {
    examples(heading)
        .into_iter()
        .map(|example| {
            let value: Value = serde_json::from_str(example).unwrap();
            let written: Value = serde_json::from_str(&rewrite(example)).unwrap();
            assert_eq!(written, value);
            value["type"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn set<const N: usize>(kinds: [&str; N]) -> BTreeSet<String> {
    kinds.map(str::to_owned).into()
}

#[test]
fn every_kind_of_message_has_a_true_example() {
    let client = check("Messages of a client", |text| {
        ClientMessage::decode(text).unwrap().encode()
    });
    let kinds = [
        "hello",
        "join",
        "open",
        "leave",
        "signal",
        "update",
        "open-relay",
    ];
    assert_eq!(client, set(kinds));
    let server = check("Messages of the server", |text| {
        ServerMessage::decode(text).unwrap().encode()
    });
    let kinds = [
        "welcome",
        "joined",
        "peer-joined",
        "peer-updated",
        "peer-left",
        "room-closed",
        "signal",
        "ice-servers",
        "relay",
        "error",
    ];
    assert_eq!(server, set(kinds));
    let relay = check("The relay", |text| {
        match RelayClientMessage::decode(text).unwrap() {
            RelayClientMessage::Unknown => RelayServerMessage::decode(text).unwrap().encode(),
            known => known.encode(),
        }
    });
    assert_eq!(relay, set(["join", "joined", "credit"]));
}

#[test]
fn every_error_code_is_in_the_table() {
    let words = include_str!("../../../protocol/tests/golden/words/signaling-code.json");
    let words: Vec<String> = serde_json::from_str(words).unwrap();
    for word in words.iter().filter(|word| *word != "unknown") {
        let row = format!("\n| `{word}` |");
        assert!(DOCUMENT.contains(&row), "{row}");
    }
}

#[test]
fn every_close_code_of_a_relay_is_in_its_table() {
    let (_, section) = DOCUMENT.split_once("\n## The relay\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    for end in RelayEnd::ALL {
        let row = format!("\n| {} | `{}` |", end.code(), end.reason());
        assert!(section.contains(&row), "{row}");
    }
}

#[test]
fn every_close_code_is_in_the_table() {
    for ending in [
        Ending::ProtocolError,
        Ending::NotText,
        Ending::TooLong,
        Ending::Incompatible,
        Ending::HelloTimeout,
        Ending::TooManyRefusals,
        Ending::SilenceTimeout,
        Ending::ShuttingDown,
        Ending::TooSlow,
        Ending::TooManyConnections,
    ] {
        let row = format!("\n| {} | `{}` |", ending.code(), ending.reason());
        assert!(DOCUMENT.contains(&row), "{row}");
    }
}
