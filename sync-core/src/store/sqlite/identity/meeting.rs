//! Introductions: who we are, whether the histories fit, and from where to send.

use super::super::engine::Engine;
use super::super::fold;
use super::super::merging;
use super::fork::Kept;
use super::lives::OtherLife;
use super::peers::Known;
use super::{correct, early, folds, fork, former, heard, peers};
use crate::clock::Hlc;
use crate::id::SiteId;
use crate::lineage::Cursor;
use crate::store::{
    Holding, Identity, Knowledge, Mark, Meet, Met, Offered, Parting, Peer, Recent, Resume, StoreError,
    Verdict, introduced, remembered, verdict,
};

/// How often the log is looked through for what can go: once in so many log numbers.
const PRUNE_EVERY: u64 = 256;

/// Who we are and what we hold of others.
///
/// # Errors
/// When the file cannot be read.
pub fn identify(engine: &Engine) -> Result<Identity, StoreError> {
    let us = engine.site();
    let met = peers::all(engine)?.into_iter().map(|(site, known)| holding(engine, site, known));
    let holdings = introduced(us, met, &engine.sites);
    Ok(Identity {
        site: us,
        lineage: engine.lineage.clone(),
        head: head(engine),
        holdings,
        may_be_early: engine.recent.is_some(),
    })
}

/// A peer introduced itself. Folds first, so that all that was written counts.
///
/// # Errors
/// When the file cannot be read or written.
pub fn meet(engine: &mut Engine, request: Meet) -> Result<Met, StoreError> {
    let site = request.peer.site;
    let met = hear_of(engine, request)?;
    if let Met::Resume(_) = met {
        peers::met(engine, site)?;
    }
    Ok(met)
}

/// A peer has introduced itself in writing: it is not the one that is waited for now.
pub(in super::super) fn hear_of(engine: &mut Engine, request: Meet) -> Result<Met, StoreError> {
    fold::run(engine)?;
    let us = engine.site();
    let theirs = request.holding.filter(|holding| holding.replica == us);
    let theirs = theirs.unwrap_or_else(|| Holding::none(us));
    let offered = offered(engine);
    let known =
        early::unanswered(engine).map_or(offered, |early| early.known_to(&request.peer, &theirs, offered));
    if let Verdict::Forked { shared } = verdict(&engine.lineage, engine.meta.head as u64, &known, &theirs) {
        // This one has of us what is shared. Whether others have more, and which life told them, is not known.
        let at_first_hand = !engine.lineage.contains(engine.meta.head as u64, &theirs.cursor);
        let alone = peers::all(engine)?.iter().all(|(known, _)| *known == request.peer.site);
        return part_ways(engine, shared, &offered, at_first_hand && alone);
    }
    engine.meta.early_after = 0;
    if let Some(reading) = request.clock {
        correct::correct(engine, reading)?;
        engine.recent = Recent::of(&request.peer, reading);
    }
    let site = request.peer.site;
    let before = peers::get(engine, site)?;
    let mut known = before.clone().unwrap_or_default();
    if let Some(resumes) = request.resumes {
        go_back(engine, site, &mut known, resumes)?;
    }
    // An acknowledgement may have been lost.
    let certain = Mark::of(&theirs.cursor).base;
    if certain > known.acked.seq {
        known.acked = remembered(&engine.lineage, certain);
    }
    if before.as_ref() != Some(&known) {
        peers::put(engine, site, &known)?;
    }
    engine.left.remove(&site);
    engine.met_at.insert(site, request.peer.head.seq);
    let mut send_from = theirs.cursor;
    if let Some(from) = known.told_again_from().filter(|from| *from < Mark::of(&send_from).base) {
        send_from = remembered(&engine.lineage, from);
    }
    let us = Peer { site: us, lineage: engine.lineage.clone(), head: head(engine) };
    let holding = holding(engine, site, known);
    Ok(Met::Resume(Box::new(Resume { us, holding, send_from, rewound: false })))
}

/// We were restored from a backup or cloned: a new site. It is given what nobody else has, if that is known; else what is
/// written keeps its name, since no other life of this file gives the same.
fn part_ways(
    engine: &mut Engine,
    shared: u64,
    offered: &Offered,
    others_have_none: bool,
) -> Result<Met, StoreError> {
    let all = peers::all(engine)?;
    let acked = all.iter().map(|(_, known)| &known.acked);
    let head = engine.meta.head as u64;
    let mut parting = Parting::after(&engine.lineage, head, offered, shared, acked);
    let shares = parting.kept;
    if !others_have_none {
        parting = Parting { kept: head, read_again: false };
    }
    former::forget(engine)?;
    let kept = Kept { versions: parting.kept, rows: parting.kept, shares };
    Ok(Met::Forked { site: leave(engine, kept, parting.read_again)? })
}

/// We were restored from a backup, as others' rows tell: a new site, unless nothing was written since.
pub(in super::super) fn leave_after(engine: &mut Engine, life: OtherLife) -> Result<SiteId, StoreError> {
    let offered = offered(engine);
    let Some(shared) = life.shared(engine)? else { return Ok(engine.site()) };
    match part_ways(engine, shared, &offered, false)? {
        Met::Forked { site } => Ok(site),
        Met::Resume(resume) => Ok(resume.us.site),
    }
}

/// Takes a new site, of which no peer has anything. What peers have is read from the beginning if it
/// is to be `read_again`.
fn leave(engine: &mut Engine, kept: Kept, read_again: bool) -> Result<SiteId, StoreError> {
    let site = fork::take_new_site(engine, kept)?;
    engine.met_at.clear();
    engine.recent = None;
    for (peer, mut known) in peers::all(engine)? {
        known.acked = Cursor::ZERO;
        if read_again {
            peers::drop_staged(engine, peer)?;
            known.held = Cursor::ZERO;
        }
        peers::put(engine, peer, &known)?;
        engine.left.insert(peer);
    }
    Ok(site)
}

/// Takes a new site although nothing is wrong with the old one: it belongs to somebody else at the hub. What a peer
/// has is public and stays what it is; the rest is the new site's. To be called when everything is folded.
///
/// # Errors
/// When the file cannot be read or written.
pub fn take_new_site(engine: &mut Engine) -> Result<SiteId, StoreError> {
    let all = peers::all(engine)?;
    let acked = all.iter().map(|(_, known)| &known.acked);
    let (lineage, head) = (&engine.lineage, engine.meta.head as u64);
    let kept = Parting::after(lineage, head, &Offered::default(), 0, acked).kept;
    former::forget(engine)?;
    leave(engine, Kept { versions: kept, rows: kept, shares: kept }, true)
}

/// Asks the peers for all that they have, what came from here included: a part of it is gone from
/// this file. Peers do not tell a site what they have from itself, so it takes a new one. What
/// nobody was told of is the new site's, so that it is corrected and judged as any write; rows keep their
/// names, since a copy of this file may tell of them too. To be called when everything is folded.
///
/// # Errors
/// When the file cannot be read or written.
pub fn read_again(engine: &mut Engine) -> Result<(), StoreError> {
    let (head, offered) = (engine.meta.head as u64, engine.meta.offered_seq as u64);
    let counts = former::is_all_looked_at(engine)?;
    former::leave(engine, offered)?;
    leave(engine, Kept { versions: offered, rows: head, shares: offered }, true)?;
    former::remember_known(engine, counts)?;
    Ok(())
}

/// Reads what peers other than `refuser` have from the beginning: it would not take from us what we had from them.
pub(in super::super) fn read_others_again(engine: &mut Engine, refuser: SiteId) -> Result<(), StoreError> {
    for (peer, mut known) in peers::all(engine)? {
        if peer != refuser && known.held != Cursor::ZERO {
            peers::drop_staged(engine, peer)?;
            known.held = Cursor::ZERO;
            peers::put(engine, peer, &known)?;
        }
    }
    Ok(())
}

/// A peer that begins to send before what we hold of it has lost what came after: we hold its new
/// history from there, and tell it again what it had brought us of the old one.
fn go_back(engine: &mut Engine, site: SiteId, known: &mut Known, resumes: Cursor) -> Result<(), StoreError> {
    if resumes == known.held || resumes.seq > known.held.seq {
        return Ok(());
    }
    if let Some(first) = peers::first_from(engine, site, resumes.seq)? {
        let from = first - 1;
        known.resend_from = known.told_again_from().map_or(from, |unsent| unsent.min(from));
        known.resend_until = engine.meta.head as u64;
    }
    peers::drop_staged(engine, site)?;
    heard::unlearn(engine, site, resumes.seq)?;
    known.held = resumes;
    Ok(())
}

/// A peer holds our log up to `cursor`, durably.
///
/// # Errors
/// When the file cannot be read or written.
pub fn acked(engine: &mut Engine, site: SiteId, cursor: &Cursor) -> Result<(), StoreError> {
    if !engine.lineage.contains(engine.meta.head as u64, cursor) {
        return Ok(());
    }
    let certain = Mark::of(cursor).base;
    let mut known = peers::get(engine, site)?.unwrap_or_default();
    if let Some(from) = known.told_again_from() {
        known.resend_from = from.max(certain);
    }
    if known.told_again_from().is_none() && engine.meta.told_seq == 0 {
        former::acknowledged(engine, site, certain)?;
    }
    if known.told_again_from().is_none() && certain / PRUNE_EVERY > known.acked.seq / PRUNE_EVERY {
        folds::prune(engine, site, certain)?;
    }
    merging::before::acknowledged(engine, certain)?;
    known.acked = remembered(&engine.lineage, certain);
    peers::put(engine, site, &known)
}

/// The wall clock was set: what was measured of it before says nothing about the time from now on.
///
/// # Errors
/// When the journal cannot be folded: what is in it was stamped by the clock as it was.
pub fn clock_jumped(engine: &mut Engine) -> Result<(), StoreError> {
    fold::run(engine)?;
    engine.meta.jump += 1;
    Ok(())
}

/// Takes a log number under the stamp of this opening, after what is not folded yet.
pub fn announce(engine: &mut Engine) -> Result<(), StoreError> {
    fold::run(engine)?;
    engine.meta.next_seq();
    Ok(())
}

/// Up to where a peer certainly holds our log, by what it has said. What it is told next begins there.
pub(in super::super) fn told_from(engine: &Engine, site: SiteId) -> Result<Cursor, StoreError> {
    let known = peers::get(engine, site)?.unwrap_or_default();
    let acked = known.acked.seq;
    Ok(remembered(&engine.lineage, known.told_again_from().map_or(acked, |from| acked.min(from))))
}

fn head(engine: &Engine) -> Cursor {
    remembered(&engine.lineage, engine.meta.head as u64)
}

fn offered(engine: &Engine) -> Offered {
    let meta = &engine.meta;
    Offered {
        seq: meta.offered_seq as u64,
        knowledge: Knowledge {
            counter: meta.offered_counter as u64,
            hlc: Hlc::from_bits(meta.offered_clock as u64),
        },
    }
}

fn holding(engine: &Engine, site: SiteId, known: Known) -> Holding {
    let knowledge = engine.sites.knowledge(site);
    Holding { replica: site, cursor: known.held, lineage: known.lineage, knowledge }
}
