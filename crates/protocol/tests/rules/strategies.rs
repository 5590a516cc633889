//! Arbitrary valid values of every type that travels.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
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
use tabferry_protocol::limits::{
    CANDIDATE_BYTES, CAPABILITIES, CAPABILITY_BYTES, CODE_PROOF_MESSAGE_BYTES,
    HANDSHAKE_MESSAGE_BYTES, ICE_SERVER_URL_BYTES, ICE_SERVERS, MANIFEST_ENTRIES, MEDIA_TYPE_BYTES,
    PROPOSED_NAME_BYTES, TITLE_BYTES, UNCOMMITTED_FILES, VERSIONS,
};
use tabferry_protocol::link::WebUrl;
use tabferry_protocol::manifest::{Entry, FileEntry, Item};
use tabferry_protocol::name::cut_to_bytes;
use tabferry_protocol::pair::PairHalf;
use tabferry_protocol::paired::AutoAccept;
use tabferry_protocol::relay::{RelayClientMessage, RelayServerMessage};
use tabferry_protocol::sas::{Asker, Nonce};
use tabferry_protocol::secret_code::{CodeText, GroupCode, Nameplate, SecretCode};
use tabferry_protocol::signaling::{
    ClientHello, ClientMessage, IceServer, Peer, Room, ServerMessage, Signal, SignalBody,
    SignalingCode, Welcome,
};
use tabferry_protocol::version::Versions;

/// Any text of at most `limit` bytes, mostly short.
pub(crate) fn text(limit: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        8 => ".{0,12}",
        1 => vec(any::<char>(), 0..64).prop_map(|chars| chars.into_iter().collect()),
        1 => any::<char>().prop_map(move |c| c.to_string().repeat(limit / c.len_utf8())),
    ]
    .prop_map(move |text: String| cut_to_bytes(&text, limit).to_owned())
}

/// Any text that may stand in a signal.
fn line(limit: usize) -> impl Strategy<Value = String> {
    text(limit).prop_map(|text| text.chars().filter(|c| !c.is_control()).collect())
}

pub(crate) fn device_name() -> impl Strategy<Value = DeviceName> {
    prop_oneof![".{1,20}", "\\PC{1,80}"].prop_filter_map("a visible name", |typed| {
        DeviceName::from_typed(&typed).ok()
    })
}

fn device_kind() -> impl Strategy<Value = DeviceKind> {
    prop_oneof![
        Just(DeviceKind::Computer),
        Just(DeviceKind::Phone),
        Just(DeviceKind::Tablet),
        Just(DeviceKind::Other)
    ]
}

fn endpoint() -> impl Strategy<Value = EndpointKind> {
    prop_oneof![
        Just(EndpointKind::Browser),
        Just(EndpointKind::Native),
        Just(EndpointKind::Page),
        Just(EndpointKind::Other)
    ]
}

fn device_id() -> impl Strategy<Value = DeviceId> {
    any::<[u8; 16]>().prop_map(DeviceId::from_bytes)
}

fn peer_id() -> impl Strategy<Value = PeerId> {
    any::<[u8; 16]>().prop_map(PeerId::from_bytes)
}

pub(crate) fn device() -> impl Strategy<Value = DeviceCard> {
    (device_id(), device_name(), device_kind()).prop_map(|(id, name, kind)| DeviceCard {
        id,
        name,
        kind,
    })
}

pub(crate) fn versions() -> impl Strategy<Value = Versions> {
    vec(any::<u16>(), 1..=VERSIONS)
        .prop_map(|versions| versions.try_into().expect("as many as allowed"))
}

fn code() -> impl Strategy<Value = Code> {
    proptest::sample::select(Code::ALL.to_vec())
}

pub(crate) fn web_url() -> impl Strategy<Value = WebUrl> {
    let host = prop_oneof![
        "[a-z]{1,9}\\.example",
        Just("münchen.example".to_owned()),
        Just("127.0.0.1:7717".to_owned()),
        Just("[2001:db8::1]".to_owned()),
    ];
    let rest = prop_oneof!["[/?#]\\PC{0,40}", "/[a-z0-9/._~%-]{0,40}"];
    ("https?", host, rest).prop_filter_map("a link", |(scheme, host, rest)| {
        WebUrl::try_from(format!("{scheme}://{host}{rest}")).ok()
    })
}

pub(crate) fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        (web_url(), text(TITLE_BYTES)).prop_map(|(url, title)| Item::Page { url, title }),
        (web_url(), text(TITLE_BYTES)).prop_map(|(url, title)| Item::Link { url, title }),
        text(4096).prop_map(|text| Item::Text { text }),
    ]
}

fn folder() -> impl Strategy<Value = String> {
    vec(text(20), 0..4).prop_map(|names| names.join("/"))
}

fn file() -> impl Strategy<Value = FileEntry> {
    let media_type = option::of(text(MEDIA_TYPE_BYTES));
    let name = text(PROPOSED_NAME_BYTES);
    (name, folder(), any::<u64>(), media_type).prop_map(|(name, folder, bytes, media_type)| {
        FileEntry {
            name,
            folder,
            bytes,
            media_type,
        }
    })
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        4 => file().prop_map(Entry::File),
        4 => item().prop_map(Entry::Item),
        1 => Just(Entry::Unknown),
    ]
}

fn transfer() -> impl Strategy<Value = WireTransferId> {
    any::<u32>().prop_map(WireTransferId)
}

fn resume() -> impl Strategy<Value = ResumeId> {
    any::<[u8; 16]>().prop_map(ResumeId::from_bytes)
}

/// Each range begins behind the one before.
fn accept() -> impl Strategy<Value = ControlFrame> {
    let ranges = vec((1..9_u32, 1..9_u32), 0..UNCOMMITTED_FILES);
    let numbers = any::<(u32, u32, u64, u64)>();
    (transfer(), numbers, ranges).prop_map(|(transfer, (epoch, entry, offset, credit), ranges)| {
        let entry = entry / 2;
        let mut end = entry;
        let stored = ranges.into_iter().map(|(gap, length)| {
            let from = end + gap;
            end = from + length;
            (from, end)
        });
        ControlFrame::Accept(Accept {
            transfer,
            epoch,
            entry,
            offset,
            prefix: (offset > 0).then(|| Digest::of(&offset.to_le_bytes())),
            stored: stored.collect(),
            credit,
        })
    })
}

fn resumption() -> impl Strategy<Value = ControlFrame> {
    let role = prop_oneof![Just(Role::Sender), Just(Role::Receiver)];
    prop_oneof![
        accept(),
        vec(resume(), 0..9).prop_map(|resume| ControlFrame::Awaiting(Awaiting { resume })),
        (resume(), code())
            .prop_map(|(resume, code)| ControlFrame::Withdraw(Withdraw { resume, code })),
        (transfer(), role, any::<bool>()).prop_map(|(transfer, role, paused)| {
            ControlFrame::Pause(Pause {
                transfer,
                role,
                paused,
            })
        }),
    ]
}

fn propose() -> impl Strategy<Value = ControlFrame> {
    (transfer(), resume(), vec(entry(), 1..8), any::<u32>()).prop_map(
        |(transfer, resume, entries, more)| {
            let most = u32::try_from(MANIFEST_ENTRIES).expect("few enough");
            let held = u32::try_from(entries.len()).expect("few");
            ControlFrame::Propose(Propose {
                transfer,
                resume,
                count: (held + more % most).clamp(1, most),
                entries,
            })
        },
    )
}

fn nonce() -> impl Strategy<Value = Nonce> {
    any::<[u8; 32]>().prop_map(Nonce::from_bytes)
}

fn pairing_frame() -> impl Strategy<Value = ControlFrame> {
    prop_oneof![
        nonce().prop_map(|nonce| {
            let (_, commitment) = Asker::new([0; 32], nonce);
            ControlFrame::PairAsk(PairAsk { commitment })
        }),
        nonce().prop_map(|nonce| ControlFrame::PairNonce(PairNonce { nonce })),
        nonce().prop_map(|nonce| ControlFrame::PairReveal(PairReveal { nonce })),
        any::<[u8; 32]>().prop_map(|half| {
            let half = PairHalf::from_bytes(half);
            ControlFrame::PairPicked(PairPicked { half })
        }),
        Just(ControlFrame::PairStop(PairStop {})),
        vec(any::<u8>(), 0..=CODE_PROOF_MESSAGE_BYTES)
            .prop_map(|message| ControlFrame::CodeProof(CodeProof { message })),
    ]
}

pub(crate) fn control_frame() -> impl Strategy<Value = ControlFrame> {
    let role = || prop_oneof![Just(Role::Sender), Just(Role::Receiver)];
    prop_oneof![
        vec(any::<u8>(), 0..=HANDSHAKE_MESSAGE_BYTES).prop_map(ControlFrame::Handshake),
        code().prop_map(|code| ControlFrame::Close(Close { code })),
        propose(),
        (transfer(), vec(entry(), 1..8))
            .prop_map(|(transfer, entries)| ControlFrame::Entries(Entries { transfer, entries })),
        resumption(),
        (transfer(), code())
            .prop_map(|(transfer, code)| ControlFrame::Decline(Decline { transfer, code })),
        (transfer(), any::<u32>(), any::<u64>()).prop_map(|(transfer, epoch, bytes)| {
            ControlFrame::Credit(Credit {
                transfer,
                epoch,
                bytes,
            })
        }),
        (transfer(), any::<(u32, u32)>(), any::<[u8; 8]>()).prop_map(
            |(transfer, (epoch, entry), content)| {
                ControlFrame::EntryDone(EntryDone {
                    transfer,
                    epoch,
                    entry,
                    digest: Digest::of(&content),
                })
            }
        ),
        (transfer(), any::<u32>()).prop_map(|(transfer, entry)| ControlFrame::EntryStored(
            EntryStored { transfer, entry }
        )),
        (transfer(), role(), code()).prop_map(|(transfer, role, code)| ControlFrame::Cancel(
            Cancel {
                transfer,
                role,
                code
            }
        )),
        Just(ControlFrame::Ping),
        Just(ControlFrame::Pong),
        pairing_frame(),
        prop_oneof![Just(0), 22..=255u8].prop_map(ControlFrame::Unknown),
    ]
}

pub(crate) fn bulk_header() -> impl Strategy<Value = BulkHeader> {
    (transfer(), any::<(u32, u32, u64)>()).prop_map(|(transfer, (epoch, entry, offset))| {
        BulkHeader {
            transfer,
            epoch,
            entry,
            offset,
        }
    })
}

fn signal() -> impl Strategy<Value = Signal> {
    let sdp = || vec(line(200), 0..6).prop_map(|lines| lines.join("\r\n"));
    let candidate = (line(CANDIDATE_BYTES - 16), option::of(line(16)));
    let body = prop_oneof![
        sdp().prop_map(|sdp| SignalBody::Offer { sdp }),
        (sdp(), any::<[u8; 16]>()).prop_map(|(sdp, nonce)| SignalBody::Answer {
            sdp,
            nonce: AnswerNonce::from_bytes(nonce)
        }),
        candidate.prop_map(|(candidate, mid)| SignalBody::Candidate { candidate, mid }),
        Just(SignalBody::EndOfCandidates),
        Just(SignalBody::RestartRequest),
        option::of(code()).prop_map(|code| SignalBody::Bye { code }),
        relay_ticket().prop_map(|ticket| SignalBody::Relay { ticket }),
        any::<[u8; 16]>().prop_map(|nonce| SignalBody::RelayAnswer {
            nonce: AnswerNonce::from_bytes(nonce)
        }),
        Just(SignalBody::Unknown),
    ];
    (any::<[u8; 16]>(), body).prop_map(|(id, body)| Signal {
        connection: ConnectionId::from_bytes(id),
        body,
    })
}

fn relay_ticket() -> impl Strategy<Value = RelayTicket> {
    any::<[u8; 16]>().prop_map(RelayTicket::from_bytes)
}

pub(crate) fn relay_client_message() -> impl Strategy<Value = RelayClientMessage> {
    prop_oneof![
        relay_ticket().prop_map(|ticket| RelayClientMessage::Join { ticket }),
        Just(RelayClientMessage::Unknown),
    ]
}

pub(crate) fn relay_server_message() -> impl Strategy<Value = RelayServerMessage> {
    prop_oneof![
        any::<u64>().prop_map(|credit| RelayServerMessage::Joined { credit }),
        any::<u64>().prop_map(|bytes| RelayServerMessage::Credit { bytes }),
        Just(RelayServerMessage::Unknown),
    ]
}

fn nameplate() -> impl Strategy<Value = Nameplate> {
    any::<[u8; 5]>().prop_map(|bytes| SecretCode::from_random(bytes).nameplate)
}

fn room() -> impl Strategy<Value = Room> {
    prop_oneof![
        Just(Room::Nearby),
        nameplate().prop_map(|nameplate| Room::Code { nameplate }),
        any::<[u8; 5]>().prop_map(|bytes| Room::Group {
            name: GroupCode::from_random(bytes)
        }),
        any::<[u8; 16]>().prop_map(|bytes| Room::Pair {
            tag: PairTag::from_bytes(bytes)
        }),
        Just(Room::Unknown),
    ]
}

fn peer() -> impl Strategy<Value = Peer> {
    (peer_id(), option::of(device()), endpoint()).prop_map(|(id, device, endpoint)| Peer {
        id,
        device,
        endpoint,
    })
}

pub(crate) fn client_message() -> impl Strategy<Value = ClientMessage> {
    let capabilities = vec(text(CAPABILITY_BYTES), 0..=CAPABILITIES);
    prop_oneof![
        (versions(), endpoint(), capabilities).prop_map(|(versions, endpoint, capabilities)| {
            ClientMessage::Hello(ClientHello {
                versions,
                endpoint,
                capabilities,
            })
        }),
        (room(), option::of(device()))
            .prop_map(|(room, device)| ClientMessage::Join { room, device }),
        nameplate().prop_map(|nameplate| ClientMessage::Open { nameplate }),
        room().prop_map(|room| ClientMessage::Leave { room }),
        (peer_id(), signal()).prop_map(|(to, signal)| ClientMessage::Signal { to, signal }),
        device().prop_map(|device| ClientMessage::Update { device }),
        peer_id().prop_map(|to| ClientMessage::OpenRelay { to }),
        Just(ClientMessage::Unknown),
    ]
}

fn ice_server() -> impl Strategy<Value = IceServer> {
    let secret = || option::of(text(64));
    (text(ICE_SERVER_URL_BYTES), secret(), secret()).prop_map(|(url, username, credential)| {
        IceServer {
            url,
            username,
            credential,
        }
    })
}

fn signaling_code() -> impl Strategy<Value = SignalingCode> {
    prop_oneof![
        Just(SignalingCode::Incompatible),
        Just(SignalingCode::InvalidMessage),
        Just(SignalingCode::OutOfOrder),
        Just(SignalingCode::Unsupported),
        Just(SignalingCode::PeerNotFound),
        Just(SignalingCode::Busy),
        Just(SignalingCode::RoomFull),
        Just(SignalingCode::Taken),
        Just(SignalingCode::CodeNotFound),
        Just(SignalingCode::NearbyUnavailable),
        Just(SignalingCode::RateLimited),
        Just(SignalingCode::RelayOff),
        Just(SignalingCode::RelayQuota),
        Just(SignalingCode::ShuttingDown),
        Just(SignalingCode::Unknown),
    ]
}

pub(crate) fn server_message() -> impl Strategy<Value = ServerMessage> {
    let ice_servers = || vec(ice_server(), 0..=ICE_SERVERS);
    prop_oneof![
        (
            any::<u16>(),
            peer_id(),
            text(64),
            any::<u64>(),
            ice_servers(),
            any::<bool>()
        )
            .prop_map(|(version, peer, address, time, ice_servers, relay)| {
                ServerMessage::Welcome(Welcome {
                    version,
                    peer,
                    address,
                    time,
                    ice_servers,
                    relay,
                })
            }),
        ice_servers().prop_map(|ice_servers| ServerMessage::IceServers { ice_servers }),
        (peer_id(), relay_ticket()).prop_map(|(to, ticket)| ServerMessage::Relay { to, ticket }),
        (room(), vec(peer(), 0..5)).prop_map(|(room, peers)| ServerMessage::Joined { room, peers }),
        (room(), peer()).prop_map(|(room, peer)| ServerMessage::PeerJoined { room, peer }),
        peer().prop_map(|peer| ServerMessage::PeerUpdated { peer }),
        (room(), peer_id()).prop_map(|(room, peer)| ServerMessage::PeerLeft { room, peer }),
        (peer_id(), signal()).prop_map(|(from, signal)| ServerMessage::Signal { from, signal }),
        room().prop_map(|room| ServerMessage::RoomClosed { room }),
        (signaling_code(), option::of(peer_id()), option::of(room()))
            .prop_map(|(code, to, room)| ServerMessage::Error { code, to, room }),
        Just(ServerMessage::Unknown),
    ]
}

fn transfer_id() -> impl Strategy<Value = TransferId> {
    any::<u32>().prop_map(TransferId)
}

fn source_file() -> impl Strategy<Value = SourceFile> {
    let media_type = option::of(text(20));
    (any::<u32>(), text(99), folder(), any::<u64>(), media_type).prop_map(
        |(source, name, folder, bytes, media_type)| SourceFile {
            source: SourceId(source),
            name,
            folder,
            bytes,
            media_type,
        },
    )
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        settings().prop_map(Command::Configure),
        Just(Command::Reconnect),
        (device_id(), item()).prop_map(|(to, item)| Command::SendItem {
            to,
            item: item.into()
        }),
        (device_id(), vec(source_file(), 0..4))
            .prop_map(|(to, files)| Command::SendFiles { to, files }),
        (device_id(), text(99), any::<u32>()).prop_map(|(to, name, source)| Command::Prepare {
            to,
            name,
            source: SourceId(source)
        }),
        source_file().prop_map(|file| Command::Prepared { file }),
        (any::<u32>(), code(), option::of(item())).prop_map(|(source, code, instead)| {
            Command::PrepareFailed {
                source: SourceId(source),
                code,
                instead: instead.map(Into::into),
            }
        }),
        transfer_id().prop_map(|transfer| Command::Accept { transfer }),
        transfer_id().prop_map(|transfer| Command::Decline { transfer }),
        transfer_id().prop_map(|transfer| Command::Cancel { transfer }),
        transfer_id().prop_map(|transfer| Command::Pause { transfer }),
        transfer_id().prop_map(|transfer| Command::Resume { transfer }),
        transfer_id().prop_map(|transfer| Command::Dismiss { transfer }),
        any::<u32>().prop_map(|item| Command::DismissItem { item: ItemId(item) }),
        Just(Command::ShowInCrowd),
        (device_view(), item(), any::<bool>()).prop_map(|(from, item, unasked)| {
            Command::TakeItem {
                from,
                item: item.into(),
                unasked,
            }
        }),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let visibility = prop_oneof![
        Just(Visibility::Everyone),
        Just(Visibility::Paired),
        Just(Visibility::Nobody),
    ];
    (device(), text(99), visibility, vec(group(), 0..3)).prop_map(
        |(device, server, visibility, groups)| Settings {
            name: device.name,
            kind: device.kind,
            server,
            visibility,
            groups,
        },
    )
}

fn group() -> impl Strategy<Value = GroupCode> {
    any::<[u8; 5]>().prop_map(GroupCode::from_random)
}

fn code_text() -> impl Strategy<Value = CodeText> {
    text(20).prop_map(CodeText::from)
}

pub(crate) fn trust_command() -> impl Strategy<Value = TrustCommand> {
    prop_oneof![
        device_id().prop_map(|with| TrustCommand::Pair { with }),
        any::<bool>().prop_map(|yes| TrustCommand::AnswerPairing { yes }),
        any::<Option<u8>>().prop_map(|choice| TrustCommand::PickPairing { choice }),
        Just(TrustCommand::EndPairing),
        device_id().prop_map(|device| TrustCommand::Unpair { device }),
        device().prop_map(|card| TrustCommand::Rename {
            device: card.id,
            name: card.name
        }),
        (device_id(), auto_accept()).prop_map(|(device, auto_accept)| {
            TrustCommand::SetAutoAccept {
                device,
                auto_accept,
            }
        }),
        Just(TrustCommand::OpenCode),
        code_text().prop_map(|typed| TrustCommand::EnterCode { typed }),
        Just(TrustCommand::EndCode),
    ]
}

fn auto_accept() -> impl Strategy<Value = AutoAccept> {
    any::<(Option<u64>, bool, bool)>().prop_map(|(files, links, texts)| AutoAccept {
        files,
        links,
        texts,
    })
}

fn pairing_step() -> impl Strategy<Value = PairingStep> {
    let reason = prop_oneof![
        Just(PairingEnd::Mismatch),
        Just(PairingEnd::Stopped),
        code().prop_map(|code| PairingEnd::Failed { code }),
    ];
    prop_oneof![
        Just(PairingStep::Connecting),
        Just(PairingStep::Waiting),
        Just(PairingStep::Asked),
        any::<[u8; 4]>().prop_map(|symbols| PairingStep::Shows { symbols }),
        any::<[[u8; 4]; 3]>().prop_map(|choices| PairingStep::Picks { choices }),
        Just(PairingStep::Done),
        reason.prop_map(|reason| PairingStep::Ended { reason }),
    ]
}

fn code_step() -> impl Strategy<Value = CodeStep> {
    let reason = prop_oneof![
        Just(CodeEnd::Mistyped),
        Just(CodeEnd::NotFound),
        Just(CodeEnd::Wrong),
        Just(CodeEnd::Expired),
        Just(CodeEnd::Guessed),
        code().prop_map(|code| CodeEnd::Failed { code }),
    ];
    prop_oneof![
        Just(CodeStep::Opening),
        (code_text(), any::<u64>(), any::<u32>())
            .prop_map(|(code, until, wrong)| CodeStep::Shows { code, until, wrong }),
        Just(CodeStep::Connecting),
        device_view().prop_map(|device| CodeStep::Done { device }),
        reason.prop_map(|reason| CodeStep::Ended { reason }),
    ]
}

fn group_view() -> impl Strategy<Value = GroupView> {
    let state = prop_oneof![
        Just(GroupState::Away),
        any::<u32>().prop_map(|others| GroupState::Joined { others }),
        Just(GroupState::Refused),
    ];
    (group(), state).prop_map(|(name, state)| GroupView { name, state })
}

pub(crate) fn trust() -> impl Strategy<Value = Trust> {
    let pairing = option::of((device_view(), pairing_step()));
    (
        vec(paired_view(), 0..3),
        pairing,
        option::of(code_step()),
        vec(group_view(), 0..3),
    )
        .prop_map(|(paired, pairing, code, groups)| Trust {
            paired,
            pairing: pairing.map(|(device, step)| PairingView { device, step }),
            code,
            groups,
        })
}

fn paired_view() -> impl Strategy<Value = PairedView> {
    (device_view(), any::<(u64, u64)>(), auto_accept()).prop_map(
        |(device, (since, last_seen), auto_accept)| PairedView {
            device,
            since,
            last_seen,
            auto_accept,
        },
    )
}

fn device_view() -> impl Strategy<Value = DeviceView> {
    (device(), any::<bool>()).prop_map(|(card, paired)| DeviceView {
        id: card.id,
        name: card.name,
        kind: card.kind,
        paired,
    })
}

fn proposal_view() -> impl Strategy<Value = ProposalView> {
    let names = vec(text(99), 0..ProposalView::NAMES);
    (
        transfer_id(),
        device_view(),
        names,
        any::<(u32, u32)>(),
        any::<u64>(),
    )
        .prop_map(
            |(transfer, from, names, (files, programs), bytes)| ProposalView {
                transfer,
                from,
                names,
                files,
                programs,
                bytes,
            },
        )
}

fn item_view() -> impl Strategy<Value = ItemView> {
    (any::<u32>(), device_view(), item()).prop_map(|(id, from, item)| ItemView {
        id: ItemId(id),
        from,
        item: item.into(),
    })
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        (text(99), any::<u32>()).prop_map(|(name, count)| Subject::Files { name, count }),
        text(99).prop_map(|title| Subject::Page { title }),
        text(99).prop_map(|title| Subject::Link { title }),
        text(99).prop_map(|excerpt| Subject::Text { excerpt }),
    ]
}

fn transfer_state() -> impl Strategy<Value = TransferState> {
    prop_oneof![
        Just(TransferState::Preparing),
        Just(TransferState::Connecting),
        Just(TransferState::Proposed),
        Just(TransferState::Running),
        Just(TransferState::Waiting),
        any::<bool>().prop_map(|here| TransferState::Paused { here }),
        Just(TransferState::Done),
        code().prop_map(|code| TransferState::Declined { code }),
        any::<bool>().prop_map(|here| TransferState::Cancelled { here }),
        code().prop_map(|code| TransferState::Failed { code }),
    ]
}

fn transfer_view() -> impl Strategy<Value = TransferView> {
    let direction = prop_oneof![Just(Direction::Send), Just(Direction::Receive)];
    let stored =
        option::of((any::<u32>(), text(99)).prop_map(|(id, name)| StoredFile { id, name }));
    let numbers = any::<(u64, u64, u32, u64, Option<u64>)>();
    (
        transfer_id(),
        direction,
        device_view(),
        subject(),
        numbers,
        transfer_state(),
        stored,
    )
        .prop_map(
            |(id, direction, device, subject, numbers, state, stored)| TransferView {
                id,
                direction,
                device,
                subject,
                bytes: numbers.0,
                bytes_done: numbers.1,
                files_done: numbers.2,
                bytes_per_second: numbers.3,
                seconds_left: numbers.4,
                state,
                stored,
            },
        )
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        proposal_view().prop_map(|proposal| Event::ProposalArrived { proposal }),
        transfer_id().prop_map(|transfer| Event::ProposalEnded { transfer }),
        (item_view(), any::<bool>())
            .prop_map(|(item, unasked)| Event::ItemReceived { item, unasked }),
        transfer_view().prop_map(|transfer| Event::TransferEnded { transfer }),
        device_view().prop_map(|device| Event::Unverified { device }),
        device_view().prop_map(|device| Event::PairingAsked { device }),
        Just(Event::PairingAnswered),
    ]
}

pub(crate) fn snapshot() -> impl Strategy<Value = Snapshot> {
    let problem = prop_oneof![
        Just(SignalingProblem::Unreachable),
        Just(SignalingProblem::WrongAddress),
        Just(SignalingProblem::Incompatible),
        Just(SignalingProblem::Refused),
        Just(SignalingProblem::Lost),
    ];
    let connection = prop_oneof![
        Just(ConnectionView::Connecting),
        Just(ConnectionView::Online),
        problem.prop_map(|problem| ConnectionView::Offline { problem }),
    ];
    let visible = prop_oneof![
        Just(Visible::Everyone),
        Just(Visible::Paired),
        Just(Visible::Nobody),
        Just(Visible::Crowded),
        Just(Visible::Unavailable),
    ];
    (
        option::of(device()),
        connection,
        visible,
        vec(device_view(), 0..3),
        vec(proposal_view(), 0..3),
        vec(transfer_view(), 0..3),
        vec(item_view(), 0..3),
    )
        .prop_map(
            |(device, connection, visible, devices, incoming, transfers, items)| Snapshot {
                device,
                connection,
                visible,
                devices,
                incoming,
                transfers,
                items,
            },
        )
}
