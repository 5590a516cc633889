#![no_main]
libfuzzer_sys::fuzz_target!(|data: &str| tabferry_fuzz::device_name(data));
