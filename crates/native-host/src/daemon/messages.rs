//! What clients say, and who may say what: each kind of message is answered, carried out or refused here.

use std::io;
use std::path::{Path, PathBuf};

use tabferry_engine::Input;
use tabferry_protocol::card::DeviceCard;
use tabferry_protocol::host::{Command, Event, ProposalView, TransferView};
use tabferry_protocol::id::{DeviceId, TransferId};
use tabferry_protocol::native::{
    Association, Client, DaemonCode, FromDaemon, Outgoing, SourcePath, Status, ToDaemon, VERSION,
};
use tabferry_protocol::paired::{self, PairedDevice};
use tracing::{info, warn};

use super::clients::{ClientId, Said};
use super::reveal::reveal;
use super::state::KeptDevice;
use super::{ClientState, Daemon, FoundSources};
use crate::bridge::ORIGINS;
use crate::config::Config;
use crate::inbox::InboxError;
use crate::source::SourceError;

/// Why a message is refused.
type Refusal = (DaemonCode, String);

impl Daemon {
    pub(super) fn take_said(&mut self, client: ClientId, said: Said) {
        match said {
            Said::Came(who) => self.welcome(client, who),
            Said::Message(message) => self.take_message(client, *message),
            Said::Nonsense(why) => self.dismiss(client, DaemonCode::InvalidMessage, &why),
            Said::Left => self.part(client),
        }
    }

    fn welcome(&mut self, client: ClientId, who: Client) {
        self.had_client = true;
        if let Client::Browser { origin } = &who
            && !ORIGINS.contains(&origin.as_str())
        {
            return self.dismiss(client, DaemonCode::NotAllowed, "an unknown extension");
        }
        self.clients.insert(client, ClientState::new(who));
    }

    /// Says why, and ends the connection.
    fn dismiss(&mut self, client: ClientId, code: DaemonCode, why: &str) {
        self.refuse(client, (code, why.to_owned()));
        self.part(client);
    }

    fn refuse(&mut self, client: ClientId, (code, message): Refusal) {
        info!(?code, "refused");
        self.connections
            .tell(client, &FromDaemon::Error { code, message });
    }

    /// A client has left, or has to.
    pub(super) fn part(&mut self, client: ClientId) {
        self.connections.remove(client);
        let Some(left) = self.clients.remove(&client) else {
            return;
        };
        self.items.release(client);
        self.offer_items();
        if left.peer.is_some() {
            self.tell_own_peers();
        }
        if left.folder.is_some() {
            let folder = self.folder();
            if let Some(device) = &self.device {
                device.return_to(folder);
            }
        }
        if left.receives {
            for proposal in self.incoming() {
                self.ask_if_alone(&proposal);
            }
        }
    }

    fn take_message(&mut self, client: ClientId, message: ToDaemon) {
        let Some(state) = self.clients.get(&client) else {
            return;
        };
        if !state.greeted && !matches!(message, ToDaemon::Hello { .. }) {
            return self.dismiss(client, DaemonCode::InvalidMessage, "hello comes first");
        }
        let is_introduction = matches!(
            message,
            ToDaemon::Hello { .. } | ToDaemon::Associate(_) | ToDaemon::Adopt
        );
        if state.is_browser() && !(message.is_for_browsers() && (state.member || is_introduction)) {
            let why = "not for an extension, or not before it is associated".to_owned();
            return self.refuse(client, (DaemonCode::NotAllowed, why));
        }
        if let Err(refusal) = self.carry_out(client, message) {
            self.refuse(client, refusal);
        }
    }

    fn carry_out(&mut self, client: ClientId, message: ToDaemon) -> Result<(), Refusal> {
        match message {
            ToDaemon::Hello { version, program } => self.hello(client, version, &program),
            ToDaemon::Associate(association) => return self.associate(client, association),
            ToDaemon::Adopt => return self.adopt(client),
            ToDaemon::Forget => return self.forget(client),
            ToDaemon::Configure(settings) => {
                let kept = self.kept.as_mut().ok_or_else(no_device)?;
                kept.settings = settings.clone();
                self.state
                    .keep_device(kept)
                    .map_err(|error| failed(&error))?;
                self.command(Command::Configure(settings));
            }
            ToDaemon::Paired { base, now } => self.merge_paired(client, &base, &now),
            ToDaemon::OwnPeer { peer } => {
                if let Some(state) = self.clients.get_mut(&client) {
                    state.peer = peer;
                }
                self.tell_own_peers();
            }
            ToDaemon::Command(command) => {
                self.check_device()?;
                self.command(command);
            }
            ToDaemon::Trust(command) => {
                self.check_device()?;
                self.input(Input::TrustCommand(command));
            }
            ToDaemon::ItemTaken { item } => {
                if self.items.take(client, item) {
                    self.keep_items();
                }
            }
            ToDaemon::ShowInFolder { transfer } => return self.show_in_folder(transfer),
            ToDaemon::Send { to, what } => return self.send(client, to, what),
            ToDaemon::Watch => {
                self.ensure_device().map_err(|error| failed(&error))?;
                if let Some(state) = self.clients.get_mut(&client) {
                    state.watches = true;
                }
                self.show(client);
            }
            ToDaemon::Receive { folder } => return self.receive(client, folder),
            ToDaemon::Reload => return self.reload(),
            ToDaemon::Status => {
                let status = self.status();
                self.connections.tell(client, &FromDaemon::Status(status));
            }
            ToDaemon::Stop => self.is_ending = true,
        }
        Ok(())
    }

    fn hello(&mut self, client: ClientId, version: u16, program: &str) {
        info!(version, program, "hello");
        let welcome = FromDaemon::Welcome {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            device: self.card(),
            folder: self.config.downloads().display().to_string(),
        };
        self.connections.tell(client, &welcome);
        if version != VERSION {
            return self.part(client);
        }
        if let Some(state) = self.clients.get_mut(&client) {
            state.greeted = true;
        }
    }

    fn card(&self) -> Option<DeviceCard> {
        let kept = self.kept.as_ref()?;
        Some(DeviceCard {
            id: DeviceId::of(&kept.identity.key().public()),
            name: kept.settings.name.clone(),
            kind: kept.settings.kind,
        })
    }

    fn associate(&mut self, client: ClientId, association: Association) -> Result<(), Refusal> {
        let Association {
            identity,
            paired,
            settings,
        } = association;
        let kept = KeptDevice {
            identity,
            settings,
            associated: true,
        };
        match &self.kept {
            Some(known) if known.identity != kept.identity => {
                let why = "the app is an endpoint of another device".to_owned();
                return Err((DaemonCode::OtherDevice, why));
            }
            Some(_) => {
                self.state
                    .keep_device(&kept)
                    .map_err(|error| failed(&error))?;
                self.command(Command::Configure(kept.settings.clone()));
                self.kept = Some(kept);
            }
            None => self
                .become_device(kept, paired.clone())
                .map_err(|error| failed(&error))?,
        }
        self.connections.tell(client, &FromDaemon::Associated);
        self.make_member(client, paired);
        Ok(())
    }

    fn adopt(&mut self, client: ClientId) -> Result<(), Refusal> {
        let kept = self.kept.as_mut().ok_or_else(no_device)?;
        if !kept.associated {
            kept.associated = true;
            self.state
                .keep_device(kept)
                .map_err(|error| failed(&error))?;
        }
        let association = Association {
            identity: kept.identity.clone(),
            paired: self.paired.clone(),
            settings: kept.settings.clone(),
        };
        self.connections
            .tell(client, &FromDaemon::Adopted(association));
        self.make_member(client, self.paired.clone());
        Ok(())
    }

    /// Proposals that wait for an answer.
    fn incoming(&self) -> Vec<ProposalView> {
        let device = self.device.as_ref();
        device.map_or_else(Vec::new, |device| device.snapshot().incoming)
    }

    /// A client shares the device from now on, and has these paired devices.
    fn make_member(&mut self, client: ClientId, paired: Vec<PairedDevice>) {
        if let Some(state) = self.clients.get_mut(&client) {
            state.member = true;
            state.watches = true;
            state.receives = true;
            state.paired = Some(paired);
        }
        self.tell_paired();
        self.tell_own_peers();
        self.show(client);
        // Nobody else may be there to answer them any more.
        for proposal in self.incoming() {
            let arrived = Event::ProposalArrived { proposal };
            self.connections.tell(client, &FromDaemon::Event(arrived));
        }
        self.offer_items();
    }

    fn forget(&mut self, client: ClientId) -> Result<(), Refusal> {
        // What can't be forgotten for good is not forgotten at all: the next start would bring it back.
        self.state.clear().map_err(|error| failed(&error))?;
        self.device = None;
        self.kept = None;
        self.paired = Vec::new();
        self.own_peer = None;
        self.items.clear();
        // The others still are that device: each finds out when it comes again.
        let others: Vec<_> = self
            .clients
            .iter()
            .filter(|(other, _)| **other != client)
            .map(|(other, _)| *other)
            .collect();
        for other in others {
            self.part(other);
        }
        if let Some(state) = self.clients.get_mut(&client) {
            let who = state.who.clone();
            *state = ClientState::new(who);
            state.greeted = true;
        }
        Ok(())
    }

    fn merge_paired(&mut self, client: ClientId, base: &[PairedDevice], now: &[PairedDevice]) {
        let merged = paired::merge(&self.paired, base, now);
        if let Some(state) = self.clients.get_mut(&client) {
            // It may not have heard yet what it was told last, and needs to know what the next change is based on.
            state.paired = None;
        }
        if merged == self.paired {
            self.tell_paired();
        } else {
            // The engine then asks to keep them, and all are told.
            self.input(Input::Paired(merged));
        }
    }

    fn show_in_folder(&self, transfer: TransferId) -> Result<(), Refusal> {
        let device = self.device.as_ref().ok_or_else(no_device)?;
        let snapshot = device.snapshot();
        let shown = snapshot.transfers.iter().find(|shown| shown.id == transfer);
        let stored = shown.and_then(|shown| shown.stored.as_ref());
        let path = stored.and_then(|stored| device.stored_at(stored.id));
        let path = path.ok_or_else(|| not_found("there are no received files of this transfer"))?;
        reveal(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => not_found("the file or the program to show it has gone"),
            _ => failed(&error),
        })
    }

    fn send(&mut self, client: ClientId, to: DeviceId, what: Outgoing) -> Result<(), Refusal> {
        match what {
            Outgoing::Item(item) => {
                self.check_device()?;
                self.send_command(client, Command::SendItem { to, item });
            }
            Outgoing::Paths(paths) => {
                if paths
                    .iter()
                    .any(|SourcePath { path, .. }| !path.is_absolute())
                {
                    return Err(not_found("a path must be absolute"));
                }
                let device = self.device.as_ref().ok_or_else(no_device)?;
                let (finding, found) = (device.find_sources(paths), self.found.clone());
                tokio::spawn(async move {
                    let result = finding.await.map_err(io::Error::other);
                    let sources = FoundSources { client, to, result };
                    // Nobody waits for them if the daemon ends.
                    let _ = found.send(sources).await;
                });
            }
        }
        Ok(())
    }

    /// What a client wants to send has been found, or not.
    pub(super) fn send_found(&mut self, FoundSources { client, to, result }: FoundSources) {
        match result {
            Ok(Ok(files)) if files.is_empty() => {
                self.refuse(client, not_found("there are no files in it"));
            }
            Ok(Ok(files)) => self.send_command(client, Command::SendFiles { to, files }),
            Ok(Err(error @ SourceError::Unreadable(..))) => {
                let error = anyhow::Error::from(error);
                self.refuse(client, (DaemonCode::NotFound, format!("{error:#}")));
            }
            Ok(Err(error)) => self.refuse(client, failed(&error)),
            Err(error) => self.refuse(client, failed(&error)),
        }
    }

    fn send_command(&mut self, client: ClientId, command: Command) {
        self.command(command);
        // The engine's ids rise.
        let newest = self.device.as_ref().and_then(|device| {
            let transfers = device.snapshot().transfers;
            transfers.iter().map(|TransferView { id, .. }| *id).max()
        });
        if let Some(transfer) = newest {
            self.connections
                .tell(client, &FromDaemon::Sending { transfer });
        }
    }

    fn receive(&mut self, client: ClientId, folder: Option<PathBuf>) -> Result<(), Refusal> {
        if let Some(folder) = &folder {
            check_folder(folder)?;
        }
        self.ensure_device().map_err(|error| failed(&error))?;
        if let Some(state) = self.clients.get_mut(&client) {
            state.receives = true;
            state.folder = folder;
        }
        self.update_folder().map_err(|error| failed(&error))?;
        self.offer_items();
        Ok(())
    }

    fn update_folder(&self) -> Result<(), InboxError> {
        match &self.device {
            Some(device) => device.receive_to(self.folder()),
            None => Ok(()),
        }
    }

    fn reload(&mut self) -> Result<(), Refusal> {
        self.config = Config::load(&self.places).map_err(|error| failed(&error))?;
        let folder = self.update_folder().map_err(|error| failed(&error));
        if let Some(mut kept) = self.kept.clone().filter(|kept| !kept.associated) {
            kept.settings = self.own_settings(&kept.identity);
            self.state
                .keep_device(&kept)
                .map_err(|error| failed(&error))?;
            self.command(Command::Configure(kept.settings.clone()));
            self.kept = Some(kept);
        }
        folder
    }

    fn status(&self) -> Status {
        let snapshot = self.device.as_ref().map(|device| device.snapshot());
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let browsers = self.clients.values().filter(|client| client.is_browser());
        let transfers = snapshot.iter().flat_map(|snapshot| &snapshot.transfers);
        Status {
            pid: std::process::id(),
            uptime: self.started.elapsed().as_secs(),
            browsers: count(browsers.count()),
            waiting_items: count(self.items.kept().len()),
            associated: self.kept.as_ref().is_some_and(|kept| kept.associated),
            connection: snapshot.as_ref().map(|snapshot| snapshot.connection),
            transfers: count(
                transfers
                    .filter(|transfer| !transfer.state.is_final())
                    .count(),
            ),
            devices: snapshot.map_or_else(Vec::new, |snapshot| snapshot.devices),
        }
    }

    fn check_device(&self) -> Result<(), Refusal> {
        self.device.as_ref().map(|_| ()).ok_or_else(no_device)
    }

    pub(super) fn keep_items(&self) {
        if let Err(error) = self.state.keep_items(self.items.kept()) {
            warn!(%error, "what was received can't be kept");
        }
    }
}

fn check_folder(folder: &Path) -> Result<(), Refusal> {
    if folder.is_absolute() && folder.is_dir() {
        return Ok(());
    }
    Err((
        DaemonCode::NotFound,
        format!("{} is no folder", folder.display()),
    ))
}

fn no_device() -> Refusal {
    not_found("the daemon is no endpoint of any device yet")
}

fn not_found(what: &str) -> Refusal {
    (DaemonCode::NotFound, what.to_owned())
}

fn failed(error: &impl std::fmt::Display) -> Refusal {
    (DaemonCode::Failed, format!("{error:#}"))
}
