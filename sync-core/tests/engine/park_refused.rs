//! Rows that a table refuses by itself take part in everything that follows from deletions: what is
//! concluded is written for all, and others may have tables that take them.

use crate::changes::{Change, Peer, at, change, insert, int, natural, orders, parked, surrogate, to};
use crate::device::Device;
use pocketsync_core::store::sqlite::refs;
use pocketsync_core::value::Value;

/// Whether a row is alive and what is parked, after these changes in every order and grouping; all the
/// same.
fn outcome(schema: &str, changes: &[Change], row: (&str, u64)) -> (bool, Vec<String>) {
    let mut outcomes = Vec::new();
    let mut groupings: Vec<Vec<Vec<usize>>> =
        orders(changes.len()).map(|order| order.into_iter().map(|n| vec![n]).collect()).collect();
    groupings.push(vec![(0..changes.len()).collect()]);
    for grouping in groupings {
        let (mut device, mut peer) = (Device::new(schema), Peer::new(9));
        for group in &grouping {
            let group: Vec<Change> = group.iter().map(|&n| changes[n].clone()).collect();
            peer.send(&mut device, &group);
        }
        let id = surrogate(1, row.1);
        let life = match device.aside(row.0, &id) {
            Some((_, record)) => record.life,
            None => {
                let found = refs::clock_by_id(&device.engine, device.table(row.0), &id);
                found.unwrap().expect("it is held").1.life
            }
        };
        outcomes.push(((life.is_alive(), parked(&device)), grouping));
    }
    let (first, _) = outcomes[0].clone();
    for (outcome, grouping) in outcomes {
        assert_eq!(outcome, first, "{grouping:?}");
    }
    first
}

#[test]
fn a_refused_row_pins_what_it_refers_to() {
    let schema = "CREATE TABLE folder(id INTEGER PRIMARY KEY, up INT REFERENCES folder(id) ON DELETE CASCADE);
        CREATE TABLE file(id INTEGER PRIMARY KEY, folder INT REFERENCES folder(id), size INT CHECK(size < 10))";
    let cells = |up: Value| [("id", int(1)), ("up", up)];
    let changes = [
        insert("folder", &surrogate(1, 1), at(10, 1), &cells(Value::Null)),
        insert("folder", &surrogate(1, 2), at(10, 1), &cells(to(&surrogate(1, 1)))),
        insert(
            "file",
            &surrogate(1, 3),
            at(12, 1),
            &[("id", int(1)), ("folder", to(&surrogate(1, 2))), ("size", int(99))],
        ),
        change("folder", &surrogate(1, 1)).died(at(20, 2)),
    ];
    let (alive, aside) = outcome(schema, &changes, ("folder", 2));
    assert!(alive);
    assert_eq!(aside, ["file|refused"]);
}

#[test]
fn a_refused_row_goes_with_its_parent() {
    let schema = "CREATE TABLE folder(id INTEGER PRIMARY KEY);
        CREATE TABLE file(id INTEGER PRIMARY KEY, folder INT REFERENCES folder(id) ON DELETE CASCADE,
            size INT CHECK(size < 10))";
    let changes = [
        insert("folder", &surrogate(1, 1), at(10, 1), &[("id", int(1))]),
        insert(
            "file",
            &surrogate(1, 3),
            at(12, 1),
            &[("id", int(1)), ("folder", to(&surrogate(1, 1))), ("size", int(99))],
        ),
        change("folder", &surrogate(1, 1)).died(at(20, 2)),
    ];
    let (alive, aside) = outcome(schema, &changes, ("file", 3));
    assert!(!alive);
    assert_eq!(aside, [""; 0]);
}

#[test]
fn whether_a_row_is_refused_does_not_depend_on_a_parent_that_is_refused() {
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, color TEXT NOT NULL);
        CREATE TABLE box(id INTEGER PRIMARY KEY);
        CREATE TABLE tagged(box INT REFERENCES box(id), tag TEXT REFERENCES tag(name), PRIMARY KEY(box, tag)) WITHOUT ROWID";
    let tag = [("id", int(1)), ("name", Value::Null), ("color", Value::Null)];
    let changes = [
        insert("tag", &surrogate(1, 1), at(10, 1), &tag),
        change("tagged", &natural([to(&surrogate(1, 2)), to(&surrogate(1, 1))])).born(at(10, 1)),
    ];
    let (_, aside) = outcome(schema, &changes, ("tag", 1));
    assert_eq!(aside, ["tag|refused", "tagged|missing parent"]);
}
