//! What others are told: exactly the changed cells, as they mean the same everywhere.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // Real time is measured.

use std::time::{Duration, Instant};

use crate::device::{Device, Mirror, SOMEBODY};
use pocketsync_core::change::{Changeset, RowChange};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::lineage::Cursor;
use pocketsync_core::merge::Life;
use pocketsync_core::store::Record;
use pocketsync_core::store::sqlite::refs;
use pocketsync_core::store::sqlite::system::AsideReason;
use pocketsync_core::value::Value;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)";

fn only_row(changeset: &Changeset) -> (&[String], &RowChange) {
    assert_eq!((changeset.tables.len(), changeset.row_count()), (1, 1), "{changeset:?}");
    (&changeset.tables[0].columns, &changeset.tables[0].rows[0])
}

#[test]
fn a_new_row_is_told_whole_and_a_changed_cell_alone() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'a', NULL)");
    let first = device.all_after(&Cursor::ZERO);
    let (columns, row) = only_row(&first.changeset);
    assert_eq!(columns, ["id", "title", "body"]);
    assert!(row.life.is_alive());
    let values: Vec<_> = row.cells.iter().map(|cell| cell.value.clone()).collect();
    assert_eq!(values, [Value::Integer(1), Value::text("a"), Value::Null]);
    device.sql("UPDATE note SET body = 'b'");
    let second = device.all_after(&first.to);
    let (columns, row) = only_row(&second.changeset);
    assert_eq!(columns, ["body"]);
    assert_eq!(row.life, Life::default());
    assert_eq!(row.cells[0].value, Value::text("b"));
    let bytes = second.changeset.encode();
    assert_eq!(Changeset::decode(&bytes).unwrap(), second.changeset);
    let third = device.all_after(&second.to);
    assert_eq!((third.to, third.changeset), (second.to, Changeset::default()));
}

#[test]
fn a_deleted_row_is_told_as_a_death() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'a', 'b')");
    let first = device.all_after(&Cursor::ZERO);
    device.sql("DELETE FROM note");
    let second = device.all_after(&first.to);
    let (_, row) = only_row(&second.changeset);
    assert!(row.cells.is_empty() && row.life.died > row.life.born);
    assert_eq!(row.id, only_row(&first.changeset).1.id);
}

#[test]
fn a_column_added_later_is_not_told_until_it_is_written() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'a', 'b')");
    device.fold();
    let mut clock = device.clock("note", 1).unwrap().1;
    clock.base_columns = 2; // As if `body` had come after the row.
    let (id, no) = (device.id("note", 1).unwrap(), device.table("note"));
    device.engine.write(|engine| refs::put_clock(engine, no, &[Value::Integer(1)], &id, &clock)).unwrap();
    let first = device.all_after(&Cursor::ZERO);
    assert_eq!(only_row(&first.changeset).0, ["id", "title"]);
    device.sql("UPDATE note SET body = 'c'");
    assert_eq!(only_row(&device.all_after(&first.to).changeset).0, ["body"]);
}

#[test]
fn references_are_told_as_what_they_point_at() {
    let mut device = Device::new(
        "CREATE TABLE folder(id INTEGER PRIMARY KEY, code TEXT UNIQUE, parent INT REFERENCES folder);
         CREATE TABLE country(name TEXT PRIMARY KEY NOT NULL);
         CREATE TABLE note(id INTEGER PRIMARY KEY, folder INT REFERENCES folder(id),
           code TEXT REFERENCES folder(code), country TEXT REFERENCES country(name));",
    );
    device.sql(
        "INSERT INTO folder VALUES(3, 'in', NULL), (4, 'out', 3); INSERT INTO country VALUES('fr');
         INSERT INTO note VALUES(1, 3, 'out', 'fr'), (2, 99, 'lost', 'xx'), (3, NULL, NULL, NULL)",
    );
    let told = device.all_after(&Cursor::ZERO);
    let table = told.changeset.tables.iter().find(|table| table.name == "note").unwrap();
    let reference = |key: i64| Value::Ref(Box::new(device.id("folder", key).unwrap()));
    let dangling = |value: Value| Value::Dangling(Box::new(value));
    let expected = [
        vec![reference(3), reference(4), Value::text("fr")],
        vec![dangling(Value::Integer(99)), dangling(Value::text("lost")), dangling(Value::text("xx"))],
        vec![Value::Null, Value::Null, Value::Null],
    ];
    for (row, expected) in table.rows.iter().zip(expected) {
        let values: Vec<_> = row.cells[1..].iter().map(|cell| cell.value.clone()).collect();
        assert_eq!(values, expected);
    }
}

#[test]
fn merged_values_are_told_instead_of_shown_ones() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'shown', 'b')");
    device.fold();
    let (id, mut clock) = device.clock("note", 1).unwrap();
    let (no, title) = (device.table("note"), device.column("note", "title"));
    clock.shadowed = true;
    clock.hint = Some(41);
    device
        .engine
        .write(|engine| {
            refs::put_clock(engine, no, &[Value::Integer(1)], &id, &clock)?;
            refs::put_shadow(engine, no, &id, title, &Value::text("merged"))
        })
        .unwrap();
    let told = device.all_after(&Cursor::ZERO);
    let values: Vec<_> = only_row(&told.changeset).1.cells.iter().map(|cell| cell.value.clone()).collect();
    assert_eq!(values, [Value::Integer(41), Value::text("merged"), Value::text("b")]);
}

#[test]
fn what_came_from_the_asking_peer_is_left_out() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'a', 'b')");
    device.fold();
    let peer = SiteId::from_bytes([5; 16]);
    let ordinal = device.engine.sites.ordinal(peer) as i64;
    // A group of the peer's, taken in as it would be by a merge.
    let record = Record {
        life: Life::born(Version::new(Hlc::from_ms(9), peer)),
        life_seq: 2,
        cells: Default::default(),
    };
    let no = device.table("note");
    device
        .engine
        .write(|engine| {
            let seq = engine.meta.next_seq() as i64;
            engine.conn.execute(
                "INSERT INTO __pocketsync_log(seq, peer, peer_seq) VALUES(?1, ?2, 8)",
                (seq, ordinal),
            )?;
            let id = RowId::Surrogate { site: peer, counter: 1 };
            refs::put_aside(engine, no, &id, AsideReason::Refused, None, &record)
        })
        .unwrap();
    let told = device.extract(peer, &Cursor::ZERO, usize::MAX);
    assert_eq!(told.changeset.row_count(), 1);
    let nothing =
        device.extract(peer, &Cursor { within: vec![], ..device.engine.lineage.cursor_at(1) }, usize::MAX);
    assert!(nothing.changeset.is_empty() && nothing.last);
    assert_eq!(nothing.to.seq, 2, "skipped, and done with");
    assert_eq!(device.extract(SOMEBODY, &Cursor::ZERO, usize::MAX).changeset.row_count(), 2);
}

#[test]
fn any_size_of_pieces_says_the_same() {
    let mut device = Device::new(
        "CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE b(k TEXT, l INT, v TEXT, PRIMARY KEY(k, l));
         CREATE TABLE c(k INT PRIMARY KEY NOT NULL, v) WITHOUT ROWID;",
    );
    for round in 0..4 {
        device.sql(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
               INSERT INTO a SELECT i + {round} * 100, 'v' || i FROM n;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
               INSERT INTO b SELECT iif(i % 5, 'k' || i, NULL), {round}, 'w' FROM n;
             INSERT OR REPLACE INTO c VALUES(1, {round}), ({round} + 10, 'x');
             UPDATE a SET v = 'changed' WHERE id % 7 = {round}; DELETE FROM a WHERE id % 11 = {round};
             DELETE FROM b WHERE l = {round} - 1 AND k > 'k3'",
        ));
        device.fold();
    }
    let mut whole = Mirror::default();
    assert_eq!(whole.follow(&mut device, usize::MAX), 1);
    whole.assert_shows(&device);
    for max_bytes in [1, 64, 500, 5_000] {
        let mut pieces = Mirror::default();
        assert!(pieces.follow(&mut device, max_bytes) > 1);
        assert_eq!(pieces, whole, "in pieces of {max_bytes} bytes");
    }
}

#[test]
fn rows_that_change_between_the_pieces_are_not_missed() {
    let mut device = Device::new(NOTES);
    for id in 1..=60 {
        device.exec("INSERT INTO note VALUES(?1, 'a', 'b')", [id]);
        device.fold();
    }
    let mut mirror = Mirror::default();
    for step in 0.. {
        let told = device.extract(SOMEBODY, &mirror.cursor, 100);
        mirror.join(&told.changeset);
        mirror.cursor = told.to;
        if step < 30 {
            device.exec("UPDATE note SET title = title || 'x' WHERE id % 20 = ?1", [step % 20]);
            device.exec("DELETE FROM note WHERE id = ?1", [step + 20]);
        } else if told.last {
            break;
        }
    }
    mirror.assert_shows(&device);
}

#[test]
fn what_is_handed_out_is_marked_in_the_file() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'a', 'b'), (2, 'a', 'b')");
    device.fold();
    assert_eq!(device.engine.meta.offered_seq, 0);
    device.extract(SOMEBODY, &Cursor::ZERO, 1);
    device.reopen();
    let meta = device.engine.meta;
    assert_eq!((meta.offered_seq, meta.offered_counter), (1, 1));
    assert_eq!(meta.offered_clock, meta.clock);
    device.all_after(&Cursor::ZERO);
    assert_eq!(device.engine.meta.offered_counter, 2);
}

/// The fastest of some extracts of one changed cell.
fn one_cell(device: &mut Device, after: &mut Cursor) -> Duration {
    let mut fastest = Duration::MAX;
    for round in 0..20 {
        device.exec("UPDATE note SET body = ?1 WHERE id = 77", [round]);
        let begin = Instant::now();
        let told = device.all_after(after);
        fastest = fastest.min(begin.elapsed());
        assert_eq!(only_row(&told.changeset).1.cells.len(), 1);
        *after = told.to;
    }
    fastest
}

#[test]
fn the_cost_of_one_cell_does_not_grow_with_the_table() {
    let fill = |device: &mut Device, rows: i64| {
        device.exec(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO note SELECT NULL, 'title', 'body' FROM n",
            [rows],
        );
        device.fold();
        device.engine.lineage.cursor_at(device.engine.meta.head as u64)
    };
    let mut device = Device::new(NOTES);
    let mut after = fill(&mut device, 1_000);
    let small = one_cell(&mut device, &mut after);
    let mut after = fill(&mut device, 99_000);
    let large = one_cell(&mut device, &mut after);
    // A hundred times the rows; a few more levels of a tree.
    assert!(large < small * 10 + Duration::from_millis(1), "{small:?} became {large:?}");
}
