//! The engine of the daemon's device and the drivers that serve it: hands inputs in one at a time and carries the outputs
//! out in their order. Knows no client, and no rule about transfers.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tabferry_engine::{Channel, ConnectionKey, Engine, Input, Kept, Output, ReadKey, Time};
use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::frame::BulkHeader;
use tabferry_protocol::host::{self, Event, Snapshot, SourceFile};
use tabferry_protocol::id::{PeerId, SourceId};
use tabferry_protocol::native::SourcePath;
use tabferry_protocol::paired::PairedDevice;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::signaling_socket::{SignalingEvent, SignalingSocket};
use crate::connection::{ConnectionEvent, Connections, Step};
use crate::disk::{Disk, DiskReport};
use crate::inbox::{InboxError, Place};
use crate::source::{SourceError, SourceReport, Sources};

/// Reports of each driver that wait for the engine. A connection's frames are limited by what the engine has granted.
const REPORTS: usize = 64;

/// Stored files whose places are remembered, to show them in their folder.
const REMEMBERED_FILES: usize = 256;

/// What the engine wants of the daemon, besides its drivers.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Tell this.
    Tell(Event),
    /// Tell the device's other endpoints who this one is.
    OwnPeer(Option<PeerId>),
    /// Keep these paired devices.
    KeepPaired(Vec<PairedDevice>),
}

/// What a driver reports.
#[derive(Debug)]
pub(crate) enum Report {
    Signaling(u32, SignalingEvent),
    Connection(ConnectionEvent),
    Disk(DiskReport),
    Source(SourceReport),
}

/// The engine with its drivers.
pub(crate) struct Device {
    engine: Engine,
    started: Instant,
    signaling: SignalingSocket,
    signaling_events: mpsc::Receiver<(u32, SignalingEvent)>,
    connections: Connections,
    connection_events: mpsc::Receiver<ConnectionEvent>,
    disk: Disk,
    disk_reports: mpsc::Receiver<DiskReport>,
    sources: Arc<Sources>,
    source_reports: mpsc::Receiver<SourceReport>,
    /// Reads under way: of which source, and how many bytes are still to come.
    reads: HashMap<ReadKey, (SourceId, u64)>,
    /// Where each source's last chunk went.
    sent_on: HashMap<SourceId, ConnectionKey>,
    /// Stored files, the last one last.
    stored: Vec<(u32, PathBuf)>,
    wishes: Vec<Wish>,
}

/// The bytes that outputs may speak of: those of the input just handed in.
enum Payload {
    None,
    Chunk(Bytes),
    Frame(Bytes),
}

impl Device {
    /// Starts the engine. Received files go to `folder`. Errors where the system gives no randomness or no threads.
    pub(crate) fn start(kept: Kept, folder: PathBuf) -> io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let (signaling_reports, signaling_events) = mpsc::channel(REPORTS);
        let (connection_reports, connection_events) = mpsc::channel(REPORTS);
        let (disk_reporter, disk_reports) = mpsc::channel(REPORTS);
        let (source_reporter, source_reports) = mpsc::channel(REPORTS);
        Ok(Self {
            engine: Engine::new(EndpointKind::Native, kept, seed, Time(0), unix_seconds()),
            started: Instant::now(),
            signaling: SignalingSocket::new(signaling_reports),
            signaling_events,
            connections: Connections::new(connection_reports),
            connection_events,
            disk: Disk::start(folder, disk_reporter)?,
            disk_reports,
            sources: Arc::new(Sources::start(source_reporter)?),
            source_reports,
            reads: HashMap::new(),
            sent_on: HashMap::new(),
            stored: Vec::new(),
            wishes: Vec::new(),
        })
    }

    /// What a driver reports next. May be dropped in mid-way.
    pub(crate) async fn next_report(&mut self) -> Report {
        tokio::select! {
            Some((attempt, event)) = self.signaling_events.recv() => Report::Signaling(attempt, event),
            Some(event) = self.connection_events.recv() => Report::Connection(event),
            Some(report) = self.disk_reports.recv() => Report::Disk(report),
            Some(report) = self.source_reports.recv() => Report::Source(report),
            else => std::future::pending().await,
        }
    }

    /// Hands in a report, and what waits behind it: waiting for all that the daemon waits for takes longer than most
    /// reports.
    pub(crate) fn take_reports(&mut self, first: Report) {
        self.take_report(first);
        for _ in 0..REPORTS {
            match self.waiting_report() {
                Some(report) => self.take_report(report),
                None => return,
            }
        }
    }

    fn waiting_report(&mut self) -> Option<Report> {
        let connection = self.connection_events.try_recv().map(Report::Connection);
        connection
            .or_else(|_| self.disk_reports.try_recv().map(Report::Disk))
            .or_else(|_| self.source_reports.try_recv().map(Report::Source))
            .ok()
    }

    /// Hands in what a driver has reported.
    fn take_report(&mut self, report: Report) {
        match report {
            Report::Signaling(attempt, event) if self.signaling.is_current(attempt) => {
                self.take_signaling(event);
            }
            Report::Signaling(..) => {}
            Report::Connection(event) => self.take_connection_event(event),
            Report::Disk(report) => self.take_disk_report(report),
            Report::Source(report) => self.take_source_report(report),
        }
    }

    /// Hands in an input that no bytes come with.
    pub(crate) fn handle(&mut self, input: Input<'_>) {
        self.engine.handle(self.now(), input);
        self.serve(&Payload::None);
    }

    /// What the engine wants of the daemon since the last time.
    pub(crate) fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    /// When [`Input::Tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadline = self.engine.deadline()?;
        Some(self.started + Duration::from_millis(deadline.0))
    }

    pub(crate) fn revision(&self) -> u64 {
        self.engine.revision()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.engine.snapshot(self.now())
    }

    pub(crate) fn trust(&self) -> host::Trust {
        self.engine.trust()
    }

    /// Received files go to this folder from now on. Errors, and changes nothing, if no file can be made there.
    pub(crate) fn receive_to(&self, folder: PathBuf) -> Result<(), InboxError> {
        self.disk.receive_to(folder)
    }

    /// The same for a folder that may be of no use now: then each file fails until it is.
    pub(crate) fn return_to(&self, folder: PathBuf) {
        self.disk.return_to(folder);
    }

    /// Makes files and folders ready to be sent, in a thread of its own: a folder can have many files.
    pub(crate) fn find_sources(
        &self,
        paths: Vec<SourcePath>,
    ) -> JoinHandle<Result<Vec<SourceFile>, SourceError>> {
        let sources = Arc::clone(&self.sources);
        tokio::task::spawn_blocking(move || find_sources(&sources, paths))
    }

    /// Ends everything that is under way, and waits until nothing unfinished is left.
    pub(crate) async fn end(self) {
        let Self {
            mut signaling,
            connections,
            disk,
            disk_reports,
            ..
        } = self;
        // Nobody reads them any more: a disk that waits for that would never stop.
        drop(disk_reports);
        signaling.close();
        connections.finish().await;
        if tokio::task::spawn_blocking(|| disk.stop()).await.is_err() {
            warn!("the disk's driver has panicked");
        }
    }

    /// Where a stored file is.
    pub(crate) fn stored_at(&self, id: u32) -> Option<&Path> {
        let mut latest_first = self.stored.iter().rev();
        latest_first
            .find(|(stored, _)| *stored == id)
            .map(|(_, path)| path.as_path())
    }

    fn now(&self) -> Time {
        let elapsed = self.started.elapsed().as_millis();
        Time(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    fn take_signaling(&mut self, event: SignalingEvent) {
        match event {
            SignalingEvent::Opened => self.handle(Input::SignalingOpened),
            SignalingEvent::Received(text) => self.handle(Input::SignalingReceived(&text)),
            SignalingEvent::Closed(problem) => {
                self.signaling.close();
                self.handle(Input::SignalingClosed(problem));
            }
        }
    }

    fn take_connection_event(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::LocalDescription { connection, sdp } => {
                self.handle(Input::LocalDescription { connection, sdp });
            }
            ConnectionEvent::LocalCandidate {
                connection,
                candidate,
            } => self.handle(Input::LocalCandidate {
                connection,
                candidate,
            }),
            ConnectionEvent::Changed { connection, state } => {
                self.handle(Input::ConnectionChanged { connection, state });
            }
            ConnectionEvent::ChannelsOpened {
                connection,
                presented,
            } => self.handle(Input::ChannelsOpened {
                connection,
                presented,
            }),
            ConnectionEvent::Ended { connection } => {
                self.handle(Input::ConnectionEnded { connection });
            }
            ConnectionEvent::Unverified { connection } => {
                self.handle(Input::ConnectionUnverified { connection });
            }
            ConnectionEvent::Frame {
                connection,
                channel,
                bytes,
            } => self.take_frame(connection, channel, bytes),
            ConnectionEvent::BufferedLow { connection } => {
                self.handle(Input::BufferedLow { connection });
            }
        }
    }

    fn take_frame(&mut self, connection: ConnectionKey, channel: Channel, bytes: Bytes) {
        let input = Input::Frame {
            connection,
            channel,
            bytes: &bytes,
        };
        self.engine.handle(self.now(), input);
        self.serve(&Payload::Frame(bytes));
    }

    fn take_disk_report(&mut self, report: DiskReport) {
        match report {
            DiskReport::Written { file, bytes } => self.handle(Input::Written { file, bytes }),
            DiskReport::Stored { file, stored, path } => {
                if self.stored.len() >= REMEMBERED_FILES {
                    self.stored.remove(0);
                }
                self.stored.push((stored.id, path));
                self.handle(Input::Stored { file, stored });
            }
            DiskReport::FileFailed { file, failure } => {
                self.handle(Input::FileFailed { file, failure });
            }
        }
    }

    fn take_source_report(&mut self, report: SourceReport) {
        match report {
            SourceReport::Chunk { read, data } => self.take_chunk(read, data),
            SourceReport::ReadFailed { read } => {
                self.reads.remove(&read);
                self.handle(Input::ReadFailed { read });
            }
        }
    }

    fn take_chunk(&mut self, read: ReadKey, data: Bytes) {
        let Some((source, left)) = self.reads.get_mut(&read) else {
            return;
        };
        let source = *source;
        *left = left.saturating_sub(data.len() as u64);
        if *left == 0 {
            self.reads.remove(&read);
        }
        let sent_on = self.sent_on.get(&source);
        let buffered = sent_on.map_or(0, |connection| self.connections.buffered(*connection));
        let input = Input::Chunk {
            read,
            data: &data,
            buffered,
        };
        self.engine.handle(self.now(), input);
        if let Some(connection) = self.serve(&Payload::Chunk(data)) {
            self.sent_on.insert(source, connection);
        }
    }

    /// Carries out what the engine wants done. Returns on which connection it sent bytes of the payload.
    fn serve(&mut self, payload: &Payload) -> Option<ConnectionKey> {
        let mut sent = None;
        while let Some(output) = self.engine.poll() {
            match (output, payload) {
                (Output::SendBulk { connection, header }, Payload::Chunk(data)) => {
                    self.connections.send_bulk(connection, header, data);
                    sent = Some(connection);
                }
                (Output::Write { file }, Payload::Frame(frame)) => {
                    if frame.len() >= BulkHeader::BYTES {
                        self.disk.write(file, frame.slice(BulkHeader::BYTES..));
                    }
                }
                // They speak of a payload.
                (Output::SendBulk { .. } | Output::Write { .. }, _) => {}
                (output, _) => self.carry_out(output),
            }
        }
        sent
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::OpenSignaling { server } => self.signaling.open(&server),
            Output::SendSignaling(text) => self.signaling.send(text),
            Output::CloseSignaling => self.signaling.close(),
            Output::OpenConnection {
                connection,
                ice_servers,
                ..
            } => self.connections.open(connection, &ice_servers),
            Output::MakeOffer {
                connection,
                restart,
            } => self
                .connections
                .take_step(connection, Step::MakeOffer { restart }),
            Output::ApplyOffer { connection, sdp } => self
                .connections
                .take_step(connection, Step::ApplyOffer { sdp }),
            Output::ApplyAnswer { connection, sdp } => self
                .connections
                .take_step(connection, Step::ApplyAnswer { sdp }),
            Output::ApplyCandidate {
                connection,
                candidate,
            } => self
                .connections
                .take_step(connection, Step::ApplyCandidate { candidate }),
            Output::CloseConnection { connection } => {
                self.sent_on.retain(|_, on| *on != connection);
                self.connections.close(connection);
            }
            Output::SendControl { connection, frame } => {
                self.connections.send_control(connection, frame);
            }
            Output::Read {
                read,
                source,
                offset,
                bytes,
            } => {
                self.reads.insert(read, (source, bytes));
                self.sources.read(read, source, offset, bytes);
            }
            Output::ReleaseSource { source } => {
                self.reads.retain(|_, (of, _)| *of != source);
                self.sent_on.remove(&source);
                self.sources.release(source);
            }
            Output::OpenFile {
                file,
                transfer,
                folder,
                name,
                bytes,
                to_come,
            } => {
                let place = Place {
                    transfer,
                    to_come,
                    folder,
                    name,
                };
                self.disk.open(file, place, bytes);
            }
            Output::CommitFile { file } => self.disk.commit(file),
            Output::AbortFile { file } => self.disk.abort(file),
            Output::Event(event) => self.wishes.push(Wish::Tell(event)),
            Output::OwnPeer(peer) => self.wishes.push(Wish::OwnPeer(peer)),
            Output::KeepPaired(paired) => self.wishes.push(Wish::KeepPaired(paired)),
            // `serve` has what they speak of.
            Output::SendBulk { .. } | Output::Write { .. } => {}
        }
    }
}

/// All files under these paths. What a folder has besides files is left out.
fn find_sources(sources: &Sources, paths: Vec<SourcePath>) -> Result<Vec<SourceFile>, SourceError> {
    let mut files: Vec<SourceFile> = Vec::new();
    for SourcePath { path, name } in paths {
        let found = sources.add(&path).inspect_err(|_| {
            for file in &files {
                sources.release(file.source);
            }
        })?;
        let left_out = found.links + found.special + found.unreadable;
        if left_out > 0 {
            info!(left_out, "not all of a folder is sent");
        }
        let mut found = found.files;
        if let ([file], Some(name)) = (found.as_mut_slice(), name) {
            file.name = name;
        }
        files.append(&mut found);
    }
    Ok(files)
}

/// The time of day. Seconds since 1970.
fn unix_seconds() -> u64 {
    SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |elapsed| elapsed.as_secs())
}
