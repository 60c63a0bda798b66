//! What can be wrong with a hub's file, and what is said about it.

use std::path::Path;

use crate::store_support::*;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::{HubStore, HubStoreOptions, Store, StoreError, StoreErrorKind, StoreRequest};
use pocketsync_core::value::Value;

fn open(path: &Path) -> Result<HubStore, StoreError> {
    HubStore::open(path, HubStoreOptions::default())
}

fn refused(path: &Path, kind: StoreErrorKind) -> String {
    let error = open(path).unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.message.contains(path.to_str().unwrap()), "the message names the file: {error}");
    error.message
}

fn one_row(n: i64) -> pocketsync_core::change::Changeset {
    changes(vec![row(n, version(NOW, 1), true, &[(0, n)])])
}

#[test]
fn two_hubs_on_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let first = open(&path).unwrap();
    let message = refused(&path, StoreErrorKind::Busy);
    assert!(message.contains(&std::process::id().to_string()), "{message}");
    drop(first);
    open(&path).unwrap();
}

#[test]
fn a_file_keeps_its_site_and_draws_a_stamp_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut first = open(&path).unwrap();
    let before = identify(&mut first);
    drop(first);
    let mut second = open(&path).unwrap();
    let after = identify(&mut second);
    assert_eq!(before.site, after.site);
    assert_ne!(before.lineage, after.lineage);
    let other = open(&dir.path().join("other.db")).unwrap();
    assert_ne!(other.site(), second.site());
}

#[test]
fn not_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    std::fs::write(&path, "a text file, long enough for a header. ".repeat(100)).unwrap();
    refused(&path, StoreErrorKind::Corrupt);
    assert!(std::fs::read(&path).unwrap().starts_with(b"a text"), "and is left alone");
}

#[test]
fn the_database_of_an_application() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let app = Connection::open(&path).unwrap();
    app.execute_batch("CREATE TABLE note (id INTEGER PRIMARY KEY)").unwrap();
    drop(app);
    let before = std::fs::read(&path).unwrap();
    let message = refused(&path, StoreErrorKind::Corrupt);
    assert!(message.contains("not a hub's"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "and is left alone");
}

#[test]
fn a_newer_format() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    drop(open(&path).unwrap());
    let file = Connection::open(&path).unwrap();
    file.execute("UPDATE meta SET value = 2 WHERE key = 'format'", []).unwrap();
    drop(file);
    let message = refused(&path, StoreErrorKind::NewerFormat);
    assert!(message.contains("newer PocketSync"), "{message}");
}

#[test]
fn a_damaged_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut hub = open(&path).unwrap();
    take(&mut hub, group(site(1), 0, 1, one_row(1)));
    drop(hub);
    let file = Connection::open(&path).unwrap();
    file.execute("UPDATE records SET state = x'ff'", []).unwrap();
    drop(file);
    let mut hub = open(&path).unwrap();
    let request = StoreRequest::Extract {
        scope: scope(),
        peer: site(2),
        after: Cursor::ZERO,
        max_bytes: 1 << 20,
        not_after: None,
    };
    let error = hub.run(request).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Corrupt);
    assert!(error.message.contains("backup"), "{error}");
}

#[test]
fn damaged_pages() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut hub = open(&path).unwrap();
    for n in 0..200 {
        take(&mut hub, group(site(1), n, n + 1, one_row(n as i64)));
    }
    drop(hub);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    refused(&path, StoreErrorKind::Corrupt);
}

/// A full store takes nothing of a request, and goes on when there is space again.
#[test]
fn a_full_file_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut options = HubStoreOptions::default();
    options.max_bytes = Some(256 << 10);
    let mut hub = HubStore::open(&path, options).unwrap();
    let big = |n: u64| {
        let mut change = row(n as i64, version(NOW, 1), true, &[(0, 0)]);
        change.cells[0].value = Value::Blob(vec![1; 40 << 10]);
        group(site(1), n, n + 1, changes(vec![change]))
    };
    let mut taken = 0;
    let error = loop {
        match hub.run(StoreRequest::Apply { scope: scope(), chunks: vec![big(taken)] }) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(taken > 0);
    assert_eq!(error.kind, StoreErrorKind::Full);
    assert!(error.is_retryable() && error.message.contains("space"), "{error}");
    assert_eq!(identify(&mut hub).head.seq, taken);
    drop(hub);
    let mut hub = open(&path).unwrap();
    assert!(committed(take(&mut hub, big(taken))).is_some());
    let extracted = extract(&mut hub, site(2), Cursor::ZERO, 1 << 30);
    assert_eq!(extracted.changeset.row_count() as u64, taken + 1);
}

#[test]
fn another_program_holds_a_lock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut options = HubStoreOptions::default();
    options.busy_timeout_ms = 10;
    let mut hub = HubStore::open(&path, options).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let request =
        |n| StoreRequest::Apply { scope: scope(), chunks: vec![group(site(1), n, n + 1, one_row(1))] };
    let error = hub.run(request(0)).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Busy);
    assert!(error.is_retryable());
    other.execute_batch("ROLLBACK").unwrap();
    hub.run(request(0)).unwrap();
}

#[cfg(unix)]
#[test]
fn the_file_is_deleted_or_replaced_under_the_hub() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut hub = open(&path).unwrap();
    std::fs::copy(&path, dir.path().join("copy")).unwrap();
    std::fs::rename(dir.path().join("copy"), &path).unwrap();
    let error = hub.run(StoreRequest::Identify { scope: scope() }).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Gone);
    std::fs::remove_file(&path).unwrap();
    let error = hub.run(StoreRequest::Identify { scope: scope() }).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Gone);
}

#[test]
fn a_directory_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    refused(&dir.path().join("missing").join("hub.db"), StoreErrorKind::Io);
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    drop(open(&path).unwrap());
    for name in ["hub.db", "hub.db-lock"] {
        let file = dir.path().join(name);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o444)).unwrap();
    }
    // Permissions do not bind the superuser, who is right to get a hub.
    let bound = std::fs::OpenOptions::new().write(true).open(&path).is_err();
    assert_eq!(
        open(&path).map(drop).map_err(|error| error.kind),
        match bound {
            true => Err(StoreErrorKind::ReadOnly),
            false => Ok(()),
        }
    );
}

/// Only asking about a scope writes nothing: an unknown name costs the file nothing.
#[test]
fn asking_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut hub = open(&path).unwrap();
    identify(&mut hub);
    extract(&mut hub, site(1), Cursor::ZERO, 100);
    drop(hub);
    let scopes: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM scopes", [], |row| row.get(0))
        .unwrap();
    assert_eq!(scopes, 0);
}

/// Catching up reads an index, from where the peer stands.
#[test]
fn catching_up_walks_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    drop(open(&path).unwrap());
    let conn = Connection::open(&path).unwrap();
    let mut plan = conn
        .prepare(
            "EXPLAIN QUERY PLAN SELECT seq, tbl, row, state FROM records
             WHERE scope = 1 AND (seq, tbl, row) > (5, 0, x'') ORDER BY seq, tbl, row",
        )
        .unwrap();
    let steps: Vec<String> = plan.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
    assert_eq!(steps, ["SEARCH records USING INDEX records_by_seq (scope=? AND (seq,tbl,row)>(?,?,?))"]);
}
