//! References to a row that lost its unique key show the row that has it.

use crate::changes;

use crate::changes::{
    Change, Peer, at, change, check_references, insert, int, natural, orders, parked, rows, surrogate, text,
    to,
};
use crate::device::Device;
use pocketsync_core::change::Changeset;
use pocketsync_core::id::RowId;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::value::Value;

const NOTES: &str = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE note(id INTEGER PRIMARY KEY, tag INTEGER REFERENCES tag(id) ON DELETE CASCADE, text TEXT)";
const SHOWN: &str = "SELECT note.text, tag.name FROM note LEFT JOIN tag ON tag.id = note.tag ORDER BY 1";

const TAGGED: &str = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);
    CREATE TABLE note_tag(note INTEGER NOT NULL REFERENCES note(id) ON DELETE CASCADE,
      tag INTEGER NOT NULL REFERENCES tag(id) ON DELETE CASCADE, n INT, PRIMARY KEY(note, tag))";
const JOINED: &str =
    "SELECT note.text, tag.name, note_tag.n FROM note_tag JOIN note ON note.id = note_tag.note
    JOIN tag ON tag.id = note_tag.tag ORDER BY 1, 2, 3";

const FOLDERS: &str = "CREATE TABLE folder(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES folder(id), name TEXT,
      UNIQUE(parent, name));
    CREATE TABLE file(id INTEGER PRIMARY KEY, folder INTEGER REFERENCES folder(id), name TEXT, UNIQUE(folder, name))";

fn tag(n: u64, ms: u64, name: &str) -> Change {
    insert("tag", &surrogate(1, n), at(ms, 1), &[("id", int(n as i64)), ("name", text(name))])
}

fn note(n: u64, of: u64) -> Change {
    let cells = [("id", int(n as i64)), ("tag", to(&surrogate(1, of))), ("text", text(&format!("note {n}")))];
    insert("note", &surrogate(2, n), at(10, 2), &cells)
}

fn plain_note(n: u64) -> Change {
    let cells = [("id", int(n as i64)), ("text", text(&format!("note {n}")))];
    insert("note", &surrogate(2, n), at(10, 2), &cells)
}

fn join_id(note: u64, tag: u64) -> RowId {
    natural([to(&surrogate(2, note)), to(&surrogate(1, tag))])
}

fn join(note: u64, tag: u64, ms: u64) -> Change {
    insert("note_tag", &join_id(note, tag), at(ms, 3), &[("n", int((note * 10 + tag) as i64))])
}

fn folder(n: u64, parent: Option<u64>, ms: u64, name: &str) -> Change {
    let parent = parent.map_or(Value::Null, |parent| to(&surrogate(1, parent)));
    let cells = [("id", int(n as i64)), ("parent", parent), ("name", text(name))];
    insert("folder", &surrogate(1, n), at(ms, 1), &cells)
}

fn file(n: u64, of: u64, name: &str) -> Change {
    let cells = [("id", int(n as i64)), ("folder", to(&surrogate(1, of))), ("name", text(name))];
    insert("file", &surrogate(3, n), at(n, 3), &cells)
}

fn died(table: &str, n: u64, ms: u64) -> Change {
    change(table, &surrogate(1, n)).died(at(ms, 4))
}

fn renamed(table: &str, n: u64, ms: u64, name: &str) -> Change {
    change(table, &surrogate(1, n)).set("name", at(ms, 4), text(name))
}

/// All orders of a few things; of more some that are far from each other.
fn some_orders(n: usize) -> Vec<Vec<usize>> {
    if n <= 4 {
        return orders(n).collect();
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let shuffled = |_| {
        let mut order: Vec<usize> = (0..n).collect();
        for at in (1..n).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            order.swap(at, (state % (at as u64 + 1)) as usize);
        }
        order
    };
    [(0..n).collect(), (0..n).rev().collect()].into_iter().chain((0..24).map(shuffled)).collect()
}

fn sorted(mut changeset: Changeset) -> Changeset {
    changeset.tables.iter_mut().for_each(|table| table.rows.sort_by(|a, b| a.id.cmp(&b.id)));
    changeset
}

/// Every order of these changes ends the same, and whoever hears of it from there shows the same.
fn all_orders(schema: &str, changes: &[Change], query: &str, expected: &[&str], aside: &[&str]) {
    for order in some_orders(changes.len()) {
        let mut device = Device::new(schema);
        let mut peer = Peer::new(9);
        for &n in &order {
            peer.send(&mut device, &changes[n..=n]);
            check_references(&device);
        }
        assert_eq!(rows(&device, query), expected, "in the order {order:?}");
        assert_eq!(parked(&device), aside, "in the order {order:?}");
        let told = sorted(device.all_after(&Cursor::ZERO).changeset);
        let mut other = Device::new(schema);
        let chunk = Peer::new(8).chunk(told.clone(), true);
        changes::apply_chunks(&mut other, vec![chunk]);
        assert_eq!(rows(&other, query), expected, "told by one that was told in the order {order:?}");
        assert_eq!(parked(&other), aside);
        check_references(&other);
        // The engine finds nothing to do where the application wrote nothing.
        assert_eq!(other.fold(), None);
        assert_eq!(sorted(other.all_after(&Cursor::ZERO).changeset), told, "merged values stay");
    }
}

#[test]
fn two_tags_of_one_name_are_one_tag_with_all_notes() {
    let changes = [tag(1, 10, "work"), tag(2, 20, "work"), note(3, 1), note(4, 2)];
    all_orders(NOTES, &changes, SHOWN, &["note 3|work", "note 4|work"], &["tag|unique claim"]);
}

#[test]
fn when_the_shown_tag_goes_the_other_one_comes_back_with_its_notes() {
    let changes = [tag(1, 10, "work"), tag(2, 20, "work"), note(4, 2), died("tag", 1, 50)];
    all_orders(NOTES, &changes, SHOWN, &["note 4|work"], &[]);
}

#[test]
fn when_the_shown_tag_is_renamed_the_other_one_comes_back_with_its_notes() {
    let changes =
        [tag(1, 10, "work"), tag(2, 20, "work"), note(3, 1), note(4, 2), renamed("tag", 1, 50, "play")];
    all_orders(NOTES, &changes, SHOWN, &["note 3|play", "note 4|work"], &[]);
}

#[test]
fn when_the_hidden_tag_is_renamed_its_notes_go_with_it() {
    let changes =
        [tag(1, 10, "work"), tag(2, 20, "work"), note(3, 1), note(4, 2), renamed("tag", 2, 50, "play")];
    all_orders(NOTES, &changes, SHOWN, &["note 3|work", "note 4|play"], &[]);
}

#[test]
fn the_notes_go_on_to_the_next_oldest() {
    let changes =
        [tag(1, 10, "work"), tag(2, 20, "work"), tag(3, 30, "work"), note(4, 3), died("tag", 1, 50)];
    all_orders(NOTES, &changes, SHOWN, &["note 4|work"], &["tag|unique claim"]);
}

#[test]
fn a_row_that_lost_two_keys_is_shown_as_the_winner_of_the_first() {
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, code TEXT UNIQUE);
        CREATE TABLE note(id INTEGER PRIMARY KEY, tag INTEGER REFERENCES tag(id), text TEXT)";
    let both = |n: u64, ms, name: &str, code: &str| tag(n, ms, name).set("code", at(ms, 1), text(code));
    let changes = [both(1, 10, "a", "x"), both(2, 20, "b", "y"), both(3, 30, "b", "x"), note(4, 3)];
    let query = "SELECT tag.id FROM note JOIN tag ON tag.id = note.tag";
    all_orders(schema, &changes, query, &["2"], &["tag|unique claim"]);
    let gone = [&changes[..], &[died("tag", 2, 50)]].concat();
    all_orders(schema, &gone, query, &["1"], &["tag|unique claim"]);
}

#[test]
fn join_rows_show_the_winner_too() {
    let changes = [
        tag(1, 10, "work"),
        tag(2, 20, "work"),
        plain_note(3),
        plain_note(4),
        join(3, 1, 30),
        join(4, 2, 30),
    ];
    let expected = ["note 3|work|31", "note 4|work|42"];
    all_orders(TAGGED, &changes, JOINED, &expected, &["tag|unique claim"]);
    let apart = [&changes[1..], &[tag(1, 10, "work"), renamed("tag", 1, 50, "play")]].concat();
    all_orders(TAGGED, &apart, JOINED, &["note 3|play|31", "note 4|work|42"], &[]);
}

#[test]
fn of_join_rows_that_come_to_be_one_the_older_is_shown() {
    let changes = [tag(1, 10, "work"), tag(2, 20, "work"), plain_note(3), join(3, 1, 40), join(3, 2, 30)];
    let aside = ["note_tag|unique claim", "tag|unique claim"];
    all_orders(TAGGED, &changes, JOINED, &["note 3|work|32"], &aside);
    let gone = [&changes[..], &[died("tag", 1, 50)]].concat();
    // The join row of a tag that is gone.
    let query = "SELECT note.text, tag.name, note_tag.n FROM note_tag JOIN note ON note.id = note_tag.note
        JOIN tag ON tag.id = note_tag.tag WHERE note_tag.n = 32";
    for order in some_orders(gone.len()) {
        let mut device = Device::new(TAGGED);
        let mut peer = Peer::new(9);
        order.iter().for_each(|&n| drop(peer.send(&mut device, &gone[n..=n])));
        assert_eq!(rows(&device, query), ["note 3|work|32"]);
        check_references(&device);
    }
}

#[test]
fn a_join_row_that_dies_with_its_tag_leaves_its_place_to_the_one_behind_it() {
    let mut device = Device::new(TAGGED);
    let mut peer = Peer::new(1);
    let rows_of_both =
        [tag(1, 10, "work"), tag(2, 20, "work"), plain_note(3), join(3, 1, 40), join(3, 2, 30)];
    peer.send(&mut device, &rows_of_both);
    assert_eq!(rows(&device, JOINED), ["note 3|work|32"]);
    peer.send(&mut device, &[died("tag", 2, 50), change("note_tag", &join_id(3, 2)).died(at(50, 4))]);
    assert_eq!(rows(&device, JOINED), ["note 3|work|31"]);
    assert_eq!(parked(&device), [""; 0]);
}

#[test]
fn folders_of_one_name_are_one_with_all_that_is_in_them() {
    let changes = [
        folder(1, None, 1, "root"),
        folder(2, Some(1), 10, "docs"),
        folder(3, Some(1), 20, "docs"),
        folder(4, Some(2), 40, "work"),
        folder(5, Some(3), 30, "work"),
        file(6, 4, "a"),
        file(7, 5, "b"),
        file(8, 5, "a"),
    ];
    let query = "SELECT file.name, w.name, d.id FROM file JOIN folder w ON w.id = file.folder
        JOIN folder d ON d.id = w.parent ORDER BY 1";
    let aside = ["file|unique claim", "folder|unique claim", "folder|unique claim"];
    all_orders(FOLDERS, &changes, query, &["a|work|2", "b|work|2"], &aside);
    let gone = [&changes[..], &[renamed("folder", 2, 60, "papers")]].concat();
    all_orders(FOLDERS, &gone, query, &["a|work|2", "a|work|3", "b|work|3"], &[]);
}

#[test]
fn folders_that_contain_each_other_are_compared_as_they_were_merged() {
    let moved = |n: u64, to_folder: u64, ms| {
        change("folder", &surrogate(1, n)).set("parent", at(ms, 4), to(&surrogate(1, to_folder)))
    };
    let changes = [
        folder(1, None, 1, "root"),
        folder(2, Some(1), 10, "a"),
        folder(3, Some(1), 11, "b"),
        moved(2, 3, 50),
        moved(3, 2, 51),
        folder(4, Some(2), 60, "x"),
        folder(5, Some(2), 61, "x"),
    ];
    let query = "SELECT id, parent, name FROM folder ORDER BY id";
    all_orders(
        FOLDERS,
        &changes,
        query,
        &["1|NULL|root", "2|3|a", "3|2|b", "4|2|x"],
        &["folder|unique claim"],
    );
}

#[test]
fn a_reference_that_the_application_sets_is_its_own_from_then_on() {
    let mut device = Device::new(NOTES);
    let mut peer = Peer::new(1);
    peer.send(
        &mut device,
        &[tag(1, 10, "work"), tag(2, 20, "work"), tag(3, 30, "play"), note(4, 2), note(5, 2)],
    );
    assert_eq!(rows(&device, "SELECT id, tag FROM note"), ["4|1", "5|1"]);
    let column = device.column("note", "tag");
    let before = device.clock("note", 5).unwrap().1.column(column);
    device.sql("UPDATE note SET tag = 3 WHERE id = 4; UPDATE note SET text = 'changed' WHERE id = 5");
    let after = device.all_after(&Cursor::ZERO).changeset;
    assert_eq!(device.clock("note", 5).unwrap().1.column(column), before, "what it shows was not written");
    let mut other = Device::new(NOTES);
    let chunk = Peer::new(8).chunk(after, true);
    changes::apply_chunks(&mut other, vec![chunk]);
    peer.send(&mut device, &[renamed("tag", 1, 50, "home")]);
    Peer::new(7).send(&mut other, &[renamed("tag", 1, 50, "home")]);
    for device in [&device, &other] {
        assert_eq!(rows(device, SHOWN), ["changed|work", "note 4|play"]);
    }
}

#[test]
fn a_join_row_that_the_application_deletes_is_gone_everywhere() {
    let mut device = Device::new(TAGGED);
    let mut peer = Peer::new(1);
    peer.send(&mut device, &[tag(1, 10, "work"), tag(2, 20, "work"), plain_note(3), join(3, 2, 30)]);
    assert_eq!(rows(&device, JOINED), ["note 3|work|32"]);
    device.sql("UPDATE note_tag SET n = 5");
    device.fold();
    let (id, clock) = device.clock("note_tag", (3, 1)).unwrap();
    assert_eq!(id, join_id(3, 2), "it is the row that it was");
    assert!(clock.exceptions.len() == 1 || clock.base.site == device.engine.site());
    device.sql("DELETE FROM note_tag");
    device.fold();
    assert!(device.aside("note_tag", &join_id(3, 2)).is_some(), "and it is that one that dies");
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_alias"), 0);
    peer.send(&mut device, &[died("tag", 1, 50)]);
    assert_eq!(rows(&device, JOINED), [""; 0]);
}

#[test]
fn references_leave_a_winner_that_its_table_refuses() {
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INT CHECK(n > 0));
        CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT, tag INTEGER REFERENCES tag(id));
        CREATE TABLE note_tag(note INTEGER NOT NULL REFERENCES note(id), tag INTEGER NOT NULL REFERENCES tag(id),
          n INT, PRIMARY KEY(note, tag))";
    let changes = [
        tag(1, 10, "work").set("n", at(10, 1), int(-1)),
        tag(2, 20, "work").set("n", at(20, 1), int(1)),
        plain_note(3).set("tag", at(10, 2), to(&surrogate(1, 2))),
        join(3, 2, 30),
    ];
    for order in orders(changes.len()) {
        for groups in [1, 2, 4] {
            let mut device = Device::new(schema);
            let mut peer = Peer::new(1);
            let ordered: Vec<Change> = order.iter().map(|&n| changes[n].clone()).collect();
            for group in ordered.chunks(changes.len() / groups) {
                peer.send(&mut device, group);
                check_references(&device);
            }
            let shown =
                "SELECT note.tag = t.id, t.n, note_tag.n FROM note JOIN note_tag ON note_tag.note = note.id
                JOIN tag t ON t.id = note_tag.tag";
            assert_eq!(rows(&device, shown), ["1|1|32"], "after {order:?} in {groups} groups");
        }
    }
}
