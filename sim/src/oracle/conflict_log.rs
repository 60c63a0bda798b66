//! **What lost can be found**: a write that others overwrote without knowing of it is in a conflict log.
//!
//! Judged at the end of the quiet period, in rows that are shown and that nobody deleted: a write that is
//! there to stay, whose value is not shown, and which no write that knew of it replaced, has lost to one
//! that did not know of it. Its value is in the log of the hub, or of a device.
//!
//! Logs have bounds, and live in files: nothing is judged where a file was put back or copied, of what is older
//! than [weeks](KEPT_MS), and where clocks were far off, since logs tell their age by them. Nor are rows
//! under whose name another one may be shown, nor those that may have been hidden behind one that was deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::no_lost_write::RIGHT_WITHIN_MS;
use super::{Case, Oracle, causality, words};
use crate::history::{ConflictView, DeviceView, Event, Fault, Look, Phase, is_absent, write_of};
use crate::model::{CommitNo, Ledger, Mark, Model, Reader, Row, Scope};
use crate::shape::{RowTag, WriteId};
use crate::story::Ms;

/// For how long logs certainly keep what is in them: they keep it for a month.
const KEPT_MS: Ms = 25 * 24 * 3_600_000;
/// How much they certainly keep: they keep ten thousand.
const KEPT: usize = 9_000;

/// Checks that a write that others overwrote without knowing of it is in a conflict log.
pub struct ConflictLog {
    reader: Reader,
    /// Whether a file was put back or copied.
    parted: bool,
}

impl ConflictLog {
    /// For a case.
    pub fn new(_case: &Case, ledger: &Ledger) -> Self {
        ConflictLog { reader: ledger.reader(), parted: false }
    }
}

impl Oracle for ConflictLog {
    fn name(&self) -> &'static str {
        "conflict_log"
    }

    fn promise(&self) -> &'static str {
        "a write that others overwrote without knowing of it is in a conflict log"
    }

    fn needs_sqlite(&self) -> bool {
        true
    }

    fn needs_hub(&self) -> bool {
        true
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        self.reader.saw(at, event);
        self.parted |= matches!(
            event,
            Event::Started { copy_of: Some(_), .. }
                | Event::Fault(Fault::Restored { .. } | Fault::HubRestored { .. })
        );
        Ok(())
    }

    fn looked(&mut self, at: Ms, look: &Look) -> Result<(), String> {
        if look.phase != Phase::Settled || self.parted {
            return Ok(());
        }
        let model = self.reader.model();
        let mut scopes: BTreeMap<u32, Vec<&DeviceView>> = BTreeMap::new();
        for device in &look.devices {
            scopes.entry(device.scope).or_default().push(device);
        }
        for (number, devices) in scopes {
            let Some(scope) = model.scope(number).filter(|scope| scope.clock_error_ms() <= RIGHT_WITHIN_MS)
            else {
                continue;
            };
            let hub = look.hub.iter().filter(|hub| hub.scope == number).map(|hub| &hub.conflicts);
            let logs = hub.chain(devices.iter().map(|view| &view.conflicts));
            let Some(logs) = logs.map(Option::as_deref).collect::<Option<Vec<&[ConflictView]>>>() else {
                continue;
            };
            if logs.iter().all(|log| log.len() < KEPT) {
                let logged = logged(&logs);
                let judged = Judged { model: &model, scope, at, logged: &logged };
                // Of each version of the schema.
                let first: BTreeMap<usize, &DeviceView> =
                    devices.iter().rev().map(|view| (view.version, *view)).collect();
                first.into_values().try_for_each(|view| judged.device(view))?;
            }
        }
        Ok(())
    }
}

/// Writes by table and column, as logs call them.
type Logged<'a> = BTreeSet<(&'a str, &'a str, WriteId)>;

fn logged<'a>(logs: &[&'a [ConflictView]]) -> Logged<'a> {
    let all = logs.iter().copied().flatten();
    let values = all.flat_map(|conflict| conflict.values.iter().map(move |value| (conflict, value)));
    let writes = values.filter_map(|(conflict, (column, value))| {
        Some((conflict.table.as_str(), column.as_str(), write_of(value)?))
    });
    writes.collect()
}

struct Judged<'a> {
    model: &'a Model,
    scope: &'a Scope,
    at: Ms,
    logged: &'a Logged<'a>,
}

impl Judged<'_> {
    fn device(&self, view: &DeviceView) -> Result<(), String> {
        for tag in view.rows.keys() {
            let Some(row) = self.scope.find(tag).map(|row| self.scope.row(row)) else { continue };
            let may_be_another = || {
                self.model.is_doubtful(self.scope, row)
                    || causality::is_moved(self.model, self.scope, row)
                    || self.scope.may_have_gone_with_another(self.model.rules(), row)
            };
            if row.deaths.is_empty() && !may_be_another() {
                self.row(tag, row, view)?;
            }
        }
        Ok(())
    }

    fn row(&self, tag: &RowTag, row: &Row, view: &DeviceView) -> Result<(), String> {
        let (model, scope) = (self.model, self.scope);
        let table = &model.shape().tables[tag.table];
        for &column in model.rules().free(tag.table) {
            if is_absent(&view.rows[tag].cells[column]) {
                continue;
            }
            let cell = &row.cells[column];
            // The names that others know.
            let names = model.shape().names_of(tag.table, column);
            let stays = |commit: CommitNo| model.survival().survives(scope.commitment(commit));
            let shown = scope.shown(model.shape(), row, column, &view.rows[tag]);
            // What may be lost with its device may as well have got through.
            let overwritten = cell.overwritten(|_| true);
            for (node, write) in (0..).zip(cell.nodes()) {
                let Mark::Stamp(id, _) = write.mark else { continue };
                let by = scope.commitment(write.commit);
                let has_lost = shown != Some(node)
                    && !overwritten[node as usize]
                    && !write.ambiguous
                    && stays(write.commit)
                    && by.at + KEPT_MS > self.at;
                let is_logged = || names.iter().any(|name| self.logged.contains(&(&*table.name, *name, id)));
                if has_lost && !is_logged() {
                    return Err(format!(
                        "{id} in {}, by {}, was overwritten by somebody who did not know of it, and is in no log",
                        words::cell(model.shape(), tag, column),
                        by.told()
                    ));
                }
            }
        }
        Ok(())
    }
}
