//! Stamps of the wall clock, in the order of the writes: where the clock was set back, and what
//! corrects it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::engine::Engine;
use super::super::meta::Meta;
use super::super::system::flag;
use crate::store::StoreError;

/// A step back of the wall clock by more than this is a jump, in milliseconds. Smaller ones are
/// what time synchronisation does all day.
const JUMP_MS: i64 = 2_000;

/// The journal as a whole: what it is about, and its times.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// The first and the last entry of each table.
    pub(super) tables: BTreeMap<u32, (i64, i64)>,
    /// Of which tables an integer key changed.
    pub(super) moved: BTreeSet<u32>,
    /// Of which tables rows may have been removed without a trigger.
    pub(super) touched: BTreeSet<u32>,
    /// Whether there are entries of tables that are not in the schema now.
    pub(super) left_out: bool,
    /// The entry from which on the stored offset says nothing any more.
    jumped_at: Option<i64>,
    offset_ms: i64,
    last_ms: u64,
}

impl Timeline {
    /// Reads the stamps of the whole journal, and counts jumps.
    pub(super) fn read(engine: &mut Engine) -> Result<Self, StoreError> {
        let meta = &mut engine.meta;
        let mut timeline = Timeline { offset_ms: offset_in_effect(meta), ..Timeline::default() };
        let mut statement = engine
            .conn
            .prepare_cached("SELECT n, t, at, f, o IS NOT NULL FROM __pocketsync_journal ORDER BY n")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let n: i64 = row.get(0)?;
            let table: u32 = row.get(1)?;
            if !engine.catalog.tables.contains_key(&table) {
                // The table is gone, for the time of a migration maybe: its entries wait for it.
                timeline.left_out = true;
                continue;
            }
            timeline.tables.entry(table).and_modify(|range| range.1 = n).or_insert((n, n));
            if row.get(4)? {
                timeline.moved.insert(table);
            }
            if row.get::<_, i64>(3)? == flag::TOUCH {
                timeline.touched.insert(table);
            }
            let stamp = unix_ms(row.get(2)?);
            if stamp < meta.last_stamp_ms - JUMP_MS {
                meta.jump += 1;
                timeline.jumped_at.get_or_insert(n);
            }
            meta.last_stamp_ms = stamp;
        }
        let offset = if timeline.jumped_at.is_some() { 0 } else { timeline.offset_ms };
        timeline.last_ms = meta.last_stamp_ms.saturating_add(offset).max(0) as u64;
        Ok(timeline)
    }

    /// When the last entry was written, corrected, in milliseconds since 1970.
    pub(super) fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// When an entry was written, corrected, in milliseconds since 1970.
    pub(super) fn written_ms(&self, n: i64, julian: f64) -> u64 {
        let corrected = match self.jumped_at {
            Some(jump) if n >= jump => unix_ms(julian),
            _ => unix_ms(julian).saturating_add(self.offset_ms),
        };
        corrected.max(0) as u64
    }
}

/// What is added to the stamps that are folded now, in milliseconds: nothing once the clock was
/// set since the offset was measured.
pub(in super::super) fn offset_in_effect(meta: &Meta) -> i64 {
    if meta.offset_jump == meta.jump { meta.offset_ms } else { 0 }
}

/// Milliseconds since 1970 of a julian day.
fn unix_ms(julian: f64) -> i64 {
    // The cast saturates; SQLite's own range of dates is far inside.
    ((julian - 2_440_587.5) * 86_400_000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn julian_days_are_milliseconds_since_1970() {
        assert_eq!(unix_ms(2_440_587.5), 0);
        // SELECT julianday('2026-01-02 03:04:05.678')
        assert_eq!(unix_ms(2_461_042.627_843_495_5), 1_767_323_045_678);
    }
}
