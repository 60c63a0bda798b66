//! Values that were changed while a table had no triggers: after another program rebuilt it, and
//! before anybody looked.

use crate::replica_support::Device;
use pocketsync_core::conflict::{ConflictFilter, Written};
use pocketsync_core::store::sqlite::Migration;
use pocketsync_core::value::Value;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)";

const REBUILD: &str = "BEGIN; CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT, body TEXT);
    INSERT INTO fresh SELECT id, title, body FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note; COMMIT";

fn sql(device: &Device, sql: &str) {
    device.app.execute_batch(sql).unwrap();
}

fn exchange(devices: &[&Device]) {
    for _ in 0..3 {
        for to in devices {
            for from in devices.iter().filter(|from| from.path != to.path) {
                to.pull(from);
            }
        }
    }
}

fn notes(device: &Device) -> Vec<String> {
    device.rows("SELECT coalesce(title, '-') || ' ' || coalesce(body, '-') FROM note ORDER BY title")
}

/// Two devices with three notes, and what the first one did to them unseen.
fn after(unseen: &str) -> (Device, Device) {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    sql(&a, "INSERT INTO note(title, body) VALUES('k', 'k'), ('m', 'm'), ('o', 'o')");
    exchange(&[&a, &b]);
    sql(&a, REBUILD);
    sql(&a, unseen);
    (a, b)
}

#[test]
fn what_was_written_unseen_reaches_the_others() {
    // Larger and smaller than what it was, of the same length and not, and by its type alone.
    let (a, b) = after(
        "UPDATE note SET title = 'a' WHERE title = 'k'; UPDATE note SET body = 'z' WHERE title = 'm';
         UPDATE note SET body = NULL WHERE title = 'o'; UPDATE note SET title = x'6f' WHERE title = 'o'",
    );
    exchange(&[&a, &b]);
    let typed =
        |device: &Device| device.rows("SELECT quote(title) || quote(body) FROM note ORDER BY quote(title)");
    assert_eq!(typed(&a), ["'a''k'", "'m''z'", "X'6F'NULL"]);
    assert_eq!(typed(&b), typed(&a));
    assert_eq!(a.replica.conflicts(&ConflictFilter::default()).unwrap(), []);
}

#[test]
fn what_others_wrote_meanwhile_stays_and_what_was_here_is_logged() {
    let (a, b) = after("UPDATE note SET title = 'mine', body = 'mine' WHERE title = 'm'");
    sql(&b, "UPDATE note SET title = 'theirs' WHERE title = 'm'; DELETE FROM note WHERE title = 'k'");
    exchange(&[&a, &b]);
    assert_eq!(notes(&a), ["o o", "theirs mine"]);
    assert_eq!(notes(&b), notes(&a));
    let logged = a.replica.conflicts(&ConflictFilter::default()).unwrap();
    let values: Vec<_> = logged.iter().map(|it| it.here.what.clone()).collect();
    assert!(values.contains(&Written::Value(Value::text("mine"))), "{values:?}");
    assert!(values.iter().any(|it| matches!(it, Written::Row(row) if row["title"] == Value::text("k"))));
}

#[test]
fn what_was_written_unseen_into_a_column_without_values_is_told() {
    let schema = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)";
    let (a, b) = (Device::new(schema), Device::new(schema));
    sql(&a, "INSERT INTO note(title) VALUES('k'), ('m')");
    exchange(&[&a, &b]);
    for device in [&a, &b] {
        sql(device, "ALTER TABLE note ADD COLUMN stars INT DEFAULT 3");
        device.identity();
    }
    sql(
        &a,
        "BEGIN; CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT, stars INT DEFAULT 3);
         INSERT INTO fresh SELECT id, title, stars FROM note; DROP TABLE note;
         ALTER TABLE fresh RENAME TO note; COMMIT; UPDATE note SET stars = 12 WHERE title = 'm'",
    );
    exchange(&[&a, &b]);
    for device in [&a, &b] {
        assert_eq!(device.rows("SELECT title || stars FROM note ORDER BY title"), ["k3", "m12"]);
    }
}

#[test]
fn rows_of_every_kind_of_key_are_compared() {
    let schema = "CREATE TABLE word(a TEXT, b INT, v, PRIMARY KEY(a, b))";
    let (a, b) = (Device::new(schema), Device::new(schema));
    sql(&a, "INSERT INTO word VALUES('x', 1, 'old'), ('x', NULL, 'old')");
    exchange(&[&a, &b]);
    sql(
        &a,
        &format!(
            "BEGIN; ALTER TABLE word RENAME TO old; {schema};
             INSERT INTO word(rowid, a, b, v) SELECT rowid, a, b, v FROM old; DROP TABLE old; COMMIT;
             UPDATE word SET v = 'new'"
        ),
    );
    exchange(&[&a, &b]);
    for device in [&a, &b] {
        assert_eq!(device.rows("SELECT v FROM word"), ["new", "new"]);
    }
}

#[test]
fn a_rebuild_by_the_engine_asks_nobody() {
    let (a, b) = after("");
    exchange(&[&a, &b]);
    let site = b.site();
    b.replica.migrate(&Migration::new(REBUILD)).unwrap();
    assert_eq!(b.site(), site);
    assert!(b.replica.status().unwrap().tables.iter().all(|table| !table.suspect));
}

#[test]
fn the_suspicion_ends_when_everybody_was_heard() {
    let (a, b) = after("UPDATE note SET title = 'a' WHERE title = 'k'");
    let c = Device::new(NOTES);
    let is_suspect = || a.replica.status().unwrap().tables.iter().any(|table| table.suspect);
    a.identity();
    assert!(is_suspect());
    a.meet(&b);
    assert!(is_suspect(), "nothing was read again yet");
    a.pull(&b);
    assert!(!is_suspect());
    let site = a.site();
    exchange(&[&a, &b, &c]);
    sql(&a, "ALTER TABLE note ADD COLUMN more");
    exchange(&[&a, &b, &c]);
    assert_eq!(a.site(), site, "nobody is asked twice");
    assert_eq!(notes(&c), ["a k", "m m", "o o"]);
}

#[test]
fn whoever_comes_later_is_told_everything() {
    let (a, b) = after("UPDATE note SET title = 'a' WHERE title = 'k'");
    let c = Device::new(NOTES);
    a.identity();
    // The one that was told is not there any more.
    exchange(&[&a, &c]);
    assert_eq!(notes(&c), ["a k", "m m", "o o"]);
    exchange(&[&a, &b, &c]);
    for device in [&a, &b, &c] {
        assert_eq!(notes(device), ["a k", "m m", "o o"]);
    }
}

#[test]
fn what_was_told_is_not_told_again_before_it_was_compared() {
    let (a, b) =
        after("UPDATE note SET title = 'z' WHERE title = 'k'; INSERT INTO note(title) VALUES('new')");
    a.identity();
    b.pull(&a);
    assert_eq!(notes(&b), ["k k", "m m", "new -", "o o"], "nothing else in the same version");
    a.meet(&b);
    a.pull(&b);
    b.pull(&a);
    assert_eq!(notes(&b), ["m m", "new -", "o o", "z k"]);
}

#[test]
fn who_was_heard_is_told_though_another_one_never_comes_back() {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    let gone = Device::new(NOTES);
    sql(&a, "INSERT INTO note(title) VALUES('k')");
    exchange(&[&a, &b, &gone]);
    sql(&a, "UPDATE note SET title = 'told'");
    // What was told to one that is not there any more has not arrived at the other one.
    gone.pull(&a);
    sql(&a, REBUILD);
    exchange(&[&a, &b]);
    a.meet(&b);
    exchange(&[&a, &b]);
    assert_eq!(b.rows("SELECT title FROM note"), ["told"]);
    assert!(a.replica.status().unwrap().tables.iter().any(|table| table.suspect), "one was not heard");
}

/// What was captured before the rebuild was written then, and wrote nothing into a column that came with it.
#[test]
fn an_insert_from_before_the_rebuild_keeps_its_time() {
    let schema = "CREATE TABLE word(name TEXT PRIMARY KEY NOT NULL, value TEXT)";
    let rebuild = "BEGIN; CREATE TABLE fresh(name TEXT PRIMARY KEY NOT NULL, value TEXT, since INTEGER);
        INSERT INTO fresh(name, value) SELECT name, value FROM word; DROP TABLE word;
        ALTER TABLE fresh RENAME TO word; COMMIT";
    let (a, b) = (Device::new(schema), Device::new(schema));
    sql(&a, "INSERT INTO word VALUES('k', 'a'), ('x', 'x')");
    sql(&b, "INSERT INTO word VALUES('k', 'b')");
    sql(&a, rebuild);
    a.identity();
    std::thread::sleep(std::time::Duration::from_millis(3));
    sql(&a, "UPDATE word SET since = 169 WHERE name = 'k'");
    std::thread::sleep(std::time::Duration::from_millis(3));
    sql(&b, rebuild);
    exchange(&[&b, &a]);
    for device in [&a, &b] {
        assert_eq!(device.rows("SELECT value || since FROM word WHERE name = 'k'"), ["b169"]);
    }
}

#[test]
fn what_was_written_unseen_over_a_value_that_waited_for_its_column_is_logged() {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    sql(&a, "INSERT INTO note(title) VALUES('k'), ('m')");
    exchange(&[&a, &b]);
    sql(&a, "ALTER TABLE note ADD COLUMN stars INT; UPDATE note SET stars = 5");
    exchange(&[&a, &b]);
    sql(
        &b,
        "BEGIN; CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT, body TEXT, stars INT);
         INSERT INTO fresh SELECT id, title, body, NULL FROM note; DROP TABLE note;
         ALTER TABLE fresh RENAME TO note; COMMIT; UPDATE note SET stars = 7 WHERE title = 'm'",
    );
    exchange(&[&a, &b]);
    for device in [&a, &b] {
        assert_eq!(device.rows("SELECT title || stars FROM note ORDER BY title"), ["k5", "m5"]);
    }
    let logged = b.replica.conflicts(&ConflictFilter::default()).unwrap();
    let values: Vec<_> = logged.iter().map(|it| (it.here.what.clone(), it.came.what.clone())).collect();
    let [mine, theirs] = [7, 5].map(|stars| Written::Value(Value::Integer(stars)));
    assert_eq!(values, [(mine, theirs)]);
}

#[test]
fn what_was_written_into_a_new_column_over_a_value_that_waited_for_it_is_logged() {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    sql(&a, "INSERT INTO note(title) VALUES('k'), ('m')");
    exchange(&[&a, &b]);
    sql(&a, "ALTER TABLE note ADD COLUMN stars INT DEFAULT 0; UPDATE note SET stars = 5");
    exchange(&[&a, &b]);
    sql(
        &b,
        "ALTER TABLE note ADD COLUMN stars INT DEFAULT 0;
         UPDATE note SET body = 'b', stars = 7 WHERE title = 'm'",
    );
    exchange(&[&a, &b]);
    for device in [&a, &b] {
        assert_eq!(device.rows("SELECT title || stars FROM note ORDER BY title"), ["k5", "m7"]);
    }
    let logged = b.replica.conflicts(&ConflictFilter::default()).unwrap();
    let values: Vec<_> = logged.iter().map(|it| (it.here.what.clone(), it.came.what.clone())).collect();
    let [mine, theirs] = [7, 5].map(|stars| Written::Value(Value::Integer(stars)));
    assert_eq!(values, [(mine, theirs)]);
    // What is written over what was shown was known.
    sql(&b, "UPDATE note SET stars = 9");
    exchange(&[&a, &b]);
    assert_eq!(b.replica.conflicts(&ConflictFilter::default()).unwrap().len(), 1);
}
