//! What the statements of a transaction come to, row by row.

use std::collections::BTreeMap;

use pocketsync_core::value::Value;

use super::snapshot::Snapshot;
use super::statement::tag_of_key;
use crate::history::{CellChange, Did, Effect, RowView};
use crate::shape::{RowTag, Shape};

/// The effects so far: at most a death and what came after it, for each row.
#[derive(Default)]
pub(super) struct Effects(BTreeMap<RowTag, Vec<Did>>);

impl Effects {
    /// A statement made `after` of `before`. It may have `replaced` the row of a natural key.
    pub(super) fn add(
        &mut self,
        shape: &Shape,
        before: &Snapshot,
        after: &Snapshot,
        replaced: Option<&(usize, Vec<Value>)>,
    ) {
        let replaced = replaced.and_then(|(table, key)| tag_of_key(before, *table, key));
        for table in 0..shape.tables.len() {
            let (before, after) = (&before.tables[table], &after.tables[table]);
            for (name, old) in before {
                let row = RowTag { table, name: name.clone() };
                match after.get(name) {
                    None => self.put(row, Did::Deleted { cells: old.view.cells.clone() }),
                    Some(new) if replaced.as_ref() == Some(&row) => {
                        self.put(row.clone(), Did::Deleted { cells: old.view.cells.clone() });
                        self.put(row, Did::Inserted { cells: new.view.cells.clone() });
                    }
                    Some(new) => {
                        let cells = self.changes(&row, &old.view, &new.view);
                        if !cells.is_empty() {
                            self.put(row, Did::Updated { cells });
                        }
                    }
                }
            }
            for (name, new) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                let row = RowTag { table, name: name.clone() };
                self.put(row, Did::Inserted { cells: new.view.cells.clone() });
            }
        }
    }

    /// The cells of a row that a statement wrote: not those that only go by another word, because another
    /// row came or went under an integer that stays. What the transaction itself wrote there before means
    /// what it means in the end, though.
    fn changes(&self, row: &RowTag, old: &RowView, new: &RowView) -> Vec<CellChange> {
        let cells = old.cells.iter().zip(&new.cells).enumerate();
        cells
            .filter(|(_, (before, after))| before != after)
            .filter(|(column, _)| !old.shows_same(new, *column) || self.wrote(row, *column))
            .map(|(column, (before, after))| CellChange {
                column,
                before: before.clone(),
                after: after.clone(),
            })
            .collect()
    }

    fn wrote(&self, row: &RowTag, column: usize) -> bool {
        match self.0.get(row).and_then(|dids| dids.last()) {
            Some(Did::Inserted { .. }) => true,
            Some(Did::Updated { cells }) => cells.iter().any(|cell| cell.column == column),
            Some(Did::Deleted { .. }) | None => false,
        }
    }

    fn put(&mut self, row: RowTag, did: Did) {
        let dids = self.0.entry(row).or_default();
        match (dids.pop(), did) {
            (Some(Did::Inserted { mut cells }), Did::Updated { cells: changed }) => {
                for change in changed {
                    cells[change.column] = change.after;
                }
                dids.push(Did::Inserted { cells });
            }
            // It was never there, for anyone else.
            (Some(Did::Inserted { .. }), Did::Deleted { .. }) => {}
            (Some(Did::Updated { mut cells }), Did::Updated { cells: changed }) => {
                for change in changed {
                    match cells.iter_mut().find(|earlier| earlier.column == change.column) {
                        Some(earlier) => earlier.after = change.after,
                        None => cells.push(change),
                    }
                }
                cells.sort_by_key(|change| change.column);
                dids.push(Did::Updated { cells });
            }
            (Some(Did::Updated { .. }) | None, did) => dids.push(did),
            (Some(earlier), did) => dids.extend([earlier, did]),
        }
    }

    pub(super) fn into_vec(self) -> Vec<Effect> {
        let effect = |(row, dids): (RowTag, Vec<Did>)| {
            dids.into_iter().map(move |did| Effect { row: row.clone(), did })
        };
        self.0.into_iter().flat_map(effect).collect()
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// In `sale`, the shop is column 2. It is held where `at` is not NULL.
    const SQL: &str = "
        CREATE TABLE shop(id INTEGER PRIMARY KEY, tag TEXT NOT NULL);
        CREATE TABLE day(shop INTEGER REFERENCES shop, at TEXT, PRIMARY KEY(shop, at)) WITHOUT ROWID;
        CREATE TABLE sale(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, shop INTEGER, at TEXT,
          FOREIGN KEY (shop, at) REFERENCES day ON DELETE SET NULL);";

    /// What a transaction of these statements did to rows of `sale`, on a file with these rows.
    fn sales(rows: &str, statements: &[&str]) -> Vec<Did> {
        let shape = Shape::of_sql(SQL).unwrap();
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(&format!("PRAGMA foreign_keys = ON; {SQL} {rows}")).unwrap();
        let mut effects = Effects::default();
        let mut before = Snapshot::read(&conn, &shape).unwrap();
        for statement in statements {
            conn.execute_batch(statement).unwrap();
            let after = Snapshot::read(&conn, &shape).unwrap();
            effects.add(&shape, &before, &after, None);
            before = after;
        }
        let effects = effects.into_vec().into_iter();
        effects.filter(|effect| effect.row.table == 2).map(|effect| effect.did).collect()
    }

    fn shop(before: &str, after: &str) -> Did {
        let cell = CellChange { column: 2, before: Value::text(before), after: Value::text(after) };
        Did::Updated { cells: vec![cell] }
    }

    #[test]
    fn who_comes_and_goes_under_an_integer_that_no_key_holds_writes_nothing_there() {
        let nothing = "INSERT INTO sale VALUES (1, 'r1', 7, NULL)";
        assert_eq!(sales(nothing, &["INSERT INTO shop VALUES (7, 'r2')"]), []);
        let something = "INSERT INTO shop VALUES (7, 'r2'); INSERT INTO sale VALUES (1, 'r1', 7, NULL)";
        assert_eq!(sales(something, &["DELETE FROM shop"]), []);
        assert_eq!(sales(something, &["UPDATE shop SET tag = 'r3'"]), []);
    }

    #[test]
    fn what_is_written_to_such_a_cell_is_told() {
        let rows =
            "INSERT INTO shop VALUES (7, 'r2'), (8, 'r3'); INSERT INTO sale VALUES (1, 'r1', 7, NULL);";
        assert_eq!(sales(rows, &["UPDATE sale SET shop = 8"]), [shop("r2", "r3")]);
        assert_eq!(sales(rows, &["UPDATE sale SET shop = 9"]), [shop("r2", "?9")]);
    }

    #[test]
    fn what_the_transaction_wrote_there_means_what_it_means_in_the_end() {
        let rows =
            "INSERT INTO shop VALUES (7, 'r2'), (8, 'r3'); INSERT INTO sale VALUES (1, 'r1', 7, NULL);";
        let deleted = ["UPDATE sale SET shop = 8", "DELETE FROM shop WHERE id = 8"];
        assert_eq!(sales(rows, &deleted), [shop("r2", "?8")]);
        let inserted = ["INSERT INTO sale VALUES (2, 'r4', 8, NULL)", "DELETE FROM shop WHERE id = 8"];
        let cells = vec![Value::Null, Value::text("r4"), Value::text("?8"), Value::Null];
        assert_eq!(sales(rows, &inserted), [Did::Inserted { cells }]);
    }

    #[test]
    fn a_reference_that_its_key_holds_is_told_by_the_row_that_it_points_at() {
        let rows = "INSERT INTO shop VALUES (7, 'r2'); INSERT INTO day VALUES (7, 'k1');
                    INSERT INTO sale VALUES (1, 'r1', 7, 'k1');";
        // Nobody does this but a test: another row under the same key.
        assert_eq!(sales(rows, &["UPDATE shop SET tag = 'r3'"]), [shop("r2", "r3")]);
    }
}
