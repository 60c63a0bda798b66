//! Parked rows, for people.

use crate::changes;

use crate::changes::{Change, Peer, at, insert, int, natural, surrogate, text, to};
use crate::device::Device;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::store::StoreErrorKind;
use pocketsync_core::store::sqlite::{ParkedReason, Replica, ReplicaOptions};

const SCHEMA: &str = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE note(id INTEGER PRIMARY KEY, tag INTEGER REFERENCES tag(id), low INT, CHECK(low < 10))";

fn tag(n: u64, name: &str) -> Change {
    insert("tag", &surrogate(1, n), at(n, 1), &[("id", int(n as i64)), ("name", text(name))])
}

fn note(n: u64, of: u64, low: i64) -> Change {
    let cells = [("id", int(n as i64)), ("tag", to(&surrogate(1, of))), ("low", int(low))];
    insert("note", &surrogate(2, n), at(n, 2), &cells)
}

/// A file with rows parked for each reason, and its replica.
fn parked_file(changes: &[Change]) -> (Device, Replica) {
    let mut device = Device::new(SCHEMA);
    Peer::new(1).send(&mut device, changes);
    let replica = Replica::open(&device.path, ReplicaOptions::default()).unwrap();
    (device, replica)
}

#[test]
fn each_parked_row_says_what_is_in_its_way() {
    let changes = [
        tag(1, "work"),
        tag(2, "work"),
        note(3, 9, 1),
        note(4, 1, 99),
        insert("color", &natural([text("red")]), at(5, 1), &[("rgb", int(0))]),
    ];
    let (device, replica) = parked_file(&changes);
    let parked = replica.parked().unwrap();
    let found: Vec<_> =
        parked.iter().map(|row| (row.table.as_str(), row.reason, row.sentence.as_str())).collect();
    let expected = [
        ("color", ParkedReason::UnknownTable, "this file has no table color, or does not track it"),
        ("note", ParkedReason::MissingParent, "tag refers to a row of tag that has not arrived"),
        ("note", ParkedReason::Refused, "note refuses it: CHECK constraint failed: low < 10"),
        (
            "tag",
            ParkedReason::UniqueClaim,
            "tag id = 1 is older and has the same name; what refers to this row shows that one",
        ),
    ];
    assert_eq!(found, expected);
    let row = &parked[3];
    assert_eq!((&row.key[..], &row.values["name"]), (&[int(2)][..], &text("work")));
    assert!(row.since_ms.is_some_and(|ms| ms > 1_700_000_000_000), "{:?}", row.since_ms);
    assert_eq!(row.handle.len(), 16);
    let looked = Replica::inspect_parked(&device.path, ReplicaOptions::default()).unwrap();
    assert_eq!(looked, parked, "beside the engine, too");
}

#[test]
fn a_discarded_row_is_deleted_everywhere() {
    let (mut device, replica) = parked_file(&[tag(1, "work"), tag(2, "work"), note(4, 1, 99)]);
    for row in replica.parked().unwrap() {
        replica.discard_parked(&row.table, &row.row).unwrap();
        let again = replica.discard_parked(&row.table, &row.row).unwrap_err();
        assert_eq!(again.kind, StoreErrorKind::Unsupported);
        assert!(again.message.contains("is not parked"), "{again}");
    }
    assert_eq!(replica.parked().unwrap(), []);
    assert_eq!(changes::rows(&device, "SELECT id, name FROM tag"), ["1|work"]);
    drop(replica);
    device.reopen();
    let told = device.all_after(&Cursor::ZERO).changeset;
    let mut other = Device::new(SCHEMA);
    Peer::new(1).send(&mut other, &[tag(1, "work"), tag(2, "work"), note(4, 1, 99)]);
    changes::apply_chunks(&mut other, vec![Peer::new(3).chunk(told, true)]);
    assert_eq!(changes::parked(&other), [""; 0]);
}

#[test]
fn a_row_that_others_show_another_one_for_is_not_discarded() {
    let (device, replica) = parked_file(&[tag(1, "work"), tag(2, "work"), note(4, 2, 1)]);
    let error = replica.discard_parked("tag", &surrogate(1, 2)).unwrap_err();
    assert!(error.message.contains("1 rows refer to row"), "{error}");
    device.sql("UPDATE note SET tag = NULL");
    replica.discard_parked("TAG", &surrogate(1, 2)).unwrap();
    assert_eq!(replica.parked().unwrap(), []);
    assert_eq!(
        replica.discard_parked("tog", &surrogate(1, 2)).unwrap_err().kind,
        StoreErrorKind::Unsupported
    );
}

#[test]
fn a_retry_of_what_cannot_be_shown_changes_nothing() {
    let (device, replica) = parked_file(&[tag(1, "work"), tag(2, "work"), note(3, 2, 1), note(4, 1, 99)]);
    let before = replica.parked().unwrap();
    assert_eq!(replica.retry_parked().unwrap(), 0);
    assert_eq!(replica.parked().unwrap(), before);
    assert_eq!(changes::rows(&device, "SELECT id, tag FROM note"), ["3|1"]);
    device.sql("DELETE FROM tag");
    replica.retry_parked().unwrap();
    let left: Vec<_> = replica.parked().unwrap().into_iter().map(|row| row.reason).collect();
    assert_eq!(left, [ParkedReason::Refused]);
}
