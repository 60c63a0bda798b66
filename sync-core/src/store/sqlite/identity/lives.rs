//! Rows that a replica is said to have numbered, and does not know: it was restored from a backup, or copied.

use super::super::engine::Engine;
use super::super::refs;
use crate::bundle::births;
use crate::change::Changeset;
use crate::clock::{Hlc, Version};
use crate::id::RowId;
use crate::store::StoreError;

/// When another life of this file certainly went on, and this one had begun.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OtherLife {
    /// The clock of a write in the other life, after the backup was made.
    born: Hlc,
}

/// The earliest sign that this file has another life: the changes tell of a row that it numbered and does not know. It
/// knows all of its own rows that anybody else may know, and only it gives these numbers.
pub(in super::super) fn other_life(
    engine: &Engine,
    changes: &Changeset,
) -> Result<Option<OtherLife>, StoreError> {
    let us = engine.site();
    let mut earliest: Option<OtherLife> = None;
    for (table, numbered_by, counter, told) in births(changes) {
        if numbered_by != us || is_known(engine, table, &RowId::Surrogate { site: us, counter }, told)? {
            continue;
        }
        tracing::debug!(table, counter, ?told, "a row of another life of this file");
        let sign = OtherLife { born: told.hlc };
        earliest = Some(earliest.map_or(sign, |earliest| earliest.min(sign)));
    }
    Ok(earliest)
}

/// Whether a birth is known here, or cannot be.
fn is_known(engine: &Engine, table: &str, id: &RowId, told: Version) -> Result<bool, StoreError> {
    let renamed = engine.catalog.renames.table(table);
    let number = engine.catalog.number(table).or_else(|| engine.catalog.number(renamed.as_ref()?));
    let Some(table_no) = number else { return Ok(true) };
    let born = match refs::clock_by_id(engine, table_no, id)? {
        Some((_, clock)) => clock.life.born,
        None => refs::aside(engine, table_no, id)?.and_then(|(_, record)| record.life.born),
    };
    Ok(born == Some(told))
}

impl OtherLife {
    /// The last log number that is certainly of both lives; none where this one has written nothing since.
    pub(super) fn shared(self, engine: &Engine) -> Result<Option<u64>, StoreError> {
        // What the other life wrote was written before this one began.
        let after: Option<i64> = engine
            .conn
            .prepare_cached("SELECT min(seq) FROM __pocketsync_log WHERE counter IS NOT NULL AND clock > ?1")?
            .query_row([self.born.bits() as i64], |row| row.get(0))?;
        Ok(after.map(|seq| (seq as u64).saturating_sub(1)))
    }
}
