//! Real devices that meet, and no hub.

use crate::support::{SQL, at, device, run_well, story, transact};
use pocketsync_sim::history::{Event, Fault};
use pocketsync_sim::story::{Act, Cut, DeviceNo, Move, Ms, Planned, Story, Topology, TxId};

fn ring(seed: u64, devices: usize, quiet_at: Ms) -> Story {
    Story { topology: Topology::Ring, ..story(seed, vec![device(true); devices], quiet_at) }
}

fn meet(when: Ms, caller: u32, called: u32) -> Planned {
    at(when, Move::Meet { device: DeviceNo(caller), with: DeviceNo(called), most_ms: 5_000 })
}

#[test]
fn what_one_brings_another_passes_on() {
    let mut story = ring(1, 4, 20_000);
    story.moves = vec![
        transact(1_000, 0, 1, 0, Act::Insert),
        meet(2_000, 0, 1),
        meet(8_000, 1, 2),
        // Nobody else has it from whom it is.
        at(15_000, Move::Lose { device: DeviceNo(0) }),
        at(16_000, Move::Lose { device: DeviceNo(1) }),
    ];
    let (outcome, seen) = run_well(SQL, story);
    assert_eq!((seen.tags(2), seen.tags(3)), (vec!["r1".to_owned()], vec!["r1".to_owned()]));
    let acknowledged = Event::AcknowledgedBy { device: DeviceNo(0), peer: DeviceNo(1), through: TxId(1) };
    assert!(seen.events.iter().any(|(_, event)| *event == acknowledged));
    assert!(seen.settled().hub.is_empty());
    let skipped = &outcome.skipped_oracles;
    for left_out in ["conflict_log", "strategies", "honest_status"] {
        assert!(skipped.iter().any(|name| name.starts_with(left_out)), "{left_out} in {skipped:?}");
    }
}

#[test]
fn a_meeting_ends_when_nothing_is_left_to_say_or_in_the_middle() {
    let mut story = ring(2, 3, 30_000);
    story.moves = vec![
        meet(1_000, 0, 1),
        // Busy already.
        meet(1_010, 2, 1),
        meet(8_000, 1, 2),
        at(8_010, Move::Disconnect { device: DeviceNo(2), how: Cut::Silent }),
        at(20_000, Move::Connect { device: DeviceNo(2) }),
    ];
    let (_, seen) = run_well(SQL, story);
    let before_quiet = seen.events.iter().take_while(|(_, event)| *event != Event::Quiet);
    let met: Vec<_> = before_quiet
        .filter_map(|(at, event)| match event {
            Event::Parted { device, with, in_sync } => Some((device.0, with.0, *in_sync, *at)),
            _ => None,
        })
        .collect();
    let [(0, 1, true, early), (1, 2, false, late)] = met[..] else { panic!("{met:?}") };
    assert!(early < 6_000 && (13_000..20_000).contains(&late), "{met:?}");
}

#[test]
fn a_restored_file_may_meet_a_stranger_first() {
    let mut story = ring(3, 4, 30_000);
    story.moves = vec![
        transact(1_000, 0, 1, 0, Act::Insert),
        meet(2_000, 0, 1),
        at(5_000, Move::Backup { device: DeviceNo(0) }),
        transact(6_000, 0, 2, 0, Act::Insert),
        meet(7_000, 0, 1),
        at(10_000, Move::Restore { device: DeviceNo(0) }),
        transact(11_000, 0, 3, 0, Act::Insert),
        // Who has never heard of the second row.
        meet(12_000, 0, 3),
        transact(17_000, 3, 4, 0, Act::Update(1)),
        meet(18_000, 0, 1),
    ];
    let (_, seen) = run_well(SQL, story);
    assert!(seen.faults().iter().any(|fault| matches!(fault, Fault::Restored { .. })));
    for device in 0..4 {
        assert_eq!(seen.tags(device), ["r1", "r2", "r3"]);
    }
}

#[test]
fn copies_that_meet_first_of_all_part_when_they_meet_others() {
    let mut story = ring(4, 4, 20_000);
    story.devices[3].from = 6_000;
    story.moves = vec![
        transact(1_000, 0, 1, 0, Act::Insert),
        at(6_000, Move::Clone { device: DeviceNo(0), copy: DeviceNo(3) }),
        transact(7_000, 3, 2, 0, Act::Insert),
        transact(7_500, 0, 3, 0, Act::Insert),
        meet(8_000, 0, 3),
    ];
    let (_, seen) = run_well(SQL, story);
    for device in 0..4 {
        let tags = seen.tags(device);
        assert!(["r1", "r2", "r3"].iter().all(|tag| tags.iter().any(|shown| shown == tag)), "{tags:?}");
    }
}

#[test]
fn meetings_are_the_same_in_every_run() {
    let hash = || {
        let mut story = ring(7, 3, 10_000);
        story.moves = vec![transact(1_000, 0, 1, 0, Act::Insert), meet(2_000, 0, 1), meet(6_000, 2, 1)];
        run_well(SQL, story).0.trace_hash
    };
    assert_eq!(hash(), hash());
}
