#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sekisho_fuzz::output::run(bytes));
