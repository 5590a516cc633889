//! Devices that meet by a code, by being paired or in a group: who sees whom, what a code is good for, and for how long.

use evil::{Evil, Variant};
use tabferry_engine::Input;
use tabferry_protocol::code::Code;
use tabferry_protocol::frame::{CodeProof, ControlFrame};
use tabferry_protocol::host::{
    CodeEnd, CodeStep, Command, GroupState, TransferState, TrustCommand, Visibility, Visible,
};
use tabferry_protocol::limits::{
    CODE_GUESTS, CODE_LIFE_MS, CODE_PROOF_MESSAGE_BYTES, ROOM_RETRY_MS,
};
use tabferry_protocol::secret_code::{CodeText, GroupCode};
use tabferry_protocol::signaling::{Room, ServerMessage};

use crate::plan::Plan;
use crate::random::Random;
use crate::world::World;

const HOUR_MS: u64 = 60 * 60_000;

/// Devices that nobody near may find.
fn hidden(nodes: usize) -> World {
    let mut world = World::new(Random::new(7), Plan::scripted(nodes));
    for node in 0..nodes {
        world.nodes[node].visibility = Visibility::Paired;
    }
    world.run_for(5_000);
    world
}

impl World {
    fn set_visibility(&mut self, node: usize, visibility: Visibility) {
        self.nodes[node].visibility = visibility;
        self.configure(node);
    }

    fn code(&self, node: usize) -> Option<CodeStep> {
        self.trust(node).code
    }

    fn open_code(&mut self, node: usize) -> String {
        self.decide(node, TrustCommand::OpenCode);
        self.run_while("no code", 60_000, |world| {
            !matches!(world.code(node), Some(CodeStep::Shows { .. }))
        });
        let Some(CodeStep::Shows { code, wrong: 0, .. }) = self.code(node) else {
            panic!("no code is shown")
        };
        code.expose().to_owned()
    }

    /// Types a code and waits for what comes of it.
    fn enter_code(&mut self, node: usize, typed: &str) -> CodeStep {
        let typed = CodeText::from(typed.to_owned());
        self.decide(node, TrustCommand::EnterCode { typed });
        self.run_while("a code comes to no end", 60_000, |world| {
            matches!(world.code(node), Some(CodeStep::Connecting))
        });
        self.code(node).expect("how it ended")
    }

    fn sees(&self, node: usize, other: usize) -> bool {
        let devices = &self.nodes[node].snapshot.devices;
        devices
            .iter()
            .any(|device| device.id == self.nodes[other].device)
    }

    fn await_sight(&mut self, one: usize, other: usize) {
        self.run_while("two devices don't see each other", 120_000, |world| {
            !(world.sees(one, other) && world.sees(other, one))
        });
    }

    fn connect_by_code(&mut self, host: usize, guest: usize) {
        let code = self.open_code(host);
        let step = self.enter_code(guest, &code);
        assert!(matches!(step, CodeStep::Done { .. }), "{step:?}");
        self.run_while("the host hears nothing", 60_000, |world| {
            !matches!(world.code(host), Some(CodeStep::Done { .. }))
        });
    }
}

/// Another code in the same room.
fn with_another_secret(code: &str) -> String {
    let last = code.chars().last().unwrap();
    let other = if last == '0' { '1' } else { '0' };
    format!("{}{other}", &code[..code.len() - 1])
}

fn ended(reason: CodeEnd) -> CodeStep {
    CodeStep::Ended { reason }
}

#[test]
fn two_devices_with_the_same_code_are_paired_and_meet_again_wherever_they_are() {
    let mut world = hidden(2);
    assert!(!world.sees(0, 1) && !world.sees(1, 0));
    world.connect_by_code(0, 1);
    assert!(world.is_paired(0, 1) && world.is_paired(1, 0));
    let secrets = [0, 1].map(|node| world.nodes[node].paired[0].secret.clone());
    assert_eq!(secrets[0], secrets[1]);
    world.await_sight(0, 1);
    assert!(world.nodes[0].snapshot.devices[0].paired);
    let sending = world.send_item(0, 1);
    assert_eq!(world.await_end(sending), TransferState::Done);

    // After a restart of one, of the server, and in every later hour.
    world.vanish(0);
    world.run_for(60_000);
    assert!(!world.sees(1, 0));
    world.calm_down();
    world.await_sight(0, 1);
    world.kill_server(0);
    world.run_for(10_000);
    assert!(!world.sees(0, 1));
    world.start_server(0);
    world.await_sight(0, 1);
    for _ in 0..4 {
        let until = world.now + HOUR_MS;
        while world.now < until {
            world.run_for(20_000);
            assert!(world.sees(0, 1) && world.sees(1, 0), "at {}", world.now);
        }
    }
    let sending = world.send_item(1, 0);
    assert_eq!(world.await_end(sending), TransferState::Done);

    // Until one wants no more of it: then the other, who alone still knows the room, sees nobody there.
    let device = world.nodes[1].device;
    world.decide(0, TrustCommand::Unpair { device });
    world.run_for(1_000);
    assert!(!world.sees(0, 1) && !world.sees(1, 0));
}

#[test]
fn what_is_sent_right_after_a_code_is_asked_once_and_waits_for_its_answer() {
    let mut world = hidden(2);
    world.connect_by_code(0, 1);
    let sending = world.send_files(0, 1, &[1_000]);
    world.run_while("no proposal", 60_000, |world| {
        world.nodes[1].snapshot.incoming.is_empty()
    });
    let asked = world.nodes[1].snapshot.incoming[0].transfer;
    world.run_for(60_000);
    let waiting = &world.nodes[1].snapshot.incoming;
    assert_eq!(
        waiting.iter().map(|it| it.transfer).collect::<Vec<_>>(),
        [asked]
    );
    world.accept(1, asked);
    assert_eq!(world.await_end(sending), TransferState::Done);
}

#[test]
fn devices_that_are_paired_again_keep_what_their_persons_chose() {
    let mut world = hidden(2);
    world.connect_by_code(0, 1);
    world.allow_files(1, 0, Some(1_000));
    let before = world.nodes[1].paired[0].clone();
    world.run_for(10_000);
    world.connect_by_code(1, 0);
    let [one, other] = [0, 1].map(|node| world.nodes[node].paired[0].clone());
    assert_eq!(
        (other.auto_accept, other.since),
        (before.auto_accept, before.since)
    );
    assert_ne!(other.secret, before.secret);
    assert_eq!(one.secret, other.secret);
    world.await_sight(0, 1);
}

#[test]
fn a_code_is_not_typed_while_a_pairing_is_under_way() {
    let mut world = World::new(Random::new(7), Plan::scripted(2));
    world.meet_all();
    let with = world.nodes[1].device;
    world.decide(0, TrustCommand::Pair { with });
    let code = Code::Busy;
    assert_eq!(
        world.enter_code(0, "A1B2-0XYZ"),
        ended(CodeEnd::Failed { code })
    );
}

#[test]
fn a_wrong_code_connects_nobody_and_the_right_one_still_does() {
    let mut world = hidden(2);
    let code = world.open_code(0);
    let step = world.enter_code(1, &with_another_secret(&code));
    assert_eq!(step, ended(CodeEnd::Wrong));
    world.run_for(1_000);
    assert!(matches!(
        world.code(0),
        Some(CodeStep::Shows { wrong: 1, .. })
    ));
    assert!(!world.sees(0, 1) && !world.sees(1, 0));
    let step = world.enter_code(1, &code.to_lowercase().replace('-', " "));
    assert!(matches!(step, CodeStep::Done { .. }), "{step:?}");
}

#[test]
fn a_code_ends_after_three_wrong_guesses() {
    let mut world = hidden(2);
    let code = world.open_code(0);
    for _ in 0..CODE_GUESTS {
        let step = world.enter_code(1, &with_another_secret(&code));
        assert_eq!(step, ended(CodeEnd::Wrong));
        world.run_for(100);
    }
    assert_eq!(world.code(0), Some(ended(CodeEnd::Guessed)));
    assert_eq!(world.enter_code(1, &code), ended(CodeEnd::NotFound));
    assert!(!world.is_paired(0, 1) && !world.is_paired(1, 0));
}

#[test]
fn a_code_serves_once_and_for_ten_minutes() {
    let mut world = hidden(3);
    let code = world.open_code(0);
    let step = world.enter_code(1, &code);
    assert!(matches!(step, CodeStep::Done { .. }), "{step:?}");
    world.run_for(1_000);
    assert_eq!(world.enter_code(2, &code), ended(CodeEnd::NotFound));

    let code = world.open_code(0);
    world.run_for(CODE_LIFE_MS - 5_000);
    assert!(matches!(world.code(0), Some(CodeStep::Shows { .. })));
    world.run_for(10_000);
    assert_eq!(world.code(0), Some(ended(CodeEnd::Expired)));
    assert_eq!(world.enter_code(2, &code), ended(CodeEnd::NotFound));

    // A person may think better of it at any time.
    let code = world.open_code(0);
    world.decide(0, TrustCommand::EndCode);
    assert_eq!(world.code(0), None);
    world.run_for(1_000);
    assert_eq!(world.enter_code(2, &code), ended(CodeEnd::NotFound));
}

#[test]
fn what_is_no_code_or_has_no_server_is_said_at_once() {
    let mut world = hidden(1);
    for (typed, reason) in [
        ("", CodeEnd::Mistyped),
        ("A1B2-0XY", CodeEnd::Mistyped),
        ("A1B2-0XYZ", CodeEnd::NotFound),
        ("https://ferry.example/#code=A1B20XYZ", CodeEnd::NotFound),
    ] {
        assert_eq!(world.enter_code(0, typed), ended(reason), "{typed}");
    }
    world.kill_server(0);
    world.run_for(10_000);
    let unreachable = ended(CodeEnd::Failed {
        code: Code::Unreachable,
    });
    assert_eq!(world.enter_code(0, "A1B2-0XYZ"), unreachable);
    world.decide(0, TrustCommand::OpenCode);
    assert_eq!(world.code(0), Some(unreachable));
}

#[test]
fn a_code_whose_server_goes_away_has_ended() {
    let mut world = hidden(1);
    world.open_code(0);
    world.kill_server(0);
    world.run_for(10_000);
    let code = Code::Unreachable;
    assert_eq!(world.code(0), Some(ended(CodeEnd::Failed { code })));
}

#[test]
fn a_wrong_code_between_devices_that_see_each_other_disturbs_nothing() {
    let mut world = World::new(Random::new(7), Plan::scripted(2));
    world.meet_all();
    let sending = world.send_files(0, 1, &[8 * 1024 * 1024]);
    world.run_while("no proposal", 60_000, |world| {
        world.nodes[1].snapshot.incoming.is_empty()
    });
    let transfer = world.nodes[1].snapshot.incoming[0].transfer;
    world.accept(1, transfer);
    world.run_for(100);
    let code = world.open_code(1);
    let step = world.enter_code(0, &with_another_secret(&code));
    assert_eq!(step, ended(CodeEnd::Wrong));
    assert!(matches!(
        world.code(1),
        Some(CodeStep::Shows { wrong: 1, .. })
    ));
    let step = world.enter_code(0, &code);
    assert!(matches!(step, CodeStep::Done { .. }), "{step:?}");
    assert_eq!(world.await_end(sending), TransferState::Done);
    assert!(world.is_paired(0, 1) && world.is_paired(1, 0));
}

#[test]
fn ten_thousand_wrong_guesses_open_nothing() {
    let guesses = 10_000;
    let mut world = hidden(2);
    let mut made = 0;
    while made < guesses {
        let code = world.open_code(0);
        for _ in 0..CODE_GUESTS {
            let step = world.enter_code(1, &with_another_secret(&code));
            assert_eq!(step, ended(CodeEnd::Wrong));
            made += 1;
            world.run_for(100);
        }
        assert_eq!(world.code(0), Some(ended(CodeEnd::Guessed)));
    }
    assert!(!world.is_paired(0, 1) && !world.is_paired(1, 0));
    world.connect_by_code(0, 1);
}

#[test]
fn a_malicious_server_pairs_nobody_by_a_code() {
    let attacks = [
        Variant::Middle,
        Variant::MiddleWithOwnKey,
        Variant::SwapBoth,
        Variant::SwapOffer,
        Variant::SwapAnswer,
        Variant::Append,
        Variant::Sha1,
        Variant::Nonce,
    ];
    for (variant, seed) in attacks
        .iter()
        .flat_map(|variant| (0..50).map(move |seed| (*variant, seed)))
    {
        let mut world = hidden(2);
        world.random = Random::new(seed);
        world.evil = Some(Evil::new(variant, seed));
        let code = world.open_code(0);
        let step = world.enter_code(1, &code);
        assert!(
            matches!(step, CodeStep::Ended { .. }),
            "{variant} {seed}: {step:?}"
        );
        world.run_for(60_000);
        assert!(
            !world.is_paired(0, 1) && !world.is_paired(1, 0),
            "{variant} {seed}"
        );
        assert!(
            world.nodes.iter().all(|node| node.paired.is_empty()),
            "{variant} {seed}"
        );
        // Who speaks for himself gets a guest's first message: a point, which says nothing without a guess.
        let message = vec![0; CODE_PROOF_MESSAGE_BYTES];
        let point = ControlFrame::CodeProof(CodeProof { message }).encode();
        let most = if variant == Variant::MiddleWithOwnKey {
            point.len() as u64
        } else {
            0
        };
        assert!(world.middle.read <= most, "{variant} {seed}");
    }
}

#[test]
fn the_devices_of_a_group_see_each_other_until_they_leave() {
    let mut world = hidden(3);
    let name = GroupCode::from_random([5; 5]);
    for node in [0, 1] {
        world.nodes[node].groups = vec![name];
        world.configure(node);
    }
    world.await_sight(0, 1);
    assert!(!world.sees(0, 2) && !world.sees(2, 0));
    assert!(!world.nodes[0].snapshot.devices[0].paired);
    assert_eq!(
        world.trust(0).groups[0].state,
        GroupState::Joined { others: 1 }
    );
    let sending = world.send_item(0, 1);
    assert_eq!(world.await_end(sending), TransferState::Done);
    world.nodes[1].groups.clear();
    world.configure(1);
    world.run_for(1_000);
    assert!(!world.sees(0, 1) && !world.sees(1, 0));
    world.set_visibility(0, Visibility::Nobody);
    world.run_for(1_000);
    assert_eq!(world.trust(0).groups[0].state, GroupState::Away);
}

#[test]
fn nobody_finds_a_device_that_nobody_may_find() {
    let mut world = World::new(Random::new(7), Plan::scripted(2));
    world.meet_all();
    world.connect_by_code(0, 1);
    for (visibility, seen, visible) in [
        (Visibility::Everyone, true, Visible::Everyone),
        (Visibility::Paired, true, Visible::Paired),
        (Visibility::Nobody, false, Visible::Nobody),
        (Visibility::Paired, true, Visible::Paired),
        (Visibility::Everyone, true, Visible::Everyone),
    ] {
        world.set_visibility(0, visibility);
        world.run_for(1_000);
        assert_eq!(world.nodes[0].snapshot.visible, visible);
        assert_eq!((world.sees(0, 1), world.sees(1, 0)), (seen, seen));
    }
}

#[test]
fn a_device_hides_from_a_crowd_of_strangers() {
    let mut world = World::new(Random::new(7), Plan::scripted(10));
    let visible = |world: &World, node: usize| world.nodes[node].snapshot.visible;
    world.run_for(5_000);
    // Whoever sees nine others hides: the last one that came, and each that saw it come.
    assert_eq!(visible(&world, 9), Visible::Crowded);
    assert_eq!(world.nodes[9].snapshot.devices, []);
    assert!((0..9).all(|node| !world.sees(node, 9)));
    // Two persons know better.
    for node in [8, 9] {
        world.command(node, Command::ShowInCrowd);
    }
    world.await_sight(8, 9);
    assert_eq!(visible(&world, 9), Visible::Everyone);
    // It stays so for this address.
    world.kill_server(0);
    world.run_for(5_000);
    world.start_server(0);
    world.run_for(60_000);
    assert_eq!(visible(&world, 9), Visible::Everyone);
}

#[test]
fn a_room_that_is_refused_is_asked_for_again() {
    let mut world = World::new(Random::new(7), Plan::scripted(2));
    world.meet_all();
    let closed = ServerMessage::RoomClosed { room: Room::Nearby };
    world.step(0, Input::SignalingReceived(&closed.encode()));
    assert_eq!(world.nodes[0].snapshot.visible, Visible::Unavailable);
    assert_eq!(world.nodes[0].snapshot.devices, []);
    world.run_for(ROOM_RETRY_MS + 1_000);
    assert_eq!(world.nodes[0].snapshot.visible, Visible::Everyone);
    assert!(world.sees(0, 1));
}
