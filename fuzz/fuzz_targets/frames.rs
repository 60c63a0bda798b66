//! libFuzzer's way into [`pocketsync_fuzz::frames`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::frames::run(data));
