//! Columns that merge: a local write is the difference that it makes to what is held.
//!
//! Only here does a fold read values of the user's, and only of rows of tables that have such columns.

use std::collections::BTreeMap;

use super::super::apply;
use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::merging::{self, Merging};
use super::super::park::table_sql;
use super::super::refs;
use super::super::row_clock::RowClock;
use super::columns::Cells;
use crate::clock::Version;
use crate::conflict::MergeType;
use crate::id::{RowId, SiteId};
use crate::merge::Cell;
use crate::merge::share::{Base, Change, Local, Share, ShareName, replace, write};
use crate::store::{Record, RecordCell, StoreError};
use crate::value::Value;

/// A row that was written.
pub(super) struct Written<'a> {
    pub(super) id: &'a RowId,
    /// The key that it has now.
    pub(super) at: &'a [Value],
    /// What its changes get.
    pub(super) version: Version,
    pub(super) seq: u64,
    /// Whether it is a new row, so that nothing was there to the application.
    pub(super) inserted: bool,
    /// Whether it was there, and an INSERT has put another one under its key.
    pub(super) replaced: bool,
    /// What is held of it.
    pub(super) held: Record,
}

/// What a fold makes of the columns of one table that merge.
pub(super) struct Merged<'t> {
    table: &'t Table,
    site: SiteId,
    /// The columns of own shares that this fold has made.
    made: BTreeMap<(u32, MergeType), u32>,
}

impl<'t> Merged<'t> {
    pub(super) fn new(table: &'t Table, site: SiteId) -> Self {
        Merged { table, site, made: BTreeMap::new() }
    }

    /// What is held of a shown row in columns that merge: plain cells, where they are kept, and shares.
    pub(super) fn held(&self, engine: &Engine, id: &RowId, clock: &RowClock) -> Result<Record, StoreError> {
        let mut record = Record { life: clock.life, life_seq: clock.life_seq, ..Record::default() };
        if clock.shadowed {
            for (column, value) in refs::shadows(engine, self.table.no, id)? {
                let (version, seq) = clock.column(column);
                record.cells.insert(column, RecordCell { cell: Cell { version, value }, seq });
            }
        }
        Ok(record)
    }

    /// Settles the columns of a row that the journal says were written: `is_written`, and in a row
    /// that was inserted all. What a table shows in others may be out of date, after a migration.
    pub(super) fn settle(
        &mut self,
        engine: &mut Engine,
        clock: &mut RowClock,
        mut row: Written<'_>,
        (cells, is_written): (&Cells, &impl Fn(u32) -> bool),
    ) -> Result<(), StoreError> {
        if !row.inserted && !self.table.merges.keys().any(|column| cells.is_written(is_written, *column)) {
            return Ok(());
        }
        let live = table_sql::read(engine, self.table, row.at)?;
        row.held.life = clock.life;
        let (mut positions, mut values) = (Vec::new(), Vec::new());
        for (&column, merging) in &self.table.merges {
            let Some(position) = self.table.position(column) else { continue };
            let Some(live) = live.get(position) else { continue };
            let kept = merging::is_kept(self.table, &row.held, column);
            if !kept {
                // As any other column, which nothing has written its version to yet.
                if !row.inserted && cells.is_written(is_written, column) {
                    clock.set_column(column, row.version, row.seq);
                    refs::remove_shadow(engine, self.table.no, row.id, column)?;
                }
                continue;
            }
            if !row.inserted && !is_written(column) {
                continue;
            }
            let is_known = row.inserted || row.replaced || clock.column(column).1 == 0;
            let change = if is_known || row.held.cells.contains_key(&column) {
                let born = clock.life.born.unwrap_or(Version::GENESIS).hlc;
                let merge = merging.merge;
                let local =
                    Local { site: self.site, merge, born, now: row.version.hlc, inserted: row.inserted };
                let held = merging::held(&row.held, column, merging);
                if row.replaced { replace(&held, &local, live) } else { write(&held, &local, live) }
            } else {
                // What it is a difference to is not known.
                Change::Plain
            };
            let is_plain = change == Change::Plain;
            match change {
                Change::Nothing => {}
                Change::Plain => {
                    let cell = Cell { version: row.version, value: live.clone() };
                    self.put(engine, clock, &mut row, column, cell)?;
                }
                Change::Share(merge, share) => {
                    self.put_share(engine, clock, &mut row, (column, merging), (merge, &share))?;
                }
            }
            if row.inserted && !is_plain {
                self.leave_plain(engine, clock, &row, column)?;
            }
            let shown = self.shown(&row.held, column);
            if shown.as_ref().is_some_and(|shown| shown != live) {
                positions.push(position);
                values.extend(shown);
            }
        }
        if !positions.is_empty()
            && table_sql::update(engine, self.table, row.at, &positions, &values)? == Ok(true)
        {
            let mut shown = apply::Shown::default();
            shown.note(self.table.no, row.at.into(), true);
            engine.shown_by_folds.extend(shown);
        }
        Ok(())
    }

    /// What the column shows now.
    fn shown(&self, record: &Record, column: u32) -> Option<Value> {
        let mut table = self.table.merges.get(&column)?.clone();
        let made = self.made.iter().filter(|((of, _), _)| *of == column);
        table.shares.extend(made.map(|((_, merge), no)| (*no, (*merge, self.site))));
        merging::held(record, column, &table).shown().map(std::borrow::Cow::into_owned)
    }

    /// The row was inserted, and its value is in the own share. What is known of it otherwise stays: a
    /// plain cell of the row's present life, or none.
    fn leave_plain(
        &self,
        engine: &mut Engine,
        clock: &mut RowClock,
        row: &Written<'_>,
        column: u32,
    ) -> Result<(), StoreError> {
        match row.held.cells.get(&column).filter(|held| clock.life.covers(held.cell.version)) {
            Some(held) => {
                clock.shadowed = true;
                clock.set_column(column, held.cell.version, held.seq);
                refs::put_shadow(engine, self.table.no, row.id, column, &held.cell.value)
            }
            None => {
                clock.set_column(column, Version::GENESIS, 0);
                Ok(())
            }
        }
    }

    fn put_share(
        &mut self,
        engine: &mut Engine,
        clock: &mut RowClock,
        row: &mut Written<'_>,
        (column, merging): (u32, &Merging),
        (merge, share): (MergeType, &Share),
    ) -> Result<(), StoreError> {
        let own = merging.shares.iter().find(|(_, of)| **of == (merge, self.site)).map(|(no, _)| *no);
        let no = match own.or_else(|| self.made.get(&(column, merge)).copied()) {
            Some(no) => no,
            None => {
                let name = engine.wire_column_name(self.table.no, column)?.unwrap_or_default();
                let name = ShareName { column: &name, merge, site: self.site }.to_string();
                let no = apply::column_number(engine, self.table.no, &name)?;
                self.made.insert((column, merge), no);
                no
            }
        };
        let before = row.held.cells.get(&no);
        let goes_on = merging::held(&row.held, column, merging).own(self.site, merge).is_some()
            && !matches!(share.base, Base::Reset(when, _) if when == row.version.hlc);
        merging::before::remember(engine, (self.table.no, row.id, no), row.seq, before, goes_on)?;
        let cell = Cell { version: row.version, value: share.to_value() };
        self.put(engine, clock, row, no, cell)
    }

    fn put(
        &self,
        engine: &mut Engine,
        clock: &mut RowClock,
        row: &mut Written<'_>,
        column: u32,
        cell: Cell,
    ) -> Result<(), StoreError> {
        clock.shadowed = true;
        clock.set_column(column, cell.version, row.seq);
        refs::put_shadow(engine, self.table.no, row.id, column, &cell.value)?;
        row.held.cells.insert(column, RecordCell { cell, seq: row.seq });
        Ok(())
    }
}
