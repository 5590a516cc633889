//! Messages between a client and the signaling server: JSON, one message per WebSocket text message.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::InvalidFrame;
use crate::card::{DeviceCard, EndpointKind};
use crate::code::Code;
use crate::id::PairTag;
use crate::id::{AnswerNonce, ConnectionId, PeerId, RelayTicket};
use crate::limits::{
    CANDIDATE_BYTES, CAPABILITIES, CAPABILITY_BYTES, ICE_SERVER_URL_BYTES, ICE_SERVERS, ROOM_PEERS,
    SDP_BYTES, SIGNALING_MESSAGE_BYTES,
};
use crate::secret_code::{GroupCode, Nameplate};
use crate::tagged::tagged;
use crate::version::Versions;

/// Where the WebSocket is, on every server.
pub const PATH: &str = "/v1/signal";

tagged! {
    "type"

    /// What a client says.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ClientMessage {
        /// First message, within ten seconds.
        Hello(ClientHello),
        /// Enter a room.
        Join {
            /// Which.
            room: Room,
            /// Our card, as shown to this room: needed where [`Room::shows_cards`], and nowhere else allowed.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            device: Option<DeviceCard>,
        },
        /// Open a code room, for the guest whom we tell the code.
        Open {
            /// Which.
            nameplate: Nameplate,
        },
        /// Leave a room.
        Leave {
            /// Which.
            room: Room,
        },
        /// Pass a signal to one peer that shares a room with us.
        Signal {
            /// To whom.
            to: PeerId,
            /// What.
            signal: Signal,
        },
        /// Our card has changed, in every room that shows it.
        Update {
            /// The new card.
            device: DeviceCard,
        },
        /// Ask for a relayed connection with one peer that shares a room with us.
        OpenRelay {
            /// With whom.
            to: PeerId,
        },
        /// A kind of a newer version; answered with [`SignalingCode::Unsupported`].
        #[serde(other)]
        Unknown,
    }
}

/// Who connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientHello {
    /// What the client speaks.
    pub versions: Versions,
    /// Through what its device is present.
    pub endpoint: EndpointKind,
    /// Optional abilities; unknown ones are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

tagged! {
    "type"

    /// What the server says.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ServerMessage {
        /// Answer to hello.
        Welcome(Welcome),
        /// Answer to join or open: the room and who is there already.
        Joined {
            /// Which room.
            room: Room,
            /// The others.
            peers: Vec<Peer>,
        },
        /// Someone entered a room that we are in.
        PeerJoined {
            /// Which room.
            room: Room,
            /// Who.
            peer: Peer,
        },
        /// Someone's card has changed.
        PeerUpdated {
            /// Who, with the new card.
            peer: Peer,
        },
        /// Someone left a room that we are in.
        PeerLeft {
            /// Which room.
            room: Room,
            /// Who.
            peer: PeerId,
        },
        /// A room that we were in is no more, and nobody is in it.
        RoomClosed {
            /// Which room.
            room: Room,
        },
        /// A signal from a peer, whose id the server vouches for.
        Signal {
            /// From whom.
            from: PeerId,
            /// What.
            signal: Signal,
        },
        /// Take these ICE servers in place of those of the welcome: their credentials expire later.
        IceServers {
            /// For peer connections.
            ice_servers: Vec<IceServer>,
        },
        /// Answer to open-relay: what both ends [join](crate::relay) with. The peer hears of it from us.
        Relay {
            /// The peer that the connection is with.
            to: PeerId,
            /// Good for two sockets, once each, for [`RELAY_TICKET_LIFE_MS`](crate::limits::RELAY_TICKET_LIFE_MS).
            ticket: RelayTicket,
        },
        /// Something was refused.
        Error {
            /// Why.
            code: SignalingCode,
            /// The peer that a refused signal or relayed connection was for.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            to: Option<PeerId>,
            /// The room that a refused join or open was for.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            room: Option<Room>,
        },
        /// A kind of a newer version, to be ignored.
        #[serde(other)]
        Unknown,
    }
}

/// What a client needs to know of its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version both speak.
    pub version: u16,
    /// Our id for the life of this socket.
    pub peer: PeerId,
    /// The address the server sees us come from.
    pub address: String,
    /// The server's clock in whole seconds since 1970: devices whose own clocks differ agree on the hour by it.
    pub time: u64,
    /// For peer connections.
    pub ice_servers: Vec<IceServer>,
    /// Whether this server relays.
    #[serde(default)]
    pub relay: bool,
}

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` URL.
    pub url: String,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

tagged! {
    "kind"

    /// A room. An enum, so that one kind can never pass for another.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Room {
        /// The devices of one network, as the server sees it. The client can't say which.
        Nearby,
        /// Two peers of whom one has told the other a code.
        Code {
            /// The part of the code that the server may know.
            nameplate: Nameplate,
        },
        /// The devices to which a person gave the same name of a group.
        Group {
            /// Which group.
            name: GroupCode,
        },
        /// Two devices that are paired.
        Pair {
            /// What only these two can compute.
            tag: PairTag,
        },
        /// A kind of a newer version; answered with [`SignalingCode::Unsupported`].
        #[serde(other)]
        Unknown,
    }
}

impl Room {
    /// Whether its members see each other's cards. Where they meet by a secret they don't: the server should not learn
    /// which device has which secret.
    pub fn shows_cards(self) -> bool {
        match self {
            Self::Nearby | Self::Group { .. } => true,
            Self::Code { .. } | Self::Pair { .. } | Self::Unknown => false,
        }
    }
}

/// A member of a room. Its card is a hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its id.
    pub id: PeerId,
    /// Its device, in a room that shows cards. In the others the two ends tell each other once they are alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceCard>,
    /// Through what the device is present.
    pub endpoint: EndpointKind,
}

/// What peers tell each other before they are connected. The server passes it on unread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signal {
    /// Which attempt to connect.
    pub connection: ConnectionId,
    /// What.
    #[serde(flatten)]
    pub body: SignalBody,
}

// Not derived: for `flatten` serde keeps all fields in mind, as for a tag.
impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Head {
            connection: ConnectionId,
        }
        let text = <&RawValue>::deserialize(from)?.get();
        let read = || {
            let Head { connection } = serde_json::from_str(text)?;
            let body = serde_json::from_str(text)?;
            Ok(Self { connection, body })
        };
        read().map_err(|error: serde_json::Error| D::Error::custom(error))
    }
}

tagged! {
    "signal"

    /// The kinds of signals (RFC 9429, RFC 8838).
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum SignalBody {
        /// SDP of the offerer; a second one for the same connection restarts ICE.
        Offer {
            /// The description, at most [`SDP_BYTES`].
            sdp: String,
        },
        /// SDP of the answerer.
        Answer {
            /// The description, at most [`SDP_BYTES`].
            sdp: String,
            /// The same in every answer for a connection.
            nonce: AnswerNonce,
        },
        /// One ICE candidate.
        Candidate {
            /// The candidate line, at most [`CANDIDATE_BYTES`].
            candidate: String,
            /// Its media section.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            mid: Option<String>,
        },
        /// No more candidates.
        EndOfCandidates,
        /// The answerer asks the offerer for an ICE restart.
        RestartRequest,
        /// This connection is over.
        Bye {
            /// Why, if it is not to be tried again.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            code: Option<Code>,
        },
        /// The initiator of a relayed connection tells the other end where to join it.
        Relay {
            /// From the server.
            ticket: RelayTicket,
        },
        /// The other end will join it.
        RelayAnswer {
            /// As in an answer.
            nonce: AnswerNonce,
        },
        /// A kind of a newer version, to be ignored.
        #[serde(other)]
        Unknown,
    }
}

/// Why a server refuses. Closing codes of the WebSocket are in `docs/signaling.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalingCode {
    /// No version in common.
    Incompatible,
    /// Not a message, or one that breaks a limit.
    InvalidMessage,
    /// A message before hello, or a second hello.
    OutOfOrder,
    /// A kind of message or room that this server doesn't have.
    Unsupported,
    /// The peer shares no room with the sender, or is gone.
    PeerNotFound,
    /// The peer's queue is full, or a code room has a guest already.
    Busy,
    /// The room is full.
    RoomFull,
    /// The code is open already: choose another one.
    Taken,
    /// The code is not open, or not any more.
    CodeNotFound,
    /// The server can't tell which clients are near each other: a proxy in between is not configured.
    NearbyUnavailable,
    /// More messages, connections, rooms or codes than allowed.
    RateLimited,
    /// This server doesn't relay.
    RelayOff,
    /// The source has relayed as much as it may today, or has too many relayed connections.
    RelayQuota,
    /// The server stops; try again.
    ShuttingDown,
    /// A code of a newer version.
    #[serde(other)]
    Unknown,
}

impl ClientMessage {
    /// The message as JSON.
    pub fn encode(&self) -> String {
        encode(self)
    }

    /// Reads a client's message and checks its limits.
    pub fn decode(text: &str) -> Result<Self, InvalidFrame> {
        InvalidFrame::check_length(text.len(), SIGNALING_MESSAGE_BYTES)?;
        let message: Self = serde_json::from_str(text)?;
        match &message {
            Self::Signal { signal, .. } => signal.check()?,
            Self::Hello(hello) => {
                let longest = hello
                    .capabilities
                    .iter()
                    .map(String::len)
                    .max()
                    .unwrap_or_default();
                check("capabilities", hello.capabilities.len(), CAPABILITIES)?;
                check("a capability", longest, CAPABILITY_BYTES)?;
            }
            _ => {}
        }
        Ok(message)
    }
}

/// A signal on its way from one client to another: the message that the receiver gets.
///
/// A server passes on many. It reads these once and keeps the text of the signal as it is, where that is certain to be a signal to
/// whoever reads it: one of the frequent kinds, without any field that only a newer version knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedSignal(String);

impl PassedSignal {
    /// Reads a client's message. `None` for everything else than such a signal: [`ClientMessage::decode`] says what it is,
    /// which may be a signal all the same.
    pub fn read(text: &str, from: PeerId) -> Option<(PeerId, Self)> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Message<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            to: PeerId,
            #[serde(borrow)]
            signal: &'a RawValue,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields<'a> {
            #[serde(rename = "connection")]
            _connection: ConnectionId,
            signal: &'a str,
            sdp: Option<String>,
            nonce: Option<AnswerNonce>,
            candidate: Option<String>,
            mid: Option<String>,
        }
        // Serde takes an array for an object without names, which a receiver does not.
        let object = |text: &str| text.trim_ascii_start().starts_with('{');
        let Message { kind, to, signal } = serde_json::from_str(text).ok()?;
        let signal = signal.get();
        if kind != "signal" || !object(text) || !object(signal) {
            return None;
        }
        // One with anything else in it than its kind has is written anew, without that.
        let most = 2 * SDP_BYTES + CANDIDATE_BYTES;
        let fields: Fields<'_> = serde_json::from_str(signal).ok()?;
        let of_candidate = fields.candidate.is_some() || fields.mid.is_some();
        let of_description = fields.sdp.is_some() || fields.nonce.is_some();
        let foreign = match fields.signal {
            "offer" => of_candidate || fields.nonce.is_some(),
            "answer" => of_candidate,
            "candidate" => of_description,
            _ => of_candidate || of_description,
        };
        if foreign || signal.len() > most {
            return None;
        }
        match fields.signal {
            "offer" => check_sdp(fields.sdp.as_deref()?),
            "answer" => {
                fields.nonce?;
                check_sdp(fields.sdp.as_deref()?)
            }
            "candidate" => check_candidate(fields.candidate.as_deref()?, fields.mid.as_deref()),
            "end-of-candidates" => Ok(()),
            _ => return None,
        }
        .ok()?;
        let passed = format!(r#"{{"type":"signal","from":"{from}","signal":{signal}}}"#);
        (text.len().max(passed.len()) <= SIGNALING_MESSAGE_BYTES).then_some((to, Self(passed)))
    }

    /// The message as JSON.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl ServerMessage {
    /// The message as JSON.
    pub fn encode(&self) -> String {
        encode(self)
    }

    /// Reads a server's message and checks its limits.
    pub fn decode(text: &str) -> Result<Self, InvalidFrame> {
        InvalidFrame::check_length(text.len(), SIGNALING_MESSAGE_BYTES)?;
        let message: Self = serde_json::from_str(text)?;
        match &message {
            Self::Signal { signal, .. } => signal.check()?,
            Self::Joined { peers, .. } => check("peers", peers.len(), ROOM_PEERS)?,
            Self::Welcome(Welcome { ice_servers, .. }) | Self::IceServers { ice_servers } => {
                let lengths = ice_servers.iter().map(|server| server.url.len());
                check("ICE servers", ice_servers.len(), ICE_SERVERS)?;
                check(
                    "an ICE server's URL",
                    lengths.max().unwrap_or_default(),
                    ICE_SERVER_URL_BYTES,
                )?;
            }
            _ => {}
        }
        Ok(message)
    }
}

impl Signal {
    fn check(&self) -> Result<(), InvalidFrame> {
        match &self.body {
            SignalBody::Offer { sdp } | SignalBody::Answer { sdp, .. } => check_sdp(sdp),
            SignalBody::Candidate { candidate, mid } => check_candidate(candidate, mid.as_deref()),
            _ => Ok(()),
        }
    }
}

fn check_sdp(sdp: &str) -> Result<(), InvalidFrame> {
    check("SDP bytes", sdp.len(), SDP_BYTES)?;
    check_lines(sdp, true)
}

fn check_candidate(candidate: &str, mid: Option<&str>) -> Result<(), InvalidFrame> {
    let mid = mid.unwrap_or_default();
    check(
        "candidate bytes",
        candidate.len() + mid.len(),
        CANDIDATE_BYTES,
    )?;
    check_lines(candidate, false)?;
    check_lines(mid, false)
}

fn check(what: &str, found: usize, limit: usize) -> Result<(), InvalidFrame> {
    if found > limit {
        return Err(InvalidFrame::Malformed(format!(
            "{what}: {found}, more than the {limit} allowed"
        )));
    }
    Ok(())
}

/// Refuses control characters. No description has them, and JSON writes one as six bytes: a signal within its limit could
/// make a message beyond [`SIGNALING_MESSAGE_BYTES`] when the server passes it on.
fn check_lines(text: &str, line_ends: bool) -> Result<(), InvalidFrame> {
    let is_line_end = |c: char| c == '\r' || c == '\n';
    // Every signal passes here, and hardly one has anything but ASCII: bytes that are looked at without a branch go many times as
    // fast as characters.
    let control = if text.is_ascii() {
        text.bytes().fold(false, |found, byte| {
            let allowed = line_ends & ((byte == b'\r') | (byte == b'\n'));
            found | (((byte < b' ') | (byte == 0x7f)) & !allowed)
        })
    } else {
        text.chars()
            .any(|c| c.is_control() && !(line_ends && is_line_end(c)))
    };
    if control {
        return Err(InvalidFrame::Malformed(
            "control characters in a signal".to_owned(),
        ));
    }
    Ok(())
}

fn encode<T: Serialize>(message: &T) -> String {
    #[expect(clippy::expect_used, reason = "the messages have string keys only")]
    serde_json::to_string(message).expect("messages always serialize")
}
