//! Bytes of anybody's making, read as: relay client message. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::relay_client_message(data));
