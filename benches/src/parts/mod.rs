//! The parts of the way of a write, each made ready to be run alone: what the benchmarks time and the guard
//! counts.

mod links;

use std::any::Any;
use std::sync::Arc;

use pocketsync_core::change::Changeset;
use pocketsync_core::conflict::Seen;
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::merge::{Cell, RowState};
use pocketsync_core::store::{Chunk, HubStore, HubStoreOptions, Store, StoreReply, StoreRequest};
use pocketsync_core::wire::Body;
use tempfile::TempDir;

use crate::Result;
use crate::contender::{Contender, Plain, PocketSync, Pragmas, Write};
use crate::shape::{Shape, Width, shuffled};

use links::Links;

/// A part of the way of a write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Inserts into a table that nobody tracks, for comparison.
    PlainInsert,
    /// Updates of one column of a table that nobody tracks, for comparison.
    PlainUpdate,
    /// The write path of the triggers: inserts into a tracked table.
    CaptureInsert,
    /// Updates of one column of a tracked table.
    CaptureUpdate,
    /// The fold of inserts.
    FoldInserts,
    /// The fold of updates of one column.
    FoldUpdates,
    /// The extract of inserts.
    ExtractInserts,
    /// The extract of updates of one column.
    ExtractUpdates,
    /// A changeset of inserts into bytes.
    Encode,
    /// The bytes into a changeset.
    Decode,
    /// The join of as many rows in the lattice, with no database near.
    Merge,
    /// Inserts of another replica, merged.
    ApplyInserts,
    /// Updates of one column of another replica, merged.
    ApplyUpdates,
    /// What is known already, merged.
    ApplyDuplicates,
    /// What newer versions win over, merged.
    ApplyLosing,
    /// Groups of ten rows, taken by the hub's store, each in a transaction.
    HubPush,
    /// Everything, read from the hub's store by a new device.
    HubCatchUp,
    /// A group of ten rows that goes through the hub's machine to 64 live sessions.
    FanOut,
    /// Groups of ten rows from one session to another, and their acknowledgements.
    RoundTrip,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 19] = [
        Part::PlainInsert,
        Part::PlainUpdate,
        Part::CaptureInsert,
        Part::CaptureUpdate,
        Part::FoldInserts,
        Part::FoldUpdates,
        Part::ExtractInserts,
        Part::ExtractUpdates,
        Part::Encode,
        Part::Decode,
        Part::Merge,
        Part::ApplyInserts,
        Part::ApplyUpdates,
        Part::ApplyDuplicates,
        Part::ApplyLosing,
        Part::HubPush,
        Part::HubCatchUp,
        Part::FanOut,
        Part::RoundTrip,
    ];
}

/// What a job leaves behind: kept until the clock has stopped, since closing files takes time too.
pub type Kept = Box<dyn Any>;

/// A part that is ready to run.
pub struct Ready {
    job: Box<dyn FnOnce() -> Kept>,
    _dir: TempDir,
}

impl Ready {
    /// Does it.
    ///
    /// # Panics
    /// When it fails: a measurement of something that did not happen is none.
    #[inline(never)]
    pub fn run(self) -> (Kept, TempDir) {
        ((self.job)(), self._dir)
    }
}

fn ready<S: 'static>(dir: TempDir, mut state: S, work: impl FnOnce(&mut S) -> Result<()> + 'static) -> Ready {
    let job = Box::new(move || {
        if let Err(error) = work(&mut state) {
            panic!("the measured work failed: {error}");
        }
        Box::new(state) as Kept
    });
    Ready { job, _dir: dir }
}

/// Two devices where `steps` writes were made and carried over.
fn devices(dir: &TempDir, shape: Shape, rows: usize, steps: u64) -> Result<PocketSync> {
    let mut devices = PocketSync::new(dir.path(), shape, Pragmas::Tuned)?;
    for step in 0..steps {
        devices.write(&step_write(shape, rows, step), true)?;
        devices.extract()?;
        let chunks = devices.chunks();
        devices.merge(chunks)?;
    }
    Ok(devices)
}

/// The inserts first, then updates.
fn step_write(shape: Shape, rows: usize, step: u64) -> Write {
    if step == 0 {
        return Write::Insert((0..rows).map(|n| shape.row(n)).collect());
    }
    let updates = shuffled(rows).into_iter().map(|n| shape.update(n, Width::One, step));
    Write::Update(Width::One, updates.collect())
}

/// Makes a part ready, on a table of `rows` rows in a temporary folder.
///
/// # Errors
/// When files cannot be made.
pub fn prepare(part: Part, shape: Shape, rows: usize) -> Result<Ready> {
    let dir = tempfile::tempdir()?;
    let step = u64::from(matches!(
        part,
        Part::PlainUpdate
            | Part::CaptureUpdate
            | Part::FoldUpdates
            | Part::ExtractUpdates
            | Part::ApplyUpdates
            | Part::ApplyLosing
    ));
    let write = step_write(shape, rows, step);
    Ok(match part {
        Part::PlainInsert | Part::PlainUpdate => {
            let mut plain = Plain::new(dir.path(), shape, Pragmas::Tuned)?;
            if step > 0 {
                plain.write(&step_write(shape, rows, 0), true)?;
            }
            ready(dir, (plain, write), |(plain, write)| plain.write(write, true))
        }
        Part::CaptureInsert | Part::CaptureUpdate => {
            let devices = devices(&dir, shape, rows, step)?;
            ready(dir, (devices, write), |(devices, write)| devices.write(write, true))
        }
        Part::FoldInserts | Part::FoldUpdates => {
            let mut devices = devices(&dir, shape, rows, step)?;
            devices.write(&write, true)?;
            ready(dir, devices, |devices| Ok(devices.fold().map(drop)?))
        }
        Part::ExtractInserts | Part::ExtractUpdates => {
            let mut devices = devices(&dir, shape, rows, step)?;
            devices.write(&write, true)?;
            devices.fold()?;
            ready(dir, devices, |devices| Ok(devices.extract()?))
        }
        Part::ApplyInserts | Part::ApplyUpdates | Part::ApplyDuplicates | Part::ApplyLosing => {
            let mut devices = devices(&dir, shape, rows, step)?;
            devices.write(&write, true)?;
            devices.extract()?;
            let late = devices.log.clone();
            if part == Part::ApplyDuplicates || part == Part::ApplyLosing {
                let chunks = devices.chunks();
                devices.merge(chunks)?;
            }
            if part == Part::ApplyLosing {
                devices.write(&step_write(shape, rows, 2), true)?;
                devices.extract()?;
                let chunks = devices.chunks();
                devices.merge(chunks)?;
            }
            let chunks = late.chunks(200);
            ready(dir, (devices, Some(chunks)), |(devices, chunks)| {
                Ok(devices.merge(chunks.take().unwrap_or_default()).map(drop)?)
            })
        }
        Part::Encode | Part::Decode | Part::Merge | Part::HubPush | Part::HubCatchUp => {
            let mut devices = devices(&dir, shape, rows, 0)?;
            devices.write(&write, true)?;
            devices.extract()?;
            let pieces = std::mem::take(&mut devices.log.pieces);
            drop(devices);
            without_device(part, dir, pieces)?
        }
        Part::FanOut => links(dir, 64, 1, rows)?,
        Part::RoundTrip => links(dir, 1, 1, rows)?,
    })
}

fn links(dir: TempDir, receivers: usize, senders: usize, rows: usize) -> Result<Ready> {
    let groups = if receivers > 1 { 1 } else { rows.div_ceil(10) };
    let links = Links::new(receivers + senders)?;
    Ok(ready(dir, links, move |links| {
        (0..groups).for_each(|group| links.push(group as u64));
        links.assert_all_have(groups * links::GROUP_ROWS)
    }))
}

fn states(pieces: &[Changeset]) -> Vec<RowState<u32>> {
    let rows = pieces.iter().flat_map(|piece| &piece.tables).flat_map(|table| &table.rows);
    let state = |row: &pocketsync_core::change::RowChange| RowState {
        life: row.life,
        cells: row
            .cells
            .iter()
            .map(|cell| (cell.column, Cell { version: cell.version, value: cell.value.clone() }))
            .collect(),
    };
    rows.map(state).collect()
}

fn without_device(part: Part, dir: TempDir, pieces: Vec<Changeset>) -> Result<Ready> {
    let scope = Scope::new("bench")?;
    Ok(match part {
        Part::Encode => ready(dir, (pieces, Vec::new()), |(pieces, bodies)| {
            bodies.extend(pieces.iter().map(|piece| Body::seal(piece, false)));
            Ok(())
        }),
        Part::Decode => {
            let bodies: Vec<Body> = pieces.iter().map(|piece| Body::seal(piece, false)).collect();
            ready(dir, (bodies, Vec::new()), |(bodies, pieces)| {
                for body in bodies {
                    pieces.push(body.open(64 << 20)?);
                }
                Ok(())
            })
        }
        Part::Merge => {
            // Half of the cells of the other side are newer.
            let (mine, mut theirs) = (states(&pieces), states(&pieces));
            for (n, cell) in theirs.iter_mut().flat_map(|row| row.cells.values_mut()).enumerate() {
                if n % 2 == 0 {
                    cell.version.hlc = pocketsync_core::clock::Hlc::from_ms(cell.version.hlc.ms() + 1);
                }
            }
            ready(dir, (mine, Some(theirs)), |(mine, theirs)| {
                let theirs = theirs.take().unwrap_or_default();
                let changed = mine
                    .iter_mut()
                    .zip(theirs)
                    .filter_map(|(mine, theirs)| mine.join(theirs).changed().then_some(()));
                if changed.count() == mine.len() { Ok(()) } else { Err("not every row changed".into()) }
            })
        }
        Part::HubPush => {
            let store = HubStore::open(dir.path().join("hub.db"), HubStoreOptions::default())?;
            let requests = groups_of_ten(&scope, pieces);
            ready(dir, (store, requests), |(store, requests)| {
                for request in requests.drain(..) {
                    store.run(request)?;
                }
                Ok(())
            })
        }
        _ => {
            let mut store = HubStore::open(dir.path().join("hub.db"), HubStoreOptions::default())?;
            for request in groups_of_ten(&scope, pieces) {
                store.run(request)?;
            }
            ready(dir, (store, Vec::new()), move |(store, pieces)| {
                let mut after = Cursor::ZERO;
                loop {
                    let peer = SiteId::from_bytes([9; 16]);
                    let request = StoreRequest::Extract {
                        scope: scope.clone(),
                        peer,
                        after,
                        max_bytes: 256 << 10,
                        not_after: None,
                    };
                    let StoreReply::Extracted(told) = store.run(request)? else {
                        return Err("no extract".into());
                    };
                    pieces.push(told.changeset);
                    after = told.to;
                    if told.last {
                        return Ok(());
                    }
                }
            })
        }
    })
}

fn groups_of_ten(scope: &Scope, pieces: Vec<Changeset>) -> Vec<StoreRequest> {
    let mut lineage = Lineage::default();
    lineage.open(0, Stamp(1));
    let lineage = Arc::new(lineage);
    let at = |seq: usize| if seq == 0 { Cursor::ZERO } else { lineage.cursor_at(seq as u64) };
    let mut groups = Vec::new();
    for table in pieces.into_iter().flat_map(|piece| piece.tables) {
        groups.extend(table.rows.chunks(10).map(|rows| {
            let mut part = table.clone_without_rows();
            part.rows = rows.to_vec();
            Changeset { tables: vec![part] }
        }));
    }
    let request = |(n, changeset)| {
        let chunk = Chunk {
            peer: SiteId::from_bytes([1; 16]),
            lineage: Arc::clone(&lineage),
            from: at(n),
            to: at(n + 1),
            last: true,
            changeset,
            seen: Seen::default(),
        };
        StoreRequest::Apply { scope: scope.clone(), chunks: vec![chunk] }
    };
    groups.into_iter().enumerate().map(request).collect()
}

/// The head of a table.
trait WithoutRows {
    fn clone_without_rows(&self) -> Self;
}

impl WithoutRows for pocketsync_core::change::TableChanges {
    fn clone_without_rows(&self) -> Self {
        Self { name: self.name.clone(), columns: self.columns.clone(), rows: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_does_its_work() {
        for part in Part::ALL {
            for shape in [Shape::Integer, Shape::Text] {
                // A job that fails, or does not do what it should, panics.
                prepare(part, shape, 50).unwrap().run();
            }
        }
    }
}
