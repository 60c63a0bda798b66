//! What a change of the schema left open, for people: kept until they say that it is settled.

use std::fmt;

use rusqlite::Connection;

use super::introspect;
use super::merging::SHARES_FROM;
use super::names::LocalNames;

const TABLE: &str = "__pocketsync_schema_note";

/// Between the names of several columns.
pub(super) const SEPARATOR: &str = "\u{1f}";

/// What is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A rebuild left out one column and brought another.
    MaybeRenamed,
    /// Another primary key: what it was, and how many rows could not be followed.
    KeyChanged,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Kind::MaybeRenamed => "maybe renamed",
            Kind::KeyChanged => "key changed",
        }
    }
}

/// Something about the schema that a person should know: names table, column and the way out.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SchemaWarning {
    /// A table was rebuilt where our triggers could not see it: values that were changed in place
    /// meanwhile are found as the peers tell what they have.
    Suspect {
        /// The table.
        table: String,
    },
    /// A tracked table is not in the schema any more.
    Missing {
        /// The table.
        table: String,
    },
    /// Others have values for a column that this file does not have. They are kept, and shown when
    /// the column is there.
    UnknownColumn {
        /// The table.
        table: String,
        /// The column, as others call it.
        column: String,
        /// In how many rows.
        rows: u64,
    },
    /// Others have rows of a table that this file does not have, or does not track. They are kept.
    UnknownTable {
        /// The table, as others call it.
        table: String,
        /// How many rows.
        rows: u64,
    },
    /// A rebuild left one column out and brought another: for others these are two columns.
    MaybeRenamed {
        /// The table.
        table: String,
        /// The columns that are gone.
        gone: Vec<String>,
        /// The column that is new.
        new: String,
    },
    /// The primary key of a table is another one now.
    KeyChanged {
        /// The table.
        table: String,
        /// What the key was.
        was: String,
        /// Rows whose former identity could not be told, since the columns of the old key are gone.
        unmapped: u64,
    },
}

impl fmt::Display for SchemaWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaWarning::Suspect { table } => write!(
                f,
                "table {table} was without its triggers for a while (a rebuild); rows that came or went were \
                 found, values that were changed in place are found when all peers have told what they have: sync \
                 with them. If there is none any more, call trust"
            ),
            SchemaWarning::Missing { table } => write!(
                f,
                "table {table} is gone from the schema; its rows were not deleted elsewhere, and come back with the \
                 table. If it has another name now, say so: pocketsync migrate FILE --rename-table {table}=NEW"
            ),
            SchemaWarning::UnknownColumn { table, column, rows } => write!(
                f,
                "others have a column {column} in table {table}, which this file does not have: {rows} values are \
                 kept and passed on, and are shown when the column is added"
            ),
            SchemaWarning::UnknownTable { table, rows } => write!(
                f,
                "others have a table {table}, which this file does not have or does not track: {rows} rows are kept \
                 and passed on, and are shown when it is created and tracked"
            ),
            SchemaWarning::MaybeRenamed { table, gone, new } => write!(
                f,
                "a rebuild of table {table} left out {gone} and brought column {new}; if that is a new name, say so: \
                 pocketsync migrate FILE --rename {table}.{one}={new}; if not, call trust",
                gone = gone.join(", "),
                one = if let [one] = &gone[..] { one } else { "OLD" },
            ),
            SchemaWarning::KeyChanged { table, was, unmapped: 0 } => write!(
                f,
                "table {table} has another primary key (it was: {was}); its rows keep their versions under the new \
                 one. Devices that still have the old key hold the new rows as parked until they migrate"
            ),
            SchemaWarning::KeyChanged { table, was, unmapped } => write!(
                f,
                "table {table} has another primary key (it was: {was}), and what the key was is gone from {unmapped} \
                 rows: they count as rows that were always there. If another device has made the same rows under \
                 other keys, they are there twice: delete one of each"
            ),
        }
    }
}

/// Notes something, once.
pub(super) fn note(
    conn: &Connection,
    table: u32,
    kind: Kind,
    column: &str,
    detail: &str,
) -> rusqlite::Result<()> {
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS main.__pocketsync_schema_note(
           tbl INTEGER NOT NULL, kind TEXT NOT NULL, col TEXT NOT NULL, detail TEXT NOT NULL,
           PRIMARY KEY(tbl, kind, col)) WITHOUT ROWID",
    )?;
    conn.execute(
        "INSERT INTO __pocketsync_schema_note(tbl, kind, col, detail) VALUES(?1, ?2, ?3, ?4)
         ON CONFLICT(tbl, kind, col) DO UPDATE SET detail = excluded.detail",
        (table, kind.as_str(), column, detail),
    )?;
    Ok(())
}

/// Forgets what was noted about a table, or about one column of it.
pub(super) fn settle(conn: &Connection, table: u32, column: Option<&str>) -> rusqlite::Result<()> {
    if introspect::has_table(conn, TABLE)? {
        conn.execute(
            "DELETE FROM __pocketsync_schema_note WHERE tbl = ?1 AND (?2 IS NULL OR col = ?2 COLLATE NOCASE)",
            (table, column),
        )?;
    }
    Ok(())
}

/// All that is open.
pub(super) fn warnings(conn: &Connection) -> rusqlite::Result<Vec<SchemaWarning>> {
    let names = LocalNames::load(conn)?;
    let present = introspect::synced_table_names(conn)?;
    let mut warnings = Vec::new();
    let mut statement = conn
        .prepare_cached("SELECT no, name, tracked, suspect IN (1, 3) FROM __pocketsync_table ORDER BY no")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (no, wire_name): (u32, String) = (row.get(0)?, row.get(1)?);
        let table = names.table(no).unwrap_or(&wire_name).to_owned();
        let here = present.iter().any(|here| here.eq_ignore_ascii_case(&table));
        match (row.get::<_, bool>(2)?, here) {
            (true, true) => {
                if row.get(3)? {
                    warnings.push(SchemaWarning::Suspect { table: table.clone() });
                }
                unknown_columns(conn, no, &table, &mut warnings)?;
            }
            (true, false) => warnings.push(SchemaWarning::Missing { table: table.clone() }),
            (false, _) => {
                let count: i64 = conn
                    .prepare_cached(
                        "SELECT count(*) FROM __pocketsync_aside WHERE tbl = ?1 AND reason <> 'deleted'",
                    )?
                    .query_row([no], |row| row.get(0))?;
                if count > 0 {
                    warnings.push(SchemaWarning::UnknownTable { table: wire_name, rows: count as u64 });
                }
            }
        }
        noted(conn, no, &table, &mut warnings)?;
    }
    Ok(warnings)
}

fn unknown_columns(
    conn: &Connection,
    no: u32,
    table: &str,
    warnings: &mut Vec<SchemaWarning>,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT c.name, count(*) FROM __pocketsync_shadow s JOIN __pocketsync_column c ON c.tbl = s.tbl AND c.no = s.col
         WHERE s.tbl = ?1 AND c.captured <> 1 AND c.no < ?2 GROUP BY c.no ORDER BY c.no",
    )?;
    let mut columns = statement.query_map((no, SHARES_FROM), |row| {
        let rows: i64 = row.get(1)?;
        Ok(SchemaWarning::UnknownColumn { table: table.to_owned(), column: row.get(0)?, rows: rows as u64 })
    })?;
    columns.try_for_each(|warning| warning.map(|warning| warnings.push(warning)))
}

fn noted(conn: &Connection, no: u32, table: &str, warnings: &mut Vec<SchemaWarning>) -> rusqlite::Result<()> {
    if !introspect::has_table(conn, TABLE)? {
        return Ok(());
    }
    let mut statement = conn.prepare_cached(
        "SELECT kind, col, detail FROM __pocketsync_schema_note WHERE tbl = ?1 ORDER BY 1, 2",
    )?;
    let mut rows = statement.query([no])?;
    while let Some(row) = rows.next()? {
        let (kind, column, detail): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let table = table.to_owned();
        warnings.push(if kind == Kind::MaybeRenamed.as_str() {
            SchemaWarning::MaybeRenamed {
                table,
                gone: detail.split(SEPARATOR).map(str::to_owned).collect(),
                new: column,
            }
        } else {
            SchemaWarning::KeyChanged { table, was: column, unmapped: detail.parse().unwrap_or(0) }
        });
    }
    Ok(())
}
