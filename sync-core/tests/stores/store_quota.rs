//! A scope holds as much as it may, and says so.

use crate::store_support::*;
use pocketsync_core::store::{HubStore, HubStoreOptions, Store, StoreErrorKind, StoreReply, StoreRequest};
use pocketsync_core::value::Value;

fn open(path: &std::path::Path, max_scope_bytes: Option<u64>) -> HubStore {
    let mut options = HubStoreOptions::default();
    options.max_scope_bytes = max_scope_bytes;
    HubStore::open(path, options).unwrap()
}

fn one_row(n: i64, ms: u64, value: Value) -> pocketsync_core::change::Changeset {
    let mut changes = changes(vec![row(n, version(ms, 1), true, &[(0, n)])]);
    changes.tables[0].rows[0].cells[0].value = value;
    changes
}

#[test]
fn growth_beyond_the_quota_is_refused_and_nothing_of_it_happens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.db");
    let mut hub = open(&path, Some(10_000));
    let big = |n| Value::Blob(vec![n; 4_000]);
    let push = |hub: &mut HubStore, from: u64, changes| {
        hub.run(StoreRequest::Apply { scope: scope(), chunks: vec![group(site(1), from, from + 1, changes)] })
    };
    push(&mut hub, 0, one_row(1, NOW, big(1))).unwrap();
    push(&mut hub, 1, one_row(2, NOW, big(2))).unwrap();
    let error = push(&mut hub, 2, one_row(3, NOW, big(3))).unwrap_err();
    assert_eq!((error.kind, error.code()), (StoreErrorKind::Quota, "quota"));
    assert!(error.message.contains("10000") && error.message.contains("--quota"), "{error}");
    assert!(!error.is_retryable());
    let head = identify(&mut hub).head.seq;
    assert_eq!(head, 2, "nothing of it is there");

    // What makes it smaller is taken, and then there is room again; also after a restart, which counts anew.
    push(&mut hub, 2, one_row(1, NOW + 1, Value::Null)).unwrap();
    drop(hub);
    let mut hub = open(&path, Some(10_000));
    push(&mut hub, 3, one_row(3, NOW, big(3))).unwrap();
    assert_eq!(push(&mut hub, 4, one_row(4, NOW, big(4))).unwrap_err().kind, StoreErrorKind::Quota);

    // A quota that was lowered takes nothing away, and another scope has its own.
    drop(hub);
    let mut hub = open(&path, Some(100));
    assert_eq!(push(&mut hub, 4, one_row(4, NOW, Value::Null)).unwrap_err().kind, StoreErrorKind::Quota);
    assert!(matches!(hub.run(StoreRequest::Identify { scope: scope() }), Ok(StoreReply::Identity(_))));
    drop(hub);
    let mut hub = open(&path, None);
    push(&mut hub, 4, one_row(4, NOW, big(4))).unwrap();
}
