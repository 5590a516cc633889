//! Two devices and the persons who pair them: what each screen shows, what a pick does, and what holds afterwards.

use tabferry_engine::{Engine, Input};
use tabferry_protocol::code::Code;
use tabferry_protocol::frame::{ControlFrame, PairNonce, PairReveal};
use tabferry_protocol::host::{
    Command, PairingEnd, PairingStep, TransferState, Trust, TrustCommand,
};
use tabferry_protocol::limits::{
    PAIRING_BACKOFF_MS, PAIRING_TIMEOUT_MS, UNASKED_BYTES_PER_DAY, UNASKED_FILES_PER_DAY,
};
use tabferry_protocol::paired::AutoAccept;
use tabferry_protocol::sas::Nonce;

use crate::ledger::{PLAIN, PROGRAM, ProposalState};
use crate::plan::Plan;
use crate::random::Random;
use crate::world::World;

fn world() -> World {
    let mut world = World::new(Random::new(7), Plan::scripted(2));
    let alone = |world: &World| {
        let snapshots = world.nodes.iter().map(|node| &node.snapshot);
        snapshots.into_iter().any(|it| it.devices.is_empty())
    };
    world.run_while("nobody is there", 60_000, alone);
    world
}

impl World {
    pub(crate) fn trust(&self, node: usize) -> Trust {
        let engine = self.nodes[node].engine.as_ref();
        engine.map(Engine::trust).unwrap_or_default()
    }

    pub(crate) fn decide(&mut self, node: usize, command: TrustCommand) {
        self.step(node, Input::TrustCommand(command));
    }

    fn pairing(&self, node: usize) -> Option<PairingStep> {
        self.trust(node).pairing.map(|pairing| pairing.step)
    }

    fn ask(&mut self, from: usize, to: usize) {
        let with = self.nodes[to].device;
        self.decide(from, TrustCommand::Pair { with });
    }

    fn await_step(&mut self, node: usize, is_there: fn(&PairingStep) -> bool) {
        self.run_while("a pairing doesn't get on", 60_000, |world| {
            !world.pairing(node).as_ref().is_some_and(is_there)
        });
    }

    /// The person at a device looks at the other screen and picks what it shows, or says that it is not there.
    fn compare(&mut self, picker: usize, shower: usize) {
        self.await_step(picker, |step| matches!(step, PairingStep::Picks { .. }));
        self.await_step(shower, |step| matches!(step, PairingStep::Shows { .. }));
        let (Some(PairingStep::Picks { choices }), Some(PairingStep::Shows { symbols })) =
            (self.pairing(picker), self.pairing(shower))
        else {
            panic!("one shows, the other picks")
        };
        let choice = choices.iter().position(|choice| *choice == symbols);
        let choice = choice.map(|choice| choice as u8);
        self.decide(picker, TrustCommand::PickPairing { choice });
    }

    fn pair_devices(&mut self) {
        self.ask(0, 1);
        self.await_step(1, |step| *step == PairingStep::Asked);
        self.decide(1, TrustCommand::AnswerPairing { yes: true });
        self.compare(1, 0);
        self.compare(0, 1);
        for node in [0, 1] {
            self.await_step(node, |step| *step == PairingStep::Done);
        }
    }

    pub(crate) fn is_paired(&self, node: usize, with: usize) -> bool {
        let with = self.nodes[with].device;
        let paired = self.trust(node).paired;
        paired.iter().any(|paired| paired.device.id == with)
    }

    fn assert_nobody_is_paired(&self) {
        assert!(!self.is_paired(0, 1) && !self.is_paired(1, 0));
    }

    pub(crate) fn allow_files(&mut self, node: usize, from: usize, files: Option<u64>) {
        let device = self.nodes[from].device;
        let auto_accept = AutoAccept {
            files,
            ..AutoAccept::default()
        };
        self.decide(
            node,
            TrustCommand::SetAutoAccept {
                device,
                auto_accept,
            },
        );
    }
}

#[test]
fn two_persons_who_compare_the_symbols_pair_their_devices() {
    let mut world = world();
    world.pair_devices();
    assert!(world.is_paired(0, 1) && world.is_paired(1, 0));
    let [one, other] = [0, 1].map(|node| world.nodes[node].paired[0].clone());
    assert_eq!(one.secret, other.secret);
    assert_eq!(
        (one.id(), other.id()),
        (world.nodes[1].device, world.nodes[0].device)
    );
    // What was kept is there after a start.
    world.vanish(0);
    world.run_for(1_000);
    world.calm_down();
    world.run_for(1_000);
    assert!(world.is_paired(0, 1));
}

#[test]
fn two_persons_who_ask_at_once_need_no_answer() {
    for seed in 0..20 {
        let mut world = world();
        world.random = Random::new(seed);
        world.ask(0, 1);
        world.ask(1, 0);
        let settled = |world: &World| {
            [0, 1].map(|node| match world.pairing(node) {
                Some(PairingStep::Shows { .. }) => 1,
                Some(PairingStep::Picks { .. }) => 2,
                _ => 0,
            })
        };
        world.run_while("they don't get on", 60_000, |world| {
            settled(world).into_iter().sum::<u8>() != 3
        });
        let picker = usize::from(settled(&world)[1] == 2);
        world.compare(picker, 1 - picker);
        world.compare(1 - picker, picker);
        world.run_while("they are not paired", 60_000, |world| {
            !(world.is_paired(0, 1) && world.is_paired(1, 0))
        });
    }
}

#[test]
fn a_person_who_says_no_is_left_alone_for_a_minute() {
    let mut world = world();
    world.ask(0, 1);
    world.await_step(1, |step| *step == PairingStep::Asked);
    world.decide(1, TrustCommand::AnswerPairing { yes: false });
    let stopped = PairingStep::Ended {
        reason: PairingEnd::Stopped,
    };
    world.run_for(1_000);
    assert_eq!(world.pairing(0), Some(stopped));
    assert_eq!(world.pairing(1), None);
    world.ask(0, 1);
    world.run_for(1_000);
    assert_eq!(world.pairing(0), Some(stopped));
    assert_eq!(world.pairing(1), None, "asked again at once");
    world.run_for(PAIRING_BACKOFF_MS);
    world.ask(0, 1);
    world.await_step(1, |step| *step == PairingStep::Asked);
    world.assert_nobody_is_paired();
}

#[test]
fn symbols_that_differ_pair_nobody() {
    // Somebody in between makes one end believe another nonce: the strings differ, and no choice is the one that is shown.
    let mut world = world();
    world.alter = Some((1, |frame| match frame {
        ControlFrame::PairNonce(_) => ControlFrame::PairNonce(PairNonce {
            nonce: Nonce::from_bytes([9; 32]),
        }),
        frame => frame,
    }));
    world.ask(0, 1);
    world.await_step(1, |step| *step == PairingStep::Asked);
    world.decide(1, TrustCommand::AnswerPairing { yes: true });
    world.compare(1, 0);
    let mismatch = PairingStep::Ended {
        reason: PairingEnd::Mismatch,
    };
    assert_eq!(world.pairing(1), Some(mismatch));
    world.await_step(0, |step| matches!(step, PairingStep::Ended { .. }));
    world.assert_nobody_is_paired();
    // Neither end gets a second guess.
    for (from, to) in [(0, 1), (1, 0)] {
        world.ask(from, to);
        let busy = PairingEnd::Failed { code: Code::Busy };
        let refused = PairingStep::Ended { reason: busy };
        assert_eq!(world.pairing(from), Some(refused));
    }
}

#[test]
fn a_nonce_that_was_not_committed_to_ends_the_session() {
    let mut world = world();
    world.plan.hostile = Some(0);
    world.quiet = true;
    world.alter = Some((0, |frame| match frame {
        ControlFrame::PairReveal(_) => ControlFrame::PairReveal(PairReveal {
            nonce: Nonce::from_bytes([9; 32]),
        }),
        frame => frame,
    }));
    world.ask(0, 1);
    world.await_step(1, |step| *step == PairingStep::Asked);
    world.decide(1, TrustCommand::AnswerPairing { yes: true });
    world.await_step(1, |step| matches!(step, PairingStep::Ended { .. }));
    let failed = PairingEnd::Failed {
        code: Code::Unverified,
    };
    assert_eq!(
        world.pairing(1),
        Some(PairingStep::Ended { reason: failed })
    );
    world.assert_nobody_is_paired();
}

#[test]
fn a_peer_that_says_it_has_picked_has_not_picked_for_us() {
    let mut world = world();
    world.ask(0, 1);
    world.await_step(1, |step| *step == PairingStep::Asked);
    world.decide(1, TrustCommand::AnswerPairing { yes: true });
    world.compare(1, 0);
    world.await_step(0, |step| matches!(step, PairingStep::Picks { .. }));
    world.run_for(1_000);
    world.assert_nobody_is_paired();
    world.decide(0, TrustCommand::PickPairing { choice: None });
    world.run_for(1_000);
    world.assert_nobody_is_paired();
    let stopped = PairingStep::Ended {
        reason: PairingEnd::Stopped,
    };
    assert_eq!(world.pairing(1), Some(stopped));
}

#[test]
fn a_pairing_that_nobody_goes_on_with_ends() {
    let mut world = world();
    world.ask(0, 1);
    world.await_step(1, |step| *step == PairingStep::Asked);
    world.run_for(PAIRING_TIMEOUT_MS + 1_000);
    let ended = |step: Option<PairingStep>| matches!(step, None | Some(PairingStep::Ended { .. }));
    assert!(ended(world.pairing(0)) && world.pairing(1).is_none());
    // A device that is gone is told, too.
    world.run_for(PAIRING_BACKOFF_MS);
    world.vanish(1);
    world.ask(0, 1);
    world.run_for(60_000);
    assert!(ended(world.pairing(0)));
}

#[test]
fn a_paired_device_may_send_unasked_what_its_person_allows_and_no_more() {
    let mut world = world();
    world.pair_devices();
    let small = world.send_files(0, 1, &[1_000]);
    world.run_while("no proposal", 60_000, |world| {
        world.nodes[1].snapshot.incoming.is_empty()
    });
    let asked = world.nodes[1].snapshot.incoming[0].transfer;
    world.accept(1, asked);
    let end = |world: &mut World, sending: usize| {
        world.run_while("no end", 60_000, |world| {
            world.ledger.sendings[sending].sent_end.is_none()
        });
        world.ledger.sendings[sending].sent_end
    };
    assert_eq!(end(&mut world, small), Some(TransferState::Done));
    world.allow_files(1, 0, Some(1_000_000));
    let large = world.send_files(0, 1, &[600_000, 600_000]);
    world.run_while("no proposal", 60_000, |world| {
        world.nodes[1].snapshot.incoming.is_empty()
    });
    world.command(
        1,
        Command::Decline {
            transfer: world.nodes[1].snapshot.incoming[0].transfer,
        },
    );
    end(&mut world, large);
    // Revoked, it asks again, also on the connection that is open.
    let device = world.nodes[0].device;
    world.decide(1, TrustCommand::Unpair { device });
    assert!(!world.is_paired(1, 0));
    world.send_files(0, 1, &[1_000]);
    world.run_while("no proposal", 60_000, |world| {
        world.nodes[1].snapshot.incoming.is_empty()
    });
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Two paired devices. The second one's person lets the first send files of any size.
fn generous_world() -> World {
    let mut world = world();
    world.pair_devices();
    world.allow_files(1, 0, Some(u64::MAX));
    world
}

/// Whether the person at the second device is asked for files of these sizes and styles. Nothing of them is waited for.
fn is_asked(world: &mut World, files: &[(u64, u64)]) -> bool {
    let sending = world.send_styled_files(0, 1, files);
    world.run_while("neither asked nor taken", 60_000, |world| {
        world.ledger.sendings[sending].received.is_empty()
    });
    let (_, transfer) = world.ledger.sendings[sending].received[0];
    let mut waiting = world.nodes[1].snapshot.incoming.iter();
    let asked = waiting.any(|proposal| proposal.transfer == transfer);
    let sent = world.ledger.sendings[sending].sent.expect("a known one");
    world.cancel(0, sent);
    world.run_while("it does not end", 60_000, |world| {
        let told = &world.nodes[1].told[&transfer];
        told.ended.is_none() && told.proposal != Some(ProposalState::Ended)
    });
    asked
}

#[test]
fn the_bytes_that_a_paired_device_sends_unasked_in_a_day_are_limited() {
    let mut world = generous_world();
    let most = UNASKED_BYTES_PER_DAY;
    // What was asked for does not count.
    assert!(is_asked(&mut world, &[(most + 1, PLAIN)]));
    for _ in 0..3 {
        assert!(!is_asked(&mut world, &[(most - 10, PLAIN)]));
        assert!(is_asked(&mut world, &[(11, PLAIN)]));
        assert!(!is_asked(&mut world, &[(4, PLAIN), (6, PLAIN)]));
        assert!(is_asked(&mut world, &[(1, PLAIN)]));
        world.run_for(DAY_MS);
    }
}

#[test]
fn the_files_that_a_paired_device_sends_unasked_in_a_day_are_limited() {
    let mut world = generous_world();
    let most = UNASKED_FILES_PER_DAY as usize;
    assert!(is_asked(&mut world, &vec![(1, PLAIN); most + 1]));
    for _ in 0..3 {
        assert!(!is_asked(&mut world, &vec![(1, PLAIN); most - 1]));
        assert!(is_asked(&mut world, &[(1, PLAIN), (1, PLAIN)]));
        assert!(!is_asked(&mut world, &[(0, PLAIN)]));
        assert!(is_asked(&mut world, &[(0, PLAIN)]));
        world.run_for(DAY_MS);
    }
}

#[test]
fn programs_of_a_paired_device_are_always_asked_for() {
    let mut world = generous_world();
    let plain = world.send_styled_files(0, 1, &[(1_000, PLAIN), (0, PLAIN)]);
    world.run_while("nothing is taken unasked", 60_000, |world| {
        world.ledger.sendings[plain].sent_end.is_none()
    });
    let end = world.ledger.sendings[plain].sent_end;
    assert_eq!(end, Some(TransferState::Done));
    assert!(is_asked(&mut world, &[(1, PROGRAM)]));
    assert!(is_asked(&mut world, &[(1, PLAIN), (0, PROGRAM)]));
    assert!(!is_asked(&mut world, &[(1, PLAIN)]));
}
