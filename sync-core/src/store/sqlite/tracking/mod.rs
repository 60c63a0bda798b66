//! Capturing what any client writes: `track`, `untrack`, and the triggers between.
//!
//! ```text
//! plan      which tables, with which identity, and what to warn of
//! register  numbers of tables and columns
//! triggers  the SQL of the triggers of one table
//! install   journal, clock tables and triggers made to fit the catalog
//! audit     rows that came or went unseen      new_columns   bits that old triggers did not set
//! renamed_columns  columns with a new name  mirror  the user's triggers on derived data
//! filled_columns   what a rebuild put into new columns    lost_values  columns that are back
//! rekey     another primary key              compared  the rows before and after a rebuild of ours
//! track     all of it in one transaction         untrack   all of it gone
//! ```

mod audit;
pub(super) mod compared;
pub(super) mod filled_columns;
mod install;
pub(super) mod lost_values;
mod mirror;
pub(super) mod new_columns;
mod plan;
pub(super) mod register;
pub(super) mod rekey;
pub(super) mod renamed_columns;
mod track;
mod triggers;
mod untrack;

pub(super) use audit::audit;
pub(super) use install::install;
pub(super) use mirror::mirror;
pub use plan::{Tables, TrackError, TrackedTable, Warning};
pub use track::track;
pub(super) use triggers::TRIGGERS;
pub use triggers::table_triggers;
pub use untrack::untrack;
