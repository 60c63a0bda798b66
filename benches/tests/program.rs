//! The program, on a few rows: every figure is there, and the replicas are compared.

use std::path::Path;
use std::process::Command;

fn run(arguments: &[&str], dir: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pocketsync-benches"))
        .arg("--scratch")
        .arg(dir)
        .args(arguments)
        .env_remove("POCKETSYNC_BENCH_EXTENSIONS")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn compare_prints_every_figure() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("report.json");
    let json = json.to_str().unwrap();
    let text = run(
        &[
            "compare",
            "--rows",
            "500",
            "--passes",
            "1",
            "--pragmas",
            "tuned",
            "--hub-rows",
            "500",
            "--json",
            json,
        ],
        dir.path(),
    );
    for line in [
        "TEXT key: capture, insert | target ≤ 1.6: ",
        "INTEGER key: capture + fold + extract of inserts | target ≤ 3: ",
        "INTEGER key: fold of inserts | target ≥ 800 000: ",
        "TEXT key: apply a losing changeset | target ≥ 600 000: ",
        "INTEGER key: wire, an inserted row beyond its values | target ≤ 4: ",
        "TEXT key: file after inserts and updates | target ≤ 1.25: ",
        "500 rows, bootstrap, to plain inserts | target ≤ 3: ",
        "bootstrap, peak memory of the hub | target ≤ 150: ",
        "groups of 10 rows | target ≥ 2000: ",
        "write on A to visible on B, both live | target ≤ 5: ",
        "reconnect after 5 changes",
        "### INTEGER key, 60 columns, tuned pragmas, 50 rows",
        "### INTEGER key, 2 columns, tuned pragmas, 500 rows",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(report["rows"], 500);
    assert_eq!(report["series"].as_array().unwrap().len(), 8);
    assert!(report["series"][1]["samples"][0]["laps"]["apply insert"]["lap"]["cpu"].as_f64().unwrap() > 0.0);
}

#[test]
fn scale_prints_exponents_and_draws() {
    let dir = tempfile::tempdir().unwrap();
    let svg = dir.path().join("scale.svg");
    let text = run(&["scale", "--rows", "100", "--svg", svg.to_str().unwrap()], dir.path());
    for what in [
        "rows of the database",
        "transactions of 100 updates",
        "bootstrap over a hub",
        "tables that are tracked",
    ] {
        assert!(text.contains(what), "no `{what}` in\n{text}");
    }
    assert!(std::fs::read_to_string(svg).unwrap().contains("</svg>"));
}

#[test]
fn live_devices_all_hear_of_every_write() {
    let dir = tempfile::tempdir().unwrap();
    let text = run(&["live", "--devices", "20", "--writes", "5", "--every", "20"], dir.path());
    for what in ["write to applied elsewhere, 99 of 100 within", "memory of the hub a device"] {
        assert!(text.contains(&format!("20 live devices, one writes: {what}: ")), "{text}");
    }
}
