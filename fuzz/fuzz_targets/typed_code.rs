//! Bytes of anybody's making, read as: code as people type it. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::typed_code(data));
