//! Bytes of anybody's making, read as: web url. Knows the exported function only.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::web_url(data));
