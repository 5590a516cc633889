//! Long deterministic computations, boiled down to one digest each. Compiled natively into the build script and to wasm
//! into the tests: both must come to the same.

use tabferry_protocol::card::{DeviceKind, DeviceName};
use tabferry_protocol::digest::{Digest, Hasher};
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::handshake::{Handshake, HandshakeError, Params, Path, Progress, Seed};
use tabferry_protocol::identity::{DeviceKey, SignedCard};
use tabferry_protocol::name::ReceivedName;
use tabferry_protocol::version::Versions;

/// What 20,000 names full of traps are received as.
pub(crate) fn names() -> String {
    let pieces = [
        "..",
        "/",
        "\\",
        ".",
        " ",
        "CON",
        "com³",
        "\u{202E}",
        "e\u{301}",
        "é",
        ".lnk",
        "desktop.ini",
        "~",
        "{",
        "}",
        "\u{E0041}",
        "长名字",
        "💻",
        "a",
        "report",
        ".pdf",
        ":",
        "\0",
        "\u{1100}\u{1161}",
        "\u{FEFF}",
        "\u{2028}",
    ];
    let mut draw = Draw(1);
    let mut received = Hasher::default();
    for _ in 0..20_000 {
        let mut proposed = String::new();
        for _ in 0..draw.below(14) {
            let piece = pieces[draw.below(pieces.len())];
            proposed.push_str(&piece.repeat(1 + draw.below(40) / 39 * 60));
        }
        received.update(ReceivedName::from_proposed(&proposed).as_str().as_bytes());
        received.update(b"\n");
    }
    received.digest().to_string()
}

/// Digests of 300 inputs of up to 40,000 bytes, each given in pieces of odd lengths.
pub(crate) fn digests() -> String {
    let mut draw = Draw(2);
    let mut all = Hasher::default();
    for _ in 0..300 {
        let input: Vec<u8> = (0..draw.below(40_000)).map(|_| draw.byte()).collect();
        let mut pieces = Hasher::default();
        let mut rest = input.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + draw.below(5_000)).min(rest.len()));
            pieces.update(piece);
            rest = after;
        }
        all.update(pieces.digest().to_string().as_bytes());
        all.update(Digest::of(&input).to_string().as_bytes());
    }
    all.digest().to_string()
}

/// Messages and transcripts of 100 handshakes with drawn keys, sessions and certificates. None of them fails: it would
/// show as an error's words.
pub(crate) fn handshakes() -> String {
    let mut draw = Draw(3);
    let mut all = Hasher::default();
    for _ in 0..100 {
        match handshake(&mut draw) {
            Ok(bytes) => all.update(&bytes),
            Err(error) => return error.to_string(),
        }
    }
    all.digest().to_string()
}

fn handshake(draw: &mut Draw) -> Result<Vec<u8>, HandshakeError> {
    let mut bytes = || [(); 32].map(|()| draw.byte());
    let keys = [(); 2].map(|()| DeviceKey::from_seed(&bytes()));
    let name = DeviceName::from_typed("device").map_err(|_| HandshakeError::Malformed)?;
    let cards = [0, 1].map(|own| SignedCard::sign(&keys[own], &name, DeviceKind::Tablet));
    let fingerprints = [(); 2].map(|()| Fingerprint::from_bytes(bytes()));
    let session = bytes();
    let versions = Versions::spoken();
    let mut params = |own: usize| Params {
        key: &keys[own],
        card: &cards[own],
        versions: &versions,
        path: Path::Direct {
            local: fingerprints[own],
            remote: fingerprints[1 - own],
        },
        session,
        seed: Seed::from_bytes(bytes()),
    };
    let (mut initiator, first) = Handshake::initiator(&params(0))?;
    let mut responder = Handshake::responder(&params(1))?;
    let Progress::Reply(second) = responder.read(&first)? else {
        return Err(HandshakeError::Ended);
    };
    let Progress::Verified(verified, Some(third)) = initiator.read(&second)? else {
        return Err(HandshakeError::Ended);
    };
    responder.read(&third)?;
    Ok([&first[..], &second, &third, &verified.transcript].concat())
}

/// Numbers that only look random, the same on every machine.
struct Draw(u64);

impl Draw {
    fn byte(&mut self) -> u8 {
        // Knuth's multiplier for 64 bits; the upper bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0.to_be_bytes()[0]
    }

    /// Less than `limit`, which is at most 65,536.
    fn below(&mut self, limit: usize) -> usize {
        (usize::from(self.byte()) * 256 + usize::from(self.byte())) % limit
    }
}
