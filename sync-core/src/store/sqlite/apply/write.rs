//! Making the tables show what the work decided.

use std::collections::BTreeSet;

use super::super::affinity::{affinity, may_change};
use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::merging;
use super::super::park::redirect;
use super::super::park::row::{LocalKey, Row, RowKey, is_identity};
use super::super::park::table_sql::{self, Refusal};
use super::super::park::work::Work;
use super::super::refs::null_key;
use super::super::system::AsideReason;
use super::make_way::make_way;
use super::{places, taken};
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// Writes the rows under work: first out of the way what goes or moves, so that keys which change
/// hands do so without a conflict, then what is new or changed. Answers the rows that a table
/// refused, which have to be decided about anew.
pub(crate) fn write(engine: &Engine, work: &mut Work) -> Result<BTreeSet<RowKey>, StoreError> {
    let nothings = make_way(engine, work)?;
    redirect::mark(engine, work)?;
    follow_parents(engine, work)?;
    places::lift(engine, work)?;
    places::assign_integers(engine, work, &nothings)?;
    places::move_natural(engine, work)?;
    let mut refused = BTreeSet::new();
    let mut list: Vec<(u32, LocalKey, RowKey)> = Vec::new();
    for (key, row) in &work.rows {
        if row.fate.is_none() && (row.at.is_none() || !row.columns.is_empty()) {
            let place = row.next.as_ref().or(row.at.as_ref()).cloned().unwrap_or_default();
            list.push((key.0, place, key.clone()));
        }
    }
    list.sort();
    for (_, _, key) in list {
        // A row that was refused meanwhile waits for the next decision.
        if work.rows[&key].refused.is_some() {
            continue;
        }
        match write_row(engine, work, &key)? {
            Ok(()) => {}
            Err(Refusal::Taken(message)) => refused.extend(taken::settle(engine, work, &key, message)?),
            Err(Refusal::Unfit(message)) => {
                refuse(engine, work, &key, &message);
                refused.insert(key);
            }
        }
    }
    let hidden: Vec<RowKey> =
        work.rows.iter().filter(|(_, row)| needs_trial(row)).map(|(key, _)| key.clone()).collect();
    for key in hidden {
        match trial(engine, work, &key)? {
            Some(message) => {
                refuse(engine, work, &key, &message);
                refused.insert(key);
            }
            None => work.rows.get_mut(&key).expect("listed from there").tried = true,
        }
    }
    Ok(refused)
}

fn refuse(engine: &Engine, work: &mut Work, key: &RowKey, message: &str) {
    let name = engine.catalog.tables.get(&key.0).map_or("", |table| &table.name);
    let row = work.rows.get_mut(key).expect("refused rows are under work");
    row.refused = Some((AsideReason::Refused, format!("{name}: {message}")));
}

/// Whether a row is hidden because of others, so that its table was never asked about it.
fn needs_trial(row: &Row) -> bool {
    let hidden = matches!(row.fate, Some((AsideReason::UniqueClaim | AsideReason::MissingParent, _)));
    hidden && !row.tried && row.refused.is_none()
}

/// Where the shown key of a row changes, the rows that refer to it show the new one.
fn follow_parents(engine: &Engine, work: &mut Work) -> Result<(), StoreError> {
    let mut list: Vec<RowKey> =
        work.rows.keys().filter(|key| !work.links.to(key.0).is_empty()).cloned().collect();
    while let Some(key) = list.pop() {
        let row = &work.rows[&key];
        if row.at.is_none() || row.fate.is_some() || row.local.is_empty() || row.columns.is_empty() {
            continue;
        }
        let table = &engine.catalog.tables[&key.0];
        let mut changed = false;
        for link in work.links.to(key.0).iter().filter(|link| link.by_row) {
            let position = link.parent_columns[0];
            changed |= row.columns.contains(&table.columns[position].no);
        }
        if !changed {
            continue;
        }
        for (child_key, link) in work.load_children(engine, &key)? {
            if !link.by_row {
                continue;
            }
            let column = engine.catalog.tables[&link.child].columns[link.child_columns[0]].no;
            let child = work.rows.get_mut(&child_key).expect("children were loaded");
            if child.fate.is_none() && child.at.is_some() && child.columns.insert(column) {
                list.push(child_key);
            }
        }
    }
    Ok(())
}

/// Columns, and what to write there.
type LocalRow = (Vec<usize>, Vec<Value>);

/// The columns to insert and their local values. `Err`: a reference cannot be shown.
fn local_row(
    engine: &Engine,
    work: &Work,
    table: &Table,
    key: &RowKey,
    placeholder: Option<&Value>,
) -> Result<Result<LocalRow, Refusal>, StoreError> {
    let row = &work.rows[key];
    let (mut positions, mut values) = (Vec::new(), Vec::new());
    let natural = matches!(key.1, RowId::Natural(_));
    for (position, column) in table.columns.iter().enumerate() {
        if table.integer_key() == Some(position) {
            if let Some([integer]) = row.next.as_deref() {
                positions.push(position);
                values.push(integer.clone());
            }
            continue;
        }
        if let Some(shown) = merging::shown(table, &row.record, column.no) {
            positions.push(position);
            values.push(shown);
            continue;
        }
        let merged = super::super::park::claims::merged(table, &key.1, &row.record, position);
        let Some(merged) = merged else { continue };
        let value =
            match placeholder.filter(|_| column.reference.is_some() && matches!(merged, Value::Ref(_))) {
                Some(value) => Some(value.clone()),
                None => work.local_value(engine, table, position, merged)?,
            };
        let Some(value) = value else {
            let message = format!("{} refers to a row, but is no foreign key here", column.name);
            return Ok(Err(Refusal::Unfit(message)));
        };
        positions.push(position);
        values.push(value);
    }
    let is_null =
        |at: usize| positions.iter().position(|&p| p == at).is_none_or(|n| values[n] == Value::Null);
    if !natural && !table.is_surrogate() && !table.key.iter().any(|&at| is_null(at)) {
        return Ok(Err(Refusal::Unfit("the row has no NULL in its key, and so another identity".to_owned())));
    }
    Ok(Ok((positions, values)))
}

fn write_row(engine: &Engine, work: &mut Work, key: &RowKey) -> Result<Result<(), Refusal>, StoreError> {
    let table = &engine.catalog.tables[&key.0];
    let row = &work.rows[key];
    let (at, positions, values) = if let Some(at) = &row.at {
        let at = at.clone();
        let (mut positions, mut values) = (Vec::new(), Vec::new());
        for (position, column) in table.columns.iter().enumerate() {
            let fixed = is_identity(table, &key.1, position) || table.integer_key() == Some(position);
            if fixed || !row.columns.contains(&column.no) {
                continue;
            }
            if let Some(shown) = merging::shown(table, &row.record, column.no) {
                positions.push(position);
                values.push(shown);
                continue;
            }
            let Some(held) = row.record.cells.get(&column.no) else { continue };
            let Some(value) = work.local_value(engine, table, position, &held.cell.value)? else {
                let message = format!("{} refers to a row, but is no foreign key here", column.name);
                return Ok(Err(Refusal::Unfit(message)));
            };
            positions.push(position);
            values.push(value);
        }
        if !positions.is_empty()
            && let Err(refusal) = table_sql::update(engine, table, &at, &positions, &values)?
        {
            return Ok(Err(refusal));
        }
        (at, positions, values)
    } else {
        let (positions, values) = match local_row(engine, work, table, key, None)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Err(refusal) = table_sql::insert(engine, table, &positions, &values)? {
            return Ok(Err(refusal));
        }
        let next = row.next.clone();
        let at = next.unwrap_or_else(|| null_key(engine.conn.last_insert_rowid()));
        work.place(key.0, at.clone(), key);
        (at, positions, values)
    };
    let shadows = unshown(engine, work, key, &at, &positions, &values)?;
    let shows = redirect::shown_rows(engine, work, key, &positions)?;
    let row = work.rows.get_mut(key).expect("it is written from there");
    row.written |= row.at.is_none() || !positions.is_empty();
    for &position in &positions {
        row.shadows.remove(&table.columns[position].no);
    }
    row.shadows.extend(shadows);
    row.shows.extend(shows);
    (row.at, row.whole, row.tried) = (Some(at), false, true);
    row.columns.clear();
    Ok(Ok(()))
}

/// The merged values among those written that the table does not show as they are.
fn unshown(
    engine: &Engine,
    work: &Work,
    key: &RowKey,
    at: &[Value],
    positions: &[usize],
    values: &[Value],
) -> Result<Vec<(u32, Value)>, StoreError> {
    let (table, row) = (&engine.catalog.tables[&key.0], &work.rows[key]);
    let mut read = None;
    let mut shadows = Vec::new();
    for (&position, written) in positions.iter().zip(values) {
        let column = &table.columns[position];
        if is_identity(table, &key.1, position) {
            continue;
        }
        let Some(held) = row.record.cells.get(&column.no) else { continue };
        let merged = &held.cell.value;
        let differs = match merged {
            // What local differences are to.
            _ if merging::is_kept(table, &row.record, column.no) => true,
            // A row with this key may come here, which the reference would then seem to mean.
            Value::Dangling(_) => true,
            // The row that it refers to has no value there: that is not what was said.
            Value::Ref(_) if *written == Value::Null => true,
            Value::Ref(id) if let Some(reference) = &column.reference => {
                work.shown_as(engine, &(reference.table, (**id).clone()))?.1 != **id
            }
            // The clock remembers a merged integer key.
            Value::Integer(_) if table.integer_key() == Some(position) => false,
            _ if table.integer_key() == Some(position) => true,
            _ if may_change(affinity(&column.declared_type), written) => {
                if read.is_none() {
                    read = Some(table_sql::read(engine, table, at)?);
                }
                read.as_ref().and_then(|shown| shown.get(position)) != Some(written)
            }
            _ => false,
        };
        if differs {
            shadows.push((column.no, merged.clone()));
        }
    }
    Ok(shadows)
}

/// Asks a table whether it would take a row, were it not for other rows. Answers its refusal.
fn trial(engine: &Engine, work: &mut Work, key: &RowKey) -> Result<Option<String>, StoreError> {
    let table = &engine.catalog.tables[&key.0];
    if table.is_surrogate() {
        let free = table_sql::free_integer(engine, table)?;
        work.rows.get_mut(key).expect("tried rows are under work").next =
            Some(Box::new([Value::Integer(free)]));
    }
    // What a reference shows depends on another row, which may not even be here: some integer.
    let (positions, values) = match local_row(engine, work, table, key, Some(&Value::Integer(1)))? {
        Ok(found) => found,
        Err(Refusal::Unfit(message) | Refusal::Taken(message)) => return Ok(Some(message)),
    };
    work.rows.get_mut(key).expect("tried rows are under work").next = None;
    engine.conn.execute_batch("SAVEPOINT __pocketsync_trial")?;
    let outcome = table_sql::insert(engine, table, &positions, &values);
    engine.conn.execute_batch("ROLLBACK TO __pocketsync_trial; RELEASE __pocketsync_trial")?;
    Ok(match outcome? {
        Err(Refusal::Unfit(message)) => Some(message),
        Ok(()) | Err(Refusal::Taken(_)) => None,
    })
}
