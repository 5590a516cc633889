//! The two ends of a connection learn that it is open at different moments: what comes early is kept in order.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use tabferry_engine::{Channel, ConnectionKey, Engine, Input, Output, Time};
use tabferry_protocol::card::{DeviceCard, DeviceKind, DeviceName, EndpointKind};
use tabferry_protocol::frame::{ControlFrame, Hello};
use tabferry_protocol::host::{Command, PlainItem, Settings};
use tabferry_protocol::id::{DeviceId, PeerId};
use tabferry_protocol::signaling::{Peer, Room, ServerMessage, Welcome};
use tabferry_protocol::version::Versions;

fn card(number: u8) -> DeviceCard {
    DeviceCard {
        id: DeviceId::from_bytes([number; 16]),
        name: DeviceName::from_typed("Device").unwrap(),
        kind: DeviceKind::Computer,
    }
}

fn handle(engine: &mut Engine, input: Input<'_>) -> Vec<Output> {
    engine.handle(Time(0), input);
    std::iter::from_fn(|| engine.poll()).collect()
}

fn frames(outputs: &[Output]) -> Vec<ControlFrame> {
    let frame = |output: &Output| match output {
        Output::SendControl { frame, .. } => Some(ControlFrame::decode(frame).unwrap()),
        _ => None,
    };
    outputs.iter().filter_map(frame).collect()
}

/// An engine that is about to connect to device 2, to send it a text.
fn connecting() -> (Engine, ConnectionKey) {
    let mut engine = Engine::new([7; 32], Time(0));
    let settings = Settings {
        device: card(1),
        endpoint: EndpointKind::Browser,
        server: "ws://server".to_owned(),
    };
    handle(&mut engine, Input::Command(Command::Configure(settings)));
    handle(&mut engine, Input::SignalingOpened);
    let welcome = ServerMessage::Welcome(Welcome {
        version: 1,
        peer: PeerId::from_bytes([1; 16]),
        address: "127.0.0.1".to_owned(),
        time: 0,
        ice_servers: Vec::new(),
    });
    let joined = ServerMessage::Joined {
        room: Room::Nearby,
        peers: vec![Peer {
            id: PeerId::from_bytes([2; 16]),
            device: Some(card(2)),
            endpoint: EndpointKind::Browser,
        }],
    };
    for message in [welcome, joined] {
        handle(&mut engine, Input::SignalingReceived(&message.encode()));
    }
    let item = PlainItem::Text {
        text: "a text".to_owned(),
    };
    let send = Command::SendItem {
        to: card(2).id,
        item,
    };
    let outputs = handle(&mut engine, Input::Command(send));
    let opened = outputs.iter().find_map(|output| match output {
        Output::OpenConnection { connection, .. } => Some(*connection),
        _ => None,
    });
    (engine, opened.unwrap())
}

#[test]
fn nothing_is_sent_before_the_channels_are_open_here_even_if_the_peer_has_greeted() {
    let (mut engine, connection) = connecting();
    let hello = ControlFrame::Hello(Hello {
        versions: Versions::spoken(),
        device: card(2),
        endpoint: EndpointKind::Browser,
    });
    let bytes = &hello.encode();
    let early = handle(
        &mut engine,
        Input::Frame {
            connection,
            channel: Channel::Control,
            bytes,
        },
    );
    assert_eq!(frames(&early), []);
    let sent = frames(&handle(&mut engine, Input::ChannelsOpened { connection }));
    assert!(
        matches!(sent[..], [ControlFrame::Hello(_), ControlFrame::Propose(_)]),
        "{sent:?}"
    );
}
