//! Devices that come late pay for what changed, not for how it came about.

mod contents;
mod processes;
mod setting;

use std::path::Path;

use contents::{assert_same, assert_sound, open};
use processes::{Hub, expect, stdout, text};
use serde_json::Value as Json;

fn sync(file: &Path, hub: &Hub) -> Json {
    let output = expect(0, ["sync", text(file), "--hub", &hub.url, "--scope", "music", "--json"]);
    serde_json::from_str(&stdout(&output)).expect("a report")
}

#[test]
fn a_device_with_empty_tables_gets_everything() {
    let folder = tempfile::tempdir().unwrap();
    let [full, empty] = ["full.db", "empty.db"].map(|name| folder.path().join(name));
    setting::music(&full);
    let schema: Vec<String> = {
        let conn = open(&full);
        let mut select = conn
            .prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY rowid")
            .unwrap();
        select.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let conn = pocketsync::rusqlite::Connection::open(&empty).unwrap();
    conn.execute_batch(&schema.join(";\n")).unwrap();
    drop(conn);

    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    for file in [&full, &empty] {
        expect(0, ["track", text(file)]);
    }
    let first = sync(&full, &hub);
    let joined = sync(&empty, &hub);
    eprintln!("the first device sent: {first}\nthe second got: {joined}");
    expect(0, ["diff", text(&full), text(&empty)]);
    assert_same(&full, &empty);
    assert_sound(&empty);
    let rows: i64 = contents::contents(&full).values().map(|rows| rows.len() as i64).sum();
    assert!(joined["changed_rows"].as_i64().unwrap() >= rows, "{joined}");
}

#[test]
fn ten_thousand_updates_of_a_hundred_rows_are_a_hundred_changes() {
    let folder = tempfile::tempdir().unwrap();
    let [writer, reader] = ["writer.db", "reader.db"].map(|name| folder.path().join(name));
    setting::music(&writer);
    std::fs::copy(&writer, &reader).unwrap();
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    for file in [&writer, &reader] {
        expect(0, ["track", text(file)]);
        sync(file, &hub);
    }
    // While the reader is away, in ten sittings, each of them synced.
    for sitting in 0..10 {
        let conn = open(&writer);
        conn.execute_batch("BEGIN").unwrap();
        for n in 0..1000 {
            conn.execute(
                "UPDATE Track SET Composer = ?1 WHERE TrackId = ?2",
                (format!("composer {sitting}-{n}"), n % 100 + 1),
            )
            .unwrap();
        }
        conn.execute_batch("COMMIT").unwrap();
        drop(conn);
        sync(&writer, &hub);
    }
    let came = sync(&reader, &hub);
    eprintln!("the reader got: {came}");
    assert_eq!(came["changed_rows"], 100, "{came}");
    assert!(came["received_bytes"].as_u64().unwrap() < 100 * 100, "{came}");
    expect(0, ["diff", text(&writer), text(&reader)]);
    assert_same(&writer, &reader);
}
