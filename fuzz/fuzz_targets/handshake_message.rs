//! Bytes of anybody's making, read as: handshake messages. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tabferry_fuzz::handshake_message(data));
