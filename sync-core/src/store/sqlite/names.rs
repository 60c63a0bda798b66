//! What tables and columns are called here, where others know them under another name.
//!
//! `__pocketsync_table` and `__pocketsync_column` hold the names under which changes travel. A
//! table or a column that is renamed keeps that name for others, and its number with it: so a
//! replica that has not renamed it yet and one that has go on to understand each other, and
//! nothing is sent again. The name here stands in a table of its own, which is made with the first
//! rename.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::introspect;

const TABLE: &str = "__pocketsync_local_name";

/// The column number that stands for the table itself.
const WHOLE_TABLE: i64 = -1;

/// The names here, by table and column number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LocalNames(BTreeMap<(u32, i64), String>);

impl LocalNames {
    /// Reads them.
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        if !introspect::has_table(conn, TABLE)? {
            return Ok(LocalNames::default());
        }
        let mut statement = conn.prepare_cached("SELECT tbl, col, name FROM __pocketsync_local_name")?;
        let names = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
        Ok(LocalNames(names.collect::<rusqlite::Result<_>>()?))
    }

    /// What a table is called here; `None` where that is what others call it.
    pub(super) fn table(&self, no: u32) -> Option<&str> {
        self.0.get(&(no, WHOLE_TABLE)).map(String::as_str)
    }

    /// The table that has another name elsewhere, and this one here.
    pub(super) fn table_called(&self, name: &str) -> Option<u32> {
        let mut names = self.0.iter().filter(|((_, column), _)| *column == WHOLE_TABLE);
        names.find(|(_, here)| here.eq_ignore_ascii_case(name)).map(|((no, _), _)| *no)
    }

    /// What a column is called here; `None` where that is what others call it.
    pub(super) fn column(&self, table_no: u32, no: u32) -> Option<&str> {
        self.0.get(&(table_no, i64::from(no))).map(String::as_str)
    }

    /// The numbers of a table's columns by their names here, from those by their names elsewhere.
    pub(super) fn columns(&self, table_no: u32, known: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
        let here = known.values().filter_map(|&no| Some((self.column(table_no, no)?.to_owned(), no)));
        let mut columns: BTreeMap<String, u32> = here.collect();
        for (name, &no) in known {
            let taken = columns.keys().any(|here| here.eq_ignore_ascii_case(name));
            if self.column(table_no, no).is_none() && !taken {
                columns.insert(name.clone(), no);
            }
        }
        columns
    }
}

/// Remembers what a table is called here; `None`: as elsewhere.
pub(super) fn set_table(conn: &Connection, no: u32, name: Option<&str>) -> rusqlite::Result<()> {
    set(conn, (no, WHOLE_TABLE), name)
}

/// Remembers what a column is called here; `None`: as elsewhere.
pub(super) fn set_column(conn: &Connection, table: u32, no: u32, name: Option<&str>) -> rusqlite::Result<()> {
    set(conn, (table, i64::from(no)), name)
}

fn set(conn: &Connection, key: (u32, i64), name: Option<&str>) -> rusqlite::Result<()> {
    if let Some(name) = name {
        conn.execute_batch(
            "CREATE TABLE IF NOT EXISTS main.__pocketsync_local_name(
               tbl INTEGER NOT NULL, col INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(tbl, col)) WITHOUT ROWID",
        )?;
        conn.execute(
            "INSERT INTO __pocketsync_local_name(tbl, col, name) VALUES(?1, ?2, ?3)
             ON CONFLICT(tbl, col) DO UPDATE SET name = excluded.name",
            (key.0, key.1, name),
        )?;
    } else if introspect::has_table(conn, TABLE)? {
        conn.execute("DELETE FROM __pocketsync_local_name WHERE tbl = ?1 AND col = ?2", key)?;
    }
    Ok(())
}
