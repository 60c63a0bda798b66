//! Rows that were given one number twice: by a file, and by the same one after it was restored from a backup.

use super::super::engine::Engine;
use super::super::refs;
use crate::bundle::births;
use crate::change::Changeset;
use crate::clock::{Hlc, Version};
use crate::id::{RowId, SiteId};
use crate::store::StoreError;

/// When the other life of a file certainly went on, and this one had begun.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OtherLife {
    /// The clock of a write in the other life, after the backup was made.
    born: Hlc,
    /// The log number of a write in this one, after it was restored.
    seq: u64,
}

/// The earliest sign that `site` has had two lives: it numbered a row of which the changes tell another birth than is
/// known here. A number is given once, with the one birth of its row.
pub(in super::super) fn born_twice(
    engine: &Engine,
    site: SiteId,
    changes: &Changeset,
) -> Result<Option<OtherLife>, StoreError> {
    let mut earliest: Option<OtherLife> = None;
    for (table, numbered_by, counter, told) in births(changes) {
        if numbered_by != site {
            continue;
        }
        let known = known_birth(engine, table, &RowId::Surrogate { site, counter })?;
        if let Some((known, seq)) = known.filter(|(known, _)| *known != told) {
            tracing::debug!(table, counter, %site, ?known, ?told, "a row was born twice");
            let sign = OtherLife { born: told.hlc, seq };
            earliest = Some(earliest.map_or(sign, |earliest| OtherLife {
                born: earliest.born.min(sign.born),
                seq: earliest.seq.min(sign.seq),
            }));
        }
    }
    Ok(earliest)
}

/// The birth of a row as it is known here, and the log number of its life.
fn known_birth(engine: &Engine, table: &str, id: &RowId) -> Result<Option<(Version, u64)>, StoreError> {
    let renamed = engine.catalog.renames.table(table);
    let number = engine.catalog.number(table).or_else(|| engine.catalog.number(renamed.as_ref()?));
    let Some(table_no) = number else { return Ok(None) };
    if let Some((_, clock)) = refs::clock_by_id(engine, table_no, id)? {
        return Ok(clock.life.born.map(|born| (born, clock.life_seq)));
    }
    let aside = refs::aside(engine, table_no, id)?;
    Ok(aside.and_then(|(_, record)| Some((record.life.born?, record.life_seq))))
}

impl OtherLife {
    /// The last log number that is certainly of both lives.
    pub(super) fn shared(self, engine: &Engine) -> Result<u64, StoreError> {
        // What the other life wrote was written before this one began.
        let after: Option<i64> = engine
            .conn
            .prepare_cached("SELECT min(seq) FROM __pocketsync_log WHERE counter IS NOT NULL AND clock > ?1")?
            .query_row([self.born.bits() as i64], |row| row.get(0))?;
        let first = after.map_or(self.seq, |seq| self.seq.min(seq as u64));
        Ok(first.saturating_sub(1))
    }
}
