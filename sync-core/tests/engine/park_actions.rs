//! A deleted row meets one that refers to it: the declared action decides.

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

fn row(table: &str, n: u64, cells: &[(&str, Value)]) -> Change {
    let id = [("id", int(n as i64))];
    insert(table, &surrogate(1, n), at(n, 1), &[&id[..], cells].concat())
}

fn under(table: &str, n: u64, column: &str, of: u64) -> Change {
    row(table, n, &[(column, to(&surrogate(1, of))), ("name", text(&format!("{table} {n}")))])
}

fn died(table: &str, n: u64, ms: u64) -> Change {
    change(table, &surrogate(1, n)).died(at(ms, 4))
}

/// All orders of a few things, of more some.
fn some_orders(n: usize) -> Vec<Vec<usize>> {
    let step = if n > 4 { 5 } else { 1 };
    orders(n.min(6)).map(|order| order.into_iter().chain(n.min(6)..n).collect()).step_by(step).collect()
}

fn all_of(device: &mut Device) -> Changeset {
    let mut changeset = device.all_after(&Cursor::ZERO).changeset;
    changeset.tables.iter_mut().for_each(|table| table.rows.sort_by(|a, b| a.id.cmp(&b.id)));
    changeset
}

/// Every order ends the same, and two that tell each other what they concluded stay so.
fn all_orders(schema: &str, changes: &[Change], query: &str, expected: &[&str]) {
    let mut first: Option<Device> = None;
    for order in some_orders(changes.len()) {
        let mut device = Device::new(schema);
        let mut peer = Peer::new(9);
        for &n in &order {
            peer.send(&mut device, &changes[n..=n]);
            check_references(&device);
        }
        if let Some(first) = &mut first {
            let (told, heard) = (all_of(&mut device), all_of(first));
            changes::apply_chunks(first, vec![Peer::new(8).chunk(told, true)]);
            changes::apply_chunks(&mut device, vec![Peer::new(7).chunk(heard, true)]);
            assert_eq!(rows(first, query), expected, "of the first, after the order {order:?}");
            check_references(first);
            *first = device;
        } else {
            first = Some(device);
        }
        let device = first.as_ref().unwrap();
        assert_eq!(rows(device, query), expected, "in the order {order:?}");
        assert_eq!(parked(device), [""; 0], "in the order {order:?}");
        check_references(device);
    }
}

fn two(action: &str) -> String {
    format!(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER DEFAULT 7 REFERENCES p(id) {action}, name TEXT)"
    )
}

#[test]
fn the_declared_action_decides() {
    let changes = [row("p", 1, &[("name", text("one"))]), under("c", 2, "p", 1), died("p", 1, 50)];
    let query = "SELECT 'p', id, name FROM p UNION ALL SELECT 'c', id, p FROM c";
    let table: &[(&str, &[&str])] = &[
        ("ON DELETE CASCADE", &[]),
        ("ON DELETE SET NULL", &["c|2|NULL"]),
        ("ON DELETE NO ACTION", &["p|1|one", "c|2|1"]),
        ("ON DELETE RESTRICT", &["p|1|one", "c|2|1"]),
        ("DEFERRABLE INITIALLY DEFERRED", &["p|1|one", "c|2|1"]),
    ];
    for (action, expected) in table {
        all_orders(&two(action), &changes, query, expected);
    }
}

#[test]
fn set_default_gives_the_key_that_the_default_is() {
    let schema = "CREATE TABLE p(code TEXT PRIMARY KEY, name TEXT);
        CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT DEFAULT 'x' REFERENCES p(code) ON DELETE SET DEFAULT, name TEXT)";
    let code = |code: &str| natural([text(code)]);
    let changes = [
        insert("p", &code("x"), at(1, 1), &[("name", text("default"))]),
        insert("p", &code("y"), at(2, 1), &[("name", text("other"))]),
        row("c", 3, &[("p", text("y")), ("name", text("child"))]),
        change("p", &code("y")).died(at(50, 4)),
    ];
    all_orders(schema, &changes, "SELECT c.id, c.p, p.name FROM c JOIN p ON p.code = c.p", &["3|x|default"]);
    // Where there is no such row, it waits.
    let mut device = Device::new(schema);
    Peer::new(9).send(&mut device, &changes[1..]);
    assert_eq!(parked(&device), ["c|missing parent"]);
    // The default itself cannot be deleted while somebody has it.
    let default_died =
        [change("p", &code("x")).died(at(60, 4)), row("c", 4, &[("p", text("x")), ("name", text("late"))])];
    let changes = [&changes[..], &default_died[..]].concat();
    let query = "SELECT c.id, c.p, p.name FROM c JOIN p ON p.code = c.p ORDER BY 1";
    all_orders(schema, &changes, query, &["3|x|default", "4|x|default"]);
}

#[test]
fn set_default_to_an_integer_that_stands_for_a_row_brings_the_parent_back() {
    // Row 7 is another one elsewhere, or not there yet.
    let changes = [
        row("p", 1, &[("name", text("one"))]),
        under("c", 2, "p", 1),
        died("p", 1, 50),
        row("p", 7, &[("name", text("seven"))]),
    ];
    let query = "SELECT c.id, c.p, p.name FROM c JOIN p ON p.id = c.p";
    all_orders(&two("ON DELETE SET DEFAULT"), &changes, query, &["2|1|one"]);
}

#[test]
fn what_a_column_cannot_take_brings_the_parent_back() {
    let schema = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p(id) ON DELETE SET NULL, name TEXT)";
    let changes = [row("p", 1, &[("name", text("one"))]), under("c", 2, "p", 1), died("p", 1, 50)];
    all_orders(schema, &changes, "SELECT p.name, c.name FROM c JOIN p ON p.id = c.p", &["one|c 2"]);
}

#[test]
fn a_live_reference_pins_its_parent_and_what_that_hangs_on() {
    let schema = "CREATE TABLE artist(id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE album(id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artist(id) ON DELETE CASCADE, name TEXT);
        CREATE TABLE track(id INTEGER PRIMARY KEY, album INTEGER REFERENCES album(id), name TEXT)";
    let query =
        "SELECT artist.name, album.name, track.name FROM artist LEFT JOIN album ON album.artist = artist.id
        LEFT JOIN track ON track.album = album.id ORDER BY 1, 2, 3";
    let changes = [
        row("artist", 1, &[("name", text("x"))]),
        under("album", 2, "artist", 1),
        under("track", 3, "album", 2),
        died("artist", 1, 50),
        died("album", 2, 50),
    ];
    all_orders(schema, &changes, query, &["x|album 2|track 3"]);
    all_orders(schema, &changes[..4], query, &["x|album 2|track 3"]);
    let alone = [&changes[..2], &[died("artist", 1, 50)]].concat();
    all_orders(schema, &alone, query, &[]);
}

#[test]
fn a_cascade_goes_all_the_way_down() {
    let schema = "CREATE TABLE node(id INTEGER PRIMARY KEY, up INTEGER REFERENCES node(id) ON DELETE CASCADE, name TEXT)";
    let changes = [
        row("node", 1, &[("up", Value::Null), ("name", text("root"))]),
        under("node", 2, "up", 1),
        under("node", 3, "up", 2),
        under("node", 4, "up", 3),
        died("node", 2, 50),
    ];
    all_orders(schema, &changes, "SELECT id FROM node ORDER BY id", &["1"]);
}

#[test]
fn composite_keys_act_as_others_do() {
    let table: &[(&str, &[&str])] = &[
        ("ON DELETE CASCADE", &[]),
        ("ON DELETE SET NULL", &["1|NULL|NULL"]),
        ("ON DELETE RESTRICT", &["1|1|2"]),
    ];
    let cell: RowId = natural([int(1), int(2)]);
    for (action, expected) in table {
        let schema = format!(
            "CREATE TABLE cell(x INT NOT NULL, y INT NOT NULL, PRIMARY KEY(x, y));
             CREATE TABLE pin(id INTEGER PRIMARY KEY, x INT, y INT, FOREIGN KEY(x, y) REFERENCES cell(x, y) {action})"
        );
        let changes = [
            change("cell", &cell).born(at(5, 1)),
            row("pin", 1, &[("x", int(1)), ("y", int(2))]),
            change("cell", &cell).died(at(20, 2)),
        ];
        all_orders(&schema, &changes, "SELECT id, x, y FROM pin", expected);
    }
}

#[test]
fn forty_devices_make_one_write() {
    for action in ["CASCADE", "SET NULL", "NO ACTION"] {
        let schema = two(&format!("ON DELETE {action}"));
        let changes = [row("p", 1, &[("name", text("one"))]), under("c", 2, "p", 1), died("p", 1, 50)];
        let mut told = Vec::new();
        for n in 0..8 {
            let mut device = Device::new(&schema);
            // In one group, and one by one.
            let mut peer = Peer::new(9);
            if n % 2 == 0 {
                peer.send(&mut device, &changes);
            } else {
                changes.iter().for_each(|change| drop(peer.send(&mut device, std::slice::from_ref(change))));
            }
            told.push(all_of(&mut device));
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{action}: {told:?}");
        let mut device = Device::new(&schema);
        Peer::new(9).send(&mut device, &changes);
        let head = device.engine.meta.head;
        for (n, told) in told.into_iter().enumerate() {
            changes::apply_chunks(&mut device, vec![Peer::new(20 + n as u8).chunk(told, true)]);
        }
        assert_eq!(device.engine.meta.head, head, "{action}: nothing of it is news");
    }
}

#[test]
fn the_row_that_comes_back_has_its_values_where_it_was_deleted_too() {
    let schema = two("");
    let (mut a, mut b) = (Device::new(&schema), Device::new(&schema));
    a.sql("INSERT INTO p VALUES(1, 'one')");
    let told = all_of(&mut a);
    changes::apply_chunks(&mut b, vec![Peer::new(1).chunk(told, true)]);
    a.sql("DELETE FROM p");
    b.sql("INSERT INTO c VALUES(5, 1, 'late')");
    let (from_a, mut from_b) = (all_of(&mut a), all_of(&mut b));
    from_b.tables.retain(|table| table.name == "c");
    changes::apply_chunks(&mut a, vec![Peer::new(2).chunk(from_b, true)]);
    assert_eq!(rows(&a, "SELECT * FROM c"), [""; 0], "its values are not here");
    changes::apply_chunks(&mut b, vec![Peer::new(3).chunk(from_a, true)]);
    assert_eq!(rows(&b, "SELECT c.name, p.name FROM c JOIN p ON p.id = c.p"), ["late|one"]);
    let from_b = all_of(&mut b);
    changes::apply_chunks(&mut a, vec![Peer::new(4).chunk(from_b, true)]);
    assert_eq!(rows(&a, "SELECT c.name, p.name FROM c JOIN p ON p.id = c.p"), ["late|one"]);
}

#[test]
fn a_parent_that_goes_with_very_many_children_does_not_come_back() {
    const MANY: u64 = 9000;
    let mut device = Device::new(&two(""));
    let mut peer = Peer::new(9);
    let all: Vec<Change> = [row("p", 1, &[("name", text("one"))])]
        .into_iter()
        .chain((10..MANY).map(|n| under("c", n, "p", 1)))
        .collect();
    peer.send(&mut device, &all);
    let gone: Vec<Change> =
        [died("p", 1, 99_000)].into_iter().chain((10..MANY).map(|n| died("c", n, 99_000))).collect();
    peer.send(&mut device, &gone);
    assert_eq!(rows(&device, "SELECT count(*) FROM p UNION ALL SELECT count(*) FROM c"), ["0", "0"]);
    assert_eq!(parked(&device), [""; 0]);
    // In parts, too, and with one child that stays.
    let mut device = Device::new(&two(""));
    peer = Peer::new(9);
    peer.send(&mut device, &all);
    let middle = gone.len() / 2;
    let chunks: Vec<_> = [(&gone[..middle], false), (&gone[middle..gone.len() - 1], true)]
        .into_iter()
        .map(|(part, last)| peer.chunk(changes::changeset(part), last))
        .collect();
    changes::apply_chunks(&mut device, chunks);
    let query = "SELECT p.name, c.id FROM p JOIN c ON c.p = p.id";
    assert_eq!(rows(&device, query), [format!("one|{}", MANY - 1)]);
    assert_eq!(rows(&device, "SELECT count(*) FROM c"), ["1"]);
}

#[test]
fn what_is_merged_in_parts_is_concluded_on_at_the_end() {
    let mut device = Device::new(&two(""));
    let mut peer = Peer::new(9);
    let all: Vec<Change> = [row("p", 1, &[("name", text("one"))])]
        .into_iter()
        .chain((10..50).map(|n| under("c", n, "p", 1)))
        .collect();
    peer.send(&mut device, &all);
    // More than is staged, so that it is merged as it comes.
    let large = "x".repeat(600_000);
    let first: Vec<Change> = [died("p", 1, 99_000)]
        .into_iter()
        .chain((10..50).map(|n| change("c", &surrogate(1, n)).set("name", at(60_000, 1), text(&large))))
        .collect();
    let chunk = peer.chunk(changes::changeset(&first), false);
    changes::apply_chunks(&mut device, vec![chunk]);
    assert_eq!(rows(&device, "SELECT count(*) FROM p"), ["0"], "whether it comes back is not known yet");
    let second: Vec<Change> = (10..49).map(|n| died("c", n, 99_000)).collect();
    let chunk = peer.chunk(changes::changeset(&second), true);
    changes::apply_chunks(&mut device, vec![chunk]);
    assert_eq!(rows(&device, "SELECT p.name, c.id FROM p JOIN c ON c.p = p.id"), ["one|49"]);
    assert_eq!(rows(&device, "SELECT count(*) FROM c"), ["1"]);
    check_references(&device);
}

#[test]
fn who_has_only_a_part_of_the_values_waits_for_who_has_all() {
    let schema = "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, note TEXT);
        CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id), name TEXT)";
    let mut device = Device::new(schema);
    let mut peer = Peer::new(9);
    let parent = row("parent", 1, &[("name", text("p")), ("note", text("n"))]);
    peer.send(&mut device, std::slice::from_ref(&parent));
    device.sql("DELETE FROM parent");
    device.fold();
    let renamed = change("parent", &surrogate(1, 1)).set("name", at(5, 4), text("q"));
    let sent = peer.send(&mut device, &[renamed, under("child", 2, "parent", 1)]);
    assert_eq!(rows(&device, "SELECT * FROM parent"), [""; 0], "half a row is not shown");
    assert!(!sent.unwrap().derived, "nor is it said that it is back");
    let (_, record) = device.aside("parent", &surrogate(1, 1)).unwrap();
    let life = pocketsync_core::merge::Life { undone: record.life.died, ..record.life };
    let back = parent.with_life(life);
    peer.send(&mut device, &[back]);
    assert_eq!(rows(&device, "SELECT p.name, note, c.name FROM parent p, child c"), ["q|n|child 2"]);
    check_references(&device);
}
