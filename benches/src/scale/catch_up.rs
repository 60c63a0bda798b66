//! What a device that was away costs: the one that writes, the hub's store, and the one that comes back,
//! without links between them.

use std::path::Path;
use std::sync::Arc;

use pocketsync_core::conflict::Seen;
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::store::{Chunk, HubStore, HubStoreOptions, Store, StoreReply, StoreRequest};

use super::{Law, sizes};
use crate::Result;
use crate::contender::{Contender, PocketSync, Pragmas, Write};
use crate::meter::measure;
use crate::shape::{Shape, Width, mix};

const SHAPE: Shape = Shape::Integer;

/// Rows that are changed while the device is away.
const CHANGED: usize = 100;

/// How often each size is measured.
const TIMES: usize = 7;

/// Two devices and the store between them.
pub(super) struct Chain {
    devices: PocketSync,
    hub: HubStore,
    scope: Scope,
    /// How far the hub holds the writer, as the writer counts its pieces.
    told: u64,
    lineage: Arc<Lineage>,
    /// How far the reader holds the hub.
    held: Cursor,
    rounds: u64,
}

/// What one way from the writer to the reader took, in milliseconds of the processor.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Way {
    pub(super) writer: f64,
    pub(super) hub_takes: f64,
    pub(super) hub_gives: f64,
    pub(super) reader: f64,
    pub(super) bytes: usize,
}

impl Chain {
    pub(super) fn new(dir: &Path) -> Result<Chain> {
        let devices = PocketSync::new(dir, SHAPE, Pragmas::Tuned)?;
        let hub = HubStore::open(dir.join("hub.db"), HubStoreOptions::default())?;
        let mut lineage = Lineage::default();
        lineage.open(0, Stamp(1));
        let scope = Scope::new("scale")?;
        let lineage = Arc::new(lineage);
        Ok(Chain { devices, hub, scope, told: 0, lineage, held: Cursor::ZERO, rounds: 0 })
    }

    fn write(&mut self, write: &Write) -> Result<()> {
        self.devices.write(write, true)
    }

    fn insert(&mut self, rows: usize) -> Result<()> {
        self.write(&Write::Insert((0..rows).map(|n| SHAPE.row(n)).collect()))
    }

    fn change(&mut self, rows: usize) -> Result<()> {
        self.rounds += 1;
        let round = self.rounds;
        let row = |n: usize| (mix(n as u64 ^ round << 32) % rows as u64) as usize;
        let updates = (0..CHANGED).map(|n| SHAPE.update(row(n), Width::One, round)).collect();
        self.write(&Write::Update(Width::One, updates))
    }

    fn cursor(&self, seq: u64) -> Cursor {
        if seq == 0 { Cursor::ZERO } else { self.lineage.cursor_at(seq) }
    }

    /// From the writer to the hub.
    fn push(&mut self, way: &mut Way) -> Result<()> {
        let (lap, ()) = measure(|| self.devices.log.extract(&mut self.devices.engine))?;
        way.writer = lap.cpu * 1e3;
        for changeset in std::mem::take(&mut self.devices.log.pieces) {
            let (from, to) = (self.cursor(self.told), self.cursor(self.told + 1));
            self.told += 1;
            let chunk = Chunk {
                peer: SiteId::from_bytes([1; 16]),
                lineage: Arc::clone(&self.lineage),
                from,
                to,
                last: true,
                changeset,
                seen: Seen::default(),
            };
            let request = StoreRequest::Apply { scope: self.scope.clone(), chunks: vec![chunk] };
            let (lap, _) = measure(|| self.hub.run(request))?;
            way.hub_takes += lap.cpu * 1e3;
        }
        Ok(())
    }

    /// From the hub to the reader.
    fn pull(&mut self, way: &mut Way) -> Result<()> {
        loop {
            let request = StoreRequest::Extract {
                scope: self.scope.clone(),
                peer: SiteId::from_bytes([2; 16]),
                after: self.held.clone(),
                max_bytes: 1 << 20,
                not_after: None,
            };
            let (lap, reply) = measure(|| self.hub.run(request))?;
            way.hub_gives += lap.cpu * 1e3;
            let StoreReply::Extracted(told) = reply else { return Err("the hub did not extract".into()) };
            way.bytes += told.changeset.encode().len();
            self.devices.log.pieces = vec![told.changeset];
            let chunks = self.devices.chunks_of(self.held.clone(), told.to.clone());
            let (lap, _) = measure(|| self.devices.merge(chunks))?;
            way.reader += lap.cpu * 1e3;
            self.held = told.to;
            if told.last {
                return Ok(());
            }
        }
    }

    fn same(&mut self) -> Result<()> {
        let (here, there) = self.devices.digests()?;
        if there.as_ref() == Some(&here) { Ok(()) } else { Err(format!("{here}, but {there:?}").into()) }
    }
}

/// A fixed number of changes of databases of more and more rows.
pub(super) fn against_size(scratch: &Path, rows: usize) -> Result<Vec<Law>> {
    let size = "rows of the database";
    let mut laws = [
        Law::new("catch-up with 100 changes: fold and extract of the writer", size, "ms", 0.25),
        Law::new("catch-up with 100 changes: the hub takes", size, "ms", 0.25),
        Law::new("catch-up with 100 changes: the hub gives", size, "ms", 0.25),
        Law::new("catch-up with 100 changes: apply of the reader", size, "ms", 0.25),
        Law::new("catch-up with 100 changes: on the wire", size, "bytes", 0.1),
    ];
    for rows in sizes(rows) {
        let dir = tempfile::tempdir_in(scratch)?;
        let mut chain = Chain::new(dir.path())?;
        chain.insert(rows)?;
        let mut first = Way::default();
        chain.push(&mut first)?;
        chain.pull(&mut first)?;
        let mut ways = Vec::new();
        for _ in 0..TIMES {
            chain.change(rows)?;
            let mut way = Way::default();
            chain.push(&mut way)?;
            chain.pull(&mut way)?;
            ways.push(way);
        }
        chain.same()?;
        let parts: [fn(&Way) -> f64; 5] =
            [|it| it.writer, |it| it.hub_takes, |it| it.hub_gives, |it| it.reader, |it| it.bytes as f64];
        for (law, part) in laws.iter_mut().zip(parts) {
            law.push(rows, ways.iter().map(part));
        }
    }
    Ok(laws.into())
}

/// Longer and longer histories of the same few rows, read from the beginning.
pub(super) fn against_history(scratch: &Path, rows: usize) -> Result<Vec<Law>> {
    let size = "transactions of 100 updates before it";
    let mut laws = [
        Law::new("a new device of 1,000 rows: the hub gives", size, "ms", 0.25),
        Law::new("a new device of 1,000 rows: on the wire", size, "bytes", 0.1),
    ];
    for length in sizes(rows.div_ceil(200)) {
        let dir = tempfile::tempdir_in(scratch)?;
        let mut chain = Chain::new(dir.path())?;
        let mut unseen = Way::default();
        chain.insert(1000)?;
        for _ in 0..length {
            chain.change(1000)?;
            chain.push(&mut unseen)?;
        }
        let mut ways = Vec::new();
        for _ in 0..TIMES {
            // The second file knows it all after the first time; what the hub gives stays the same.
            chain.held = Cursor::ZERO;
            let mut way = Way::default();
            chain.pull(&mut way)?;
            ways.push(way);
        }
        chain.same()?;
        laws[0].push(length, ways.iter().map(|way| way.hub_gives));
        laws[1].push(length, ways.iter().map(|way| way.bytes as f64));
    }
    Ok(laws.into())
}
