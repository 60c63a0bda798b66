//! Every write that an application made, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use pocketsync_core::clock::Version;
use pocketsync_core::conflict::{LoggedConflict, Write, Written};
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::store::States;
use pocketsync_core::value::Value;

use crate::replica::{Held, State};

/// Table, row, column.
type Place = (String, RowId, String);

/// The writes of all applications.
///
/// A write is a version of a cell that an application's replica gave, with its value. What a transaction, or the next
/// one before the engine looks, writes over its own value has no version, and is no write.
#[derive(Default)]
pub(super) struct Ledger {
    /// By the version, the hub's answers included.
    writes: BTreeMap<Place, BTreeMap<Version, Value>>,
    /// What a writer had before it when it wrote the cell again, or deleted the row.
    known: BTreeSet<(Place, Version)>,
    /// The latest version of each cell that follows from a foreign key.
    derived: BTreeMap<Place, Version>,
}

/// What all hold in the end of a cell, and what the logs say of its row.
struct Kept<'a> {
    row: Option<&'a Held>,
    last: Option<Version>,
    derived: Option<Version>,
    entries: &'a [&'a LoggedConflict],
}

impl Ledger {
    /// Takes in what the application of `site` wrote: what its replica held before these writes were folded, and what
    /// it holds since.
    pub(super) fn enter(&mut self, site: SiteId, before: &State, after: &State) {
        for ((table, id), row) in after {
            let old = before.get(&(table.clone(), id.clone()));
            // Who inserts a key under which another row waits does not see what that holds.
            let is_blind = old.is_some_and(|old| old.place != "shown" && old.life.born != row.life.born);
            for (column, (version, value)) in &row.cells {
                let place = (table.clone(), id.clone(), column.clone());
                let replaced = old.and_then(|old| old.cells.get(column)).map(|(version, _)| *version);
                if version.site != site || replaced == Some(*version) {
                    continue;
                }
                let first = self.writes.entry(place.clone()).or_default().insert(*version, value.clone());
                assert!(
                    first.as_ref().is_none_or(|first| first == value),
                    "{place:?} {version:?}: {first:?}"
                );
                self.known.extend(replaced.filter(|_| !is_blind).map(|replaced| (place, replaced)));
            }
        }
        for ((table, id), old) in before.iter().filter(|(_, old)| old.life.is_alive()) {
            let life = after.get(&(table.clone(), id.clone())).map(|row| row.life);
            if life.is_none_or(|life| life.died != old.life.died) {
                let cells = old.cells.iter();
                let cells = cells.map(|(column, held)| ((table.clone(), id.clone(), column.clone()), held.0));
                self.known.extend(cells);
            }
        }
        self.conclude(after);
    }

    /// Notes what a replica wrote itself, because of a foreign key.
    pub(super) fn conclude(&mut self, state: &State) {
        for ((table, id), row) in state {
            for (column, (version, _)) in &row.cells {
                if version.site == SiteId::NIL {
                    let place = (table.clone(), id.clone(), column.clone());
                    let latest = self.derived.entry(place).or_insert(*version);
                    *latest = version.max(latest).to_owned();
                }
            }
        }
    }

    /// Notes what the hub of `site` answered to conflicts.
    pub(super) fn answer(&mut self, site: SiteId, states: States) {
        for (table, rows) in states {
            for (id, row) in rows {
                let answers = row.cells.into_iter().filter(|(_, cell)| cell.version.site == site);
                for (column, cell) in answers {
                    let place = (table.clone(), id.clone(), column);
                    self.writes.entry(place).or_default().insert(cell.version, cell.value);
                }
            }
        }
    }

    /// How many writes there were.
    pub(super) fn len(&self) -> usize {
        self.writes.values().map(BTreeMap::len).sum()
    }

    /// Accounts for every write, where `state` is what all hold in the end, and `hub` only answered.
    pub(super) fn close(&self, state: &State, logs: &[LoggedConflict], hub: SiteId) {
        let mut entries: BTreeMap<(&str, &RowId), Vec<&LoggedConflict>> = BTreeMap::new();
        for entry in logs {
            entries.entry((&entry.table, &entry.row)).or_default().push(entry);
        }
        for (place, writes) in &self.writes {
            let (table, id, column) = place;
            let row = state.get(&(table.clone(), id.clone()));
            let kept = Kept {
                row,
                last: row.and_then(|row| row.cells.get(column)).map(|(version, _)| *version),
                derived: self.derived.get(place).copied(),
                entries: entries.get(&(table.as_str(), id)).map_or(&[], Vec::as_slice),
            };
            let mut said = BTreeSet::new();
            for (version, value) in writes.iter().rev() {
                // A later write of the same value says what this one said, as long as it is accounted for itself: where
                // the two met, nothing was lost, and no conflict is logged. The hub's answers repeat one side, too.
                let is_accounted = said.contains(value)
                    || self.known.contains(&(place.clone(), *version))
                    || kept.accounts_for(column, *version, value);
                assert!(
                    is_accounted || version.site == hub,
                    "{table} {id} {column}: {value:?} of {version:?} is gone from {writes:?}; {row:?}; {:?}",
                    kept.entries
                );
                if is_accounted {
                    said.insert(value);
                }
            }
        }
    }
}

impl Kept<'_> {
    fn accounts_for(&self, column: &str, version: Version, value: &Value) -> bool {
        // It is shown, or held of a row that waits to be.
        self.last == Some(version)
            || self.entries.iter().any(|entry| holds(entry, column, version, value))
            // What follows from a foreign key stands over it, or stood.
            || self.derived > Some(version)
            // The row went with another one that it referred to. (Who deletes a row that somebody else changes at the same
            // time is in conflict with that: the change is in a log.)
            || self.row.is_some_and(|row| row.life.died.is_some_and(|died| died.site == SiteId::NIL && !row.life.is_alive()))
    }
}

/// Whether an entry of a log has this write of a column on one of its sides.
fn holds(entry: &LoggedConflict, column: &str, version: Version, value: &Value) -> bool {
    let has = |side: &Write| match &side.what {
        Written::Value(logged) => {
            entry.column.as_deref() == Some(column)
                && logged == value
                && (side.hlc, side.site) == (version.hlc, version.site)
        }
        Written::Row(row) => row.get(column) == Some(value),
        _ => false,
    };
    has(&entry.here) || has(&entry.came)
}
