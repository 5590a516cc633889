//! The rules, without sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;
use tabferry_protocol::id::ConnectionId;
use tabferry_protocol::version::Versions;

use super::*;

const HOME: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.9";

fn rate(burst: u32, per_minute: u32) -> Rate {
    Rate {
        burst: NonZeroU32::new(burst).unwrap(),
        per_minute: NonZeroU32::new(per_minute).unwrap(),
    }
}

fn rooms() -> Rooms {
    let quotas = PeerQuotas {
        messages: rate(120, 120),
        refusals: rate(4, 6),
    };
    Rooms::new(quotas, Vec::new())
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
    rooms.receive(Instant::now(), from, Incoming::Message(message))
}

/// Connects peers 1 to `count` from `address`, each with its hello said.
fn greeted(rooms: &mut Rooms, ids: impl IntoIterator<Item = u8>, address: &str) {
    for n in ids {
        assert!(rooms.connect(Instant::now(), id(n), address.parse().unwrap()));
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
            Action::Close { .. } => None,
        })
        .flat_map(|(to, message)| to.iter().map(|peer| (*peer, message.clone())))
        .collect()
}

fn refused(to: u8, code: SignalingCode) -> Vec<Action> {
    answer(id(to), code, None)
}

#[test]
fn hello_is_answered_with_id_version_address_and_ice_servers() {
    let server = IceServer {
        url: "stun:stun.example.org:3478".to_owned(),
        username: None,
        credential: None,
    };
    let mut rooms = Rooms::new(rooms().quotas, vec![server.clone()]);
    rooms.connect(Instant::now(), id(1), "::ffff:203.0.113.7".parse().unwrap());
    assert!(!rooms.has_greeted(id(1)));
    let welcome = ServerMessage::Welcome(Welcome {
        version: 1,
        peer: id(1),
        address: HOME.to_owned(),
        ice_servers: vec![server],
    });
    assert_eq!(
        heard(&say(&mut rooms, id(1), hello(&[7, 1, 9]))),
        [(id(1), welcome)]
    );
}

#[test]
fn an_id_is_given_once() {
    let mut rooms = rooms();
    assert!(rooms.connect(Instant::now(), id(1), HOME.parse().unwrap()));
    assert!(!rooms.connect(Instant::now(), id(1), HOME.parse().unwrap()));
}

#[test]
fn who_speaks_no_common_version_is_told_and_closed() {
    let mut rooms = rooms();
    rooms.connect(Instant::now(), id(1), HOME.parse().unwrap());
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
    rooms.connect(Instant::now(), id(1), HOME.parse().unwrap());
    for message in [join(), leave(), signal(id(2))] {
        let answer = say(&mut rooms, id(1), message);
        assert_eq!(answer, refused(1, SignalingCode::OutOfOrder));
    }
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
            answer(id(1), SignalingCode::PeerNotFound, Some(to))
        );
    }
    // Someone who is in no room reaches nobody either.
    assert_eq!(
        say(&mut rooms, id(4), signal(id(1))),
        answer(id(4), SignalingCode::PeerNotFound, Some(id(1)))
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
        answer(id(1), SignalingCode::Unsupported, Some(id(2)))
    );
    assert_eq!(rooms.rooms(), 1);
}

#[test]
fn a_card_is_needed_where_cards_are_shown() {
    let mut rooms = rooms();
    greeted(&mut rooms, [1], HOME);
    let without = ClientMessage::Join {
        room: Room::Nearby,
        device: None,
    };
    assert_eq!(
        say(&mut rooms, id(1), without),
        refused(1, SignalingCode::InvalidMessage)
    );
    assert_eq!(rooms.rooms(), 0);
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
        refused(last + 1, SignalingCode::RoomFull)
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
    let key = |n: u64| RoomKey::Nearby(NearbyKey::V6(n));
    for n in 0..8 {
        assert_eq!(heard(&rooms.enter(id(1), key(n), None)).len(), 1);
    }
    assert_eq!(rooms.peers[&id(1)].rooms.len(), ROOMS_PER_PEER);
    assert_eq!(
        rooms.enter(id(1), key(8), None),
        refused(1, SignalingCode::RateLimited)
    );
    assert_eq!(rooms.rooms(), ROOMS_PER_PEER);
    rooms.disconnect(id(1));
    assert_eq!(rooms.rooms(), 0);
}

#[test]
fn a_burst_of_candidates_passes_and_a_flood_is_refused_then_closed() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    let now = Instant::now();
    // Peer 1 has used two of its messages.
    for _ in 0..118 {
        let actions = rooms.receive(now, id(1), Incoming::Message(signal(id(2))));
        assert!(matches!(heard(&actions)[..], [(to, _)] if to == id(2)));
    }
    let limited = answer(id(1), SignalingCode::RateLimited, Some(id(2)));
    for _ in 0..4 {
        let actions = rooms.receive(now, id(1), Incoming::Message(signal(id(2))));
        assert_eq!(actions, limited);
    }
    let actions = rooms.receive(now, id(1), Incoming::Empty);
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
    assert_eq!(rooms.receive(now, id(1), Incoming::Invalid), []);
}

#[test]
fn after_a_rest_messages_pass_again() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    let now = Instant::now();
    for _ in 0..120 {
        rooms.receive(now, id(1), Incoming::Message(signal(id(2))));
    }
    let later = now + Duration::from_secs(2);
    let passed = (0..5)
        .filter(|_| {
            let actions = rooms.receive(later, id(1), Incoming::Message(signal(id(2))));
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
        let actions = rooms.receive(now, id(1), Incoming::Invalid);
        assert_eq!(actions, refused(1, SignalingCode::InvalidMessage));
    }
    let actions = rooms.receive(now, id(1), Incoming::Invalid);
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
    assert_eq!((rooms.peers(), rooms.rooms()), (0, 0));
}

#[test]
fn stopping_tells_and_closes_everyone() {
    let mut rooms = rooms();
    joined(&mut rooms, [1, 2], HOME);
    joined(&mut rooms, [3], ELSEWHERE);
    rooms.connect(Instant::now(), id(4), HOME.parse().unwrap());
    let actions = rooms.shut_down();
    let stopping = error(SignalingCode::ShuttingDown, None);
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
    assert_eq!((rooms.peers(), rooms.rooms()), (0, 0));
}

#[derive(Debug, Clone)]
enum Step {
    Connect(u8, usize),
    Hello(u8),
    Join(u8),
    Leave(u8),
    Signal(u8, u8),
    Update(u8),
    Invalid(u8),
    Disconnect(u8),
}

const ADDRESSES: [&str; 6] = [
    HOME,
    ELSEWHERE,
    "192.168.1.5",
    "::1",
    "2001:db8::1",
    "2001:db8::ffff:1",
];

fn step() -> impl Strategy<Value = Step> {
    let peer = || 0..40_u8;
    prop_oneof![
        3 => (peer(), 0..ADDRESSES.len()).prop_map(|(peer, address)| Step::Connect(peer, address)),
        3 => peer().prop_map(Step::Hello),
        4 => peer().prop_map(Step::Join),
        1 => peer().prop_map(Step::Leave),
        4 => (peer(), peer()).prop_map(|(from, to)| Step::Signal(from, to)),
        1 => peer().prop_map(Step::Update),
        1 => peer().prop_map(Step::Invalid),
        1 => peer().prop_map(Step::Disconnect),
    ]
}

/// What clients could know: everything here was learned from the server's messages.
#[derive(Default)]
struct World {
    addresses: BTreeMap<PeerId, IpAddr>,
    /// Per client, the others in its room; absent while it is in none.
    views: BTreeMap<PeerId, BTreeSet<PeerId>>,
}

impl World {
    fn key(&self, peer: PeerId) -> NearbyKey {
        NearbyKey::of(self.addresses[&peer])
    }

    /// Applies what the server did. `actor` may itself be closed by it.
    fn apply(&mut self, actions: &[Action]) {
        for action in actions {
            if let Action::Close { peer, .. } = action {
                self.forget(*peer);
            }
            for (to, message) in heard(std::slice::from_ref(action)) {
                assert!(
                    self.addresses.contains_key(&to),
                    "sent to a peer that is gone"
                );
                match message {
                    ServerMessage::Joined { peers, .. } => {
                        assert!(peers.len() < ROOM_PEERS);
                        let ids = peers.iter().map(|peer| peer.id).collect();
                        self.views.insert(to, ids);
                    }
                    ServerMessage::PeerJoined { peer, .. } => {
                        assert!(self.views.get_mut(&to).unwrap().insert(peer.id));
                    }
                    ServerMessage::PeerLeft { peer, .. } => {
                        assert!(self.views.get_mut(&to).unwrap().remove(&peer));
                    }
                    ServerMessage::PeerUpdated { peer } => {
                        assert!(self.views[&to].contains(&peer.id));
                    }
                    ServerMessage::Signal { from, .. } => {
                        assert!(self.views[&to].contains(&from));
                        assert_eq!(self.key(to), self.key(from), "out of the room");
                    }
                    ServerMessage::Welcome(welcome) => assert_eq!(welcome.peer, to),
                    ServerMessage::Error { .. } => {}
                    ServerMessage::Unknown => panic!("the server says what it doesn't know"),
                }
            }
        }
    }

    fn forget(&mut self, peer: PeerId) {
        self.addresses.remove(&peer);
        self.views.remove(&peer);
    }

    /// Every client's view is exactly who else joined from the same place.
    fn check(&self) {
        for (peer, view) in &self.views {
            let expected: BTreeSet<_> = self
                .views
                .keys()
                .filter(|other| *other != peer && self.key(**other) == self.key(*peer))
                .copied()
                .collect();
            assert_eq!(*view, expected, "{peer}");
        }
    }
}

proptest! {
    #[test]
    fn views_are_right_rooms_are_apart_and_nothing_stays_behind(steps in proptest::collection::vec(step(), 0..400)) {
        let mut rooms = rooms();
        let mut world = World::default();
        for step in steps {
            let actions = match step {
                Step::Connect(n, address) => {
                    let address = ADDRESSES[address].parse().unwrap();
                    if rooms.connect(Instant::now(), id(n), address) {
                        world.addresses.insert(id(n), address);
                    }
                    Vec::new()
                }
                Step::Hello(n) => say(&mut rooms, id(n), hello(&[1])),
                Step::Join(n) => say(&mut rooms, id(n), join()),
                Step::Leave(n) => {
                    world.views.remove(&id(n));
                    say(&mut rooms, id(n), leave())
                }
                Step::Signal(from, to) => say(&mut rooms, id(from), signal(id(to))),
                Step::Update(n) => say(&mut rooms, id(n), ClientMessage::Update { device: card("Other") }),
                Step::Invalid(n) => rooms.receive(Instant::now(), id(n), Incoming::Invalid),
                Step::Disconnect(n) => {
                    let actions = rooms.disconnect(id(n));
                    world.forget(id(n));
                    actions
                }
            };
            world.apply(&actions);
            world.check();
            prop_assert_eq!(rooms.peers(), world.addresses.len());
            prop_assert!(rooms.rooms.values().all(|members| (1..=ROOM_PEERS).contains(&members.len())));
        }
        for n in 0..40 {
            rooms.disconnect(id(n));
        }
        prop_assert!(rooms.peers.is_empty() && rooms.rooms.is_empty());
    }
}
