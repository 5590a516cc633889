//! Bytes of anybody's making, read as: control frame. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tabferry_fuzz::control_frame(data));
