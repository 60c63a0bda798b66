//! Where in their tables rows are to stand: those that move are taken out first, and each gets a key.

use std::collections::BTreeSet;

use super::super::catalog::{Table, UniqueKey};
use super::super::engine::Engine;
use super::super::park::row::{LocalKey, Row, RowKey};
use super::super::park::table_sql;
use super::super::park::work::Work;
use super::make_way::Integer;
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// Takes out of their tables the rows that are to be hidden, and those whose unique columns or
/// integer keys change, to be put in again.
pub(super) fn lift(engine: &Engine, work: &mut Work) -> Result<(), StoreError> {
    let mut lifted = Vec::new();
    for (key, row) in &mut work.rows {
        let (Some(at), Some(table)) = (&row.at, engine.catalog.tables.get(&key.0)) else { continue };
        let moves = table.integer_key().is_some_and(|position| {
            let column = table.columns[position].no;
            row.columns.contains(&column)
                && wanted_integer(table, row).is_some_and(|wanted| at[..] != [Value::Integer(wanted)])
        });
        // With a NULL in its key it had a name of its own; it may have none left.
        let is_rekeyed = table.nullable_key
            && !matches!(key.1, RowId::Natural(_))
            && table.key.iter().any(|&at| row.columns.contains(&table.columns[at].no));
        if row.fate.is_some() || row.whole || moves || is_rekeyed || touches_unique(table, row) {
            table_sql::delete(engine, table, at)?;
            lifted.push((key.0, at.clone()));
            row.at = None;
            row.next = None;
        }
    }
    lifted.iter().for_each(|(table_no, at)| work.unplace(*table_no, at));
    Ok(())
}

fn touches_unique(table: &Table, row: &Row) -> bool {
    let keys = table.unique_keys.iter().chain(&table.evaluated_keys);
    keys.flat_map(UniqueKey::depends_on).any(|position| row.columns.contains(&table.columns[position].no))
}

fn wanted_integer(table: &Table, row: &Row) -> Option<i64> {
    let column = table.columns[table.integer_key()?].no;
    match row.record.cells.get(&column)?.cell.value {
        Value::Integer(integer) => Some(integer),
        _ => None,
    }
}

/// Gives each surrogate row that is to be put in an integer: the one it has here, else the merged
/// one where that is free, else a new one. `nothings` stay free.
pub(super) fn assign_integers(
    engine: &Engine,
    work: &mut Work,
    nothings: &BTreeSet<Integer>,
) -> Result<(), StoreError> {
    let mut assigned: BTreeSet<(u32, i64)> = BTreeSet::new();
    for keeping in [true, false] {
        for (key, row) in &mut work.rows {
            let Some(table) = engine.catalog.tables.get(&key.0) else { continue };
            let Some(position) = table.integer_key() else { continue };
            if row.fate.is_some() || row.at.is_some() || (row.next.is_some() && !keeping) {
                continue;
            }
            let moves = row.columns.contains(&table.columns[position].no);
            let had = match row.was_at.as_deref() {
                Some([Value::Integer(had)]) => Some(*had),
                _ => None,
            };
            if keeping != (had.is_some() && !moves) {
                continue;
            }
            let mut integer = None;
            for candidate in [wanted_integer(table, row).filter(|_| !keeping), had].into_iter().flatten() {
                if !assigned.contains(&(key.0, candidate))
                    && !nothings.contains(&(key.0, candidate))
                    && !table_sql::has_integer(engine, table, candidate)?
                {
                    integer = Some(candidate);
                    break;
                }
            }
            let integer = match integer {
                Some(integer) => integer,
                None => {
                    let mut free = table_sql::free_integer(engine, table)?;
                    let taken = |free| assigned.contains(&(key.0, free)) || nothings.contains(&(key.0, free));
                    if taken(free) {
                        // Above all that were handed out so far, so that many rows cost no search.
                        let range = (key.0, i64::MIN)..=(key.0, i64::MAX);
                        let last = assigned.range(range).next_back().map_or(free, |last| last.1);
                        free = last.max(free).saturating_add(1);
                    }
                    while taken(free) && free < i64::MAX {
                        free += 1;
                    }
                    // Where there is no more room above, there is below.
                    while taken(free) || table_sql::has_integer(engine, table, free)? {
                        free = free.wrapping_sub(1);
                    }
                    free
                }
            };
            assigned.insert((key.0, integer));
            row.next = Some(Box::new([Value::Integer(integer)]));
        }
    }
    Ok(())
}

/// Works out the natural keys of the rows that are to be put in, and takes out those whose key
/// contains a reference that is shown differently now.
pub(super) fn move_natural(engine: &Engine, work: &mut Work) -> Result<(), StoreError> {
    let mut next: Vec<(RowKey, LocalKey)> = Vec::new();
    for (key, row) in &work.rows {
        let Some(table) = engine.catalog.tables.get(&key.0) else { continue };
        let RowId::Natural(parts) = &key.1 else { continue };
        if row.fate.is_some() || (row.at.is_some() && row.columns.is_empty()) {
            continue;
        }
        let mut local = Vec::with_capacity(parts.len());
        for (part, &position) in parts.iter().zip(&table.key) {
            local.extend(work.local_value(engine, table, position, part)?);
        }
        if local.len() == parts.len() {
            next.push((key.clone(), local.into()));
        }
    }
    for (key, local) in next {
        let table = &engine.catalog.tables[&key.0];
        let row = work.rows.get_mut(&key).expect("listed from there");
        let moved = row.at.take_if(|at| **at != *local);
        row.next = Some(local);
        if let Some(at) = moved {
            table_sql::delete(engine, table, &at)?;
            work.unplace(key.0, &at);
        }
    }
    Ok(())
}
