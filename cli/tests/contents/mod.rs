//! Compares databases by what their rows say, without any of the engine's knowledge: integer keys
//! are left out, and a reference stands for the row that it points at.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::BTreeMap;
use std::path::Path;

use pocketsync::rusqlite::types::Value;
use pocketsync::rusqlite::{Connection, OpenFlags};

/// Every row of every table as text, sorted.
pub(crate) type Contents = BTreeMap<String, Vec<String>>;

/// References deeper than this are not followed: employees report to each other.
const DEPTH: usize = 6;

struct Table {
    columns: Vec<String>,
    /// The integer key, as a position.
    integer_key: Option<usize>,
    /// Column position, parent table, parent column.
    references: Vec<(usize, String, String)>,
    rows: Vec<Vec<Value>>,
}

pub(crate) fn open(path: &Path) -> Connection {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the file opens");
    conn.busy_timeout(std::time::Duration::from_secs(30)).expect("a timeout");
    conn
}

/// What a database says.
pub(crate) fn contents(path: &Path) -> Contents {
    let conn = open(path);
    let snapshot = conn.unchecked_transaction().expect("a snapshot");
    let tables: BTreeMap<String, Table> =
        table_names(&snapshot).into_iter().map(|name| (name.clone(), read(&snapshot, &name))).collect();
    tables
        .iter()
        .map(|(name, table)| {
            let mut rows: Vec<String> =
                table.rows.iter().map(|row| describe(&tables, table, row, DEPTH)).collect();
            rows.sort();
            (name.clone(), rows)
        })
        .collect()
}

/// Panics with the first differences.
pub(crate) fn assert_same(a: &Path, b: &Path) {
    let (in_a, in_b) = (contents(a), contents(b));
    assert_eq!(in_a.keys().collect::<Vec<_>>(), in_b.keys().collect::<Vec<_>>(), "the tables");
    for (table, rows_a) in &in_a {
        let rows_b = &in_b[table];
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            let mut rest = those.to_vec();
            these
                .iter()
                .filter(|row| match rest.binary_search(row) {
                    Ok(at) => {
                        rest.remove(at);
                        false
                    }
                    Err(_) => true,
                })
                .take(5)
                .cloned()
                .collect()
        };
        if rows_a != rows_b {
            panic!(
                "{table}: {} rows in {}, {} in {}\nonly in the first: {:#?}\nonly in the second: {:#?}",
                rows_a.len(),
                a.display(),
                rows_b.len(),
                b.display(),
                only(rows_a, rows_b),
                only(rows_b, rows_a)
            );
        }
    }
}

/// Panics unless SQLite finds the file and its references sound.
pub(crate) fn assert_sound(path: &Path) {
    let conn = open(path);
    let integrity: String = conn.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok", "{}", path.display());
    let mut broken = conn.prepare("PRAGMA foreign_key_check").unwrap();
    let broken: Vec<(String, Option<i64>, String)> = broken
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(broken.is_empty(), "{}: references to nothing: {broken:?}", path.display());
}

fn table_names(conn: &Connection) -> Vec<String> {
    let mut names = conn
        .prepare(
            // Without virtual tables and what they keep their indexes in.
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
             AND name NOT LIKE '\\_\\_pocketsync%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY name",
        )
        .unwrap();
    names.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn read(conn: &Connection, name: &str) -> Table {
    let mut select = conn.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
    let columns: Vec<String> =
        (0..select.column_count()).map(|at| select.column_name(at).unwrap().to_owned()).collect();
    let rows = select
        .query_map((), |row| (0..columns.len()).map(|at| row.get(at)).collect())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let at = |column: &str| columns.iter().position(|name| name.eq_ignore_ascii_case(column)).unwrap();
    let mut keys =
        conn.prepare(&format!("SELECT name, type FROM pragma_table_info('{name}') WHERE pk > 0")).unwrap();
    let keys: Vec<(String, String)> =
        keys.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
    let integer_key = match keys.as_slice() {
        [(column, kind)] if kind.eq_ignore_ascii_case("INTEGER") => Some(at(column)),
        _ => None,
    };
    let mut references = conn
        .prepare(&format!("SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list('{name}')"))
        .unwrap();
    let references = references
        .query_map((), |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(|reference| reference.map(|(from, table, to)| (at(&from), table, to)).unwrap())
        .collect();
    Table { columns, integer_key, references, rows }
}

fn describe(tables: &BTreeMap<String, Table>, table: &Table, row: &[Value], depth: usize) -> String {
    let mut parts = Vec::new();
    for (at, column) in table.columns.iter().enumerate() {
        if table.integer_key == Some(at) {
            continue;
        }
        let parent = table.references.iter().find(|(from, ..)| *from == at);
        let value = match (parent, &row[at]) {
            (Some((_, parent, key)), Value::Integer(_)) if depth > 0 => {
                let parent = &tables[parent];
                let key = parent.columns.iter().position(|name| name.eq_ignore_ascii_case(key)).unwrap();
                match find(parent, key, &row[at]) {
                    Some(found) => format!("({})", describe(tables, parent, found, depth - 1)),
                    None => "(nothing)".to_owned(),
                }
            }
            (Some(_), Value::Integer(_)) => "…".to_owned(),
            (_, value) => format!("{value:?}"),
        };
        parts.push(format!("{column}={value}"));
    }
    parts.join(" ")
}

/// Rows come from `SELECT *` of a rowid table, so in the order of their integer key.
fn find<'t>(table: &'t Table, key: usize, value: &Value) -> Option<&'t [Value]> {
    let Value::Integer(wanted) = value else { return None };
    let integer = |row: &Vec<Value>| match row[key] {
        Value::Integer(found) => found,
        _ => i64::MIN,
    };
    if table.integer_key == Some(key) {
        let at = table.rows.binary_search_by_key(wanted, integer).ok()?;
        return Some(&table.rows[at]);
    }
    table.rows.iter().find(|row| integer(row) == *wanted).map(Vec::as_slice)
}
