//! An attacker between the two ends of a connection: he terminates DTLS with a certificate of his own, and passes frames on
//! or speaks himself. He knows what the wire says, and no engine.

use std::collections::BTreeMap;

use evil::{Variant, description};
use tabferry_engine::Channel;
use tabferry_protocol::card::DeviceKind;
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::frame::{ControlFrame, Propose};
use tabferry_protocol::handshake::{Handshake, Params, Path, Progress, Seed};
use tabferry_protocol::id::{AnswerNonce, ConnectionId, ResumeId, WireTransferId};
use tabferry_protocol::identity::{DeviceKey, SignedCard};
use tabferry_protocol::manifest::{Entry, Item};
use tabferry_protocol::signaling::{Signal, SignalBody};
use tabferry_protocol::version::Versions;

use crate::network::{certificate, parse_description};
use crate::world::{Happening, World};

/// What the attacker has come to.
#[derive(Debug, Default)]
pub(crate) struct Middle {
    /// His connections by the ends that they are with.
    legs: BTreeMap<u64, Leg>,
    /// Bytes of frames that he has read and that say something of what people send.
    pub read: u64,
}

/// His connection to one end.
#[derive(Debug)]
struct Leg {
    connection: ConnectionId,
    offerer: bool,
    nonce: Option<AnswerNonce>,
    /// His own handshake with that end.
    handshake: Option<Handshake>,
}

impl World {
    /// The certificate that the attacker presents, if he is between two ends.
    pub(crate) fn middle_certificate(&self) -> Option<Fingerprint> {
        let evil = self.evil.as_ref()?;
        evil.variant()?.has_legs().then(|| evil.certificate())
    }

    /// What the attacker says to an end in place of the other one's signal.
    pub(crate) fn intercept(&mut self, mut signal: Signal) -> Signal {
        let Some(own) = self.middle_certificate() else {
            return signal;
        };
        let (sdp, nonce) = match &mut signal.body {
            SignalBody::Offer { sdp } => (sdp, None),
            SignalBody::Answer { sdp, nonce } => (sdp, Some(*nonce)),
            _ => return signal,
        };
        let (_, end, ..) = parse_description(sdp).expect("a description of an engine");
        *sdp = description::with_certificate(sdp, own);
        self.middle.legs.insert(
            end,
            Leg {
                connection: signal.connection,
                offerer: nonce.is_none(),
                nonce,
                handshake: None,
            },
        );
        let of_connection = |leg: &&mut Leg| leg.connection == signal.connection;
        for leg in self.middle.legs.values_mut().filter(of_connection) {
            leg.nonce = leg.nonce.or(nonce);
        }
        signal
    }

    /// An end has opened its channels to the attacker.
    pub(crate) fn middle_opens(&mut self, end: u64) {
        let speaks = self.attack() == Some(Variant::MiddleWithOwnKey);
        if !speaks || self.middle.legs[&end].offerer {
            return;
        }
        let (handshake, first) = self.with_own_key(end, |params| {
            Handshake::initiator(params).expect("the attacker's own parameters")
        });
        self.middle.legs.get_mut(&end).expect("looked up").handshake = Some(handshake);
        // An end that takes what was never proved takes it now, or after the handshake.
        let early = self.random.one_in(2).then(lie);
        let frames = [ControlFrame::Handshake(first)].into_iter().chain(early);
        for frame in frames {
            let (channel, bytes) = (Channel::Control, frame.encode());
            self.schedule(
                self.now,
                Happening::Arrived {
                    id: end,
                    channel,
                    bytes,
                },
            );
        }
    }

    /// The attacker reads what an end says to the other one. Returns what comes of it, and for which end.
    pub(crate) fn middle_reads(
        &mut self,
        end: u64,
        other: u64,
        channel: Channel,
        frame: Vec<u8>,
    ) -> Vec<(u64, Vec<u8>)> {
        let control = match channel {
            Channel::Control => ControlFrame::decode(&frame).ok(),
            Channel::Bulk => None,
        };
        let message = match control {
            Some(ControlFrame::Handshake(message)) => Some(message),
            Some(ControlFrame::Close(_)) => None,
            _ => {
                self.middle.read += frame.len() as u64;
                None
            }
        };
        if self.attack() != Some(Variant::MiddleWithOwnKey) {
            return vec![(other, frame)];
        }
        match message.and_then(|message| self.answer_handshake(end, &message)) {
            Some(reply) => [ControlFrame::Handshake(reply), lie()]
                .map(|frame| (end, frame.encode()))
                .into(),
            None => Vec::new(),
        }
    }

    fn answer_handshake(&mut self, end: u64, message: &[u8]) -> Option<Vec<u8>> {
        if self.middle.legs[&end].handshake.is_none() {
            let handshake = self.with_own_key(end, |params| {
                Handshake::responder(params).expect("the attacker's own parameters")
            });
            self.middle.legs.get_mut(&end)?.handshake = Some(handshake);
        }
        let handshake = self.middle.legs.get_mut(&end)?.handshake.as_mut()?;
        match handshake.read(message) {
            Ok(Progress::Reply(reply)) => Some(reply),
            Ok(Progress::Verified(_, last)) => last,
            Err(error) => panic!("the attacker does not get on with an end: {error}"),
        }
    }

    /// What he knows of his connection to an end, with a device key of his own.
    fn with_own_key<T>(&mut self, end: u64, with: impl FnOnce(&Params<'_>) -> T) -> T {
        let leg = &self.middle.legs[&end];
        let nonce = leg.nonce.expect("an answer before the channels open");
        let mut session = [0; 32];
        session[..16].copy_from_slice(leg.connection.as_bytes());
        session[16..].copy_from_slice(nonce.as_bytes());
        let key = DeviceKey::from_seed(&[0xe7; 32]);
        let name = self.card(0).name;
        with(&Params {
            key: &key,
            card: &SignedCard::sign(&key, &name, DeviceKind::Computer),
            versions: &Versions::spoken(),
            path: Path::Direct {
                local: self.middle_certificate().expect("he is in between"),
                remote: certificate(end),
            },
            session,
            seed: Seed::from_bytes(self.random.bytes()),
        })
    }
}

/// What the attacker says in the name of the other end.
fn lie() -> ControlFrame {
    let text = "from nobody".to_owned();
    ControlFrame::Propose(Propose {
        transfer: WireTransferId(1),
        resume: ResumeId::from_bytes([7; 16]),
        count: 1,
        entries: vec![Entry::Item(Item::Text { text })],
    })
}
