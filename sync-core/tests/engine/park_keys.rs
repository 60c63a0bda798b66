//! Keys as SQLite compares them: by the type and the collation of the column that is referred to;
//! and ids that a table cannot show.

use crate::changes::{
    Change, Peer, at, change, check_references, insert, int, natural, orders, parked, rows, surrogate, text,
};
use crate::device::Device;
use pocketsync_core::value::Value;

/// Every order of these changes, a group each and all in one, ends the same.
fn all_orders(schema: &str, changes: &[Change], query: &str, expected: &[&str], aside: &[&str]) {
    let check = |device: &Device, how: &str| {
        check_references(device);
        assert_eq!(rows(device, query), expected, "{how}");
        assert_eq!(parked(device), aside, "{how}");
    };
    for order in orders(changes.len()) {
        let (mut device, mut peer) = (Device::new(schema), Peer::new(9));
        for &n in &order {
            peer.send(&mut device, &changes[n..=n]);
        }
        check(&device, &format!("in the order {order:?}"));
    }
    let mut device = Device::new(schema);
    Peer::new(9).send(&mut device, changes);
    check(&device, "in one group");
}

#[test]
fn an_id_that_the_key_column_turns_into_another_is_not_shown() {
    let schema = "CREATE TABLE reading(at REAL PRIMARY KEY, v); CREATE TABLE code(c INT PRIMARY KEY, v);
        CREATE TABLE name(n TEXT PRIMARY KEY, v)";
    let row = |table: &str, key: Value| insert(table, &natural([key]), at(10, 1), &[("v", int(1))]);
    let changes = [
        row("reading", int(27_303_072_740_933_807)),
        row("code", text(" 12")),
        row("name", int(7)),
        // These are what such a column has.
        row("reading", int(3)),
        row("code", text("x12")),
    ];
    let query = "SELECT at FROM reading UNION ALL SELECT c FROM code UNION ALL SELECT n FROM name";
    let refused = ["code|refused", "name|refused", "reading|refused"];
    all_orders(schema, &changes, query, &["3.0", "x12"], &refused);
}

#[test]
fn an_id_that_dangles_with_what_the_column_turns_into_another_is_not_shown() {
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
        CREATE TABLE used(n INT, tag TEXT REFERENCES tag(name), PRIMARY KEY(n, tag)) WITHOUT ROWID";
    let dangling = |value| natural([int(1), Value::Dangling(Box::new(value))]);
    let changes = [
        change("used", &dangling(int(1))).born(at(10, 1)),
        change("used", &dangling(text("a"))).born(at(10, 1)),
    ];
    let mut device = Device::new(schema);
    Peer::new(9).send(&mut device, &changes);
    assert_eq!(rows(&device, "SELECT tag FROM used"), ["a"]);
    assert_eq!(parked(&device), ["used|refused"]);
}

#[test]
fn a_reference_is_compared_in_the_type_of_what_it_refers_to() {
    let schema = "CREATE TABLE part(no INTEGER PRIMARY KEY, of REFERENCES part(no)) WITHOUT ROWID;
        CREATE TABLE stock(id INTEGER PRIMARY KEY, part TEXT REFERENCES part(no))";
    let changes = [
        insert("part", &natural([int(1)]), at(10, 1), &[("of", text("1"))]),
        insert("stock", &surrogate(1, 1), at(11, 1), &[("id", int(1)), ("part", text("01"))]),
    ];
    let query = "SELECT no, of, part FROM part, stock";
    all_orders(schema, &changes, query, &["1|1|01"], &[]);
    let schema =
        schema.replace("part TEXT REFERENCES part(no)", "part TEXT REFERENCES part(no) ON DELETE CASCADE");
    let gone = [&changes[..], &[change("part", &natural([int(1)])).died(at(20, 2))]].concat();
    all_orders(&schema, &gone, "SELECT no FROM part UNION ALL SELECT part FROM stock", &[], &[]);
}

#[test]
fn who_refers_in_another_case_goes_with_what_it_refers_to() {
    let schema =
        "CREATE TABLE tag(name TEXT PRIMARY KEY COLLATE NOCASE, of TEXT REFERENCES tag(name)) WITHOUT ROWID;
        CREATE TABLE note(id INTEGER PRIMARY KEY, tag TEXT REFERENCES tag(name))";
    let tag = |name: &str, ms, of: Value| insert("tag", &natural([text(name)]), at(ms, 1), &[("of", of)]);
    let note = insert("note", &surrogate(1, 1), at(30, 1), &[("id", int(1)), ("tag", text("a"))]);
    // The older one has the key, and waits for a parent that never comes.
    let changes = [tag("a", 10, text("nobody")), tag("A", 20, Value::Null), note];
    let query = "SELECT name FROM tag UNION ALL SELECT tag FROM note";
    let aside = ["note|missing parent", "tag|missing parent", "tag|unique claim"];
    all_orders(schema, &changes, query, &[], &aside);
}
