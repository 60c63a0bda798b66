//! libFuzzer's way into [`pocketsync_fuzz::session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::session::run(data));
