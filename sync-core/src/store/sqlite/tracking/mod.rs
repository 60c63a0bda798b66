//! Capturing what any client writes: `track`, `untrack`, and the triggers between.
//!
//! ```text
//! plan      which tables, with which identity, and what to warn of
//! register  numbers of tables and columns
//! triggers  the SQL of the triggers of one table
//! install   journal, clock tables and triggers made to fit the catalog
//! audit     rows that came or went unseen      new_columns   bits that old triggers did not set
//! renamed_columns  columns with a new name
//! track     all of it in one transaction         untrack   all of it gone
//! ```

mod audit;
mod install;
pub(super) mod new_columns;
mod plan;
pub(super) mod register;
pub(super) mod renamed_columns;
mod track;
mod triggers;
mod untrack;

pub(super) use audit::audit;
pub(super) use install::install;
pub use plan::{Tables, TrackError, TrackedTable, Warning};
pub use track::track;
pub use triggers::table_triggers;
pub use untrack::untrack;
