//! Runs stories: one, or many seeds at a time.
//!
//! A [`Trial`] is an engine and the oracles that judge it. Every run has a thread of its own, which
//! is what the determinism of the world rests on, and a panic in it is a broken promise, not the
//! end of the program. A [`Campaign`] runs a range of seeds on several threads.

mod campaign;
mod fresh;
mod interrupt;
mod memory;
mod ordered;
mod trial;

pub use campaign::{Campaign, Ran, Runs};
pub use interrupt::Cancel;
pub use memory::peak_rss_bytes;
pub use ordered::Ordered;
pub use trial::{NO_PANIC, SAME_EVERY_TIME, Trial, judge};
