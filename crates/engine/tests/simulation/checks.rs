//! What an engine tells, held against the outside's account: after every step, and at the end.

use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    ConnectionView, Direction, Event, ProposalView, Snapshot, Subject, TransferState, TransferView,
};
use tabferry_protocol::limits::{KEPT_ITEMS, KEPT_TRANSFERS, OPEN_TRANSFERS, ROOM_PEERS};
use tabferry_protocol::name::ReceivedName;

use crate::ledger::{ProposalState, Told};
use crate::trace;
use crate::world::World;

impl World {
    /// Takes an event of an engine.
    pub(crate) fn hear(&mut self, node: usize, event: Event) {
        match event {
            Event::ProposalArrived { proposal } => {
                let first = proposal.names.first().expect("a proposal has a name");
                let sending = self
                    .ledger
                    .file_named(first)
                    .map(|file| self.ledger.files[file].sending);
                let told = Told {
                    sending,
                    proposal: Some(ProposalState::Waiting),
                    ended: None,
                };
                let known = self.nodes[node].told.insert(proposal.transfer, told);
                assert!(known.is_none(), "a transfer's number used twice");
                if let Some(sending) = sending {
                    let life = self.life(node);
                    self.ledger.sendings[sending]
                        .received
                        .push((life, proposal.transfer));
                    let honest = !self.is_hostile(sending);
                    let sending = &self.ledger.sendings[sending];
                    let from = self.nodes[sending.from.node].device;
                    let bytes: u64 = sending
                        .files
                        .iter()
                        .map(|file| self.ledger.files[*file].bytes)
                        .sum();
                    let told = (proposal.from.id, proposal.files as usize, proposal.bytes);
                    assert!(
                        !honest || told == (from, sending.files.len(), bytes),
                        "{proposal:?} is not what was sent"
                    );
                } else {
                    assert!(
                        self.plan.hostile.is_some(),
                        "a proposal of what nobody sends: {proposal:?}"
                    );
                }
                self.consider(node, proposal.transfer);
            }
            Event::PairingAsked { .. } | Event::PairingAnswered => {}
            Event::Unverified { device } => {
                assert!(
                    self.is_tampered(),
                    "n{node} takes {device:?} for somebody else"
                );
                self.ledger.unverified.push((node, device.id));
            }
            Event::ProposalEnded { transfer } => {
                let told = self.nodes[node]
                    .told
                    .get_mut(&transfer)
                    .expect("an end of a proposal that has come");
                let answered = told.proposal == Some(ProposalState::Accepted);
                assert!(
                    answered || told.proposal == Some(ProposalState::Waiting),
                    "a proposal ended twice"
                );
                if !answered {
                    told.proposal = Some(ProposalState::Ended);
                }
            }
            Event::ItemReceived { item, .. } => {
                if let Some(sending) = Self::number_of(&item.item)
                    .and_then(|number| self.ledger.items.get(&number).copied())
                {
                    let honest = !self.is_hostile(sending);
                    let sending = &mut self.ledger.sendings[sending];
                    sending.deliveries += 1;
                    assert!(
                        !honest || sending.to == node,
                        "an item has come to the wrong device"
                    );
                    assert!(
                        !honest || item.from.id == self.nodes[sending.from.node].device,
                        "an item of another device: {item:?}"
                    );
                    let excused = sending.crashed || !honest;
                    assert!(
                        excused || sending.deliveries == 1,
                        "an item delivered twice"
                    );
                } else {
                    assert!(self.plan.hostile.is_some(), "an item that nobody has sent");
                }
            }
            Event::TransferEnded { transfer } => self.hear_end(node, &transfer),
        }
    }

    fn hear_end(&mut self, node: usize, transfer: &TransferView) {
        assert!(
            transfer.state.is_final(),
            "an end that is none: {transfer:?}"
        );
        self.meet(node, transfer);
        let told = self.nodes[node].told.get_mut(&transfer.id).expect("met");
        assert!(told.ended.is_none(), "a transfer ended twice: {transfer:?}");
        told.ended = Some(transfer.state);
        let (sending, accepted) = (told.sending, told.proposal == Some(ProposalState::Accepted));
        match transfer.state {
            TransferState::Done => self.tally.done += 1,
            TransferState::Declined { .. } => self.tally.declined += 1,
            TransferState::Cancelled { .. } => self.tally.cancelled += 1,
            TransferState::Failed { .. } => self.tally.failed += 1,
            _ => {}
        }
        let Some(index) = sending else { return };
        if transfer.direction == Direction::Send {
            self.ledger.sendings[index].sent_end = Some(transfer.state);
        }
        if self.is_hostile(index) {
            return;
        }
        let sending = &mut self.ledger.sendings[index];
        match (transfer.direction, transfer.state) {
            (Direction::Send, TransferState::Done) => {
                let stored = sending
                    .files
                    .iter()
                    .all(|file| self.ledger.files[*file].stored > 0);
                let delivered = sending.item.is_none() || sending.deliveries > 0;
                assert!(
                    stored && delivered,
                    "done at the sender, and not there at the receiver"
                );
            }
            (Direction::Receive, TransferState::Done) => {
                assert!(accepted, "received without a yes");
                sending.received_done += 1;
                let stored = sending
                    .files
                    .iter()
                    .all(|file| self.ledger.files[*file].stored > 0);
                assert!(stored, "done at the receiver, and not all is stored");
            }
            _ => {}
        }
        if transfer.direction == Direction::Send {
            // What a peer may hold against another one when it is asked too much at once.
            let busy = [
                TransferState::Declined { code: Code::Busy },
                TransferState::Failed { code: Code::Busy },
            ];
            sending.refusable |= busy.contains(&transfer.state);
        }
    }

    /// Links a transfer to what was sent, when it is seen first.
    fn meet(&mut self, node: usize, transfer: &TransferView) {
        if self.nodes[node].told.contains_key(&transfer.id) {
            return;
        }
        let (sending, proposal) = match transfer.direction {
            Direction::Send => {
                let sending = self.nodes[node].linking.take();
                let sending = sending.expect("a transfer that nobody has asked for");
                self.ledger.sendings[sending].sent = Some(transfer.id);
                self.tally.transfers += 1;
                (sending, None)
            }
            Direction::Receive => {
                let sending = self.meet_unasked(node, transfer);
                (sending, Some(ProposalState::Accepted))
            }
        };
        self.nodes[node].told.insert(
            transfer.id,
            Told {
                sending: Some(sending),
                proposal,
                ended: None,
            },
        );
    }

    /// What a transfer brings that nobody was asked for: its person must have allowed that.
    fn meet_unasked(&mut self, node: usize, transfer: &TransferView) -> usize {
        let mut paired = self.nodes[node].paired.iter();
        let allowed = paired
            .find(|paired| paired.id() == transfer.device.id)
            .and_then(|paired| paired.auto_accept.files);
        assert!(
            allowed.is_some_and(|most| transfer.bytes <= most),
            "nobody was asked for {transfer:?}"
        );
        let Subject::Files { name, .. } = &transfer.subject else {
            panic!("an item among the transfers to receive")
        };
        let file = self.ledger.file_named(name);
        let sending = file.map(|file| self.ledger.files[file].sending);
        let sending = sending.expect("a transfer of what nobody sends");
        let life = self.life(node);
        let sent = &mut self.ledger.sendings[sending];
        sent.received.push((life, transfer.id));
        let is_program = |file: &usize| {
            let name = &self.ledger.files[*file].name;
            ReceivedName::from_proposed(name).is_program()
        };
        assert!(
            !sent.files.iter().any(is_program),
            "nobody was asked for the programs of {transfer:?}"
        );
        sending
    }

    /// Looks at an engine after a step.
    pub(crate) fn observe(&mut self, node: usize) {
        let engine = self.nodes[node]
            .engine
            .as_ref()
            .expect("it has just made a step");
        let revision = engine.revision();
        if revision == self.nodes[node].revision {
            // Now and then, that nothing else has changed is not taken on trust.
            if self.tally.steps.is_multiple_of(64) {
                let snapshot = without_progress(engine.snapshot(tabferry_engine::Time(self.now)));
                assert_eq!(
                    snapshot, self.nodes[node].snapshot,
                    "the snapshot has changed, its revision has not"
                );
            }
            return;
        }
        let snapshot = engine.snapshot(tabferry_engine::Time(self.now));
        self.nodes[node].revision = revision;
        for view in &snapshot.transfers {
            self.meet(node, view);
            if let (Direction::Send, TransferState::Running) = (view.direction, view.state)
                && let Some(sending) = self.nodes[node].told[&view.id].sending
            {
                self.ledger.sendings[sending].accepted = true;
            }
        }
        self.check_snapshot(node, &snapshot);
        self.nodes[node].snapshot = without_progress(snapshot);
    }

    fn check_snapshot(&self, node: usize, snapshot: &Snapshot) {
        let told = &self.nodes[node].told;
        assert!(
            snapshot.devices.len() <= ROOM_PEERS,
            "{} devices",
            snapshot.devices.len()
        );
        assert!(
            snapshot
                .devices
                .iter()
                .all(|device| device.id != self.nodes[node].device),
            "a device sees itself"
        );
        assert!(
            snapshot.devices.is_sorted_by_key(|device| &device.name),
            "devices are sorted by name"
        );
        assert!(
            snapshot.items.len() <= KEPT_ITEMS,
            "{} items kept",
            snapshot.items.len()
        );
        let (mut open, mut ended) = (0, 0);
        for view in &snapshot.transfers {
            let told = &told[&view.id];
            assert_ne!(
                told.proposal,
                Some(ProposalState::Waiting),
                "a proposal among the transfers"
            );
            assert!(
                view.bytes_done <= view.bytes,
                "more done than there is: {view:?}"
            );
            if view.state.is_final() {
                ended += 1;
            } else {
                open += 1;
            }
            assert_eq!(
                told.ended,
                view.state.is_final().then_some(view.state),
                "an end and no event, or the reverse"
            );
            if view.state == TransferState::Done {
                assert_eq!(view.bytes_done, view.bytes, "done, and not all bytes are");
            }
        }
        assert!(ended <= KEPT_TRANSFERS, "{ended} ended transfers kept");
        assert!(
            open + snapshot.incoming.len() <= OPEN_TRANSFERS,
            "{open} open transfers"
        );
        let live = told.values().filter(|told| {
            told.ended.is_none() && told.proposal.is_none_or(|it| it == ProposalState::Accepted)
        });
        assert_eq!(
            live.count(),
            open,
            "transfers that have not ended and are not shown, or the reverse"
        );
        for proposal in &snapshot.incoming {
            assert_eq!(
                told[&proposal.transfer].proposal,
                Some(ProposalState::Waiting),
                "a proposal that needs no answer"
            );
            assert!(
                proposal.names.len() <= ProposalView::NAMES,
                "too many names shown"
            );
        }
        let waiting = told
            .values()
            .filter(|told| told.proposal == Some(ProposalState::Waiting))
            .count();
        assert_eq!(
            waiting,
            snapshot.incoming.len(),
            "proposals that wait and are not shown"
        );
    }

    /// What must be so once everything has calmed down and time has passed: nothing hangs, nothing is held, both ends
    /// agree, and what nothing excuses has arrived.
    pub(crate) fn check_end(&mut self) {
        for (index, node) in self.nodes.iter().enumerate() {
            trace::line(self.now, || {
                format!("n{index} at the end: {:?}", node.snapshot)
            });
            let open: Vec<_> = node
                .told
                .iter()
                .filter(|(_, told)| {
                    told.ended.is_none() && told.proposal != Some(ProposalState::Ended)
                })
                .collect();
            assert!(open.is_empty(), "n{index} is not through with {open:?}");
            assert!(
                node.sources.is_empty(),
                "n{index} has not released {:?}",
                node.sources
            );
            assert!(node.files.is_empty(), "n{index} holds {:?}", node.files);
            assert!(
                node.connections.is_empty(),
                "n{index} holds {:?}",
                node.connections
            );
            assert_eq!(
                node.snapshot.connection,
                ConnectionView::Online,
                "n{index} is not online"
            );
            assert_eq!(
                node.snapshot.devices.len(),
                self.nodes.len() - 1,
                "n{index} sees {:?}",
                node.sees()
            );
        }
        for sending in 0..self.ledger.sendings.len() {
            self.check_sending(sending);
        }
    }

    fn check_sending(&mut self, index: usize) {
        let hostile = self.is_hostile(index);
        let sending = &self.ledger.sendings[index];
        if hostile || sending.from != self.life(sending.from.node) {
            return;
        }
        let end = sending.sent_end.expect("checked with its node");
        // Whoever tells devices of each other can keep them apart.
        let kept_apart = sending.disturbed && (self.evil.is_some() || self.plan.server_garbage);
        if sending.must_arrive() && !kept_apart {
            self.tally.undisturbed += 1;
            assert_eq!(
                end,
                TransferState::Done,
                "nothing excuses that this has not arrived: {sending:?}"
            );
        }
        let done = sending.received_done;
        if end == TransferState::Done && sending.item.is_none() {
            assert!(
                done == 1 || sending.crashed,
                "the receiver doesn't agree that this is done: {sending:?}"
            );
        } else if done > 0 {
            let excused = sending.crashed || sending.cancelled_by_sender;
            assert!(
                excused,
                "only the receiver says that this is done: {sending:?}"
            );
        }
        let explained = match end {
            TransferState::Cancelled { here } => {
                sending.disturbed
                    || sending.storage_failed
                    || if here {
                        sending.cancelled_by_sender
                    } else {
                        sending.cancelled_by_receiver
                    }
            }
            TransferState::Declined {
                code: Code::Declined,
            } => sending.declined,
            TransferState::Failed {
                code: Code::SourceFailed | Code::FetchFailed,
            } => sending.source_failed,
            TransferState::Failed {
                code: Code::StorageFull | Code::StorageFailed,
            } => sending.storage_failed || sending.interruptions > 0,
            TransferState::Failed {
                code: Code::ConnectionLost | Code::PeerGone | Code::Unreachable | Code::Stalled,
            } => sending.disturbed,
            TransferState::Failed {
                code:
                    Code::DigestMismatch
                    | Code::PeerMisbehaved
                    | Code::InvalidFrame
                    | Code::Incompatible,
            } => false,
            _ => true,
        };
        assert!(explained, "nothing explains this end: {sending:?}");
    }
}

fn without_progress(mut snapshot: Snapshot) -> Snapshot {
    for view in &mut snapshot.transfers {
        let moves = matches!(
            view.state,
            TransferState::Running | TransferState::Waiting | TransferState::Paused { .. }
        );
        if moves {
            view.bytes_done = 0;
            view.files_done = 0;
        }
        view.bytes_per_second = 0;
        view.seconds_left = None;
    }
    snapshot
}
