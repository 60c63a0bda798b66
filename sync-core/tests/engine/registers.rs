//! Columns that a constraint names together change together, and win together.

use crate::changes::{Peer, apply_chunks, check_references, parked, rows};
use crate::device::Device;
use pocketsync_core::lineage::Cursor;

/// Two devices that begin the same, write apart, and tell each other. Answers what both show.
fn apart(schema: &str, begin: &str, query: &str, writes: [&str; 2]) -> Vec<String> {
    let (mut a, mut b) = (Device::new(schema), Device::new(schema));
    a.sql(begin);
    let first = a.all_after(&Cursor::ZERO);
    apply_chunks(&mut b, vec![Peer::new(1).chunk(first.changeset, true)]);
    let from_b = b.all_after(&Cursor::ZERO).to;
    a.sql(writes[0]);
    a.fold();
    b.sql(writes[1]);
    let (told_a, told_b) = (a.all_after(&first.to), b.all_after(&from_b));
    apply_chunks(&mut a, vec![Peer::new(2).chunk(told_b.changeset, true)]);
    apply_chunks(&mut b, vec![Peer::new(3).chunk(told_a.changeset, true)]);
    let shown = rows(&a, query);
    assert_eq!(rows(&b, query), shown);
    for device in [&a, &b] {
        assert_eq!(parked(device), [""; 0]);
        check_references(device);
    }
    shown
}

const SPAN: &str =
    "CREATE TABLE span(id INTEGER PRIMARY KEY, low INT, high INT, note TEXT, CHECK(low < high))";

#[test]
fn two_writes_that_a_check_does_not_allow_together_do_not_come_together() {
    let writes = ["UPDATE span SET low = 5", "UPDATE span SET high = 3"];
    let shown = apart(SPAN, "INSERT INTO span VALUES(1, 1, 10, 'x')", "SELECT low, high FROM span", writes);
    assert!(shown == ["5|10"] || shown == ["1|3"], "{shown:?}");
}

#[test]
fn other_columns_are_merged_one_by_one() {
    let writes = ["UPDATE span SET low = 5", "UPDATE span SET note = 'y'"];
    let shown =
        apart(SPAN, "INSERT INTO span VALUES(1, 1, 10, 'x')", "SELECT low, high, note FROM span", writes);
    assert_eq!(shown, ["5|10|y"]);
}

#[test]
fn a_composite_reference_is_one_value() {
    let schema = "CREATE TABLE cell(x INT NOT NULL, y INT NOT NULL, PRIMARY KEY(x, y));
        CREATE TABLE pin(id INTEGER PRIMARY KEY, x INT, y INT, FOREIGN KEY(x, y) REFERENCES cell(x, y))";
    let begin = "INSERT INTO cell VALUES(1, 1), (2, 1), (1, 2); INSERT INTO pin VALUES(1, 1, 1)";
    let writes = ["UPDATE pin SET x = 2", "UPDATE pin SET y = 2"];
    let shown = apart(schema, begin, "SELECT x, y FROM pin", writes);
    assert!(shown == ["2|1"] || shown == ["1|2"], "{shown:?}");
}

#[test]
fn checks_that_share_a_column_are_one() {
    let schema =
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT CHECK(a < b), b INT, c INT, d INT CHECK(d > 0),
        CHECK(b < c))";
    let writes = ["UPDATE t SET a = 4", "UPDATE t SET c = 6"];
    let shown = apart(schema, "INSERT INTO t VALUES(1, 1, 5, 9, 1)", "SELECT a, b, c FROM t", writes);
    assert!(shown == ["4|5|9"] || shown == ["1|5|6"], "{shown:?}");
}
