//! What a row's record shows in a column that merges.

use std::borrow::Cow;

use super::super::catalog::Table;
use super::columns::Merging;
use crate::merge::share::Held;
use crate::store::Record;
use crate::value::Value;

/// What is held of a column.
pub(in super::super) fn held<'r>(record: &'r Record, column: u32, merging: &'r Merging) -> Held<'r> {
    let cell = |column: &u32| record.cells.get(column).map(|held| &held.cell);
    let shares = merging.shares.iter().filter_map(|(no, &(merge, site))| Some((merge, site, cell(no)?)));
    Held::new(&record.life, cell(&column), merging.default.as_ref(), shares)
}

/// The value that shares make, where there are any that count; else the column shows what any other
/// would.
pub(in super::super) fn shown(table: &Table, record: &Record, column: u32) -> Option<Value> {
    let merging = table.merges.get(&column)?;
    let held = held(record, column, merging);
    held.resets()?;
    held.shown().map(Cow::into_owned)
}

/// Whether the plain cell of a column is kept beside a row with this record: where a type is in force,
/// and where there are shares.
pub(in super::super) fn is_kept(table: &Table, record: &Record, column: u32) -> bool {
    table.merges.get(&column).is_some_and(|merging| {
        merging.merge.is_some() || merging.shares.keys().any(|share| record.cells.contains_key(share))
    })
}
