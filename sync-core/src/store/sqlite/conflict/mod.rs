//! Conflicts at a device: own writes that meet others before the peer had them.
//!
//! ```text
//! detect    what of a group is in conflict with what is here
//! log       the table of conflicts                 told      what of it the peer has to hear of
//! replaced  rows that waited under a key that was inserted anew, columns that went by two names
//! ```
//!
//! A device decides nothing: the lattice does, and then the hub. It remembers what was overwritten,
//! and tells the peer what it cannot see in this replica's state any more.

mod detect;
mod log;
mod replaced;
mod told;

pub(super) use detect::Detector;
pub use log::find;
pub(super) use log::{count, forget_versions, get};
pub(super) use replaced::{log_joined, log_replaced};
pub(super) use told::{contested, doubt, tell_lost};
