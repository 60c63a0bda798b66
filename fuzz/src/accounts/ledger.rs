//! Every write that an application made, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use pocketsync_core::clock::Version;
use pocketsync_core::conflict::{LoggedConflict, Write, Written};
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::value::Value;

use crate::replica::State;

/// Table, row, column.
type Place = (String, RowId, String);

/// The writes of all applications.
#[derive(Default)]
pub(super) struct Ledger {
    writes: BTreeMap<Place, BTreeMap<Version, Value>>,
    /// What a later writer had before its eyes when it wrote, or deleted the row.
    known: BTreeSet<(Place, Version)>,
    /// The latest value of each cell that follows from a foreign key.
    derived: BTreeMap<Place, Version>,
}

impl Ledger {
    /// Takes in what the application of `site` wrote: what its replica held before these writes were folded, and holds
    /// since.
    pub(super) fn enter(&mut self, site: SiteId, before: &State, after: &State) {
        for ((table, id), row) in after {
            let old = before.get(&(table.clone(), id.clone()));
            // Who inserts a row under a key that another one waits for does not see what that holds.
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
        for (row, old) in before {
            let died = after.get(row).map(|row| row.life.died);
            if old.life.is_alive() && died != Some(old.life.died) {
                for (column, (version, _)) in &old.cells {
                    self.known.insert(((row.0.clone(), row.1.clone(), column.clone()), *version));
                }
            }
        }
        self.see(after);
    }

    /// Notes what a replica concluded itself.
    pub(super) fn see(&mut self, state: &State) {
        for ((table, id), row) in state {
            for (column, (version, _)) in
                row.cells.iter().filter(|(_, (version, _))| version.site == SiteId::NIL)
            {
                let latest =
                    self.derived.entry((table.clone(), id.clone(), column.clone())).or_insert(*version);
                *latest = (*latest).max(*version);
            }
        }
    }

    /// How many writes there were.
    pub(super) fn len(&self) -> usize {
        self.writes.values().map(BTreeMap::len).sum()
    }

    /// Accounts for every write, where `kept` is what all hold in the end.
    pub(super) fn close(&self, kept: &State, logs: &[LoggedConflict]) {
        let mut entries: BTreeMap<(&str, &RowId), Vec<&LoggedConflict>> = BTreeMap::new();
        for entry in logs {
            entries.entry((&entry.table, &entry.row)).or_default().push(entry);
        }
        for (place, writes) in &self.writes {
            let (table, id, column) = place;
            let kept = kept.get(&(table.clone(), id.clone()));
            let entries = entries.get(&(table.as_str(), id)).map(Vec::as_slice).unwrap_or_default();
            let last = kept.and_then(|row| row.cells.get(column)).map(|(version, _)| *version);
            // From the latest down: a later write of the same value says what an earlier one said.
            let mut said: Vec<&Value> = Vec::new();
            for (version, value) in writes.iter().rev() {
                let is_kept = last == Some(*version);
                let is_known = self.known.contains(&(place.clone(), *version));
                let is_logged = entries.iter().any(|entry| holds(entry, column, *version, value));
                let is_dead = kept.is_some_and(|row| !row.life.is_alive() || !row.life.covers(*version));
                let is_derived_over = self.derived.get(place) > Some(version);
                let is_said = said.contains(&value);
                assert!(
                    is_kept || is_known || is_logged || is_dead || is_derived_over || is_said,
                    "{table} {id} {column}: {value:?} of {version:?} is gone; of {kept:?}; wrote {writes:?}; {entries:?}"
                );
                let why = if is_kept {
                    "kept"
                } else if is_known {
                    "known"
                } else if is_logged {
                    "logged"
                } else if is_said {
                    "said"
                } else if is_derived_over {
                    "derived"
                } else if is_dead {
                    "dead"
                } else {
                    "GONE"
                };
                eprintln!("STAT {why}");
                said.push(value);
            }
        }
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
