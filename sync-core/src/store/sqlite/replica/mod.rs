//! The public handle of a replica in a SQLite file.

mod error;
mod options;

pub use error::OpenError;
pub use options::{OnConnect, ReplicaOptions};
