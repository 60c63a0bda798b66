//! Changesets that are well-formed, whatever they say.

use std::collections::BTreeSet;

use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};

use super::values::{life, row_id, value, version};
use super::{Input, Result};

const NAMES: [&str; 8] = ["note", "tag", "", "id", "naïve", "a", "b", "x\"y"];

fn names(u: &mut Input<'_>, count: usize) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    for n in 0..count {
        let name = (*u.choose(&NAMES)?).to_owned();
        names.insert(if names.contains(&name) { format!("{name}{n}") } else { name });
    }
    Ok(names.into_iter().collect())
}

/// A row of a table with this many columns.
pub(crate) fn row(u: &mut Input<'_>, width: usize) -> Result<RowChange> {
    let (id, life, common) = (row_id(u, 2)?, life(u)?, version(u)?);
    let mut cells = Vec::new();
    for column in 0..width as u32 {
        let choice: u8 = u.arbitrary()?;
        if choice & 1 == 0 {
            let version = if choice & 2 == 0 { common } else { version(u)? };
            cells.push(CellChange { column, version, value: value(u, 3)? });
        }
    }
    Ok(RowChange { id, life, cells })
}

pub(crate) fn changeset(u: &mut Input<'_>) -> Result<Changeset> {
    let mut tables = Vec::new();
    let count = u.int_in_range(0..=3)?;
    for name in names(u, count)? {
        let width = if u.ratio(1, 8u8)? { u.int_in_range(9..=40)? } else { u.int_in_range(0..=8)? };
        let columns = names(u, width)?;
        let rows = u.int_in_range(0..=5u8)?;
        let rows = (0..rows).map(|_| row(u, columns.len())).collect::<Result<_>>()?;
        tables.push(TableChanges { name, columns, rows });
    }
    Ok(Changeset { tables })
}
