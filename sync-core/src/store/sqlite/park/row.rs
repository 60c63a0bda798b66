//! One row under work: all that is known of it, where it is stored, and where it shall be.

use std::collections::{BTreeMap, BTreeSet};

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::merging::SHARES_FROM;
use super::super::refs;
use super::super::row_clock::{ColumnClock, RowClock};
use super::super::system::AsideReason;
use super::claims::Claim;
use super::links::Target;
use super::table_sql;
use crate::clock::Version;
use crate::id::RowId;
use crate::merge::{Cell, Life};
use crate::store::{Record, RecordCell, StoreError};
use crate::value::Value;

/// A row's place among all rows: table number and id.
pub(crate) type RowKey = (u32, RowId);

/// The key under which a table holds a row.
pub(crate) type LocalKey = Box<[Value]>;

/// Of rows that claim the same key the smaller has it: the one that is nearer to the beginning of
/// a line of references, then the one that was born earlier. Only rows whose keys refer to rows of
/// their own kind stand in a line.
pub(crate) type Age = (u32, Option<Version>);

/// A row under work.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// Its merged state.
    pub(crate) record: Record,
    /// The key under which its table holds it at this moment.
    pub(crate) at: Option<LocalKey>,
    /// The key under which its table held it when the work began.
    pub(crate) was_at: Option<LocalKey>,
    /// What its table showed when the work began, by column position. Empty where nothing.
    pub(crate) local: Vec<Value>,
    /// What it was to those who refer to it when the work began.
    pub(crate) offered: Vec<Target>,
    /// Whether those who wait for it do not know that it is there.
    pub(crate) fresh: bool,
    /// Why it is kept aside, as stored.
    pub(crate) aside: Option<AsideReason>,
    /// The merged values beside it, as stored.
    pub(crate) stored_shadows: BTreeMap<u32, Value>,
    /// The merged values that its table cannot show.
    pub(crate) shadows: BTreeMap<u32, Value>,
    /// Why its table refuses it, whatever the other rows are.
    pub(crate) refused: Option<(AsideReason, String)>,
    /// Whether its table is known to accept it as it is.
    pub(crate) tried: bool,
    /// The columns (numbers) that have to be written again.
    pub(crate) columns: BTreeSet<u32>,
    /// Whether it has to be written again whole, since columns went back to their defaults.
    pub(crate) whole: bool,
    /// Whether the merged state differs from what is stored.
    pub(crate) dirty: bool,
    /// Whether something that its table shows was written.
    pub(crate) written: bool,
    /// The unique keys that it claims.
    pub(crate) claims: Vec<Claim>,
    /// Whether it claims something else than what is stored.
    pub(crate) reclaimed: bool,
    /// Where it stands among those who claim the same.
    pub(crate) age: Age,
    /// Whether no older row has one of these keys.
    pub(crate) wins: bool,
    /// The row that has the first of the keys that it lost.
    pub(crate) holder: Option<RowKey>,
    /// The same, as stored.
    pub(crate) stored_holder: Option<RowKey>,
    /// Whether its key shows other rows than its id says, as stored.
    pub(crate) aliased: bool,
    /// Which rows the references that were written by this work show, by column position.
    pub(crate) shows: BTreeMap<usize, RowId>,
    /// Why it is not to be shown; `None`: it is.
    pub(crate) fate: Option<(AsideReason, String)>,
    /// The key under which its table shall hold it.
    pub(crate) next: Option<LocalKey>,
}

impl Row {
    /// What is stored of a row; an empty one where nothing is known.
    pub(crate) fn load(engine: &Engine, key: &RowKey) -> Result<Self, StoreError> {
        let (table_no, id) = key;
        if let Some(table) = engine.catalog.tables.get(table_no)
            && let Some((at, clock)) = refs::clock_by_id(engine, *table_no, id)?
        {
            return Self::load_shown(engine, table, id, at, &clock);
        }
        let Some((reason, record)) = refs::aside(engine, *table_no, id)? else {
            return Ok(Row::default());
        };
        let holder = match reason {
            AsideReason::UniqueClaim => {
                refs::winner(engine, *table_no, id)?.map(|winner| (*table_no, winner))
            }
            _ => None,
        };
        Ok(Row {
            stored_holder: holder.clone(),
            holder,
            refused: (reason == AsideReason::Refused).then(|| (reason, String::new())),
            tried: matches!(reason, AsideReason::MissingParent | AsideReason::UniqueClaim),
            wins: reason == AsideReason::MissingParent,
            aside: Some(reason),
            record,
            ..Row::default()
        })
    }

    /// What is stored of a row that its table shows under `at`.
    pub(super) fn load_shown(
        engine: &Engine,
        table: &Table,
        id: &RowId,
        at: LocalKey,
        clock: &RowClock,
    ) -> Result<Self, StoreError> {
        let shadows = if clock.shadowed { refs::shadows(engine, table.no, id)? } else { BTreeMap::new() };
        let local = table_sql::read(engine, table, &at)?;
        let mut record = Record { life: clock.life, life_seq: clock.life_seq, ..Record::default() };
        for (position, column) in table.columns.iter().enumerate() {
            let (version, seq) = clock.column(column.no);
            // Without a log number the column was never written, and shows its default.
            if seq == 0 || is_identity(table, id, position) {
                continue;
            }
            let value = match (shadows.get(&column.no), local.get(position), &column.reference) {
                (Some(merged), ..) => merged.clone(),
                (None, None, _) => continue,
                (None, Some(_), _) if table.integer_key() == Some(position) && clock.hint.is_some() => {
                    Value::Integer(clock.hint.unwrap_or_default())
                }
                (None, Some(shown), Some(reference)) => refs::to_global(engine, reference, shown)?,
                (None, Some(shown), None) => shown.clone(),
            };
            record.cells.insert(column.no, RecordCell { cell: Cell { version, value }, seq });
        }
        for (&column, value) in &shadows {
            if table.position(column).is_none() {
                let (version, seq) = clock.column(column);
                let cell = Cell { version, value: value.clone() };
                record.cells.insert(column, RecordCell { cell, seq });
            }
        }
        let aliased = matches!(id, RowId::Natural(_)) && refs::shows_another(engine, table.no, &at)?;
        Ok(Row {
            record,
            aliased,
            whole: local.is_empty(),
            was_at: Some(at.clone()),
            at: Some(at),
            local,
            stored_shadows: shadows.clone(),
            shadows,
            tried: true,
            wins: true,
            ..Row::default()
        })
    }

    /// Whether it takes part in the contest for unique keys.
    pub(crate) fn is_claimant(&self) -> bool {
        self.record.life.is_alive() && self.refused.is_none()
    }

    /// The clock of this row, shown under `key`.
    pub(crate) fn clock(&self, table: &Table, id: &RowId, key: &[Value]) -> RowClock {
        let record = &self.record;
        let cells: Vec<ColumnClock> = record
            .cells
            .iter()
            .map(|(&column, held)| ColumnClock { column, version: held.cell.version, seq: held.seq })
            .collect();
        let hint = table.integer_key().and_then(|position| {
            let merged = &record.cells.get(&table.columns[position].no)?.cell.value;
            match (merged, key) {
                (Value::Integer(merged), [Value::Integer(here)]) if merged != here => Some(*merged),
                _ => None,
            }
        });
        RowClock {
            shadowed: !self.shadows.is_empty(),
            hint,
            ..packed(table, id, record.life, record.life_seq, &cells)
        }
    }
}

/// The clock of a row with these cells, in the order of their columns: without shadows, and under
/// its own integer.
pub(crate) fn packed(
    table: &Table,
    id: &RowId,
    life: Life,
    life_seq: u64,
    cells: &[ColumnClock],
) -> RowClock {
    let own =
        |column: &u32| !table.position(*column).is_some_and(|position| is_identity(table, id, position));
    let (cells, shares) = cells.split_at(cells.partition_point(|cell| cell.column < SHARES_FROM));
    let base_columns = cells.iter().map(|cell| cell.column).rfind(own).map_or(0, |column| column + 1);
    let born = life.born.unwrap_or(Version::GENESIS);
    let (base, base_seq) = most_common(cells).unwrap_or((born, life_seq));
    let plain = RowClock {
        life,
        life_seq,
        base,
        base_seq,
        base_columns,
        shadowed: false,
        hint: None,
        exceptions: Vec::new(),
    };
    // As of nearly all rows that were inserted and not written since: as many columns as numbers, so none is missing.
    if shares.is_empty()
        && cells.len() == base_columns as usize
        && cells.iter().all(|cell| cell.column < base_columns)
        && cells.iter().all(|cell| (cell.version, cell.seq) == (base, base_seq))
    {
        return plain;
    }
    let column_clock = |column: u32| {
        let found = cells.binary_search_by_key(&column, |cell| cell.column);
        let never = ColumnClock { column, version: Version::GENESIS, seq: 0 };
        let clock = found.map_or(never, |index| cells[index]);
        ((clock.version, clock.seq) != (base, base_seq)).then_some(clock)
    };
    let exceptions = (0..base_columns).filter(own).filter_map(column_clock).chain(shares.iter().copied());
    RowClock { exceptions: exceptions.collect(), ..plain }
}

/// What most cells were written at; of equals the latest.
fn most_common(cells: &[ColumnClock]) -> Option<(Version, u64)> {
    let first = cells.first().map(|cell| (cell.version, cell.seq))?;
    if cells.iter().all(|cell| (cell.version, cell.seq) == first) {
        return Some(first);
    }
    let mut counts: BTreeMap<(Version, u64), usize> = BTreeMap::new();
    for cell in cells {
        *counts.entry((cell.version, cell.seq)).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(clock, _)| clock)
}

/// Whether a column is a part of the row's identity, which is not a cell.
pub(crate) fn is_identity(table: &Table, id: &RowId, position: usize) -> bool {
    matches!(id, RowId::Natural(_)) && !table.is_surrogate() && table.key.contains(&position)
}
