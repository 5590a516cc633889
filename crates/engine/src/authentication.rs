//! What proves that the other end of a connection is the device that it is taken for: the fingerprints that descriptions
//! announce, the certificate that was presented, and the handshake that binds them to the devices' keys. It knows no
//! session and decides nothing about a device's key.

use tabferry_protocol::code::Code;
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::handshake::{Handshake, Params, Path, Progress, Seed};
use tabferry_protocol::id::{AnswerNonce, ConnectionId};
use tabferry_protocol::identity::{DeviceKey, SignedCard};
use tabferry_protocol::version::Versions;

/// How far a connection's proof is.
#[derive(Debug)]
pub(crate) struct Authentication {
    connection: ConnectionId,
    initiator: bool,
    /// Drawn by us if we answer; known from the answer otherwise.
    nonce: Option<AnswerNonce>,
    local: Option<Fingerprint>,
    remote: Option<Fingerprint>,
    handshake: Option<Handshake>,
    /// The first message, if it came before our channels were open.
    early: Option<Vec<u8>>,
}

impl Authentication {
    /// Of an attempt of ours.
    pub(crate) fn of_offerer(connection: ConnectionId) -> Self {
        Self::new(connection, true, None)
    }

    /// Of an attempt of the peer.
    pub(crate) fn of_answerer(connection: ConnectionId, nonce: AnswerNonce) -> Self {
        Self::new(connection, false, Some(nonce))
    }

    fn new(connection: ConnectionId, initiator: bool, nonce: Option<AnswerNonce>) -> Self {
        Self {
            connection,
            initiator,
            nonce,
            local: None,
            remote: None,
            handshake: None,
            early: None,
        }
    }

    /// What an answerer puts into its answers.
    pub(crate) fn nonce(&self) -> Option<AnswerNonce> {
        self.nonce
    }

    /// Takes the nonce of an answer. Errors if an earlier answer had another one: whoever answers now was started anew and
    /// has lost the connection.
    pub(crate) fn handle_nonce(&mut self, nonce: AnswerNonce) -> Result<(), Code> {
        if *self.nonce.get_or_insert(nonce) == nonce {
            Ok(())
        } else {
            Err(Code::ConnectionLost)
        }
    }

    /// Takes a description of our own. What can't be read is missed when the handshake is to begin.
    pub(crate) fn handle_local_description(&mut self, sdp: &str) {
        self.local = self.local.or(Fingerprint::of_description(sdp).ok());
    }

    /// Takes a description of the other end, before the platform does. Errors unless it announces one certificate, and the
    /// same as before: a restart of ICE keeps it, so another one is somebody else's.
    pub(crate) fn handle_remote_description(&mut self, sdp: &str) -> Result<(), Code> {
        let described = Fingerprint::of_description(sdp).map_err(|_| Code::Unverified)?;
        if *self.remote.get_or_insert(described) == described {
            Ok(())
        } else {
            Err(Code::Unverified)
        }
    }

    /// The channels are open: begins the handshake. `presented` is the certificate of the other end, if the platform tells.
    /// Returns the first message of an initiator, or what follows from one that came early.
    pub(crate) fn begin(
        &mut self,
        presented: Option<Fingerprint>,
        key: &DeviceKey,
        card: &SignedCard,
        seed: [u8; 32],
    ) -> Result<Option<Progress>, Code> {
        let (Some(local), Some(remote), Some(nonce)) = (self.local, self.remote, self.nonce) else {
            return Err(Code::Unverified);
        };
        if presented.is_some_and(|presented| presented != remote) {
            return Err(Code::Unverified);
        }
        let mut session = [0; 32];
        session[..16].copy_from_slice(self.connection.as_bytes());
        session[16..].copy_from_slice(nonce.as_bytes());
        let params = Params {
            key,
            card,
            versions: &Versions::spoken(),
            path: Path::Direct { local, remote },
            session,
            seed: Seed::from_bytes(seed),
        };
        if self.initiator {
            let (handshake, first) = Handshake::initiator(&params).map_err(|error| error.code())?;
            self.handshake = Some(handshake);
            return Ok(Some(Progress::Reply(first)));
        }
        self.handshake = Some(Handshake::responder(&params).map_err(|error| error.code())?);
        match self.early.take() {
            Some(message) => self.read(message),
            None => Ok(None),
        }
    }

    /// Takes a message of the other end. `None` if it has to wait.
    pub(crate) fn read(&mut self, message: Vec<u8>) -> Result<Option<Progress>, Code> {
        match &mut self.handshake {
            Some(handshake) => handshake
                .read(&message)
                .map(Some)
                .map_err(|error| error.code()),
            // An initiator writes once, then waits for us.
            None if self.initiator || self.early.is_some() => Err(Code::Unverified),
            None => {
                self.early = Some(message);
                Ok(None)
            }
        }
    }
}
