//! What a peer has to hear of conflicts that it has not seen.

use std::collections::BTreeSet;

use rusqlite::params;

use super::super::engine::Engine;
use super::super::extract::Delta;
use super::super::park::row::Row;
use super::log;
use crate::change::{CellChange, RowChange};
use crate::clock::{Hlc, Version};
use crate::conflict::{LoggedConflict, Winner, Written};
use crate::id::{RowId, SiteId};
use crate::merge::Life;
use crate::store::StoreError;

/// Own cells that met others which `peer` brought, after `base`: where, and what became of them.
fn clashes(
    engine: &Engine,
    peer: SiteId,
    base: u64,
    winner: Winner,
) -> Result<Vec<(u32, u32, u64, LoggedConflict)>, StoreError> {
    let Some(ordinal) = engine.sites.existing(peer) else { return Ok(Vec::new()) };
    let mut statement = engine.conn.prepare_cached(
        "SELECT id, logged_ms, body, tbl, col, known FROM __pocketsync_conflict
         WHERE own_seq > ?1 AND peer = ?2 AND winner = ?3 ORDER BY id",
    )?;
    let mut rows = statement.query(params![base as i64, ordinal as i64, winner.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(3)?, row.get(4)?, row.get::<_, i64>(5)? as u64, log::read(row)?));
    }
    Ok(found)
}

/// Adds our own cells that lost before `peer`, which holds us up to `base`, had them: it has to judge
/// them, and they are not in this replica's state any more.
pub(in super::super) fn tell_lost(
    engine: &Engine,
    peer: SiteId,
    base: u64,
    delta: &mut Delta,
) -> Result<(), StoreError> {
    let us = engine.site();
    for (table, column, _, conflict) in clashes(engine, peer, base, Winner::Came)? {
        // Nobody judges what we wrote under a name that we left.
        if let Written::Value(value) = conflict.here.what
            && conflict.here.site == us
        {
            let version = Version::new(conflict.here.hlc, conflict.here.site);
            let cells = vec![CellChange { column, version, value }];
            delta.push(table, RowChange { id: conflict.row, life: Life::default(), cells });
        }
    }
    Ok(())
}

/// Own cells that a peer has still to be told and that won here over others of its: whoever writes them
/// again knows less of that peer's than the time of its write says.
pub(in super::super) fn contested(engine: &Engine) -> Result<BTreeSet<(u32, u32, RowId)>, StoreError> {
    let mut statement = engine.conn.prepare_cached(
        "SELECT id, logged_ms, body, tbl, col FROM __pocketsync_conflict
         WHERE winner = ?1 AND own_seq > (SELECT acked_seq FROM __pocketsync_peer WHERE site = peer)
           AND own_seq > (SELECT min(acked_seq) FROM __pocketsync_peer)",
    )?;
    let mut rows = statement.query([Winner::Here.as_str()])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        found.insert((row.get(3)?, row.get(4)?, log::read(row)?.row));
    }
    Ok(found)
}

/// The clocks of own writes that `peer` has still to be told, and of which another value was hidden where they were
/// made: with how much of the peer's log they knew at most. Those that went out in an earlier piece are among them.
pub(in super::super) fn doubt(
    engine: &Engine,
    peer: SiteId,
    base: u64,
) -> Result<Vec<(Hlc, u64)>, StoreError> {
    let us = engine.site();
    let mut doubts = Vec::new();
    for (table, column, known, conflict) in clashes(engine, peer, base, Winner::Here)? {
        let row = Row::load(engine, &(table, conflict.row))?;
        let written = row.record.cells.get(&column).map(|held| held.cell.version);
        doubts.extend(written.filter(|version| version.site == us).map(|version| (version.hlc, known)));
    }
    Ok(doubts)
}
