//! Two files compared row by row.

use crate::changes;

use crate::changes::{Peer, at, change, insert, int, surrogate, text, to};
use crate::device::Device;
use pocketsync_core::store::sqlite::diff::{DiffError, diff};

const SCHEMA: &str = "CREATE TABLE artist(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE album(id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artist(id) ON DELETE CASCADE,
      title TEXT, year INT DEFAULT 0);
    CREATE TABLE setting(k TEXT PRIMARY KEY NOT NULL, v)";

fn rows() -> Vec<changes::Change> {
    let album = [("id", int(1)), ("artist", to(&surrogate(1, 1))), ("title", text("t"))];
    vec![
        insert("artist", &surrogate(1, 1), at(10, 1), &[("id", int(1)), ("name", text("a"))]),
        insert("artist", &surrogate(1, 2), at(20, 1), &[("id", int(2)), ("name", text("a"))]),
        insert("album", &surrogate(1, 3), at(10, 1), &album),
        insert("setting", &changes::natural([text("k")]), at(10, 1), &[("v", int(1))]),
    ]
}

fn pair() -> (Device, Device) {
    let (mut a, mut b) = (Device::new(SCHEMA), Device::new(SCHEMA));
    // The integers are taken in one of them.
    b.sql("INSERT INTO artist VALUES(1, 'other')");
    b.fold();
    Peer::new(1).send(&mut a, &rows());
    Peer::new(1).send(&mut b, &rows());
    b.sql("DELETE FROM artist WHERE name = 'other'");
    b.fold();
    (a, b)
}

#[test]
fn the_same_rows_under_other_integers_do_not_differ() {
    let (a, b) = pair();
    assert_ne!(changes::rows(&a, "SELECT id FROM artist"), changes::rows(&b, "SELECT id FROM artist"));
    let report = diff(&a.path, &b.path).unwrap();
    assert!(report.is_same(), "{report:?}");
    assert_eq!(report.rows(), 3, "one of the artists is parked");
}

#[test]
fn each_difference_names_row_columns_and_both_values() {
    let (a, mut b) = pair();
    a.sql("UPDATE album SET title = 'it''s new'; INSERT INTO setting VALUES('only a', 1)");
    let mut peer = Peer::new(2);
    peer.send(
        &mut b,
        &[
            change("artist", &surrogate(1, 1)).died(at(50, 2)),
            insert("setting", &changes::natural([text("only b")]), at(10, 1), &[("v", text("x"))]),
        ],
    );
    let (before, journal) =
        (a.path.metadata().unwrap().len(), a.number("SELECT count(*) FROM __pocketsync_journal"));
    let report = diff(&a.path, &b.path).unwrap();
    let found: Vec<_> = report
        .tables
        .iter()
        .map(|table| (table.name.as_str(), table.only_in_a, table.only_in_b, table.changed))
        .collect();
    // The death of one artist shows the other, and takes the album of the first with it.
    assert_eq!(found, [("album", 1, 0, 0), ("artist", 1, 1, 0), ("setting", 1, 1, 0)]);
    let setting = &report.tables[2].rows;
    assert_eq!(setting[0].key_a, Some(vec![text("only a")]));
    assert_eq!(setting[1].key_b, Some(vec![text("only b")]));
    // The files are as they were.
    assert_eq!(a.path.metadata().unwrap().len(), before);
    assert_eq!(a.number("SELECT count(*) FROM __pocketsync_journal"), journal);
}

#[test]
fn a_changed_cell_is_named_with_both_values() {
    let (a, b) = pair();
    a.sql("UPDATE album SET title = 'it''s new', year = 1999");
    let report = diff(&a.path, &b.path).unwrap();
    let album = &report.tables[0];
    let cells: Vec<_> =
        album.rows[0].cells.iter().map(|cell| (cell.column.as_str(), &cell.a, &cell.b)).collect();
    assert_eq!(cells, [("title", &text("it's new"), &text("t")), ("year", &int(1999), &int(0))]);
    assert_eq!((album.changed, album.differences()), (1, 1));
}

#[test]
fn a_table_that_only_one_file_has_is_named() {
    let mut a = Device::new(SCHEMA);
    let mut b = Device::new("CREATE TABLE setting(k TEXT PRIMARY KEY NOT NULL, v)");
    Peer::new(1).send(&mut a, &rows());
    Peer::new(1).send(&mut b, &rows());
    let report = diff(&a.path, &b.path).unwrap();
    let odd: Vec<_> = report.tables.iter().filter(|table| !table.is_same()).collect();
    assert_eq!(odd.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["album", "artist"]);
    assert!(odd.iter().all(|table| table.columns_only_in_a == ["*"]));
}

#[test]
fn a_file_that_is_not_tracked_is_an_error() {
    let a = Device::new(SCHEMA);
    let b = Device::untracked(SCHEMA);
    assert!(matches!(diff(&a.path, &b.path), Err(DiffError::NotTracked { path }) if path == b.path));
    let missing = a.path.with_file_name("missing.db");
    let error = diff(&a.path, &missing).unwrap_err();
    assert!(error.to_string().contains("missing.db"), "{error}");
}
