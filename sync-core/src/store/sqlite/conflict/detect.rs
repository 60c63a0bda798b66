//! What of a peer's changes is in conflict with what is here.

use std::collections::{BTreeMap, BTreeSet};

use super::super::engine::Engine;
use super::super::identity::{self, Before, Former, Heard};
use super::super::park::row::Row;
use super::super::rules;
use super::super::suspect;
use super::log::{self, OwnCell};
use crate::change::{CellChange, RowChange};
use crate::clock::Version;
use crate::conflict::{LoggedConflict, OnDelete, Strategy, Winner, Write, Written};
use crate::id::SiteId;
use crate::merge::{Cell, Life, share};
use crate::store::StoreError;
use crate::value::Value;

/// What the lattice says; a hub may answer otherwise.
const DELETE_WINS: &str = OnDelete::DeleteWins.as_str();

/// Looks at the changes of one group before they are merged.
///
/// What the peer does not hold of our own writes, it did not know when it sent these: where both are
/// of one cell, that is a conflict for sure. So is what the peer wrote itself over a write of ours: that
/// is a hub's answer to one. While nothing of our own is under way, no row is looked at for it.
///
/// What a [suspect] table shows may be our own write.
#[derive(Debug)]
pub(in super::super) struct Detector {
    us: SiteId,
    peer: SiteId,
    ordinal: u64,
    acked: u64,
    /// Names that we left.
    left: Vec<SiteId>,
    /// Those of them under which the peer may not have all of ours.
    former: Vec<Former>,
    /// How much of the peer's log was known before this group.
    known: u64,
    /// What was known of others before, where this group tells it again.
    before: Option<Before>,
    has_unsent: bool,
    suspects: BTreeSet<u32>,
}

impl Detector {
    pub(in super::super) fn new(engine: &mut Engine, heard: &Heard) -> Result<Self, StoreError> {
        let ordinal = engine.sites.ordinal(heard.peer);
        let acked = identity::acked_by(engine, heard.peer)?;
        let has_unsent = engine
            .conn
            .prepare_cached("SELECT 1 FROM __pocketsync_log WHERE seq > ?1 AND counter IS NOT NULL")?
            .exists([acked as i64])?;
        let former = identity::former(engine, heard.peer)?;
        let known = identity::known_of(engine, heard.peer)?;
        Ok(Detector {
            us: engine.site(),
            peer: heard.peer,
            ordinal,
            acked,
            has_unsent: has_unsent || !former.is_empty(),
            left: identity::left_names(engine)?.into_iter().map(|(site, _)| site).collect(),
            former,
            known,
            before: identity::before(engine, heard.peer)?,
            suspects: suspect::tables(engine)?,
        })
    }

    /// Logs what of a change is in conflict with what is here; `columns[n]` is our number for the
    /// change's column `n`.
    pub(in super::super) fn look(
        &self,
        engine: &Engine,
        table_no: u32,
        change: &RowChange,
        columns: &[u32],
    ) -> Result<(), StoreError> {
        let is_answer = |version: &Version| version.site == self.peer;
        let suspect = self.suspects.contains(&table_no);
        if !suspect && !self.has_unsent && !change.cells.iter().any(|cell| is_answer(&cell.version)) {
            return Ok(());
        }
        let row = Row::load(engine, &(table_no, change.id.clone()))?;
        let record = &row.record;
        let name = engine.wire_table_name(table_no)?;
        let mut merged = record.life;
        merged.join(&change.life);
        for cell in change.cells.iter().filter(|cell| !self.is_ours(cell.version)) {
            let column = columns[cell.column as usize];
            let Some(own) = record.cells.get(&column) else { continue };
            let answers = is_answer(&cell.version) && cell.version > own.cell.version;
            let is_unsent = self.is_unsent(own.cell.version, own.seq);
            let is_own = is_unsent || answers && self.is_ours(own.cell.version);
            let may_be_own = suspect && cell.version > own.cell.version;
            let was_known = cell.version < own.cell.version && self.was_known(&cell.version, &record.life);
            if own.cell.value == cell.value || was_known || !is_own && !may_be_own {
                continue;
            }
            let Some(column_name) = engine.wire_column_name(table_no, column)? else { continue };
            let rule = match answers {
                true => rules::read(&engine.conn)?.strategy(&name, &column_name),
                false => Strategy::default(),
            };
            let here = Write::new(Written::Value(own.cell.value.clone()), own.cell.version);
            let came = Write::new(Written::Value(cell.value.clone()), cell.version);
            let winner = if cell.version > own.cell.version { Winner::Came } else { Winner::Here };
            let told = OwnCell { table: table_no, column, seq: own.seq, known: self.known };
            let conflict =
                self.entry(engine, &name, change, Some(column_name), (here, came), winner, rule.as_str());
            if answers && is_own {
                log::supersede(engine, &conflict, &told)?;
            }
            let told = is_unsent.then_some(told);
            log::put(engine, self.ordinal, &conflict, told)?;
        }
        let own_cells =
            record.cells.values().filter(|held| suspect || self.is_unsent(held.cell.version, held.seq));
        let newest = own_cells.map(|held| held.cell.version).max();
        if let Some(death) = change.life.died.filter(|died| !self.is_ours(*died))
            && let Some(newest) = newest
            && record.life.is_alive()
            && !merged.is_alive()
        {
            let cells = record.cells.iter().map(|(column, held)| (*column, held.cell.clone()));
            let here = Write::new(Written::Row(self.named(engine, table_no, cells)?), newest);
            let came = Write::new(Written::Deleted, death);
            let conflict = self.entry(engine, &name, change, None, (here, came), Winner::Came, DELETE_WINS);
            log::put(engine, self.ordinal, &conflict, None)?;
        } else if let Some(death) = record.life.died.filter(|died| self.is_unsent(*died, record.life_seq))
            && let Some(newest) = change.cells.iter().map(|cell| cell.version).max()
            && !self.is_ours(newest)
            && !self.was_known(&newest, &record.life)
            && !record.life.is_alive()
            && !merged.is_alive()
        {
            let cells = change.cells.iter().map(|cell| {
                let CellChange { version, value, .. } = cell.clone();
                (columns[cell.column as usize], Cell { version, value })
            });
            let here = Write::new(Written::Deleted, death);
            let came = Write::new(Written::Row(self.named(engine, table_no, cells)?), newest);
            let conflict = self.entry(engine, &name, change, None, (here, came), Winner::Here, DELETE_WINS);
            log::put(engine, self.ordinal, &conflict, None)?;
        }
        Ok(())
    }

    /// Whether we made a write, under the name that we have or one that we left.
    fn is_ours(&self, version: Version) -> bool {
        version.site == self.us || self.left.contains(&version.site)
    }

    /// Whether a write that is here is our own, and the peer may not have it.
    fn is_unsent(&self, version: Version, seq: u64) -> bool {
        version.site == self.us && seq > self.acked
            || self.former.iter().any(|former| former.is_unsent(version, seq))
    }

    /// Whether a write to a row with this life, which a peer tells again, was known before.
    fn was_known(&self, version: &Version, life: &Life) -> bool {
        // What was there before all was in the row when it came. In another row somebody has filled a column since.
        let is_first = *version == Version::GENESIS && life.born == Some(Version::GENESIS);
        self.before.as_ref().is_some_and(|before| is_first || before.knew(version))
    }

    fn named(
        &self,
        engine: &Engine,
        table_no: u32,
        cells: impl Iterator<Item = (u32, Cell)>,
    ) -> Result<BTreeMap<String, Value>, StoreError> {
        let mut named = Vec::new();
        for (column, cell) in cells {
            if let Some(name) = engine.wire_column_name(table_no, column)? {
                named.push((name, cell));
            }
        }
        Ok(share::row(named.iter().map(|(name, cell)| (name.as_str(), cell))))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of an entry")]
    fn entry(
        &self,
        engine: &Engine,
        table: &str,
        change: &RowChange,
        column: Option<String>,
        (here, came): (Write, Write),
        winner: Winner,
        rule: &str,
    ) -> LoggedConflict {
        LoggedConflict {
            id: 0,
            logged_ms: engine.meta.clock().ms(),
            table: table.to_owned(),
            row: change.id.clone(),
            column,
            here,
            came,
            winner,
            rule: rule.to_owned(),
            open: false,
        }
    }
}
