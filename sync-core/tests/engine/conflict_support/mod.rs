//! Two devices in files and a hub in memory, and sessions between them of which each part can be left out.

use std::sync::Arc;

use crate::replica_support::{Device, scope};
use pocketsync_core::conflict::{ConflictFilter, LoggedConflict, Rule, Strategy, Written};
use pocketsync_core::id::SiteId;
use pocketsync_core::lineage::{Cursor, Stamp};
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::sqlite::Replica;
use pocketsync_core::store::{
    Chunk, ChunkOutcome, Identity, Meet, MemoryStore, Met, Peer, Store, StoreReply, StoreRequest,
};
use pocketsync_core::value::Value;

const SCHEMA: &str = "CREATE TABLE note(id TEXT PRIMARY KEY NOT NULL, title TEXT, body TEXT);
    CREATE TABLE item(id INTEGER PRIMARY KEY, note TEXT REFERENCES note(id), n INTEGER)";

pub(crate) struct World {
    pub(crate) a: Device,
    pub(crate) b: Device,
    pub(crate) hub: MemoryStore,
}

impl World {
    pub(crate) fn new(rules: &[(&str, Strategy)]) -> World {
        let hub = MemoryStore::hub(SiteId::from_bytes([9; 16]), Stamp(9));
        let mut world = World { a: Device::new(SCHEMA), b: Device::new(SCHEMA), hub };
        for (column, strategy) in rules {
            let mut rule = Rule::column("note", *column);
            rule.strategy = Some(*strategy);
            world.a.replica.set_rule(&rule).unwrap();
        }
        world.a.app.execute_batch("INSERT INTO note VALUES('x', 'old', 'old')").unwrap();
        world.settle();
        world
    }

    pub(crate) fn settle(&mut self) {
        for _ in 0..2 {
            session(&self.a, &mut self.hub);
            session(&self.b, &mut self.hub);
        }
    }

    pub(crate) fn log(&self) -> Vec<LoggedConflict> {
        self.hub.conflicts(&scope(), &ConflictFilter::default())
    }
}

pub(crate) fn identify(store: &mut dyn Store) -> Identity {
    match store.run(StoreRequest::Identify { scope: scope() }).unwrap() {
        StoreReply::Identity(identity) => identity,
        other => panic!("{other:?}"),
    }
}

/// A whole session; the device pushes first.
pub(crate) fn session(device: &Device, hub: &mut MemoryStore) {
    let mut replica = device.replica.clone();
    let after = introduce(&mut replica, hub);
    one_way(&mut replica, hub, after.0, WHOLE);
    one_way(hub, &mut replica, after.1, WHOLE);
}

/// A session whose link is lost before the device has sent anything.
pub(crate) fn only_pull(device: &Device, hub: &mut MemoryStore) {
    let mut replica = device.replica.clone();
    let after = introduce(&mut replica, hub);
    one_way(hub, &mut replica, after.1, WHOLE);
}

/// A session of a device that sends row by row, and whose link is lost after so many.
pub(crate) fn push_rows(device: &Device, hub: &mut MemoryStore, rows: usize) {
    let mut replica = device.replica.clone();
    let after = introduce(&mut replica, hub);
    one_way(&mut replica, hub, after.0, (1, rows));
}

pub(crate) fn introduce(device: &mut Replica, hub: &mut MemoryStore) -> (Cursor, Cursor) {
    let (hello, us) = (identify(device), identify(hub).site);
    let holding = hello.holdings.into_iter().find(|holding| holding.replica == us);
    let peer = Peer { site: hello.site, lineage: hello.lineage, head: hello.head };
    let request = Meet { scope: scope(), peer, holding, resumes: None, clock: None };
    let StoreReply::Met(Met::Resume(welcome)) = hub.run(StoreRequest::Meet(request)).unwrap() else {
        panic!()
    };
    assert!(!welcome.rewound);
    let (holding, resumes) = (Some(welcome.holding.clone()), Some(welcome.send_from.clone()));
    let request = Meet { scope: scope(), peer: welcome.us.clone(), holding, resumes, clock: None };
    match device.run(StoreRequest::Meet(request)).unwrap() {
        StoreReply::Met(Met::Resume(resume)) => (resume.send_from, welcome.send_from),
        StoreReply::Met(Met::Forked { .. }) => introduce(device, hub),
        other => panic!("{other:?}"),
    }
}

/// In one piece, as far as it is small.
const WHOLE: (usize, usize) = (1 << 20, usize::MAX);

fn one_way(from: &mut dyn Store, to: &mut dyn Store, mut after: Cursor, (max_bytes, pieces): (usize, usize)) {
    for _ in 0..pieces {
        let (us, them) = (identify(from), identify(to).site);
        let request = StoreRequest::Extract {
            scope: scope(),
            peer: them,
            after: after.clone(),
            max_bytes,
            not_after: None,
        };
        let StoreReply::Extracted(extracted) = from.run(request).unwrap() else { panic!() };
        let chunk = Chunk {
            peer: us.site,
            lineage: Arc::new(us.lineage),
            from: after,
            to: extracted.to.clone(),
            last: extracted.last,
            changeset: extracted.changeset,
            seen: extracted.seen,
        };
        let request = StoreRequest::Apply { scope: scope(), chunks: vec![chunk] };
        let StoreReply::Applied(outcomes) = to.run(request).unwrap() else { panic!() };
        assert!(!matches!(outcomes[0], ChunkOutcome::Gap { .. }));
        let request = StoreRequest::Acked { scope: scope(), peer: them, cursor: extracted.to.clone() };
        assert_eq!(from.run(request).unwrap(), StoreReply::Done);
        after = extracted.to;
        if extracted.last {
            return;
        }
    }
}

pub(crate) fn title(app: &Connection) -> String {
    app.query_row("SELECT title FROM note", [], |row| row.get(0)).unwrap()
}

pub(crate) fn conflicts(device: &Device) -> Vec<LoggedConflict> {
    device.replica.conflicts(&ConflictFilter::default()).unwrap()
}

pub(crate) fn text(value: &str) -> Written {
    Written::Value(Value::text(value))
}

pub(crate) fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(3));
}
