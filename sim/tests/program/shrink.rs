//! Failing stories become small, and go on failing in the same way.

use crate::fake;
use std::time::Instant;

use crate::fake::{AfterCrash, Fake, case, needs, story};
use pocketsync_sim::failure::Failure;
use pocketsync_sim::run::Trial;
use pocketsync_sim::shrink::{Limits, Size, shrink};
use pocketsync_sim::story::{CrashPoint, Cut, DeviceNo, Move, Planned, Story};
use proptest::prelude::*;

const PLENTY: Limits = Limits { runs: 10_000, until: None };

/// Which device writes `w70` in the story of a seed.
fn writer_of(story: &Story, write: u64) -> u32 {
    let found = story.moves.iter().find_map(|planned| match &planned.what {
        Move::Transact { device, transaction } => {
            transaction.writes.iter().any(|one| one.id.0 == write).then_some(device.0)
        }
        _ => None,
    });
    found.expect("every story writes it")
}

#[test]
fn what_the_failure_does_not_need_goes() {
    let whole = story(4);
    let writer = writer_of(&whole, 70);
    let crashed = (0..3).find(|device| needs(&whole, writer, 70, *device)).expect("somebody crashes");
    // Devices are counted anew when one goes, so the check asks for the moves in any numbering.
    let fails = |story: &Story| {
        let devices = story.devices.len() as u32;
        (0..devices).any(|a| (0..devices).any(|b| (a == b) == (writer == crashed) && needs(story, a, 70, b)))
    };
    let mut told = 0;
    let shrunk = shrink(&whole, PLENTY, fails, |progress| {
        told += 1;
        assert!(progress.size <= Size::of(&whole));
    });
    assert!(shrunk.finished);
    assert_eq!(told, shrunk.runs);
    let size = Size::of(&shrunk.story);
    assert_eq!((size.faults, size.transactions, size.writes), (1, 1, 1), "{:#?}", shrunk.story);
    assert_eq!(size.devices, if writer == crashed { 1 } else { 2 });
    assert_eq!(size.oddities, 0);
    assert!(size.length_ms <= 2, "{size}");
    assert_eq!(shrunk.story.quiet_ms, whole.quiet_ms, "convergence gets no less time");
    assert!(shrunk.runs < 300, "{} runs", shrunk.runs);
}

#[test]
fn limits_are_kept() {
    let whole = story(4);
    let limits = Limits { runs: 5, until: None };
    let shrunk = shrink(&whole, limits, |story| !story.moves.is_empty(), |_| {});
    assert!(shrunk.runs <= 5 && !shrunk.finished);
    let limits = Limits { runs: 1000, until: Some(Instant::now()) };
    let shrunk = shrink(&whole, limits, |_| true, |_| {});
    assert_eq!((shrunk.runs, shrunk.story), (0, whole));
}

#[test]
fn a_failure_is_told_in_sentences() {
    let whole = story(4);
    let writer = writer_of(&whole, 70);
    let crashed = (0..3).find(|device| needs(&whole, writer, 70, *device)).expect("somebody crashes");
    let trial = Trial::new(Fake::default())
        .judged_by(move |_| vec![Box::new(AfterCrash::new(writer, "r70", crashed))]);
    let case = case(whole);
    let violation = trial.run(&case).unwrap().violation.expect("it fails");
    let failure = Failure::explain(&trial, "office", &case, &violation, PLENTY, || false, |_| {}).unwrap();
    let text = failure.replayed_by(["pocketsync-sim replay office --seed 4".to_owned()]).to_string();
    for needed in [
        "office, seed 4, fake engine: a promise is broken",
        "oracle:  after_crash",
        "promise: a certain row is not written after a certain crash",
        &format!("d{crashed} is killed"),
        "`after_crash` objects",
        "had crashed",
        "pocketsync-sim replay office --seed 4",
        "1 transaction with 1 write, 1 fault",
    ] {
        assert!(text.contains(needed), "`{needed}` is missing in:\n{text}");
    }
}

#[test]
fn a_failure_that_does_not_come_back_is_said_to_be_one_of_the_simulator() {
    let trial = Trial::new(Fake::default()).judged_by(|_| Vec::new());
    let violation = pocketsync_sim::oracle::Violation {
        oracle: "convergence".to_owned(),
        promise: String::new(),
        at: 0,
        what: String::new(),
    };
    let error = Failure::explain(&trial, "office", &case(story(1)), &violation, PLENTY, || false, |_| {})
        .unwrap_err();
    assert!(error.to_string().contains("not deterministic"), "{error}");
}

fn moves() -> impl Strategy<Value = Vec<Planned>> {
    let device = || (0..4u32).prop_map(DeviceNo);
    let what = prop_oneof![
        4 => (device(), 1..4u64).prop_map(|(device, writes)| fake_transaction(device, writes)),
        1 => device().prop_map(|device| Move::Crash { device, point: CrashPoint::Now, down_ms: 9 }),
        1 => device().prop_map(|device| Move::Disconnect { device, how: Cut::Held }),
        1 => (device(), device()).prop_map(|(device, copy)| Move::Clone { device, copy }),
        1 => Just(Move::BackupHub),
    ];
    let planned = (0..20_000u64, what).prop_map(|(at, what)| Planned { at, what });
    prop::collection::vec(planned, 0..40).prop_map(|mut moves| {
        moves.sort_by_key(|planned| planned.at);
        let mut next = 0;
        for planned in &mut moves {
            if let Move::Transact { transaction, .. } = &mut planned.what {
                for write in &mut transaction.writes {
                    next += 1;
                    write.id.0 = next;
                }
            }
        }
        moves
    })
}

fn fake_transaction(device: DeviceNo, writes: u64) -> Move {
    let writes = (0..writes).map(fake::insert).collect();
    let id = pocketsync_sim::story::TxId(0);
    Move::Transact {
        device,
        transaction: pocketsync_sim::story::Transaction { id, writes, rolled_back: false },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_result_fails_is_never_larger_and_cannot_be_made_smaller(
        moves in moves(), faults in 0..4usize, writes in 0..8usize, runs in prop_oneof![0..40u32, Just(10_000)],
    ) {
        let devices = vec![fake::device(0); 4];
        let whole = Story { devices, moves, ..story(1) };
        let fails = |story: &Story| {
            let size = Size::of(story);
            size.faults >= faults && size.writes >= writes
        };
        prop_assume!(fails(&whole));
        let shrunk = shrink(&whole, Limits { runs, until: None }, fails, |_| {});
        prop_assert!(fails(&shrunk.story));
        let (before, after) = (Size::of(&whole), Size::of(&shrunk.story));
        prop_assert!(after <= before);
        prop_assert!(shrunk.runs <= runs);
        prop_assert!(shrunk.story.moves.is_sorted_by_key(|planned| planned.at));
        prop_assert!(!shrunk.story.devices.is_empty());
        if shrunk.finished {
            prop_assert_eq!((after.faults, after.writes), (faults, writes));
        }
    }
}
