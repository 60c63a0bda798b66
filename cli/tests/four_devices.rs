//! Four devices with real files, written by other programs through plain SQL, kept in sync by real
//! processes over real sockets, some of which are killed; through a hub in the same room, and through one that
//! strangers can reach, over WebSockets, HTTP, and both.

mod contents;
mod guards;
mod processes;
mod setting;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use contents::{assert_same, assert_sound, open};
use guards::Guards;
use pocketsync::rusqlite::types::Value;
use processes::{Hub, expect, run, sidecar_with, stdout, text, wait_until};
use serde_json::Value as Json;

const DEVICES: [&str; 4] = ["A", "B", "C", "D"];
const WRITING: Duration = Duration::from_secs(8);

/// What the writers noted as committed.
struct Notes {
    all: Vec<Json>,
}

impl Notes {
    fn read(files: &[PathBuf]) -> Self {
        let lines = files.iter().flat_map(|file| {
            let text = std::fs::read_to_string(file).expect("the writer's notes");
            text.lines().map(|line| serde_json::from_str(line).expect("a note")).collect::<Vec<Json>>()
        });
        Notes { all: lines.collect() }
    }

    fn of<'n>(&'n self, did: &'n str) -> impl Iterator<Item = &'n Json> {
        self.all.iter().filter(move |note| note["did"] == did)
    }
}

fn writer(file: &Path, device: &str, notes: &Path) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/writers/writer.py");
    let seconds = WRITING.as_secs_f64().to_string();
    Command::new("python3")
        .args([text(&script), text(file), device, &seconds, text(notes)])
        .stdout(Stdio::null())
        .spawn()
        .expect("python3 starts")
}

/// One statement by the sqlite3 shell, an application like any other.
fn shell(file: &Path, sql: &str) {
    let output =
        Command::new("sqlite3").args([text(file), ".timeout 60000", sql]).output().expect("sqlite3 starts");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
}

fn is_same(a: &Path, b: &Path) -> bool {
    run(["diff", text(a), text(b)]).status.code() == Some(0)
}

/// How the devices reach the hub.
struct Way {
    name: &'static str,
    /// Of a hub that does its own TLS and admits by signed tokens, of which one expires in the middle.
    guarded: bool,
    /// Which devices go over HTTP; the others over a WebSocket.
    http: [bool; 4],
}

#[test]
fn four_devices_hold_the_same_after_writes_conflicts_and_kills() {
    hold_the_same(&Way { name: "four devices over ws", guarded: false, http: [false; 4] });
}

#[test]
fn the_same_over_wss_with_tokens_that_expire() {
    hold_the_same(&Way { name: "four devices over wss", guarded: true, http: [false; 4] });
}

#[test]
fn the_same_over_https_with_tokens_that_expire() {
    hold_the_same(&Way { name: "four devices over https", guarded: true, http: [true; 4] });
}

#[test]
fn the_same_over_wss_and_https_with_tokens_that_expire() {
    hold_the_same(&Way { name: "four devices over both", guarded: true, http: [true, false, false, true] });
}

fn hold_the_same(way: &Way) {
    let what = way.name;
    if !setting::has("python3", what) || !setting::has("sqlite3", what) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let original = at("original.db");
    setting::music(&original);
    let files: Vec<PathBuf> = DEVICES.iter().map(|device| at(&format!("{device}.db"))).collect();
    for (file, journal) in files.iter().zip(["WAL", "DELETE", "WAL", "DELETE"]) {
        std::fs::copy(&original, file).unwrap();
        shell(file, &format!("PRAGMA journal_mode = {journal}"));
        expect(0, ["track", text(file)]);
    }

    let data = at("hub");
    let guards = Guards::make(folder.path(), "music");
    let (of_hub, of_device) = (guards.of_hub(), guards.of_device(&guards.certificate));
    let (of_hub, of_device): (&[&str], &[&str]) =
        if way.guarded { (&of_hub, &of_device) } else { (&[], &[]) };
    // It expires while the writers write.
    guards.renew(3);
    let mut hub = Hub::start(&data, "127.0.0.1:0", of_hub);
    let address = hub.address().to_owned();
    let urls = way.http.map(|http| if http { hub.url.replacen("ws", "http", 1) } else { hub.url.clone() });
    let start = |device: usize| sidecar_with(&files[device], &urls[device], "music", of_device);
    let mut sidecars: Vec<_> = (0..4).map(start).collect();

    let notes: Vec<PathBuf> = DEVICES.iter().map(|device| at(&format!("{device}.notes"))).collect();
    let began = Instant::now();
    let mut writers: Vec<Child> = DEVICES
        .iter()
        .zip(&files)
        .zip(&notes)
        .map(|((device, file), notes)| writer(file, device, notes))
        .collect();
    let wait_for = |moment: f64| {
        std::thread::sleep((began + WRITING.mul_f64(moment)).saturating_duration_since(Instant::now()))
    };

    wait_for(0.2);
    shell(&files[2], "UPDATE Track SET Composer = 'the shell' WHERE TrackId = 3450");
    wait_for(0.3);
    sidecars[1].kill();
    wait_for(0.45);
    sidecars[1] = start(1);
    guards.renew(3_600);
    wait_for(0.55);
    hub.process.kill();
    shell(&files[3], "INSERT INTO Genre(Name) VALUES ('made without a hub')");
    wait_for(0.7);
    hub = Hub::start(&data, &address, of_hub);
    for writer in &mut writers {
        assert!(writer.wait().unwrap().success(), "a writer failed");
    }

    let took = wait_until("all four are the same", Duration::from_secs(300), || {
        files[1..].iter().all(|file| is_same(&files[0], file))
    });
    eprintln!("{what}: all were the same {took:?} after the last write");
    let expired = sidecars.iter().any(|sidecar| sidecar.log().contains("the token has expired"));
    assert_eq!(expired, way.guarded);
    for sidecar in &mut sidecars {
        assert!(sidecar.runs(), "a sidecar ended: {}", sidecar.log());
        assert!(sidecar.terminate("-TERM").success());
    }

    for file in &files {
        expect(0, ["diff", text(&files[0]), text(file)]);
        assert_same(&files[0], file);
        assert_sound(file);
    }
    let notes = Notes::read(&notes);
    for file in &files {
        nothing_is_lost(file, &notes);
    }
    drop(hub);
}

/// Every committed write that no other write could have overwritten is to be seen.
fn nothing_is_lost(file: &Path, notes: &Notes) {
    let conn = open(file);
    let parked: Json = serde_json::from_str(&stdout(&run(["status", text(file), "--json"]))).unwrap();
    assert_eq!(parked["parked"], 0, "nothing in this schema has to be parked: {}", parked["parked_rows"]);
    let count = |sql: &str, of: &str| conn.query_row(sql, [of], |row| row.get::<_, i64>(0)).unwrap();

    for note in notes.of("family") {
        let name = note["name"].as_str().unwrap();
        let tracks = count(
            "SELECT count(*) FROM Track JOIN Album USING (AlbumId) JOIN Artist USING (ArtistId)
             WHERE Artist.Name = 'artist ' || ?1 AND Title = 'album ' || ?1
             AND Track.Name IN ('track ' || ?1 || 'a', 'track ' || ?1 || 'b')",
            name,
        );
        assert_eq!(tracks, 2, "the family {name} in {}", file.display());
    }
    for note in notes.of("bulk") {
        assert_eq!(
            count("SELECT count(*) FROM Track WHERE Name LIKE ?1", "bulk %"),
            note["rows"].as_i64().unwrap()
        );
    }
    assert_eq!(count("SELECT count(*) FROM Genre WHERE Name = ?1", "made without a hub"), 1);
    assert_eq!(count("SELECT count(*) FROM Track WHERE TrackId = 3450 AND Composer = ?1", "the shell"), 1);

    // The last value of a cell that one device alone wrote.
    let mut last: BTreeMap<(i64, &str), &Json> = BTreeMap::new();
    for note in notes.of("cell") {
        last.insert((note["track"].as_i64().unwrap(), note["column"].as_str().unwrap()), &note["value"]);
    }
    assert!(last.len() > 100, "the writers wrote {} cells", last.len());
    for ((track, column), value) in last {
        let shown: Value = conn
            .query_row(&format!("SELECT {column} FROM Track WHERE TrackId = ?1"), [track], |row| row.get(0))
            .unwrap();
        let wanted = match value {
            Json::String(text) => Value::Text(text.clone()),
            number => Value::Integer(number.as_i64().unwrap()),
        };
        assert_eq!(shown, wanted, "{column} of track {track} in {}", file.display());
    }
    // One of the values that were written, where several devices wrote.
    let mut written: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
    for note in notes.of("contended") {
        written.entry(note["track"].as_i64().unwrap()).or_default().insert(note["value"].as_str().unwrap());
    }
    for (track, values) in written {
        let shown: String =
            conn.query_row("SELECT Name FROM Track WHERE TrackId = ?1", [track], |row| row.get(0)).unwrap();
        assert!(values.contains(shown.as_str()), "track {track} is called {shown}");
    }
    for note in notes.of("delete") {
        let line = note["line"].as_i64().unwrap();
        let shown: i64 = conn
            .query_row("SELECT count(*) FROM InvoiceLine WHERE InvoiceLineId = ?1", [line], |row| row.get(0))
            .unwrap();
        assert_eq!(shown, 0, "the delete of line {line} wins over its updates");
    }
}
