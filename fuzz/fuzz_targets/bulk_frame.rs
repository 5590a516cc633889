#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tabferry_fuzz::bulk_frame(data));
