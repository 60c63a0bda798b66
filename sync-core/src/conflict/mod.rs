//! Conflicts: writes of the same thing by replicas that did not know of each other.
//!
//! ```text
//! rules    what an application wants done about them, as data that travels with the scope
//! ```
//!
//! Pure data and pure functions: no store and no database is known here.

mod rules;

pub use rules::{OnDelete, RULES_TABLE, Rule, Rules, Strategy};
