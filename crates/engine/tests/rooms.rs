//! What the server says of rooms: who is shown for it, and what an engine says to it.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use tabferry_engine::{Engine, Input, Kept, Output, Time};
use tabferry_protocol::card::{DeviceCard, DeviceKind, DeviceName, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    CodeEnd, CodeStep, Command, DeviceView, Event, PlainItem, Settings, SignalingProblem,
    SourceFile, TrustCommand, Visibility,
};
use tabferry_protocol::id::{DeviceId, PairTag, PeerId, SourceId};
use tabferry_protocol::identity::DeviceKey;
use tabferry_protocol::pair::{PairHalf, PairSecret};
use tabferry_protocol::paired::{AutoAccept, PairedDevice};
use tabferry_protocol::signaling::{
    ClientMessage, IceServer, Peer, Room, ServerMessage, SignalingCode, Welcome,
};

fn card(number: u8) -> DeviceCard {
    DeviceCard {
        id: DeviceId::from_bytes([number; 16]),
        name: DeviceName::from_typed("Device").unwrap(),
        kind: DeviceKind::Computer,
    }
}

fn peer(number: u8, device: Option<DeviceCard>) -> Peer {
    Peer {
        id: PeerId::from_bytes([number; 16]),
        device,
        endpoint: EndpointKind::Browser,
    }
}

fn handle(engine: &mut Engine, input: Input<'_>) -> Vec<Output> {
    engine.handle(Time(0), input);
    std::iter::from_fn(|| engine.poll()).collect()
}

fn hear(engine: &mut Engine, message: &ServerMessage) -> Vec<Output> {
    handle(engine, Input::SignalingReceived(&message.encode()))
}

fn said(outputs: &[Output]) -> Vec<ClientMessage> {
    let message = |output: &Output| match output {
        Output::SendSignaling(text) => Some(ClientMessage::decode(text).unwrap()),
        _ => None,
    };
    outputs.iter().filter_map(message).collect()
}

/// The devices that are shown, by their numbers.
fn shown(engine: &Engine) -> Vec<DeviceId> {
    let devices = engine.snapshot(Time(0)).devices;
    devices.into_iter().map(|device| device.id).collect()
}

fn online() -> (Engine, Vec<ClientMessage>) {
    online_with(Vec::new())
}

fn online_with(paired: Vec<PairedDevice>) -> (Engine, Vec<ClientMessage>) {
    let kept = Kept {
        key: DeviceKey::from_seed(&[1; 32]),
        paired,
    };
    let mut engine = Engine::new(EndpointKind::Browser, kept, [7; 32], Time(0), 0);
    let settings = Settings {
        name: card(1).name,
        kind: card(1).kind,
        server: "ws://server".to_owned(),
        visibility: Visibility::Everyone,
        groups: Vec::new(),
    };
    handle(&mut engine, Input::Command(Command::Configure(settings)));
    handle(&mut engine, Input::SignalingOpened);
    let answer = hear(&mut engine, &welcome(1));
    (engine, said(&answer))
}

fn welcome(peer: u8) -> ServerMessage {
    ServerMessage::Welcome(Welcome {
        version: 1,
        peer: PeerId::from_bytes([peer; 16]),
        address: "127.0.0.1".to_owned(),
        time: 0,
        ice_servers: Vec::new(),
        relay: false,
    })
}

#[test]
fn the_nearby_room_is_joined_with_the_devices_card() {
    let device = DeviceCard {
        id: DeviceId::of(&DeviceKey::from_seed(&[1; 32]).public()),
        ..card(1)
    };
    let join = ClientMessage::Join {
        room: Room::Nearby,
        device: Some(device),
    };
    assert_eq!(online().1, [join]);
}

#[test]
fn peers_without_a_card_are_not_shown() {
    let (mut engine, _) = online();
    let room = Room::Nearby;
    let peers = vec![peer(2, None), peer(3, Some(card(3)))];
    hear(&mut engine, &ServerMessage::Joined { room, peers });
    for peer in [peer(4, None), peer(5, Some(card(5)))] {
        hear(&mut engine, &ServerMessage::PeerJoined { room, peer });
    }
    let peer = peer(3, None);
    hear(&mut engine, &ServerMessage::PeerUpdated { peer });
    assert_eq!(shown(&engine), [card(3).id, card(5).id]);
}

#[test]
fn nobody_is_shown_of_a_room_that_was_closed() {
    let (mut engine, _) = online();
    let room = Room::Nearby;
    let peers = vec![peer(2, Some(card(2))), peer(3, Some(card(3)))];
    hear(&mut engine, &ServerMessage::Joined { room, peers });
    assert_eq!(shown(&engine).len(), 2);
    hear(&mut engine, &ServerMessage::RoomClosed { room });
    assert_eq!(shown(&engine), []);
}

#[test]
fn a_code_that_is_taken_is_replaced_by_another_but_not_for_ever() {
    let (mut engine, _) = online();
    let mut outputs = handle(&mut engine, Input::TrustCommand(TrustCommand::OpenCode));
    let mut drawn = Vec::new();
    while let [ClientMessage::Open { nameplate }] = said(&outputs)[..] {
        assert_eq!(engine.trust().code, Some(CodeStep::Opening));
        assert!(!drawn.contains(&nameplate));
        drawn.push(nameplate);
        let error = ServerMessage::Error {
            code: SignalingCode::Taken,
            to: None,
            room: Some(Room::Code { nameplate }),
        };
        outputs = hear(&mut engine, &error);
    }
    assert_eq!(drawn.len(), 3);
    let reason = CodeEnd::Failed { code: Code::Busy };
    assert_eq!(engine.trust().code, Some(CodeStep::Ended { reason }));
}

#[test]
fn what_the_server_says_of_rooms_that_nobody_asked_for_changes_nothing() {
    let (mut engine, _) = online();
    let nameplate = "A1B2".parse().unwrap();
    for room in [
        Room::Code { nameplate },
        Room::Group {
            name: "A1B20XYZ".parse().unwrap(),
        },
        Room::Pair {
            tag: PairTag::from_bytes([5; 16]),
        },
    ] {
        let device = room.shows_cards().then(|| card(3));
        let peers = vec![peer(2, device.clone())];
        let peer = peer(3, device);
        for message in [
            ServerMessage::Joined { room, peers },
            ServerMessage::PeerJoined { room, peer },
            ServerMessage::RoomClosed { room },
        ] {
            assert_eq!(hear(&mut engine, &message), []);
            assert_eq!(shown(&engine), []);
        }
    }
}

fn paired() -> PairedDevice {
    let half = PairHalf::from_bytes([1; 32]);
    PairedDevice {
        key: DeviceKey::from_seed(&[2; 32]).public(),
        name: card(2).name,
        kind: card(2).kind,
        secret: PairSecret::of_halves(&half, &half),
        since: 0,
        last_seen: 0,
        auto_accept: AutoAccept::default(),
    }
}

fn pair_room(said: &[ClientMessage]) -> Option<Room> {
    said.iter().find_map(|message| match message {
        ClientMessage::Join {
            room: room @ Room::Pair { .. },
            ..
        } => Some(*room),
        _ => None,
    })
}

fn in_the_room_of_a_pair() -> (Engine, Room) {
    let (engine, asked) = online_with(vec![paired()]);
    (engine, pair_room(&asked).unwrap())
}

#[test]
fn another_endpoint_of_this_device_is_not_taken_for_the_other_of_a_pair() {
    // Whatever the engine hears first: that the peer is its own device's, or that it is in the room.
    for known_before in [true, false] {
        let (mut engine, room) = in_the_room_of_a_pair();
        let own = Input::OwnPeers(vec![PeerId::from_bytes([7; 16])]);
        let peers = vec![peer(7, None)];
        let joined = ServerMessage::Joined { room, peers };
        if known_before {
            handle(&mut engine, own);
            hear(&mut engine, &joined);
        } else {
            hear(&mut engine, &joined);
            assert_eq!(shown(&engine), [paired().id()]);
            handle(&mut engine, own);
        }
        assert_eq!(shown(&engine), []);
        let peer = peer(2, None);
        hear(&mut engine, &ServerMessage::PeerJoined { room, peer });
        assert_eq!(shown(&engine), [paired().id()]);
    }
}

#[test]
fn other_endpoints_learn_who_this_one_is_before_it_enters_a_room() {
    let (mut engine, _) = online();
    handle(&mut engine, Input::SignalingClosed(SignalingProblem::Lost));
    engine.handle(Time(60_000), Input::Tick);
    handle(&mut engine, Input::SignalingOpened);
    let outputs = hear(&mut engine, &welcome(9));
    let told = Output::OwnPeer(Some(PeerId::from_bytes([9; 16])));
    let told = outputs.iter().position(|output| *output == told);
    let joined = outputs
        .iter()
        .position(|output| matches!(output, Output::SendSignaling(_)));
    assert!(told.unwrap() < joined.unwrap());
    let outputs = handle(&mut engine, Input::SignalingClosed(SignalingProblem::Lost));
    assert!(outputs.contains(&Output::OwnPeer(None)));
}

#[test]
fn what_another_endpoint_has_paired_is_paired_here() {
    let (mut engine, asked) = online();
    assert_eq!(pair_room(&asked), None);
    let outputs = handle(&mut engine, Input::Paired(vec![paired()]));
    let room = pair_room(&said(&outputs)).unwrap();
    assert!(outputs.contains(&Output::KeepPaired(vec![paired()])));
    assert_eq!(engine.trust().paired.len(), 1);
    let outputs = handle(&mut engine, Input::Paired(Vec::new()));
    assert!(said(&outputs).contains(&ClientMessage::Leave { room }));
    assert_eq!(engine.trust().paired, []);
}

#[test]
fn what_another_endpoint_has_received_is_shown_under_the_name_that_the_sender_has_here() {
    let auto_accept = AutoAccept {
        texts: true,
        ..AutoAccept::default()
    };
    let (mut engine, _) = online_with(vec![PairedDevice {
        auto_accept,
        ..paired()
    }]);
    let from = DeviceView {
        id: paired().id(),
        name: DeviceName::from_typed("Its own word").unwrap(),
        kind: DeviceKind::Phone,
        paired: false,
    };
    let item = PlainItem::Text {
        text: "x".to_owned(),
    };
    let outputs = handle(
        &mut engine,
        Input::Command(Command::TakeItem {
            from,
            item,
            unasked: true,
        }),
    );
    let [Output::Event(Event::ItemReceived { item, unasked })] = outputs.as_slice() else {
        panic!("{outputs:?}")
    };
    assert!(unasked, "its person allows that");
    assert!(item.from.paired && item.from.name == paired().name);
    assert_eq!(engine.snapshot(Time(0)).items, std::slice::from_ref(item));
}

#[test]
fn a_socket_that_the_server_has_not_missed_yet_is_not_taken_for_the_other_of_a_pair() {
    let (mut engine, room) = in_the_room_of_a_pair();
    handle(&mut engine, Input::SignalingClosed(SignalingProblem::Lost));
    engine.handle(Time(60_000), Input::Tick);
    handle(&mut engine, Input::SignalingOpened);
    hear(&mut engine, &welcome(9));
    // The old socket's, and then that of the other device.
    let peers = vec![peer(1, None)];
    hear(&mut engine, &ServerMessage::Joined { room, peers });
    assert_eq!(shown(&engine), []);
    let peer = peer(2, None);
    hear(&mut engine, &ServerMessage::PeerJoined { room, peer });
    let paired = DeviceId::of(&DeviceKey::from_seed(&[2; 32]).public());
    assert_eq!(shown(&engine), [paired]);
}

/// Whom the engine connects to when it is asked for this.
fn connects_to(engine: &mut Engine, command: Command) -> PeerId {
    let outputs = handle(engine, Input::Command(command));
    offers_to(engine, &outputs)
}

/// To whom an offer goes that the engine has asked for.
fn offers_to(engine: &mut Engine, outputs: &[Output]) -> PeerId {
    let connection = outputs.iter().find_map(|output| match output {
        Output::MakeOffer { connection, .. } => Some(*connection),
        _ => None,
    });
    let connection = connection.unwrap();
    let fingerprint = vec!["AB"; 32].join(":");
    let sdp = format!("v=0\r\na=fingerprint:sha-256 {fingerprint}\r\n");
    let outputs = handle(engine, Input::LocalDescription { connection, sdp });
    let to = said(&outputs)
        .into_iter()
        .find_map(|message| match message {
            ClientMessage::Signal { to, .. } => Some(to),
            _ => None,
        });
    to.unwrap()
}

#[test]
fn files_go_to_a_devices_native_endpoint_and_items_to_its_browser_and_either_stands_in_for_the_other()
 {
    let browser = peer(2, Some(card(5)));
    let native = Peer {
        endpoint: EndpointKind::Native,
        ..peer(3, Some(card(5)))
    };
    let to = card(5).id;
    let files = Command::SendFiles {
        to,
        files: vec![SourceFile {
            source: SourceId(1),
            name: "x".to_owned(),
            folder: String::new(),
            bytes: 1,
            media_type: None,
        }],
    };
    let item = Command::SendItem {
        to,
        item: PlainItem::Text {
            text: "x".to_owned(),
        },
    };
    for (there, for_files, for_item) in [
        (vec![&browser, &native], native.id, browser.id),
        (vec![&native, &browser], native.id, browser.id),
        (vec![&native], native.id, native.id),
        (vec![&browser], browser.id, browser.id),
    ] {
        for (command, expected) in [(&files, for_files), (&item, for_item)] {
            let (mut engine, _) = online();
            let peers = there.iter().map(|peer| (*peer).clone()).collect();
            let room = Room::Nearby;
            hear(&mut engine, &ServerMessage::Joined { room, peers });
            assert_eq!(shown(&engine), [to], "one device, however it is present");
            assert_eq!(connects_to(&mut engine, command.clone()), expected);
        }
    }
}

#[test]
fn a_connection_is_made_with_the_ice_servers_that_the_server_named_last() {
    let (mut engine, _) = online();
    let ice_servers = vec![IceServer {
        url: "turn:turn.example.org:3478".to_owned(),
        username: Some("1785021600:anna".to_owned()),
        credential: Some("secret".to_owned()),
    }];
    let renewed = ServerMessage::IceServers {
        ice_servers: ice_servers.clone(),
    };
    hear(&mut engine, &renewed);
    let peers = vec![peer(2, Some(card(5)))];
    let room = Room::Nearby;
    hear(&mut engine, &ServerMessage::Joined { room, peers });
    let item = Command::SendItem {
        to: card(5).id,
        item: PlainItem::Text {
            text: "x".to_owned(),
        },
    };
    let outputs = handle(&mut engine, Input::Command(item));
    let used = outputs.into_iter().find_map(|output| match output {
        Output::OpenConnection { ice_servers, .. } => Some(ice_servers),
        _ => None,
    });
    assert_eq!(used, Some(ice_servers));
}

#[test]
fn what_waits_for_an_endpoint_that_leaves_goes_to_the_devices_other_one() {
    let (mut engine, _) = online();
    let room = Room::Nearby;
    let browser = peer(2, Some(card(5)));
    let native = Peer {
        endpoint: EndpointKind::Native,
        ..peer(3, Some(card(5)))
    };
    let peers = vec![browser.clone(), native.clone()];
    hear(&mut engine, &ServerMessage::Joined { room, peers });
    let item = Command::SendItem {
        to: card(5).id,
        item: PlainItem::Text {
            text: "x".to_owned(),
        },
    };
    assert_eq!(connects_to(&mut engine, item), browser.id);
    let peer = browser.id;
    let outputs = hear(&mut engine, &ServerMessage::PeerLeft { room, peer });
    assert_eq!(offers_to(&mut engine, &outputs), native.id);
}
