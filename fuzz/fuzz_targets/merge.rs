//! libFuzzer's way into [`pocketsync_fuzz::merge`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::merge::run(data));
