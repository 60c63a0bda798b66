//! A replica in an ordinary SQLite file.
//!
//! ```text
//! system      the system tables                    meta     counters and marks kept in them
//! catalog     what the user's schema says          engine   one connection, one transaction at a time
//! tracking    triggers that fill the journal       fold     the journal turned into row clocks
//! row_clock   the packed clock of a shown row      extract  row clocks and values turned into changesets
//! apply       changesets merged and shown          identity who we are, whom we met, forks
//! ```
//!
//! A row's merged state is in exactly one of two places. A row that its table shows has its
//! values there and its versions in the table's clock table ([`RowClock`](row_clock::RowClock)).
//! Every other row (deleted, parked, of an unknown table) is kept whole, as a
//! [`Record`](super::Record), in `__pocketsync_aside`. Where a shown row differs from what was
//! merged (an unknown column, a value that a column's affinity changes), the merged value is in
//! `__pocketsync_shadow`.

pub mod apply;
pub mod catalog;
pub mod catalog_load;
pub mod connection;
pub mod diff;
pub mod engine;
mod engine_open;
pub mod extract;
pub mod fold;
pub mod genesis;
pub mod identity;
pub mod introspect;
mod lease;
pub mod meta;
pub mod park;
pub mod reference_chain;
pub mod refs;
pub mod replica;
pub mod row_clock;
pub mod schema_change;
mod staging;
pub mod system;
pub mod tracking;
