//! The rows that the schema itself inserts.
//!
//! They are there from the start on every device, the same row everywhere, although each device
//! numbers its own. They are written by nobody, so they are not lost with any device.

use rusqlite::Connection;

use super::scope::EPOCH_MS;
use crate::app::Snapshot;
use crate::history::{Commit, Did, Effect, RowView};
use crate::shape::{RowTag, Shape};
use crate::story::{DeviceNo, TxId};

/// Who has written them: a device that there is not.
pub(super) const NOBODY: DeviceNo = DeviceNo(u32::MAX);

/// What the schema inserts, each row for itself: nobody promises that such rows go together.
pub(super) fn of(shape: &Shape) -> Vec<Commit> {
    // A shape was read off its SQL, so the SQL is good; one without SQL has no rows.
    let rows = read(shape).unwrap_or_default();
    let commit = |effect| Commit { device: NOBODY, tx: TxId(0), wall_ms: EPOCH_MS, effects: vec![effect] };
    rows.into_iter().map(commit).collect()
}

/// Whether the schema inserts any.
pub(crate) fn begins_with_rows(shape: &Shape) -> bool {
    read(shape).is_ok_and(|rows| !rows.is_empty())
}

fn read(shape: &Shape) -> rusqlite::Result<Vec<Effect>> {
    let sqlite = Connection::open_in_memory()?;
    sqlite.execute_batch(&shape.sql)?;
    let rows = Snapshot::read(&sqlite, shape)?.into_rows();
    let inserted = |(tag, row): (RowTag, RowView)| {
        let effect = Effect { row: tag, did: Did::Inserted { cells: row.cells } };
        std::iter::repeat_n(effect, row.copies as usize)
    };
    Ok(rows.into_iter().flat_map(inserted).collect())
}
