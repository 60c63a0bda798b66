//! Looking at everyone.
//!
//! A look in passing reads rows and counts. A close look, in the quiet period, also asks SQLite
//! whether the files are sound, and every replica what it has merged.

use std::collections::BTreeMap;
use std::path::Path;

use pocketsync_core::store::STAGING_BYTES;
use rusqlite::Connection;

use super::Stop;
use super::device::{Device, Life};
use super::logged;
use super::merged;
use super::parts::Parts;
use super::run::Run;
use crate::app::{self, Snapshot};
use crate::history::{DeviceView, Event, HubView, Look, Phase};
use crate::oracle::shows_same;
use crate::shape::Shape;

/// How many complaints about a file are told.
const COMPLAINTS: usize = 5;
/// What may come on top of what is kept aside before it is merged in parts: the largest message.
const ONE_MORE_BYTES: u64 = 64 << 20;

impl<P: Parts> Run<'_, P> {
    /// Looks at rows and statuses.
    pub(super) fn look_in_passing(&mut self) -> Result<(), Stop> {
        let look = Look { phase: Phase::During, devices: self.views(false)?, hub: Vec::new() };
        self.gauge(&look);
        let at = self.time.ms();
        self.judge.looked(at, &look);
        Ok(())
    }

    /// Looks at everything, and says whether all replicas are the same. If so, or if this is the
    /// `last` look, it is the one at the end.
    pub(super) fn look_closely(&mut self, last: bool) -> Result<bool, Stop> {
        let devices = self.views(true)?;
        let mut hub = Vec::new();
        if self.hub.life.is_some() {
            self.hub.clock.tell_thread();
            let mut scopes: Vec<u32> = devices.iter().map(|view| view.scope).collect();
            scopes.sort_unstable();
            scopes.dedup();
            let merged = merged::of_hub(&self.hub.file, &self.dir, &scopes, &self.shape.unshared())?;
            let mut logs = logged::of_hub(&self.hub.file)?;
            hub.extend(merged.into_iter().map(|(scope, clocks)| {
                let conflicts = Some(logs.remove(&scope).unwrap_or_default());
                HubView { scope, clocks, conflicts }
            }));
        }
        let settled = are_same(self.shape, &devices, &hub);
        let phase = if settled || last { Phase::Settled } else { Phase::Quieting };
        let look = Look { phase, devices, hub };
        self.gauge(&look);
        let at = self.time.ms();
        self.judge.looked(at, &look);
        Ok(settled)
    }

    fn views(&self, closely: bool) -> Result<Vec<DeviceView>, Stop> {
        let running = self.devices.iter().filter_map(|device| Some((device, device.life.as_ref()?)));
        running.map(|(device, life)| self.view(device, life, closely)).collect()
    }

    fn view(&self, device: &Device, life: &Life, closely: bool) -> Result<DeviceView, Stop> {
        let failed = |error: rusqlite::Error| Stop::failed("cannot look at a device", error);
        device.clock.tell_thread();
        let shown = Snapshot::read(&life.app, self.shape).map_err(failed)?;
        let told = life.replica.status().map_err(|error| Stop::failed("cannot look at a replica", error))?;
        let parked = told
            .parked_rows
            .iter()
            .map(|parked| format!("{} {:?}: {}", parked.table, parked.row, parked.reason));
        let status = device.told_status(&**self.parts, &self.dir).map(|(_, view)| view);
        let mut parked: Vec<String> = parked.collect();
        parked.sort_unstable();
        Ok(DeviceView {
            device: device.no,
            scope: device.scope,
            version: shown.version(),
            rows: shown.into_rows(),
            parked: Some(parked),
            clocks: match closely {
                true => merged::of_device(&device.file, &self.dir, device.scope, &self.shape.unshared())?,
                false => BTreeMap::new(),
            },
            journal: Some(told.journal),
            complaints: match closely {
                true => Some(complaints(&device.file).map_err(failed)?),
                false => None,
            },
            derived: match closely {
                true => Some(app::complaints(&life.app, self.shape).map_err(failed)?),
                false => None,
            },
            conflicts: match closely {
                true => Some(logged::of_device(&life.replica)?),
                false => None,
            },
            staged_bytes: staged_bytes(&life.app).map_err(failed)?,
            status: status.expect("a device that lives has a client"),
            whole: device.caught_up && !told.peers.iter().any(|peer| peer.catching_up),
        })
    }

    fn gauge(&mut self, look: &Look) {
        let staged: Vec<_> = look.devices.iter().map(|view| (view.device, view.staged_bytes)).collect();
        for (device, value) in staged.into_iter().filter(|(_, value)| *value > 0) {
            let (device, bound) = (Some(device), STAGING_BYTES as u64 + ONE_MORE_BYTES);
            self.saw(&Event::Gauge { name: "staged bytes", device, value, bound });
        }
    }
}

fn are_same(shape: &Shape, devices: &[DeviceView], hub: &[HubView]) -> bool {
    let mut first: BTreeMap<u32, &DeviceView> = BTreeMap::new();
    let same = |view: &&DeviceView, first: &mut BTreeMap<u32, &DeviceView>| match first.get(&view.scope) {
        None => false,
        Some(other) => shows_same(shape, view, other) && view.clocks == other.clocks,
    };
    for view in devices {
        first.entry(view.scope).or_insert(view);
        if !same(&view, &mut first) || !view.whole {
            return false;
        }
    }
    hub.iter().all(|hub| first.get(&hub.scope).is_some_and(|view| view.clocks == hub.clocks))
}

fn staged_bytes(app: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(sum(length(body)), 0) FROM __pocketsync_staging";
    app.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// What is wrong with a file, by SQLite's own judgement. A connection that has used a full-text index before
/// remembers what it looked like: its check does not ask whether others have changed it.
fn complaints(file: &Path) -> rusqlite::Result<Vec<String>> {
    let app = app::open(file)?;
    let mut complaints: Vec<String> = app
        .prepare_cached("PRAGMA integrity_check")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    complaints.retain(|complaint| complaint != "ok");
    let mut check = app.prepare_cached("PRAGMA foreign_key_check")?;
    let dangling = check.query_map([], |row| {
        let (table, row, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("row {row:?} of {table} refers to no row of {parent}"))
    })?;
    for complaint in dangling {
        complaints.push(complaint?);
    }
    complaints.truncate(COMPLAINTS);
    Ok(complaints)
}
