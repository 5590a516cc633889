//! Every limit of a message, reached: exactly at the limit passes, one more is refused. The limits of engine and server
//! (windows, timeouts, counts of sessions) are reached in their own tests.

use proptest::prelude::*;
use serde_json::{Value, json};
use tabferry_protocol::InvalidFrame;
use tabferry_protocol::card::DeviceName;
use tabferry_protocol::code::Code;
use tabferry_protocol::frame::{BulkHeader, ControlFrame, Entries, Propose, proposal};
use tabferry_protocol::id::{ConnectionId, DeviceId, PeerId, ResumeId, WireTransferId};
use tabferry_protocol::limits::*;
use tabferry_protocol::link::WebUrl;
use tabferry_protocol::manifest::{Entry, FileEntry, Item, Manifest};
use tabferry_protocol::name::ReceivedName;
use tabferry_protocol::relay::{RelayClientMessage, RelayServerMessage};
use tabferry_protocol::signaling::{ClientMessage, ServerMessage};
use tabferry_protocol::version::Versions;

use crate::strategies;

const TRANSFER: WireTransferId = WireTransferId(1);

fn id(byte: u8) -> String {
    PeerId::from_bytes([byte; 16]).to_string()
}

fn device(name: &str) -> Value {
    json!({ "id": DeviceId::from_bytes([1; 16]), "name": name, "kind": "computer" })
}

fn control(kind: u8, body: &Value) -> Result<ControlFrame, InvalidFrame> {
    ControlFrame::decode(&[&[kind][..], body.to_string().as_bytes()].concat())
}

fn file(name_bytes: usize, bytes: u64) -> FileEntry {
    FileEntry {
        name: "n".repeat(name_bytes),
        folder: String::new(),
        bytes,
        media_type: None,
    }
}

fn files(count: usize) -> Vec<FileEntry> {
    vec![file(1, 1); count]
}

fn url() -> WebUrl {
    WebUrl::try_from("https://example.org/".to_owned()).expect("a link")
}

#[test]
fn chunk_and_header() {
    let frame = |length: usize| vec![7; length];
    let decode = |length| BulkHeader::decode(&frame(length)).map(|(_, data)| data.len());
    assert_eq!(decode(0), Err(InvalidFrame::TooShort));
    assert_eq!(decode(BulkHeader::BYTES - 1), Err(InvalidFrame::TooShort));
    assert_eq!(decode(BulkHeader::BYTES), Err(InvalidFrame::TooShort));
    assert_eq!(decode(BulkHeader::BYTES + 1), Ok(1));
    let limit = BulkHeader::BYTES + CHUNK_BYTES;
    assert_eq!(decode(limit), Ok(CHUNK_BYTES));
    assert_eq!(
        decode(limit + 1),
        Err(InvalidFrame::TooLong {
            length: limit + 1,
            limit
        })
    );
}

#[test]
fn control_frame() {
    let frame = |length: usize| {
        let mut bytes = b"\x02{\"code\":\"busy\"}".to_vec();
        bytes.resize(length, b' ');
        bytes
    };
    assert!(ControlFrame::decode(&frame(CONTROL_FRAME_BYTES)).is_ok());
    let refused = Err(InvalidFrame::TooLong {
        length: CONTROL_FRAME_BYTES + 1,
        limit: CONTROL_FRAME_BYTES,
    });
    assert_eq!(
        ControlFrame::decode(&frame(CONTROL_FRAME_BYTES + 1)),
        refused
    );
    let mut unknown = vec![200; CONTROL_FRAME_BYTES];
    assert_eq!(
        ControlFrame::decode(&unknown),
        Ok(ControlFrame::Unknown(200))
    );
    unknown.push(0);
    assert_eq!(ControlFrame::decode(&unknown), refused);
    assert_eq!(ControlFrame::decode(&[]), Err(InvalidFrame::TooShort));
}

#[test]
fn pairing_frames() {
    let [ask, nonce, reveal, picked, stop] = [13, 14, 15, 16, 17];
    for (kind, field) in [
        (ask, "commitment"),
        (nonce, "nonce"),
        (reveal, "nonce"),
        (picked, "half"),
    ] {
        let passes = |text: &str| control(kind, &json!({ field: text })).is_ok();
        assert!(passes(&"0a".repeat(32)));
        for wrong in [
            String::new(),
            "0a".repeat(31),
            "0a".repeat(33),
            "0A".repeat(32),
            "0g".repeat(32),
            format!("{}0", "0a".repeat(31)),
            format!("{}000", "0a".repeat(31)),
            format!("{}é", "0a".repeat(31)),
            "\u{1F436}".repeat(16),
        ] {
            assert!(!passes(&wrong), "{wrong}");
        }
        assert!(control(kind, &json!({})).is_err());
        assert!(control(kind, &json!({ field: vec![10; 32] })).is_err());
    }
    assert!(control(stop, &json!({})).is_ok());
    assert!(control(stop, &json!(null)).is_err());
    assert!(ControlFrame::decode(&[stop]).is_err());
}

#[test]
fn code_proof_frame() {
    let passes = |text: &str| control(18, &json!({ "message": text })).is_ok();
    for length in 0..=CODE_PROOF_MESSAGE_BYTES {
        assert!(passes(&"0a".repeat(length)), "{length}");
        // Half a byte more.
        assert!(!passes(&("0a".repeat(length) + "0")));
    }
    assert!(!passes(&"0a".repeat(CODE_PROOF_MESSAGE_BYTES + 1)));
    assert!(!passes(&"0a".repeat(CONTROL_FRAME_BYTES / 4)));
    assert!(!passes("0A"));
}

#[test]
fn signaling_message() {
    let padded = |json: &str, length: usize| json.to_owned() + &" ".repeat(length - json.len());
    let refused = Some(InvalidFrame::TooLong {
        length: SIGNALING_MESSAGE_BYTES + 1,
        limit: SIGNALING_MESSAGE_BYTES,
    });
    let client = |length| ClientMessage::decode(&padded(r#"{"type":"later"}"#, length));
    assert_eq!(client(SIGNALING_MESSAGE_BYTES), Ok(ClientMessage::Unknown));
    assert_eq!(client(SIGNALING_MESSAGE_BYTES + 1).err(), refused);
    let server = |length| ServerMessage::decode(&padded(r#"{"type":"later"}"#, length));
    assert_eq!(server(SIGNALING_MESSAGE_BYTES), Ok(ServerMessage::Unknown));
    assert_eq!(server(SIGNALING_MESSAGE_BYTES + 1).err(), refused);
}

#[test]
fn relay_message() {
    let padded = |length: usize| {
        let json = r#"{"type":"later"}"#;
        json.to_owned() + &" ".repeat(length - json.len())
    };
    let refused = Some(InvalidFrame::TooLong {
        length: RELAY_MESSAGE_BYTES + 1,
        limit: RELAY_MESSAGE_BYTES,
    });
    let client = |length| RelayClientMessage::decode(&padded(length));
    assert_eq!(client(RELAY_MESSAGE_BYTES), Ok(RelayClientMessage::Unknown));
    assert_eq!(client(RELAY_MESSAGE_BYTES + 1).err(), refused);
    let server = |length| RelayServerMessage::decode(&padded(length));
    assert_eq!(server(RELAY_MESSAGE_BYTES), Ok(RelayServerMessage::Unknown));
    assert_eq!(server(RELAY_MESSAGE_BYTES + 1).err(), refused);
}

/// Whether client and server both take a signal.
fn signal_passes(signal: &Value) -> bool {
    let mut fields = json!({ "connection": ConnectionId::from_bytes([2; 16]) });
    for (key, value) in signal.as_object().expect("an object") {
        fields[key] = value.clone();
    }
    let client = json!({ "type": "signal", "to": id(3), "signal": fields }).to_string();
    let server = json!({ "type": "signal", "from": id(3), "signal": fields }).to_string();
    let client = ClientMessage::decode(&client).is_ok();
    assert_eq!(client, ServerMessage::decode(&server).is_ok());
    client
}

#[test]
fn descriptions_and_candidates() {
    for kind in ["offer", "answer"] {
        let passes = |length: usize| {
            let sdp = "s".repeat(length);
            signal_passes(&json!({ "signal": kind, "sdp": sdp, "nonce": id(4) }))
        };
        assert!(passes(SDP_BYTES) && !passes(SDP_BYTES + 1));
    }
    let candidate = |length: usize, mid: usize| {
        let (candidate, mid) = ("c".repeat(length), "m".repeat(mid));
        signal_passes(&json!({ "signal": "candidate", "candidate": candidate, "mid": mid }))
    };
    assert!(candidate(CANDIDATE_BYTES, 0) && candidate(CANDIDATE_BYTES - 2, 2));
    assert!(!candidate(CANDIDATE_BYTES + 1, 0) && !candidate(CANDIDATE_BYTES, 1));
}

#[test]
fn a_signal_has_no_control_characters() {
    let offer = |sdp: &str| signal_passes(&json!({ "signal": "offer", "sdp": sdp }));
    assert!(offer("v=0\r\ns=-\r\n"));
    for hostile in ["v=0\0", "\u{1}", "a\u{1b}[2J", "\u{85}", "a\tb"] {
        assert!(!offer(hostile), "{hostile:?}");
        let candidate = json!({ "signal": "candidate", "candidate": hostile });
        assert!(!signal_passes(&candidate), "{hostile:?}");
        let mid = json!({ "signal": "candidate", "candidate": "", "mid": hostile });
        assert!(!signal_passes(&mid), "{hostile:?}");
    }
    let lines = json!({ "signal": "candidate", "candidate": "a\r\nb" });
    assert!(!signal_passes(&lines));
}

#[test]
fn the_longest_signal_can_be_passed_on() {
    let sdp = "\r\n".repeat(SDP_BYTES / 2);
    let signal = json!({ "connection": id(1), "signal": "offer", "sdp": sdp });
    let message = json!({ "type": "signal", "to": id(2), "signal": signal });
    let Ok(ClientMessage::Signal { to, signal }) = ClientMessage::decode(&message.to_string())
    else {
        panic!("a signal within its limits is read");
    };
    let passed_on = ServerMessage::Signal { from: to, signal }.encode();
    assert!(passed_on.len() <= SIGNALING_MESSAGE_BYTES);
}

#[test]
fn device_name() {
    let name = |length: usize| DeviceName::try_from("n".repeat(length));
    assert!(name(1).is_ok() && name(DEVICE_NAME_BYTES).is_ok());
    assert!(name(0).is_err() && name(DEVICE_NAME_BYTES + 1).is_err());
    let update = |name: &str| {
        let message = json!({ "type": "update", "device": device(name) });
        ClientMessage::decode(&message.to_string())
    };
    assert!(update(&"n".repeat(DEVICE_NAME_BYTES)).is_ok());
    assert!(update(&"n".repeat(DEVICE_NAME_BYTES + 1)).is_err());
}

#[test]
fn messages_of_the_handshake() {
    let frame = |length| ControlFrame::decode(&[&[1][..], &vec![9; length]].concat());
    assert!(frame(HANDSHAKE_MESSAGE_BYTES).is_ok());
    assert!(frame(HANDSHAKE_MESSAGE_BYTES + 1).is_err());
}

#[test]
fn versions() {
    let versions = |count| Versions::try_from(vec![1; count]);
    assert!(versions(1).is_ok() && versions(VERSIONS).is_ok());
    assert!(versions(0).is_err() && versions(VERSIONS + 1).is_err());
    let hello = |count| {
        let message = json!({
            "type": "hello", "versions": vec![1; count], "device": device("n"), "endpoint": "browser",
        });
        ClientMessage::decode(&message.to_string())
    };
    assert!(hello(VERSIONS).is_ok());
    assert!(hello(0).is_err() && hello(VERSIONS + 1).is_err());
}

#[test]
fn capabilities() {
    let hello = |count: usize, length: usize| {
        let capabilities = vec!["c".repeat(length); count];
        let message = json!({
            "type": "hello", "versions": [1], "endpoint": "browser",
            "capabilities": capabilities,
        });
        ClientMessage::decode(&message.to_string())
    };
    assert!(hello(CAPABILITIES, CAPABILITY_BYTES).is_ok());
    assert!(hello(CAPABILITIES + 1, 1).is_err());
    assert!(hello(1, CAPABILITY_BYTES + 1).is_err());
}

#[test]
fn entries_of_a_manifest() {
    let manifest = |count| Manifest::of_files(files(count)).map(|manifest| manifest.count());
    assert_eq!(manifest(MANIFEST_ENTRIES), Ok(MANIFEST_ENTRIES));
    assert_eq!(manifest(MANIFEST_ENTRIES + 1), Err(Code::TooLarge));
    assert_eq!(manifest(0), Err(Code::TooLarge));
}

/// An id as text.
const RESUME: &str = "aeaqcaibaeaqcaibaeaqcaibae";

#[test]
fn ranges_of_an_accept() {
    let accept = |entry: u32, stored: &[(u32, u32)]| {
        let body = json!({
            "transfer": 1, "epoch": 1, "entry": entry, "offset": 0, "credit": 1, "stored": stored,
        });
        control(5, &body)
    };
    let ranges = |count| {
        (1..=count)
            .map(|it| (2 * it, 2 * it + 1))
            .collect::<Vec<_>>()
    };
    let most = u32::try_from(UNCOMMITTED_FILES).unwrap();
    assert!(accept(1, &ranges(most)).is_ok());
    assert!(accept(1, &ranges(most + 1)).is_err());
    for contradiction in [
        [(1, 3), (5, 6)],
        [(2, 2), (5, 6)],
        [(2, 5), (5, 6)],
        [(7, 9), (3, 4)],
    ] {
        assert!(accept(1, &contradiction).is_err(), "{contradiction:?}");
    }
}

#[test]
fn a_prefix_of_an_accept() {
    let digest = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    let accept = |offset: u64, prefix: Option<&str>| {
        let body = json!({
            "transfer": 1, "epoch": 1, "entry": 0, "offset": offset, "credit": 1, "prefix": prefix,
        });
        control(5, &body)
    };
    assert!(accept(0, None).is_ok() && accept(1, Some(digest)).is_ok());
    assert!(accept(0, Some(digest)).is_err() && accept(1, None).is_err());
}

#[test]
fn awaited_transfers() {
    let awaiting = |count| control(19, &json!({ "resume": vec![RESUME; count] }));
    assert!(awaiting(OPEN_TRANSFERS).is_ok());
    assert!(awaiting(OPEN_TRANSFERS + 1).is_err());
}

#[test]
fn entries_of_a_proposal() {
    let proposal = |count: usize, entries: usize| {
        let entries = vec![json!({ "kind": "file", "name": "n", "bytes": 1 }); entries];
        control(
            3,
            &json!({ "transfer": 1, "resume": RESUME, "count": count, "entries": entries }),
        )
    };
    assert!(proposal(MANIFEST_ENTRIES, 1).is_ok() && proposal(2, 2).is_ok());
    assert!(proposal(MANIFEST_ENTRIES + 1, 1).is_err());
    assert!(proposal(0, 0).is_err() && proposal(2, 0).is_err() && proposal(2, 3).is_err());
}

#[test]
fn entries_of_one_frame() {
    // The frame's own limit is reached long before that of a manifest.
    let entries = |count: usize| {
        let entries = vec![json!({ "kind": "later" }); count];
        control(4, &json!({ "transfer": 1, "entries": entries }))
    };
    assert!(entries(1).is_ok() && entries(0).is_err());
    let Err(InvalidFrame::TooLong { .. }) = entries(MANIFEST_ENTRIES) else {
        panic!("more than a frame can hold");
    };
}

#[test]
fn inline_items() {
    let text = Item::Text {
        text: "t".to_owned(),
    };
    let items = |count| Manifest::of_items(vec![text.clone(); count]).map(|items| items.count());
    assert_eq!(items(INLINE_ENTRIES), Ok(INLINE_ENTRIES));
    assert_eq!(items(INLINE_ENTRIES + 1), Err(Code::TooLarge));
    assert_eq!(items(0), Err(Code::TooLarge));
}

#[test]
fn a_manifest_is_of_one_sort() {
    let file = || Entry::File(file(1, 1));
    let item = || {
        Entry::Item(Item::Text {
            text: "t".to_owned(),
        })
    };
    assert_eq!(Manifest::new(Vec::new()), Err(Code::PeerMisbehaved));
    assert_eq!(
        Manifest::new(vec![file(), item()]),
        Err(Code::PeerMisbehaved)
    );
    assert_eq!(
        Manifest::new(vec![file(), Entry::Unknown]),
        Err(Code::Incompatible)
    );
    assert!(Manifest::new(vec![file(), file()]).is_ok());
    assert!(Manifest::new(vec![item(), item()]).is_ok());
}

#[test]
fn proposed_folders() {
    let one = |folder: String| {
        let file = FileEntry {
            folder,
            ..file(1, 1)
        };
        Manifest::of_files(vec![file]).is_ok()
    };
    assert!(one("f".repeat(FOLDER_BYTES)) && !one("f".repeat(FOLDER_BYTES + 1)));
    let deep = |depth| one(vec!["f"; depth].join("/"));
    assert!(deep(FOLDER_DEPTH) && !deep(FOLDER_DEPTH + 1));
}

#[test]
fn proposed_names() {
    let one = |length| Manifest::of_files(vec![file(length, 1)]).is_ok();
    assert!(one(0) && one(PROPOSED_NAME_BYTES) && !one(PROPOSED_NAME_BYTES + 1));
    let mut all = vec![file(PROPOSED_NAME_BYTES, 1); MANIFEST_TEXT_BYTES / PROPOSED_NAME_BYTES];
    assert!(Manifest::of_files(all.clone()).is_ok());
    all.push(file(1, 1));
    assert_eq!(Manifest::of_files(all), Err(Code::TooLarge));
}

#[test]
fn media_type() {
    let one = |length: usize| {
        let media_type = Some("m".repeat(length));
        Manifest::of_files(vec![FileEntry {
            media_type,
            ..file(1, 1)
        }])
        .is_ok()
    };
    assert!(one(MEDIA_TYPE_BYTES) && !one(MEDIA_TYPE_BYTES + 1));
}

#[test]
fn title_and_text() {
    let page = |length: usize| {
        let title = "t".repeat(length);
        Manifest::of_items(vec![Item::Page { url: url(), title }]).is_ok()
    };
    let link = |length: usize| {
        let title = "t".repeat(length);
        Manifest::of_items(vec![Item::Link { url: url(), title }]).is_ok()
    };
    let text = |length: usize| {
        let text = "t".repeat(length);
        Manifest::of_items(vec![Item::Text { text }]).is_ok()
    };
    assert!(page(0) && page(TITLE_BYTES) && !page(TITLE_BYTES + 1));
    assert!(link(0) && link(TITLE_BYTES) && !link(TITLE_BYTES + 1));
    assert!(text(1) && text(TEXT_BYTES) && !text(TEXT_BYTES + 1) && !text(0));
}

#[test]
fn bytes_of_a_transfer() {
    let sizes = |sizes: &[u64]| {
        let files = sizes.iter().map(|bytes| file(1, *bytes)).collect();
        Manifest::of_files(files).map(|manifest| manifest.bytes())
    };
    assert_eq!(sizes(&[TRANSFER_BYTES]), Ok(TRANSFER_BYTES));
    assert_eq!(sizes(&[TRANSFER_BYTES - 1, 1]), Ok(TRANSFER_BYTES));
    for refused in [
        &[TRANSFER_BYTES + 1][..],
        &[TRANSFER_BYTES, 1],
        &[u64::MAX, 1],
    ] {
        assert_eq!(sizes(refused), Err(Code::TooLarge));
    }
    // More than a u64 holds, each within its own limit.
    assert_eq!(sizes(&[TRANSFER_BYTES; 3_000]), Err(Code::TooLarge));
}

#[test]
fn link() {
    let url = |length: usize| {
        let start = "https://example.org/";
        WebUrl::try_from(format!("{start}{}", "p".repeat(length - start.len())))
    };
    assert!(url(URL_BYTES).is_ok() && url(URL_BYTES + 1).is_err());
    // Short as written, too long in its normalized form.
    let grows = format!("https://example.org/{}", "é".repeat(URL_BYTES / 4));
    assert!(grows.len() <= URL_BYTES && WebUrl::try_from(grows).is_err());
}

#[test]
fn received_name() {
    let name = |proposed: String| ReceivedName::from_proposed(&proposed);
    let longest = "n".repeat(RECEIVED_NAME_BYTES);
    assert_eq!(name(longest.clone()).as_str(), longest);
    assert_eq!(name(format!("{longest}n")).as_str(), longest);
    // The dot counts as part of the extension.
    let extension = format!(".{}", "e".repeat(RECEIVED_EXTENSION_BYTES - 1));
    let kept = name(format!("{longest}{extension}"));
    assert_eq!(kept.split_extension().1, extension);
    assert_eq!(kept.as_str().len(), RECEIVED_NAME_BYTES);
    let lost = name(format!("{longest}{extension}e"));
    assert_eq!(lost.as_str(), longest);
}

#[test]
fn peers_of_a_room() {
    let joined = |count: usize, name: &str| {
        let peer = json!({ "id": id(1), "device": device(name), "endpoint": "browser" });
        let peers = vec![peer; count];
        let message = json!({ "type": "joined", "room": { "kind": "nearby" }, "peers": peers });
        ServerMessage::decode(&message.to_string())
    };
    // Names that JSON writes as long as it can.
    assert!(joined(ROOM_PEERS, &"\"".repeat(DEVICE_NAME_BYTES)).is_ok());
    assert!(joined(ROOM_PEERS + 1, "n").is_err());
}

#[test]
fn ice_servers() {
    let welcome = |count: usize, length: usize| {
        let server = json!({ "url": "u".repeat(length) });
        let message = json!({
            "type": "welcome", "version": 1, "peer": id(1), "address": "127.0.0.1", "time": 0,
            "ice_servers": vec![server; count],
        });
        ServerMessage::decode(&message.to_string())
    };
    assert!(welcome(ICE_SERVERS, ICE_SERVER_URL_BYTES).is_ok());
    assert!(welcome(ICE_SERVERS + 1, 1).is_err());
    assert!(welcome(1, ICE_SERVER_URL_BYTES + 1).is_err());
}

/// Every entry within its limits fits into one frame, however long JSON makes it.
#[test]
fn the_longest_entries_fit_into_a_frame() {
    let long_url = format!("https://example.org/{}", "'".repeat(URL_BYTES - 20));
    let url = WebUrl::try_from(long_url).expect("a link at its limit");
    let longest = [
        Entry::Item(Item::Text {
            text: "\u{1}".repeat(TEXT_BYTES),
        }),
        Entry::Item(Item::Page {
            url,
            title: "\u{1}".repeat(TITLE_BYTES),
        }),
        Entry::File(FileEntry {
            name: "\u{1}".repeat(PROPOSED_NAME_BYTES),
            folder: "\u{1}".repeat(FOLDER_BYTES),
            bytes: TRANSFER_BYTES,
            media_type: Some("\u{1}".repeat(MEDIA_TYPE_BYTES)),
        }),
    ];
    for entry in longest {
        assert!(Manifest::new(vec![entry.clone()]).is_ok());
        let propose = ControlFrame::Propose(Propose {
            transfer: WireTransferId(u32::MAX),
            resume: ResumeId::from_bytes([0xFF; 16]),
            count: u32::try_from(MANIFEST_ENTRIES).expect("few enough"),
            entries: vec![entry.clone()],
        });
        let entries = ControlFrame::Entries(Entries {
            transfer: WireTransferId(u32::MAX),
            entries: vec![entry],
        });
        for frame in [propose, entries] {
            let bytes = frame.encode();
            assert!(bytes.len() <= CONTROL_FRAME_BYTES, "{}", bytes.len());
            assert_eq!(ControlFrame::decode(&bytes), Ok(frame));
        }
    }
}

/// The pages of a proposal, read as a receiver reads them.
fn paged(manifest: &Manifest) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (index, frame) in proposal(TRANSFER, ResumeId::from_bytes([1; 16]), manifest.clone())
        .into_iter()
        .enumerate()
    {
        let bytes = frame.encode();
        assert!(bytes.len() <= CONTROL_FRAME_BYTES, "{}", bytes.len());
        match ControlFrame::decode(&bytes) {
            Ok(ControlFrame::Propose(first)) if index == 0 => {
                assert_eq!(usize::try_from(first.count), Ok(manifest.count()));
                entries.extend(first.entries);
            }
            Ok(ControlFrame::Entries(more)) if index > 0 => entries.extend(more.entries),
            other => panic!("page {index} is {other:?}"),
        }
    }
    entries
}

#[test]
fn the_largest_manifests_travel_in_pages() {
    let hostile = FileEntry {
        name: "\u{1}".repeat(MANIFEST_TEXT_BYTES / MANIFEST_ENTRIES),
        folder: String::new(),
        bytes: TRANSFER_BYTES / 200_000,
        media_type: None,
    };
    let text = Item::Text {
        text: "\u{1}".repeat(TEXT_BYTES),
    };
    for manifest in [
        Manifest::of_files(vec![hostile; MANIFEST_ENTRIES]).expect("at the limits"),
        Manifest::of_items(vec![text; INLINE_ENTRIES]).expect("at the limits"),
    ] {
        assert_eq!(paged(&manifest), manifest.into_entries());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_manifest_travels_in_pages(entries in proptest::collection::vec(strategies::entry(), 1..20)) {
        if let Ok(manifest) = Manifest::new(entries) {
            prop_assert_eq!(paged(&manifest), manifest.into_entries());
        }
    }
}
