//! Teams that write offline by day, and sync now and then and in the evening.

use std::sync::Arc;

use super::{HOUR, LINK, MINUTE, Rng, Teller, some_act};
use pocketsync_sim::story::*;

/// Teams of a scope each.
pub struct FieldTeam {
    pub devices: u32,
    pub team: u32,
    pub days: u64,
    pub writes_a_day: u64,
}

impl FieldTeam {
    pub fn tell(&self, seed: u64) -> Arc<Story> {
        let mut rng = Rng(seed);
        let mut teller = Teller::new(seed, self.devices as usize, self.days * 24 * HOUR);
        teller.story.check_every_ms = 10 * MINUTE;
        teller.story.quiet_ms = HOUR;
        for number in 0..self.devices {
            let device = &mut teller.story.devices[number as usize];
            device.scope = number / self.team;
            device.online = false;
            let wrong = rng.below(4 * MINUTE) as i64 - (2 * MINUTE) as i64;
            device.clock = Clock { offset_ms: wrong, drift_ppm: rng.below(100) as i32 - 50 };
            device.link = Link { breaks_per_minute: 0.01, bytes_per_second: 250_000, ..LINK };
            for day in 0..self.days {
                self.day(&mut teller, &mut rng, number, day * 24 * HOUR);
            }
        }
        teller.tell()
    }

    fn day(&self, teller: &mut Teller, rng: &mut Rng, number: u32, dawn: Ms) {
        let writes = self.writes_a_day / 2 + rng.below(self.writes_a_day + 1);
        for _ in 0..writes {
            let at = dawn + 8 * HOUR + rng.below(9 * HOUR);
            teller.write(at, number, rng.below(3) as usize, some_act(rng));
        }
        let device = DeviceNo(number);
        let mut online = |at: Ms, long: Ms, how| {
            teller.at(at, Move::Connect { device });
            teller.at(at + long, Move::Disconnect { device, how });
        };
        for hour in [10, 14] {
            let how = [Cut::Closed, Cut::Silent, Cut::Held][rng.below(3) as usize];
            online(dawn + hour * HOUR + rng.below(2 * HOUR), 5 * MINUTE + rng.below(5 * MINUTE), how);
        }
        online(dawn + 18 * HOUR + rng.below(HOUR), HOUR + rng.below(HOUR), Cut::Closed);
    }
}
