//! Finding the changes that a peer may not make.

use std::collections::BTreeMap;

use super::refusal::Refusals;
use super::{Judgement, Knowledge, Permit, RefusalReason, StoreError};
use crate::change::{CellChange, Changeset, RowChange, TableChanges};
use crate::clock::Version;
use crate::id::{RowId, SiteId};
use crate::merge::{Cell, Life};

/// About how much one answer names, by weight. Whoever has taken that out pushes again, and hears of more.
const MAX_WEIGHT: usize = 256 << 10;

/// What a store knows, for a judgement.
pub(crate) trait Known {
    /// All that is held of a row, by the names that changes have for its columns.
    fn held(&self, table: &str, id: &RowId) -> Result<Held, StoreError>;
    /// What is known of a site's writes.
    fn knowledge(&self, site: SiteId) -> Knowledge;
}

/// What is held of a row; empty where nothing is.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) life: Life,
    pub(crate) cells: BTreeMap<String, Cell>,
    /// Whether names that differ in case are one column.
    pub(crate) ignores_case: bool,
}

impl Held {
    fn is_nothing(&self) -> bool {
        self.life.is_empty() && self.cells.is_empty()
    }

    fn is_same(&self, a: &str, b: &str) -> bool {
        if self.ignores_case { a.eq_ignore_ascii_case(b) } else { a == b }
    }

    fn cell(&self, column: &str) -> Option<&Cell> {
        match self.ignores_case {
            true => self.cells.iter().find(|(name, _)| self.is_same(name, column)).map(|(_, cell)| cell),
            false => self.cells.get(column),
        }
    }
}

/// What of these changesets `peer` may not make. A part that is known here, or has lost already, is no change and
/// is nobody's to refuse.
pub(crate) fn judge(
    known: &impl Known,
    peer: SiteId,
    permit: &Permit,
    changesets: &[Changeset],
) -> Result<Option<Judgement>, StoreError> {
    let judge = Judge { known, peer, permit };
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

struct Judge<'a, K> {
    known: &'a K,
    peer: SiteId,
    permit: &'a Permit,
}

impl<K: Known> Judge<'_, K> {
    /// Looks at one row. Says whether something of it is refused.
    fn look(
        &self,
        table: &TableChanges,
        row: &RowChange,
        refusals: &mut Refusals,
    ) -> Result<bool, StoreError> {
        let held = self.known.held(&table.name, &row.id)?;
        let table_barred = self.permit.bars(&table.name);
        let row_barred = held.is_nothing() && self.permit.bars_new_row(self.peer, &row.id);
        let reason = |changes: bool, version: Version, name: Option<&str>| {
            let foreign = self.permit.bars_version(self.peer, version);
            // What nobody has heard of a site is not to be believed of somebody else, even where it changes nothing:
            // that site would take itself for restored.
            let unheard = foreign && version.hlc > self.known.knowledge(version.site).hlc;
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
            let incoming = Cell { version: cell.version, value: cell.value.clone() };
            let changes = held.cell(name).is_none_or(|before| *before < incoming);
            if let Some(reason) = reason(changes, cell.version, Some(name)) {
                refused.entry(reason).or_default().1.push(cell);
            }
        }
        for (reason, (life, cells)) in &refused {
            refusals.refuse(*reason, table, &row.id, *life, cells);
            let is_asked = |name: &str| {
                let mut asked = cells.iter().map(|cell| &table.columns[cell.column as usize]);
                !life.is_empty() || asked.any(|asked| held.is_same(asked, name))
            };
            let shown = held.cells.iter().filter(|(name, _)| is_asked(name));
            let shown: Vec<(&str, &Cell)> = shown.map(|(name, cell)| (name.as_str(), cell)).collect();
            let life = if life.is_empty() { Life::default() } else { held.life };
            refusals.state(&table.name, &row.id, life, shown.into_iter());
        }
        Ok(!refused.is_empty())
    }
}
