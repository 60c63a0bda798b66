//! Noticing that somebody changed the schema.

use super::engine::Engine;
use crate::store::StoreError;

/// Remembers that catalog and triggers fit the schema as it is now.
pub(super) fn remember(engine: &mut Engine) -> Result<(), StoreError> {
    engine.meta.schema_version = schema_version(engine)?;
    Ok(())
}

fn schema_version(engine: &Engine) -> Result<i64, StoreError> {
    Ok(engine.conn.query_row("PRAGMA main.schema_version", [], |row| row.get(0))?)
}
