//! The catalog, from what the pragmas say and from the numbers that tables and columns have.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::catalog::{Catalog, Collation, Column, FkAction, ForeignKey, IdentityKind, Table, UniqueKey};
use super::introspect::{self, RawForeignKey, RawIndex, RawKey, RawTable};
use super::reference_chain;
use crate::store::StoreError;

/// Reads the schema of the tracked tables.
///
/// A tracked table that is not in the schema is left out, and its number is kept.
///
/// # Errors
/// When the schema or the system tables cannot be read.
pub(crate) fn load(conn: &Connection) -> Result<Catalog, StoreError> {
    let mut catalog = Catalog::default();
    let present = introspect::synced_table_names(conn)?;
    let mut raw = BTreeMap::new();
    let mut statement =
        conn.prepare_cached("SELECT no, name, tracked, identity FROM __pocketsync_table ORDER BY no")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (no, name, tracked): (u32, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let identity = IdentityKind::from_name(row.get_ref(3)?.as_str().unwrap_or_default());
        if let Some(here) = present.iter().find(|here| tracked && here.eq_ignore_ascii_case(&name)) {
            let table = introspect::read_table(conn, here)?;
            let numbers = column_numbers(conn, no)?;
            catalog.tables.insert(no, shape(no, identity, numbers, &table));
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
    Ok(catalog)
}

/// The numbers of a table's columns, by name.
///
/// # Errors
/// When the system table cannot be read.
pub(crate) fn column_numbers(conn: &Connection, table_no: u32) -> rusqlite::Result<BTreeMap<String, u32>> {
    conn.prepare_cached("SELECT name, no FROM __pocketsync_column WHERE tbl = ?1")?
        .query_map([table_no], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The number of a table, from a name in any case.
///
/// # Errors
/// When the system table cannot be read.
pub(crate) fn table_number(conn: &Connection, name: &str) -> rusqlite::Result<Option<u32>> {
    conn.prepare_cached("SELECT no FROM __pocketsync_table WHERE name = ?1 COLLATE NOCASE")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// A table without its foreign keys and references, which need the other tables.
fn shape(no: u32, identity: IdentityKind, numbers: BTreeMap<String, u32>, raw: &RawTable) -> Table {
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
        unique_keys.push(UniqueKey { index: "PRIMARY KEY".to_owned(), columns });
    }
    unique_keys.extend(raw.unique.iter().filter_map(|index| unique_key(index, position)));
    let nullable_key = identity == IdentityKind::Natural
        && !raw.without_rowid
        && matches!(raw.key, RawKey::Declared(_))
        && key.iter().any(|&at| !columns[at].not_null);
    Table {
        no,
        name: raw.name.clone(),
        identity,
        without_rowid: raw.without_rowid,
        rowid: raw.rowid_name(),
        nullable_key,
        columns,
        key,
        foreign_keys: Vec::new(),
        unique_keys,
        numbers,
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
    Some(UniqueKey { index: index.name.clone(), columns })
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
