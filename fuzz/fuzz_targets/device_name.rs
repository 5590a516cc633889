//! Bytes of anybody's making, read as: device name. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::device_name(data));
