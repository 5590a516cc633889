//! Bytes of anybody's making, read as: bulk frame. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tabferry_fuzz::bulk_frame(data));
