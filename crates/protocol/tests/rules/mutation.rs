//! Valid messages with something wrong in them: refused, or read as another valid value, but never a panic.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use tabferry_protocol::frame::ControlFrame;

use crate::{check, strategies};

/// Harm to bytes, whatever they mean.
#[derive(Debug, Clone)]
enum Harm {
    FlipBit(Index, u8),
    Truncate(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
    Exchange(Index, Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Harm::FlipBit(at, bit)),
        any::<Index>().prop_map(Harm::Truncate),
        (any::<Index>(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        any::<(Index, Index)>().prop_map(|(from, to)| Harm::Remove(from, to)),
        any::<(Index, Index)>().prop_map(|(from, to)| Harm::Repeat(from, to)),
        any::<(Index, Index)>().prop_map(|(a, b)| Harm::Exchange(a, b)),
    ]
}

fn damage(mut bytes: Vec<u8>, harms: &[Harm]) -> Vec<u8> {
    for harm in harms {
        if bytes.is_empty() {
            return bytes;
        }
        let range = |from: &Index, to: &Index, length| {
            let (from, to) = (from.index(length), to.index(length));
            from.min(to)..from.max(to)
        };
        let length = bytes.len();
        match harm {
            Harm::FlipBit(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Harm::Truncate(at) => bytes.truncate(at.index(length)),
            Harm::Insert(at, more) => {
                let at = at.index(length);
                bytes.splice(at..at, more.iter().copied());
            }
            Harm::Remove(from, to) => drop(bytes.drain(range(from, to, length))),
            Harm::Repeat(from, to) => {
                let range = range(from, to, length);
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, copy);
            }
            Harm::Exchange(a, b) => bytes.swap(a.index(length), b.index(length)),
        }
    }
    bytes
}

/// Values that belong nowhere, or not where they are put.
fn misplaced() -> impl Strategy<Value = Value> {
    let nested = |depth: usize| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let numbers = prop_oneof![
        Just(Value::from(-1)),
        Just(Value::from(0)),
        Just(Value::from(1.5)),
        Just(Value::from(1e308)),
        Just(Value::from(1u64 << 32)),
        Just(Value::from((1u64 << 53) - 1)),
        Just(Value::from(1u64 << 53)),
        Just(Value::from(i64::MIN)),
        Just(Value::from(u64::MAX)),
    ];
    let texts = prop_oneof![
        Just(String::new()),
        Just("unknown".to_owned()),
        Just("hello".to_owned()),
        Just("file".to_owned()),
        Just("\u{202E}\u{0}\u{FEFF}".to_owned()),
        Just("javascript:alert(1)".to_owned()),
        Just("../../x".to_owned()),
        (1..70_000usize).prop_map(|length| "x".repeat(length)),
        (1..300usize).prop_map(|length| "长".repeat(length)),
        ".{0,20}",
    ];
    prop_oneof![
        numbers,
        texts.prop_map(Value::from),
        Just(Value::Null),
        Just(Value::Bool(true)),
        Just(Value::Array(Vec::new())),
        Just(Value::Object(serde_json::Map::new())),
        (1..200usize).prop_map(nested),
        (1..400usize).prop_map(|count| Value::Array(vec![Value::from(1); count])),
    ]
}

/// The places in a value, from the top down.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, inner)| places(inner, &format!("{at}/{key}"), found)),
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .for_each(|(index, inner)| places(inner, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

/// Puts a value where another was, or exchanges two.
#[derive(Debug, Clone)]
enum Confusion {
    Replace(Index, Value),
    Copy(Index, Index),
    Drop(Index),
}

fn confusion() -> impl Strategy<Value = Confusion> {
    prop_oneof![
        3 => (any::<Index>(), misplaced()).prop_map(|(at, value)| Confusion::Replace(at, value)),
        1 => any::<(Index, Index)>().prop_map(|(from, to)| Confusion::Copy(from, to)),
        1 => any::<Index>().prop_map(Confusion::Drop),
    ]
}

fn confuse(json: &[u8], confusions: &[Confusion]) -> String {
    let mut value: Value = serde_json::from_slice(json).expect("valid messages are JSON");
    for confusion in confusions {
        let mut found = Vec::new();
        places(&value, "", &mut found);
        match confusion {
            Confusion::Replace(at, replacement) => {
                if let Some(place) = value.pointer_mut(at.get(found.as_slice()).as_str()) {
                    *place = replacement.clone();
                }
            }
            Confusion::Copy(from, to) => {
                let copy = value.pointer(from.get(found.as_slice()).as_str()).cloned();
                if let (Some(copy), Some(place)) =
                    (copy, value.pointer_mut(to.get(found.as_slice()).as_str()))
                {
                    *place = copy;
                }
            }
            Confusion::Drop(at) => {
                if let Some((parent, key)) = at.get(found.as_slice()).rsplit_once('/')
                    && let Some(Value::Object(fields)) = value.pointer_mut(parent)
                {
                    fields.remove(key);
                }
            }
        }
    }
    value.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn damaged_control_frames(frame in strategies::control_frame(), harms in vec(harm(), 1..5)) {
        check::control_frame(&damage(frame.encode(), &harms));
    }

    #[test]
    fn confused_control_frames(frame in strategies::control_frame(), confusions in vec(confusion(), 1..4)) {
        let bytes = frame.encode();
        // The only body that is no JSON has mutations of its own.
        if bytes.len() > 1 && !matches!(frame, ControlFrame::Handshake(_)) {
            let body = confuse(&bytes[1..], &confusions);
            check::control_frame(&[&bytes[..1], body.as_bytes()].concat());
        }
    }

    #[test]
    fn bodies_under_another_kind(frame in strategies::control_frame(), kind: u8) {
        let mut bytes = frame.encode();
        bytes[0] = kind;
        check::control_frame(&bytes);
    }

    #[test]
    fn damaged_bulk_frames(
        header in strategies::bulk_header(),
        data in vec(any::<u8>(), 0..64),
        harms in vec(harm(), 0..5),
    ) {
        check::bulk_frame(&damage([&header.encode()[..], &data].concat(), &harms));
    }

    #[test]
    fn damaged_client_messages(message in strategies::client_message(), harms in vec(harm(), 1..5)) {
        let bytes = damage(message.encode().into_bytes(), &harms);
        check::client_message(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn confused_client_messages(message in strategies::client_message(), confusions in vec(confusion(), 1..4)) {
        check::client_message(&confuse(message.encode().as_bytes(), &confusions));
    }

    #[test]
    fn damaged_server_messages(message in strategies::server_message(), harms in vec(harm(), 1..5)) {
        let bytes = damage(message.encode().into_bytes(), &harms);
        check::server_message(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn confused_server_messages(message in strategies::server_message(), confusions in vec(confusion(), 1..4)) {
        check::server_message(&confuse(message.encode().as_bytes(), &confusions));
    }

    #[test]
    fn damaged_relay_messages(
        client in strategies::relay_client_message(),
        server in strategies::relay_server_message(),
        harms in vec(harm(), 1..5),
        confusions in vec(confusion(), 1..4),
    ) {
        for text in [client.encode(), server.encode()] {
            let damaged = damage(text.clone().into_bytes(), &harms);
            check::relay_message(&String::from_utf8_lossy(&damaged));
            check::relay_message(&confuse(text.as_bytes(), &confusions));
        }
    }

    #[test]
    fn noise(bytes in vec(any::<u8>(), 0..200)) {
        check::control_frame(&bytes);
        check::bulk_frame(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        check::client_message(&text);
        check::server_message(&text);
        check::relay_message(&text);
    }
}
