//! Bytes of anybody's making, read as: fingerprint of a session description. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::session_description(data));
