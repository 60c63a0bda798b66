//! Rows that were there before tracking began, and rows whose writes went unseen.

use crate::device::{Device, Mirror};
use pocketsync_core::clock::Version;
use pocketsync_core::id::RowId;
use pocketsync_core::store::sqlite::refs;
use pocketsync_core::store::sqlite::tracking::{Tables, track};

const TEMPLATE: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, stars INT DEFAULT 3);
    INSERT INTO note VALUES(1, 'welcome', 3), (2, NULL, 5), (3, 'welcome', 3);
    CREATE TABLE setting(name TEXT PRIMARY KEY NOT NULL, value);
    INSERT INTO setting VALUES('theme', 'dark');
    CREATE TABLE loose(a, b, v, PRIMARY KEY(a, b)); INSERT INTO loose VALUES(1, NULL, 'x'), (1, NULL, 'x'), (1, 2, 'y');";

/// A device with the template's rows, after what an app did to it before tracking.
fn installed(before: &str) -> Device {
    let mut device = Device::untracked(TEMPLATE);
    device.app.execute_batch(before).unwrap();
    track(&mut device.engine, &Tables::all()).unwrap();
    device
}

fn ids(device: &Device) -> Vec<Option<RowId>> {
    let notes = [1, 2, 3].map(|key| device.id("note", key));
    let loose = [1, 2].map(|rowid| device.id("loose", &refs::null_key(rowid)[..]));
    notes.into_iter().chain(loose).collect()
}

#[test]
fn copies_of_a_template_have_the_same_rows() {
    let (mut a, mut b) = (installed(""), installed(""));
    assert_eq!(ids(&a), ids(&b));
    let distinct: std::collections::BTreeSet<_> = ids(&a).into_iter().flatten().collect();
    assert_eq!(distinct.len(), 5, "rows that look the same are not the same");
    assert!(distinct.iter().all(|id| matches!(id, RowId::Genesis(_))));
    let (mut of_a, mut of_b) = (Mirror::default(), Mirror::default());
    of_a.follow(&mut a, usize::MAX);
    of_b.follow(&mut b, usize::MAX);
    assert_eq!(of_a.rows, of_b.rows);
    of_a.assert_shows(&a);
    let (_, clock) = a.clock("setting", "theme").unwrap();
    assert_eq!(clock.life.born, Some(Version::GENESIS));
}

#[test]
fn a_column_that_one_copy_has_more_changes_no_identity() {
    let plain = installed("");
    for column in ["extra", "extra TEXT DEFAULT 'x'", "extra INT NOT NULL DEFAULT -5", "aaa REAL DEFAULT 1"] {
        let other = installed(&format!("ALTER TABLE note ADD COLUMN {column}"));
        assert_eq!(ids(&other), ids(&plain), "{column}");
    }
}

#[test]
fn a_row_that_was_changed_before_tracking_is_another_row() {
    let (plain, other) = (installed(""), installed("UPDATE note SET title = 'hello' WHERE id = 1"));
    assert_ne!(ids(&other)[0], ids(&plain)[0]);
    assert_eq!(ids(&other)[1..], ids(&plain)[1..]);
}

#[test]
fn adoption_is_done_once_and_any_write_wins_over_it() {
    let mut device = installed("");
    let head = device.engine.meta.head;
    assert_eq!(device.adopt("note"), 0);
    assert_eq!(device.engine.meta.head, head);
    device.sql("UPDATE note SET title = 'x' WHERE id = 1");
    device.fold();
    let (id, clock) = device.clock("note", 1).unwrap();
    assert!(matches!(id, RowId::Genesis(_)));
    assert!(clock.column(device.column("note", "title")).0 > Version::GENESIS);
}

#[test]
fn the_smallest_and_the_largest_integer_are_adopted() {
    let mut device = Device::untracked(
        "CREATE TABLE t(id INTEGER PRIMARY KEY);
         INSERT INTO t VALUES(-9223372036854775807 - 1), (9223372036854775807)",
    );
    track(&mut device.engine, &Tables::all()).unwrap();
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_clock_1"), 2);
}

#[test]
fn what_went_unseen_is_found() {
    let mut device = Device::new(TEMPLATE);
    device.fold();
    let gone = device.id("note", 1).unwrap();
    drop_triggers(&device);
    device.sql(
        "DELETE FROM note WHERE id = 1; INSERT INTO note VALUES(9, 'new', 0);
         UPDATE setting SET name = 'Theme'; DELETE FROM loose WHERE rowid = 2; INSERT INTO loose VALUES(NULL, 1, 'n')",
    );
    device.fold();
    assert_eq!(device.clock("note", 1), None);
    assert!(device.aside("note", &gone).is_some());
    assert!(matches!(device.id("note", 9), Some(RowId::Surrogate { .. })));
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    assert_eq!(mirror.visible().len(), 3 + 1 + 3);
}

#[test]
fn a_key_that_waits_is_not_taken_for_the_rowid_of_a_row_with_a_null() {
    let mut device = Device::new(TEMPLATE);
    device.fold();
    device.sql("INSERT INTO loose VALUES(70, 1, 'waits in the journal')");
    drop_triggers(&device);
    device.sql("INSERT INTO loose(rowid, a, b, v) VALUES(70, 1, NULL, 'went unseen')");
    device.fold();
    assert!(device.id("loose", &refs::null_key(70)[..]).is_some());
}

/// As a migration that rebuilds the tables does.
fn drop_triggers(device: &Device) {
    let mut triggers = device.app.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'").unwrap();
    let triggers: Vec<String> =
        triggers.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for trigger in triggers {
        device.exec(&format!("DROP TRIGGER {trigger}"), []);
    }
}
