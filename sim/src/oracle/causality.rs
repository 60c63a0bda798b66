//! **A write that knew of another never loses to it.** Once a device has shown a write, it never
//! again shows one that this write knowingly replaced, whatever the clocks say.
//!
//! Looked at at every look and before every commit, on every device by itself. A device whose file
//! is put back begins again. Exempt are rows under whose name another one may be shown: where a key
//! refers to rows, and one of these is represented by another.

use std::collections::BTreeMap;

use super::no_lost_write::is_given_up;
use super::{Case, Oracle, words};
use crate::history::{Commit, DeviceView, Did, Event, Fault, Look};
use crate::model::{Ledger, Mark, Model, NodeNo, Reader, Row, RowNo, Scope};
use crate::story::{DeviceNo, Ms};

/// Checks that a write that knew of another never loses to it.
pub struct Causality {
    reader: Reader,
    devices: BTreeMap<DeviceNo, Memory>,
}

/// What a device showed last, where that had replaced something: a first write cannot be lost to
/// what it replaced.
type Memory = BTreeMap<(RowNo, u16), NodeNo>;

impl Causality {
    /// For a case.
    pub fn new(_case: &Case, ledger: &Ledger) -> Self {
        Causality { reader: ledger.reader(), devices: BTreeMap::new() }
    }
}

impl Oracle for Causality {
    fn name(&self) -> &'static str {
        "causality"
    }

    fn promise(&self) -> &'static str {
        "a write that knew of another never loses to it"
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        let model = self.reader.saw(at, event);
        match event {
            Event::Committed(commit) => {
                let memory = self.devices.entry(commit.device).or_default();
                committed(&model, memory, commit)
            }
            Event::Fault(Fault::Restored { device, .. } | Fault::Lost(device)) => {
                self.devices.remove(device);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        let model = self.reader.model();
        for view in &look.devices {
            let memory = self.devices.entry(view.device).or_default();
            looked(&model, memory, view)?;
        }
        Ok(())
    }
}

fn committed(model: &Model, memory: &mut Memory, commit: &Commit) -> Result<(), String> {
    let Some(scope) = model.scope(model.scope_of(commit.device)) else { return Ok(()) };
    for effect in &commit.effects {
        let Did::Updated { cells } = &effect.did else { continue };
        let Some(row) = scope.find(&effect.row) else { continue };
        for cell in cells {
            let role = &model.shape().tables[effect.row.table].columns[cell.column].role;
            if !model.rules().free(effect.row.table).contains(&cell.column) {
                continue;
            }
            let writes = &scope.row(row).cells[cell.column];
            for value in [&cell.before, &cell.after] {
                let node = writes.find(&Mark::of(role, value));
                remember(model, scope, memory, row, cell.column, node)
                    .map_err(|what| format!("{} {what}", commit.device))?;
            }
        }
    }
    Ok(())
}

fn looked(model: &Model, memory: &mut Memory, view: &DeviceView) -> Result<(), String> {
    let Some(scope) = model.scope(view.scope) else { return Ok(()) };
    for (tag, shown) in &view.rows {
        let Some(number) = scope.find(tag) else { continue };
        let row: &Row = scope.row(number);
        for &column in model.rules().free(tag.table) {
            // Most cells were written once: there is nothing that they could lose to.
            if row.cells[column].nodes().len() < 2 {
                continue;
            }
            let node = scope.shown(model.shape(), row, column, shown);
            remember(model, scope, memory, number, column, node)
                .map_err(|what| format!("{} {what}", view.device))?;
        }
    }
    Ok(())
}

fn remember(
    model: &Model,
    scope: &Scope,
    memory: &mut Memory,
    row: RowNo,
    column: usize,
    node: Option<NodeNo>,
) -> Result<(), String> {
    let Some(node) = node else { return Ok(()) };
    let known = scope.row(row);
    let cell = &known.cells[column];
    let key = (row, column as u16);
    match memory.get(&key) {
        Some(&before)
            if cell.knew(before, node)
                && !model.is_doubtful(scope, known)
                && !is_given_up(model, scope, known, column, before)
                && !is_moved(model, scope, known) =>
        {
            let name = words::cell(model.shape(), &known.tag, column);
            let (lost, won) = (&cell.node(before).mark, &cell.node(node).mark);
            Err(format!("shows {won} in {name} again, after it had shown {lost}, which had replaced it"))
        }
        Some(&before) if before == node => Ok(()),
        Some(_) => {
            memory.insert(key, node);
            Ok(())
        }
        None => {
            if cell.parents(node).next().is_some() {
                memory.insert(key, node);
            }
            Ok(())
        }
    }
}

/// Whether another row may have been shown under this row's name, or this one under another's: then what
/// is shown there now and what was shown before may be cells of two rows.
pub(super) fn is_moved(model: &Model, scope: &Scope, row: &Row) -> bool {
    let (shape, rules) = (model.shape(), model.rules());
    scope.other_names(shape, rules, row).next().is_some() || scope.may_show_another(shape, rules, row)
}
