//! libFuzzer's way into [`pocketsync_fuzz::hub`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::hub::run(data));
