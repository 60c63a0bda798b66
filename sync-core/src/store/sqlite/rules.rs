//! The table of the rules in a replica: made when the first rule is set here or comes from
//! elsewhere, and synced as an application's own table is.

use rusqlite::{Connection, OptionalExtension};

use super::catalog::IdentityKind;
use super::engine::Engine;
use super::introspect;
use super::schema_change;
use super::tracking::register;
use crate::change::Changeset;
use crate::conflict::{RULES_TABLE, Rule, Rules};
use crate::store::StoreError;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS main.__pocketsync_rules(
  tbl TEXT NOT NULL, col TEXT NOT NULL DEFAULT '', strategy TEXT, on_delete TEXT, merge TEXT,
  PRIMARY KEY(tbl, col)) WITHOUT ROWID";

/// Whether the file has the table.
pub(super) fn exists(conn: &Connection) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?1")?
        .exists([RULES_TABLE])
}

/// Makes the table if it is not there, and tracks it.
pub(super) fn ensure(engine: &mut Engine) -> Result<(), StoreError> {
    if engine.catalog.by_name(RULES_TABLE).is_none() {
        engine.conn.execute_batch(CREATE)?;
        schema_change::check(engine)?;
    }
    Ok(())
}

/// Makes room for rules that come from elsewhere. Says whether any do.
pub(super) fn expect(engine: &mut Engine, group: &[Changeset]) -> Result<bool, StoreError> {
    let mut tables = group.iter().flat_map(|changeset| &changeset.tables);
    let any = tables.any(|table| table.name.eq_ignore_ascii_case(RULES_TABLE));
    if any {
        ensure(engine)?;
    }
    Ok(any)
}

/// Marks the table as tracked where somebody else made it. Part of every look at a schema that
/// changed.
pub(super) fn adopt(conn: &Connection) -> rusqlite::Result<()> {
    let tracked: Option<bool> = conn
        .query_row("SELECT tracked FROM __pocketsync_table WHERE name = ?1", [RULES_TABLE], |row| row.get(0))
        .optional()?;
    if tracked != Some(true) && exists(conn)? {
        let no = register::table(conn, &introspect::read_table(conn, RULES_TABLE)?, IdentityKind::Natural)?;
        // There are no triggers yet, so there is nothing in the journal that lacks these columns.
        conn.execute("UPDATE __pocketsync_column SET captured = 1 WHERE tbl = ?1", [no])?;
    }
    Ok(())
}

/// The rules that the file holds, in the order of their tables and columns.
pub(super) fn read(conn: &Connection) -> rusqlite::Result<Rules> {
    if !exists(conn)? {
        return Ok(Rules::default());
    }
    let mut statement = conn.prepare_cached(
        "SELECT tbl, col, strategy, on_delete, merge FROM __pocketsync_rules ORDER BY 1, 2",
    )?;
    let rules = statement.query_map([], |row| {
        let word = |at: usize| row.get::<_, Option<String>>(at);
        let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
        let (strategy, on_delete, merge) = (word(2)?, word(3)?, word(4)?);
        Ok(Rule::parse(&table, &column, strategy.as_deref(), on_delete.as_deref(), merge.as_deref()))
    })?;
    Ok(Rules::new(rules.collect::<Result<Vec<_>, _>>()?))
}

/// Writes a rule as an application does, in place of the one for the same thing.
pub(super) fn put(conn: &Connection, rule: &Rule) -> rusqlite::Result<()> {
    let column = rule.column.as_deref().unwrap_or_default();
    let words = (
        rule.strategy.map(|word| word.as_str()),
        rule.on_delete.map(|word| word.as_str()),
        rule.merge.map(|word| word.as_str()),
    );
    let changed = conn.execute(
        "UPDATE __pocketsync_rules SET strategy = ?3, on_delete = ?4, merge = ?5
         WHERE tbl = ?1 COLLATE NOCASE AND col = ?2 COLLATE NOCASE",
        (&rule.table, column, words.0, words.1, words.2),
    )?;
    if changed == 0 {
        conn.execute(
            "INSERT INTO __pocketsync_rules(tbl, col, strategy, on_delete, merge) VALUES(?1, ?2, ?3, ?4, ?5)",
            (&rule.table, column, words.0, words.1, words.2),
        )?;
    }
    Ok(())
}

/// Deletes a rule as an application does. Says whether there was one.
pub(super) fn remove(conn: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    if !exists(conn)? {
        return Ok(false);
    }
    let sql = "DELETE FROM __pocketsync_rules WHERE tbl = ?1 COLLATE NOCASE AND col = ?2 COLLATE NOCASE";
    Ok(conn.execute(sql, (table, column))? > 0)
}
