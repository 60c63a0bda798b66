//! Cells that are written again although a peer has another value of them that was never seen here.

use std::collections::BTreeSet;

use super::super::conflict;
use super::super::engine::Engine;
use super::super::row_clock::RowClock;
use super::columns::Cells;
use crate::clock::{Hlc, Version};
use crate::id::RowId;
use crate::store::StoreError;

/// What was known to a write is told by its clock, and less was known to these than to what was written with them.
/// So they get clocks in their millisecond that nothing else has: the upper half of the ticks, since a version is
/// raised above another by a few.
pub(super) struct Contested {
    /// Table, column, row.
    cells: BTreeSet<(u32, u32, RowId)>,
    /// Of how many rows such cells were written so far.
    rows: u64,
}

impl Contested {
    pub(super) fn read(engine: &Engine) -> Result<Self, StoreError> {
        Ok(Contested { cells: conflict::contested(engine)?, rows: 0 })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Sets the contested ones apart of the cells that were written under log number `seq`. Answers the largest of
    /// their clocks.
    pub(super) fn set_apart(
        &mut self,
        (table, id): (u32, &RowId),
        cells: &Cells,
        clock: &mut RowClock,
        seq: u64,
    ) -> Option<Hlc> {
        const TICKS: u64 = 1 << 15;
        let is_contested = |column| self.cells.contains(&(table, column, id.clone()));
        let is_apart =
            |column: &&u32| cells.is_written(&is_contested, **column) && clock.column(**column).1 == seq;
        let columns: Vec<u32> = cells.local.iter().filter(is_apart).copied().collect();
        if columns.is_empty() {
            return None;
        }
        self.rows = (self.rows + 1) % TICKS;
        let apart = |column: u32| {
            let (version, _) = clock.column(column);
            let hlc = Hlc::from_bits(version.hlc.bits().saturating_add(TICKS + self.rows));
            clock.set_column(column, Version::new(hlc, version.site), seq);
            hlc
        };
        columns.into_iter().map(apart).max()
    }
}
