//! One scope's records and log in the file, within one transaction.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{damaged, failed};
use super::load::Loaded;
use crate::change::Changeset;
use crate::clock::Hlc;
use crate::conflict::{ConflictLimits, LoggedConflict};
use crate::id::{RowId, Scope, SiteId};
use crate::store::log::{LogState, PeerState, Records, Visit, row_of};
use crate::store::{ClockReading, Mark, Record, StoreError, StoreErrorKind};

/// One scope during one request.
pub(super) struct HubScope<'t> {
    conn: &'t Connection,
    path: &'t Path,
    scope: &'t Scope,
    loaded: &'t mut Loaded,
    limits: ConflictLimits,
    /// How many bytes its rows may take, and how many they took when the request began.
    quota: Option<(u64, u64)>,
}

/// The number of a scope that the file does not have: no row has it.
const NOWHERE: i64 = -1;

impl<'t> HubScope<'t> {
    pub(super) fn new(
        conn: &'t Connection,
        path: &'t Path,
        scope: &'t Scope,
        loaded: &'t mut Loaded,
        limits: ConflictLimits,
    ) -> Self {
        HubScope { conn, path, scope, loaded, limits, quota: None }
    }

    /// Counts what the scope's rows take, and holds the request to this limit.
    pub(super) fn limit(&mut self, max_bytes: Option<u64>) -> Result<(), StoreError> {
        let Some(max_bytes) = max_bytes else { return Ok(()) };
        let bytes = match self.loaded.bytes {
            Some(bytes) => bytes,
            None => {
                let sql = "SELECT ifnull(sum(length(row) + length(state)), 0) FROM records WHERE scope = ?1";
                let bytes: Option<i64> = self.value(sql, [self.id()])?;
                bytes.unwrap_or(0).unsigned_abs()
            }
        };
        self.loaded.bytes = Some(bytes);
        self.quota = Some((max_bytes, bytes));
        Ok(())
    }

    /// Counts a row that is written.
    fn count(&mut self, table: u32, row: &[u8], state: &[u8], known: bool) -> Result<(), StoreError> {
        if self.quota.is_none() {
            return Ok(());
        }
        let before: Option<i64> = match known {
            true => {
                let sql = "SELECT length(state) FROM records WHERE scope = ?1 AND tbl = ?2 AND row = ?3";
                self.value(sql, params![self.id(), table, row])?
            }
            false => None,
        };
        let key = if known { 0 } else { row.len() };
        if let Some(bytes) = &mut self.loaded.bytes {
            *bytes = (*bytes + (key + state.len()) as u64).saturating_sub(before.unwrap_or(0).unsigned_abs());
        }
        Ok(())
    }

    /// Writes what the request changed of the things at hand.
    pub(super) fn save(mut self) -> Result<(), StoreError> {
        if let (Some((most, before)), Some(bytes)) = (self.quota, self.loaded.bytes)
            && bytes > most.max(before)
        {
            let message = format!(
                "scope {} may take {most} bytes at this hub, and this would make it {bytes}; delete something, or ask \
                 whoever runs the hub for more (--quota)",
                self.scope
            );
            return Err(StoreError::new(StoreErrorKind::Quota, message));
        }
        let changed = self.loaded.saved_head != self.loaded.state.head;
        // A scope that was only asked about leaves no trace.
        let id = if changed { self.create()? } else { self.loaded.id.unwrap_or(NOWHERE) };
        if id == NOWHERE {
            return Ok(());
        }
        self.loaded.save(self.conn, id).map_err(|error| failed(self.path, &error))
    }

    fn id(&self) -> i64 {
        self.loaded.id.unwrap_or(NOWHERE)
    }

    /// The scope's number, assigned when something of it is first written.
    fn create(&mut self) -> Result<i64, StoreError> {
        if let Some(id) = self.loaded.id {
            return Ok(id);
        }
        let lineage =
            postcard::to_stdvec(&crate::lineage::Lineage::default()).expect("lists of numbers always encode");
        let inserted = self.conn.execute(
            "INSERT INTO scopes (name, head, ticks, lineage) VALUES (?1, 0, 0, ?2)",
            params![self.scope.as_str(), lineage],
        );
        inserted.map_err(|error| failed(self.path, &error))?;
        let id = self.conn.last_insert_rowid();
        self.loaded.id = Some(id);
        Ok(id)
    }

    fn sql(&self, error: rusqlite::Error) -> StoreError {
        failed(self.path, &error)
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        let done = self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
        done.map(|_| ()).map_err(|error| self.sql(error))
    }

    /// The first column of the first row, if there is one.
    fn value<T: rusqlite::types::FromSql>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<Option<T>, StoreError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(values, |row| row.get(0)).optional())
            .map_err(|error| self.sql(error))
    }

    fn decode(&self, state: &[u8]) -> Result<Record, StoreError> {
        Record::decode(state, &self.loaded.state.sites).map_err(|error| damaged(self.path, "row", &error))
    }

    fn decode_peer(&self, state: &[u8]) -> Result<PeerState, StoreError> {
        postcard::from_bytes(state).map_err(|error| {
            let message = format!(
                "hub file {}: a stored peer is damaged ({error}); restore the file from a backup",
                self.path.display()
            );
            StoreError::new(StoreErrorKind::Corrupt, message)
        })
    }
}

impl Records for HubScope<'_> {
    fn state(&self) -> &LogState {
        &self.loaded.state
    }

    fn state_mut(&mut self) -> &mut LogState {
        &mut self.loaded.state
    }

    fn record(&self, table: u32, row: &[u8]) -> Result<Option<Record>, StoreError> {
        let sql = "SELECT state FROM records WHERE scope = ?1 AND tbl = ?2 AND row = ?3";
        let state: Option<Vec<u8>> = self.value(sql, params![self.id(), table, row])?;
        state.map(|state| self.decode(&state)).transpose()
    }

    fn put_record(&mut self, table: u32, row: &[u8], record: &Record, known: bool) -> Result<(), StoreError> {
        let id = self.create()?;
        let state = record.encode(&mut self.loaded.state.sites);
        self.count(table, row, &state, known)?;
        // Two plain statements are a quarter faster than an upsert.
        let sql = if known {
            "UPDATE records SET seq = ?4, state = ?5 WHERE scope = ?1 AND tbl = ?2 AND row = ?3"
        } else {
            "INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5)"
        };
        self.execute(sql, params![id, table, row, record.seq() as i64, state])
    }

    fn scan(&self, after: &Mark, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let sql = |error| self.sql(error);
        let mut statement = self
            .conn
            .prepare_cached(
                "SELECT seq, tbl, row, state FROM records
                 WHERE scope = ?1 AND (seq, tbl, row) > (?2, ?3, ?4) ORDER BY seq, tbl, row",
            )
            .map_err(sql)?;
        let seq = i64::try_from(after.seq).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![self.id(), seq, after.table, after.row]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
            let (seq, table): (i64, u32) = (row.get(0).map_err(sql)?, row.get(1).map_err(sql)?);
            let record = self.decode(blob(3).map_err(sql)?)?;
            if !visit(seq as u64, table, blob(2).map_err(sql)?, record)? {
                break;
            }
        }
        Ok(())
    }

    fn peer(&self, site: SiteId) -> Result<Option<PeerState>, StoreError> {
        let sql = "SELECT state FROM peers WHERE scope = ?1 AND site = ?2";
        let state: Option<Vec<u8>> = self.value(sql, params![self.id(), site.as_bytes()])?;
        state.map(|state| self.decode_peer(&state)).transpose()
    }

    fn put_peer(&mut self, site: SiteId, peer: &PeerState) -> Result<(), StoreError> {
        let id = self.create()?;
        let state = postcard::to_stdvec(peer).expect("numbers and bytes always encode");
        self.execute("UPDATE scopes SET ticks = ticks + 1 WHERE id = ?1", [id])?;
        self.execute(
            "INSERT INTO peers SELECT ?1, ?2, ticks, ?3 FROM scopes WHERE id = ?1
             ON CONFLICT (scope, site) DO UPDATE SET tick = excluded.tick, state = excluded.state",
            params![id, site.as_bytes(), state],
        )
    }

    fn peers(&self, limit: usize) -> Result<Vec<(SiteId, PeerState)>, StoreError> {
        let sql = |error| self.sql(error);
        let mut statement = self
            .conn
            .prepare_cached("SELECT site, state FROM peers WHERE scope = ?1 ORDER BY tick DESC LIMIT ?2")
            .map_err(sql)?;
        let rows = statement
            .query_map(params![self.id(), limit as i64], |row| {
                Ok((SiteId::from_bytes(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
            })
            .map_err(sql)?;
        rows.map(|row| {
            let (site, state) = row.map_err(sql)?;
            Ok((site, self.decode_peer(&state)?))
        })
        .collect()
    }

    fn origin(&self, seq: u64) -> Result<Option<SiteId>, StoreError> {
        let sql = "SELECT peer FROM origins WHERE scope = ?1 AND seq = ?2";
        let ordinal: Option<i64> = self.value(sql, params![self.id(), seq as i64])?;
        Ok(ordinal.and_then(|ordinal| self.loaded.state.sites.site(ordinal as u64)))
    }

    fn put_origin(&mut self, seq: u64, peer: SiteId, _told: Option<u64>) -> Result<(), StoreError> {
        let id = self.create()?;
        let ordinal = self.loaded.state.sites.ordinal(peer);
        self.execute("INSERT INTO origins VALUES (?1, ?2, ?3)", params![id, seq as i64, ordinal as i64])
    }

    fn forget_origins(&mut self, peer: SiteId, through: u64) -> Result<(), StoreError> {
        let Some(ordinal) = self.loaded.state.sites.existing(peer) else { return Ok(()) };
        let through = i64::try_from(through).unwrap_or(i64::MAX);
        self.execute(
            "DELETE FROM origins WHERE scope = ?1 AND peer = ?2 AND seq <= ?3",
            params![self.id(), ordinal as i64, through],
        )
    }

    fn table(&self, table: u32, visit: &mut dyn FnMut(RowId, Record)) -> Result<(), StoreError> {
        let sql = |error| self.sql(error);
        let mut statement = self
            .conn
            .prepare_cached("SELECT row, state FROM records WHERE scope = ?1 AND tbl = ?2 ORDER BY row")
            .map_err(sql)?;
        let mut rows = statement.query(params![self.id(), table]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
            visit(row_of(blob(0).map_err(sql)?)?, self.decode(blob(1).map_err(sql)?)?);
        }
        Ok(())
    }

    fn bind(&mut self, site: SiteId, identity: &str) -> Result<String, StoreError> {
        let sql = "SELECT identity FROM bound WHERE scope = ?1 AND site = ?2";
        if let Some(bound) = self.value(sql, params![self.id(), site.as_bytes()])? {
            return Ok(bound);
        }
        let id = self.create()?;
        self.execute("INSERT INTO bound VALUES (?1, ?2, ?3)", params![id, site.as_bytes(), identity])?;
        Ok(identity.to_owned())
    }

    fn log_conflict(&mut self, conflict: LoggedConflict) -> Result<(), StoreError> {
        let id = self.create()?;
        super::conflicts::put(self.conn, id, &self.limits, &conflict).map_err(|error| self.sql(error))
    }

    fn stage(&mut self, peer: SiteId, changeset: Changeset) -> Result<(), StoreError> {
        let id = self.create()?;
        self.execute(
            "INSERT INTO staged SELECT ?1, ?2, ifnull(max(piece), 0) + 1, ?3 FROM staged
             WHERE scope = ?1 AND site = ?2",
            params![id, peer.as_bytes(), changeset.encode()],
        )
    }

    fn take_staged(&mut self, peer: SiteId) -> Result<Vec<Changeset>, StoreError> {
        let sql = |error| self.sql(error);
        let mut statement = self
            .conn
            .prepare_cached("SELECT changeset FROM staged WHERE scope = ?1 AND site = ?2 ORDER BY piece")
            .map_err(sql)?;
        let pieces = statement
            .query_map(params![self.id(), peer.as_bytes()], |row| row.get::<_, Vec<u8>>(0))
            .map_err(sql)?;
        let pieces = pieces.map(|piece| {
            Changeset::decode(&piece.map_err(sql)?).map_err(|error| damaged(self.path, "changeset", &error))
        });
        let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
        self.execute(
            "DELETE FROM staged WHERE scope = ?1 AND site = ?2",
            params![self.id(), peer.as_bytes()],
        )?;
        Ok(pieces)
    }

    fn fork(&mut self, _kept: u64) -> Result<SiteId, StoreError> {
        Ok(self.loaded.state.site)
    }

    fn correct_clock(&mut self, _reading: ClockReading) -> Result<(), StoreError> {
        Ok(())
    }

    /// A hub writes nothing of its own.
    fn is_ahead(&self, _latest: Hlc) -> bool {
        false
    }

    fn clock_jumped(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn announce(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
