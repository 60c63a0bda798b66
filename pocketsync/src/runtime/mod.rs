//! The world as drivers see it: clocks, timers, randomness, and threads for blocking work.
//!
//! # Clocks and sleep
//!
//! Sessions find out by [`Now::mono`](crate::clock::Now::mono) that a link has died, so it counts
//! the time that the machine slept: `CLOCK_BOOTTIME` on Linux and Android, `CLOCK_MONOTONIC` on
//! Apple's systems, where that one counts sleep. On other systems it is
//! [`std::time::Instant`], which may stand still meanwhile; there a dead link is noticed later,
//! and the wall clock seems to have been set after every sleep, which costs the correction of
//! what was written before it and nothing else.
//!
//! Timers of the operating system may stand still too. A wait is therefore cut into pieces of
//! five seconds, so that what was due in the meantime is late by no more than that.

#[cfg(any(feature = "tokio", feature = "smol"))]
mod world;

#[cfg(feature = "smol")]
mod smol;
#[cfg(feature = "tokio")]
mod tokio;

pub use pocketsync_core::runtime::Runtime;

#[cfg(feature = "smol")]
pub use self::smol::SmolRuntime;
#[cfg(feature = "tokio")]
pub use self::tokio::TokioRuntime;
