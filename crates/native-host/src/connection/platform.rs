//! A peer connection of webrtc-rs with its two data channels, set up as Tabferry needs it. It knows every setting, and
//! nothing of what is done with the connection. Public for the benchmark, whose bare connection has the same settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::ice::network_type::NetworkType;
use rtc::peer_connection::configuration::setting_engine::{
    SctpMaxMessageSize, SettingEngine, SettingEngineBuilder,
};
use tabferry_engine::Channel;
use tabferry_protocol::limits::CONTROL_FRAME_BYTES;
use tabferry_protocol::signaling::IceServer;
use tokio::sync::oneshot;
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::error::Result;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceServer,
};
use webrtc::runtime::Runtime;

use super::socket::{self, TunedRuntime};

/// Where to listen: every interface there is, and loopback, which a wildcard leaves out: two hosts on one machine find no
/// other way when it is not connected.
const LISTENING_ADDRESSES: [&str; 4] = ["0.0.0.0:0", "127.0.0.1:0", "[::]:0", "[::1]:0"];

/// Bytes of one channel that SCTP has in hand, sent and not acknowledged, or next in turn: as many as the largest receive
/// window takes. More waits in queues of our own, because SCTP sends control frames only after all that it has in hand.
const SEND_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// How often ICE checks an address. webrtc-rs' own 200 ms would be most of what it takes to connect.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Checks of one address before it is given up: for as long as by webrtc-rs' own numbers.
const CHECKS: u16 = 28;

/// By this line of its description a host knows another one.
const TOOL: &str = "a=tool:tabferry";

/// A peer connection, and its data channels before they are open.
pub struct Peer {
    /// The connection. It must be closed: otherwise it leaves descriptors behind.
    pub connection: Arc<dyn PeerConnection>,
    /// Id 0.
    pub control: Arc<dyn DataChannel>,
    /// Id 1.
    pub bulk: Arc<dyn DataChannel>,
    /// Its sockets.
    pub sockets: Sockets,
    /// Errs when nobody drives the connection any more, even where it ended by a panic.
    pub stopped: oneshot::Receiver<()>,
}

impl Peer {
    /// Makes one, with a DTLS certificate of its own. ICE servers that can't be understood are left out.
    pub async fn new(
        ice_servers: &[IceServer],
        handler: Arc<dyn PeerConnectionEventHandler>,
    ) -> Result<Self> {
        let (connection, runtime, stopped) = match connect(ice_servers, Arc::clone(&handler)).await
        {
            Err(error) if !ice_servers.is_empty() => {
                tracing::warn!(%error, "peer connection: goes without ICE servers");
                connect(&[], handler).await?
            }
            made => made?,
        };
        let control = open(&*connection, Channel::Control).await?;
        let bulk = open(&*connection, Channel::Bulk).await?;
        Ok(Self {
            connection,
            control,
            bulk,
            sockets: Sockets(runtime),
            stopped,
        })
    }
}

/// The sockets of a peer connection.
#[derive(Debug)]
pub struct Sockets(Arc<TunedRuntime>);

impl Sockets {
    /// Sets the sockets up for the other end, by its description. What it claims there decides how fast it is served and
    /// nothing else.
    pub fn tune_for(&self, description: &str) {
        let is_host = description
            .lines()
            .take_while(|line| !line.starts_with("m="))
            .any(|line| line == TOOL);
        self.0.expect(is_host);
    }
}

/// A description of ours as it is told to the other end: it says what made it (RFC 8866, 6.3).
pub fn signed(description: &str) -> String {
    match description.find("\nm=") {
        Some(at) => {
            let (session, media) = description.split_at(at + 1);
            format!("{session}{TOOL}\r\n{media}")
        }
        None => description.to_owned(),
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").finish_non_exhaustive()
    }
}

type Connected = (
    Arc<dyn PeerConnection>,
    Arc<TunedRuntime>,
    oneshot::Receiver<()>,
);

async fn connect(
    ice_servers: &[IceServer],
    handler: Arc<dyn PeerConnectionEventHandler>,
) -> Result<Connected> {
    let configuration = RTCConfigurationBuilder::new()
        .with_ice_servers(ice_servers.iter().map(ice_server).collect())
        .build();
    let (runtime, stopped) = TunedRuntime::new();
    let connection = PeerConnectionBuilder::new()
        .with_configuration(configuration)
        .with_setting_engine(settings())
        .with_runtime(Arc::clone(&runtime) as Arc<dyn Runtime>)
        .with_handler(handler)
        .with_udp_addrs(LISTENING_ADDRESSES.to_vec())
        .with_data_channel_send_buffer_limit(SEND_BUFFER_BYTES)
        .build()
        .await?;
    Ok((Arc::new(connection), runtime, stopped))
}

async fn open(connection: &dyn PeerConnection, channel: Channel) -> Result<Arc<dyn DataChannel>> {
    let (label, id) = match channel {
        Channel::Control => ("control", 0),
        Channel::Bulk => ("bulk", 1),
    };
    let options = RTCDataChannelInit {
        negotiated: Some(id),
        ..RTCDataChannelInit::default()
    };
    connection.create_data_channel(label, Some(options)).await
}

fn settings() -> SettingEngine {
    let max_message = u32::try_from(CONTROL_FRAME_BYTES).unwrap_or(u32::MAX);
    SettingEngineBuilder::new()
        .with_network_types(vec![NetworkType::Udp4, NetworkType::Udp6])
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS))
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        // New sockets at an ICE restart: the interfaces may be others by then.
        .with_discard_local_candidates_during_ice_restart(true)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(max_message))
        .with_sctp_max_receive_buffer_size(socket::receive_window())
        // webrtc-rs would give no sign when it refuses a certificate. Whoever uses the connection compares it with the
        // description before anything is sent or taken; DTLS still proves that the other end has its key.
        .with_disable_certificate_fingerprint_verification(true)
        .build()
}

fn ice_server(server: &IceServer) -> RTCIceServer {
    RTCIceServer {
        urls: vec![server.url.clone()],
        username: server.username.clone().unwrap_or_default(),
        credential: server.credential.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_says_what_made_it_before_its_first_medium() {
        let named = signed("v=0\r\ns=-\r\nm=application 9\r\na=mid:0\r\n");
        let expected = "v=0\r\ns=-\r\na=tool:tabferry\r\nm=application 9\r\na=mid:0\r\n";
        assert_eq!(named, expected);
        assert_eq!(signed("garbage"), "garbage");
    }
}
