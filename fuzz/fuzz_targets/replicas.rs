//! libFuzzer's way into [`pocketsync_fuzz::replicas`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::replicas::run(data));
