//! Looking at what a store holds.

use std::collections::BTreeMap;

use super::MemoryStore;
use super::scope::MemoryScope;
use crate::id::{RowId, Scope, SiteId};
use crate::merge::RowState;
use crate::store::log::row_of;
use crate::store::{Record, is_echo};
use crate::value::Value;

/// The rows to show, by table and identity; their cells by column name.
pub type Rows = BTreeMap<String, BTreeMap<RowId, BTreeMap<String, Value>>>;

/// The whole merged state, deleted rows included, by table and identity.
pub type States = BTreeMap<String, BTreeMap<RowId, RowState<String>>>;

impl MemoryStore {
    /// The rows to show in a scope. Tables without any are left out.
    pub fn rows(&self, scope: &Scope) -> Rows {
        let mut rows = Rows::new();
        self.each(scope, |scope, table, name, id, record| {
            if let Some(cells) = scope.shown(table, record) {
                rows.entry(name.to_owned()).or_default().insert(id, cells);
            }
        });
        rows
    }

    /// The merged state of a scope: equal in replicas that have exchanged everything.
    pub fn states(&self, scope: &Scope) -> States {
        let mut states = States::new();
        self.each(scope, |scope, table, name, id, record| {
            let named = |column| scope.column(table, column);
            let state = record.state();
            let cells = state.cells.into_iter().map(|(column, cell)| (named(column), cell)).collect();
            let row = RowState { life: state.life, cells };
            states.entry(name.to_owned()).or_default().insert(id, row);
        });
        states
    }

    /// The rows to show of one table, in the order of their keys, each with its cells in the order of
    /// `columns`; NULL where it has none. Cheaper than [`rows`](Self::rows) for one look among many.
    pub fn visit(&self, scope: &Scope, table: &str, columns: &[&str], visit: impl FnMut(RowId, Vec<Value>)) {
        if let Some(scope) = self.scopes.get(scope) {
            scope.visit(table, columns, visit);
        }
    }

    /// How many rows have changes of ours that `peer` has not acknowledged.
    pub fn pending(&self, scope: &Scope, peer: SiteId) -> u64 {
        self.scopes.get(scope).map_or(0, |scope| scope.pending(peer))
    }

    fn each(&self, scope: &Scope, mut visit: impl FnMut(&MemoryScope, u32, &str, RowId, &Record)) {
        let Some(scope) = self.scopes.get(scope) else { return };
        for ((table, row), record) in &scope.records {
            let name = scope.state.names.table_name(*table).unwrap_or_default();
            let id = row_of(row).expect("rows are kept under the keys of their ids");
            visit(scope, *table, name, id, record);
        }
    }
}

impl MemoryScope {
    pub(super) fn visit(&self, table: &str, columns: &[&str], mut visit: impl FnMut(RowId, Vec<Value>)) {
        let Some(number) = self.state.names.existing_table(table) else { return };
        let columns: Vec<Option<u32>> =
            columns.iter().map(|column| self.state.names.existing_column(number, column)).collect();
        for ((_, row), record) in self.records.range((number, Vec::new())..(number + 1, Vec::new())) {
            if !record.life.is_alive() {
                continue;
            }
            let value = |column: &Option<u32>| {
                let held = record.cells.get(column.as_ref()?)?;
                record.life.covers(held.cell.version).then(|| held.cell.value.clone())
            };
            let cells = columns.iter().map(|column| value(column).unwrap_or(Value::Null)).collect();
            visit(row_of(row).expect("rows are kept under the keys of their ids"), cells);
        }
    }

    fn pending(&self, peer: SiteId) -> u64 {
        let (acked, resend_until) = self.peer_acked(peer);
        if self.is_all_from(peer, acked.max(resend_until)) && resend_until <= acked {
            return 0;
        }
        let ours = |seq: u64| seq > acked && !is_echo(seq, self.origin_of(seq), peer, resend_until);
        let waits =
            |record: &Record| ours(record.life_seq) || record.cells.values().any(|held| ours(held.seq));
        self.records_after(acked).filter(|record| waits(record)).count() as u64
    }

    /// The cells to show of a row, by name; `None` when the row is not alive.
    pub(super) fn shown(&self, table: u32, record: &Record) -> Option<BTreeMap<String, Value>> {
        record.life.is_alive().then(|| {
            let covered = record.cells.iter().filter(|(_, held)| record.life.covers(held.cell.version));
            covered.map(|(&column, held)| (self.column(table, column), held.cell.value.clone())).collect()
        })
    }

    fn column(&self, table: u32, column: u32) -> String {
        self.state.names.column_name(table, column).unwrap_or_default().to_owned()
    }
}
