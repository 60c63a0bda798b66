//! True conflicts at a hub: which there are in a row that was merged, and what follows.
//!
//! A conflict is a write of the sender's own that meets something which the hub has of somebody
//! else, and which the sender did not know of when it wrote. The lattice has decided already when
//! this looks. Where a rule wants something else, the answer is a new write of the hub's, over both
//! sides and under a log number of nobody's: the lattice is never bent, and everybody gets it.
//!
//! ```text
//! rules     the rules, as the records have them     settle    who wins, and the hub's own writes
//! ```

mod rules;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;

use rules::rules;
use settle::Found;

use super::{LogState, Names, Records};
use crate::change::RowChange;
use crate::clock::Version;
use crate::conflict::{LoggedConflict, Rules, Seen, SeenStep, Strategy, Winner, Write, Written};
use crate::id::{RowId, Scope, SiteId};
use crate::merge::Cell;
use crate::merge::share::{self, ShareName};
use crate::store::{Record, RecordCell, StoreError};
use crate::value::Value;

/// Who sends, what it knew, and what is to be done about conflicts with it.
pub(super) struct Judge<'a> {
    scope: &'a Scope,
    sender: SiteId,
    seen: &'a Seen,
    rules: Arc<Rules>,
    /// The hub's log number of the group that is merged; answers go under the next one.
    seq: u64,
    /// What is not newer than this was known to all of the sender's writes.
    known: u64,
}

/// What a sender says of a row in its own name.
#[derive(Default)]
pub(super) struct Own {
    born: Option<Version>,
    died: Option<Version>,
    cells: BTreeMap<u32, Cell>,
    /// What it wrote before that in the same cells, and lost to others meanwhile.
    older: Vec<(u32, Cell)>,
}

impl Own {
    /// The cells, by column name.
    fn named(&self, names: &Names, table: u32) -> impl Iterator<Item = (String, Value)> {
        let named = self.cells.iter().filter_map(move |(&column, cell)| {
            Some((names.column_name(table, column)?.to_owned(), cell.value.clone()))
        });
        // What a share says is nothing by itself.
        named.filter(|(name, _)| !ShareName::is_one(name))
    }
}

impl<'a> Judge<'a> {
    /// `None` where nothing is known of what the sender knew: nothing is judged then.
    pub(super) fn new(
        records: &mut impl Records,
        scope: &'a Scope,
        sender: SiteId,
        seen: &'a Seen,
    ) -> Result<Option<Self>, StoreError> {
        if seen.is_unknown() {
            return Ok(None);
        }
        let known = seen.steps().iter().filter_map(|step| step.position).min().unwrap_or(u64::MAX);
        let rules = rules(records)?;
        let seq = records.state().head + 1;
        Ok(Some(Judge { scope, sender, seen, rules, seq, known }))
    }

    /// What of a row's changes may be in conflict with what is held of the row.
    pub(super) fn own<'c>(
        &self,
        held: &Record,
        changes: impl IntoIterator<Item = (&'c RowChange, &'c [u32])>,
    ) -> Option<Own> {
        if held.seq() <= self.known {
            return None;
        }
        let mut own = Own::default();
        let mine = |version: &Option<Version>| version.filter(|version| version.site == self.sender);
        for (change, columns) in changes {
            own.born = own.born.max(mine(&change.life.born));
            own.died = own.died.max(mine(&change.life.died));
            for cell in change.cells.iter().filter(|cell| cell.version.site == self.sender) {
                let column = columns[cell.column as usize];
                let mut cell = Cell { version: cell.version, value: cell.value.clone() };
                match own.cells.get_mut(&column) {
                    Some(newest) if newest.version != cell.version => {
                        if cell > *newest {
                            std::mem::swap(newest, &mut cell);
                        }
                        own.older.push((column, cell));
                    }
                    Some(_) => {}
                    None => drop(own.cells.insert(column, cell)),
                }
            }
        }
        Some(own)
    }

    /// Finds the conflicts of a row that was `held`, to which the sender said `own`, and which is
    /// `merged` now; writes the answers into it, and logs. Says whether there were answers.
    pub(super) fn row(
        &self,
        records: &mut impl Records,
        (table, id): (u32, &RowId),
        held: &Record,
        own: &Own,
        merged: &mut Record,
    ) -> Result<bool, StoreError> {
        let name = records.state().names.table_name(table).unwrap_or_default().to_owned();
        let mut found = Found { logged: Vec::new(), answered: false };
        let columns = |record: &Record, keep: &dyn Fn(&RecordCell) -> bool| {
            let names = &records.state().names;
            let cells = record.cells.iter().filter(|(_, cell)| keep(cell));
            share::row(cells.filter_map(|(&no, held)| Some((names.column_name(table, no)?, &held.cell))))
        };
        let mut is_told = false;
        if let Some(clash) = self.death_of_a_changed_row(held, own, merged) {
            let row = columns(held, &|cell| held.life.covers(cell.cell.version));
            let (here, came) = (Write::new(Written::Row(row), clash.change), clash.deletion());
            self.settle_death(&name, &clash, (here, came), Winner::Here, merged, &mut found);
        } else if let Some(clash) = self.change_of_a_dead_row(held, own, merged) {
            // The sender's values are in the row that is logged.
            is_told = true;
            let mut row = columns(merged, &|_| true);
            row.extend(own.named(&records.state().names, table));
            let (here, came) = (clash.deletion(), Write::new(Written::Row(row), clash.change));
            self.settle_death(&name, &clash, (here, came), Winner::Came, merged, &mut found);
        }
        let mut clashes = self.clashes(records, table, &name, held, own, merged)?;
        clashes.retain(|clash| clash.is_shown || clash.is_older || !is_told);
        if !clashes.is_empty() {
            let hub_row = || columns(held, &|cell| merged.life.covers(cell.cell.version));
            let asked = clashes.iter().any(|clash| clash.strategy == Strategy::Resolver);
            let answer = asked.then(|| self.ask(records.state(), &name, id, &clashes, hub_row(), own, table));
            self.settle_cells(records.state(), table, &clashes, answer, merged, &mut found);
        }
        for answer in merged.cells.values().filter(|held| held.seq > self.seq) {
            records.state_mut().sites.learn_version(answer.cell.version);
        }
        for unfinished in found.logged {
            let logged_ms = latest_ms(records.state());
            records.log_conflict(LoggedConflict {
                id: 0,
                logged_ms,
                table: name.clone(),
                row: id.clone(),
                column: unfinished.column,
                here: unfinished.here,
                came: unfinished.came,
                winner: unfinished.winner,
                rule: unfinished.rule,
                open: unfinished.open,
            })?;
        }
        Ok(found.answered)
    }

    /// The sender deleted a row that others have changed since it last knew.
    fn death_of_a_changed_row(&self, held: &Record, own: &Own, merged: &Record) -> Option<DeathClash> {
        let death =
            own.died.filter(|died| merged.life.died == Some(*died) && held.life.died != Some(*died))?;
        if !held.life.is_alive() {
            return None;
        }
        let is_dead = !merged.life.is_alive();
        let step = self.seen.of(death.hlc)?;
        let cells = held.cells.values().map(|cell| (cell.cell.version, cell.seq));
        let cells = cells.filter(|(version, _)| held.life.covers(*version));
        let born = held.life.born.map(|born| (born, held.life_seq));
        // Where the sender, or somebody else, inserted the key anew, only the old life is lost.
        let lost = cells.chain(born).filter(|(version, _)| is_dead || !merged.life.covers(*version));
        let unseen = lost.filter(|&(version, seq)| self.is_unseen(step, version, seq));
        let change = unseen.map(|(version, _)| version).max()?;
        Some(DeathClash { death, change, may_be_undone: is_dead })
    }

    /// The sender changed, or inserted, a row that others have deleted since it last knew.
    fn change_of_a_dead_row(&self, held: &Record, own: &Own, merged: &Record) -> Option<DeathClash> {
        let death = held.life.died?;
        if held.life.undone >= held.life.died {
            return None;
        }
        let is_dead = !merged.life.is_alive();
        // Where somebody inserted the key anew, what was written after that shows.
        let lost = own.cells.values().map(|cell| cell.version).chain(own.born);
        let change = lost.filter(|version| is_dead || !merged.life.covers(*version)).max()?;
        let step = self.seen.of(change.hlc)?;
        self.is_unseen(step, death, held.life_seq).then_some(DeathClash {
            death,
            change,
            may_be_undone: is_dead,
        })
    }

    fn is_unseen(&self, step: &SeenStep, version: Version, seq: u64) -> bool {
        version.site != self.sender && !step.knows(seq, version.site, version.hlc)
    }

    /// The cells that both sides wrote, with different values.
    fn clashes(
        &self,
        records: &impl Records,
        table: u32,
        name: &str,
        held: &Record,
        own: &Own,
        merged: &Record,
    ) -> Result<Vec<CellClash>, StoreError> {
        let mut clashes = Vec::new();
        let newest = own.cells.iter().map(|(column, cell)| (*column, cell, true));
        let older = own.older.iter().map(|(column, cell)| (*column, cell, false));
        for (column, came, is_newest) in newest.chain(older) {
            let Some(here) = held.cells.get(&column) else { continue };
            let Some(step) = self.seen.of(came.version.hlc) else { continue };
            // What was there before the row was deleted, or the sender overwrote it knowingly, is shown
            // no more: the later write won before that, and there is nothing to answer.
            let is_shown = is_newest && merged.life.is_alive() && merged.life.covers(here.cell.version);
            if here.cell.value == came.value
                || !is_shown && is_newest && !held.life.covers(here.cell.version)
                || !self.is_unseen(step, here.cell.version, here.seq)
            {
                continue;
            }
            let column_name = records.state().names.column_name(table, column).unwrap_or_default();
            let strategy = if is_shown && !is_ours(name) {
                self.rules.strategy(name, column_name)
            } else {
                Strategy::default()
            };
            // What the hub wrote in the sender's favour is the sender's own: it did not know of the
            // answer to its last write, but it knew of that.
            let in_favour = strategy == Strategy::ClientWins
                && here.cell.version.site == records.state().site
                && records.origin(here.seq - 1)? == Some(self.sender);
            clashes.push(CellClash {
                column,
                name: column_name.to_owned(),
                here: here.cell.clone(),
                came: came.clone(),
                strategy,
                is_shown,
                is_older: !is_newest,
                is_news: !in_favour,
            });
        }
        Ok(clashes)
    }
}

/// A deletion and a change that did not know of each other.
struct DeathClash {
    death: Version,
    change: Version,
    /// Whether taking the death back would show what was changed.
    may_be_undone: bool,
}

impl DeathClash {
    fn deletion(&self) -> Write {
        Write::new(Written::Deleted, self.death)
    }
}

/// Two values of one cell whose writers did not know of each other.
struct CellClash {
    column: u32,
    name: String,
    here: Cell,
    came: Cell,
    strategy: Strategy,
    /// Whether a table shows the row, and the cell in it.
    is_shown: bool,
    /// Whether the sender has written the cell again since.
    is_older: bool,
    /// Whether there is anything to log.
    is_news: bool,
}

impl CellClash {
    fn here(&self) -> Write {
        Write::new(Written::Value(self.here.value.clone()), self.here.version)
    }

    fn came(&self) -> Write {
        Write::new(Written::Value(self.came.value.clone()), self.came.version)
    }
}

/// Whether a table is PocketSync's own, for which there are no rules.
fn is_ours(table: &str) -> bool {
    table.starts_with("__pocketsync_")
}

/// The latest time that is known of from any write.
fn latest_ms(state: &LogState) -> u64 {
    state.sites.iter().map(|(_, known)| known.hlc.ms()).max().unwrap_or_default()
}
