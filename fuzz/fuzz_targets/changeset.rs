//! libFuzzer's way into [`pocketsync_fuzz::changeset`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pocketsync_fuzz::changeset::run(data));
