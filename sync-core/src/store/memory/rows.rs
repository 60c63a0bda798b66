//! Looking at what a store holds.

use std::collections::BTreeMap;

use super::MemoryStore;
use super::scope::MemoryScope;
use crate::id::{RowId, Scope};
use crate::merge::RowState;
use crate::store::Record;
use crate::store::log::row_of;
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
