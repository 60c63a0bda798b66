//! Why a schema cannot be simulated, and what to do about it.

/// A schema cannot be simulated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// SQLite does not take the statements.
    #[error("SQLite does not take the schema: {0}; run it through the sqlite3 shell to see where")]
    Sql(#[from] rusqlite::Error),
    /// There is no table in it.
    #[error("the schema creates no table; a schema is SQL text with at least one CREATE TABLE")]
    NoTables,
    /// A table has no primary key.
    #[error(
        "table {table} has no PRIMARY KEY, so its rows have no identity that devices could share; \
         give it `id INTEGER PRIMARY KEY`, or a key of its own"
    )]
    NoKey {
        /// The table.
        table: String,
    },
    /// A foreign key names a table or a column that is not there.
    #[error("table {table} refers to {parent}, which does not exist; create {parent} or drop the reference")]
    NoParent {
        /// The table.
        table: String,
        /// What it refers to.
        parent: String,
    },
    /// Nothing could be written to any table.
    #[error("no table of the schema can be written at random: {}", .notes.join("; "))]
    NothingToWrite {
        /// Why not, table by table.
        notes: Vec<String>,
    },
}
