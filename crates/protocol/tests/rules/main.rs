//! The rules that every value from another device must pass: tables of hostile input and properties over generated input.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod check;
mod code_proof;
mod codes;
mod fingerprints;
mod handshake;
mod identity;
mod ids;
mod limits;
mod links;
mod mutation;
mod names;
mod pair;
mod round_trip;
mod sas;
mod spelling;
mod strategies;
mod tolerance;
#[path = "../scenario/vectors.rs"]
mod vectors;
#[path = "../scenario/wycheproof.rs"]
mod wycheproof_vectors;

#[test]
fn every_published_vector_holds() {
    for (name, holds) in vectors::ALL.into_iter().chain(wycheproof_vectors::ALL) {
        assert_eq!(holds(), Ok(()), "{name}");
    }
}
