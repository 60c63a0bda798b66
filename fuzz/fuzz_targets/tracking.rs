//! libFuzzer's way into [`pocketsync_fuzz::tracking`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::tracking::run(data));
