//! One change joined into a row's merged state.

use super::super::catalog::Table;
use super::super::park::row::Row;
use super::super::park::work::fits;
use super::super::system::AsideReason;
use crate::change::RowChange;
use crate::merge::Cell;
use crate::store::{RecordCell, is_news_to_its_sender};

/// What joining a change did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Joined {
    /// Everything in it was known.
    Nothing,
    /// Something in it is new to us.
    Changed,
    /// So it is, and what became of the row's life is new to whoever sent the change.
    NewsToSender,
}

/// Joins a change into a row under log number `seq`; `columns[n]` is our number for the change's
/// column `n`. A life that is news to the sender goes under the number after it, which is nobody's
/// echo.
///
/// A cell that is not newer than the row's death is of a past life and is not kept: nothing will
/// show it again, but for a death that is taken back, and then the row is told whole. `keeps_dead`:
/// who comes to take it back is likely to be us.
pub(crate) fn merge(
    row: &mut Row,
    table: Option<&Table>,
    change: RowChange,
    columns: &[u32],
    seq: u64,
    keeps_dead: bool,
) -> Joined {
    let record = &mut row.record;
    let before = record.life;
    let mut changed = record.life.join(&change.life);
    let mut news = false;
    if changed {
        let life = record.life;
        news = is_news_to_its_sender(&before, &change.life, &life);
        record.life_seq = seq + u64::from(news);
        // Columns that the new life does not bring show their defaults again.
        row.whole |= record.forget_past(keeps_dead);
        // Which shares count depends on the life.
        row.columns.extend(table.into_iter().flat_map(|table| table.merges.keys().copied()));
    }
    for incoming in change.cells {
        let column = columns[incoming.column as usize];
        let cell = Cell { version: incoming.version, value: incoming.value };
        let past = !record.life.covers(cell.version) && (record.life.is_alive() || !keeps_dead);
        if past || record.cells.get(&column).is_some_and(|held| held.cell >= cell) {
            continue;
        }
        record.cells.insert(column, RecordCell { cell, seq });
        row.columns.insert(column);
        row.columns.extend(table.and_then(|table| table.shared_by(column)));
        changed = true;
    }
    if changed {
        row.dirty = true;
        row.tried = false;
        row.refused = None;
        if let Some(table) = table.filter(|table| !fits(table, &change.id)) {
            let message = format!("{}: the row is identified in another way than here", table.name);
            row.refused = Some((AsideReason::Refused, message));
        }
    }
    match (changed, news) {
        (_, true) => Joined::NewsToSender,
        (true, false) => Joined::Changed,
        (false, false) => Joined::Nothing,
    }
}
