//! Opening tracked files for the commands, with their way out when that fails.

use std::path::Path;

use futures::StreamExt;
use pocketsync::{Applied, Replica, ReplicaOptions, ReplicaStatus, Tables, TrackError, TrackedTable};
use tokio::task::JoinHandle;

use crate::failure::{Context, Failure, Result};

/// What tracking a file came to.
#[derive(Debug)]
pub(crate) struct Tracked {
    /// What is tracked.
    pub(crate) tables: Vec<TrackedTable>,
    /// What cannot be, and why.
    pub(crate) refused: Vec<String>,
}

/// Opens a file as its one engine.
pub(crate) fn open(path: &Path) -> Result<Replica> {
    Ok(Replica::open(path, ReplicaOptions::default())?)
}

/// The state of a file, whoever is its engine.
pub(crate) fn inspect(path: &Path) -> Result<ReplicaStatus> {
    Ok(Replica::inspect(path, ReplicaOptions::default())?)
}

/// Opens a file that `pocketsync track` has seen.
pub(crate) fn open_tracked(path: &Path) -> Result<Replica> {
    let replica = open(path)?;
    let status = replica.status().context("cannot read the state of the file")?;
    if status.tables.is_empty() {
        return Err(Failure::new(format!("{} is not tracked", path.display()))
            .hint(format!("pocketsync track {}", path.display())));
    }
    Ok(replica)
}

/// Tracks every table that can be tracked.
pub(crate) fn track_all(replica: &Replica) -> Result<Tracked> {
    let failed = |error: TrackError| Failure::new(error.to_string());
    let first = match replica.track(&Tables::all()) {
        Ok(tables) => return Ok(Tracked { tables, refused: Vec::new() }),
        Err(error @ TrackError::Store(_)) => return Err(failed(error)),
        Err(error) => error,
    };
    // Some table is in the way of all: one by one, then, each with its reason.
    let status = replica.status().context("cannot read the schema")?;
    let mut names: Vec<String> = status.tables.into_iter().map(|table| table.name).collect();
    let mut refused = Vec::new();
    for name in status.untracked {
        match replica.track(&Tables::only([name.as_str()])) {
            Ok(_) => names.push(name),
            Err(error @ TrackError::Store(_)) => return Err(failed(error)),
            Err(error) => refused.push(error.to_string()),
        }
    }
    if names.is_empty() {
        return Err(failed(first));
    }
    // Once more, all together: what refers to what is known now.
    let tables = replica.track(&Tables::only(names)).map_err(failed)?;
    Ok(Tracked { tables, refused })
}

/// Counts the rows that merges change from now on, until the replica is closed.
pub(crate) fn count_applied(replica: &Replica) -> JoinHandle<u64> {
    let mut applied = replica.applied();
    tokio::spawn(async move {
        let mut rows = 0;
        while let Some(applied) = applied.next().await {
            if let Applied::Changes(tables) = applied {
                rows += tables.iter().map(|table| table.changed.len() + table.removed.len()).sum::<usize>();
            }
        }
        rows as u64
    })
}
