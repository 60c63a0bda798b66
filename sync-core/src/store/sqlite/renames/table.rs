//! The synced table of renames: made when the first one happens here or comes from elsewhere, and
//! synced as an application's own table is.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::super::catalog::IdentityKind;
use super::super::engine::Engine;
use super::super::introspect;
use super::super::schema_change;
use super::super::system::flag;
use super::super::tracking::register;
use crate::change::Changeset;
use crate::store::StoreError;

/// The table's name.
pub(in super::super) const TABLE: &str = "__pocketsync_rename";

const CREATE: &str = "CREATE TABLE IF NOT EXISTS main.__pocketsync_rename(
  tbl TEXT NOT NULL, col TEXT NOT NULL, known_as TEXT NOT NULL, PRIMARY KEY(tbl, col)) WITHOUT ROWID";

/// Makes the table if it is not there, and tracks it.
pub(in super::super) fn ensure(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch(CREATE)?;
    adopt(conn)?;
    Ok(())
}

/// Makes room for renames that come from elsewhere.
pub(in super::super) fn expect(engine: &mut Engine, group: &[Changeset]) -> Result<bool, StoreError> {
    let mut tables = group.iter().flat_map(|changeset| &changeset.tables);
    let coming = tables.any(|table| table.name.eq_ignore_ascii_case(TABLE));
    if coming && engine.catalog.by_name(TABLE).is_none() {
        ensure(&engine.conn)?;
        schema_change::check(engine)?;
    }
    Ok(coming)
}

/// Marks the table as tracked where it is not yet. Part of every look at a schema that changed.
pub(in super::super) fn adopt(conn: &Connection) -> rusqlite::Result<()> {
    let tracked: Option<bool> = conn
        .query_row("SELECT tracked FROM __pocketsync_table WHERE name = ?1", [TABLE], |row| row.get(0))
        .optional()?;
    if tracked != Some(true) && introspect::has_table(conn, TABLE)? {
        let no = register::table(conn, &introspect::read_table(conn, TABLE)?, IdentityKind::Natural)?;
        // There are no triggers yet, so there is nothing in the journal that lacks these columns.
        conn.execute("UPDATE __pocketsync_column SET captured = 1 WHERE tbl = ?1", [no])?;
    }
    Ok(())
}

/// Tells others that a table (`column` empty: itself) or a column of it has a new name. The table
/// must be there.
pub(in super::super) fn record(
    conn: &Connection,
    table: &str,
    column: &str,
    known_as: &str,
) -> rusqlite::Result<()> {
    let new = conn.execute(
        "INSERT INTO __pocketsync_rename(tbl, col, known_as) VALUES(?1, ?2, ?3)
         ON CONFLICT(tbl, col) DO NOTHING",
        (table, column, known_as),
    )?;
    if new > 0 {
        // The engine's own connection fires no triggers.
        conn.execute(
            "INSERT INTO __pocketsync_journal(t, f, at, k, k2)
             SELECT no, ?4, julianday('now'), ?2, ?3 FROM __pocketsync_table WHERE name = ?1",
            (TABLE, table, column, flag::INSERT),
        )?;
    }
    Ok(())
}

/// Which names mean which, all in lower case: by table and column, the column empty for the table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Renames(BTreeMap<(String, String), String>);

impl Renames {
    /// Reads what the file holds.
    pub(in super::super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        if !introspect::has_table(conn, TABLE)? {
            return Ok(Renames::default());
        }
        let mut statement = conn.prepare_cached("SELECT tbl, col, known_as FROM __pocketsync_rename")?;
        let rows = statement.query_map([], |row| {
            let word = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, String>(at)?.to_ascii_lowercase());
            Ok(((word(0)?, word(1)?), word(2)?))
        })?;
        Ok(Renames(rows.collect::<rusqlite::Result<_>>()?))
    }

    /// Whether nothing was renamed.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name that others know a table by.
    pub(in super::super) fn table(&self, name: &str) -> Option<String> {
        let end = self.follow(String::new(), name);
        (!end.eq_ignore_ascii_case(name)).then_some(end)
    }

    /// The name that others know a column by; `table` under the name that others know it by.
    pub(in super::super) fn column(&self, table: &str, name: &str) -> Option<String> {
        // A rename may have been declared under any name of the table.
        let names = self.0.keys().filter(|(_, column)| column.is_empty()).map(|(name, _)| name.as_str());
        let same = names.filter(|name| self.table(name).is_some_and(|end| end.eq_ignore_ascii_case(table)));
        let end = [table].into_iter().chain(same).find_map(|table| {
            let end = self.follow(table.to_ascii_lowercase(), name);
            (!end.eq_ignore_ascii_case(name)).then_some(end)
        })?;
        Some(end)
    }

    /// Follows a name to its end. In a circle nothing is the end, and a name means itself.
    fn follow(&self, table: String, name: &str) -> String {
        let mut at = name.to_ascii_lowercase();
        for _ in 0..=self.0.len() {
            let key =
                if table.is_empty() { (at.clone(), String::new()) } else { (table.clone(), at.clone()) };
            match self.0.get(&key) {
                Some(next) if *next != at => at.clone_from(next),
                _ => return at,
            }
        }
        name.to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renames(rows: &[(&str, &str, &str)]) -> Renames {
        let row = |(table, column, known_as): &(&str, &str, &str)| {
            (((*table).to_owned(), (*column).to_owned()), (*known_as).to_owned())
        };
        Renames(rows.iter().map(row).collect())
    }

    #[test]
    fn names_are_followed_to_their_end() {
        let renames =
            renames(&[("memo", "", "note"), ("text", "", "memo"), ("note", "c", "b"), ("note", "b", "a")]);
        assert_eq!(renames.table("Text").as_deref(), Some("note"));
        assert_eq!(renames.table("note"), None);
        assert_eq!(renames.column("note", "C").as_deref(), Some("a"));
        assert_eq!(renames.column("note", "a"), None);
        assert_eq!(renames.column("other", "c"), None);
    }

    #[test]
    fn a_column_may_be_declared_under_any_name_of_its_table() {
        let renames = renames(&[("memo", "", "note"), ("memo", "heading", "title")]);
        assert_eq!(renames.column("note", "heading").as_deref(), Some("title"));
    }

    #[test]
    fn a_circle_means_nothing() {
        let renames = renames(&[("note", "a", "b"), ("note", "b", "a"), ("x", "", "y"), ("y", "", "x")]);
        assert_eq!(renames.column("note", "a"), None);
        assert_eq!(renames.table("x"), None);
    }
}
