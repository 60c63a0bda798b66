//! The reference model: what became of every write, told from the applications' commits alone.
//!
//! ```text
//! rules    what the schema does on its own account: which rows it revives, takes along, lets stand for each other
//! mark     what a cell shows, small
//! cell     the writes of one cell, and which of them knew of which
//! row      the lives of one row
//! scope    rows and commits of one logical database
//! stand_in rows that are shown under the name of another one
//! survival what was legally lost: with a device, with a file that was put back
//! ledger   the model, shared by the oracles that go by it
//! ```
//!
//! It shares nothing with the engine's merge: no versions, no clocks of replicas, no log. A write
//! *knew* of another where the device showed that other one in the same cell when it wrote, or
//! had written it itself. Everything that follows from this must hold whatever the clocks say.

mod cell;
mod ledger;
mod mark;
mod row;
mod rules;
mod scope;
mod stand_in;
mod survival;

pub use cell::{Cell, Node, NodeNo};
pub use ledger::{Ledger, Reader};
pub use mark::Mark;
pub use row::{Death, Row};
pub use rules::Rules;
pub use scope::{CommitNo, Commitment, RowNo, Scope, Wrote};
pub use survival::Survival;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::{Event, Fault};
use crate::oracle::Case;
use crate::shape::Shape;
use crate::story::{DeviceNo, Ms};

/// Everything that is known of the writes of a run.
pub struct Model {
    case: Case,
    rules: Rules,
    scopes: BTreeMap<u32, Scope>,
    survival: Survival,
}

impl Model {
    /// Nothing is written yet.
    pub fn new(case: &Case) -> Self {
        let rules = Rules::of(&case.shape);
        Model { case: case.clone(), rules, scopes: BTreeMap::new(), survival: Survival::default() }
    }

    /// The schema.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.case.shape
    }

    /// What the schema does on its own account.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Who is still there, and what was lost with the others.
    pub fn survival(&self) -> &Survival {
        &self.survival
    }

    /// The logical database of a device.
    pub fn scope_of(&self, device: DeviceNo) -> u32 {
        self.case.story.devices.get(device.0 as usize).map_or(0, |device| device.scope)
    }

    /// One logical database; `None` before anything was written there.
    pub fn scope(&self, scope: u32) -> Option<&Scope> {
        self.scopes.get(&scope)
    }

    /// Something happened.
    pub fn saw(&mut self, at: Ms, event: &Event) {
        match event {
            Event::Committed(commit) => {
                let number = self.scope_of(commit.device);
                let scope = self.scopes.entry(number).or_default();
                let (life, place) = self.survival.committed(at, commit.device, commit.tx);
                scope.commit(&self.case.shape, &self.rules, at, life, place, commit);
            }
            Event::Acknowledged { through, .. } => self.survival.acknowledged(at, *through),
            Event::Started { device, copy_of } => self.survival.started(at, *device, *copy_of),
            Event::Fault(Fault::Lost(device)) => self.survival.lost(at, *device),
            Event::Fault(Fault::Restored { device, to }) => self.survival.restored(at, *device, *to),
            Event::Fault(Fault::HubRestored { to }) => self.survival.hub_restored(at, *to),
            _ => {}
        }
    }
}
