//! Reading and writing the rows of user tables.

use rusqlite::params_from_iter;

use super::super::catalog::{Collation, Evaluated, Table};
use super::super::engine::Engine;
use super::super::refs::{Bound, RowSql, bound, is_null_key, marks, value};
use super::super::system::{clock_table, key_column, null_key_clock_table, quote};
use super::links::Link;
use super::row::LocalKey;
use crate::store::StoreError;
use crate::value::Value;

/// The name under which a rowid table's rowid can be reached: one that no column has.
fn rowid_name(table: &Table) -> &'static str {
    let free = |name: &&str| !table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    ["rowid", "_rowid_", "oid"].into_iter().find(free).unwrap_or("rowid")
}

/// The condition that picks a row by its local key, whose first parameter is number `first`.
///
/// The key's own collation is used, so that its index is: a key of a shown row picks that row.
fn by_key(table: &Table, key: &[Value], first: usize) -> String {
    if is_null_key(key) {
        return format!("{} = ?{first}", rowid_name(table));
    }
    let part = |(n, &position): (usize, &usize)| {
        format!("{} = ?{}", quote(&table.columns[position].name), first + n)
    };
    table.key.iter().enumerate().map(part).collect::<Vec<_>>().join(" AND ")
}

/// The parameters that go with [`by_key`].
fn key_params(key: &[Value]) -> &[Value] {
    if is_null_key(key) { &key[1..] } else { key }
}

/// The columns that make up a local key, as a select list.
fn key_list(table: &Table) -> String {
    let names = table.key.iter().map(|&position| quote(&table.columns[position].name));
    let mut list = names.collect::<Vec<_>>().join(", ");
    if table.nullable_key {
        list = format!("{list}, {}", rowid_name(table));
    }
    list
}

fn key_of(table: &Table, row: &rusqlite::Row<'_>) -> rusqlite::Result<LocalKey> {
    let count = table.key.len();
    let key = (0..count).map(|n| row.get_ref(n).map(value)).collect::<rusqlite::Result<Vec<_>>>()?;
    if table.nullable_key && key.iter().any(|part| matches!(part, Value::Null)) {
        return Ok(super::super::refs::null_key(row.get(count)?));
    }
    Ok(key.into())
}

/// What a table shows of a row, by column position; empty where the row is not there.
pub(crate) fn read(engine: &Engine, table: &Table, key: &[Value]) -> Result<Vec<Value>, StoreError> {
    let form = if is_null_key(key) { RowSql::ReadByRowid } else { RowSql::Read };
    let sql = engine.statements.row_sql(table.no, form, &[], || {
        let names = table.columns.iter().map(|column| quote(&column.name)).collect::<Vec<_>>().join(", ");
        format!("SELECT {names} FROM {} WHERE {}", quote(&table.name), by_key(table, key, 1))
    });
    let mut statement = engine.conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(bound(key_params(key))))?;
    let Some(row) = rows.next()? else { return Ok(Vec::new()) };
    let values = (0..table.columns.len()).map(|n| row.get_ref(n).map(value));
    Ok(values.collect::<rusqlite::Result<_>>()?)
}

/// The local keys of the rows whose columns have these values. Each column comes with the
/// collation to compare by; none stands for its own.
pub(crate) fn find(
    engine: &Engine,
    table: &Table,
    columns: &[(usize, Option<&str>)],
    values: &[Value],
) -> Result<Vec<LocalKey>, StoreError> {
    let condition = |(n, (position, collation)): (usize, &(usize, Option<&str>))| {
        let collation = collation.map(|name| format!(" COLLATE {}", quote(name))).unwrap_or_default();
        format!("{} = ?{}{collation}", quote(&table.columns[*position].name), n + 1)
    };
    let conditions: Vec<String> = columns.iter().enumerate().map(condition).collect();
    find_where(engine, table, &conditions, values)
}

/// The local keys of the rows that may refer through a link to a row which shows these values: they
/// are compared as the parent's columns compare, which other spellings may be equal to.
pub(crate) fn find_children(
    engine: &Engine,
    child: &Table,
    link: &Link,
    values: &[Value],
) -> Result<Vec<LocalKey>, StoreError> {
    let condition = |(n, &position): (usize, &usize)| {
        let column = &child.columns[position];
        let name = quote(&column.name);
        let sought = match &values[n] {
            // What has an affinity lends it to what is compared with it.
            Value::Integer(_) | Value::Real(_) if link.types[n] != column.declared_type => {
                format!("CAST(?{} AS NUMERIC)", n + 1)
            }
            Value::Text(_) if link.types[n] != column.declared_type => format!("CAST(?{} AS TEXT)", n + 1),
            _ => format!("?{}", n + 1),
        };
        match &link.collations[n] {
            Collation::Binary => format!("{name} = {sought}"),
            collation => format!("{name} = {sought} COLLATE {}", quote(collation.name())),
        }
    };
    let conditions: Vec<String> = link.child_columns.iter().enumerate().map(condition).collect();
    find_where(engine, child, &conditions, values)
}

fn find_where(
    engine: &Engine,
    table: &Table,
    conditions: &[String],
    values: &[Value],
) -> Result<Vec<LocalKey>, StoreError> {
    let (name, conditions) = (quote(&table.name), conditions.join(" AND "));
    let sql = format!("SELECT {} FROM {name} WHERE {conditions}", key_list(table));
    let mut statement = engine.conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(bound(values)))?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(key_of(table, row)?);
    }
    Ok(keys)
}

/// The local keys of the rows which have these values in columns and expressions, and are in the
/// index that these make up. None where SQLite cannot compute that here.
pub(crate) fn find_evaluated(
    engine: &Engine,
    table: &Table,
    columns: &[(usize, Option<&str>)],
    evaluated: &Evaluated,
    values: &[Value],
) -> Result<Vec<LocalKey>, StoreError> {
    let plain =
        columns.iter().map(|(position, collation)| (quote(&table.columns[*position].name), *collation));
    let parts =
        evaluated.parts.iter().map(|(part, collation)| (format!("({part}\n)"), Some(collation.name())));
    let mut conditions = Vec::new();
    for (n, (part, collation)) in plain.chain(parts).enumerate() {
        let collation = collation.map(|name| format!(" COLLATE {}", quote(name))).unwrap_or_default();
        conditions.push(format!("{part} = ?{}{collation}", n + 1));
    }
    conditions.extend(evaluated.condition.as_ref().map(|condition| format!("({condition}\n)")));
    let sql =
        format!("SELECT {} FROM {} WHERE {}", key_list(table), quote(&table.name), conditions.join(" AND "));
    let Ok(mut statement) = engine.conn.prepare_cached(&sql) else { return Ok(Vec::new()) };
    let rows = statement.query_map(params_from_iter(bound(values)), |row| key_of(table, row))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The local keys of the rows of `child` that refer to no row of `parent`: of all of them, or of
/// those whose clock has log number `seq`.
pub(crate) fn orphans(
    engine: &Engine,
    child: &Table,
    child_columns: &[usize],
    parent: &Table,
    parent_columns: &[usize],
    seq: Option<i64>,
) -> Result<Vec<LocalKey>, StoreError> {
    let name = |table: &Table, position: usize| quote(&table.columns[position].name);
    let pairs = child_columns.iter().zip(parent_columns);
    // Compared in the type of the parent alone, as SQLite does.
    let same = pairs.map(|(&c, &p)| format!("p.{} = +c.{}", name(parent, p), name(child, c)));
    let same = same.collect::<Vec<_>>().join(" AND ");
    let set = child_columns.iter().map(|&c| format!("c.{} IS NOT NULL", name(child, c)));
    let mut keys = child.key.iter().map(|&at| format!("c.{}", name(child, at))).collect::<Vec<_>>();
    if child.nullable_key {
        keys.push(format!("c.{}", rowid_name(child)));
    }
    let clocks = match seq {
        None => vec![(String::new(), Vec::new())],
        Some(seq) => {
            let clock_key =
                |(n, &at): (usize, &usize)| format!("c.{} = k.{}", name(child, at), key_column(n + 1));
            let with = |clocks: String, mut conditions: Vec<String>| {
                conditions.push(format!("k.s = {seq}"));
                (format!("{clocks} k CROSS JOIN "), conditions)
            };
            let mut clocks =
                vec![with(clock_table(child.no), child.key.iter().enumerate().map(clock_key).collect())];
            if child.nullable_key {
                let on_rowid = format!("c.{} = k.k", rowid_name(child));
                clocks.push(with(null_key_clock_table(child.no), vec![on_rowid]));
            }
            clocks
        }
    };
    let mut found = Vec::new();
    for (clocks, mut conditions) in clocks {
        conditions.extend(set.clone());
        let sql = format!(
            "SELECT {} FROM {clocks}{} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})",
            keys.join(", "),
            quote(&child.name),
            conditions.join(" AND "),
            quote(&parent.name),
            same,
        );
        let mut statement = engine.conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            found.push(key_of(child, row)?);
        }
    }
    Ok(found)
}

/// Inserts a row of these columns, as the schema's own conflict clauses have it. `Err` inside: the
/// table refuses it.
pub(crate) fn insert<'v>(
    engine: &Engine,
    table: &Table,
    positions: &[usize],
    values: impl IntoIterator<Item = &'v Value>,
) -> Result<Result<(), Refusal>, StoreError> {
    insert_rows(engine, table, (RowSql::Insert, "INSERT", 1), positions, values)
}

/// The same, but refused where a conflict clause would put it in place of other rows, or drop it.
pub(crate) fn insert_or_abort<'v>(
    engine: &Engine,
    table: &Table,
    positions: &[usize],
    values: impl IntoIterator<Item = &'v Value>,
) -> Result<Result<(), Refusal>, StoreError> {
    insert_rows(engine, table, (RowSql::InsertOrAbort, "INSERT OR ABORT", 1), positions, values)
}

/// Inserts so many rows of these columns, whose values come one row after another; refused as a whole where one of
/// them is.
pub(crate) fn insert_many_or_abort<'v>(
    engine: &Engine,
    table: &Table,
    positions: &[usize],
    rows: usize,
    values: impl IntoIterator<Item = &'v Value>,
) -> Result<Result<(), Refusal>, StoreError> {
    let form = (RowSql::InsertManyOrAbort, "INSERT OR ABORT", rows);
    insert_rows(engine, table, form, positions, values)
}

fn insert_rows<'v>(
    engine: &Engine,
    table: &Table,
    (form, verb, rows): (RowSql, &str, usize),
    positions: &[usize],
    values: impl IntoIterator<Item = &'v Value>,
) -> Result<Result<(), Refusal>, StoreError> {
    let sql = engine.statements.row_sql(table.no, form, positions, || {
        if positions.is_empty() {
            return format!("{verb} INTO {} DEFAULT VALUES", quote(&table.name));
        }
        let names = positions.iter().map(|&position| quote(&table.columns[position].name));
        let names = names.collect::<Vec<_>>().join(", ");
        format!("{verb} INTO {}({names}) VALUES {}", quote(&table.name), marks(rows, positions.len()))
    });
    let mut statement = engine.conn.prepare_cached(&sql)?;
    let values = values.into_iter().map(Bound);
    Ok(outcome(statement.execute(params_from_iter(values)))?.map(drop))
}

/// Updates some columns of a row. Answers whether it is there; `Err` inside: the table refuses it.
pub(crate) fn update<'v>(
    engine: &Engine,
    table: &Table,
    key: &'v [Value],
    positions: &[usize],
    values: impl IntoIterator<Item = &'v Value>,
) -> Result<Result<bool, Refusal>, StoreError> {
    let form = if is_null_key(key) { RowSql::UpdateByRowid } else { RowSql::Update };
    let sql = engine.statements.row_sql(table.no, form, positions, || {
        let set = |(n, &position): (usize, &usize)| {
            format!("{} = ?{}", quote(&table.columns[position].name), n + 1)
        };
        let set = positions.iter().enumerate().map(set).collect::<Vec<_>>().join(", ");
        let condition = by_key(table, key, positions.len() + 1);
        format!("UPDATE {} SET {set} WHERE {condition}", quote(&table.name))
    });
    let mut statement = engine.conn.prepare_cached(&sql)?;
    let params = values.into_iter().map(Bound).chain(bound(key_params(key)));
    Ok(outcome(statement.execute(params_from_iter(params)))?.map(|count| count > 0))
}

/// Deletes a row.
pub(crate) fn delete(engine: &Engine, table: &Table, key: &[Value]) -> Result<(), StoreError> {
    let sql = format!("DELETE FROM {} WHERE {}", quote(&table.name), by_key(table, key, 1));
    engine.conn.prepare_cached(&sql)?.execute(params_from_iter(bound(key_params(key))))?;
    Ok(())
}

/// Whether an integer key is taken.
pub(crate) fn has_integer(engine: &Engine, table: &Table, key: i64) -> Result<bool, StoreError> {
    let sql = engine.statements.row_sql(table.no, RowSql::HasInteger, &[], || {
        let column = quote(&table.columns[table.key[0]].name);
        format!("SELECT 1 FROM {} WHERE {column} = ?1", quote(&table.name))
    });
    Ok(engine.conn.prepare_cached(&sql)?.exists([Bound(&Value::Integer(key))])?)
}

/// An integer key that is free and, as far as there is room, larger than every other that the
/// table has or, where it is declared AUTOINCREMENT, ever had.
pub(crate) fn free_integer(engine: &Engine, table: &Table) -> Result<i64, StoreError> {
    let (name, column) = (quote(&table.name), quote(&table.columns[table.key[0]].name));
    let largest = |sql: &str| -> Result<i64, StoreError> {
        Ok(engine.conn.prepare_cached(sql)?.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0))
    };
    let mut last = largest(&format!("SELECT max({column}) FROM {name}"))?;
    let counted = engine
        .conn
        .prepare_cached("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")?
        .exists([])?;
    if counted {
        let mut statement =
            engine.conn.prepare_cached("SELECT max(seq) FROM sqlite_sequence WHERE name = ?1")?;
        let seq: Option<i64> = statement.query_row([&table.name], |row| row.get(0))?;
        last = last.max(seq.unwrap_or(0));
    }
    if let Some(next) = last.max(0).checked_add(1) {
        return Ok(next);
    }
    largest(&format!(
        "SELECT max({column}) - 1 FROM {name} a
         WHERE NOT EXISTS (SELECT 1 FROM {name} b WHERE b.{column} = a.{column} - 1)"
    ))
}

/// Why a table does not take a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// Another row has a key that this one brings; SQLite's message.
    Taken(String),
    /// The row itself is not acceptable; SQLite's message.
    Unfit(String),
}

fn outcome(result: rusqlite::Result<usize>) -> Result<Result<usize, Refusal>, StoreError> {
    use rusqlite::ffi;
    let error = match result {
        Ok(count) => return Ok(Ok(count)),
        Err(error) => error,
    };
    let rusqlite::Error::SqliteFailure(code, message) = &error else { return Err(error.into()) };
    let message = message.clone().unwrap_or_else(|| code.to_string());
    match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            Ok(Err(Refusal::Taken(message)))
        }
        // An expression of the schema (a generated column, an index) that fails on these values is
        // a plain error.
        ffi::SQLITE_ERROR | ffi::SQLITE_TOOBIG | ffi::SQLITE_MISMATCH => Ok(Err(Refusal::Unfit(message))),
        _ if code.code == rusqlite::ErrorCode::ConstraintViolation => Ok(Err(Refusal::Unfit(message))),
        _ => Err(error.into()),
    }
}
