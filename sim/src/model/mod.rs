//! The reference model: what became of every write, told from the applications' commits alone.
//!
//! ```text
//! rules    what the schema does on its own account: which rows it revives, takes along, lets stand for each other
//! mark     what a cell shows, small
//! cell     the writes of one cell, and which of them knew of which
//! change   a write into a column that merges
//! row      the lives of one row
//! scope    rows and commits of one logical database
//! template the rows that the schema itself inserts
//! stand_in rows that are shown under the name of another one
//! survival what was legally lost: with a device, with a file that was put back
//! ledger   the model, shared by the oracles that go by it
//! ```
//!
//! It shares nothing with the engine's merge: no versions, no clocks of replicas, no log. A write
//! *knew* of another where the device showed that other one in the same cell when it wrote, or
//! had written it itself. Everything that follows from this must hold whatever the clocks say.

mod cell;
mod change;
mod ledger;
mod mark;
mod row;
mod rules;
mod scope;
mod stand_in;
mod survival;
mod template;

pub use cell::{Cell, Node, NodeNo};
pub use change::Change;
pub use ledger::{Ledger, Reader};
pub use mark::Mark;
pub use row::{Death, Row};
pub use rules::Rules;
pub use scope::{CommitNo, Commitment, RowNo, Scope, Wrote};
pub use survival::Survival;
pub(crate) use template::begins_with_rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::{DeviceView, Event, Fault};
use crate::oracle::Case;
use crate::shape::{Key, Role, RowTag, Shape, TableShape};
use crate::story::{DeviceNo, Ms};

/// Everything that is known of the writes of a run.
pub struct Model {
    case: Case,
    rules: Rules,
    scopes: BTreeMap<u32, Scope>,
    survival: Survival,
}

impl Model {
    /// Nothing is written yet but what the schema itself inserts.
    pub fn new(case: &Case) -> Self {
        let rules = Rules::of(&case.shape);
        let mut scopes = BTreeMap::new();
        let template = template::of(&case.shape);
        let begun = || {
            let mut scope = Scope::default();
            template.iter().enumerate().for_each(|(place, commit)| {
                scope.commit(&case.shape, &rules, 0, 0, place, commit);
            });
            scope
        };
        for device in case.story.devices.iter().filter(|_| !template.is_empty()) {
            scopes.entry(device.scope).or_insert_with(begun);
        }
        Model { case: case.clone(), rules, scopes, survival: Survival::default() }
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

    /// Whether there is a hub.
    pub fn has_hub(&self) -> bool {
        self.case.story.topology.has_hub()
    }

    /// The logical database of a device.
    pub fn scope_of(&self, device: DeviceNo) -> u32 {
        self.case.story.devices.get(device.0 as usize).map_or(0, |device| device.scope)
    }

    /// One logical database; `None` before anything was there.
    pub fn scope(&self, scope: u32) -> Option<&Scope> {
        self.scopes.get(&scope)
    }

    /// Whether what a device shows of a row may be one or the other of two that go by one tag, so
    /// that its cells say nothing.
    pub fn is_doubtful(&self, scope: &Scope, row: &Row) -> bool {
        self.survival.may_be_doubled(scope, row) || self.joins_doubtful(scope, row)
    }

    /// Whether a row may have been deleted and nobody saw it: where two go by one tag, the end of one looks like
    /// nothing while the other is there, and then that one may go elsewhere, by the delete of somebody who has not
    /// heard of both. With a hub everybody soon has both.
    pub fn may_go_unseen(&self, scope: &Scope, row: &Row) -> bool {
        !self.has_hub() && self.is_doubtful(scope, row)
    }

    /// Whether a row is known by a row of which that is true.
    fn joins_doubtful(&self, scope: &Scope, row: &Row) -> bool {
        let shape = self.shape();
        let Key::Natural { columns } = &shape.tables[row.tag.table].key else { return false };
        row.tag.name.split('|').zip(columns).any(|(name, &column)| {
            let Role::Reference { table, .. } = shape.tables[row.tag.table].columns[column].role else {
                return false;
            };
            let joined = scope.find(&RowTag { table, name: name.to_owned() });
            table != row.tag.table && joined.is_some_and(|joined| self.is_doubtful(scope, scope.row(joined)))
        })
    }

    /// Whether the version of the schema that a device is on has the row's table.
    pub fn knows(&self, view: &DeviceView, row: &Row) -> bool {
        self.shape().tables_at(view.version).get(row.tag.table).is_some_and(TableShape::is_here)
    }

    /// Whether a device certainly shows the row of a name. Where a copied file may have made two of
    /// one name, the other one may be the one that was deleted, with all that referred to it.
    pub fn certain<'a>(&'a self, scope: &'a Scope, view: &'a DeviceView) -> impl Fn(&RowTag) -> bool + 'a {
        move |tag| {
            let doubtful = || scope.find(tag).is_some_and(|row| self.is_doubtful(scope, scope.row(row)));
            view.rows.contains_key(tag) && !doubtful()
        }
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
            Event::Acknowledged { through, .. } => self.survival.acknowledged(at, *through, None),
            Event::AcknowledgedBy { through, peer, .. } => {
                self.survival.acknowledged(at, *through, Some(*peer));
            }
            Event::Started { device, copy_of } => self.survival.started(at, *device, *copy_of),
            Event::Fault(Fault::Lost(device)) => self.survival.lost(at, *device),
            Event::Fault(Fault::Restored { device, to }) => self.survival.restored(at, *device, *to),
            Event::Fault(Fault::HubRestored { to }) => self.survival.hub_restored(at, *to),
            _ => {}
        }
    }
}
