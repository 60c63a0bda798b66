//! The figures of a run. All times are simulated.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::history::{Cause, DeviceView, Event, Fault, Look, Phase};
use crate::shape::RowTag;
use crate::story::{DeviceNo, Ms, Story};

/// The figures of a run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Measures {
    /// How long the run was.
    pub simulated_ms: Ms,
    /// Transactions that applications committed.
    pub transactions: u64,
    /// Rows that they changed.
    pub rows_written: u64,
    /// Conflicts that merges decided.
    pub conflicts: u64,
    /// The largest number of rows that were parked anywhere.
    pub parked_max: u64,
    /// What was done to devices and hub, by name.
    pub faults: BTreeMap<String, u64>,
    /// Bytes by cause, both directions.
    pub traffic: BTreeMap<String, Traffic>,
    /// How many rows looked different on some two devices, at each look.
    pub divergence: Vec<(Ms, u64)>,
    /// From the begin of the quiet period until a look found all devices equal.
    pub converged_after_ms: Option<Ms>,
    /// What each coming back cost.
    pub catch_ups: Vec<CatchUp>,
    #[serde(skip)]
    open: Open,
}

/// Bytes of one cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// To the hub.
    pub up: u64,
    /// From the hub.
    pub down: u64,
}

/// A device was offline, came back, and caught up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CatchUp {
    /// Which.
    pub device: DeviceNo,
    /// How long it had been offline.
    pub offline_ms: Ms,
    /// How long it took from coming online to having caught up.
    pub took_ms: Ms,
    /// Bytes over its link in that time, both directions.
    pub bytes: u64,
    /// Rows that others had written meanwhile.
    pub missed_rows: u64,
}

/// What is going on.
#[derive(Clone, Debug, Default)]
struct Open {
    quiet_at: Option<Ms>,
    rows_written_by: BTreeMap<DeviceNo, u64>,
    rows_written_in: BTreeMap<u32, u64>,
    scopes: Vec<u32>,
    sweep: Option<Sweep>,
    offline: BTreeMap<DeviceNo, Away>,
}

/// What is still going on is not what a run came to, and is not written down.
impl PartialEq for Open {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// The looks at one moment: one of everyone, or one a scope.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Sweep {
    at: Ms,
    differing: u64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Away {
    since: Ms,
    back_at: Option<Ms>,
    bytes: u64,
    others_had_written: u64,
    missed_rows: u64,
}

impl Measures {
    /// Measures of a run of this story.
    pub fn of(story: &Story) -> Self {
        let scopes = story.devices.iter().map(|device| device.scope).collect();
        Measures { open: Open { scopes, ..Open::default() }, ..Measures::default() }
    }

    /// Something happened.
    pub fn saw(&mut self, at: Ms, event: &Event) {
        self.simulated_ms = self.simulated_ms.max(at);
        match event {
            Event::Committed(commit) => {
                let rows = commit.effects.len() as u64;
                self.transactions += 1;
                self.rows_written += rows;
                *self.open.rows_written_by.entry(commit.device).or_default() += rows;
                *self.open.rows_written_in.entry(self.scope_of(commit.device)).or_default() += rows;
            }
            Event::Conflict { .. } => self.conflicts += 1,
            Event::Carried { device, up, bytes, cause } => self.carried(*device, *up, *bytes, *cause),
            Event::Fault(fault) => self.fault(at, fault),
            Event::CaughtUp { device } => self.caught_up(at, *device),
            Event::Status { status, .. } => self.parked_max = self.parked_max.max(status.parked),
            Event::Quiet => self.open.quiet_at = Some(at),
            _ => {}
        }
    }

    fn carried(&mut self, device: DeviceNo, up: bool, bytes: usize, cause: Cause) {
        let name = match cause {
            Cause::Handshake => "handshake",
            Cause::Changes => "changes",
            Cause::Acks => "acks",
            Cause::Heartbeat => "heartbeat",
            Cause::Errors => "errors",
        };
        let traffic = self.traffic.entry(name.to_owned()).or_default();
        *(if up { &mut traffic.up } else { &mut traffic.down }) += bytes as u64;
        if let Some(away) = self.open.offline.get_mut(&device).filter(|away| away.back_at.is_some()) {
            away.bytes += bytes as u64;
        }
    }

    fn fault(&mut self, at: Ms, fault: &Fault) {
        *self.faults.entry(fault.name().to_owned()).or_default() += 1;
        match fault {
            Fault::Disconnected(device) => {
                let others_had_written = self.written_by_others(*device);
                let away = Away { since: at, back_at: None, bytes: 0, others_had_written, missed_rows: 0 };
                self.open.offline.insert(*device, away);
            }
            Fault::Connected(device) => {
                let written = self.written_by_others(*device);
                if let Some(away) = self.open.offline.get_mut(device) {
                    away.back_at = Some(at);
                    away.missed_rows = written - away.others_had_written;
                }
            }
            _ => {}
        }
    }

    fn caught_up(&mut self, at: Ms, device: DeviceNo) {
        let Some(away) = self.open.offline.remove(&device) else { return };
        match away.back_at {
            Some(back_at) => self.catch_ups.push(CatchUp {
                device,
                offline_ms: back_at - away.since,
                took_ms: at - back_at,
                bytes: away.bytes,
                missed_rows: away.missed_rows,
            }),
            // Said of the last session, after its link was gone.
            None => drop(self.open.offline.insert(device, away)),
        }
    }

    /// Rows that others have written in the device's scope.
    fn written_by_others(&self, device: DeviceNo) -> u64 {
        let in_scope = self.open.rows_written_in.get(&self.scope_of(device)).copied().unwrap_or_default();
        in_scope - self.open.rows_written_by.get(&device).copied().unwrap_or_default()
    }

    fn scope_of(&self, device: DeviceNo) -> u32 {
        self.open.scopes.get(device.0 as usize).copied().unwrap_or_default()
    }

    /// How everyone looks. Several looks at one moment, one a scope, count as one.
    pub fn looked(&mut self, at: Ms, look: &Look) {
        self.simulated_ms = self.simulated_ms.max(at);
        let differing = divergence(&look.devices);
        let earlier = self.open.sweep.filter(|sweep| sweep.at == at).map(|sweep| sweep.differing);
        let differing = differing + earlier.unwrap_or_default();
        self.open.sweep = Some(Sweep { at, differing });
        match (earlier, self.divergence.last_mut()) {
            (Some(_), Some(last)) => last.1 = differing,
            _ => self.divergence.push((at, differing)),
        }
        match self.open.quiet_at {
            Some(quiet_at) if look.phase != Phase::During => {
                if differing > 0 {
                    self.converged_after_ms = None;
                } else {
                    self.converged_after_ms.get_or_insert(at - quiet_at);
                }
            }
            _ => {}
        }
    }
}

/// How many rows of each scope are not the same on all of its devices.
fn divergence(devices: &[DeviceView]) -> u64 {
    let mut scopes: BTreeMap<u32, Vec<&DeviceView>> = BTreeMap::new();
    for device in devices {
        scopes.entry(device.scope).or_default().push(device);
    }
    let in_scope = |devices: &Vec<&DeviceView>| {
        let (first, others) = devices.split_first()?;
        let mut differing: BTreeSet<&RowTag> = BTreeSet::new();
        for other in others {
            let mine = first.rows.iter().filter(|(tag, row)| other.rows.get(tag) != Some(row));
            let theirs = other.rows.keys().filter(|tag| !first.rows.contains_key(tag));
            differing.extend(mine.map(|(tag, _)| tag).chain(theirs));
        }
        Some(differing.len() as u64)
    };
    scopes.values().filter_map(in_scope).sum()
}
