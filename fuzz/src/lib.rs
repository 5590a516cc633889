//! What every fuzz target checks: whatever is read without an error is valid, and is read again as the same value.

use tabferry_protocol::card::DeviceName;
use tabferry_protocol::frame::{BulkHeader, ControlFrame};
use tabferry_protocol::limits::{
    CHUNK_BYTES, CONTROL_FRAME_BYTES, DEVICE_NAME_BYTES, RECEIVED_NAME_BYTES,
    SIGNALING_MESSAGE_BYTES, URL_BYTES,
};
use tabferry_protocol::link::WebUrl;
use tabferry_protocol::manifest::Manifest;
use tabferry_protocol::name::{ReceivedName, is_invisible};
use tabferry_protocol::signaling::{ClientMessage, ServerMessage};

/// A control frame, and the manifest that its entries would make.
pub fn control_frame(bytes: &[u8]) {
    let Ok(frame) = ControlFrame::decode(bytes) else {
        return;
    };
    let entries = match &frame {
        ControlFrame::Propose(propose) => propose.entries.clone(),
        ControlFrame::Entries(more) => more.entries.clone(),
        _ => Vec::new(),
    };
    if let Ok(manifest) = Manifest::new(entries.clone()) {
        assert_eq!(manifest.into_entries(), entries);
    }
    let encoded = frame.encode();
    // A link may grow as it is normalized, and the frame beyond its limit with it.
    if encoded.len() <= CONTROL_FRAME_BYTES {
        assert_eq!(ControlFrame::decode(&encoded), Ok(frame));
    }
}

/// A bulk frame: only its length decides.
pub fn bulk_frame(bytes: &[u8]) {
    if let Ok((header, data)) = BulkHeader::decode(bytes) {
        assert!((1..=CHUNK_BYTES).contains(&data.len()));
        assert_eq!([&header.encode()[..], data].concat(), bytes);
    }
}

/// A client's message; a signal must reach the other client as one.
pub fn client_message(text: &str) {
    let Ok(message) = ClientMessage::decode(text) else {
        return;
    };
    let encoded = message.encode();
    // An unknown word may be shorter than "unknown".
    if encoded.len() <= SIGNALING_MESSAGE_BYTES {
        assert_eq!(ClientMessage::decode(&encoded).as_ref(), Ok(&message));
    }
    if let ClientMessage::Signal { to, signal } = message {
        let passed_on = ServerMessage::Signal { from: to, signal };
        let encoded = passed_on.encode();
        assert!(encoded.len() <= SIGNALING_MESSAGE_BYTES);
        assert_eq!(ServerMessage::decode(&encoded), Ok(passed_on));
    }
}

/// A server's message.
pub fn server_message(text: &str) {
    let Ok(message) = ServerMessage::decode(text) else {
        return;
    };
    let encoded = message.encode();
    if encoded.len() <= SIGNALING_MESSAGE_BYTES {
        assert_eq!(ServerMessage::decode(&encoded), Ok(message));
    }
}

/// A proposed file name: always becomes a safe one.
pub fn received_name(proposed: &str) {
    let name = ReceivedName::from_proposed(proposed);
    let text = name.as_str();
    assert!((1..=RECEIVED_NAME_BYTES).contains(&text.len()));
    assert!(!text.contains(['/', '\\', '<', '>', ':', '"', '|', '?', '*']));
    assert!(!text.chars().any(is_invisible));
    assert!(!text.starts_with(['.', '~', ' ']) && !text.ends_with(['.', ' ']));
    assert_eq!(ReceivedName::from_proposed(text), name);
}

/// A link.
pub fn web_url(text: &str) {
    if let Ok(url) = WebUrl::try_from(text.to_owned()) {
        let normal = url.as_str();
        assert!(normal.starts_with("https://") || normal.starts_with("http://"));
        assert!(normal.is_ascii() && normal.len() <= URL_BYTES);
        assert_eq!(WebUrl::try_from(normal.to_owned()).as_ref(), Ok(&url));
    }
}

/// A device's name, as it is typed.
pub fn device_name(typed: &str) {
    if let Ok(name) = DeviceName::from_typed(typed) {
        let text = name.as_str();
        assert!((1..=DEVICE_NAME_BYTES).contains(&text.len()));
        assert!(!text.chars().any(is_invisible));
        assert_eq!(DeviceName::from_typed(text).as_ref(), Ok(&name));
    }
}
