//! Finding the changes that a peer may not make.

use std::collections::BTreeMap;

use super::{Records, row_key};
use crate::change::{CellChange, Changeset, RowChange, TableChanges};
use crate::clock::Version;
use crate::id::SiteId;
use crate::merge::{Cell, Life};
use crate::store::refusal::Refusals;
use crate::store::{Judgement, Permit, Record, RefusalReason, StoreError};

/// About how much one answer names, by weight. Whoever has taken that out pushes again, and hears of more.
const MAX_WEIGHT: usize = 256 << 10;

/// What of these changesets `peer` may not make. A part that is known here, or has lost already, is no change and
/// is nobody's to refuse.
pub(crate) fn judge(
    records: &impl Records,
    peer: SiteId,
    permit: &Permit,
    changesets: &[Changeset],
) -> Result<Option<Judgement>, StoreError> {
    let judge = Judge { records, peer, permit };
    let mut refusals = Refusals::default();
    let mut first = None;
    let rows = changesets.iter().enumerate().flat_map(|(at, changeset)| {
        let tables = changeset.tables.iter();
        tables.flat_map(move |table| table.rows.iter().map(move |row| (at, table, row)))
    });
    for (at, table, row) in rows {
        if refusals.weight() >= MAX_WEIGHT {
            break;
        }
        if judge.look(table, row, &mut refusals)? {
            first.get_or_insert(at);
        }
    }
    Ok(first.map(|at| refusals.finish(at)))
}

struct Judge<'a, R> {
    records: &'a R,
    peer: SiteId,
    permit: &'a Permit,
}

impl<R: Records> Judge<'_, R> {
    /// Looks at one row. Says whether something of it is refused.
    fn look(
        &self,
        table: &TableChanges,
        row: &RowChange,
        refusals: &mut Refusals,
    ) -> Result<bool, StoreError> {
        let state = self.records.state();
        let number = state.names.existing_table(&table.name);
        let held = match number {
            Some(number) => self.records.record(number, &row_key(&row.id))?.unwrap_or_default(),
            None => Record::default(),
        };
        let column = |name: &str| number.and_then(|number| state.names.existing_column(number, name));
        let table_barred = self.permit.bars(&table.name);
        let is_new = held == Record::default();
        let row_barred = is_new && self.permit.bars_new_row(self.peer, &row.id);
        let reason = |changes: bool, version: Version, name: Option<&str>| {
            let foreign = self.permit.bars_version(self.peer, version);
            // What nobody has heard of a site is not to be believed of somebody else, even where it changes nothing:
            // that site would take itself for restored.
            let unheard = foreign && version.hlc > state.sites.knowledge(version.site).hlc;
            if !changes && !unheard {
                return None;
            }
            let share_barred = name.is_some_and(|name| self.permit.bars_column(self.peer, name));
            let relayed = foreign || row_barred || share_barred;
            table_barred.or(relayed.then_some(RefusalReason::Relay))
        };
        let mut refused: BTreeMap<RefusalReason, (Life, Vec<&CellChange>)> = BTreeMap::new();
        for (part, before) in row.life.parts().into_iter().zip(held.life.parts()) {
            let Some(version) = part.versions().next() else { continue };
            let changes = Some(version) > before.versions().next();
            if let Some(reason) = reason(changes, version, None) {
                refused.entry(reason).or_default().0.join(&part);
            }
        }
        for cell in &row.cells {
            let name = &table.columns[cell.column as usize];
            let before = column(name).and_then(|column| held.cells.get(&column));
            let incoming = Cell { version: cell.version, value: cell.value.clone() };
            let changes = before.is_none_or(|before| before.cell < incoming);
            if let Some(reason) = reason(changes, cell.version, Some(name)) {
                refused.entry(reason).or_default().1.push(cell);
            }
        }
        for (reason, (life, cells)) in &refused {
            refusals.refuse(*reason, table, &row.id, *life, cells);
            let asked = cells.iter().map(|cell| &table.columns[cell.column as usize]);
            let shown = held.cells.iter().filter_map(|(&number_of, held)| {
                let name = state.names.column_name(number?, number_of)?;
                let wanted = !life.is_empty() || asked.clone().any(|asked| asked == name);
                wanted.then_some((name, &held.cell))
            });
            let life = if life.is_empty() { Life::default() } else { held.life };
            refusals.state(&table.name, &row.id, life, shown);
        }
        Ok(!refused.is_empty())
    }
}
