//! Digests: BLAKE3's published test vectors (input byte i is i modulo 251), and agreement with the native build.

use tabferry_protocol::digest::{Digest, Hasher};

use crate::expected::NATIVE_DIGESTS;
use crate::{Case, equal, transcript};

/// Length of the input in bytes, and its digest.
const VECTORS: &[(usize, &str)] = &[
    (
        0,
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    ),
    (
        1,
        "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
    ),
    (
        1023,
        "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
    ),
    (
        1024,
        "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
    ),
    (
        1025,
        "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
    ),
    (
        2048,
        "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a",
    ),
    (
        102_400,
        "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = VECTORS
        .iter()
        .map(|&(length, digest)| Case {
            name: format!("BLAKE3 of {length} bytes, at once and in pieces"),
            check: Box::new(move || vector(length, digest)),
        })
        .collect();
    cases.push(Case {
        name: "300 digests equal the native build's".to_owned(),
        check: Box::new(|| equal(&transcript::digests().as_str(), &NATIVE_DIGESTS)),
    });
    cases
}

fn vector(length: usize, digest: &str) -> Result<(), String> {
    let input: Vec<u8> = (0..=250).cycle().take(length).collect();
    equal(&Digest::of(&input).to_string().as_str(), &digest)?;
    let mut hasher = Hasher::default();
    for piece in input.chunks(777) {
        hasher.update(piece);
    }
    equal(&hasher.digest().to_string().as_str(), &digest)
}
