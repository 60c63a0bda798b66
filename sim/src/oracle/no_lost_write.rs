//! **Nothing is lost**: a committed write is there until a later or concurrent one wins over it.
//!
//! Judged at the end of the quiet period, by the [reference model](crate::model), on the first
//! device of each scope (the others show the same, or do not [converge](super::Convergence)):
//!
//! - A free cell shows a value that somebody wrote into that cell, whole, and that no surviving
//!   write knowingly replaced. A cell of a pool shows a value that was written into that column of
//!   some row. Where a key refers to rows, what is shown under a name may be a row that was given
//!   another one: one of its writes will do.
//! - Where all clocks were right within a bound, of two such values the later one is shown, if
//!   they are further apart than clocks and their correction may be wrong. Exempt is what its own
//!   device deleted with the row before anybody else had it.
//! - A row that was inserted and that nobody deleted is visible or parked. What a schema takes
//!   along on its own account is exempt: rows whose parent was deleted, rows that stood behind
//!   another one with the same unique value when that was changed or deleted.
//! - A row is visible because somebody inserted it, or the schema itself.
//!
//! Where a [rule](super::Strategies) other than time decides between writes of a cell that did not know of each other, that cell
//! is not judged here, nor the cells of a row that was deleted where the last writer may bring it back.
//!
//! Columns that some version of the schema drops are not judged: what was not sent goes with them.
//!
//! Where a copied file may have made two rows of one, what they show is not judged.
//!
//! Legally lost is only what was committed on a device that was destroyed, or whose file was put
//! back to a copy from before, and that the hub had not acknowledged, or had acknowledged before
//! its own file was put back to a copy from before that. Such writes may be there or not. Where there is no hub,
//! another device's word counts as the hub's, as long as that one keeps its file; and a row that a schema brings back
//! after it was deleted shows what whoever referred to it has: nobody else need have kept it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Oracle, words};
use crate::history::{DeviceView, Event, Look, Phase, RowView, is_absent};
use crate::model::{CommitNo, Ledger, Model, NodeNo, Reader, Row, Scope};
use crate::shape::{OnDelete, Role, RowTag, Strategy};
use crate::story::Ms;
use pocketsync_core::value::Value;

/// Clocks that are more wrong than this say nothing about which write is later.
pub(super) const RIGHT_WITHIN_MS: u64 = 600_000;

/// How wrong a clock may be after it was corrected by a hub: a handshake may take a quarter of a
/// minute, and some slack.
pub(super) const CORRECTION_MS: u64 = 60_000;

/// Checks that a committed write stays until a later or concurrent one wins over it.
pub struct NoLostWrite {
    reader: Reader,
}

impl NoLostWrite {
    /// For a case.
    pub fn new(_case: &Case, ledger: &Ledger) -> Self {
        NoLostWrite { reader: ledger.reader() }
    }
}

impl Oracle for NoLostWrite {
    fn name(&self) -> &'static str {
        "no_lost_write"
    }

    fn promise(&self) -> &'static str {
        "a committed write stays until a later or concurrent one wins over it"
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        self.reader.saw(at, event);
        Ok(())
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        if look.phase != Phase::Settled {
            return Ok(());
        }
        let model = self.reader.model();
        // Of each version of the schema.
        let mut first: BTreeMap<(u32, usize), &DeviceView> = BTreeMap::new();
        for device in &look.devices {
            first.entry((device.scope, device.version)).or_insert(device);
        }
        first.into_values().try_for_each(|device| judge(&model, device))
    }
}

fn judge(model: &Model, view: &DeviceView) -> Result<(), String> {
    let empty = Scope::default();
    let scope = model.scope(view.scope).unwrap_or(&empty);
    for (tag, shown) in &view.rows {
        match scope.find(tag).map(|row| scope.row(row)) {
            Some(row) => cells(model, scope, row, shown, view)?,
            None if model.rules().shifting_key(tag.table) => {}
            None => {
                let name = words::row(model.shape(), tag);
                return Err(format!("{} shows {name}, which nobody inserted", view.device));
            }
        }
    }
    missing(model, scope, view)
}

fn cells(model: &Model, scope: &Scope, row: &Row, shown: &RowView, view: &DeviceView) -> Result<(), String> {
    let shape = model.shape();
    let table = row.tag.table;
    for (column, (value, declared)) in shown.cells.iter().zip(&shape.tables[table].columns).enumerate() {
        if is_absent(value) || shape.is_dropped(table, column) {
            continue;
        }
        match &declared.role {
            Role::Free(_) => free_cell(model, scope, row, column, shown, view).or_else(|what| {
                if is_of_stand_in(model, scope, row, column, shown, view) { Ok(()) } else { Err(what) }
            })?,
            Role::Pool(_) => {
                let by_schema = *value == Value::Null && set_null(model, scope, table, column);
                if by_schema
                    || shape.default_of(table, column) == Some(value)
                    || scope.pooled(table, column, value)
                {
                    continue;
                }
                let cell = words::cell(shape, &row.tag, column);
                return Err(format!("{} shows {value} in {cell}, which nobody wrote there", view.device));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a foreign key may have taken the value of a column away: a row that such a key may have
/// referred to was deleted.
fn set_null(model: &Model, scope: &Scope, table: usize, column: usize) -> bool {
    let parents = model.rules().set_null(table, column);
    scope.rows().any(|(_, row)| parents.contains(&row.tag.table) && !row.deaths.is_empty())
}

/// Whether the row that a device shows under this name may be another one, and the value is a write
/// to either: what is written under the name goes to the row that is shown there.
fn is_of_stand_in(
    model: &Model,
    scope: &Scope,
    row: &Row,
    column: usize,
    shown: &RowView,
    view: &DeviceView,
) -> bool {
    let (shape, rules) = (model.shape(), model.rules());
    let wrote = |row: &Row| scope.shown(shape, row, column, shown).is_some();
    // What was written to it, or to it under a name that it had elsewhere. Who inserts a row names it.
    let updated = |name: &Row| {
        let node = scope.shown(shape, name, column, shown);
        node.is_some_and(|node| !name.inserts.contains(&name.cells[column].node(node).commit))
    };
    let is_its = |of: &Row| wrote(of) || scope.other_names(shape, rules, of).any(updated);
    let moved = scope.other_names(shape, rules, row).next().is_some();
    let mut others = scope.stand_ins(shape, rules, row, view).peekable();
    (moved || others.peek().is_some()) && (is_its(row) || others.any(is_its))
}

fn free_cell(
    model: &Model,
    scope: &Scope,
    row: &Row,
    column: usize,
    shown: &RowView,
    view: &DeviceView,
) -> Result<(), String> {
    // What was written to one of two rows of one tag is told of the other.
    if model.is_doubtful(scope, row) {
        return Ok(());
    }
    let name = || words::cell(model.shape(), &row.tag, column);
    let cell = &row.cells[column];
    let Some(node) = scope.shown(model.shape(), row, column, shown) else {
        let value = &shown.cells[column];
        if model.shape().default_of(row.tag.table, column) == Some(value) {
            return unwritten(model, scope, row, column, view);
        }
        return Err(format!("{} shows {value:.60} in {}, which nobody wrote there", view.device, name()));
    };
    let given_up: BTreeSet<CommitNo> = (0..cell.nodes().len() as u32)
        .filter(|&node| is_given_up(model, scope, row, column, node))
        .map(|node| cell.node(node).commit)
        .collect();
    let survives =
        |commit: CommitNo| model.survival().survives(scope.commitment(commit)) && !given_up.contains(&commit);
    let overwritten = cell.overwritten(survives);
    let describe = |node: u32| {
        let write = cell.node(node);
        let by = scope.commitment(write.commit);
        format!("{} ({})", write.mark, by.told())
    };
    if overwritten[node as usize] {
        let later = (node..cell.nodes().len() as u32)
            .rev()
            .find(|&later| cell.knew(later, node) && survives(cell.node(later).commit));
        let later = later.map_or_else(|| "another write".to_owned(), describe);
        return Err(format!(
            "{} shows {} in {}, although {later} had replaced it",
            view.device,
            describe(node),
            name()
        ));
    }
    let error = scope.clock_error_ms();
    let ambiguous = cell.nodes().iter().any(|write| write.ambiguous);
    if error > RIGHT_WITHIN_MS || ambiguous {
        return Ok(());
    }
    let margin = CORRECTION_MS + 2 * error;
    let written_at = |node: u32| scope.commitment(cell.node(node).commit).at;
    let leaves = (0..cell.nodes().len() as u32).filter(|&other| !overwritten[other as usize]);
    let later = leaves
        .filter(|&other| survives(cell.node(other).commit))
        .find(|&other| written_at(other) > written_at(node) + margin);
    match later {
        Some(later) => Err(format!(
            "{} shows {} in {}, although {} is later, and no clock was more than {error} ms wrong",
            view.device,
            describe(node),
            name(),
            describe(later)
        )),
        None => Ok(()),
    }
}

/// A column that not every version has shows what it shows where nobody has written.
fn unwritten(
    model: &Model,
    scope: &Scope,
    row: &Row,
    column: usize,
    view: &DeviceView,
) -> Result<(), String> {
    let stays = |node: &NodeNo| {
        let commit = scope.commitment(row.cells[column].node(*node).commit);
        model.survival().survives(commit) && !is_given_up(model, scope, row, column, *node)
    };
    let written = (0..row.cells[column].nodes().len() as NodeNo).find(stays);
    match written.filter(|_| row.deaths.is_empty() && !scope.is_defaulted(row, column)) {
        None => Ok(()),
        Some(node) => Err(format!(
            "{} shows {} as if nobody had written it, although {} did",
            view.device,
            words::cell(model.shape(), &row.tag, column),
            scope.commitment(row.cells[column].node(node).commit).told()
        )),
    }
}

/// Whether whoever made a write deleted the row after it, before anybody else had heard of the write.
/// A row that is there all the same is what others made of it: nobody is left who has the value.
/// Or whether a rule may have decided against it, other than by time: the hub then writes the winner's value anew, also over
/// what somebody wrote who knew of the winner.
pub(super) fn is_given_up(model: &Model, scope: &Scope, row: &Row, column: usize, node: NodeNo) -> bool {
    let by_rule = model.rules().strategy(row.tag.table, column) != Strategy::LastWriteWins;
    // What was written before a deletion stays lost, although a later change brings the row back.
    let may_be_back =
        model.rules().on_delete(row.tag.table) == OnDelete::LastWriterWins && !row.deaths.is_empty();
    if may_be_back || by_rule && !row.cells[column].is_chain() {
        return true;
    }
    // A hub keeps what a row held when it was deleted. Where there is none, those who had the latest may all
    // have let it go with the row, and who brings the row back brings what it has.
    if !model.has_hub() && model.rules().revivable(row.tag.table) && !row.deaths.is_empty() {
        return true;
    }
    let survival = model.survival();
    let write = scope.commitment(row.cells[column].node(node).commit);
    row.deaths.iter().map(|death| scope.commitment(death.commit)).any(|end| {
        end.same_file(write)
            && end.place > write.place
            && survival.survives(end)
            && !survival.was_acknowledged(write, end.at)
    })
}

fn missing(model: &Model, scope: &Scope, view: &DeviceView) -> Result<(), String> {
    let survives = |commit: &CommitNo| model.survival().survives(scope.commitment(*commit));
    let is_visible = |tag: &RowTag| view.rows.contains_key(tag);
    let missing = scope.rows().map(|(_, row)| row).filter(|row| {
        row.deaths.is_empty()
            && model.knows(view, row)
            && !is_visible(&row.tag)
            && !model.may_go_unseen(scope, row)
            && row.inserts.iter().any(survives)
            && !scope.may_be_gone(model.shape(), model.rules(), row, &model.certain(scope, view))
    });
    let missing: Vec<&Row> = missing.collect();
    let parked = view.parked.as_ref().map_or(0, Vec::len);
    if missing.len() <= parked {
        return Ok(());
    }
    let row = missing[0];
    let insert = scope.commitment(row.inserts[0]);
    Err(format!(
        "{} does not show {}, which was inserted by {} and nobody deleted ({} rows are missing, {parked} are parked)",
        view.device,
        words::row(model.shape(), &row.tag),
        insert.told(),
        missing.len()
    ))
}
