//! What the statements of a transaction come to, row by row.

use std::collections::BTreeMap;

use pocketsync_core::value::Value;

use super::snapshot::Snapshot;
use super::statement::tag_of_key;
use crate::history::{CellChange, Did, Effect};
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
                    None => self.put(row, Did::Deleted { cells: old.cells.clone() }),
                    Some(new) if replaced.as_ref() == Some(&row) => {
                        self.put(row.clone(), Did::Deleted { cells: old.cells.clone() });
                        self.put(row, Did::Inserted { cells: new.cells.clone() });
                    }
                    Some(new) if new.cells != old.cells => {
                        self.put(row, Did::Updated { cells: changes(&old.cells, &new.cells) });
                    }
                    Some(_) => {}
                }
            }
            for (name, new) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                let row = RowTag { table, name: name.clone() };
                self.put(row, Did::Inserted { cells: new.cells.clone() });
            }
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

fn changes(old: &[Value], new: &[Value]) -> Vec<CellChange> {
    let cells = old.iter().zip(new).enumerate();
    cells
        .filter(|(_, (before, after))| before != after)
        .map(|(column, (before, after))| CellChange { column, before: before.clone(), after: after.clone() })
        .collect()
}
