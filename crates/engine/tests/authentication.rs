//! One engine beside a peer that a test plays by hand: what each message means before the peer has proved who it is, and
//! which proofs are none.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use tabferry_engine::{Channel, ConnectionKey, Engine, Input, Kept, Output, Time};
use tabferry_protocol::card::{DeviceCard, DeviceKind, DeviceName, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::code_proof;
use tabferry_protocol::digest::Digest;
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::frame::{
    Accept, BulkHeader, Cancel, Close, CodeProof, ControlFrame, Credit, Decline, Entries,
    EntryDone, EntryStored, PairAsk, PairNonce, PairPicked, PairReveal, PairStop, Propose, Role,
};
use tabferry_protocol::handshake::{Handshake, Params, Path, Progress, Seed};
use tabferry_protocol::host::{
    CodeStep, Command, Event, PlainItem, Settings, TransferState, TrustCommand, Visibility,
};
use tabferry_protocol::id::{
    AnswerNonce, ConnectionId, DeviceId, PeerId, ResumeId, WireTransferId,
};
use tabferry_protocol::identity::{DeviceKey, SignedCard};
use tabferry_protocol::manifest::{Entry, FileEntry, Item};
use tabferry_protocol::pair::{PairHalf, PairSecret};
use tabferry_protocol::paired::{AutoAccept, PairedDevice};
use tabferry_protocol::sas::{Asker, Nonce};
use tabferry_protocol::secret_code::SecretCode;
use tabferry_protocol::signaling::{
    ClientMessage, Peer, Room, ServerMessage, Signal, SignalBody, Welcome,
};
use tabferry_protocol::version::Versions;

const OWN: u8 = 1;
const PEER: u8 = 2;
const STRANGER: u8 = 3;

fn key(number: u8) -> DeviceKey {
    DeviceKey::from_seed(&[number; 32])
}

fn card(number: u8) -> DeviceCard {
    DeviceCard {
        id: DeviceId::of(&key(number).public()),
        name: DeviceName::from_typed(&format!("Device {number}")).unwrap(),
        kind: DeviceKind::Computer,
    }
}

fn certificate(number: u8) -> Fingerprint {
    Fingerprint::of_certificate(&[number])
}

fn description(fingerprints: &[Fingerprint]) -> String {
    let lines = fingerprints
        .iter()
        .map(|fingerprint| format!("a=fingerprint:sha-256 {fingerprint}\r\n"));
    std::iter::once("v=0\r\n".to_owned()).chain(lines).collect()
}

/// Who plays the peer, and how.
struct Played {
    key: u8,
    name: DeviceName,
    versions: Vec<u16>,
    /// The certificate that the peer believes the engine's end to have.
    sees: Fingerprint,
    /// The peer's half of the session, if it answers; else the engine draws it.
    nonce: [u8; 16],
}

impl Default for Played {
    fn default() -> Self {
        Self {
            key: PEER,
            name: card(PEER).name,
            versions: vec![1],
            sees: certificate(OWN),
            nonce: [9; 16],
        }
    }
}

/// An engine in a room with device 2.
struct Scene {
    engine: Engine,
    connection: ConnectionKey,
    id: ConnectionId,
    events: Vec<Event>,
    nonce: AnswerNonce,
}

impl Scene {
    fn handle(&mut self, input: Input<'_>) -> Vec<Output> {
        self.engine.handle(Time(0), input);
        let outputs: Vec<_> = std::iter::from_fn(|| self.engine.poll()).collect();
        for output in &outputs {
            if let Output::Event(event) = output {
                self.events.push(event.clone());
            }
        }
        outputs
    }

    fn signal(&mut self, body: SignalBody) -> Vec<Output> {
        let message = ServerMessage::Signal {
            from: PeerId::from_bytes([PEER; 16]),
            signal: Signal {
                connection: self.id,
                body,
            },
        };
        self.handle(Input::SignalingReceived(&message.encode()))
    }

    fn frame(&mut self, channel: Channel, bytes: &[u8]) -> Vec<Output> {
        self.handle(Input::Frame {
            connection: self.connection,
            channel,
            bytes,
        })
    }

    fn control(&mut self, frame: &ControlFrame) -> Vec<Output> {
        self.frame(Channel::Control, &frame.encode())
    }

    fn open_channels(&mut self) -> Vec<Output> {
        self.handle(Input::ChannelsOpened {
            connection: self.connection,
            presented: None,
        })
    }

    fn local_description(&mut self) -> Vec<Output> {
        self.handle(Input::LocalDescription {
            connection: self.connection,
            sdp: description(&[certificate(OWN)]),
        })
    }

    /// In a room with device 2, connected to nobody.
    fn online() -> Self {
        let mut scene = Self::welcome(Visibility::Everyone);
        scene.enters(Room::Nearby, Some(card(PEER)));
        scene
    }

    /// Device 2 comes into a room.
    fn enters(&mut self, room: Room, device: Option<DeviceCard>) -> Vec<Output> {
        let peer = Peer {
            id: PeerId::from_bytes([PEER; 16]),
            device,
            endpoint: EndpointKind::Browser,
        };
        let joined = ServerMessage::PeerJoined { room, peer };
        self.handle(Input::SignalingReceived(&joined.encode()))
    }

    /// Shows a code.
    fn open_code(&mut self) -> SecretCode {
        let outputs = self.handle(Input::TrustCommand(TrustCommand::OpenCode));
        let nameplate = outputs.iter().find_map(|output| match output {
            Output::SendSignaling(text) => match ClientMessage::decode(text).unwrap() {
                ClientMessage::Open { nameplate } => Some(nameplate),
                _ => None,
            },
            _ => None,
        });
        let joined = ServerMessage::Joined {
            room: Room::Code {
                nameplate: nameplate.unwrap(),
            },
            peers: Vec::new(),
        };
        self.handle(Input::SignalingReceived(&joined.encode()));
        match self.engine.trust().code {
            Some(CodeStep::Shows { code, .. }) => SecretCode::from_typed(code.expose()).unwrap(),
            step => panic!("{step:?}"),
        }
    }

    /// A server is there.
    fn welcome(visibility: Visibility) -> Self {
        Self::welcome_with(visibility, Vec::new())
    }

    fn welcome_with(visibility: Visibility, paired: Vec<PairedDevice>) -> Self {
        let mut scene = Self {
            engine: Engine::new(
                EndpointKind::Browser,
                Kept {
                    key: key(OWN),
                    paired,
                },
                [7; 32],
                Time(0),
                0,
            ),
            connection: ConnectionKey(0),
            id: ConnectionId::from_bytes([255; 16]),
            events: Vec::new(),
            nonce: AnswerNonce::from_bytes([0; 16]),
        };
        let settings = Settings {
            name: card(OWN).name,
            kind: card(OWN).kind,
            server: "ws://server".to_owned(),
            visibility,
            groups: Vec::new(),
        };
        scene.handle(Input::Command(Command::Configure(settings)));
        scene.handle(Input::SignalingOpened);
        let welcome = ServerMessage::Welcome(Welcome {
            version: 1,
            peer: PeerId::from_bytes([OWN; 16]),
            address: "127.0.0.1".to_owned(),
            time: 0,
            ice_servers: Vec::new(),
            relay: false,
        });
        scene.handle(Input::SignalingReceived(&welcome.encode()));
        scene
    }

    fn send_text(&mut self) -> Vec<Output> {
        self.handle(Input::Command(Command::SendItem {
            to: card(PEER).id,
            item: PlainItem::Text {
                text: "a text".to_owned(),
            },
        }))
    }

    fn note_connection(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::OpenConnection { connection, .. } => self.connection = *connection,
                Output::SendSignaling(text) => {
                    if let Ok(ClientMessage::Signal { signal, .. }) = ClientMessage::decode(text) {
                        self.id = signal.connection;
                        if let SignalBody::Answer { nonce, .. } = signal.body {
                            self.nonce = nonce;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The engine offers, the peer has answered with this nonce.
    fn offering(played: &Played) -> Self {
        let mut scene = Self::online();
        let outputs = scene.send_text();
        scene.note_connection(&outputs);
        let outputs = scene.local_description();
        scene.note_connection(&outputs);
        scene.nonce = AnswerNonce::from_bytes(played.nonce);
        let answer = SignalBody::Answer {
            sdp: description(&[certificate(PEER)]),
            nonce: scene.nonce,
        };
        scene.signal(answer);
        scene
    }

    /// The peer has offered, the engine has answered.
    fn answering() -> Self {
        Self::online().answer()
    }

    fn answer(self) -> Self {
        let mut scene = self;
        let outputs = scene.signal(SignalBody::Offer {
            sdp: description(&[certificate(PEER)]),
        });
        scene.note_connection(&outputs);
        let outputs = scene.local_description();
        scene.note_connection(&outputs);
        scene
    }

    fn params<T>(&self, played: &Played, with: impl FnOnce(&Params<'_>) -> T) -> T {
        let mut session = [0; 32];
        session[..16].copy_from_slice(self.id.as_bytes());
        session[16..].copy_from_slice(self.nonce.as_bytes());
        let key = key(played.key);
        with(&Params {
            key: &key,
            card: &SignedCard::sign(&key, &played.name, DeviceKind::Computer),
            versions: &Versions::try_from(played.versions.clone()).unwrap(),
            path: Path::Direct {
                local: certificate(PEER),
                remote: played.sees,
            },
            session,
            seed: Seed::from_bytes([played.key; 32]),
        })
    }

    /// The engine offers and the peer answers until the handshake has ended. Returns the last outputs.
    fn offer_and_prove(played: &Played) -> (Self, Vec<Output>) {
        let mut scene = Self::offering(played);
        let first = handshakes(&scene.open_channels()).remove(0);
        let mut peer = scene.params(played, |params| Handshake::responder(params).unwrap());
        let Ok(Progress::Reply(second)) = peer.read(&first) else {
            panic!("a first message")
        };
        let outputs = scene.control(&ControlFrame::Handshake(second));
        (scene, outputs)
    }

    /// The peer offers, the engine answers until the handshake has ended. Returns the last outputs.
    fn answer_and_prove(played: &Played) -> (Self, Vec<Output>) {
        let mut scene = Self::answering();
        let (outputs, _) = scene.prove(played);
        (scene, outputs)
    }

    /// The peer begins the handshake, and ends it. Returns the last outputs, and the transcript if it believes what it sees.
    fn prove(&mut self, played: &Played) -> (Vec<Output>, Option<[u8; 32]>) {
        assert_eq!(handshakes(&self.open_channels()).len(), 0);
        let (mut peer, first) = self.params(played, |params| Handshake::initiator(params).unwrap());
        let second = handshakes(&self.control(&ControlFrame::Handshake(first))).remove(0);
        match peer.read(&second) {
            Ok(Progress::Verified(verified, Some(third))) => {
                assert_eq!(verified.card, card(OWN));
                let outputs = self.control(&ControlFrame::Handshake(third));
                (outputs, Some(verified.transcript))
            }
            // A peer that does not believe what it sees says so.
            _ => {
                let code = Code::Unverified;
                (self.control(&ControlFrame::Close(Close { code })), None)
            }
        }
    }

    /// The engine shows a code, and a guest of it has ended the handshake. Returns the code and the guest's transcript.
    fn with_guest() -> (Self, SecretCode, [u8; 32]) {
        let mut scene = Self::welcome(Visibility::Everyone);
        let code = scene.open_code();
        let nameplate = code.nameplate;
        scene.enters(Room::Code { nameplate }, None);
        let mut scene = scene.answer();
        let (_, transcript) = scene.prove(&Played::default());
        (scene, code, transcript.unwrap())
    }

    /// The peer's person types this code. Returns the last outputs.
    fn type_code(&mut self, code: &SecretCode, transcript: &[u8; 32]) -> Vec<Output> {
        let (mut guest, first) = code_proof::CodeProof::guest(&code.secret, transcript, &[8; 32]);
        let outputs = self.control(&proof(first));
        match frames(&outputs).pop() {
            Some(ControlFrame::CodeProof(second)) => self.confirm_code(&mut guest, &second),
            _ => outputs,
        }
    }

    fn confirm_code(
        &mut self,
        guest: &mut code_proof::CodeProof,
        second: &CodeProof,
    ) -> Vec<Output> {
        let Ok(code_proof::Progress::Reply(third)) = guest.read(&second.message) else {
            panic!("a point")
        };
        self.control(&proof(third))
    }

    /// Nothing came through, the person here is told, and the connection is closed.
    fn assert_unverified(&self, outputs: &[Output], what: &str) {
        let closed = outputs
            .iter()
            .any(|output| matches!(output, Output::CloseConnection { .. }));
        assert!(closed, "{what}: the connection stays");
        let told = self.events.iter().filter(
            |event| matches!(event, Event::Unverified { device } if device.id == card(PEER).id),
        );
        assert_eq!(told.count(), 1, "{what}: {:?}", self.events);
        self.assert_nothing_delivered(what);
        for transfer in &self.engine.snapshot(Time(0)).transfers {
            let failed = TransferState::Failed {
                code: Code::Unverified,
            };
            assert_eq!(transfer.state, failed, "{what}");
        }
    }

    fn assert_nothing_delivered(&self, what: &str) {
        let snapshot = self.engine.snapshot(Time(0));
        assert!(
            snapshot.items.is_empty() && snapshot.incoming.is_empty(),
            "{what}"
        );
    }
}

fn frames(outputs: &[Output]) -> Vec<ControlFrame> {
    let frame = |output: &Output| match output {
        Output::SendControl { frame, .. } => Some(ControlFrame::decode(frame).unwrap()),
        _ => None,
    };
    outputs.iter().filter_map(frame).collect()
}

fn handshakes(outputs: &[Output]) -> Vec<Vec<u8>> {
    let message = |frame| match frame {
        ControlFrame::Handshake(message) => Some(message),
        _ => None,
    };
    frames(outputs).into_iter().filter_map(message).collect()
}

/// Every kind of frame but those of the handshake, and bytes that are none.
fn other_frames() -> Vec<(&'static str, Vec<u8>)> {
    let transfer = WireTransferId(1);
    let code = Code::Cancelled;
    let text = || {
        Entry::Item(Item::Text {
            text: "x".to_owned(),
        })
    };
    let frames = [
        (
            "propose",
            ControlFrame::Propose(Propose {
                transfer,
                resume: ResumeId::from_bytes([7; 16]),
                count: 1,
                entries: vec![text()],
            }),
        ),
        (
            "entries",
            ControlFrame::Entries(Entries {
                transfer,
                entries: vec![text()],
            }),
        ),
        (
            "accept",
            ControlFrame::Accept(Accept {
                transfer,
                epoch: 1,
                entry: 0,
                offset: 0,
                prefix: None,
                stored: Vec::new(),
                credit: 1,
            }),
        ),
        ("decline", ControlFrame::Decline(Decline { transfer, code })),
        (
            "credit",
            ControlFrame::Credit(Credit {
                transfer,
                epoch: 1,
                bytes: 1,
            }),
        ),
        (
            "entry-done",
            ControlFrame::EntryDone(EntryDone {
                transfer,
                epoch: 1,
                entry: 0,
                digest: Digest::of(&[]),
            }),
        ),
        (
            "entry-stored",
            ControlFrame::EntryStored(EntryStored { transfer, entry: 0 }),
        ),
        (
            "cancel",
            ControlFrame::Cancel(Cancel {
                transfer,
                role: Role::Sender,
                code,
            }),
        ),
        (
            "pair-ask",
            ControlFrame::PairAsk(PairAsk {
                commitment: Asker::new([0; 32], Nonce::from_bytes([1; 32])).1,
            }),
        ),
        (
            "pair-nonce",
            ControlFrame::PairNonce(PairNonce {
                nonce: Nonce::from_bytes([1; 32]),
            }),
        ),
        (
            "pair-reveal",
            ControlFrame::PairReveal(PairReveal {
                nonce: Nonce::from_bytes([1; 32]),
            }),
        ),
        (
            "pair-picked",
            ControlFrame::PairPicked(PairPicked {
                half: PairHalf::from_bytes([1; 32]),
            }),
        ),
        ("pair-stop", ControlFrame::PairStop(PairStop {})),
        (
            "code-proof",
            ControlFrame::CodeProof(CodeProof {
                message: vec![1; 33],
            }),
        ),
        ("ping", ControlFrame::Ping),
        ("pong", ControlFrame::Pong),
        ("a newer kind", ControlFrame::Unknown(200)),
    ];
    let garbage = [("nothing", Vec::new()), ("garbage", vec![3, b'{'])];
    frames
        .into_iter()
        .map(|(name, frame)| (name, frame.encode()))
        .chain(garbage)
        .collect()
}

fn bulk_frame() -> Vec<u8> {
    let header = BulkHeader {
        transfer: WireTransferId(1),
        epoch: 1,
        entry: 0,
        offset: 0,
    };
    [&header.encode()[..], b"x"].concat()
}

/// A state of the handshake, by a scene that has come to it.
type State = (&'static str, fn() -> Scene);

const STATES: [State; 5] = [
    ("offerer, channels not open", || {
        Scene::offering(&Played::default())
    }),
    ("offerer, first message sent", || {
        let mut scene = Scene::offering(&Played::default());
        scene.open_channels();
        scene
    }),
    ("answerer, channels not open", Scene::answering),
    ("answerer, waits for the first message", || {
        let mut scene = Scene::answering();
        scene.open_channels();
        scene
    }),
    ("answerer, waits for the third message", || {
        let mut scene = Scene::answering();
        scene.open_channels();
        let (_, first) = scene.params(&Played::default(), |params| {
            Handshake::initiator(params).unwrap()
        });
        scene.control(&ControlFrame::Handshake(first));
        scene
    }),
];

#[test]
fn before_the_proof_every_frame_but_the_handshakes_ends_the_session() {
    for (state, arrive) in STATES {
        for (name, frame) in other_frames() {
            let mut scene = arrive();
            let outputs = scene.frame(Channel::Control, &frame);
            scene.assert_unverified(&outputs, &format!("{state}: {name}"));
        }
        let mut scene = arrive();
        let outputs = scene.frame(Channel::Bulk, &bulk_frame());
        scene.assert_unverified(&outputs, &format!("{state}: bulk"));
    }
}

#[test]
fn a_message_of_the_handshake_that_does_not_belong_ends_the_session() {
    for (state, arrive) in STATES {
        for length in [0, 1, 31, 33, 300, 512] {
            let mut scene = arrive();
            let mut outputs = scene.control(&ControlFrame::Handshake(vec![9; length]));
            // What comes before the channels are open is looked at when they are.
            outputs.extend(scene.open_channels());
            scene.assert_unverified(&outputs, &format!("{state}: {length} bytes"));
        }
        let mut scene = arrive();
        let outputs = scene.control(&ControlFrame::Handshake(vec![9; 513]));
        scene.assert_unverified(&outputs, &format!("{state}: too long"));
    }
}

#[test]
fn a_peer_that_closes_before_the_proof_is_heard() {
    for (state, arrive) in STATES {
        let mut scene = arrive();
        let close = ControlFrame::Close(Close {
            code: Code::Unverified,
        });
        let outputs = scene.control(&close);
        scene.assert_unverified(&outputs, state);
    }
}

#[test]
fn a_session_opens_when_both_have_proved_their_keys() {
    let (scene, outputs) = Scene::offer_and_prove(&Played::default());
    let sent = frames(&outputs);
    assert!(
        matches!(
            sent[..],
            [ControlFrame::Handshake(_), ControlFrame::Propose(_)]
        ),
        "{sent:?}"
    );
    assert!(scene.events.is_empty());

    let (mut scene, outputs) = Scene::answer_and_prove(&Played::default());
    assert_eq!(frames(&outputs), []);
    let text = other_frames().remove(0).1;
    scene.frame(Channel::Control, &text);
    let items = scene.engine.snapshot(Time(0)).items;
    assert_eq!(items[0].from.name, card(PEER).name);
}

#[test]
fn a_first_message_that_comes_before_the_channels_are_open_waits_for_them() {
    let mut scene = Scene::answering();
    let (_, first) = scene.params(&Played::default(), |params| {
        Handshake::initiator(params).unwrap()
    });
    let early = scene.control(&ControlFrame::Handshake(first));
    assert_eq!(frames(&early), []);
    assert_eq!(handshakes(&scene.open_channels()).len(), 1);
}

#[test]
fn a_handshake_after_the_handshake_ends_the_session() {
    for (mut scene, _) in [
        Scene::offer_and_prove(&Played::default()),
        Scene::answer_and_prove(&Played::default()),
    ] {
        let outputs = scene.control(&ControlFrame::Handshake(vec![9; 32]));
        scene.assert_unverified(&outputs, "again");
    }
}

#[test]
fn a_device_with_another_key_is_not_taken_for_the_one_that_was_meant() {
    let stranger = Played {
        key: STRANGER,
        ..Played::default()
    };
    let (scene, outputs) = Scene::offer_and_prove(&stranger);
    assert_eq!(
        handshakes(&outputs).len(),
        0,
        "a stranger does not learn who we are"
    );
    scene.assert_unverified(&outputs, "offerer");
    let (scene, outputs) = Scene::answer_and_prove(&stranger);
    scene.assert_unverified(&outputs, "answerer");
}

#[test]
fn ends_that_see_other_certificates_do_not_open_a_session() {
    let between = Played {
        sees: certificate(STRANGER),
        ..Played::default()
    };
    let (scene, outputs) = Scene::offer_and_prove(&between);
    scene.assert_unverified(&outputs, "offerer");
    let (scene, outputs) = Scene::answer_and_prove(&between);
    scene.assert_unverified(&outputs, "answerer");
}

#[test]
fn a_certificate_that_was_not_announced_ends_the_session() {
    for mut scene in [Scene::offering(&Played::default()), Scene::answering()] {
        let connection = scene.connection;
        let outputs = scene.handle(Input::ChannelsOpened {
            connection,
            presented: Some(certificate(STRANGER)),
        });
        scene.assert_unverified(&outputs, "presented");
    }
    for mut scene in [Scene::offering(&Played::default()), Scene::answering()] {
        let connection = scene.connection;
        let outputs = scene.handle(Input::ConnectionUnverified { connection });
        scene.assert_unverified(&outputs, "refused by the platform");
    }
}

#[test]
fn a_description_with_no_or_several_fingerprints_is_refused_and_the_peer_is_told() {
    let sha_1 = "v=0\r\na=fingerprint:sha-1 00:11\r\n".to_owned();
    for sdp in [
        description(&[]),
        description(&[certificate(PEER), certificate(STRANGER)]),
        sha_1,
    ] {
        let mut scene = Scene::online();
        let outputs = scene.signal(SignalBody::Offer { sdp: sdp.clone() });
        assert_told(&outputs, &sdp);
        assert_eq!(scene.events.len(), 1, "{sdp}");
        let opened = |output: &Output| matches!(output, Output::OpenConnection { .. });
        assert!(!outputs.iter().any(opened), "{sdp}");

        let mut scene = Scene::online();
        let outputs = scene.send_text();
        scene.note_connection(&outputs);
        let outputs = scene.local_description();
        scene.note_connection(&outputs);
        let outputs = scene.signal(SignalBody::Answer {
            sdp: sdp.clone(),
            nonce: AnswerNonce::from_bytes([9; 16]),
        });
        assert_told(&outputs, &sdp);
        scene.assert_unverified(&outputs, &sdp);
    }
}

/// The peer learns that it is not to try again.
fn assert_told(outputs: &[Output], what: &str) {
    let told = outputs.iter().any(|output| match output {
        Output::SendSignaling(text) => matches!(
            ClientMessage::decode(text),
            Ok(ClientMessage::Signal {
                signal: Signal {
                    body: SignalBody::Bye {
                        code: Some(Code::Unverified)
                    },
                    ..
                },
                ..
            })
        ),
        _ => false,
    });
    assert!(told, "{what}");
}

#[test]
fn a_peer_that_says_so_ends_what_waits_for_it() {
    let mut scene = Scene::offering(&Played::default());
    let outputs = scene.signal(SignalBody::Bye {
        code: Some(Code::Unverified),
    });
    scene.assert_unverified(&outputs, "bye");
}

#[test]
fn a_restart_of_ice_may_not_bring_another_certificate() {
    let (mut scene, _) = Scene::answer_and_prove(&Played::default());
    let outputs = scene.signal(SignalBody::Offer {
        sdp: description(&[certificate(STRANGER)]),
    });
    scene.assert_unverified(&outputs, "restart");
    // The server, which may have changed the description, is not the only one to tell the peer; nor is the path, which is
    // perhaps lost.
    let closed = ControlFrame::Close(Close {
        code: Code::Unverified,
    });
    assert_eq!(frames(&outputs), [closed]);
    assert_told(&outputs, "restart");
}

#[test]
fn another_version_is_told_as_incompatible() {
    let newer = Played {
        versions: vec![7, 900],
        ..Played::default()
    };
    let (scene, outputs) = Scene::offer_and_prove(&newer);
    let closed = ControlFrame::Close(Close {
        code: Code::Incompatible,
    });
    assert_eq!(frames(&outputs).last(), Some(&closed));
    let failed = TransferState::Failed {
        code: Code::Incompatible,
    };
    assert_eq!(scene.engine.snapshot(Time(0)).transfers[0].state, failed);
    let (_, outputs) = Scene::answer_and_prove(&newer);
    assert_eq!(frames(&outputs), [closed]);
}

#[test]
fn a_server_that_ends_an_open_session_is_not_believed_while_the_peer_answers() {
    let (mut scene, _) = Scene::answer_and_prove(&Played::default());
    let outputs = scene.signal(SignalBody::Bye {
        code: Some(Code::Unverified),
    });
    assert_eq!(frames(&outputs), [ControlFrame::Ping]);
    scene.control(&ControlFrame::Pong);
    let text = other_frames().remove(0).1;
    scene.frame(Channel::Control, &text);
    assert_eq!(scene.engine.snapshot(Time(0)).items.len(), 1);
    assert!(
        scene
            .events
            .iter()
            .all(|event| !matches!(event, Event::Unverified { .. }))
    );
}

fn proof(message: Vec<u8>) -> ControlFrame {
    ControlFrame::CodeProof(CodeProof { message })
}

fn other_code(code: &SecretCode) -> SecretCode {
    let spelled = code.spelled();
    let last = if spelled.ends_with('0') { '1' } else { '0' };
    SecretCode::from_typed(&format!("{}{last}", &spelled[..8])).unwrap()
}

#[test]
fn a_guest_says_nothing_but_its_code() {
    for (what, frame) in other_frames() {
        let (mut scene, ..) = Scene::with_guest();
        let outputs = scene.frame(Channel::Control, &frame);
        scene.assert_nothing_delivered(what);
        let codes: Vec<_> = frames(&outputs)
            .into_iter()
            .filter_map(|frame| match frame {
                ControlFrame::Close(Close { code }) => Some(code),
                _ => None,
            })
            .collect();
        let expected = match what {
            "code-proof" => Code::WrongCode,
            _ => Code::Unverified,
        };
        assert_eq!(codes, [expected], "{what}");
        // Whoever comes with a code is nobody's device yet.
        assert_eq!(scene.events, [], "{what}");
        assert_eq!(scene.engine.trust().paired, [], "{what}");
    }
}

#[test]
fn a_guest_with_the_code_is_paired_and_one_with_another_is_not() {
    let text = other_frames().remove(0).1;
    let (mut scene, code, transcript) = Scene::with_guest();
    scene.type_code(&code, &transcript);
    let paired = scene.engine.trust().paired;
    assert_eq!(paired[0].device.id, card(PEER).id);
    scene.frame(Channel::Control, &text);
    assert_eq!(scene.engine.snapshot(Time(0)).items.len(), 1);

    let (mut scene, code, transcript) = Scene::with_guest();
    let outputs = scene.type_code(&other_code(&code), &transcript);
    let code = Code::WrongCode;
    assert_eq!(frames(&outputs), [ControlFrame::Close(Close { code })]);
    scene.frame(Channel::Control, &text);
    scene.assert_nothing_delivered("after a wrong code");
    assert_eq!(scene.engine.trust().paired, []);
}

#[test]
fn a_code_of_another_connection_proves_nothing() {
    let (mut scene, code, mut transcript) = Scene::with_guest();
    transcript[31] ^= 1;
    let outputs = scene.type_code(&code, &transcript);
    let code = Code::WrongCode;
    assert_eq!(frames(&outputs), [ControlFrame::Close(Close { code })]);
    assert_eq!(scene.engine.trust().paired, []);
}

#[test]
fn a_device_that_has_not_come_with_the_code_cannot_try_it() {
    let mut scene = Scene::online();
    let code = scene.open_code();
    let mut scene = scene.answer();
    let (_, transcript) = scene.prove(&Played::default());
    assert_eq!(scene.type_code(&code, &transcript.unwrap()), []);
    assert_eq!(scene.engine.trust().paired, []);
}

#[test]
fn without_a_code_nobody_comes_in_without_a_card() {
    let mut scene = Scene::welcome(Visibility::Paired);
    let code = scene.open_code();
    let nameplate = code.nameplate;
    scene.enters(Room::Code { nameplate }, None);
    scene.handle(Input::TrustCommand(TrustCommand::EndCode));
    let outputs = scene.signal(SignalBody::Offer {
        sdp: description(&[certificate(PEER)]),
    });
    assert_eq!(outputs, []);
}

#[test]
fn what_a_server_says_during_a_proof_changes_nobody() {
    let (mut scene, code, transcript) = Scene::with_guest();
    scene.enters(Room::Nearby, Some(card(STRANGER)));
    let peer = Peer {
        id: PeerId::from_bytes([PEER; 16]),
        device: Some(card(STRANGER)),
        endpoint: EndpointKind::Browser,
    };
    let updated = ServerMessage::PeerUpdated { peer };
    scene.handle(Input::SignalingReceived(&updated.encode()));
    scene.type_code(&code, &transcript);
    let trust = scene.engine.trust();
    let Some(CodeStep::Done { device }) = &trust.code else {
        panic!("{:?}", trust.code)
    };
    assert_eq!((device.id, &device.name), (card(PEER).id, &card(PEER).name));
    assert_eq!(trust.paired[0].device, *device);
    let text = other_frames().remove(0).1;
    scene.frame(Channel::Control, &text);
    assert_eq!(
        scene.engine.snapshot(Time(0)).items[0].from.id,
        card(PEER).id
    );
}

#[test]
fn a_guest_whose_message_is_faster_than_the_servers_waits_for_no_timeout() {
    let mut scene = Scene::online();
    let code = scene.open_code();
    let mut scene = scene.answer();
    let (_, transcript) = scene.prove(&Played::default());
    let (mut guest, first) =
        code_proof::CodeProof::guest(&code.secret, &transcript.unwrap(), &[8; 32]);
    assert_eq!(scene.control(&proof(first)), []);
    let nameplate = code.nameplate;
    let outputs = scene.enters(Room::Code { nameplate }, None);
    let Some(ControlFrame::CodeProof(second)) = frames(&outputs).pop() else {
        panic!("{outputs:?}")
    };
    scene.confirm_code(&mut guest, &second);
    assert_eq!(scene.engine.trust().paired[0].device.id, card(PEER).id);
}

#[test]
fn a_proof_that_a_guest_begins_anew_is_no_wrong_guess() {
    let (mut scene, code, transcript) = Scene::with_guest();
    let begin = |seed: u8| code_proof::CodeProof::guest(&code.secret, &transcript, &[seed; 32]);
    let (_, first) = begin(8);
    assert_eq!(frames(&scene.control(&proof(first))).len(), 1);
    let (mut guest, first) = begin(9);
    let Some(ControlFrame::CodeProof(second)) = frames(&scene.control(&proof(first))).pop() else {
        panic!("no answer to the second proof")
    };
    scene.confirm_code(&mut guest, &second);
    assert_eq!(scene.engine.trust().paired.len(), 1);
}

#[test]
fn another_key_under_a_paired_devices_name_is_trusted_with_nothing() {
    let half = PairHalf::from_bytes([1; 32]);
    let paired = PairedDevice {
        key: key(PEER).public(),
        name: card(PEER).name,
        kind: card(PEER).kind,
        secret: PairSecret::of_halves(&half, &half),
        since: 0,
        last_seen: 0,
        auto_accept: AutoAccept {
            files: Some(1_000_000),
            links: true,
            texts: true,
        },
    };
    // The paired device itself, and one with its name: a stranger, or itself after it has lost its key.
    for (number, trusted) in [(PEER, true), (STRANGER, false)] {
        let mut scene = Scene::welcome_with(Visibility::Everyone, vec![paired.clone()]);
        let name = card(PEER).name;
        let announced = DeviceCard {
            name: name.clone(),
            ..card(number)
        };
        scene.enters(Room::Nearby, Some(announced));
        assert_eq!(scene.engine.snapshot(Time(0)).devices[0].paired, trusted);
        let mut scene = scene.answer();
        scene.prove(&Played {
            key: number,
            name,
            ..Played::default()
        });
        let propose = |transfer, entry| {
            ControlFrame::Propose(Propose {
                transfer: WireTransferId(transfer),
                resume: ResumeId::from_bytes([u8::try_from(transfer).unwrap(); 16]),
                count: 1,
                entries: vec![entry],
            })
        };
        scene.control(&propose(
            1,
            Entry::Item(Item::Text {
                text: "x".to_owned(),
            }),
        ));
        scene.control(&propose(
            2,
            Entry::File(FileEntry {
                name: "x.txt".to_owned(),
                folder: String::new(),
                bytes: 10,
                media_type: None,
            }),
        ));
        let asked = scene.events.iter().any(
            |event| matches!(event, Event::ProposalArrived { proposal } if !proposal.from.paired),
        );
        assert_eq!(asked, !trusted, "{:?}", scene.events);
        let unasked = scene
            .events
            .iter()
            .any(|event| matches!(event, Event::ItemReceived { unasked: true, .. }));
        assert_eq!(unasked, trusted, "{:?}", scene.events);
        assert_eq!(scene.engine.trust().paired.len(), 1);
    }
}
