//! What was heard of each peer, and when: so, what our own writes knew of its log.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::super::engine::Engine;
use super::{folds, former};
use crate::clock::Hlc;
use crate::conflict::{Remembered, Seen, SeenStep, steps};
use crate::id::SiteId;
use crate::store::StoreError;

/// A group of a peer, or a part of one, that changed something here.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Heard {
    pub(in super::super) peer: SiteId,
    /// The log number of the peer that it ends at.
    pub(in super::super) seq: u64,
    /// Whether it is known whole up to there.
    pub(in super::super) whole: bool,
}

/// Remembers under which of our log numbers a group was applied.
pub(in super::super) fn heard(engine: &mut Engine, seq: u64, heard: &Heard) -> Result<(), StoreError> {
    let ordinal = engine.sites.ordinal(heard.peer);
    let floor = if heard.whole { None } else { Some(known_before(engine, ordinal, seq)?.0 as i64) };
    let own = engine.sites.knowledge(heard.peer).hlc;
    let clock = (heard.whole && own > Hlc::ZERO).then(|| own.bits() as i64);
    engine
        .conn
        .prepare_cached(
            "INSERT INTO __pocketsync_log(seq, peer, peer_seq, floor, clock) VALUES(?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((seq as i64, ordinal as i64, heard.seq as i64, floor, clock))?;
    Ok(())
}

/// A peer has another history after `position`: what we knew of the old one says nothing of it.
pub(super) fn unlearn(engine: &Engine, peer: SiteId, position: u64) -> Result<(), StoreError> {
    let Some(ordinal) = engine.sites.existing(peer) else { return Ok(()) };
    engine.conn.execute(
        "UPDATE __pocketsync_log SET floor = ?2 WHERE peer = ?1 AND ifnull(floor, peer_seq) > ?2",
        (ordinal as i64, position as i64),
    )?;
    Ok(())
}

/// How much of a peer's log is known.
pub(in super::super) fn known_of(engine: &Engine, peer: SiteId) -> Result<u64, StoreError> {
    let Some(ordinal) = engine.sites.existing(peer) else { return Ok(0) };
    Ok(known_before(engine, ordinal, engine.meta.head as u64 + 1)?.0)
}

/// How much of our log a peer holds for certain.
pub(in super::super) fn acked_by(engine: &Engine, peer: SiteId) -> Result<u64, StoreError> {
    Ok(super::peers::get(engine, peer)?.unwrap_or_default().acked.seq)
}

/// How much of a peer's log, and of its own writes, is known before one of our log numbers.
fn known_before(engine: &Engine, ordinal: u64, before: u64) -> Result<(u64, Hlc), StoreError> {
    let known = engine
        .conn
        .prepare_cached(
            "SELECT ifnull(floor, peer_seq), ifnull(clock, 0) FROM __pocketsync_log
             WHERE peer = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1",
        )?
        .query_row((ordinal as i64, before as i64), |row| {
            Ok((row.get::<_, i64>(0)? as u64, Hlc::from_bits(row.get::<_, i64>(1)? as u64)))
        })
        .optional()?;
    Ok(known.unwrap_or_default())
}

/// What we knew of `peer` when we made our own writes after the log number `after`; and those before
/// from `oldest` on, which it has had.
pub(in super::super) fn seen(
    engine: &Engine,
    peer: SiteId,
    after: u64,
    oldest: Hlc,
) -> Result<Seen, StoreError> {
    let after = after.max(acked_by(engine, peer)?);
    let mut seen = Seen::default();
    let (_, had) = folds::used_at(engine, after)?;
    if oldest <= had {
        seen.push(SeenStep { until: had, position: None, peers: Vec::new() });
    }
    let receiver = engine.sites.existing(peer);
    let position = match receiver {
        Some(ordinal) => known_before(engine, ordinal, after.saturating_add(1))?.0,
        None => 0,
    };
    // What we wrote under another name, we knew.
    let mut others: BTreeMap<SiteId, Hlc> = former::names(engine)?.into_iter().collect();
    for (site, _) in super::peers::all(engine)? {
        if let Some(ordinal) = engine.sites.existing(site).filter(|_| site != peer) {
            let (_, known) = known_before(engine, ordinal, after.saturating_add(1))?;
            if known > Hlc::ZERO {
                others.insert(site, known);
            }
        }
    }
    let mut statement = engine.conn.prepare_cached(
        "SELECT peer, ifnull(floor, peer_seq), counter IS NOT NULL, clock FROM __pocketsync_log
         WHERE seq > ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![after as i64])?;
    let mut log = Vec::new();
    while let Some(row) = rows.next()? {
        let clock: Option<i64> = row.get(3)?;
        let clock = Hlc::from_bits(clock.unwrap_or_default() as u64);
        let ordinal: Option<i64> = row.get(0)?;
        if row.get(2)? {
            log.push(Remembered::Wrote(clock));
        } else if ordinal.is_some() && ordinal.map(|ordinal| ordinal as u64) == receiver {
            log.push(Remembered::HeardOfReceiver(row.get::<_, i64>(1)? as u64));
        } else if let Some(site) = ordinal.and_then(|ordinal| engine.sites.site(ordinal as u64))
            && clock > Hlc::ZERO
        {
            log.push(Remembered::HeardOfOther(site, clock));
        }
    }
    steps(position, others, log).into_iter().for_each(|step| seen.push(step));
    Ok(seen.finish())
}
