//! Bytes of anybody's making, read as: device id as people type it. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::spelled_device_id(data));
