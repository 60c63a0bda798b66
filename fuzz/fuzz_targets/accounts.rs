//! libFuzzer's way into [`pocketsync_fuzz::accounts`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::accounts::run(data));
