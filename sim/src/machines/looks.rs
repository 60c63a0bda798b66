//! Looking at everyone.
//!
//! A look at ten thousand devices at once would be larger than the devices. So every [`Look`] shows
//! one scope: its devices, and what the hub has of it; scopes never meet, so nothing is missed.
//! Before the quiet period only some scopes are looked at each time, one after the other; at its end
//! all are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pocketsync_core::id::Scope;
use pocketsync_core::merge::RowState;
use pocketsync_core::store::{MemoryStore, STAGING_BYTES};
use pocketsync_core::value::Value;

use super::fleet::Fleet;
use super::writer::{cells_of, name_of, tag_column};
use crate::history::{DeviceView, Event, HubView, Look, Phase, RowView, Rows};
use crate::shape::{RowTag, Shape};
use crate::story::DeviceNo;

/// At how many devices a look before the quiet period looks, about.
const DEVICES_A_LOOK: usize = 32;
/// The largest message on top of what is kept aside before it is merged in parts.
const ONE_MORE_BYTES: u64 = 1 << 20;

impl Fleet<'_> {
    /// Looks at the next scopes in turn.
    pub(super) fn look_at_some(&mut self) {
        let mut devices = 0;
        for _ in 0..self.scopes.len() {
            let scope = self.next_scope % self.scopes.len();
            devices += self.scopes[scope].len();
            if devices > DEVICES_A_LOOK && devices > self.scopes[scope].len() {
                break;
            }
            self.next_scope = scope + 1;
            self.look(scope, Phase::During);
        }
    }

    /// Looks at every scope.
    pub(super) fn look_at_all(&mut self, phase: Phase) {
        for scope in 0..self.scopes.len() {
            self.look(scope, phase);
        }
    }

    fn look(&mut self, scope: usize, phase: Phase) {
        let members = &self.scopes[scope];
        let Some(first) = members.first() else { return };
        let name = &self.devices[*first].scope;
        let devices = members.iter().filter(|number| self.devices[**number].runs);
        let devices = devices.map(|number| self.view(*number)).collect();
        let hub = match self.hub.runs {
            true => {
                vec![HubView { scope: scope as u32, clocks: clocks(&self.hub.store, name), conflicts: None }]
            }
            false => Vec::new(),
        };
        let look = Look { phase, devices, hub };
        self.judge.looked(self.now, &look);
    }

    fn view(&self, number: usize) -> DeviceView {
        let device = &self.devices[number];
        let store = &device.disk.store;
        DeviceView {
            device: DeviceNo(number as u32),
            scope: device.scope_no,
            version: 0,
            rows: rows(self.shape, store, &device.scope),
            parked: None,
            clocks: clocks(store, &device.scope),
            journal: None,
            complaints: None,
            derived: None,
            conflicts: None,
            staged_bytes: store.staged_bytes(&device.scope),
            status: self.parts.status(DeviceNo(number as u32), device.status_now()),
            whole: device.disk.whole,
        }
    }

    /// Tells how large is what must stay bounded.
    pub(super) fn gauge(&mut self) {
        let queued = std::mem::take(&mut self.hub.queued_max) as u64;
        let bound = self.hub.queue_bound();
        self.saw(&Event::Gauge { name: "hub queue", device: None, value: queued, bound });
        let staged = |number: usize| {
            let device = &self.devices[number];
            device.disk.store.staged_bytes(&device.scope)
        };
        let most = (0..self.devices.len()).map(|number| (staged(number), number)).max();
        if let Some((value, number)) = most.filter(|(value, _)| *value > 0) {
            let (device, bound) = (Some(DeviceNo(number as u32)), STAGING_BYTES as u64 + ONE_MORE_BYTES);
            self.saw(&Event::Gauge { name: "staged bytes", device, value, bound });
        }
    }
}

/// The rows that the application sees.
fn rows(shape: &Shape, store: &MemoryStore, scope: &Scope) -> Rows {
    let mut rows = Rows::new();
    for (number, table) in shape.tables.iter().enumerate() {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let tag = tag_column(table).and_then(|tag| columns.iter().position(|column| *column == tag));
        store.visit(scope, &table.name, &columns, |id, mut cells| {
            let name = name_of(&id, tag.map(|tag| &cells[tag]));
            let cells = cells_of(table, &id, |index| std::mem::replace(&mut cells[index], Value::Null));
            let row = rows.entry(RowTag { table: number, name });
            row.and_modify(|row| row.copies += 1).or_insert(RowView {
                cells,
                copies: 1,
                ..RowView::default()
            });
        });
    }
    rows
}

/// The merged state in words.
fn clocks(store: &MemoryStore, scope: &Scope) -> BTreeMap<String, String> {
    let mut clocks = BTreeMap::new();
    for (table, rows) in store.states(scope) {
        for (id, state) in rows {
            clocks.insert(format!("{table} {id}"), words(&state));
        }
    }
    clocks
}

fn words(state: &RowState<String>) -> String {
    let mut words = String::new();
    let life = [("born", state.life.born), ("died", state.life.died), ("undone", state.life.undone)];
    for (what, version) in life {
        if let Some(version) = version {
            // Writing into memory cannot fail.
            let _ = write!(words, "{what} {}@{} ", version.hlc, version.site);
        }
    }
    for (column, cell) in &state.cells {
        let _ = write!(words, "{column} {}@{} {} ", cell.version.hlc, cell.version.site, cell.value);
    }
    words
}
