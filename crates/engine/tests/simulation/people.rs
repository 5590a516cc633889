//! People: what they ask of their engines, at random or as a test says, and how they answer.

use tabferry_engine::Input;
use tabferry_protocol::card::{DeviceCard, DeviceKind, DeviceName};
use tabferry_protocol::code::Code;
use tabferry_protocol::host::{Command, PlainItem, Settings, SourceFile};
use tabferry_protocol::id::{DeviceId, ItemId, SourceId, TransferId};
use tabferry_protocol::limits::CHUNK_BYTES;

use crate::ledger::{Life, ProposalState, SentFile};
use crate::plan::Answering;
use crate::server::SERVERS;
use crate::world::{Happening, World};

impl World {
    pub(crate) fn command(&mut self, node: usize, command: Command) {
        self.step(node, Input::Command(command));
    }

    /// Tells an engine who it is and where its server is.
    pub(crate) fn configure(&mut self, node: usize) {
        let card = self.card(node);
        let address = self.nodes[node]
            .server
            .map_or("ws://wrong.test", |server| SERVERS[server]);
        let settings = Settings {
            name: card.name,
            kind: card.kind,
            server: address.to_owned(),
            visibility: self.nodes[node].visibility,
            groups: self.nodes[node].groups.clone(),
        };
        self.command(node, Command::Configure(settings));
    }

    pub(crate) fn card(&self, node: usize) -> DeviceCard {
        let name = format!("device {node} v{}", self.nodes[node].renames);
        let name = DeviceName::try_from(name).expect("a plain name");
        DeviceCard {
            id: self.nodes[node].device,
            name,
            kind: DeviceKind::Computer,
        }
    }

    /// Sends files of these sizes.
    pub(crate) fn send_files(&mut self, from: usize, to: usize, sizes: &[u64]) -> usize {
        self.send_new_files(from, to, |world, sending| {
            let files = sizes.iter();
            files.map(|bytes| world.new_file(sending, *bytes)).collect()
        })
    }

    /// Sends files of these sizes and styles of names.
    pub(crate) fn send_styled_files(
        &mut self,
        from: usize,
        to: usize,
        files: &[(u64, u64)],
    ) -> usize {
        self.send_new_files(from, to, |world, sending| {
            let files = files.iter();
            files
                .map(|(bytes, style)| world.new_styled_file(sending, *bytes, *style))
                .collect()
        })
    }

    fn send_new_files(
        &mut self,
        from: usize,
        to: usize,
        make: impl FnOnce(&mut Self, usize) -> Vec<SourceFile>,
    ) -> usize {
        let sending = self.begin_sending(from, to);
        let files = make(self, sending);
        let (_, to) = self.ends(sending);
        self.nodes[from].linking = Some(sending);
        self.command(from, Command::SendFiles { to, files });
        self.end_linking(from);
        sending
    }

    fn new_file(&mut self, sending: usize, bytes: u64) -> SourceFile {
        let style = self.random.below(12);
        self.new_styled_file(sending, bytes, style)
    }

    fn new_styled_file(&mut self, sending: usize, bytes: u64, style: u64) -> SourceFile {
        let node = self.ledger.sendings[sending].from.node;
        let source = SourceId(self.nodes[node].next_source);
        self.nodes[node].next_source += 1;
        self.nodes[node].sources.insert(source);
        let file = self.ledger.add_file(sending, source, bytes, style);
        if !self.quiet && bytes > 0 && self.random.percent(self.plan.faults.sources) {
            self.ledger.files[file].fails_at = Some(self.random.below(bytes));
        }
        let SentFile { name, folder, .. } = &self.ledger.files[file];
        SourceFile {
            source,
            name: name.clone(),
            folder: folder.clone(),
            bytes,
            media_type: None,
        }
    }

    /// Sends an item whose text or address is its number.
    pub(crate) fn send_item(&mut self, from: usize, to: usize) -> usize {
        let sending = self.begin_sending(from, to);
        let item = self.new_item(sending);
        self.command_item(sending, item);
        sending
    }

    /// Sends an item that may not be one that can be sent.
    pub(crate) fn send_plain_item(&mut self, from: usize, to: usize, item: PlainItem) -> usize {
        let sending = self.begin_sending(from, to);
        self.ledger.sendings[sending].item = Some(sending as u64);
        self.command_item(sending, item);
        sending
    }

    fn command_item(&mut self, sending: usize, item: PlainItem) {
        let (from, to) = self.ends(sending);
        self.nodes[from].linking = Some(sending);
        self.command(from, Command::SendItem { to, item });
        self.end_linking(from);
    }

    /// Who sends, and what its engine calls the receiver.
    fn ends(&self, sending: usize) -> (usize, DeviceId) {
        let sending = &self.ledger.sendings[sending];
        let (from, to) = (sending.from.node, sending.to);
        (from, self.shown_as(from, to))
    }

    /// What an engine takes for the id of the device that is shown by this name: whatever the server says.
    fn shown_as(&self, from: usize, to: usize) -> DeviceId {
        let (name, shown) = (self.card(to).name, &self.nodes[from].snapshot.devices);
        let by_name = shown.iter().find(|device| device.name == name);
        match by_name.filter(|_| self.attack().is_some()) {
            Some(device) => device.id,
            None => self.nodes[to].device,
        }
    }

    /// Announces a file that is still being fetched.
    pub(crate) fn prepare(&mut self, from: usize, to: usize, bytes: u64) -> usize {
        let sending = self.begin_sending(from, to);
        let file = self.new_file(sending, bytes);
        self.command_prepare(sending, &file);
        sending
    }

    fn command_prepare(&mut self, sending: usize, file: &SourceFile) {
        let (from, to) = self.ends(sending);
        self.nodes[from].linking = Some(sending);
        let (name, source) = (file.name.clone(), file.source);
        self.command(from, Command::Prepare { to, name, source });
        self.end_linking(from);
    }

    fn new_item(&mut self, sending: usize) -> PlainItem {
        let number = sending as u64;
        self.ledger.sendings[sending].item = Some(number);
        self.ledger.items.insert(number, sending);
        let url = format!("https://example.org/{number}");
        match self.random.below(3) {
            0 => PlainItem::Text {
                text: format!("text/{number}"),
            },
            1 => PlainItem::Page {
                url,
                title: "page".to_owned(),
            },
            _ => PlainItem::Link {
                url,
                title: String::new(),
            },
        }
    }

    /// The number of an item, if it is one of ours.
    pub(crate) fn number_of(item: &PlainItem) -> Option<u64> {
        let text = match item {
            PlainItem::Page { url, .. } | PlainItem::Link { url, .. } => url,
            PlainItem::Text { text } => text,
        };
        text.rsplit('/').next()?.parse().ok()
    }

    fn begin_sending(&mut self, from: usize, to: usize) -> usize {
        let disturbed = self.is_troubled(from, to);
        let from = self.life(from);
        let sending = self.ledger.add_sending(from, to);
        self.ledger.sendings[sending].disturbed = disturbed;
        sending
    }

    fn end_linking(&mut self, node: usize) {
        assert!(
            self.nodes[node].linking.take().is_none(),
            "a command to send was forgotten"
        );
    }

    /// Accepts or declines, if there is still something to answer.
    pub(crate) fn answer(&mut self, owner: Life, transfer: TransferId, yes: bool) {
        if !self.is_alive(owner) {
            return;
        }
        let node = owner.node;
        let Some(told) = self.nodes[node].told.get_mut(&transfer) else {
            return;
        };
        if told.proposal == Some(ProposalState::Waiting) {
            if yes {
                told.proposal = Some(ProposalState::Accepted);
            } else if let Some(sending) = told.sending {
                self.ledger.sendings[sending].declined = true;
            }
        }
        self.command(
            node,
            if yes {
                Command::Accept { transfer }
            } else {
                Command::Decline { transfer }
            },
        );
    }

    pub(crate) fn accept(&mut self, node: usize, transfer: TransferId) {
        self.answer(self.life(node), transfer, true);
    }

    pub(crate) fn decline(&mut self, node: usize, transfer: TransferId) {
        self.answer(self.life(node), transfer, false);
    }

    pub(crate) fn cancel(&mut self, node: usize, transfer: TransferId) {
        if let Some(told) = self.nodes[node].told.get(&transfer)
            && let (Some(sending), None) = (told.sending, told.ended)
        {
            let sending = &mut self.ledger.sendings[sending];
            if sending.from.node == node {
                sending.cancelled_by_sender = true;
            } else {
                sending.cancelled_by_receiver = true;
            }
        }
        self.command(node, Command::Cancel { transfer });
    }

    /// A proposal has come; a person makes up their mind.
    pub(crate) fn consider(&mut self, node: usize, transfer: TransferId) {
        let owner = self.life(node);
        let (yes, wait) = match (self.quiet, self.plan.answering) {
            (_, Answering::Scripted) => return,
            (true, _) | (false, Answering::Accept) => (true, self.random.between(0, 2_000)),
            (false, Answering::Random) => {
                let wait = self.random.pick(&[0, 10, 1_000, 20_000, 600_000]);
                (self.random.percent(80), self.random.between(0, wait))
            }
        };
        let at = self.now + wait;
        let soon = self.quiet || self.plan.answering == Answering::Accept;
        if soon || at < self.plan.active_ms {
            self.schedule(
                at,
                Happening::Answered {
                    owner,
                    transfer,
                    yes,
                },
            );
        }
    }

    /// A person does something.
    pub(crate) fn act(&mut self, node: usize) {
        if self.nodes[node].engine.is_none() {
            return;
        }
        let owner = self.life(node);
        match self.random.below(100) {
            0..=44 => self.act_send(node),
            45..=59 => {
                if let Some(to) = self.visible_device(node) {
                    self.send_item(node, to);
                }
            }
            60..=67 => self.act_prepare(node),
            68..=77 => {
                if let Some(transfer) = self.some_transfer(node) {
                    self.cancel(node, transfer);
                }
            }
            78..=82 => {
                if let Some(transfer) = self.some_transfer(node) {
                    self.command(node, Command::Dismiss { transfer });
                }
            }
            83..=85 => {
                let item = ItemId(self.random.below(20) as u32);
                self.command(node, Command::DismissItem { item });
            }
            86..=90 => {
                self.nodes[node].renames += 1;
                self.configure(node);
            }
            91..=92 => {
                self.disturb_all(node);
                self.command(node, Command::Reconnect);
            }
            93..=94 => {
                self.disturb_all(node);
                self.nodes[node].server = self.random.pick(&[Some(0), Some(1), None]);
                self.configure(node);
                let at = self.now + self.random.between(0, 20_000);
                self.schedule(at, Happening::ReturnsToServer { owner });
            }
            95..=96 => {
                let to = DeviceId::from_bytes(self.random.bytes());
                let sending = self.begin_sending(node, node);
                self.ledger.sendings[sending].refusable = true;
                let files = (0..self.random.below(3))
                    .map(|_| self.new_file(sending, 10))
                    .collect();
                self.nodes[node].linking = Some(sending);
                self.command(node, Command::SendFiles { to, files });
                self.end_linking(node);
            }
            97 => {
                let transfer = TransferId(self.random.below(40) as u32);
                let yes = self.random.one_in(2);
                self.answer(owner, transfer, yes);
            }
            _ => {
                // Everybody sends to somebody in the same moment: connections in both directions meet.
                for other in 0..self.nodes.len() {
                    if self.nodes[other].engine.is_some() {
                        self.act_send(other);
                    }
                }
            }
        }
    }

    fn disturb_all(&mut self, node: usize) {
        for other in 0..self.nodes.len() {
            self.ledger.disturb(node, other);
        }
    }

    fn act_send(&mut self, node: usize) {
        let Some(to) = self.visible_device(node) else {
            return;
        };
        let count = match self.random.below(40) {
            0 => 60,
            1..=4 => 12,
            _ => self.random.between(1, 3),
        };
        let sizes: Vec<_> = (0..count).map(|_| self.size(count)).collect();
        self.send_files(node, to, &sizes);
    }

    fn act_prepare(&mut self, node: usize) {
        let Some(to) = self.visible_device(node) else {
            return;
        };
        let sending = self.begin_sending(node, to);
        let bytes = self.size(1);
        let file = self.new_file(sending, bytes);
        let owner = self.life(node);
        let at = self.now + self.random.pick(&[0, 100, 10_000]);
        let ready = self.random.percent(80).then(|| file.clone());
        self.schedule(
            at,
            Happening::Prepared {
                owner,
                source: file.source,
                file: ready,
            },
        );
        self.command_prepare(sending, &file);
    }

    pub(crate) fn prepared(&mut self, owner: Life, source: SourceId, file: Option<SourceFile>) {
        // A fetch stops when its source is released; now and then it has ended already.
        let released = self.is_alive(owner) && !self.nodes[owner.node].sources.contains(&source);
        if !self.is_alive(owner) || (released && self.random.one_in(2)) {
            return;
        }
        let sending =
            self.ledger.files[self.ledger.file_of(owner, source).expect("a known source")].sending;
        if self.is_troubled(owner.node, self.ledger.sendings[sending].to) {
            self.ledger.sendings[sending].disturbed = true;
        }
        if let Some(file) = file {
            // The host holds the file from now on, until it is told to let go.
            self.nodes[owner.node].sources.insert(source);
            self.command(owner.node, Command::Prepared { file });
            return;
        }
        let instead = (!released && self.random.one_in(3)).then(|| self.new_item(sending));
        if instead.is_some() {
            self.ledger.sendings[sending].files.clear();
        } else {
            self.ledger.sendings[sending].source_failed = true;
        }
        self.command(
            owner.node,
            Command::PrepareFailed {
                source,
                code: Code::FetchFailed,
                instead,
            },
        );
    }

    /// A size of a file of `count`, with care for the limits of chunks, within what is left to send.
    fn size(&mut self, count: u64) -> u64 {
        let chunk = CHUNK_BYTES as u64;
        let size = match self.random.below(8) {
            0 => 0,
            1 => 1,
            2 => self.random.pick(&[chunk - 1, chunk, chunk + 1]),
            3..=5 => self.random.below(3 * chunk),
            _ => self.random.below(self.plan.largest + 1),
        };
        let size = if count > 3 {
            size.min(2 * chunk / count)
        } else {
            size
        };
        let size = size.min(self.plan.budget);
        self.plan.budget -= size;
        size
    }

    fn visible_device(&mut self, node: usize) -> Option<usize> {
        let devices = &self.nodes[node].snapshot.devices;
        if devices.is_empty() {
            return None;
        }
        let id = devices[self.random.index(devices.len())].id;
        self.nodes.iter().position(|other| other.device == id)
    }

    fn some_transfer(&mut self, node: usize) -> Option<TransferId> {
        let told: Vec<_> = self.nodes[node].told.keys().copied().collect();
        (!told.is_empty()).then(|| self.random.pick(&told))
    }
}
