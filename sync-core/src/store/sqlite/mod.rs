//! A replica in an ordinary SQLite file.
//!
//! What an application needs stands here: [`Replica`] opens a file, [`Tables`] says what of it is
//! tracked, [`diff()`] compares two. Everything else is how that is done, in rooms of its own, and
//! is no API: its modules are reachable for this project's tests, hidden from the documentation,
//! and may change in any release.
//!
//! ```text
//! system      the system tables                    meta     counters and marks kept in them
//! catalog     what the user's schema says          engine   one connection, one transaction at a time
//! tracking    triggers that fill the journal       fold     the journal turned into row clocks
//! row_clock   the packed clock of a shown row      extract  row clocks and values turned into changesets
//! apply       changesets merged and shown          park     what cannot be shown now
//! refs        rows, ids and what is kept of them   identity who we are, whom we met, forks
//! migrate     a migration that the engine runs itself   affinity  what a column makes of a value
//! schema_change  a migration by anybody, followed    schema_notes  what it left open
//! suspect     what was written while a table had no triggers
//! names       what things are called here          renames  names that mean the same, told to all
//! rules       the synced table of the rules about conflicts
//! merging     columns whose values are made of what each site contributed
//! conflict    own writes that met others before the peer had them
//! refused     own writes that a peer did not take   known    what is held of a row, to judge a peer's writes
//! ```
//!
//! A row's merged state is in exactly one of two places. A row that its table shows has its
//! values there and its versions in the table's clock table. Every other row (deleted, parked, of
//! an unknown table) is kept whole, as a [`Record`](super::Record), in `__pocketsync_aside`. Where
//! a shown row differs from what was merged (an unknown column, a value that a column's affinity
//! changes), the merged value is in `__pocketsync_shadow`.

mod affinity;
#[doc(hidden)]
pub mod apply;
#[doc(hidden)]
pub mod catalog;
mod catalog_load;
mod changed;
#[doc(hidden)]
pub mod conflict;
#[doc(hidden)]
pub mod connection;
#[doc(hidden)]
pub mod diff;
#[doc(hidden)]
pub mod engine;
mod engine_open;
#[doc(hidden)]
pub mod extract;
#[doc(hidden)]
pub mod fold;
#[doc(hidden)]
pub mod genesis;
#[doc(hidden)]
pub mod identity;
mod introspect;
mod known;
mod lease;
mod merging;
#[doc(hidden)]
pub mod meta;
mod migrate;
mod names;
#[doc(hidden)]
pub mod park;
mod reference_chain;
#[doc(hidden)]
pub mod refs;
mod refused;
#[doc(hidden)]
pub mod renames;
#[doc(hidden)]
pub mod replica;
#[doc(hidden)]
pub mod row_clock;
mod rules;
mod schema_change;
mod schema_notes;
mod schema_sql;
mod staging;
mod suspect;
#[doc(hidden)]
pub mod system;
#[doc(hidden)]
pub mod tracking;
mod upgrade;

pub use catalog::IdentityKind;
pub use diff::{CellDiff, DiffError, DiffReport, MAX_ROWS_LISTED, RowDiff, TableDiff, diff};
pub use migrate::{Migration, MigrationReport};
pub use replica::{
    Applied, AppliedStream, OnConnect, OpenError, Parked, ParkedReason, ParkedRow, PeerStatus, Replica,
    ReplicaOptions, ReplicaStatus, TableStatus,
};
pub use schema_notes::SchemaWarning;
pub use tracking::{Tables, TrackError, TrackedTable, Warning};
