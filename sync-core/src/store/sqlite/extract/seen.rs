//! What we knew of the asking peer when we wrote what it is told.

use super::super::engine::Engine;
use super::super::identity;
use crate::change::Changeset;
use crate::conflict::Seen;
use crate::id::SiteId;
use crate::store::StoreError;

/// What we knew when we made our own part of a changeset, which holds what came after `base`.
/// Unknown where nothing of it is our own.
pub(super) fn of(
    engine: &Engine,
    peer: SiteId,
    base: u64,
    changeset: &Changeset,
) -> Result<Seen, StoreError> {
    let us = engine.site();
    let own = changeset.versions().filter(|version| version.site == us).map(|version| version.hlc);
    match own.min() {
        Some(oldest) => identity::seen(engine, peer, base, oldest),
        None => Ok(Seen::default()),
    }
}
