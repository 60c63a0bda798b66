//! Devices on different versions of an application's schema, which sync with each other for weeks.

use crate::replica_support::{Device, scope};
use pocketsync_core::conflict::{ConflictFilter, Winner, Written};
use pocketsync_core::store::sqlite::SchemaWarning;
use pocketsync_core::store::{Store, StoreReply, StoreRequest};
use pocketsync_core::value::Value;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)";

fn exchange(devices: &[&Device]) {
    for _ in 0..3 {
        for to in devices {
            for from in devices.iter().filter(|from| from.path != to.path) {
                to.pull(from);
            }
        }
    }
}

fn warnings(device: &Device) -> Vec<String> {
    device.replica.status().unwrap().schema_warnings.iter().map(ToString::to_string).collect()
}

fn sql(device: &Device, statements: &str) {
    device.app.execute_batch(statements).unwrap();
}

/// Everything that is in the file but what depends on the time.
fn clocks(device: &Device) -> Vec<String> {
    device.rows("SELECT hex(r) FROM __pocketsync_clock_1 ORDER BY k")
}

#[test]
fn adding_a_column_rewrites_no_row_and_sends_nothing() {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    sql(
        &a,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO note(title) SELECT 'note ' || i FROM n",
    );
    exchange(&[&a, &b]);
    let (before, head) = (clocks(&a), a.identity().head);
    sql(&a, "ALTER TABLE note ADD COLUMN stars INTEGER DEFAULT 3");
    exchange(&[&a, &b]);
    assert_eq!((clocks(&a), a.identity().head), (before, head));
    sql(&b, "ALTER TABLE note ADD COLUMN stars INTEGER DEFAULT 3");
    exchange(&[&a, &b]);
    assert_eq!(b.rows("SELECT count(*) || ' ' || sum(stars) FROM note"), ["500 1500"]);
}

#[test]
fn unknown_columns_and_tables_are_kept_relayed_and_shown_after_the_migration() {
    let newer = format!(
        "{NOTES}; ALTER TABLE note ADD COLUMN stars INT; CREATE TABLE tag(name TEXT PRIMARY KEY, n INT)"
    );
    let (new, old, last) = (Device::new(&newer), Device::new(NOTES), Device::new(&newer));
    sql(&new, "INSERT INTO note(title, stars) VALUES('a', 5), ('b', 4); INSERT INTO tag VALUES('x', 1)");
    old.pull(&new);
    assert_eq!(
        warnings(&old),
        [
            "others have a column stars in table note, which this file does not have: 2 values are kept and passed on, \
             and are shown when the column is added",
            "others have a table tag, which this file does not have or does not track: 1 rows are kept and passed on, \
             and are shown when it is created and tracked",
        ]
    );
    // The older device edits and deletes rows whose new column it does not know, and passes on.
    sql(&old, "UPDATE note SET title = 'A' WHERE title = 'a'; DELETE FROM note WHERE title = 'b'");
    last.pull(&old);
    assert_eq!(last.rows("SELECT title || stars FROM note"), ["A5"]);
    assert_eq!(last.rows("SELECT name || n FROM tag"), ["x1"]);
    sql(&last, "UPDATE note SET stars = 1");
    exchange(&[&new, &old, &last]);
    assert_eq!(new.rows("SELECT title || stars FROM note"), ["A1"]);
    sql(&old, "ALTER TABLE note ADD COLUMN stars INT; CREATE TABLE tag(name TEXT PRIMARY KEY, n INT)");
    old.replica.track(&pocketsync_core::store::sqlite::Tables::all()).unwrap();
    assert_eq!(old.rows("SELECT title || stars FROM note"), ["A1"]);
    assert_eq!(old.rows("SELECT name || n FROM tag"), ["x1"]);
    assert_eq!(warnings(&old), Vec::<String>::new());
}

#[test]
fn both_insert_the_same_natural_key() {
    let setting = "CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT)";
    let new = Device::new(&format!("{setting}; ALTER TABLE setting ADD COLUMN kind TEXT"));
    let old = Device::new(setting);
    sql(&new, "INSERT INTO setting VALUES('size', '12', 'number')");
    new.identity();
    sql(&old, "INSERT INTO setting VALUES('size', '14')");
    exchange(&[&new, &old]);
    let shown = new.rows("SELECT value || coalesce(kind, '-') FROM setting");
    assert_eq!(shown.len(), 1);
    sql(&old, "ALTER TABLE setting ADD COLUMN kind TEXT");
    exchange(&[&new, &old]);
    assert_eq!(old.rows("SELECT value || coalesce(kind, '-') FROM setting"), shown);
    assert_eq!(shown, ["14number"]);
}

#[test]
fn a_renamed_column_is_the_same_column_for_who_has_not_renamed_it() {
    let (new, old) = (Device::new(NOTES), Device::new(NOTES));
    sql(&new, "INSERT INTO note(title) VALUES('a'), ('b')");
    exchange(&[&new, &old]);
    let head = new.identity().head.seq;
    sql(&new, "ALTER TABLE note RENAME COLUMN title TO heading");
    exchange(&[&new, &old]);
    assert!(new.identity().head.seq <= head + 1, "only that it was renamed is told");
    sql(&new, "UPDATE note SET heading = 'A' WHERE heading = 'a'");
    sql(&old, "UPDATE note SET title = 'B' WHERE title = 'b'; INSERT INTO note(title) VALUES('c')");
    exchange(&[&new, &old]);
    assert_eq!(old.rows("SELECT title FROM note ORDER BY 1"), ["A", "B", "c"]);
    assert_eq!(new.rows("SELECT heading FROM note ORDER BY 1"), ["A", "B", "c"]);
    sql(
        &old,
        "ALTER TABLE note RENAME COLUMN title TO heading; UPDATE note SET heading = 'C' WHERE heading = 'c'",
    );
    exchange(&[&new, &old]);
    assert_eq!(new.rows("SELECT heading FROM note ORDER BY 1"), ["A", "B", "C"]);
    assert_eq!(warnings(&old), Vec::<String>::new());
}

#[test]
fn a_device_that_never_had_the_old_name_is_told_of_it() {
    let (new, old) = (Device::new(NOTES), Device::new(NOTES));
    let fresh = Device::new("CREATE TABLE note(id INTEGER PRIMARY KEY, heading TEXT, body TEXT)");
    sql(&new, "INSERT INTO note(title) VALUES('a')");
    sql(&new, "ALTER TABLE note RENAME COLUMN title TO heading");
    sql(&fresh, "INSERT INTO note(heading) VALUES('f')");
    // The fresh device speaks before it has heard anything.
    old.pull(&fresh);
    new.pull(&fresh);
    exchange(&[&new, &old, &fresh]);
    for (device, column) in [(&new, "heading"), (&old, "title"), (&fresh, "heading")] {
        assert_eq!(device.rows(&format!("SELECT {column} FROM note ORDER BY 1")), ["a", "f"]);
    }
    sql(&fresh, "UPDATE note SET heading = 'F' WHERE heading = 'f'");
    sql(&old, "UPDATE note SET title = 'A' WHERE title = 'a'");
    exchange(&[&new, &old, &fresh]);
    for (device, column) in [(&new, "heading"), (&old, "title"), (&fresh, "heading")] {
        assert_eq!(device.rows(&format!("SELECT {column} FROM note ORDER BY 1")), ["A", "F"]);
    }
}

#[test]
fn what_was_hidden_under_another_name_is_in_the_log() {
    let new = Device::new(NOTES);
    let fresh = Device::new("CREATE TABLE note(id INTEGER PRIMARY KEY, heading TEXT, body TEXT)");
    sql(&new, "INSERT INTO note(title) VALUES('a')");
    fresh.pull(&new);
    assert_eq!(fresh.rows("SELECT coalesce(heading, '-') FROM note"), ["-"]);
    sql(&fresh, "UPDATE note SET heading = 'h'");
    sql(&new, "ALTER TABLE note RENAME COLUMN title TO heading");
    exchange(&[&new, &fresh]);
    for device in [&new, &fresh] {
        assert_eq!(device.rows("SELECT heading FROM note"), ["h"]);
    }
    let log = fresh.replica.conflicts(&ConflictFilter::default()).unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!((&log[0].came.what, log[0].winner), (&Written::Value(Value::text("a")), Winner::Here));
}

#[test]
fn a_renamed_table_is_the_same_table_for_everybody() {
    let (new, old) = (Device::new(NOTES), Device::new(NOTES));
    let fresh = Device::new(&NOTES.replace("note", "memo"));
    sql(&new, "INSERT INTO note(title) VALUES('a')");
    exchange(&[&new, &old]);
    sql(&new, "ALTER TABLE note RENAME TO memo; INSERT INTO memo(title) VALUES('b')");
    sql(&fresh, "INSERT INTO memo(title) VALUES('f')");
    old.pull(&fresh);
    exchange(&[&new, &old]);
    exchange(&[&new, &old, &fresh]);
    sql(&fresh, "UPDATE memo SET body = 'F' WHERE title = 'f'");
    sql(&old, "UPDATE note SET body = 'A' WHERE title = 'a'");
    exchange(&[&new, &old, &fresh]);
    for (device, table) in [(&new, "memo"), (&old, "note"), (&fresh, "memo")] {
        let sql = format!("SELECT title || coalesce(body, '-') FROM {table} ORDER BY 1");
        assert_eq!(device.rows(&sql), ["aA", "b-", "fF"], "{table}");
    }
    sql(&old, "ALTER TABLE note RENAME TO memo");
    exchange(&[&new, &old, &fresh]);
    assert_eq!(old.rows("SELECT count(*) || '' FROM memo"), ["3"]);
    assert!(warnings(&old).is_empty() && warnings(&fresh).is_empty());
}

#[test]
fn a_name_that_is_used_again_is_another_column() {
    let (new, old) = (Device::new(NOTES), Device::new(NOTES));
    sql(&new, "INSERT INTO note(title) VALUES('a')");
    exchange(&[&new, &old]);
    sql(
        &new,
        "ALTER TABLE note RENAME COLUMN title TO heading; ALTER TABLE note ADD COLUMN title TEXT;
               UPDATE note SET title = 'another'",
    );
    exchange(&[&new, &old]);
    assert_eq!(old.rows("SELECT title FROM note"), ["a"]);
    sql(&old, "UPDATE note SET title = 'b'");
    exchange(&[&new, &old]);
    assert_eq!(new.rows("SELECT heading || title FROM note"), ["banother"]);
}

#[test]
fn a_dropped_column_stays_with_the_others_and_comes_back_with_its_values() {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    sql(&a, "INSERT INTO note(title, body) VALUES('a', 'x'), ('b', 'y')");
    exchange(&[&a, &b]);
    sql(&a, "ALTER TABLE note DROP COLUMN body");
    sql(&a, "UPDATE note SET title = 'A' WHERE title = 'a'");
    sql(&b, "UPDATE note SET body = 'z' WHERE title = 'b'");
    exchange(&[&a, &b]);
    assert_eq!(b.rows("SELECT title || body FROM note ORDER BY 1"), ["Ax", "bz"]);
    sql(&a, "ALTER TABLE note ADD COLUMN body TEXT");
    assert_eq!(a.rows("SELECT coalesce(body, '-') FROM note ORDER BY title"), ["-", "-"]);
    let StoreReply::Identity(_) = a.replica.clone().run(StoreRequest::Identify { scope: scope() }).unwrap()
    else {
        panic!()
    };
    assert_eq!(
        a.rows("SELECT coalesce(body, '-') FROM note ORDER BY title"),
        ["-", "z"],
        "what came meanwhile"
    );
}

#[test]
fn a_rebuild_that_renames_is_asked_about_and_answered_by_another_device() {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    sql(&a, "INSERT INTO note(title) VALUES('a')");
    exchange(&[&a, &b]);
    let rebuild = "BEGIN; CREATE TABLE fresh(id INTEGER PRIMARY KEY, heading TEXT, body TEXT);
        INSERT INTO fresh SELECT id, title, body FROM note; DROP TABLE note;
        ALTER TABLE fresh RENAME TO note; COMMIT";
    sql(&b, rebuild);
    b.identity();
    assert!(b.replica.status().unwrap().schema_warnings.contains(&SchemaWarning::MaybeRenamed {
        table: "note".to_owned(),
        gone: vec!["title".to_owned()],
        new: "heading".to_owned()
    }));
    sql(&a, "ALTER TABLE note RENAME COLUMN title TO heading; UPDATE note SET heading = 'A'");
    exchange(&[&a, &b]);
    assert_eq!(b.rows("SELECT heading FROM note"), ["A"]);
}
