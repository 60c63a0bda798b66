//! The values of declared defaults, as far as they are the same on every replica.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::catalog::Catalog;
use super::super::refs::value;
use crate::value::Value;

/// The default value of columns that were never written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Defaults(BTreeMap<(u32, usize), Value>);

impl Defaults {
    /// The defaults of a schema's unique columns and of those that others refer to.
    ///
    /// An expression (a time, a random number) has no value that replicas agree on, and is left
    /// out: such a cell claims nothing.
    pub(crate) fn new(conn: &Connection, catalog: &Catalog) -> rusqlite::Result<Self> {
        let mut defaults = BTreeMap::new();
        for table in catalog.tables.values() {
            for (position, column) in table.columns.iter().enumerate() {
                let Some(sql) = &column.default else { continue };
                if let Some(found) = literal(conn, sql)? {
                    defaults.insert((table.no, position), found);
                }
            }
        }
        Ok(Defaults(defaults))
    }

    /// The default of a column.
    pub(crate) fn get(&self, table_no: u32, position: usize) -> Option<&Value> {
        self.0.get(&(table_no, position))
    }
}

/// The value of a DEFAULT that is the same on every replica.
pub(in super::super) fn literal(conn: &Connection, sql: &str) -> rusqlite::Result<Option<Value>> {
    let upper = sql.to_ascii_uppercase();
    if !upper.starts_with('\'') && (upper.contains("CURRENT_") || upper.contains('(')) {
        return Ok(None);
    }
    let found = conn.query_row(&format!("SELECT {sql}"), [], |row| Ok(value(row.get_ref(0)?)))?;
    Ok(Some(found))
}
