//! Files that an earlier version tracked.

use super::engine::Engine;
use super::schema_change;
use super::system::{FORMAT, SYSTEM_TABLES};
use crate::store::StoreError;

/// Makes the system tables those of this version, in the transaction that is open.
///
/// Format 1 knew neither which row is shown for one that lost a unique key, nor since when a row
/// waits; all rows that wait are looked at again, which finds it out. Format 2 knew no columns that
/// merge, format 3 no changes that a peer refuses, and format 4 no names that were left, and not which tables have
/// changes: all may have them, until they are written.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn upgrade(engine: &mut Engine) -> Result<(), StoreError> {
    if engine.meta.format == 1 {
        engine.conn.execute_batch(
            "ALTER TABLE __pocketsync_aside ADD COLUMN winner BLOB;
             ALTER TABLE __pocketsync_aside ADD COLUMN since INTEGER;",
        )?;
    }
    engine.conn.execute_batch(SYSTEM_TABLES)?;
    engine.meta.format = FORMAT;
    engine.meta.retry_due = engine.meta.retry_due.max(schema_change::RETRY);
    Ok(())
}
