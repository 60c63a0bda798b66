//! What a receiver without tables would hold: the joined lattice states.

use std::collections::BTreeMap;

use pocketsync_core::change::Changeset;
use pocketsync_core::id::RowId;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::merge::{Cell, RowState};
use pocketsync_core::store::sqlite::refs;
use pocketsync_core::value::Value;

use super::{Device, SOMEBODY};

#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Mirror {
    pub(crate) rows: BTreeMap<(String, RowId), RowState<String>>,
    pub(crate) cursor: Cursor,
}

impl Mirror {
    pub(crate) fn join(&mut self, changeset: &Changeset) {
        for table in &changeset.tables {
            for row in &table.rows {
                let mut state = RowState { life: row.life, cells: BTreeMap::new() };
                for cell in &row.cells {
                    let name = table.columns[cell.column as usize].clone();
                    let before =
                        state.cells.insert(name, Cell { version: cell.version, value: cell.value.clone() });
                    assert!(before.is_none(), "a column twice in {row:?}");
                }
                self.rows.entry((table.name.clone(), row.id.clone())).or_default().join(state);
            }
        }
    }

    /// Catches up with a device in pieces of about `max_bytes`; answers how many.
    pub(crate) fn follow(&mut self, device: &mut Device, max_bytes: usize) -> usize {
        for pieces in 1.. {
            let extracted = device.extract(SOMEBODY, &self.cursor, max_bytes);
            self.join(&extracted.changeset);
            assert!(extracted.last || extracted.to != self.cursor, "no progress");
            self.cursor = extracted.to;
            if extracted.last {
                assert!(self.cursor.within.is_empty());
                return pieces;
            }
        }
        unreachable!()
    }

    /// The cells that a receiver would show: rows alive only.
    pub(crate) fn visible(&self) -> BTreeMap<(String, RowId), BTreeMap<String, Value>> {
        let shown = |state: &RowState<String>| {
            state.visible().map(|cells| cells.map(|(name, value)| (name.clone(), value.clone())).collect())
        };
        self.rows.iter().filter_map(|(key, state)| Some((key.clone(), shown(state)?))).collect()
    }

    /// Checks that the visible rows are those of the device's tables, to the value.
    pub(crate) fn assert_shows(&self, device: &Device) {
        let mut seen: BTreeMap<String, i64> = BTreeMap::new();
        for ((table, id), cells) in self.visible() {
            *seen.entry(table.clone()).or_default() += 1;
            let described = device.engine.catalog.by_name(&table).unwrap();
            let key = refs::local_key(&device.engine, described.no, &id).unwrap();
            let key = key.unwrap_or_else(|| panic!("{table} {id} is not shown"));
            let (condition, key) = if refs::is_null_key(&key) {
                ("rowid IS ?1".to_owned(), key[1..].to_vec())
            } else {
                let names = described.key.iter().enumerate();
                let parts: Vec<_> = names
                    .map(|(n, &at)| {
                        format!("\"{}\" COLLATE BINARY IS ?{}", described.columns[at].name, n + 1)
                    })
                    .collect();
                (parts.join(" AND "), key.to_vec())
            };
            let key: Vec<_> = refs::bound(&key).collect();
            for (column, value) in cells {
                let query = format!("SELECT \"{column}\" FROM \"{table}\" WHERE {condition}");
                let params = pocketsync_core::rusqlite::params_from_iter(&key);
                let shown =
                    device.app.query_row(&query, params, |row| Ok(refs::value(row.get_ref(0)?))).unwrap();
                let at = described.columns.iter().position(|known| known.name == column).unwrap();
                let expected = match &described.columns[at].reference {
                    Some(reference) => {
                        refs::to_local(&device.engine, reference, &value).unwrap().unwrap_or(Value::Null)
                    }
                    None => match value {
                        Value::Dangling(inner) => *inner,
                        plain => plain,
                    },
                };
                assert_eq!(shown, expected, "{table} {id} {column}");
            }
        }
        for table in device.engine.catalog.tables.values() {
            let count = device.number(&format!("SELECT count(*) FROM \"{}\"", table.name));
            assert_eq!(seen.get(&table.name).copied().unwrap_or(0), count, "rows of {}", table.name);
        }
    }
}
