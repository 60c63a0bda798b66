//! Noticing that somebody changed the schema: a migration, by any program.

use std::collections::BTreeSet;

use rusqlite::OptionalExtension;

use super::apply::Shown;
use super::catalog::Table;
use super::catalog_load::{self, local_table_number};
use super::engine::Engine;
use super::fold;
use super::introspect::{self, RawTable};
use super::merging;
use super::names::{self, LocalNames};
use super::park;
use super::renames::{self, Renames};
use super::rules;
use super::schema_notes::{self, Kind};
use super::suspect;
use super::system::{FORMAT, PREFIX, clock_table};
use super::tracking::{
    TRIGGERS, audit, filled_columns, install, lost_values, mirror, new_columns, register, rekey,
    renamed_columns,
};
use super::upgrade;
use crate::conflict::RULES_TABLE;
use crate::store::{StoreError, StoreErrorKind};

/// What waits may have room now.
pub(super) const RETRY: i64 = 1;
/// So it is, and values that others have are gone from this file.
const READ_AGAIN: i64 = 2;

/// Makes catalog, clock tables and triggers fit the schema again where it changed, and the triggers
/// those of this build where an earlier one laid them. Answers whether anything did.
///
/// Every transaction of the engine begins with it, so that the rest of the engine always sees a
/// catalog that fits. A table that lost its triggers is marked as suspect: rows that came or went
/// meanwhile are found and journaled, changed values when peers [tell the former ones](suspect). The
/// rows of a table that was seen to be gone were not deleted: when it is back, they come again from others.
///
/// # Errors
/// When the schema cannot be read, or the file not written.
pub(crate) fn check(engine: &mut Engine) -> Result<bool, StoreError> {
    if engine.is_tracked() && engine.meta.format < FORMAT {
        upgrade::upgrade(engine)?;
    }
    let has_triggers = engine.meta.triggers >= TRIGGERS;
    if !engine.is_tracked() || has_triggers && schema_version(engine)? == engine.meta.schema_version {
        return Ok(false);
    }
    refit(engine, &mut Shown::default())?;
    Ok(true)
}

fn refit(engine: &mut Engine, shown: &mut Shown) -> Result<(), StoreError> {
    renames::adopt(&engine.conn)?;
    rules::adopt(&engine.conn)?;
    let mut found = Found::default();
    follow_renames(engine, &mut found)?;
    register_columns(engine, &mut found)?;
    if !found.renamed.is_empty() {
        renames::ensure(&engine.conn)?;
    }
    reload_named(engine, shown)?;
    for no in std::mem::take(&mut found.rekeyed) {
        found.adopted.extend(rekey::begin(engine, no)?);
    }
    reload(engine)?;
    for table in engine.catalog.tables.values() {
        if found.adopted.iter().any(|before| before.table == table.no) {
            continue;
        }
        let new = register::not_captured(&engine.conn, table)?;
        new_columns::mark(&engine.conn, table, &new)?;
        found.new.extend(new.into_iter().map(|column| (table.no, column.no)));
        let back = register::come_back(&engine.conn, table)?;
        found.back.extend(back.into_iter().map(|column| (table.no, column)));
    }
    lay(engine, &found)?;
    for before in &found.adopted {
        rekey::finish(engine, before)?;
    }
    for (table, column, known_as) in &found.renamed {
        renames::record(&engine.conn, table, column, known_as)?;
    }
    if !found.renamed.is_empty() {
        // Others may have had the new name first: what they told under it was kept aside.
        reload_named(engine, shown)?;
    }
    engine.meta.retry_due = engine.meta.retry_due.max(RETRY);
    for (no, ..) in tracked(engine)? {
        if !engine.catalog.tables.contains_key(&no) {
            register::mark(&engine.conn, no, register::GONE)?;
        }
    }
    remember(engine)
}

/// What a look at the schema found.
#[derive(Default)]
struct Found {
    /// Table and column (empty: the table itself) by their new names, and what others call it.
    renamed: Vec<(String, String, String)>,
    /// Tables with another primary key.
    rekeyed: Vec<u32>,
    /// The same, with what their keys were.
    adopted: Vec<rekey::Before>,
    /// Columns that the triggers did not know.
    new: BTreeSet<(u32, u32)>,
    /// Those of them that were here once before.
    back: Vec<(u32, u32)>,
}

/// Whether a table is one of ours in which nothing was known: it was made a moment ago.
fn is_new_of_ours(engine: &Engine, table: &Table) -> Result<bool, StoreError> {
    if table.name == RULES_TABLE {
        let sql = format!("SELECT 1 FROM {}", clock_table(table.no));
        return Ok(!engine.conn.prepare(&sql)?.exists([])?);
    }
    Ok(table.name == renames::TABLE)
}

/// Lays the triggers, and looks after tables that had none.
fn lay(engine: &mut Engine, found: &Found) -> Result<(), StoreError> {
    let mut bare = Vec::new();
    for laid in install(&engine.conn, &engine.catalog)? {
        let table = engine.catalog.tables[&laid.table].clone();
        if found.adopted.iter().any(|before| before.table == table.no) {
            continue;
        }
        if laid.was_bare
            && register::was_gone(&engine.conn, table.no)?
            && lost_values::forget_rows(engine, &table)?
        {
            engine.meta.retry_due = READ_AGAIN;
        }
        if laid.was_bare || laid.claims_changed {
            audit(&engine.conn, &table)?;
        }
        if laid.was_bare && !is_new_of_ours(engine, &table)? {
            register::mark(&engine.conn, table.no, register::SUSPECT)?;
            engine.meta.told_seq = engine.meta.told_seq.max(engine.meta.offered_seq);
        }
        if laid.was_bare {
            bare.push(table);
        }
    }
    for &(table, column) in &found.back {
        let Some(table) = engine.catalog.tables.get(&table).cloned() else { continue };
        if lost_values::forget_column(engine, &table, column)? {
            engine.meta.retry_due = READ_AGAIN;
        }
    }
    for table in bare {
        filled_columns::adopt(engine, &table)?;
    }
    Ok(())
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
    finish(engine)
}

/// The same, when all is folded.
pub(super) fn finish(engine: &mut Engine) -> Result<Shown, StoreError> {
    suspect::ask(engine, engine.meta.retry_due == READ_AGAIN)?;
    let shown = park::retry(engine)?;
    if rules::exists(&engine.conn)? {
        merging::refresh(engine)?;
    }
    engine.meta.retry_due = 0;
    Ok(shown)
}

/// Makes the names here fit the renames that have come from elsewhere, and shows what that brings.
///
/// # Errors
/// When the file cannot be read or written.
pub(super) fn follow_names(engine: &mut Engine) -> Result<Shown, StoreError> {
    let mut shown = Shown::default();
    // What seemed to be gone may be here under the other name.
    refit(engine, &mut shown)?;
    if fold::run(engine)?.is_some() {
        shown.extend(std::mem::take(&mut engine.shown_by_folds));
    }
    shown.extend(park::retry(engine)?);
    Ok(shown)
}

/// Reads the catalog anew, by the names that others know.
fn reload_named(engine: &mut Engine, shown: &mut Shown) -> Result<(), StoreError> {
    reload(engine)?;
    if renames::apply(engine, shown)? {
        reload(engine)?;
    }
    Ok(())
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
    engine.meta.triggers = TRIGGERS;
    Ok(())
}

fn schema_version(engine: &Engine) -> Result<i64, StoreError> {
    Ok(engine.conn.prepare_cached("PRAGMA main.schema_version")?.query_row([], |row| row.get(0))?)
}

/// The tracked tables: number, the name that others know, the name here, and the key's shape.
fn tracked(engine: &Engine) -> Result<Vec<(u32, String, String, String)>, StoreError> {
    let names = LocalNames::load(&engine.conn)?;
    let mut statement = engine
        .conn
        .prepare("SELECT no, name, fingerprint FROM __pocketsync_table WHERE tracked ORDER BY no")?;
    let tracked = statement.query_map([], |row| {
        let (no, name): (u32, String) = (row.get(0)?, row.get(1)?);
        let here = names.table(no).unwrap_or(&name).to_owned();
        Ok((no, name, here, row.get(2)?))
    })?;
    Ok(tracked.collect::<Result<_, _>>()?)
}

/// A table that was renamed took its triggers with it.
fn follow_renames(engine: &Engine, found: &mut Found) -> Result<(), StoreError> {
    let present = introspect::synced_table_names(&engine.conn)?;
    let renames = Renames::load(&engine.conn)?;
    let is_present = |name: &str| present.iter().any(|here| here.eq_ignore_ascii_case(name));
    for (no, wire_name, _, _) in tracked(engine)?.into_iter().filter(|(_, _, here, _)| !is_present(here)) {
        let new_name: Option<String> = engine
            .conn
            .query_row(
                "SELECT tbl_name FROM main.sqlite_master WHERE type = 'trigger' AND name = ?1",
                [format!("{PREFIX}{no}_insert")],
                |row| row.get(0),
            )
            .optional()?;
        let declared = |name: &&String| {
            let known_as = renames.table(name);
            known_as.is_some_and(|known_as| known_as.eq_ignore_ascii_case(&wire_name))
        };
        let Some(new_name) = new_name.or_else(|| present.iter().find(declared).cloned()) else { continue };
        let taken = local_table_number(&engine.conn, &new_name)?;
        let is_tracked = |no: &u32| engine.catalog.tables.contains_key(no);
        if taken.is_some_and(|other| other != no && is_tracked(&other)) {
            continue;
        }
        let differs = !new_name.eq_ignore_ascii_case(&wire_name);
        names::set_table(&engine.conn, no, differs.then_some(&new_name))?;
        if differs {
            found.renamed.push((new_name, String::new(), wire_name));
        }
    }
    Ok(())
}

/// Gives new columns their numbers, and renamed ones their new name here.
fn register_columns(engine: &Engine, found: &mut Found) -> Result<(), StoreError> {
    let present = introspect::synced_table_names(&engine.conn)?;
    let renames = Renames::load(&engine.conn)?;
    for (no, wire_name, name, fingerprint) in tracked(engine)? {
        let Some(here) = present.iter().find(|here| here.eq_ignore_ascii_case(&name)) else { continue };
        let raw = introspect::read_table(&engine.conn, here)?;
        let mut renamed = renamed_columns::find(&engine.conn, no, &raw)?;
        renamed.extend(renamed_columns::declared(&engine.conn, no, &raw, &renames)?);
        let before = catalog_load::local_column_numbers(&engine.conn, no)?;
        let old_name = |name: &str| {
            let old = renamed.get(name)?;
            before.iter().find(|(_, no)| *no == old).map(|(name, _)| name.clone())
        };
        let shape = register::key_shape(&raw, old_name);
        if shape == "none" {
            let message = format!(
                "table {name} was rebuilt without a primary key (it was: {fingerprint}), and nothing says which row \
                 is which any more: give it one again, or untrack the file"
            );
            return Err(StoreError::new(StoreErrorKind::Unsupported, message));
        }
        if !register::same_key(&shape, &fingerprint) {
            found.rekeyed.push(no);
        }
        for (name, old) in &renamed {
            let known = catalog_load::column_numbers(&engine.conn, no)?;
            let Some(known_as) = known.into_iter().find(|(_, no)| no == old).map(|(name, _)| name) else {
                continue;
            };
            let differs = !name.eq_ignore_ascii_case(&known_as);
            names::set_column(&engine.conn, no, *old, differs.then_some(name))?;
            if differs {
                found.renamed.push((wire_name.clone(), name.clone(), known_as));
            }
        }
        let now = register::key_shape(&raw, |_| None);
        if now != fingerprint && register::same_key(&shape, &fingerprint) {
            engine.conn.execute("UPDATE __pocketsync_table SET fingerprint = ?2 WHERE no = ?1", (no, now))?;
        }
        note_replaced(engine, no, &raw)?;
        register::columns(&engine.conn, no, &raw)?;
    }
    Ok(())
}

/// Where a rebuild left one column out and brought one that nobody has heard of, they may be the
/// same: that is said.
fn note_replaced(engine: &Engine, no: u32, raw: &RawTable) -> Result<(), StoreError> {
    let has_triggers = engine
        .conn
        .prepare_cached("SELECT 1 FROM main.sqlite_master WHERE type = 'trigger' AND name = ?1")?
        .exists([format!("{PREFIX}{no}_update")])?;
    if has_triggers {
        // One was dropped and another one added, each by itself.
        return Ok(());
    }
    let captured = renamed_columns::captured(&engine.conn, no)?;
    let known = catalog_load::local_column_numbers(&engine.conn, no)?;
    let is_here = |name: &str| raw.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let is_known = |name: &str| known.keys().any(|here| here.eq_ignore_ascii_case(name));
    let gone: Vec<&str> = captured.keys().map(String::as_str).filter(|name| !is_here(name)).collect();
    let elsewhere = catalog_load::column_numbers(&engine.conn, no)?;
    let wire_table = catalog_load::wire_name(&engine.conn, no)?;
    let renames = Renames::load(&engine.conn)?;
    let declared = |name: &str| {
        let known_as = renames.column(&wire_table, name);
        known_as.is_some_and(|known_as| elsewhere.keys().any(|here| here.eq_ignore_ascii_case(&known_as)))
    };
    for column in raw.columns.iter().filter(|column| !column.generated) {
        if !gone.is_empty() && !is_known(&column.name) && !declared(&column.name) {
            let gone = gone.join(schema_notes::SEPARATOR);
            schema_notes::note(&engine.conn, no, Kind::MaybeRenamed, &column.name, &gone)?;
        }
    }
    Ok(())
}
