#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::web_url(data));
