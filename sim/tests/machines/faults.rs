//! One story a fault: each must come to a good end, and the fault must have happened.

use crate::support::{HOUR, LINK, MINUTE, SECOND, Seen, Teller, must_converge};
use pocketsync_sim::outcome::Outcome;
use pocketsync_sim::story::*;

fn d(number: u32) -> DeviceNo {
    DeviceNo(number)
}

/// Four devices that write for ten minutes, and what happens to them.
fn told(seed: u64, faults: impl FnOnce(&mut Teller)) -> (Outcome, Seen) {
    let mut teller = Teller::new(seed, 4, 11 * MINUTE);
    teller.chatter(SECOND, 10 * MINUTE, 4 * SECOND);
    faults(&mut teller);
    let (outcome, seen) = must_converge(&teller.tell());
    assert!(outcome.measures.transactions > 50 && seen.events["acknowledged"] > 10);
    (outcome, seen)
}

fn happened(outcome: &Outcome, fault: &str) -> u64 {
    outcome.measures.faults.get(fault).copied().unwrap_or_default()
}

#[test]
fn nothing_fails() {
    let (outcome, seen) = told(1, |_| {});
    assert!(outcome.measures.faults.is_empty(), "{:?}", outcome.measures.faults);
    assert_eq!(seen.statuses.len(), 4);
    assert!(outcome.measures.converged_after_ms.unwrap() < 5 * SECOND);
}

#[test]
fn devices_go_offline_in_every_way() {
    for (seed, how) in [(2, Cut::Closed), (3, Cut::Silent), (4, Cut::Held)] {
        for away in [10 * SECOND, 3 * MINUTE] {
            let (outcome, _) = told(seed, |teller| {
                for number in 0..4 {
                    let at = MINUTE + u64::from(number) * 20 * SECOND;
                    teller.at(at, Move::Disconnect { device: d(number), how });
                    teller.at(at + away, Move::Connect { device: d(number) });
                }
            });
            assert_eq!(happened(&outcome, "disconnected"), 4);
            assert_eq!(happened(&outcome, "connected"), 4);
        }
    }
}

#[test]
fn a_device_that_stays_offline_comes_back_in_the_end() {
    let (_, seen) = told(5, |teller| {
        teller.at(MINUTE, Move::Disconnect { device: d(0), how: Cut::Silent });
    });
    assert!(seen.events["offline"] > 0);
}

#[test]
fn devices_crash_at_every_point() {
    for point in [CrashPoint::Now, CrashPoint::BeforeCommit, CrashPoint::AfterCommit] {
        let (outcome, _) = told(6, |teller| {
            for turn in 0..16 {
                let (device, at) = (d(turn % 4), MINUTE + u64::from(turn) * 29 * SECOND);
                teller.at(at, Move::Crash { device, point, down_ms: 5 * SECOND });
            }
        });
        assert!(happened(&outcome, "crashed") >= 12, "{:?}", outcome.measures.faults);
        assert_eq!(happened(&outcome, "crashed"), happened(&outcome, "restarted"));
    }
}

#[test]
fn the_hub_crashes_at_every_point() {
    for point in [CrashPoint::Now, CrashPoint::BeforeCommit, CrashPoint::AfterCommit] {
        let (outcome, _) = told(7, |teller| {
            for turn in 0..10 {
                teller.at(MINUTE + turn * 50 * SECOND, Move::CrashHub { point, down_ms: 7 * SECOND });
            }
        });
        assert_eq!(happened(&outcome, "hub_crashed"), 10);
    }
}

#[test]
fn the_hub_is_down_when_the_quiet_period_begins() {
    told(8, |teller| {
        teller.at(10 * MINUTE, Move::CrashHub { point: CrashPoint::Now, down_ms: 24 * HOUR });
    });
}

#[test]
fn a_device_is_restored_from_a_backup() {
    for seed in 10..16 {
        let (outcome, _) = told(seed, |teller| {
            teller.at(2 * MINUTE, Move::Backup { device: d(1) });
            teller.at(5 * MINUTE, Move::Restore { device: d(1) });
            teller.at(7 * MINUTE, Move::Restore { device: d(1) });
            teller.at(7 * MINUTE, Move::Restore { device: d(2) });
        });
        assert_eq!(happened(&outcome, "restored"), 2, "a device without a copy is left alone");
    }
}

#[test]
fn a_device_is_cloned() {
    for seed in 20..26 {
        let (_, seen) = told(seed, |teller| {
            let more = Device { from: 0, ..teller.story.devices[0].clone() };
            teller.story.devices.push(more);
            teller.at(4 * MINUTE, Move::Clone { device: d(0), copy: d(4) });
            for second in 241..360 {
                teller.write(second * SECOND, 4, 0, Act::Insert);
            }
        });
        assert_eq!(seen.statuses.len(), 5);
    }
}

#[test]
fn the_hub_is_restored_from_a_backup() {
    for seed in 30..36 {
        let (outcome, _) = told(seed, |teller| {
            teller.at(2 * MINUTE, Move::BackupHub);
            teller.at(5 * MINUTE, Move::RestoreHub { down_ms: 10 * SECOND });
            teller.at(8 * MINUTE, Move::RestoreHub { down_ms: SECOND });
        });
        assert_eq!(happened(&outcome, "hub_restored"), 2);
    }
}

#[test]
fn a_lost_device_is_not_waited_for() {
    let (outcome, seen) = told(40, |teller| {
        teller.at(3 * MINUTE, Move::Lose { device: d(3) });
        teller.at(4 * MINUTE, Move::Connect { device: d(3) });
    });
    assert_eq!(happened(&outcome, "lost"), 1);
    assert_eq!(seen.settled, 1);
}

#[test]
fn clocks_are_wrong_and_are_set() {
    for seed in 50..56 {
        let (outcome, _) = told(seed, |teller| {
            for (number, offset_ms) in [(0, -86_400_000), (1, 3_600_000), (2, 1_500), (3, -400_000)] {
                teller.story.devices[number].clock = Clock { offset_ms, drift_ppm: 200 };
            }
            for turn in 0..8 {
                let (device, offset_ms) = (d(turn % 4), (i64::from(turn) - 4) * 1_000_000);
                teller.at(MINUTE + u64::from(turn) * MINUTE, Move::SetClock { device, offset_ms });
            }
        });
        assert_eq!(happened(&outcome, "clock_set"), 8);
    }
}

/// The client notices before it does anything else, so what it learns of its clock when it connects
/// is of the clock as it is now, and later writes are stamped by that.
#[test]
fn a_clock_that_is_set_just_before_a_link_opens_is_corrected() {
    for seed in 0..20 {
        let mut teller = Teller::new(seed, 2, MINUTE);
        teller.transact(SECOND, 0, &[(0, Act::Insert)]);
        teller.at(5 * SECOND, Move::Disconnect { device: d(0), how: Cut::Closed });
        teller.at(10 * SECOND, Move::SetClock { device: d(0), offset_ms: 300_000_000_000 });
        teller.at(10 * SECOND + 1, Move::Connect { device: d(0) });
        teller.transact(12 * SECOND, 0, &[(0, Act::Update(1))]);
        // What was offered and not heard of cannot be corrected any more.
        teller.at(12 * SECOND + 3, Move::Disconnect { device: d(0), how: Cut::Silent });
        must_converge(&teller.tell());
    }
}

#[test]
fn a_bad_transport_breaks_doubles_and_reorders() {
    let (outcome, _) = told(60, |teller| {
        for device in &mut teller.story.devices {
            device.link = Link { breaks_per_minute: 2.0, duplicate: 0.02, reorder: 0.02, ..LINK };
        }
    });
    assert!(happened(&outcome, "link_broke") > 5, "{:?}", outcome.measures.faults);
    assert!(happened(&outcome, "misdelivered") > 5);
}

#[test]
fn a_slow_link_with_small_frames_is_enough() {
    told(70, |teller| {
        for device in &mut teller.story.devices {
            device.link = Link { bytes_per_second: 2_000, max_frame_bytes: 256, ..LINK };
        }
    });
}

#[test]
fn a_newcomer_gets_everything() {
    let (_, seen) = told(80, |teller| {
        teller.story.devices[3].from = 9 * MINUTE;
    });
    assert_eq!(seen.statuses.len(), 4);
}
