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

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::super::engine::Engine;
use super::super::park::work::Work;
use super::super::refs;
use super::super::row_clock::RowClock;
use super::store::Shown;
use crate::change::RowChange;
use crate::id::RowId;
use crate::store::StoreError;
pub(super) use fresh::Fresh;
use plan::{Plan, Waiting};
use row::Merging;

/// What is known of the tables that changes are merged into.
#[derive(Debug)]
pub(crate) struct Direct {
    /// The log number of what is merged.
    seq: u64,
    plans: BTreeMap<u32, Option<Plan>>,
    /// By table, as stored; until rows under work are stored.
    waiting: BTreeMap<u32, Waiting>,
    fresh: Fresh,
}

/// What became of a change.
pub(crate) enum Outcome {
    /// It is merged, and this says whether it changed anything.
    Merged(bool),
    /// It has to be looked at together with other rows.
    Left(RowChange),
}

impl Direct {
    /// Merges under log number `seq`.
    pub(crate) fn new(seq: u64, fresh: Fresh) -> Self {
        Direct { seq, plans: BTreeMap::new(), waiting: BTreeMap::new(), fresh }
    }

    /// Forgets what is waiting: other rows may be by now.
    pub(crate) fn forget_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Merges a change, if it can be done without looking at other rows; `columns[n]` is our
    /// number for the change's column `n`.
    pub(crate) fn merge(
        &mut self,
        engine: &mut Engine,
        work: &Work,
        table_no: u32,
        change: RowChange,
        columns: &[u32],
        shown: &mut Shown,
    ) -> Result<Outcome, StoreError> {
        let is_fresh = self.fresh.take(&change.id);
        if !work.rows.is_empty() && work.rows.contains_key(&(table_no, change.id.clone())) {
            return Ok(Outcome::Left(change));
        }
        let plan = self.plans.entry(table_no).or_insert_with(|| {
            engine.catalog.tables.get(&table_no).and_then(|table| Plan::new(table, &work.links))
        });
        let Some(plan) = plan else { return Ok(Outcome::Left(change)) };
        let waiting = match self.waiting.entry(table_no) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(Waiting::read(engine, table_no)?),
        };
        if !plan.names(&change.id) {
            return Ok(Outcome::Left(change));
        }
        let known = match &change.id {
            RowId::Natural(parts) => {
                refs::clock(engine, table_no, parts)?.map(|(_, clock)| (parts.clone(), clock))
            }
            _ if is_fresh => None,
            id => refs::clock_by_id(engine, table_no, id)?,
        };
        let merging = Merging { plan, columns, seq: self.seq, change: &change };
        let merged = match known {
            None => merging.insert(engine, work, waiting, shown)?.then_some(true),
            Some((at, clock)) if joined(&clock, &change) => merging.update(engine, at, clock, shown)?,
            Some((at, clock)) => merging.delete(engine, at, &clock, waiting, shown)?.then_some(true),
        };
        Ok(merged.map_or_else(|| Outcome::Left(change), Outcome::Merged))
    }
}

/// Whether what a change says of a row's life is known.
fn joined(clock: &RowClock, change: &RowChange) -> bool {
    let mut life = clock.life;
    !life.join(&change.life)
}
