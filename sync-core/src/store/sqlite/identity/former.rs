//! Names that we left so that peers tell us everything again, and what a peer may not have of what we wrote
//! under them.
//!
//! What was offered under a name stays what it is, since it may be public. Until a peer says that it has
//! it all, it is still our own, and in conflict with what the peer has of others. A log that is read again
//! tells much that was known when we wrote, so what was known then is remembered with it.
//!
//! The names themselves are kept for good: whoever judges our writes has to hear that we knew those.

use std::collections::BTreeMap;

use super::super::engine::Engine;
use super::{folds, peers};
use crate::clock::{Hlc, Version};
use crate::id::SiteId;
use crate::store::{Mark, StoreError};

/// A name that we left, as far as a peer is concerned.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Former {
    site: SiteId,
    /// The peer certainly holds what we wrote up to this log number.
    acked: u64,
    /// What is under later log numbers came from others, whoever wrote it.
    until: u64,
}

impl Former {
    /// Whether a cell of this name, under this log number, is a write that the peer may not have.
    pub(in super::super) fn is_unsent(&self, version: Version, seq: u64) -> bool {
        version.site == self.site && seq > self.acked && seq <= self.until
    }
}

/// What was known of each site's writes when the logs of peers were begun to be read again.
#[derive(Debug)]
pub(in super::super) struct Before(BTreeMap<SiteId, Hlc>);

impl Before {
    /// Whether a write was known: replicas hear of each other's writes in order.
    pub(in super::super) fn knew(&self, version: &Version) -> bool {
        *version != Version::GENESIS && self.0.get(&version.site).is_some_and(|known| version.hlc <= *known)
    }
}

/// The names that we left, and our last clock under each.
pub(in super::super) fn names(engine: &Engine) -> Result<Vec<(SiteId, Hlc)>, StoreError> {
    if !has_left_any(engine) {
        return Ok(Vec::new());
    }
    let mut statement =
        engine.conn.prepare_cached("SELECT site, clock FROM __pocketsync_name ORDER BY site")?;
    let mut rows = statement.query([])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(site) = engine.sites.site(row.get::<_, i64>(0)? as u64) {
            names.push((site, Hlc::from_bits(row.get::<_, i64>(1)? as u64)));
        }
    }
    Ok(names)
}

/// Remembers, before a name is left of which `kept` was the last log number that anybody was told of, that it
/// was ours and what the peers may not have.
pub(super) fn leave(engine: &Engine, kept: u64) -> Result<(), StoreError> {
    let (_, clock) = folds::used_at(engine, kept)?;
    engine
        .conn
        .prepare_cached("INSERT INTO __pocketsync_name(site, clock) VALUES(?1, ?2)")?
        .execute((engine.meta.site, clock.bits() as i64))?;
    for (peer, known) in peers::all(engine)? {
        let Some(peer) = engine.sites.existing(peer).filter(|_| known.acked.seq < kept) else { continue };
        engine
            .conn
            .prepare_cached(
                "INSERT INTO __pocketsync_former(site, peer, acked, until) VALUES(?1, ?2, ?3, ?4)",
            )?
            .execute((engine.meta.site, peer as i64, known.acked.seq as i64, kept as i64))?;
    }
    Ok(())
}

/// Whether all that was heard of was looked at: groups that are not complete were not.
pub(super) fn is_all_looked_at(engine: &Engine) -> Result<bool, StoreError> {
    Ok(!engine.conn.prepare_cached("SELECT 1 FROM __pocketsync_staging")?.exists([])?)
}

/// Remembers what is known, before the logs of the peers are read again; nothing where not all of it `counts`.
pub(super) fn remember_known(engine: &Engine, counts: bool) -> Result<(), StoreError> {
    engine.conn.execute("DELETE FROM __pocketsync_before", [])?;
    if !counts {
        return Ok(());
    }
    let sql = "INSERT INTO __pocketsync_before(site, clock) VALUES(?1, ?2)";
    let mut insert = engine.conn.prepare_cached(sql)?;
    for (ordinal, (_, known)) in (0i64..).zip(engine.sites.iter()) {
        insert.execute((ordinal, known.hlc.bits() as i64))?;
    }
    Ok(())
}

/// The names that we left and under which `peer` may not have all of ours.
pub(in super::super) fn of(engine: &Engine, peer: SiteId) -> Result<Vec<Former>, StoreError> {
    let Some(ordinal) = engine.sites.existing(peer).filter(|_| has_left_any(engine)) else {
        return Ok(Vec::new());
    };
    let sql = "SELECT site, acked, until FROM __pocketsync_former WHERE peer = ?1";
    let mut statement = engine.conn.prepare_cached(sql)?;
    let mut rows = statement.query([ordinal as i64])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        let number = |column: usize| row.get::<_, i64>(column).map(|number| number as u64);
        if let Some(site) = engine.sites.site(number(0)?) {
            names.push(Former { site, acked: number(1)?, until: number(2)? });
        }
    }
    Ok(names)
}

/// What was known before, where what `peer` tells next begins with the beginning of its log.
pub(in super::super) fn before(engine: &Engine, peer: SiteId) -> Result<Option<Before>, StoreError> {
    if !has_left_any(engine) || peers::get(engine, peer)?.is_some_and(|peer| Mark::of(&peer.held).base > 0) {
        return Ok(None);
    }
    let mut statement = engine.conn.prepare_cached("SELECT site, clock FROM __pocketsync_before")?;
    let mut rows = statement.query([])?;
    let mut before = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if let Some(site) = engine.sites.site(row.get::<_, i64>(0)? as u64) {
            before.insert(site, Hlc::from_bits(row.get::<_, i64>(1)? as u64));
        }
    }
    Ok(Some(Before(before)))
}

/// A peer holds our log up to `certain`, with all that it was not told at first.
pub(super) fn acknowledged(engine: &Engine, peer: SiteId, certain: u64) -> Result<(), StoreError> {
    let Some(ordinal) = engine.sites.existing(peer).filter(|_| has_left_any(engine)) else { return Ok(()) };
    engine
        .conn
        .prepare_cached("DELETE FROM __pocketsync_former WHERE peer = ?1 AND until <= ?2")?
        .execute((ordinal as i64, certain as i64))?;
    Ok(())
}

/// Forgets what peers may not have: how much of ours is public is another matter now.
pub(super) fn forget(engine: &Engine) -> Result<(), StoreError> {
    engine.conn.execute("DELETE FROM __pocketsync_former", [])?;
    Ok(())
}

/// Whether a name was ever left so. Most files never leave one, and no table is asked then.
fn has_left_any(engine: &Engine) -> bool {
    engine.meta.asked_as != 0
}
