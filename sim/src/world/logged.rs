//! Conflict logs, as oracles want them.

use std::collections::BTreeMap;
use std::path::Path;

use pocketsync_core::conflict::{ConflictFilter, LoggedConflict, Written};
use pocketsync_core::store::HubStore;
use pocketsync_core::store::sqlite::Replica;

use super::Stop;
use super::watched::scope_no;
use crate::history::ConflictView;

/// A device's log.
pub(super) fn of_device(replica: &Replica) -> Result<Vec<ConflictView>, Stop> {
    let logged = replica.conflicts(&ConflictFilter::default());
    let logged = logged.map_err(|error| Stop::failed("cannot read a conflict log", error))?;
    Ok(logged.into_iter().map(view).collect())
}

/// The hub's log, by scope.
pub(super) fn of_hub(file: &Path) -> Result<BTreeMap<u32, Vec<ConflictView>>, Stop> {
    let logged = HubStore::inspect_conflicts(file, &ConflictFilter::default());
    let logged = logged.map_err(|error| Stop::failed("cannot read the hub's conflict log", error))?;
    let by_scope = logged.into_iter();
    Ok(by_scope.map(|(scope, log)| (scope_no(scope.as_str()), log.into_iter().map(view).collect())).collect())
}

fn view(conflict: LoggedConflict) -> ConflictView {
    let mut values = Vec::new();
    for side in [conflict.here.what, conflict.came.what] {
        match side {
            Written::Value(value) => values.extend(conflict.column.clone().map(|column| (column, value))),
            Written::Row(row) => values.extend(row),
            _ => {}
        }
    }
    ConflictView { table: conflict.table, values }
}
