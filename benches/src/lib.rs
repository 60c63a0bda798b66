//! What PocketSync costs, measured: against plain SQLite and its peers on the same data, part by part, over
//! a real hub, and as things grow. `docs/performance.md` says what the figures mean and how to get them.
//!
//! The library is the instrument; the program `pocketsync-benches`, the benchmarks in `benches/` and the
//! guard of instruction counts play it.

pub mod compare;
pub mod contender;
pub mod fleet;
pub mod guard;
pub mod meter;
pub mod parts;
pub mod pass;
pub mod scale;
pub mod shape;
pub mod stats;

/// What can go wrong here is told to the person who ran it, and nobody else.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
