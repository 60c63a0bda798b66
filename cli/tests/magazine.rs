//! Four devices with a magazine's database: unique and check constraints, foreign keys with actions, derived
//! columns and a full-text index kept by triggers, counters and sets, and rules for conflicts. Other programs
//! write it through plain SQL, real processes keep it in sync, and some of them are killed.

mod contents;
mod processes;
mod setting;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use contents::{assert_same, assert_sound, open};
use pocketsync::rusqlite::Connection;
use processes::{Hub, expect, run, sidecar, stdout, text, wait_until};
use serde_json::Value as Json;

const DEVICES: [&str; 4] = ["A", "B", "C", "D"];
const WRITING: Duration = Duration::from_secs(5);

const RULES: [&[&str]; 4] = [
    &["article.views", "counter"],
    &["article.comments", "counter"],
    &["article.labels", "set"],
    &["article", "client_wins"],
];

fn desk(file: &Path, device: &str, notes: &Path) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/writers/magazine.py");
    Command::new("python3")
        .args([text(&script), text(file), device, &WRITING.as_secs_f64().to_string(), text(notes)])
        .stdout(Stdio::null())
        .spawn()
        .expect("python3 starts")
}

#[test]
fn a_magazine_is_the_same_on_four_devices_with_everything_it_derives() {
    if !setting::has("python3", "a magazine on four devices") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let original = at("original.db");
    Connection::open(&original).unwrap().execute_batch(include_str!("data/magazine.sql")).unwrap();
    let files: Vec<PathBuf> = DEVICES.iter().map(|device| at(&format!("{device}.db"))).collect();
    for file in &files {
        std::fs::copy(&original, file).unwrap();
        expect(0, ["track", text(file)]);
    }
    for rule in RULES {
        expect(0, ["rules", "set", text(&files[0])].iter().chain(rule).copied());
    }
    let data = at("hub");
    let mut hub = Hub::start(&data, "127.0.0.1:0", &[]);
    let address = hub.address().to_owned();
    for file in &files {
        expect(0, ["sync", text(file), "--hub", &hub.url, "--scope", "magazine"]);
    }
    let mut sidecars: Vec<_> = files.iter().map(|file| sidecar(file, &hub.url, "magazine")).collect();

    let notes: Vec<PathBuf> = DEVICES.iter().map(|device| at(&format!("{device}.notes"))).collect();
    let desks = DEVICES.iter().zip(&files).zip(&notes);
    let mut desks: Vec<Child> = desks.map(|((device, file), notes)| desk(file, device, notes)).collect();
    std::thread::sleep(WRITING / 4);
    sidecars[1].kill();
    std::thread::sleep(WRITING / 4);
    hub.process.kill();
    sidecars[1] = sidecar(&files[1], &hub.url, "magazine");
    std::thread::sleep(WRITING / 4);
    hub = Hub::start(&data, &address, &[]);
    for desk in &mut desks {
        assert!(desk.wait().unwrap().success(), "a desk failed");
    }
    wait_until("all four are the same", Duration::from_secs(300), || {
        files[1..].iter().all(|file| run(["diff", text(&files[0]), text(file)]).status.code() == Some(0))
    });
    for sidecar in &mut sidecars {
        assert!(sidecar.terminate("-TERM").success());
    }
    drop(hub);

    let notes = Notes::read(&notes);
    for file in &files {
        assert_same(&files[0], file);
        assert_sound(file);
        assert_eq!(parked(&files[0]), parked(file), "what waits in {}", file.display());
        what_is_derived_is_right(file);
        nothing_is_lost(file, &notes);
    }
}

/// The rows that wait, with their reasons; local handles and integers aside.
fn parked(file: &Path) -> BTreeMap<(String, String), usize> {
    let report: Json = serde_json::from_str(&stdout(&run(["parked", text(file), "--json"]))).unwrap();
    let mut found = BTreeMap::new();
    for row in report["parked"].as_array().unwrap() {
        let word = |name: &str| row[name].as_str().unwrap().to_owned();
        *found.entry((word("table"), word("reason"))).or_default() += 1;
    }
    found
}

fn what_is_derived_is_right(file: &Path) {
    let conn = open(file);
    conn.execute_batch("INSERT INTO article_search(article_search, rank) VALUES ('integrity-check', 1)")
        .unwrap_or_else(|error| panic!("the index of {}: {error}", file.display()));
    for word in ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "title", "welcome"] {
        let count = |sql: &str| conn.query_row(sql, [word], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(
            count("SELECT count(*) FROM article_search WHERE article_search MATCH ?1"),
            count(
                "SELECT count(*) FROM article
                 WHERE ' ' || title || ' ' || body || ' ' LIKE '% ' || ?1 || ' %'"
            ),
            "articles with `{word}` in {}",
            file.display()
        );
    }
    let wrong: Vec<(String, i64, i64)> = rows(
        &conn,
        "SELECT slug, comments, (SELECT count(*) FROM comment WHERE article_id = article.id) AS there
         FROM article WHERE comments <> there",
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    );
    assert!(wrong.is_empty(), "comments as counted by triggers, and as they are: {wrong:?}");
}

/// What the desks noted as committed.
struct Notes(Vec<Json>);

impl Notes {
    fn read(files: &[PathBuf]) -> Self {
        let lines = files.iter().flat_map(|file| {
            let text = std::fs::read_to_string(file).expect("a desk's notes");
            text.lines().map(|line| serde_json::from_str(line).expect("a note")).collect::<Vec<Json>>()
        });
        Notes(lines.collect())
    }

    fn of<'n>(&'n self, did: &'n str) -> impl Iterator<Item = &'n Json> {
        self.0.iter().filter(move |note| note["did"] == did)
    }
}

fn rows<T>(
    conn: &Connection,
    sql: &str,
    read: impl Fn(&pocketsync::rusqlite::Row<'_>) -> pocketsync::rusqlite::Result<T>,
) -> Vec<T> {
    conn.prepare(sql).unwrap().query_map((), read).unwrap().collect::<Result<_, _>>().unwrap()
}

fn nothing_is_lost(file: &Path, notes: &Notes) {
    let conn = open(file);
    let word = |note: &Json, name: &str| note[name].as_str().unwrap().to_owned();
    let count = |sql: &str, of: &[&str]| {
        let of = pocketsync::rusqlite::params_from_iter(of);
        conn.query_row(sql, of, |row| row.get::<_, i64>(0)).unwrap()
    };

    // Every article, under its author, whoever made that name first.
    for note in notes.of("article") {
        let (slug, author) = (word(note, "slug"), word(note, "author"));
        let sql = "SELECT count(*) FROM article JOIN person ON person.id = author_id
                   WHERE slug = ?1 AND username = ?2 COLLATE NOCASE";
        assert_eq!(count(sql, &[&slug, &author]), 1, "{slug} by {author} in {}", file.display());
    }
    assert_eq!(
        count("SELECT count(*) - count(DISTINCT lower(username)) FROM person", &[]),
        0,
        "one person a name"
    );

    // The last body of each, which one device alone edits.
    let bodies: BTreeMap<String, String> =
        notes.of("body").map(|note| (word(note, "slug"), word(note, "body"))).collect();
    for (slug, body) in bodies {
        assert_eq!(
            count("SELECT count(*) FROM article WHERE slug = ?1 AND body = ?2", &[&slug, &body]),
            1,
            "{slug}"
        );
    }

    // Everybody's views, added up.
    let mut views: BTreeMap<String, i64> = BTreeMap::new();
    for note in notes.of("view") {
        *views.entry(word(note, "slug")).or_default() += 1;
    }
    for (slug, views) in views {
        assert_eq!(
            count("SELECT views FROM article WHERE slug = ?1", &[&slug]),
            views,
            "views of {slug} in {}",
            file.display()
        );
    }

    for note in notes.of("label") {
        let (slug, label) = (word(note, "slug"), word(note, "label"));
        let sql = "SELECT count(*) FROM article, json_each(labels) WHERE slug = ?1 AND value = ?2";
        assert_eq!(count(sql, &[&slug, &label]), 1, "{label} of {slug}");
    }
    for note in notes.of("tag") {
        let (slug, tag) = (word(note, "slug"), word(note, "tag"));
        let sql = "SELECT count(*) FROM article_tags JOIN article ON article.id = article_id
                   JOIN tag ON tag.id = tag_id WHERE slug = ?1 AND name = ?2";
        assert_eq!(count(sql, &[&slug, &tag]), 1, "{slug} tagged {tag}");
    }

    // Comments: all but those that were withdrawn, and those of the article that was deleted.
    let withdrawn: BTreeSet<String> = notes.of("withdraw").map(|note| word(note, "text")).collect();
    let deleted: BTreeSet<String> = notes.of("delete").map(|note| word(note, "slug")).collect();
    assert_eq!(deleted.len(), 1, "D deletes an article");
    for note in notes.of("comment") {
        let (slug, comment) = (word(note, "slug"), word(note, "text"));
        let there = !withdrawn.contains(&comment) && !deleted.contains(&slug);
        assert_eq!(
            count("SELECT count(*) FROM comment WHERE text = ?1", &[&comment]),
            i64::from(there),
            "{comment} on {slug} in {}",
            file.display()
        );
    }
    assert_eq!(count("SELECT count(*) FROM article WHERE slug = 'gone'", &[]), 0);
}
