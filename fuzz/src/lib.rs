//! What every fuzz target checks: whatever is read without an error is valid, and is read again as the same value.

use tabferry_protocol::card::{DeviceKind, DeviceName};
use tabferry_protocol::code_proof::{self, CodeProof};
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::frame::{BulkHeader, ControlFrame};
use tabferry_protocol::handshake::{Handshake, Params, Path, Progress, Seed};
use tabferry_protocol::id::DeviceId;
use tabferry_protocol::identity::{DeviceKey, SignedCard};
use tabferry_protocol::limits::{
    CHUNK_BYTES, CONTROL_FRAME_BYTES, DEVICE_NAME_BYTES, FOLDER_DEPTH, RECEIVED_NAME_BYTES,
    SIGNALING_MESSAGE_BYTES, URL_BYTES,
};
use tabferry_protocol::link::WebUrl;
use tabferry_protocol::manifest::Manifest;
use tabferry_protocol::name::{ReceivedFolder, ReceivedName, is_invisible};
use tabferry_protocol::native::ToDaemon;
use tabferry_protocol::relay::{RelayClientMessage, RelayServerMessage};
use tabferry_protocol::secret_code::{GroupCode, Nameplate, SecretCode};
use tabferry_protocol::signaling::{ClientMessage, ServerMessage};
use tabferry_protocol::version::Versions;

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

/// An end's text on a relay's socket.
pub fn relay_client_message(text: &str) {
    if let Ok(message) = RelayClientMessage::decode(text) {
        assert_eq!(RelayClientMessage::decode(&message.encode()), Ok(message));
    }
}

/// The server's text on a relay's socket.
pub fn relay_server_message(text: &str) {
    if let Ok(message) = RelayServerMessage::decode(text) {
        assert_eq!(RelayServerMessage::decode(&message.encode()), Ok(message));
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

/// A proposed folder: always becomes a chain of safe names.
pub fn received_folder(proposed: &str) {
    let folder = ReceivedFolder::from_proposed(proposed);
    assert!(folder.names().len() <= FOLDER_DEPTH);
    let names: Vec<&str> = folder.names().iter().map(ReceivedName::as_str).collect();
    assert_eq!(ReceivedFolder::from_proposed(&names.join("/")), folder);
}

/// What a client says to the native host's daemon.
pub fn native_message(text: &str) {
    if let Ok(message) = serde_json::from_str::<ToDaemon>(text) {
        let encoded = serde_json::to_string(&message).expect("it was text");
        let again: ToDaemon = serde_json::from_str(&encoded).expect("its own words");
        assert_eq!(again, message);
    }
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

/// Runs `end` with what the device with this number brings to a handshake on the relay.
fn with_params<T>(number: u8, end: impl FnOnce(&Params<'_>) -> T) -> T {
    let key = DeviceKey::from_seed(&[number; 32]);
    let name = DeviceName::from_typed("device").expect("a valid name");
    end(&Params {
        key: &key,
        card: &SignedCard::sign(&key, &name, DeviceKind::Computer),
        versions: &Versions::spoken(),
        path: Path::Relay,
        session: [0; 32],
        seed: Seed::from_bytes([number; 32]),
    })
}

/// Messages to both roles, cut at the lengths that lead furthest: never a verified peer.
pub fn handshake_message(bytes: &[u8]) {
    let (mut initiator, _) = with_params(1, Handshake::initiator).expect("it starts");
    assert!(initiator.read(bytes).is_err());
    let mut responder = with_params(2, Handshake::responder).expect("it starts");
    let (first, third) = bytes.split_at(bytes.len().min(32));
    if let Ok(progress) = responder.read(first) {
        assert!(matches!(progress, Progress::Reply(_)));
        assert!(responder.read(third).is_err());
    }
    assert!(responder.read(third).is_err());
}

/// A payload that decrypts, from an end without a device key; and a signed card, which is read again as the same.
pub fn handshake_payload(payload: &[u8]) {
    if let Ok(card) = SignedCard::decode(payload) {
        assert_eq!(card.encode(), payload);
    }
    let (mut initiator, first) = with_params(1, Handshake::initiator).expect("it starts");
    let prologue = [
        b"tabferry/1\x02",
        &[0; 32][..],
        b"I",
        &[0; 32],
        b"R",
        &[0; 32],
    ]
    .concat();
    let noise = "Noise_XX_25519_ChaChaPoly_SHA256".parse().expect("known");
    let mut responder = snow::Builder::new(noise)
        .prologue(&prologue)
        .and_then(|builder| builder.local_private_key(&[3; 32]))
        .map(|builder| builder.fixed_ephemeral_key_for_testing_only(&[4; 32]))
        .and_then(snow::Builder::build_responder)
        .expect("complete");
    responder.read_message(&first, &mut []).expect("honest");
    let mut second = vec![0; 65_535];
    if let Ok(length) = responder.write_message(payload, &mut second) {
        assert!(initiator.read(&second[..length]).is_err());
    }
}

/// A session description: what is taken from it stands in it, and no other does.
pub fn session_description(sdp: &str) {
    if let Ok(fingerprint) = Fingerprint::of_description(sdp) {
        let capitals = sdp.to_ascii_uppercase();
        let line = format!("A=FINGERPRINT:SHA-256 {fingerprint}");
        assert!(capitals.contains(&line));
        assert_eq!(
            capitals.matches("FINGERPRINT").count(),
            capitals.matches(&line).count()
        );
    }
}

/// A device id as people type it: has one spelling.
pub fn spelled_device_id(typed: &str) {
    if let Ok(id) = DeviceId::from_spelled(typed) {
        assert_eq!(DeviceId::from_spelled(&id.spelled()), Ok(id));
    }
}

/// A code as people type it, or as a link has it: has one spelling, and both kinds of codes are read alike.
pub fn typed_code(typed: &str) {
    let group = GroupCode::from_typed(typed);
    let code = SecretCode::from_typed(typed);
    assert_eq!(code.as_ref().err(), group.as_ref().err());
    for code in [code, SecretCode::from_pasted(typed)] {
        let Ok(code) = code else {
            continue;
        };
        let spelled = code.spelled();
        assert_eq!(
            GroupCode::from_typed(&spelled).map(|group| group.spelled()),
            Ok(spelled.to_string())
        );
        let nameplate = Nameplate::try_from(spelled[..4].to_owned());
        assert_eq!(nameplate, Ok(code.nameplate));
        let linked = SecretCode::from_pasted(&code.fragment()).expect("its own link");
        assert_eq!(linked.spelled(), spelled);
    }
    if let Ok(group) = GroupCode::try_from(typed.to_owned()) {
        assert_eq!(String::from(group), typed);
    }
}

/// Messages to both roles, cut at the lengths that lead furthest: never a proof.
pub fn code_proof_message(bytes: &[u8]) {
    let secret = SecretCode::from_random([0x5A; 5]).secret;
    let transcript = [7; 32];
    let (guest, _) = CodeProof::guest(&secret, &transcript, &[1; 32]);
    let host = CodeProof::host(&secret, &transcript, &[2; 32]);
    let (first, second) = bytes.split_at(bytes.len().min(33));
    for mut end in [guest, host] {
        if let Ok(progress) = end.read(first) {
            assert!(matches!(progress, code_proof::Progress::Reply(_)));
            assert!(end.read(second).is_err());
        }
        assert!(end.read(second).is_err());
    }
}
