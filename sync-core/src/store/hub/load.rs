//! Reading what a scope keeps at hand, and writing what changed of it.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::failed;
use crate::clock::Hlc;
use crate::id::{Scope, SiteId};
use crate::lineage::{Lineage, Stamp};
use crate::store::log::{LogState, Name, Role};
use crate::store::{Knowledge, StoreError, StoreErrorKind};

/// A scope's small things, as the file has them but for what the running request changes.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The scope's number in the file; `None` until something of it is written.
    pub(super) id: Option<i64>,
    pub(super) state: LogState,
    pub(super) saved_head: u64,
    /// How many bytes the scope's rows take; counted where there is a limit.
    pub(super) bytes: Option<u64>,
}

impl Loaded {
    pub(super) fn read(
        conn: &Connection,
        path: &Path,
        scope: &Scope,
        site: SiteId,
        stamp: Stamp,
    ) -> Result<Self, StoreError> {
        let sql = |error: rusqlite::Error| failed(path, &error);
        let mut state = LogState::new(Role::Hub, site);
        let found: Option<(i64, i64, Vec<u8>)> = conn
            .prepare_cached("SELECT id, head, lineage FROM scopes WHERE name = ?1")
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                statement.query_row([scope.as_str()], read).optional()
            })
            .map_err(sql)?;
        let damaged = |what: &str| {
            StoreError::new(
                StoreErrorKind::Corrupt,
                format!(
                    "hub file {}: the {what} of scope {scope} are damaged; restore the file from a backup",
                    path.display()
                ),
            )
        };
        let mut id = None;
        if let Some((number, head, lineage)) = found {
            id = Some(number);
            state.head = head as u64;
            state.lineage = postcard::from_bytes::<Lineage>(&lineage).map_err(|_| damaged("openings"))?;
            if !sites(conn, number, &mut state).map_err(sql)? {
                return Err(damaged("sites"));
            }
            if !names(conn, number, &mut state).map_err(sql)? {
                return Err(damaged("names"));
            }
        }
        state.lineage.open(state.head, stamp);
        Ok(Loaded { id, saved_head: state.head, bytes: None, state })
    }

    /// Writes what changed.
    pub(super) fn save(&mut self, conn: &Connection, id: i64) -> rusqlite::Result<()> {
        for (ordinal, site, known) in self.state.sites.take_dirty() {
            conn.prepare_cached("INSERT OR REPLACE INTO sites VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
                params![id, ordinal as i64, site.as_bytes(), known.counter as i64, known.hlc.bits() as i64],
            )?;
        }
        for Name { table, column, name } in self.state.names.take_fresh() {
            conn.prepare_cached("INSERT INTO names VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                id,
                table,
                column.map_or(-1, i64::from),
                name
            ])?;
        }
        if self.saved_head != self.state.head {
            let lineage = postcard::to_stdvec(&self.state.lineage).expect("lists of numbers always encode");
            conn.prepare_cached("UPDATE scopes SET head = ?2, lineage = ?3 WHERE id = ?1")?
                .execute(params![id, self.state.head as i64, lineage])?;
            self.saved_head = self.state.head;
        }
        Ok(())
    }
}

fn sites(conn: &Connection, scope: i64, state: &mut LogState) -> rusqlite::Result<bool> {
    let mut statement = conn
        .prepare_cached("SELECT ordinal, site, counter, hlc FROM sites WHERE scope = ?1 ORDER BY ordinal")?;
    let mut rows = statement.query([scope])?;
    let mut next = 1;
    while let Some(row) = rows.next()? {
        let (ordinal, site): (i64, [u8; 16]) = (row.get(0)?, row.get(1)?);
        let (counter, hlc): (i64, i64) = (row.get(2)?, row.get(3)?);
        if ordinal != next && ordinal != 0 {
            return Ok(false);
        }
        next = ordinal + 1;
        let known = Knowledge { counter: counter as u64, hlc: Hlc::from_bits(hlc as u64) };
        state.sites.load(ordinal as u64, SiteId::from_bytes(site), known);
    }
    Ok(true)
}

fn names(conn: &Connection, scope: i64, state: &mut LogState) -> rusqlite::Result<bool> {
    let mut statement =
        conn.prepare_cached("SELECT tbl, col, name FROM names WHERE scope = ?1 ORDER BY tbl, col")?;
    let mut rows = statement.query([scope])?;
    while let Some(row) = rows.next()? {
        let (table, column): (u32, i64) = (row.get(0)?, row.get(1)?);
        let name = Name { table, column: u32::try_from(column).ok(), name: row.get(2)? };
        if !state.names.load(name) {
            return Ok(false);
        }
    }
    Ok(true)
}
