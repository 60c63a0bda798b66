//! The fold: the journal turned into row clocks.
//!
//! ```text
//! timeline   the times of the journal          mask     which columns an entry speaks of
//! journal    entries, and what is there now    work     the entries of one row put together
//! moves      integer keys that changed         settle   deaths, births, changed columns
//! rekeyed    declared keys that changed and mean what they meant
//! displaced  rows whose key means another row
//! freed      integers that REPLACE freed, and that others have since
//! columns    versions of one row's columns     writes   clocks on their way to the file
//! merged     what writes make of columns that merge   contested  cells of which a peer has another
//! ```
//!
//! No value of the user's is read, but in columns that merge: whether a row exists now is asked in the statement that reads
//! the journal, and the rest is in the entries. All rows of one fold share one log number, since
//! what it sees are whole committed transactions.

mod columns;
mod contested;
mod displaced;
mod freed;
mod journal;
mod mask;
mod merged;
mod moves;
mod rekeyed;
mod settle;
mod timeline;
mod work;
mod writes;

use std::collections::{BTreeMap, BTreeSet, btree_map};

use super::catalog::Table;
use super::engine::Engine;
use crate::clock::{Hlc, Version};
use crate::conflict::RULES_TABLE;
use crate::id::{RowId, SiteId};
use crate::store::StoreError;
use crate::value::Value;
use contested::Contested;
use journal::{Entry, Form, Key, read_entries};
use moves::Present;
use settle::Settling;
use timeline::Timeline;
pub(super) use timeline::offset_in_effect;

/// How many journal entries are held in memory at a time, where no entry needs another.
const SLICE: i64 = 200_000;

/// The rows that were written, by table; only of tables whose rows can be in each other's way.
pub type Touched = BTreeMap<u32, Vec<RowId>>;

/// Keys that rows had, and the rows, by table.
pub type Left = BTreeMap<u32, Vec<(Box<[Value]>, RowId)>>;

/// What a fold did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folded {
    /// Its log number.
    pub seq: u64,
    /// The rows that may free or claim something, while rows wait for that.
    pub touched: Touched,
    /// The rows of tables that others refer to which are no longer under the key they had.
    pub left: Left,
    /// Whether the rules were written.
    pub(crate) ruled: bool,
}

/// Folds the journal in the transaction that is open, and shows what that made room for.
///
/// Answers with the log number that the fold took; `None` when there was nothing in the journal,
/// or it came to nothing.
///
/// # Errors
/// When the file cannot be read or written.
pub fn run(engine: &mut Engine) -> Result<Option<u64>, StoreError> {
    let Some(folded) = fold(engine)? else { return Ok(None) };
    let shown = super::park::after_fold(engine, &folded)?;
    engine.shown_by_folds.extend(shown);
    if folded.ruled {
        super::merging::refresh(engine)?;
    }
    Ok(Some(folded.seq))
}

/// Folds the journal, and nothing else.
///
/// # Errors
/// When the file cannot be read or written.
pub fn fold(engine: &mut Engine) -> Result<Option<Folded>, StoreError> {
    let timeline = Timeline::read(engine)?;
    if timeline.tables.is_empty() {
        return Ok(None);
    }
    let tables: Vec<Table> =
        timeline.tables.keys().filter_map(|no| engine.catalog.tables.get(no).cloned()).collect();
    let mut folding = Folding::new(engine)?;
    // What keys meant before: parents are about to change.
    let mut old_ids = BTreeMap::new();
    for table in tables.iter().filter(|table| table.has_reference_key()) {
        old_ids.insert(table.no, folding.known_ids(table, &timeline)?);
    }
    for table in tables.iter().filter(|table| table.is_surrogate()) {
        folding.surrogate(table, &timeline)?;
    }
    let naturals: Vec<Table> =
        folding.engine.catalog.tables.values().filter(|table| !table.is_surrogate()).cloned().collect();
    for table in naturals {
        folding.natural(&table, &timeline, old_ids.remove(&table.no).unwrap_or_default())?;
    }
    let mut folded = folding.finish()?;
    if let Some(folded) = &mut folded {
        folded.ruled = tables.iter().any(|table| table.name == RULES_TABLE);
    }
    if timeline.left_out {
        for (&table_no, &(first, last)) in &timeline.tables {
            engine
                .conn
                .prepare_cached("DELETE FROM __pocketsync_journal WHERE t = ?1 AND n BETWEEN ?2 AND ?3")?
                .execute((table_no, first, last))?;
        }
    } else {
        engine.conn.prepare_cached("DELETE FROM __pocketsync_journal")?.execute([])?;
    }
    Ok(folded)
}

/// Remembers of a log number of our own writes what they knew, and the last of what they used.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn log(engine: &Engine, seq: u64) -> Result<(), StoreError> {
    let meta = &engine.meta;
    engine
        .conn
        .prepare_cached(
            "INSERT INTO __pocketsync_log(seq, floor, jump, counter, clock) VALUES(?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((seq as i64, meta.foreign_clock, meta.jump, meta.counter, meta.clock))?;
    Ok(())
}

/// A fold in progress.
struct Folding<'e> {
    engine: &'e mut Engine,
    site: SiteId,
    /// The largest clock that was known when it began: all of its versions are above.
    start: Hlc,
    top: Hlc,
    seq: Option<u64>,
    /// Whether rows wait for others.
    waiting: bool,
    touched: Touched,
    /// The tables that others refer to.
    parents: BTreeSet<u32>,
    left: Left,
    contested: Contested,
}

impl<'e> Folding<'e> {
    fn new(engine: &'e mut Engine) -> Result<Self, StoreError> {
        let waiting = engine
            .conn
            .prepare_cached(
                "SELECT 1 FROM __pocketsync_aside
                 WHERE reason <> 'deleted' AND reason NOT IN ('unborn', 'unknown table') LIMIT 1",
            )?
            .exists([])?;
        let (site, start) = (engine.site(), engine.meta.clock());
        let tables = engine.catalog.tables.values();
        let parents = tables
            .flat_map(|table| {
                let direct = table.foreign_keys.iter().map(|key| key.parent);
                direct.chain(table.columns.iter().filter_map(|column| Some(column.reference.as_ref()?.table)))
            })
            .collect();
        let (touched, left) = (Touched::new(), Left::new());
        let contested = Contested::read(engine)?;
        Ok(Folding { engine, site, start, top: start, seq: None, waiting, touched, parents, left, contested })
    }

    /// The version of what was written at a time: above all that was known before this fold.
    fn version(&mut self, ms: u64) -> Version {
        let hlc = Hlc::from_ms(ms).max(self.start.next());
        self.top = self.top.max(hlc);
        Version::new(hlc, self.site)
    }

    /// The version, raised above another one if it is not yet.
    fn above(&mut self, version: Version, other: Option<Version>) -> Version {
        match other {
            Some(other) if other.hlc >= version.hlc => {
                self.top = self.top.max(other.hlc.next());
                Version::new(other.hlc.next(), self.site)
            }
            _ => version,
        }
    }

    fn seq(&mut self) -> u64 {
        *self.seq.get_or_insert_with(|| self.engine.meta.next_seq())
    }

    fn mint(&mut self) -> RowId {
        self.engine.meta.counter += 1;
        RowId::Surrogate { site: self.site, counter: self.engine.meta.counter as u64 }
    }

    /// Whether it matters to others that a row of this table was written.
    fn watches(&self, table: &Table) -> bool {
        self.waiting
            && (table.has_claim_keys()
                || !table.foreign_keys.is_empty()
                || self
                    .engine
                    .catalog
                    .tables
                    .values()
                    .any(|child| child.foreign_keys.iter().any(|key| key.parent == table.no)))
    }

    fn touch(&mut self, table: &Table, id: &RowId) {
        if self.watches(table) {
            self.touched.entry(table.no).or_default().push(id.clone());
        }
    }

    /// A row is no longer under this key.
    fn leave(&mut self, table: &Table, key: Box<[Value]>, id: &RowId) {
        if self.parents.contains(&table.no) {
            self.left.entry(table.no).or_default().push((key, id.clone()));
        }
    }

    /// The ids of the rows that entries speak of, as they were before this fold.
    fn known_ids(&self, table: &Table, timeline: &Timeline) -> Result<BTreeMap<Key, RowId>, StoreError> {
        let mut ids = BTreeMap::new();
        let whole = timeline.tables[&table.no];
        for entry in read_entries(self.engine, table, Form::Natural, whole, timeline)? {
            if entry.known.is_some() && !ids.contains_key(&entry.key) {
                let key = entry.key.local(Form::Natural);
                if let Some(id) = super::refs::row_id(self.engine, table.no, &key)? {
                    ids.insert(entry.key, id);
                }
            }
        }
        Ok(ids)
    }

    fn surrogate(&mut self, table: &Table, timeline: &Timeline) -> Result<(), StoreError> {
        let whole = timeline.tables[&table.no];
        let (moves, touches) = (timeline.moved.contains(&table.no), timeline.touched.contains(&table.no));
        if !moves && !touches {
            return self.in_slices(table, Form::Surrogate, timeline);
        }
        let mut entries = read_entries(self.engine, table, Form::Surrogate, whole, timeline)?;
        freed::mark(&mut entries);
        let works = if moves {
            let present = self.present(table, &entries)?;
            moves::follow(entries, &present)
        } else {
            work::by_key(entries)
        };
        self.settle(table, Form::Surrogate, &BTreeMap::new(), works)
    }

    fn natural(
        &mut self,
        table: &Table,
        timeline: &Timeline,
        mut old_ids: BTreeMap<Key, RowId>,
    ) -> Result<(), StoreError> {
        if table.has_reference_key() {
            // One id may leave a key and come under another: all at once.
            let mut works = Vec::new();
            if let Some(&whole) = timeline.tables.get(&table.no) {
                let entries = read_entries(self.engine, table, Form::Natural, whole, timeline)?;
                let followed = rekeyed::follow(&entries);
                works = work::by_key(entries);
                rekeyed::go_on(self.engine, table, followed, &old_ids, &mut works)?;
            }
            let displaced = displaced::find(self.engine, table, &self.left, &timeline.tables)?;
            let ms = timeline.last_ms();
            displaced::add(self.engine, table, displaced, ms, &mut works, &mut old_ids)?;
            self.settle(table, Form::Natural, &old_ids, works)?;
        } else {
            self.in_slices(table, Form::Natural, timeline)?;
        }
        if table.nullable_key {
            self.in_slices(table, Form::NullKey, timeline)?;
        }
        Ok(())
    }

    fn in_slices(&mut self, table: &Table, form: Form, timeline: &Timeline) -> Result<(), StoreError> {
        let Some(&(mut first, last)) = timeline.tables.get(&table.no) else { return Ok(()) };
        while first <= last {
            let end = last.min(first.saturating_add(SLICE - 1));
            let entries = read_entries(self.engine, table, form, (first, end), timeline)?;
            self.settle(table, form, &BTreeMap::new(), work::by_key(entries))?;
            first = end + 1;
        }
        Ok(())
    }

    fn settle(
        &mut self,
        table: &Table,
        form: Form,
        old_ids: &BTreeMap<Key, RowId>,
        works: Vec<work::Work>,
    ) -> Result<(), StoreError> {
        Settling::new(self, table, form, old_ids)?.settle(works)
    }

    /// What is there now under every key that entries name, old keys included.
    fn present(&self, table: &Table, entries: &[Entry]) -> Result<BTreeMap<i64, Present>, StoreError> {
        let mut present = BTreeMap::new();
        for entry in entries {
            if let Key::Integer(key) = entry.key {
                present.insert(key, Present { live: entry.live, known: entry.known.clone() });
            }
        }
        let mut statement = self.engine.conn.prepare_cached(&journal::present_sql(table))?;
        for from in entries.iter().filter_map(|entry| entry.from) {
            if let btree_map::Entry::Vacant(slot) = present.entry(from) {
                slot.insert(statement.query_row([from], journal::read_present)?);
            }
        }
        Ok(present)
    }

    fn finish(self) -> Result<Option<Folded>, StoreError> {
        let Some(seq) = self.seq else { return Ok(None) };
        self.engine.meta.clock = i64::try_from(self.top.bits()).unwrap_or(i64::MAX);
        log(self.engine, seq)?;
        Ok(Some(Folded { seq, touched: self.touched, left: self.left, ruled: false }))
    }
}
