//! How fast folds and extracts are. Run with `cargo test --release -- --ignored --nocapture`.
#![cfg(feature = "sqlite")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // Real time is measured.

mod device;

use std::time::{Duration, Instant};

use device::{Device, SOMEBODY};
use pocketsync_core::lineage::Cursor;

const ROWS: i64 = 500_000;

/// The processor time of this thread, where the system tells it.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

fn measured(what: &str, rows: i64, work: impl FnOnce()) {
    let (begin, worked) = (Instant::now(), processor_time());
    work();
    let per_second = |time: Duration| rows as f64 / time.as_secs_f64();
    let wall = per_second(begin.elapsed());
    match processor_time().zip(worked).map(|(now, before)| per_second(now - before)) {
        Some(processor) => println!("{what:<28} {wall:>9.0} rows/s, {processor:>9.0} by processor time"),
        None => println!("{what:<28} {wall:>9.0} rows/s"),
    }
}

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
