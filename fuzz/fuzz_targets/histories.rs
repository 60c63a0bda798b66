//! libFuzzer's way into [`pocketsync_fuzz::histories`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::histories::run(data));
