//! Files compared by what their rows mean.

use std::path::{Path, PathBuf};

use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::sqlite::diff::{MAX_ROWS_LISTED, diff};
use pocketsync_core::store::sqlite::replica::{Replica, ReplicaOptions};
use pocketsync_core::store::sqlite::tracking::Tables;
use tempfile::TempDir;

const SCHEMA: &str = "
    CREATE TABLE list(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE item(id INTEGER PRIMARY KEY, list INTEGER REFERENCES list(id), title TEXT);
    CREATE TABLE setting(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE pair(a TEXT, b TEXT, n INTEGER, PRIMARY KEY (a, b));
    INSERT INTO list VALUES (1, 'home'), (2, 'work');
    INSERT INTO item VALUES (1, 1, 'milk'), (2, 1, 'eggs'), (3, 2, 'mail');
    INSERT INTO setting VALUES ('theme', 'dark');
    INSERT INTO pair VALUES (NULL, 'x', 1), ('a', 'x', 2);";

fn sql(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// Two copies of one template, tracked apart.
fn two() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    sql(&a, SCHEMA);
    std::fs::copy(&a, &b).unwrap();
    for path in [&a, &b] {
        track(path);
    }
    (folder, a, b)
}

fn track(path: &Path) {
    Replica::open(path, ReplicaOptions::default()).unwrap().track(&Tables::all()).unwrap();
}

#[test]
fn copies_of_a_template_are_the_same() {
    let (_folder, a, b) = two();
    let report = diff(&a, &b).unwrap();
    assert!(report.is_same(), "{report:#?}");
    assert_eq!(report.rows(), 8);
}

#[test]
fn another_integer_is_the_same_row_and_its_references_mean_the_same() {
    let (_folder, a, b) = two();
    sql(
        &b,
        "PRAGMA foreign_keys = OFF; UPDATE item SET id = 70 WHERE id = 3; UPDATE list SET id = 50 WHERE id = 2; UPDATE item SET list = 50 WHERE id = 70;",
    );
    let report = diff(&a, &b).unwrap();
    assert!(report.is_same(), "{report:#?}");
    sql(&b, "UPDATE item SET list = 1 WHERE id = 70");
    let report = diff(&a, &b).unwrap();
    let item = report.tables.iter().find(|table| table.name == "item").unwrap();
    assert_eq!((item.changed, item.only_in_a, item.only_in_b), (1, 0, 0));
    assert_eq!(item.rows[0].cells[0].column, "list");
    assert_ne!(item.rows[0].key_a, item.rows[0].key_b, "each file's own integer is told");
}

#[test]
fn rows_that_were_inserted_apart_are_two_even_under_one_integer() {
    let (_folder, a, b) = two();
    for path in [&a, &b] {
        sql(path, "INSERT INTO item VALUES (9, 1, 'bread'); INSERT INTO setting VALUES ('size', 5)");
    }
    let report = diff(&a, &b).unwrap();
    let table = |name: &str| report.tables.iter().find(|table| table.name == name).unwrap();
    assert_eq!((table("item").only_in_a, table("item").only_in_b), (1, 1));
    assert!(table("setting").is_same(), "a declared key means the same row wherever it was inserted");
}

#[test]
fn looking_changes_nothing_and_counts_what_is_not_folded_yet() {
    let (_folder, a, b) = two();
    sql(&a, "DELETE FROM item WHERE id = 1; INSERT INTO item VALUES (1, 1, 'milk'); UPDATE pair SET n = 7;");
    let before = std::fs::read(&a).unwrap();
    let report = diff(&a, &b).unwrap();
    let table = |name: &str| report.tables.iter().find(|table| table.name == name).unwrap();
    assert_eq!((table("item").only_in_a, table("item").only_in_b), (1, 1), "a reused integer is another row");
    assert_eq!(table("pair").changed, 2);
    assert!(std::fs::read(&a).unwrap() == before, "the file was written");
}

#[test]
fn columns_and_tables_that_one_file_lacks_are_told() {
    let (_folder, a, b) = two();
    sql(&b, "ALTER TABLE item ADD COLUMN note TEXT; CREATE TABLE more(id INTEGER PRIMARY KEY);");
    track(&b);
    let report = diff(&a, &b).unwrap();
    let table = |name: &str| report.tables.iter().find(|table| table.name == name).unwrap();
    assert_eq!(table("item").columns_only_in_b, ["note"]);
    assert_eq!(table("item").differences(), 0);
    assert_eq!(table("more").columns_only_in_b, ["*"]);
    assert!(!report.is_same());
}

#[test]
fn the_list_is_bounded_and_the_counts_are_not() {
    let (_folder, a, b) = two();
    sql(
        &a,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO list(name) SELECT 'l' || i FROM n",
    );
    let report = diff(&a, &b).unwrap();
    let list = report.tables.iter().find(|table| table.name == "list").unwrap();
    assert_eq!((list.only_in_a, list.rows.len()), (500, MAX_ROWS_LISTED));
}

#[test]
fn it_looks_beside_an_engine_and_at_nothing_that_is_not_tracked() {
    let (folder, a, b) = two();
    let engine = Replica::open(&a, ReplicaOptions::default()).unwrap();
    assert!(diff(&a, &b).unwrap().is_same());
    assert_eq!(Replica::inspect(&a, ReplicaOptions::default()).unwrap(), engine.status().unwrap());
    let plain = folder.path().join("plain.db");
    sql(&plain, SCHEMA);
    let error = diff(&a, &plain).unwrap_err();
    assert_eq!(error.code(), "not_tracked");
    assert!(error.to_string().contains("plain.db"), "{error}");
    assert_eq!(diff(&a, &folder.path().join("none.db")).unwrap_err().code(), "not_found");
}
