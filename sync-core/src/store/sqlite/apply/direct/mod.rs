//! Changes that touch nothing but their own row, merged without looking at any other.
//!
//! Most changes are of this kind: a new row whose keys are free and whose parents are shown, new
//! values in columns that no key and no other row depend on, the death of a row that nobody refers
//! to, and what was known before. For these the outcome of [`park`](super::super::park) is known
//! beforehand, so they are written as they come. Everything else, and whatever a table refuses, is
//! left to the work on rows, which finds the tables as if these had come in an earlier group.

mod fresh;
mod plan;
mod row;
mod together;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::super::engine::Engine;
use super::super::park::work::Work;
use super::super::refs;
use super::super::row_clock::RowClock;
use super::Incoming;
use super::store::Shown;
use crate::change::RowChange;
use crate::id::RowId;
use crate::store::StoreError;
pub(super) use fresh::Fresh;
use plan::{Plan, Waiting};
use row::{Inserted, Merging};
use together::Batch;

/// What is known of the tables that changes are merged into.
#[derive(Debug)]
pub(crate) struct Direct {
    /// The log number of what is merged.
    seq: u64,
    plans: BTreeMap<u32, Option<Plan>>,
    /// By table, as stored; until rows under work are stored.
    waiting: BTreeMap<u32, Waiting>,
    fresh: Fresh,
    /// New rows that are put in together.
    batch: Batch,
    /// What has to be looked at together with other rows.
    left: Vec<Incoming>,
}

impl Direct {
    /// Merges under log number `seq`.
    pub(crate) fn new(seq: u64, fresh: Fresh) -> Self {
        Direct {
            seq,
            plans: BTreeMap::new(),
            waiting: BTreeMap::new(),
            fresh,
            batch: Batch::default(),
            left: Vec::new(),
        }
    }

    /// Forgets what is waiting: other rows may be by now.
    pub(crate) fn forget_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Has the tables complete before a change is looked at, as far as it matters to the change.
    pub(crate) fn make_ready(
        &mut self,
        engine: &mut Engine,
        work: &Work,
        (incoming, sources): (&Incoming, &[Vec<u32>]),
        shown: &mut Shown,
    ) -> Result<(), StoreError> {
        if self.batch.is_before(incoming) {
            self.flush(engine, work, sources, shown)?;
        }
        Ok(())
    }

    /// Merges a change, if it can be done without looking at other rows. Answers whether it changes anything, as far as
    /// that is known. `sources` are our numbers for the columns of where the changes came from.
    pub(crate) fn merge(
        &mut self,
        engine: &mut Engine,
        work: &Work,
        (incoming, sources): (Incoming, &[Vec<u32>]),
        shown: &mut Shown,
    ) -> Result<bool, StoreError> {
        let is_fresh = self.fresh.take(&incoming.change.id);
        let Incoming { table_no, ref change, .. } = incoming;
        let is_under_work = !work.rows.is_empty() && work.rows.contains_key(&(table_no, change.id.clone()));
        let plan = self.plans.entry(table_no).or_insert_with(|| {
            engine.catalog.tables.get(&table_no).and_then(|table| Plan::new(table, &work.links))
        });
        let Some(plan) = plan.as_ref().filter(|plan| !is_under_work && plan.names(&change.id)) else {
            self.left.push(incoming);
            return Ok(false);
        };
        let known = match &change.id {
            RowId::Natural(parts) => {
                refs::clock(engine, table_no, parts)?.map(|(_, clock)| (parts.clone(), clock))
            }
            _ if is_fresh => None,
            id => refs::clock_by_id(engine, table_no, id)?,
        };
        let waiting = waiting(&mut self.waiting, engine, table_no)?;
        let merging = Merging { plan, columns: &sources[incoming.source], seq: self.seq, change };
        let merged = match known {
            None => match merging.insert(engine, work, waiting, shown, plan.at_once.is_some())? {
                Inserted::Now => Some(true),
                Inserted::Not => None,
                Inserted::Later(together) => {
                    let at_once = plan.at_once;
                    if !self.batch.takes(&together) {
                        self.flush(engine, work, sources, shown)?;
                    }
                    self.batch.push(incoming, together);
                    if at_once == Some(self.batch.len()) {
                        self.flush(engine, work, sources, shown)?;
                    }
                    return Ok(true);
                }
            },
            Some((at, clock)) if joined(&clock, change) => merging.update(engine, at, clock, shown)?,
            Some((at, clock)) => merging.delete(engine, at, &clock, waiting, shown)?.then_some(true),
        };
        if merged.is_none() {
            self.left.push(incoming);
        }
        Ok(merged.unwrap_or(false))
    }

    /// What has to be looked at together with other rows. Where there is anything, the tables are complete but for it.
    pub(crate) fn left(
        &mut self,
        engine: &mut Engine,
        work: &Work,
        sources: &[Vec<u32>],
        shown: &mut Shown,
    ) -> Result<Vec<Incoming>, StoreError> {
        if !self.left.is_empty() {
            self.flush(engine, work, sources, shown)?;
        }
        Ok(std::mem::take(&mut self.left))
    }

    /// Puts in the rows that wait to be put in together.
    pub(crate) fn flush(
        &mut self,
        engine: &mut Engine,
        work: &Work,
        sources: &[Vec<u32>],
        shown: &mut Shown,
    ) -> Result<(), StoreError> {
        let Some(table_no) = self.batch.table_no() else { return Ok(()) };
        let Some(Some(plan)) = self.plans.get(&table_no) else { return Ok(()) };
        for incoming in self.batch.put(engine, (plan, self.seq), shown)? {
            let waiting = waiting(&mut self.waiting, engine, table_no)?;
            let (columns, change) = (&sources[incoming.source], &incoming.change);
            let merging = Merging { plan, columns, seq: self.seq, change };
            if !matches!(merging.insert(engine, work, waiting, shown, false)?, Inserted::Now) {
                self.left.push(incoming);
            }
        }
        Ok(())
    }
}

/// What is known to wait of a table, read where it is not.
fn waiting<'w>(
    known: &'w mut BTreeMap<u32, Waiting>,
    engine: &Engine,
    table_no: u32,
) -> Result<&'w mut Waiting, StoreError> {
    Ok(match known.entry(table_no) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(unknown) => unknown.insert(Waiting::read(engine, table_no)?),
    })
}

/// Whether what a change says of a row's life is known.
fn joined(clock: &RowClock, change: &RowChange) -> bool {
    let mut life = clock.life;
    !life.join(&change.life)
}
