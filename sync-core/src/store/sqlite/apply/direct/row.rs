//! One change written into its row, or left as it is.

use std::borrow::Cow;

use super::super::super::affinity::may_change;
use super::super::super::engine::Engine;
use super::super::super::park::row::{LocalKey, is_identity, packed};
use super::super::super::park::table_sql;
use super::super::super::park::work::Work;
use super::super::super::refs;
use super::super::super::row_clock::{ColumnClock, RowClock};
use super::super::super::system::AsideReason;
use super::super::store::Shown;
use super::plan::{Plan, Waiting};
use crate::change::RowChange;
use crate::id::RowId;
use crate::store::{Record, StoreError, is_news_to_its_sender};
use crate::value::Value;

/// One change on its way into its row.
pub(super) struct Merging<'a> {
    pub(super) plan: &'a Plan,
    pub(super) columns: &'a [u32],
    pub(super) seq: u64,
    pub(super) change: &'a RowChange,
}

/// What became of a new row.
pub(super) enum Inserted {
    /// It is in its table.
    Now,
    /// It can be put in together with others.
    Later(Together),
    /// It has to be looked at together with other rows.
    Not,
}

/// What is written for a new row besides the values of its change.
#[derive(Debug)]
pub(super) struct Together {
    /// Of its key, where that is no cell, and of the cells.
    pub(super) positions: Vec<usize>,
    pub(super) at: LocalKey,
    /// As stored.
    pub(super) clock: Vec<u8>,
}

impl Merging<'_> {
    /// The column (number, position) of a cell that is no part of the row's identity.
    fn column(&self, cell: usize) -> Option<(u32, usize)> {
        let number = self.columns[self.change.cells[cell].column as usize];
        let position = self.plan.table.position(number)?;
        (!is_identity(&self.plan.table, &self.change.id, position)).then_some((number, position))
    }

    /// Puts in a row that was never heard of, unless it can be put in with others: `may_wait`.
    pub(super) fn insert(
        &self,
        engine: &mut Engine,
        work: &Work,
        waiting: &Waiting,
        shown: &mut Shown,
        may_wait: bool,
    ) -> Result<Inserted, StoreError> {
        let Merging { plan: Plan { table, is_parent, .. }, change, seq, .. } = *self;
        let life = change.life;
        let is_born = life.born.is_some() && life.died.is_none() && life.undone.is_none();
        if !is_born
            || waiting.claims && table.has_claim_keys()
            || waiting.children && *is_parent
            || waiting.dangling && table.is_surrogate()
            || waiting.aside && refs::aside(engine, table.no, &change.id)?.is_some()
        {
            return Ok(Inserted::Not);
        }
        let most = change.cells.len() + table.key.len();
        let (mut positions, mut values) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let mut at: Option<LocalKey> = None;
        if let RowId::Natural(parts) = &change.id {
            positions.extend(&table.key);
            values.extend(parts.iter().map(Cow::Borrowed));
            at = Some(parts.clone());
        }
        let identity = positions.len();
        let mut clocks = Vec::with_capacity(change.cells.len());
        for (n, cell) in change.cells.iter().enumerate() {
            let Some((column, position)) = self.column(n) else { return Ok(Inserted::Not) };
            if table.integer_key() == Some(position) {
                let Value::Integer(_) = cell.value else { return Ok(Inserted::Not) };
                at = Some(Box::new([cell.value.clone()]));
            }
            let Some(local) = self.local(engine, work, position, &cell.value)? else {
                return Ok(Inserted::Not);
            };
            positions.push(position);
            values.push(local);
            clocks.push(ColumnClock { column, version: cell.version, seq });
        }
        let Some(at) = at else { return Ok(Inserted::Not) };
        clocks.sort_unstable_by_key(|cell| cell.column);
        let clock = packed(table, &change.id, life, seq, &clocks);
        if may_wait && self.is_shown_as_it_is(&positions, &values) {
            let clock = clock.encode(&mut engine.sites);
            return Ok(Inserted::Later(Together { positions, at, clock }));
        }
        if !self.has_parents(engine, work, &positions, &values)?
            || table_sql::insert_or_abort(engine, table, &positions, values.iter().map(Cow::as_ref))?.is_err()
        {
            return Ok(Inserted::Not);
        }
        let written = change.cells.iter().map(|cell| &cell.value);
        let written = written.zip(positions[identity..].iter().zip(&values[identity..]));
        let written = written.map(|(merged, (&position, local))| (position, merged, local.as_ref()));
        let clock = RowClock { shadowed: self.put_shadows(engine, &at, written)?, ..clock };
        refs::put_clock(engine, table.no, &at, &change.id, &clock)?;
        shown.note(table.no, at, true);
        Ok(Inserted::Now)
    }

    /// Whether the table shows these values as they were merged: none of them is a reference, or changes its type.
    fn is_shown_as_it_is(&self, positions: &[usize], values: &[Cow<'_, Value>]) -> bool {
        let Plan { table, affinities, .. } = self.plan;
        positions.iter().zip(values).all(|(&position, value)| {
            table.columns[position].reference.is_none()
                && (table.integer_key() == Some(position) || !may_change(affinities[position], value))
        })
    }

    /// The local form of a value, where it is known without rows under work.
    fn local<'v>(
        &self,
        engine: &Engine,
        work: &Work,
        position: usize,
        merged: &'v Value,
    ) -> Result<Option<Cow<'v, Value>>, StoreError> {
        Ok(match (merged, &self.plan.table.columns[position].reference) {
            (Value::Dangling(_), _) | (Value::Ref(_), None) => None,
            (Value::Ref(id), Some(reference)) => {
                let under_work =
                    !work.rows.is_empty() && work.rows.contains_key(&(reference.table, RowId::clone(id)));
                if under_work { None } else { refs::to_local(engine, reference, merged)?.map(Cow::Owned) }
            }
            (Value::Null, _) | (_, None) => Some(Cow::Borrowed(merged)),
            (_, Some(_)) => None,
        })
    }

    /// Whether rows outside of the work have the values that a new row refers to, besides those
    /// that it refers to by their ids.
    fn has_parents(
        &self,
        engine: &Engine,
        work: &Work,
        positions: &[usize],
        values: &[Cow<'_, Value>],
    ) -> Result<bool, StoreError> {
        for link in work.links.from(self.plan.table.no) {
            let defaults = |at: &&usize| self.plan.table.columns[**at].default.is_some();
            if link.child_columns.iter().filter(defaults).any(|at| !positions.contains(at)) {
                // What a default refers to is looked for with the row under work.
                return Ok(false);
            }
            if link.by_row {
                continue;
            }
            let value = |at: &usize| {
                let index = positions.iter().position(|position| position == at)?;
                Some(values[index].as_ref()).filter(|value| **value != Value::Null)
            };
            // A part that is NULL refers to nothing.
            let sought: Option<Vec<Value>> = link.child_columns.iter().map(|at| value(at).cloned()).collect();
            let Some(sought) = sought else { continue };
            let parent = &engine.catalog.tables[&link.parent];
            let columns: Vec<_> = link.parent_columns.iter().map(|&at| (at, None)).collect();
            let mut found = false;
            for at in table_sql::find(engine, parent, &columns, &sought)? {
                let row = work.row_at(engine, parent.no, &at)?;
                found |= row.is_some_and(|row| !work.rows.contains_key(&row));
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes newer values of a row whose life is as it was. Answers whether there were any;
    /// `None`: it could not.
    pub(super) fn update(
        &self,
        engine: &mut Engine,
        at: LocalKey,
        mut clock: RowClock,
        shown: &mut Shown,
    ) -> Result<Option<bool>, StoreError> {
        let Merging { plan: Plan { table, free, .. }, change, seq, .. } = *self;
        if clock.shadowed {
            return Ok(None);
        }
        let (mut newer, mut same) = (Vec::new(), Vec::new());
        for (n, cell) in change.cells.iter().enumerate() {
            let Some((column, position)) = self.column(n) else { return Ok(None) };
            let (version, held_seq) = clock.column(column);
            if !clock.life.covers(cell.version) || held_seq != 0 && cell.version < version {
                continue;
            }
            if held_seq != 0 && cell.version == version {
                same.push((position, &cell.value));
            } else if free[position] && !matches!(cell.value, Value::Ref(_) | Value::Dangling(_)) {
                newer.push((position, cell));
            } else {
                return Ok(None);
            }
        }
        if !self.shows(engine, &at, &clock, &same)? {
            return Ok(None);
        }
        if newer.is_empty() {
            return Ok(Some(false));
        }
        let positions: Vec<usize> = newer.iter().map(|(position, _)| *position).collect();
        let values = newer.iter().map(|(_, cell)| &cell.value);
        if table_sql::update(engine, table, &at, &positions, values)? != Ok(true) {
            return Ok(None);
        }
        let written = newer.iter().map(|&(position, cell)| (position, &cell.value, &cell.value));
        let shadowed = self.put_shadows(engine, &at, written)?;
        newer.iter().for_each(|(at, cell)| clock.set_column(table.columns[*at].no, cell.version, seq));
        clock.shadowed = shadowed;
        if clock.exceptions.len() * 2 > table.columns.len() {
            clock = self.packed(clock);
        }
        refs::set_clock(engine, table.no, &at, &clock)?;
        shown.note(table.no, at, true);
        Ok(Some(true))
    }

    /// The same clock, with the fewest columns that have versions of their own.
    fn packed(&self, clock: RowClock) -> RowClock {
        let Merging { plan: Plan { table, .. }, change, .. } = *self;
        let own = (0..table.columns.len()).filter(|&at| !is_identity(table, &change.id, at));
        let cells = own.map(|position| {
            let column = table.columns[position].no;
            let (version, seq) = clock.column(column);
            ColumnClock { column, version, seq }
        });
        let cells: Vec<ColumnClock> = cells.filter(|cell| cell.seq != 0).collect();
        let packed = packed(table, &change.id, clock.life, clock.life_seq, &cells);
        RowClock { shadowed: clock.shadowed, hint: clock.hint, ..packed }
    }

    /// Whether a table shows a row's values as these, which came with the versions that it has.
    fn shows(
        &self,
        engine: &Engine,
        at: &[Value],
        clock: &RowClock,
        values: &[(usize, &Value)],
    ) -> Result<bool, StoreError> {
        if values.is_empty() {
            return Ok(true);
        }
        let table = &self.plan.table;
        let row = table_sql::read(engine, table, at)?;
        for &(position, value) in values {
            let Some(local) = row.get(position) else { return Ok(false) };
            let same = match (&table.columns[position].reference, value) {
                _ if table.integer_key() == Some(position) => match clock.hint {
                    Some(hint) => *value == Value::Integer(hint),
                    None => value == local,
                },
                (Some(reference), Value::Ref(_)) => {
                    refs::to_local(engine, reference, value)?.as_ref() == Some(local)
                }
                (Some(_), Value::Null) | (None, _) => value == local,
                (Some(_), _) => false,
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps the merged values (position, merged, as written) that the table shows as others.
    /// Answers whether there are any.
    fn put_shadows<'v>(
        &self,
        engine: &mut Engine,
        at: &[Value],
        written: impl Iterator<Item = (usize, &'v Value, &'v Value)>,
    ) -> Result<bool, StoreError> {
        let table = &self.plan.table;
        let (mut row, mut any) = (None, false);
        for (position, merged, local) in written {
            let column = &table.columns[position];
            // The row that it refers to has no value there: that is not what was said.
            let is_lost = matches!((merged, local), (Value::Ref(_), Value::Null));
            let may_differ = is_lost || may_change(self.plan.affinities[position], local);
            if table.integer_key() == Some(position) || !may_differ {
                continue;
            }
            let row = match &mut row {
                Some(row) => row,
                None => row.insert(table_sql::read(engine, table, at)?),
            };
            if is_lost || row.get(position) != Some(local) {
                refs::put_shadow(engine, table.no, &self.change.id, column.no, merged)?;
                any = true;
            }
        }
        Ok(any)
    }

    /// Takes a row out that has died, with everything in it. Answers whether it could.
    pub(super) fn delete(
        &self,
        engine: &mut Engine,
        at: LocalKey,
        clock: &RowClock,
        waiting: &mut Waiting,
        shown: &mut Shown,
    ) -> Result<bool, StoreError> {
        let Merging { plan: Plan { table, is_parent, .. }, change, seq, .. } = *self;
        let mut life = clock.life;
        life.join(&change.life);
        let is_left = |column: u32| {
            let (version, seq) = clock.column(column);
            seq != 0 && life.covers(version)
        };
        if life.is_alive()
            || *is_parent
            || clock.shadowed
            || waiting.claims && table.has_claim_keys()
            || is_news_to_its_sender(&clock.life, &change.life, &life)
            || table.columns.iter().any(|column| is_left(column.no))
            || change.cells.iter().any(|cell| life.covers(cell.version))
        {
            return Ok(false);
        }
        table_sql::delete(engine, table, &at)?;
        refs::remove_clock(engine, table.no, &at)?;
        let record = Record { life, life_seq: seq, ..Record::default() };
        refs::put_aside(engine, table.no, &change.id, AsideReason::Deleted, None, &record)?;
        waiting.aside = true;
        shown.note(table.no, at, false);
        Ok(true)
    }
}
