//! One connection to the user's file, and the state that goes with it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::apply::Shown;
use super::catalog::Catalog;
use super::changed::Changed;
use super::extract::Sources;
use super::meta::Meta;
use super::refs::StatementCache;
use super::schema_change;
use crate::conflict::ConflictLimits;
use crate::id::SiteId;
use crate::lineage::{Lineage, Stamp};
use crate::store::{Recent, Sites, StoreError, StoreErrorKind};

/// The engine's own connection and what it keeps in memory of the system tables.
///
/// The memory is a copy of what the transaction in progress says; [`write`](Self::write) takes it
/// back together with a transaction that fails.
#[derive(Debug)]
pub struct Engine {
    /// The connection: foreign keys off, triggers on, `recursive_triggers` off.
    pub conn: Connection,
    /// The user's schema. Shared, so that a transaction costs no copy of it.
    pub catalog: Arc<Catalog>,
    /// Sites by ordinal.
    pub sites: Sites,
    /// Counters and marks.
    pub meta: Meta,
    /// Our openings, the present one included; the present one is stored with its first number.
    pub lineage: Lineage,
    /// What `meta` was at the last commit.
    pub(crate) stored: Meta,
    /// The SQL about the tables of `catalog`.
    pub(crate) statements: StatementCache,
    /// Where an extract finds the changed rows of the tables of `catalog`.
    pub(super) sources: Sources,
    /// Which tables have changes.
    pub(super) changed: Changed,
    /// How much the conflict log holds.
    pub(crate) conflict_limits: ConflictLimits,
    /// What folds of the last transaction made room for, or hid, in the user's tables.
    pub(crate) shown_by_folds: Shown,
    /// Whether any row is shown under a key that its id does not say; unknown until asked.
    pub(crate) has_aliases: Cell<Option<bool>>,
    /// The peers whose sessions with us have to begin anew: they know us under a name that is not ours any more, or have to
    /// be told again what they were told.
    pub(crate) left: BTreeSet<SiteId>,
    /// Where the peers' logs ended when they introduced themselves last.
    pub(crate) met_at: BTreeMap<SiteId, u64>,
    /// Who may be sent something early.
    pub(crate) recent: Option<Recent>,
}

impl Engine {
    /// Runs `work` in one IMMEDIATE transaction: all of it, memory included, or nothing. The
    /// catalog fits the schema when it begins.
    ///
    /// # Errors
    /// What `work` failed with, or why the transaction could not begin or commit.
    pub fn write<T>(
        &mut self,
        work: impl FnOnce(&mut Engine) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        self.shown_by_folds = Shown::default();
        self.has_aliases.set(None);
        self.changed.begin();
        let memory = (self.sites.clone(), self.meta, self.lineage.clone(), Arc::clone(&self.catalog));
        let head = self.meta.head;
        let result = schema_change::check(self).and_then(|_| work(self)).and_then(|value| {
            self.flush(head as u64)?;
            self.conn.execute_batch("COMMIT")?;
            Ok(value)
        });
        match result {
            Ok(value) => {
                self.stored = self.meta;
                Ok(value)
            }
            Err(error) => {
                // A failed COMMIT, a full disk or an interrupt may have rolled back already.
                if !self.conn.is_autocommit() {
                    self.conn.execute_batch("ROLLBACK")?;
                }
                (self.sites, self.meta, self.lineage, self.catalog) = memory;
                self.statements.clear();
                Err(error)
            }
        }
    }

    fn flush(&mut self, head_before: u64) -> Result<(), StoreError> {
        for (ordinal, site, knowledge) in self.sites.take_dirty() {
            self.conn
                .prepare_cached(
                    "INSERT INTO __pocketsync_site(ord, id, counter, hlc) VALUES(?1, ?2, ?3, ?4)
                     ON CONFLICT(ord) DO UPDATE SET counter = excluded.counter, hlc = excluded.hlc",
                )?
                .execute((
                    ordinal as i64,
                    site.as_bytes(),
                    knowledge.counter as i64,
                    knowledge.hlc.bits() as i64,
                ))?;
        }
        if self.meta.head as u64 > head_before {
            let now = self.lineage.incarnations().last().expect("an open engine has an opening");
            if now.first_seq > head_before {
                // The first number of this opening; and where it numbers rows from, so that the next one goes on after.
                self.store_lineage()?;
                self.stored.counter = i64::MIN;
            }
        }
        self.changed.save(&self.conn, self.meta.head as u64)?;
        self.meta.save(&self.stored, &self.conn)?;
        Ok(())
    }

    /// Our own site.
    pub fn site(&self) -> SiteId {
        self.sites.site(self.meta.site as u64).expect("our own site is stored")
    }

    /// What others call a table, by its number, tracked here or not.
    pub(crate) fn wire_table_name(&self, no: u32) -> Result<String, StoreError> {
        if let Some(table) = self.catalog.tables.get(&no) {
            return Ok(table.wire_name.clone());
        }
        let mut statement = self.conn.prepare_cached("SELECT name FROM __pocketsync_table WHERE no = ?1")?;
        Ok(statement.query_row([no], |row| row.get(0))?)
    }

    /// What others call a column, by the numbers of its table and its own.
    pub(crate) fn wire_column_name(&self, table: u32, no: u32) -> Result<Option<String>, StoreError> {
        let sql = "SELECT name FROM __pocketsync_column WHERE tbl = ?1 AND no = ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        Ok(statement.query_row((table, no), |row| row.get(0)).optional()?)
    }

    /// The stamp of the present opening.
    pub fn stamp(&self) -> Stamp {
        self.lineage.incarnations().last().map_or(Stamp(0), |incarnation| incarnation.stamp)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Busy,
            Some(ErrorCode::DiskFull) => StoreErrorKind::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreErrorKind::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Corrupt,
            Some(ErrorCode::OperationInterrupted) => StoreErrorKind::Suspended,
            Some(ErrorCode::CannotOpen) => StoreErrorKind::Gone,
            _ => StoreErrorKind::Io,
        };
        StoreError::new(kind, error.to_string())
    }
}

impl From<crate::codec::DecodeError> for StoreError {
    fn from(error: crate::codec::DecodeError) -> Self {
        StoreError::new(StoreErrorKind::Corrupt, format!("a stored record is damaged: {error}"))
    }
}
