//! Rows by their names: the clock of a shown row, the record of a row that is not shown, the
//! merged values beside a shown row, and the way between local keys and global ids.
//!
//! A **local key** is what the user's table has: the integer of a surrogate row, or the values of
//! the declared primary key. A row of a natural-key table whose key holds a NULL is named by
//! [`null_key`]: a NULL and then its rowid, which no other local key can look like.
//!
//! A **global id** is a [`RowId`](crate::id::RowId): the same on every replica. In a natural key
//! the columns that refer to surrogate rows are references; a number with no fraction is an
//! integer whatever its storage class, because SQLite takes the two for the same key.

mod alias;
mod aside;
mod clocks;
mod dangling;
mod identity;
mod many;
mod shadow;
mod statements;
mod values;

pub use alias::{
    alias_at, alias_of, aliases, forget_alias, note_all_named, note_named, note_shown, put_alias,
    shows_another, stands_for,
};
pub use aside::{aside, put_aside, put_winner, remove_aside, winner};
pub(crate) use clocks::put_new_clocks;
pub use clocks::{clock, clock_by_id, move_clock, put_clock, remove_clock, set_clock};
pub use dangling::{dangling, forget_dangling, note_dangling};
pub use identity::{is_null_key, key_value, local_key, meant_by, null_key, row_id, to_global, to_local};
pub(crate) use many::{marks, rows_at_once};
pub use shadow::{put_shadow, remove_shadow, remove_shadows, shadows};
pub(crate) use statements::RowSql;
pub use statements::{ClockSql, StatementCache, TableSql};
pub use values::{Bound, bound, value};

use crate::store::{StoreError, StoreErrorKind};
use crate::value::Value;

/// What names a row in the user's table.
pub type LocalKey = Box<[Value]>;

/// The table is not in the catalog: nothing can be written about its shown rows.
fn untracked(table_no: u32) -> StoreError {
    StoreError::new(StoreErrorKind::Unsupported, format!("table number {table_no} is not tracked here"))
}
