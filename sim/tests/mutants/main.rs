//! The oracles can fail: every kind of broken part is found out by the oracle that guards the
//! promise it breaks, and parts that are not broken are not.

mod broken;
mod broken_files;
mod stories;

use std::sync::Arc;

use broken::Mutant;
use broken_files::FileMutant;
use pocketsync_sim::engine::Engine;
use pocketsync_sim::machines::{Altered, Direct, Parts};
use pocketsync_sim::oracle::{self, Case, Judge, Violation};
use pocketsync_sim::scenario::Scenario;
use pocketsync_sim::world::{Real, World};
use stories::About;

/// Within how many seeds a mutant must be found out.
const SEEDS: u64 = 200;

/// Within how many seeds a mutant with real files must be found out, which takes longer to run.
const FILE_SEEDS: u64 = 3;

fn run(parts: impl Parts, about: About, seed: u64, oracles: &[&str]) -> Option<Violation> {
    let case = Case { shape: stories::shape(), story: stories::story(about, seed) };
    judged(&Altered(parts), &case, oracles)
}

fn run_files(parts: impl pocketsync_sim::world::Parts, seed: u64, oracles: &[&str]) -> Option<Violation> {
    let case = Case { shape: stories::shape_of_files(), story: stories::story_of_files(seed) };
    judged(&World::of(parts), &case, oracles)
}

fn run_scenario(
    parts: impl pocketsync_sim::world::Parts,
    scenario: &Scenario,
    seed: u64,
    oracles: &[&str],
) -> Option<Violation> {
    let shape = scenario.shape().expect("it makes sense");
    let story = Arc::new(scenario.story(&shape, seed));
    judged(&World::of(parts), &Case { shape: Arc::new(shape), story }, oracles)
}

/// What these oracles, or all of them, say of a run.
fn judged(engine: &impl Engine, case: &Case, oracles: &[&str]) -> Option<Violation> {
    let all = oracle::all(case).into_iter();
    let asked = all.filter(|oracle| oracles.is_empty() || oracles.contains(&oracle.name())).collect();
    let mut judge = Judge::new(case.clone(), asked, engine.has_sqlite());
    engine.run(&case.shape, &case.story, &mut judge).expect("the world does not fail");
    judge.violation().cloned()
}

/// Asserts that each of these oracles, asked alone, finds the mutant out.
#[track_caller]
fn found_out(mutant: Mutant, about: About, oracles: &[&str]) {
    for oracle in oracles {
        let found = (0..SEEDS).find_map(|seed| Some((seed, run(mutant, about, seed, &[oracle])?)));
        match found {
            Some((seed, violation)) => println!("{mutant:?} in {about:?}: seed {seed}: {violation}"),
            None => panic!("{oracle} does not notice {mutant:?} in {SEEDS} stories about {about:?}"),
        }
    }
}

#[test]
fn parts_that_are_not_broken_keep_every_promise() {
    for about in stories::ALL {
        for seed in 0..if about == About::Bulk { 10 } else { 40 } {
            if let Some(violation) = run(Direct, about, seed, &[]) {
                panic!("seed {seed}, {about:?}: {violation}");
            }
        }
    }
}

#[test]
fn files_that_are_not_broken_keep_every_promise() {
    for seed in 0..FILE_SEEDS {
        if let Some(violation) = run_files(Real, seed, &[]) {
            panic!("seed {seed}: {violation}");
        }
    }
}

#[test]
fn applications_that_have_more_than_rows_and_are_not_broken_keep_every_promise() {
    for scenario in [
        stories::counting(),
        stories::deciding(),
        stories::deriving(),
        stories::migrating(),
        stories::in_a_ring(),
    ] {
        if let Some(violation) = run_scenario(Real, &scenario, 0, &[]) {
            panic!("{violation}");
        }
    }
}

#[test]
fn a_hub_hides_that_news_is_not_passed_on() {
    if let Some(violation) = run_scenario(FileMutant::KeepsWhatItHeard, &stories::at_a_hub(), 0, &[]) {
        panic!("{violation}");
    }
}

macro_rules! file_mutants {
    ($($name:ident: $mutant:ident, $oracle:literal;)*) => {$(
        #[test]
        fn $name() {
            let mutant = FileMutant::$mutant;
            let found = (0..FILE_SEEDS).find_map(|seed| Some((seed, run_files(mutant, seed, &[$oracle])?)));
            let (seed, violation) =
                found.unwrap_or_else(|| panic!("{} does not notice {mutant:?} in {FILE_SEEDS} stories", $oracle));
            assert_eq!(violation.oracle, $oracle);
            println!("{mutant:?}: seed {seed}: {violation}");
        }
    )*};
}

macro_rules! scenario_mutants {
    ($($name:ident: $mutant:ident in $scenario:ident, $oracle:literal;)*) => {$(
        #[test]
        fn $name() {
            let (mutant, scenario) = (FileMutant::$mutant, stories::$scenario());
            let run = |seed| Some((seed, run_scenario(mutant, &scenario, seed, &[$oracle])?));
            let (seed, violation) = (0..FILE_SEEDS)
                .find_map(run)
                .unwrap_or_else(|| panic!("{} does not notice {mutant:?} in {FILE_SEEDS} stories", $oracle));
            println!("{mutant:?}: seed {seed}: {violation}");
        }
    )*};
}

macro_rules! mutants {
    ($($name:ident: $mutant:ident in $about:ident, $($oracle:literal),+;)*) => {$(
        #[test]
        fn $name() {
            found_out(Mutant::$mutant, About::$about, &[$($oracle),+]);
        }
    )*};
}

mutants! {
    a_hub_that_drops_groups: HubDropsGroups in Talk, "convergence", "acked_is_durable", "no_lost_write";
    a_hub_that_acknowledges_early: HubAcksEarly in Disasters, "cursors";
    a_device_that_drops_groups: DeviceDropsGroups in Talk, "convergence";
    folds_that_are_skipped: SkipsFolds in Talk, "convergence", "acked_is_durable", "honest_status";
    deaths_that_are_not_told: StripsDeaths in Talk, "convergence", "no_zombies";
    deaths_that_are_not_heard_of: IgnoresDeaths in Talk, "no_zombies", "convergence";
    older_writes_that_win: OlderWins in Talk, "convergence";
    versions_that_change_after_they_were_told: RestampsWhatIsOffered in Talk, "convergence";
    groups_of_which_half_is_applied: AppliesHalf in Talk, "whole_transactions", "convergence";
    echoes: Echoes in Talk, "liveness";
    gaps_that_are_missed: MissesGaps in Commuters, "convergence";
    rows_that_come_twice: DoublesRows in Talk, "no_zombies";
    writes_that_come_back: GoesBackInTime in Talk, "causality", "convergence";
    values_that_are_torn: TearsValues in Talk, "convergence", "no_lost_write";
    rows_that_go_by_themselves: LosesRows in Talk, "no_lost_write", "acked_is_durable";
    a_status_that_lies: LiesInSync in Commuters, "honest_status";
    a_status_that_never_says_in_sync: NeverInSync in Talk, "honest_status";
}

file_mutants! {
    references_to_rows_that_are_not_there: DanglingReferences, "constraints";
    entries_that_no_fold_takes: JournalsTheUntracked, "journal_empties";
    pieces_that_are_kept_aside_for_ever: KeepsWhatIsAside, "bounded";
}

scenario_mutants! {
    additions_that_are_not_sent: KeepsWhatItAdded in counting, "sums";
    sizes_that_are_counted_twice: CountsTwice in deriving, "derived";
    rules_that_are_not_told: KeepsItsRules in deciding, "strategies";
    news_that_is_not_passed_on: KeepsWhatItHeard in in_a_ring, "convergence";
    columns_that_are_not_kept_until_they_are_known: ForgetsTheUnknown in migrating, "no_lost_write";
    conflicts_that_are_forgotten: ForgetsWhatLost in deciding, "conflict_log";
}
