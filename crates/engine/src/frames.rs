//! What a peer's frames mean. A frame that breaks a rule ends the session with the code that says which.

use tabferry_protocol::code::Code;
use tabferry_protocol::frame::{
    Accept, Awaiting, BulkHeader, Cancel, Close, ControlFrame, Decline, EntryDone, EntryStored,
    Pause, Propose, Role, Withdraw, proposal,
};
use tabferry_protocol::host::{DeviceView, Direction, Event, ItemView, PlainItem, TransferState};
use tabferry_protocol::id::{DeviceId, ItemId, ResumeId, TransferId, WireTransferId};
use tabferry_protocol::limits::{
    KEPT_ITEMS, OPEN_TRANSFERS, PENDING_PROPOSALS, PROPOSAL_TIMEOUT_MS, UNANSWERED_BYTES,
};
use tabferry_protocol::manifest::{Entry, FileEntry, Item, Manifest};

use crate::engine::Engine;
use crate::io::{Channel, ConnectionKey, Time};
use crate::receiving::{Collecting, Receiving};
use crate::sending::index;
use crate::session::SessionKey;
use crate::transfer::{Body, Transfer, subject};

impl Engine {
    pub(crate) fn handle_frame(
        &mut self,
        connection: ConnectionKey,
        channel: Channel,
        bytes: &[u8],
    ) {
        let Some(session) = self.session_of(connection) else {
            return;
        };
        let Some(known) = self.sessions.get_mut(&session) else {
            return;
        };
        known.probe_until = None;
        let handled = match (channel, known.is_open()) {
            (Channel::Control, true) => match ControlFrame::decode(bytes) {
                Ok(frame) => self.handle_control(session, frame),
                Err(_) => Err(Code::InvalidFrame),
            },
            (Channel::Bulk, true) => match BulkHeader::decode(bytes) {
                Ok((header, data)) => self.handle_bulk(session, header, data),
                Err(_) => Err(Code::InvalidFrame),
            },
            // Until a peer has proved who it is, nothing else is heard.
            (Channel::Control, false) => match ControlFrame::decode(bytes) {
                Ok(frame @ (ControlFrame::Handshake(_) | ControlFrame::Close(_))) => {
                    self.handle_control(session, frame)
                }
                Ok(ControlFrame::CodeProof(proof)) if known.by_code => {
                    self.handle_code_proof(session, &proof.message)
                }
                Ok(_) | Err(_) => Err(Code::Unverified),
            },
            (Channel::Bulk, false) => Err(Code::Unverified),
        };
        if let Err(code) = handled {
            self.close_session(session, code);
        }
    }

    fn handle_control(&mut self, session: SessionKey, frame: ControlFrame) -> Result<(), Code> {
        match frame {
            ControlFrame::Handshake(message) => self.handle_handshake(session, message),
            ControlFrame::Close(Close { code }) => {
                self.end_session(session, code);
                Ok(())
            }
            ControlFrame::Propose(propose) => self.handle_propose(session, propose),
            ControlFrame::Entries(entries) => {
                self.handle_entries(session, entries.transfer, entries.entries)
            }
            ControlFrame::Accept(accept) => self.handle_accept(session, &accept),
            ControlFrame::Decline(decline) => self.handle_decline(session, decline),
            ControlFrame::Credit(credit) => {
                self.handle_receiver_report(session, credit.transfer, |transfer| {
                    let sending = transfer.sending().ok_or(Code::PeerMisbehaved)?;
                    sending.credit(credit.epoch, credit.bytes)?;
                    Ok(false)
                })
            }
            ControlFrame::EntryStored(EntryStored { transfer, entry }) => self
                .handle_receiver_report(session, transfer, |transfer| {
                    transfer
                        .sending()
                        .ok_or(Code::PeerMisbehaved)?
                        .entry_stored(entry)
                }),
            ControlFrame::EntryDone(done) => self.handle_entry_done(session, done),
            ControlFrame::Cancel(cancel) => {
                self.handle_cancel(session, cancel);
                Ok(())
            }
            ControlFrame::Awaiting(awaiting) => {
                self.handle_awaiting(session, &awaiting);
                Ok(())
            }
            ControlFrame::Withdraw(withdraw) => {
                self.handle_withdraw(session, withdraw);
                Ok(())
            }
            ControlFrame::Pause(pause) => self.handle_pause(session, pause),
            ControlFrame::Ping => {
                self.session_moved(session);
                self.send_frame(session, &ControlFrame::Pong);
                Ok(())
            }
            ControlFrame::PairAsk(ask) => self.handle_pair_ask(session, ask),
            ControlFrame::PairNonce(nonce) => self.handle_pair_nonce(session, nonce),
            ControlFrame::PairReveal(reveal) => self.handle_pair_reveal(session, reveal),
            ControlFrame::PairPicked(picked) => self.handle_pair_picked(session, picked),
            ControlFrame::PairStop(_) => {
                self.handle_pair_stop(session);
                Ok(())
            }
            ControlFrame::Pong => {
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.bye = None;
                }
                Ok(())
            }
            ControlFrame::CodeProof(proof) => self.handle_code_proof(session, &proof.message),
            ControlFrame::Unknown(_) => Ok(()),
        }
    }

    /// Proposes what waits for a session, as far as the receiver takes it.
    pub(crate) fn propose_waiting(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        let Some(connection) = session
            .connection
            .as_mut()
            .filter(|connection| connection.open)
        else {
            return;
        };
        let of_session = |transfer: &&mut Transfer| transfer.session == Some(key);
        let unanswered = self
            .transfers
            .values_mut()
            .filter(of_session)
            .filter(|transfer| transfer.is_unanswered())
            .count();
        let mut room = PENDING_PROPOSALS.saturating_sub(unanswered);
        for transfer in self
            .transfers
            .values_mut()
            .filter(of_session)
            .filter(|transfer| transfer.is_waiting())
        {
            let Some(sending) = transfer.sending() else {
                continue;
            };
            if !sending.is_inline() {
                let Some(left) = room.checked_sub(1) else {
                    continue;
                };
                room = left;
            }
            // A manifest that breaks a limit ended before it got a session.
            let Ok(manifest) = sending.manifest() else {
                continue;
            };
            sending.proposals += 1;
            let wire = connection.draw_wire_id();
            for frame in proposal(wire, transfer.resume, manifest) {
                connection.send(&frame, &mut self.out);
            }
            if transfer.paused_here {
                let pause = Pause {
                    transfer: wire,
                    role: Role::Sender,
                    paused: true,
                };
                connection.send(&ControlFrame::Pause(pause), &mut self.out);
            }
            connection.outgoing.insert(wire, transfer.id);
            transfer.wire = Some(wire);
            transfer.state = TransferState::Proposed;
            transfer.moved_at = self.now;
            self.out.changed();
        }
    }

    fn handle_propose(&mut self, key: SessionKey, propose: Propose) -> Result<(), Code> {
        let now = self.now;
        let pending = self
            .transfers
            .values()
            .filter(|it| it.session == Some(key) && it.is_pending())
            .count();
        let open = self
            .transfers
            .values()
            .filter(|transfer| transfer.is_live())
            .count();
        let resumed = self.is_known(key, propose.resume);
        let connection = self.connection_mut(key).ok_or(Code::PeerMisbehaved)?;
        if propose.transfer.0 <= connection.last_incoming {
            return Err(Code::PeerMisbehaved);
        }
        connection.last_incoming = propose.transfer.0;
        connection
            .collecting
            .retain(|_, (since, _)| now.since(*since) < PROPOSAL_TIMEOUT_MS);
        // Items that are all here wait for nobody.
        let whole = propose.entries.len() == index(propose.count);
        let items = propose
            .entries
            .iter()
            .all(|entry| matches!(entry, Entry::Item(_)));
        let full =
            pending + connection.collecting.len() >= PENDING_PROPOSALS || open >= OPEN_TRANSFERS;
        // What is known comes again once.
        let again = |(_, collecting): &(Time, Collecting)| collecting.resume == propose.resume;
        let resumed = resumed && !connection.collecting.values().any(again);
        if full && !resumed && !(whole && items) {
            self.refuse(key, propose.transfer, Code::Busy);
            return Ok(());
        }
        let collecting = Collecting::new(propose.resume, propose.count);
        connection
            .collecting
            .insert(propose.transfer, (now, collecting));
        self.handle_entries(key, propose.transfer, propose.entries)
    }

    fn handle_entries(
        &mut self,
        key: SessionKey,
        wire: WireTransferId,
        page: Vec<Entry>,
    ) -> Result<(), Code> {
        let connection = self.connection_mut(key).ok_or(Code::PeerMisbehaved)?;
        let Some((_, collecting)) = connection.collecting.get_mut(&wire) else {
            // The rest of a proposal that we refused; anything else was never proposed.
            return if wire.0 <= connection.last_incoming {
                Ok(())
            } else {
                Err(Code::PeerMisbehaved)
            };
        };
        let resume = collecting.resume;
        let mut complete = collecting.add(page);
        if !matches!(complete, Ok(Some(Manifest::Items(_))))
            && !self.is_known(key, resume)
            && self.unanswered_bytes() > UNANSWERED_BYTES
        {
            complete = Err(Code::Busy);
        }
        let connection = self.connection_mut(key).ok_or(Code::PeerMisbehaved)?;
        if !matches!(complete, Ok(None)) {
            connection.collecting.remove(&wire);
        }
        match complete {
            Ok(None) => {}
            Ok(Some(Manifest::Items(items))) => self.deliver(key, wire, resume, items),
            Ok(Some(Manifest::Files(files))) => self.handle_files(key, wire, resume, files),
            Err(code) => self.refuse(key, wire, code),
        }
        Ok(())
    }

    /// Bytes of all proposals that nobody has answered.
    fn unanswered_bytes(&self) -> usize {
        let connections = self
            .sessions
            .values()
            .filter_map(|it| it.connection.as_ref());
        let collecting = connections.flat_map(|it| it.collecting.values());
        let pending = self.transfers.values().filter_map(|it| match &it.body {
            Some(Body::Receive(receiving)) if it.is_pending() => Some(receiving.memory()),
            _ => None,
        });
        let collected: usize = collecting.map(|(_, it)| it.memory()).sum();
        collected + pending.sum::<usize>()
    }

    fn refuse(&mut self, key: SessionKey, transfer: WireTransferId, code: Code) {
        self.send_frame(key, &ControlFrame::Decline(Decline { transfer, code }));
    }

    /// Pages, links and texts need no consent: they touch no disk, and open nothing by themselves unless a person lets a
    /// paired device do that.
    fn deliver(
        &mut self,
        key: SessionKey,
        wire: WireTransferId,
        resume: ResumeId,
        items: Vec<Item>,
    ) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        let Some(from) = session.device.clone() else {
            return;
        };
        session.idle_since = self.now;
        // Sent again because the answer was lost: a person has it.
        let known = self.outcome(from.id, resume).is_some();
        let session = self.sessions.get_mut(&key);
        let allowed = session.is_some_and(|session| session.take_items(self.now, items.len()));
        if !known && !allowed {
            self.refuse(key, wire, Code::Busy);
            return;
        }
        if !known {
            self.remember_outcome(from.id, resume, TransferState::Done);
        }
        for (entry, item) in (0..).zip(items) {
            if !known {
                let unasked = self.trust.take_item(self.now, from.id, &item);
                self.show_item(from.clone(), item.into(), unasked);
            }
            self.send_frame(
                key,
                &ControlFrame::EntryStored(EntryStored {
                    transfer: wire,
                    entry,
                }),
            );
        }
    }

    /// Adds to what has come.
    pub(crate) fn show_item(&mut self, from: DeviceView, item: PlainItem, unasked: bool) {
        let id = ItemId(self.out.key());
        let item = ItemView { id, from, item };
        self.items.push_back(item.clone());
        if self.items.len() > KEPT_ITEMS {
            self.items.pop_front();
        }
        self.out.event(Event::ItemReceived { item, unasked });
        self.out.changed();
    }

    /// A peer proposes files: new ones, or those of a transfer whose connection was lost.
    fn handle_files(
        &mut self,
        key: SessionKey,
        wire: WireTransferId,
        resume: ResumeId,
        files: Vec<FileEntry>,
    ) {
        let session = self.sessions.get(&key);
        let Some(device) = session.and_then(|session| session.device.as_ref()) else {
            return;
        };
        let device = device.id;
        if let Some(id) = self.receiving_of(device, resume) {
            self.rejoin(key, wire, id, &files);
            return;
        }
        match self.outcome(device, resume) {
            None => self.add_receiving(key, wire, resume, files),
            Some(TransferState::Done) => {
                let accept = Accept {
                    transfer: wire,
                    epoch: 1,
                    entry: u32::try_from(files.len()).unwrap_or(u32::MAX),
                    offset: 0,
                    prefix: None,
                    stored: Vec::new(),
                    credit: 0,
                };
                self.send_frame(key, &ControlFrame::Accept(accept));
            }
            Some(state) => {
                let code = match state {
                    TransferState::Declined { code } | TransferState::Failed { code } => code,
                    _ => Code::Cancelled,
                };
                let cancel = Cancel {
                    transfer: wire,
                    role: Role::Receiver,
                    code,
                };
                self.send_frame(key, &ControlFrame::Cancel(cancel));
            }
        }
    }

    /// The transfer that a device sends under this id, if it is not over here.
    fn receiving_of(&self, device: DeviceId, resume: ResumeId) -> Option<TransferId> {
        let mut transfers = self.transfers.values();
        let of_device = |it: &&Transfer| it.device.id == device && it.resume == resume;
        transfers
            .find(|it| of_device(it) && it.is_live() && it.direction == Direction::Receive)
            .map(|it| it.id)
    }

    /// Whether a peer proposes again what it has proposed before.
    fn is_known(&self, key: SessionKey, resume: ResumeId) -> bool {
        let session = self.sessions.get(&key);
        let device = session.and_then(|session| session.device.as_ref());
        device.is_some_and(|device| {
            self.receiving_of(device.id, resume).is_some()
                || self.outcome(device.id, resume).is_some()
        })
    }

    /// Goes on with a transfer whose connection was lost.
    fn rejoin(
        &mut self,
        key: SessionKey,
        wire: WireTransferId,
        id: TransferId,
        files: &[FileEntry],
    ) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let Some(Body::Receive(receiving)) = &mut transfer.body else {
            return;
        };
        if !receiving.is_of(files) {
            let code = Code::PeerMisbehaved;
            self.refuse(key, wire, code);
            self.end(id, TransferState::Failed { code });
            return;
        }
        transfer.paused_there = false;
        let running = receiving.is_running();
        if running {
            receiving.want(wire);
            transfer.state = TransferState::Running;
        } else {
            receiving.transfer = wire;
            transfer.state = TransferState::Proposed;
        }
        let (before, number) = (transfer.session.replace(key), transfer.wire.replace(wire));
        transfer.moved_at = self.now;
        // The end of a connection that the other end knows to be lost may still be to come.
        if let (Some(before), Some(number)) = (before, number)
            && let Some(connection) = self.connection_mut(before)
        {
            connection.incoming.remove(&number);
        }
        if let Some(connection) = self.connection_mut(key) {
            connection.incoming.insert(wire, id);
        }
        self.out.changed();
        if self.transfers.get(&id).is_some_and(|it| it.paused_here) {
            self.tell_pause(id);
        }
        self.accept_if_settled(id);
        self.start_queued(key);
    }

    /// A peer has not received these in full: what they are to us is over, or will be proposed again.
    fn handle_awaiting(&mut self, key: SessionKey, awaiting: &Awaiting) {
        let device = self.sessions.get(&key).and_then(|it| it.device.as_ref());
        let Some(device) = device.map(|device| device.id) else {
            return;
        };
        for resume in &awaiting.resume {
            let code = match self.sending_of(device, *resume) {
                Some(TransferState::Cancelled { .. }) => Code::Cancelled,
                Some(TransferState::Failed { code }) => code,
                Some(state) if !state.is_final() => continue,
                _ => Code::SourceFailed,
            };
            let withdraw = Withdraw {
                resume: *resume,
                code,
            };
            self.send_frame(key, &ControlFrame::Withdraw(withdraw));
        }
    }

    /// How a transfer of ours to a device stands, by its id.
    fn sending_of(&self, device: DeviceId, resume: ResumeId) -> Option<TransferState> {
        let of_device = |it: &&Transfer| it.device.id == device && it.resume == resume;
        let mut transfers = self.transfers.values().filter(of_device);
        let known = transfers.find(|it| it.direction == Direction::Send);
        known.map(|it| it.state)
    }

    fn handle_withdraw(&mut self, key: SessionKey, withdraw: Withdraw) {
        let device = self.sessions.get(&key).and_then(|it| it.device.as_ref());
        if let Some(device) = device.map(|device| device.id)
            && let Some(id) = self.receiving_of(device, withdraw.resume)
            && let Some(transfer) = self.transfers.get(&id)
            && transfer.session == Some(key)
            && transfer.wire.is_none()
        {
            self.end(id, state_told(withdraw.code));
        }
    }

    fn handle_pause(&mut self, key: SessionKey, pause: Pause) -> Result<(), Code> {
        let id = match pause.role {
            Role::Sender => self.incoming(key, pause.transfer)?,
            Role::Receiver => self.outgoing(key, pause.transfer)?,
        };
        if let Some(id) = id
            && let Some(transfer) = self.transfers.get_mut(&id)
        {
            transfer.paused_there = pause.paused;
            self.out.changed();
            self.go_on(id);
        }
        Ok(())
    }

    fn add_receiving(
        &mut self,
        key: SessionKey,
        wire: WireTransferId,
        resume: ResumeId,
        files: Vec<FileEntry>,
    ) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        let (Some(connection), Some(device)) =
            (session.connection.as_mut(), session.device.clone())
        else {
            return;
        };
        let id = TransferId(self.out.key());
        connection.incoming.insert(wire, id);
        let manifest = Manifest::Files(files);
        let subject = subject(&manifest);
        let Manifest::Files(files) = manifest else {
            return;
        };
        let body = Body::Receive(Receiving::new(id, wire, files));
        let state = TransferState::Proposed;
        let mut transfer = Transfer::new(id, resume, device, subject, state, body, self.now);
        transfer.session = Some(key);
        transfer.wire = Some(wire);
        let proposal = transfer.proposal();
        self.transfers.insert(id, transfer);
        self.out.changed();
        let Some(proposal) = proposal else { return };
        let unasked = proposal.programs == 0
            && self
                .trust
                .take_unasked(self.now, proposal.from.id, proposal.bytes, proposal.files);
        if unasked {
            self.admit(id);
        } else {
            self.out.event(Event::ProposalArrived { proposal });
        }
    }

    /// The transfer of ours that a frame speaks of; `None` if it has ended here.
    fn outgoing(
        &mut self,
        key: SessionKey,
        wire: WireTransferId,
    ) -> Result<Option<TransferId>, Code> {
        let connection = self.connection_mut(key).ok_or(Code::PeerMisbehaved)?;
        if wire.0 > connection.last_outgoing {
            return Err(Code::PeerMisbehaved);
        }
        Ok(connection.outgoing.get(&wire).copied())
    }

    /// The transfer of the peer's that a frame speaks of; `None` if it has ended here.
    fn incoming(
        &mut self,
        key: SessionKey,
        wire: WireTransferId,
    ) -> Result<Option<TransferId>, Code> {
        let connection = self.connection_mut(key).ok_or(Code::PeerMisbehaved)?;
        if wire.0 > connection.last_incoming {
            return Err(Code::PeerMisbehaved);
        }
        Ok(connection.incoming.get(&wire).copied())
    }

    fn handle_accept(&mut self, key: SessionKey, accept: &Accept) -> Result<(), Code> {
        let Some(id) = self.outgoing(key, accept.transfer)? else {
            return Ok(());
        };
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return Ok(());
        };
        let sending = transfer.sending().ok_or(Code::PeerMisbehaved)?;
        let accepted = sending.accept(accept);
        let complete = sending.is_stored();
        if accepted == Err(Code::SourceFailed) {
            self.fail(id, Code::SourceFailed);
            return Ok(());
        }
        accepted?;
        transfer.state = TransferState::Running;
        transfer.moved(self.now);
        transfer.speed.restart(self.now, transfer.bytes_done);
        self.out.changed();
        if complete {
            self.end(id, TransferState::Done);
            return Ok(());
        }
        self.propose_waiting(key);
        self.pump(key);
        Ok(())
    }

    fn handle_decline(&mut self, key: SessionKey, decline: Decline) -> Result<(), Code> {
        if let Some(id) = self.outgoing(key, decline.transfer)? {
            self.end(id, TransferState::Declined { code: decline.code });
        }
        Ok(())
    }

    /// Takes what a receiver reports of a transfer of ours; `report` returns whether that was its end.
    fn handle_receiver_report(
        &mut self,
        key: SessionKey,
        wire: WireTransferId,
        report: impl FnOnce(&mut Transfer) -> Result<bool, Code>,
    ) -> Result<(), Code> {
        let Some(id) = self.outgoing(key, wire)? else {
            return Ok(());
        };
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return Ok(());
        };
        let complete = report(transfer)?;
        transfer.moved(self.now);
        self.session_moved(key);
        if complete {
            self.end(id, TransferState::Done);
        } else {
            self.pump(key);
        }
        Ok(())
    }

    fn handle_entry_done(&mut self, key: SessionKey, done: EntryDone) -> Result<(), Code> {
        let Some(id) = self.incoming(key, done.transfer)? else {
            return Ok(());
        };
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return Ok(());
        };
        transfer.moved_at = self.now;
        let Some(Body::Receive(receiving)) = &mut transfer.body else {
            return Ok(());
        };
        let handled = receiving.handle_entry_done(done, &mut self.out);
        self.end_if_corrupt(id, handled)
    }

    fn handle_bulk(
        &mut self,
        key: SessionKey,
        header: BulkHeader,
        data: &[u8],
    ) -> Result<(), Code> {
        let Some(id) = self.incoming(key, header.transfer)? else {
            return Ok(());
        };
        self.session_moved(key);
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return Ok(());
        };
        transfer.moved_at = self.now;
        let Some(Body::Receive(receiving)) = &mut transfer.body else {
            return Ok(());
        };
        let handled = receiving.handle_bulk(header, data, &mut self.out);
        self.end_if_corrupt(id, handled)
    }

    /// Wrong content ends its transfer only; whatever else is wrong ends the session.
    fn end_if_corrupt(&mut self, id: TransferId, handled: Result<(), Code>) -> Result<(), Code> {
        match handled {
            Err(code @ Code::DigestMismatch) => {
                self.fail(id, code);
                Ok(())
            }
            handled => handled,
        }
    }

    fn handle_cancel(&mut self, key: SessionKey, cancel: Cancel) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let id = match cancel.role {
            Role::Sender => {
                connection.collecting.remove(&cancel.transfer);
                connection.incoming.get(&cancel.transfer)
            }
            Role::Receiver => connection.outgoing.get(&cancel.transfer),
        };
        if let Some(id) = id.copied() {
            self.end(id, state_told(cancel.code));
        }
    }
}

/// How a transfer has ended when the other end says so with this code.
pub(crate) fn state_told(code: Code) -> TransferState {
    match code {
        Code::Cancelled => TransferState::Cancelled { here: false },
        Code::Declined => TransferState::Declined { code },
        code => TransferState::Failed { code },
    }
}
