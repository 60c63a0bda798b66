//! From what the journal says of a row to its clock: deaths, births, changed columns.

use std::collections::BTreeMap;

use super::super::catalog::Table;
use super::super::conflict;
use super::super::park;
use super::super::refs;
use super::super::row_clock::{RowClock, compact_id, expand_id};
use super::super::system::AsideReason;
use super::Folding;
use super::columns::Cells;
use super::journal::{Form, Key, Known};
use super::merged::{Merged, Written};
use super::work::Work;
use super::writes::{Put, Writes};
use crate::clock::Version;
use crate::id::RowId;
use crate::merge::{Cell, Life};
use crate::store::{Record, StoreError, StoreErrorKind};
use crate::value::Value;

/// One table's rows of one form, being settled.
pub(super) struct Settling<'f, 'e> {
    folding: &'f mut Folding<'e>,
    table: &'f Table,
    form: Form,
    cells: Cells,
    /// Whether anything is aside of this table, so that a key that is born may have a past.
    has_past: bool,
    /// What the keys meant before this fold, where that depends on other rows.
    old_ids: &'f BTreeMap<Key, RowId>,
    writes: Writes,
    /// The columns that merge; `None` where there are none.
    merged: Option<Merged<'f>>,
    /// The last plain birth, stored: rows that are inserted in one millisecond have equal clocks.
    plain: Option<(Version, Vec<u8>)>,
}

impl<'f, 'e> Settling<'f, 'e> {
    pub(super) fn new(
        folding: &'f mut Folding<'e>,
        table: &'f Table,
        form: Form,
        old_ids: &'f BTreeMap<Key, RowId>,
    ) -> Result<Self, StoreError> {
        let has_past = form == Form::Natural
            && folding
                .engine
                .conn
                .prepare_cached("SELECT 1 FROM __pocketsync_aside WHERE tbl = ?1 LIMIT 1")?
                .exists([table.no])?;
        let cells = Cells::of(table, form);
        let writes = Writes::default();
        let merged = (!table.merges.is_empty()).then(|| Merged::new(table, folding.site));
        Ok(Settling { folding, table, form, cells, has_past, old_ids, writes, merged, plain: None })
    }

    /// Settles these rows, and writes their clocks.
    pub(super) fn settle(mut self, works: Vec<Work>) -> Result<(), StoreError> {
        // Deaths first: a row may have died under one key and be born under another.
        let mut reborn: BTreeMap<usize, Life> = BTreeMap::new();
        for (index, work) in works.iter().enumerate() {
            if let Some(known) = work.known.as_ref().filter(|_| work.deleted.is_some() || !work.live)
                && let Some(life) = self.end(work, known)?
            {
                reborn.insert(index, life);
            }
        }
        for (index, work) in works.into_iter().enumerate() {
            if !work.live {
                continue;
            }
            match &work.known {
                Some(known) if work.deleted.is_none() => {
                    let clock = self.read(&known.clock)?;
                    self.change(work, clock)?;
                }
                _ => {
                    let life = reborn.remove(&index);
                    self.bear(work, life)?;
                }
            }
        }
        if !self.writes.is_empty() {
            self.folding.engine.changed.note(self.table.no);
            let sql = self.folding.engine.sql(self.table.no).ok_or_else(|| no_table(self.table))?;
            let sql = match self.form {
                Form::NullKey => sql.null_clock.as_ref().ok_or_else(|| no_table(self.table))?,
                _ => &sql.clock,
            };
            self.writes.flush(self.folding.engine, sql)?;
        }
        Ok(())
    }

    fn read(&self, clock: &[u8]) -> Result<RowClock, StoreError> {
        Ok(RowClock::decode(clock, &self.folding.engine.sites)?)
    }

    /// The id of what was known.
    fn known_id(&self, work: &Work, known: &Known) -> Result<RowId, StoreError> {
        if self.form != Form::Natural {
            return Ok(expand_id(&known.id, &self.folding.engine.sites)?);
        }
        if let Some(id) = &work.goes_on {
            return Ok(id.clone());
        }
        match self.old_ids.get(&work.key) {
            Some(id) => Ok(id.clone()),
            None => self.natural_id(&work.key),
        }
    }

    fn natural_id(&self, key: &Key) -> Result<RowId, StoreError> {
        refs::row_id(self.folding.engine, self.table.no, &key.local(self.form))?
            .ok_or_else(|| no_table(self.table))
    }

    /// What was known has ended. Answers with its life where the same row is there again.
    fn end(&mut self, work: &Work, known: &Known) -> Result<Option<Life>, StoreError> {
        let mut clock = self.read(&known.clock)?;
        let id = self.known_id(work, known)?;
        let died = self.folding.version(work.deleted.unwrap_or(work.last));
        let seq = self.folding.seq();
        if clock.shadowed {
            refs::remove_shadows(self.folding.engine, self.table.no, &id)?;
        }
        let untold = self.was_never_told(&clock);
        clock.life.died = clock.life.died.max(Some(died));
        self.folding.touch(self.table, &id);
        refs::forget_dangling(self.folding.engine, self.table.no, &id)?;
        // What is inserted is the key's own row, even if another one was shown there.
        refs::forget_alias(self.folding.engine, self.table.no, &id)?;
        if self.form == Form::Natural && work.live && self.natural_id(&work.key)? == id {
            return Ok(Some(clock.life));
        }
        if self.folding.waiting {
            park::index::forget_waits(self.folding.engine, &(self.table.no, id.clone()))?;
        }
        let key = work.stored_at.as_ref().unwrap_or(&work.key).clone();
        self.folding.leave(self.table, key.local(self.form), &id);
        self.writes.removed.push(key);
        if !untold {
            let record = Record { life: clock.life, life_seq: seq, cells: BTreeMap::new() };
            refs::put_aside(self.folding.engine, self.table.no, &id, AsideReason::Deleted, None, &record)?;
        }
        if self.form == Form::Natural {
            self.has_past = true;
        }
        Ok(None)
    }

    /// Whether nobody has ever heard of a row, so that nobody has to hear of its end.
    fn was_never_told(&self, clock: &RowClock) -> bool {
        let meta = &self.folding.engine.meta;
        self.form != Form::Natural
            && clock.life_seq > meta.offered_seq as u64
            && clock.life.died.is_none()
            && clock.life.undone.is_none()
            && clock.life.born.is_some_and(|born| born.site == self.folding.site)
    }

    /// A row that is new, or another one than before.
    fn bear(&mut self, work: Work, past: Option<Life>) -> Result<(), StoreError> {
        let seq = self.folding.seq();
        let mut version = self.folding.version(work.inserted.unwrap_or(work.last));
        let (id, record) = match self.form {
            Form::Natural => {
                let id = self.natural_id(&work.key)?;
                let record = if self.has_past { self.take_past(&id)? } else { None };
                (id, record)
            }
            _ => (self.folding.mint(), None),
        };
        let mut life = past.unwrap_or_default();
        if let Some(record) = &record {
            life.join(&record.life);
            let cells = record.cells.values().map(|held| held.cell.version);
            version = self.folding.above(version, cells.max());
        }
        version = self.folding.above(version, life.versions().max());
        let mut clock = self.cells.born(version, seq);
        clock.life = Life { born: Some(version), ..life };
        let past = record.clone().unwrap_or_default();
        if let Some(record) = record {
            if record.life.is_alive() {
                let at = work.key.local(self.form);
                conflict::log_replaced(self.folding.engine, self.table, (&id, &at), &record, version)?;
            }
            self.keep_unknown(&id, &mut clock, record)?;
        }
        for (mask, ms) in &work.written {
            let later = self.folding.version(*ms);
            self.cells.write(&mut clock, |column| mask.has(column), later, seq);
        }
        if let Some(merged) = &mut self.merged {
            let version = self.folding.version(work.last).max(version);
            let at = work.key.local(self.form);
            let written =
                Written { id: &id, at: &at, version, seq, inserted: true, replaced: false, held: past };
            merged.settle(self.folding.engine, &mut clock, written, (&self.cells, &|_| true))?;
        }
        self.folding.touch(self.table, &id);
        refs::note_dangling(self.folding.engine, self.table.no, &id)?;
        refs::note_named(self.folding.engine, self.table.no, &work.key.local(self.form), &id)?;
        let put = Put { key: work.key, id: self.stored_id(&id), clock: self.stored(&clock), seq };
        match work.known {
            // The clock of the old life may still be there.
            Some(_) => self.writes.replaced.push(put),
            None => self.writes.fresh.push(put),
        }
        Ok(())
    }

    fn stored_id(&mut self, id: &RowId) -> Vec<u8> {
        if self.form == Form::Natural {
            return Vec::new();
        }
        compact_id(id, &mut self.folding.engine.sites)
    }

    fn stored(&mut self, clock: &RowClock) -> Vec<u8> {
        let plain = clock.exceptions.is_empty() && clock.life == Life::born(clock.base) && !clock.shadowed;
        if let (true, Some((version, bytes))) = (plain, &self.plain)
            && *version == clock.base
        {
            return bytes.clone();
        }
        let bytes = clock.encode(&mut self.folding.engine.sites);
        if plain {
            self.plain = Some((clock.base, bytes.clone()));
        }
        bytes
    }

    /// What is aside under a natural key that is inserted now: a death, or a row that waits.
    fn take_past(&mut self, id: &RowId) -> Result<Option<Record>, StoreError> {
        let Some((_, record)) = refs::aside(self.folding.engine, self.table.no, id)? else { return Ok(None) };
        refs::remove_aside(self.folding.engine, self.table.no, id)?;
        Ok(Some(record))
    }

    /// Cells of the present life in columns that the table does not have here stay what they are.
    fn keep_unknown(&mut self, id: &RowId, clock: &mut RowClock, record: Record) -> Result<(), StoreError> {
        for (column, held) in record.cells {
            if self.table.position(column).is_none() && clock.life.covers(held.cell.version) {
                clock.set_column(column, held.cell.version, held.seq);
                clock.shadowed = true;
                refs::put_shadow(self.folding.engine, self.table.no, id, column, &held.cell.value)?;
            }
        }
        Ok(())
    }

    /// A row that goes on: columns were written, or its key.
    fn change(&mut self, work: Work, mut clock: RowClock) -> Result<(), StoreError> {
        let Some(known) = &work.known else { return Ok(()) };
        let before = clock.clone();
        let written = |column: u32| work.written.iter().any(|(mask, _)| mask.has(column));
        let moved = work.stored_at.is_some();
        let is_written = work.inserted.is_some() || self.cells.local.iter().any(|&column| written(column));
        if moved || work.goes_on.is_some() {
            self.follow_key(&work, known)?;
        }
        if !is_written && (work.goes_on.is_some() || !moved) {
            if moved {
                // Nothing that others would hear of.
                let put =
                    Put { id: known.id.clone(), clock: known.clock.clone(), key: work.key, seq: clock.seq() };
                self.writes.fresh.push(put);
            }
            return Ok(());
        }
        let seq = self.folding.seq();
        if let Some(ms) = work.inserted {
            // Replaced under its own key: every column was written.
            let version = self.folding.version(ms);
            self.cells.rewrite(&mut clock, version, seq);
            if self.form == Form::Natural {
                clock.life.born = Some(version);
                clock.life_seq = seq;
            }
        }
        for (mask, ms) in &work.written {
            let version = self.folding.version(*ms);
            self.cells.write(&mut clock, |column| mask.has(column), version, seq);
        }
        if moved {
            let version = self.folding.version(work.last);
            let key = self.cells.integer_key;
            self.cells.write(&mut clock, |column| Some(column) == key, version, seq);
        }
        if !self.folding.contested.is_empty() {
            let id = self.known_id(&work, known)?;
            let apart = self.folding.contested.set_apart((self.table.no, &id), &self.cells, &mut clock, seq);
            self.folding.top = self.folding.top.max(apart.unwrap_or_default());
        }
        if self.merged.is_some() {
            self.merge_columns(&work, known, &mut clock, seq)?;
        }
        if before.shadowed || self.folding.watches(self.table) {
            let id = self.known_id(&work, known)?;
            self.folding.touch(self.table, &id);
            if before.shadowed {
                let at = work.key.local(self.form);
                let written = |column| work.inserted.is_some() || written(column);
                self.drop_shadows((&id, &at), &before, &mut clock, written)?;
            }
        }
        let put = Put { id: known.id.clone(), clock: self.stored(&clock), key: work.key, seq };
        if moved {
            self.writes.fresh.push(put)
        } else {
            self.writes.changed.push(put)
        }
        Ok(())
    }

    /// A row that goes on has left its key, or has come back to it.
    fn follow_key(&mut self, work: &Work, known: &Known) -> Result<(), StoreError> {
        let id = self.known_id(work, known)?;
        if let Some(stored) = &work.stored_at {
            self.folding.leave(self.table, stored.local(self.form), &id);
            self.writes.removed.push(stored.clone());
        }
        if work.goes_on.is_some() {
            self.folding.touch(self.table, &id);
            refs::note_shown(self.folding.engine, self.table.no, &work.key.local(self.form), &id)?;
        }
        Ok(())
    }

    /// Columns of a row that goes on, and that merge.
    fn merge_columns(
        &mut self,
        work: &Work,
        known: &Known,
        clock: &mut RowClock,
        seq: u64,
    ) -> Result<(), StoreError> {
        let id = self.known_id(work, known)?;
        let version = self.folding.version(work.last);
        let Some(merged) = &mut self.merged else { return Ok(()) };
        let held = merged.held(self.folding.engine, &id, clock)?;
        let at = work.key.local(self.form);
        let replaced = self.form == Form::Natural && work.inserted.is_some();
        let written = Written { id: &id, at: &at, version, seq, inserted: false, replaced, held };
        let is_written =
            |column: u32| work.inserted.is_some() || work.written.iter().any(|(mask, _)| mask.has(column));
        merged.settle(self.folding.engine, clock, written, (&self.cells, &is_written))
    }

    /// A written cell shows what was written: no other value stands behind it. What waited for its column, and was
    /// not shown before somebody wrote there, was overwritten by who could not know of it.
    fn drop_shadows(
        &mut self,
        (id, at): (&RowId, &[Value]),
        before: &RowClock,
        clock: &mut RowClock,
        written: impl Fn(u32) -> bool,
    ) -> Result<(), StoreError> {
        let engine = &mut *self.folding.engine;
        let shadows = refs::shadows(engine, self.table.no, id)?;
        let local =
            |column: &u32| self.table.position(*column).is_some() && !self.table.merges.contains_key(column);
        clock.shadowed = false;
        for (column, value) in shadows {
            if !local(&column) || !written(column) {
                clock.shadowed = true;
                continue;
            }
            if let Value::Ref(_) = value {
                // What it still waits for is found out when the others are looked at.
                park::index::forget_waits(engine, &(self.table.no, id.clone()))?;
            }
            refs::remove_shadow(engine, self.table.no, id, column)?;
            if engine.meta.retry_due != 0
                && let Some(name) = engine.wire_column_name(self.table.no, column)?
            {
                let hidden = Cell { version: before.column(column).0, value };
                let own = clock.column(column).0;
                conflict::log_joined(engine, self.table, (id, at), (column, &name), own, &hidden)?;
            }
        }
        Ok(())
    }
}

fn no_table(table: &Table) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, format!("the table {:?} has no clocks", table.name))
}
