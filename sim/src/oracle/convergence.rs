//! **Replicas that have exchanged everything hold the same**: the same visible rows, the same
//! parked rows, the same row clocks, and so does the hub.
//!
//! At the end of the quiet period the devices of a scope are compared with the first of them, and
//! with the hub. Before that, two devices that have merged the same state and folded everything
//! must show the same: what a table shows is a function of what was merged.
//!
//! Cells are [the same](crate::history::RowView::shows_same) where they show the same value, or refer to the same row; a
//! reference that no foreign key holds, also where the tables hold the same integer.
//!
//! Devices on different versions of the schema are compared in what both have; what either parks is its own business then,
//! since tables that it does not have are parked there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Case, Oracle, words};
use crate::history::{DeviceView, Event, HubView, Look, Phase, is_absent};
use crate::shape::Shape;
use crate::story::Ms;

/// Checks that replicas that have exchanged everything hold the same rows, parked rows and row clocks.
pub struct Convergence {
    shape: Arc<Shape>,
}

impl Convergence {
    /// For a case.
    pub fn new(case: &Case) -> Self {
        Convergence { shape: Arc::clone(&case.shape) }
    }

    fn settled(&self, devices: &[&DeviceView], hub: Option<&HubView>) -> Result<(), String> {
        let Some((first, others)) = devices.split_first() else { return Ok(()) };
        for other in others {
            same_rows(&self.shape, first, other)?;
            if first.parked != other.parked && first.version == other.version {
                return Err(format!(
                    "{} and {} have different rows parked: {:?}, {:?}",
                    first.device, other.device, first.parked, other.parked
                ));
            }
            let names = (first.device.to_string(), other.device.to_string());
            same_clocks((&names.0, &first.clocks), (&names.1, &other.clocks))?;
        }
        let Some(hub) = hub else { return Ok(()) };
        same_clocks((&first.device.to_string(), &first.clocks), ("the hub", &hub.clocks))
    }
}

/// Whether two devices show the same and park the same, as far as their versions of the schema have it in common.
pub(crate) fn shows_same(shape: &Shape, one: &DeviceView, other: &DeviceView) -> bool {
    (one.version != other.version || one.parked == other.parked)
        && (one.rows == other.rows || same_rows(shape, one, other).is_ok())
}

fn same_rows(shape: &Shape, first: &DeviceView, other: &DeviceView) -> Result<(), String> {
    shows_all(shape, first, other)?;
    shows_all(shape, other, first)
}

fn shows_all(shape: &Shape, here: &DeviceView, there: &DeviceView) -> Result<(), String> {
    for (tag, row) in &here.rows {
        if !shape.tables_at(there.version)[tag.table].is_here() {
            continue;
        }
        let Some(their) = there.rows.get(tag) else {
            let name = words::row(shape, tag);
            return Err(format!("{} shows {name}, {} does not", here.device, there.device));
        };
        let cells = row.cells.iter().zip(&their.cells).enumerate();
        let both_have = |ours, theirs| !is_absent(ours) && !is_absent(theirs);
        let differing = cells.filter(|(column, (ours, theirs))| {
            ours != theirs && both_have(*ours, *theirs) && !row.shows_same(their, *column)
        });
        let differing = differing.map(|(column, values)| {
            format!("{} is {:.60} and {:.60}", words::cell(shape, tag, column), values.0, values.1)
        });
        let mut differing: Vec<String> = differing.collect();
        if row.copies != their.copies {
            let name = words::row(shape, tag);
            differing.push(format!("{name} is there {} and {} times", row.copies, their.copies));
        }
        if !differing.is_empty() {
            return Err(format!("on {} and {}, {}", here.device, there.device, differing.join("; ")));
        }
    }
    Ok(())
}

type Clocks<'a> = (&'a str, &'a BTreeMap<String, String>);

fn same_clocks((here, ours): Clocks<'_>, (there, theirs): Clocks<'_>) -> Result<(), String> {
    if ours == theirs {
        return Ok(());
    }
    let mine = ours.iter().map(|(row, clock)| (row, Some(clock), theirs.get(row)));
    let only_theirs = theirs.iter().filter(|(row, _)| !ours.contains_key(*row));
    let all = mine.chain(only_theirs.map(|(row, clock)| (row, None, Some(clock))));
    let mut differing = all.filter(|(_, ours, theirs)| ours != theirs);
    match differing.next() {
        Some((row, ours, theirs)) => Err(format!(
            "{here} and {there} have merged different states of {row} (and of {} more): {}, {}",
            differing.count(),
            ours.map_or("none", String::as_str),
            theirs.map_or("none", String::as_str)
        )),
        None => Ok(()),
    }
}

impl Oracle for Convergence {
    fn name(&self) -> &'static str {
        "convergence"
    }

    fn promise(&self) -> &'static str {
        "replicas that have exchanged everything hold the same rows, parked rows and row clocks"
    }

    fn saw(&mut self, _at: Ms, _event: &Event) -> Result<(), String> {
        Ok(())
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        let mut scopes: BTreeMap<u32, Vec<&DeviceView>> = BTreeMap::new();
        for device in &look.devices {
            scopes.entry(device.scope).or_default().push(device);
        }
        for (scope, devices) in &scopes {
            if look.phase == Phase::Settled {
                self.settled(devices, look.hub.iter().find(|hub| hub.scope == *scope))?;
                continue;
            }
            // Whoever has not heard of a new name shows less of what it has merged.
            let pairs = devices.windows(2).filter(|_| self.shape.versions.is_empty());
            for pair in pairs {
                let folded = pair.iter().all(|device| device.journal.is_none_or(|entries| entries == 0));
                if folded && pair[0].clocks == pair[1].clocks && !pair[0].clocks.is_empty() {
                    same_rows(&self.shape, pair[0], pair[1])
                        .map_err(|what| format!("with the same state merged: {what}"))?;
                }
            }
        }
        Ok(())
    }
}
