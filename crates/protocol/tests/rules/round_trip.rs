//! What is written is read back as it was.

use std::fmt::Debug;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tabferry_protocol::frame::{BulkHeader, ControlFrame};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::CHUNK_BYTES;
use tabferry_protocol::relay::{RelayClientMessage, RelayEnd, RelayServerMessage};
use tabferry_protocol::signaling::{ClientMessage, PassedSignal, ServerMessage, SignalBody};

use crate::strategies;

#[test]
fn every_end_of_a_relay_has_a_word_of_its_own() {
    for end in RelayEnd::ALL {
        assert_eq!(RelayEnd::from_reason(end.reason()), Some(end));
    }
    for word in ["", "gone", "Peer-Left"] {
        assert_eq!(RelayEnd::from_reason(word), None);
    }
}

fn through_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_string(value).expect("every value serializes");
    let read: T = serde_json::from_str(&json).expect("what was written parses");
    assert_eq!(&read, value);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn control_frames(frame in strategies::control_frame()) {
        prop_assert_eq!(ControlFrame::decode(&frame.encode()), Ok(frame));
    }

    #[test]
    fn bulk_frames(header in strategies::bulk_header(), length in 1..=CHUNK_BYTES, byte: u8) {
        let data = vec![byte; length];
        let frame = [&header.encode()[..], &data].concat();
        prop_assert_eq!(BulkHeader::decode(&frame), Ok((header, &data[..])));
    }

    #[test]
    fn client_messages(message in strategies::client_message()) {
        prop_assert_eq!(ClientMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn frequent_signals_are_passed_on_as_they_are(message in strategies::client_message()) {
        let from = PeerId::from_bytes([7; 16]);
        let passed = PassedSignal::read(&message.encode(), from);
        let frequent = match message {
            ClientMessage::Signal { to, signal } => match signal.body {
                SignalBody::Offer { .. }
                | SignalBody::Answer { .. }
                | SignalBody::Candidate { .. }
                | SignalBody::EndOfCandidates => Some((to, ServerMessage::Signal { from, signal }.encode())),
                _ => None,
            },
            _ => None,
        };
        prop_assert_eq!(passed.map(|(to, passed)| (to, passed.into_text())), frequent);
    }

    #[test]
    fn server_messages(message in strategies::server_message()) {
        prop_assert_eq!(ServerMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn relay_client_messages(message in strategies::relay_client_message()) {
        prop_assert_eq!(RelayClientMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn relay_server_messages(message in strategies::relay_server_message()) {
        prop_assert_eq!(RelayServerMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn commands(command in strategies::command()) {
        through_json(&command);
    }

    #[test]
    fn events(event in strategies::event()) {
        through_json(&event);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn trust_commands(command in strategies::trust_command()) {
        through_json(&command);
    }

    #[test]
    fn trust(trust in strategies::trust()) {
        through_json(&trust);
    }

    #[test]
    fn snapshots(snapshot in strategies::snapshot()) {
        through_json(&snapshot);
    }
}
