//! References to nothing that an application wrote which enforces no foreign keys: other replicas show
//! what it shows.

use crate::changes::{Peer, apply_chunks, check, int, natural, parked, rows, text};
use crate::device::{Device, Mirror};
use pocketsync_core::lineage::Cursor;
use pocketsync_core::value::Value;

/// Sends all that one device has to another; each call is the next group of its log.
struct Line {
    peer: Peer,
    held: Cursor,
}

impl Line {
    fn new() -> Self {
        Line { peer: Peer::new(9), held: Cursor::ZERO }
    }

    fn carry(&mut self, from: &mut Device, to: &mut Device) {
        from.fold();
        let extracted = from.all_after(&self.held);
        self.held = extracted.to;
        apply_chunks(to, vec![self.peer.chunk(extracted.changeset, true)]);
        check(from);
        check(to);
    }
}

#[test]
fn a_row_that_is_hidden_keeps_what_dangles_beside_its_key() {
    let schema = "CREATE TABLE tag(name TEXT PRIMARY KEY);
        CREATE TABLE used(n INT, tag TEXT REFERENCES tag, also TEXT REFERENCES tag, PRIMARY KEY(n, tag)) WITHOUT ROWID";
    let mut device = Device::new(schema);
    device.sql("INSERT INTO used VALUES(1, 'a', 'b')");
    device.fold();
    let (_, record) = device.aside("used", &natural([int(1), text("a")])).expect("it waits for its tag");
    let also = &record.cells[&device.column("used", "also")].cell.value;
    assert_eq!(*also, Value::Dangling(Box::new(text("b"))));
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_shadow"), 0);
}

const JOINED: &str = "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE friend(a INT REFERENCES person, b INT REFERENCES person, PRIMARY KEY(a, b)) WITHOUT ROWID";

/// Who is whose friend, by name; a number where nobody is.
const FRIENDS: &str = "SELECT coalesce(x.name, a), coalesce(y.name, b) FROM friend
    LEFT JOIN person x ON x.id = a LEFT JOIN person y ON y.id = b ORDER BY 1, 2";

#[test]
fn a_key_that_dangled_means_the_row_that_moved_there() {
    let (mut a, mut b, mut line) = (Device::new(JOINED), Device::new(JOINED), Line::new());
    a.sql("INSERT INTO person VALUES(2, 'Ann'), (3, 'Bob'), (4, 'Cem'); INSERT INTO friend VALUES(3, 1)");
    line.carry(&mut a, &mut b);
    assert_eq!(rows(&b, FRIENDS), ["Bob|1"]);
    a.sql("UPDATE person SET id = id - 1");
    line.carry(&mut a, &mut b);
    assert_eq!(rows(&a, FRIENDS), ["Cem|Ann"]);
    assert_eq!(rows(&b, FRIENDS), ["Cem|Ann"]);
}

#[test]
fn keys_that_dangle_change_hands_when_their_rows_move() {
    let (mut a, mut b, mut line) = (Device::new(JOINED), Device::new(JOINED), Line::new());
    a.sql("INSERT INTO person VALUES(1, 'Ann'), (2, 'Bob'); INSERT INTO friend VALUES(9, 2), (9, 1)");
    line.carry(&mut a, &mut b);
    a.sql("INSERT INTO person VALUES(3, 'Cem'); UPDATE person SET id = id - 1");
    line.carry(&mut a, &mut b);
    assert_eq!(rows(&a, FRIENDS), ["9|Bob", "9|Cem"]);
    assert_eq!(rows(&b, FRIENDS), ["9|Bob", "9|Cem"]);
    assert_eq!(a.number("SELECT count(*) FROM __pocketsync_aside"), 1);
}

#[test]
fn a_pair_that_refers_to_no_row_dangles_though_its_parts_mean_rows() {
    let schema = "CREATE TABLE person(id INTEGER PRIMARY KEY);
        CREATE TABLE friend(a INT REFERENCES person, b INT REFERENCES person, PRIMARY KEY(a, b)) WITHOUT ROWID;
        CREATE TABLE letter(id INTEGER PRIMARY KEY, a INT, b INT, FOREIGN KEY(a, b) REFERENCES friend(a, b))";
    let (mut a, mut b, mut line) = (Device::new(schema), Device::new(schema), Line::new());
    a.sql("INSERT INTO person VALUES(1), (2); INSERT INTO letter VALUES(1, 1, 2)");
    line.carry(&mut a, &mut b);
    assert_eq!(rows(&b, "SELECT a, b FROM letter"), ["1|2"]);
    assert_eq!(parked(&b), [""; 0]);
}

#[test]
fn a_reference_of_another_type_than_the_row_it_looks_like_dangles() {
    let schema = "CREATE TABLE part(a, b, PRIMARY KEY(a, b)) WITHOUT ROWID;
        CREATE TABLE stock(id INT, a INT, b INT, PRIMARY KEY(id, a), FOREIGN KEY(a, b) REFERENCES part(a, b))";
    let (mut a, mut b, mut line) = (Device::new(schema), Device::new(schema), Line::new());
    a.sql("INSERT INTO part VALUES(1, '1'); INSERT INTO stock VALUES(NULL, 1, 1)");
    assert!(a.app.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap());
    line.carry(&mut a, &mut b);
    assert_eq!(rows(&b, "SELECT a, b FROM stock"), ["1|1"]);
    assert_eq!(parked(&b), [""; 0]);
}

/// Of a row whose key refers by name the other row may have another name by now.
#[test]
fn a_reference_to_nothing_beside_a_name_that_changed_hands() {
    let mut device = Device::new(
        "CREATE TABLE note(id INTEGER PRIMARY KEY); CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
         CREATE TABLE note_tag(note INT NOT NULL REFERENCES note(id), tag TEXT NOT NULL REFERENCES tag(name), PRIMARY KEY(tag, note));
         INSERT INTO tag VALUES(1, 'one'), (2, 'two')",
    );
    let mut mirror = Mirror::default();
    device.sql("INSERT INTO note_tag VALUES(1, 'one'), (1, 'two')");
    mirror.follow(&mut device, usize::MAX);
    device.sql("UPDATE note_tag SET note = -1; DELETE FROM tag WHERE id = 1; UPDATE tag SET name = 'one'");
    mirror.follow(&mut device, usize::MAX);
    mirror.assert_shows(&device);
}

#[test]
fn a_row_takes_the_integer_that_dangled_beside_a_name() {
    let mut device = Device::new(
        "CREATE TABLE note(id INTEGER PRIMARY KEY); CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
         CREATE TABLE note_tag(note INT NOT NULL REFERENCES note(id), tag TEXT NOT NULL REFERENCES tag(name), PRIMARY KEY(tag, note));
         INSERT INTO tag VALUES(1, 'one'); INSERT INTO note VALUES(3)",
    );
    let mut mirror = Mirror::default();
    device.sql("INSERT INTO note_tag VALUES(2, 'one')");
    mirror.follow(&mut device, usize::MAX);
    device.sql("UPDATE note SET id = 2");
    mirror.follow(&mut device, usize::MAX);
    let parts = [device.id("tag", 1), device.id("note", 2)].map(|id| Value::Ref(Box::new(id.unwrap())));
    assert_eq!(device.id("note_tag", &[text("one"), int(2)][..]), Some(natural(parts)));
    mirror.assert_shows(&device);
}
