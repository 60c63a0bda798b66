//! What we knew of the asking peer when we wrote what it is told.

use super::super::engine::Engine;
use super::super::identity;
use crate::change::Changeset;
use crate::clock::Hlc;
use crate::conflict::Seen;
use crate::id::SiteId;
use crate::store::{Mark, StoreError};

/// What we knew when we made our own part of a group, of which `changeset` goes on after `mark`; of the
/// writes with the clocks in `doubts` no more than is said there. Unknown where nothing is our own.
///
/// The receiver goes by what the last piece of a group says, whichever piece a write was in.
pub(super) fn of(
    engine: &Engine,
    peer: SiteId,
    (mark, is_first): (&Mark, bool),
    changeset: &Changeset,
    doubts: Vec<(Hlc, u64)>,
) -> Result<Seen, StoreError> {
    let us = engine.site();
    let own = changeset.versions().filter(|version| version.site == us).map(|version| version.hlc);
    let oldest = if is_first { own.min() } else { Some(Hlc::ZERO) };
    let Some(oldest) = oldest else { return Ok(Seen::default()) };
    let mut seen = identity::seen(engine, peer, mark.base, oldest)?;
    for (hlc, known) in doubts {
        seen.doubt(hlc, known);
    }
    Ok(seen)
}
