//! A new site for a file that was restored from a backup or cloned: what only this copy has is
//! minted anew, wherever it is referred to. Clocks and log numbers stay.

use super::super::conflict;
use super::super::engine::Engine;
use super::super::merging;
use super::super::park;
use super::super::refs;
use super::super::refused;
use super::correct::{each_life, each_version};
use super::folds;
use super::visit;
use crate::clock::{Hlc, Version};
use crate::id::{RowId, SiteId};
use crate::store::{Mint, StoreError};

/// Up to which log numbers what we wrote stays the old site's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// The versions of writes.
    pub(super) versions: u64,
    /// The names of rows.
    pub(super) rows: u64,
    /// Own shares.
    pub(super) shares: u64,
}

/// Takes a new site. It is given what is not kept.
pub(super) fn take_new_site(engine: &mut Engine, kept: Kept) -> Result<SiteId, StoreError> {
    let Kept { versions: kept, rows, shares } = kept;
    let (_, clock) = folds::used_at(engine, kept)?;
    let (counter, _) = folds::used_at(engine, rows)?;
    let old = engine.site();
    let new = fresh_site(engine)?;
    let mint = Mint { old, new, counter };
    let rename = |version: &mut Version| renamed(&mint, clock, version);
    // The ids of natural keys follow from the clocks of others: asked before any of them changes.
    let mut shadowed = Vec::new();
    for (table, key) in visit::shadowed(engine, kept)? {
        if let Some(id) = refs::row_id(engine, table, &key)? {
            shadowed.push((table, id));
        }
    }
    visit::clocks(engine, kept, |id, clock| {
        let minted = id.as_ref().map(|id| mint.id(id));
        let moved = minted != *id;
        *id = minted;
        each_version(clock, rename) | moved
    })?;
    for (table, id, mut record) in visit::records(engine, kept)? {
        let before = record.clone();
        each_life(&mut record.life, rename);
        for held in record.cells.values_mut() {
            rename(&mut held.cell.version);
            held.cell.value = mint.value(&held.cell.value);
        }
        let minted = mint.id(&id);
        if minted != id || record != before {
            visit::put_record(engine, table, &id, &minted, &record)?;
        }
    }
    for (table, id) in shadowed {
        let values = refs::shadows(engine, table, &id)?;
        refs::remove_shadows(engine, table, &id)?;
        let id = mint.id(&id);
        for (column, value) in values {
            refs::put_shadow(engine, table, &id, column, &mint.value(&value))?;
        }
    }
    merging::before::part(engine, &mint, shares)?;
    let tables: Vec<u32> = engine.catalog.tables.keys().copied().collect();
    for table in tables {
        for id in refs::dangling(engine, table)? {
            refs::forget_dangling(engine, table, &id)?;
            refs::note_dangling(engine, table, &mint.id(&id))?;
        }
        for (key, id) in refs::aliases(engine, table)? {
            refs::put_alias(engine, table, &key, &mint.id(&id))?;
        }
    }
    refused::rename(engine, &mint)?;
    conflict::forget_versions(engine, kept)?;
    // Who claims what, and who waits for whom, is noted by id.
    park::retry(engine)?;
    engine.sites.learn_version(Version::new(clock, old));
    engine.sites.learn_row(&RowId::Surrogate { site: old, counter });
    let meta = &mut engine.meta;
    meta.see(clock);
    (meta.offered_seq, meta.offered_counter, meta.offered_clock) = (0, 0, 0);
    meta.early_after = 0;
    Ok(new)
}

fn fresh_site(engine: &mut Engine) -> Result<SiteId, StoreError> {
    let (wall_ms, random): (i64, [u8; 10]) = engine.conn.query_row(
        "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), randomblob(10)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let site = SiteId::new_v7(wall_ms.max(0) as u64, random);
    engine.meta.site = engine.sites.ordinal(site) as i64;
    Ok(site)
}

/// The version of a write that is not kept gets the new site. Answers whether it was one.
fn renamed(mint: &Mint, kept: Hlc, version: &mut Version) -> bool {
    let renamed = version.site == mint.old && version.hlc > kept;
    if renamed {
        version.site = mint.new;
    }
    renamed
}
