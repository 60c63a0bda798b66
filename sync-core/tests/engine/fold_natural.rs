//! Rows that their declared key identifies.

use crate::device::{Device, Mirror};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::merge::{Cell, Life};
use pocketsync_core::store::sqlite::refs;
use pocketsync_core::store::sqlite::system::AsideReason;
use pocketsync_core::store::{Record, RecordCell};
use pocketsync_core::value::Value;

const SETTING: &str = "CREATE TABLE setting(name TEXT PRIMARY KEY NOT NULL, value, note TEXT)";

fn settings() -> Device {
    let mut device = Device::new(SETTING);
    device.sql("INSERT INTO setting VALUES('theme', 'dark', ''), ('size', 10, '')");
    device.fold();
    device
}

#[test]
fn deleted_and_inserted_again_in_one_fold() {
    let mut device = settings();
    let (id, before) = device.clock("setting", "theme").unwrap();
    device.sql("DELETE FROM setting WHERE name = 'theme'; INSERT INTO setting VALUES('theme', 'light', '')");
    device.fold();
    let (same, after) = device.clock("setting", "theme").unwrap();
    assert_eq!(same, id);
    assert!(after.life.died > before.life.born && after.life.born > after.life.died);
    assert_eq!(after.base, after.life.born.unwrap());
    assert_eq!((after.life_seq, after.base_seq), (2, 2));
    assert_eq!(device.aside("setting", &id), None);
}

#[test]
fn deleted_and_inserted_again_in_two_folds() {
    let mut device = settings();
    let id = device.id("setting", "theme").unwrap();
    device.sql("DELETE FROM setting WHERE name = 'theme'");
    device.fold();
    let (reason, dead) = device.aside("setting", &id).unwrap();
    assert_eq!(reason, AsideReason::Deleted);
    device.sql("INSERT INTO setting VALUES('theme', 'light', '')");
    device.fold();
    let (_, clock) = device.clock("setting", "theme").unwrap();
    assert_eq!(clock.life.died, dead.life.died, "updates of the old life stay dead");
    assert!(clock.life.is_alive() && clock.base > dead.life.died.unwrap());
    assert_eq!(device.aside("setting", &id), None);
}

#[test]
fn another_key_is_another_row() {
    let mut device = settings();
    let old = device.id("setting", "theme").unwrap();
    device.sql("UPDATE setting SET name = 'colour' WHERE name = 'theme'");
    device.fold();
    assert_eq!(device.aside("setting", &old).unwrap().0, AsideReason::Deleted);
    let (id, clock) = device.clock("setting", "colour").unwrap();
    assert_eq!(id, RowId::Natural(Box::new([Value::text("colour")])));
    assert_eq!(clock.life.died, None);
}

#[test]
fn replaced_under_its_own_key_it_is_born_again() {
    let mut device = settings();
    let (_, before) = device.clock("setting", "theme").unwrap();
    device.sql("INSERT OR REPLACE INTO setting VALUES('theme', 'dark', '')");
    device.fold();
    let (_, after) = device.clock("setting", "theme").unwrap();
    assert!(after.life.born > before.life.born);
    assert_eq!(after.life.died, None);
    assert_eq!((after.life_seq, after.base_seq, after.exceptions.len()), (2, 2, 0));
}

#[test]
fn a_key_under_nocase_is_looked_up_by_bytes() {
    let mut device = Device::new("CREATE TABLE user(name TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, n INT)");
    device.sql("INSERT INTO user VALUES('bob', 1)");
    device.fold();
    let old = device.id("user", "bob").unwrap();
    device.sql("UPDATE user SET name = 'Bob'");
    device.fold();
    assert!(device.clock("user", "Bob").is_some());
    assert_eq!(device.clock("user", "bob"), None);
    assert_eq!(device.aside("user", &old).unwrap().0, AsideReason::Deleted);
    device.sql("INSERT OR REPLACE INTO user VALUES('BOB', 2)");
    device.fold();
    assert!(device.clock("user", "BOB").is_some());
    assert_eq!(device.clock("user", "Bob"), None, "removed by the conflict clause");
}

#[test]
fn numbers_that_are_equal_are_the_same_key() {
    let mut device = Device::new("CREATE TABLE t(k PRIMARY KEY NOT NULL, v) WITHOUT ROWID");
    device.sql("INSERT INTO t VALUES(1, 'a')");
    device.fold();
    device.sql("UPDATE t SET k = 1.0");
    device.fold();
    let (id, _) = device.clock("t", 1).unwrap();
    assert_eq!(id, RowId::Natural(Box::new([Value::Integer(1)])));
    assert_eq!(device.clock("t", &[Value::Real(1.0)][..]).unwrap().0, id);
    device.sql("DELETE FROM t WHERE k = 1");
    device.fold();
    assert_eq!(device.aside("t", &id).unwrap().0, AsideReason::Deleted);
}

#[test]
fn rows_with_a_null_in_their_key_are_known_by_rowid() {
    let mut device = Device::new("CREATE TABLE t(a INT, b TEXT, v TEXT, PRIMARY KEY(a, b))");
    device.sql("INSERT INTO t VALUES(1, NULL, 'x'), (1, NULL, 'y'), (NULL, NULL, 'z'), (1, 'b', 'w')");
    device.fold();
    let null = |rowid| refs::null_key(rowid).to_vec();
    let ids: Vec<_> = (1..=3).map(|rowid| device.clock("t", &null(rowid)[..]).unwrap().0).collect();
    assert!(ids.iter().all(|id| matches!(id, RowId::Surrogate { .. })));
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    assert!(matches!(
        device.clock("t", &[Value::Integer(1), Value::text("b")][..]).unwrap().0,
        RowId::Natural(_)
    ));
    device.engine.meta.offered_seq = device.engine.meta.head;
    // One is written, one goes, one gets a key that has no NULL.
    device.sql(
        "UPDATE t SET v = 'xx' WHERE rowid = 1; DELETE FROM t WHERE rowid = 2;
         UPDATE t SET a = 5, b = 'c' WHERE rowid = 3",
    );
    device.fold();
    assert_eq!(device.clock("t", &null(1)[..]).unwrap().1.exceptions.len(), 1);
    assert_eq!(device.aside("t", &ids[1]).unwrap().0, AsideReason::Deleted);
    assert_eq!(device.aside("t", &ids[2]).unwrap().0, AsideReason::Deleted);
    assert!(device.clock("t", &[Value::Integer(5), Value::text("c")][..]).is_some());
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    mirror.assert_shows(&device);
}

fn elsewhere(ms: u64) -> Version {
    Version::new(Hlc::from_ms(ms), SiteId::from_bytes([9; 16]))
}

#[test]
fn an_insert_joins_what_waits_under_its_key() {
    let mut device = settings();
    let future = 5_000_000_000_000;
    let no = device.table("setting");
    let id = RowId::Natural(Box::new([Value::text("font")]));
    // Parked: inserted elsewhere, by a clock that is ahead, with a column that is unknown here.
    device
        .app
        .execute("INSERT INTO __pocketsync_column(tbl, no, name) VALUES(?1, 7, 'weight')", [no])
        .unwrap();
    device.reopen();
    let cell = |ms, value: &str| RecordCell {
        cell: Cell { version: elsewhere(ms), value: Value::text(value) },
        seq: 1,
    };
    let record = Record {
        life: Life { born: Some(elsewhere(future)), died: Some(elsewhere(77)), undone: None },
        life_seq: 1,
        cells: [(1, cell(future, "serif")), (7, cell(future + 1, "bold")), (2, cell(50, "old"))].into(),
    };
    device
        .engine
        .write(|engine| refs::put_aside(engine, no, &id, AsideReason::UniqueClaim, None, &record))
        .unwrap();
    device.sql("INSERT INTO setting VALUES('font', 'mono', '')");
    device.fold();
    assert_eq!(device.aside("setting", &id), None);
    let (_, clock) = device.clock("setting", "font").unwrap();
    assert_eq!(clock.life.died, Some(elsewhere(77)));
    assert!(clock.life.born > Some(elsewhere(future + 1)), "the insert wins over what it replaced");
    assert_eq!(clock.column(7), (elsewhere(future + 1), 1));
    assert!(clock.shadowed);
    assert_eq!(refs::shadows(&device.engine, no, &id).unwrap(), [(7, Value::text("bold"))].into());
    // The next local write is above it too.
    device.sql("UPDATE setting SET value = 'x' WHERE name = 'theme'");
    device.fold();
    assert!(device.engine.meta.clock() > Hlc::from_ms(future + 1));
}

#[test]
fn a_written_cell_drops_its_shadow_and_no_other() {
    let mut device = settings();
    let no = device.table("setting");
    let (id, mut clock) = device.clock("setting", "theme").unwrap();
    let key = [Value::text("theme")];
    let (value, note) = (device.column("setting", "value"), device.column("setting", "note"));
    clock.shadowed = true;
    device
        .engine
        .write(|engine| {
            refs::put_clock(engine, no, &key, &id, &clock)?;
            refs::put_shadow(engine, no, &id, value, &Value::Integer(1))?;
            refs::put_shadow(engine, no, &id, note, &Value::Integer(2))
        })
        .unwrap();
    device.sql("UPDATE setting SET note = 'n' WHERE name = 'theme'");
    device.fold();
    assert_eq!(refs::shadows(&device.engine, no, &id).unwrap(), [(value, Value::Integer(1))].into());
    assert!(device.clock("setting", "theme").unwrap().1.shadowed);
    device.sql("UPDATE setting SET value = 'light' WHERE name = 'theme'");
    device.fold();
    assert!(refs::shadows(&device.engine, no, &id).unwrap().is_empty());
    assert!(!device.clock("setting", "theme").unwrap().1.shadowed);
}

#[test]
fn a_join_row_dies_with_the_parents_that_name_it() {
    let mut device = Device::new(
        "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
         CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE note_tag(note_id INT NOT NULL REFERENCES note(id) ON DELETE CASCADE ON UPDATE CASCADE,
           tag_id INT NOT NULL REFERENCES tag(id) ON DELETE CASCADE ON UPDATE CASCADE,
           PRIMARY KEY(note_id, tag_id)) WITHOUT ROWID;",
    );
    device.app.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    device.sql(
        "INSERT INTO note VALUES(1, 'a'), (2, 'b'); INSERT INTO tag VALUES(7, 'x'), (8, 'y');
         INSERT INTO note_tag VALUES(1, 7), (1, 8), (2, 7)",
    );
    device.fold();
    device.engine.meta.offered_seq = device.engine.meta.head;
    let (a, b) = (device.id("note", 1).unwrap(), device.id("note", 2).unwrap());
    let x = device.id("tag", 7).unwrap();
    let join = |note: &RowId, tag: &RowId| {
        RowId::Natural(Box::new([Value::Ref(Box::new(note.clone())), Value::Ref(Box::new(tag.clone()))]))
    };
    assert_eq!(device.id("note_tag", (1, 7)), Some(join(&a, &x)));
    // The parent goes, and its integer comes again, with a join row of its own.
    device.sql(
        "DELETE FROM note WHERE id = 1; INSERT INTO note VALUES(1, 'c'); INSERT INTO note_tag VALUES(1, 7)",
    );
    device.fold();
    let c = device.id("note", 1).unwrap();
    assert_eq!(device.aside("note_tag", &join(&a, &x)).unwrap().0, AsideReason::Deleted);
    assert_eq!(device.clock("note_tag", (1, 7)).unwrap().0, join(&c, &x));
    assert_eq!(device.clock("note_tag", (1, 7)).unwrap().1.life.died, None);
    // The parent's integer changes, and the join row with it: the same rows as before.
    for (from, to) in [(2, 50), (50, 2)] {
        device.exec("UPDATE note SET id = ?1 WHERE id = ?2", [to, from]);
        device.fold();
        assert_eq!(device.id("note", to), Some(b.clone()));
        let (id, clock) = device.clock("note_tag", (to, 7)).unwrap();
        assert_eq!(id, join(&b, &x));
        assert!(clock.life.is_alive());
        assert_eq!(device.aside("note_tag", &id), None);
    }
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, 64);
    mirror.assert_shows(&device);
}

#[test]
fn a_join_row_that_outlives_its_parent_is_another_row_to_others() {
    let mut device = Device::new(
        "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
         CREATE TABLE pin(v TEXT, at INT NOT NULL, note INT NOT NULL REFERENCES note(id), PRIMARY KEY(at, note));",
    );
    device.sql("INSERT INTO note VALUES(1, 'a'), (2, 'b'); INSERT INTO pin VALUES('x', 5, 1), ('y', 5, 2)");
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    let pin = |part: Value| RowId::Natural(Box::new([Value::Integer(5), part]));
    let of = |device: &Device, note: i64| pin(Value::Ref(Box::new(device.id("note", note).unwrap())));
    let (first, second) = (of(&device, 1), of(&device, 2));
    assert_eq!(device.clock("pin", (5, 1)).unwrap().0, first);
    // Foreign keys are off: the parent goes, and the pin stays.
    device.sql("DELETE FROM note WHERE id = 1");
    mirror.follow(&mut device, usize::MAX);
    let dangling = pin(Value::Dangling(Box::new(Value::Integer(1))));
    assert_eq!(device.clock("pin", (5, 1)).unwrap().0, dangling);
    assert_eq!(device.aside("pin", &first).unwrap().0, AsideReason::Deleted);
    assert_eq!(device.clock("pin", (5, 2)).unwrap().0, second);
    mirror.assert_shows(&device);
    // Another note takes the integer, and the pin with it.
    device.sql("INSERT INTO note VALUES(1, 'c')");
    mirror.follow(&mut device, usize::MAX);
    assert_eq!(device.clock("pin", (5, 1)).unwrap().0, of(&device, 1));
    assert_eq!(device.aside("pin", &dangling).unwrap().0, AsideReason::Deleted);
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_dangling"), 0);
    mirror.assert_shows(&device);
    // And in one fold: gone, and another there.
    device.sql("DELETE FROM note; INSERT INTO note VALUES(1, 'd'), (2, 'e')");
    mirror.follow(&mut device, usize::MAX);
    assert_eq!(device.aside("pin", &second).unwrap().0, AsideReason::Deleted);
    assert_eq!(device.clock("pin", (5, 2)).unwrap().0, of(&device, 2));
    mirror.assert_shows(&device);
}

/// A part of the key is NULL, so the others are cells. What was said of a reference to nothing stays
/// so when a row comes under its integer.
#[test]
fn a_reference_to_nothing_beside_a_null_in_the_key_dangles() {
    let mut device = Device::new(
        "CREATE TABLE note(id INTEGER PRIMARY KEY);
         CREATE TABLE pin(board INT, note INT REFERENCES note(id), also INT REFERENCES note(id), PRIMARY KEY(board, note))",
    );
    let mut mirror = Mirror::default();
    device.sql("INSERT INTO pin VALUES(NULL, 2, 2)");
    mirror.follow(&mut device, usize::MAX);
    let ((_, id), before) =
        mirror.rows.iter().next().map(|(key, state)| (key.clone(), state.clone())).unwrap();
    let dangling = Value::Dangling(Box::new(Value::Integer(2)));
    assert_eq!([&before.cells["note"].value, &before.cells["also"].value], [&dangling; 2]);
    device.sql("INSERT INTO note VALUES(1), (2)");
    // Whoever reads everything now hears the same.
    let mut later = Mirror::default();
    later.follow(&mut device, usize::MAX);
    assert_eq!(later.rows[&("pin".to_owned(), id)], before);
}
