//! The SQL about one table, built once for each catalog.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::system::{clock_table, key_column, key_columns_list, null_key_clock_table};
use super::many::Rows;

/// The statements about the clock table of a user table.
#[derive(Debug)]
pub struct ClockSql {
    /// The clock table.
    pub name: String,
    /// Key → `[id,] r`.
    pub get: String,
    /// Id → `k, r`; empty where the key is the identity.
    pub by_id: String,
    /// Key, `[id,]` s, r; in place of what is there.
    pub put: Rows,
    /// The same, where nothing is there.
    pub insert: Rows,
    /// Key, s, r; of a row that has a clock.
    pub set: String,
    /// Key.
    pub remove: String,
    /// Old key, new key.
    pub rename: String,
}

/// The statements about a user table.
#[derive(Debug)]
pub struct TableSql {
    /// Clocks of its rows.
    pub clock: ClockSql,
    /// Clocks of its rows that have a NULL in their natural key.
    pub null_clock: Option<ClockSql>,
}

impl ClockSql {
    fn surrogate(name: String) -> Self {
        let insert = format!("INSERT INTO {name}(k, id, s, r) VALUES");
        ClockSql {
            get: format!("SELECT id, r FROM {name} WHERE k = ?1"),
            by_id: format!("SELECT k, r FROM {name} WHERE id = ?1"),
            insert: Rows::new(&insert, 4, ""),
            put: Rows::new(
                &insert,
                4,
                " ON CONFLICT(k) DO UPDATE SET id = excluded.id, s = excluded.s, r = excluded.r",
            ),
            set: format!("UPDATE {name} SET s = ?2, r = ?3 WHERE k = ?1"),
            remove: format!("DELETE FROM {name} WHERE k = ?1"),
            rename: format!("UPDATE {name} SET k = ?2 WHERE k = ?1"),
            name,
        }
    }

    fn natural(name: String, count: usize) -> Self {
        let keys = key_columns_list(count);
        let matches = |first: usize| {
            (0..count)
                .map(|n| format!("{} = ?{}", key_column(n + 1), first + n))
                .collect::<Vec<_>>()
                .join(" AND ")
        };
        let set = (0..count)
            .map(|n| format!("{} = ?{}", key_column(n + 1), count + 1 + n))
            .collect::<Vec<_>>()
            .join(", ");
        let insert = format!("INSERT INTO {name}({keys}, s, r) VALUES");
        let replace = format!(" ON CONFLICT({keys}) DO UPDATE SET s = excluded.s, r = excluded.r");
        ClockSql {
            get: format!("SELECT r FROM {name} WHERE {}", matches(1)),
            by_id: String::new(),
            insert: Rows::new(&insert, count + 2, ""),
            put: Rows::new(&insert, count + 2, &replace),
            set: format!("UPDATE {name} SET s = ?{}, r = ?{} WHERE {}", count + 1, count + 2, matches(1)),
            remove: format!("DELETE FROM {name} WHERE {}", matches(1)),
            rename: format!("UPDATE {name} SET {set} WHERE {}", matches(1)),
            name,
        }
    }
}

impl TableSql {
    /// The statements about `table`.
    pub fn new(table: &Table) -> Self {
        let clock = if table.is_surrogate() {
            ClockSql::surrogate(clock_table(table.no))
        } else {
            ClockSql::natural(clock_table(table.no), table.key.len())
        };
        let null_clock = table.nullable_key.then(|| ClockSql::surrogate(null_key_clock_table(table.no)));
        TableSql { clock, null_clock }
    }
}

/// A statement about the rows of a user table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum RowSql {
    /// A row by its key.
    Read,
    /// A row by its rowid.
    ReadByRowid,
    /// A row of some columns.
    Insert,
    /// The same, whatever the schema's conflict clauses are.
    InsertOrAbort,
    /// The same, of many rows.
    InsertManyOrAbort,
    /// Some columns of a row, by its key.
    Update,
    /// The same, by its rowid.
    UpdateByRowid,
    /// The key of the row with an integer.
    HasInteger,
}

/// Statements of one form, by the columns (positions) that they name.
type ByColumns = BTreeMap<Box<[usize]>, Arc<str>>;

/// The statements by table number, made when first asked for. To be cleared with the catalog.
#[derive(Debug, Default)]
pub struct StatementCache {
    clocks: RefCell<BTreeMap<u32, Arc<TableSql>>>,
    rows: RefCell<BTreeMap<(u32, RowSql), ByColumns>>,
}

impl StatementCache {
    /// Forgets them all.
    pub fn clear(&mut self) {
        self.clocks.get_mut().clear();
        self.rows.get_mut().clear();
    }

    /// The statement about these columns of a user table, made where it is not there yet.
    pub(crate) fn row_sql(
        &self,
        table_no: u32,
        form: RowSql,
        columns: &[usize],
        make: impl FnOnce() -> String,
    ) -> Arc<str> {
        let mut rows = self.rows.borrow_mut();
        let known = rows.entry((table_no, form)).or_default();
        if let Some(sql) = known.get(columns) {
            return Arc::clone(sql);
        }
        let sql: Arc<str> = make().into();
        known.insert(columns.into(), Arc::clone(&sql));
        sql
    }
}

impl Engine {
    /// The statements about a tracked table; `None` where it is not tracked here.
    pub fn sql(&self, table_no: u32) -> Option<Arc<TableSql>> {
        if let Some(sql) = self.statements.clocks.borrow().get(&table_no) {
            return Some(Arc::clone(sql));
        }
        let sql = Arc::new(TableSql::new(self.catalog.tables.get(&table_no)?));
        self.statements.clocks.borrow_mut().insert(table_no, Arc::clone(&sql));
        Some(sql)
    }

    /// Takes a catalog that was loaded anew.
    pub fn set_catalog(&mut self, catalog: super::super::catalog::Catalog) {
        // What asks every table must find its statements again.
        self.conn.set_prepared_statement_cache_capacity(256 + 4 * catalog.tables.len());
        self.catalog = catalog.into();
        self.statements.clear();
    }
}
