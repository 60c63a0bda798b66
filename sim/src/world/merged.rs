//! What a replica has merged, in words that are the same wherever the same was merged.
//!
//! A replica tells a peer that it has never met all it knows. So a copy of the file is asked: the
//! file itself would remember that it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use pocketsync_core::change::{Changeset, RowChange};
use pocketsync_core::id::{Scope, SiteId};
use pocketsync_core::lineage::Cursor;
use pocketsync_core::store::sqlite::{Replica, ReplicaOptions};
use pocketsync_core::store::{HubStore, HubStoreOptions, Store, StoreReply, StoreRequest};

use super::Stop;
use super::image::{self, Image};
use super::watched::scope_name;

/// Rows by table and identity.
pub(super) type Words = BTreeMap<String, String>;

/// Columns, with their tables: those that replicas need not agree on.
pub(super) type Columns = BTreeSet<(String, String)>;

/// How much is asked for at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What a device has merged.
pub(super) fn of_device(file: &Path, dir: &Path, scope: u32, but: &Columns) -> Result<Words, Stop> {
    of_copy(file, dir, |copy| {
        let mut replica = Replica::open(copy, ReplicaOptions::default())
            .map_err(|error| Stop::failed("cannot open the copy of a device's file", error))?;
        words(&mut replica, scope, but)
    })
}

/// What the hub has merged, in several scopes.
pub(super) fn of_hub(
    file: &Path,
    dir: &Path,
    scopes: &[u32],
    but: &Columns,
) -> Result<Vec<(u32, Words)>, Stop> {
    of_copy(file, dir, |copy| {
        let mut store = HubStore::open(copy, HubStoreOptions::default())
            .map_err(|error| Stop::failed("cannot open the copy of the hub's file", error))?;
        scopes.iter().map(|&scope| Ok((scope, words(&mut store, scope, but)?))).collect()
    })
}

fn of_copy<T>(file: &Path, dir: &Path, ask: impl FnOnce(&Path) -> Result<T, Stop>) -> Result<T, Stop> {
    let copy = dir.join("looked-at.db");
    let failed = |error| Stop::failed("cannot copy a file to look at it", error);
    Image::take(file).and_then(|image| image.put_back(&copy)).map_err(failed)?;
    let answer = ask(&copy);
    image::remove(&copy).map_err(failed)?;
    answer
}

fn words(store: &mut dyn Store, scope: u32, but: &Columns) -> Result<Words, Stop> {
    let scope =
        Scope::new(scope_name(scope)).map_err(|error| Stop::failed("a number makes no scope", error))?;
    let mut words = Words::new();
    let mut after = Cursor::ZERO;
    loop {
        let (scope, peer) = (scope.clone(), SiteId::from_bytes([0xfe; 16]));
        let request = StoreRequest::Extract { scope, peer, after, max_bytes: PIECE_BYTES, not_after: None };
        let reply = store.run(request).map_err(|error| Stop::failed("cannot read what was merged", error))?;
        let StoreReply::Extracted(extracted) = reply else { unreachable!("the answer to an extract") };
        add(&mut words, &extracted.changeset, but);
        if extracted.last {
            return Ok(words);
        }
        after = extracted.to;
    }
}

fn add(words: &mut Words, changeset: &Changeset, but: &Columns) {
    for table in &changeset.tables {
        for row in &table.rows {
            words.insert(
                format!("{} {:?}", table.name, row.id),
                describe(row, &table.name, &table.columns, but),
            );
        }
    }
}

/// The cells of past lives are left out: a replica need not keep them.
fn describe(row: &RowChange, table: &str, columns: &[String], but: &Columns) -> String {
    let life = &row.life;
    let mut words = format!("born {:?} died {:?}", life.born, life.died);
    if life.died.is_some() && life.undone >= life.died {
        words.push_str(" undone");
    }
    let alive = life.is_alive() || life.is_empty();
    let mut cells: Vec<_> = row.cells.iter().filter(|cell| alive && life.covers(cell.version)).collect();
    cells.sort_by_key(|cell| columns.get(cell.column as usize));
    for cell in cells {
        let column = columns.get(cell.column as usize).map_or("?", String::as_str);
        if !but.is_empty() && but.contains(&(table.to_owned(), column.to_owned())) {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = write!(words, ", {column} = {} @{:?}", cell.value, cell.version);
    }
    words
}
