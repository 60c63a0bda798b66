//! Many seeds at a time: order, failures, panics and interruptions.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fake::{AfterCrash, Fake, case, story};
use pocketsync_sim::run::{Campaign, Cancel, NO_PANIC, Ran, SAME_EVERY_TIME, Trial};

fn jobs(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn healthy() -> Trial {
    Trial::new(Fake::default()).judged_by(|_| Vec::new())
}

/// Fails in some seeds.
fn broken() -> Trial {
    Trial::new(Fake::default()).judged_by(|_| vec![Box::new(AfterCrash::new(1, "r68", 2))])
}

fn in_order(campaign: Campaign, first: u64) -> Vec<Ran> {
    campaign.start(|seed| case(story(seed))).in_order(first).collect()
}

#[test]
fn outcomes_come_in_the_order_of_seeds_and_do_not_depend_on_the_number_of_jobs() {
    let hashes = |n| {
        let ran = in_order(Campaign::new(healthy(), 3..23).jobs(jobs(n)), 3);
        assert_eq!(ran.iter().map(|ran| ran.seed).collect::<Vec<_>>(), (3..23).collect::<Vec<_>>());
        ran.into_iter().map(|ran| ran.outcome.unwrap().trace_hash).collect::<Vec<_>>()
    };
    assert_eq!(hashes(1), hashes(5));
}

#[test]
fn the_failure_with_the_smallest_seed_is_the_last_outcome() {
    let all = in_order(Campaign::new(broken(), 2..40).keep_going(true), 2);
    assert_eq!(all.len(), 38);
    let first = all.iter().find(|ran| ran.failed()).expect("some seeds fail").seed;
    assert!(all.iter().filter(|ran| ran.failed()).count() > 1 && all.iter().any(|ran| !ran.failed()));
    for n in [1, 4] {
        let ran = in_order(Campaign::new(broken(), 2..40).jobs(jobs(n)), 2);
        assert_eq!(ran.iter().map(|ran| ran.seed).collect::<Vec<_>>(), (2..=first).collect::<Vec<_>>());
        assert!(ran.last().unwrap().failed());
    }
}

#[test]
fn a_run_that_is_not_the_same_twice_breaks_a_promise() {
    let ran = |fake: Fake, twice| {
        let trial = Trial::new(fake).judged_by(|_| Vec::new()).twice(twice);
        trial.run(&case(story(1))).unwrap().violation.map(|violation| violation.oracle)
    };
    let tires = || Fake { tires: Some(Arc::default()), ..Fake::default() };
    assert_eq!(ran(Fake::default(), true), None);
    assert_eq!(ran(tires(), false), None);
    assert_eq!(ran(tires(), true).as_deref(), Some(SAME_EVERY_TIME));
}

#[test]
fn a_panic_breaks_a_promise_and_says_where() {
    for swallows in [false, true] {
        let fake = Fake { panics_at: Some(9), swallows, ..Fake::default() };
        let outcome = Trial::new(fake).judged_by(|_| Vec::new()).run(&case(story(1))).unwrap();
        let violation = outcome.violation.expect("it panicked");
        assert_eq!(violation.oracle, NO_PANIC);
        assert!(violation.what.contains("write w9 is one too many"), "{violation}");
        assert!(violation.what.contains("fake/mod.rs:"), "{violation}");
        assert!(outcome.measures.transactions > 0, "what happened before it is not forgotten");
    }
}

#[test]
fn a_world_that_fails_is_no_broken_promise_and_ends_the_campaign() {
    let fake = Fake { fails_at: Some(5), ..Fake::default() };
    let trial = Trial::new(fake).judged_by(|_| Vec::new());
    let ran = in_order(Campaign::new(trial, 0..50), 0);
    assert_eq!(ran.len(), 6);
    let error = ran[5].outcome.as_ref().unwrap_err();
    assert_eq!(error.to_string(), "the fake engine failed: the disk is full");
}

#[test]
fn a_cancelled_campaign_ends_soon_with_what_there_is() {
    let fake = Fake { sleeps_ms: 2, ..Fake::default() };
    let cancel = Cancel::new();
    let trial = Trial::new(fake).judged_by(|_| Vec::new());
    let campaign = Campaign::new(trial, 0..u64::MAX).jobs(jobs(2)).cancelled_by(&cancel);
    let mut runs = campaign.start(|seed| case(story(seed)));
    assert!(runs.next().is_some());
    cancel.cancel();
    let since = Instant::now();
    assert!(runs.count() <= 4, "those that had ended already");
    assert!(since.elapsed() < Duration::from_secs(2));
}

#[test]
fn an_empty_range_is_nothing() {
    assert!(in_order(Campaign::new(healthy(), 5..5), 5).is_empty());
}
