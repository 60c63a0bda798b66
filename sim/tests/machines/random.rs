//! Stories at random: everything at once.

use std::sync::Arc;

use crate::support::{LINK, MINUTE, Rng, SECOND, Teller, must_converge};
use pocketsync_sim::story::*;

fn story(seed: u64) -> Arc<Story> {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9) ^ 0x5eed);
    let count = 2 + rng.below(5) as usize;
    let end = 12 * MINUTE;
    let mut teller = Teller::new(seed, count, end);
    for device in &mut teller.story.devices {
        device.online = rng.below(4) > 0;
        device.from = if rng.below(4) == 0 { rng.below(end / 2) } else { 0 };
        let offset_ms = rng.below(1_200_000) as i64 - 600_000;
        device.clock = Clock { offset_ms, drift_ppm: rng.below(400) as i32 - 200 };
        if rng.below(3) == 0 {
            device.link = Link { breaks_per_minute: 1.0, duplicate: 0.01, reorder: 0.01, ..LINK };
        }
        if rng.below(3) == 0 {
            device.link.bytes_per_second = 1_000 + rng.below(20_000);
            device.link.max_frame_bytes = 256 << rng.below(6);
        }
    }
    let copies = rng.below(2);
    let originals = count as u64;
    for copy in 0..copies {
        let original = rng.below(originals) as u32;
        let more = teller.story.devices[original as usize].clone();
        teller.story.devices.push(more);
        let copy = DeviceNo((originals + copy) as u32);
        teller.at(MINUTE + rng.below(8 * MINUTE), Move::Clone { device: DeviceNo(original), copy });
    }
    teller.chatter(SECOND, end - SECOND, 3 * SECOND);
    for _ in 0..rng.below(25) {
        let at = rng.below(end);
        let device = DeviceNo(rng.below(originals + copies) as u32);
        let point =
            [CrashPoint::Now, CrashPoint::BeforeCommit, CrashPoint::AfterCommit][rng.below(3) as usize];
        let down_ms = rng.below(MINUTE);
        let how = [Cut::Closed, Cut::Silent, Cut::Held][rng.below(3) as usize];
        let what = match rng.below(100) {
            0..20 => Move::Disconnect { device, how },
            20..45 => Move::Connect { device },
            45..60 => Move::Crash { device, point, down_ms },
            60..67 => Move::CrashHub { point, down_ms },
            67..77 => Move::Backup { device },
            77..85 => Move::Restore { device },
            85..89 => Move::BackupHub,
            89..92 => Move::RestoreHub { down_ms },
            92..93 => Move::Lose { device },
            _ => Move::SetClock { device, offset_ms: rng.below(4_000_000) as i64 - 2_000_000 },
        };
        teller.at(at, what);
    }
    teller.tell()
}

#[test]
fn random_stories_come_to_a_good_end() {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60);
    let first: u64 = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    for seed in first..first + seeds {
        must_converge(&story(seed));
    }
}
