//! One handshake with everything fixed, for its golden files and for the wasm build, which must write the same bytes. Knows
//! no test framework.

use tabferry_protocol::card::{DeviceKind, DeviceName};
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::handshake::{Handshake, HandshakeError, Params, Path, Progress, Seed};
use tabferry_protocol::identity::{DeviceKey, SignedCard};
use tabferry_protocol::version::Versions;

/// The three messages and the transcript, each under the name of its golden file.
pub(crate) fn handshake() -> Result<[(&'static str, Vec<u8>); 4], HandshakeError> {
    let keys = [1, 2].map(|byte| DeviceKey::from_seed(&[byte; 32]));
    let card = |key, name, kind| -> Result<SignedCard, HandshakeError> {
        let name = DeviceName::from_typed(name).map_err(|_| HandshakeError::Malformed)?;
        Ok(SignedCard::sign(key, &name, kind))
    };
    let cards = [
        card(&keys[0], "Åsa's laptop 💻", DeviceKind::Computer)?,
        card(&keys[1], "phone", DeviceKind::Phone)?,
    ];
    let versions = Versions::try_from(vec![1, 2]).map_err(|_| HandshakeError::Malformed)?;
    let fingerprint = |byte| Fingerprint::from_bytes([byte; 32]);
    let params = |own: usize, local: u8, remote: u8| Params {
        key: &keys[own],
        card: &cards[own],
        versions: &versions,
        path: Path::Direct {
            local: fingerprint(local),
            remote: fingerprint(remote),
        },
        session: *b"halves of two ends, made of text",
        seed: Seed::from_bytes([local; 32]),
    };
    let (mut initiator, first) = Handshake::initiator(&params(0, 0xA1, 0xB2))?;
    let mut responder = Handshake::responder(&params(1, 0xB2, 0xA1))?;
    let Progress::Reply(second) = responder.read(&first)? else {
        return Err(HandshakeError::Ended);
    };
    let Progress::Verified(verified, Some(third)) = initiator.read(&second)? else {
        return Err(HandshakeError::Ended);
    };
    let Progress::Verified(of_responder, None) = responder.read(&third)? else {
        return Err(HandshakeError::Ended);
    };
    if of_responder.transcript != verified.transcript {
        return Err(HandshakeError::Mismatch);
    }
    Ok([
        ("first.message", first),
        ("second.message", second),
        ("third.message", third),
        ("transcript.digest", verified.transcript.to_vec()),
    ])
}
