//! Introductions: who we are, whether the histories fit, and from where to send.

use super::{PeerState, Records, Role};
use crate::id::SiteId;
use crate::lineage::Cursor;
use crate::store::{
    Holding, Identity, MAX_HOLDINGS, Mark, Meet, Met, Offered, Parting, Peer, Recent, Resume, StoreError,
    Unanswered, Verdict, introduced, resume_at, verdict,
};

/// Who we are and what we hold of others.
pub(crate) fn identify(records: &mut impl Records) -> Result<Identity, StoreError> {
    if let Some(early) = &mut records.state_mut().unanswered {
        early.is_old = true;
    }
    let state = records.state();
    let met = records.peers(MAX_HOLDINGS)?;
    let met = met.into_iter().map(|(site, peer)| holding(&*records, site, Some(peer)));
    let holdings = introduced(state.site, met, &state.sites);
    let head = state.head_cursor();
    Ok(Identity {
        site: state.site,
        lineage: state.lineage.clone(),
        head,
        holdings,
        may_be_early: state.recent.is_some(),
    })
}

/// A peer introduced itself.
pub(crate) fn meet(records: &mut impl Records, request: Meet) -> Result<Met, StoreError> {
    let state = records.state();
    let us = state.site;
    let theirs = request.holding.filter(|holding| holding.replica == us);
    let theirs = theirs.unwrap_or_else(|| Holding::none(us));
    let mut send_from = theirs.cursor.clone();
    let mut rewound = false;
    // A hub tells its own writes, the answers to conflicts, without keeping account of them.
    let offered = match state.role {
        Role::Hub => Offered { knowledge: theirs.knowledge, ..state.offered },
        Role::Device => {
            let known = |early: Unanswered| early.known_to(&request.peer, &theirs, state.offered);
            state.unanswered.map_or(state.offered, known)
        }
    };
    if let Verdict::Forked { shared } = verdict(&state.lineage, state.head, &offered, &theirs) {
        if let Some(site) = part_ways(records, shared)? {
            return Ok(Met::Forked { site });
        }
        send_from = resume_at(&records.state().lineage, shared, &theirs.cursor);
        rewound = true;
    }
    if let Some(reading) = request.clock {
        records.correct_clock(reading)?;
    }
    let state = records.state_mut();
    state.unanswered = None;
    if let Some(reading) = request.clock {
        state.recent = Recent::of(&request.peer, reading);
    }
    let known = records.peer(request.peer.site)?;
    let mut peer = known.clone().unwrap_or_default();
    if let Some(resumes) = request.resumes {
        go_back(records, request.peer.site, &mut peer, resumes)?;
    }
    if known.as_ref() != Some(&peer) {
        records.put_peer(request.peer.site, &peer)?;
    }
    let state = records.state();
    let us = Peer { site: us, lineage: state.lineage.clone(), head: state.head_cursor() };
    let holding = holding(records, request.peer.site, Some(peer));
    Ok(Met::Resume(Box::new(Resume { us, holding, send_from, rewound })))
}

/// Takes a new site, where we are one that does.
fn part_ways(records: &mut impl Records, shared: u64) -> Result<Option<SiteId>, StoreError> {
    if records.state().role == Role::Hub {
        return Ok(None);
    }
    let peers = records.peers(usize::MAX)?;
    let state = records.state();
    let acked = peers.iter().map(|(_, peer)| &peer.acked);
    let parting = Parting::after(&state.lineage, state.head, &state.offered, shared, acked);
    let site = records.fork(parting.kept)?;
    // From the least recent on, so that their order stays.
    for (peer_site, mut peer) in peers.into_iter().rev() {
        peer.acked = Cursor::ZERO;
        if parting.read_again {
            drop_staged(records, peer_site, &mut peer)?;
            peer.held = Cursor::ZERO;
        }
        records.put_peer(peer_site, &peer)?;
    }
    Ok(Some(site))
}

/// A peer that begins to send before what we hold of it has lost what came after: we hold its new
/// history from there, and tell it again what it had brought us of the old one. Where to begin it
/// says itself: what it holds of us was lost with the rest.
fn go_back(
    records: &mut impl Records,
    site: SiteId,
    peer: &mut PeerState,
    resumes: Cursor,
) -> Result<(), StoreError> {
    if resumes == peer.held || resumes.seq > peer.held.seq {
        return Ok(());
    }
    peer.resend_until = records.state().head;
    drop_staged(records, site, peer)?;
    records.unlearn(site, resumes.seq)?;
    peer.held = resumes;
    Ok(())
}

/// Forgets the pieces of an incomplete group.
pub(super) fn drop_staged(
    records: &mut impl Records,
    site: SiteId,
    peer: &mut PeerState,
) -> Result<(), StoreError> {
    if peer.staged_bytes > 0 {
        records.take_staged(site)?;
        peer.staged_bytes = 0;
    }
    peer.streaming = false;
    Ok(())
}

/// A peer holds our log up to `cursor`.
pub(crate) fn acked(records: &mut impl Records, site: SiteId, cursor: Cursor) -> Result<(), StoreError> {
    let mut peer = records.peer(site)?.unwrap_or_default();
    let certain = Mark::of(&cursor).base;
    if certain >= peer.resend_until {
        records.forget_origins(site, certain)?;
    }
    records.state_mut().clashes.retain(|clash| clash.peer != site || clash.seq > certain);
    peer.acked = cursor;
    records.put_peer(site, &peer)
}

fn holding(records: &impl Records, site: SiteId, peer: Option<PeerState>) -> Holding {
    let peer = peer.unwrap_or_default();
    let knowledge = records.state().sites.knowledge(site);
    Holding { replica: site, cursor: peer.held, lineage: peer.lineage, knowledge }
}
