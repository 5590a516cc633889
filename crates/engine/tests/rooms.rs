//! What the server says of rooms: who is shown for it, and what an engine says to it.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use tabferry_engine::{Engine, Input, Kept, Output, Time};
use tabferry_protocol::card::{DeviceCard, DeviceKind, DeviceName, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    CodeEnd, CodeStep, Command, Settings, SignalingProblem, TrustCommand, Visibility,
};
use tabferry_protocol::id::{DeviceId, PairTag, PeerId};
use tabferry_protocol::identity::DeviceKey;
use tabferry_protocol::pair::{PairHalf, PairSecret};
use tabferry_protocol::paired::{AutoAccept, PairedDevice};
use tabferry_protocol::signaling::{
    ClientMessage, Peer, Room, ServerMessage, SignalingCode, Welcome,
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

#[test]
fn a_socket_that_the_server_has_not_missed_yet_is_not_taken_for_the_other_of_a_pair() {
    let half = PairHalf::from_bytes([1; 32]);
    let (mut engine, asked) = online_with(vec![PairedDevice {
        key: DeviceKey::from_seed(&[2; 32]).public(),
        name: card(2).name,
        kind: card(2).kind,
        secret: PairSecret::of_halves(&half, &half),
        since: 0,
        last_seen: 0,
        auto_accept: AutoAccept::default(),
    }]);
    let pair = asked.iter().find_map(|message| match message {
        ClientMessage::Join {
            room: room @ Room::Pair { .. },
            ..
        } => Some(*room),
        _ => None,
    });
    let room = pair.unwrap();
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
