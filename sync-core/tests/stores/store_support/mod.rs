//! A session without a wire: what two stores tell each other, request by request.
#![allow(unreachable_pub)]

pub mod stores;

use std::sync::Arc;

use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::{RowId, Scope, SiteId};
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::merge::Life;
use pocketsync_core::store::{
    Chunk, ChunkOutcome, ClockReading, Committed, Extracted, Holding, Identity, Meet, MemoryStore, Met, Peer,
    Store, StoreReply, StoreRequest,
};
use pocketsync_core::value::Value;

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
    match run(store, StoreRequest::Extract { scope: scope(), peer, after, max_bytes, not_after: None }) {
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

/// A whole session of two devices: whoever finds out that it forked introduces itself again.
pub fn sync_peers(a: &mut dyn Store, b: &mut dyn Store) {
    for _ in 0..4 {
        let hello = identify(a);
        let us = identify(b).site;
        let holding = hello.holdings.into_iter().find(|holding| holding.replica == us);
        let peer = Peer { site: hello.site, lineage: hello.lineage, head: hello.head };
        let request = Meet { scope: scope(), peer, holding, resumes: None, clock: None };
        let StoreReply::Met(met) = run(b, StoreRequest::Meet(request)) else { panic!() };
        if let Met::Resume(_) = met
            && let Met::Resume(_) = meet(a, b)
        {
            return sync(a, b);
        }
    }
    panic!("forked again and again");
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
        seen: extracted.seen.clone(),
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
        seen: Default::default(),
    }
}

pub fn version(ms: u64, by: u8) -> Version {
    Version::new(Hlc::from_ms(ms), site(by))
}

/// The row with this key, in a table with keys of its own.
pub fn key(n: i64) -> RowId {
    RowId::Natural([Value::Integer(n)].into())
}

/// A change to cells of one row: `(column, value)`; a birth too where `born` says so.
pub fn row(n: i64, at: Version, born: bool, cells: &[(u32, i64)]) -> RowChange {
    let life = if born { Life::born(at) } else { Life::default() };
    let cell =
        |&(column, value): &(u32, i64)| CellChange { column, version: at, value: Value::Integer(value) };
    RowChange { id: key(n), life, cells: cells.iter().map(cell).collect() }
}

/// Rows of one table with the columns a, b, c.
pub fn changes(rows: Vec<RowChange>) -> Changeset {
    let columns = ["a", "b", "c"].map(str::to_owned).to_vec();
    Changeset { tables: vec![TableChanges { name: "t".to_owned(), columns, rows }] }
}

/// The only outcome of the only chunk.
pub fn take(store: &mut dyn Store, chunk: Chunk) -> ChunkOutcome {
    apply(store, vec![chunk]).remove(0)
}

/// What a merge did to the log.
pub fn committed(outcome: ChunkOutcome) -> Option<Committed> {
    match outcome {
        ChunkOutcome::Applied { committed, .. } => committed,
        other => panic!("{other:?}"),
    }
}
