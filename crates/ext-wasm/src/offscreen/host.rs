//! The engine's host: hands inputs in one at a time, carries its outputs out in their order, and keeps its deadline. All
//! that the browser calls back ends here, in one of the `handle_*` functions or in [`Host::tell`].

use core::cell::{Cell, OnceCell, RefCell};
use core::fmt;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use js_sys::{Array, ArrayBuffer, Uint8Array};
use tabferry_engine::{Channel, ConnectionKey, Engine, Input, Kept, Output, ReadKey, Time};
use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::frame::BulkHeader;
use tabferry_protocol::host::{Command, PlainItem, Snapshot};
use tabferry_protocol::identity::DeviceKey;
use tabferry_protocol::limits::TEXT_BYTES;
use tabferry_protocol::native::Identity;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobPropertyBag};

use super::connection::{Connections, Step};
use super::download::Downloads;
use super::memory::SpentBuffers;
use super::native::Native;
use super::pages::Pages;
use super::publisher::Publisher;
use super::signaling_socket::SignalingSocket;
use super::source::Sources;
use super::timer::{Clock, Timer, pause};
use super::vault::Vault;
use super::{background, log};
use crate::envelope::{BackgroundMessage, NativeCommand, Shown, Start};
use crate::random;

/// Name of a text that is too long to travel as one.
const TEXT_FILE: &str = "text.txt";

/// After this the service worker is asked for settings again. Milliseconds.
const SETTINGS_RETRY_MS: u64 = 1_000;

/// Starts the engine and all that drives it.
pub fn start() {
    spawn_local(async {
        let host = match Host::start().await {
            Ok(host) => host,
            Err(thrown) => {
                log::warn_js("engine", &thrown);
                return;
            }
        };
        loop {
            if let Some(Start { settings, native }) = background::start().await {
                host.command(Command::Configure(settings));
                if native {
                    host.native().handle_command(&host, NativeCommand::On);
                }
                return;
            }
            // The service worker may have died while it answered; the next message wakes it.
            let _ = JsFuture::from(pause(SETTINGS_RETRY_MS)).await;
        }
    });
}

/// The one engine and its drivers. A clone is another handle to them.
#[derive(Clone)]
pub(crate) struct Host(Rc<Shared>);

struct Shared {
    engine: RefCell<Engine>,
    clock: Clock,
    /// Inputs that wait until the engine has been served.
    waiting: RefCell<VecDeque<Input<'static>>>,
    /// Whether the engine is being served.
    busy: Cell<bool>,
    /// Where a received frame lies while the engine looks at it.
    received: RefCell<Vec<u8>>,
    /// When the alarm is set to, if it is.
    alarm_at: Cell<Option<Time>>,
    alarm: Timer,
    signaling: SignalingSocket,
    connections: Connections,
    sources: Sources,
    downloads: Downloads,
    spent: SpentBuffers,
    publisher: Publisher,
    /// None where nothing can be kept.
    vault: Option<Vault>,
    native: Native,
    pages: OnceCell<Pages>,
}

/// The bytes that outputs may speak of: those of the input just handed in.
enum Payload<'a> {
    None,
    /// A chunk to be sent, with place for its header before it.
    Chunk(&'a mut [u8]),
    /// A frame that was received, as the browser gave it.
    Frame(&'a ArrayBuffer),
}

impl Host {
    /// Starts the engine of this device. Errors where the browser gives no randomness.
    async fn start() -> Result<Self, JsValue> {
        let opened = async {
            let vault = Vault::open().await?;
            let kept = vault.load().await?;
            let agreed = vault.agreed().await?;
            Ok::<_, JsValue>((Some(vault), kept, agreed))
        };
        let (vault, kept, agreed) = match opened.await {
            Ok(opened) => opened,
            // Nothing can be kept: until it can, this is another device at each start.
            Err(thrown) => {
                log::warn_js("kept data", &thrown);
                let key = DeviceKey::from_seed(&random::bytes()?);
                let paired = Vec::new();
                (None, Kept { key, paired }, Vec::new())
            }
        };
        let identity = Identity::of(&kept.key);
        let paired = kept.paired.clone();
        let seed = random::bytes()?;
        let clock = Clock::new();
        let host = Self(Rc::new_cyclic(|weak: &Weak<Shared>| {
            let on = |callback: fn(&Self)| {
                let weak = weak.clone();
                Timer::new(move || {
                    if let Some(shared) = weak.upgrade() {
                        callback(&Self(shared));
                    }
                })
            };
            Shared {
                engine: RefCell::new(Engine::new(
                    EndpointKind::Browser,
                    kept,
                    seed,
                    clock.now(),
                    unix_seconds(),
                )),
                native: Native::new(
                    identity,
                    paired,
                    agreed,
                    vault.clone(),
                    on(|host| host.native().handle_alarm(host)),
                ),
                vault,
                clock,
                waiting: RefCell::default(),
                busy: Cell::default(),
                received: RefCell::default(),
                alarm_at: Cell::default(),
                alarm: on(Self::handle_alarm),
                signaling: SignalingSocket::default(),
                connections: Connections::default(),
                sources: Sources::default(),
                downloads: Downloads::default(),
                spent: SpentBuffers::default(),
                publisher: Publisher::new(on(|host| host.0.publisher.publish(host))),
                pages: OnceCell::new(),
            }
        }));
        host.0.pages.get_or_init(|| Pages::open(&host));
        Ok(host)
    }

    /// Hands an input in, now or when the engine has been served.
    pub(crate) fn tell(&self, input: Input<'static>) {
        self.0.waiting.borrow_mut().push_back(input);
        if !self.0.busy.replace(true) {
            self.finish();
        }
    }

    /// Hands in what a person asks, here or to the native host. A text that is too long for an item becomes a file.
    pub(crate) fn command(&self, command: Command) {
        let Some(command) = self.native().take(self, command) else {
            return;
        };
        let command = match command {
            Command::SendItem {
                to,
                item: PlainItem::Text { text },
            } if text.len() > TEXT_BYTES => {
                let Some(blob) = text_blob(&text) else { return };
                let files = vec![self.sources().add(blob, TEXT_FILE.to_owned())];
                Command::SendFiles { to, files }
            }
            Command::Configure(settings) => {
                self.native().configure(self, &settings);
                Command::Configure(settings)
            }
            command => command,
        };
        self.tell(Input::Command(command));
    }

    /// Hands in a message of the signaling server.
    pub(crate) fn handle_signaling(&self, text: &str) {
        if self.enter(Input::SignalingReceived(text)) {
            self.serve(Payload::None);
            self.finish();
        }
    }

    /// Hands in a frame of a peer; `None` is something that is no frame at all.
    pub(crate) fn handle_frame(
        &self,
        connection: ConnectionKey,
        channel: Channel,
        frame: Option<&ArrayBuffer>,
    ) {
        let mut received = self.0.received.borrow_mut();
        // What is there is written over; clearing it first would write it twice.
        received.resize(frame.map_or(0, |frame| frame.byte_length() as usize), 0);
        if let Some(frame) = frame {
            Uint8Array::new(frame).copy_to(&mut received);
        }
        let entered = self.enter(Input::Frame {
            connection,
            channel,
            bytes: &received,
        });
        drop(received);
        if entered {
            self.serve(frame.map_or(Payload::None, Payload::Frame));
            self.finish();
        }
    }

    /// Hands in the next bytes of a read. `frame` has [`BulkHeader::BYTES`] free bytes before them. Returns where they went.
    pub(crate) fn handle_chunk(
        &self,
        read: ReadKey,
        frame: &mut [u8],
        buffered: u64,
    ) -> Option<ConnectionKey> {
        let data = frame.get(BulkHeader::BYTES..)?;
        if !self.enter(Input::Chunk {
            read,
            data,
            buffered,
        }) {
            return None;
        }
        let sent = self.serve(Payload::Chunk(frame));
        self.finish();
        sent
    }

    pub(crate) fn signaling(&self) -> &SignalingSocket {
        &self.0.signaling
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.0.connections
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    pub(crate) fn downloads(&self) -> &Downloads {
        &self.0.downloads
    }

    pub(crate) fn spent(&self) -> &SpentBuffers {
        &self.0.spent
    }

    pub(crate) fn pages(&self) -> Option<&Pages> {
        self.0.pages.get()
    }

    pub(crate) fn native(&self) -> &Native {
        &self.0.native
    }

    pub(crate) fn now(&self) -> Time {
        self.0.clock.now()
    }

    /// Passes on what there is to show, now.
    pub(crate) fn publish(&self) {
        self.0.publisher.publish(self);
    }

    /// Passes on what there is to show, as soon as may be.
    pub(crate) fn show_soon(&self) {
        self.0.publisher.publish_soon(self.now());
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.0.engine.borrow().snapshot(self.now())
    }

    /// A snapshot with whom this device trusts, for the pages.
    pub(crate) fn shown(&self, snapshot: Snapshot) -> Shown {
        let trust = self.0.engine.borrow().trust();
        Shown { snapshot, trust }
    }

    /// Begins to serve the engine. `false` if it is being served already: the browser calls nothing back in the middle of
    /// a call, so that does not happen.
    fn enter(&self, input: Input<'_>) -> bool {
        if self.0.busy.replace(true) {
            log::warn("engine", "called from within itself");
            return false;
        }
        self.0.engine.borrow_mut().handle(self.now(), input);
        true
    }

    /// Carries out what the engine wants done. Returns on which connection it sent bytes of the payload.
    fn serve(&self, mut payload: Payload<'_>) -> Option<ConnectionKey> {
        let mut sent = None;
        loop {
            let output = self.0.engine.borrow_mut().poll();
            match output {
                Some(Output::SendBulk { connection, header }) => {
                    self.send_bulk(connection, header, &mut payload);
                    sent = Some(connection);
                }
                Some(Output::Write { file }) => {
                    if let Payload::Frame(frame) = payload {
                        let data = Uint8Array::new_with_byte_offset(frame, HEADER_LENGTH);
                        self.downloads().write(self, file, data);
                    }
                }
                Some(output) => self.carry_out(output),
                None => return sent,
            }
        }
    }

    /// Serves what came up meanwhile, then looks at what the engine wants next.
    fn finish(&self) {
        loop {
            let Some(input) = self.0.waiting.borrow_mut().pop_front() else {
                break;
            };
            self.0.engine.borrow_mut().handle(self.now(), input);
            self.serve(Payload::None);
        }
        self.0.busy.set(false);
        self.set_alarm();
        self.0
            .publisher
            .notice(self.now(), self.0.engine.borrow().revision());
    }

    fn send_bulk(&self, connection: ConnectionKey, header: BulkHeader, payload: &mut Payload<'_>) {
        if let Payload::Chunk(frame) = payload
            && let Some(place) = frame.first_chunk_mut()
        {
            *place = header.encode();
            self.connections().send_bulk(self, connection, frame);
        }
    }

    fn carry_out(&self, output: Output) {
        match output {
            Output::OpenSignaling { server } => self.signaling().open(self, &server),
            Output::SendSignaling(text) => self.signaling().send(&text),
            Output::CloseSignaling => self.signaling().close(),
            Output::OpenConnection {
                connection,
                peer,
                ice_servers,
            } => {
                let connections = self.connections();
                connections.open(self, connection, peer, &ice_servers);
            }
            Output::MakeOffer {
                connection,
                restart,
            } => {
                self.take_step(connection, Step::MakeOffer { restart });
            }
            Output::ApplyOffer { connection, sdp } => {
                self.take_step(connection, Step::ApplyOffer { sdp });
            }
            Output::ApplyAnswer { connection, sdp } => {
                self.take_step(connection, Step::ApplyAnswer { sdp });
            }
            Output::ApplyCandidate {
                connection,
                candidate,
            } => {
                self.take_step(connection, Step::ApplyCandidate { candidate });
            }
            Output::CloseConnection { connection } => self.connections().close(connection),
            Output::SendControl { connection, frame } => {
                self.connections().send_control(self, connection, &frame);
            }
            Output::Read {
                read,
                source,
                offset,
                bytes,
            } => {
                self.sources().read(self, read, source, offset, bytes);
            }
            Output::ReleaseSource { source } => self.sources().release(source),
            // The browser's downloads have no folders for one to choose.
            Output::OpenFile {
                file, name, bytes, ..
            } => {
                self.downloads().open(self, file, &name, bytes);
            }
            Output::CommitFile { file } => self.downloads().commit(self, file),
            Output::AbortFile { file } => self.downloads().abort(file),
            Output::Event(event) => background::tell(BackgroundMessage::Happened(event)),
            Output::OwnPeer(peer) => self.native().handle_own_peer(self, peer),
            Output::KeepPaired(paired) => {
                if let Some(vault) = &self.0.vault {
                    vault.keep_paired(&paired);
                }
                self.native().handle_paired(self, paired);
            }
            // They speak of a payload, and `serve` has it.
            Output::SendBulk { .. } | Output::Write { .. } => {}
        }
    }

    fn take_step(&self, connection: ConnectionKey, step: Step) {
        self.connections().take_step(self, connection, step);
    }

    /// Sets the alarm if it is not set or too late. One that is too early costs less than setting it at every chunk.
    fn set_alarm(&self) {
        let Some(deadline) = self.0.engine.borrow().deadline() else {
            return;
        };
        if self.0.alarm_at.get().is_none_or(|at| at > deadline) {
            self.0.alarm_at.set(Some(deadline));
            self.0.alarm.set(deadline.since(self.now()));
        }
    }

    fn handle_alarm(&self) {
        self.0.alarm_at.set(None);
        let deadline = self.0.engine.borrow().deadline();
        if deadline.is_some_and(|deadline| deadline <= self.now()) {
            self.tell(Input::Tick);
        } else {
            self.set_alarm();
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "20 bytes")]
const HEADER_LENGTH: u32 = BulkHeader::BYTES as u32;

/// The time of day. Seconds since 1970.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of milliseconds, far below the limit"
)]
fn unix_seconds() -> u64 {
    (js_sys::Date::now() / 1000.0) as u64
}

fn text_blob(text: &str) -> Option<Blob> {
    let options = BlobPropertyBag::new();
    options.set_type("text/plain;charset=utf-8");
    Blob::new_with_str_sequence_and_options(&Array::of1(&text.into()), &options)
        .inspect_err(|thrown| log::warn_js("text", thrown))
        .ok()
}
