//! How fast folds and extracts are. Run with `cargo test --release -- --ignored --nocapture`.

use crate::device::{Device, SOMEBODY};
use crate::speed::measured;
use pocketsync_core::lineage::Cursor;

const ROWS: i64 = 500_000;

fn run(table: &str, key: &str) {
    let mut device = Device::new(table);
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
    device.exec(&format!("{numbers} INSERT INTO t SELECT {key}, 'some text', i, NULL, 2.5 FROM n"), [ROWS]);
    measured("fold of inserts", ROWS, || assert!(device.fold().is_some()));
    let mut after = Cursor::ZERO;
    let mut follow = |device: &mut Device| {
        loop {
            let told = device.extract(SOMEBODY, &after, 1 << 20);
            after = told.to;
            if told.last {
                return;
            }
        }
    };
    measured("extract of inserts, 1 MiB", ROWS, || follow(&mut device));
    device.exec("UPDATE t SET b = b + 1", []);
    measured("fold of updates", ROWS, || assert!(device.fold().is_some()));
    measured("extract of updates, 1 MiB", ROWS, || follow(&mut device));
    device.exec("DELETE FROM t", []);
    measured("fold of deletes", ROWS, || assert!(device.fold().is_some()));
}

#[test]
#[ignore = "a measurement"]
fn integer_keys() {
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, c, d REAL)", "i");
}

#[test]
#[ignore = "a measurement"]
fn text_keys() {
    run("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a TEXT, b INT, c, d REAL)", "hex(randomblob(16))");
}
