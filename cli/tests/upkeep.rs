//! The commands that look after a tracked file: parked rows, rules and conflicts, migrations.

mod processes;

use std::path::Path;
use std::time::Duration;

use pocketsync::rusqlite::Connection;
use processes::{Hub, expect, stderr, stdout, text};

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
    INSERT INTO note(title) VALUES ('a'), ('b');";

fn database(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn migrate_runs_a_script_and_says_what_was_renamed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, script) = (folder.path().join("app.db"), folder.path().join("rebuild.sql"));
    database(&file, NOTES);
    expect(0, ["track", text(&file)]);
    std::fs::write(
        &script,
        "BEGIN; CREATE TABLE fresh(id INTEGER PRIMARY KEY, heading TEXT); INSERT INTO fresh SELECT * FROM note;
         DROP TABLE note; ALTER TABLE fresh RENAME TO note; COMMIT;",
    )
    .unwrap();
    let output = expect(1, ["migrate", text(&file), text(&script), "--dry-run"]);
    assert!(stdout(&output).contains("--rename note.title=heading"), "{}", stdout(&output));
    let rename = ["--rename", "note.title=heading"];
    let output = expect(0, ["migrate", text(&file), text(&script), rename[0], rename[1], "--json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["renamed"][0]["old"], "note.title", "{report}");
    assert_eq!(report["statements"], 4);
    std::fs::write(&script, "ALTER TABLE note ADD COLUMN n; DROP TABLE nothing").unwrap();
    let output = expect(2, ["migrate", text(&file), text(&script)]);
    assert!(stderr(&output).contains("statement 2"), "{}", stderr(&output));
    expect(2, ["migrate", text(&file)]);
    expect(2, ["migrate", text(&file), "--rename", "title=heading"]);
}

#[test]
fn parked_rows_are_listed_with_their_reason_and_can_be_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE);";
    for file in [&a, &b] {
        database(file, schema);
        expect(0, ["track", text(file)]);
    }
    assert_eq!(stdout(&expect(0, ["parked", text(&a)])), "nothing is parked\n");
    database(&a, "INSERT INTO tag(name) VALUES ('work');");
    database(&b, "INSERT INTO tag(name) VALUES ('work');");
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    for file in [&a, &b, &a] {
        expect(0, ["sync", text(file), "--hub", &hub.url, "--scope", "s"]);
    }
    let listed = stdout(&expect(1, ["parked", text(&a)]));
    assert!(listed.contains("tag id = 1 is older and has the same name"), "{listed}");
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&expect(1, ["parked", text(&a), "--json"]))).unwrap();
    let handle = json["parked"][0]["handle"].as_str().unwrap().to_owned();
    assert_eq!(json["parked"][0]["reason"], "unique claim");
    expect(1, ["parked", text(&a), "--retry"]);
    for wrong in ["zzzz", &handle[..2]] {
        let output = expect(2, ["parked", text(&a), "--discard", wrong]);
        assert!(stderr(&output).contains("pocketsync parked"), "{}", stderr(&output));
    }
    let discarded = stdout(&expect(0, ["parked", text(&a), "--discard", &handle[..8]]));
    assert!(discarded.contains("is deleted"), "{discarded}");
    for file in [&a, &b] {
        expect(0, ["sync", text(file), "--hub", &hub.url, "--scope", "s"]);
    }
    expect(0, ["parked", text(&b)]);
}

#[test]
fn rules_decide_a_conflict_and_what_lost_is_brought_back() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    let data = folder.path().join("hub");
    let hub = Hub::start(&data, "127.0.0.1:0", &[]);
    let sync = |file: &Path| expect(0, ["sync", text(file), "--hub", &hub.url, "--scope", "s"]);
    for file in [&a, &b] {
        database(file, "CREATE TABLE note(id TEXT PRIMARY KEY NOT NULL, title TEXT);");
        expect(0, ["track", text(file)]);
    }
    database(&a, "INSERT INTO note VALUES('x', 'old')");
    expect(0, ["rules", "set", text(&a), "note.title", "hub_wins"]);
    expect(0, ["rules", "set", text(&a), "note", "--on-delete", "last_writer_wins"]);
    expect(2, ["rules", "set", text(&a), "note", "nobody_wins"]);
    sync(&a);
    sync(&b);
    let rules: serde_json::Value =
        serde_json::from_str(&stdout(&expect(0, ["rules", text(&b), "--json"]))).unwrap();
    assert_eq!(
        (&rules[0]["on_delete"], &rules[1]["strategy"]),
        (&"last_writer_wins".into(), &"hub_wins".into())
    );
    assert!(stdout(&expect(0, ["conflicts", text(&b)])).contains("no conflicts"));

    database(&a, "UPDATE note SET title = 'from a'");
    std::thread::sleep(Duration::from_millis(5));
    database(&b, "UPDATE note SET title = 'from b'");
    for file in [&a, &b, &a] {
        sync(file);
    }
    expect(0, ["diff", text(&a), text(&b)]);
    let title = |file: &Path| -> String {
        Connection::open(file).unwrap().query_row("SELECT title FROM note", (), |row| row.get(0)).unwrap()
    };
    assert_eq!(title(&b), "from a");
    let of_hub = expect(0, ["conflicts", text(&data.join("hub.db")), "--json", "--since", "1h"]);
    let of_hub: serde_json::Value = serde_json::from_str(&stdout(&of_hub)).unwrap();
    assert_eq!((&of_hub[0]["scope"], &of_hub[0]["rule"]), (&"s".into(), &"hub_wins".into()), "{of_hub}");
    assert_eq!(of_hub[0]["came"]["value"], "'from b'");

    let log = stdout(&expect(0, ["conflicts", text(&b), "--table", "note"]));
    assert!(log.contains("from b"), "{log}");
    assert!(stdout(&expect(0, ["status", text(&b)])).contains("1 conflict is in the log"));
    let log: serde_json::Value =
        serde_json::from_str(&stdout(&expect(0, ["conflicts", text(&b), "--json"]))).unwrap();
    expect(0, ["conflicts", "restore", text(&b), &log[0]["id"].to_string()]);
    assert!(stderr(&expect(2, ["conflicts", "restore", text(&b), "77"])).contains("no conflict 77"));
    sync(&b);
    sync(&a);
    assert_eq!(title(&a), "from b");
    expect(0, ["rules", "unset", text(&a), "note.title"]);
}

#[test]
fn columns_that_merge_are_set_listed_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    let sync = |file: &Path| expect(0, ["sync", text(file), "--hub", &hub.url, "--scope", "s"]);
    for file in [&a, &b] {
        database(
            file,
            "CREATE TABLE day(name TEXT PRIMARY KEY NOT NULL, visits INTEGER NOT NULL DEFAULT 0, slug UNIQUE)",
        );
        expect(0, ["track", text(file)]);
    }
    let refusal = stderr(&expect(2, ["rules", "set", text(&a), "day.slug", "max"]));
    assert!(refusal.contains("day.slug") && refusal.contains("UNIQUE"), "{refusal}");
    expect(0, ["rules", "set", text(&a), "day.visits", "counter"]);
    sync(&a);
    sync(&b);
    let rules: serde_json::Value =
        serde_json::from_str(&stdout(&expect(0, ["rules", text(&b), "--json"]))).unwrap();
    assert_eq!((&rules[0]["column"], &rules[0]["merge"]), (&"visits".into(), &"counter".into()), "{rules}");
    let upsert =
        "INSERT INTO day(name, visits) VALUES('mon', 1) ON CONFLICT DO UPDATE SET visits = visits + 1";
    for file in [&a, &b] {
        database(file, &format!("{upsert}; {upsert};"));
    }
    for file in [&a, &b, &a] {
        sync(file);
    }
    expect(0, ["diff", text(&a), text(&b)]);
    let visits: i64 =
        Connection::open(&a).unwrap().query_row("SELECT visits FROM day", (), |row| row.get(0)).unwrap();
    assert_eq!(visits, 4);
    assert!(stdout(&expect(0, ["conflicts", text(&a)])).contains("no conflicts"));
    database(&a, "INSERT INTO __pocketsync_rules(tbl, col, merge) VALUES('day', 'slug', 'set')");
    let listed = stdout(&expect(0, ["rules", text(&a)]));
    assert!(listed.contains("counter") && listed.contains("does not merge: day.slug"), "{listed}");
    expect(0, ["rules", "set", text(&a), "day.visits", "lww"]);
    assert!(!stdout(&expect(0, ["rules", text(&a)])).contains("counter"));
}
