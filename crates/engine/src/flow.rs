//! How bytes move and transfers end: turns among the transfers of a session, reads of sources, reports of the storage.

use tabferry_protocol::code::Code;
use tabferry_protocol::frame::{
    BulkHeader, Cancel, ControlFrame, Decline, EntryStored, Pause, Role,
};
use tabferry_protocol::host::{Direction, Event, StoredFile, TransferState};
use tabferry_protocol::id::{DeviceId, ResumeId, TransferId};
use tabferry_protocol::limits::{
    ACTIVE_TRANSFERS, BUFFERED_HIGH_BYTES, COMPARING_PING_MS, KEPT_TRANSFERS, READS_AHEAD,
    REMEMBERED_OUTCOMES, REMEMBERED_OUTCOMES_OF_DEVICE,
};

use crate::engine::Engine;
use crate::io::{ConnectionKey, FileFailure, FileKey, Output, ReadKey};
use crate::session::SessionKey;
use crate::transfer::{Body, Transfer};

/// A read that was asked for and not answered in full.
#[derive(Debug)]
pub(crate) struct Read {
    transfer: TransferId,
    /// A read of an older run still counts as on its way: its bytes come and are dropped.
    run: u32,
    entry: u32,
    remaining: u64,
}

impl Engine {
    /// Asks for reads until enough are on their way, giving each transfer its turn.
    pub(crate) fn pump(&mut self, session: SessionKey) {
        while self.reads_of(session) < READS_AHEAD {
            if !self.read_once(session) {
                break;
            }
        }
    }

    fn reads_of(&self, session: SessionKey) -> usize {
        let of_session = |read: &&Read| {
            let transfer = self.transfers.get(&read.transfer);
            transfer.is_some_and(|it| it.session == Some(session))
        };
        self.reads.values().filter(of_session).count()
    }

    fn read_once(&mut self, key: SessionKey) -> bool {
        let Some(connection) = self
            .sessions
            .get_mut(&key)
            .and_then(|session| session.connection.as_mut())
        else {
            return false;
        };
        if !connection.open || connection.paused {
            return false;
        }
        let mut turns: Vec<(_, TransferId)> = connection
            .outgoing
            .iter()
            .map(|(wire, id)| (*wire, *id))
            .collect();
        turns.sort_unstable_by_key(|(_, id)| (Some(*id) <= connection.last_turn, *id));
        for (wire, id) in turns {
            let transfer = self.transfers.get_mut(&id).filter(|it| !it.is_paused());
            let Some(sending) = transfer.and_then(Transfer::sending) else {
                continue;
            };
            for frame in sending.pass_over(wire) {
                connection.send(&frame, &mut self.out);
            }
            let Some(next) = sending.next_read() else {
                continue;
            };
            connection.last_turn = Some(id);
            let read = ReadKey(self.out.key());
            self.reads.insert(
                read,
                Read {
                    transfer: id,
                    run: next.run,
                    entry: next.entry,
                    remaining: next.bytes,
                },
            );
            self.out.push(Output::Read {
                read,
                source: next.source,
                offset: next.offset,
                bytes: next.bytes,
            });
            return true;
        }
        false
    }

    pub(crate) fn handle_chunk(&mut self, key: ReadKey, data: &[u8], buffered: u64) {
        let Some(read) = self.reads.get_mut(&key) else {
            return;
        };
        let length = data.len() as u64;
        if length == 0 || length > read.remaining {
            self.handle_read_failed(key);
            return;
        }
        read.remaining -= length;
        let (id, run, entry) = (read.transfer, read.run, read.entry);
        let finished = read.remaining == 0;
        if finished {
            self.reads.remove(&key);
        }
        let session = self.transfers.get(&id).and_then(|it| it.session);
        let Some(session) = session else { return };
        match self.send_chunk(session, id, (run, entry), data, buffered) {
            Err(code) => self.fail(id, code),
            Ok(()) if finished => {
                self.show_life(session, id);
                self.pump(session);
            }
            Ok(()) => {}
        }
    }

    fn send_chunk(
        &mut self,
        session: SessionKey,
        id: TransferId,
        (run, entry): (u32, u32),
        data: &[u8],
        buffered: u64,
    ) -> Result<(), Code> {
        let connection = self
            .sessions
            .get_mut(&session)
            .and_then(|session| session.connection.as_mut());
        let (Some(connection), Some(transfer)) = (connection, self.transfers.get_mut(&id)) else {
            return Ok(());
        };
        transfer.moved_at = self.now;
        let Some(wire) = transfer.wire else {
            return Ok(());
        };
        let Some(sending) = transfer.sending() else {
            return Ok(());
        };
        let Some((header, done)) = sending.handle_chunk(wire, run, entry, data)? else {
            return Ok(());
        };
        self.out.push(Output::SendBulk {
            connection: connection.key,
            header,
        });
        if let Some(frame) = done {
            connection.send(&frame, &mut self.out);
        }
        if buffered + (BulkHeader::BYTES + data.len()) as u64 >= BUFFERED_HIGH_BYTES {
            connection.paused = true;
        }
        Ok(())
    }

    /// A receiver hears nothing of a transfer while its sender reads what both have, which may take minutes.
    fn show_life(&mut self, session: SessionKey, id: TransferId) {
        let now = self.now;
        let sending = self.transfers.get_mut(&id).and_then(Transfer::sending);
        if !sending.is_some_and(|sending| sending.is_comparing()) {
            return;
        }
        if let Some(connection) = self.connection_mut(session)
            && now.since(connection.pinged_at) >= COMPARING_PING_MS
        {
            connection.pinged_at = now;
            self.send_frame(session, &ControlFrame::Ping);
        }
    }

    pub(crate) fn handle_read_failed(&mut self, key: ReadKey) {
        if let Some(read) = self.reads.remove(&key) {
            self.fail(read.transfer, Code::SourceFailed);
        }
    }

    pub(crate) fn handle_buffered_low(&mut self, key: ConnectionKey) {
        if let Some(session) = self.session_of(key) {
            if let Some(connection) = self.connection_mut(session) {
                connection.paused = false;
            }
            self.session_moved(session);
            self.pump(session);
        }
    }

    pub(crate) fn session_moved(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.moved_at = self.now;
        }
    }

    fn receiver_of(&mut self, file: FileKey) -> Option<&mut Transfer> {
        self.transfers
            .values_mut()
            .find(|transfer| matches!(&transfer.body, Some(Body::Receive(receiving)) if receiving.has_file(file)))
    }

    pub(crate) fn handle_written(&mut self, file: FileKey, bytes: u64) {
        let now = self.now;
        let Some(transfer) = self.receiver_of(file) else {
            return;
        };
        let credit = transfer
            .receiving()
            .and_then(|receiving| receiving.handle_written(now, file, bytes));
        transfer.moved(now);
        // Without a number here, the connection does not know the transfer.
        if let (Some(credit), Some(session), Some(_)) = (credit, transfer.session, transfer.wire) {
            self.send_frame(session, &credit);
        }
    }

    pub(crate) fn handle_stored(&mut self, file: FileKey, stored: StoredFile) {
        let now = self.now;
        let Some(transfer) = self.receiver_of(file) else {
            return;
        };
        let Some(receiving) = transfer.receiving() else {
            return;
        };
        let Some(entry) = receiving.handle_stored(file) else {
            return;
        };
        let complete = receiving.is_complete();
        transfer.stored = Some(stored);
        transfer.moved(now);
        let (id, session, wire) = (transfer.id, transfer.session, transfer.wire);
        self.out.changed();
        if let (Some(session), Some(wire)) = (session, wire) {
            self.send_frame(
                session,
                &ControlFrame::EntryStored(EntryStored {
                    transfer: wire,
                    entry,
                }),
            );
        }
        if complete {
            self.end(id, TransferState::Done);
        } else {
            self.accept_if_settled(id);
        }
    }

    /// Asks for the bytes of a transfer that it waits for, as soon as it is known which those are.
    pub(crate) fn accept_if_settled(&mut self, id: TransferId) {
        let now = self.now;
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let Some(Body::Receive(receiving)) = &mut transfer.body else {
            return;
        };
        if let Some(accept) = receiving.accept_if_settled(now, &mut self.out)
            && let Some(session) = transfer.session
        {
            transfer.moved(now);
            transfer.speed.restart(now, transfer.bytes_done);
            self.send_frame(session, &accept);
        }
    }

    pub(crate) fn handle_file_failed(&mut self, file: FileKey, failure: FileFailure) {
        let Some(transfer) = self.receiver_of(file) else {
            return;
        };
        let id = transfer.id;
        if failure == FileFailure::Interrupted {
            self.restart_file(id, file);
            return;
        }
        // Nothing of it is left to abort.
        if let Some(receiving) = transfer.receiving() {
            receiving.forget(file);
        }
        match failure {
            FileFailure::Cancelled => {
                self.send_cancel(id, Code::Cancelled);
                self.end(id, TransferState::Cancelled { here: true });
            }
            failure => self.fail(id, failure.into()),
        }
    }

    fn restart_file(&mut self, id: TransferId, file: FileKey) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let wire = transfer.wire;
        let Some(receiving) = transfer.receiving() else {
            return;
        };
        if !receiving.may_restart(file) {
            self.fail(id, Code::StorageFailed);
            return;
        }
        if let Some(wire) = wire {
            receiving.want(wire);
        }
        self.out.changed();
        self.accept_if_settled(id);
    }

    /// Starts accepted transfers of a session that wait for their turn.
    pub(crate) fn start_queued(&mut self, session: SessionKey) {
        let of_session =
            |transfer: &&mut Transfer| transfer.session == Some(session) && transfer.is_live();
        let running = self
            .transfers
            .values_mut()
            .filter(of_session)
            .filter_map(Transfer::receiving)
            .filter(|receiving| receiving.is_running())
            .count();
        let mut started = Vec::new();
        let queued = self
            .transfers
            .values_mut()
            .filter(of_session)
            .filter(|transfer| transfer.is_queued());
        for transfer in queued.take(ACTIVE_TRANSFERS.saturating_sub(running)) {
            let Some(wire) = transfer.wire else { continue };
            transfer.state = TransferState::Running;
            if let Some(receiving) = transfer.receiving() {
                receiving.want(wire);
            }
            started.push(transfer.id);
        }
        for id in started {
            self.accept_if_settled(id);
            self.out.changed();
        }
    }

    /// Says whether a person here holds a transfer.
    pub(crate) fn tell_pause(&mut self, id: TransferId) {
        let Some(transfer) = self.transfers.get(&id) else {
            return;
        };
        if let (Some(session), Some(wire)) = (transfer.session, transfer.wire) {
            let pause = Pause {
                transfer: wire,
                role: role(transfer),
                paused: transfer.paused_here,
            };
            self.send_frame(session, &ControlFrame::Pause(pause));
        }
    }

    /// A person here or there holds a transfer, or doesn't any more.
    pub(crate) fn go_on(&mut self, id: TransferId) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        transfer.moved_at = self.now;
        transfer.speed.restart(self.now, transfer.bytes_done);
        if let Some(session) = transfer.session {
            self.pump(session);
        }
    }

    /// How a transfer of a device ended here.
    pub(crate) fn outcome(&self, device: DeviceId, resume: ResumeId) -> Option<TransferState> {
        let known =
            |(from, id, _): &&(DeviceId, ResumeId, TransferState)| *from == device && *id == resume;
        self.outcomes.iter().find(known).map(|(_, _, state)| *state)
    }

    /// Keeps how something ended for its sender, who may not hear it now.
    pub(crate) fn remember_outcome(
        &mut self,
        device: DeviceId,
        resume: ResumeId,
        state: TransferState,
    ) {
        let of_device = |(from, ..): &&(DeviceId, ResumeId, TransferState)| *from == device;
        // No device pushes out what others have not heard.
        if self.outcomes.iter().filter(of_device).count() >= REMEMBERED_OUTCOMES_OF_DEVICE {
            let oldest = self.outcomes.iter().position(|(from, ..)| *from == device);
            oldest.and_then(|oldest| self.outcomes.remove(oldest));
        } else if self.outcomes.len() >= REMEMBERED_OUTCOMES {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back((device, resume, state));
    }

    /// Ends a transfer by a failure of this end and tells the other.
    pub(crate) fn fail(&mut self, id: TransferId, code: Code) {
        self.send_cancel(id, code);
        self.end(id, TransferState::Failed { code });
    }

    pub(crate) fn send_cancel(&mut self, id: TransferId, code: Code) {
        let Some(transfer) = self.transfers.get(&id) else {
            return;
        };
        if let (Some(session), Some(wire)) = (transfer.session, transfer.wire) {
            let cancel = Cancel {
                transfer: wire,
                role: role(transfer),
                code,
            };
            self.send_frame(session, &ControlFrame::Cancel(cancel));
        }
    }

    pub(crate) fn send_decline(&mut self, id: TransferId, code: Code) {
        let Some(transfer) = self.transfers.get(&id) else {
            return;
        };
        if let (Some(session), Some(wire)) = (transfer.session, transfer.wire) {
            self.send_frame(
                session,
                &ControlFrame::Decline(Decline {
                    transfer: wire,
                    code,
                }),
            );
        }
    }

    /// Ends a transfer here: lets go of all it holds, says so once, and lets the next ones move up.
    pub(crate) fn end(&mut self, id: TransferId, state: TransferState) {
        let Some(transfer) = self
            .transfers
            .get_mut(&id)
            .filter(|transfer| transfer.is_live())
        else {
            return;
        };
        if transfer.is_pending() {
            self.out.event(Event::ProposalEnded { transfer: id });
        }
        transfer.state = state;
        match transfer.body.take() {
            Some(Body::Send(sending)) => {
                for source in sending.sources() {
                    self.out.push(Output::ReleaseSource { source });
                }
            }
            Some(Body::Receive(mut receiving)) => receiving.abort(&mut self.out),
            None => {}
        }
        if state == TransferState::Done {
            transfer.bytes_done = transfer.bytes;
        }
        let received = transfer.direction == Direction::Receive;
        let (device, resume) = (transfer.device.id, transfer.resume);
        self.out.event(Event::TransferEnded {
            transfer: transfer.view(self.now),
        });
        self.out.changed();
        let (session, wire) = (transfer.session.take(), transfer.wire.take());
        if received {
            self.remember_outcome(device, resume, state);
        }
        self.reads.retain(|_, read| read.transfer != id);
        self.forget_oldest_ended();
        let Some(key) = session else { return };
        if let Some(session) = self.sessions.get_mut(&key) {
            session.idle_since = self.now;
            if let (Some(connection), Some(wire)) = (session.connection.as_mut(), wire) {
                connection
                    .outgoing
                    .retain(|known, known_id| (*known, *known_id) != (wire, id));
                connection
                    .incoming
                    .retain(|known, known_id| (*known, *known_id) != (wire, id));
            }
        }
        self.start_queued(key);
        self.propose_waiting(key);
        self.pump(key);
    }

    fn forget_oldest_ended(&mut self) {
        let ended: Vec<TransferId> = self
            .transfers
            .values()
            .filter(|transfer| !transfer.is_live())
            .map(|transfer| transfer.id)
            .collect();
        for id in ended
            .iter()
            .take(ended.len().saturating_sub(KEPT_TRANSFERS))
        {
            self.transfers.remove(id);
        }
    }
}

/// Which end of a transfer this is.
fn role(transfer: &Transfer) -> Role {
    match transfer.direction {
        Direction::Send => Role::Sender,
        Direction::Receive => Role::Receiver,
    }
}
