//! Which devices meet when, where there is no hub.

use super::draw::Draw;
use super::timeline::Life;
use super::{DeviceNo, Move, Ms, Planned};
use crate::scenario::Scenario;

/// The meetings that a device seeks while it is online: each with one of its neighbours that exist then.
pub(super) fn of(scenario: &Scenario, seed: u64, device: u32, lives: &[Life], moves: &mut Vec<Planned>) {
    if scenario.topology.has_hub() {
        return;
    }
    let meetings = scenario.meetings.clone().unwrap_or_default();
    let mut draw = Draw::new(seed, "meetings", device.into());
    let no = DeviceNo(device);
    let life = &lives[device as usize];
    for online in &life.online {
        let mut at = online.from + draw.between(0, meetings.every.to.0);
        while at < online.to {
            let neighbours = scenario.topology.neighbours(no, &existing(lives, life.scope, at));
            if let Some(&with) = neighbours.get(draw.index(neighbours.len())) {
                let most_ms = draw.span(meetings.lasts);
                moves.push(Planned { at, what: Move::Meet { device: no, with, most_ms } });
            }
            at = at.saturating_add(draw.span(meetings.every)).max(at + 1);
        }
    }
}

/// The devices of a scope that exist at that time.
fn existing(lives: &[Life], scope: u32, at: Ms) -> Vec<DeviceNo> {
    let lives = lives.iter().zip(0..);
    let there = lives.filter(|(life, _)| life.scope == scope && (life.from..life.to).contains(&at));
    there.map(|(_, device)| DeviceNo(device)).collect()
}
