//! The public handle of a replica in a SQLite file.

mod applied;
mod as_application;
mod bundles;
mod conflicts;
mod error;
mod file_identity;
mod handle;
mod new_site;
mod not_allowed;
mod options;
mod parked;
mod requests;
mod rules;
mod running;
mod status;

pub use applied::{Applied, AppliedStream};
pub use error::OpenError;
pub use handle::Replica;
pub use options::{OnConnect, ReplicaOptions};
pub use parked::{Parked, ParkedReason};
pub use status::{ParkedRow, PeerStatus, ReplicaStatus, TableStatus};
