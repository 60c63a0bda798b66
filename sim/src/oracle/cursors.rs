//! **What was read is read**: a replica's log only grows, and what others hold of it only moves
//! on.
//!
//! A file that is put back goes back with all its positions, once. So does what a device holds of
//! the hub after the hub's file was put back: it takes the parting of their histories from it. A
//! device that shares its past with a copy reads its peers' logs again from the beginning, once.

use std::collections::BTreeMap;

use super::{Oracle, words};
use crate::history::{Event, Fault, Look};
use crate::story::{DeviceNo, Ms};

/// Checks that logs only grow, and what others hold of them only moves on.
#[derive(Default)]
pub struct Cursors {
    positions: BTreeMap<PositionOf, Reached>,
    held: BTreeMap<HeldOf, Reached>,
    parted: BTreeMap<Option<DeviceNo>, u32>,
}

/// Whose log, in which scope, under which writing identity.
type PositionOf = (Option<DeviceNo>, u32, [u8; 16]);

/// Who holds, in which scope, of whom, under which opening of it.
type HeldOf = (Option<DeviceNo>, u32, [u8; 16], u64);

/// How far it got.
#[derive(Clone, Copy)]
struct Reached {
    seq: u64,
    /// How many of the reasons to go back were used up.
    excused: u32,
}

impl Reached {
    /// Moves to `seq`; says from where it went back, if there is no reason left to.
    fn moved(&mut self, seq: u64, reasons: u32) -> Option<u64> {
        let before = self.seq;
        self.seq = seq;
        if seq >= before {
            return None;
        }
        let excused = std::mem::replace(&mut self.excused, reasons);
        (excused >= reasons).then_some(before)
    }
}

impl Cursors {
    fn reasons(&self, device: Option<DeviceNo>) -> u32 {
        self.parted.get(&device).copied().unwrap_or(0)
    }

    fn part(&mut self, device: Option<DeviceNo>) {
        *self.parted.entry(device).or_default() += 1;
    }
}

impl Oracle for Cursors {
    fn name(&self) -> &'static str {
        "cursors"
    }

    fn promise(&self) -> &'static str {
        "logs only grow, and what others hold of them only moves on"
    }

    fn saw(&mut self, _at: Ms, event: &Event) -> Result<(), String> {
        match event {
            Event::Fault(Fault::Restored { device, .. }) => self.part(Some(*device)),
            Event::Fault(Fault::HubRestored { .. }) => self.part(None),
            Event::Started { device, copy_of: Some(original) } => {
                self.part(Some(*device));
                self.part(Some(*original));
            }
            Event::Position { device, scope, site, seq } => {
                let reasons = self.reasons(*device);
                let first = Reached { seq: *seq, excused: 0 };
                let reached = self.positions.entry((*device, *scope, *site)).or_insert(first);
                if let Some(before) = reached.moved(*seq, reasons) {
                    let whose = words::replica(*device);
                    return Err(format!(
                        "the log of {whose} in scope {scope} went from {before} back to {seq}"
                    ));
                }
            }
            Event::Holds { device, scope, of, stamp, seq } => {
                let hub = if device.is_some() { self.reasons(None) } else { 0 };
                let reasons = self.reasons(*device) + hub;
                let first = Reached { seq: *seq, excused: 0 };
                let reached = self.held.entry((*device, *scope, *of, *stamp)).or_insert(first);
                if let Some(before) = reached.moved(*seq, reasons) {
                    let of: String =
                        of.iter().rev().take(4).rev().map(|byte| format!("{byte:02x}")).collect();
                    return Err(format!(
                        "{} had read the log of ..{of} in scope {scope} up to {before}, and says {seq} now",
                        words::replica(*device)
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn looked(&mut self, _at: Ms, _look: &Look) -> Result<(), String> {
        Ok(())
    }
}
