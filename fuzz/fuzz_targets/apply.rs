//! libFuzzer's way into [`pocketsync_fuzz::apply`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::apply::run(data));
