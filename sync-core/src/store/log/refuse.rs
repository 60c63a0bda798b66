//! Taking our own changes out again that a peer refuses.

use std::collections::BTreeSet;

use super::{Records, row_key};
use crate::change::{Changeset, RowChange};
use crate::id::SiteId;
use crate::merge::Cell;
use crate::store::refusal::Gathered;
use crate::store::{Committed, RefusedParts, StoreError, remembered};

/// Takes refused parts out and keeps them aside, and merges in what the peer holds in their place, under one log number
/// that came from it.
pub(super) fn refuse(
    records: &mut impl Records,
    peer: SiteId,
    refused: Vec<RefusedParts>,
    states: Option<Changeset>,
) -> Result<Option<Committed>, StoreError> {
    let from = records.state().head_cursor();
    let seq = records.state().head + 1;
    let is_told = states.is_some();
    let (mut any, mut derived) = (false, false);
    let mut retracted = BTreeSet::new();
    let tables = refused.into_iter().flat_map(|RefusedParts { reason, parts }| {
        parts.tables.into_iter().map(move |table| (reason, table))
    });
    for (reason, table) in tables {
        let mut out_of_table = Gathered::default();
        let (number, columns) = numbers(records, &table.name, &table.columns);
        for change in table.rows {
            let key = row_key(&change.id);
            forget_clashes(records, (number, &key), &change, &columns);
            let Some(mut record) = records.record(number, &key)? else { continue };
            let out = match is_told {
                true => record.retract(&change, &columns),
                false => record.keep_to_itself(&change, &columns, seq),
            };
            if !out.life.is_empty() || !out.cells.is_empty() {
                any = true;
                records.put_record(number, &key, &record, true)?;
                if !out.life.is_empty() {
                    retracted.insert((number, key));
                }
                let names = &records.state().names;
                let cells = out.cells.into_iter().filter_map(|cell| {
                    let held = Cell { version: cell.version, value: cell.value };
                    Some((names.column_name(number, cell.column)?, held))
                });
                out_of_table.push(&table.name, &out.id, out.life, cells);
            }
        }
        let parts = out_of_table.finish();
        if !parts.is_empty() {
            records.keep_refused(RefusedParts { reason, parts });
        }
    }
    for table in states.into_iter().flat_map(|states| states.tables) {
        let (number, columns) = numbers(records, &table.name, &table.columns);
        for change in table.rows {
            let key = row_key(&change.id);
            let held = records.record(number, &key)?;
            let known = held.is_some();
            let mut record = held.unwrap_or_default();
            let (before, told) = (record.life, change.life);
            let merged = record.merge(change, &columns, seq).is_some();
            let settled = retracted.contains(&(number, key.clone())) && record.life == told;
            if settled {
                // Nothing is left that the peer does not know.
                record.life_seq = seq;
            } else if record.life != before && record.life != told {
                record.life_seq = seq + 1;
                derived = true;
            }
            if merged || settled {
                any = true;
                records.put_record(number, &key, &record, known)?;
            }
        }
    }
    if !any {
        return Ok(None);
    }
    records.put_origin(seq, peer, None)?;
    let state = records.state_mut();
    state.head = if derived { seq + 1 } else { seq };
    state.rules = None;
    let to = remembered(&state.lineage, state.head);
    Ok(Some(Committed { from, to, derived, ..Committed::default() }))
}

fn numbers(records: &mut impl Records, table: &str, columns: &[String]) -> (u32, Vec<u32>) {
    let names = &mut records.state_mut().names;
    let number = names.table(table);
    (number, columns.iter().map(|name| names.column(number, name)).collect())
}

/// A cell that is refused is not told of although it has lost.
fn forget_clashes(
    records: &mut impl Records,
    (table, row): (u32, &[u8]),
    refused: &RowChange,
    columns: &[u32],
) {
    let clashes = &mut records.state_mut().clashes;
    clashes.retain(|clash| {
        let mut cells = refused.cells.iter();
        let is_it = |version| clash.own.version == version;
        !(clash.table == table
            && clash.row == row
            && cells.any(|cell| columns[cell.column as usize] == clash.column && is_it(cell.version)))
    });
}
