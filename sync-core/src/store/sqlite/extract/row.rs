//! One shown row as others are told of it.

use std::collections::BTreeMap;

use rusqlite::{Row, params_from_iter};

use super::super::catalog::{Reference, Table};
use super::super::engine::Engine;
use super::super::refs::{self, bound, value};
use super::super::row_clock::RowClock;
use super::super::system::quote;
use super::origin::Origins;
use crate::change::{CellChange, RowChange};
use crate::id::RowId;
use crate::merge::Life;
use crate::store::StoreError;
use crate::value::Value;

/// What the columns of a table say to others.
#[derive(Debug)]
pub(super) struct Reading {
    table: u32,
    /// The columns that are cells, in order of their numbers.
    cells: Vec<CellColumn>,
    /// Foreign keys whose values travel as they are: the columns, as indexes into `cells`, and the
    /// query for the parent.
    plain_keys: Vec<(Vec<usize>, String)>,
}

#[derive(Debug)]
struct CellColumn {
    no: u32,
    /// Where the value is in the statement's row, after the columns that come before them.
    at: usize,
    is_integer_key: bool,
    reference: Option<Reference>,
}

impl Reading {
    /// The columns that [`Reading::change`] wants selected. A key is no cell where it is the
    /// identity, which it is not in rows that have an `own_id`.
    pub(super) fn of(table: &Table, own_id: bool) -> (Self, Vec<String>) {
        let is_cell = |at: &usize| own_id || !table.key.contains(at);
        let positions: Vec<usize> = (0..table.columns.len()).filter(is_cell).collect();
        let cells = positions
            .iter()
            .enumerate()
            .map(|(index, &at)| CellColumn {
                no: table.columns[at].no,
                at: index,
                is_integer_key: table.integer_key() == Some(at),
                reference: table.columns[at].reference.clone(),
            })
            .collect();
        let selected = positions.iter().map(|&at| format!("t.{}", quote(&table.columns[at].name))).collect();
        (Reading { table: table.no, cells, plain_keys: Vec::new() }, selected)
    }

    /// Learns of the foreign keys to natural keys, and of those of several columns.
    pub(super) fn with_plain_keys(mut self, engine: &Engine, table: &Table) -> Self {
        let cell_of = |at: &usize| {
            self.cells.iter().position(|cell| cell.no == table.columns[*at].no && cell.reference.is_none())
        };
        for key in &table.foreign_keys {
            let columns: Option<Vec<usize>> = key.columns.iter().map(cell_of).collect();
            let parent = engine.catalog.tables.get(&key.parent);
            if let (Some(columns), Some(parent)) = (columns, parent) {
                let matches: Vec<_> = key
                    .parent_columns
                    .iter()
                    .enumerate()
                    .map(|(n, column)| format!("{} = ?{}", quote(column), n + 1))
                    .collect();
                let query = format!("SELECT 1 FROM {} WHERE {}", quote(&parent.name), matches.join(" AND "));
                self.plain_keys.push((columns, query));
            }
        }
        self
    }

    /// What of a row changed after `base` and did not come from the peer; columns by number. The
    /// values begin at `first` of `row`.
    pub(super) fn change(
        &self,
        engine: &Engine,
        (id, key): (RowId, &[Value]),
        clock: &RowClock,
        (row, first): (&Row<'_>, usize),
        base: u64,
        origins: &mut Origins,
    ) -> Result<Option<RowChange>, StoreError> {
        let base = base.max(origins.withheld_of(self.table));
        let mut wanted = |seq: u64| Ok::<_, StoreError>(seq > base && !origins.is_echo(engine, seq)?);
        let tell_life = wanted(clock.life_seq)?;
        // A death that was taken back: others may have dropped the cells of the dead row.
        let whole = tell_life && clock.life.undone.is_some() && clock.life.undone >= clock.life.died;
        let shadows = if clock.shadowed { refs::shadows(engine, self.table, &id)? } else { BTreeMap::new() };
        let mut cells = Vec::new();
        for column in &self.cells {
            let (version, seq) = clock.column(column.no);
            if !(wanted(seq)? || whole && seq > 0) {
                continue;
            }
            let value = match shadows.get(&column.no) {
                Some(shadow) => shadow.clone(),
                None if column.is_integer_key => clock.hint.map_or_else(|| key[0].clone(), Value::Integer),
                None => self.global(engine, column, (row, first))?,
            };
            cells.push(CellChange { column: column.no, version, value });
        }
        for (column, value) in shadows {
            let (version, seq) = clock.column(column);
            let unknown = self.cells.binary_search_by_key(&column, |cell| cell.no).is_err();
            if unknown && (wanted(seq)? || whole) {
                cells.push(CellChange { column, version, value });
            }
        }
        cells.sort_by_key(|cell| cell.column);
        let life = if tell_life { clock.life } else { Life::default() };
        Ok((tell_life || !cells.is_empty()).then_some(RowChange { id, life, cells }))
    }

    /// The shown value of a column, as it means the same everywhere.
    fn global(
        &self,
        engine: &Engine,
        column: &CellColumn,
        (row, first): (&Row<'_>, usize),
    ) -> Result<Value, StoreError> {
        let shown = value(row.get_ref(first + column.at)?);
        if let Some(reference) = &column.reference {
            return refs::to_global(engine, reference, &shown);
        }
        if shown == Value::Null {
            return Ok(shown);
        }
        for (columns, query) in &self.plain_keys {
            if !columns.iter().any(|&index| self.cells[index].at == column.at) {
                continue;
            }
            let values = columns
                .iter()
                .map(|&index| Ok(value(row.get_ref(first + self.cells[index].at)?)))
                .collect::<Result<Vec<_>, StoreError>>()?;
            let mut statement = engine.conn.prepare_cached(query)?;
            if !values.contains(&Value::Null) && !statement.exists(params_from_iter(bound(&values)))? {
                return Ok(Value::Dangling(Box::new(shown)));
            }
        }
        Ok(shown)
    }
}
