//! Conflicts that only SQLite sees: unique indexes over expressions or a part of the rows, and
//! collations of the application's own.

use std::collections::BTreeSet;

use super::super::engine::Engine;
use super::super::park::row::RowKey;
use super::super::park::table_sql;
use super::super::park::work::Work;
use super::super::system::AsideReason;
use crate::store::StoreError;

/// Parks the younger of two rows that SQLite does not let stand together, where the other one can
/// be found by the columns that it names; else the one that was to be written. Answers which.
///
/// A row that is parked so does not claim its other keys, and comes back when something of it
/// changes or the schema does.
pub(crate) fn settle(
    engine: &Engine,
    work: &mut Work,
    key: &RowKey,
    message: String,
) -> Result<BTreeSet<RowKey>, StoreError> {
    let table = &engine.catalog.tables[&key.0];
    let named = message.strip_prefix("UNIQUE constraint failed: ").unwrap_or_default();
    let position = |name: &str| {
        let name = name.strip_prefix(&format!("{}.", table.name)).unwrap_or(name);
        table.columns.iter().position(|column| column.name == name)
    };
    let columns: Option<Vec<usize>> = named.split(", ").map(position).collect();
    let mut others = BTreeSet::new();
    if let Some(columns) = columns {
        let mut values = Vec::new();
        for &position in &columns {
            values.extend(work.shown_value(engine, table, key, position)?);
        }
        let columns: Vec<_> = columns.iter().map(|&position| (position, None)).collect();
        if values.len() == columns.len() {
            for at in table_sql::find(engine, table, &columns, &values)? {
                others.extend(work.row_at(engine, key.0, &at)?.filter(|other| other != key));
            }
        }
    }
    for other in &others {
        work.load(engine, other)?;
    }
    let mine = (work.rows[key].age, key.clone());
    let oldest = others.iter().map(|other| (work.rows[other].age, other.clone())).min();
    let detail = format!("{}: {message}", table.name);
    if oldest.as_ref().is_some_and(|oldest| mine < *oldest) {
        for other in &others {
            let row = work.rows.get_mut(other).expect("the others were loaded");
            row.refused = Some((AsideReason::UniqueClaim, detail.clone()));
        }
        return Ok(others);
    }
    let reason = if oldest.is_some() { AsideReason::UniqueClaim } else { AsideReason::Refused };
    work.rows.get_mut(key).expect("it is under work").refused = Some((reason, detail));
    Ok(BTreeSet::from([key.clone()]))
}
