//! The same story, the same run.

use crate::support::{FieldTeam, LINK, MINUTE, SECOND, Teller, must_converge};
use pocketsync_sim::story::*;

fn small() -> std::sync::Arc<Story> {
    let mut teller = Teller::new(7, 3, 5 * MINUTE);
    for device in &mut teller.story.devices {
        device.link = Link { breaks_per_minute: 0.5, duplicate: 0.01, bytes_per_second: 9_000, ..LINK };
        device.clock = Clock { offset_ms: 40_000, drift_ppm: -80 };
    }
    teller.chatter(SECOND, 5 * MINUTE, 2 * SECOND);
    let crash = |point| Move::Crash { device: DeviceNo(1), point, down_ms: 4 * SECOND };
    teller.at(2 * MINUTE, crash(CrashPoint::AfterCommit));
    teller.at(3 * MINUTE, Move::CrashHub { point: CrashPoint::Now, down_ms: SECOND });
    teller.tell()
}

#[test]
fn a_story_gives_the_same_trace_every_time() {
    let team = FieldTeam { devices: 24, team: 8, days: 1, writes_a_day: 6 };
    for seed in 0..2 {
        let story = team.tell(seed);
        let (first, second) = (must_converge(&story).0, must_converge(&story).0);
        assert_eq!(first.trace_hash, second.trace_hash);
        assert_eq!(first.measures, second.measures);
    }
    assert_ne!(must_converge(&team.tell(0)).0.trace_hash, must_converge(&team.tell(1)).0.trace_hash);
}

/// The hash is the same on every machine. Where frames or events change on purpose, put in the hash
/// that the failure shows.
#[test]
fn the_trace_is_the_same_on_every_machine() {
    let (outcome, _) = must_converge(&small());
    assert_eq!(outcome.trace_hash, "7842be4d9cb17dee6d506096f133ac877f76b686ff12b1000e91891f366c43b6");
}
