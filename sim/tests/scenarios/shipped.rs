//! The scenarios that ship: each one's stories can be run, and do what the scenario says they do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pocketsync_sim::scenario::{EngineKind, Scenario};
use pocketsync_sim::story::{CrashPoint, Move, Story};

const SEEDS: u64 = 50;

fn shipped() -> Vec<(PathBuf, Scenario)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    let load = |path: PathBuf| {
        let scenario = Scenario::load(&path).unwrap_or_else(|error| panic!("{error}"));
        (path, scenario)
    };
    files.into_iter().map(load).collect()
}

/// How often which kind of move is in a story.
fn kinds(story: &Story) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for planned in &story.moves {
        let kind = match &planned.what {
            Move::Transact { .. } => "transact",
            Move::Connect { .. } => "connect",
            Move::Disconnect { .. } => "disconnect",
            Move::Meet { .. } => "meet",
            Move::Crash { .. } => "crash",
            Move::CrashHub { .. } => "crash_hub",
            Move::Backup { .. } => "backup",
            Move::Restore { .. } => "restore",
            Move::BackupHub => "backup_hub",
            Move::RestoreHub { .. } => "restore_hub",
            Move::Clone { .. } => "clone",
            Move::Lose { .. } => "lose",
            Move::Migrate { .. } => "migrate",
            Move::SetClock { .. } => "set_clock",
        };
        *kinds.entry(kind).or_insert(0) += 1;
    }
    kinds
}

/// What a scenario claims: what must be there in most of its stories.
fn claims(scenario: &Scenario) -> Vec<&'static str> {
    let faults = &scenario.faults;
    let numbers = [
        ("crash", faults.crashes),
        ("crash_hub", faults.hub_crashes),
        ("restore", faults.restores),
        ("restore_hub", faults.hub_restores),
        ("clone", faults.clones),
        ("lose", faults.lost),
        ("set_clock", scenario.clocks.jumps),
    ];
    let mut claims = vec!["transact"];
    claims.extend(numbers.iter().filter(|(_, amount)| amount.usual.from > 0).map(|(kind, _)| *kind));
    claims.extend((!scenario.topology.has_hub()).then_some("meet"));
    claims.extend((!scenario.migrations.is_empty()).then_some("migrate"));
    let cut = scenario.presence.turns().is_some() || !scenario.network.partitions.is_empty();
    if cut || !scenario.presence.windows.is_empty() {
        claims.extend(["connect", "disconnect"]);
    }
    claims
}

/// For how long somebody is online.
fn online_ms(story: &Story) -> u64 {
    let mut online: Vec<bool> =
        story.devices.iter().map(|device| device.online && device.from == 0).collect();
    let (mut total, mut last) = (0, 0);
    for planned in &story.moves {
        if online.contains(&true) {
            total += planned.at - last;
        }
        last = planned.at;
        match planned.what {
            Move::Connect { device } => online[device.0 as usize] = true,
            Move::Disconnect { device, .. } | Move::Lose { device } => online[device.0 as usize] = false,
            _ => {}
        }
    }
    total
}

#[test]
fn there_are_enough_of_them_and_each_says_what_it_attacks() {
    let shipped = shipped();
    assert!(shipped.len() >= 12);
    for (path, scenario) in &shipped {
        assert_eq!(
            path.file_stem().and_then(|stem| stem.to_str()),
            Some(scenario.name()),
            "a file is named as its scenario"
        );
        assert!(!scenario.attacks.is_empty(), "{}", scenario.name);
        let text = std::fs::read_to_string(path).expect("the file");
        assert!(text.starts_with("# Attacks: "), "{}", scenario.name);
        let again =
            Scenario::parse(&scenario.to_toml().expect("TOML"), "".as_ref()).expect("what was written");
        assert_eq!(&again, scenario);
    }
}

#[test]
fn the_readme_knows_every_one_of_them() {
    let readme = include_str!("../../README.md");
    for (_, scenario) in shipped() {
        assert!(
            readme.contains(&format!("`{}`", scenario.name)),
            "{} is not in sim/README.md",
            scenario.name
        );
    }
}

#[test]
fn their_stories_can_be_run_and_do_what_they_claim() {
    for (_, scenario) in shipped() {
        let shape = scenario.shape().unwrap_or_else(|error| panic!("{error}"));
        let seeds = if scenario.devices > 100 { 2 } else { SEEDS };
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        for seed in 0..seeds {
            let story = scenario.story(&shape, seed);
            assert_eq!(story.flaws(), Vec::<String>::new(), "{} under seed {seed}", scenario.name);
            for kind in kinds(&story).into_keys() {
                *seen.entry(kind).or_default() += 1;
            }
            if scenario.engines()[0] == EngineKind::World {
                let online = online_ms(&story);
                assert!(online <= 150_000, "{}: {online} ms online is slow in the world", scenario.name);
                assert!(online >= 10_000, "{}: {online} ms online is too little to go wrong", scenario.name);
            }
        }
        for claim in claims(&scenario) {
            let stories = seen.get(claim).copied().unwrap_or_default();
            assert!(stories * 10 >= seeds * 9, "{}: {claim} in {stories} of {seeds} stories", scenario.name);
        }
    }
}

#[test]
fn every_point_of_a_crash_and_both_ends_are_tried() {
    let (_, scenario) =
        shipped().into_iter().find(|(_, known)| known.name == "crash_everything").expect("it ships");
    let shape = scenario.shape().expect("its shape");
    let (mut devices, mut hub) = (Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        for planned in scenario.story(&shape, seed).moves {
            match planned.what {
                Move::Crash { point, .. } => devices.push(point),
                Move::CrashHub { point, .. } => hub.push(point),
                _ => {}
            }
        }
    }
    for point in [CrashPoint::Now, CrashPoint::BeforeCommit, CrashPoint::AfterCommit] {
        assert!(devices.contains(&point) && hub.contains(&point), "{point:?}");
    }
}
