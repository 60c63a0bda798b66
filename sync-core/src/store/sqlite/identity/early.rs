//! What goes out along with our introduction.

use super::super::engine::Engine;
use super::super::{extract, fold};
use super::{folds, peers};
use crate::clock::{Hlc, Now};
use crate::id::SiteId;
use crate::lineage::Stamp;
use crate::store::{Early, Knowledge, Recent, StoreError, Unanswered, remembered};

/// What the peer that was met last lacks, if all that was found out then still holds.
///
/// # Errors
/// When the file cannot be read or written.
pub fn early(
    engine: &mut Engine,
    site: SiteId,
    now: Now,
    max_bytes: usize,
) -> Result<Option<Early>, StoreError> {
    fold::run(engine)?;
    let Some(recent) = engine.recent.filter(|recent| still_holds(engine, recent, site)) else {
        return Ok(None);
    };
    let Some(latest) = recent.latest(now) else { return Ok(None) };
    let known = peers::get(engine, recent.peer)?.unwrap_or_default();
    if known.told_again_from().is_some() || folds::is_ahead(engine, latest)? {
        return Ok(None);
    }
    let from = remembered(&engine.lineage, known.acked.seq);
    let meta = &engine.meta;
    let before =
        Knowledge { counter: meta.offered_counter as u64, hlc: Hlc::from_bits(meta.offered_clock as u64) };
    let extracted = extract::run(engine, recent.peer, &from, max_bytes)?;
    if extracted.changeset.is_empty() {
        return Ok(None);
    }
    engine.recent = None;
    let ordinal = engine.sites.ordinal(recent.peer) as i64;
    let meta = &mut engine.meta;
    meta.early_after = from.seq as i64 + 1;
    (meta.early_peer, meta.early_opening, meta.early_is_old) = (ordinal, recent.opening.0 as i64, 0);
    (meta.early_counter, meta.early_clock) = (before.counter as i64, before.hlc.bits() as i64);
    Ok(Some(Early { peer: recent.peer, from, offered: before, extracted }))
}

/// Whether we are who we were then, and go by the clock that was compared.
fn still_holds(engine: &Engine, recent: &Recent, site: SiteId) -> bool {
    let meta = &engine.meta;
    engine.site() == site
        && !engine.left.contains(&recent.peer)
        && meta.offset_jump == meta.jump
        && meta.offset_ms == recent.offset_ms
}

/// A session begins: an early push that nobody has answered was another one's.
pub fn begin_session(engine: &mut Engine) {
    engine.meta.early_is_old = i64::from(engine.meta.early_after != 0);
}

/// The early push that nobody has answered.
pub(super) fn unanswered(engine: &Engine) -> Option<Unanswered> {
    let meta = &engine.meta;
    let after = u64::try_from(meta.early_after).ok()?.checked_sub(1)?;
    let before =
        Knowledge { counter: meta.early_counter as u64, hlc: Hlc::from_bits(meta.early_clock as u64) };
    Some(Unanswered {
        peer: engine.sites.site(meta.early_peer as u64)?,
        opening: Stamp(meta.early_opening as u64),
        is_old: meta.early_is_old != 0,
        after,
        before,
    })
}
