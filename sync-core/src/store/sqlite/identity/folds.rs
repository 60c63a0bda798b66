//! What the log remembers of our own folds.

use rusqlite::OptionalExtension;

use super::super::engine::Engine;
use crate::clock::Hlc;
use crate::id::SiteId;
use crate::store::StoreError;

/// A fold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold {
    pub(super) seq: u64,
    /// The largest clock in use after it.
    pub(super) last: Hlc,
    /// The largest clock that was then known from others.
    pub(super) floor: Hlc,
    /// How many jumps of the wall clock had been noticed.
    pub(super) jump: i64,
}

/// The folds after a log number, in order.
pub(super) fn after(engine: &Engine, seq: u64) -> Result<Vec<Fold>, StoreError> {
    let mut statement = engine.conn.prepare_cached(
        "SELECT seq, clock, floor, jump FROM __pocketsync_log WHERE seq > ?1 AND counter IS NOT NULL ORDER BY seq",
    )?;
    let folds = statement.query_map([seq as i64], |row| {
        Ok(Fold {
            seq: row.get::<_, i64>(0)? as u64,
            last: Hlc::from_bits(row.get::<_, i64>(1)? as u64),
            floor: Hlc::from_bits(row.get::<_, i64>(2)? as u64),
            jump: row.get(3)?,
        })
    })?;
    Ok(folds.collect::<Result<_, _>>()?)
}

/// Whether a fold that nobody was offered reaches beyond `latest`.
pub(in super::super) fn is_ahead(engine: &Engine, latest: Hlc) -> Result<bool, StoreError> {
    // The largest clock there is bounds them all.
    if engine.meta.clock as u64 <= latest.bits() {
        return Ok(false);
    }
    let folds = after(engine, engine.meta.offered_seq as u64)?;
    Ok(folds.iter().any(|fold| fold.last > latest))
}

/// The largest row counter and clock of our own in use at the end of a log number.
pub(super) fn used_at(engine: &Engine, seq: u64) -> Result<(u64, Hlc), StoreError> {
    let mut statement = engine.conn.prepare_cached(
        "SELECT counter, clock FROM __pocketsync_log
         WHERE seq <= ?1 AND counter IS NOT NULL ORDER BY seq DESC LIMIT 1",
    )?;
    let used = statement
        .query_row([seq as i64], |row| {
            Ok((row.get::<_, i64>(0)? as u64, Hlc::from_bits(row.get::<_, i64>(1)? as u64)))
        })
        .optional()?;
    Ok(used.unwrap_or_default())
}

/// The clock of a fold was corrected.
pub(super) fn correct(engine: &Engine, seq: u64, last: Hlc) -> Result<(), StoreError> {
    engine
        .conn
        .prepare_cached("UPDATE __pocketsync_log SET clock = ?2 WHERE seq = ?1")?
        .execute((seq as i64, last.bits() as i64))?;
    Ok(())
}

/// Forgets what of the log is not asked for any more, now that `peer` holds us up to `seq`: which
/// groups came from it but the last, which says how much of it we know, and all folds up to there but
/// the last, which says where a fork parts.
pub(super) fn prune(engine: &Engine, peer: SiteId, seq: u64) -> Result<(), StoreError> {
    let Some(ordinal) = engine.sites.existing(peer) else { return Ok(()) };
    engine
        .conn
        .prepare_cached(
            "DELETE FROM __pocketsync_log WHERE peer = ?2 AND seq <
               (SELECT max(seq) FROM __pocketsync_log WHERE seq <= ?1 AND peer = ?2)",
        )?
        .execute((seq as i64, ordinal as i64))?;
    engine
        .conn
        .prepare_cached(
            "DELETE FROM __pocketsync_log WHERE counter IS NOT NULL AND seq <
               (SELECT max(seq) FROM __pocketsync_log WHERE seq <= ?1 AND counter IS NOT NULL)",
        )?
        .execute([seq as i64])?;
    Ok(())
}
