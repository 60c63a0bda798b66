//! How long a committed write takes to another device that is online.

mod contents;
mod processes;

use std::time::{Duration, Instant};

use pocketsync::rusqlite::Connection;
use processes::{Hub, expect, sidecar, text, wait_until};

const WRITES: usize = 60;

#[test]
fn a_write_reaches_the_other_device_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.db", "b.db"].map(|name| folder.path().join(name));
    for file in [&a, &b] {
        let conn = Connection::open(file).unwrap();
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)",
        )
        .unwrap();
        expect(0, ["track", text(file)]);
    }
    let hub = Hub::start(&folder.path().join("hub"), "127.0.0.1:0", &[]);
    let sidecars = [&a, &b].map(|file| sidecar(file, &hub.url, "live"));
    for sidecar in &sidecars {
        wait_until("both are in sync", Duration::from_secs(20), || sidecar.log().contains("in sync with"));
    }

    let (writer, reader) = (contents::open(&a), contents::open(&b));
    let mut arrived = reader.prepare("SELECT count(*) FROM note WHERE title = ?1").unwrap();
    let mut times: Vec<Duration> = (0..WRITES)
        .map(|n| {
            let title = format!("note {n}");
            writer.execute("INSERT INTO note(title) VALUES (?1)", [&title]).unwrap();
            let committed = Instant::now();
            while arrived.query_row([&title], |row| row.get::<_, i64>(0)).unwrap() == 0 {
                assert!(committed.elapsed() < Duration::from_secs(20), "write {n} did not arrive");
                std::thread::sleep(Duration::from_micros(500));
            }
            let took = committed.elapsed();
            // Writes of a person at work, not of a loop.
            std::thread::sleep(Duration::from_millis(20));
            took
        })
        .collect();
    times.sort();
    let (median, slow) = (times[WRITES / 2], times[WRITES * 95 / 100]);
    println!("commit to visible on the other device: median {median:?}, 95th percentile {slow:?}");
    assert!(median < Duration::from_millis(150), "median {median:?}, 95th percentile {slow:?}");
}
