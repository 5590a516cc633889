//! Bytes of anybody's making, read as: authentic payload of a handshake. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tabferry_fuzz::handshake_payload(data));
