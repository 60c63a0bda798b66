//! What goes wrong, with whom and when.

use std::collections::BTreeMap;

use super::draw::Draw;
use super::timeline::{Life, online};
use super::{DeviceNo, Move, Ms, Planned};
use crate::scenario::Scenario;

/// How often a time is drawn again before a fault is left out.
const TRIES: usize = 20;

/// Destroys devices: shortens their lives. The last one of a scope stays, and so do those that
/// come late, which have seen too little to be missed.
pub(super) fn lose(scenario: &Scenario, seed: u64, lives: &mut [Life], moves: &mut Vec<Planned>) {
    let mut draw = Draw::new(seed, "lost", 0);
    let many = draw.amount(scenario.faults.lost);
    let can_go = |life: &Life| !life.lost && life.from == 0;
    let mut left: BTreeMap<u32, usize> = BTreeMap::new();
    for life in lives.iter().filter(|life| can_go(life)) {
        *left.entry(life.scope).or_default() += 1;
    }
    for _ in 0..many {
        let goes = |device: &usize| can_go(&lives[*device]) && left[&lives[*device].scope] > 1;
        let candidates: Vec<usize> = (0..lives.len()).filter(goes).collect();
        let Some(&device) = candidates.get(draw.index(candidates.len())) else { return };
        let life = &mut lives[device];
        let at = life.moment(&mut draw).max(life.to / 4).min(life.to.saturating_sub(1));
        life.clip(0, at);
        life.lost = true;
        left.entry(life.scope).and_modify(|left| *left -= 1);
        moves.push(Planned { at, what: Move::Lose { device: number(device) } });
    }
}

/// Copies devices to new ones: adds lives.
pub(super) fn copy(scenario: &Scenario, seed: u64, end: Ms, lives: &mut Vec<Life>, moves: &mut Vec<Planned>) {
    let mut draw = Draw::new(seed, "clones", 0);
    let originals = lives.len();
    for _ in 0..draw.amount(scenario.faults.clones) {
        let device = draw.index(originals);
        let life = &lives[device];
        let at = life.moment(&mut draw).max(life.from + 1);
        if at >= life.to || at + 1 >= end {
            continue;
        }
        let (scope, copy) = (life.scope, lives.len());
        let online = online(scenario, seed, copy as u32, scope, end);
        let mut life = Life { scope, from: 0, to: end, lost: false, online };
        life.clip(at, end);
        lives.push(life);
        moves.push(Planned { at, what: Move::Clone { device: number(device), copy: number(copy) } });
    }
}

/// Kills, restores and wrong clocks.
pub(super) fn strike(scenario: &Scenario, seed: u64, end: Ms, lives: &[Life], moves: &mut Vec<Planned>) {
    let faults = &scenario.faults;
    // Nothing is done to a device at the moment at which it first exists, or is copied.
    let mut devices: Vec<Busy> =
        lives.iter().map(|life| Busy { taken: vec![(life.from, life.from)] }).collect();
    for planned in moves.iter() {
        if let Move::Clone { device, .. } = planned.what {
            devices[device.0 as usize].taken.push((planned.at, planned.at));
        }
    }
    let mut hub = Busy::default();
    let mut draw = Draw::new(seed, "restores", 0);
    for _ in 0..draw.amount(faults.restores) {
        let device = draw.index(lives.len());
        let life = &lives[device];
        if let Some((backup, restore)) = devices[device].pair(&mut draw, |draw| life.moment(draw)) {
            moves.push(Planned { at: backup, what: Move::Backup { device: number(device) } });
            moves.push(Planned { at: restore, what: Move::Restore { device: number(device) } });
        }
    }
    let mut draw = Draw::new(seed, "hub restores", 0);
    let mut hub_moment = |draw: &mut Draw| lives[draw.index(lives.len())].moment(draw);
    for _ in 0..draw.amount(faults.hub_restores) {
        if let Some((backup, restore)) = hub.pair(&mut draw, &mut hub_moment) {
            let down_ms = down(scenario, &mut draw, restore, end);
            hub.taken.push((restore, restore + down_ms));
            moves.push(Planned { at: backup, what: Move::BackupHub });
            moves.push(Planned { at: restore, what: Move::RestoreHub { down_ms } });
        }
    }
    let mut draw = Draw::new(seed, "hub crashes", 0);
    for _ in 0..draw.amount(faults.hub_crashes) {
        let Some(point) = point(scenario, &mut draw) else { break };
        let drawn = hub.free(&mut draw, |draw| {
            let at = hub_moment(draw);
            (at, at + down(scenario, draw, at, end))
        });
        if let Some((at, up)) = drawn {
            moves.push(Planned { at, what: Move::CrashHub { point, down_ms: up - at } });
        }
    }
    let mut draw = Draw::new(seed, "crashes", 0);
    for _ in 0..draw.amount(faults.crashes) {
        let device = draw.index(lives.len());
        let life = &lives[device];
        let Some(point) = point(scenario, &mut draw) else { break };
        let drawn = devices[device].free(&mut draw, |draw| {
            let at = life.moment(draw);
            (at, at + down(scenario, draw, at, life.to))
        });
        if let Some((at, up)) = drawn {
            moves.push(Planned { at, what: Move::Crash { device: number(device), point, down_ms: up - at } });
        }
    }
    let mut draw = Draw::new(seed, "clock jumps", 0);
    for _ in 0..draw.amount(scenario.clocks.jumps) {
        let device = draw.index(lives.len());
        let at = lives[device].moment(&mut draw);
        let offset_ms = draw.skew(scenario.clocks.jump_to);
        moves.push(Planned { at, what: Move::SetClock { device: number(device), offset_ms } });
    }
}

fn number(device: usize) -> DeviceNo {
    DeviceNo(device as u32)
}

fn point(scenario: &Scenario, draw: &mut Draw) -> Option<super::CrashPoint> {
    let points = &scenario.faults.crash_points;
    points.get(draw.index(points.len())).copied()
}

/// How long something is down that goes down at `at`: up again before `end`.
fn down(scenario: &Scenario, draw: &mut Draw, at: Ms, end: Ms) -> Ms {
    draw.span(scenario.faults.downtime).min(end.saturating_sub(at + 1))
}

/// When something is being done to a device, or to the hub: nothing else is done to it then.
#[derive(Default)]
struct Busy {
    taken: Vec<(Ms, Ms)>,
}

impl Busy {
    fn is_free(&self, from: Ms, to: Ms) -> bool {
        self.taken.iter().all(|(begin, end)| to < *begin || *end < from)
    }

    /// A time that is free, and takes it.
    fn free(&mut self, draw: &mut Draw, mut time: impl FnMut(&mut Draw) -> (Ms, Ms)) -> Option<(Ms, Ms)> {
        let found = (0..TRIES).map(|_| time(draw)).find(|(from, to)| self.is_free(*from, *to))?;
        self.taken.push(found);
        Some(found)
    }

    /// Two moments that are free, the second one later, and takes them.
    fn pair(&mut self, draw: &mut Draw, mut moment: impl FnMut(&mut Draw) -> Ms) -> Option<(Ms, Ms)> {
        let mut two = || {
            let (one, other) = (moment(draw), moment(draw));
            (one.min(other), one.max(other))
        };
        let fits = |(first, second): &(Ms, Ms)| {
            first < second && self.is_free(*first, *first) && self.is_free(*second, *second)
        };
        let found = (0..TRIES).map(|_| two()).find(fits)?;
        self.taken.extend([(found.0, found.0), (found.1, found.1)]);
        Some(found)
    }
}
