//! Local writes of a device: what an application's transaction and the fold after it amount to.

use std::collections::BTreeMap;

use super::MemoryStore;
use super::scope::MemoryScope;
use crate::clock::{Hlc, Version};
use crate::id::{RowId, Scope};
use crate::lineage::Cursor;
use crate::merge::{Cell, Life};
use crate::store::log::row_key;
use crate::store::{Record, RecordCell};
use crate::value::Value;

/// One local transaction. What is written is there at once; all of it takes one log number.
pub struct Transaction<'s> {
    scope: &'s mut MemoryScope,
    now_ms: u64,
    /// The largest clock that was known from others when it began.
    seen: Hlc,
    /// What the rows that were written were before.
    before: BTreeMap<(u32, Vec<u8>), Option<Record>>,
}

impl MemoryStore {
    /// Writes as an application does whose transaction commits when the wall clock reads `now_ms`,
    /// and folds what it wrote. Returns the end of the log, which is where it was if nothing was
    /// written.
    pub fn write<T>(
        &mut self,
        scope: &Scope,
        now_ms: u64,
        work: impl FnOnce(&mut Transaction<'_>) -> T,
    ) -> (Cursor, T) {
        let scope = self.scope(scope);
        let seen = scope.seen();
        let mut transaction = Transaction { scope, now_ms, seen, before: BTreeMap::new() };
        let answer = work(&mut transaction);
        if !transaction.before.is_empty() {
            scope.state.head += 1;
            scope.clock.folded(scope.state.head, seen);
        }
        (scope.state.head_cursor(), answer)
    }
}

impl Transaction<'_> {
    /// Inserts a row into a table with an integer key, and returns its identity.
    pub fn insert(&mut self, table: &str, cells: &[(&str, Value)]) -> RowId {
        self.scope.clock.counter += 1;
        let id = RowId::Surrogate { site: self.scope.state.site, counter: self.scope.clock.counter };
        self.birth(table, &id, cells);
        id
    }

    /// Inserts a row whose key is its identity. Does nothing and says no when it is there already.
    pub fn insert_natural(
        &mut self,
        table: &str,
        key: impl Into<Box<[Value]>>,
        cells: &[(&str, Value)],
    ) -> bool {
        let id = RowId::Natural(key.into());
        let free = !self.is_alive(table, &id);
        if free {
            self.birth(table, &id, cells);
        }
        free
    }

    /// Changes cells of a row. Cells that have the value already are left alone. Does nothing and
    /// says no when the row is not there.
    pub fn update(&mut self, table: &str, id: &RowId, cells: &[(&str, Value)]) -> bool {
        if !self.is_alive(table, id) {
            return false;
        }
        let (number, key, mut record) = self.find(table, id);
        let mut version = None;
        for (column, value) in cells {
            let column = self.scope.state.names.column(number, column);
            let same = record
                .cells
                .get(&column)
                .is_some_and(|held| held.cell.value == *value && record.life.covers(held.cell.version));
            if !same {
                let version = *version.get_or_insert_with(|| self.version());
                self.put_cell(&mut record, column, version, value.clone());
            }
        }
        if version.is_some() {
            self.keep(number, key, record);
        }
        true
    }

    /// Deletes a row. Does nothing and says no when it is not there. A row that this transaction
    /// inserted leaves nothing behind, as a fold sees only what a transaction comes to.
    pub fn delete(&mut self, table: &str, id: &RowId) -> bool {
        if !self.is_alive(table, id) {
            return false;
        }
        let (number, key, mut record) = self.find(table, id);
        if self.is_born_here(number, &key) {
            self.take_back(number, key);
            return true;
        }
        let version = self.version();
        record.life.join(&Life::died(version));
        record.life_seq = self.seq();
        self.keep(number, key, record);
        true
    }

    /// Whether a row is there.
    pub fn is_alive(&mut self, table: &str, id: &RowId) -> bool {
        self.find(table, id).2.life.is_alive()
    }

    /// The cells of a row that is there, by column name.
    pub fn row(&mut self, table: &str, id: &RowId) -> Option<BTreeMap<String, Value>> {
        let (number, _, record) = self.find(table, id);
        self.scope.shown(number, &record)
    }

    /// The rows to show of a table, as [`MemoryStore::visit`].
    pub fn visit(&self, table: &str, columns: &[&str], visit: impl FnMut(RowId, Vec<Value>)) {
        self.scope.visit(table, columns, visit);
    }

    fn birth(&mut self, table: &str, id: &RowId, cells: &[(&str, Value)]) {
        let (number, key, mut record) = self.find(table, id);
        let version = self.version();
        record.life.join(&Life::born(version));
        record.life_seq = self.seq();
        for (column, value) in cells {
            let column = self.scope.state.names.column(number, column);
            self.put_cell(&mut record, column, version, value.clone());
        }
        self.keep(number, key, record);
    }

    fn find(&mut self, table: &str, id: &RowId) -> (u32, Vec<u8>, Record) {
        let number = self.scope.state.names.table(table);
        let key = row_key(id);
        let record = self.scope.records.get(&(number, key.clone())).cloned().unwrap_or_default();
        (number, key, record)
    }

    fn put_cell(&self, record: &mut Record, column: u32, version: Version, value: Value) {
        record.cells.insert(column, RecordCell { cell: Cell { version, value }, seq: self.seq() });
    }

    fn keep(&mut self, number: u32, key: Vec<u8>, record: Record) {
        let place = (number, key.clone());
        if !self.before.contains_key(&place) {
            let before = self.scope.records.get(&place).cloned();
            self.before.insert(place.clone(), before);
        }
        self.scope.replace(&place, key, record);
    }

    /// Whether a row that is there was not when the transaction began.
    fn is_born_here(&self, number: u32, key: &[u8]) -> bool {
        let before = self.before.get(&(number, key.to_vec()));
        before.is_some_and(|before| before.as_ref().is_none_or(|record| !record.life.is_alive()))
    }

    /// Makes a row what it was when the transaction began.
    fn take_back(&mut self, number: u32, key: Vec<u8>) {
        let place = (number, key);
        match self.before.remove(&place).flatten() {
            Some(record) => self.scope.replace(&place, place.1.clone(), record),
            None => self.scope.remove(&place),
        }
    }

    fn version(&mut self) -> Version {
        Version::new(self.scope.clock.tick(self.now_ms, self.seen), self.scope.state.site)
    }

    fn seq(&self) -> u64 {
        self.scope.state.head + 1
    }
}
