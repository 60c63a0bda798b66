//! Rows that came or went while nobody looked, put into the journal as if the triggers had seen
//! them.

use rusqlite::Connection;

use super::super::catalog::Table;
use super::super::system::{
    PREFIX, clock_table, flag, key_column, key_columns_list, null_key_clock_table, quote,
};

/// Compares the keys of a table with those of its clocks, and journals what differs: a row
/// without a clock was inserted, a clock without a row was deleted. Values are not compared. Entries that
/// wait in the journal say more about their rows than this comparison can, such as when.
pub(in super::super) fn audit(conn: &Connection, table: &Table) -> rusqlite::Result<()> {
    if table.is_surrogate() {
        let key = format!("x.{}", quote(&table.columns[table.key[0]].name));
        return audit_by_integer(conn, table, &key, "", "k", &clock_table(table.no));
    }
    audit_by_key(conn, table)?;
    let Some(rowid) = table.rowid.filter(|_| table.nullable_key) else { return Ok(()) };
    let key = format!("x.{rowid}");
    let has_null = format!(" AND ({})", has_null_key(table));
    audit_by_integer(conn, table, &key, &has_null, "o", &null_key_clock_table(table.no))
}

/// By integer key, or by rowid.
fn audit_by_integer(
    conn: &Connection,
    table: &Table,
    key: &str,
    only: &str,
    journal_column: &str,
    clock: &str,
) -> rusqlite::Result<()> {
    let no = table.no;
    let name = quote(&table.name);
    // Where `o` is a rowid, `k` is part of a key of another kind.
    let waits = if table.is_surrogate() { &["k", "o"][..] } else { &["o"] };
    let waits: Vec<_> = waits
        .iter()
        .map(|column| format!("SELECT {column} FROM {PREFIX}journal WHERE t = {no} AND {column} IS NOT NULL"))
        .collect();
    let waits = waits.join(" UNION ");
    let now = "julianday('now')";
    conn.execute_batch(&format!(
        "INSERT INTO {PREFIX}journal(t, f, at, {journal_column})
           SELECT {no}, {insert}, {now}, {key} FROM {name} AS x
           WHERE {key} NOT IN (SELECT k FROM {clock}) AND {key} NOT IN ({waits}){only};
         INSERT INTO {PREFIX}journal(t, f, at, {journal_column})
           SELECT {no}, {delete}, {now}, c.k FROM {clock} AS c
           WHERE NOT EXISTS (SELECT 1 FROM {name} AS x WHERE {key} = c.k{only}) AND c.k NOT IN ({waits});",
        insert = flag::INSERT,
        delete = flag::DELETE,
    ))
}

fn audit_by_key(conn: &Connection, table: &Table) -> rusqlite::Result<()> {
    let no = table.no;
    let name = quote(&table.name);
    let keys = key_columns_list(table.key.len());
    let row: Vec<_> = table.key.iter().map(|&at| format!("x.{}", quote(&table.columns[at].name))).collect();
    let clock: Vec<_> = (1..=table.key.len()).map(|n| format!("c.{}", key_column(n))).collect();
    // Without the collation the first comparison finds the index; the second one decides.
    let same: Vec<_> = row
        .iter()
        .zip(&clock)
        .map(|(row, clock)| format!("{row} = {clock} AND {row} = {clock} COLLATE BINARY"))
        .collect();
    let same = same.join(" AND ");
    let no_null =
        if table.nullable_key { format!(" AND NOT ({})", has_null_key(table)) } else { String::new() };
    let clocks = clock_table(no);
    let bytes = |side: &[String]| {
        side.iter().map(|column| format!("{column} COLLATE BINARY")).collect::<Vec<_>>().join(", ")
    };
    // A NULL among them would be no answer to whether another key is.
    let whole = (1..=table.key.len()).map(|n| format!("{} IS NOT NULL", key_column(n)));
    let whole = whole.collect::<Vec<_>>().join(" AND ");
    let waits = format!("SELECT {keys} FROM {PREFIX}journal WHERE t = {no} AND {whole}");
    conn.execute_batch(&format!(
        "INSERT INTO {PREFIX}journal(t, f, at, {keys})
           SELECT {no}, {insert}, julianday('now'), {row} FROM {name} AS x
           WHERE NOT EXISTS (SELECT 1 FROM {clocks} AS c WHERE {same}) AND ({row_bytes}) NOT IN ({waits}){no_null};
         INSERT INTO {PREFIX}journal(t, f, at, {keys})
           SELECT {no}, {delete}, julianday('now'), {clock} FROM {clocks} AS c
           WHERE NOT EXISTS (SELECT 1 FROM {name} AS x WHERE {same}) AND ({clock_bytes}) NOT IN ({waits});",
        insert = flag::INSERT,
        delete = flag::DELETE,
        row = row.join(", "),
        clock = clock.join(", "),
        row_bytes = bytes(&row),
        clock_bytes = bytes(&clock),
    ))
}

fn has_null_key(table: &Table) -> String {
    let parts: Vec<_> =
        table.key.iter().map(|&at| format!("x.{} IS NULL", quote(&table.columns[at].name))).collect();
    parts.join(" OR ")
}
