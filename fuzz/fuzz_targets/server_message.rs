//! Bytes of anybody's making, read as: server message. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::server_message(data));
