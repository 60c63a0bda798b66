//! A write into a column that merges.

use pocketsync_core::value::Value;

use super::CommitNo;

/// What a transaction did to a cell of a column that merges.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// The transaction.
    pub commit: CommitNo,
    /// What its device showed before; `None` where it inserted the row.
    pub before: Option<Value>,
    /// What it made of it.
    pub after: Value,
}
