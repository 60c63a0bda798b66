//! Rows with an integer key: their identity is not the integer.

use crate::device;
use crate::device::Device;
use pocketsync_core::store::sqlite::system::AsideReason;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT, stars INT)";

fn notes(rows: i64) -> Device {
    let mut device = Device::new(NOTES);
    for id in 1..=rows {
        device.exec("INSERT INTO note VALUES(?1, 'title', 'body', 0)", [id]);
    }
    device.fold();
    // As if all of it had been told to somebody.
    device.engine.meta.offered_seq = device.engine.meta.head;
    device
}

#[test]
fn an_insert_is_a_birth_with_all_columns() {
    let device = notes(2);
    let (id, clock) = device.clock("note", 1).unwrap();
    let (other, _) = device.clock("note", 2).unwrap();
    assert_ne!(id, other);
    assert_eq!(clock.life.born, Some(clock.base));
    assert_eq!((clock.life_seq, clock.base_seq, clock.exceptions.len()), (1, 1, 0));
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_journal"), 0);
}

#[test]
fn nothing_in_the_journal_takes_no_number() {
    let mut device = notes(1);
    assert_eq!(device.fold(), None);
    device.sql("INSERT INTO note VALUES(5, '', '', 0); DELETE FROM note WHERE id = 5");
    assert_eq!(device.fold(), None, "a row that came and went came to nothing");
    device.sql("UPDATE note SET title = title");
    assert_eq!(device.fold(), None, "an update that changed nothing");
    assert_eq!(device.engine.meta.head, 1);
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_journal"), 0);
}

#[test]
fn an_update_gives_the_written_columns_a_version_of_their_own() {
    let mut device = notes(1);
    let (id, before) = device.clock("note", 1).unwrap();
    device.sql("UPDATE note SET title = 'x', stars = 0");
    assert_eq!(device.fold(), Some(2));
    let (same, after) = device.clock("note", 1).unwrap();
    assert_eq!(same, id);
    assert_eq!(after.base, before.base);
    let title = device.column("note", "title");
    assert_eq!(after.exceptions.len(), 1);
    assert_eq!(after.column(title).1, 2);
    assert!(after.column(title).0 > before.base);
}

#[test]
fn columns_rewritten_together_become_the_new_base() {
    let mut device = notes(1);
    let (_, before) = device.clock("note", 1).unwrap();
    device.sql("UPDATE note SET title = 'x', body = 'y', stars = 5");
    device.fold();
    let (_, after) = device.clock("note", 1).unwrap();
    assert_eq!(after.life, before.life);
    assert_eq!(after.base_seq, 2);
    let key = device.column("note", "id");
    assert_eq!(after.exceptions.len(), 1, "all but the key: {after:?}");
    assert_eq!(after.column(key), before.column(key));
}

#[test]
fn a_delete_is_a_death_put_aside() {
    let mut device = notes(1);
    let (id, before) = device.clock("note", 1).unwrap();
    device.sql("DELETE FROM note");
    device.fold();
    assert_eq!(device.clock("note", 1), None);
    let (reason, record) = device.aside("note", &id).unwrap();
    assert_eq!(reason, AsideReason::Deleted);
    assert!(record.cells.is_empty());
    assert_eq!(record.life.born, before.life.born);
    assert!(record.life.died > before.life.born);
    assert_eq!(record.life_seq, 2);
}

#[test]
fn a_row_that_nobody_heard_of_leaves_nothing() {
    let mut device = notes(0);
    device.sql("INSERT INTO note VALUES(1, '', '', 0)");
    device.fold();
    device.sql("DELETE FROM note");
    device.fold();
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_aside"), 0);
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_clock_1"), 0);
}

#[test]
fn reused_integer_key_is_a_new_row_in_one_fold() {
    let mut device = notes(7);
    let (old, _) = device.clock("note", 7).unwrap();
    device.sql("DELETE FROM note WHERE id = 7; INSERT INTO note VALUES(NULL, 'new', '', 1)");
    assert_eq!(device.number("SELECT max(id) FROM note"), 7);
    device.fold();
    let (new, clock) = device.clock("note", 7).unwrap();
    assert_ne!(new, old);
    let (reason, record) = device.aside("note", &old).unwrap();
    assert_eq!(reason, AsideReason::Deleted);
    assert!(!record.life.is_alive());
    assert!(clock.life.died.is_none());
}

#[test]
fn reused_integer_key_is_a_new_row_in_two_folds() {
    let mut device = notes(7);
    let (old, _) = device.clock("note", 7).unwrap();
    device.sql("DELETE FROM note WHERE id = 7");
    device.fold();
    device.sql("INSERT INTO note VALUES(NULL, 'new', '', 1)");
    device.fold();
    assert_ne!(device.clock("note", 7).unwrap().0, old);
    assert_eq!(device.aside("note", &old).unwrap().0, AsideReason::Deleted);
}

#[test]
fn replaced_under_its_own_key_it_is_the_same_row_written_whole() {
    let mut device = notes(1);
    let (id, before) = device.clock("note", 1).unwrap();
    device.sql("INSERT OR REPLACE INTO note VALUES(1, 'title', 'new', 0)");
    device.fold();
    let (same, after) = device.clock("note", 1).unwrap();
    assert_eq!(same, id);
    assert_eq!(after.life.born, before.life.born);
    assert_eq!(after.base_seq, 2);
    assert!(after.exceptions.is_empty());
}

#[test]
fn rows_removed_by_a_conflict_clause_are_dead() {
    let mut device = Device::new("CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INT)");
    device.sql("INSERT INTO tag VALUES(1, 'a', 0), (2, 'b', 0), (3, 'c', 0)");
    device.fold();
    device.engine.meta.offered_seq = 1;
    let ids: Vec<_> = [1, 2, 3].map(|key| device.id("tag", key).unwrap()).into();
    device.sql(
        "INSERT OR REPLACE INTO tag VALUES(9, 'a', 1); UPDATE OR REPLACE tag SET name = 'c' WHERE id = 2;
         UPDATE tag SET n = 5 WHERE id = 9",
    );
    device.fold();
    assert_eq!(device.clock("tag", 1), None);
    assert_eq!(device.aside("tag", &ids[0]).unwrap().0, AsideReason::Deleted);
    assert_eq!(device.aside("tag", &ids[2]).unwrap().0, AsideReason::Deleted);
    assert_eq!(device.clock("tag", 2).unwrap().0, ids[1]);
    assert!(device.clock("tag", 9).is_some());
}

#[test]
fn an_integer_that_a_conflict_clause_freed_is_a_new_row_in_one_fold() {
    for freeing in
        ["REPLACE INTO tag(id, name) VALUES(2, 'a')", "UPDATE OR REPLACE tag SET name = 'a' WHERE id = 3"]
    {
        let mut device = Device::new("CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
        device.sql("INSERT INTO tag VALUES(1, 'a'), (3, 'c')");
        device.fold();
        device.engine.meta.offered_seq = device.engine.meta.head;
        let (first, _) = device.clock("tag", 1).unwrap();
        device.sql(freeing);
        device.sql("INSERT INTO tag VALUES(1, 'new')");
        device.fold();
        let (second, clock) = device.clock("tag", 1).unwrap();
        assert_ne!(first, second, "{freeing}");
        assert_eq!(clock.life.died, None);
        let (reason, _) = device.aside("tag", &first).expect("the row that was there is dead");
        assert_eq!(reason, AsideReason::Deleted);
    }
}

#[test]
fn replaced_under_its_own_key_and_name_it_is_the_same_row() {
    let mut device = Device::new("CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INT)");
    device.sql("INSERT INTO tag VALUES(1, 'a', 0)");
    device.fold();
    let (first, _) = device.clock("tag", 1).unwrap();
    device.sql("INSERT INTO tag VALUES(2, 'b', 0); REPLACE INTO tag VALUES(1, 'a', 1)");
    device.fold();
    assert_eq!(device.clock("tag", 1).unwrap().0, first);
}

#[test]
fn a_touched_row_that_is_still_there_is_left_alone() {
    let mut device = Device::new("CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
    device.sql("INSERT INTO tag VALUES(1, 'a')");
    device.fold();
    let before = device.clock("tag", 1);
    device.sql("INSERT OR IGNORE INTO tag VALUES(2, 'a')");
    assert!(device.number("SELECT count(*) FROM __pocketsync_journal WHERE f = 8") > 0);
    assert_eq!(device.fold(), None);
    assert_eq!(device.clock("tag", 1), before);
}

#[test]
fn a_changed_integer_keeps_the_identity() {
    let mut device = notes(3);
    let ids: Vec<_> = [1, 2, 3].map(|key| device.id("note", key).unwrap()).into();
    device.sql("UPDATE note SET id = 10 WHERE id = 1; UPDATE note SET title = 'x' WHERE id = 10");
    device.fold();
    let (id, clock) = device.clock("note", 10).unwrap();
    assert_eq!(id, ids[0]);
    assert_eq!(clock.column(device.column("note", "id")).1, 2);
    assert_eq!(clock.column(device.column("note", "title")).1, 2);
    assert_eq!(clock.column(device.column("note", "body")).1, 1);
    assert_eq!(device.clock("note", 1), None);
}

#[test]
fn keys_that_change_in_chains_and_swaps_keep_their_identities() {
    let mut device = notes(4);
    let ids: Vec<_> = [1, 2, 3, 4].map(|key| device.id("note", key).unwrap()).into();
    device.sql(
        "UPDATE note SET id = 100 WHERE id = 1; UPDATE note SET id = 1 WHERE id = 2;
         UPDATE note SET id = 2 WHERE id = 100; UPDATE note SET id = id + 50 WHERE id >= 3;
         UPDATE note SET id = 3 WHERE id = 54; INSERT INTO note VALUES(4, 'new', '', 0)",
    );
    device.fold();
    assert_eq!(device.id("note", 2), Some(ids[0].clone()));
    assert_eq!(device.id("note", 1), Some(ids[1].clone()));
    assert_eq!(device.id("note", 53), Some(ids[2].clone()));
    assert_eq!(device.id("note", 3), Some(ids[3].clone()));
    assert!(!ids.contains(&device.id("note", 4).unwrap()));
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_clock_1"), 5);
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_aside"), 0);
}

#[test]
fn a_key_moved_onto_another_row_replaces_it() {
    let mut device = notes(2);
    let ids: Vec<_> = [1, 2].map(|key| device.id("note", key).unwrap()).into();
    device.sql("UPDATE OR REPLACE note SET id = 2 WHERE id = 1");
    device.fold();
    assert_eq!(device.id("note", 2), Some(ids[0].clone()));
    assert_eq!(device.aside("note", &ids[1]).unwrap().0, AsideReason::Deleted);
}

#[test]
fn a_row_moved_and_deleted_is_dead_under_its_id() {
    let mut device = notes(2);
    let old = device.id("note", 1).unwrap();
    device.sql(
        "UPDATE note SET id = 9 WHERE id = 1; DELETE FROM note WHERE id = 9;
         INSERT INTO note VALUES(1, 'new', '', 0)",
    );
    device.fold();
    assert_eq!(device.aside("note", &old).unwrap().0, AsideReason::Deleted);
    assert_ne!(device.id("note", 1).unwrap(), old);
    assert_eq!(device.id("note", 9), None);
}

#[test]
fn entries_that_nested_triggers_reversed() {
    // The nested trigger runs before ours: the journal says "deleted" before "inserted".
    let mut device = Device::new(
        "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT);
         CREATE TRIGGER no_drafts AFTER INSERT ON note WHEN NEW.title = 'draft'
         BEGIN DELETE FROM note WHERE id = NEW.id; END",
    );
    device.sql("INSERT INTO note VALUES(1, 'draft')");
    assert_eq!(device.fold(), None);
    assert_eq!(device.clock("note", 1), None);
    device.sql("INSERT INTO note VALUES(1, 'kept')");
    device.fold();
    assert!(device.clock("note", 1).is_some());
}

/// A foreign-key action, and a trigger of the application, write to the row that moves; what they
/// wrote is in the journal before the move.
#[test]
fn a_moved_row_keeps_what_its_move_made_others_write() {
    let by_action = "CREATE TABLE t(id INTEGER PRIMARY KEY, x INT REFERENCES t(id) ON UPDATE SET NULL)";
    let by_trigger = "CREATE TABLE t(id INTEGER PRIMARY KEY, x INT);
        CREATE TRIGGER moved AFTER UPDATE OF id ON t BEGIN UPDATE t SET x = NULL WHERE id = NEW.id; END";
    for schema in [by_action, by_trigger] {
        let mut device = Device::new(schema);
        device.exec("PRAGMA foreign_keys = ON", []);
        device.sql("INSERT INTO t VALUES(1, 1)");
        device.fold();
        let (id, before) = device.clock("t", 1).unwrap();
        device.sql("UPDATE t SET id = 11");
        device.fold();
        let (same, after) = device.clock("t", 11).unwrap();
        assert_eq!(same, id, "{schema}");
        let x = device.column("t", "x");
        assert!(after.column(x).0 > before.column(x).0, "x was written: {schema}");
        let mut mirror = device::Mirror::default();
        mirror.follow(&mut device, usize::MAX);
        mirror.assert_shows(&device);
    }
}

#[test]
fn an_update_written_after_its_row_was_inserted_in_the_same_fold_keeps_its_time() {
    let mut device = notes(0);
    device.sql("INSERT INTO note VALUES(1, '', '', 0)");
    device.shift_journal(-86_400_000);
    device.sql("UPDATE note SET title = 'x'");
    device.fold();
    let (_, clock) = device.clock("note", 1).unwrap();
    let (title, seq) = clock.column(device.column("note", "title"));
    assert_eq!(seq, 1);
    let apart = title.hlc.ms() - clock.base.hlc.ms();
    assert!((86_400_000..86_460_000).contains(&apart), "{apart} ms apart");
}

#[test]
fn columns_beyond_the_bits_of_an_integer() {
    let columns: Vec<String> = (0..80).map(|n| format!("c{n} INT DEFAULT 0")).collect();
    let mut device =
        Device::new(&format!("CREATE TABLE wide(id INTEGER PRIMARY KEY, {})", columns.join(", ")));
    device.sql("INSERT INTO wide(id) VALUES(1)");
    device.fold();
    device.sql("UPDATE wide SET c79 = 1, c3 = 1");
    device.fold();
    let (_, clock) = device.clock("wide", 1).unwrap();
    let written: Vec<u32> = clock.exceptions.iter().map(|held| held.column).collect();
    assert_eq!(written, [device.column("wide", "c3"), device.column("wide", "c79")]);
}
