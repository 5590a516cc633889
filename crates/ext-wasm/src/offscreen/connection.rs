//! `RTCPeerConnection` with the two data channels of a session: passes descriptions, candidates and frames on in their
//! order. It knows nothing inside an SDP or a frame, and no rule of negotiation.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use js_sys::{Array, ArrayBuffer, Function, Promise, Reflect, Uint8Array};
use tabferry_engine::{Channel, ConnectionKey, ConnectionState, Input};
use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::limits::{BUFFERED_LOW_BYTES, EARLY_CANDIDATES};
use tabferry_protocol::signaling::IceServer;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    MessageEvent, RtcBundlePolicy, RtcConfiguration, RtcDataChannel, RtcDataChannelInit,
    RtcDataChannelState, RtcDataChannelType, RtcIceCandidateInit, RtcIceConnectionState,
    RtcIceServer, RtcOfferOptions, RtcPeerConnection, RtcPeerConnectionIceEvent,
    RtcPeerConnectionState, RtcRtpTransceiverDirection, RtcRtpTransceiverInit, RtcSdpType,
    RtcSessionDescriptionInit,
};

use super::host::Host;
use super::log;
use super::object::object;
use super::timer::pause;
use tabferry_engine::Table;

/// How long a connection that is to be closed may take to send what it still holds. Milliseconds.
const CLOSE_TIMEOUT_MS: u64 = 2_000;

/// The peer connections by their keys.
#[derive(Debug, Default)]
pub(crate) struct Connections(RefCell<Table<ConnectionKey, Rc<Connection>>>);

/// A step of the negotiation.
#[derive(Debug)]
pub(crate) enum Step {
    MakeOffer {
        restart: bool,
    },
    ApplyOffer {
        sdp: String,
    },
    ApplyAnswer {
        sdp: String,
    },
    ApplyCandidate {
        candidate: Option<(String, Option<String>)>,
    },
}

impl Connections {
    pub(crate) fn open(
        &self,
        host: &Host,
        key: ConnectionKey,
        peer: EndpointKind,
        ice_servers: &[IceServer],
    ) {
        match Connection::open(host, key, peer, ice_servers) {
            Ok(connection) => {
                self.0.borrow_mut().insert(key, connection);
            }
            Err(thrown) => {
                log::warn_js("peer connection", &thrown);
                host.tell(Input::ConnectionEnded { connection: key });
            }
        }
    }

    /// Takes a step after those that were asked for before.
    pub(crate) fn take_step(&self, host: &Host, key: ConnectionKey, step: Step) {
        let Some(connection) = self.find(key) else {
            return;
        };
        {
            let mut steps = connection.steps.borrow_mut();
            // Only candidates can come in numbers: the rest answers to the engine.
            if matches!(step, Step::ApplyCandidate { .. }) && steps.len() >= EARLY_CANDIDATES {
                return;
            }
            steps.push_back(step);
        }
        if !connection.stepping.replace(true) {
            spawn_local(take_steps(host.clone(), Rc::downgrade(&connection)));
        }
    }

    /// Sends a control frame.
    pub(crate) fn send_control(&self, host: &Host, key: ConnectionKey, frame: &[u8]) {
        self.send(host, key, frame, |connection| &connection.control);
    }

    /// Sends a bulk frame.
    pub(crate) fn send_bulk(&self, host: &Host, key: ConnectionKey, frame: &[u8]) {
        self.send(host, key, frame, |connection| &connection.bulk);
    }

    /// Bytes that wait in the bulk channel.
    pub(crate) fn buffered(&self, key: ConnectionKey) -> u64 {
        self.find(key).map_or(0, |connection| {
            u64::from(connection.bulk.raw.buffered_amount())
        })
    }

    /// Lets go of a connection. What waits in its control channel is still sent.
    pub(crate) fn close(&self, key: ConnectionKey) {
        let closing = self.0.borrow_mut().remove(&key);
        if let Some(connection) = closing {
            connection.ignore();
            spawn_local(close(connection));
        }
    }

    fn find(&self, key: ConnectionKey) -> Option<Rc<Connection>> {
        self.0.borrow().get(&key).cloned()
    }

    fn send(
        &self,
        host: &Host,
        key: ConnectionKey,
        frame: &[u8],
        channel: impl FnOnce(&Connection) -> &DataChannel,
    ) {
        let Some(connection) = self.find(key) else {
            return;
        };
        if let Err(thrown) = channel(&connection).raw.send_with_u8_array(frame) {
            log::warn_js("data channel", &thrown);
            connection.end(host);
        }
    }
}

/// One peer connection, the closures that listen to it, and the steps that wait for their turn.
struct Connection {
    key: ConnectionKey,
    /// What the other end is.
    peer: EndpointKind,
    raw: RtcPeerConnection,
    control: DataChannel,
    bulk: DataChannel,
    steps: RefCell<VecDeque<Step>>,
    /// Whether someone is taking them.
    stepping: Cell<bool>,
    /// Whether its end was told.
    ended: Cell<bool>,
    /// Resolved when it is closed: the browser leaves the promises of a closed connection open for ever.
    closed: Promise,
    close: Function,
    _on_candidate: Closure<dyn FnMut(RtcPeerConnectionIceEvent)>,
    _on_state: Closure<dyn FnMut()>,
}

impl Connection {
    fn open(
        host: &Host,
        key: ConnectionKey,
        peer: EndpointKind,
        ice_servers: &[IceServer],
    ) -> Result<Rc<Self>, JsValue> {
        let configuration = RtcConfiguration::new();
        configuration.set_ice_servers(&ice_servers.iter().map(ice_server).collect::<Array>());
        // Sections of media have no candidates of their own.
        configuration.set_bundle_policy(RtcBundlePolicy::MaxBundle);
        let raw = RtcPeerConnection::new_with_configuration(&configuration)?;

        let mut close = None;
        let closed = Promise::new(&mut |resolve, _| close = Some(resolve));
        let close = close.ok_or(JsValue::UNDEFINED)?;

        let connection = Rc::new_cyclic(|weak: &Weak<Self>| {
            let on_candidate = Closure::new({
                let host = host.clone();
                move |event: RtcPeerConnectionIceEvent| {
                    let candidate = event.candidate();
                    // An empty line ends one generation; null, which follows, ends all.
                    if candidate
                        .as_ref()
                        .is_none_or(|candidate| !candidate.candidate().is_empty())
                    {
                        let candidate =
                            candidate.map(|candidate| (candidate.candidate(), candidate.sdp_mid()));
                        host.tell(Input::LocalCandidate {
                            connection: key,
                            candidate,
                        });
                    }
                }
            });
            let on_state = Closure::new({
                let (host, weak) = (host.clone(), weak.clone());
                move || {
                    if let Some(connection) = weak.upgrade() {
                        connection.handle_state(&host);
                    }
                }
            });
            raw.set_onicecandidate(Some(on_candidate.as_ref().unchecked_ref()));
            raw.set_onconnectionstatechange(Some(on_state.as_ref().unchecked_ref()));
            Self {
                key,
                peer,
                control: DataChannel::open(host, weak, &raw, Channel::Control, key),
                bulk: DataChannel::open(host, weak, &raw, Channel::Bulk, key),
                raw,
                steps: RefCell::default(),
                stepping: Cell::default(),
                ended: Cell::default(),
                closed,
                close,
                _on_candidate: on_candidate,
                _on_state: on_state,
            }
        });
        Ok(connection)
    }

    fn handle_state(&self, host: &Host) {
        if self.raw.connection_state() == RtcPeerConnectionState::Failed && self.is_refused() {
            host.tell(Input::ConnectionUnverified {
                connection: self.key,
            });
            return;
        }
        let state = match self.raw.connection_state() {
            RtcPeerConnectionState::Connected => ConnectionState::Connected,
            RtcPeerConnectionState::Disconnected => ConnectionState::Disconnected,
            RtcPeerConnectionState::Failed => ConnectionState::Failed,
            _ => return,
        };
        host.tell(Input::ConnectionChanged {
            connection: self.key,
            state,
        });
    }

    fn handle_channel_open(&self, host: &Host) {
        if self.control.is_open() && self.bulk.is_open() {
            host.tell(Input::ChannelsOpened {
                connection: self.key,
                presented: self.presented(),
            });
        }
    }

    /// The DTLS transport of the data channels (W3C WebRTC, 5.5 and 6.1.1). Not every browser has it.
    fn dtls(&self) -> Option<JsValue> {
        let sctp = Reflect::get(&self.raw, &"sctp".into()).ok()?;
        let dtls = Reflect::get(&sctp, &"transport".into()).ok()?;
        dtls.is_object().then_some(dtls)
    }

    /// Whether the certificate of one end was refused by the other: DTLS fails for nothing else while packets get through.
    ///
    /// Chromium tells in one of two ways. Where the connection fails, the DTLS transport may not say so yet. And the end
    /// whose certificate it was may take DTLS for complete before it hears of that (TLS 1.3): then its channels close while
    /// the connection has not failed yet.
    fn is_refused(&self) -> bool {
        let dtls = self
            .dtls()
            .and_then(|dtls| Reflect::get(&dtls, &"state".into()).ok());
        let through = matches!(
            self.raw.ice_connection_state(),
            RtcIceConnectionState::Connected | RtcIceConnectionState::Completed
        );
        let failed = self.raw.connection_state() == RtcPeerConnectionState::Failed;
        dtls.is_some_and(|state| state == "failed") || (failed && through)
    }

    /// The fingerprint of the certificate that the other end presented.
    fn presented(&self) -> Option<Fingerprint> {
        let dtls = self.dtls()?;
        let remote: Function = Reflect::get(&dtls, &"getRemoteCertificates".into())
            .ok()?
            .dyn_into()
            .ok()?;
        let chain: Array = remote.call0(&dtls).ok()?.dyn_into().ok()?;
        let certificate: ArrayBuffer = chain.get(0).dyn_into().ok()?;
        let der = Uint8Array::new(&certificate).to_vec();
        Some(Fingerprint::of_certificate(&der))
    }

    /// Tells once that it is of no more use, and why, if that is known.
    fn end(&self, host: &Host) {
        if !self.ended.replace(true) {
            let connection = self.key;
            host.tell(if self.is_refused() {
                Input::ConnectionUnverified { connection }
            } else {
                Input::ConnectionEnded { connection }
            });
        }
    }

    /// Tells nothing any more.
    fn ignore(&self) {
        self.ended.set(true);
        self.raw.set_onicecandidate(None);
        self.raw.set_onconnectionstatechange(None);
        self.control.ignore();
        self.bulk.ignore();
    }

    /// Closes it, whatever it still holds, and ends the step that is being taken.
    fn shut(&self) {
        self.raw.close();
        // The function of a promise does not throw.
        let _ = self.close.call0(&JsValue::UNDEFINED);
    }

    async fn take(&self, host: &Host, step: Step) -> Result<(), JsValue> {
        let connection = self.key;
        match step {
            Step::MakeOffer { restart } => {
                // A native endpoint knows no media.
                if !restart && self.peer == EndpointKind::Browser {
                    // Slower without it, and no worse.
                    if let Err(thrown) = self.enlarge_receive_buffers() {
                        log::warn_js("receive buffers", &thrown);
                    }
                }
                let options = RtcOfferOptions::new();
                options.set_ice_restart(restart);
                let offer = self.raw.create_offer_with_rtc_offer_options(&options);
                let sdp = self.describe(RtcSdpType::Offer, offer).await?;
                host.tell(Input::LocalDescription { connection, sdp });
            }
            Step::ApplyOffer { sdp } => {
                let offer = description(RtcSdpType::Offer, &sdp);
                self.settled(self.raw.set_remote_description(&offer))
                    .await?;
                let sdp = self
                    .describe(RtcSdpType::Answer, self.raw.create_answer())
                    .await?;
                host.tell(Input::LocalDescription { connection, sdp });
            }
            Step::ApplyAnswer { sdp } => {
                let answer = description(RtcSdpType::Answer, &sdp);
                self.settled(self.raw.set_remote_description(&answer))
                    .await?;
            }
            Step::ApplyCandidate { candidate } => {
                let candidate = candidate.map(|(line, mid)| {
                    let candidate = RtcIceCandidateInit::new(&line);
                    candidate.set_sdp_mid(mid.as_deref());
                    candidate
                });
                let added = self
                    .raw
                    .add_ice_candidate_with_opt_rtc_ice_candidate_init(candidate.as_ref());
                // One address that the browser can't use says nothing of the others.
                if let Err(thrown) = self.settled(added).await {
                    log::warn_js("candidate", &thrown);
                }
            }
        }
        Ok(())
    }

    /// Makes Chromium give the sockets of both ends room for 256 KiB instead of 64, as it does for video (WebRTC's
    /// `kVideoRtpRecvBufferSize`): with less the kernel drops each hundredth packet of a file on a busy machine, and it takes
    /// half as long again. A section for video in the description is enough, and nothing is ever sent in it.
    fn enlarge_receive_buffers(&self) -> Result<(), JsValue> {
        let nothing = RtcRtpTransceiverInit::new();
        nothing.set_direction(RtcRtpTransceiverDirection::Inactive);
        let video = self
            .raw
            .add_transceiver_with_str_and_init("video", &nothing);
        // One of all codecs that there are: each takes lines of the description. Called by its name, for not every browser
        // has it.
        let codec = object(&[
            ("mimeType", "video/VP8".into()),
            ("clockRate", 90_000.into()),
        ])?;
        let prefer: Function = Reflect::get(&video, &"setCodecPreferences".into())?.dyn_into()?;
        prefer.call1(&video, &Array::of1(&codec))?;
        Ok(())
    }

    /// Sets a description that the browser makes, and gives its text.
    async fn describe(&self, kind: RtcSdpType, made: Promise) -> Result<String, JsValue> {
        let made = self.settled(made).await?;
        let sdp = Reflect::get(&made, &"sdp".into())?
            .as_string()
            .ok_or(JsValue::UNDEFINED)?;
        let description = description(kind, &sdp);
        self.settled(self.raw.set_local_description(&description))
            .await?;
        Ok(sdp)
    }

    /// Waits for a promise, but no longer than the connection lives.
    async fn settled(&self, promise: Promise) -> Result<JsValue, JsValue> {
        JsFuture::from(Promise::race(&Array::of2(&promise, &self.closed))).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.ignore();
        self.shut();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

async fn take_steps(host: Host, connection: Weak<Connection>) {
    while let Some(connection) = connection.upgrade() {
        let Some(step) = connection.steps.borrow_mut().pop_front() else {
            connection.stepping.set(false);
            return;
        };
        if let Err(thrown) = connection.take(&host, step).await {
            if !connection.ended.get() {
                log::warn_js("negotiation", &thrown);
            }
            connection.end(&host);
            return;
        }
    }
}

/// Closes a connection when its control channel is empty: a data channel that is closed first delivers what it holds.
async fn close(connection: Rc<Connection>) {
    if connection.control.is_open() {
        let channel = &connection.control.raw;
        let emptied = Promise::new(&mut |resolve, _| channel.set_onclose(Some(&resolve)));
        channel.close();
        let _ = JsFuture::from(Promise::race(&Array::of2(
            &emptied,
            &pause(CLOSE_TIMEOUT_MS),
        )))
        .await;
        channel.set_onclose(None);
    }
    connection.shut();
}

/// A data channel and the closures that listen to it.
struct DataChannel {
    raw: RtcDataChannel,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_low: Closure<dyn FnMut()>,
    _on_end: Closure<dyn FnMut()>,
}

impl DataChannel {
    fn open(
        host: &Host,
        connection: &Weak<Connection>,
        raw: &RtcPeerConnection,
        channel: Channel,
        key: ConnectionKey,
    ) -> Self {
        let (label, id) = match channel {
            Channel::Control => ("control", 0),
            Channel::Bulk => ("bulk", 1),
        };
        let options = RtcDataChannelInit::new();
        options.set_negotiated(true);
        options.set_id(id);
        let raw = raw.create_data_channel_with_data_channel_dict(label, &options);
        raw.set_binary_type(RtcDataChannelType::Arraybuffer);
        raw.set_buffered_amount_low_threshold(
            u32::try_from(BUFFERED_LOW_BYTES).unwrap_or(u32::MAX),
        );

        let on_open = Closure::new({
            let (host, connection) = (host.clone(), connection.clone());
            move || {
                if let Some(connection) = connection.upgrade() {
                    connection.handle_channel_open(&host);
                }
            }
        });
        let on_message = Closure::new({
            let host = host.clone();
            move |event: MessageEvent| {
                host.handle_frame(key, channel, event.data().dyn_ref::<ArrayBuffer>());
            }
        });
        let on_low = Closure::new({
            let host = host.clone();
            move || host.tell(Input::BufferedLow { connection: key })
        });
        let on_end = Closure::new({
            let (host, connection) = (host.clone(), connection.clone());
            move || {
                if let Some(connection) = connection.upgrade() {
                    connection.end(&host);
                }
            }
        });
        raw.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        raw.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        if channel == Channel::Bulk {
            raw.set_onbufferedamountlow(Some(on_low.as_ref().unchecked_ref()));
        }
        raw.set_onclose(Some(on_end.as_ref().unchecked_ref()));
        raw.set_onerror(Some(on_end.as_ref().unchecked_ref()));
        Self {
            raw,
            _on_open: on_open,
            _on_message: on_message,
            _on_low: on_low,
            _on_end: on_end,
        }
    }

    fn is_open(&self) -> bool {
        self.raw.ready_state() == RtcDataChannelState::Open
    }

    fn ignore(&self) {
        self.raw.set_onopen(None);
        self.raw.set_onmessage(None);
        self.raw.set_onbufferedamountlow(None);
        self.raw.set_onclose(None);
        self.raw.set_onerror(None);
    }
}

fn ice_server(server: &IceServer) -> RtcIceServer {
    let raw = RtcIceServer::new();
    raw.set_urls_str(&server.url);
    if let Some(username) = &server.username {
        raw.set_username(username);
    }
    if let Some(credential) = &server.credential {
        raw.set_credential(credential);
    }
    raw
}

fn description(kind: RtcSdpType, sdp: &str) -> RtcSessionDescriptionInit {
    let description = RtcSessionDescriptionInit::new(kind);
    description.set_sdp(sdp);
    description
}
