//! Leave no trace.

use super::super::catalog::Catalog;
use super::super::engine::Engine;
use super::super::meta::Meta;
use super::super::system::quote;
use crate::lineage::Lineage;
use crate::store::{Sites, StoreError};

/// Drops everything that PocketSync put into the file, in one transaction. The user's tables keep
/// their rows; what is parked, the clocks and the journal are gone.
///
/// # Errors
/// When the file cannot be written; it is unchanged then.
pub fn untrack(engine: &mut Engine) -> Result<(), StoreError> {
    engine.conn.execute_batch("BEGIN IMMEDIATE")?;
    let done = drop_everything(engine).and_then(|()| engine.conn.execute_batch("COMMIT"));
    if let Err(error) = done {
        if !engine.conn.is_autocommit() {
            engine.conn.execute_batch("ROLLBACK")?;
        }
        return Err(error.into());
    }
    engine.set_catalog(Catalog::default());
    engine.sites = Sites::default();
    engine.meta = Meta::default();
    engine.stored = Meta::default();
    let stamp = engine.stamp();
    engine.lineage = Lineage::default();
    engine.lineage.open(0, stamp);
    Ok(())
}

fn drop_everything(engine: &Engine) -> rusqlite::Result<()> {
    // Indexes go with their tables.
    for kind in ["trigger", "view", "table"] {
        let names: Vec<String> = engine
            .conn
            .prepare(
                "SELECT name FROM main.sqlite_master
                 WHERE type = ?1 AND name LIKE '\\_\\_pocketsync\\_%' ESCAPE '\\'",
            )?
            .query_map([kind], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for name in names {
            engine.conn.execute_batch(&format!("DROP {kind} main.{}", quote(&name)))?;
        }
    }
    Ok(())
}
