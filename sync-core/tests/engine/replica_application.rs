//! An application at work on the file while the engine is.

use std::time::Duration;

use crate::tracking_support::File;
use pocketsync_core::rusqlite::{Connection, ErrorCode, ffi};
use pocketsync_core::store::StoreErrorKind;
use pocketsync_core::store::sqlite::fold;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)";

fn extended_code(error: &pocketsync_core::rusqlite::Error) -> i32 {
    match error {
        pocketsync_core::rusqlite::Error::SqliteFailure(error, _) => error.extended_code,
        other => panic!("{other}"),
    }
}

/// A file with a row that is folded, and one that waits.
fn file_with_work() -> File {
    let mut file = File::tracked(NOTES);
    file.app.execute_batch("INSERT INTO note(title) VALUES('a')").unwrap();
    file.engine.write(fold::run).unwrap();
    file.app.execute_batch("INSERT INTO note(title) VALUES('b')").unwrap();
    file.engine.conn.busy_timeout(Duration::from_millis(20)).unwrap();
    file.app.busy_timeout(Duration::from_secs(5)).unwrap();
    file
}

fn read(app: &Connection) -> i64 {
    app.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_transaction_that_reads_before_it_writes_may_have_to_begin_again() {
    let mut file = file_with_work();
    file.app.execute_batch("BEGIN").unwrap();
    assert_eq!(read(&file.app), 2);
    file.engine.write(fold::run).unwrap();
    let error = file.app.execute("UPDATE note SET title = 'c'", []).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    assert_eq!(extended_code(&error), ffi::SQLITE_BUSY_SNAPSHOT, "no waiting helps");
    file.app.execute_batch("ROLLBACK; BEGIN; UPDATE note SET title = 'c'; COMMIT").unwrap();
    assert_eq!(file.journal().len(), 2);
}

#[test]
fn begin_immediate_is_never_interrupted_and_the_engine_waits() {
    let mut file = file_with_work();
    file.app.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(read(&file.app), 2);
    let error = file.engine.write(fold::run).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Busy);
    assert!(error.is_retryable());
    file.app.execute_batch("UPDATE note SET title = 'c'; COMMIT").unwrap();
    assert!(file.engine.write(fold::run).unwrap().is_some());
    assert!(file.journal().is_empty());
}

#[test]
fn the_engine_never_sees_half_a_transaction() {
    let mut file = file_with_work();
    file.engine.write(fold::run).unwrap();
    file.app.execute_batch("BEGIN IMMEDIATE; INSERT INTO note(title) VALUES('c')").unwrap();
    assert_eq!(file.engine.write(fold::run).unwrap_err().kind, StoreErrorKind::Busy);
    let seen: i64 = file
        .engine
        .conn
        .query_row("SELECT count(*) FROM __pocketsync_journal", [], |row| row.get(0))
        .unwrap();
    assert_eq!(seen, 0);
    file.app.execute_batch("INSERT INTO note(title) VALUES('d'); COMMIT").unwrap();
    let before = file.engine.meta.head;
    file.engine.write(fold::run).unwrap();
    assert_eq!(file.engine.meta.head, before + 1, "both rows under one number");
}

#[test]
fn a_long_reader_does_not_hold_the_engine_up_in_wal_mode() {
    let mut file = file_with_work();
    let reader = Connection::open(&file.path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(read(&reader), 2);
    file.engine.write(fold::run).unwrap();
    file.app.execute_batch("INSERT INTO note(title) VALUES('e')").unwrap();
    assert_eq!(read(&reader), 2, "its snapshot stays");
}

#[test]
fn a_full_disk_in_a_fold_keeps_the_journal() {
    let mut file = file_with_work();
    let pages: i64 = file.app.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    file.app
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO note SELECT i, 'x' FROM n",
        )
        .unwrap();
    let now: i64 = file.app.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    assert!(now > pages);
    file.engine.conn.execute_batch(&format!("PRAGMA max_page_count = {now}")).unwrap();
    let before = (file.journal(), file.engine.meta);
    let error = file.engine.write(fold::run).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Full, "{error}");
    assert_eq!((file.journal(), file.engine.meta), before);
    file.app.execute_batch("UPDATE note SET title = 'y' WHERE id = 10").unwrap();
    file.engine.conn.execute_batch("PRAGMA max_page_count = 1000000").unwrap();
    file.engine.write(fold::run).unwrap();
    assert!(file.journal().is_empty());
}

#[test]
fn in_rollback_journal_mode_a_reader_holds_the_commit_up() {
    let mut file = file_with_work();
    file.app.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    // Leaving WAL mode needs the file for oneself.
    file.close_engine();
    file.app.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    file.reopen();
    file.engine.conn.busy_timeout(Duration::from_millis(20)).unwrap();
    let reader = Connection::open(&file.path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(read(&reader), 2);
    let memory = file.engine.meta;
    let error = file.engine.write(fold::run).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Busy, "{error}");
    assert_eq!(file.engine.meta, memory, "nothing has happened");
    assert!(file.engine.conn.is_autocommit(), "no transaction is left open");
    reader.execute_batch("COMMIT").unwrap();
    assert!(file.engine.write(fold::run).unwrap().is_some());
}
