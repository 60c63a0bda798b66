//! **Nothing that merges is lost**: a counter shows the sum of all that was added, a `max` the largest
//! value that was written, a `min` the smallest, and a set what was added and not removed.
//!
//! Judged at the end of the quiet period, on the first device of each scope, from what the applications
//! saw and wrote; nothing is known here of shares. An update adds the difference that its device saw, an
//! insert its whole value.
//!
//! - What survives counts once. What is [legally lost](super::NoLostWrite) may count or not. What was in a copy of a
//!   file that was used, and that the hub had not acknowledged when the copy was made, may count twice: the file and the
//!   copy may both take it for theirs, if its time was corrected since.
//! - A `max` or `min` need not have noticed a value that the same device overwrote before the hub had it.
//! - Of an element that several writes added, it is judged only whether anybody did, and whether it is
//!   there where nobody removed it.
//! - Where somebody deleted the row, or set the column to NULL, a part of what was written may be gone: then what is
//!   shown is made of *some* of it, each write at most once.
//!
//! Rows under whose name another one may be shown, rows that a copied file may have made two of, and columns that not every
//! version of the schema has, are not judged.

use std::collections::{BTreeMap, BTreeSet};

use pocketsync_core::value::Value;

use super::{Case, Oracle, words};
use crate::app::elements;
use crate::history::{DeviceView, Event, Look, Phase};
use crate::model::{Change, Commitment, Ledger, Model, Reader, RowNo, Scope};
use crate::shape::{Merge, Role};
use crate::story::Ms;

/// Sums of more different values than this are not told apart.
const MANY: usize = 1 << 14;

/// Checks that columns that merge show what all writes make together.
pub struct Sums {
    reader: Reader,
}

impl Sums {
    /// For a case.
    pub fn new(_case: &Case, ledger: &Ledger) -> Self {
        Sums { reader: ledger.reader() }
    }
}

impl Oracle for Sums {
    fn name(&self) -> &'static str {
        "sums"
    }

    fn promise(&self) -> &'static str {
        "a column that merges shows what all writes make together"
    }

    fn needs_sqlite(&self) -> bool {
        true
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
        first.into_values().try_for_each(|view| judge(&model, view))
    }
}

fn judge(model: &Model, view: &DeviceView) -> Result<(), String> {
    let Some(scope) = model.scope(view.scope) else { return Ok(()) };
    for (tag, shown) in &view.rows {
        let Some(number) = scope.find(tag) else { continue };
        if model.rules().shifting_key(tag.table) || model.is_doubtful(scope, scope.row(number)) {
            continue;
        }
        for (column, declared) in model.shape().tables[tag.table].columns.iter().enumerate() {
            let Role::Merges { merge, .. } = &declared.role else { continue };
            // What it began with is not told, where it is there at all.
            if model.shape().default_of(tag.table, column).is_some() {
                continue;
            }
            let cell = Cell::new(model, scope, number, column);
            cell.judge(*merge, &shown.cells[column]).map_err(|what| {
                let name = words::cell(model.shape(), tag, column);
                format!("{} shows {:.80} in {name}, {what}", view.device, shown.cells[column])
            })?;
        }
    }
    Ok(())
}

/// A cell of a column that merges.
struct Cell<'a> {
    changes: Vec<Judged<'a>>,
    /// Whether nobody deleted its row, and nobody set it back.
    goes_on: bool,
    /// Whether somebody set it back.
    reset: bool,
}

/// A write, and how often it counts.
struct Judged<'a> {
    before: Option<&'a Value>,
    after: &'a Value,
    /// At least.
    surely: u32,
    /// And at most so often besides.
    maybe: u32,
    /// Whether its device had it noticed before it wrote there again.
    noticed: bool,
}

impl<'a> Cell<'a> {
    fn new(model: &'a Model, scope: &'a Scope, row: RowNo, column: usize) -> Self {
        let survival = model.survival();
        let all = scope.changes(row, column);
        let judged = |(number, change): (usize, &'a Change)| {
            let by = scope.commitment(change.commit);
            let survives = survival.survives(by);
            let again = all[number + 1..].iter().map(|later| scope.commitment(later.commit));
            let again: Option<&Commitment> = again.into_iter().find(|later| later.device == by.device);
            Judged {
                before: change.before.as_ref(),
                after: &change.after,
                surely: u32::from(survives),
                maybe: u32::from(!survives) + survival.copies_unseen(by),
                noticed: again.is_none_or(|again| survival.was_acknowledged(by, again.at)),
            }
        };
        let changes: Vec<Judged<'a>> = all.iter().enumerate().map(judged).collect();
        let reset = all.iter().any(|change| change.after == Value::Null);
        Cell { changes, goes_on: !reset && scope.row(row).deaths.is_empty(), reset }
    }

    fn judge(&self, merge: Merge, shown: &Value) -> Result<(), String> {
        if *shown == Value::Null && self.reset {
            return Ok(());
        }
        match merge {
            Merge::Counter => self.sum(shown),
            Merge::Max => self.bound(shown, false),
            Merge::Min => self.bound(shown, true),
            Merge::Set => self.set(shown),
        }
    }

    fn sum(&self, shown: &Value) -> Result<(), String> {
        let Some(shown) = quarters(shown) else { return Err("which is no number".to_owned()) };
        let (mut surely, mut maybe) = (0, Vec::new());
        for change in &self.changes {
            let Some(after) = quarters(change.after) else { continue };
            let by = after - change.before.and_then(quarters).unwrap_or(0);
            let times = if self.goes_on { change.surely } else { 0 };
            surely += by * i64::from(times);
            maybe.extend(std::iter::repeat_n(by, (change.surely - times + change.maybe) as usize));
        }
        if sums(&maybe).is_none_or(|sums| sums.contains(&(shown - surely))) {
            return Ok(());
        }
        let (count, sure) = (self.changes.len(), surely as f64 / 4.0);
        Err(match maybe.len() {
            0 => format!("where {count} writes come to {sure}"),
            more if self.goes_on => {
                format!("where {count} writes come to {sure}, and no {more} that may count make up for it")
            }
            _ => format!("which is no sum of some of the {count} writes there"),
        })
    }

    fn bound(&self, shown: &Value, smallest: bool) -> Result<(), String> {
        let outer = |one: &Value, other: &Value| match smallest {
            false => order(one) > order(other),
            true => order(one) < order(other),
        };
        let written = || self.changes.iter().filter(|change| *change.after != Value::Null);
        if !written().any(|change| order(change.after) == order(shown)) {
            return Err("which nobody wrote there".to_owned());
        }
        let sure = written().filter(|change| self.goes_on && change.surely > 0 && change.noticed);
        match sure.map(|change| change.after).find(|value| outer(value, shown)) {
            Some(value) => Err(format!("although somebody wrote {value}")),
            None => Ok(()),
        }
    }

    fn set(&self, shown: &Value) -> Result<(), String> {
        let Some(shown) = elements(shown) else { return Err("which is no array".to_owned()) };
        let (mut added, mut removed): (BTreeMap<String, Vec<&Judged<'_>>>, BTreeMap<String, bool>) =
            Default::default();
        for change in &self.changes {
            let before = change.before.and_then(elements).unwrap_or_default();
            let after = elements(change.after).unwrap_or_default();
            for element in after.difference(&before) {
                added.entry(element.clone()).or_default().push(change);
            }
            for element in before.difference(&after) {
                *removed.entry(element.clone()).or_default() |= change.surely > 0;
            }
        }
        if let Some(element) = shown.iter().find(|element| !added.contains_key(*element)) {
            return Err(format!("with {element}, which nobody added"));
        }
        for (element, by) in added.iter().filter(|_| self.goes_on) {
            let (is_shown, sure) = (shown.contains(element), by.iter().any(|change| change.surely > 0));
            match removed.get(element) {
                None if sure && !is_shown => {
                    return Err(format!("without {element}, which nobody removed"));
                }
                Some(true) if by.len() == 1 && by[0].maybe == 0 && is_shown => {
                    return Err(format!("with {element}, which somebody who had seen it removed"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A number in quarters: what applications of a story count in.
fn quarters(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => number.checked_mul(4),
        Value::Real(number) => {
            let quarters = number * 4.0;
            (quarters.fract() == 0.0 && quarters.abs() < 1e15).then_some(quarters as i64)
        }
        _ => None,
    }
}

/// All sums of some of these; `None` where there are too many.
fn sums(some: &[i64]) -> Option<BTreeSet<i64>> {
    let mut sums = BTreeSet::from([0]);
    for add in some {
        let more: Vec<i64> = sums.iter().map(|sum| sum + add).collect();
        sums.extend(more);
        if sums.len() > MANY {
            return None;
        }
    }
    Some(sums)
}

/// SQLite's order: numbers, texts, blobs.
fn order(value: &Value) -> (u8, i64, &[u8]) {
    match value {
        Value::Integer(_) | Value::Real(_) => (1, quarters(value).unwrap_or_default(), &[]),
        Value::Text(text) => (2, 0, text),
        Value::Blob(blob) => (3, 0, blob),
        Value::Null | Value::Ref(_) | Value::Dangling(_) => (0, 0, &[]),
    }
}
