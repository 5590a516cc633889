//! What must hold of every value that was read, whoever wrote it.

use tabferry_protocol::card::DeviceCard;
use tabferry_protocol::frame::{BulkHeader, ControlFrame};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::{
    CANDIDATE_BYTES, CAPABILITIES, CAPABILITY_BYTES, CHUNK_BYTES, CODE_PROOF_MESSAGE_BYTES,
    DEVICE_NAME_BYTES, HANDSHAKE_MESSAGE_BYTES, ICE_SERVER_URL_BYTES, ICE_SERVERS, INLINE_ENTRIES,
    MANIFEST_ENTRIES, MANIFEST_TEXT_BYTES, MEDIA_TYPE_BYTES, PROPOSED_NAME_BYTES, ROOM_PEERS,
    SDP_BYTES, SIGNALING_MESSAGE_BYTES, TEXT_BYTES, TITLE_BYTES, TRANSFER_BYTES, URL_BYTES,
    VERSIONS,
};
use tabferry_protocol::link::WebUrl;
use tabferry_protocol::manifest::{Entry, Item, Manifest};
use tabferry_protocol::name::is_invisible;
use tabferry_protocol::relay::{RelayClientMessage, RelayServerMessage};
use tabferry_protocol::signaling::{
    ClientMessage, PassedSignal, Peer, ServerMessage, Signal, SignalBody, Welcome,
};
use tabferry_protocol::version::Versions;

/// Reads a control frame; if it is one, checks its limits and that it can be written and read again.
pub(crate) fn control_frame(bytes: &[u8]) {
    let Ok(frame) = ControlFrame::decode(bytes) else {
        return;
    };
    match &frame {
        ControlFrame::Handshake(message) => assert!(message.len() <= HANDSHAKE_MESSAGE_BYTES),
        ControlFrame::Propose(propose) => {
            let count = usize::try_from(propose.count).expect("a small number");
            assert!((1..=MANIFEST_ENTRIES).contains(&count));
            assert!((1..=count).contains(&propose.entries.len()));
            entries(&propose.entries);
        }
        ControlFrame::Entries(more) => {
            assert!((1..=MANIFEST_ENTRIES).contains(&more.entries.len()));
            entries(&more.entries);
        }
        ControlFrame::CodeProof(proof) => {
            assert!(proof.message.len() <= CODE_PROOF_MESSAGE_BYTES);
        }
        _ => {}
    }
    assert_eq!(ControlFrame::decode(&frame.encode()), Ok(frame));
}

/// Reads a bulk frame; if it is one, checks its limits and that it is written as it was.
pub(crate) fn bulk_frame(bytes: &[u8]) {
    match BulkHeader::decode(bytes) {
        Ok((header, data)) => {
            assert!((1..=CHUNK_BYTES).contains(&data.len()));
            assert_eq!([&header.encode()[..], data].concat(), bytes);
        }
        Err(_) => {
            let length = bytes.len();
            let valid = BulkHeader::BYTES + 1..=BulkHeader::BYTES + CHUNK_BYTES;
            assert!(
                !valid.contains(&length),
                "{length} bytes are a valid length"
            );
        }
    }
}

/// Reads a client's message; if it is one, checks its limits, and that what the server passes on of it is a message too.
pub(crate) fn client_message(text: &str) {
    let from = PeerId::from_bytes([0x5a; 16]);
    if let Some((to, passed)) = PassedSignal::read(text, from) {
        let passed = passed.into_text();
        assert!(passed.len() <= SIGNALING_MESSAGE_BYTES);
        let Ok(ClientMessage::Signal { to: same, signal }) = ClientMessage::decode(text) else {
            panic!("{text} was passed on");
        };
        assert_eq!(same, to);
        assert_eq!(
            ServerMessage::decode(&passed),
            Ok(ServerMessage::Signal { from, signal })
        );
    }
    let Ok(message) = ClientMessage::decode(text) else {
        return;
    };
    match &message {
        ClientMessage::Hello(hello) => {
            versions(&hello.versions);
            assert!(hello.capabilities.len() <= CAPABILITIES);
            assert!(
                hello
                    .capabilities
                    .iter()
                    .all(|name| name.len() <= CAPABILITY_BYTES)
            );
        }
        ClientMessage::Update { device: card }
        | ClientMessage::Join {
            device: Some(card), ..
        } => device(card),
        ClientMessage::Signal { to, signal: inner } => {
            signal(inner);
            let passed_on = ServerMessage::Signal {
                from: *to,
                signal: inner.clone(),
            };
            let encoded = passed_on.encode();
            assert!(encoded.len() <= SIGNALING_MESSAGE_BYTES);
            assert_eq!(ServerMessage::decode(&encoded), Ok(passed_on));
        }
        ClientMessage::Join { device: None, .. }
        | ClientMessage::Open { .. }
        | ClientMessage::Leave { .. }
        | ClientMessage::OpenRelay { .. }
        | ClientMessage::Unknown => {}
    }
    assert_eq!(ClientMessage::decode(&message.encode()), Ok(message));
}

/// Reads a server's message; if it is one, checks its limits and that it can be written and read again.
pub(crate) fn server_message(text: &str) {
    let Ok(message) = ServerMessage::decode(text) else {
        return;
    };
    match &message {
        ServerMessage::Welcome(Welcome { ice_servers, .. })
        | ServerMessage::IceServers { ice_servers } => {
            assert!(ice_servers.len() <= ICE_SERVERS);
            let mut urls = ice_servers.iter().map(|server| &server.url);
            assert!(urls.all(|url| url.len() <= ICE_SERVER_URL_BYTES));
        }
        ServerMessage::Joined { peers, .. } => {
            assert!(peers.len() <= ROOM_PEERS);
            peers.iter().for_each(peer);
        }
        ServerMessage::PeerJoined { peer: one, .. } | ServerMessage::PeerUpdated { peer: one } => {
            peer(one);
        }
        ServerMessage::Signal { signal: inner, .. } => signal(inner),
        ServerMessage::PeerLeft { .. }
        | ServerMessage::RoomClosed { .. }
        | ServerMessage::Relay { .. }
        | ServerMessage::Error { .. }
        | ServerMessage::Unknown => {}
    }
    assert_eq!(ServerMessage::decode(&message.encode()), Ok(message));
}

/// Reads a text as either end's message on a relay's socket; if it is one, it can be written and read again.
pub(crate) fn relay_message(text: &str) {
    if let Ok(message) = RelayClientMessage::decode(text) {
        assert_eq!(RelayClientMessage::decode(&message.encode()), Ok(message));
    }
    if let Ok(message) = RelayServerMessage::decode(text) {
        assert_eq!(RelayServerMessage::decode(&message.encode()), Ok(message));
    }
}

fn peer(peer: &Peer) {
    if let Some(card) = &peer.device {
        device(card);
    }
}

fn versions(versions: &Versions) {
    let listed = Vec::from(versions.clone());
    assert!((1..=VERSIONS).contains(&listed.len()));
    assert!(
        versions
            .common()
            .is_none_or(|common| listed.contains(&common))
    );
}

fn device(card: &DeviceCard) {
    let name = card.name.as_str();
    assert!((1..=DEVICE_NAME_BYTES).contains(&name.len()));
    assert!(!name.chars().any(is_invisible), "{name:?}");
    assert_eq!(name.trim(), name);
}

fn signal(signal: &Signal) {
    match &signal.body {
        SignalBody::Offer { sdp } | SignalBody::Answer { sdp, .. } => {
            assert!(sdp.len() <= SDP_BYTES)
        }
        SignalBody::Candidate { candidate, mid } => {
            let mid = mid.as_deref().unwrap_or_default();
            assert!(candidate.len() + mid.len() <= CANDIDATE_BYTES);
        }
        SignalBody::EndOfCandidates
        | SignalBody::RestartRequest
        | SignalBody::Bye { .. }
        | SignalBody::Relay { .. }
        | SignalBody::RelayAnswer { .. }
        | SignalBody::Unknown => {}
    }
}

fn entries(entries: &[Entry]) {
    for entry in entries {
        if let Entry::Item(Item::Page { url, .. } | Item::Link { url, .. }) = entry {
            web_url(url);
        }
    }
    match Manifest::new(entries.to_vec()) {
        Ok(Manifest::Files(files)) => {
            assert!((1..=MANIFEST_ENTRIES).contains(&files.len()));
            let names: usize = files.iter().map(|file| file.name.len()).sum();
            let bytes: u64 = files.iter().map(|file| file.bytes).sum();
            assert!(names <= MANIFEST_TEXT_BYTES && bytes <= TRANSFER_BYTES);
            for file in files {
                assert!(file.name.len() <= PROPOSED_NAME_BYTES);
                let media_type = file.media_type.unwrap_or_default();
                assert!(media_type.len() <= MEDIA_TYPE_BYTES);
            }
        }
        Ok(Manifest::Items(items)) => {
            assert!((1..=INLINE_ENTRIES).contains(&items.len()));
            for item in items {
                match item {
                    Item::Page { title, .. } | Item::Link { title, .. } => {
                        assert!(title.len() <= TITLE_BYTES);
                    }
                    Item::Text { text } => assert!((1..=TEXT_BYTES).contains(&text.len())),
                }
            }
        }
        Err(_) => {}
    }
}

/// What every link is: http or https, short, without credentials, and its own normal form.
pub(crate) fn web_url(url: &WebUrl) {
    let text = url.as_str();
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or_else(|| panic!("{text:?} is no web link"));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    assert!(!authority.is_empty() && !authority.contains('@'), "{text}");
    assert!(text.is_ascii() && text.len() <= URL_BYTES, "{text}");
    assert!(
        !text
            .chars()
            .any(|c| c.is_control() || c == ' ' || c == '\\'),
        "{text}"
    );
    assert_eq!(WebUrl::try_from(text.to_owned()).as_ref(), Ok(url));
}
