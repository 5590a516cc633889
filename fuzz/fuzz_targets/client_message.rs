#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::client_message(data));
