//! The page and the tables.

use crate::fake::{AfterCrash, Fake, case, story};
use pocketsync_sim::outcome::{Folder, FolderWriter, Record, RunInfo};
use pocketsync_sim::report;
use pocketsync_sim::run::Trial;

fn folder(scenario: &str, seeds: std::ops::Range<u64>) -> Folder {
    let trial = Trial::new(Fake::default()).judged_by(|_| vec![Box::new(AfterCrash::new(1, "r68", 2))]);
    let info = RunInfo {
        scenario: scenario.to_owned(),
        given: scenario.to_owned(),
        engine: "fake".to_owned(),
        first_seed: seeds.start,
        end_seed: seeds.end,
        wall_ms: 1234,
        ..RunInfo::default()
    };
    let outcomes = seeds.map(|seed| trial.run(&case(story(seed))).unwrap()).collect();
    Folder { info, outcomes, broken_off: false }
}

fn written(folder: &Folder, path: &std::path::Path) {
    let mut writer = FolderWriter::create(path, &folder.info).unwrap();
    for outcome in &folder.outcomes {
        let record = Record { scenario: folder.info.scenario.clone(), outcome: outcome.clone() };
        writer.put(&record).unwrap();
    }
    writer.end(&folder.info).unwrap();
}

#[test]
fn what_is_written_to_a_folder_is_read_again() {
    let place = tempfile::tempdir().unwrap();
    let (office, flaky) = (folder("office", 0..3), folder("flaky", 0..2));
    written(&office, &place.path().join("office"));
    written(&flaky, &place.path().join("flaky"));
    assert_eq!(Folder::load_all(place.path()).unwrap(), [flaky, office.clone()]);
    assert_eq!(Folder::load_all(&place.path().join("office")).unwrap(), [office]);
    let error = Folder::load_all(tempfile::tempdir().unwrap().path()).unwrap_err();
    assert!(error.to_string().contains("no outcomes here"), "{error}");
}

#[test]
fn a_page_needs_nothing_from_anywhere_and_runs_nothing() {
    let folders = [folder("office", 0..12)];
    let page = report::page(&report::beside(&[("out", &folders)]));
    if let Ok(path) = std::env::var("POCKETSYNC_SIM_PAGE") {
        std::fs::write(path, &page).unwrap();
    }
    for never in ["<script", "http-equiv", "src=", "@import", "url(", "#010101", "#030303"] {
        assert!(!page.contains(never), "{never}");
    }
    let links = page.matches("href=").count();
    assert_eq!(page.matches("href=\"#s").count(), links, "every link leads to this page");
    assert_eq!(page.matches("http").count(), page.matches("http://www.w3.org/2000/svg").count());
    assert_eq!(page.matches("<svg").count(), 7);
    assert_eq!(page.matches("<svg role=\"img\"").count(), 7);
    for needed in [
        "width=device-width",
        "prefers-color-scheme: dark",
        "<title>office: rows that differ between devices over simulated time</title>",
        "distribution of the time to converge",
        "bytes by cause",
        "bytes of catching up against time offline",
        "time to catch up of catching up against rows missed",
        "crashed",
        "broke <code>after_crash</code>",
        "pocketsync-sim replay office --seed",
    ] {
        assert!(page.contains(needed), "`{needed}` is missing");
    }
}

#[test]
fn two_are_compared_side_by_side_on_the_same_axes() {
    let (office, flaky) = ([folder("office", 0..6)], [folder("flaky", 0..2)]);
    let groups = report::beside(&[("a", &office), ("b", &flaky)]);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].title, "office and flaky");
    let page = report::page(&groups);
    assert_eq!(page.matches("<svg").count(), 14);
    // The same scenario twice is told apart by the folders.
    let groups = report::beside(&[("before", &office), ("after", &office)]);
    let labels: Vec<_> = groups[0].members.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!((groups[0].title.as_str(), labels), ("office", vec!["before", "after"]));
    // Of several scenarios, each meets its namesake.
    let several = [office[0].clone(), flaky[0].clone()];
    let groups = report::beside(&[("before", &several), ("after", &office)]);
    let sizes: Vec<_> = groups.iter().map(|group| (group.title.as_str(), group.members.len())).collect();
    assert_eq!(sizes, [("office", 2), ("flaky", 1)]);
}

#[test]
fn nothing_at_all_makes_a_page_too_and_text_is_not_taken_for_markup() {
    let mut empty = Folder::default();
    empty.info.scenario = "<script>alert(1)</script>".to_owned();
    let folders = [empty];
    let page = report::page(&report::beside(&[("out", &folders)]));
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;"));
    assert!(!page.contains("NaN"));
}

#[test]
fn tables_for_a_notebook_have_a_line_for_everything() {
    let folders = [folder("office, or home", 0..4)];
    let runs = report::runs_csv(&folders);
    assert_eq!(runs.lines().count(), 5);
    assert!(runs.lines().nth(1).unwrap().starts_with("\"office, or home\",fake,0,"), "{runs}");
    let looks: usize = folders[0].outcomes.iter().map(|outcome| outcome.measures.divergence.len()).sum();
    assert_eq!(report::divergence_csv(&folders).lines().count(), looks + 1);
    let catch_ups: usize = folders[0].outcomes.iter().map(|outcome| outcome.measures.catch_ups.len()).sum();
    assert!(catch_ups > 0);
    assert_eq!(report::catch_ups_csv(&folders).lines().count(), catch_ups + 1);
}
