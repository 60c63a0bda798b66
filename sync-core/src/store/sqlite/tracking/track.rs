//! Begin to track.

use super::super::engine::Engine;
use super::super::genesis;
use super::super::refs;
use super::super::rules;
use super::super::schema_change;
use super::super::system::{SYSTEM_TABLES, quote};
use super::audit::audit;
use super::install::install;
use super::plan::{Planned, Tables, TrackError, TrackedTable, plan, warnings};
use super::register;
use crate::conflict::RULES_TABLE;
use crate::store::{StoreError, StoreErrorKind};

/// Tracks tables, besides those that are tracked already: system tables, triggers, and clocks for
/// the rows that are there. All of it happens in one transaction, or nothing.
///
/// # Errors
/// When a table is not there or cannot be tracked, or the file cannot be written.
pub fn track(engine: &mut Engine, tables: &Tables) -> Result<Vec<TrackedTable>, TrackError> {
    let mut refused = None;
    let done = engine.write(|engine| {
        if !engine.is_tracked() {
            engine.conn.execute_batch(SYSTEM_TABLES)?;
            engine.found()?;
        }
        let known: Vec<_> =
            engine.catalog.tables.values().map(|table| (table.name.clone(), table.identity)).collect();
        match plan(&engine.conn, tables, &known) {
            Ok(planned) => track_planned(engine, &planned),
            Err(error) => {
                let message = error.to_string();
                refused = Some(error);
                Err(StoreError::new(StoreErrorKind::Unsupported, message))
            }
        }
    });
    match refused {
        Some(error) => Err(error),
        None => Ok(done?),
    }
}

fn track_planned(engine: &mut Engine, planned: &[Planned]) -> Result<Vec<TrackedTable>, StoreError> {
    let mut new = Vec::new();
    for Planned { raw, identity } in planned {
        let no = register::table(&engine.conn, raw, *identity)?;
        if !engine.catalog.tables.contains_key(&no) {
            new.push(no);
        }
    }
    let had_rules = engine.catalog.by_name(RULES_TABLE).is_some();
    rules::adopt(&engine.conn)?;
    schema_change::reload(engine)?;
    install(&engine.conn, &engine.catalog)?;
    if let Some(table) = engine.catalog.by_name(RULES_TABLE).filter(|_| !had_rules) {
        // Rules that were there before are set now, and no first rows of anybody.
        audit(&engine.conn, table)?;
        engine.meta.retry_due = engine.meta.retry_due.max(schema_change::RETRY);
    }
    schema_change::remember(engine)?;
    if engine.meta.head > 0 {
        // Rows of others may have waited for these tables.
        engine.meta.retry_due = engine.meta.retry_due.max(schema_change::RETRY);
    }
    for no in new {
        genesis::adopt(engine, no)?;
    }
    refs::note_all_named(engine)?;
    let tracked: Vec<String> = engine.catalog.tables.values().map(|table| table.name.clone()).collect();
    let mut report = Vec::with_capacity(planned.len());
    for Planned { raw, identity } in planned {
        let rows =
            engine.conn.query_row(&format!("SELECT count(*) FROM main.{}", quote(&raw.name)), [], |row| {
                row.get::<_, i64>(0)
            })?;
        report.push(TrackedTable {
            name: raw.name.clone(),
            identity: *identity,
            rows: rows as u64,
            warnings: warnings(raw, &tracked),
        });
    }
    Ok(report)
}
