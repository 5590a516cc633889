//! One promise each, with a fixed course of events.

use tabferry_engine::{Channel, FileFailure, Time};
use tabferry_protocol::code::Code;
use tabferry_protocol::digest::Digest;
use tabferry_protocol::frame::{
    Accept, BulkHeader, Cancel, Close, ControlFrame, Credit, Decline, Entries, EntryDone,
    EntryStored, Propose, Role,
};
use tabferry_protocol::host::{
    Command, ConnectionView, PlainItem, SignalingProblem, TransferState, TransferView,
};
use tabferry_protocol::id::{ItemId, ResumeId, TransferId, WireTransferId};
use tabferry_protocol::limits::{
    CHUNK_BYTES, CONNECT_TIMEOUT_MS, CONTROL_FRAME_BYTES, FOLDER_BYTES, FRUITLESS_RESUMPTIONS,
    IDLE_TIMEOUT_MS, ITEMS_PER_MINUTE, KEPT_ITEMS, KEPT_TRANSFERS, LEFT_PEER_TIMEOUT_MS,
    MANIFEST_ENTRIES, MANIFEST_TEXT_BYTES, PENDING_PROPOSALS, PROPOSAL_RETRIES,
    PROPOSAL_TIMEOUT_MS, PROPOSED_NAME_BYTES, RECEIVE_WINDOW_BYTES, STALL_TIMEOUT_MS,
    STORAGE_RESTARTS, TRANSFER_BYTES, UNANSWERED_BYTES,
};
use tabferry_protocol::manifest::{Entry, FileEntry, Item};
use tabferry_protocol::signaling::{ServerMessage, SignalingCode};

use crate::plan::{Answering, Plan};
use crate::random::Random;
use crate::world::{Happening, World};

const MIB: u64 = 1 << 20;

/// What a tick may be late by, and then some for messages to arrive.
const SLACK_MS: u64 = 1_000;

/// Devices that see each other, with people who do only what the test says.
fn world(plan: Plan) -> World {
    seeded_world(1, plan)
}

fn seeded_world(seed: u64, plan: Plan) -> World {
    let mut world = World::new(Random::new(seed), plan);
    world.meet_all();
    world
}

impl World {
    pub(crate) fn meet_all(&mut self) {
        let others = self.nodes.len() - 1;
        self.run_while("devices don't see each other", 60_000, |world| {
            world
                .nodes
                .iter()
                .any(|node| node.snapshot.devices.len() != others)
        });
    }

    /// Accepts the oldest proposal that waits at a device, once there is one.
    fn accept_next(&mut self, node: usize) -> TransferId {
        let transfer = self.await_proposal(node);
        self.accept(node, transfer);
        transfer
    }

    fn await_proposal(&mut self, node: usize) -> TransferId {
        self.run_while("no proposal", 60_000, |world| {
            world.nodes[node].snapshot.incoming.is_empty()
        });
        self.nodes[node].snapshot.incoming[0].transfer
    }

    pub(crate) fn await_end(&mut self, sending: usize) -> TransferState {
        self.run_while("a transfer has no end", 20 * 60_000, |world| {
            world.ledger.sendings[sending].sent_end.is_none()
        });
        self.ledger.sendings[sending].sent_end.unwrap()
    }

    /// How a transfer has ended at a device.
    fn ended(&self, node: usize, transfer: TransferId) -> Option<TransferState> {
        self.nodes[node].told[&transfer].ended
    }

    fn await_ended(&mut self, node: usize, transfer: TransferId) -> TransferState {
        self.run_while("a transfer has no end", 20 * 60_000, |world| {
            world.ended(node, transfer).is_none()
        });
        self.ended(node, transfer).unwrap()
    }

    /// Waits until a share of a transfer, in percent, has arrived for sure.
    fn await_progress(&mut self, node: usize, transfer: TransferId, percent: u64) {
        self.run_while("a transfer doesn't get on", 20 * 60_000, |world| {
            let view = world.transfer(node, transfer);
            view.is_none_or(|view| view.bytes_done * 100 < view.bytes * percent)
        });
    }

    /// A transfer as a device shows it now.
    fn transfer(&self, node: usize, transfer: TransferId) -> Option<TransferView> {
        let engine = self.nodes[node].engine.as_ref()?;
        let snapshot = engine.snapshot(Time(self.now));
        let mut views = snapshot.transfers.into_iter();
        views.find(|view| view.id == transfer)
    }

    /// Runs until nothing is left to do, and holds every device to account.
    pub(crate) fn settle(&mut self) {
        self.run_for(15 * 60_000);
        self.check_end();
    }

    fn interrupt_sink(&mut self, node: usize, failure: FileFailure) {
        let key = *self.nodes[node].files.keys().next().expect("an open file");
        self.sink_fails(self.life(node), key, failure);
    }

    /// Puts frames into the only connection of a device, as if its engine had sent them.
    fn inject(&mut self, node: usize, channel: Channel, frames: impl IntoIterator<Item = Vec<u8>>) {
        let key = *self.nodes[node]
            .connections
            .keys()
            .next()
            .expect("a connection");
        for frame in frames {
            self.queue_frame(node, key, channel, frame);
        }
    }

    fn inject_control(&mut self, node: usize, frames: impl IntoIterator<Item = ControlFrame>) {
        self.inject(
            node,
            Channel::Control,
            frames.into_iter().map(|frame| frame.encode()),
        );
    }
}

fn slow_link() -> Plan {
    Plan {
        link_rate: 100,
        ..Plan::scripted(2)
    }
}

#[test]
fn both_sides_connect_at_once_without_glare() {
    for seed in 0..300 {
        let mut plan = Plan::scripted(2);
        plan.signaling_delay = (0, 1 + seed % 300);
        plan.answering = Answering::Accept;
        let mut world = seeded_world(seed, plan);
        let there = world.send_files(0, 1, &[100_000]);
        world.run_for(seed % 7 * 20);
        let back = world.send_files(1, 0, &[100_000]);
        let started = world.now;
        assert_eq!(world.await_end(there), TransferState::Done, "seed {seed}");
        assert_eq!(world.await_end(back), TransferState::Done, "seed {seed}");
        let took = world.now - started;
        assert!(
            took < 8_000,
            "seed {seed}: {took} ms, as if an attempt had been lost"
        );
        let connections = world.nodes.iter().map(|node| node.connections.len());
        assert_eq!(connections.collect::<Vec<_>>(), [1, 1], "seed {seed}");
        world.settle();
    }
}

#[test]
fn everybody_sends_to_everybody() {
    let mut plan = Plan::scripted(5);
    plan.answering = Answering::Accept;
    let mut world = world(plan);
    let mut sendings = Vec::new();
    for from in 0..5 {
        for to in (0..5).filter(|to| *to != from) {
            sendings.push(world.send_files(from, to, &[0, 1, 300_000]));
            sendings.push(world.send_files(from, to, &[CHUNK_BYTES as u64]));
            sendings.push(world.send_item(from, to));
        }
    }
    for sending in sendings {
        assert_eq!(world.await_end(sending), TransferState::Done);
    }
    world.settle();
}

#[test]
fn an_ice_restart_keeps_a_transfer() {
    for seed in 0..100 {
        let mut world = seeded_world(seed, slow_link());
        let (from, to) = if seed % 2 == 0 { (0, 1) } else { (1, 0) };
        let sending = world.send_files(from, to, &[2 * MIB]);
        let received = world.accept_next(to);
        world.await_progress(to, received, 30);
        world.lose_path(0, 1, true);
        world.run_for(1_000 + seed * 150);
        world.find_path(0, 1);
        assert_eq!(world.await_end(sending), TransferState::Done, "seed {seed}");
        assert_eq!(
            world.ended(to, received),
            Some(TransferState::Done),
            "seed {seed}"
        );
        assert_eq!(world.ledger.files[0].stored, 1);
        world.settle();
    }
}

#[test]
fn an_ice_restart_succeeds_through_slow_signaling() {
    for seed in 0..100 {
        // The answer to one restart comes about when the next one is tried.
        let delay = 2_450 + seed;
        let mut world = seeded_world(seed, slow_link());
        let sending = world.send_files(0, 1, &[2 * MIB]);
        let received = world.accept_next(1);
        world.await_progress(1, received, 30);
        world.plan.signaling_delay = (delay, delay);
        world.lose_path(0, 1, true);
        world.run_for(2_000);
        world.find_path(0, 1);
        assert_eq!(world.await_end(sending), TransferState::Done, "seed {seed}");
        world.settle();
    }
}

/// What a transfer's sender shows.
fn state_at_sender(world: &World, sending: usize) -> TransferState {
    let sent = world.ledger.sendings[sending].sent.unwrap();
    world.transfer(0, sent).unwrap().state
}

#[test]
fn a_transfer_whose_path_is_lost_waits_and_goes_on_where_it_was() {
    // From one that an ICE restart heals to ten minutes; the last cuts off signaling as well.
    for (seed, away) in (0..).zip([1_000, 5_000, 45_000, 120_000, 600_000, 600_000]) {
        let mut world = seeded_world(seed, slow_link());
        let sending = world.send_files(0, 1, &[2 * MIB]);
        let received = world.accept_next(1);
        world.await_progress(1, received, 30);
        world.lose_path(0, 1, seed % 2 == 0);
        if seed == 5 {
            world.kill_server(0);
        }
        world.run_for(away);
        if away > 7_000 + CONNECT_TIMEOUT_MS + SLACK_MS {
            assert_eq!(state_at_sender(&world, sending), TransferState::Waiting);
            let there = world.transfer(1, received).unwrap();
            assert_eq!(there.state, TransferState::Waiting);
            assert!(there.bytes_done * 10 >= there.bytes * 3, "nothing is lost");
        }
        world.start_server(0);
        world.find_path(0, 1);
        assert_eq!(
            world.await_end(sending),
            TransferState::Done,
            "after {away} ms"
        );
        assert_eq!(world.ended(1, received), Some(TransferState::Done));
        assert_eq!(world.tally.bytes_received, 2 * MIB, "bytes sent again");
        world.settle();
    }
}

#[test]
fn a_transfer_goes_on_within_a_folder_of_files() {
    for seed in 0..40 {
        let sizes: Vec<u64> = (0..60)
            .map(|index| (index * 7_919) % 300_000 * (index % 4))
            .collect();
        let mut world = seeded_world(
            seed,
            Plan {
                sink_delay: (0, 400),
                ..Plan::scripted(2)
            },
        );
        let sending = world.send_files(0, 1, &sizes);
        let received = world.accept_next(1);
        for percent in [20, 50, 90] {
            world.await_progress(1, received, percent);
            world.end_connections(0, 1);
        }
        assert_eq!(world.await_end(sending), TransferState::Done, "seed {seed}");
        assert_eq!(world.ended(1, received), Some(TransferState::Done));
        world.settle();
    }
}

#[test]
fn a_file_that_has_changed_meanwhile_ends_with_a_reason() {
    let mut world = world(slow_link());
    let sending = world.send_files(0, 1, &[2 * MIB]);
    let received = world.accept_next(1);
    world.await_progress(1, received, 30);
    world.end_connections(0, 1);
    world.alter = Some((1, |frame| match frame {
        ControlFrame::Accept(accept) => ControlFrame::Accept(Accept {
            prefix: accept.prefix.map(|_| Digest::of(b"something else")),
            ..accept
        }),
        frame => frame,
    }));
    let failed = TransferState::Failed {
        code: Code::SourceFailed,
    };
    assert_eq!(world.await_end(sending), failed);
    assert_eq!(world.await_ended(1, received), failed);
    world.ledger.sendings[sending].source_failed = true;
    world.settle();
}

#[test]
fn what_a_person_cancels_while_the_other_device_is_away_is_over_there_too() {
    for by_sender in [false, true] {
        let mut world = world(slow_link());
        let sending = world.send_files(0, 1, &[2 * MIB]);
        let received = world.accept_next(1);
        let sent = world.ledger.sendings[sending].sent.unwrap();
        world.await_progress(1, received, 30);
        world.lose_path(0, 1, false);
        world.run_for(60_000);
        if by_sender {
            world.cancel(0, sent);
        } else {
            world.cancel(1, received);
        }
        world.find_path(0, 1);
        let cancelled = |here| TransferState::Cancelled { here };
        assert_eq!(world.await_ended(0, sent), cancelled(by_sender));
        assert_eq!(world.await_ended(1, received), cancelled(!by_sender));
        world.settle();
    }
}

#[test]
fn what_the_disk_still_writes_when_the_devices_are_connected_again_disturbs_nothing() {
    for seed in 0..20 {
        let mut world = seeded_world(
            seed,
            Plan {
                latency: (200, 200),
                link_rate: 50_000,
                sink_rate: 500,
                sink_delay: (50, 50),
                ..Plan::scripted(2)
            },
        );
        let sending = world.send_files(0, 1, &[1_000_001, 6 * MIB]);
        let received = world.accept_next(1);
        world.await_progress(1, received, 20);
        world.end_connections(0, 1);
        assert_eq!(world.await_end(sending), TransferState::Done, "seed {seed}");
        assert_eq!(world.await_ended(1, received), TransferState::Done);
        world.settle();
    }
}

#[test]
fn a_held_transfer_outlives_any_number_of_connections() {
    let mut world = world(Plan {
        link_rate: 2_000,
        ..Plan::scripted(2)
    });
    let sending = world.send_files(0, 1, &[32 * MIB]);
    let received = world.accept_next(1);
    world.await_progress(1, received, 10);
    let transfer = world.ledger.sendings[sending].sent.unwrap();
    world.command(0, Command::Pause { transfer });
    world.run_for(60_000);
    for _ in 0..2 * FRUITLESS_RESUMPTIONS {
        world.end_connections(0, 1);
        world.run_for(10_000);
    }
    world.command(0, Command::Resume { transfer });
    assert_eq!(world.await_end(sending), TransferState::Done);
    assert_eq!(world.await_ended(1, received), TransferState::Done);
    world.settle();
}

#[test]
fn a_person_at_either_end_can_hold_a_transfer() {
    for node in [0, 1] {
        let mut world = world(Plan {
            link_rate: 2_000,
            ..Plan::scripted(2)
        });
        let sending = world.send_files(0, 1, &[32 * MIB]);
        let received = world.accept_next(1);
        let sent = world.ledger.sendings[sending].sent.unwrap();
        let ids = [sent, received];
        world.await_progress(1, received, 10);
        let transfer = ids[node];
        world.command(node, Command::Pause { transfer });
        world.run_for(60_000);
        let shown = |world: &World| [0, 1].map(|at| world.transfer(at, ids[at]).unwrap());
        let held = shown(&world);
        for (at, view) in held.iter().enumerate() {
            assert_eq!(view.state, TransferState::Paused { here: at == node });
        }
        // For as long as people like, and on another connection.
        world.run_for(5 * STALL_TIMEOUT_MS);
        world.end_connections(0, 1);
        world.run_for(30_000);
        let later = shown(&world);
        assert_eq!(later[1].bytes_done, held[1].bytes_done);
        assert_eq!(later[1 - node].state, TransferState::Paused { here: false });
        world.command(node, Command::Resume { transfer });
        assert_eq!(world.await_end(sending), TransferState::Done);
        assert_eq!(world.await_ended(1, received), TransferState::Done);
        world.settle();
    }
}

#[test]
fn a_killed_server_disturbs_no_running_transfer_and_devices_reappear() {
    let mut world = world(slow_link());
    let sending = world.send_files(0, 1, &[2 * MIB]);
    let received = world.accept_next(1);
    world.await_progress(1, received, 20);
    world.kill_server(0);
    world.run_while("devices of a dead server are shown", 1_000, |world| {
        world
            .nodes
            .iter()
            .any(|node| !node.snapshot.devices.is_empty())
    });
    let offline = ConnectionView::Offline {
        problem: SignalingProblem::Lost,
    };
    assert_eq!(world.nodes[0].snapshot.connection, offline);
    world.run_for(3_000);
    world.start_server(0);
    world.meet_all();
    assert_eq!(world.await_end(sending), TransferState::Done);
    assert_eq!(world.ended(1, received), Some(TransferState::Done));
    // And while it is away, an open connection takes new transfers.
    world.kill_server(0);
    world.run_for(1_000);
    let sending = world.send_files(1, 0, &[10]);
    world.accept_next(0);
    assert_eq!(world.await_end(sending), TransferState::Done);
    world.start_server(0);
    world.settle();
}

#[test]
fn a_device_back_under_a_new_id_keeps_its_transfers() {
    let mut world = world(slow_link());
    let sending = world.send_files(0, 1, &[2 * MIB]);
    let received = world.accept_next(1);
    world.await_progress(1, received, 20);
    // The server takes up to half a minute to notice that the socket is gone; the device is back long before.
    world.drop_socket(0);
    world.run_for(8_000);
    let back = world.send_files(1, 0, &[10]);
    world.accept_next(0);
    assert_eq!(world.await_end(back), TransferState::Done);
    assert_eq!(world.await_end(sending), TransferState::Done);
    assert_eq!(
        world.nodes[1].connections.len(),
        1,
        "one connection served both"
    );
    world.settle();
}

#[test]
fn an_interrupted_storage_starts_the_file_again() {
    // With a slow link the bytes to drop are in the channel, with a slow source the reads to drop have not been answered.
    let slow_source = Plan {
        source_delay: (100, 100),
        ..Plan::scripted(2)
    };
    for plan in [slow_link(), slow_source] {
        let mut world = world(plan);
        let sending = world.send_files(0, 1, &[300_000, 0, 2 * MIB, 5]);
        let received = world.accept_next(1);
        for percent in [15, 40, 70].iter().take(STORAGE_RESTARTS as usize) {
            world.await_progress(1, received, *percent);
            world.interrupt_sink(1, FileFailure::Interrupted);
        }
        assert_eq!(world.await_end(sending), TransferState::Done);
        assert_eq!(world.ended(1, received), Some(TransferState::Done));
        assert!(world.ledger.files.iter().all(|file| file.stored == 1));
        world.settle();
    }
}

#[test]
fn a_storage_that_keeps_breaking_off_ends_the_transfer() {
    let mut world = world(slow_link());
    let sending = world.send_files(0, 1, &[2 * MIB]);
    let received = world.accept_next(1);
    for _ in 0..=STORAGE_RESTARTS {
        world.await_progress(1, received, 10);
        world.interrupt_sink(1, FileFailure::Interrupted);
    }
    let failed = TransferState::Failed {
        code: Code::StorageFailed,
    };
    assert_eq!(world.ended(1, received), Some(failed));
    assert_eq!(world.await_end(sending), failed);
    world.settle();
}

#[test]
fn a_storage_that_fails_tells_both_ends_why() {
    for (failure, here, there) in [
        (
            FileFailure::Full,
            TransferState::Failed {
                code: Code::StorageFull,
            },
            TransferState::Failed {
                code: Code::StorageFull,
            },
        ),
        (
            FileFailure::Refused,
            TransferState::Failed {
                code: Code::StorageFailed,
            },
            TransferState::Failed {
                code: Code::StorageFailed,
            },
        ),
        (
            FileFailure::Cancelled,
            TransferState::Cancelled { here: true },
            TransferState::Cancelled { here: false },
        ),
    ] {
        let mut world = world(slow_link());
        let sending = world.send_files(0, 1, &[MIB]);
        let received = world.accept_next(1);
        world.await_progress(1, received, 10);
        world.interrupt_sink(1, failure);
        assert_eq!(world.ended(1, received), Some(here));
        assert_eq!(world.await_end(sending), there);
        world.settle();
    }
}

#[test]
fn a_source_that_fails_tells_both_ends() {
    let mut world = world(slow_link());
    let sending = world.send_files(0, 1, &[MIB]);
    world.ledger.files[0].fails_at = Some(MIB / 2);
    let received = world.accept_next(1);
    let failed = TransferState::Failed {
        code: Code::SourceFailed,
    };
    assert_eq!(world.await_end(sending), failed);
    assert_eq!(world.await_ended(1, received), failed);
    world.settle();
}

#[test]
fn either_end_cancels_in_mid_way() {
    for canceler in [0, 1] {
        let mut world = world(slow_link());
        let sending = world.send_files(0, 1, &[MIB, MIB]);
        let received = world.accept_next(1);
        world.await_progress(1, received, 60);
        let sent = world.ledger.sendings[sending].sent.unwrap();
        world.cancel(canceler, if canceler == 0 { sent } else { received });
        let state = |node: usize| TransferState::Cancelled {
            here: node == canceler,
        };
        assert_eq!(world.await_end(sending), state(0));
        assert_eq!(world.await_ended(1, received), state(1));
        assert_eq!(
            world.tally.files_stored, 1,
            "what was stored before stays, the rest is gone"
        );
        world.settle();
    }
}

#[test]
fn nothing_is_stored_that_was_declined_or_not_answered() {
    let mut world = world(Plan::scripted(2));
    let declined = world.send_files(0, 1, &[10]);
    let proposal = world.await_proposal(1);
    world.decline(1, proposal);
    let state = TransferState::Declined {
        code: Code::Declined,
    };
    assert_eq!(world.await_end(declined), state);
    let unanswered = world.send_files(0, 1, &[10]);
    let proposal = world.await_proposal(1);
    let started = world.now;
    assert_eq!(
        world.await_end(unanswered),
        TransferState::Failed {
            code: Code::NoAnswer
        }
    );
    world.await_ended(1, proposal);
    let took = world.now - started;
    assert!((PROPOSAL_TIMEOUT_MS - SLACK_MS..PROPOSAL_TIMEOUT_MS + SLACK_MS).contains(&took));
    assert_eq!(world.tally.files_stored, 0);
    world.ledger.sendings[unanswered].declined = true;
    world.settle();
}

#[test]
fn a_server_of_another_version_is_told_as_incompatible() {
    let mut world = world(Plan::scripted(2));
    let socket = world.nodes[0].socket.unwrap();
    let error = ServerMessage::Error {
        code: SignalingCode::Incompatible,
        to: None,
        room: None,
    };
    world.send_to_client(socket, &error);
    world.run_for(50);
    world.kill_server(0);
    world.run_for(100);
    let offline = |problem| ConnectionView::Offline { problem };
    let [first, second] = [0, 1].map(|node| world.nodes[node].snapshot.connection);
    assert_eq!(first, offline(SignalingProblem::Incompatible));
    assert_eq!(second, offline(SignalingProblem::Lost));
    world.start_server(0);
    world.settle();
}

#[test]
fn a_proposal_outlives_its_connection_and_nobody_is_asked_twice() {
    let mut world = world(Plan::scripted(2));
    let sending = world.send_files(0, 1, &[10]);
    let proposal = world.await_proposal(1);
    for _ in 1..PROPOSAL_RETRIES {
        world.end_connections(0, 1);
        world.run_for(4_000);
        assert_eq!(state_at_sender(&world, sending), TransferState::Proposed);
        assert_eq!(world.await_proposal(1), proposal);
    }
    world.accept(1, proposal);
    assert_eq!(world.await_end(sending), TransferState::Done);
    assert_eq!(world.await_ended(1, proposal), TransferState::Done);
    // But it is not made again for ever.
    let sending = world.send_files(0, 1, &[10]);
    for _ in 0..PROPOSAL_RETRIES {
        world.await_proposal(1);
        world.end_connections(0, 1);
        world.run_for(4_000);
    }
    let failed = TransferState::Failed {
        code: Code::ConnectionLost,
    };
    assert_eq!(world.await_end(sending), failed);
    world.settle();
}

#[test]
fn a_yes_that_comes_while_the_connection_is_lost_counts() {
    let mut world = world(Plan::scripted(2));
    let sending = world.send_files(0, 1, &[10]);
    let proposal = world.await_proposal(1);
    world.end_connections(0, 1);
    world.accept(1, proposal);
    assert_eq!(world.await_end(sending), TransferState::Done);
    assert_eq!(world.await_ended(1, proposal), TransferState::Done);
    world.settle();
}

#[test]
fn an_item_whose_answer_was_lost_is_shown_once() {
    for seed in 0..50 {
        let mut world = seeded_world(seed, Plan::scripted(2));
        let sending = world.send_item(0, 1);
        world.run_while("an item", 10_000, |world| {
            world.ledger.sendings[sending].deliveries == 0
        });
        world.end_connections(0, 1);
        assert_eq!(world.await_end(sending), TransferState::Done);
        assert_eq!(world.nodes[1].snapshot.items.len(), 1);
        world.settle();
    }
}

#[test]
fn a_device_that_cannot_be_reached_is_given_up_after_30_s() {
    let mut world = world(Plan::scripted(2));
    world.lose_path(0, 1, false);
    let started = world.now;
    let sending = world.send_files(0, 1, &[10]);
    world.run_for(10_000);
    let later = world.send_files(0, 1, &[10]);
    let failed = TransferState::Failed {
        code: Code::Unreachable,
    };
    assert_eq!(world.await_end(sending), failed);
    let took = world.now - started;
    assert!(
        (CONNECT_TIMEOUT_MS..CONNECT_TIMEOUT_MS + SLACK_MS).contains(&took),
        "{took} ms"
    );
    // Another one has its own thirty seconds.
    assert_eq!(world.await_end(later), failed);
    assert!(world.now - started >= CONNECT_TIMEOUT_MS + 10_000);
    world.find_path(0, 1);
    world.settle();
}

#[test]
fn an_attempt_that_the_offerer_gives_up_does_not_hold_the_answerer_back() {
    for seed in 0..10 {
        let signaling_delay = (50, 50);
        let mut world = seeded_world(
            seed,
            Plan {
                signaling_delay,
                ..Plan::scripted(2)
            },
        );
        let there = world.send_files(0, 1, &[10]);
        // From device to server to device.
        world.run_for(95);
        // The answer fails or never comes.
        world.plan.faults.negotiation = 100;
        world.run_for(50);
        world.plan.faults.negotiation = 0;
        let back = world.send_files(1, 0, &[10]);
        world.cancel(0, world.ledger.sendings[there].sent.unwrap());
        world.accept_next(0);
        assert_eq!(world.await_end(back), TransferState::Done, "seed {seed}");
        world.settle();
    }
}

#[test]
fn a_transfer_that_moves_nothing_for_60_s_tries_another_connection_but_not_for_ever() {
    let mut world = world(Plan {
        sink_delay: (10_000, 10_000),
        ..Plan::scripted(2)
    });
    let sending = world.send_files(0, 1, &[2 * MIB]);
    let received = world.accept_next(1);
    world.run_for(1_000);
    let rate = std::mem::take(&mut world.plan.sink_rate);
    world.run_for(5 * STALL_TIMEOUT_MS);
    assert_eq!(world.ledger.sendings[sending].sent_end, None);
    world.plan.sink_rate = rate;
    assert_eq!(world.await_end(sending), TransferState::Done);
    assert_eq!(world.await_ended(1, received), TransferState::Done);
    let sending = world.send_files(0, 1, &[2 * MIB]);
    let received = world.accept_next(1);
    world.run_for(1_000);
    world.plan.sink_rate = 0;
    let started = world.now;
    let failed = TransferState::Failed {
        code: Code::Stalled,
    };
    assert_eq!(world.await_end(sending), failed);
    assert_eq!(world.await_ended(1, received), failed);
    let took = world.now - started;
    let least = u64::from(FRUITLESS_RESUMPTIONS) * (STALL_TIMEOUT_MS - 2_000);
    assert!((least..2 * least).contains(&took), "{took} ms");
    world.ledger.sendings[sending].storage_failed = true;
    world.ledger.sendings[sending].disturbed = true;
    world.settle();
}

#[test]
fn a_slow_link_is_not_a_stalled_one() {
    // 4 KB/s: the file is in the channel at once, and takes minutes to get through.
    let mut world = world(Plan {
        link_rate: 4,
        ..Plan::scripted(2)
    });
    let sending = world.send_files(0, 1, &[MIB]);
    let received = world.accept_next(1);
    // One chunk takes 33 s.
    world.run_for(40_000);
    let sent = world.ledger.sendings[sending].sent.unwrap();
    let done = world.transfer(0, sent).unwrap().bytes_done;
    assert!(done > 30_000, "the sender sees no progress: {done} bytes");
    assert_eq!(world.await_end(sending), TransferState::Done);
    assert_eq!(world.await_ended(1, received), TransferState::Done);
    world.settle();
}

#[test]
fn a_device_that_left_is_known_to_be_away_after_5_s_and_gets_what_waits_when_it_is_back() {
    let mut world = world(slow_link());
    let sending = world.send_files(0, 1, &[2 * MIB]);
    let received = world.accept_next(1);
    world.await_progress(1, received, 20);
    world.vanish(1);
    let gone = world.now;
    world.run_while("a device that left", 60_000, |world| {
        state_at_sender(world, sending) != TransferState::Waiting
    });
    assert!(world.now - gone < LEFT_PEER_TIMEOUT_MS + SLACK_MS);
    world.run_for(60_000);
    world.schedule(world.now, Happening::Started { node: 1 });
    world.meet_all();
    // Its engine has forgotten everything: the person there is asked again.
    world.accept_next(1);
    assert_eq!(world.await_end(sending), TransferState::Done);
    world.settle();
}

#[test]
fn a_sender_that_has_forgotten_a_transfer_says_so() {
    let mut world = world(slow_link());
    world.send_files(0, 1, &[2 * MIB]);
    let received = world.accept_next(1);
    world.await_progress(1, received, 20);
    world.vanish(0);
    world.run_for(60_000);
    assert_eq!(
        world.transfer(1, received).unwrap().state,
        TransferState::Waiting
    );
    world.schedule(world.now, Happening::Started { node: 0 });
    let failed = TransferState::Failed {
        code: Code::SourceFailed,
    };
    assert_eq!(world.await_ended(1, received), failed);
    world.settle();
}

#[test]
fn a_connection_that_nobody_uses_is_closed() {
    let mut world = world(Plan::scripted(2));
    let sending = world.send_item(0, 1);
    assert_eq!(world.await_end(sending), TransferState::Done);
    let idle_since = world.now;
    world.run_while("a connection nobody uses", 2 * IDLE_TIMEOUT_MS, |world| {
        world.nodes.iter().any(|node| !node.connections.is_empty())
    });
    assert!(world.now - idle_since >= IDLE_TIMEOUT_MS - SLACK_MS);
    let sending = world.send_item(1, 0);
    assert_eq!(world.await_end(sending), TransferState::Done);
    world.settle();
}

#[test]
fn ten_thousand_files_in_one_transfer() {
    let mut world = world(Plan {
        sink_delay: (0, 0),
        ..Plan::scripted(2)
    });
    let sizes: Vec<u64> = (0..MANIFEST_ENTRIES as u64)
        .map(|index| index % 3)
        .collect();
    let sending = world.send_files(0, 1, &sizes);
    let received = world.accept_next(1);
    let proposal = &world.nodes[1].snapshot.transfers[0];
    assert_eq!(proposal.bytes, sizes.iter().sum::<u64>());
    assert_eq!(world.await_end(sending), TransferState::Done);
    assert_eq!(world.ended(1, received), Some(TransferState::Done));
    assert_eq!(world.tally.files_stored, MANIFEST_ENTRIES as u64);
    let one_more = vec![0; MANIFEST_ENTRIES + 1];
    let refused = world.send_files(0, 1, &one_more);
    world.ledger.sendings[refused].refusable = true;
    assert_eq!(
        world.await_end(refused),
        TransferState::Failed {
            code: Code::TooLarge
        }
    );
    world.settle();
}

#[test]
fn a_slow_sink_bounds_the_memory_of_both_ends() {
    // A fast link, and a disk that takes 1 MB/s. What waits in the sender's channel is checked with every frame.
    let mut world = world(Plan {
        link_rate: 100_000,
        sink_rate: 1_000,
        ..Plan::scripted(2)
    });
    let sending = world.send_files(0, 1, &[32 * MIB]);
    world.accept_next(1);
    assert_eq!(world.await_end(sending), TransferState::Done);
    let most = world.tally.most_unwritten;
    assert!(
        (RECEIVE_WINDOW_BYTES / 2..=RECEIVE_WINDOW_BYTES).contains(&most),
        "{most} bytes"
    );
    world.settle();
}

#[test]
fn a_new_name_reaches_the_other_devices() {
    let mut world = world(Plan::scripted(3));
    world.nodes[0].renames += 1;
    world.configure(0);
    let name = world.card(0).name;
    world.run_while("the old name", 1_000, |world| {
        [1, 2]
            .iter()
            .any(|node| !world.nodes[*node].sees().contains(&&name))
    });
}

#[test]
fn a_file_being_fetched_can_be_cancelled() {
    let mut world = world(Plan::scripted(2));
    let sending = world.prepare(0, 1, 10);
    let shown = &world.nodes[0].snapshot.transfers[0];
    assert_eq!(shown.state, TransferState::Preparing);
    world.cancel(0, world.ledger.sendings[sending].sent.unwrap());
    assert_eq!(
        world.await_end(sending),
        TransferState::Cancelled { here: true }
    );
    assert!(
        world.nodes[0].sources.is_empty(),
        "the fetch is not stopped"
    );
    world.settle();
}

/// What the peer of a hostile device does about a frame, while a transfer of each end is running.
fn check_hostile(channel: Channel, frame: &[u8], code: Code) {
    let mut world = world(Plan {
        hostile: Some(0),
        source_delay: (20, 20),
        ..Plan::scripted(2)
    });
    world.quiet = true;
    world.send_files(0, 1, &[4 * MIB]);
    let received = world.accept_next(1);
    world.send_files(1, 0, &[4 * MIB]);
    let sent = world.nodes[1].snapshot.transfers[0].id;
    world.accept_next(0);
    world.await_progress(0, world.nodes[0].snapshot.transfers[0].id, 10);
    world.inject(0, channel, [frame.to_vec()]);
    let failed = TransferState::Failed { code };
    assert_eq!(
        world.await_ended(1, received),
        failed,
        "after {}",
        crate::trace::frame(channel, frame)
    );
    assert_eq!(world.await_ended(1, sent), failed);
    assert_eq!(world.tally.files_stored, 0);
    world.settle();
}

#[test]
fn a_peer_that_breaks_the_rules_ends_its_session_with_a_code() {
    let transfer = WireTransferId(1);
    let unknown = WireTransferId(77);
    let digest = Digest::of(b"");
    let file = |bytes| {
        Entry::File(FileEntry {
            name: "x".to_owned(),
            folder: String::new(),
            bytes,
            media_type: None,
        })
    };
    let control: &[ControlFrame] = &[
        ControlFrame::Propose(Propose {
            transfer,
            resume: ResumeId::from_bytes([7; 16]),
            count: 1,
            entries: vec![file(1)],
        }),
        ControlFrame::Entries(Entries {
            transfer: unknown,
            entries: vec![file(1)],
        }),
        ControlFrame::Accept(Accept {
            transfer: unknown,
            epoch: 1,
            entry: 0,
            offset: 0,
            prefix: None,
            stored: Vec::new(),
            credit: 1,
        }),
        ControlFrame::Accept(Accept {
            transfer,
            epoch: 1,
            entry: 0,
            offset: 0,
            prefix: None,
            stored: Vec::new(),
            credit: 1,
        }),
        ControlFrame::Accept(Accept {
            transfer,
            epoch: 0,
            entry: 0,
            offset: 0,
            prefix: None,
            stored: Vec::new(),
            credit: 1,
        }),
        ControlFrame::Accept(Accept {
            transfer,
            epoch: 9,
            entry: 5,
            offset: 0,
            prefix: None,
            stored: Vec::new(),
            credit: 1,
        }),
        ControlFrame::Accept(Accept {
            transfer,
            epoch: 9,
            entry: 0,
            offset: 5 * MIB,
            prefix: Some(digest),
            stored: Vec::new(),
            credit: 1,
        }),
        ControlFrame::Decline(Decline {
            transfer: unknown,
            code: Code::Declined,
        }),
        ControlFrame::Credit(Credit {
            transfer,
            epoch: 1,
            bytes: u64::MAX,
        }),
        ControlFrame::Credit(Credit {
            transfer,
            epoch: 2,
            bytes: 1,
        }),
        ControlFrame::Credit(Credit {
            transfer: unknown,
            epoch: 1,
            bytes: 1,
        }),
        ControlFrame::EntryDone(EntryDone {
            transfer,
            epoch: 1,
            entry: 1,
            digest,
        }),
        ControlFrame::EntryDone(EntryDone {
            transfer,
            epoch: 2,
            entry: 0,
            digest,
        }),
        ControlFrame::EntryDone(EntryDone {
            transfer: unknown,
            epoch: 1,
            entry: 0,
            digest,
        }),
        ControlFrame::EntryStored(EntryStored { transfer, entry: 1 }),
        ControlFrame::EntryStored(EntryStored { transfer, entry: 0 }),
        ControlFrame::EntryStored(EntryStored {
            transfer: unknown,
            entry: 0,
        }),
    ];
    for frame in control {
        check_hostile(Channel::Control, &frame.encode(), Code::PeerMisbehaved);
    }
    let bulk = |transfer, epoch, entry, offset, length| {
        let header = BulkHeader {
            transfer,
            epoch,
            entry,
            offset,
        };
        [&header.encode()[..], &vec![7; length]].concat()
    };
    for frame in [
        bulk(unknown, 1, 0, 0, 10),
        bulk(transfer, 1, 1, 0, 10),
        bulk(transfer, 1, 0, MIB, 10),
        bulk(transfer, 1, 0, u64::MAX, 10),
        bulk(transfer, 2, 0, 0, 10),
    ] {
        check_hostile(Channel::Bulk, &frame, Code::PeerMisbehaved);
    }
    check_hostile(
        Channel::Bulk,
        &bulk(transfer, 1, 0, 0, CHUNK_BYTES + 1),
        Code::InvalidFrame,
    );
    check_hostile(
        Channel::Bulk,
        &bulk(transfer, 1, 0, 0, 0),
        Code::InvalidFrame,
    );
    check_hostile(Channel::Bulk, &[], Code::InvalidFrame);
    check_hostile(Channel::Control, &[], Code::InvalidFrame);
    check_hostile(Channel::Control, &[3; 50], Code::InvalidFrame);
    check_hostile(
        Channel::Control,
        &vec![0; CONTROL_FRAME_BYTES + 1],
        Code::InvalidFrame,
    );
    let close = ControlFrame::Close(Close { code: Code::Busy });
    check_hostile(Channel::Control, &close.encode(), Code::Busy);
}

#[test]
fn what_is_no_fault_ends_no_session() {
    let mut world = world(Plan {
        hostile: Some(0),
        ..slow_link()
    });
    world.quiet = true;
    let sending = world.send_files(0, 1, &[MIB]);
    world.accept_next(1);
    let ended = WireTransferId(1);
    world.inject_control(
        0,
        [
            ControlFrame::Unknown(200),
            ControlFrame::Ping,
            ControlFrame::Pong,
            ControlFrame::Cancel(Cancel {
                transfer: ended,
                role: Role::Receiver,
                code: Code::Cancelled,
            }),
            ControlFrame::Cancel(Cancel {
                transfer: WireTransferId(9),
                role: Role::Sender,
                code: Code::Cancelled,
            }),
        ],
    );
    assert_eq!(world.await_end(sending), TransferState::Done);
    world.settle();
}

#[test]
fn wrong_bytes_never_get_a_name() {
    let mut world = world(Plan {
        hostile: Some(0),
        ..Plan::scripted(2)
    });
    world.quiet = true;
    world.alter = Some((0, |frame| match frame {
        ControlFrame::EntryDone(mut done) => {
            done.digest = Digest::of(b"something else");
            ControlFrame::EntryDone(done)
        }
        frame => frame,
    }));
    let sending = world.send_files(0, 1, &[300_000]);
    let received = world.accept_next(1);
    let failed = TransferState::Failed {
        code: Code::DigestMismatch,
    };
    assert_eq!(world.await_ended(1, received), failed);
    assert_eq!(world.await_end(sending), failed);
    assert_eq!(world.tally.files_stored, 0);
    // The session itself goes on.
    let item = world.send_item(1, 0);
    assert_eq!(world.await_end(item), TransferState::Done);
    world.settle();
}

#[test]
fn no_more_bytes_are_written_than_were_proposed() {
    let mut world = world(Plan {
        hostile: Some(0),
        ..Plan::scripted(2)
    });
    world.quiet = true;
    world.alter = Some((0, |frame| match frame {
        ControlFrame::Propose(mut propose) => {
            let entry = Entry::File(FileEntry {
                name: "x".to_owned(),
                folder: String::new(),
                bytes: 70_000,
                media_type: None,
            });
            propose.entries = vec![entry];
            ControlFrame::Propose(propose)
        }
        frame => frame,
    }));
    // The second chunk goes beyond what was proposed; that none of it is written is checked with each write.
    let sending = world.send_files(0, 1, &[300_000]);
    let received = world.accept_next(1);
    let failed = TransferState::Failed {
        code: Code::PeerMisbehaved,
    };
    assert_eq!(world.await_ended(1, received), failed);
    assert_eq!(world.await_end(sending), failed);
    assert_eq!(world.tally.files_stored, 0);
    world.settle();
}

#[test]
fn bytes_before_the_answer_end_the_session() {
    let transfer = WireTransferId(1);
    let header = BulkHeader {
        transfer,
        epoch: 1,
        entry: 0,
        offset: 0,
    };
    let bytes = [&header.encode()[..], &[7; 10]].concat();
    let digest = Digest::of(b"");
    let done = ControlFrame::EntryDone(EntryDone {
        transfer,
        epoch: 1,
        entry: 0,
        digest,
    });
    for (channel, frame, size) in [
        (Channel::Bulk, bytes, 10),
        (Channel::Control, done.encode(), 0),
    ] {
        let mut world = world(Plan {
            hostile: Some(0),
            ..Plan::scripted(2)
        });
        world.quiet = true;
        world.send_files(0, 1, &[size]);
        let proposal = world.await_proposal(1);
        // That nothing is opened is checked with every step.
        world.inject(0, channel, [frame]);
        world.await_ended(1, proposal);
        world.settle();
    }
}

#[test]
fn bytes_beyond_the_credit_end_the_session() {
    let mut world = world(Plan {
        hostile: Some(0),
        sink_rate: 0,
        link_rate: 100_000,
        ..Plan::scripted(2)
    });
    world.quiet = true;
    world.send_files(0, 1, &[32 * MIB]);
    let received = world.accept_next(1);
    // The sender's engine stops when its credit is used up. The bytes that follow in the file are not asked for.
    world.run_for(5_000);
    assert_eq!(world.tally.most_unwritten, RECEIVE_WINDOW_BYTES);
    let header = BulkHeader {
        transfer: WireTransferId(1),
        epoch: 1,
        entry: 0,
        offset: RECEIVE_WINDOW_BYTES,
    };
    world.inject(0, Channel::Bulk, [[&header.encode()[..], &[7]].concat()]);
    let failed = TransferState::Failed {
        code: Code::PeerMisbehaved,
    };
    assert_eq!(world.await_ended(1, received), failed);
    world.settle();
}

#[test]
fn a_flood_from_one_device_harms_no_other_session() {
    let mut world = world(Plan {
        hostile: Some(2),
        ..Plan {
            nodes: 3,
            ..slow_link()
        }
    });
    world.quiet = true;
    let honest = world.send_files(0, 1, &[MIB]);
    let received = world.accept_next(1);
    let first = world.send_files(2, 1, &[10]);
    world.run_while("no proposal", 10_000, |world| {
        world.nodes[1].snapshot.incoming.is_empty()
    });
    let entry = |name: String, bytes| {
        Entry::File(FileEntry {
            name,
            folder: String::new(),
            bytes,
            media_type: None,
        })
    };
    let frames = (100..1_100).map(|number| {
        let entries = match number % 4 {
            0 => vec![Entry::Item(Item::Text {
                text: format!("from hostile {number}"),
            })],
            1 => vec![entry(format!("hostile {number}"), 1)],
            2 => vec![entry("x".repeat(60_000), 1)],
            _ => vec![entry(format!("hostile {number}"), TRANSFER_BYTES + 1)],
        };
        let count = if number % 8 == 1 { 10_000 } else { 1 };
        ControlFrame::Propose(Propose {
            transfer: WireTransferId(number),
            resume: ResumeId::from_bytes([u8::try_from(number / 5).unwrap(); 16]),
            count,
            entries,
        })
    });
    world.inject_control(2, frames);
    world.run_for(5_000);
    let snapshot = &world.nodes[1].snapshot;
    assert!(
        snapshot.incoming.len() <= PENDING_PROPOSALS,
        "{} proposals wait",
        snapshot.incoming.len()
    );
    assert!(
        snapshot.items.len() <= ITEMS_PER_MINUTE,
        "{} items",
        snapshot.items.len()
    );
    assert_eq!(world.await_end(honest), TransferState::Done);
    assert_eq!(world.ended(1, received), Some(TransferState::Done));
    let sent = world.ledger.sendings[first].sent.unwrap();
    world.cancel(2, sent);
    world.settle();
}

#[test]
fn a_known_transfer_is_proposed_again_once_and_not_any_number_of_times() {
    let mut world = world(Plan {
        hostile: Some(1),
        ..Plan::scripted(2)
    });
    world.quiet = true;
    let sending = world.send_files(1, 0, &[10]);
    world.accept_next(0);
    assert_eq!(world.await_end(sending), TransferState::Done);
    let resume = *world.ledger.resumes.last().unwrap();
    let entry = Entry::File(FileEntry {
        name: "x".to_owned(),
        folder: String::new(),
        bytes: 1,
        media_type: None,
    });
    let most = u32::try_from(PENDING_PROPOSALS).unwrap();
    let propose = |number| {
        ControlFrame::Propose(Propose {
            transfer: WireTransferId(100 + number),
            resume,
            // The rest never comes.
            count: 2,
            entries: vec![entry.clone()],
        })
    };
    world.inject_control(1, (0..most).map(propose));
    world.run_for(5_000);
    assert!(!world.nodes[1].connections.is_empty());
    // One more is refused, which ends the session: the engine that is said to have made it knows of none.
    world.inject_control(1, [propose(most)]);
    world.run_while("a session", 20_000, |world| {
        !world.nodes[1].connections.is_empty()
    });
    world.settle();
}

#[test]
fn proposals_that_nobody_answers_do_not_fill_the_memory() {
    let mut world = world(Plan {
        hostile: Some(1),
        ..Plan::scripted(2)
    });
    world.quiet = true;
    world.send_files(1, 0, &[10]);
    world.run_while("no proposal", 10_000, |world| {
        world.nodes[0].snapshot.incoming.is_empty()
    });
    // Each has nearly as much text as a manifest may have, so that only a few fit.
    let entry = Entry::File(FileEntry {
        name: "x".repeat(PROPOSED_NAME_BYTES),
        folder: "x".repeat(FOLDER_BYTES),
        bytes: 1,
        media_type: None,
    });
    let count = MANIFEST_TEXT_BYTES / (PROPOSED_NAME_BYTES + FOLDER_BYTES);
    let page = 64;
    let count = count / page * page - page;
    let fit =
        UNANSWERED_BYTES / (count * (PROPOSED_NAME_BYTES + FOLDER_BYTES + size_of::<FileEntry>()));
    let waiting = |world: &World| {
        let incoming = world.nodes[0].snapshot.incoming.iter();
        incoming.filter(|proposal| proposal.files > 1).count()
    };
    for number in 1..=fit + 1 {
        let transfer = WireTransferId(100 + u32::try_from(number).unwrap());
        let entries = vec![entry.clone(); page];
        let propose = ControlFrame::Propose(Propose {
            transfer,
            resume: ResumeId::from_bytes([u8::try_from(number).unwrap(); 16]),
            count: u32::try_from(count).unwrap(),
            entries: entries.clone(),
        });
        let rest = ControlFrame::Entries(Entries { transfer, entries });
        let rest = std::iter::repeat_n(rest, count / page - 1);
        world.inject_control(1, std::iter::once(propose).chain(rest));
        if number <= fit {
            world.run_while("no proposal", 20_000, |world| waiting(world) < number);
        }
    }
    // The last is refused, which ends the session: the engine that is said to have made it knows of none.
    world.run_while("a session", 20_000, |world| {
        assert!(waiting(world) <= fit);
        !world.nodes[1].connections.is_empty()
    });
    world.settle();
}

#[test]
fn ended_transfers_are_kept_up_to_a_limit_and_can_be_dismissed() {
    let mut world = world(Plan {
        answering: Answering::Accept,
        ..Plan::scripted(2)
    });
    let sendings: Vec<_> = (0..KEPT_TRANSFERS + 10)
        .map(|_| world.send_files(0, 1, &[1]))
        .collect();
    for sending in &sendings {
        assert_eq!(world.await_end(*sending), TransferState::Done);
    }
    for node in 0..2 {
        let transfers = &world.nodes[node].snapshot.transfers;
        assert_eq!(transfers.len(), KEPT_TRANSFERS);
        assert!(transfers.is_sorted_by(|a, b| a.id > b.id), "newest first");
    }
    let newest = world.nodes[0].snapshot.transfers[0].id;
    assert_eq!(Some(newest), world.ledger.sendings[sendings.len() - 1].sent);
    world.command(0, Command::Dismiss { transfer: newest });
    assert_eq!(world.nodes[0].snapshot.transfers.len(), KEPT_TRANSFERS - 1);
    world.settle();
}

#[test]
fn received_items_are_kept_up_to_a_limit_and_can_be_dismissed() {
    let mut world = world(Plan::scripted(5));
    for _ in 0..KEPT_ITEMS / 10 {
        for from in 1..5 {
            for _ in 0..5 {
                let sending = world.send_item(from, 0);
                world.await_end(sending);
            }
        }
        world.run_for(60_000);
    }
    let items = &world.nodes[0].snapshot.items;
    assert_eq!(items.len(), KEPT_ITEMS);
    let newest: ItemId = items[0].id;
    assert!(items.iter().all(|item| item.id <= newest));
    world.command(0, Command::DismissItem { item: newest });
    assert_eq!(world.nodes[0].snapshot.items.len(), KEPT_ITEMS - 1);
    world.settle();
}

#[test]
fn a_link_that_may_not_be_sent_is_refused_with_its_code() {
    let mut world = world(Plan::scripted(2));
    let item = PlainItem::Link {
        url: "javascript:alert(1)".to_owned(),
        title: String::new(),
    };
    let sending = world.send_plain_item(0, 1, item);
    world.ledger.sendings[sending].refusable = true;
    assert_eq!(
        world.await_end(sending),
        TransferState::Failed {
            code: Code::ForbiddenLink
        }
    );
    world.settle();
}

#[test]
fn nonsense_from_a_server_is_told_and_survived() {
    for nonsense in ["", "<html>", "{", "{\"type\":\"welcome\"}", "[]", "null"] {
        let mut world = world(slow_link());
        let sending = world.send_files(0, 1, &[MIB]);
        let received = world.accept_next(1);
        let socket = world.nodes[0].socket.unwrap();
        world.send_text_to_client(socket, nonsense.to_owned());
        world.run_for(100);
        let problem = SignalingProblem::WrongAddress;
        assert_eq!(
            world.nodes[0].snapshot.connection,
            ConnectionView::Offline { problem }
        );
        assert_eq!(
            world.await_end(sending),
            TransferState::Done,
            "after {nonsense:?}"
        );
        assert_eq!(world.ended(1, received), Some(TransferState::Done));
        world.settle();
    }
}
