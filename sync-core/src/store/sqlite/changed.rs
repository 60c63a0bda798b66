//! Up to which log number the rows of each table may have changed: most changes are of few tables, and the others
//! need not be asked.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

/// What the keys in `__pocketsync_meta` begin with; the table's number follows.
const KEY: &str = "changed:";

/// Tables whose clocks were written. Kept in memory while the engine is open, and stored in the transaction that
/// changes it.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// By table number. No row of the table has a larger log number in its clock.
    last: BTreeMap<u32, u64>,
    /// In the transaction that is open.
    now: RefCell<BTreeSet<u32>>,
}

impl Changed {
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT key, value FROM __pocketsync_meta WHERE substr(key, 1, ?1) = ?2";
        let mut statement = conn.prepare(sql)?;
        let mut rows = statement.query((KEY.len() as i64, KEY))?;
        let mut last = BTreeMap::new();
        while let Some(row) = rows.next()? {
            if let Ok(table) = row.get_ref(0)?.as_str()?[KEY.len()..].parse() {
                last.insert(table, row.get::<_, i64>(1)? as u64);
            }
        }
        Ok(Changed { last, now: RefCell::default() })
    }

    /// A clock of this table is written.
    pub(super) fn note(&self, table: u32) {
        self.now.borrow_mut().insert(table);
    }

    /// A transaction begins.
    pub(super) fn begin(&self) {
        self.now.borrow_mut().clear();
    }

    /// Whether a table may have rows under this log number or a later one. It may where nothing is known.
    pub(super) fn may_have(&self, table: u32, from: u64) -> bool {
        self.now.borrow().contains(&table) || self.last.get(&table).is_none_or(|&last| last >= from)
    }

    /// Stores what the transaction in progress changed; `head` is the last log number that it took.
    pub(super) fn save(&mut self, conn: &Connection, head: u64) -> rusqlite::Result<()> {
        for table in std::mem::take(self.now.get_mut()) {
            if self.last.get(&table).is_some_and(|&last| last >= head) {
                continue;
            }
            conn.prepare_cached(
                "INSERT INTO __pocketsync_meta(key, value) VALUES(?1, ?2)
                 ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            )?
            .execute((format!("{KEY}{table}"), head as i64))?;
            // Where the transaction fails after all, this says too much, which does no harm.
            self.last.insert(table, head);
        }
        Ok(())
    }
}
