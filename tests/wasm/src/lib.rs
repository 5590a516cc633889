//! The promise: `tabferry-protocol` compiled to wasm reads, writes, names, digests, pairs and shakes hands exactly as the
//! native build does, on cryptography that meets its published vectors. A table of cases, run by `run.cjs` in Node as wasm
//! and, but for the pages' JSON, by `cargo test` natively. Must not know how either prints.

#[path = "../../../crates/protocol/tests/scenario/code_proof.rs"]
mod code_proof;
mod digests;
mod golden;
mod names;
#[cfg(target_arch = "wasm32")]
mod pages;
#[path = "../../../crates/protocol/tests/scenario/pairing.rs"]
mod pairing;
#[path = "../../../crates/protocol/tests/scenario/handshake.rs"]
mod scenario;
mod transcript;
#[path = "../../../crates/protocol/tests/scenario/vectors.rs"]
mod vectors;
#[path = "../../../crates/protocol/tests/scenario/wycheproof.rs"]
mod wycheproof_vectors;

use wasm_bindgen::prelude::wasm_bindgen;

mod expected {
    //! What the build script found and computed.
    include!(concat!(env!("OUT_DIR"), "/expected.rs"));
}

/// One promise. Errors with what is broken.
struct Case {
    name: String,
    check: Box<dyn Fn() -> Result<(), String>>,
}

fn cases() -> Vec<Case> {
    let mut cases = golden::cases();
    cases.extend(digests::cases());
    cases.extend(names::cases());
    #[cfg(target_arch = "wasm32")]
    cases.extend(pages::cases());
    let vectors = vectors::ALL.into_iter().chain(wycheproof_vectors::ALL);
    cases.extend(vectors.map(|(name, holds)| Case {
        name: name.to_owned(),
        check: Box::new(holds),
    }));
    cases.push(Case {
        name: "100 handshakes equal the native build's".to_owned(),
        check: Box::new(|| {
            equal(
                &transcript::handshakes().as_str(),
                &expected::NATIVE_HANDSHAKES,
            )
        }),
    });
    cases
}

/// Names of all cases.
#[wasm_bindgen]
pub fn names() -> Vec<String> {
    cases().into_iter().map(|case| case.name).collect()
}

/// Runs one case by its position in [`names`]. None when it passes, otherwise what is broken.
#[wasm_bindgen]
pub fn run(index: usize) -> Option<String> {
    match cases().get(index) {
        Some(case) => (case.check)().err(),
        None => Some("there is no such case".to_owned()),
    }
}

/// Errors unless both are equal.
fn equal<T: PartialEq + core::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("found    {found:?}\nexpected {expected:?}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_passes_natively_too() {
        for case in super::cases() {
            assert_eq!((case.check)(), Ok(()), "{}", case.name);
        }
    }
}
