//! **Acknowledged means durable**: what the hub has acknowledged is there in the end, whatever
//! became of the device that wrote it, and however often the hub was killed.
//!
//! Judged at the end of the quiet period. A cell that an acknowledged transaction wrote does not
//! show what that write had replaced; a row that it inserted is there, or parked, unless somebody
//! deleted it or the schema took it along; a row that it deleted for good is not.
//!
//! Without a hub, what another device has acknowledged is there as long as that one is not destroyed, nor its
//! file put back to a copy from before.
//!
//! Exempt is what the hub had acknowledged before its own file was put back to a copy from before
//! that, if the device that wrote it has lost it as well.

use std::collections::BTreeMap;

use super::no_lost_write::is_given_up;
use super::{Case, Oracle, causality, no_zombies, words};
use crate::history::{DeviceView, Event, Look, Phase};
use crate::model::{Commitment, Ledger, Model, Reader, Scope, Wrote};
use crate::shape::RowTag;
use crate::story::Ms;

/// Checks that what was acknowledged survives crashes of the hub and the loss of the device.
pub struct AckedIsDurable {
    reader: Reader,
}

impl AckedIsDurable {
    /// For a case.
    pub fn new(_case: &Case, ledger: &Ledger) -> Self {
        AckedIsDurable { reader: ledger.reader() }
    }
}

impl Oracle for AckedIsDurable {
    fn name(&self) -> &'static str {
        "acked_is_durable"
    }

    fn promise(&self) -> &'static str {
        "what was acknowledged survives crashes of the hub and the loss of the device"
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
        let mut first: BTreeMap<u32, &DeviceView> = BTreeMap::new();
        for device in &look.devices {
            first.entry(device.scope).or_insert(device);
        }
        for (number, view) in first {
            let Some(scope) = model.scope(number) else { continue };
            let mut missing = BTreeMap::new();
            let acknowledged = scope.commits().filter(|(_, commit)| model.survival().is_acknowledged(commit));
            for (_, commit) in acknowledged {
                judge(&model, scope, commit, view, &mut missing)?;
            }
            if missing.len() > view.parked.as_ref().map_or(0, Vec::len) {
                let missing: Vec<String> = missing.into_values().collect();
                return Err(format!("{} does not show {}", view.device, missing.join(", ")));
            }
        }
        Ok(())
    }
}

/// Judges one transaction; names the rows of it that are not visible and might be parked, each once,
/// by whomever it was inserted.
fn judge(
    model: &Model,
    scope: &Scope,
    commit: &Commitment,
    view: &DeviceView,
    missing: &mut BTreeMap<RowTag, String>,
) -> Result<(), String> {
    let shape = model.shape();
    let by = || format!("{} of {}, acknowledged", commit.tx, commit.device);
    for (number, wrote) in &commit.wrote {
        let row = scope.row(*number);
        if !model.knows(view, row) {
            continue;
        }
        match wrote {
            Wrote::Row => {
                let is_visible = |tag: &RowTag| view.rows.contains_key(tag);
                let exempt = !row.deaths.is_empty()
                    || is_visible(&row.tag)
                    || model.may_go_unseen(scope, row)
                    || scope.may_be_gone(shape, model.rules(), row, &model.certain(scope, view));
                if !exempt {
                    let words = format!("{} (inserted by {})", words::row(shape, &row.tag), by());
                    missing.entry(row.tag.clone()).or_insert(words);
                }
            }
            Wrote::Cells(cells) => {
                let Some(shown) = view.rows.get(&row.tag) else { continue };
                for &(column, node) in cells {
                    let replaced = scope
                        .shown(shape, row, column, shown)
                        .filter(|&shown| row.cells[column].knew(node, shown))
                        .filter(|_| !is_given_up(model, scope, row, column, node));
                    let says_nothing =
                        || model.is_doubtful(scope, row) || causality::is_moved(model, scope, row);
                    if let Some(replaced) = replaced.filter(|_| !says_nothing()) {
                        return Err(format!(
                            "{} shows {} in {}, which {} had replaced by {}",
                            view.device,
                            row.cells[column].node(replaced).mark,
                            words::cell(shape, &row.tag, column),
                            by(),
                            row.cells[column].node(node).mark,
                        ));
                    }
                }
            }
            Wrote::Death => {
                let deaths = row.deaths.iter();
                let own = deaths.filter(|death| scope.commitment(death.commit).tx == commit.tx);
                if own.into_iter().any(|death| no_zombies::rises(model, scope, row, death, view)) {
                    let name = words::row(shape, &row.tag);
                    return Err(format!("{} shows {name}, which {} had deleted", view.device, by()));
                }
            }
        }
    }
    Ok(())
}
