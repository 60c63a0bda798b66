//! Reading the journal: the entries of one table, each with what is there now under its key.

use rusqlite::Row;

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::refs::{LocalKey, key_value, null_key, value};
use super::super::system::{clock_table, key_column, null_key_clock_table, quote};
use super::mask::Mask;
use super::moves::Present;
use super::timeline::Timeline;
use crate::store::StoreError;
use crate::value::Value;

/// How the rows of a user table are keyed in a clock table of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// By the integer key.
    Surrogate,
    /// By the declared key.
    Natural,
    /// By rowid, those with a NULL in their declared key.
    NullKey,
}

/// A row's key. Natural keys are compared as SQLite does: by value, not by storage class.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Key {
    /// An integer key, or a rowid.
    Integer(i64),
    /// A declared key.
    Values(LocalKey),
}

impl Key {
    /// The key as [`refs`](super::super::refs) name it.
    pub(super) fn local(&self, form: Form) -> LocalKey {
        match self {
            Key::Integer(rowid) if form == Form::NullKey => null_key(*rowid),
            Key::Integer(integer) => Box::new([Value::Integer(*integer)]),
            Key::Values(values) => values.clone(),
        }
    }
}

/// What was known of the row under a key before this fold, as stored.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The id; empty where the key is the identity.
    pub(super) id: Vec<u8>,
    /// The clock.
    pub(super) clock: Vec<u8>,
}

/// One captured change.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its place in the order of the writes.
    pub(super) n: i64,
    pub(super) key: Key,
    /// The key before, where an integer key changed.
    pub(super) from: Option<i64>,
    pub(super) flags: i64,
    pub(super) mask: Mask,
    /// When, corrected, in milliseconds since 1970.
    pub(super) ms: u64,
    /// Whether there is a row under the key now.
    pub(super) live: bool,
    pub(super) known: Option<Known>,
}

/// The statement that reads the entries of a table and form. Parameters: table number, and the
/// first and last entry. Values of the user's table are not read, only whether the row is there.
pub(super) fn entries_sql(table: &Table, form: Form) -> String {
    let count = table.key.len();
    let name = quote(&table.name);
    let column = |n: usize| format!("t.{}", quote(&table.columns[table.key[n]].name));
    let (keys, live, on_row, clock, on_clock, id, which) = match form {
        Form::Surrogate => (
            "j.k".to_owned(),
            format!("{} IS NOT NULL", column(0)),
            format!("{} = j.k", column(0)),
            clock_table(table.no),
            "c.k = j.k".to_owned(),
            "c.id",
            "",
        ),
        Form::NullKey => {
            let has_null =
                (0..count).map(|n| format!("{} IS NULL", column(n))).collect::<Vec<_>>().join(" OR ");
            let rowid = table.rowid.unwrap_or("rowid");
            (
                "j.o".to_owned(),
                format!("t.{rowid} IS NOT NULL"),
                format!("t.{rowid} = j.o AND ({has_null})"),
                null_key_clock_table(table.no),
                "c.k = j.o".to_owned(),
                "c.id",
                "AND j.o IS NOT NULL",
            )
        }
        Form::Natural => {
            // The first comparison finds the index, whatever its collation; the second decides.
            let on_row = (0..count)
                .map(|n| {
                    let (column, key) = (column(n), key_column(n + 1));
                    format!("{column} = j.{key} AND {column} COLLATE BINARY = j.{key}")
                })
                .collect::<Vec<_>>()
                .join(" AND ");
            let each =
                |side: &str| (1..=count).map(|n| format!("{side}.{}", key_column(n))).collect::<Vec<_>>();
            let on_clock = each("c").into_iter().zip(each("j")).map(|(c, j)| format!("{c} = {j}"));
            (
                each("j").join(", "),
                format!("{} IS NOT NULL", column(0)),
                on_row,
                clock_table(table.no),
                on_clock.collect::<Vec<_>>().join(" AND "),
                "NULL",
                "AND j.o IS NULL",
            )
        }
    };
    let select = format!("SELECT j.n, j.f, j.m, j.at, j.o, {live}, {id}, c.r, {keys} FROM");
    let joins = format!("LEFT JOIN {name} t ON {on_row} LEFT JOIN {clock} c ON {on_clock}");
    let range = format!("j.t = ?1 AND j.n BETWEEN ?2 AND ?3 {which}");
    if form == Form::Natural {
        // Keys come in any order: sorted, each lookup is next to the one before. The LIMIT keeps
        // SQLite from doing the lookups first.
        return format!(
            "{select} (SELECT * FROM __pocketsync_journal j WHERE {range} ORDER BY {keys}, j.n LIMIT -1) j {joins}"
        );
    }
    format!("{select} __pocketsync_journal j {joins} WHERE {range} ORDER BY j.n")
}

/// Reads the entries of a table from `first` to `last`; those of one key in the order of the
/// writes.
pub(super) fn read_entries(
    engine: &Engine,
    table: &Table,
    form: Form,
    (first, last): (i64, i64),
    timeline: &Timeline,
) -> Result<Vec<Entry>, StoreError> {
    let mut statement = engine.conn.prepare_cached(&entries_sql(table, form))?;
    let mut rows = statement.query((table.no, first, last))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let n = row.get(0)?;
        entries.push(Entry {
            n,
            key: read_key(row, table, form)?,
            from: if form == Form::Surrogate { row.get(4)? } else { None },
            flags: row.get(1)?,
            mask: Mask::read(row.get_ref(2)?),
            ms: timeline.written_ms(n, row.get(3)?),
            live: row.get(5)?,
            known: read_known(row)?,
        });
    }
    Ok(entries)
}

fn read_key(row: &Row<'_>, table: &Table, form: Form) -> rusqlite::Result<Key> {
    const FIRST_KEY: usize = 8;
    if form != Form::Natural {
        return Ok(Key::Integer(row.get(FIRST_KEY)?));
    }
    let part = |n: usize| Ok(key_value(value(row.get_ref(FIRST_KEY + n)?)));
    Ok(Key::Values((0..table.key.len()).map(part).collect::<rusqlite::Result<_>>()?))
}

fn read_known(row: &Row<'_>) -> rusqlite::Result<Option<Known>> {
    let Some(clock) = row.get::<_, Option<Vec<u8>>>(7)? else { return Ok(None) };
    Ok(Some(Known { id: row.get::<_, Option<Vec<u8>>>(6)?.unwrap_or_default(), clock }))
}

/// The statement that tells what is now under one integer key.
pub(super) fn present_sql(table: &Table) -> String {
    let (name, key) = (quote(&table.name), quote(&table.columns[table.key[0]].name));
    let clock = clock_table(table.no);
    format!(
        "SELECT EXISTS(SELECT 1 FROM {name} t WHERE t.{key} = ?1), c.id, c.r \
         FROM (SELECT 1) LEFT JOIN {clock} c ON c.k = ?1"
    )
}

/// Reads what [`present_sql`] selects.
pub(super) fn read_present(row: &Row<'_>) -> rusqlite::Result<Present> {
    let clock: Option<Vec<u8>> = row.get(2)?;
    let id: Option<Vec<u8>> = row.get(1)?;
    Ok(Present { live: row.get(0)?, known: id.zip(clock).map(|(id, clock)| Known { id, clock }) })
}
