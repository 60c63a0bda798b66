//! **Transactions arrive whole**: a device that has caught up never shows a part of one.
//!
//! Where such a device shows a write of a transaction, or one that knew of it, no cell that the
//! transaction wrote shows what was replaced there, every row that it inserted is there, parked,
//! or gone for a reason of its own, and no row that it deleted for good is there.

use std::collections::{BTreeMap, BTreeSet};

use super::no_lost_write::is_given_up;
use super::{Case, Oracle, causality, no_zombies, words};
use crate::history::{DeviceView, Event, Look};
use crate::model::{CommitNo, Ledger, Model, NodeNo, Reader, Row, Scope, Wrote};
use crate::shape::RowTag;
use crate::story::Ms;

/// How many writes that a shown one knew of are asked whose they are.
const BACK: usize = 8;

/// Checks that a device that has caught up shows whole transactions only.
pub struct WholeTransactions {
    reader: Reader,
}

impl WholeTransactions {
    /// For a case.
    pub fn new(_case: &Case, ledger: &Ledger) -> Self {
        WholeTransactions { reader: ledger.reader() }
    }
}

impl Oracle for WholeTransactions {
    fn name(&self) -> &'static str {
        "whole_transactions"
    }

    fn promise(&self) -> &'static str {
        "a device that has caught up shows whole transactions only"
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        self.reader.saw(at, event);
        Ok(())
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        let model = self.reader.model();
        look.devices.iter().filter(|view| view.whole).try_for_each(|view| judge(&model, view))
    }
}

fn judge(model: &Model, view: &DeviceView) -> Result<(), String> {
    let Some(scope) = model.scope(view.scope) else { return Ok(()) };
    let mut missing = BTreeMap::new();
    for commit in shown(model, scope, view) {
        transaction(model, scope, commit, view, &mut missing)?;
    }
    if missing.len() > view.parked.as_ref().map_or(0, Vec::len) {
        let missing: Vec<String> = missing.into_values().collect();
        return Err(format!("{} shows {}", view.device, missing.join("; ")));
    }
    Ok(())
}

/// The transactions of several rows or cells of which a device shows something.
fn shown(model: &Model, scope: &Scope, view: &DeviceView) -> BTreeSet<CommitNo> {
    let mut commits = BTreeSet::new();
    for (tag, shown) in &view.rows {
        let Some(row) = scope.find(tag).map(|row| scope.row(row)) else { continue };
        for &column in model.rules().free(tag.table) {
            let cell = &row.cells[column];
            let mut ahead: Vec<NodeNo> = scope.shown(model.shape(), row, column, shown).into_iter().collect();
            for _ in 0..BACK {
                let Some(node) = ahead.pop().filter(|&node| !cell.node(node).ambiguous) else { break };
                ahead.extend(cell.parents(node).next());
                let commit = cell.node(node).commit;
                let wrote = &scope.commitment(commit).wrote;
                if wrote.len() > 1
                    || matches!(wrote.first(), Some((_, Wrote::Cells(cells))) if cells.len() > 1)
                {
                    commits.insert(commit);
                }
            }
        }
    }
    commits
}

fn transaction(
    model: &Model,
    scope: &Scope,
    commit: CommitNo,
    view: &DeviceView,
    missing: &mut BTreeMap<RowTag, String>,
) -> Result<(), String> {
    let shape = model.shape();
    let by = scope.commitment(commit);
    for (number, wrote) in &by.wrote {
        let row = scope.row(*number);
        if !model.knows(view, row) {
            continue;
        }
        match wrote {
            Wrote::Row => {
                if !is_accounted_for(model, scope, row, view) {
                    let name = words::row(shape, &row.tag);
                    let what = || format!("a part of {}, but not {name}, which it inserted", by.told());
                    missing.entry(row.tag.clone()).or_insert_with(what);
                }
            }
            Wrote::Cells(cells) => {
                let Some(shown) = view.rows.get(&row.tag) else { continue };
                for &(column, node) in cells {
                    let shows = scope
                        .shown(shape, row, column, shown)
                        .filter(|_| !is_given_up(model, scope, row, column, node));
                    let cell = &row.cells[column];
                    let replaced = shows.filter(|&shows| cell.knew(node, shows));
                    let says_nothing =
                        || model.is_doubtful(scope, row) || causality::is_moved(model, scope, row);
                    if let Some(replaced) = replaced.filter(|_| !says_nothing()) {
                        return Err(format!(
                            "{} shows a part of {}, but {} in {}, where that wrote {}",
                            view.device,
                            by.told(),
                            cell.node(replaced).mark,
                            words::cell(shape, &row.tag, column),
                            cell.node(node).mark
                        ));
                    }
                }
            }
            Wrote::Death => {
                let mut own = row.deaths.iter().filter(|death| death.commit == commit);
                if own.any(|death| no_zombies::rises(model, scope, row, death, view)) {
                    let name = words::row(shape, &row.tag);
                    return Err(format!(
                        "{} shows a part of {}, and {name}, which it deleted",
                        view.device,
                        by.told()
                    ));
                }
            }
        }
    }
    Ok(())
}

fn is_accounted_for(model: &Model, scope: &Scope, row: &Row, view: &DeviceView) -> bool {
    let is_visible = |tag: &RowTag| view.rows.contains_key(tag);
    is_visible(&row.tag)
        || !row.deaths.is_empty()
        || model.may_go_unseen(scope, row)
        || scope.may_be_gone(model.shape(), model.rules(), row, &model.certain(scope, view))
}
