//! Births, deaths and updates of rows, merged in any order.

use crate::changes::{Change, Peer, at, change, check, insert, int, natural, parked, rows, surrogate, text};
use crate::device::Device;
use pocketsync_core::id::RowId;

const SETTINGS: &str =
    "CREATE TABLE setting(name TEXT PRIMARY KEY NOT NULL, value TEXT, level INT DEFAULT 5)";
const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT, stars INT)";

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    let put = |order: &Vec<usize>, at| {
        let mut order = order.clone();
        order.insert(at, n - 1);
        order
    };
    shorter.iter().flat_map(|order| (0..n).map(move |at| put(order, at))).collect()
}

/// Sends the changes in every order, each in a group of its own, to a fresh device each time,
/// and compares what the device shows then.
fn in_every_order(schema: &str, changes: &[Change], query: &str, expected: &[&str]) {
    for order in permutations(changes.len()) {
        let mut device = Device::new(schema);
        let mut peer = Peer::new(9);
        for &n in &order {
            peer.send(&mut device, &changes[n..=n]);
        }
        assert_eq!(rows(&device, query), expected, "in the order {order:?}");
        // A second time changes nothing, and takes no log number.
        let head = device.engine.meta.head;
        assert_eq!(peer.send(&mut device, changes), None);
        assert_eq!(device.engine.meta.head, head);
    }
}

fn dark() -> RowId {
    natural([text("theme")])
}

#[test]
fn a_row_comes_with_its_integer() {
    let mut device = Device::new(NOTES);
    let id = surrogate(1, 1);
    let note = insert("note", &id, at(10, 1), &[("id", int(7)), ("body", text("hi")), ("stars", int(3))]);
    let committed = Peer::new(1).send(&mut device, &[note]).unwrap();
    assert_eq!(rows(&device, "SELECT * FROM note"), ["7|hi|3"]);
    assert_eq!(committed.from.seq + 1, committed.to.seq);
    assert_eq!(committed.shown.len(), 1);
    assert_eq!(*committed.shown[0].changed[0], [int(7)]);
    let (found, clock) = device.clock("note", 7).unwrap();
    assert_eq!((found, clock.hint), (id, None));
    assert!(clock.exceptions.is_empty(), "one version for the whole row");
}

#[test]
fn a_taken_integer_gives_another_one_and_is_remembered() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(7, 'ours', 0)");
    let id = surrogate(1, 1);
    let mut peer = Peer::new(1);
    peer.send(&mut device, &[insert("note", &id, at(10, 1), &[("id", int(7)), ("body", text("theirs"))])]);
    assert_eq!(rows(&device, "SELECT id, body FROM note ORDER BY id"), ["7|ours", "8|theirs"]);
    assert_eq!(device.clock("note", 8).unwrap().1.hint, Some(7));
    // The key cell is held as it was merged: the same again is no news.
    assert_eq!(peer.send(&mut device, &[change("note", &id).set("id", at(10, 1), int(7))]), None);
    // A later integer moves the row where that one is free.
    peer.send(&mut device, &[change("note", &id).set("id", at(20, 1), int(70))]);
    assert_eq!(rows(&device, "SELECT id, body FROM note ORDER BY id"), ["7|ours", "70|theirs"]);
    assert_eq!(device.clock("note", 70).unwrap().1.hint, None);
}

#[test]
fn two_rows_swap_their_integers() {
    let mut device = Device::new(NOTES);
    let (a, b) = (surrogate(1, 1), surrogate(1, 2));
    let mut peer = Peer::new(1);
    let note = |id, n| insert("note", id, at(10, 1), &[("id", int(n)), ("body", text(&format!("was {n}")))]);
    peer.send(&mut device, &[note(&a, 1), note(&b, 2)]);
    let moved = |id, n| change("note", id).set("id", at(20, 1), int(n));
    peer.send(&mut device, &[moved(&a, 2), moved(&b, 1)]);
    assert_eq!(rows(&device, "SELECT id, body FROM note ORDER BY id"), ["1|was 2", "2|was 1"]);
}

#[test]
fn the_larger_version_of_a_cell_wins() {
    let id = surrogate(1, 1);
    let changes = [
        insert("note", &id, at(10, 1), &[("id", int(1)), ("body", text("first")), ("stars", int(1))]),
        change("note", &id).set("body", at(30, 1), text("third")),
        change("note", &id).set("body", at(20, 2), text("second")).set("stars", at(20, 2), int(2)),
    ];
    in_every_order(NOTES, &changes, "SELECT * FROM note", &["1|third|2"]);
}

#[test]
fn of_equal_versions_the_larger_value_wins() {
    let id = surrogate(1, 1);
    let changes = [
        insert("note", &id, at(10, 1), &[("id", int(1)), ("body", text("a"))]),
        change("note", &id).set("body", at(20, 1), text("b")),
        change("note", &id).set("body", at(20, 1), text("c")),
    ];
    in_every_order(NOTES, &changes, "SELECT body FROM note", &["c"]);
}

#[test]
fn a_delete_wins_over_a_concurrent_update() {
    let id = surrogate(1, 1);
    let changes = [
        insert("note", &id, at(10, 1), &[("id", int(1)), ("body", text("a"))]),
        change("note", &id).died(at(20, 2)),
        change("note", &id).set("body", at(30, 3), text("b")),
    ];
    in_every_order(NOTES, &changes, "SELECT * FROM note", &[]);
}

#[test]
fn two_concurrent_deletes_are_one() {
    let id = surrogate(1, 1);
    let changes = [
        insert("note", &id, at(10, 1), &[("id", int(1)), ("body", text("a"))]),
        change("note", &id).died(at(20, 2)),
        change("note", &id).died(at(21, 3)),
    ];
    in_every_order(NOTES, &changes, "SELECT * FROM note", &[]);
}

#[test]
fn a_natural_key_lives_again_in_every_order() {
    let key = dark();
    let changes = [
        insert("setting", &key, at(10, 1), &[("value", text("dark")), ("level", int(1))]),
        change("setting", &key).died(at(20, 2)),
        // The new life brings no level: the default shows, not what the old life left.
        insert("setting", &key, at(30, 3), &[("value", text("light"))]),
        change("setting", &key).set("value", at(15, 1), text("old")).set("level", at(15, 1), int(2)),
    ];
    in_every_order(SETTINGS, &changes, "SELECT * FROM setting", &["theme|light|5"]);
}

#[test]
fn an_update_of_the_old_life_stays_dead_where_the_tombstone_was_never_seen() {
    let mut device = Device::new(SETTINGS);
    let mut peer = Peer::new(9);
    peer.send(&mut device, &[insert("setting", &dark(), at(30, 3), &[("value", text("light"))])]);
    // The cell is older than the life that is shown, and nothing newer is known of it.
    peer.send(&mut device, &[change("setting", &dark()).set("level", at(15, 1), int(2))]);
    peer.send(&mut device, &[change("setting", &dark()).died(at(20, 2))]);
    assert_eq!(rows(&device, "SELECT * FROM setting"), ["theme|light|5"]);
}

#[test]
fn a_fresh_device_inserts_a_key_that_was_deleted_long_ago() {
    let mut device = Device::new(SETTINGS);
    device.sql("INSERT INTO setting VALUES('theme', 'mine', 1)");
    Peer::new(1).send(&mut device, &[change("setting", &dark()).born(at(10, 1)).died(at(20, 1))]);
    assert_eq!(rows(&device, "SELECT * FROM setting"), ["theme|mine|1"]);
    check(&device);
}

#[test]
fn a_change_of_an_unborn_row_waits_for_its_birth() {
    let mut device = Device::new(NOTES);
    let id = surrogate(1, 1);
    let mut peer = Peer::new(1);
    peer.send(&mut device, &[change("note", &id).set("stars", at(20, 1), int(4))]);
    assert_eq!(parked(&device), ["note|unborn"]);
    peer.send(&mut device, &[insert("note", &id, at(10, 1), &[("id", int(1)), ("stars", int(1))])]);
    assert_eq!(rows(&device, "SELECT * FROM note"), ["1|NULL|4"]);
    assert_eq!(parked(&device), [""; 0]);
}

#[test]
fn an_unfolded_local_write_keeps_its_value_and_its_time() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'ours', 1)");
    device.fold();
    let (id, _) = device.clock("note", 1).unwrap();
    device.sql("UPDATE note SET body = 'written and not folded' WHERE id = 1");
    // Later than what is folded, earlier than what is not.
    let earlier = at(device.engine.meta.clock().ms(), 200);
    device.sql("UPDATE note SET body = 'last' WHERE id = 1");
    device.shift_journal(10);
    let theirs = change("note", &id).set("body", earlier, text("theirs")).set("stars", earlier, int(9));
    Peer::new(200).send(&mut device, &[theirs]);
    assert_eq!(rows(&device, "SELECT * FROM note"), ["1|last|9"]);
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_journal"), 0);
}

#[test]
fn new_integers_do_not_meet_merged_ones() {
    let mut device = Device::new(NOTES);
    device.sql("INSERT INTO note VALUES(1, 'ours', 0), (2, 'ours', 0)");
    // 1 and 2 are taken, so that their rows look for other integers between those that 4 and 5 bring.
    let wanted = [1, 4, 2, 5, 1, 6, 2];
    let note = |(n, wanted): (usize, &i64)| {
        insert(
            "note",
            &surrogate(1, n as u64 + 1),
            at(10, 1),
            &[("id", int(*wanted)), ("body", text("theirs"))],
        )
    };
    let notes: Vec<Change> = wanted.iter().enumerate().map(note).collect();
    Peer::new(1).send(&mut device, &notes);
    assert_eq!(rows(&device, "SELECT count(*) FROM note"), ["9"]);
    assert_eq!(parked(&device), [""; 0]);
}
