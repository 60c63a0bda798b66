//! How fast merges are. Run with `cargo test --release -p pocketsync-core --test engine apply_speed -- --ignored --nocapture`.

use std::sync::Arc;

use crate::device::{Device, SOMEBODY};
use crate::speed::measured;
use pocketsync_core::change::Changeset;
use pocketsync_core::id::SiteId;
use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
use pocketsync_core::store::sqlite::apply;
use pocketsync_core::store::{Chunk, ChunkOutcome};

const ROWS: i64 = 200_000;

/// A log of one's own: pieces as an extract makes them, each a group.
struct Log {
    after: Cursor,
    pieces: Vec<Changeset>,
}

impl Log {
    /// What a device has changed since the last call.
    fn take(&mut self, device: &mut Device) {
        self.pieces.clear();
        loop {
            let told = device.extract(SOMEBODY, &self.after, 1 << 20);
            self.after = told.to;
            self.pieces.push(told.changeset);
            if told.last {
                return;
            }
        }
    }

    /// Merges it as the log of peer `by`; answers whether it changed anything.
    fn merge(&self, device: &mut Device, by: u8) -> bool {
        let mut lineage = Lineage::default();
        lineage.open(0, Stamp(u64::from(by)));
        let lineage = Arc::new(lineage);
        let mut any = false;
        for (n, changeset) in self.pieces.iter().enumerate() {
            let at = |seq: usize| if seq == 0 { Cursor::ZERO } else { lineage.cursor_at(seq as u64) };
            let chunk = Chunk {
                peer: SiteId::from_bytes([by; 16]),
                lineage: Arc::clone(&lineage),
                from: at(n),
                to: at(n + 1),
                last: true,
                changeset: changeset.clone(),
                seen: Default::default(),
            };
            let mut outcomes = device.engine.write(|engine| apply::run(engine, vec![chunk])).unwrap();
            let ChunkOutcome::Applied { committed, .. } = outcomes.remove(0) else { panic!("not taken") };
            any |= committed.is_some();
        }
        any
    }
}

fn run(name: &str, schema: &str, fill: &str, set: &str) {
    println!("{name}");
    let (mut from, mut to) = (Device::new(schema), Device::new(schema));
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
    if schema.contains("TABLE p") {
        from.exec("INSERT INTO p VALUES(1, 'one'), (2, 'two'), (3, 'three')", []);
    }
    from.exec(&format!("{numbers} INSERT INTO t SELECT {fill} FROM n"), [ROWS]);
    let mut log = Log { after: Cursor::ZERO, pieces: Vec::new() };
    log.take(&mut from);
    measured("  inserts", ROWS, || assert!(log.merge(&mut to, 1)));
    measured("  duplicates", ROWS, || assert!(!log.merge(&mut to, 2)));
    from.exec(&format!("UPDATE t SET {set}"), []);
    log.take(&mut from);
    measured("  updates", ROWS, || assert!(log.merge(&mut to, 3)));
    measured("  duplicate updates", ROWS, || assert!(!log.merge(&mut to, 4)));
    from.exec("DELETE FROM t", []);
    log.take(&mut from);
    measured("  deletes", ROWS, || assert!(log.merge(&mut to, 5)));
}

#[test]
#[ignore = "a measurement"]
fn integer_keys() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, c, d REAL)";
    run("integer keys", schema, "i, 'some text', i, NULL, 2.5", "b = b + 1");
}

#[test]
#[ignore = "a measurement"]
fn text_keys() {
    let schema = "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a TEXT, b INT, c, d REAL)";
    run("text keys", schema, "hex(randomblob(16)), 'some text', i, NULL, 2.5", "b = b + 1");
}

#[test]
#[ignore = "a measurement"]
fn references_and_unique_columns() {
    let schema = "CREATE TABLE p(id INTEGER PRIMARY KEY, a TEXT);
        CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT, p INT REFERENCES p(id), d REAL)";
    run("references and unique columns", schema, "i, 'text ' || i, i, i % 3 + 1, 2.5", "b = b + 1");
}
