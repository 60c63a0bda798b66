//! A migration that the engine runs itself, so that nothing of it goes unseen.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection};

use super::apply::Shown;
use super::catalog::Catalog;
use super::catalog_load;
use super::engine::Engine;
use super::fold;
use super::renames;
use super::schema_change;
use super::schema_notes::{self, SchemaWarning};
use super::tracking::{compared, mirror};
use crate::store::{StoreError, StoreErrorKind};

/// A migration: a script, and what its statements do not say by themselves.
///
/// ```
/// use pocketsync_core::store::sqlite::Migration;
/// // Nothing in a rebuild says that `heading` is what `title` was.
/// let migration = Migration::new(
///     "CREATE TABLE fresh(id INTEGER PRIMARY KEY, heading TEXT);
///      INSERT INTO fresh SELECT id, title FROM note;
///      DROP TABLE note;
///      ALTER TABLE fresh RENAME TO note;",
/// )
/// .rename_column("note", "title", "heading");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Migration {
    script: String,
    columns: Vec<(String, String, String)>,
    tables: Vec<(String, String)>,
    dry_run: bool,
}

impl Migration {
    /// Runs these statements. BEGIN and COMMIT in it are passed over: all of it is one transaction.
    pub fn new(script: impl Into<String>) -> Self {
        Migration { script: script.into(), ..Migration::default() }
    }

    /// Says that a column has a new name. Not needed for ALTER TABLE … RENAME COLUMN. With an empty
    /// script, for a migration that somebody else has run.
    #[must_use]
    pub fn rename_column(
        mut self,
        table: impl Into<String>,
        old: impl Into<String>,
        new: impl Into<String>,
    ) -> Self {
        self.columns.push((table.into(), old.into(), new.into()));
        self
    }

    /// Says that a table has a new name. Not needed for ALTER TABLE … RENAME TO.
    #[must_use]
    pub fn rename_table(mut self, old: impl Into<String>, new: impl Into<String>) -> Self {
        self.tables.push((old.into(), new.into()));
        self
    }

    /// Tells what would become of it, and takes everything back.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }
}

/// What a migration came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct MigrationReport {
    /// How many statements ran.
    pub statements: u64,
    /// Tables that were rebuilt, by their names now.
    pub rebuilt: Vec<String>,
    /// Rows of them in which the migration changed values; they are sent.
    pub changed_rows: u64,
    /// Renames that all devices are told of: the new name, and the old one. Columns as
    /// `table.column`.
    pub renamed: Vec<(String, String)>,
    /// What is open: also what was open before.
    pub warnings: Vec<SchemaWarning>,
}

/// Runs a migration in one transaction.
///
/// # Errors
/// When a statement fails, or the tables refer to rows that are not there afterwards; the file is
/// as it was then.
pub(super) fn run(
    engine: &mut Engine,
    migration: &Migration,
) -> Result<(MigrationReport, Shown), StoreError> {
    let mut report = None;
    let done = engine.write(|engine| {
        let found = migrate(engine, migration)?;
        if migration.dry_run {
            report = Some(found.0);
            return Err(StoreError::new(StoreErrorKind::Unsupported, "taken back"));
        }
        Ok(found)
    });
    match report {
        Some(report) => {
            // The triggers of the connection were those of the other schema.
            mirror(&engine.conn, &engine.catalog)?;
            Ok((report, Shown::default()))
        }
        None => done,
    }
}

fn migrate(engine: &mut Engine, migration: &Migration) -> Result<(MigrationReport, Shown), StoreError> {
    if !engine.is_tracked() {
        return Err(refused("no table of this file is tracked: run the script with any SQLite program"));
    }
    fold::run(engine)?;
    let before = Names::of(engine);
    let dangling = dangling(&engine.conn)?;
    mirror(&engine.conn, &Catalog::default())?;
    let old_rows = rebuilt_tables(engine, &migration.script)?;
    for &no in &old_rows {
        compared::remember(engine, no)?;
    }
    declare(engine, migration)?;
    let statements = script(&engine.conn, &migration.script)?;
    if let Some(reference) = dangling_since(&engine.conn, &dangling)? {
        return Err(refused(format!("after the script {reference}; nothing was changed")));
    }
    schema_change::check(engine)?;
    let mut shown = schema_change::follow_names(engine)?;
    let mut report = MigrationReport { statements, ..MigrationReport::default() };
    for no in old_rows {
        if let Some(table) = engine.catalog.tables.get(&no).cloned() {
            if let Some(rows) = compared::journal(engine, &table)? {
                report.changed_rows += rows;
                // Nothing of it was unseen.
                engine.conn.execute("UPDATE __pocketsync_table SET suspect = 0 WHERE no = ?1", [no])?;
            }
            report.rebuilt.push(table.name);
        }
        compared::forget(engine, no)?;
    }
    for (table, ..) in &migration.columns {
        // Who names one new column has looked at all of them.
        if let Some(table) = engine.catalog.by_name(table) {
            schema_notes::settle(&engine.conn, table.no, None)?;
        }
    }
    fold::run(engine)?;
    shown.extend(schema_change::finish(engine)?);
    shown.extend(std::mem::take(&mut engine.shown_by_folds));
    schema_change::remember(engine)?;
    report.renamed = Names::of(engine).since(&before);
    report.warnings = schema_notes::warnings(&engine.conn)?;
    Ok((report, shown))
}

fn refused(message: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unsupported, message)
}

/// Runs the statements of a script. Answers how many these were.
fn script(conn: &Connection, sql: &str) -> Result<u64, StoreError> {
    // The application's triggers are part of what its statements mean.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
    let ran = statements(conn, sql);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    ran
}

fn statements(conn: &Connection, sql: &str) -> Result<u64, StoreError> {
    let mut batch = Batch::new(conn, sql);
    let mut count = 0;
    loop {
        let said =
            |error: rusqlite::Error| refused(format!("statement {} of the script: {error}", count + 1));
        let Some(mut statement) = batch.next().map_err(said)? else { return Ok(count) };
        let text = statement.expanded_sql().unwrap_or_default();
        let mut words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "BEGIN" | "COMMIT" | "END" => continue,
            "ROLLBACK" => return Err(refused("the script rolls itself back: nothing was changed")),
            _ => {}
        }
        let mut rows = statement.raw_query();
        while rows.next().map_err(said)?.is_some() {}
        count += 1;
    }
}

/// The tables whose triggers a script takes away, found by running it once and taking it back.
fn rebuilt_tables(engine: &Engine, sql: &str) -> Result<Vec<u32>, StoreError> {
    if sql.trim().is_empty() {
        return Ok(Vec::new());
    }
    engine.conn.execute_batch("SAVEPOINT __pocketsync_migrate")?;
    let tried = script(&engine.conn, sql).and_then(|_| {
        let kept: BTreeSet<String> = engine
            .conn
            .prepare("SELECT name FROM main.sqlite_master WHERE type = 'trigger' AND name LIKE '\\_\\_pocketsync\\_%' ESCAPE '\\'")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let tables = engine.catalog.tables.keys().copied();
        Ok(tables.filter(|no| !kept.contains(&format!("__pocketsync_{no}_insert"))).collect())
    });
    engine.conn.execute_batch("ROLLBACK TO __pocketsync_migrate; RELEASE __pocketsync_migrate")?;
    tried
}

/// Tells all devices what the script does not say by itself.
fn declare(engine: &mut Engine, migration: &Migration) -> Result<(), StoreError> {
    if migration.columns.is_empty() && migration.tables.is_empty() {
        return Ok(());
    }
    renames::ensure(&engine.conn)?;
    schema_change::check(engine)?;
    for (old, new) in &migration.tables {
        let known_as = table_elsewhere(engine, old)?
            .ok_or_else(|| refused(format!("no table {old} is tracked or was: see `pocketsync status`")))?;
        renames::record(&engine.conn, new, "", &known_as)?;
    }
    for (table, old, new) in &migration.columns {
        let renamed = migration.tables.iter().find(|(_, name)| name.eq_ignore_ascii_case(table));
        let table = renamed.map_or(table, |(old, _)| old);
        let wire_table = table_elsewhere(engine, table)?.ok_or_else(|| {
            refused(format!("table {table} is not tracked, so it has no column {old} to rename"))
        })?;
        let no = catalog_load::table_number(&engine.conn, &wire_table)?.unwrap_or_default();
        let here = catalog_load::local_column_numbers(&engine.conn, no)?;
        let number = here.iter().find(|(name, _)| name.eq_ignore_ascii_case(old)).map(|(_, number)| *number);
        let known_as = catalog_load::column_numbers(&engine.conn, no)?.into_iter();
        let known_as = known_as.into_iter().find(|(_, known)| Some(*known) == number).map(|(name, _)| name);
        let known_as = known_as
            .ok_or_else(|| refused(format!("table {table} has and had no column {old} to rename")))?;
        renames::record(&engine.conn, &wire_table, new, &known_as)?;
    }
    Ok(())
}

/// What others call the table that is called so here.
fn table_elsewhere(engine: &Engine, here: &str) -> Result<Option<String>, StoreError> {
    let no = catalog_load::local_table_number(&engine.conn, here)?;
    Ok(no.map(|no| catalog_load::wire_name(&engine.conn, no)).transpose()?)
}

/// How many references lead nowhere, by child, parent and number of the foreign key.
fn dangling(conn: &Connection) -> Result<BTreeMap<(String, String, i64), u64>, StoreError> {
    let mut counts = BTreeMap::new();
    let mut statement = conn.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        *counts.entry((row.get(0)?, row.get(2)?, row.get(3)?)).or_default() += 1;
    }
    Ok(counts)
}

/// A reference of which more lead nowhere than before, in words.
fn dangling_since(
    conn: &Connection,
    before: &BTreeMap<(String, String, i64), u64>,
) -> Result<Option<String>, StoreError> {
    let now = dangling(conn)?;
    let more = now.iter().find(|(key, count)| before.get(key).is_none_or(|before| before < *count));
    Ok(more.map(|((child, parent, _), count)| {
        format!("{count} rows of {child} refer to rows of {parent} that are not there")
    }))
}

/// What tables and columns are called here, by what they are called elsewhere.
struct Names(BTreeMap<(String, String), (String, String)>);

impl Names {
    fn of(engine: &Engine) -> Self {
        let mut names = BTreeMap::new();
        for table in engine.catalog.tables.values().filter(|table| table.name != renames::TABLE) {
            let wire = &table.wire_name;
            names.insert((wire.clone(), String::new()), (table.name.clone(), String::new()));
            for (name, no) in &table.numbers {
                if let Some(at) = table.position(*no) {
                    let here = (table.name.clone(), table.columns[at].name.clone());
                    names.insert((wire.clone(), name.clone()), here);
                }
            }
        }
        Names(names)
    }

    fn since(self, before: &Names) -> Vec<(String, String)> {
        let told = |(table, column): &(String, String)| {
            if column.is_empty() { table.clone() } else { format!("{table}.{column}") }
        };
        let of_itself = |(table, column): &(String, String)| {
            if column.is_empty() { table.clone() } else { column.clone() }
        };
        let renamed = self.0.into_iter().filter_map(|(key, now)| {
            let was = before.0.get(&key)?;
            (of_itself(was) != of_itself(&now)).then(|| (told(&now), told(was)))
        });
        renamed.collect()
    }
}
