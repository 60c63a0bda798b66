//! Conflicts: writes of the same thing by replicas that did not know of each other.
//!
//! ```text
//! rules    what an application wants done about them, as data that travels with the scope
//! seen     what a writer knew when it wrote: which writes are conflicts
//! resolver what an application decides itself, on its hub
//! clash    own writes that met others before the peer had them
//! logged   conflicts as they are remembered
//! merge_type  columns in which concurrent writes are no conflict
//! ```
//!
//! Pure data and pure functions: no store and no database is known here.

mod clash;
mod logged;
#[cfg(feature = "sqlite")]
mod logged_bytes;
mod merge_type;
mod resolver;
mod rules;
mod seen;

pub(crate) use clash::Clash;
pub use logged::{ConflictFilter, ConflictLimits, LoggedConflict, Winner, Write, Written};
pub use merge_type::MergeType;
pub(crate) use resolver::HubResolver;
pub use resolver::{Conflict, ContestedColumn, Resolution, Resolver};
pub use rules::{OnDelete, RULES_TABLE, Rule, Rules, Strategy};
pub use seen::{MAX_STEPS, Seen, SeenStep};
pub(crate) use seen::{Remembered, steps};
