//! The catalog, from what the pragmas say and from the numbers that tables and columns have.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension};

use super::catalog::{
    Catalog, Collation, Column, Evaluated, FkAction, ForeignKey, IdentityKind, Reference, Table, UniqueKey,
};
use super::introspect::{self, RawForeignKey, RawIndex, RawKey, RawTable};
use super::merging;
use super::names::LocalNames;
use super::reference_chain;
use super::renames::Renames;
use super::schema_sql;
use crate::store::StoreError;

/// What the primary key is called among the unique keys.
const PRIMARY_KEY: &str = "PRIMARY KEY";

/// Reads the schema of the tracked tables.
///
/// A tracked table that is not in the schema is left out, and its number is kept.
///
/// # Errors
/// When the schema or the system tables cannot be read.
pub(crate) fn load(conn: &Connection) -> Result<Catalog, StoreError> {
    let mut catalog = Catalog::default();
    let present = introspect::synced_table_names(conn)?;
    let names = LocalNames::load(conn)?;
    catalog.renames = Renames::load(conn)?;
    let mut raw = BTreeMap::new();
    let mut statement =
        conn.prepare_cached("SELECT no, name, tracked, identity FROM __pocketsync_table ORDER BY no")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (no, name, tracked): (u32, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let identity = IdentityKind::from_name(row.get_ref(3)?.as_str().unwrap_or_default());
        let local = names.table(no).unwrap_or(&name);
        if let Some(here) = present.iter().find(|here| tracked && here.eq_ignore_ascii_case(local)) {
            let table = introspect::read_table(conn, here)?;
            let numbers = column_numbers(conn, no)?;
            let local = names.columns(no, &numbers);
            let mut shape = shape(no, identity, &local, &table);
            (shape.wire_name, shape.numbers) = (name.clone(), numbers);
            catalog.tables.insert(no, shape);
            raw.insert(no, table);
        }
        catalog.numbers.insert(name, no);
    }
    for (no, table) in &raw {
        let keys =
            table.foreign_keys.iter().filter_map(|key| foreign_key(&catalog, &raw, *no, key)).collect();
        catalog.tables.get_mut(no).expect("it was put there above").foreign_keys = keys;
    }
    reference_chain::resolve(&mut catalog);
    let named: Vec<u32> = catalog
        .tables
        .values()
        .filter(|table| has_named_key(&catalog, table))
        .map(|table| table.no)
        .collect();
    let words = merging::words(conn)?;
    for table in catalog.tables.values_mut() {
        table.named_key = named.contains(&table.no);
        table.identity_key = identity_key(table);
        table.registers = registers(table, &raw[&table.no]);
        table.merges = merging::find(conn, table, &catalog.renames, &words)?;
    }
    Ok(catalog)
}

/// The columns that are one register.
fn registers(table: &Table, raw: &RawTable) -> Vec<Vec<u32>> {
    let named = |check: &String| {
        let columns = table.columns.iter().enumerate();
        let named = columns.filter(|(_, column)| schema_sql::mentions(check, &column.name));
        named.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let checks = raw.checks.iter().map(named);
    let keys = table.foreign_keys.iter().map(|key| key.columns.clone());
    let mut registers: Vec<BTreeSet<u32>> = Vec::new();
    for columns in checks.chain(keys) {
        // A key is no cell.
        let cells = columns.iter().filter(|at| !table.key.contains(at));
        let mut register: BTreeSet<u32> = cells.map(|&at| table.columns[at].no).collect();
        if register.len() < 2 {
            continue;
        }
        // Those that share a column are one.
        registers.retain(|other| {
            let apart = other.is_disjoint(&register);
            if !apart {
                register.extend(other);
            }
            apart
        });
        registers.push(register);
    }
    registers.into_iter().map(|register| register.into_iter().collect()).collect()
}

/// The key of a natural table as a unique key, where references are a part of it.
fn identity_key(table: &Table) -> Option<UniqueKey> {
    let refers = table.key.iter().any(|&at| table.columns[at].reference.is_some());
    let declared = table.unique_keys.iter().any(|key| key.index == PRIMARY_KEY);
    (refers && !table.is_surrogate() && !declared).then(|| UniqueKey {
        index: PRIMARY_KEY.to_owned(),
        columns: table.key.iter().map(|&at| (at, Collation::Binary)).collect(),
        evaluated: None,
    })
}

/// Whether a part of a natural key refers to a row by another column than the integer key.
fn has_named_key(catalog: &Catalog, table: &Table) -> bool {
    let is_named = |reference: &Reference| {
        catalog.tables.get(&reference.table).is_some_and(|parent| {
            let integer = parent.integer_key().map(|at| &parent.columns[at].name);
            integer.is_some_and(|integer| !integer.eq_ignore_ascii_case(&reference.column))
        })
    };
    !table.is_surrogate()
        && table.key.iter().any(|&at| table.columns[at].reference.as_ref().is_some_and(is_named))
}

/// The numbers of a table's columns, by the names that others know.
///
/// # Errors
/// When the system table cannot be read.
pub(crate) fn column_numbers(conn: &Connection, table_no: u32) -> rusqlite::Result<BTreeMap<String, u32>> {
    conn.prepare_cached("SELECT name, no FROM __pocketsync_column WHERE tbl = ?1")?
        .query_map([table_no], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The numbers of a table's columns, by their names here.
///
/// # Errors
/// When the system table cannot be read.
pub(crate) fn local_column_numbers(
    conn: &Connection,
    table_no: u32,
) -> rusqlite::Result<BTreeMap<String, u32>> {
    Ok(LocalNames::load(conn)?.columns(table_no, &column_numbers(conn, table_no)?))
}

/// The number of a table, from the name that others know it by, in any case.
///
/// # Errors
/// When the system table cannot be read.
pub(crate) fn table_number(conn: &Connection, name: &str) -> rusqlite::Result<Option<u32>> {
    conn.prepare_cached("SELECT no FROM __pocketsync_table WHERE name = ?1 COLLATE NOCASE")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// The name that others know a table by.
///
/// # Errors
/// When the system table cannot be read, or has no such number.
pub(crate) fn wire_name(conn: &Connection, table_no: u32) -> rusqlite::Result<String> {
    conn.prepare_cached("SELECT name FROM __pocketsync_table WHERE no = ?1")?
        .query_row([table_no], |row| row.get(0))
}

/// The number of a table, from its name here, in any case.
///
/// # Errors
/// When the system tables cannot be read.
pub(crate) fn local_table_number(conn: &Connection, name: &str) -> rusqlite::Result<Option<u32>> {
    let names = LocalNames::load(conn)?;
    Ok(names.table_called(name).or(table_number(conn, name)?.filter(|no| names.table(*no).is_none())))
}

/// A table without its foreign keys and references, which need the other tables.
fn shape(no: u32, identity: IdentityKind, numbers: &BTreeMap<String, u32>, raw: &RawTable) -> Table {
    let number = |name: &str| {
        numbers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
    };
    let mut columns: Vec<Column> = raw
        .columns
        .iter()
        .filter(|column| !column.generated)
        // A column that came after the last look at the schema has its number before it is used.
        .filter_map(|column| {
            Some(Column {
                no: number(&column.name)?,
                name: column.name.clone(),
                declared_type: column.declared_type.clone(),
                not_null: column.not_null,
                default: column.default.clone(),
                reference: None,
            })
        })
        .collect();
    columns.sort_by_key(|column| column.no);
    let generated =
        raw.columns.iter().filter(|column| column.generated).map(|column| column.name.clone()).collect();
    let position = |name: &str| columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let (key, key_collations): (Vec<usize>, Vec<Collation>) = match &raw.key {
        RawKey::None => (Vec::new(), Vec::new()),
        RawKey::Rowid(column) => (position(column).into_iter().collect(), vec![Collation::Binary]),
        RawKey::Declared(parts) => parts
            .iter()
            .filter_map(|(name, collation)| Some((position(name)?, Collation::from_name(collation))))
            .unzip(),
    };
    let mut unique_keys = Vec::new();
    if key_collations.iter().any(|collation| *collation != Collation::Binary) {
        let columns = key.iter().copied().zip(key_collations).collect();
        unique_keys.push(UniqueKey { index: PRIMARY_KEY.to_owned(), columns, evaluated: None });
    }
    let evaluated_keys =
        raw.unique.iter().filter_map(|index| evaluated_key(index, &columns)).collect::<Vec<_>>();
    unique_keys.extend(raw.unique.iter().filter_map(|index| unique_key(index, position)));
    let nullable_key = identity == IdentityKind::Natural
        && !raw.without_rowid
        && matches!(raw.key, RawKey::Declared(_))
        && key.iter().any(|&at| !columns[at].not_null);
    Table {
        no,
        name: raw.name.clone(),
        wire_name: String::new(),
        identity,
        without_rowid: raw.without_rowid,
        rowid: raw.rowid_name(),
        nullable_key,
        columns,
        generated,
        key,
        foreign_keys: Vec::new(),
        unique_keys,
        identity_key: None,
        named_key: false,
        evaluated_keys,
        registers: Vec::new(),
        numbers: BTreeMap::new(),
        merges: BTreeMap::new(),
    }
}

fn unique_key(index: &RawIndex, position: impl Fn(&str) -> Option<usize>) -> Option<UniqueKey> {
    if index.partial {
        return None;
    }
    let columns = index
        .columns
        .iter()
        .map(|(name, collation)| Some((position(name.as_deref()?)?, Collation::from_name(collation))))
        .collect::<Option<Vec<_>>>()?;
    Some(UniqueKey { index: index.name.clone(), columns, evaluated: None })
}

/// An index over expressions or a part of the rows. `None` where it is none, and where it cannot be
/// made out.
fn evaluated_key(index: &RawIndex, columns: &[Column]) -> Option<UniqueKey> {
    let sql = schema_sql::parse(index.sql.as_deref()?)?;
    if sql.parts.len() != index.columns.len() {
        return None;
    }
    let (mut plain, mut parts) = (Vec::new(), Vec::new());
    for ((name, collation), sql) in index.columns.iter().zip(sql.parts) {
        let collation = Collation::from_name(collation);
        match name {
            Some(name) => {
                let at = columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))?;
                plain.push((at, collation));
            }
            None => parts.push((sql, collation)),
        }
    }
    let said = |column: &Column| {
        let mut texts = parts.iter().map(|(part, _)| part).chain(&sql.condition);
        texts.any(|text| schema_sql::mentions(text, &column.name))
    };
    let mentions = (0..columns.len()).filter(|&at| said(&columns[at])).collect();
    let evaluated = Evaluated { parts, condition: sql.condition, mentions };
    Some(UniqueKey { index: index.name.clone(), columns: plain, evaluated: Some(evaluated) })
}

fn foreign_key(
    catalog: &Catalog,
    raw: &BTreeMap<u32, RawTable>,
    child: u32,
    key: &RawForeignKey,
) -> Option<ForeignKey> {
    let parent = catalog.by_name(&key.parent)?;
    let child = &catalog.tables[&child];
    let position =
        |name: &str| child.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let parent_key = raw[&parent.no].key.names();
    let mut columns = Vec::new();
    let mut parent_columns = Vec::new();
    for (n, (from, to)) in key.columns.iter().enumerate() {
        columns.push(position(from)?);
        let to = to.as_deref().or(parent_key.get(n).copied())?;
        // As the parent spells it.
        let to = parent.columns.iter().find(|column| column.name.eq_ignore_ascii_case(to))?;
        parent_columns.push(to.name.clone());
    }
    Some(ForeignKey {
        columns,
        parent: parent.no,
        parent_columns,
        on_delete: FkAction::from_sql(&key.on_delete),
        on_update: FkAction::from_sql(&key.on_update),
    })
}
