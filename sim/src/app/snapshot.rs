//! The rows that an application sees, by tag.

use std::collections::BTreeMap;

use pocketsync_core::value::Value;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::migrate;
use crate::history::{RowView, Rows, absent};
use crate::shape::{Column, Key, Role, RowTag, Shape, TableShape};

/// The rows of all tables at one moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    pub(super) version: usize,
    pub(super) tables: Vec<BTreeMap<String, Row>>,
}

/// A row, and how it is found.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Row {
    pub(super) view: RowView,
    /// The values of its key's columns.
    pub(super) key: Vec<Value>,
}

impl Snapshot {
    /// Reads all rows. Those of tables without a tag cannot be named, and are left out.
    ///
    /// # Errors
    /// When SQLite cannot read them.
    pub fn read(conn: &Connection, shape: &Shape) -> rusqlite::Result<Snapshot> {
        let version = migrate::version(conn, shape)?;
        let shapes = shape.tables_at(version);
        let mut raw = Vec::with_capacity(shapes.len());
        for table in shapes {
            raw.push(read_table(conn, table)?);
        }
        // The tag of the row that has this key, by table. Tables come after those they refer to.
        let mut tags: Vec<BTreeMap<Value, String>> = vec![BTreeMap::new(); shapes.len()];
        for (number, table) in shapes.iter().enumerate() {
            let columns = table.key_columns();
            let named: BTreeMap<Value, String> = raw[number]
                .iter()
                .filter_map(|row| Some((row[*columns.first()?].clone(), tag(table, row, &tags)?)))
                .collect();
            tags[number] = named;
        }
        let mut tables = Vec::with_capacity(shapes.len());
        for (table, rows) in shapes.iter().zip(raw) {
            let mut named: BTreeMap<String, Row> = BTreeMap::new();
            for row in rows {
                let Some(name) = tag(table, &row, &tags) else { continue };
                let key = table.key_columns().iter().map(|&column| row[column].clone()).collect();
                let cells: Vec<Value> = (row.iter().zip(&table.columns))
                    .map(|(value, column)| shown(value, &column.role, &tags))
                    .collect();
                let view = RowView { cells, copies: 1, unheld: unheld(table, &row) };
                let row = Row { view, key };
                match named.get_mut(&name) {
                    None => drop(named.insert(name, row)),
                    Some(twin) => {
                        let copies = twin.view.copies + 1;
                        if row.view.cells < twin.view.cells {
                            *twin = row;
                        }
                        twin.view.copies = copies;
                    }
                }
            }
            tables.push(named);
        }
        Ok(Snapshot { version, tables })
    }

    /// The version of the schema that the file is in.
    pub(crate) fn version(&self) -> usize {
        self.version
    }

    /// The rows as oracles want them.
    pub fn into_rows(self) -> Rows {
        let tables = self.tables.into_iter().enumerate();
        tables
            .flat_map(|(table, rows)| {
                rows.into_iter().map(move |(name, row)| (RowTag { table, name }, row.view))
            })
            .collect()
    }
}

fn read_table(conn: &Connection, table: &TableShape) -> rusqlite::Result<Vec<Vec<Value>>> {
    if !table.is_here() {
        return Ok(Vec::new());
    }
    let name = |column: &Column| match column.role {
        Role::Absent => "NULL".to_owned(),
        _ => quote(&column.name),
    };
    let columns: Vec<String> = table.columns.iter().map(name).collect();
    let sql = format!("SELECT {} FROM main.{}", columns.join(", "), quote(&table.name));
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = (0..columns.len()).map(|at| Ok(value(row.get_ref(at)?)));
        read.push(cells.collect::<rusqlite::Result<_>>()?);
    }
    Ok(read)
}

pub(super) fn value(read: ValueRef<'_>) -> Value {
    match read {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(text.to_vec()),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    }
}

/// What a row is called; `None` where its table has no column to call it by.
fn tag(table: &TableShape, row: &[Value], tags: &[BTreeMap<Value, String>]) -> Option<String> {
    match &table.key {
        Key::Surrogate { .. } => {
            let column = table.columns.iter().position(|column| column.role == Role::Tag)?;
            Some(word(&row[column]))
        }
        Key::Natural { columns } => Some(natural_tag(table, columns.iter().map(|&at| (at, &row[at])), tags)),
    }
}

fn natural_tag<'a>(
    table: &TableShape,
    key: impl Iterator<Item = (usize, &'a Value)>,
    tags: &[BTreeMap<Value, String>],
) -> String {
    let parts = key.map(|(column, value)| word(&shown(value, &table.columns[column].role, tags)));
    parts.collect::<Vec<_>>().join("|")
}

/// A cell as it is the same on every device.
fn shown(value: &Value, role: &Role, tags: &[BTreeMap<Value, String>]) -> Value {
    match role {
        Role::RowKey => Value::Null,
        Role::Absent => absent(),
        Role::Reference { table, .. } if *value != Value::Null => match tags[*table].get(value) {
            Some(tag) => Value::text(tag),
            None => Value::text(&format!("?{}", word(value))),
        },
        _ => value.clone(),
    }
}

/// What the table holds in references that no foreign key holds in this row.
fn unheld(table: &TableShape, row: &[Value]) -> BTreeMap<usize, Value> {
    let columns = table.columns.iter().enumerate();
    let is_unheld = |column: usize, with: &[usize]| {
        row[column] != Value::Null && with.iter().any(|&other| row[other] == Value::Null)
    };
    columns
        .filter_map(|(column, declared)| match &declared.role {
            Role::Reference { with, .. } if is_unheld(column, with) => Some((column, row[column].clone())),
            _ => None,
        })
        .collect()
}

fn word(value: &Value) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => other.to_string(),
    }
}

/// An identifier in SQL.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "
        CREATE TABLE shop(id INTEGER PRIMARY KEY, tag TEXT NOT NULL);
        CREATE TABLE day(shop INTEGER REFERENCES shop, at TEXT, PRIMARY KEY(shop, at)) WITHOUT ROWID;
        CREATE TABLE sale(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, shop INTEGER, at TEXT,
          FOREIGN KEY (shop, at) REFERENCES day);";

    fn sale(rows: &str) -> RowView {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(&format!("{SQL} {rows}")).unwrap();
        let rows = Snapshot::read(&conn, &Shape::of_sql(SQL).unwrap()).unwrap().into_rows();
        rows[&RowTag { table: 2, name: "r1".to_owned() }].clone()
    }

    #[test]
    fn an_integer_that_no_key_holds_is_the_same_whoever_stands_under_it() {
        let nothing = sale("INSERT INTO sale VALUES (1, 'r1', 3, NULL)");
        let stranger = sale("INSERT INTO shop VALUES (3, 'r2'); INSERT INTO sale VALUES (1, 'r1', 3, NULL)");
        assert_eq!((&nothing.cells[2], &stranger.cells[2]), (&Value::text("?3"), &Value::text("r2")));
        assert!(nothing.shows_same(&stranger, 2) && stranger.shows_same(&nothing, 2));
        let other = sale("INSERT INTO sale VALUES (1, 'r1', 4, NULL)");
        assert!(!other.shows_same(&stranger, 2) && !nothing.shows_same(&other, 2));
        // The same row under another integer.
        let renumbered =
            sale("INSERT INTO shop VALUES (4, 'r2'); INSERT INTO sale VALUES (1, 'r1', 4, NULL)");
        assert!(renumbered.shows_same(&stranger, 2));
    }

    #[test]
    fn an_integer_that_a_key_holds_is_the_row_under_it() {
        let held = |shop: &str| {
            sale(&format!(
                "INSERT INTO shop VALUES (3, '{shop}'); INSERT INTO day VALUES (3, 'k1');
                 INSERT INTO sale VALUES (1, 'r1', 3, 'k1')"
            ))
        };
        let unheld = sale("INSERT INTO sale VALUES (1, 'r1', 3, NULL)");
        assert_eq!((held("r2").unheld.len(), unheld.unheld.len()), (0, 1));
        assert!(held("r2").shows_same(&held("r2"), 2));
        assert!(!held("r2").shows_same(&held("r3"), 2));
        assert!(!held("r2").shows_same(&unheld, 2) && !unheld.shows_same(&held("r2"), 2));
        let null = sale("INSERT INTO sale VALUES (1, 'r1', NULL, 'k1')");
        assert!(null.unheld.is_empty() && !null.shows_same(&unheld, 2));
    }
}
