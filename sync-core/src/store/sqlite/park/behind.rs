//! Local writes to a row that is shown in the place of others: to the application they are one row.
//!
//! Who deletes the one tag 'work' means all that are shown as it, and who renames it does, too;
//! otherwise the next one would come up in its place at once. So a local delete, and a local change
//! of the key that the others lost, are written to them as well: a local write like any other, made
//! where the application wrote and nowhere else.

use std::collections::BTreeSet;

use super::super::catalog::UniqueKey;
use super::super::engine::Engine;
use super::super::fold::Folded;
use super::super::refs;
use super::claims::Claim;
use super::index;
use super::row::RowKey;
use super::work::Work;
use crate::clock::Version;
use crate::merge::Cell;
use crate::store::{RecordCell, StoreError};

/// Writes what a fold did to a row to those that are parked behind it. Answers which those are.
pub(super) fn follow(
    engine: &Engine,
    folded: &Folded,
    work: &mut Work,
    key: &RowKey,
    had: &[Claim],
) -> Result<BTreeSet<RowKey>, StoreError> {
    let mut written = BTreeSet::new();
    for claim in had {
        if work.load(engine, key)?.claims.contains(claim) {
            continue;
        }
        for other in index::claimants(engine, claim)? {
            let is_behind = other != *key
                && refs::winner(engine, other.0, &other.1)?.as_ref() == Some(&key.1)
                && !written.contains(&other);
            if is_behind && write(engine, folded, work, key, &other, claim)? {
                written.insert(other);
            }
        }
    }
    Ok(written)
}

/// Writes to one of them. Answers whether there was anything to write.
fn write(
    engine: &Engine,
    folded: &Folded,
    work: &mut Work,
    key: &RowKey,
    other: &RowKey,
    claim: &Claim,
) -> Result<bool, StoreError> {
    let winner = work.load(engine, key)?.record.clone();
    // Above everything that was known before the fold.
    let version = Version::new(engine.meta.clock(), engine.site());
    let table = &engine.catalog.tables[&key.0];
    let keeps_dead = work.links.keeps_dead(key.0);
    let row = work.load(engine, other)?;
    if !winner.life.is_alive() {
        let life = &mut row.record.life;
        life.died = life.died.max(Some(version));
        row.record.life_seq = folded.seq;
        row.record.forget_past(keeps_dead);
        row.dirty = true;
        return Ok(true);
    }
    let columns = table.claim_key(claim.index).into_iter().flat_map(UniqueKey::depends_on);
    for position in columns {
        let column = table.columns[position].no;
        let Some(held) = winner.cells.get(&column).filter(|held| held.seq == folded.seq) else { continue };
        let cell = Cell { version, value: held.cell.value.clone() };
        row.record.cells.insert(column, RecordCell { cell, seq: folded.seq });
        (row.dirty, row.tried) = (true, false);
    }
    Ok(row.dirty)
}
