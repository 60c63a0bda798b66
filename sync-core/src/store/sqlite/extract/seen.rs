//! What we knew of the asking peer when we wrote what it is told.

use super::super::engine::Engine;
use super::super::identity;
use crate::change::Changeset;
use crate::clock::Hlc;
use crate::conflict::Seen;
use crate::id::SiteId;
use crate::store::StoreError;

/// What we knew when we made our own part of a changeset, which holds what came after `base`; of the
/// writes with the clocks in `doubts` no more than is said there. Unknown where nothing is our own.
pub(super) fn of(
    engine: &Engine,
    peer: SiteId,
    base: u64,
    changeset: &Changeset,
    doubts: Vec<(Hlc, u64)>,
) -> Result<Seen, StoreError> {
    let us = engine.site();
    let own = changeset.versions().filter(|version| version.site == us).map(|version| version.hlc);
    let Some(oldest) = own.min() else { return Ok(Seen::default()) };
    let mut seen = identity::seen(engine, peer, base, oldest)?;
    for (hlc, known) in doubts {
        seen.doubt(hlc, known);
    }
    Ok(seen)
}
