//! What a row's record shows in a column that merges.

use std::borrow::Cow;

use super::super::catalog::Table;
use super::columns::{Merging, SHARES_FROM};
use crate::conflict::MergeType;
use crate::id::SiteId;
use crate::merge::Cell;
use crate::merge::share::Held;
use crate::store::Record;
use crate::value::Value;

/// What is held of a column.
pub(in super::super) fn held<'r>(record: &'r Record, column: u32, merging: &'r Merging) -> Held<'r> {
    let plain = record.cells.get(&column).map(|held| &held.cell);
    let shares = shares(record, merging).map(|(&(merge, site), cell)| (merge, site, cell));
    Held::new(&record.life, plain, merging.default.as_ref(), shares)
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
    table
        .merges
        .get(&column)
        .is_some_and(|merging| merging.merge.is_some() || shares(record, merging).next().is_some())
}

/// The cells of a record that are shares of a column. There may be many more sites than have one.
fn shares<'r>(
    record: &'r Record,
    merging: &'r Merging,
) -> impl Iterator<Item = (&'r (MergeType, SiteId), &'r Cell)> {
    let cells = record.cells.range(SHARES_FROM..);
    cells.filter_map(|(no, held)| Some((merging.shares.get(no)?, &held.cell)))
}
