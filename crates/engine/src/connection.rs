//! One attempt to connect two peers, from its first signal to its end: who waits for which description, which candidates
//! are early, when ICE is restarted, which transfers the wire knows by which number. It knows nothing inside an SDP or a
//! frame.

use tabferry_protocol::card::EndpointKind;
use tabferry_protocol::code::Code;
use tabferry_protocol::frame::ControlFrame;
use tabferry_protocol::id::{AnswerNonce, ConnectionId, TransferId, WireTransferId};
use tabferry_protocol::limits::{
    CONNECT_TIMEOUT_MS, EARLY_CANDIDATES, ICE_RESTART_DELAY_MS, ICE_RESTART_RETRY_MS,
};
use tabferry_protocol::signaling::{IceServer, SignalBody};

use crate::authentication::Authentication;
use crate::io::{ConnectionKey, ConnectionState, Output, Time};
use crate::outbox::Outbox;
use crate::receiving::Collecting;
use crate::table::Table;

/// A candidate line with its media section; `None` is the end of candidates.
type Candidate = Option<(String, Option<String>)>;

/// A peer connection and its channels.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) key: ConnectionKey,
    pub(crate) id: ConnectionId,
    /// Whether the first offer was ours. ICE restarts are the offerer's then.
    pub(crate) offerer: bool,
    pub(crate) started: Time,
    pub(crate) authentication: Authentication,
    /// Whether the peer has our first description, so that candidates make sense to it.
    described: bool,
    /// Local candidates that wait for that.
    local_candidates: Vec<Candidate>,
    /// Whether the platform has the peer's description, so that it takes candidates.
    remote_described: bool,
    /// Remote candidates that wait for that.
    remote_candidates: Vec<Candidate>,
    offer: OfferState,
    pub(crate) channels_open: bool,
    /// Whether the peer has proved who it is: the session is open.
    pub(crate) open: bool,
    interruption: Option<Interruption>,
    /// The bulk channel holds enough; no reads until it has drained.
    pub(crate) paused: bool,
    /// When life was last shown for want of anything else to say.
    pub(crate) pinged_at: Time,
    /// Last transfer that got a turn to read.
    pub(crate) last_turn: Option<TransferId>,
    /// Our transfers by their number on this wire.
    pub(crate) outgoing: Table<WireTransferId, TransferId>,
    /// The peer's transfers by their number on this wire.
    pub(crate) incoming: Table<WireTransferId, TransferId>,
    /// Proposals of the peer that are not complete yet, and since when.
    pub(crate) collecting: Table<WireTransferId, (Time, Collecting)>,
    /// Highest number we gave.
    pub(crate) last_outgoing: u32,
    /// Highest number the peer gave; they only grow.
    pub(crate) last_incoming: u32,
}

/// How far our last offer is. An answer that comes before it was sent belongs to an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OfferState {
    /// None, or answered.
    Settled,
    Making,
    Sent,
}

#[derive(Debug, Clone, Copy)]
struct Interruption {
    since: Time,
    restart_at: Time,
}

impl Connection {
    fn new(
        id: ConnectionId,
        offerer: bool,
        authentication: Authentication,
        now: Time,
        (peer, ice_servers): (EndpointKind, Vec<IceServer>),
        out: &mut Outbox,
    ) -> Self {
        let key = ConnectionKey(out.key());
        out.push(Output::OpenConnection {
            connection: key,
            peer,
            ice_servers,
        });
        Self {
            key,
            id,
            offerer,
            started: now,
            authentication,
            described: false,
            local_candidates: Vec::new(),
            remote_described: false,
            remote_candidates: Vec::new(),
            offer: OfferState::Settled,
            channels_open: false,
            open: false,
            interruption: None,
            paused: false,
            pinged_at: now,
            last_turn: None,
            outgoing: Table::default(),
            incoming: Table::default(),
            collecting: Table::default(),
            last_outgoing: 0,
            last_incoming: 0,
        }
    }

    /// Starts an attempt of our own.
    pub(crate) fn offer(now: Time, with: (EndpointKind, Vec<IceServer>), out: &mut Outbox) -> Self {
        let id = out.connection_id();
        let authentication = Authentication::of_offerer(id);
        let mut connection = Self::new(id, true, authentication, now, with, out);
        connection.make_offer(false, out);
        connection
    }

    /// Joins an attempt of the peer. Errors if its description is not to be trusted.
    pub(crate) fn answer(
        id: ConnectionId,
        sdp: String,
        now: Time,
        with: (EndpointKind, Vec<IceServer>),
        out: &mut Outbox,
    ) -> Result<Self, Code> {
        let mut authentication = Authentication::of_answerer(id, out.answer_nonce());
        authentication.handle_remote_description(&sdp)?;
        let mut connection = Self::new(id, false, authentication, now, with, out);
        connection.set_offer(sdp, out);
        Ok(connection)
    }

    fn make_offer(&mut self, restart: bool, out: &mut Outbox) {
        self.offer = OfferState::Making;
        out.push(Output::MakeOffer {
            connection: self.key,
            restart,
        });
    }

    /// Takes an offer for this connection: the first one, or one that restarts ICE. Errors if it is not to be trusted.
    pub(crate) fn apply_offer(&mut self, sdp: String, out: &mut Outbox) -> Result<(), Code> {
        if self.offerer {
            return Ok(());
        }
        self.authentication.handle_remote_description(&sdp)?;
        self.set_offer(sdp, out);
        Ok(())
    }

    /// Hands an offer that was looked at to the platform.
    fn set_offer(&mut self, sdp: String, out: &mut Outbox) {
        out.push(Output::ApplyOffer {
            connection: self.key,
            sdp,
        });
        self.remote_is_described(out);
    }

    /// Takes an answer. Errors with [`Code::ConnectionLost`] if the peer was started anew, and otherwise if it is not to be
    /// trusted.
    pub(crate) fn apply_answer(
        &mut self,
        sdp: String,
        nonce: AnswerNonce,
        out: &mut Outbox,
    ) -> Result<(), Code> {
        if self.offer == OfferState::Sent {
            self.authentication.handle_nonce(nonce)?;
            self.authentication.handle_remote_description(&sdp)?;
            self.offer = OfferState::Settled;
            out.push(Output::ApplyAnswer {
                connection: self.key,
                sdp,
            });
            self.remote_is_described(out);
        }
        Ok(())
    }

    fn remote_is_described(&mut self, out: &mut Outbox) {
        self.remote_described = true;
        for candidate in core::mem::take(&mut self.remote_candidates) {
            out.push(Output::ApplyCandidate {
                connection: self.key,
                candidate,
            });
        }
    }

    pub(crate) fn apply_candidate(&mut self, candidate: Candidate, out: &mut Outbox) {
        if self.remote_described {
            out.push(Output::ApplyCandidate {
                connection: self.key,
                candidate,
            });
        } else if self.remote_candidates.len() < EARLY_CANDIDATES {
            self.remote_candidates.push(candidate);
        }
    }

    /// The platform has set our description: the signals that go to the peer now.
    pub(crate) fn handle_local_description(&mut self, sdp: String) -> Vec<SignalBody> {
        self.authentication.handle_local_description(&sdp);
        let description = match self.authentication.nonce() {
            Some(nonce) if !self.offerer => SignalBody::Answer { sdp, nonce },
            _ => {
                self.offer = OfferState::Sent;
                SignalBody::Offer { sdp }
            }
        };
        self.described = true;
        let early = core::mem::take(&mut self.local_candidates);
        std::iter::once(description)
            .chain(early.into_iter().map(candidate_signal))
            .collect()
    }

    pub(crate) fn handle_local_candidate(&mut self, candidate: Candidate) -> Option<SignalBody> {
        if self.described {
            return Some(candidate_signal(candidate));
        }
        if self.local_candidates.len() < EARLY_CANDIDATES {
            self.local_candidates.push(candidate);
        }
        None
    }

    /// Follows the path's state. A disconnection often heals by itself, so a restart waits a little; a failure doesn't heal.
    pub(crate) fn handle_change(&mut self, now: Time, state: ConnectionState) {
        match state {
            ConnectionState::Connected => self.interruption = None,
            ConnectionState::Disconnected => {
                let restart_at = now + ICE_RESTART_DELAY_MS;
                self.interruption.get_or_insert(Interruption {
                    since: now,
                    restart_at,
                });
            }
            ConnectionState::Failed => {
                let since = self
                    .interruption
                    .map_or(now, |interruption| interruption.since);
                self.interruption = Some(Interruption {
                    since,
                    restart_at: now,
                });
            }
        }
    }

    /// The peer, which can't restart ICE itself, asks us to.
    pub(crate) fn handle_restart_request(&mut self, out: &mut Outbox) {
        if self.offerer && self.channels_open && self.offer == OfferState::Settled {
            self.make_offer(true, out);
        }
    }

    /// Whether no packets get through, for the moment.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interruption.is_some()
    }

    /// Whether the path has been away for too long.
    pub(crate) fn is_lost(&self, now: Time) -> bool {
        self.interruption
            .is_some_and(|interruption| now.since(interruption.since) >= CONNECT_TIMEOUT_MS)
    }

    /// Restarts ICE when that is due; returns what to signal for it.
    pub(crate) fn restart_if_due(&mut self, now: Time, out: &mut Outbox) -> Option<SignalBody> {
        let interruption = self.interruption.as_mut()?;
        if !self.channels_open || interruption.restart_at > now {
            return None;
        }
        interruption.restart_at = now + ICE_RESTART_RETRY_MS;
        if self.offerer {
            self.make_offer(true, out);
            return None;
        }
        Some(SignalBody::RestartRequest)
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        let interruption = self.interruption?;
        let lost = interruption.since + CONNECT_TIMEOUT_MS;
        Some(if self.channels_open {
            lost.min(interruption.restart_at)
        } else {
            lost
        })
    }

    pub(crate) fn draw_wire_id(&mut self) -> WireTransferId {
        self.last_outgoing += 1;
        WireTransferId(self.last_outgoing)
    }

    pub(crate) fn send(&self, frame: &ControlFrame, out: &mut Outbox) {
        out.push(Output::SendControl {
            connection: self.key,
            frame: frame.encode(),
        });
    }
}

fn candidate_signal(candidate: Candidate) -> SignalBody {
    match candidate {
        Some((candidate, mid)) => SignalBody::Candidate { candidate, mid },
        None => SignalBody::EndOfCandidates,
    }
}
