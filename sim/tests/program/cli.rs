//! The program as people run it.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use pocketsync_sim::outcome::{Folder, read_lines};

const TWO_DESKS: &str = "
name = \"two desks\"
attacks = \"Nothing much.\"
devices = 2
schema = \"todo\"
length = \"10s\"
quiet = \"1m\"
engines = [\"machines\"]
";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pocketsync-sim"));
    command.stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

/// Runs the program, and panics with what it said unless it exits with `code`.
fn expect<'a>(code: i32, arguments: impl IntoIterator<Item = &'a str>) -> Output {
    let output = program().args(arguments).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(code), "stdout: {}\nstderr: {}", stdout(&output), stderr(&output));
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

#[test]
fn help_teaches() {
    let help = stdout(&expect(0, ["--help"]));
    for needed in ["pocketsync-sim list", "Exit codes", "130"] {
        assert!(help.contains(needed), "{needed} is missing in:\n{help}");
    }
    for command in ["run", "replay", "list", "report"] {
        let help = stdout(&expect(0, [command, "--help"]));
        assert!(help.contains("Examples"), "{command} has no example:\n{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{command}:\n{help}");
    }
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.toml");
    std::fs::write(&wrong, "name = \"x\"\ndevises = 3\n").unwrap();
    let only = folder.path().join("only.toml");
    std::fs::write(&only, TWO_DESKS).unwrap();
    for (arguments, said) in [
        (vec!["run", "ofice"], "office"),
        (vec!["run", "office", "--seeds", "9..3"], "after the last seed"),
        (vec!["run", text(&wrong)], "devises"),
        (vec!["run", text(&only), "--engine", "world"], "not meant for the world engine"),
        (vec!["run", "office", "office", "--engine", "machines"], "two scenarios"),
        (
            vec!["replay", "office", "--seed", "1", "--engine", "machines", "--story", text(&wrong)],
            "not a story",
        ),
        (vec!["report", text(folder.path())], "no outcomes here"),
        (vec!["list", "nothing"], "pocketsync-sim list"),
    ] {
        let output = expect(2, arguments.iter().copied());
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_run_leaves_outcomes_of_which_a_report_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("desks.toml");
    std::fs::write(&scenario, TWO_DESKS).unwrap();
    let out = folder.path().join("out");
    let output = expect(0, ["run", text(&scenario), "--seeds", "3..7", "--json", "--out", text(&out)]);
    let lines = read_lines(&*output.stdout).expect("one outcome a line");
    let seeds: Vec<u64> = lines.records.iter().map(|record| record.outcome.seed).collect();
    assert_eq!(seeds, [3, 4, 5, 6]);
    assert!(stderr(&output).contains("4 seeds kept every promise"), "{}", stderr(&output));
    let folders = Folder::load_all(&out).unwrap();
    assert_eq!(folders[0].info.scenario, "two desks");
    let said: Vec<_> = lines.records.into_iter().map(|record| record.outcome).collect();
    assert_eq!(folders[0].outcomes, said);
    // The same again, whatever runs beside it.
    let again = expect(0, ["run", text(&scenario), "--seeds", "3..7", "--json", "--jobs", "1"]);
    assert_eq!(stdout(&again), stdout(&output));

    expect(0, ["report", text(&out)]);
    for name in ["report.html", "runs.csv", "divergence.csv", "catch_ups.csv"] {
        assert!(out.join(name).metadata().unwrap().len() > 20, "{name}");
    }
    let both = folder.path().join("both.html");
    expect(0, ["report", text(&out), text(&out), "--out", text(&both)]);
    assert_eq!(std::fs::read_to_string(both).unwrap().matches("<svg").count(), 6);
}

#[test]
fn a_replay_tells_the_story_and_traces_it() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("desks.toml");
    std::fs::write(&scenario, TWO_DESKS).unwrap();
    let told = stdout(&expect(0, ["replay", text(&scenario), "--seed", "3"]));
    for needed in ["d0 begins online", "inserts r", "every promise was kept"] {
        assert!(told.contains(needed), "`{needed}` is missing in:\n{told}");
    }
    let traced = stdout(&expect(0, ["replay", text(&scenario), "--seed", "3", "--trace"]));
    assert!(traced.lines().count() > told.lines().count());
}

#[test]
fn what_is_shipped_can_be_listed_and_copied() {
    let list = stdout(&expect(0, ["list"]));
    assert!(list.contains("office"), "{list}");
    let file = stdout(&expect(0, ["list", "office"]));
    assert!(file.contains("name = \"office\""), "{file}");
    let json = stdout(&expect(0, ["list", "--json"]));
    assert!(json.lines().all(|line| line.starts_with('{')), "{json}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut child = program()
        .args(["run", "office", "--engine", "machines", "--seeds", "0..100000", "--out", text(&out)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let since = Instant::now();
    let outcomes = out.join("office/outcomes.jsonl");
    while !outcomes.metadata().is_ok_and(|file| file.len() > 0) {
        assert!(since.elapsed() < Duration::from_secs(120), "no seed ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill(1)");
    assert!(sent.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let folders = Folder::load_all(&out).unwrap();
    assert!(!folders[0].outcomes.is_empty() && !folders[0].broken_off);
}
