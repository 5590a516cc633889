//! Bytes of anybody's making, read as: message to the native host's daemon. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::native_message(data));
