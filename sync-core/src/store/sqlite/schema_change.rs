//! Noticing that somebody changed the schema: a migration, by any program.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::OptionalExtension;

use super::apply::Shown;
use super::catalog_load::{self, table_number};
use super::engine::Engine;
use super::fold;
use super::introspect;
use super::park;
use super::rules;
use super::system::PREFIX;
use super::tracking::{audit, install, mirror, new_columns, register, renamed_columns};
use crate::store::{StoreError, StoreErrorKind};

/// Makes catalog, clock tables and triggers fit the schema again where it changed. Answers
/// whether it did.
///
/// Every transaction of the engine begins with it, so that the rest of the engine always sees a
/// catalog that fits. A table that lost its triggers is marked as suspect: rows that came or went
/// meanwhile are found and journaled, changed values are not.
///
/// # Errors
/// When the primary key of a tracked table is another one now, or the schema cannot be read.
pub(crate) fn check(engine: &mut Engine) -> Result<bool, StoreError> {
    if !engine.is_tracked() || schema_version(engine)? == engine.meta.schema_version {
        return Ok(false);
    }
    follow_renames(engine)?;
    rules::adopt(&engine.conn)?;
    let renamed = register_columns(engine)?;
    reload(engine)?;
    for table in engine.catalog.tables.values() {
        let mut new = register::not_captured(&engine.conn, table)?;
        new.retain(|column| !renamed.get(&table.no).is_some_and(|names| names.contains_key(&column.name)));
        new_columns::mark(&engine.conn, table, &new)?;
    }
    for laid in install(&engine.conn, &engine.catalog)? {
        if laid.was_bare {
            engine.conn.execute("UPDATE __pocketsync_table SET suspect = 1 WHERE no = ?1", [laid.table])?;
        }
        if laid.was_bare || laid.claims_changed {
            audit(&engine.conn, &engine.catalog.tables[&laid.table])?;
        }
    }
    for (no, columns) in renamed {
        let Some(table) = engine.catalog.tables.get(&no).cloned() else { continue };
        for (name, old) in columns {
            let new = table.columns.iter().find(|column| column.name == name).map(|column| column.no);
            if let Some(new) = new {
                renamed_columns::carry_over(engine, &table, (old, new))?;
            }
        }
    }
    engine.meta.retry_due = 1;
    remember(engine)?;
    Ok(true)
}

/// Shows the rows and values that wait and that the schema has room for now. Once after each
/// change of the schema; folds first.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn settle(engine: &mut Engine) -> Result<Shown, StoreError> {
    if engine.meta.retry_due == 0 {
        return Ok(Shown::default());
    }
    fold::run(engine)?;
    let shown = park::retry(engine)?;
    engine.meta.retry_due = 0;
    Ok(shown)
}

/// Reads the catalog anew.
pub(super) fn reload(engine: &mut Engine) -> Result<(), StoreError> {
    let catalog = catalog_load::load(&engine.conn)?;
    engine.set_catalog(catalog);
    Ok(())
}

/// Mirrors the application's triggers, and remembers that all fits the schema as it is now.
pub(super) fn remember(engine: &mut Engine) -> Result<(), StoreError> {
    mirror(&engine.conn, &engine.catalog)?;
    engine.meta.schema_version = schema_version(engine)?;
    Ok(())
}

fn schema_version(engine: &Engine) -> Result<i64, StoreError> {
    Ok(engine.conn.prepare_cached("PRAGMA main.schema_version")?.query_row([], |row| row.get(0))?)
}

/// A table that was renamed took its triggers with it.
fn follow_renames(engine: &Engine) -> Result<(), StoreError> {
    let present = introspect::synced_table_names(&engine.conn)?;
    let is_present = |name: &str| present.iter().any(|here| here.eq_ignore_ascii_case(name));
    let tracked: Vec<(u32, String)> = engine
        .conn
        .prepare("SELECT no, name FROM __pocketsync_table WHERE tracked ORDER BY no")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (no, _) in tracked.into_iter().filter(|(_, name)| !is_present(name)) {
        let new_name: Option<String> = engine
            .conn
            .query_row(
                "SELECT tbl_name FROM main.sqlite_master WHERE type = 'trigger' AND name = ?1",
                [format!("{PREFIX}{no}_insert")],
                |row| row.get(0),
            )
            .optional()?;
        let Some(new_name) = new_name else { continue };
        // A name that has rows of others waiting under it keeps its number.
        if table_number(&engine.conn, &new_name)?.is_none() {
            engine.conn.execute("UPDATE __pocketsync_table SET name = ?2 WHERE no = ?1", (no, &new_name))?;
        }
    }
    Ok(())
}

/// By table the renamed columns: new name, old number.
type Renamed = BTreeMap<u32, BTreeMap<String, u32>>;

/// Gives new columns their numbers. Answers with the renamed ones, by table.
fn register_columns(engine: &Engine) -> Result<Renamed, StoreError> {
    let mut renamed = BTreeMap::new();
    let present: BTreeSet<String> = introspect::synced_table_names(&engine.conn)?.into_iter().collect();
    let tracked: Vec<(u32, String, String)> = engine
        .conn
        .prepare("SELECT no, name, fingerprint FROM __pocketsync_table WHERE tracked ORDER BY no")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (no, name, fingerprint) in tracked {
        let Some(here) = present.iter().find(|here| here.eq_ignore_ascii_case(&name)) else { continue };
        let raw = introspect::read_table(&engine.conn, here)?;
        let found = renamed_columns::find(&engine.conn, no, &raw)?;
        let names = catalog_load::column_numbers(&engine.conn, no)?;
        let old_name = |name: &str| {
            let old = found.get(name)?;
            names.iter().find(|(_, no)| *no == old).map(|(name, _)| name.clone())
        };
        let shape = register::key_shape(&raw, old_name);
        if shape != fingerprint {
            return Err(StoreError::new(
                StoreErrorKind::Unsupported,
                format!(
                    "table {name} was rebuilt with another primary key ({shape}; it was {fingerprint}), and its \
                     rows cannot be told apart any more: undo that, or untrack the file and track it again"
                ),
            ));
        }
        if !found.is_empty() {
            let now = register::key_shape(&raw, |_| None);
            engine.conn.execute("UPDATE __pocketsync_table SET fingerprint = ?2 WHERE no = ?1", (no, now))?;
        }
        renamed.insert(no, found);
        register::columns(&engine.conn, no, &raw)?;
    }
    Ok(renamed)
}
