//! Declared keys that refer to other rows, and that change: whoever gives a parent another integer, or
//! another name, means nothing by its join rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::device::{Device, Mirror, SOMEBODY};
use pocketsync_core::clock::Version;
use pocketsync_core::id::RowId;
use pocketsync_core::merge::Life;
use pocketsync_core::store::sqlite::system::AsideReason;
use pocketsync_core::value::Value;
use proptest::prelude::*;

const SCHEMA: &str = "
    CREATE TABLE note(id INTEGER PRIMARY KEY, mark TEXT);
    CREATE TABLE tag(id INTEGER PRIMARY KEY, mark TEXT, name TEXT NOT NULL UNIQUE);
    CREATE TABLE note_tag(who INT, note INT NOT NULL REFERENCES note(id) ON DELETE CASCADE ON UPDATE CASCADE,
      v, w, tag TEXT NOT NULL REFERENCES tag(name) ON DELETE CASCADE ON UPDATE CASCADE,
      PRIMARY KEY(tag, note)) WITHOUT ROWID;
    INSERT INTO note VALUES(1, 'a'), (2, 'b'), (3, 'c');
    INSERT INTO tag VALUES(1, 'x', 'one'), (2, 'y', 'two'), (3, 'z', 'three');
    INSERT INTO note_tag(who, note, tag) VALUES(1, 1, 'one'), (2, 1, 'two'), (3, 2, 'one'), (4, 3, 'three');";

fn device() -> Device {
    let mut device = Device::new(SCHEMA);
    device.app.pragma_update(None, "foreign_keys", true).unwrap();
    device.fold();
    device
}

fn key(tag: &str, note: i64) -> Vec<Value> {
    vec![Value::text(tag), Value::Integer(note)]
}

/// The tables of which a peer is told that rows changed.
fn told(device: &mut Device, mirror: &mut Mirror) -> Vec<String> {
    let extracted = device.extract(SOMEBODY, &mirror.cursor, usize::MAX);
    let tables = extracted.changeset.tables.iter().filter(|table| !table.rows.is_empty());
    let names = tables.map(|table| table.name.clone()).collect();
    mirror.follow(device, usize::MAX);
    names
}

#[test]
fn a_parent_with_another_integer_is_no_news_of_its_join_rows() {
    let mut device = device();
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    let before = device.clock("note_tag", &key("one", 1)[..]).unwrap();
    device.sql("UPDATE note SET id = 11 WHERE id = 1");
    device.fold();
    assert_eq!(device.clock("note_tag", &key("one", 11)[..]).unwrap(), before);
    assert_eq!(device.clock("note_tag", &key("one", 1)[..]), None);
    assert_eq!(told(&mut device, &mut mirror), ["note"]);
    // Two exchange their integers, and one comes back to its own.
    device.sql(
        "UPDATE note SET id = -1 WHERE id = 11; UPDATE note SET id = 11 WHERE id = 2; UPDATE note SET id = 2 WHERE id = -1;
         UPDATE note SET id = 30 WHERE id = 3; UPDATE note SET id = 3 WHERE id = 30",
    );
    device.fold();
    assert_eq!(device.clock("note_tag", &key("one", 2)[..]).unwrap(), before);
    assert_eq!(told(&mut device, &mut mirror), ["note"]);
    // A name as well.
    device.sql("UPDATE tag SET name = 'eins' WHERE name = 'one'");
    device.fold();
    assert_eq!(device.clock("note_tag", &key("eins", 2)[..]).unwrap(), before);
    assert_eq!(told(&mut device, &mut mirror), ["tag"]);
    mirror.assert_shows(&device);
}

#[test]
fn only_what_a_statement_writes_beside_the_key_is_written() {
    let mut device = device();
    let (id, before) = device.clock("note_tag", &key("one", 1)[..]).unwrap();
    let [who, v, w] = ["who", "v", "w"].map(|name| device.column("note_tag", name));
    // Under the key on the way as well.
    device.sql(
        "UPDATE note SET id = -1 WHERE id = 1; UPDATE note_tag SET w = 'w' WHERE note = -1; UPDATE note SET id = 11 WHERE id = -1",
    );
    device.app.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    device.sql(
        "UPDATE note SET id = 12 WHERE id = 11; UPDATE note_tag SET note = 12, v = 'v' WHERE note = 11 AND tag = 'one';
         UPDATE note_tag SET note = 12 WHERE note = 11",
    );
    device.fold();
    let (same, after) = device.clock("note_tag", &key("one", 12)[..]).unwrap();
    assert_eq!((same, &after.life, after.life_seq), (id, &before.life, before.life_seq));
    assert_eq!(after.column(who), before.column(who));
    assert!(after.column(v).0 > before.column(v).0 && after.column(w).0 > before.column(w).0);
    let (_, other) = device.clock("note_tag", &key("two", 12)[..]).unwrap();
    assert_eq!(other.column(v), before.column(v));
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    mirror.assert_shows(&device);
}

#[test]
fn a_new_column_that_is_written_with_a_key_before_the_engine_looks() {
    let mut device = device();
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    device
        .app
        .execute_batch("PRAGMA foreign_keys = OFF; ALTER TABLE note_tag ADD COLUMN stars INT DEFAULT 3")
        .unwrap();
    device
        .sql("UPDATE note SET id = 11 WHERE id = 1; UPDATE note_tag SET note = 11, stars = 5 WHERE note = 1");
    mirror.follow(&mut device, usize::MAX);
    mirror.assert_shows(&device);
}

#[test]
fn a_row_that_takes_the_old_key_is_another_one() {
    let mut device = device();
    let (id, before) = device.clock("note_tag", &key("one", 1)[..]).unwrap();
    device.sql(
        "UPDATE note SET id = 11 WHERE id = 1; INSERT INTO note VALUES(1, 'd');
         INSERT INTO note_tag(who, note, tag) VALUES(5, 1, 'one')",
    );
    device.fold();
    assert_eq!(device.clock("note_tag", &key("one", 11)[..]).unwrap(), (id.clone(), before));
    let (other, clock) = device.clock("note_tag", &key("one", 1)[..]).unwrap();
    assert!(other != id && clock.life.died.is_none());
    // And one that takes it in place of a row that was there.
    let there = device.id("note_tag", &key("one", 2)[..]).unwrap();
    device.sql("UPDATE OR REPLACE note SET id = 2 WHERE id = 11");
    device.fold();
    assert_eq!(device.id("note_tag", &key("one", 2)[..]), Some(id));
    assert_eq!(device.aside("note_tag", &there).unwrap().0, AsideReason::Deleted);
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    mirror.assert_shows(&device);
}

#[test]
fn a_row_that_is_deleted_under_its_new_key_dies_then() {
    let mut device = device();
    let id = device.id("note_tag", &key("one", 1)[..]).unwrap();
    device.sql("UPDATE note SET id = 11 WHERE id = 1; DELETE FROM note_tag WHERE note = 11 AND tag = 'one'");
    let last = "SELECT max(n) FROM __pocketsync_journal";
    device.exec(&format!("UPDATE __pocketsync_journal SET at = at + 60 / 86400.0 WHERE n = ({last})"), []);
    device.fold();
    let (_, record) = device.aside("note_tag", &id).unwrap();
    let (_, note) = device.clock("note", 11).unwrap();
    let (died, moved) = (record.life.died.unwrap().hlc, note.column(device.column("note", "id")).0.hlc);
    assert!(died.ms() > moved.ms() + 50_000, "{died:?} is when it was deleted");
}

#[test]
fn triggers_that_write_a_row_as_its_key_changes() {
    let again = "DELETE FROM note_tag WHERE note = NEW.note AND tag = NEW.tag;
        INSERT INTO note_tag(who, note, tag, w) VALUES(NEW.who, NEW.note, NEW.tag, 'again')";
    let stamp = "UPDATE note_tag SET w = 'stamped' WHERE note = NEW.note AND tag = NEW.tag";
    let shout = "UPDATE OR IGNORE note_tag SET note = NEW.note, tag = upper(NEW.tag) WHERE note = NEW.note AND tag = NEW.tag";
    // Which of two triggers runs first depends on which was made first.
    for (body, tracked_first) in
        [again, stamp, shout].into_iter().flat_map(|body| [(body, true), (body, false)])
    {
        let trigger = format!("CREATE TRIGGER own AFTER UPDATE OF note ON note_tag BEGIN {body}; END");
        let mut device = if tracked_first {
            let device = device();
            device.app.execute_batch(&trigger).unwrap();
            device
        } else {
            let device = Device::new(&format!("{SCHEMA}; {trigger}"));
            device.app.pragma_update(None, "foreign_keys", true).unwrap();
            device
        };
        device.sql("INSERT INTO tag(mark, name) VALUES('X', 'ONE'), ('Y', 'TWO')");
        let mut mirror = Mirror::default();
        mirror.follow(&mut device, usize::MAX);
        let (id, before) = device.clock("note_tag", &key("one", 1)[..]).unwrap();
        device.sql("UPDATE note SET id = 11 WHERE id = 1");
        mirror.follow(&mut device, usize::MAX);
        mirror.assert_shows(&device);
        if body == stamp {
            let (same, after) = device.clock("note_tag", &key("one", 11)[..]).unwrap();
            assert_eq!((same, after.life), (id, before.life), "tracked first: {tracked_first}");
        }
    }
}

#[test]
fn a_key_with_a_null_is_another_rows() {
    let mut device = Device::new(
        "CREATE TABLE note(id INTEGER PRIMARY KEY);
         CREATE TABLE pin(board INT, note INT REFERENCES note(id) ON UPDATE CASCADE, v, PRIMARY KEY(board, note));
         INSERT INTO note VALUES(1), (2)",
    );
    device.app.pragma_update(None, "foreign_keys", true).unwrap();
    device.sql("INSERT INTO pin VALUES(NULL, 1, 'a'), (5, 1, 'b'), (6, 2, 'c'), (NULL, 2, 'd')");
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    let before = device.clock("pin", (5, 1)).unwrap();
    device.sql("UPDATE note SET id = id + 10");
    mirror.follow(&mut device, usize::MAX);
    assert_eq!(device.clock("pin", (5, 11)).unwrap(), before);
    mirror.assert_shows(&device);
    // One gets a key without NULL, and one loses it, with their parents' integers at once.
    device.sql("UPDATE note SET id = id + 10; UPDATE pin SET board = 7 WHERE v = 'a'; UPDATE pin SET board = NULL WHERE v = 'c'");
    mirror.follow(&mut device, usize::MAX);
    assert_eq!(device.clock("pin", (5, 21)).unwrap(), before);
    assert!(device.clock("pin", (7, 21)).is_some());
    mirror.assert_shows(&device);
}

#[test]
fn a_file_of_an_earlier_build_gets_the_triggers_of_this_one() {
    let mut device = device();
    let name: String = device
        .app
        .query_row("SELECT name FROM sqlite_schema WHERE name LIKE '%rekey'", [], |row| row.get(0))
        .unwrap();
    let table = device.table("note_tag");
    // As it was: nothing is said of columns.
    device.app.execute_batch(&format!("
        DROP TRIGGER {name};
        CREATE TRIGGER {name} AFTER UPDATE ON note_tag WHEN NOT (NEW.tag IS OLD.tag AND NEW.note IS OLD.note) BEGIN
          INSERT INTO __pocketsync_journal(t, f, at, k, k2) VALUES({table}, 2, julianday('now'), OLD.tag, OLD.note);
          INSERT INTO __pocketsync_journal(t, f, at, k, k2) VALUES({table}, 1, julianday('now'), NEW.tag, NEW.note); END;
        UPDATE __pocketsync_meta SET value = (SELECT schema_version FROM pragma_schema_version) WHERE key = 'schema_version';
        DELETE FROM __pocketsync_meta WHERE key = 'triggers'")).unwrap();
    device.reopen();
    device.sql("UPDATE note SET id = 11 WHERE id = 1");
    let before = device.clock("note_tag", &key("one", 1)[..]).unwrap();
    device.fold();
    let after = device.clock("note_tag", &key("one", 11)[..]).unwrap();
    assert!(
        after.0 == before.0 && after.1.life.born > before.1.life.born,
        "what was captured before stays as it was"
    );
    device.sql("UPDATE note SET id = 12 WHERE id = 11");
    device.fold();
    assert_eq!(device.clock("note_tag", &key("one", 12)[..]).unwrap(), after);
    let mut mirror = Mirror::default();
    mirror.follow(&mut device, usize::MAX);
    mirror.assert_shows(&device);
}

/// One transaction; `n` is what no other has. Some are refused, which is part of the game.
fn transaction() -> impl Strategy<Value = String> {
    let note = || 1..6i64;
    let tag = || prop::sample::select(vec!["one", "two", "three", "four"]);
    let or = || prop::sample::select(vec!["", " OR REPLACE"]);
    prop_oneof![
        6 => (or(), note(), note()).prop_map(|(or, from, to)| format!("UPDATE{or} note SET id = {to} WHERE id = {from}")),
        2 => Just("UPDATE note SET id = -id".to_owned()),
        1 => Just("UPDATE note SET id = -id; UPDATE note_tag SET note = -note".to_owned()),
        2 => (note(), note()).prop_map(|(from, to)| format!(
            "UPDATE note SET id = {to} WHERE id = {from}; UPDATE note_tag SET note = {to}, w = $n WHERE note = {from}"
        )),
        3 => (or(), tag(), tag()).prop_map(|(or, from, to)| format!("UPDATE{or} tag SET name = '{to}' WHERE name = '{from}'")),
        2 => note().prop_map(|note| format!("UPDATE note_tag SET v = $n WHERE note = {note}")),
        1 => (or(), note(), tag()).prop_map(|(or, note, tag)| format!("UPDATE{or} note_tag SET tag = '{tag}' WHERE note = {note}")),
        1 => note().prop_map(|note| format!("DELETE FROM note_tag WHERE note = {note}")),
        1 => note().prop_map(|note| format!("DELETE FROM note WHERE id = {note}")),
        1 => note().prop_map(|note| format!("INSERT INTO note VALUES({note}, 'n$n')")),
        2 => (or(), note(), tag()).prop_map(|(or, note, tag)| format!(
            "INSERT{or} INTO note_tag(who, note, tag) SELECT $n, note.id, name FROM note, tag WHERE note.id = {note} AND name = '{tag}'"
        )),
        1 => note().prop_map(|note| format!(
            "CREATE TEMP TABLE kept AS SELECT * FROM note_tag WHERE note = {note}; DELETE FROM note_tag WHERE note = {note};
             INSERT INTO note_tag SELECT $n * 100 + who, note, v, w, tag FROM kept"
        )),
    ]
}

/// What the rows are to people: by `who` the marks of note and tag, and what is in the other columns.
type Seen = BTreeMap<i64, ([Option<String>; 2], [Option<i64>; 2])>;

fn seen(device: &Device) -> Seen {
    let mut statement = device
        .app
        .prepare_cached(
            "SELECT who, note.mark, tag.mark, v, w FROM note_tag LEFT JOIN note ON note.id = note
             LEFT JOIN tag ON tag.name = tag",
        )
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, ([row.get(1)?, row.get(2)?], [row.get(3)?, row.get(4)?]))));
    rows.unwrap().map(Result::unwrap).collect()
}

/// What the engine knows of the rows: by `who` the id, the life, and the versions of the other columns.
fn known(device: &Device) -> BTreeMap<i64, (RowId, Life, [Version; 2])> {
    let columns = ["v", "w"].map(|name| device.column("note_tag", name));
    let mut statement = device.app.prepare_cached("SELECT who, tag, note FROM note_tag").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let rows: Vec<(i64, String, i64)> = rows.unwrap().map(Result::unwrap).collect();
    let clock = |tag: &str, note| device.clock("note_tag", &key(tag, note)[..]).expect("it is folded");
    rows.into_iter()
        .map(|(who, tag, note)| {
            let (id, clock) = clock(&tag, note);
            (who, (id, clock.life, columns.map(|column| clock.column(column).0)))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// A row that is the same row of the same note and tag to people after every transaction goes on, and of its
    /// columns those have new versions that were written; under an id that another one had, it is born anew.
    #[test]
    fn rows_go_on_whatever_their_parents_are_called(
        enforced in any::<bool>(),
        steps in prop::collection::vec((transaction(), any::<bool>()), 1..25),
    ) {
        let mut device = device();
        device.app.pragma_update(None, "foreign_keys", enforced).unwrap();
        let mut mirror = Mirror::default();
        mirror.follow(&mut device, 100);
        let (mut before, mut last) = (known(&device), seen(&device));
        let mut written: BTreeSet<(i64, usize)> = BTreeSet::new();
        let mut went_on: BTreeSet<i64> = before.keys().copied().collect();
        let end = [(String::new(), true)];
        for (n, (statements, fold)) in steps.into_iter().chain(end).enumerate() {
            let script = format!("BEGIN; {}; DROP TABLE IF EXISTS temp.kept; COMMIT", statements.replace("$n", &(n + 10).to_string()));
            if device.app.execute_batch(&script).is_err() {
                device.app.execute_batch("ROLLBACK").unwrap();
            }
            let now = seen(&device);
            let marks = |seen: &Seen, who: &i64| seen.get(who).map(|(marks, _)| marks.clone());
            // What refers to nothing is what it shows.
            let is_whole = |marks: &[Option<String>; 2]| marks.iter().all(Option::is_some);
            went_on.retain(|who| {
                marks(&now, who).is_some_and(|marks| is_whole(&marks)) && marks(&now, who) == marks(&last, who)
            });
            for (who, (_, values)) in &now {
                let was = last.get(who).map_or([None, None], |(_, values)| *values);
                written.extend((0..2).filter(|&at| values[at] != was[at]).map(|at| (*who, at)));
            }
            last = now;
            if !fold {
                continue;
            }
            device.fold();
            let after = known(&device);
            for (who, (id, life, versions)) in &after {
                if went_on.contains(who) {
                    let (same, lived, were) = &before[who];
                    prop_assert_eq!((id, life), (same, lived), "{} goes on", who);
                    for at in 0..2 {
                        prop_assert_eq!(versions[at] > were[at], written.contains(&(*who, at)), "{} of {}", at, who);
                    }
                } else if let Some((_, lived, _)) = before.iter().find(|(other, was)| *other != who && was.0 == *id).map(|(_, was)| was) {
                    prop_assert!(life.born > lived.born, "{} is another row than before", who);
                }
            }
            mirror.follow(&mut device, 100);
            mirror.assert_shows(&device);
            (before, went_on) = (after.clone(), after.keys().copied().collect());
            written.clear();
        }
    }
}
