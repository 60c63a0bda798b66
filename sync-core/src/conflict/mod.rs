//! Conflicts: writes of the same thing by replicas that did not know of each other.
//!
//! ```text
//! rules    what an application wants done about them, as data that travels with the scope
//! seen     what a writer knew when it wrote: which writes are conflicts
//! ```
//!
//! Pure data and pure functions: no store and no database is known here.

mod rules;
mod seen;

pub use rules::{OnDelete, RULES_TABLE, Rule, Rules, Strategy};
pub use seen::{MAX_STEPS, Seen, SeenStep};
pub(crate) use seen::{Remembered, steps};
