//! Rows whose key names another row, or none any more, without having been written: the row that
//! it named has gone from under its integer, or one has come under an integer that named nothing.
//! To others that is the end of one row and the birth of another.

use std::collections::BTreeMap;

use rusqlite::params_from_iter;

use super::super::catalog::{Reference, Table};
use super::super::engine::Engine;
use super::super::refs::{self, LocalKey, bound, key_value, value};
use super::super::system::quote;
use super::Left;
use super::journal::{Key, Known};
use super::work::Work;
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// Up to so many rows that left are looked for one by one, by whatever index there is; more are
/// looked for in one pass over the table.
const ONE_BY_ONE: usize = 4;

/// The rows of a table that are displaced, and which they were.
/// `left` are the rows that left their keys, `changed` the tables of which rows were written.
pub(super) fn find(
    engine: &Engine,
    table: &Table,
    left: &Left,
    changed: &BTreeMap<u32, (i64, i64)>,
) -> Result<BTreeMap<Key, RowId>, StoreError> {
    let mut displaced = BTreeMap::new();
    if !table.has_reference_key() {
        return Ok(displaced);
    }
    let from: BTreeMap<(u32, &RowId), &Value> =
        left.iter().flat_map(|(&no, rows)| rows.iter().map(move |(key, id)| ((no, id), &key[0]))).collect();
    let left: BTreeMap<(u32, &Value), &RowId> =
        left.iter().flat_map(|(&no, rows)| rows.iter().map(move |(key, id)| ((no, &key[0]), id))).collect();
    // These are known by name: what their keys mean now may have come there with this fold.
    for id in refs::dangling(engine, table.no)? {
        // What another row is called by now does not tell where it is.
        let key = match refs::alias_of(engine, table.no, &id)? {
            Some(key) => {
                if !refs::stands_for(engine, table.no, &key, &id)? {
                    refs::forget_alias(engine, table.no, &id)?;
                }
                Some(key)
            }
            None => shown_key(engine, table, &id, &from)?,
        };
        if let Some(key) = key {
            displaced.insert(Key::Values(key), id);
        }
    }
    let mut keys = Vec::new();
    for &at in &table.key {
        let Some(reference) = &table.columns[at].reference else { continue };
        let values: Vec<&Value> =
            left.keys().filter(|(no, _)| *no == reference.table).map(|(_, value)| *value).collect();
        if by_integer(engine, reference) && !values.is_empty() {
            keys.extend(rows_with(engine, table, at, &values)?);
        }
    }
    if table.named_key {
        keys.extend(renamed(engine, table, changed)?);
    }
    for key in keys {
        if displaced.contains_key(&Key::Values(key.clone())) {
            continue;
        }
        if let Some(id) = refs::alias_at(engine, table.no, &key)? {
            // The row that it showed is gone, so it shows nothing in the place of another.
            refs::forget_alias(engine, table.no, &id)?;
            displaced.insert(Key::Values(key), id);
            continue;
        }
        let mut parts = Vec::with_capacity(key.len());
        for (local, &at) in key.iter().zip(&table.key) {
            parts.push(match &table.columns[at].reference {
                Some(reference) => match left.get(&(reference.table, local)) {
                    Some(&id) if by_integer(engine, reference) => Value::Ref(Box::new(id.clone())),
                    _ => refs::to_global(engine, reference, local)?,
                },
                None => key_value(local.clone()),
            });
        }
        displaced.insert(Key::Values(key), RowId::Natural(parts.into()));
    }
    Ok(displaced)
}

/// The keys of rows that refer, by another column than the integer key, to a row that has another value
/// there now, or is gone.
fn renamed(
    engine: &Engine,
    table: &Table,
    changed: &BTreeMap<u32, (i64, i64)>,
) -> Result<Vec<LocalKey>, StoreError> {
    let refers_to = |no: &u32| {
        let references = table.key.iter().filter_map(|&at| table.columns[at].reference.as_ref());
        references.into_iter().any(|reference| reference.table == *no && !by_integer(engine, reference))
    };
    if !changed.keys().any(refers_to) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (key, id) in refs::aliases(engine, table.no)? {
        let RowId::Natural(parts) = &id else { continue };
        for ((local, part), &at) in key.iter().zip(parts).zip(&table.key) {
            let (Some(reference), Value::Ref(target)) = (&table.columns[at].reference, part) else {
                continue;
            };
            if by_integer(engine, reference) {
                continue;
            }
            let shown = refs::winner(engine, reference.table, target)?;
            let shown = Value::Ref(shown.map_or_else(|| target.clone(), Box::new));
            if refs::to_global(engine, reference, local)? != shown {
                found.push(key);
                break;
            }
        }
    }
    Ok(found)
}

/// Adds displaced rows to those that the journal speaks of.
pub(super) fn add(
    engine: &Engine,
    table: &Table,
    displaced: BTreeMap<Key, RowId>,
    ms: u64,
    works: &mut Vec<Work>,
    old_ids: &mut BTreeMap<Key, RowId>,
) -> Result<(), StoreError> {
    let Some(sql) = engine.sql(table.no) else { return Ok(()) };
    let mut statement = engine.conn.prepare_cached(&sql.clock.get)?;
    for (key, old) in displaced {
        let Key::Values(values) = &key else { continue };
        // The journal speaks of the key, and another row was there.
        if old_ids.get(&key).is_some_and(|was| *was != old) {
            continue;
        }
        if refs::row_id(engine, table.no, values)?.as_ref() == Some(&old) {
            continue;
        }
        match works.iter_mut().find(|work| work.was_at(&key)) {
            // Not what is under the key now.
            Some(work) if work.goes_on.is_some() => continue,
            Some(work) => work.deleted = work.deleted.or(Some(work.last)),
            None => {
                let mut rows = statement.query(params_from_iter(bound(values)))?;
                let Some(row) = rows.next()? else { continue };
                let mut work =
                    Work::new(key.clone(), true, Some(Known { id: Vec::new(), clock: row.get(0)? }));
                (work.deleted, work.inserted, work.last) = (Some(ms), Some(ms), ms);
                works.push(work);
            }
        }
        old_ids.insert(key, old);
    }
    works.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(())
}

/// Whether a reference goes by the integer key of its parent.
fn by_integer(engine: &Engine, reference: &Reference) -> bool {
    let parent = engine.catalog.tables.get(&reference.table);
    parent.is_some_and(|parent| {
        parent.integer_key().is_some_and(|at| parent.columns[at].name.eq_ignore_ascii_case(&reference.column))
    })
}

/// The keys of the rows that have one of these values in a key column.
fn rows_with(
    engine: &Engine,
    table: &Table,
    at: usize,
    values: &[&Value],
) -> Result<Vec<LocalKey>, StoreError> {
    let name = quote(&table.columns[at].name);
    let keys: Vec<String> = table.key.iter().map(|&at| quote(&table.columns[at].name)).collect();
    let select = format!("SELECT {}, {name} FROM {}", keys.join(", "), quote(&table.name));
    let one_by_one = values.len() <= ONE_BY_ONE;
    let sql = if one_by_one { format!("{select} WHERE {name} = ?1") } else { select };
    let mut statement = engine.conn.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for value in if one_by_one { values } else { &values[..1] } {
        let params: &[&dyn rusqlite::ToSql] = if one_by_one { &[&refs::Bound(value)] } else { &[] };
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            let here = key_value(self::value(row.get_ref(keys.len())?));
            if one_by_one || values.contains(&&here) {
                let key = (0..keys.len()).map(|n| Ok(key_value(self::value(row.get_ref(n)?))));
                found.push(key.collect::<rusqlite::Result<LocalKey>>()?);
            }
        }
    }
    // A NULL in it: such rows have ids of their own.
    found.retain(|key| !key.contains(&Value::Null));
    Ok(found)
}

/// The local key of a row whose key dangled, as it was before this fold moved rows away `from` their
/// keys; `None` where that is not shown any more.
fn shown_key(
    engine: &Engine,
    table: &Table,
    id: &RowId,
    from: &BTreeMap<(u32, &RowId), &Value>,
) -> Result<Option<LocalKey>, StoreError> {
    let RowId::Natural(parts) = id else { return Ok(None) };
    let mut key = Vec::with_capacity(parts.len());
    for (part, &at) in parts.iter().zip(&table.key) {
        let local = match (&table.columns[at].reference, part) {
            (Some(reference), Value::Ref(id)) if by_integer(engine, reference) => {
                match from.get(&(reference.table, &**id)) {
                    Some(&before) => Some(before.clone()),
                    None => refs::to_local(engine, reference, part)?,
                }
            }
            (Some(reference), part) => refs::to_local(engine, reference, part)?,
            (None, plain) => Some(plain.clone()),
        };
        let Some(local) = local else { return Ok(None) };
        key.push(local);
    }
    Ok(Some(key.into()))
}
