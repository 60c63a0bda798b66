//! **A status never says "in sync" when it is not.**
//!
//! A device that claims to be in sync has nothing pending, by its own words; has no entries in its
//! journal, unless it was written to just now; and what was committed there more than a moment ago
//! has reached others: a calm device of its scope that claims to be in sync as well does not show
//! what was replaced there, and shows the rows that were inserted there. Once everything is
//! exchanged, everyone says so.
//!
//! Without a hub, a device that is in sync is so with the one that it meets, and says nothing of others: that
//! what it has reached them is not asked, nor that everyone says so at the end, when they have parted.
//!
//! "A moment" is two seconds and four times what the links take. A device is calm where nothing
//! was done to it or to the hub for a minute; devices whose links carry few bytes a second are not
//! asked, since what is on its way to them may take any time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::no_lost_write::is_given_up;
use super::{Case, Oracle, words};
use crate::history::{DeviceView, Event, Fault, Look, Phase};
use crate::model::{CommitNo, Commitment, Ledger, Model, Reader, Scope, Wrote};
use crate::shape::RowTag;
use crate::story::{DeviceNo, Ms, Story};

/// How long a change may take from an application to a status.
const MOMENT_MS: Ms = 2_000;

/// How long after a fault nothing is concluded from what others show.
const CALM_MS: Ms = 60_000;

/// Checks that a status says that it is in sync when it is, and only then.
pub struct HonestStatus {
    reader: Reader,
    story: Arc<Story>,
    recent: BTreeMap<DeviceNo, VecDeque<(Ms, CommitNo)>>,
    last_commit: BTreeMap<DeviceNo, Ms>,
    disturbed: BTreeMap<DeviceNo, Ms>,
    hub_disturbed: Option<Ms>,
}

impl HonestStatus {
    /// For a case.
    pub fn new(case: &Case, ledger: &Ledger) -> Self {
        HonestStatus {
            reader: ledger.reader(),
            story: Arc::clone(&case.story),
            recent: BTreeMap::new(),
            last_commit: BTreeMap::new(),
            disturbed: BTreeMap::new(),
            hub_disturbed: None,
        }
    }

    fn disturb(&mut self, at: Ms, fault: &Fault) {
        let device = match fault {
            Fault::HubCrashed | Fault::HubRestarted | Fault::HubRestored { .. } | Fault::HubBackedUp => {
                self.hub_disturbed = Some(at);
                return;
            }
            Fault::Migrated { device, .. } => device,
            Fault::Restored { device, .. } | Fault::Lost(device) => {
                self.recent.remove(device);
                device
            }
            Fault::Connected(device)
            | Fault::Disconnected(device)
            | Fault::LinkBroke(device)
            | Fault::Misdelivered(device)
            | Fault::Crashed(device)
            | Fault::Restarted(device)
            | Fault::BackedUp(device)
            | Fault::ClockSet(device) => device,
        };
        self.disturbed.insert(*device, at);
    }

    fn moment(&self, device: DeviceNo) -> Ms {
        let link = self.story.devices.get(device.0 as usize).map(|device| device.link);
        MOMENT_MS + 4 * Ms::from(link.map_or(0, |link| link.latency_max_ms))
    }

    fn is_calm(&self, at: Ms, device: DeviceNo) -> bool {
        let long_ago = |disturbed: Option<Ms>| disturbed.is_none_or(|since| since + CALM_MS < at);
        let link = self.story.devices.get(device.0 as usize).map(|device| device.link);
        let unlimited = link.is_none_or(|link| link.bytes_per_second == 0);
        unlimited && long_ago(self.disturbed.get(&device).copied()) && long_ago(self.hub_disturbed)
    }

    fn claims(&self, at: Ms, view: &DeviceView) -> Result<(), String> {
        let device = view.device;
        if view.status.pending > 0 {
            return Err(format!(
                "{device} says that it is in sync, and {} changes pending",
                view.status.pending
            ));
        }
        let written = self.last_commit.get(&device).copied();
        let long_ago = written.is_none_or(|written| written + self.moment(device) < at);
        match view.journal {
            Some(entries @ 1..) if long_ago => {
                Err(format!("{device} says that it is in sync, with {entries} entries in its journal"))
            }
            _ => Ok(()),
        }
    }

    /// Holds the claim of a device against what others show.
    fn compare(&mut self, at: Ms, view: &DeviceView, look: &Look) -> Result<(), String> {
        let device = view.device;
        let witnesses: Vec<&DeviceView> = look
            .devices
            .iter()
            .filter(|other| other.scope == view.scope && other.device != device)
            .filter(|other| other.status.in_sync && self.is_calm(at, other.device))
            .collect();
        if witnesses.is_empty() || !self.is_calm(at, device) {
            return Ok(());
        }
        let slowest = witnesses.iter().map(|other| self.moment(other.device)).max().unwrap_or(0);
        let due = at.saturating_sub(slowest + self.moment(device));
        let model = self.reader.model();
        let Some(scope) = model.scope(view.scope) else { return Ok(()) };
        let Some(recent) = self.recent.get_mut(&device) else { return Ok(()) };
        let due = recent.iter().take_while(|(written, _)| *written < due).count();
        for (_, commit) in recent.drain(..due) {
            for other in &witnesses {
                if let Some(what) = lacks(&model, scope, scope.commitment(commit), other) {
                    return Err(format!(
                        "{device} says that it is in sync, but {} of it did not reach {}: {what}",
                        scope.commitment(commit).tx,
                        other.device
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Oracle for HonestStatus {
    fn name(&self) -> &'static str {
        "honest_status"
    }

    fn promise(&self) -> &'static str {
        "a status says that it is in sync when it is, and only then"
    }

    fn leaves_out(&self) -> Option<&'static str> {
        (!self.story.topology.has_hub()).then_some("honest_status: whether others have what a device has")
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        {
            let model = self.reader.saw(at, event);
            if let Event::Committed(commit) = event {
                let scope = model.scope(model.scope_of(commit.device));
                let number = scope.and_then(|scope| scope.commits().next_back()).map(|(number, _)| number);
                self.recent.entry(commit.device).or_default().extend(number.map(|number| (at, number)));
                self.last_commit.insert(commit.device, at);
            }
        }
        if let Event::Fault(fault) = event {
            self.disturb(at, fault);
        }
        Ok(())
    }

    fn looked(&mut self, at: Ms, look: &Look) -> Result<(), String> {
        for view in look.devices.iter().filter(|view| view.status.in_sync) {
            self.claims(at, view)?;
            if self.story.topology.has_hub() {
                self.compare(at, view, look)?;
            }
        }
        if look.phase == Phase::Settled
            && self.story.topology.has_hub()
            && let Some(view) = look.devices.iter().find(|view| !view.status.in_sync)
        {
            let (state, error) = (view.status.state, view.status.last_error.as_deref().unwrap_or("no error"));
            return Err(format!("{} has everything, and says {state} ({error})", view.device));
        }
        Ok(())
    }
}

/// What of a transaction a device does not show, and nothing can have removed.
fn lacks(model: &Model, scope: &Scope, commit: &Commitment, view: &DeviceView) -> Option<String> {
    let shape = model.shape();
    let parks = view.parked.as_ref().is_some_and(|parked| !parked.is_empty());
    commit.wrote.iter().find_map(|(number, wrote)| {
        let row = scope.row(*number);
        if !model.knows(view, row) {
            return None;
        }
        let is_visible = |tag: &RowTag| view.rows.contains_key(tag);
        match wrote {
            Wrote::Row => {
                let accounted = parks
                    || is_visible(&row.tag)
                    || !row.deaths.is_empty()
                    || scope.may_be_gone(shape, model.rules(), row, &model.certain(scope, view));
                (!accounted).then(|| format!("it does not show {}", words::row(shape, &row.tag)))
            }
            Wrote::Cells(cells) => {
                let shown = view.rows.get(&row.tag)?;
                cells.iter().find_map(|&(column, node)| {
                    let cell = &row.cells[column];
                    let shows = scope.shown(shape, row, column, shown)?;
                    let says_nothing =
                        || model.is_doubtful(scope, row) || is_given_up(model, scope, row, column, node);
                    (cell.knew(node, shows) && !says_nothing()).then(|| {
                        let name = words::cell(shape, &row.tag, column);
                        format!("it shows {} in {name}", cell.node(shows).mark)
                    })
                })
            }
            Wrote::Death => None,
        }
    })
}
