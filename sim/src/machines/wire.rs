//! What a link does to frames.

use super::cause::Sorter;
use super::draw::{Draw, Purpose};
use crate::story::{Link as Nature, Ms};

/// Which way a frame goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Up,
    Down,
}

/// One link, while it is open.
pub(super) struct Wire {
    nature: Nature,
    lanes: [Lane; 2],
}

struct Lane {
    draw: Draw,
    sorter: Sorter,
    /// When the last frame arrives: order is kept.
    arrived: Ms,
    /// When the last frame is on its way.
    sent: Ms,
}

/// When a frame arrives.
pub(super) struct Transit {
    /// When the link has taken it.
    pub(super) sent_at: Ms,
    pub(super) at: Ms,
    /// When it arrives a second time.
    pub(super) again_at: Option<Ms>,
    /// Whether it overtakes another.
    pub(super) overtakes: bool,
}

impl Wire {
    pub(super) fn new(seed: u64, device: usize, link: u32, nature: Nature) -> Self {
        let lane = |purpose| Lane {
            draw: Draw::new(seed, purpose, device as u64, u64::from(link)),
            sorter: Sorter::default(),
            arrived: 0,
            sent: 0,
        };
        Wire { nature, lanes: [lane(Purpose::Up), lane(Purpose::Down)] }
    }

    pub(super) fn sorter(&mut self, way: Way) -> &mut Sorter {
        &mut self.lanes[way as usize].sorter
    }

    /// Takes a frame. While `calm`, nothing happens to it that a transport promises not to do.
    pub(super) fn take(&mut self, now: Ms, way: Way, bytes: usize, calm: bool) -> Transit {
        let Nature { latency_min_ms, latency_max_ms, bytes_per_second, duplicate, reorder, .. } = self.nature;
        let lane = &mut self.lanes[way as usize];
        let takes = match bytes_per_second {
            0 => 0,
            limit => (bytes as u64).saturating_mul(1_000).div_ceil(limit),
        };
        lane.sent = lane.sent.max(now) + takes;
        let delay = lane.draw.skewed(latency_min_ms.into(), latency_max_ms.into());
        let (overtakes, twice) = (lane.draw.chance(reorder), lane.draw.chance(duplicate));
        let mut transit =
            Transit { sent_at: lane.sent, at: lane.sent + delay, again_at: None, overtakes: false };
        if overtakes && !calm && lane.arrived > now {
            transit.at = lane.arrived - 1;
            transit.overtakes = true;
        } else {
            transit.at = transit.at.max(lane.arrived);
            lane.arrived = transit.at;
        }
        if twice && !calm {
            transit.again_at = Some(transit.at + lane.draw.skewed(0, delay));
        }
        transit
    }

    /// Nothing that is sent from now on arrives before `at`.
    pub(super) fn not_before(&mut self, at: Ms) {
        for lane in &mut self.lanes {
            lane.arrived = lane.arrived.max(at);
        }
    }

    /// When the other side hears that the link was closed: after all that was sent before.
    pub(super) fn end(&mut self, now: Ms, way: Way) -> Ms {
        let lane = &mut self.lanes[way as usize];
        let delay = lane.draw.skewed(self.nature.latency_min_ms.into(), self.nature.latency_max_ms.into());
        lane.arrived.max(now + delay) + 1
    }
}

/// How long it takes to open a link: a round trip.
pub(super) fn opening(seed: u64, device: usize, attempt: u32, nature: &Nature) -> Ms {
    let mut draw = Draw::new(seed, Purpose::Up, device as u64, u64::from(attempt) | 1 << 32);
    let mut one_way = || draw.skewed(nature.latency_min_ms.into(), nature.latency_max_ms.into());
    one_way() + one_way()
}

/// After how long a link breaks by itself; `None` if not for days.
pub(super) fn breaks_after(seed: u64, device: usize, link: u32, nature: &Nature) -> Option<Ms> {
    if nature.breaks_per_minute <= 0.0 {
        return None;
    }
    let mut draw = Draw::new(seed, Purpose::Breaks, device as u64, u64::from(link));
    // Slots short enough that at most one break falls into one; no logarithm, which is not the same
    // everywhere.
    let slots = ((nature.breaks_per_minute * 10.0) as u64).clamp(1, 60_000);
    let slot_ms = 60_000 / slots;
    let chance = nature.breaks_per_minute / slots as f64;
    let slot = (0..4_096).find(|_| draw.chance(chance))?;
    Some(slot * slot_ms + draw.below(slot_ms) + 1)
}
