//! Bytes of anybody's making, read as: proposed folder. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::received_folder(data));
