//! Who waits for what: the stored claims of contested unique keys, and what hidden rows refer to.

use super::super::engine::Engine;
use super::super::row_clock::{compact_id, expand_id, find_compact_id};
use super::claims::Claim;
use super::links::Target;
use super::row::RowKey;
use crate::store::StoreError;

/// Stores that a row claims a contested key.
pub(crate) fn put_claim(engine: &mut Engine, key: &RowKey, claim: &Claim) -> Result<(), StoreError> {
    let id = compact_id(&key.1, &mut engine.sites);
    engine
        .conn
        .prepare_cached("INSERT OR IGNORE INTO __pocketsync_claim(tbl, idx, key, id) VALUES(?1, ?2, ?3, ?4)")?
        .execute((claim.table, claim.index as i64, &claim.key, id))?;
    Ok(())
}

/// Stores that a row waits for what it refers to.
pub(crate) fn put_wait(engine: &mut Engine, key: &RowKey, target: &Target) -> Result<(), StoreError> {
    let id = compact_id(&key.1, &mut engine.sites);
    engine
        .conn
        .prepare_cached(
            "INSERT OR IGNORE INTO __pocketsync_wait(parent, target, tbl, id) VALUES(?1, ?2, ?3, ?4)",
        )?
        .execute((target.table(), target.to_bytes(), key.0, id))?;
    Ok(())
}

/// Forgets the claims of a row.
pub(crate) fn forget_claims(engine: &Engine, key: &RowKey) -> Result<(), StoreError> {
    let Some(id) = find_compact_id(&key.1, &engine.sites) else { return Ok(()) };
    let mut statement =
        engine.conn.prepare_cached("DELETE FROM __pocketsync_claim WHERE tbl = ?1 AND id = ?2")?;
    statement.execute((key.0, &id))?;
    Ok(())
}

/// Forgets that anybody claims a key.
pub(crate) fn forget_claim(engine: &Engine, claim: &Claim) -> Result<(), StoreError> {
    engine
        .conn
        .prepare_cached("DELETE FROM __pocketsync_claim WHERE tbl = ?1 AND idx = ?2 AND key = ?3")?
        .execute((claim.table, claim.index as i64, &claim.key))?;
    Ok(())
}

/// Forgets what a row waits for.
pub(crate) fn forget_waits(engine: &Engine, key: &RowKey) -> Result<(), StoreError> {
    let Some(id) = find_compact_id(&key.1, &engine.sites) else { return Ok(()) };
    let mut statement =
        engine.conn.prepare_cached("DELETE FROM __pocketsync_wait WHERE tbl = ?1 AND id = ?2")?;
    statement.execute((key.0, &id))?;
    Ok(())
}

/// Forgets all claims of a table's rows, and what they wait for.
pub(crate) fn forget_table(engine: &Engine, table_no: u32) -> Result<(), StoreError> {
    engine.conn.execute("DELETE FROM __pocketsync_claim WHERE tbl = ?1", [table_no])?;
    engine.conn.execute("DELETE FROM __pocketsync_wait WHERE tbl = ?1", [table_no])?;
    Ok(())
}

/// Whether any key of a table is contested.
pub(crate) fn has_claims(engine: &Engine, table_no: u32) -> Result<bool, StoreError> {
    let mut statement =
        engine.conn.prepare_cached("SELECT 1 FROM __pocketsync_claim WHERE tbl = ?1 LIMIT 1")?;
    Ok(statement.exists([table_no])?)
}

/// Whether anything waits for a row of a table.
pub(crate) fn has_waiting(engine: &Engine, parent: u32) -> Result<bool, StoreError> {
    let mut statement =
        engine.conn.prepare_cached("SELECT 1 FROM __pocketsync_wait WHERE parent = ?1 LIMIT 1")?;
    Ok(statement.exists([parent])?)
}

/// The rows that are stored as claiming a key.
pub(crate) fn claimants(engine: &Engine, claim: &Claim) -> Result<Vec<RowKey>, StoreError> {
    let mut statement = engine
        .conn
        .prepare_cached("SELECT id FROM __pocketsync_claim WHERE tbl = ?1 AND idx = ?2 AND key = ?3")?;
    let mut rows = statement.query((claim.table, claim.index as i64, &claim.key))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        found.push((claim.table, expand_id(id, &engine.sites)?));
    }
    Ok(found)
}

/// The contested keys that a row is stored as claiming.
pub(crate) fn claims_of(engine: &Engine, key: &RowKey) -> Result<Vec<Claim>, StoreError> {
    let Some(id) = find_compact_id(&key.1, &engine.sites) else { return Ok(Vec::new()) };
    let mut statement =
        engine.conn.prepare_cached("SELECT idx, key FROM __pocketsync_claim WHERE tbl = ?1 AND id = ?2")?;
    let mut rows = statement.query((key.0, id))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let index = row.get::<_, i64>(0)? as usize;
        found.push(Claim { table: key.0, index, key: row.get(1)? });
    }
    Ok(found)
}

/// The rows that wait for a target.
pub(crate) fn waiting(engine: &Engine, target: &Target) -> Result<Vec<RowKey>, StoreError> {
    let mut statement = engine
        .conn
        .prepare_cached("SELECT tbl, id FROM __pocketsync_wait WHERE parent = ?1 AND target = ?2")?;
    let mut rows = statement.query((target.table(), target.to_bytes()))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        found.push((row.get(0)?, expand_id(id, &engine.sites)?));
    }
    Ok(found)
}

/// The rows of a table that are stored as claiming any key.
pub(crate) fn all_claimants(engine: &Engine, table_no: u32) -> Result<Vec<RowKey>, StoreError> {
    let mut statement = engine
        .conn
        .prepare_cached("SELECT DISTINCT id FROM __pocketsync_claim WHERE tbl = ?1 ORDER BY id")?;
    let mut rows = statement.query([table_no])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        found.push((table_no, expand_id(id, &engine.sites)?));
    }
    Ok(found)
}

/// All rows that may miss a parent.
pub(crate) fn missing_parents(engine: &Engine) -> Result<Vec<RowKey>, StoreError> {
    let sql = "SELECT tbl, id FROM __pocketsync_aside WHERE reason IN ('missing parent', 'refused')
         ORDER BY tbl, id";
    let mut statement = engine.conn.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        found.push((row.get(0)?, expand_id(id, &engine.sites)?));
    }
    Ok(found)
}
