//! Bytes of anybody's making, read as: messages of the proof of a code. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tabferry_fuzz::code_proof_message(data));
