//! **Deleted is deleted, and one is one**: a row whose delete is known does not come back unless
//! somebody inserts it again, and no row is there twice.
//!
//! A device knows the delete of a row from the moment that it deleted it itself, until its file is
//! put back; at the end of the quiet period everyone knows every delete that survives. A delete is
//! final where every insert of the row was certainly before it: always in a table whose rows have
//! identities of their own.
//!
//! Exempt are rows that somebody else changed, not certainly before, where the rule for the table says that the last writer wins.
//! Exempt are rows that somebody referred to who did not know of the delete, where the schema keeps
//! parents from going (RESTRICT, NO ACTION): they come back, with all that they hang on. Exempt are rows whose name depends on other rows (a key
//! that contains a reference). A row may be there twice if it was in a copy of a file that was used
//! and the hub had not acknowledged it when the copy was made, or if both a device's and the hub's
//! file were put back.

use std::collections::BTreeSet;

use super::no_lost_write::CORRECTION_MS;
use super::{Case, Oracle, words};
use crate::history::{DeviceView, Event, Look, Phase};
use crate::model::{Commitment, Death, Ledger, Mark, Model, Node, Reader, Row, Scope};
use crate::shape::{OnDelete, RowTag};
use crate::story::Ms;
use pocketsync_core::value::Value;

/// Checks that a deleted row stays away until it is inserted again, and no row is there twice.
pub struct NoZombies {
    reader: Reader,
}

impl NoZombies {
    /// For a case.
    pub fn new(_case: &Case, ledger: &Ledger) -> Self {
        NoZombies { reader: ledger.reader() }
    }
}

impl Oracle for NoZombies {
    fn name(&self) -> &'static str {
        "no_zombies"
    }

    fn promise(&self) -> &'static str {
        "a deleted row stays away until it is inserted again, and no row is there twice"
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        self.reader.saw(at, event);
        Ok(())
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        let model = self.reader.model();
        look.devices.iter().try_for_each(|view| judge(&model, look.phase, view))
    }
}

fn judge(model: &Model, phase: Phase, view: &DeviceView) -> Result<(), String> {
    let Some(scope) = model.scope(view.scope) else { return Ok(()) };
    for (tag, shown) in &view.rows {
        let Some(row) = scope.find(tag).map(|row| scope.row(row)) else { continue };
        if shown.copies > 1 && !model.is_doubtful(scope, row) {
            let name = words::row(model.shape(), tag);
            return Err(format!("{} shows {name} {} times", view.device, shown.copies));
        }
        let known = |death: &&Death| {
            let by = scope.commitment(death.commit);
            let own = by.device == view.device && by.life == model.survival().life(view.device);
            own || (phase == Phase::Settled && model.survival().survives(by))
        };
        if let Some(death) =
            row.deaths.iter().filter(known).find(|death| rises(model, scope, row, death, view))
        {
            let by = scope.commitment(death.commit);
            return Err(format!(
                "{} shows {}, which {} of {} had deleted at {} ms",
                view.device,
                words::row(model.shape(), tag),
                by.tx,
                by.device,
                by.at
            ));
        }
    }
    Ok(())
}

/// Whether a device shows a row that must not be there after a death of it.
pub(super) fn rises(model: &Model, scope: &Scope, row: &Row, death: &Death, view: &DeviceView) -> bool {
    let table = row.tag.table;
    view.rows.contains_key(&row.tag)
        && row.is_final(scope, death)
        && !model.rules().shifting_key(table)
        && !model.is_doubtful(scope, row)
        && !(may_be_undone(model, scope, row, death)
            || model.rules().revivable(table) && may_be_back(model, scope, row, death, view))
}

/// Whether a rule may have taken a death back: somebody else changed the row, and it is not certain that this was before.
fn may_be_undone(model: &Model, scope: &Scope, row: &Row, death: &Death) -> bool {
    let death = scope.commitment(death.commit);
    let margin = CORRECTION_MS + 2 * scope.clock_error_ms();
    let changed = |update: &Commitment| !update.same_file(death) && update.at + margin >= death.at;
    model.rules().on_delete(row.tag.table) == OnDelete::LastWriterWins
        && row.updates.iter().any(|update| changed(scope.commitment(*update)))
}

/// Whether a death may have been taken back: somebody referred to the row who did not know of it, or a
/// row that came back itself does.
///
/// Who deletes a row that others refer to deletes those, too, or is not let: so a reference that the
/// same file had made before had gone by then. What has come back may since have lost what kept it.
fn may_be_back(model: &Model, scope: &Scope, row: &Row, death: &Death, view: &DeviceView) -> bool {
    let mut seen = BTreeSet::from([&row.tag]);
    let mut ahead = vec![(row, scope.commitment(death.commit))];
    while let Some((at, end)) = ahead.pop() {
        let name = Value::text(&at.tag.name.to_ascii_lowercase());
        let is_it = |value: &Value| match value {
            Value::Text(text) => Value::Text(text.to_ascii_lowercase()) == name,
            _ => false,
        };
        for (_, child) in scope.rows().filter(|(_, child)| child.tag != at.tag) {
            let is_shown = view.rows.get(&child.tag);
            for &column in model.rules().references(child.tag.table) {
                if is_shown.and_then(|shown| shown.cells.get(column)).is_some_and(is_it) {
                    return true;
                }
                let nodes = child.cells[column].nodes().iter();
                let mut to_it = nodes.filter(|node| matches!(&node.mark, Mark::Plain(value) if is_it(value)));
                // Where several wrote it, one of them was another.
                let is_strange =
                    |node: &Node| node.ambiguous || !scope.commitment(node.commit).same_file(end);
                if to_it.clone().any(is_strange) && may_have_let_go(model, scope, child, column, at, view) {
                    return true;
                }
                if to_it.next().is_some()
                    && model.rules().revivable(child.tag.table)
                    && seen.insert(&child.tag)
                {
                    let ends = child.deaths.iter().map(|death| scope.commitment(death.commit));
                    ahead.extend(ends.map(|end| (child, end)));
                }
            }
        }
    }
    false
}

/// Whether a row that referred to another, and is not seen to, may have done so until that was back: it
/// was deleted since, or written to, or taken along by something else, or is parked.
fn may_have_let_go(
    model: &Model,
    scope: &Scope,
    child: &Row,
    column: usize,
    parent: &Row,
    view: &DeviceView,
) -> bool {
    let is_parked = !model.rules().unique(child.tag.table).is_empty()
        && view.parked.as_ref().is_some_and(|parked| !parked.is_empty());
    let is_there = |tag: &RowTag| *tag == parent.tag || view.rows.contains_key(tag);
    !child.deaths.is_empty()
        || child.cells[column].nodes().len() > 1
        || is_parked
        || scope.may_be_gone_but_for(model.shape(), model.rules(), child, &parent.tag, &is_there)
}
