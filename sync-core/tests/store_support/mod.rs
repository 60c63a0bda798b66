//! A session without a wire: what two stores tell each other, request by request.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::sync::Arc;

use pocketsync_core::change::Changeset;
use pocketsync_core::id::{RowId, Scope, SiteId};
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::store::{
    Chunk, ChunkOutcome, ClockReading, Extracted, Holding, Identity, Knowledge, Meet, MemoryStore, Met, Peer,
    Store, StoreReply, StoreRequest,
};

pub const NOW: u64 = 1_700_000_000_000;

pub fn scope() -> Scope {
    Scope::new("s").unwrap()
}

pub fn site(n: u8) -> SiteId {
    SiteId::from_bytes([n; 16])
}

pub fn device(n: u8) -> MemoryStore {
    MemoryStore::device(site(n), Stamp(u64::from(n) * 10))
}

pub fn sorted(mut ids: Vec<RowId>) -> Vec<RowId> {
    ids.sort();
    ids
}

pub fn run(store: &mut dyn Store, request: StoreRequest) -> StoreReply {
    store.run(request).unwrap()
}

pub fn identify(store: &mut dyn Store) -> Identity {
    match run(store, StoreRequest::Identify { scope: scope() }) {
        StoreReply::Identity(identity) => identity,
        other => panic!("{other:?}"),
    }
}

pub fn extract(store: &mut dyn Store, peer: SiteId, after: Cursor, max_bytes: usize) -> Extracted {
    match run(store, StoreRequest::Extract { scope: scope(), peer, after, max_bytes }) {
        StoreReply::Extracted(extracted) => extracted,
        other => panic!("{other:?}"),
    }
}

pub fn apply(store: &mut dyn Store, chunks: Vec<Chunk>) -> Vec<ChunkOutcome> {
    match run(store, StoreRequest::Apply { scope: scope(), chunks }) {
        StoreReply::Applied(outcomes) => outcomes,
        other => panic!("{other:?}"),
    }
}

pub fn ack(store: &mut dyn Store, peer: SiteId, cursor: Cursor) {
    assert_eq!(run(store, StoreRequest::Acked { scope: scope(), peer, cursor }), StoreReply::Done);
}

pub fn jump(store: &mut dyn Store) {
    assert_eq!(run(store, StoreRequest::ClockJumped { scope: scope() }), StoreReply::Done);
}

pub fn run_meet(
    store: &mut dyn Store,
    peer: SiteId,
    holding: Option<Holding>,
    resumes: Option<Cursor>,
    clock: Option<ClockReading>,
) -> Met {
    let peer = Peer { site: peer, lineage: Lineage::default(), head: Cursor::ZERO };
    match run(store, StoreRequest::Meet(Meet { scope: scope(), peer, holding, resumes, clock })) {
        StoreReply::Met(met) => met,
        other => panic!("{other:?}"),
    }
}

/// The handshake: `a` connects, `b` answers. What `a` makes of it.
pub fn meet(a: &mut dyn Store, b: &mut dyn Store) -> Met {
    handshake(a, b).0
}

fn handshake(a: &mut dyn Store, b: &mut dyn Store) -> (Met, Cursor) {
    let hello = identify(a);
    let us = identify(b).site;
    let holding = hello.holdings.into_iter().find(|holding| holding.replica == us);
    let peer = Peer { site: hello.site, lineage: hello.lineage, head: hello.head };
    let request = Meet { scope: scope(), peer, holding, resumes: None, clock: None };
    let StoreReply::Met(Met::Resume(welcome)) = run(b, StoreRequest::Meet(request)) else {
        panic!("the acceptor does not fork here")
    };
    let request = Meet {
        scope: scope(),
        peer: welcome.us.clone(),
        holding: Some(welcome.holding.clone()),
        resumes: Some(welcome.send_from.clone()),
        clock: None,
    };
    match run(a, StoreRequest::Meet(request)) {
        StoreReply::Met(met) => (met, welcome.send_from),
        other => panic!("{other:?}"),
    }
}

/// A whole session; a fork is followed by another.
pub fn sync(a: &mut dyn Store, b: &mut dyn Store) {
    sync_with(a, b, 1 << 20);
}

/// The same, in pieces of about this many bytes.
pub fn sync_with(a: &mut dyn Store, b: &mut dyn Store, max_bytes: usize) {
    sync_pieces(a, b, max_bytes, usize::MAX);
}

/// The same; the link is lost after this many pieces each way.
pub fn sync_pieces(a: &mut dyn Store, b: &mut dyn Store, max_bytes: usize, pieces: usize) {
    for _ in 0..2 {
        let (met, resumes) = handshake(a, b);
        if let Met::Resume(resume) = met {
            assert_eq!(resume.holding.cursor, resumes, "the initiator takes up where the acceptor begins");
            send(a, b, resume.send_from, max_bytes, pieces);
            send(b, a, resumes, max_bytes, pieces);
            return;
        }
    }
    panic!("forked twice");
}

/// One way, from what the other holds.
pub fn push(from: &mut dyn Store, to: &mut dyn Store) {
    let (us, them) = (identify(from).site, identify(to));
    let held = identify(to).holdings.into_iter().find(|holding| holding.replica == us);
    let _ = them;
    send(from, to, held.map_or(Cursor::ZERO, |holding| holding.cursor), 1 << 20, usize::MAX);
}

fn send(from: &mut dyn Store, to: &mut dyn Store, mut after: Cursor, max_bytes: usize, pieces: usize) {
    let (us, them) = (identify(from), identify(to).site);
    for _ in 0..pieces {
        let extracted = extract(from, them, after.clone(), max_bytes);
        let chunk = chunk(&us, after, &extracted);
        let held = match apply(to, vec![chunk]).remove(0) {
            ChunkOutcome::Staged { held } | ChunkOutcome::Applied { held, .. } => held,
            other => panic!("{other:?}"),
        };
        assert_eq!(held, extracted.to);
        ack(from, them, held);
        after = extracted.to;
        if extracted.last {
            return;
        }
    }
}

/// What was extracted, as the receiver gets it.
pub fn chunk(us: &Identity, from: Cursor, extracted: &Extracted) -> Chunk {
    Chunk {
        peer: us.site,
        lineage: Arc::new(us.lineage.clone()),
        from,
        to: extracted.to.clone(),
        last: extracted.last,
        changeset: extracted.changeset.clone(),
    }
}

/// A complete group of a made-up peer.
pub fn group(peer: SiteId, from: u64, to: u64, changeset: Changeset) -> Chunk {
    let mut lineage = Lineage::default();
    lineage.open(0, Stamp(5));
    Chunk {
        peer,
        from: lineage.cursor_at(from),
        to: lineage.cursor_at(to),
        lineage: Arc::new(lineage),
        last: true,
        changeset,
    }
}

pub fn knowledge(counter: u64) -> Knowledge {
    Knowledge { counter, ..Knowledge::default() }
}
