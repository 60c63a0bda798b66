//! Integers that must mean nothing, because a row to be shown is identified by one that does.

use std::collections::BTreeSet;

use super::super::engine::Engine;
use super::super::park::work::Work;
use super::super::refs;
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// A surrogate table, and an integer of it.
pub(super) type Integer = (u32, i64);

/// Where a row that is to be put in has a key with a reference to nothing, whoever holds that
/// integer here makes way: it is taken up for another one. A join row would become another row
/// otherwise, one that refers to a stranger. Answers the integers that are to stay free: these,
/// and those of rows that are shown already.
pub(super) fn make_way(engine: &Engine, work: &mut Work) -> Result<BTreeSet<Integer>, StoreError> {
    let mut coming = BTreeSet::new();
    for ((table_no, id), row) in &work.rows {
        if row.fate.is_none() && row.at.is_none() {
            named(engine, *table_no, id, &mut coming);
        }
    }
    for &(table_no, integer) in &coming {
        let key = [Value::Integer(integer)];
        let Some(id) = refs::row_id(engine, table_no, &key)? else { continue };
        let table = &engine.catalog.tables[&table_no];
        let row = work.load(engine, &(table_no, id))?;
        if row.fate.is_none() && row.at.as_deref() == Some(&key[..]) {
            row.whole = true;
            row.columns.insert(table.columns[table.key[0]].no);
        }
    }
    for table in engine.catalog.tables.values() {
        if table.key.iter().any(|&position| table.columns[position].reference.is_some()) {
            for id in refs::dangling(engine, table.no)? {
                named(engine, table.no, &id, &mut coming);
            }
        }
    }
    Ok(coming)
}

/// The integers that a row's identity names although nothing was there.
fn named(engine: &Engine, table_no: u32, id: &RowId, integers: &mut BTreeSet<Integer>) {
    let (Some(table), RowId::Natural(parts)) = (engine.catalog.tables.get(&table_no), id) else { return };
    for (part, &position) in parts.iter().zip(&table.key) {
        if let (Value::Dangling(shown), Some(reference)) = (part, &table.columns[position].reference)
            && let Value::Integer(integer) = **shown
        {
            integers.insert((reference.table, integer));
        }
    }
}
