//! Names that mean the same: what was renamed, told to all replicas.
//!
//! ```text
//! table   the synced table, and what it says       join   what waits under one name put to the other
//! ```
//!
//! A replica that renames keeps the old name for others, so nobody has to know. Only who never had
//! the old name must be told: a device that was installed with the newer schema, or one whose
//! migration rebuilt the table so that nothing shows what became of the column.

mod join;
mod table;

pub(super) use join::apply;
pub use table::Renames;
pub(super) use table::{TABLE, adopt, ensure, expect, record};
