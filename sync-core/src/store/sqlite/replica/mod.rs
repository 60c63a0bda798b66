//! The public handle of a replica in a SQLite file.

mod applied;
mod error;
mod file_identity;
mod handle;
mod options;
mod parked;
mod requests;
mod running;
mod status;

pub use applied::{Applied, AppliedStream};
pub use error::OpenError;
pub use handle::Replica;
pub use options::{OnConnect, ReplicaOptions};
pub use parked::{Parked, ParkedReason};
pub use status::{ParkedRow, PeerStatus, ReplicaStatus, TableStatus};
