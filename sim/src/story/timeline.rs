//! When a device is online.

use super::draw::Draw;
use super::{Cut, Ms};
use crate::scenario::{HowCut, Scenario, Window};

/// A time in which a device is online.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Online {
    pub(super) from: Ms,
    /// The first moment at which it is not.
    pub(super) to: Ms,
    /// How its link goes then.
    pub(super) cut: Cut,
}

/// When a device exists, and when it is online meanwhile.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Life {
    pub(super) scope: u32,
    pub(super) from: Ms,
    /// When it is destroyed, or the quiet period begins.
    pub(super) to: Ms,
    pub(super) lost: bool,
    /// In the order of time; between two of them the device is offline.
    pub(super) online: Vec<Online>,
}

impl Life {
    /// Takes away everything before `from` and after `to`.
    pub(super) fn clip(&mut self, from: Ms, to: Ms) {
        self.from = self.from.max(from);
        self.to = self.to.min(to);
        for online in &mut self.online {
            online.from = online.from.max(from);
            online.to = online.to.min(to);
        }
        self.online.retain(|online| online.from < online.to);
    }

    /// A moment in the middle of its life: mostly while it is online, or just before or after.
    pub(super) fn moment(&self, draw: &mut Draw) -> Ms {
        let last = self.to.saturating_sub(1).max(self.from);
        let total: Ms = self.online.iter().map(|online| online.to - online.from).sum();
        if total == 0 || draw.chance(0.1) {
            return draw.between(self.from, last);
        }
        let mut left = draw.between(0, total - 1);
        let mut at = self.from;
        for online in &self.online {
            let length = online.to - online.from;
            at = online.from + left.min(length);
            if left < length {
                break;
            }
            left -= length;
        }
        // The edges of sessions are where things go wrong.
        if draw.chance(0.2) {
            at = (at.saturating_sub(300) + draw.between(0, 600)).clamp(self.from, last);
        }
        at.clamp(self.from, last)
    }
}

/// When device number `device` of `scope` is online, from the begin of the run to `end`.
pub(super) fn online(scenario: &Scenario, seed: u64, device: u32, scope: u32, end: Ms) -> Vec<Online> {
    let presence = &scenario.presence;
    let mut draw = Draw::new(seed, "presence", device.into());
    let whole = Online { from: 0, to: end, cut: pick(&mut draw, presence.cut) };
    let mut online = match presence.turns() {
        None => vec![whole],
        Some((_, _, true)) => {
            let shared = turns(scenario, &mut Draw::new(seed, "presence of a scope", scope.into()), end);
            shared.into_iter().map(|turn| shifted(scenario, turn, &mut draw)).collect()
        }
        Some((_, _, false)) => turns(scenario, &mut draw, end),
    };
    if presence.turns().is_some() {
        online.retain(|_| !draw.chance(presence.absent));
    }
    let mut draw = Draw::new(seed, "windows", device.into());
    let partitions = scenario.network.partitions.iter();
    for window in partitions.chain(&presence.windows).filter(|window| window.devices.contains(device)) {
        online = without(online, window, &mut draw);
    }
    online.retain(|online| online.from < online.to);
    online
}

/// For how long, in some run, a device is online.
pub(crate) fn online_ms(scenario: &Scenario, device: u32) -> Ms {
    let online = online(scenario, 0, device, device % scenario.scopes.max(1), scenario.length.0);
    online.iter().map(|online| online.to - online.from).sum()
}

fn pick(draw: &mut Draw, cut: HowCut) -> Cut {
    let cuts = cut.cuts();
    cuts[draw.index(cuts.len())]
}

/// Online and offline by turns. Whoever comes and goes with others begins online, so that they have
/// something in common; the others begin anywhere.
fn turns(scenario: &Scenario, draw: &mut Draw, end: Ms) -> Vec<Online> {
    let Some((online, offline, together)) = scenario.presence.turns() else { return Vec::new() };
    let mut turns = Vec::new();
    let mut at = 0;
    let longest = (online.to.0 + offline.to.0).max(1);
    if !together && draw.chance(offline.to.0 as f64 / longest as f64) {
        at = draw.between(0, offline.to.0);
    }
    while at < end {
        let to = at.saturating_add(draw.span(online)).min(end);
        turns.push(Online { from: at, to, cut: pick(draw, scenario.presence.cut) });
        at = to.saturating_add(draw.span(offline)).max(at + 1);
    }
    turns
}

/// Comes a little later than the others, and goes a little earlier.
fn shifted(scenario: &Scenario, turn: Online, draw: &mut Draw) -> Online {
    let fifth = (turn.to - turn.from) / 5;
    let from = turn.from + draw.between(0, fifth);
    let to = turn.to - draw.between(0, fifth);
    Online { from, to, cut: pick(draw, scenario.presence.cut) }
}

/// What is left of being online outside of a window.
fn without(online: Vec<Online>, window: &Window, draw: &mut Draw) -> Vec<Online> {
    let cut = pick(draw, window.cut);
    let parts = |online: Online| {
        let before = Online { from: online.from, to: online.to.min(window.from.0), cut };
        let before = if online.to <= window.from.0 { online } else { before };
        let after = Online { from: online.from.max(window.to.0), ..online };
        [before, after].into_iter().filter(|part| part.from < part.to)
    };
    online.into_iter().flat_map(parts).collect()
}
