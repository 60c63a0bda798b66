//! Each fault does what it says.

use crate::support::{SQL, at, device, run_well, story, transact};
use pocketsync_sim::history::{Event, Fault};
use pocketsync_sim::story::{Act, CrashPoint, Cut, DeviceNo, Move, TxId};

const FIRST: DeviceNo = DeviceNo(0);
const SECOND: DeviceNo = DeviceNo(1);

#[test]
fn a_killed_device_keeps_what_was_committed_at_every_point() {
    for (seed, point) in [(1, CrashPoint::Now), (2, CrashPoint::BeforeCommit), (3, CrashPoint::AfterCommit)] {
        let mut story = story(seed, vec![device(true), device(true)], 15_000);
        story.moves = vec![
            transact(2_000, 0, 1, 0, Act::Insert),
            at(3_000, Move::Crash { device: FIRST, point, down_ms: 2_000 }),
            transact(3_000, 0, 2, 0, Act::Insert),
            transact(3_500, 1, 3, 0, Act::Insert),
            // Left out: there is nobody to do it.
            transact(4_500, 0, 4, 0, Act::Insert),
            transact(10_000, 0, 5, 0, Act::Insert),
        ];
        let (_, seen) = run_well(SQL, story);
        let faults = seen.faults();
        assert!(faults.contains(&Fault::Crashed(FIRST)), "{point:?}");
        assert!(faults.contains(&Fault::Restarted(FIRST)), "{point:?}");
        let mut expected = vec!["r1", "r2", "r3", "r5"];
        if point == CrashPoint::Now {
            expected.retain(|tag| *tag != "r2");
        }
        assert_eq!(seen.tags(0), expected, "{point:?}");
        assert_eq!(seen.tags(1), expected, "{point:?}");
    }
}

#[test]
fn a_killed_hub_has_what_it_acknowledged() {
    for (seed, point) in [(1, CrashPoint::Now), (2, CrashPoint::BeforeCommit), (3, CrashPoint::AfterCommit)] {
        let mut story = story(seed, vec![device(true), device(true)], 15_000);
        story.moves = vec![
            transact(2_000, 0, 1, 0, Act::Insert),
            at(3_000, Move::CrashHub { point, down_ms: 2_000 }),
            transact(3_100, 0, 2, 0, Act::Insert),
            transact(3_200, 1, 3, 0, Act::Insert),
        ];
        let (_, seen) = run_well(SQL, story);
        assert!(seen.faults().contains(&Fault::HubRestarted), "{point:?}");
        assert_eq!(seen.tags(1), ["r1", "r2", "r3"], "{point:?}");
    }
}

#[test]
fn a_restored_device_and_a_restored_hub_come_back() {
    let mut story = story(4, vec![device(true), device(true)], 30_000);
    story.moves = vec![
        transact(2_000, 0, 1, 0, Act::Insert),
        at(4_000, Move::Backup { device: FIRST }),
        at(4_000, Move::BackupHub),
        transact(5_000, 0, 2, 0, Act::Insert),
        transact(5_000, 1, 3, 0, Act::Insert),
        at(10_000, Move::Restore { device: FIRST }),
        transact(10_500, 0, 4, 0, Act::Insert),
        at(20_000, Move::RestoreHub { down_ms: 1_000 }),
        transact(20_500, 1, 5, 0, Act::Insert),
    ];
    let (_, seen) = run_well(SQL, story);
    assert_eq!(seen.tags(0), ["r1", "r2", "r3", "r4", "r5"]);
    assert!(seen.faults().contains(&Fault::HubRestored { to: 4_000 }));
}

#[test]
fn a_clone_and_its_original_both_go_on() {
    let mut story = story(5, vec![device(true), device(true)], 20_000);
    story.moves = vec![
        transact(2_000, 0, 1, 0, Act::Insert),
        at(5_000, Move::Clone { device: FIRST, copy: SECOND }),
        transact(5_500, 0, 2, 0, Act::Insert),
        transact(5_500, 1, 3, 0, Act::Insert),
    ];
    let (_, seen) = run_well(SQL, story);
    assert_eq!(seen.tags(0), ["r1", "r2", "r3"]);
    let began = |event: &Event| *event == Event::Started { device: SECOND, copy_of: Some(FIRST) };
    assert!(seen.events.iter().any(|(_, event)| began(event)));
}

#[test]
fn a_lost_device_leaves_what_was_acknowledged() {
    let mut story = story(6, vec![device(true), device(true)], 20_000);
    story.moves = vec![
        transact(2_000, 0, 1, 0, Act::Insert),
        at(8_000, Move::Disconnect { device: FIRST, how: Cut::Closed }),
        transact(9_000, 0, 2, 0, Act::Insert),
        at(10_000, Move::Lose { device: FIRST }),
    ];
    let (_, seen) = run_well(SQL, story);
    assert_eq!(seen.tags(1), ["r1"]);
    let acknowledged: Vec<TxId> = seen
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Acknowledged { device: FIRST, through } => Some(*through),
            _ => None,
        })
        .collect();
    assert_eq!(acknowledged, [TxId(1)]);
}

#[test]
fn every_kind_of_cut_ends() {
    for (seed, how) in [(1, Cut::Closed), (2, Cut::Silent), (3, Cut::Held)] {
        let mut story = story(seed, vec![device(true), device(true)], 25_000);
        story.moves = vec![
            at(3_000, Move::Disconnect { device: SECOND, how }),
            transact(4_000, 0, 1, 0, Act::Insert),
            transact(4_000, 1, 2, 0, Act::Insert),
            at(20_000, Move::Connect { device: SECOND }),
        ];
        let (_, seen) = run_well(SQL, story);
        let during = seen.looks.iter().filter(|(at, _)| (5_000..20_000).contains(at));
        for (at, look) in during {
            assert_eq!(look.devices[0].rows.len(), 1, "{how:?} at {at}");
        }
        assert_eq!(seen.tags(0), ["r1", "r2"], "{how:?}");
    }
}

#[test]
fn a_bad_link_only_makes_it_slow() {
    let mut bad = device(true);
    bad.link.breaks_per_minute = 20.0;
    bad.link.bytes_per_second = 2_000;
    bad.link.max_frame_bytes = 256;
    bad.link.duplicate = 0.05;
    bad.link.reorder = 0.05;
    let mut story = story(9, vec![bad, device(true)], 60_000);
    story.moves =
        (0..50).map(|number| transact(1_000 * number, (number % 2) as u32, number, 0, Act::Insert)).collect();
    let (outcome, seen) = run_well(SQL, story);
    assert_eq!(seen.tags(0).len(), 50);
    assert!(outcome.measures.faults.contains_key("misdelivered"), "{:?}", outcome.measures.faults);
    assert!(outcome.measures.faults.contains_key("link_broke"), "{:?}", outcome.measures.faults);
}

#[test]
fn the_wrong_clock_of_a_device_is_the_one_that_its_file_reads() {
    let mut wrong = device(true);
    wrong.clock.offset_ms = -3_600_000;
    let mut story = story(10, vec![wrong, device(true)], 15_000);
    story.moves = vec![
        transact(2_000, 0, 1, 0, Act::Insert),
        at(5_000, Move::SetClock { device: FIRST, offset_ms: 86_400_000 }),
        transact(6_000, 0, 2, 0, Act::Insert),
    ];
    let sql = format!(
        "{SQL} CREATE TABLE made(tag TEXT PRIMARY KEY NOT NULL, at TEXT);
        CREATE TRIGGER stamp AFTER INSERT ON list BEGIN
          INSERT INTO made(tag, at) VALUES(NEW.tag, strftime('%Y-%m-%d %H:%M', 'now')); END;"
    );
    let (_, seen) = run_well(&sql, story);
    let at = |tag: &str| {
        let rows = &seen.settled().devices[1].rows;
        let row = rows.iter().find(|(row, _)| row.table == 2 && row.name == tag).expect("it is there");
        row.1.cells[1].to_string()
    };
    assert_eq!(at("r1"), "'2025-12-31 23:00'");
    assert_eq!(at("r2"), "'2026-01-02 00:00'");
}
