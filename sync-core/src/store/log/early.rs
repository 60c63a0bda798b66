//! What goes out along with an introduction.

use super::{Records, Role, extract};
use crate::clock::Now;
use crate::id::SiteId;
use crate::store::{Early, StoreError, Unanswered};

/// What the peer that was met last lacks, if all that was found out then still holds.
pub(crate) fn early(
    records: &mut impl Records,
    site: SiteId,
    now: Now,
    max_bytes: usize,
) -> Result<Option<Early>, StoreError> {
    let state = records.state();
    let Some(recent) = state.recent.filter(|_| state.role == Role::Device && state.site == site) else {
        return Ok(None);
    };
    let Some(latest) = recent.latest(now) else { return Ok(None) };
    let peer = records.peer(recent.peer)?.unwrap_or_default();
    let from = peer.acked;
    let stands = from.within.is_empty() && state.lineage.contains(state.head, &from);
    if !stands || from.seq < peer.resend_until || records.is_ahead(latest) {
        return Ok(None);
    }
    let before = state.offered.knowledge;
    let extracted = extract(records, recent.peer, &from, max_bytes)?;
    if extracted.changeset.is_empty() {
        return Ok(None);
    }
    let state = records.state_mut();
    state.recent = None;
    state.unanswered = Some(Unanswered {
        peer: recent.peer,
        opening: recent.opening,
        is_old: false,
        after: from.seq,
        before,
    });
    Ok(Some(Early { peer: recent.peer, from, offered: before, extracted }))
}
