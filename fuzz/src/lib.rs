//! What PocketSync is fuzzed with: each target is a module with a `run` that takes any bytes.
//!
//! The programs in `fuzz_targets/` hand `run` to libFuzzer; `cargo test` replays the corpora and
//! the regressions through it, and some pseudo-random inputs besides, on any toolchain.
//!
//! A target draws what it does from its bytes, checks what must hold after every step, and panics
//! where it does not.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod apply;
pub mod changeset;
mod draw;
pub mod frames;
pub mod histories;
pub mod hub;
mod memory;
pub mod merge;
mod replica;
pub mod replicas;
mod scene;
pub mod session;
pub mod tracking;
mod world;

/// A target: takes any bytes, and panics if something does not hold.
pub type Target = fn(&[u8]);

/// Every target, by name.
pub const TARGETS: [(&str, Target); 10] = [
    ("accounts", accounts::run),
    ("apply", apply::run),
    ("changeset", changeset::run),
    ("frames", frames::run),
    ("histories", histories::run),
    ("hub", hub::run),
    ("merge", merge::run),
    ("replicas", replicas::run),
    ("session", session::run),
    ("tracking", tracking::run),
];
