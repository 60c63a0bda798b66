//! Changesets merged into the row clocks, and shown in the tables.
//!
//! ```text
//! numbers   names to table and column numbers   merge   one change joined into one row's state
//! write     what the tables show                taken   conflicts that only SQLite sees
//! places    the keys under which rows stand     make_way  integers that mean nothing stay so
//! store     clocks, records, what waits
//! direct    changes that touch no other row       refuse  own changes that a peer does not take
//! ```
//!
//! A group is merged in batches of rows within one transaction and under one log number. Which
//! rows are shown is decided by [`park`](super::park), as a function of the merged state, so
//! batches and their order make no difference.

mod direct;
mod make_way;
mod merge;
mod numbers;
mod places;
mod refuse;
pub(super) mod store;
mod taken;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use direct::{Direct, Fresh};
use merge::Joined;

use super::conflict::Detector;
use super::engine::Engine;
use super::identity::{self, Heard};
use super::merging;
use super::park::row::RowKey;
use super::park::{self, work::Work};
use super::renames;
use super::rules;
use super::schema_change;
use super::staging;
use super::suspect;
use crate::change::{Changeset, RowChange};
use crate::store::{
    Chunk, ChunkOutcome, Committed, Placement, StoreError, begins_again, check_columns, place,
};
pub(super) use numbers::{column_number, numbers};
pub(super) use refuse::{refuse, retry};
pub use store::Shown;

/// How many rows are under work at a time.
const BATCH: usize = 4096;

/// Takes pieces of peers' logs in, in the transaction that is open. Folds first: nothing remote is
/// ever written over a local write that has no version yet.
///
/// One outcome a chunk, in order. A completed group takes one log number, if it changes anything.
///
/// # Errors
/// When a changeset is not well-formed, or the file cannot be read or written. The transaction is
/// to be rolled back then.
pub fn run(engine: &mut Engine, mut chunks: Vec<Chunk>) -> Result<Vec<ChunkOutcome>, StoreError> {
    chunks.iter().try_for_each(|chunk| check_columns(&chunk.changeset, str::to_ascii_lowercase))?;
    super::fold::run(engine)?;
    if suspect::journal(engine, chunks.iter_mut().map(|chunk| &mut chunk.changeset))? {
        super::fold::run(engine)?;
    }
    chunks.into_iter().map(|chunk| take(engine, chunk)).collect()
}

fn take(engine: &mut Engine, chunk: Chunk) -> Result<ChunkOutcome, StoreError> {
    let Chunk { peer, lineage, from, to, last, changeset, .. } = chunk;
    let mut held = staging::held(engine, peer)?;
    if from != held.cursor {
        if !begins_again(&held.cursor, &lineage, &from) {
            return Ok(ChunkOutcome::Gap { held: held.cursor });
        }
        staging::drop_staged(engine, peer)?;
        held.catching_up = false;
    }
    let fresh = Fresh::before(&engine.sites, &changeset, engine.site());
    engine.sites.learn(&changeset);
    engine.meta.see(changeset.max_hlc());
    let bytes: usize = changeset.rows().map(RowChange::weight).sum();
    let staged = staging::staged_bytes(engine, peer)?;
    held.cursor = to;
    let outcome = match place(staged, held.catching_up, bytes, last) {
        Placement::Stage => {
            if bytes > 0 {
                staging::stage(engine, peer, &changeset, bytes)?;
            }
            ChunkOutcome::Staged { held: held.cursor.clone() }
        }
        Placement::Merge { streaming } => {
            let mut group = if staged > 0 { staging::take_staged(engine, peer)? } else { Vec::new() };
            group.push(changeset);
            let end = match (streaming, std::mem::replace(&mut held.catching_up, streaming)) {
                (true, _) => End::Open,
                (false, true) => End::OfParts,
                (false, false) => End::OfWhole,
            };
            let heard = Heard { peer, seq: held.cursor.seq, whole: !streaming };
            let committed = merge_group(engine, &heard, (group, fresh), end)?;
            ChunkOutcome::Applied { held: held.cursor.clone(), committed }
        }
    };
    staging::put_held(engine, peer, &held, &lineage)?;
    suspect::heard_all(engine, peer)?;
    Ok(outcome)
}

/// Merges rows of our own records again, which were kept under another table number; `columns[n]`
/// is the present number of their column `n`. They take a log number that is nobody's.
pub(super) fn rejoin(
    engine: &mut Engine,
    table_no: u32,
    rows: Vec<RowChange>,
    columns: &[u32],
) -> Result<Shown, StoreError> {
    let mut shown = Shown::default();
    let seq = engine.meta.next_seq();
    let mut work = Work::new(engine)?;
    let mut changed = BTreeSet::new();
    for mut change in rows {
        numbers::one_cell_a_column(&mut change, columns);
        let key = (table_no, change.id.clone());
        let table = engine.catalog.tables.get(&table_no);
        let keeps_dead = work.links.keeps_dead(table_no);
        let row = work.load(engine, &key)?;
        if merge::merge(row, table, change, columns, seq, keeps_dead) != Joined::Nothing {
            changed.insert(key);
        }
        if work.rows.len() >= BATCH {
            store::settle(engine, &mut work, std::mem::take(&mut changed), &[], &mut shown)?;
        }
    }
    store::settle(engine, &mut work, changed, &[], &mut shown)?;
    // A life that is news to a sender goes under the next number.
    engine.meta.next_seq();
    log_own(engine, seq)?;
    Ok(shown)
}

/// Notes that a log number holds changes which did not come from a peer, and whose versions may
/// have been offered already: none of them is corrected any more.
pub(super) fn log_own(engine: &mut Engine, seq: u64) -> Result<(), StoreError> {
    let meta = &mut engine.meta;
    engine
        .conn
        .prepare_cached(
            "INSERT INTO __pocketsync_log(seq, floor, jump, counter, clock) VALUES(?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((seq as i64, meta.foreign_clock, meta.jump, meta.counter, meta.clock))?;
    meta.offered_seq = meta.offered_seq.max(seq as i64);
    meta.offered_counter = meta.offered_counter.max(meta.counter);
    meta.offered_clock = meta.offered_clock.max(meta.clock);
    Ok(())
}

/// What ends with what is merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// A group.
    OfWhole,
    /// A group of which other parts were merged before.
    OfParts,
    /// Nothing: more of the group is to come.
    Open,
}

/// A change of a row on its way in.
#[derive(Debug)]
struct Incoming {
    /// Our number for its table.
    table_no: u32,
    /// Which of a group's tables it came in.
    source: usize,
    change: RowChange,
}

/// Changes that are joined into the rows under work.
struct Joining<'s> {
    /// The log number of what is merged.
    seq: u64,
    /// By source, our numbers for the columns.
    sources: &'s [Vec<u32>],
    /// Whether anything was new.
    any: bool,
    /// Whether something of it is new to the sender.
    derived: bool,
    /// The rows whose merged state changed.
    changed: BTreeSet<RowKey>,
}

impl Joining<'_> {
    fn join(
        &mut self,
        engine: &mut Engine,
        work: &mut Work,
        incoming: Vec<Incoming>,
    ) -> Result<(), StoreError> {
        for Incoming { table_no, source, change } in incoming {
            let key = (table_no, change.id.clone());
            let table = engine.catalog.tables.get(&table_no);
            let keeps_dead = work.links.keeps_dead(table_no);
            let row = work.load(engine, &key)?;
            let joined = merge::merge(row, table, change, &self.sources[source], self.seq, keeps_dead);
            if joined != Joined::Nothing {
                self.any = true;
                self.changed.insert(key);
            }
            self.derived |= joined == Joined::NewsToSender;
        }
        Ok(())
    }
}

/// Merges one group under the next log number, which is taken only if something changed. What its
/// sender does not know of the outcome goes under one more, which came from nobody.
fn merge_group(
    engine: &mut Engine,
    heard: &Heard,
    (group, fresh): (Vec<Changeset>, Fresh),
    end: End,
) -> Result<Option<Committed>, StoreError> {
    let renames = renames::expect(engine, &group)?;
    let ruled = rules::expect(engine, &group)?;
    let head = engine.meta.head as u64;
    let from = engine.lineage.cursor_at(head);
    let seq = head + 1;
    let mut sources: Vec<Vec<u32>> = Vec::new();
    let mut rows: BTreeMap<u32, Vec<(usize, RowChange)>> = BTreeMap::new();
    for changes in group.into_iter().flat_map(|changeset| changeset.tables) {
        let (table_no, columns) = numbers(engine, &changes)?;
        let mut changed = changes.rows;
        if columns.iter().collect::<BTreeSet<_>>().len() < columns.len() {
            changed.iter_mut().for_each(|row| numbers::one_cell_a_column(row, &columns));
        }
        sources.push(columns);
        let source = sources.len() - 1;
        rows.entry(table_no).or_default().extend(changed.into_iter().map(|row| (source, row)));
    }
    let mut work = Work::new(engine)?;
    let order = work.links.parents_first(rows.keys().copied());
    let mut list = Vec::new();
    for table_no in order {
        let Some(mut changes) = rows.remove(&table_no) else { continue };
        // In the order of the keys, so that neighbours are found and written together.
        changes.sort_by(|a, b| a.1.id.cmp(&b.1.id));
        list.extend(changes.into_iter().map(|(source, change)| Incoming { table_no, source, change }));
    }
    let mut shown = Shown::default();
    let mut direct = Direct::new(seq, fresh);
    let detector = Detector::new(engine, heard)?;
    let mut joining =
        Joining { seq, sources: &sources, any: false, derived: false, changed: BTreeSet::new() };
    for incoming in list {
        direct.make_ready(engine, &work, (&incoming, &sources), &mut shown)?;
        detector.look(engine, incoming.table_no, &incoming.change, &sources[incoming.source])?;
        joining.any |= direct.merge(engine, &work, (incoming, &sources), &mut shown)?;
        let left = direct.left(engine, &work, &sources, &mut shown)?;
        joining.join(engine, &mut work, left)?;
        if work.rows.len() >= BATCH {
            store::settle(engine, &mut work, std::mem::take(&mut joining.changed), &[], &mut shown)?;
            direct.forget_waiting();
        }
    }
    direct.flush(engine, &work, &sources, &mut shown)?;
    let left = direct.left(engine, &work, &sources, &mut shown)?;
    joining.join(engine, &mut work, left)?;
    let Joining { any, mut derived, changed, .. } = joining;
    // What follows from deletions is known when all of the group is: a row whose parent is gone may
    // go with it. It is news to everybody.
    work.derive_at = (end != End::Open).then_some(seq + 1);
    store::settle(engine, &mut work, changed, &[], &mut shown)?;
    if end != End::Open {
        let mut waiting: Vec<_> = std::mem::take(&mut work.undecided).into_iter().collect();
        if end == End::OfParts {
            waiting = park::index::missing_parents(engine)?;
        }
        for keys in waiting.chunks(BATCH) {
            for key in keys {
                work.load(engine, key)?;
            }
            store::settle(engine, &mut work, BTreeSet::new(), &[], &mut shown)?;
        }
    }
    derived |= work.derived;
    if !any && !derived {
        return Ok(None);
    }
    engine.meta.head = if derived { seq + 1 } else { seq } as i64;
    let merged = engine.meta.head;
    identity::heard(engine, seq, heard)?;
    if renames {
        shown.extend(schema_change::follow_names(engine)?);
    }
    if ruled {
        merging::refresh(engine)?;
    }
    Ok(Some(Committed {
        from,
        to: engine.lineage.cursor_at(engine.meta.head as u64),
        delta: Changeset::default(),
        shown: shown.into_rows(&engine.catalog),
        // What goes by another name now, and what was folded for it, is told anew.
        derived: derived || engine.meta.head > merged,
    }))
}
