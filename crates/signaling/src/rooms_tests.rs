//! The rules, without sockets.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;
use tabferry_protocol::id::ConnectionId;
use tabferry_protocol::version::Versions;

use super::*;
use crate::config::Limits;

const HOME: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.9";

fn rate(burst: u32, per_minute: u32) -> Rate {
    Rate {
        burst: NonZeroU32::new(burst).unwrap(),
        per_minute: NonZeroU32::new(per_minute).unwrap(),
    }
}

/// What the world's clock says in these tests.
const TIME: u64 = 1_785_000_000;

fn at(steady: Instant) -> Now {
    Now {
        steady,
        unix_seconds: TIME,
    }
}

fn location(address: &str) -> Location {
    doubtful(address, Doubt::None)
}

fn doubtful(address: &str, doubt: Doubt) -> Location {
    Location {
        address: address.parse().unwrap(),
        doubt,
    }
}

fn rooms() -> Rooms {
    let quotas = PeerQuotas {
        messages: rate(120, 120),
        refusals: rate(4, 6),
    };
    let services = Services {
        ice_servers: Vec::new(),
        relay: true,
    };
    Rooms::new(quotas, Limits::default().codes, services)
}

fn id(n: u8) -> PeerId {
    PeerId::from_bytes([n; 16])
}

fn card(name: &str) -> DeviceCard {
    serde_json::from_value(serde_json::json!({
        "id": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "name": name, "kind": "computer",
    }))
    .unwrap()
}

fn hello(versions: &[u16]) -> ClientMessage {
    ClientMessage::Hello(ClientHello {
        versions: Versions::try_from(versions.to_vec()).unwrap(),
        endpoint: EndpointKind::Browser,
        capabilities: Vec::new(),
    })
}

fn join() -> ClientMessage {
    ClientMessage::Join {
        room: Room::Nearby,
        device: Some(card("Device")),
    }
}

/// A peer as others see it where cards are shown.
fn peer(n: u8, name: &str) -> Peer {
    Peer {
        id: id(n),
        device: Some(card(name)),
        endpoint: EndpointKind::Browser,
    }
}

fn leave() -> ClientMessage {
    ClientMessage::Leave { room: Room::Nearby }
}

fn offer() -> Signal {
    Signal {
        connection: ConnectionId::from_bytes([9; 16]),
        body: SignalBody::Offer {
            sdp: "v=0\r\n".to_owned(),
        },
    }
}

fn signal(to: PeerId) -> ClientMessage {
    ClientMessage::Signal {
        to,
        signal: offer(),
    }
}

fn say(rooms: &mut Rooms, from: PeerId, message: ClientMessage) -> Vec<Action> {
    rooms.receive(at(Instant::now()), from, Incoming::Message(message))
}

/// Connects peers 1 to `count` from `address`, each with its hello said.
fn greeted(rooms: &mut Rooms, ids: impl IntoIterator<Item = u8>, address: &str) {
    for n in ids {
        assert!(rooms.connect(Instant::now(), id(n), location(address)));
        say(rooms, id(n), hello(&[1]));
        assert!(rooms.has_greeted(id(n)));
    }
}

fn joined(rooms: &mut Rooms, ids: impl IntoIterator<Item = u8> + Clone, address: &str) {
    greeted(rooms, ids.clone(), address);
    for n in ids {
        say(rooms, id(n), join());
    }
}

/// What each peer hears, in order.
fn heard(actions: &[Action]) -> Vec<(PeerId, ServerMessage)> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Send { to, message } => Some((to, message)),
            Action::Pass { .. } | Action::OpenRelay { .. } | Action::Close { .. } => None,
        })
        .flat_map(|(to, message)| to.iter().map(|peer| (*peer, message.clone())))
        .collect()
}

fn refused(to: u8, code: SignalingCode) -> Vec<Action> {
    answer(id(to), code, About::default())
}

fn refused_room(to: u8, code: SignalingCode, room: Room) -> Vec<Action> {
    answer(id(to), code, About::room(room))
}

fn enter(room: Room) -> ClientMessage {
    ClientMessage::Join {
        room,
        device: room.shows_cards().then(|| card("Device")),
    }
}

fn open(nameplate: &str) -> ClientMessage {
    ClientMessage::Open {
        nameplate: nameplate.parse().unwrap(),
    }
}

fn code(nameplate: &str) -> Room {
    Room::Code {
        nameplate: nameplate.parse().unwrap(),
    }
}

fn group(n: u64) -> Room {
    Room::Group {
        name: GroupCode::from_random(std::array::from_fn(|at| n.to_le_bytes()[at])),
    }
}

fn pair(n: u8) -> Room {
    Room::Pair {
        tag: PairTag::from_bytes([n; 16]),
    }
}

#[test]
fn hello_is_answered_with_id_version_address_and_ice_servers() {
    let server = IceServer {
        url: "stun:stun.example.org:3478".to_owned(),
        username: None,
        credential: None,
    };
    let mut rooms = Rooms::new(
        rooms().quotas,
        Limits::default().codes,
        Services {
            ice_servers: vec![server.clone()],
            relay: true,
        },
    );
    rooms.connect(Instant::now(), id(1), location("::ffff:203.0.113.7"));
    assert!(!rooms.has_greeted(id(1)));
    let welcome = ServerMessage::Welcome(Welcome {
        version: 1,
        peer: id(1),
        address: HOME.to_owned(),
        time: TIME,
        ice_servers: vec![server],
        relay: true,
    });
    assert_eq!(
        heard(&say(&mut rooms, id(1), hello(&[7, 1, 9]))),
        [(id(1), welcome)]
    );
}

#[test]
fn an_id_is_given_once() {
    let mut rooms = rooms();
    assert!(rooms.connect(Instant::now(), id(1), location(HOME)));
    assert!(!rooms.connect(Instant::now(), id(1), location(HOME)));
}

#[test]
fn who_speaks_no_common_version_is_told_and_closed() {
    let mut rooms = rooms();
    rooms.connect(Instant::now(), id(1), location(HOME));
    let mut expected = refused(1, SignalingCode::Incompatible);
    expected.push(Action::Close {
        peer: id(1),
        ending: Ending::Incompatible,
    });
    assert_eq!(say(&mut rooms, id(1), hello(&[2, 3])), expected);
    assert_eq!(rooms.peers(), 0);
}

#[test]
fn nothing_but_hello_comes_first_and_hello_comes_once() {
    let mut rooms = rooms();
    rooms.connect(Instant::now(), id(1), location(HOME));
    for (message, about) in [
        (join(), About::room(Room::Nearby)),
        (open("7K3M"), About::room(code("7K3M"))),
        (leave(), About::default()),
        (signal(id(2)), About::peer(id(2))),
    ] {
        let said = say(&mut rooms, id(1), message);
        assert_eq!(said, answer(id(1), SignalingCode::OutOfOrder, about));
    }
    let mut rooms = self::rooms();
    rooms.connect(Instant::now(), id(1), location(HOME));
    say(&mut rooms, id(1), hello(&[1]));
    let answer = say(&mut rooms, id(1), hello(&[1]));
    assert_eq!(answer, refused(1, SignalingCode::OutOfOrder));
}

#[test]
fn members_of_a_room_see_each_other_come_change_and_go() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    greeted(&mut rooms, [3], HOME);
    let both = [1, 2].map(|n| peer(n, "Device"));
    let third = peer(3, "Device");
    let room = Room::Nearby;
    let newcomer = ServerMessage::PeerJoined { room, peer: third };
    let present = ServerMessage::Joined {
        room,
        peers: both.to_vec(),
    };
    assert_eq!(
        heard(&say(&mut rooms, id(3), join())),
        [
            (id(3), present.clone()),
            (id(1), newcomer.clone()),
            (id(2), newcomer)
        ]
    );
    // Joining again tells the member, not the others.
    assert_eq!(heard(&say(&mut rooms, id(3), join())), [(id(3), present)]);

    let updated = say(
        &mut rooms,
        id(3),
        ClientMessage::Update {
            device: card("New name"),
        },
    );
    let update = ServerMessage::PeerUpdated {
        peer: peer(3, "New name"),
    };
    assert_eq!(heard(&updated), [(id(1), update.clone()), (id(2), update)]);
    let present = ServerMessage::Joined {
        room,
        peers: vec![peer(1, "Device"), peer(3, "New name")],
    };
    assert_eq!(heard(&say(&mut rooms, id(2), join())), [(id(2), present)]);

    let left = |peer| ServerMessage::PeerLeft { room, peer };
    assert_eq!(
        heard(&say(&mut rooms, id(3), leave())),
        [(id(1), left(id(3))), (id(2), left(id(3)))]
    );
    assert_eq!(say(&mut rooms, id(3), leave()), []);
    assert_eq!(heard(&rooms.disconnect(id(1))), [(id(2), left(id(1)))]);
    assert_eq!(rooms.disconnect(id(1)), []);
}

#[test]
fn a_signal_reaches_the_peer_it_is_for_stamped_with_its_sender() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2, 3], HOME);
    let expected = ServerMessage::Signal {
        from: id(1),
        signal: offer(),
    };
    assert_eq!(
        heard(&say(&mut rooms, id(1), signal(id(2)))),
        [(id(2), expected)]
    );
}

#[test]
fn nobody_outside_the_room_is_reached_and_all_failures_look_alike() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    joined(&mut rooms, [3], ELSEWHERE);
    greeted(&mut rooms, [4], HOME);
    for to in [id(1), id(3), id(4), id(99)] {
        assert_eq!(
            say(&mut rooms, id(1), signal(to)),
            answer(id(1), SignalingCode::PeerNotFound, About::peer(to))
        );
    }
    // Someone who is in no room reaches nobody either.
    assert_eq!(
        say(&mut rooms, id(4), signal(id(1))),
        answer(id(4), SignalingCode::PeerNotFound, About::peer(id(1)))
    );
}

#[test]
fn kinds_of_newer_versions_are_unsupported_and_do_no_harm() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    for text in [
        r#"{"type":"relay"}"#,
        r#"{"type":"__proto__"}"#,
        r#"{"type":"join","room":{"kind":"later","code":"X"}}"#,
        r#"{"type":"join","room":{"kind":"__proto__"}}"#,
        r#"{"type":"join","room":{"kind":""}}"#,
        r#"{"type":"join","room":{"kind":"203.0.113.7"}}"#,
        r#"{"type":"leave","room":{"kind":"constructor"}}"#,
    ] {
        let message = ClientMessage::decode(text).unwrap();
        let answer = say(&mut rooms, id(1), message);
        assert_eq!(answer, refused(1, SignalingCode::Unsupported), "{text}");
    }
    let text = format!(
        r#"{{"type":"signal","to":"{}","signal":{{"connection":"{}","signal":"smoke"}}}}"#,
        id(2),
        id(3)
    );
    let message = ClientMessage::decode(&text).unwrap();
    assert_eq!(
        say(&mut rooms, id(1), message),
        answer(id(1), SignalingCode::Unsupported, About::peer(id(2)))
    );
    assert_eq!(rooms.rooms.len(), 1);
}

#[test]
fn a_card_is_needed_where_cards_are_shown_and_refused_elsewhere() {
    let mut rooms = rooms();
    greeted(&mut rooms, 1..=2, HOME);
    say(&mut rooms, id(2), open("7K3M"));
    for room in [Room::Nearby, group(1), pair(1), code("7K3M")] {
        let device = (!room.shows_cards()).then(|| card("Device"));
        assert_eq!(
            say(&mut rooms, id(1), ClientMessage::Join { room, device }),
            refused_room(1, SignalingCode::InvalidMessage, room)
        );
    }
    assert_eq!(rooms.peers[&id(1)].rooms, []);
}

#[test]
fn a_card_changes_only_where_one_is_shown() {
    let mut rooms = rooms();
    greeted(&mut rooms, [1], HOME);
    let update = || ClientMessage::Update {
        device: card("Early"),
    };
    assert_eq!(say(&mut rooms, id(1), update()), []);
    // What was said in no room is not kept for later ones.
    say(&mut rooms, id(1), join());
    greeted(&mut rooms, [2], HOME);
    let present = ServerMessage::Joined {
        room: Room::Nearby,
        peers: vec![peer(1, "Device")],
    };
    assert_eq!(heard(&say(&mut rooms, id(2), join()))[0].1, present);
}

#[test]
fn a_client_cannot_say_whose_nearby_room_it_means() {
    let mut rooms = rooms();
    joined(&mut rooms, [1], HOME);
    greeted(&mut rooms, [2], ELSEWHERE);
    let text =
        r#"{"type":"join","room":{"kind":"nearby","address":"203.0.113.7","key":"203.0.113.7"}"#;
    let text = format!(
        r#"{text},"device":{}}}"#,
        serde_json::to_string(&card("Device")).unwrap()
    );
    let answer = say(&mut rooms, id(2), ClientMessage::decode(&text).unwrap());
    let alone = ServerMessage::Joined {
        room: Room::Nearby,
        peers: Vec::new(),
    };
    assert_eq!(heard(&answer), [(id(2), alone)]);
}

#[test]
fn the_33rd_peer_finds_the_room_full_until_someone_leaves() {
    let mut rooms = rooms();
    let last = u8::try_from(ROOM_PEERS).unwrap();
    joined(&mut rooms, 1..=last, HOME);
    greeted(&mut rooms, [last + 1], HOME);
    assert_eq!(
        say(&mut rooms, id(last + 1), join()),
        refused_room(last + 1, SignalingCode::RoomFull, Room::Nearby)
    );
    // Who is in may ask again, full or not.
    assert_eq!(heard(&say(&mut rooms, id(1), join())).len(), 1);
    rooms.disconnect(id(5));
    assert_eq!(
        heard(&say(&mut rooms, id(last + 1), join())).len(),
        ROOM_PEERS
    );
}

#[test]
fn a_peer_is_in_so_many_rooms_and_no_more() {
    let mut rooms = rooms();
    greeted(&mut rooms, [1], HOME);
    // 32 paired devices with two tags each, the network, a code, and groups.
    for n in 0..64 {
        assert_eq!(heard(&say(&mut rooms, id(1), enter(pair(n)))).len(), 1);
    }
    say(&mut rooms, id(1), join());
    say(&mut rooms, id(1), open("7K3M"));
    for n in 0..6 {
        assert_eq!(heard(&say(&mut rooms, id(1), enter(group(n)))).len(), 1);
    }
    assert_eq!(rooms.peers[&id(1)].rooms.len(), ROOMS_PER_PEER);
    for room in [group(6), pair(64), code("0000")] {
        assert_eq!(
            say(&mut rooms, id(1), enter(room)),
            refused_room(1, SignalingCode::RateLimited, room)
        );
    }
    assert_eq!(
        say(&mut rooms, id(1), open("0000")),
        refused_room(1, SignalingCode::RateLimited, code("0000"))
    );
    let census = Census {
        nearby: 1,
        code: 1,
        group: 6,
        pair: 64,
    };
    assert_eq!(rooms.census(), census);
    rooms.disconnect(id(1));
    assert_eq!(rooms.census(), Census::default());
    assert!(rooms.rooms.is_empty());
}

#[test]
fn a_burst_of_candidates_passes_and_a_flood_is_refused_then_closed() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    let now = Instant::now();
    // Peer 1 has used two of its messages.
    for _ in 0..118 {
        let actions = rooms.receive(at(now), id(1), Incoming::Message(signal(id(2))));
        assert!(matches!(heard(&actions)[..], [(to, _)] if to == id(2)));
    }
    let limited = answer(id(1), SignalingCode::RateLimited, About::peer(id(2)));
    for _ in 0..4 {
        let actions = rooms.receive(at(now), id(1), Incoming::Message(signal(id(2))));
        assert_eq!(actions, limited);
    }
    let actions = rooms.receive(at(now), id(1), Incoming::Empty);
    assert_eq!(actions[..1], refused(1, SignalingCode::RateLimited));
    let closed = Action::Close {
        peer: id(1),
        ending: Ending::TooManyRefusals,
    };
    assert_eq!(actions[1], closed);
    assert!(matches!(
        heard(&actions[2..])[..],
        [(to, ServerMessage::PeerLeft { .. })] if to == id(2)
    ));
    assert_eq!(rooms.receive(at(now), id(1), Incoming::Invalid), []);
}

#[test]
fn after_a_rest_messages_pass_again() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    let now = Instant::now();
    for _ in 0..120 {
        rooms.receive(at(now), id(1), Incoming::Message(signal(id(2))));
    }
    let later = now + Duration::from_secs(2);
    let passed = (0..5)
        .filter(|_| {
            let actions = rooms.receive(at(later), id(1), Incoming::Message(signal(id(2))));
            heard(&actions)[0].0 == id(2)
        })
        .count();
    assert_eq!(passed, 4);
}

#[test]
fn invalid_messages_are_answered_until_patience_ends() {
    let mut rooms = rooms();
    joined(&mut rooms, [1], HOME);
    let now = Instant::now();
    for _ in 0..4 {
        let actions = rooms.receive(at(now), id(1), Incoming::Invalid);
        assert_eq!(actions, refused(1, SignalingCode::InvalidMessage));
    }
    let actions = rooms.receive(at(now), id(1), Incoming::Invalid);
    assert!(matches!(
        actions[..],
        [
            Action::Send { .. },
            Action::Close {
                ending: Ending::TooManyRefusals,
                ..
            }
        ]
    ));
    assert_eq!((rooms.peers(), rooms.census()), (0, Census::default()));
}

#[test]
fn stopping_tells_and_closes_everyone() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    joined(&mut rooms, [3], ELSEWHERE);
    rooms.connect(Instant::now(), id(4), location(HOME));
    let actions = rooms.shut_down();
    let stopping = error(SignalingCode::ShuttingDown, About::default());
    let told: BTreeSet<_> = heard(&actions)
        .into_iter()
        .inspect(|(_, message)| assert_eq!(*message, stopping))
        .map(|(peer, _)| peer)
        .collect();
    let closed: BTreeSet<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Close {
                peer,
                ending: Ending::ShuttingDown,
            } => Some(*peer),
            _ => None,
        })
        .collect();
    let everyone = BTreeSet::from([1, 2, 3, 4].map(id));
    assert_eq!((told, closed), (everyone.clone(), everyone));
    assert_eq!((rooms.peers(), rooms.census()), (0, Census::default()));
}

/// Opens a code as peer 1 of [`HOME`]; peers 2 to 9 are elsewhere.
fn with_code(nameplate: &str) -> Rooms {
    let mut rooms = rooms();
    greeted(&mut rooms, [1], HOME);
    greeted(&mut rooms, 2..=9, ELSEWHERE);
    let opened = ServerMessage::Joined {
        room: code(nameplate),
        peers: Vec::new(),
    };
    assert_eq!(
        heard(&say(&mut rooms, id(1), open(nameplate))),
        [(id(1), opened)]
    );
    rooms
}

/// A peer as others see it where no cards are shown.
fn unnamed(n: u8) -> Peer {
    Peer {
        device: None,
        ..peer(n, "Device")
    }
}

fn left(room: Room, n: u8) -> ServerMessage {
    ServerMessage::PeerLeft { room, peer: id(n) }
}

fn closed(room: Room) -> ServerMessage {
    ServerMessage::RoomClosed { room }
}

fn is_refused(actions: &[Action], code: SignalingCode) -> bool {
    matches!(heard(actions)[..], [(_, ServerMessage::Error { code: found, .. })] if found == code)
}

#[test]
fn opener_and_guest_of_a_code_meet_without_cards_and_nobody_else_does() {
    let mut rooms = with_code("7K3M");
    let room = code("7K3M");
    let present = ServerMessage::Joined {
        room,
        peers: vec![unnamed(1)],
    };
    let guest = ServerMessage::PeerJoined {
        room,
        peer: unnamed(2),
    };
    assert_eq!(
        heard(&say(&mut rooms, id(2), enter(room))),
        [(id(2), present.clone()), (id(1), guest)]
    );
    // Asking again changes nothing.
    assert_eq!(
        heard(&say(&mut rooms, id(2), enter(room))),
        [(id(2), present)]
    );
    for (from, to) in [(1, 2), (2, 1)] {
        let heard = heard(&say(&mut rooms, id(from), signal(id(to))));
        assert!(matches!(heard[..], [(peer, ServerMessage::Signal { .. })] if peer == id(to)));
    }
    assert_eq!(
        say(&mut rooms, id(3), enter(room)),
        refused_room(3, SignalingCode::Busy, room)
    );
    for (from, to) in [(3, 1), (3, 2), (1, 3)] {
        assert_eq!(
            say(&mut rooms, id(from), signal(id(to))),
            answer(id(from), SignalingCode::PeerNotFound, About::peer(id(to)))
        );
    }
    // Who was a guest is none any more.
    let leave = ClientMessage::Leave { room };
    assert_eq!(
        heard(&say(&mut rooms, id(2), leave)),
        [(id(1), left(room, 2))]
    );
    assert_eq!(
        say(&mut rooms, id(2), signal(id(1))),
        answer(id(2), SignalingCode::PeerNotFound, About::peer(id(1)))
    );
    assert_eq!(heard(&say(&mut rooms, id(3), enter(room))).len(), 2);
}

#[test]
fn a_code_that_is_not_open_is_not_found_and_one_that_is_open_is_taken() {
    let mut rooms = with_code("7K3M");
    let other = code("7K3N");
    assert_eq!(
        say(&mut rooms, id(2), enter(other)),
        refused_room(2, SignalingCode::CodeNotFound, other)
    );
    assert_eq!(rooms.census().code, 1);
    for n in [1, 2] {
        assert_eq!(
            say(&mut rooms, id(n), open("7K3M")),
            refused_room(n, SignalingCode::Taken, code("7K3M"))
        );
    }
}

#[test]
fn a_code_dies_with_its_third_guest() {
    let mut rooms = with_code("7K3M");
    let room = code("7K3M");
    let leave = ClientMessage::Leave { room };
    for n in [2, 3] {
        assert_eq!(heard(&say(&mut rooms, id(n), enter(room))).len(), 2);
        assert_eq!(
            heard(&say(&mut rooms, id(n), leave.clone())),
            [(id(1), left(room, n))]
        );
    }
    // The same guest once more is a third try, too.
    assert_eq!(heard(&say(&mut rooms, id(2), enter(room))).len(), 2);
    assert_eq!(
        heard(&rooms.disconnect(id(2))),
        [(id(1), left(room, 2)), (id(1), closed(room))]
    );
    assert!(is_refused(
        &say(&mut rooms, id(3), enter(room)),
        SignalingCode::CodeNotFound
    ));
    assert_eq!(rooms.census(), Census::default());
    assert_eq!(rooms.peers[&id(1)].rooms, []);
    // Its nameplate is free for someone else, who has all three guests before them.
    assert_eq!(heard(&say(&mut rooms, id(3), open("7K3M"))).len(), 1);
    assert_eq!(heard(&say(&mut rooms, id(1), enter(room))).len(), 2);
    assert_eq!(heard(&say(&mut rooms, id(1), leave)).len(), 1);
}

#[test]
fn a_code_dies_with_its_opener() {
    let room = code("7K3M");
    let ends: [fn(&mut Rooms) -> Vec<Action>; 2] = [
        |rooms| rooms.disconnect(id(1)),
        |rooms| {
            let room = code("7K3M");
            say(rooms, id(1), ClientMessage::Leave { room })
        },
    ];
    for end in ends {
        let mut rooms = with_code("7K3M");
        say(&mut rooms, id(2), enter(room));
        assert_eq!(
            heard(&end(&mut rooms)),
            [(id(2), left(room, 1)), (id(2), closed(room))]
        );
        assert_eq!(rooms.census(), Census::default());
        assert_eq!(
            say(&mut rooms, id(2), signal(id(1))),
            answer(id(2), SignalingCode::PeerNotFound, About::peer(id(1)))
        );
        assert!(is_refused(
            &say(&mut rooms, id(2), enter(room)),
            SignalingCode::CodeNotFound
        ));
    }
}

#[test]
fn a_code_ends_after_ten_minutes_whether_the_clock_or_a_message_comes_first() {
    let ten_minutes = Duration::from_secs(600);
    let room = code("7K3M");
    let start = Instant::now();
    let opened = || {
        let mut rooms = rooms();
        greeted(&mut rooms, 1..=2, HOME);
        rooms.receive(at(start), id(1), Incoming::Message(open("7K3M")));
        rooms.receive(at(start), id(2), Incoming::Message(enter(room)));
        rooms
    };
    let both = [(id(1), closed(room)), (id(2), closed(room))];

    let mut rooms = opened();
    assert_eq!(rooms.next_expiry(start), start + ten_minutes);
    let just_before = start + ten_minutes - Duration::from_millis(1);
    assert_eq!(rooms.expire(just_before), []);
    assert_eq!(heard(&rooms.expire(start + ten_minutes)), both);
    assert_eq!(rooms.expire(start + ten_minutes), []);
    assert_eq!(rooms.census(), Census::default());

    let mut rooms = opened();
    let actions = rooms.receive(
        at(start + ten_minutes),
        id(2),
        Incoming::Message(enter(room)),
    );
    let (first, second) = actions.split_at(1);
    assert_eq!(heard(first), both);
    assert!(is_refused(second, SignalingCode::CodeNotFound));
}

#[test]
fn no_code_ends_before_the_time_at_which_the_next_one_is_looked_for() {
    let mut rooms = rooms();
    greeted(&mut rooms, [1], HOME);
    let start = Instant::now();
    let minute = Duration::from_secs(60);
    // Nothing is open: whatever is opened from now on lives longer than that.
    assert_eq!(rooms.next_expiry(start), start + 10 * minute);
    rooms.receive(at(start + minute), id(1), Incoming::Message(open("0001")));
    assert_eq!(rooms.next_expiry(start), start + 11 * minute);
    rooms.receive(
        at(start + 2 * minute),
        id(1),
        Incoming::Message(open("0002")),
    );
    assert_eq!(rooms.next_expiry(start), start + 11 * minute);
    assert_eq!(rooms.expire(start + 11 * minute).len(), 1);
    assert_eq!(rooms.next_expiry(start), start + 12 * minute);
    assert_eq!(rooms.expire(start + 12 * minute).len(), 1);
}

#[test]
fn a_source_has_four_codes_open() {
    let mut rooms = rooms();
    greeted(&mut rooms, 1..=2, HOME);
    greeted(&mut rooms, [3], ELSEWHERE);
    for n in 0..4_u8 {
        let by = id(1 + n % 2);
        assert_eq!(
            heard(&say(&mut rooms, by, open(&format!("000{n}")))).len(),
            1
        );
    }
    for n in [1, 2] {
        assert_eq!(
            say(&mut rooms, id(n), open("0004")),
            refused_room(n, SignalingCode::RateLimited, code("0004"))
        );
    }
    let joined =
        |actions: &[Action]| matches!(heard(actions)[..], [(_, ServerMessage::Joined { .. })]);
    assert!(joined(&say(&mut rooms, id(3), open("0004"))));
    // One less is one more, however it ended.
    let room = code("0000");
    say(&mut rooms, id(1), ClientMessage::Leave { room });
    assert!(joined(&say(&mut rooms, id(2), open("0005"))));
    rooms.disconnect(id(2));
    assert!(joined(&say(&mut rooms, id(1), open("0006"))));
    let later = Instant::now() + Duration::from_secs(601);
    for name in ["0007", "0008", "0009", "000A"] {
        let actions = rooms.receive(at(later), id(1), Incoming::Message(open(name)));
        assert!(joined(&actions[actions.len() - 1..]), "{name}");
    }
    assert_eq!(rooms.census().code, 4);
}

#[test]
fn attempts_at_codes_are_counted_per_source_whoever_makes_them() {
    let mut rooms = with_code("7K3M");
    let now = Instant::now();
    let mut attempt = |after: Duration, n: u8, message: ClientMessage| {
        rooms.receive(at(now + after), id(n), Incoming::Message(message))
    };
    let leave = ClientMessage::Leave { room: code("7K3M") };
    // Peers 2 to 9 are one source; it matters neither who tries nor whether it succeeds.
    for n in 2..=9 {
        let found = attempt(Duration::ZERO, n, enter(code("0000")));
        assert!(is_refused(&found, SignalingCode::CodeNotFound));
    }
    assert_eq!(
        heard(&attempt(Duration::ZERO, 2, enter(code("7K3M")))).len(),
        2
    );
    attempt(Duration::ZERO, 2, leave);
    // Opening tells whether a code is open, as joining does.
    let taken = attempt(Duration::ZERO, 3, open("7K3M"));
    assert!(is_refused(&taken, SignalingCode::Taken));
    for (n, message) in [
        (2, enter(code("7K3M"))),
        (4, enter(code("0000"))),
        (5, open("7K3M")),
        (6, open("0000")),
    ] {
        let limited = attempt(Duration::ZERO, n, message);
        assert!(is_refused(&limited, SignalingCode::RateLimited));
    }
    // The other source goes on.
    let found = attempt(Duration::ZERO, 1, enter(code("0000")));
    assert!(is_refused(&found, SignalingCode::CodeNotFound));
    // One more every six seconds.
    for (milliseconds, code_there) in [
        (5_999, SignalingCode::RateLimited),
        (6_000, SignalingCode::CodeNotFound),
        (6_001, SignalingCode::RateLimited),
    ] {
        let after = Duration::from_millis(milliseconds);
        let answer = attempt(after, 7, enter(code("0000")));
        assert!(is_refused(&answer, code_there), "{milliseconds}");
    }
}

#[test]
fn attempts_at_codes_are_few_in_the_long_run() {
    let mut rooms = rooms();
    greeted(&mut rooms, [1], HOME);
    let now = Instant::now();
    let mut found = [0, 0];
    for second in 0..7200_u64 {
        let message = Incoming::Message(enter(code("0000")));
        let actions = rooms.receive(at(now + Duration::from_secs(second)), id(1), message);
        if is_refused(&actions, SignalingCode::CodeNotFound) {
            found[usize::from(second >= 3600)] += 1;
        }
    }
    // Sixty at once are used up within minutes; from then on it is sixty per hour.
    assert!((110..=120).contains(&found[0]), "{found:?}");
    assert!((59..=61).contains(&found[1]), "{found:?}");
}

#[test]
fn a_site_has_as_many_attempts_at_codes_as_eight_sources() {
    let mut rooms = rooms();
    for n in 0..30_u8 {
        greeted(&mut rooms, [n], &format!("2001:db8:1:{n:x}::1"));
    }
    let now = Instant::now();
    let mut found = 0;
    for n in 0..30 {
        for _ in 0..10 {
            let message = Incoming::Message(enter(code("0000")));
            let actions = rooms.receive(at(now), id(n), message);
            found += usize::from(is_refused(&actions, SignalingCode::CodeNotFound));
        }
    }
    assert_eq!(found, 80);
}

#[test]
fn private_addresses_use_codes_freely_unless_the_operator_says_otherwise() {
    for limit_private in [false, true] {
        let codes = CodeQuotas {
            limit_private,
            ..Limits::default().codes
        };
        let mut rooms = Rooms::new(rooms().quotas, codes, Services::default());
        greeted(&mut rooms, [1], "192.168.1.5");
        let opened = (0..20)
            .filter(|n| {
                let actions = say(&mut rooms, id(1), open(&format!("00{n:02}")));
                !is_refused(&actions, SignalingCode::RateLimited)
            })
            .count();
        assert_eq!(opened, if limit_private { 4 } else { 20 });
    }
}

#[test]
fn a_group_is_wherever_its_members_are_and_only_theirs() {
    let mut rooms = rooms();
    greeted(&mut rooms, 1..=2, HOME);
    greeted(&mut rooms, 3..=4, ELSEWHERE);
    say(&mut rooms, id(1), enter(group(1)));
    say(&mut rooms, id(2), enter(group(2)));
    let present = ServerMessage::Joined {
        room: group(1),
        peers: vec![peer(1, "Device")],
    };
    let newcomer = ServerMessage::PeerJoined {
        room: group(1),
        peer: peer(3, "Device"),
    };
    assert_eq!(
        heard(&say(&mut rooms, id(3), enter(group(1)))),
        [(id(3), present), (id(1), newcomer)]
    );
    for to in [2, 4] {
        assert_eq!(
            say(&mut rooms, id(1), signal(id(to))),
            answer(id(1), SignalingCode::PeerNotFound, About::peer(id(to)))
        );
    }
    assert_eq!(rooms.census().group, 2);
    rooms.disconnect(id(1));
    let leave = ClientMessage::Leave { room: group(1) };
    assert_eq!(say(&mut rooms, id(3), leave), []);
    assert_eq!(rooms.census().group, 1);
}

#[test]
fn the_33rd_of_a_group_and_the_9th_of_a_pair_find_it_full() {
    for (room, most) in [(group(1), ROOM_PEERS), (pair(1), PAIR_ROOM_PEERS)] {
        let mut rooms = rooms();
        let last = u8::try_from(most).unwrap();
        greeted(&mut rooms, 1..=last + 1, HOME);
        for n in 1..=last {
            let heard = heard(&say(&mut rooms, id(n), enter(room)));
            assert_eq!(heard.len(), usize::from(n));
        }
        assert_eq!(
            say(&mut rooms, id(last + 1), enter(room)),
            refused_room(last + 1, SignalingCode::RoomFull, room)
        );
    }
}

#[test]
fn a_pair_meets_without_cards_and_does_not_hear_of_them_later() {
    let mut rooms = rooms();
    greeted(&mut rooms, [1], HOME);
    greeted(&mut rooms, 2..=3, ELSEWHERE);
    say(&mut rooms, id(1), enter(pair(1)));
    let present = ServerMessage::Joined {
        room: pair(1),
        peers: vec![unnamed(1)],
    };
    let newcomer = ServerMessage::PeerJoined {
        room: pair(1),
        peer: unnamed(2),
    };
    assert_eq!(
        heard(&say(&mut rooms, id(2), enter(pair(1)))),
        [(id(2), present), (id(1), newcomer)]
    );
    for n in [1, 3] {
        say(&mut rooms, id(n), enter(group(1)));
    }
    let device = card("New name");
    let updated = ServerMessage::PeerUpdated {
        peer: peer(1, "New name"),
    };
    assert_eq!(
        heard(&say(&mut rooms, id(1), ClientMessage::Update { device })),
        [(id(3), updated)]
    );
    let again = ServerMessage::Joined {
        room: pair(1),
        peers: vec![unnamed(1)],
    };
    assert_eq!(
        heard(&say(&mut rooms, id(2), enter(pair(1)))),
        [(id(2), again)]
    );
}

#[test]
fn who_shares_two_rooms_hears_of_a_new_card_once() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    for n in [1, 2] {
        say(&mut rooms, id(n), enter(group(1)));
    }
    let device = card("New name");
    let heard = heard(&say(&mut rooms, id(1), ClientMessage::Update { device }));
    assert!(matches!(heard[..], [(to, _)] if to == id(2)));
    // Leaving one of them leaves them in the other.
    say(&mut rooms, id(1), leave());
    assert!(matches!(
        self::heard(&say(&mut rooms, id(1), signal(id(2))))[..],
        [(_, ServerMessage::Signal { .. })]
    ));
}

#[test]
fn who_may_be_anywhere_is_near_nobody() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    rooms.connect(Instant::now(), id(3), doubtful(HOME, Doubt::Client));
    say(&mut rooms, id(3), hello(&[1]));
    assert_eq!(
        say(&mut rooms, id(3), join()),
        refused_room(3, SignalingCode::NearbyUnavailable, Room::Nearby)
    );
    // The others are where they seem to be.
    assert_eq!(heard(&say(&mut rooms, id(1), join())).len(), 1);
    assert_eq!(heard(&say(&mut rooms, id(3), enter(group(1)))).len(), 1);
    assert_eq!(heard(&say(&mut rooms, id(3), open("7K3M"))).len(), 1);
}

#[test]
fn where_everyone_may_be_anywhere_nobody_is_near_as_long_as_it_lasts() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    joined(&mut rooms, [3, 4], ELSEWHERE);
    for n in [1, 2] {
        say(&mut rooms, id(n), enter(group(1)));
    }
    rooms.connect(Instant::now(), id(5), doubtful(HOME, Doubt::Everyone));
    // Before its hello it is nobody.
    assert_eq!(heard(&say(&mut rooms, id(1), join())).len(), 1);
    let told = heard(&say(&mut rooms, id(5), hello(&[1])));
    let over = closed(Room::Nearby);
    assert_eq!(told[1..], [(id(1), over.clone()), (id(2), over)]);
    for n in [1, 5] {
        assert_eq!(
            say(&mut rooms, id(n), join()),
            refused_room(n, SignalingCode::NearbyUnavailable, Room::Nearby)
        );
    }
    // Other rooms go on, and so does the rest of the world.
    let reached =
        |actions: &[Action]| matches!(heard(actions)[..], [(_, ServerMessage::Signal { .. })]);
    assert!(reached(&say(&mut rooms, id(1), signal(id(2)))));
    assert!(reached(&say(&mut rooms, id(3), signal(id(4)))));
    assert_eq!(heard(&say(&mut rooms, id(5), enter(group(1)))).len(), 3);

    rooms.connect(Instant::now(), id(6), doubtful(HOME, Doubt::Everyone));
    say(&mut rooms, id(6), hello(&[1]));
    rooms.disconnect(id(5));
    assert!(is_refused(
        &say(&mut rooms, id(1), join()),
        SignalingCode::NearbyUnavailable
    ));
    rooms.disconnect(id(6));
    assert_eq!(heard(&say(&mut rooms, id(1), join())).len(), 1);
    assert!(rooms.doubtful.is_empty());
}

#[test]
fn a_signal_that_is_passed_on_as_it_is_obeys_the_same_rules() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    joined(&mut rooms, [3], ELSEWHERE);
    rooms.connect(Instant::now(), id(4), location(HOME));
    let passed = |from: u8, to: u8| {
        let text = signal(id(to)).encode();
        PassedSignal::read(&text, id(from)).unwrap()
    };
    let mut say = |from: u8, to: u8| {
        let (to, signal) = passed(from, to);
        rooms.receive(
            at(Instant::now()),
            id(from),
            Incoming::Signal { to, signal },
        )
    };
    let (to, signal) = passed(1, 2);
    assert_eq!(say(1, 2), [Action::Pass { to, signal }]);
    for stranger in [1, 3, 9] {
        let refused = answer(
            id(1),
            SignalingCode::PeerNotFound,
            About::peer(id(stranger)),
        );
        assert_eq!(say(1, stranger), refused);
    }
    assert!(is_refused(&say(4, 1), SignalingCode::OutOfOrder));
    assert_eq!(say(9, 1), []);
}

#[test]
fn a_relayed_connection_is_for_whom_signals_reach() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    joined(&mut rooms, [3], ELSEWHERE);
    let asked = Action::OpenRelay {
        from: id(1),
        address: HOME.parse().unwrap(),
        to: id(2),
    };
    let open = |n| ClientMessage::OpenRelay { to: id(n) };
    assert_eq!(say(&mut rooms, id(1), open(2)), [asked]);
    for stranger in [1, 3, 9] {
        let refused = answer(
            id(1),
            SignalingCode::PeerNotFound,
            About::peer(id(stranger)),
        );
        assert_eq!(say(&mut rooms, id(1), open(stranger)), refused);
    }
    rooms.connect(Instant::now(), id(4), location(HOME));
    assert!(is_refused(
        &say(&mut rooms, id(4), open(1)),
        SignalingCode::OutOfOrder
    ));
    rooms.services.relay = false;
    let off = answer(id(1), SignalingCode::RelayOff, About::peer(id(2)));
    assert_eq!(say(&mut rooms, id(1), open(2)), off);
}

#[derive(Debug, Clone)]
enum Step {
    Connect(u8, usize, Doubt),
    Hello(u8),
    Join(u8, usize),
    Open(u8, usize),
    Leave(u8, usize),
    Signal(u8, u8),
    OpenRelay(u8, u8),
    Update(u8),
    Invalid(u8),
    Disconnect(u8),
    Wait(u64),
    Expire,
}

const ADDRESSES: [&str; 6] = [
    HOME,
    ELSEWHERE,
    "192.168.1.5",
    "::1",
    "2001:db8::1",
    "2001:db8::ffff:1",
];

const NAMEPLATES: [&str; 3] = ["0000", "7K3M", "ZZZZ"];

/// Rooms that peers may name. Two share their bits, which must not matter.
fn some_rooms() -> [Room; 8] {
    let [first, second, third] = NAMEPLATES.map(code);
    [
        Room::Nearby,
        first,
        second,
        third,
        group(0),
        group(7),
        pair(0),
        pair(7),
    ]
}

fn doubt() -> impl Strategy<Value = Doubt> {
    prop_oneof![
        20 => Just(Doubt::None),
        1 => Just(Doubt::Client),
        1 => Just(Doubt::Everyone),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let peer = || 0..40_u8;
    let room = || 0..some_rooms().len();
    prop_oneof![
        3 => (peer(), 0..ADDRESSES.len(), doubt())
            .prop_map(|(peer, address, doubt)| Step::Connect(peer, address, doubt)),
        3 => peer().prop_map(Step::Hello),
        6 => (peer(), room()).prop_map(|(peer, room)| Step::Join(peer, room)),
        3 => (peer(), 0..NAMEPLATES.len()).prop_map(|(peer, name)| Step::Open(peer, name)),
        2 => (peer(), room()).prop_map(|(peer, room)| Step::Leave(peer, room)),
        4 => (peer(), peer()).prop_map(|(from, to)| Step::Signal(from, to)),
        2 => (peer(), peer()).prop_map(|(from, to)| Step::OpenRelay(from, to)),
        1 => peer().prop_map(Step::Update),
        1 => peer().prop_map(Step::Invalid),
        1 => peer().prop_map(Step::Disconnect),
        1 => (0..400_u64).prop_map(Step::Wait),
        1 => Just(Step::Expire),
    ]
}

/// What clients could know: everything here was learned from the server's messages.
#[derive(Default)]
struct World {
    addresses: BTreeMap<PeerId, IpAddr>,
    /// What the server was told of each client's address.
    doubts: BTreeMap<PeerId, Doubt>,
    greeted: BTreeSet<PeerId>,
    /// The others in each room of each client.
    views: BTreeMap<(PeerId, Room), BTreeSet<PeerId>>,
}

impl World {
    /// Which place a client means by a room: nobody else's network.
    fn place(&self, peer: PeerId, room: Room) -> (Room, Option<NearbyKey>) {
        let nearby = (room == Room::Nearby).then(|| NearbyKey::of(self.addresses[&peer]));
        (room, nearby)
    }

    fn view(&mut self, peer: PeerId, room: Room) -> &mut BTreeSet<PeerId> {
        self.views.get_mut(&(peer, room)).unwrap()
    }

    /// Rooms in which one client sees another.
    fn shared(&self, one: PeerId, other: PeerId) -> impl Iterator<Item = Room> {
        let of_one = self.views.iter().filter(move |((peer, _), _)| *peer == one);
        of_one
            .filter(move |(_, view)| view.contains(&other))
            .map(|((_, room), _)| *room)
    }

    /// Applies what the server did. `actor` may itself be closed by it.
    fn apply(&mut self, actions: &[Action]) {
        for action in actions {
            if let Action::Close { peer, .. } = action {
                self.forget(*peer);
            }
            if let Action::OpenRelay { from, address, to } = action {
                assert_eq!(*address, self.addresses[from]);
                assert!(self.shared(*to, *from).next().is_some());
                assert!(self.shared(*from, *to).next().is_some());
            }
            for (to, message) in heard(std::slice::from_ref(action)) {
                assert!(
                    self.addresses.contains_key(&to),
                    "sent to a peer that is gone"
                );
                match message {
                    ServerMessage::Joined { room, peers } => {
                        let shown = |peer: &Peer| peer.device.is_some() == room.shows_cards();
                        assert!(peers.iter().all(shown));
                        let ids = peers.iter().map(|peer| peer.id).collect();
                        self.views.insert((to, room), ids);
                    }
                    ServerMessage::PeerJoined { room, peer } => {
                        assert_eq!(peer.device.is_some(), room.shows_cards());
                        assert!(self.view(to, room).insert(peer.id));
                    }
                    ServerMessage::PeerLeft { room, peer } => {
                        assert!(self.view(to, room).remove(&peer));
                    }
                    ServerMessage::RoomClosed { room } => {
                        assert!(self.views.remove(&(to, room)).is_some());
                    }
                    ServerMessage::PeerUpdated { peer } => {
                        assert!(self.shared(to, peer.id).any(Room::shows_cards));
                    }
                    ServerMessage::Signal { from, .. } => {
                        assert!(self.shared(to, from).next().is_some());
                        assert!(self.shared(from, to).next().is_some());
                    }
                    ServerMessage::Welcome(welcome) => {
                        assert_eq!(welcome.peer, to);
                        self.greeted.insert(to);
                    }
                    ServerMessage::Error { .. } => {}
                    ServerMessage::Relay { .. } | ServerMessage::IceServers { .. } => {
                        panic!("the rooms have no tickets and no clock")
                    }
                    ServerMessage::Unknown => panic!("the server says what it doesn't know"),
                }
            }
        }
    }

    fn forget(&mut self, peer: PeerId) {
        self.addresses.remove(&peer);
        self.greeted.remove(&peer);
        self.views.retain(|(other, _), _| *other != peer);
    }

    /// Every client's view of a room is exactly who else is in the same place, and no place is too full.
    fn check(&self) {
        for ((peer, room), view) in &self.views {
            let expected: BTreeSet<_> = self
                .views
                .keys()
                .filter(|(other, named)| {
                    other != peer && self.place(*other, *named) == self.place(*peer, *room)
                })
                .map(|(other, _)| *other)
                .collect();
            assert_eq!(*view, expected, "{peer} in {room:?}");
            let most = match room {
                Room::Code { .. } => 2,
                Room::Pair { .. } => PAIR_ROOM_PEERS,
                _ => ROOM_PEERS,
            };
            assert!(view.len() < most);
        }
        // Nobody is near whose place is in doubt, nor anyone else who seems to be there.
        let nearby = || self.views.keys().filter(|(_, room)| *room == Room::Nearby);
        assert!(nearby().all(|(peer, _)| self.doubts[peer] == Doubt::None));
        for one in &self.greeted {
            let place = self.place(*one, Room::Nearby);
            let hidden = self.doubts[one] == Doubt::Everyone;
            assert!(!hidden || nearby().all(|(peer, room)| self.place(*peer, *room) != place));
        }
    }

    /// The number of rooms of each kind.
    fn census(&self) -> Census {
        let places: HashSet<_> = self
            .views
            .keys()
            .map(|(peer, room)| self.place(*peer, *room))
            .collect();
        let of = |kind: fn(&Room) -> bool| places.iter().filter(|(room, _)| kind(room)).count();
        Census {
            nearby: of(|room| matches!(room, Room::Nearby)),
            code: of(|room| matches!(room, Room::Code { .. })),
            group: of(|room| matches!(room, Room::Group { .. })),
            pair: of(|room| matches!(room, Room::Pair { .. })),
        }
    }
}

proptest! {
    #[test]
    fn views_are_right_rooms_are_apart_and_nothing_stays_behind(steps in proptest::collection::vec(step(), 0..400)) {
        let mut rooms = rooms();
        let mut world = World::default();
        let mut now = Instant::now();
        for step in steps {
            let mut say = |n, message| rooms.receive(at(now), id(n), Incoming::Message(message));
            let actions = match step {
                Step::Connect(n, address, doubt) => {
                    let location = doubtful(ADDRESSES[address], doubt);
                    if rooms.connect(now, id(n), location) {
                        world.addresses.insert(id(n), location.address);
                        world.doubts.insert(id(n), doubt);
                    }
                    Vec::new()
                }
                Step::Hello(n) => say(n, hello(&[1])),
                Step::Join(n, room) => say(n, enter(some_rooms()[room])),
                Step::Open(n, name) => say(n, open(NAMEPLATES[name])),
                Step::Leave(n, room) => {
                    let room = some_rooms()[room];
                    let actions = rooms.expire(now);
                    world.apply(&actions);
                    world.views.remove(&(id(n), room));
                    rooms.receive(at(now), id(n), Incoming::Message(ClientMessage::Leave { room }))
                }
                Step::OpenRelay(from, to) => say(from, ClientMessage::OpenRelay { to: id(to) }),
                Step::Signal(from, to) => say(from, signal(id(to))),
                Step::Update(n) => say(n, ClientMessage::Update { device: card("Other") }),
                Step::Invalid(n) => rooms.receive(at(now), id(n), Incoming::Invalid),
                Step::Disconnect(n) => {
                    let actions = rooms.disconnect(id(n));
                    world.forget(id(n));
                    actions
                }
                Step::Wait(seconds) => {
                    now += Duration::from_secs(seconds);
                    Vec::new()
                }
                Step::Expire => {
                    prop_assert!(rooms.next_expiry(now) > now || rooms.codes.overdue(now).is_some());
                    rooms.expire(now)
                }
            };
            world.apply(&actions);
            world.check();
            prop_assert_eq!(rooms.peers(), world.addresses.len());
            prop_assert_eq!(rooms.census(), world.census());
            prop_assert!(rooms.rooms.values().all(|members| !members.is_empty()));
        }
        for n in 0..40 {
            rooms.disconnect(id(n));
        }
        prop_assert!(rooms.peers.is_empty() && rooms.rooms.is_empty());
        prop_assert_eq!(rooms.census(), Census::default());
        prop_assert!(rooms.codes.is_empty() && rooms.doubtful.is_empty());
    }
}
