//! Golden files: the exact bytes of every message, under `tests/golden`. Each is decoded and encoded again byte by byte,
//! and every variant must have one, so that no change of the wire goes unnoticed.
//! `TABFERRY_BLESS=1 cargo test -p tabferry-protocol --test golden` writes them anew.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "golden files can be written anew"
)]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tabferry_protocol::card::{DeviceCard, DeviceKind, DeviceName, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::digest::Digest;
use tabferry_protocol::frame::{
    Accept, Awaiting, BulkHeader, Cancel, Close, CodeProof, ControlFrame, Credit, Decline, Entries,
    EntryDone, EntryStored, PairAsk, PairNonce, PairPicked, PairReveal, PairStop, Pause, Propose,
    Role, Withdraw,
};
use tabferry_protocol::host::{
    CodeEnd, CodeStep, Command, ConnectionView, DeviceView, Direction, Event, GroupState,
    GroupView, ItemView, PairedView, PairingEnd, PairingStep, PairingView, ProposalView, Settings,
    SignalingProblem, Snapshot, SourceFile, StoredFile, Subject, TransferState, TransferView,
    Trust, TrustCommand, Visibility, Visible,
};
use tabferry_protocol::id::{
    AnswerNonce, ConnectionId, DeviceId, ItemId, PairTag, PeerId, RelayTicket, ResumeId, SourceId,
    TransferId, WireTransferId,
};
use tabferry_protocol::identity::DeviceKey;
use tabferry_protocol::link::WebUrl;
use tabferry_protocol::manifest::{Entry, FileEntry, Item};
use tabferry_protocol::native::{
    self, Association, Client, DaemonCode, FromDaemon, Identity, Outgoing, SourcePath, Status,
    ToDaemon,
};
use tabferry_protocol::pair::{PairHalf, PairSecret};
use tabferry_protocol::paired::{AutoAccept, PairedDevice};
use tabferry_protocol::relay::{RelayClientMessage, RelayServerMessage};
use tabferry_protocol::sas::{Asker, Nonce};
use tabferry_protocol::secret_code::{CodeText, GroupCode, Nameplate};
use tabferry_protocol::signaling::{
    ClientHello, ClientMessage, IceServer, Peer, Room, ServerMessage, Signal, SignalBody,
    SignalingCode, Welcome,
};
use tabferry_protocol::version::Versions;

#[path = "scenario/code_proof.rs"]
mod code_proof;
#[path = "scenario/pairing.rs"]
mod pairing;
#[path = "scenario/handshake.rs"]
mod scenario;

/// Names every variant of a type once: a new one does not compile before it is listed, and a listed one without a
/// sample fails its test.
macro_rules! variants {
    ($type:ty: $($pattern:pat => $name:literal),+ $(,)?) => {
        impl Variants for $type {
            const ALL: &'static [&'static str] = &[$($name),+];

            fn variant(&self) -> &'static str {
                match self {
                    $($pattern => $name),+
                }
            }
        }
    };
}

trait Variants {
    const ALL: &'static [&'static str];

    fn variant(&self) -> &'static str;
}

variants!(ControlFrame:
    Self::Handshake(_) => "handshake",
    Self::Close(_) => "close",
    Self::Propose(_) => "propose",
    Self::Entries(_) => "entries",
    Self::Accept(_) => "accept",
    Self::Decline(_) => "decline",
    Self::Credit(_) => "credit",
    Self::EntryDone(_) => "entry-done",
    Self::EntryStored(_) => "entry-stored",
    Self::Cancel(_) => "cancel",
    Self::Ping => "ping",
    Self::Pong => "pong",
    Self::PairAsk(_) => "pair-ask",
    Self::PairNonce(_) => "pair-nonce",
    Self::PairReveal(_) => "pair-reveal",
    Self::PairPicked(_) => "pair-picked",
    Self::PairStop(_) => "pair-stop",
    Self::CodeProof(_) => "code-proof",
    Self::Awaiting(_) => "awaiting",
    Self::Withdraw(_) => "withdraw",
    Self::Pause(_) => "pause",
    Self::Unknown(_) => "unknown",
);
variants!(Entry:
    Self::File(_) => "file",
    Self::Item(Item::Page { .. }) => "page",
    Self::Item(Item::Link { .. }) => "link",
    Self::Item(Item::Text { .. }) => "text",
    Self::Unknown => "unknown",
);
variants!(ClientMessage:
    Self::Hello(_) => "hello",
    Self::Join { .. } => "join",
    Self::Open { .. } => "open",
    Self::Leave { .. } => "leave",
    Self::Signal { .. } => "signal",
    Self::Update { .. } => "update",
    Self::OpenRelay { .. } => "open-relay",
    Self::Unknown => "unknown",
);
variants!(RelayClientMessage:
    Self::Join { .. } => "join",
    Self::Unknown => "unknown",
);
variants!(RelayServerMessage:
    Self::Joined { .. } => "joined",
    Self::Credit { .. } => "credit",
    Self::Unknown => "unknown",
);
variants!(ServerMessage:
    Self::Welcome(_) => "welcome",
    Self::Joined { .. } => "joined",
    Self::PeerJoined { .. } => "peer-joined",
    Self::PeerUpdated { .. } => "peer-updated",
    Self::PeerLeft { .. } => "peer-left",
    Self::RoomClosed { .. } => "room-closed",
    Self::Signal { .. } => "signal",
    Self::IceServers { .. } => "ice-servers",
    Self::Relay { .. } => "relay",
    Self::Error { .. } => "error",
    Self::Unknown => "unknown",
);
variants!(SignalBody:
    Self::Offer { .. } => "offer",
    Self::Answer { .. } => "answer",
    Self::Candidate { .. } => "candidate",
    Self::EndOfCandidates => "end-of-candidates",
    Self::RestartRequest => "restart-request",
    Self::Bye { .. } => "bye",
    Self::Relay { .. } => "relay",
    Self::RelayAnswer { .. } => "relay-answer",
    Self::Unknown => "unknown",
);
variants!(Command:
    Self::Configure(_) => "configure",
    Self::Reconnect => "reconnect",
    Self::SendItem { .. } => "send-item",
    Self::SendFiles { .. } => "send-files",
    Self::Prepare { .. } => "prepare",
    Self::Prepared { .. } => "prepared",
    Self::PrepareFailed { .. } => "prepare-failed",
    Self::Accept { .. } => "accept",
    Self::Decline { .. } => "decline",
    Self::Cancel { .. } => "cancel",
    Self::Pause { .. } => "pause",
    Self::Resume { .. } => "resume",
    Self::Dismiss { .. } => "dismiss",
    Self::DismissItem { .. } => "dismiss-item",
    Self::ShowInCrowd => "show-in-crowd",
    Self::TakeItem { .. } => "take-item",
);
variants!(TrustCommand:
    Self::Pair { .. } => "pair",
    Self::AnswerPairing { .. } => "answer-pairing",
    Self::PickPairing { .. } => "pick-pairing",
    Self::EndPairing => "end-pairing",
    Self::Unpair { .. } => "unpair",
    Self::Rename { .. } => "rename",
    Self::SetAutoAccept { .. } => "set-auto-accept",
    Self::OpenCode => "open-code",
    Self::EnterCode { .. } => "enter-code",
    Self::EndCode => "end-code",
);
variants!(CodeStep:
    Self::Opening => "opening",
    Self::Shows { .. } => "shows",
    Self::Connecting => "connecting",
    Self::Done { .. } => "done",
    Self::Ended { .. } => "ended",
);
variants!(Visibility:
    Self::Everyone => "everyone",
    Self::Paired => "paired",
    Self::Nobody => "nobody",
);
variants!(Visible:
    Self::Everyone => "everyone",
    Self::Paired => "paired",
    Self::Nobody => "nobody",
    Self::Crowded => "crowded",
    Self::Unavailable => "unavailable",
);
variants!(Event:
    Self::ProposalArrived { .. } => "proposal-arrived",
    Self::ProposalEnded { .. } => "proposal-ended",
    Self::ItemReceived { .. } => "item-received",
    Self::TransferEnded { .. } => "transfer-ended",
    Self::PairingAsked { .. } => "pairing-asked",
    Self::PairingAnswered => "pairing-answered",
    Self::Unverified { .. } => "unverified",
);
impl Variants for PairedDevice {
    const ALL: &'static [&'static str] = &["paired-device"];

    fn variant(&self) -> &'static str {
        "paired-device"
    }
}
variants!(Client: Self::Browser { .. } => "browser", Self::Terminal => "terminal");
variants!(ToDaemon:
    Self::Hello { .. } => "hello",
    Self::Associate(_) => "associate",
    Self::Adopt => "adopt",
    Self::Forget => "forget",
    Self::Configure(_) => "configure",
    Self::Paired { .. } => "paired",
    Self::OwnPeer { .. } => "own-peer",
    Self::Command(_) => "command",
    Self::Trust(_) => "trust",
    Self::ItemTaken { .. } => "item-taken",
    Self::ShowInFolder { .. } => "show-in-folder",
    Self::Send { .. } => "send",
    Self::Watch => "watch",
    Self::Receive { .. } => "receive",
    Self::Reload => "reload",
    Self::Status => "status",
    Self::Stop => "stop",
);
variants!(FromDaemon:
    Self::Welcome { .. } => "welcome",
    Self::Associated => "associated",
    Self::Adopted(_) => "adopted",
    Self::Shown { .. } => "shown",
    Self::Event(_) => "event",
    Self::Item { .. } => "item",
    Self::Paired { .. } => "paired",
    Self::OwnPeers { .. } => "own-peers",
    Self::Sending { .. } => "sending",
    Self::Status(_) => "status",
    Self::Error { .. } => "error",
);
variants!(DaemonCode:
    Self::InvalidMessage => "invalid-message",
    Self::NotAllowed => "not-allowed",
    Self::OtherDevice => "other-device",
    Self::NotFound => "not-found",
    Self::Failed => "failed",
);
variants!(PairingStep:
    Self::Connecting => "connecting",
    Self::Waiting => "waiting",
    Self::Asked => "asked",
    Self::Shows { .. } => "shows",
    Self::Picks { .. } => "picks",
    Self::Done => "done",
    Self::Ended { .. } => "ended",
);
variants!(ConnectionView:
    Self::Connecting => "connecting",
    Self::Online => "online",
    Self::Offline { .. } => "offline",
);
variants!(Subject:
    Self::Files { .. } => "files",
    Self::Page { .. } => "page",
    Self::Link { .. } => "link",
    Self::Text { .. } => "text",
);
variants!(TransferState:
    Self::Preparing => "preparing",
    Self::Connecting => "connecting",
    Self::Proposed => "proposed",
    Self::Running => "running",
    Self::Waiting => "waiting",
    Self::Paused { .. } => "paused",
    Self::Done => "done",
    Self::Declined { .. } => "declined",
    Self::Cancelled { .. } => "cancelled",
    Self::Failed { .. } => "failed",
);
variants!(Code:
    Self::Cancelled => "cancelled",
    Self::Declined => "declined",
    Self::NoAnswer => "no-answer",
    Self::PeerNotFound => "peer-not-found",
    Self::PeerGone => "peer-gone",
    Self::Unreachable => "unreachable",
    Self::ConnectionLost => "connection-lost",
    Self::Stalled => "stalled",
    Self::Incompatible => "incompatible",
    Self::InvalidFrame => "invalid-frame",
    Self::PeerMisbehaved => "peer-misbehaved",
    Self::Unverified => "unverified",
    Self::WrongCode => "wrong-code",
    Self::Busy => "busy",
    Self::TooLarge => "too-large",
    Self::ForbiddenLink => "forbidden-link",
    Self::SourceFailed => "source-failed",
    Self::FetchFailed => "fetch-failed",
    Self::StorageFull => "storage-full",
    Self::StorageFailed => "storage-failed",
    Self::DigestMismatch => "digest-mismatch",
    Self::Unknown => "unknown",
);
variants!(SignalingCode:
    Self::Incompatible => "incompatible",
    Self::InvalidMessage => "invalid-message",
    Self::OutOfOrder => "out-of-order",
    Self::Unsupported => "unsupported",
    Self::PeerNotFound => "peer-not-found",
    Self::Busy => "busy",
    Self::RoomFull => "room-full",
    Self::Taken => "taken",
    Self::CodeNotFound => "code-not-found",
    Self::NearbyUnavailable => "nearby-unavailable",
    Self::RateLimited => "rate-limited",
    Self::RelayOff => "relay-off",
    Self::RelayQuota => "relay-quota",
    Self::ShuttingDown => "shutting-down",
    Self::Unknown => "unknown",
);
variants!(SignalingProblem:
    Self::Unreachable => "unreachable",
    Self::WrongAddress => "wrong-address",
    Self::Incompatible => "incompatible",
    Self::Refused => "refused",
    Self::Lost => "lost",
);
variants!(DeviceKind:
    Self::Computer => "computer",
    Self::Phone => "phone",
    Self::Tablet => "tablet",
    Self::Other => "other",
);
variants!(EndpointKind:
    Self::Browser => "browser",
    Self::Native => "native",
    Self::Page => "page",
    Self::Other => "other",
);
variants!(Direction: Self::Send => "send", Self::Receive => "receive");
variants!(Role: Self::Sender => "sender", Self::Receiver => "receiver");
variants!(Room:
    Self::Nearby => "nearby",
    Self::Code { .. } => "code",
    Self::Group { .. } => "group",
    Self::Pair { .. } => "pair",
    Self::Unknown => "unknown",
);

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Checks one folder: its files are exactly the samples, each as `encode` writes it, and each read back by `decode` is
/// the sample again. Every variant needs a sample.
fn check<T: Variants + PartialEq + Debug>(
    folder: &str,
    extension: &str,
    samples: &[(&str, T)],
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> T,
) {
    let dir = golden_dir().join(folder);
    let file = |name: &str| format!("{name}.{extension}");
    let expected: BTreeSet<String> = samples.iter().map(|(name, _)| file(name)).collect();
    assert_eq!(
        expected.len(),
        samples.len(),
        "two samples have the same name in {folder}"
    );
    if std::env::var_os("TABFERRY_BLESS").is_some() {
        fs::create_dir_all(&dir).expect("the folder can be made");
        for name in found(&dir).difference(&expected) {
            fs::remove_file(dir.join(name)).expect("a stale golden file can be removed");
        }
        for (name, sample) in samples {
            fs::write(dir.join(file(name)), encode(sample)).expect("golden files can be written");
        }
    }
    assert_eq!(found(&dir), expected, "the golden files of {folder}");
    for (name, sample) in samples {
        let golden = fs::read(dir.join(file(name))).expect("golden files can be read");
        let decoded = decode(&golden);
        assert_eq!(&decoded, sample, "{folder}/{name}, read");
        assert_eq!(
            String::from_utf8_lossy(&encode(&decoded)),
            String::from_utf8_lossy(&golden),
            "{folder}/{name}, written"
        );
        assert_eq!(encode(&decoded), golden, "{folder}/{name}, written");
    }
    let shown: BTreeSet<_> = samples.iter().map(|(_, sample)| sample.variant()).collect();
    let all: BTreeSet<_> = T::ALL.iter().copied().collect();
    assert_eq!(shown, all, "the variants with a golden file in {folder}");
}

fn found(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).expect("the golden folder is there");
    entries
        .map(|entry| {
            let name = entry.expect("the golden folder can be read").file_name();
            name.into_string().expect("golden files have plain names")
        })
        .collect()
}

fn check_json<T>(folder: &str, samples: &[(&str, T)])
where
    T: Variants + PartialEq + Debug + Serialize + DeserializeOwned,
{
    check(
        folder,
        "json",
        samples,
        |sample| serde_json::to_vec(sample).expect("samples serialize"),
        |golden| serde_json::from_slice(golden).expect("golden files parse"),
    );
}

/// Checks that a set of single words is complete and that each is written as listed.
fn check_words<T>(name: &'static str, samples: &[T])
where
    T: Variants + PartialEq + Debug + Serialize + DeserializeOwned + Clone,
{
    let words: Vec<_> = samples.iter().map(Variants::variant).collect();
    assert_eq!(words, T::ALL, "the words of {name}");
    for sample in samples {
        let json = serde_json::to_string(sample).expect("words serialize");
        assert_eq!(json, format!("\"{}\"", sample.variant()), "{name}");
    }
    let lines = |samples: &Vec<T>| {
        let mut json = serde_json::to_vec_pretty(samples).expect("words serialize");
        json.push(b'\n');
        json
    };
    let path = golden_dir().join("words").join(format!("{name}.json"));
    let samples = samples.to_vec();
    if std::env::var_os("TABFERRY_BLESS").is_some() {
        fs::create_dir_all(golden_dir().join("words")).expect("the folder can be made");
        fs::write(&path, lines(&samples)).expect("golden files can be written");
    }
    let golden = fs::read(&path).expect("golden files can be read");
    let decoded: Vec<T> = serde_json::from_slice(&golden).expect("golden files parse");
    assert_eq!(decoded, samples, "{name}, read");
    assert_eq!(lines(&decoded), golden, "{name}, written");
}

fn device_id() -> DeviceId {
    DeviceId::from_bytes(*b"device-of-golden")
}

fn peer_id() -> PeerId {
    PeerId::from_bytes(*b"peers-of-goldens")
}

fn nameplate() -> Nameplate {
    "7K3M".parse().expect("a nameplate")
}

fn tag() -> PairTag {
    PairTag::from_bytes(*b"tag-of-a-pair-17")
}

fn device() -> DeviceCard {
    DeviceCard {
        id: device_id(),
        name: DeviceName::from_typed("Åsa's laptop 💻").expect("a valid name"),
        kind: DeviceKind::Computer,
    }
}

fn web_url(text: &str) -> WebUrl {
    text.to_owned().try_into().expect("a valid link")
}

fn page() -> Item {
    Item::Page {
        url: web_url("https://example.org/a?b=c#d"),
        title: "Example – \"quoted\"".to_owned(),
    }
}

fn link() -> Item {
    Item::Link {
        url: web_url("http://xn--mnchen-3ya.example:8080/straße"),
        title: String::new(),
    }
}

fn text() -> Item {
    Item::Text {
        text: "two\nlines, a tab\t, 汉字 and \u{1}".to_owned(),
    }
}

fn files() -> Vec<FileEntry> {
    vec![
        FileEntry {
            name: "报告 🚢.pdf".to_owned(),
            folder: "2026/Q3".to_owned(),
            bytes: 3 * 1024 * 1024 * 1024,
            media_type: Some("application/pdf".to_owned()),
        },
        FileEntry {
            name: "../../x".to_owned(),
            folder: String::new(),
            bytes: 0,
            media_type: None,
        },
    ]
}

const TRANSFER: WireTransferId = WireTransferId(7);

fn resume_id() -> ResumeId {
    ResumeId::from_bytes(*b"the same later on"[..16].first_chunk().expect("16 bytes"))
}

#[test]
fn control_frames() {
    let propose = |entries: Vec<Entry>| {
        ControlFrame::Propose(Propose {
            transfer: TRANSFER,
            resume: resume_id(),
            count: u32::try_from(entries.len()).expect("few entries"),
            entries,
        })
    };
    let samples = [
        (
            "handshake",
            ControlFrame::Handshake(b"a message of the handshake".to_vec()),
        ),
        (
            "close",
            ControlFrame::Close(Close {
                code: Code::Incompatible,
            }),
        ),
        (
            "propose-files",
            propose(files().into_iter().map(Entry::File).collect()),
        ),
        (
            "propose-items",
            propose([page(), link(), text()].map(Entry::Item).to_vec()),
        ),
        (
            "propose-first-of-many",
            ControlFrame::Propose(Propose {
                transfer: TRANSFER,
                resume: resume_id(),
                count: 10_000,
                entries: files().into_iter().take(1).map(Entry::File).collect(),
            }),
        ),
        (
            "entries",
            ControlFrame::Entries(Entries {
                transfer: TRANSFER,
                entries: files().into_iter().map(Entry::File).collect(),
            }),
        ),
        (
            "accept",
            ControlFrame::Accept(Accept {
                transfer: TRANSFER,
                epoch: 1,
                entry: 0,
                offset: 0,
                prefix: None,
                stored: Vec::new(),
                credit: 8 * 1024 * 1024,
            }),
        ),
        (
            "accept-from-a-prefix",
            ControlFrame::Accept(Accept {
                transfer: TRANSFER,
                epoch: 2,
                entry: 3,
                offset: (1 << 53) - 1,
                prefix: Some(Digest::of(b"the beginning")),
                stored: vec![(5, 6), (8, 100_000)],
                credit: 8 * 1024 * 1024,
            }),
        ),
        (
            "awaiting",
            ControlFrame::Awaiting(Awaiting {
                resume: vec![resume_id()],
            }),
        ),
        (
            "withdraw",
            ControlFrame::Withdraw(Withdraw {
                resume: resume_id(),
                code: Code::Cancelled,
            }),
        ),
        (
            "pause",
            ControlFrame::Pause(Pause {
                transfer: TRANSFER,
                role: Role::Receiver,
                paused: true,
            }),
        ),
        (
            "decline",
            ControlFrame::Decline(Decline {
                transfer: TRANSFER,
                code: Code::Declined,
            }),
        ),
        (
            "credit",
            ControlFrame::Credit(Credit {
                transfer: TRANSFER,
                epoch: 1,
                bytes: 1024 * 1024,
            }),
        ),
        (
            "entry-done",
            ControlFrame::EntryDone(EntryDone {
                transfer: TRANSFER,
                epoch: 1,
                entry: 1,
                digest: Digest::of(b""),
            }),
        ),
        (
            "entry-stored",
            ControlFrame::EntryStored(EntryStored {
                transfer: TRANSFER,
                entry: 1,
            }),
        ),
        (
            "cancel-by-sender",
            ControlFrame::Cancel(Cancel {
                transfer: TRANSFER,
                role: Role::Sender,
                code: Code::Cancelled,
            }),
        ),
        (
            "cancel-by-receiver",
            ControlFrame::Cancel(Cancel {
                transfer: TRANSFER,
                role: Role::Receiver,
                code: Code::StorageFull,
            }),
        ),
        ("ping", ControlFrame::Ping),
        ("pong", ControlFrame::Pong),
        (
            "pair-ask",
            ControlFrame::PairAsk(PairAsk {
                commitment: Asker::new([1; 32], Nonce::from_bytes([0xA1; 32])).1,
            }),
        ),
        (
            "pair-nonce",
            ControlFrame::PairNonce(PairNonce {
                nonce: Nonce::from_bytes([0xB2; 32]),
            }),
        ),
        (
            "pair-reveal",
            ControlFrame::PairReveal(PairReveal {
                nonce: Nonce::from_bytes([0xA1; 32]),
            }),
        ),
        (
            "pair-picked",
            ControlFrame::PairPicked(PairPicked {
                half: PairHalf::from_bytes([0xD4; 32]),
            }),
        ),
        ("pair-stop", ControlFrame::PairStop(PairStop {})),
        (
            "code-proof-point",
            ControlFrame::CodeProof(CodeProof {
                message: b"A and 32 bytes that are no point.".to_vec(),
            }),
        ),
        (
            "code-proof-confirmation",
            ControlFrame::CodeProof(CodeProof {
                message: vec![0xC3; 32],
            }),
        ),
        ("unknown", ControlFrame::Unknown(200)),
    ];
    check(
        "control",
        "frame",
        &samples,
        ControlFrame::encode,
        |golden| ControlFrame::decode(golden).expect("golden files parse"),
    );
}

/// A bulk frame, to have its file checked like the others.
#[derive(Debug, PartialEq)]
struct Bulk(BulkHeader, Vec<u8>);

variants!(Bulk: Bulk(..) => "bulk");

#[test]
fn bulk_frames() {
    // Numbers whose little-endian bytes are letters: the file shows each field where it belongs.
    let header = BulkHeader {
        transfer: WireTransferId(u32::from_le_bytes(*b"tran")),
        epoch: u32::from_le_bytes(*b"epoc"),
        entry: u32::from_le_bytes(*b"entr"),
        offset: u64::from_le_bytes(*b"-offset-"),
    };
    check(
        "bulk",
        "frame",
        &[("letters", Bulk(header, b"bytes of the file".to_vec()))],
        |Bulk(header, data)| [&header.encode()[..], data].concat(),
        |golden| {
            let (header, data) = BulkHeader::decode(golden).expect("golden files parse");
            Bulk(header, data.to_vec())
        },
    );
    assert_eq!(
        fs::read(golden_dir().join("bulk/letters.frame")).expect("golden files can be read"),
        b"tranepocentr-offset-bytes of the file"
    );
}

#[test]
fn entries() {
    let [first, second] = files().try_into().expect("two files");
    check_json(
        "entry",
        &[
            ("file", Entry::File(first)),
            ("file-without-media-type", Entry::File(second)),
            ("page", Entry::Item(page())),
            ("link", Entry::Item(link())),
            ("text", Entry::Item(text())),
            ("unknown", Entry::Unknown),
        ],
    );
}

fn signal(body: SignalBody) -> Signal {
    Signal {
        connection: ConnectionId::from_bytes(*b"connection-no-17"),
        body,
    }
}

fn relay_ticket() -> RelayTicket {
    RelayTicket::from_bytes(*b"relay-ticket-017")
}

fn signals() -> Vec<(&'static str, Signal)> {
    let sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\n".to_owned();
    let candidate =
        "candidate:1 1 udp 2122260223 6f1c7a52.local 61665 typ host generation 0".to_owned();
    vec![
        ("offer", signal(SignalBody::Offer { sdp: sdp.clone() })),
        (
            "answer",
            signal(SignalBody::Answer {
                sdp,
                nonce: AnswerNonce::from_bytes(*b"answer-nonce-017"),
            }),
        ),
        (
            "candidate",
            signal(SignalBody::Candidate {
                candidate: candidate.clone(),
                mid: Some("0".to_owned()),
            }),
        ),
        (
            "candidate-without-mid",
            signal(SignalBody::Candidate {
                candidate,
                mid: None,
            }),
        ),
        ("end-of-candidates", signal(SignalBody::EndOfCandidates)),
        ("restart-request", signal(SignalBody::RestartRequest)),
        ("bye", signal(SignalBody::Bye { code: None })),
        (
            "bye-for-good",
            signal(SignalBody::Bye {
                code: Some(Code::Unverified),
            }),
        ),
        (
            "relay",
            signal(SignalBody::Relay {
                ticket: relay_ticket(),
            }),
        ),
        (
            "relay-answer",
            signal(SignalBody::RelayAnswer {
                nonce: AnswerNonce::from_bytes(*b"answer-nonce-017"),
            }),
        ),
        ("unknown", signal(SignalBody::Unknown)),
    ]
}

impl Variants for Signal {
    const ALL: &'static [&'static str] = SignalBody::ALL;

    fn variant(&self) -> &'static str {
        self.body.variant()
    }
}

#[test]
fn signal_bodies() {
    check_json("signal", &signals());
}

#[test]
fn client_messages() {
    let hello = |capabilities: Vec<String>| {
        ClientMessage::Hello(ClientHello {
            versions: Versions::spoken(),
            endpoint: EndpointKind::Native,
            capabilities,
        })
    };
    let mut samples = vec![
        ("hello", hello(Vec::new())),
        (
            "hello-with-capabilities",
            hello(vec!["one".to_owned(), "two".to_owned()]),
        ),
        (
            "join",
            ClientMessage::Join {
                room: Room::Nearby,
                device: Some(device()),
            },
        ),
        (
            "join-without-card",
            ClientMessage::Join {
                room: Room::Pair { tag: tag() },
                device: None,
            },
        ),
        (
            "join-unknown-room",
            ClientMessage::Join {
                room: Room::Unknown,
                device: None,
            },
        ),
        (
            "open",
            ClientMessage::Open {
                nameplate: nameplate(),
            },
        ),
        ("leave", ClientMessage::Leave { room: Room::Nearby }),
        ("update", ClientMessage::Update { device: device() }),
        ("open-relay", ClientMessage::OpenRelay { to: peer_id() }),
        ("unknown", ClientMessage::Unknown),
    ];
    let names = signals()
        .into_iter()
        .map(|(name, signal)| (format!("signal-{name}"), signal))
        .collect::<Vec<_>>();
    for (name, signal) in &names {
        let message = ClientMessage::Signal {
            to: peer_id(),
            signal: signal.clone(),
        };
        samples.push((name, message));
    }
    check(
        "client",
        "json",
        &samples,
        |message| message.encode().into_bytes(),
        |golden| {
            let text = std::str::from_utf8(golden).expect("golden files are text");
            ClientMessage::decode(text).expect("golden files parse")
        },
    );
}

#[test]
fn server_messages() {
    let peer = || Peer {
        id: peer_id(),
        device: Some(device()),
        endpoint: EndpointKind::Page,
    };
    let unnamed = || Peer {
        device: None,
        ..peer()
    };
    let pair = Room::Pair { tag: tag() };
    let room = Room::Nearby;
    let mut samples = vec![
        (
            "welcome",
            ServerMessage::Welcome(Welcome {
                version: 1,
                peer: peer_id(),
                address: "2001:db8::1".to_owned(),
                time: 1_785_000_000,
                ice_servers: vec![
                    IceServer {
                        url: "stun:stun.example.org:3478".to_owned(),
                        username: None,
                        credential: None,
                    },
                    IceServer {
                        url: "turns:turn.example.org:443?transport=tcp".to_owned(),
                        username: Some("1700000000:ferry".to_owned()),
                        credential: Some("c2VjcmV0".to_owned()),
                    },
                ],
                relay: true,
            }),
        ),
        (
            "welcome-without-ice-servers",
            ServerMessage::Welcome(Welcome {
                version: 1,
                peer: peer_id(),
                address: "127.0.0.1".to_owned(),
                time: 0,
                ice_servers: Vec::new(),
                relay: false,
            }),
        ),
        (
            "joined",
            ServerMessage::Joined {
                room,
                peers: vec![peer()],
            },
        ),
        (
            "joined-without-cards",
            ServerMessage::Joined {
                room: pair,
                peers: vec![unnamed()],
            },
        ),
        (
            "joined-empty-room",
            ServerMessage::Joined {
                room,
                peers: Vec::new(),
            },
        ),
        (
            "peer-joined",
            ServerMessage::PeerJoined { room, peer: peer() },
        ),
        (
            "peer-joined-without-card",
            ServerMessage::PeerJoined {
                room: pair,
                peer: unnamed(),
            },
        ),
        ("peer-updated", ServerMessage::PeerUpdated { peer: peer() }),
        (
            "peer-left",
            ServerMessage::PeerLeft {
                room,
                peer: peer_id(),
            },
        ),
        (
            "room-closed",
            ServerMessage::RoomClosed {
                room: Room::Code {
                    nameplate: nameplate(),
                },
            },
        ),
        (
            "ice-servers",
            ServerMessage::IceServers {
                ice_servers: vec![IceServer {
                    url: "turn:turn.example.org:3478".to_owned(),
                    username: Some("1785021600:aebagbafaydqqcikbmga2dqpca".to_owned()),
                    credential: Some("c2VjcmV0".to_owned()),
                }],
            },
        ),
        (
            "relay",
            ServerMessage::Relay {
                to: peer_id(),
                ticket: relay_ticket(),
            },
        ),
        (
            "error",
            ServerMessage::Error {
                code: SignalingCode::InvalidMessage,
                to: None,
                room: None,
            },
        ),
        (
            "error-about-a-peer",
            ServerMessage::Error {
                code: SignalingCode::PeerNotFound,
                to: Some(peer_id()),
                room: None,
            },
        ),
        (
            "error-about-a-room",
            ServerMessage::Error {
                code: SignalingCode::CodeNotFound,
                to: None,
                room: Some(Room::Code {
                    nameplate: nameplate(),
                }),
            },
        ),
        ("unknown", ServerMessage::Unknown),
    ];
    let names = signals()
        .into_iter()
        .map(|(name, signal)| (format!("signal-{name}"), signal))
        .collect::<Vec<_>>();
    for (name, signal) in &names {
        let message = ServerMessage::Signal {
            from: peer_id(),
            signal: signal.clone(),
        };
        samples.push((name, message));
    }
    check(
        "server",
        "json",
        &samples,
        |message| message.encode().into_bytes(),
        |golden| {
            let text = std::str::from_utf8(golden).expect("golden files are text");
            ServerMessage::decode(text).expect("golden files parse")
        },
    );
}

#[test]
fn relay_messages() {
    fn text(golden: &[u8]) -> &str {
        std::str::from_utf8(golden).expect("golden files are text")
    }
    check(
        "relay-client",
        "json",
        &[
            (
                "join",
                RelayClientMessage::Join {
                    ticket: relay_ticket(),
                },
            ),
            ("unknown", RelayClientMessage::Unknown),
        ],
        |message| message.encode().into_bytes(),
        |golden| RelayClientMessage::decode(text(golden)).expect("golden files parse"),
    );
    check(
        "relay-server",
        "json",
        &[
            ("joined", RelayServerMessage::Joined { credit: 1_048_576 }),
            ("credit", RelayServerMessage::Credit { bytes: 262_144 }),
            ("unknown", RelayServerMessage::Unknown),
        ],
        |message| message.encode().into_bytes(),
        |golden| RelayServerMessage::decode(text(golden)).expect("golden files parse"),
    );
}

fn source_file(media_type: Option<&str>) -> SourceFile {
    SourceFile {
        source: SourceId(5),
        name: "报告 🚢.pdf".to_owned(),
        folder: media_type.map(|_| "2026/Q3").unwrap_or_default().to_owned(),
        bytes: 3 * 1024 * 1024 * 1024,
        media_type: media_type.map(str::to_owned),
    }
}

fn settings() -> Settings {
    Settings {
        name: device().name,
        kind: device().kind,
        server: "ws://127.0.0.1:7717/v1/signal".to_owned(),
        visibility: Visibility::Everyone,
        groups: vec![GroupCode::from_random([5; 5])],
    }
}

#[test]
fn commands() {
    let to = device_id();
    let transfer = TransferId(9);
    let send = |item: Item| Command::SendItem {
        to,
        item: item.into(),
    };
    check_json(
        "command",
        &[
            ("configure", Command::Configure(settings())),
            ("reconnect", Command::Reconnect),
            ("send-page", send(page())),
            ("send-link", send(link())),
            ("send-text", send(text())),
            (
                "send-files",
                Command::SendFiles {
                    to,
                    files: vec![source_file(Some("application/pdf")), source_file(None)],
                },
            ),
            (
                "prepare",
                Command::Prepare {
                    to,
                    name: "photo.jpg".to_owned(),
                    source: SourceId(5),
                },
            ),
            (
                "prepared",
                Command::Prepared {
                    file: source_file(None),
                },
            ),
            (
                "prepare-failed",
                Command::PrepareFailed {
                    source: SourceId(5),
                    code: Code::FetchFailed,
                    instead: None,
                },
            ),
            (
                "prepare-failed-with-link-instead",
                Command::PrepareFailed {
                    source: SourceId(5),
                    code: Code::FetchFailed,
                    instead: Some(link().into()),
                },
            ),
            ("accept", Command::Accept { transfer }),
            ("decline", Command::Decline { transfer }),
            ("cancel", Command::Cancel { transfer }),
            ("pause", Command::Pause { transfer }),
            ("resume", Command::Resume { transfer }),
            ("dismiss", Command::Dismiss { transfer }),
            ("dismiss-item", Command::DismissItem { item: ItemId(2) }),
            ("show-in-crowd", Command::ShowInCrowd),
            (
                "take-item",
                Command::TakeItem {
                    from: device_view(),
                    item: link().into(),
                    unasked: true,
                },
            ),
        ],
    );
}

#[test]
fn trust_commands() {
    let to = device_id();
    check_json(
        "trust-command",
        &[
            ("pair", TrustCommand::Pair { with: to }),
            ("answer-pairing", TrustCommand::AnswerPairing { yes: true }),
            (
                "pick-pairing",
                TrustCommand::PickPairing { choice: Some(2) },
            ),
            (
                "pick-pairing-none",
                TrustCommand::PickPairing { choice: None },
            ),
            ("end-pairing", TrustCommand::EndPairing),
            ("unpair", TrustCommand::Unpair { device: to }),
            (
                "rename",
                TrustCommand::Rename {
                    device: to,
                    name: device().name,
                },
            ),
            (
                "set-auto-accept",
                TrustCommand::SetAutoAccept {
                    device: to,
                    auto_accept: AutoAccept {
                        files: Some(100_000_000),
                        links: true,
                        texts: false,
                    },
                },
            ),
            ("open-code", TrustCommand::OpenCode),
            ("enter-code", TrustCommand::EnterCode { typed: code_text() }),
            ("end-code", TrustCommand::EndCode),
        ],
    );
}

fn code_text() -> CodeText {
    CodeText::from("A1B2-0XYZ".to_owned())
}

fn device_view() -> DeviceView {
    let card = device();
    DeviceView {
        id: card.id,
        name: card.name,
        kind: card.kind,
        paired: true,
    }
}

fn proposal_view() -> ProposalView {
    ProposalView {
        transfer: TransferId(9),
        from: device_view(),
        names: vec!["报告 🚢.pdf".to_owned(), "x".to_owned()],
        files: 2,
        programs: 1,
        bytes: 3 * 1024 * 1024 * 1024,
    }
}

fn item_view(item: Item) -> ItemView {
    ItemView {
        id: ItemId(2),
        from: device_view(),
        item: item.into(),
    }
}

fn subjects() -> [(&'static str, Subject); 4] {
    [
        (
            "files",
            Subject::Files {
                name: "报告 🚢.pdf".to_owned(),
                count: 2,
            },
        ),
        (
            "page",
            Subject::Page {
                title: "Example".to_owned(),
            },
        ),
        (
            "link",
            Subject::Link {
                title: "https://example.org/".to_owned(),
            },
        ),
        (
            "text",
            Subject::Text {
                excerpt: "two lines".to_owned(),
            },
        ),
    ]
}

fn states() -> [(&'static str, TransferState); 12] {
    [
        ("preparing", TransferState::Preparing),
        ("connecting", TransferState::Connecting),
        ("proposed", TransferState::Proposed),
        ("running", TransferState::Running),
        ("waiting", TransferState::Waiting),
        ("paused-here", TransferState::Paused { here: true }),
        ("paused-there", TransferState::Paused { here: false }),
        ("done", TransferState::Done),
        (
            "declined",
            TransferState::Declined {
                code: Code::Declined,
            },
        ),
        ("cancelled-here", TransferState::Cancelled { here: true }),
        ("cancelled-there", TransferState::Cancelled { here: false }),
        (
            "failed",
            TransferState::Failed {
                code: Code::DigestMismatch,
            },
        ),
    ]
}

fn transfer_view(subject: Subject, state: TransferState) -> TransferView {
    let running = state == TransferState::Running;
    TransferView {
        id: TransferId(9),
        direction: Direction::Receive,
        device: device_view(),
        subject,
        bytes: 3 * 1024 * 1024 * 1024,
        bytes_done: 1024 * 1024,
        files_done: 1,
        bytes_per_second: if running { 100_000_000 } else { 0 },
        seconds_left: running.then_some(32),
        state,
        stored: (state == TransferState::Done).then(|| StoredFile {
            id: 3,
            name: "报告 🚢 (1).pdf".to_owned(),
        }),
    }
}

#[test]
fn events() {
    let [(_, files), ..] = subjects();
    check_json(
        "event",
        &[
            (
                "proposal-arrived",
                Event::ProposalArrived {
                    proposal: proposal_view(),
                },
            ),
            (
                "proposal-ended",
                Event::ProposalEnded {
                    transfer: TransferId(9),
                },
            ),
            (
                "item-received",
                Event::ItemReceived {
                    item: item_view(page()),
                    unasked: false,
                },
            ),
            (
                "pairing-asked",
                Event::PairingAsked {
                    device: device_view(),
                },
            ),
            ("pairing-answered", Event::PairingAnswered),
            (
                "unverified",
                Event::Unverified {
                    device: device_view(),
                },
            ),
            (
                "transfer-ended",
                Event::TransferEnded {
                    transfer: transfer_view(files, TransferState::Done),
                },
            ),
        ],
    );
}

#[test]
fn parts_of_snapshots() {
    check_json("subject", &subjects());
    check_json("transfer-state", &states());
    check_json(
        "connection",
        &[
            ("connecting", ConnectionView::Connecting),
            ("online", ConnectionView::Online),
            (
                "offline",
                ConnectionView::Offline {
                    problem: SignalingProblem::Unreachable,
                },
            ),
        ],
    );
}

impl Variants for Snapshot {
    const ALL: &'static [&'static str] = ConnectionView::ALL;

    fn variant(&self) -> &'static str {
        self.connection.variant()
    }
}

#[test]
fn steps_of_a_pairing() {
    let ended = |reason| PairingStep::Ended { reason };
    check_json(
        "pairing-step",
        &[
            ("connecting", PairingStep::Connecting),
            ("waiting", PairingStep::Waiting),
            ("asked", PairingStep::Asked),
            (
                "shows",
                PairingStep::Shows {
                    symbols: [0, 21, 42, 63],
                },
            ),
            (
                "picks",
                PairingStep::Picks {
                    choices: [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
                },
            ),
            ("done", PairingStep::Done),
            ("ended-mismatch", ended(PairingEnd::Mismatch)),
            ("ended-stopped", ended(PairingEnd::Stopped)),
            (
                "ended-failed",
                ended(PairingEnd::Failed {
                    code: Code::NoAnswer,
                }),
            ),
        ],
    );
}

#[test]
fn steps_of_a_code() {
    let ended = |reason| CodeStep::Ended { reason };
    check_json(
        "code-step",
        &[
            ("opening", CodeStep::Opening),
            (
                "shows",
                CodeStep::Shows {
                    code: code_text(),
                    until: 1_790_000_600,
                    wrong: 1,
                },
            ),
            ("connecting", CodeStep::Connecting),
            (
                "done",
                CodeStep::Done {
                    device: device_view(),
                },
            ),
            ("ended-mistyped", ended(CodeEnd::Mistyped)),
            ("ended-not-found", ended(CodeEnd::NotFound)),
            ("ended-wrong", ended(CodeEnd::Wrong)),
            ("ended-expired", ended(CodeEnd::Expired)),
            ("ended-guessed", ended(CodeEnd::Guessed)),
            ("ended-failed", ended(CodeEnd::Failed { code: Code::Busy })),
        ],
    );
}

fn group_view(state: GroupState) -> GroupView {
    GroupView {
        name: GroupCode::from_random([5; 5]),
        state,
    }
}

fn paired_device() -> PairedDevice {
    PairedDevice {
        key: DeviceKey::from_seed(&[5; 32]).public(),
        name: device().name,
        kind: device().kind,
        secret: PairSecret::of_halves(
            &PairHalf::from_bytes([1; 32]),
            &PairHalf::from_bytes([2; 32]),
        ),
        since: 1_790_000_000,
        last_seen: 1_790_003_600,
        auto_accept: AutoAccept::default(),
    }
}

#[test]
fn paired_devices_as_they_are_kept() {
    check_json("kept", &[("paired-device", paired_device())]);
}

impl Variants for Trust {
    const ALL: &'static [&'static str] = &["trust"];

    fn variant(&self) -> &'static str {
        "trust"
    }
}

#[test]
fn trust() {
    let full = Trust {
        paired: vec![PairedView {
            device: device_view(),
            since: 1_790_000_000,
            last_seen: 1_790_003_600,
            auto_accept: AutoAccept {
                files: Some(100_000_000),
                links: false,
                texts: true,
            },
        }],
        pairing: Some(PairingView {
            device: device_view(),
            step: PairingStep::Waiting,
        }),
        code: Some(CodeStep::Connecting),
        groups: vec![
            group_view(GroupState::Away),
            group_view(GroupState::Joined { others: 2 }),
            group_view(GroupState::Refused),
        ],
    };
    check_json("trust", &[("nobody", Trust::default()), ("full", full)]);
}

fn association() -> Association {
    Association {
        identity: Identity::of(&DeviceKey::from_seed(&[5; 32])),
        paired: vec![paired_device()],
        settings: settings(),
    }
}

#[test]
fn what_clients_say_to_the_daemon() {
    let origin = "chrome-extension://imfpdplahoccelbkgcfjfibikmoechld/".to_owned();
    check_json(
        "native-client",
        &[
            ("browser", Client::Browser { origin }),
            ("terminal", Client::Terminal),
        ],
    );
    let send = |what| ToDaemon::Send {
        to: device_id(),
        what,
    };
    let source = |path: &str, name: Option<&str>| SourcePath {
        path: PathBuf::from(path),
        name: name.map(str::to_owned),
    };
    check_json(
        "to-daemon",
        &[
            (
                "hello",
                ToDaemon::Hello {
                    version: native::VERSION,
                    program: "0.1.0".to_owned(),
                },
            ),
            ("associate", ToDaemon::Associate(association())),
            ("adopt", ToDaemon::Adopt),
            ("forget", ToDaemon::Forget),
            ("configure", ToDaemon::Configure(settings())),
            (
                "paired",
                ToDaemon::Paired {
                    base: Vec::new(),
                    now: vec![paired_device()],
                },
            ),
            (
                "own-peer",
                ToDaemon::OwnPeer {
                    peer: Some(peer_id()),
                },
            ),
            ("own-peer-none", ToDaemon::OwnPeer { peer: None }),
            ("command", ToDaemon::Command(Command::Reconnect)),
            ("trust", ToDaemon::Trust(TrustCommand::OpenCode)),
            ("item-taken", ToDaemon::ItemTaken { item: ItemId(2) }),
            (
                "show-in-folder",
                ToDaemon::ShowInFolder {
                    transfer: TransferId(9),
                },
            ),
            (
                "send-paths",
                send(Outgoing::Paths(vec![
                    source("/home/ada/报告 🚢.pdf", None),
                    source("/tmp/x", Some("from a pipe.txt")),
                ])),
            ),
            ("send-item", send(Outgoing::Item(link().into()))),
            ("watch", ToDaemon::Watch),
            ("receive", ToDaemon::Receive { folder: None }),
            (
                "receive-to",
                ToDaemon::Receive {
                    folder: Some(PathBuf::from("/tmp/in")),
                },
            ),
            ("reload", ToDaemon::Reload),
            ("status", ToDaemon::Status),
            ("stop", ToDaemon::Stop),
        ],
    );
}

#[test]
fn what_the_daemon_says() {
    let welcome = |device| FromDaemon::Welcome {
        version: native::VERSION,
        program: "0.1.0".to_owned(),
        device,
        folder: "/home/ada/Downloads".to_owned(),
    };
    let shown = |trust| FromDaemon::Shown {
        snapshot: empty(ConnectionView::Online),
        trust,
    };
    check_json(
        "from-daemon",
        &[
            ("welcome", welcome(Some(device()))),
            ("welcome-without-device", welcome(None)),
            ("associated", FromDaemon::Associated),
            ("adopted", FromDaemon::Adopted(association())),
            ("shown", shown(None)),
            ("shown-in-a-terminal", shown(Some(Trust::default()))),
            (
                "event",
                FromDaemon::Event(Event::ProposalEnded {
                    transfer: TransferId(9),
                }),
            ),
            (
                "item",
                FromDaemon::Item {
                    item: item_view(link()),
                    unasked: true,
                },
            ),
            (
                "paired",
                FromDaemon::Paired {
                    paired: vec![paired_device()],
                },
            ),
            (
                "own-peers",
                FromDaemon::OwnPeers {
                    peers: vec![peer_id()],
                },
            ),
            (
                "sending",
                FromDaemon::Sending {
                    transfer: TransferId(9),
                },
            ),
            (
                "status",
                FromDaemon::Status(Status {
                    pid: 4711,
                    uptime: 3600,
                    browsers: 2,
                    waiting_items: 1,
                    associated: true,
                    connection: Some(ConnectionView::Online),
                    devices: vec![device_view()],
                    transfers: 3,
                }),
            ),
            (
                "error",
                FromDaemon::Error {
                    code: DaemonCode::OtherDevice,
                    message: "this computer is another device".to_owned(),
                },
            ),
        ],
    );
}

fn empty(connection: ConnectionView) -> Snapshot {
    Snapshot {
        device: None,
        connection,
        visible: Visible::Everyone,
        devices: Vec::new(),
        incoming: Vec::new(),
        transfers: Vec::new(),
        items: Vec::new(),
    }
}

#[test]
fn snapshots() {
    let full = Snapshot {
        device: Some(device()),
        connection: ConnectionView::Online,
        visible: Visible::Crowded,
        devices: vec![device_view()],
        incoming: vec![proposal_view()],
        transfers: states()
            .into_iter()
            .zip(subjects().into_iter().cycle())
            .map(|((_, state), (_, subject))| transfer_view(subject, state))
            .collect(),
        items: [page(), link(), text()].map(item_view).to_vec(),
    };
    check_json(
        "snapshot",
        &[
            ("not-configured", empty(ConnectionView::Connecting)),
            (
                "offline",
                empty(ConnectionView::Offline {
                    problem: SignalingProblem::WrongAddress,
                }),
            ),
            ("full", full),
        ],
    );
}

#[test]
fn closed_sets_of_words() {
    check_words("code", &Code::ALL);
    check_words(
        "daemon-code",
        &[
            DaemonCode::InvalidMessage,
            DaemonCode::NotAllowed,
            DaemonCode::OtherDevice,
            DaemonCode::NotFound,
            DaemonCode::Failed,
        ],
    );
    check_words(
        "signaling-code",
        &[
            SignalingCode::Incompatible,
            SignalingCode::InvalidMessage,
            SignalingCode::OutOfOrder,
            SignalingCode::Unsupported,
            SignalingCode::PeerNotFound,
            SignalingCode::Busy,
            SignalingCode::RoomFull,
            SignalingCode::Taken,
            SignalingCode::CodeNotFound,
            SignalingCode::NearbyUnavailable,
            SignalingCode::RateLimited,
            SignalingCode::RelayOff,
            SignalingCode::RelayQuota,
            SignalingCode::ShuttingDown,
            SignalingCode::Unknown,
        ],
    );
    check_words(
        "signaling-problem",
        &[
            SignalingProblem::Unreachable,
            SignalingProblem::WrongAddress,
            SignalingProblem::Incompatible,
            SignalingProblem::Refused,
            SignalingProblem::Lost,
        ],
    );
    check_words(
        "device-kind",
        &[
            DeviceKind::Computer,
            DeviceKind::Phone,
            DeviceKind::Tablet,
            DeviceKind::Other,
        ],
    );
    check_words(
        "endpoint-kind",
        &[
            EndpointKind::Browser,
            EndpointKind::Native,
            EndpointKind::Page,
            EndpointKind::Other,
        ],
    );
    check_words(
        "visibility",
        &[Visibility::Everyone, Visibility::Paired, Visibility::Nobody],
    );
    check_words(
        "visible",
        &[
            Visible::Everyone,
            Visible::Paired,
            Visible::Nobody,
            Visible::Crowded,
            Visible::Unavailable,
        ],
    );
    check_words("direction", &[Direction::Send, Direction::Receive]);
    check_words("role", &[Role::Sender, Role::Receiver]);
}

/// One room of each kind.
fn rooms() -> [(&'static str, Room); 5] {
    [
        ("nearby", Room::Nearby),
        (
            "code",
            Room::Code {
                nameplate: nameplate(),
            },
        ),
        (
            "group",
            Room::Group {
                name: "F0RTYB1T".parse().expect("the name of a group"),
            },
        ),
        ("pair", Room::Pair { tag: tag() }),
        ("unknown", Room::Unknown),
    ]
}

#[test]
fn rooms_of_every_kind() {
    check_json("room", &rooms());
}

/// Checks one folder whose files are computed from fixed values, not read.
fn check_computed(folder: &str, files: &[(&str, Vec<u8>)]) {
    let dir = golden_dir().join(folder);
    if std::env::var_os("TABFERRY_BLESS").is_some() {
        fs::create_dir_all(&dir).expect("the folder can be made");
        for (name, bytes) in files {
            fs::write(dir.join(name), bytes).expect("golden files can be written");
        }
    }
    let expected: BTreeSet<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found(&dir), expected, "the golden files of {folder}");
    for (name, bytes) in files {
        let golden = fs::read(dir.join(name)).expect("golden files can be read");
        assert_eq!(
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(&golden),
            "{folder}/{name}"
        );
        assert_eq!(bytes, &golden, "{folder}/{name}");
    }
}

#[test]
fn handshake() {
    let files = scenario::handshake().expect("both ends are honest");
    check_computed("handshake", &files);
}

#[test]
fn code_proof_messages() {
    let files = code_proof::code_proof().expect("both ends are honest");
    check_computed("code-proof", &files);
}

#[test]
fn pairing_values() {
    let files = pairing::pairing().expect("both ends are honest");
    check_computed(
        "pairing",
        &files.map(|(name, text)| (name, text.into_bytes())),
    );
}
