//! What tests of drivers, transports and simulations need: transports in memory, a runtime with
//! virtual time, a replica in memory, and the conformance kit for transports.
//!
//! Everything is deterministic: the same seed, the same run.

pub mod conformance;
mod fate;
mod lossy_link;
mod network;
mod pipe;
mod replica;
mod runtime;

pub use fate::Fate;
pub use lossy_link::{LossyLink, Side};
pub use network::MemoryNetwork;
pub use pipe::{MemoryLink, memory_link, memory_pair};
pub use replica::MemoryReplica;
pub use runtime::TestRuntime;
