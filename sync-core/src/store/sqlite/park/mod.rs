//! Which rows are shown. Rows that cannot be are parked: kept whole, reported, handed on to
//! others, and shown as soon as they can be.
//!
//! Visibility is a function of the merged state, never of the order of arrival, because replicas
//! that have merged the same changes shall show the same rows, and they hear of them in any order:
//!
//! 1. A row **claims** its unique keys if it is alive and its table does not refuse it by itself
//!    (CHECK, NOT NULL, a type of a STRICT table; such a row is parked as
//!    [`Refused`](super::system::AsideReason::Refused)). Merged values are compared: references
//!    by the row that they show, text as the index's collation does. A key with a NULL claims
//!    nothing.
//! 2. Of the rows that claim, going from the oldest birth to the youngest, a row **wins** if none
//!    of its keys is held by an older winner. The others are parked as
//!    [`UniqueClaim`](super::system::AsideReason::UniqueClaim).
//! 3. A winner is **shown** if every row that it refers to is shown, and what it refers to with a
//!    NULL or dangled at its origin does not count. The largest such set is taken, so that new
//!    rows which refer to each other show each other. The others are parked as
//!    [`MissingParent`](super::system::AsideReason::MissingParent). A reference to a row that lost
//!    its key shows the winner (`redirect`).
//! 4. Where what a row refers to was deleted, the declared action is written (`actions`), and all
//!    of it decided about again.
//!
//! Winning does not depend on being shown: if it did, a row that frees a key by being hidden for
//! want of a parent could bring in the very row that the parent loses to, and there would be no
//! answer. Age decides rather than the last write because a row that others refer to should stay.
//!
//! Only rows that share a key with a changed row, or refer to one whose fate changed, are looked
//! at. Shown ones are found through the table's own indexes, hidden ones through
//! `__pocketsync_claim` and `__pocketsync_wait`.
//!
//! Unique indexes over expressions or a part of the rows are claimed by what SQLite makes of a row's
//! values. What it cannot make anything of on the engine's connection, and collations of the
//! application's own, are left to it: when it refuses a row, the younger of the two is parked
//! as a unique claim where the other can be found by the columns that SQLite names, else the row
//! that was to be written is refused. Such a row comes back with its next change, or with
//! [`retry`].

pub(super) mod actions;
mod behind;
mod claimants;
pub(super) mod claims;
pub(super) mod contest;
pub(super) mod defaults;
mod evaluate;
pub(super) mod index;
pub(super) mod links;
mod orphans;
pub(super) mod redirect;
pub(super) mod row;
mod strata;
pub(super) mod table_sql;
pub(super) mod visible;
pub(super) mod work;

use std::collections::BTreeSet;

use super::apply::Shown;
use super::apply::store::settle;
use super::engine::Engine;
use super::fold::Folded;
use super::refs;
use super::row_clock::expand_id;
use super::system::AsideReason;
use crate::store::StoreError;
use work::Work;

/// How many rows are under work at a time.
const BATCH: usize = 4096;

/// Brings what the tables show in line with what was just folded: local writes may take or free
/// unique keys that hidden rows claim, and bring or remove rows that others refer to.
///
/// A local reference to nothing is remembered as dangling, so that it never comes to mean a row
/// that arrives later under the same key.
///
/// # Errors
/// When the file cannot be read or written.
pub fn after_fold(engine: &mut Engine, folded: &Folded) -> Result<Shown, StoreError> {
    let mut shown = Shown::default();
    let mut work = Work::new(engine)?;
    work.derive_at = Some(folded.seq);
    orphans::mark(engine, folded, &mut work)?;
    settle(engine, &mut work, BTreeSet::new(), &[], &mut shown)?;
    for (&table_no, ids) in &folded.touched {
        if !index::has_claims(engine, table_no)? && !index::has_waiting(engine, table_no)? {
            continue;
        }
        for ids in ids.chunks(BATCH) {
            let mut changed = BTreeSet::new();
            let mut released = Vec::new();
            for id in ids {
                let key = (table_no, id.clone());
                let had = index::claims_of(engine, &key)?;
                for other in behind::follow(engine, folded, &mut work, &key, &had)? {
                    released.extend(index::claims_of(engine, &other)?);
                    work.load(engine, &other)?.reclaimed = true;
                    changed.insert(other);
                }
                released.extend(had);
                let row = work.load(engine, &key)?;
                // The application put it there, but whether it has its keys is still to be decided,
                // and those who wait for it do not know of it.
                row.wins = false;
                row.fresh = true;
                row.reclaimed = true;
                changed.insert(key);
            }
            settle(engine, &mut work, changed, &released, &mut shown)?;
        }
    }
    Ok(shown)
}

/// Tries again to show every row that is parked, and shows the values of columns that the schema
/// has now. To be called when the schema has changed.
///
/// # Errors
/// When the file cannot be read or written.
pub fn retry(engine: &mut Engine) -> Result<Shown, StoreError> {
    let mut shown = Shown::default();
    // Keys may have come to refer to rows by name.
    refs::note_all_named(engine)?;
    // Parents first: what a reference shows depends on them.
    let tables = Work::new(engine)?.links.parents_first(engine.catalog.tables.keys().copied());
    for &table_no in &tables {
        // The schema may number its unique keys in another way now.
        index::forget_table(engine, table_no)?;
    }
    for &table_no in &tables {
        retry_table(engine, table_no, &mut shown)?;
        shown.extend(adopt_columns(engine, table_no)?);
    }
    for &table_no in &tables {
        // What they show another row for is noted by numbers that may be others now.
        let mut work = Work::new(engine)?;
        work.retrying = true;
        let mut changed = BTreeSet::new();
        for (at, id) in refs::aliases(engine, table_no)? {
            if !refs::shows_another(engine, table_no, &at)? {
                continue;
            }
            let key = (table_no, id);
            work.load(engine, &key)?;
            changed.insert(key);
        }
        settle(engine, &mut work, changed, &[], &mut shown)?;
    }
    Ok(shown)
}

fn retry_table(engine: &mut Engine, table_no: u32, shown: &mut Shown) -> Result<(), StoreError> {
    let mut work = Work::new(engine)?;
    work.retrying = true;
    let mut after: Vec<u8> = Vec::new();
    loop {
        let sql = "SELECT id, reason FROM __pocketsync_aside WHERE tbl = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let batch = read_ids(engine, sql, (table_no, &after, BATCH as i64))?;
        let Some(last) = batch.last() else { return Ok(()) };
        after.clone_from(&last.0);
        let mut changed = BTreeSet::new();
        for (bytes, reason) in batch {
            let known = AsideReason::named(&reason);
            if matches!(known, Some(AsideReason::Deleted | AsideReason::Unborn)) {
                continue;
            }
            let key = (table_no, expand_id(&bytes, &engine.sites)?);
            let fits = work::fits(&engine.catalog.tables[&table_no], &key.1);
            let row = work.load(engine, &key)?;
            if fits {
                row.refused = None;
            }
            row.tried = false;
            row.wins = false;
            row.reclaimed = true;
            // The reason is stored anew, with what waits for it.
            row.aside = Some(AsideReason::UnknownTable);
            changed.insert(key);
        }
        settle(engine, &mut work, changed, &[], shown)?;
    }
}

/// Shows the merged values of columns that the table did not have when they came.
///
/// # Errors
/// When the file cannot be read or written.
pub fn adopt_columns(engine: &mut Engine, table_no: u32) -> Result<Shown, StoreError> {
    let mut shown = Shown::default();
    let mut work = Work::new(engine)?;
    work.retrying = true;
    let mut after: Vec<u8> = Vec::new();
    loop {
        let sql =
            "SELECT DISTINCT id, '' FROM __pocketsync_shadow WHERE tbl = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let batch = read_ids(engine, sql, (table_no, &after, BATCH as i64))?;
        let Some(last) = batch.last() else { return Ok(shown) };
        after.clone_from(&last.0);
        let mut changed = BTreeSet::new();
        let table = &engine.catalog.tables[&table_no];
        for (bytes, _) in batch {
            let key = (table_no, expand_id(&bytes, &engine.sites)?);
            let row = work.load(engine, &key)?;
            if row.at.is_none() {
                continue;
            }
            // What the table shows as it was merged needs no shadow any more.
            row.columns.extend(row.shadows.keys().copied());
            row.columns.extend(row.shadows.keys().filter_map(|&share| table.shared_by(share)));
            row.dirty = true;
            changed.insert(key);
        }
        settle(engine, &mut work, changed, &[], &mut shown)?;
    }
}

fn read_ids(
    engine: &Engine,
    sql: &str,
    params: (u32, &Vec<u8>, i64),
) -> Result<Vec<(Vec<u8>, String)>, StoreError> {
    let mut statement = engine.conn.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
