//! Reads a shape off a schema.

use rusqlite::Connection;

use super::catalog::{self, CatalogKey, Table};
use super::roles::table_shape;
use super::{Column, Key, Role, Shape, ShapeError, TableShape};

impl Shape {
    /// Reads the shape of a schema by creating it in an empty database and asking SQLite.
    ///
    /// Views, virtual tables and generated columns are left out, as they are in synchronisation.
    /// Rows that the statements insert stay in [`Shape::sql`]: every device then begins with them.
    ///
    /// # Errors
    /// When SQLite does not take the statements, when there is no table, when a table has no
    /// primary key, refers to one that does not exist, or when no table can be written at random.
    /// The message says what to do.
    ///
    /// ```
    /// use pocketsync_sim::shape::{Role, Shape};
    /// let shape = Shape::of_sql(
    ///     "CREATE TABLE notes (id INTEGER PRIMARY KEY, origin TEXT NOT NULL, body TEXT)",
    /// )?;
    /// assert_eq!(shape.tables[0].columns[1].role, Role::Tag);
    /// # Ok::<(), pocketsync_sim::shape::ShapeError>(())
    /// ```
    pub fn of_sql(sql: &str) -> Result<Shape, ShapeError> {
        Shape::of_tracked(sql, &[])
    }

    /// The same, of an application that does not sync these tables.
    ///
    /// # Errors
    /// As [`of_sql`](Shape::of_sql), of the others.
    pub fn of_tracked(sql: &str, untracked: &[String]) -> Result<Shape, ShapeError> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(sql)?;
        // Rows are tried without parents; and what the schema inserted would be in their way.
        connection.execute_batch("PRAGMA foreign_keys = OFF")?;
        let mut tables = catalog::tables(&connection)?;
        tables.retain(|table| !untracked.iter().any(|name| name.eq_ignore_ascii_case(&table.name)));
        let tables = parents_first(tables);
        check(&tables)?;
        for table in &tables {
            let name = table.name.replace('"', "\"\"");
            // A trigger may forbid it; then the rows stay, and values that they hold are not tried.
            let _ = connection.execute_batch(&format!("DELETE FROM \"{name}\""));
        }
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let mut shapes: Vec<TableShape> = Vec::new();
        for table in &tables {
            let shape = table_shape(&connection, table, &names, &shapes)?;
            shapes.push(shape);
        }
        let shape =
            Shape { sql: sql.to_owned(), tables: shapes, untracked: untracked.to_vec(), ..Shape::default() };
        if !shape.tables.iter().any(TableShape::is_written) {
            return Err(ShapeError::NothingToWrite { notes: shape.notes() });
        }
        Ok(shape)
    }

    /// The table of that name, as an index into [`Shape::tables`]. Case does not count, as in SQL.
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// What somebody should know who wonders why a table stays empty, in one sentence a table.
    pub fn notes(&self) -> Vec<String> {
        let note =
            |table: &TableShape| Some(format!("table {} is left alone: {}", table.name, table.left_alone()?));
        self.tables.iter().filter_map(note).collect()
    }
}

impl TableShape {
    /// The columns that identify a row, as indexes into [`TableShape::columns`].
    pub(crate) fn key_columns(&self) -> &[usize] {
        match &self.key {
            Key::Surrogate { column } => std::slice::from_ref(column),
            Key::Natural { columns } => columns,
        }
    }

    /// Whether stories write to it. The others are only looked at for convergence.
    pub fn is_written(&self) -> bool {
        self.left_alone().is_none()
    }

    /// The column with the [tag](Role::Tag), as an index into [`TableShape::columns`].
    pub fn tag(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.role == Role::Tag)
    }

    /// Why stories do not write to it; `None` if they do.
    pub fn left_alone(&self) -> Option<&'static str> {
        let refused = |column: &Column| {
            matches!(&column.role, Role::Pool(values) if values.is_empty()) && !column.nullable
        };
        if self.columns.iter().any(refused) {
            return Some(
                "no row was found that its CHECKs and triggers accept; name an accepted value in the CHECK, or relax it",
            );
        }
        match self.key {
            Key::Surrogate { .. } if self.tag().is_none() => Some(
                "its key is an integer that differs between devices, and no text column is free to say which row \
                 is which; add a column such as `origin TEXT NOT NULL`",
            ),
            _ => None,
        }
    }
}

fn check(tables: &[Table]) -> Result<(), ShapeError> {
    if tables.is_empty() {
        return Err(ShapeError::NoTables);
    }
    for table in tables {
        if matches!(table.key, CatalogKey::Absent) {
            return Err(ShapeError::NoKey { table: table.name.clone() });
        }
        for key in &table.references {
            if !tables.iter().any(|other| other.name.eq_ignore_ascii_case(&key.parent)) {
                return Err(ShapeError::NoParent { table: table.name.clone(), parent: key.parent.clone() });
            }
        }
    }
    Ok(())
}

/// Puts tables behind those that they refer to, and leaves the order alone otherwise. A cycle is
/// broken at its first table.
fn parents_first(mut waiting: Vec<Table>) -> Vec<Table> {
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let ready = |table: &Table| {
            let waits_for = |key: &super::catalog::ForeignKey| {
                !key.parent.eq_ignore_ascii_case(&table.name)
                    && waiting.iter().any(|other| other.name.eq_ignore_ascii_case(&key.parent))
            };
            !table.references.iter().any(waits_for)
        };
        let next = waiting.iter().position(ready).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}
