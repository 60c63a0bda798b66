//! Which rows are shown. Rows that cannot be are parked: kept whole, reported, handed on to
//! others, and shown as soon as they can be.
//!
//! Visibility is a function of the merged state, never of the order of arrival, because replicas
//! that have merged the same changes shall show the same rows, and they hear of them in any order:
//!
//! 1. A row **claims** its unique keys if it is alive and its table does not refuse it by itself
//!    (CHECK, NOT NULL, a type of a STRICT table; such a row is parked as
//!    [`Refused`](super::system::AsideReason::Refused)). Merged values are compared: references
//!    by the id of the row that they mean, text as the index's collation does. A key with a NULL
//!    claims nothing.
//! 2. Of the rows that claim, going from the oldest birth to the youngest, a row **wins** if none
//!    of its keys is held by an older winner. The others are parked as
//!    [`UniqueClaim`](super::system::AsideReason::UniqueClaim).
//! 3. A winner is **shown** if every row that it refers to is shown, and what it refers to with a
//!    NULL or dangled at its origin does not count. The largest such set is taken, so that new
//!    rows which refer to each other show each other. The others are parked as
//!    [`MissingParent`](super::system::AsideReason::MissingParent).
//!
//! Winning does not depend on being shown: if it did, a row that frees a key by being hidden for
//! want of a parent could bring in the very row that the parent loses to, and there would be no
//! answer. Age decides rather than the last write because a row that others refer to should stay.
//!
//! Only rows that share a key with a changed row, or refer to one whose fate changed, are looked
//! at. Shown ones are found through the table's own indexes, hidden ones through
//! `__pocketsync_claim` and `__pocketsync_wait`.
//!
//! Unique indexes over expressions or a part of the rows, and collations of the application's own,
//! are left to SQLite: when it refuses a row, the younger of the two is parked
//! as a unique claim where the other can be found by the columns that SQLite names, else the row
//! that was to be written is refused. Such a row comes back with its next change, or with
//! [`retry`].

pub(super) mod claims;
pub(super) mod contest;
mod defaults;
pub(super) mod index;
pub(super) mod links;
pub(super) mod row;
pub(super) mod table_sql;
pub(super) mod visible;
pub(super) mod work;

use std::collections::{BTreeMap, BTreeSet};

use super::apply::Shown;
use super::apply::store::settle;
use super::engine::Engine;
use super::row_clock::expand_id;
use super::system::AsideReason;
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;
use row::RowKey;
use work::Work;

/// How many rows are under work at a time.
const BATCH: usize = 4096;

/// Brings what the tables show in line with what was just folded under the log number that is now
/// the head: local writes may take or free unique keys that hidden rows claim, and bring or remove
/// rows that others refer to. `touched` are the rows that were written, by table.
///
/// A local reference to nothing is remembered as dangling, so that it does not come to mean a row
/// that arrives later under the same key.
///
/// # Errors
/// When the file cannot be read or written.
pub fn after_fold(
    engine: &mut Engine,
    touched: &BTreeMap<u32, Vec<RowId>>,
) -> Result<Shown, StoreError> {
    let mut shown = Shown::default();
    let mut work = Work::new(engine)?;
    let seq = engine.meta.head;
    let mut changed: BTreeSet<RowKey> = BTreeSet::new();
    let mut released = Vec::new();
    for (&table_no, ids) in touched {
        let contested = index::has_claims(engine, table_no)?;
        let awaited = index::has_waiting(engine, table_no)?;
        if !contested && !awaited {
            continue;
        }
        for id in ids {
            let key = (table_no, id.clone());
            if contested {
                released.extend(index::claims_of(engine, &key)?);
            }
            let row = work.load(engine, &key)?;
            // The table took it from the application, but whether it has its keys is not decided,
            // and nobody was told yet that it is here.
            row.wins = false;
            row.reclaimed = true;
            row.offered.clear();
            row.dirty = false;
            changed.insert(key);
        }
    }
    for claim in &released {
        index::forget_claim(engine, claim)?;
    }
    orphans(engine, &mut work, seq)?;
    if !work.rows.is_empty() {
        settle(engine, &mut work, changed, &released, &mut shown)?;
    }
    Ok(shown)
}
