//! The heart of PocketSync: change tracking, changesets, merge, sessions and a hub as state
//! machines. No sockets, no runtime, no threads; time comes in as an argument.

#![warn(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod admission;
pub mod change;
pub mod clock;
pub mod codec;
pub mod driver;
pub mod hub;
pub mod id;
pub mod lineage;
pub mod merge;
pub mod restamp;
pub mod runtime;
pub mod session;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod transport;
pub mod value;
pub mod wire;

pub use bytes::Bytes;
#[cfg(feature = "sqlite")]
pub use rusqlite;
