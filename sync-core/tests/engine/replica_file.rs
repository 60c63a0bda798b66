//! A replica and its file: leases, locks, and files that are not as they should be.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the test is the world outside")]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::StoreErrorKind;
use pocketsync_core::store::sqlite::replica::{OpenError, Replica, ReplicaOptions};
use pocketsync_core::store::sqlite::tracking::Tables;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT);
    INSERT INTO note(title) VALUES('a'), ('b')";

struct Fixture {
    dir: tempfile::TempDir,
    path: PathBuf,
    app: Connection,
}

impl Fixture {
    fn new(mode: &str) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.db");
        let app = Connection::open(&path).unwrap();
        app.execute_batch(&format!("PRAGMA journal_mode = {mode}; {NOTES}")).unwrap();
        Fixture { dir, path, app }
    }

    fn open(&self) -> Replica {
        Replica::open(&self.path, ReplicaOptions::default()).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let mut files: Vec<_> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    }
}

fn quick() -> ReplicaOptions {
    let mut options = ReplicaOptions::default();
    options.busy_timeout = Duration::from_millis(50);
    options
}

#[test]
fn one_engine_a_file() {
    let file = Fixture::new("WAL");
    let mut options = ReplicaOptions::default();
    options.program = Some("notes app".to_owned());
    let first = Replica::open(&file.path, options).unwrap();
    let error = Replica::open(&file.path, quick()).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("in_use", true));
    let message = error.to_string();
    assert!(message.contains(&format!("notes app, process {}", std::process::id())), "{message}");
    assert!(message.contains("app.db"), "{message}");
    let other_name = file.dir.path().join(".").join("app.db");
    assert_eq!(Replica::open(other_name, quick()).unwrap_err().code(), "in_use");
    let clone = first.clone();
    drop(first);
    assert_eq!(Replica::open(&file.path, quick()).unwrap_err().code(), "in_use");
    drop(clone);
    file.open();
    assert!(!file.files().iter().any(|name| name.ends_with("-pocketsync-lock")), "{:?}", file.files());
}

/// This test program again, as another engine that holds the file until it is killed.
#[test]
fn holder_of_a_file() {
    let Ok(path) = std::env::var("POCKETSYNC_TEST_HOLD") else { return };
    let _replica = Replica::open(path, ReplicaOptions::default()).unwrap();
    println!("\nholding");
    std::io::stdout().flush().unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

fn hold(file: &Fixture) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "replica_file::holder_of_a_file", "--nocapture"])
        .env("POCKETSYNC_TEST_HOLD", &file.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"));
    child
}

#[test]
fn an_engine_in_another_process_and_its_end() {
    let file = Fixture::new("WAL");
    let mut sidecar = hold(&file);
    let error = Replica::open(&file.path, quick()).unwrap_err();
    assert!(error.to_string().contains(&format!("process {}", sidecar.id())), "{error}");
    // Killed, not asked to end.
    sidecar.kill().unwrap();
    sidecar.wait().unwrap();
    assert!(file.files().iter().any(|name| name.ends_with("-pocketsync-lock")), "nobody tidied up");
    file.open().track(&Tables::all()).unwrap();
}

#[test]
fn files_that_are_no_replica() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Replica::open(dir.path().join("none.db"), quick()).unwrap_err();
    assert_eq!(missing.code(), "not_found");
    assert_eq!(Replica::open(dir.path(), quick()).unwrap_err().code(), "not_a_file");
    let foreign = dir.path().join("photo.jpg");
    std::fs::write(&foreign, [7; 5000]).unwrap();
    let error = Replica::open(&foreign, quick()).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("not_a_database", false));
    assert!(error.to_string().contains("photo.jpg"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_of_a_newer_version() {
    let file = Fixture::new("WAL");
    file.open().track(&Tables::all()).unwrap();
    file.app.execute_batch("UPDATE __pocketsync_meta SET value = 99 WHERE key = 'format'").unwrap();
    let error = Replica::open(&file.path, quick()).unwrap_err();
    assert_eq!(error.code(), "newer_format");
    assert!(error.to_string().contains("99") && error.to_string().contains("update"), "{error}");
}

#[test]
fn a_hook_that_fails_and_one_that_is_needed() {
    let file = Fixture::new("WAL");
    let mut options = quick();
    options.on_connect = Some(Arc::new(|conn| conn.execute_batch("nonsense")));
    let error = Replica::open(&file.path, options).unwrap_err();
    assert!(matches!(error, OpenError::OnConnect { .. }), "{error}");
    let mut options = quick();
    options.on_connect = Some(Arc::new(|conn| {
        conn.execute_batch(
            "CREATE TEMP TABLE seen(x); PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON",
        )
    }));
    let replica = Replica::open(&file.path, options).unwrap();
    replica.track(&Tables::all()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let file = Fixture::new("DELETE");
    drop(file.app.execute_batch("PRAGMA user_version = 1"));
    std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o444)).unwrap();
    if std::fs::OpenOptions::new().write(true).open(&file.path).is_ok() {
        // The superuser writes anyway, so SQLite is told that the file is not to be written.
        let mut options = quick();
        options.on_connect = Some(Arc::new(|conn| conn.execute_batch("PRAGMA query_only = ON")));
        let replica = Replica::open(&file.path, options).unwrap();
        let error = replica.track(&Tables::all()).unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("read_only", false));
        assert!(error.to_string().contains("write permission"), "{error}");
        return;
    }
    let error = Replica::open(&file.path, quick()).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("read_only", false));
    assert!(
        error.to_string().contains("app.db") && error.to_string().contains("write permission"),
        "{error}"
    );
}

#[test]
fn in_either_journal_mode() {
    for mode in ["WAL", "DELETE", "TRUNCATE"] {
        let file = Fixture::new(mode);
        let replica = file.open();
        let report = replica.track(&Tables::all()).unwrap();
        assert_eq!(report[0].rows, 2);
        file.app.execute_batch("INSERT INTO note(title) VALUES('c'); DELETE FROM note WHERE id = 1").unwrap();
        let status = replica.status().unwrap();
        assert_eq!((status.journal, status.tables[0].rows), (2, 2));
        let now: String = file.app.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(now.to_uppercase(), mode, "the engine lets it be");
        replica.untrack().unwrap();
    }
}

#[test]
fn a_file_that_is_locked() {
    let file = Fixture::new("DELETE");
    let replica = Replica::open(&file.path, quick()).unwrap();
    file.app.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = replica.track(&Tables::all()).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("busy", true));
    assert!(error.to_string().contains("app.db"), "{error}");
    drop(replica);
    let error = Replica::open(&file.path, quick()).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("busy", true));
    file.app.execute_batch("COMMIT").unwrap();
    file.open().track(&Tables::all()).unwrap();
}

#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    let file = Fixture::new("WAL");
    let pages: i64 = file.app.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let mut options = quick();
    options.on_connect =
        Some(Arc::new(move |conn| conn.execute_batch(&format!("PRAGMA max_page_count = {}", pages + 3))));
    let replica = Replica::open(&file.path, options).unwrap();
    let error = replica.track(&Tables::all()).unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("full", true));
    assert!(error.to_string().contains("space"), "{error}");
    let traces: i64 = file
        .app
        .query_row("SELECT count(*) FROM sqlite_master WHERE name LIKE '%pocketsync%'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(traces, 0);
    assert_eq!(replica.status().unwrap().format, 0);
    drop(replica);
    file.open().track(&Tables::all()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_that_is_deleted_or_replaced_under_the_engine() {
    let file = Fixture::new("DELETE");
    let replica = file.open();
    replica.track(&Tables::all()).unwrap();
    assert!(replica.changed().unwrap());
    let copy = file.dir.path().join("copy.db");
    std::fs::copy(&file.path, &copy).unwrap();
    std::fs::rename(&copy, &file.path).unwrap();
    let error = replica.changed().unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Gone);
    assert!(error.message.contains("replaced"), "{error}");
    std::fs::remove_file(&file.path).unwrap();
    let error = replica.status().unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Gone);
    assert!(error.message.contains("deleted"), "{error}");
    assert_eq!(replica.track(&Tables::all()).unwrap_err().code(), "gone");
}

#[test]
fn untracking_leaves_no_file_behind() {
    let file = Fixture::new("DELETE");
    let before = file.files();
    let replica = file.open();
    replica.track(&Tables::all()).unwrap();
    assert_ne!(file.files(), before);
    replica.untrack().unwrap();
    assert_eq!(file.files(), before);
    let status = replica.status().unwrap();
    assert_eq!((status.format, status.site, status.untracked), (0, None, vec!["note".to_owned()]));
    // Another engine may have it now, and then this one may not.
    let other = file.open();
    assert_eq!(replica.track(&Tables::all()).unwrap_err().code(), "busy");
    drop(other);
    replica.track(&Tables::all()).unwrap();
    assert_eq!(Replica::open(&file.path, quick()).unwrap_err().code(), "in_use");
}

#[test]
fn commits_are_noticed() {
    use futures::{FutureExt, StreamExt};
    let file = Fixture::new("WAL");
    let replica = file.open();
    replica.track(&Tables::all()).unwrap();
    assert!(replica.changed().unwrap(), "the first look cannot know");
    assert!(!replica.changed().unwrap());
    file.app.execute_batch("INSERT INTO note(title) VALUES('c')").unwrap();
    assert!(replica.changed().unwrap());
    assert!(!replica.changed().unwrap());
    let mut notices = replica.committed();
    assert!(notices.next().now_or_never().is_none());
    for _ in 0..5 {
        replica.notify_committed();
    }
    assert_eq!(notices.next().now_or_never(), Some(Some(())));
    while notices.next().now_or_never().is_some() {}
    replica.clone().notify_committed();
    assert_eq!(notices.next().now_or_never(), Some(Some(())));
    drop(replica);
    assert_eq!(notices.next().now_or_never(), Some(None));
}

#[test]
fn suspending_refuses_work_until_resumed() {
    let file = Fixture::new("WAL");
    let replica = file.open();
    replica.track(&Tables::all()).unwrap();
    replica.suspend();
    let error = replica.status().unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Suspended);
    file.app.execute_batch("BEGIN EXCLUSIVE; COMMIT").unwrap();
    replica.resume();
    replica.status().unwrap();
}

#[test]
fn suspending_interrupts_what_runs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.db");
    let app = Connection::open(&path).unwrap();
    app.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT UNIQUE);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80000)
           INSERT INTO t SELECT i, 'some text', 'key ' || i FROM n;",
    )
    .unwrap();
    let replica = Replica::open(&path, ReplicaOptions::default()).unwrap();
    let working = replica.clone();
    let work = std::thread::spawn(move || working.track(&Tables::all()));
    std::thread::sleep(Duration::from_millis(30));
    let before = Instant::now();
    replica.suspend();
    let error = work.join().unwrap().unwrap_err();
    assert!(before.elapsed() < Duration::from_millis(500), "{:?}", before.elapsed());
    assert_eq!(error.code(), "suspended", "{error}");
    app.execute_batch("BEGIN IMMEDIATE; UPDATE t SET a = 'other' WHERE id = 1; COMMIT").unwrap();
    replica.resume();
    assert_eq!(replica.status().unwrap().format, 0, "rolled back");
    replica.track(&Tables::all()).unwrap();
}
