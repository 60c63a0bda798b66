//! New rows of one table that nothing else depends on, put in by one statement: what a statement costs is most of
//! what a row costs.

use super::super::super::engine::Engine;
use super::super::super::park::table_sql;
use super::super::super::refs::{self, LocalKey};
use super::super::Incoming;
use super::super::store::Shown;
use super::plan::Plan;
use super::row::Together;
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// Rows that were found to be new, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Batch {
    positions: Vec<usize>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    incoming: Incoming,
    at: LocalKey,
    clock: Vec<u8>,
}

impl Row {
    /// Its values, in the order of the batch's positions.
    fn values(&self) -> impl Iterator<Item = &Value> {
        let change = &self.incoming.change;
        let key = match &change.id {
            RowId::Natural(parts) => &parts[..],
            _ => &[],
        };
        key.iter().chain(change.cells.iter().map(|cell| &cell.value))
    }
}

impl Batch {
    /// The table of the rows that wait; `None` where there are none.
    pub(super) fn table_no(&self) -> Option<u32> {
        self.rows.last().map(|row| row.incoming.table_no)
    }

    /// How many rows wait.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether a row with these columns can wait with those that do.
    pub(super) fn takes(&self, together: &Together) -> bool {
        self.rows.is_empty() || self.positions == together.positions
    }

    /// Takes a row in.
    pub(super) fn push(&mut self, incoming: Incoming, together: Together) {
        let Together { positions, at, clock } = together;
        self.positions = positions;
        self.rows.push(Row { incoming, at, clock });
    }

    /// Whether a change is not to be looked at while these rows wait: it is of another table, whose rows may
    /// refer to them, or of the same row. Changes come in the order of their rows.
    pub(super) fn is_before(&self, incoming: &Incoming) -> bool {
        self.rows.last().is_some_and(|Row { incoming: last, .. }| {
            last.table_no != incoming.table_no || last.change.id == incoming.change.id
        })
    }

    /// Puts all rows in, if there are enough of them for one statement and the table takes every one. Gives back
    /// those that are to be put in one by one otherwise.
    pub(super) fn put(
        &mut self,
        engine: &mut Engine,
        (plan, seq): (&Plan, u64),
        shown: &mut Shown,
    ) -> Result<Vec<Incoming>, StoreError> {
        let rows = std::mem::take(&mut self.rows);
        let table = &plan.table;
        let are_in = plan.at_once == Some(rows.len()) && {
            let values = rows.iter().flat_map(Row::values);
            table_sql::insert_many_or_abort(engine, table, &self.positions, rows.len(), values)?.is_ok()
        };
        if !are_in {
            return Ok(rows.into_iter().map(|row| row.incoming).collect());
        }
        let clocks = rows.iter().map(|row| (&row.at[..], &row.incoming.change.id, &row.clock[..]));
        refs::put_new_clocks(engine, table.no, seq, clocks)?;
        rows.into_iter().for_each(|row| shown.note(table.no, row.at, true));
        Ok(Vec::new())
    }
}
