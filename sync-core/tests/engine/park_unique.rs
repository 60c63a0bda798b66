//! Unique keys that several rows claim.

use crate::changes;

use crate::changes::{
    Change, Peer, at, change, check_references, insert, int, orders, parked, rows, surrogate, text, to,
};
use crate::device::Device;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::value::Value;

const TAGS: &str = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, color TEXT)";
const SEATS: &str =
    "CREATE TABLE seat(id INTEGER PRIMARY KEY, line TEXT, place TEXT, UNIQUE(line), UNIQUE(place))";

fn tag(n: u64, ms: u64, name: &str) -> Change {
    insert("tag", &surrogate(1, n), at(ms, 1), &[("id", int(n as i64)), ("name", text(name))])
}

fn tags(device: &Device) -> Vec<String> {
    rows(device, "SELECT id, name FROM tag ORDER BY id")
}

fn all_orders(schema: &str, changes: &[Change], query: &str, expected: &[&str], aside: &[&str]) {
    for order in orders(changes.len()) {
        let mut device = Device::new(schema);
        let mut peer = Peer::new(9);
        for &n in &order {
            peer.send(&mut device, &changes[n..=n]);
        }
        assert_eq!(rows(&device, query), expected, "in the order {order:?}");
        assert_eq!(parked(&device), aside, "in the order {order:?}");
    }
}

#[test]
fn of_two_rows_with_one_key_the_older_is_shown() {
    let changes = [tag(1, 20, "work"), tag(2, 10, "work"), tag(3, 30, "home")];
    all_orders(
        TAGS,
        &changes,
        "SELECT id, name FROM tag ORDER BY id",
        &["2|work", "3|home"],
        &["tag|unique claim"],
    );
}

#[test]
fn the_key_goes_to_the_next_oldest_when_its_row_dies() {
    let dead = change("tag", &surrogate(1, 1)).died(at(40, 2));
    let changes = [tag(1, 10, "work"), tag(2, 20, "work"), tag(3, 30, "work"), dead];
    all_orders(TAGS, &changes, "SELECT id, name FROM tag", &["2|work"], &["tag|unique claim"]);
}

#[test]
fn the_key_goes_on_when_its_row_is_renamed() {
    let renamed = change("tag", &surrogate(1, 1)).set("name", at(40, 2), text("play"));
    let changes = [tag(1, 10, "work"), tag(2, 20, "work"), renamed];
    all_orders(TAGS, &changes, "SELECT id, name FROM tag ORDER BY id", &["1|play", "2|work"], &[]);
}

#[test]
fn a_hidden_row_that_is_renamed_is_shown() {
    let renamed = change("tag", &surrogate(1, 2)).set("name", at(40, 2), text("play"));
    let changes = [tag(1, 10, "work"), tag(2, 20, "work"), renamed];
    all_orders(TAGS, &changes, "SELECT id, name FROM tag ORDER BY id", &["1|work", "2|play"], &[]);
}

#[test]
fn values_swap_in_one_group_without_parking() {
    let mut device = Device::new(TAGS);
    let mut peer = Peer::new(1);
    peer.send(&mut device, &[tag(1, 10, "a"), tag(2, 20, "b")]);
    let name = |n, name| change("tag", &surrogate(1, n)).set("name", at(30, 1), text(name));
    let committed = peer.send(&mut device, &[name(1, "b"), name(2, "a")]).unwrap();
    assert_eq!(tags(&device), ["1|b", "2|a"]);
    assert_eq!(committed.shown[0].changed.len(), 2);
    assert!(committed.shown[0].removed.is_empty());
    assert_eq!(parked(&device), [""; 0]);
}

#[test]
fn a_chain_of_claims_over_two_indexes_is_decided_from_the_oldest() {
    let seat = |n: u64, line: &str, place: &str| {
        let cells = [("id", int(n as i64)), ("line", text(line)), ("place", text(place))];
        insert("seat", &surrogate(1, n), at(n * 10, 1), &cells)
    };
    // 1 keeps 2 out, which would have kept 3 out, which keeps 4 out.
    let changes = [seat(1, "a", "x"), seat(2, "a", "y"), seat(3, "b", "y"), seat(4, "b", "z")];
    let out = ["seat|unique claim", "seat|unique claim"];
    all_orders(SEATS, &changes, "SELECT id FROM seat ORDER BY id", &["1", "3"], &out);
    // And with 1 gone, 2 and 4 are in.
    let mut gone = changes.to_vec();
    gone.push(change("seat", &surrogate(1, 1)).died(at(90, 2)));
    all_orders(SEATS, &gone, "SELECT id FROM seat ORDER BY id", &["2", "4"], &["seat|unique claim"]);
}

#[test]
fn a_cycle_of_claims_has_one_answer() {
    let seat = |n: u64, line: &str, place: &str| {
        let cells = [("id", int(n as i64)), ("line", text(line)), ("place", text(place))];
        insert("seat", &surrogate(1, n), at(10, 1), &cells)
    };
    // Equally old: the id decides.
    let changes = [seat(1, "a", "x"), seat(2, "b", "x"), seat(3, "b", "y"), seat(4, "a", "y")];
    let out = ["seat|unique claim", "seat|unique claim"];
    all_orders(SEATS, &changes, "SELECT id FROM seat ORDER BY id", &["1", "3"], &out);
}

#[test]
fn text_is_compared_as_the_index_does() {
    let schema = "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, \
                  code TEXT UNIQUE COLLATE RTRIM)";
    let user = |n: u64, name: &str, code: &str| {
        let cells = [("id", int(n as i64)), ("name", text(name)), ("code", text(code))];
        insert("user", &surrogate(1, n), at(n * 10, 1), &cells)
    };
    let changes = [user(1, "bob", "x"), user(2, "BOB", "y"), user(3, "eve", "x  "), user(4, "Eve", "y ")];
    let out = ["user|unique claim", "user|unique claim"];
    all_orders(schema, &changes, "SELECT id FROM user ORDER BY id", &["1", "4"], &out);
}

#[test]
fn keys_of_a_natural_table_differ_but_not_under_its_collation() {
    let schema = "CREATE TABLE user(name TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, age INT)";
    let user =
        |name: &str, ms| insert("user", &changes::natural([text(name)]), at(ms, 1), &[("age", int(1))]);
    let changes = [user("bob", 20), user("Bob", 10)];
    all_orders(schema, &changes, "SELECT name FROM user", &["Bob"], &["user|unique claim"]);
}

#[test]
fn a_null_claims_nothing() {
    let cells = |n| [("id", int(n)), ("name", pocketsync_core::value::Value::Null)];
    let changes = [
        insert("tag", &surrogate(1, 1), at(10, 1), &cells(1)),
        insert("tag", &surrogate(1, 2), at(20, 1), &cells(2)),
    ];
    all_orders(TAGS, &changes, "SELECT id FROM tag ORDER BY id", &["1", "2"], &[]);
}

#[test]
fn a_default_claims_its_value() {
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'new' UNIQUE)";
    let changes = [
        insert("tag", &surrogate(1, 1), at(10, 1), &[("id", int(1))]),
        insert("tag", &surrogate(1, 2), at(20, 1), &[("id", int(2)), ("name", text("new"))]),
    ];
    all_orders(schema, &changes, "SELECT id FROM tag", &["1"], &["tag|unique claim"]);
}

#[test]
fn references_are_compared_by_the_row_that_they_mean() {
    let schema = "CREATE TABLE box(id INTEGER PRIMARY KEY);
        CREATE TABLE item(id INTEGER PRIMARY KEY, box INT REFERENCES box, name TEXT, UNIQUE(box, name))";
    let (one, two) = (surrogate(1, 1), surrogate(2, 1));
    let boxed = |id, n: u64| insert("box", id, at(1, 1), &[("id", int(n as i64))]);
    let item = |n: u64, of, name: &str| {
        let cells = [("id", int(n as i64)), ("box", to(of)), ("name", text(name))];
        insert("item", &surrogate(1, n), at(n * 10, 1), &cells)
    };
    // Both boxes want the integer 5; the items tell them apart.
    let changes =
        [boxed(&one, 5), boxed(&two, 5), item(10, &one, "a"), item(11, &two, "a"), item(12, &one, "a")];
    let query = "SELECT count(*), count(DISTINCT box) FROM item";
    all_orders(schema, &changes, query, &["2|2"], &["item|unique claim"]);
}

#[test]
fn a_local_delete_is_one_of_all_rows_behind_it() {
    let mut device = Device::new(TAGS);
    let mut peer = Peer::new(1);
    peer.send(&mut device, &[tag(1, 10, "work"), tag(2, 20, "work"), tag(3, 30, "work")]);
    device.sql("UPDATE tag SET name = 'play'");
    device.fold();
    assert_eq!(tags(&device), ["1|play"]);
    assert_eq!(parked(&device), ["tag|unique claim", "tag|unique claim"]);
    device.sql("UPDATE tag SET color = 'red'");
    device.fold();
    device.sql("DELETE FROM tag WHERE id = 1");
    device.fold();
    assert_eq!(tags(&device), [""; 0]);
    assert_eq!(parked(&device), [""; 0]);
    let mut other = Device::new(TAGS);
    let mut peer = Peer::new(1);
    peer.send(&mut other, &[tag(1, 10, "work"), tag(2, 20, "work"), tag(3, 30, "work")]);
    let told = device.all_after(&Cursor::ZERO).changeset;
    changes::apply_chunks(&mut other, vec![Peer::new(7).chunk(told, true)]);
    assert_eq!(tags(&other), [""; 0]);
    assert_eq!(parked(&other), [""; 0]);
    assert_eq!(device.number("SELECT count(*) FROM __pocketsync_claim"), 0);
}

#[test]
fn a_local_row_gives_way_to_an_older_one_that_arrives_later() {
    let mut device = Device::new(TAGS);
    device.sql("INSERT INTO tag VALUES(1, 'work', 'red')");
    let committed = Peer::new(1).send(&mut device, &[tag(1, 10, "work")]).unwrap();
    assert_eq!(rows(&device, "SELECT name, color FROM tag"), ["work|NULL"]);
    assert_eq!(parked(&device), ["tag|unique claim"]);
    // The younger row is out of its place before the older one looks for one.
    assert_eq!(*committed.shown[0].changed[0], [int(1)]);
}

#[test]
fn a_row_gives_way_again_when_the_older_one_comes_back() {
    let mut device = Device::new("CREATE TABLE word(w TEXT PRIMARY KEY NOT NULL, rank INT UNIQUE)");
    let word =
        |w: &str, ms, rank| insert("word", &changes::natural([text(w)]), at(ms, 1), &[("rank", int(rank))]);
    let mut peer = Peer::new(1);
    peer.send(&mut device, &[word("a", 10, 1), word("b", 20, 1)]);
    peer.send(&mut device, &[change("word", &changes::natural([text("a")])).died(at(30, 1))]);
    assert_eq!(rows(&device, "SELECT w FROM word"), ["b"]);
    // Born again it is the younger one.
    peer.send(&mut device, &[word("a", 40, 1)]);
    assert_eq!(rows(&device, "SELECT w FROM word"), ["b"]);
    peer.send(&mut device, &[change("word", &changes::natural([text("b")])).set("rank", at(50, 1), int(2))]);
    assert_eq!(rows(&device, "SELECT w, rank FROM word ORDER BY w"), ["a|1", "b|2"]);
}

#[test]
fn an_index_over_a_part_of_the_rows_is_about_these() {
    let schema = "CREATE TABLE job(id INTEGER PRIMARY KEY, name TEXT, ended INT, note TEXT);
        CREATE UNIQUE INDEX one_running ON job(name COLLATE NOCASE DESC) WHERE ended IS NULL -- but for the old ones";
    let job = |n: u64, name: &str, ended: Option<i64>| {
        let ended = ended.map_or(Value::Null, int);
        let cells = [("id", int(n as i64)), ("name", text(name)), ("ended", ended)];
        insert("job", &surrogate(1, n), at(n * 10, 1), &cells)
    };
    let changes =
        [job(1, "backup", Some(1)), job(2, "backup", None), job(3, "Backup", None), job(4, "sweep", None)];
    let query = "SELECT id FROM job ORDER BY id";
    all_orders(schema, &changes, query, &["1", "2", "4"], &["job|unique claim"]);
    let ended = [&changes[1..], &[change("job", &surrogate(1, 2)).set("ended", at(90, 2), int(9))]].concat();
    all_orders(schema, &ended, query, &["2", "3", "4"], &[]);
    // Ended here, all of them are.
    let mut device = Device::new(schema);
    Peer::new(1).send(&mut device, &changes);
    device.sql("UPDATE job SET ended = 5 WHERE id = 2");
    device.fold();
    assert_eq!(rows(&device, "SELECT id, ended FROM job WHERE ended = 5 ORDER BY id"), ["2|5", "3|5"]);
    assert_eq!(parked(&device), [""; 0]);
}

#[test]
fn an_index_over_an_expression_is_claimed_by_what_sqlite_makes_of_it() {
    let schema = "CREATE TABLE word(id INTEGER PRIMARY KEY, w TEXT, book INT);
        CREATE UNIQUE INDEX lower_w ON word(book, lower(w), (w || ',') COLLATE NOCASE);
        CREATE TABLE line(id INTEGER PRIMARY KEY, word INT REFERENCES word(id))";
    let word = |n: u64, ms, w: &str| {
        insert(
            "word",
            &surrogate(1, n),
            at(ms, 1),
            &[("id", int(n as i64)), ("w", text(w)), ("book", int(1))],
        )
    };
    let line = insert(
        "line",
        &surrogate(2, 1),
        at(5, 2),
        &[("id", int(1)), ("word", changes::to(&surrogate(1, 2)))],
    );
    let changes = [word(1, 10, "a"), word(2, 20, "A"), word(3, 30, "b"), line];
    let query = "SELECT w FROM word UNION ALL SELECT word FROM line";
    all_orders(schema, &changes, query, &["a", "b", "1"], &["word|unique claim"]);
    let renamed = [&changes[..], &[change("word", &surrogate(1, 1)).set("w", at(50, 1), text("c"))]].concat();
    all_orders(schema, &renamed, query, &["c", "A", "b", "2"], &[]);
}

#[test]
fn an_expression_that_is_null_claims_nothing() {
    let schema =
        "CREATE TABLE word(id INTEGER PRIMARY KEY, w TEXT); CREATE UNIQUE INDEX some ON word(nullif(w, ''))";
    let word = |n: u64, w: &str| {
        insert("word", &surrogate(1, n), at(n, 1), &[("id", int(n as i64)), ("w", text(w))])
    };
    let changes = [word(1, "a"), word(2, "a"), word(3, ""), word(4, "")];
    all_orders(schema, &changes, "SELECT id FROM word ORDER BY id", &["1", "3", "4"], &["word|unique claim"]);
}

#[test]
fn a_rotation_over_two_indexes_in_one_transaction_parks_nothing() {
    let (mut from, mut into) = (Device::new(SEATS), Device::new(SEATS));
    from.sql("INSERT INTO seat VALUES(1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z')");
    let mut peer = Peer::new(5);
    let first = from.all_after(&Cursor::ZERO);
    changes::apply_chunks(&mut into, vec![peer.chunk(first.changeset, true)]);
    from.sql(
        "UPDATE seat SET line = NULL, place = NULL WHERE id = 1; UPDATE seat SET line = 'a', place = 'x' WHERE id = 2;
         UPDATE seat SET line = 'b', place = 'y' WHERE id = 3; UPDATE seat SET line = 'c', place = 'z' WHERE id = 1",
    );
    let second = from.all_after(&first.to);
    changes::apply_chunks(&mut into, vec![peer.chunk(second.changeset, true)]);
    for device in [&from, &into] {
        assert_eq!(rows(device, "SELECT * FROM seat ORDER BY id"), ["1|c|z", "2|a|x", "3|b|y"]);
        assert_eq!(parked(device), [""; 0]);
    }
}

#[test]
fn a_thousand_copies_of_one_tag_cost_one_place() {
    let mut device = Device::new(TAGS);
    let mut peer = Peer::new(1);
    let many: Vec<Change> = (1..=1000).map(|n| tag(n, n, "work")).collect();
    peer.send(&mut device, &many);
    assert_eq!(tags(&device), ["1|work"]);
    assert_eq!(parked(&device).len(), 999);
    let gone: Vec<Change> = (1..=999).map(|n| change("tag", &surrogate(1, n)).died(at(5000, 1))).collect();
    peer.send(&mut device, &gone);
    assert_eq!(tags(&device), ["1000|work"]);
    check_references(&device);
}
