//! **The rules decide**: of writes that did not know of each other, the one wins that the rule for the column
//! names, and of a deletion and a change the one that the rule for the table does.
//!
//! Judged at the end of the quiet period, where it is certain what reached the hub first: one write was
//! acknowledged before the other was committed.
//!
//! - `hub_wins`: what reached the hub before every other that did not know of it, and that nobody overwrote knowingly,
//!   is shown.
//! - `client_wins`: what was committed when the hub had acknowledged all others is shown.
//! - `last_writer_wins` on delete: a row that was certainly changed later than it was deleted, by somebody who did not
//!   know, is there, or parked.
//!
//! Rows that were deleted are not judged by the first two, nor what is [legally lost](super::NoLostWrite), nor rows under
//! whose name another one may be shown.

use std::collections::BTreeMap;

use super::no_lost_write::{CORRECTION_MS, RIGHT_WITHIN_MS};
use super::{Case, Oracle, causality, words};
use crate::history::{DeviceView, Event, Look, Phase, is_absent};
use crate::model::{Cell, Ledger, Model, NodeNo, Reader, Row, Scope};
use crate::shape::{OnDelete, RowTag, Strategy};
use crate::story::Ms;

/// Checks that of writes that did not know of each other the one wins that the rule names.
pub struct Strategies {
    reader: Reader,
}

impl Strategies {
    /// For a case.
    pub fn new(_case: &Case, ledger: &Ledger) -> Self {
        Strategies { reader: ledger.reader() }
    }
}

impl Oracle for Strategies {
    fn name(&self) -> &'static str {
        "strategies"
    }

    fn promise(&self) -> &'static str {
        "of writes that did not know of each other, the one wins that the rule names"
    }

    fn needs_sqlite(&self) -> bool {
        true
    }

    fn needs_hub(&self) -> bool {
        true
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        self.reader.saw(at, event);
        Ok(())
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        let model = self.reader.model();
        if look.phase != Phase::Settled || model.shape().rules.is_empty() {
            return Ok(());
        }
        let mut first: BTreeMap<u32, &DeviceView> = BTreeMap::new();
        for device in &look.devices {
            first.entry(device.scope).or_insert(device);
        }
        first.into_values().try_for_each(|view| judge(&model, view))
    }
}

fn judge(model: &Model, view: &DeviceView) -> Result<(), String> {
    let Some(scope) = model.scope(view.scope) else { return Ok(()) };
    for (_, row) in scope.rows() {
        if !model.knows(view, row) || model.is_doubtful(scope, row) || causality::is_moved(model, scope, row)
        {
            continue;
        }
        if !row.deaths.is_empty() {
            changed_later(model, scope, row, view)?;
        } else if view.rows.contains_key(&row.tag) {
            cells(model, scope, row, view)?;
        }
    }
    Ok(())
}

fn cells(model: &Model, scope: &Scope, row: &Row, view: &DeviceView) -> Result<(), String> {
    let table = row.tag.table;
    for &column in model.rules().free(table) {
        let cell = &row.cells[column];
        let all = || 0..cell.nodes().len() as NodeNo;
        let survives = |node: NodeNo| {
            model.survival().survives(scope.commitment(cell.node(node).commit)) && !cell.node(node).ambiguous
        };
        if !all().all(survives) {
            continue;
        }
        let (winner, rule) = match model.rules().strategy(table, column) {
            Strategy::LastWriteWins => continue,
            Strategy::HubWins => (all().find(|&node| was_first(model, scope, cell, node)), "hub_wins"),
            Strategy::ClientWins => (all().find(|&node| was_last(model, scope, cell, node)), "client_wins"),
        };
        if is_absent(&view.rows[&row.tag].cells[column]) {
            continue;
        }
        let shown = scope.shown(model.shape(), row, column, &view.rows[&row.tag]);
        if let Some(winner) = winner.filter(|winner| shown != Some(*winner)) {
            let told = |node: NodeNo| {
                format!("{} ({})", cell.node(node).mark, scope.commitment(cell.node(node).commit).told())
            };
            return Err(format!(
                "{} shows {} in {}, where by {rule} {} wins",
                view.device,
                shown.map_or_else(|| "another value".to_owned(), told),
                words::cell(model.shape(), &row.tag, column),
                told(winner)
            ));
        }
    }
    Ok(())
}

/// Whether the hub had a write before anyone wrote there who did not know of it, and nobody overwrote it
/// knowingly.
fn was_first(model: &Model, scope: &Scope, cell: &Cell, first: NodeNo) -> bool {
    let others = (0..cell.nodes().len() as NodeNo).filter(|other| *other != first);
    others.into_iter().all(|other| {
        cell.knew(first, other) || !cell.knew(other, first) && was_before(model, scope, cell, first, other)
    })
}

/// Whether the hub had all others when a write was committed: what it knew of was there.
fn was_last(model: &Model, scope: &Scope, cell: &Cell, last: NodeNo) -> bool {
    let mut others = (0..cell.nodes().len() as NodeNo).filter(|other| *other != last);
    others.all(|other| cell.knew(last, other) || was_before(model, scope, cell, other, last))
}

/// Whether the hub had acknowledged one write when another was committed.
fn was_before(model: &Model, scope: &Scope, cell: &Cell, one: NodeNo, other: NodeNo) -> bool {
    let commit = |node: NodeNo| scope.commitment(cell.node(node).commit);
    model.survival().was_acknowledged(commit(one), commit(other).at)
}

/// A row that somebody deleted who did not know of later changes.
fn changed_later(model: &Model, scope: &Scope, row: &Row, view: &DeviceView) -> Result<(), String> {
    let error = scope.clock_error_ms();
    let last_writer_wins = model.rules().on_delete(row.tag.table) == OnDelete::LastWriterWins;
    let [death] = &row.deaths[..] else { return Ok(()) };
    if !last_writer_wins || error > RIGHT_WITHIN_MS || row.inserts.len() != 1 {
        return Ok(());
    }
    let death = scope.commitment(death.commit);
    let later = row.updates.iter().map(|update| scope.commitment(*update)).find(|update| {
        let survives = model.survival().survives(update) && model.survival().survives(death);
        survives && !update.same_file(death) && update.at > death.at + CORRECTION_MS + 2 * error
    });
    let is_visible = |tag: &RowTag| view.rows.contains_key(tag);
    let is_there = is_visible(&row.tag)
        || view.parked.as_ref().is_some_and(|parked| !parked.is_empty())
        || scope.may_be_gone(model.shape(), model.rules(), row, &model.certain(scope, view));
    match later.filter(|_| !is_there) {
        Some(later) => Err(format!(
            "{} does not show {}, which {} changed later than {} deleted it",
            view.device,
            words::row(model.shape(), &row.tag),
            later.told(),
            death.told()
        )),
        None => Ok(()),
    }
}
