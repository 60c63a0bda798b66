//! **Deleted is deleted, and one is one**: a row whose delete is known does not come back unless
//! somebody inserts it again, and no row is there twice.
//!
//! A device knows the delete of a row from the moment that it deleted it itself, until its file is
//! put back; at the end of the quiet period everyone knows every delete that survives. A delete is
//! final where every insert of the row was certainly before it: always in a table whose rows have
//! identities of their own.
//!
//! Exempt are rows that a visible child refers to, where the schema keeps parents from going
//! (RESTRICT, NO ACTION): they come back. Exempt are rows whose name depends on other rows (a key
//! that contains a reference). A row may be there twice if it was in a copy of a file that was used
//! and the hub had not acknowledged it when the copy was made, or if both a device's and the hub's
//! file were put back.

use super::{Case, Oracle, words};
use crate::history::{DeviceView, Event, Look, Phase};
use crate::model::{Death, Ledger, Model, Reader, Row, Scope};
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
        if shown.copies > 1 && !model.survival().may_be_doubled(scope, row) {
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
        && !model.survival().may_be_doubled(scope, row)
        && !(model.rules().revivable(table) && is_kept(model, row, view))
}

/// Whether a visible row refers to it.
fn is_kept(model: &Model, row: &Row, view: &DeviceView) -> bool {
    let name = Value::text(&row.tag.name);
    view.rows.iter().any(|(tag, shown)| {
        let references = model.rules().references(tag.table).iter();
        *tag != row.tag && references.into_iter().any(|&column| shown.cells.get(column) == Some(&name))
    })
}
