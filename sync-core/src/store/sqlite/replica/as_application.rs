//! Writing as an application does.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use super::handle::Replica;
use crate::store::sqlite::connection;
use crate::store::{StoreError, StoreErrorKind};

impl Replica {
    /// Runs one transaction on a connection like an application's: triggers fire, foreign keys are
    /// enforced, and what is written is captured and folded like any other local write.
    pub(super) fn as_application<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with(|_| {
            let failed = |error: super::OpenError| StoreError::new(StoreErrorKind::Io, error.to_string());
            let mut conn = connection::open(self.path(), self.options()).map_err(failed)?;
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
            conn.pragma_update(None, "foreign_keys", true)?;
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        })
        .inspect(|_| self.notify_committed())
    }
}
