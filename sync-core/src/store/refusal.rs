//! Changes that a peer may not make: who may make which, and what is told of those that are refused.
//!
//! A refusal names **parts**: births, deaths and cells by their versions. The side that takes changes
//! ([`Judge`](super::StoreRequest::Judge)) merges nothing of a push that contains such parts; the other side
//! ([`Refuse`](super::StoreRequest::Refuse)) takes them out of its own state, keeps them aside with the reason, and
//! pushes again from the same position. So nothing has to be remembered about refusals between sessions: whoever
//! did not hear of one pushes the same again.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{CellChange, Changeset, RowChange, TableChanges};
use crate::clock::{Hlc, Version};
use crate::id::{RowId, SiteId};
use crate::merge::share::ShareName;
use crate::merge::{Cell, Life};
use crate::value::Value;

/// Which changes a peer may make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permit {
    /// Whether any.
    pub write: bool,
    /// The tables that it may write, by the names that they have among replicas; `None`: all.
    pub tables: Option<BTreeSet<String>>,
    /// Whether it may bring what other sites wrote.
    pub relay: bool,
}

impl Permit {
    /// Everything.
    pub const ALL: Permit = Permit { write: true, tables: None, relay: true };

    /// Whether no change is ever refused.
    pub fn is_unlimited(&self) -> bool {
        self.write && self.tables.is_none() && self.relay
    }

    /// Why nothing in this table may be written, if that is so.
    pub(crate) fn bars(&self, table: &str) -> Option<RefusalReason> {
        if !self.write {
            return Some(RefusalReason::NoWrite);
        }
        let listed = self.tables.as_ref().is_none_or(|tables| tables.contains(table));
        (!listed).then_some(RefusalReason::Table)
    }

    /// Whether a part with this version was made by somebody for whom the peer may not speak. Writes of no site follow
    /// from others, and are everybody's.
    pub(crate) fn bars_version(&self, peer: SiteId, version: Version) -> bool {
        !self.relay && version.site != peer && version.site != SiteId::NIL
    }

    /// Whether a row that nobody has told of before was named by somebody for whom the peer may not speak.
    pub(crate) fn bars_new_row(&self, peer: SiteId, id: &RowId) -> bool {
        !self.relay && matches!(id, RowId::Surrogate { site, .. } if *site != peer)
    }

    /// Whether a column is the share of somebody for whom the peer may not speak.
    pub(crate) fn bars_column(&self, peer: SiteId, column: &str) -> bool {
        !self.relay && ShareName::parse(column).is_some_and(|share| share.site != peer)
    }
}

/// Why a change is refused, by stable number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum RefusalReason {
    /// Who brought it may not write.
    NoWrite,
    /// Who brought it may not write this table.
    Table,
    /// It was made at another site, and who brought it may only bring changes of its own.
    Relay,
    /// A reason that this build does not know.
    Other(u16),
}

impl RefusalReason {
    /// A stable name for programs and people.
    pub const fn name(self) -> &'static str {
        match self {
            RefusalReason::NoWrite => "no_write",
            RefusalReason::Table => "table",
            RefusalReason::Relay => "relay",
            RefusalReason::Other(_) => "other",
        }
    }
}

impl From<RefusalReason> for u16 {
    fn from(reason: RefusalReason) -> u16 {
        match reason {
            RefusalReason::NoWrite => 1,
            RefusalReason::Table => 2,
            RefusalReason::Relay => 3,
            RefusalReason::Other(number) => number,
        }
    }
}

impl From<u16> for RefusalReason {
    fn from(number: u16) -> RefusalReason {
        match number {
            1 => RefusalReason::NoWrite,
            2 => RefusalReason::Table,
            3 => RefusalReason::Relay,
            number => RefusalReason::Other(number),
        }
    }
}

/// Parts that are refused for one reason.
#[derive(Clone, PartialEq, Debug)]
pub struct RefusedParts {
    /// Why.
    pub reason: RefusalReason,
    /// Which: lives and cells with the versions that they were pushed with. The cells have no values: who pushed
    /// them has those.
    pub parts: Changeset,
}

/// What a store found in changes that a peer may not make.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Judgement {
    /// The first of the changesets that something is refused of; what comes before is good.
    pub at: usize,
    /// What is refused. Not necessarily all: as much as goes into one message.
    pub refused: Vec<RefusedParts>,
    /// What the store itself holds of the rows in question: of those whose life is refused everything, of the others the
    /// refused columns.
    pub states: Changeset,
}

/// Whether a part was derived from others, so that nobody's work is lost with it.
pub(crate) fn is_derived(version: Version) -> bool {
    version.site == SiteId::NIL && version.hlc > Hlc::ZERO
}

/// Refusals as they are found, with what the store holds in place of what is refused.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    weight: usize,
    refused: BTreeMap<RefusalReason, Gathered>,
    states: Gathered,
}

impl Refusals {
    /// About how much was gathered.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Refuses parts of a row.
    pub(crate) fn refuse(
        &mut self,
        reason: RefusalReason,
        table: &TableChanges,
        id: &RowId,
        life: Life,
        cells: &[&CellChange],
    ) {
        let cells = cells.iter().map(|cell| {
            let nothing = Cell { version: cell.version, value: Value::Null };
            (table.columns[cell.column as usize].as_str(), nothing)
        });
        self.weight += self.refused.entry(reason).or_default().push(&table.name, id, life, cells);
    }

    /// Says what is held of a row.
    pub(crate) fn state<'c>(
        &mut self,
        table: &str,
        id: &RowId,
        life: Life,
        cells: impl Iterator<Item = (&'c str, &'c Cell)>,
    ) {
        let cells: Vec<_> = cells.map(|(name, cell)| (name, cell.clone())).collect();
        if !cells.is_empty() || !life.is_empty() {
            self.weight += self.states.push(table, id, life, cells.into_iter());
        }
    }

    /// What was found, `at` being the first changeset that something is refused of.
    pub(crate) fn finish(self, at: usize) -> Judgement {
        let refused = self.refused.into_iter();
        let refused = refused.map(|(reason, parts)| RefusedParts { reason, parts: parts.finish() });
        Judgement { at, refused: refused.collect(), states: self.states.finish() }
    }
}

/// Rows by the names of their tables and columns.
#[derive(Debug, Default)]
pub(crate) struct Gathered(BTreeMap<String, TableChanges>);

impl Gathered {
    /// Adds a row. Answers its weight.
    pub(crate) fn push<'c>(
        &mut self,
        table: &str,
        id: &RowId,
        life: Life,
        cells: impl Iterator<Item = (&'c str, Cell)>,
    ) -> usize {
        let changes = self.0.entry(table.to_owned()).or_insert_with(|| TableChanges {
            name: table.to_owned(),
            columns: Vec::new(),
            rows: Vec::new(),
        });
        let mut row = RowChange { id: id.clone(), life, cells: Vec::new() };
        for (name, cell) in cells {
            let known = changes.columns.iter().position(|known| known == name);
            let column = known.unwrap_or_else(|| {
                changes.columns.push(name.to_owned());
                changes.columns.len() - 1
            });
            row.cells.push(CellChange { column: column as u32, version: cell.version, value: cell.value });
        }
        row.cells.sort_by_key(|cell| cell.column);
        let weight = row.weight();
        changes.rows.push(row);
        weight
    }

    /// All of them.
    pub(crate) fn finish(self) -> Changeset {
        Changeset { tables: self.0.into_values().collect() }
    }
}
