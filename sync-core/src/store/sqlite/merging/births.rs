//! A share names the birth that it belongs to. Where the birth's version is corrected, the own shares
//! of the row follow; nobody else has heard of it.

use std::collections::BTreeMap;

use super::super::engine::Engine;
use super::super::identity::visit;
use super::super::refs::{self, LocalKey};
use crate::clock::{Hlc, Version};
use crate::id::SiteId;
use crate::merge::share::{Share, ShareName};
use crate::store::{Record, StoreError};
use crate::value::Value;

/// The births of shown rows whose columns merge, by table and key, before versions are corrected.
pub(in super::super) struct Births(BTreeMap<(u32, LocalKey), Version>);

impl Births {
    /// Those of rows that changed after a log number.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(in super::super) fn before(engine: &Engine, after: u64) -> Result<Self, StoreError> {
        let mut births = BTreeMap::new();
        if engine.catalog.tables.values().all(|table| table.merges.is_empty()) {
            return Ok(Births(births));
        }
        for (table, key) in visit::shadowed(engine, after)? {
            let merges = !engine.catalog.tables[&table].merges.is_empty();
            if let Some((_, clock)) = refs::clock(engine, table, &key)?.filter(|_| merges)
                && let Some(born) = clock.life.born
            {
                births.insert((table, key), born);
            }
        }
        Ok(Births(births))
    }

    /// Has own shares name the births as they are now.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(in super::super) fn follow(&self, engine: &mut Engine) -> Result<(), StoreError> {
        let us = engine.site();
        for ((table, key), born) in &self.0 {
            let Some((id, clock)) = refs::clock(engine, *table, key)? else { continue };
            let Some(now) = clock.life.born.filter(|now| now.hlc != born.hlc) else { continue };
            for (column, value) in refs::shadows(engine, *table, &id)? {
                if let Some(value) = followed(engine, (*table, column), &value, us, (born.hlc, now.hlc)) {
                    refs::put_shadow(engine, *table, &id, column, &value)?;
                }
            }
        }
        Ok(())
    }
}

/// The same in the record of a row that is not shown, which was `born` before.
pub(in super::super) fn follow_in(engine: &Engine, table: u32, record: &mut Record, born: Option<Version>) {
    let (Some(born), Some(now)) = (born, record.life.born) else { return };
    if born.hlc == now.hlc {
        return;
    }
    let us = engine.site();
    for (&column, held) in &mut record.cells {
        if let Some(value) = followed(engine, (table, column), &held.cell.value, us, (born.hlc, now.hlc)) {
            held.cell.value = value;
        }
    }
}

/// The bytes of an own share of that birth, under its new one.
fn followed(
    engine: &Engine,
    (table, column): (u32, u32),
    value: &Value,
    us: SiteId,
    (born, now): (Hlc, Hlc),
) -> Option<Value> {
    let numbers = &engine.catalog.tables.get(&table)?.numbers;
    let (name, _) = numbers.iter().find(|(_, no)| **no == column)?;
    let name = ShareName::parse(name).filter(|name| name.site == us)?;
    let mut share = Share::from_value(name.merge, value).ok().filter(|share| share.born == born)?;
    share.born = now;
    Some(share.to_value())
}
