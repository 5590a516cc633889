#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::server_message(data));
