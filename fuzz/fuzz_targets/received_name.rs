//! Bytes of anybody's making, read as: received name. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::received_name(data));
