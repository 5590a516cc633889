//! What a person asks, turned into transfers and answers.

use tabferry_protocol::card::DeviceName;
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{
    Command, DeviceView, PlainItem, Settings, Subject, TransferState, TrustCommand,
};
use tabferry_protocol::id::{DeviceId, SourceId, TransferId};
use tabferry_protocol::limits::OPEN_TRANSFERS;
use tabferry_protocol::manifest::Item;
use tabferry_protocol::name::{ReceivedName, cut_to_bytes};
use tabferry_protocol::paired::PairedDevice;

use crate::engine::Engine;
use crate::io::Output;
use crate::sending::{Content, Sending};
use crate::transfer::{Body, Transfer, plain_subject, subject};

impl Engine {
    pub(crate) fn handle_command(&mut self, command: Command) {
        match command {
            Command::Configure(settings) => self.configure(settings),
            Command::Reconnect => self.reconnect(),
            Command::SendItem { to, item } => self.send_item(to, item),
            Command::SendFiles { to, files } => self.send(to, Content::Files(files)),
            Command::Prepare { to, name, source } => self.prepare(to, &name, source),
            Command::Prepared { file } => self.prepared(file.source, Content::Files(vec![file])),
            Command::PrepareFailed {
                source,
                code,
                instead,
            } => match instead.map(Item::try_from) {
                Some(Ok(item)) => self.prepared(source, Content::Items(vec![item])),
                Some(Err(_)) | None => self.prepare_failed(source, code),
            },
            Command::Accept { transfer } => self.accept(transfer),
            Command::Decline { transfer } => self.decline(transfer),
            Command::Cancel { transfer } => self.cancel(transfer),
            Command::Pause { transfer } => self.pause(transfer, true),
            Command::Resume { transfer } => self.pause(transfer, false),
            Command::Dismiss { transfer } => {
                if self
                    .transfers
                    .get(&transfer)
                    .is_some_and(|known| !known.is_live())
                {
                    self.transfers.remove(&transfer);
                    self.out.changed();
                }
            }
            Command::DismissItem { item } => {
                self.items.retain(|known| known.id != item);
                self.out.changed();
            }
            Command::TakeItem {
                from,
                item,
                unasked,
            } => {
                let from = self.trust.shown(from);
                // What the two endpoints do unasked counts together here.
                let unasked = unasked
                    && Item::try_from(item.clone())
                        .is_ok_and(|item| self.trust.take_item(self.now, from.id, &item));
                self.show_item(from, item, unasked);
            }
            Command::ShowInCrowd => {
                self.rooms.show_in_crowd();
                self.update_rooms();
                self.out.changed();
            }
        }
    }

    /// Another endpoint of this device has changed the paired devices.
    pub(crate) fn handle_paired(&mut self, paired: Vec<PairedDevice>) {
        self.trust.replace(paired, &mut self.out);
        self.trust_changed();
    }

    pub(crate) fn handle_trust_command(&mut self, command: TrustCommand) {
        match command {
            TrustCommand::Pair { with } => self.pair(with),
            TrustCommand::AnswerPairing { yes } => self.answer_pairing(yes),
            TrustCommand::PickPairing { choice } => self.pick_pairing(choice),
            TrustCommand::EndPairing => self.end_pairing(),
            TrustCommand::Unpair { device } => {
                self.trust.remove(device, &mut self.out);
                self.trust_changed();
            }
            TrustCommand::Rename { device, name } => {
                self.trust
                    .change(device, &mut self.out, |known| known.name = name);
                self.trust_changed();
            }
            TrustCommand::SetAutoAccept {
                device,
                auto_accept,
            } => {
                self.trust.change(device, &mut self.out, |known| {
                    known.auto_accept = auto_accept;
                });
            }
            TrustCommand::OpenCode => self.open_code(),
            TrustCommand::EnterCode { typed } => self.enter_code(&typed),
            TrustCommand::EndCode => self.end_code(),
        }
    }

    /// Other devices are paired, or called otherwise.
    pub(crate) fn trust_changed(&mut self) {
        let sessions = self.sessions.values_mut();
        for device in sessions.filter_map(|session| session.device.as_mut()) {
            *device = self.trust.shown(device.clone());
        }
        for transfer in self.transfers.values_mut() {
            transfer.device = self.trust.shown(transfer.device.clone());
        }
        self.update_rooms();
    }

    fn configure(&mut self, settings: Settings) {
        let card = self.card();
        let server_changed = self
            .settings
            .as_ref()
            .is_none_or(|known| known.server != settings.server);
        let settings = self.settings.insert(settings);
        if server_changed {
            let was_online = self.signaling.is_online();
            self.signaling.connect(self.now, settings, &mut self.out);
            self.forget_rooms_if_lost(was_online);
        } else if let Some(changed) = self.card().filter(|now| Some(now) != card.as_ref()) {
            self.signaling.send_update(changed, &mut self.out);
        }
        self.update_rooms();
        self.out.changed();
    }

    fn reconnect(&mut self) {
        if let Some(settings) = self
            .settings
            .as_ref()
            .filter(|_| !self.signaling.is_online())
        {
            self.signaling.connect(self.now, settings, &mut self.out);
        }
    }

    fn send_item(&mut self, to: DeviceId, item: PlainItem) {
        let shown = plain_subject(&item);
        match Item::try_from(item) {
            Ok(item) => self.send(to, Content::Items(vec![item])),
            Err(code) => {
                let nothing = Sending::new(Content::Items(Vec::new()));
                let id = self.add_sending(to, nothing, TransferState::Connecting, Some(shown));
                self.end(id, TransferState::Failed { code });
            }
        }
    }

    fn send(&mut self, to: DeviceId, content: Content) {
        let id = self.add_sending(to, Sending::new(content), TransferState::Connecting, None);
        self.begin(id);
    }

    fn prepare(&mut self, to: DeviceId, name: &str, source: SourceId) {
        let name = ReceivedName::from_proposed(name).to_string();
        let shown = Subject::Files { name, count: 1 };
        let sending = Sending::new(Content::Preparing(source));
        self.add_sending(to, sending, TransferState::Preparing, Some(shown));
    }

    /// Goes on with a transfer that was being prepared; lets go of the file if that has ended meanwhile.
    fn prepared(&mut self, source: SourceId, content: Content) {
        let Some(transfer) = self
            .transfers
            .values_mut()
            .find(|transfer| transfer.prepares(source))
        else {
            self.out.push(Output::ReleaseSource { source });
            return;
        };
        let id = transfer.id;
        if matches!(content, Content::Items(_)) {
            self.out.push(Output::ReleaseSource { source });
        }
        let sending = Sending::new(content);
        if let Ok(manifest) = sending.manifest() {
            transfer.subject = subject(&manifest);
        }
        transfer.bytes = sending.bytes();
        transfer.body = Some(Body::Send(sending));
        transfer.state = TransferState::Connecting;
        transfer.moved_at = self.now;
        self.out.changed();
        self.begin(id);
    }

    fn prepare_failed(&mut self, source: SourceId, code: Code) {
        let prepared = self
            .transfers
            .values()
            .find(|transfer| transfer.prepares(source))
            .map(|transfer| transfer.id);
        if let Some(id) = prepared {
            self.end(id, TransferState::Failed { code });
        }
    }

    fn add_sending(
        &mut self,
        to: DeviceId,
        sending: Sending,
        state: TransferState,
        shown: Option<Subject>,
    ) -> TransferId {
        let id = TransferId(self.out.key());
        let subject = shown.or_else(|| sending.manifest().ok().map(|manifest| subject(&manifest)));
        let subject = subject.unwrap_or_else(|| sending.unsendable_subject());
        let device = self.device_view(to);
        let (resume, body) = (self.out.resume_id(), Body::Send(sending));
        let transfer = Transfer::new(id, resume, device, subject, state, body, self.now);
        self.transfers.insert(id, transfer);
        self.out.changed();
        id
    }

    /// Checks a transfer of ours and finds the peer for it.
    fn begin(&mut self, id: TransferId) {
        let open = self
            .transfers
            .values()
            .filter(|transfer| transfer.is_live())
            .count();
        let manifest = self
            .transfers
            .get_mut(&id)
            .and_then(Transfer::sending)
            .map(|sending| sending.manifest());
        match manifest {
            Some(Err(code)) => self.end(id, TransferState::Failed { code }),
            Some(Ok(_)) if open > OPEN_TRANSFERS => {
                self.end(id, TransferState::Failed { code: Code::Busy })
            }
            Some(Ok(_)) => self.find_session(id),
            None => {}
        }
    }

    /// What we know of a device, if only its id.
    pub(crate) fn device_view(&self, id: DeviceId) -> DeviceView {
        let unnamed = || {
            let text = id.to_string();
            #[expect(
                clippy::expect_used,
                reason = "the text of an id is visible, and short enough"
            )]
            let name = DeviceName::from_typed(cut_to_bytes(&text, 8))
                .expect("an id's text is a valid name");
            DeviceView {
                id,
                name,
                kind: tabferry_protocol::card::DeviceKind::Other,
                paired: false,
            }
        };
        let known = self.known.get(&id).cloned();
        self.trust.shown(known.unwrap_or_else(unnamed))
    }

    /// A person says yes.
    fn accept(&mut self, id: TransferId) {
        if self.transfers.get(&id).is_some_and(Transfer::is_pending) {
            self.out
                .event(tabferry_protocol::host::Event::ProposalEnded { transfer: id });
            self.admit(id);
        }
    }

    /// Takes what is proposed.
    pub(crate) fn admit(&mut self, id: TransferId) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        if let Some(receiving) = transfer.receiving() {
            receiving.accepted = true;
        }
        transfer.moved_at = self.now;
        let (session, wire) = (transfer.session, transfer.wire);
        self.out.changed();
        if wire.is_none() {
            self.wait(id);
        }
        match session {
            Some(session) if wire.is_some() => self.start_queued(session),
            Some(session) => {
                self.connect_if_needed(session);
                self.ask_for_awaited(session);
            }
            None => {}
        }
    }

    fn decline(&mut self, id: TransferId) {
        if self.transfers.get(&id).is_some_and(Transfer::is_pending) {
            self.send_decline(id, Code::Declined);
            self.end(
                id,
                TransferState::Declined {
                    code: Code::Declined,
                },
            );
        }
    }

    /// A person holds a transfer, or lets it go on.
    fn pause(&mut self, id: TransferId, paused: bool) {
        let Some(transfer) = self.transfers.get_mut(&id) else {
            return;
        };
        let begun = matches!(
            transfer.state,
            TransferState::Running | TransferState::Waiting
        );
        if begun && transfer.is_accepted() && transfer.paused_here != paused {
            transfer.paused_here = paused;
            self.out.changed();
            self.tell_pause(id);
            self.go_on(id);
        }
    }

    fn cancel(&mut self, id: TransferId) {
        if self.transfers.get(&id).is_some_and(Transfer::is_live) {
            self.send_cancel(id, Code::Cancelled);
            self.end(id, TransferState::Cancelled { here: true });
        }
    }
}
