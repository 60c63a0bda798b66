//! Replicas as stores: changes of one shown by another, and what each says of itself.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::replica_support::{Device, scope};
use futures::{FutureExt, StreamExt};
use pocketsync_core::clock::Hlc;
use pocketsync_core::driver::LocalStore;
use pocketsync_core::id::SiteId;
use pocketsync_core::lineage::{Cursor, Lineage};
use pocketsync_core::store::sqlite::ParkedReason;
use pocketsync_core::store::sqlite::replica::Applied;
use pocketsync_core::store::sqlite::tracking::Tables;
use pocketsync_core::store::{
    ClockReading, Meet, Met, Peer, Store, StoreErrorKind, StoreReply, StoreRequest,
};
use pocketsync_core::value::Value;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, stars INT)";

#[test]
fn what_one_writes_the_other_shows() {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    a.app.execute_batch("INSERT INTO note(title) VALUES('from a')").unwrap();
    b.app.execute_batch("INSERT INTO note(title) VALUES('from b')").unwrap();
    b.pull(&a);
    a.pull(&b);
    b.pull(&a);
    let all = "SELECT title FROM note ORDER BY title";
    assert_eq!(a.rows(all), ["from a", "from b"]);
    assert_eq!(b.rows(all), a.rows(all));
    let head = a.identity().head;
    assert_eq!(a.replica.status().unwrap().journal, 0, "what the engine writes is not captured");
    a.pull(&b);
    assert_eq!(a.identity().head, head);
}

#[test]
fn what_a_peer_would_refuse_as_too_late_is_not_offered_and_so_can_be_corrected() {
    let device = Device::new(NOTES);
    let now_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let extract = || {
        let not_after = Some(Hlc::from_ms(now_ms() + 300_000));
        let (peer, after) = (SiteId::from_bytes([9; 16]), Cursor::ZERO);
        device
            .replica
            .clone()
            .run(StoreRequest::Extract { scope: scope(), peer, after, max_bytes: 1 << 20, not_after })
            .unwrap()
    };
    device
        .app
        .execute_batch(
            "INSERT INTO note(title) VALUES('written when the clock had just been set');
             UPDATE __pocketsync_journal SET at = at + 1500",
        )
        .unwrap();
    assert_eq!(extract(), StoreReply::Ahead);
    let peer = Peer { site: SiteId::from_bytes([9; 16]), lineage: Lineage::default(), head: Cursor::ZERO };
    let clock = Some(ClockReading {
        offset_ms: -1500 * 86_400_000,
        peer_wall_ms: now_ms(),
        max_drift_ms: 300_000,
        compared_at: None,
    });
    let meet = Meet { scope: scope(), peer, holding: None, resumes: None, clock };
    let met = device.replica.clone().run(StoreRequest::Meet(meet)).unwrap();
    assert!(matches!(met, StoreReply::Met(Met::Resume(_))));
    let StoreReply::Extracted(extracted) = extract() else { panic!("still too late") };
    assert!(extracted.changeset.max_hlc().ms().abs_diff(now_ms()) < 10_000);
    assert_eq!(device.replica.status().unwrap().journal, 0);
}

#[test]
fn the_application_is_told_what_a_merge_changed() {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    let mut applied = b.replica.applied();
    a.app.execute_batch("INSERT INTO note(title) VALUES('x'), ('y')").unwrap();
    b.pull(&a);
    let Some(Some(Applied::Changes(shown))) = applied.next().now_or_never() else {
        panic!("nothing was told")
    };
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].table, "note");
    assert_eq!(shown[0].changed.len(), 2);
    a.app.execute_batch("DELETE FROM note WHERE title = 'x'").unwrap();
    b.pull(&a);
    let Some(Some(Applied::Changes(shown))) = applied.next().now_or_never() else {
        panic!("nothing was told")
    };
    assert_eq!(shown[0].removed, [Box::from([Value::Integer(1)])]);
    b.pull(&a);
    assert!(applied.next().now_or_never().is_none());
}

#[test]
fn the_application_is_told_what_its_own_write_made_room_for() {
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE)";
    let (a, b) = (Device::new(schema), Device::new(schema));
    b.app.execute_batch("INSERT INTO tag(id, name) VALUES(1, 'x')").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    a.app.execute_batch("INSERT INTO tag(id, name) VALUES(7, 'x')").unwrap();
    b.pull(&a);
    assert_eq!(b.replica.status().unwrap().parked, 1);
    let mut applied = b.replica.applied();
    b.app.execute_batch("UPDATE tag SET name = NULL").unwrap();
    a.pull(&b);
    assert_eq!(b.rows("SELECT coalesce(name, 'none') FROM tag"), ["none", "none"]);
    let Some(Some(Applied::Changes(shown))) = applied.next().now_or_never() else {
        panic!("nothing was told")
    };
    assert_eq!(
        (shown[0].table.as_str(), &shown[0].changed[..]),
        ("tag", &[Box::from([Value::Integer(7)])][..])
    );
    a.pull(&b);
    assert!(applied.next().now_or_never().is_none());
}

#[test]
fn a_conflict_clause_of_the_schema_replaces_no_row_in_a_merge() {
    let schema =
        "CREATE TABLE tag(id INTEGER PRIMARY KEY ON CONFLICT REPLACE, name TEXT UNIQUE ON CONFLICT REPLACE)";
    let (a, b) = (Device::new(schema), Device::new(schema));
    b.app.execute_batch("INSERT INTO tag(id, name) VALUES(1, 'x'), (2, 'y')").unwrap();
    a.pull(&b);
    let c = Device::new(schema);
    c.app.execute_batch("INSERT INTO tag(id, name) VALUES(2, 'z'), (7, 'x')").unwrap();
    a.pull(&c);
    assert_eq!(a.rows("SELECT name FROM tag ORDER BY name"), ["x", "y", "z"]);
    assert_eq!(a.replica.status().unwrap().parked, 1);
}

#[test]
fn what_is_pending_counts_down_to_nothing() {
    let (a, mut b) = (Device::new(NOTES), Device::new(NOTES));
    assert_eq!(b.replica.summary().unwrap().pending_changes, 0);
    a.app.execute_batch("INSERT INTO note(title) VALUES('x'), ('y')").unwrap();
    b.pull(&a);
    assert_eq!(b.replica.summary().unwrap().pending_changes, 0, "what came from the peer is not news to it");
    b.app.execute_batch("UPDATE note SET stars = 1 WHERE title = 'x'").unwrap();
    assert_eq!(b.replica.summary().unwrap().pending_changes, 1, "in the journal");
    a.app.execute_batch("UPDATE note SET title = 'z' WHERE title = 'x'").unwrap();
    b.pull(&a);
    assert_eq!(b.replica.summary().unwrap().pending_changes, 1, "under a change of the peer to the same row");
    a.pull(&b);
    let summary = b.replica.summary().unwrap();
    assert_eq!((summary.pending_changes, summary.position), (0, b.identity().head));
}

#[test]
fn the_status_names_tables_peers_and_what_is_parked() {
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE); CREATE TABLE setting(k TEXT PRIMARY KEY, v)";
    let (a, b) = (Device::new(schema), Device::new(schema));
    b.app.execute_batch("CREATE TABLE scratch(id INTEGER PRIMARY KEY)").unwrap();
    a.app.execute_batch("INSERT INTO tag(name) VALUES('work'); INSERT INTO setting VALUES('x', 1)").unwrap();
    a.replica.clone().run(StoreRequest::ClockJumped { scope: scope() }).unwrap();
    b.app.execute_batch("INSERT INTO tag(name) VALUES('work')").unwrap();
    b.pull(&a);
    let status = b.replica.status().unwrap();
    assert_eq!(status.path, b.path.canonicalize().unwrap());
    assert_eq!(status.site, Some(b.site()));
    let tables: Vec<_> =
        status.tables.iter().map(|it| (it.name.as_str(), it.identity.as_str(), it.rows)).collect();
    assert_eq!(tables, [("setting", "natural", 1), ("tag", "surrogate", 1)]);
    assert_eq!(status.untracked, ["scratch"]);
    assert_eq!((status.parked, status.parked_rows.len()), (1, 1));
    assert_eq!(
        (status.parked_rows[0].table.as_str(), status.parked_rows[0].reason.as_str()),
        ("tag", "unique claim")
    );
    assert_eq!(status.peers.len(), 1);
    assert_eq!(status.peers[0].site, a.site());
    assert_eq!(status.peers[0].held, a.identity().head);
}

#[test]
fn the_status_names_tables_that_lost_their_triggers_and_those_that_are_gone() {
    let device = Device::new(&format!("{NOTES}; CREATE TABLE tag(name TEXT PRIMARY KEY)"));
    device.app.execute_batch(&format!("DROP TABLE tag; BEGIN; DROP TABLE note; {NOTES}; COMMIT")).unwrap();
    device.identity();
    let tables = || {
        let status = device.replica.status().unwrap();
        status.tables.into_iter().map(|it| (it.name, it.suspect, it.missing)).collect::<Vec<_>>()
    };
    assert_eq!(tables(), [("note".to_owned(), true, false), ("tag".to_owned(), false, true)]);
    device.replica.trust("NOTE").unwrap();
    assert_eq!(tables(), [("note".to_owned(), false, false), ("tag".to_owned(), false, true)]);
    assert_eq!(device.replica.trust("tag").unwrap_err().kind, StoreErrorKind::Unsupported);
}

#[test]
fn triggers_that_keep_derived_data_run_for_remote_changes() {
    let schema = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, edits INT DEFAULT 0);
        CREATE TABLE audit(what TEXT);
        CREATE VIRTUAL TABLE search USING fts5(title, content='note', content_rowid='id');
        CREATE TRIGGER \"note added\" AFTER INSERT ON note BEGIN -- UPDATE note
          INSERT INTO search(rowid, title) VALUES(NEW.id, NEW.title); END;
        CREATE TRIGGER note_gone AFTER DELETE ON note BEGIN
          INSERT INTO search(search, rowid, title) VALUES('delete', OLD.id, OLD.title); END;
        CREATE TRIGGER note_changed AFTER UPDATE OF title ON note BEGIN
          INSERT INTO search(search, rowid, title) VALUES('delete', OLD.id, OLD.title);
          INSERT INTO search(rowid, title) VALUES(NEW.id, NEW.title); END;
        CREATE TRIGGER counted AFTER UPDATE OF title ON note BEGIN
          UPDATE OR IGNORE [note] SET edits = edits + 1 WHERE id = NEW.id; INSERT INTO audit VALUES('edit'); END;
        CREATE TRIGGER needs_more AFTER INSERT ON note BEGIN INSERT INTO audit VALUES(not_there(NEW.id)); END;";
    let (a, b) = (Device::untracked(schema), Device::untracked(schema));
    a.app.execute_batch("DROP TRIGGER needs_more").unwrap();
    for device in [&a, &b] {
        device.replica.track(&Tables::only(["note"])).unwrap();
    }
    a.app.execute_batch("INSERT INTO note(title) VALUES('milk'), ('bread'), ('eggs')").unwrap();
    b.pull(&a);
    a.app
        .execute_batch(
            "UPDATE note SET title = 'rye' WHERE title = 'bread'; DELETE FROM note WHERE title = 'eggs'",
        )
        .unwrap();
    b.pull(&a);
    let found = |word: &str| b.rows(&format!("SELECT title FROM search WHERE search MATCH '{word}'"));
    assert_eq!((found("milk"), found("rye")), (vec!["milk".to_owned()], vec!["rye".to_owned()]));
    assert!(found("bread").is_empty() && found("eggs").is_empty());
    b.app.execute_batch("INSERT INTO search(search, rank) VALUES('integrity-check', 1)").unwrap();
    let edits = b.rows("SELECT CAST(edits AS TEXT) FROM note WHERE title = 'rye'");
    assert_eq!(edits, ["1"], "counted at the origin only");
    assert!(
        b.rows("SELECT what FROM audit").is_empty(),
        "what also writes tracked tables does not run again"
    );
    assert_eq!(b.replica.status().unwrap().journal, 0);
}

#[test]
fn rows_of_the_same_template_are_the_same_rows() {
    let template = format!("{NOTES}; INSERT INTO note VALUES(1, 'welcome', NULL), (2, 'tour', 5)");
    let (a, b) = (Device::new(&template), Device::new(&template));
    a.app.execute_batch("UPDATE note SET title = 'hello' WHERE id = 1").unwrap();
    b.pull(&a);
    a.pull(&b);
    assert_eq!(b.rows("SELECT title FROM note ORDER BY id"), ["hello", "tour"]);
    assert_eq!(a.rows("SELECT title FROM note ORDER BY id"), ["hello", "tour"]);
}

#[test]
fn a_table_and_a_column_that_come_later_show_what_waited_for_them() {
    let a = Device::new(&format!("{NOTES}; CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT)"));
    let b = Device::new("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)");
    a.app
        .execute_batch("INSERT INTO note(title, stars) VALUES('x', 5); INSERT INTO tag(name) VALUES('t')")
        .unwrap();
    b.pull(&a);
    assert_eq!(b.replica.status().unwrap().parked, 1);
    let mut applied = b.replica.applied();
    b.app.execute_batch("ALTER TABLE note ADD COLUMN stars INT").unwrap();
    b.identity();
    assert_eq!(b.rows("SELECT CAST(stars AS TEXT) FROM note"), ["5"]);
    let Some(Some(Applied::Changes(shown))) = applied.next().now_or_never() else {
        panic!("nothing was told")
    };
    assert_eq!(shown[0].table, "note");
    b.app.execute_batch("CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT)").unwrap();
    b.replica.track(&Tables::all()).unwrap();
    assert_eq!(b.rows("SELECT name FROM tag"), ["t"]);
    assert_eq!(b.replica.status().unwrap().parked, 0);
}

#[test]
fn a_renamed_column_meets_under_its_new_name() {
    let (a, b) = (Device::new(NOTES), Device::new(NOTES));
    a.app.execute_batch("INSERT INTO note(title) VALUES('one'), ('two')").unwrap();
    b.pull(&a);
    b.app.execute_batch("UPDATE note SET title = 'two of b' WHERE title = 'two'").unwrap();
    a.app.execute_batch("ALTER TABLE note RENAME COLUMN title TO heading; UPDATE note SET heading = 'one of a' WHERE id = 1").unwrap();
    a.pull(&b);
    b.pull(&a);
    b.app.execute_batch("ALTER TABLE note RENAME COLUMN title TO heading").unwrap();
    a.pull(&b);
    b.pull(&a);
    let all = "SELECT heading FROM note ORDER BY id";
    assert_eq!(b.rows(all), ["one of a", "two of b"]);
    assert_eq!(a.rows(all), b.rows(all));
}

#[test]
fn renamed_keys_stay_the_keys() {
    let schema = "CREATE TABLE list(id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE item(list_id INT REFERENCES list(id), k TEXT, v TEXT, PRIMARY KEY(list_id, k))";
    let (a, b) = (Device::new(schema), Device::new(schema));
    a.app.execute_batch("INSERT INTO list VALUES(1, 'x'); INSERT INTO item VALUES(1, 'k', 'v')").unwrap();
    b.pull(&a);
    for device in [&a, &b] {
        device
            .app
            .execute_batch(
                "ALTER TABLE list RENAME COLUMN id TO list; ALTER TABLE item RENAME COLUMN k TO key",
            )
            .unwrap();
    }
    a.app.execute_batch("UPDATE item SET v = 'w'; INSERT INTO list VALUES(2, 'y')").unwrap();
    b.app.execute_batch("INSERT INTO list VALUES(2, 'z'); INSERT INTO item VALUES(2, 'k', 'of z')").unwrap();
    b.pull(&a);
    a.pull(&b);
    b.pull(&a);
    let all = "SELECT name || key || v FROM item JOIN list ON list = list_id ORDER BY 1";
    assert_eq!(a.rows(all), ["xkw", "zkof z"]);
    assert_eq!(b.rows(all), a.rows(all));
    assert_eq!(a.rows("SELECT name FROM list ORDER BY 1"), ["x", "y", "z"]);
}

#[test]
fn rows_that_replace_removed_are_removed_elsewhere() {
    let schema = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, color TEXT);
        CREATE TABLE user(name TEXT PRIMARY KEY COLLATE NOCASE, age INT) WITHOUT ROWID";
    let (a, b) = (Device::new(schema), Device::new(schema));
    a.app
        .execute_batch("INSERT INTO tag VALUES(1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z'); INSERT INTO user VALUES('bob', 1)")
        .unwrap();
    b.pull(&a);
    a.app
        .execute_batch(
            "INSERT OR REPLACE INTO tag(name, color) VALUES('a', 'new');
             UPDATE OR REPLACE tag SET name = 'c' WHERE id = 2;
             REPLACE INTO user VALUES('BOB', 2)",
        )
        .unwrap();
    b.pull(&a);
    let tags = "SELECT name || ' ' || color FROM tag ORDER BY 1";
    assert_eq!(b.rows(tags), ["a new", "c y"]);
    assert_eq!(b.rows(tags), a.rows(tags));
    assert_eq!(b.rows("SELECT name || ' ' || age FROM user"), ["BOB 2"]);
    b.app.execute_batch("UPDATE user SET name = 'Bob'").unwrap();
    a.pull(&b);
    assert_eq!(a.rows("SELECT name || ' ' || age FROM user"), ["Bob 2"]);
    for device in [&a, &b] {
        assert_eq!(device.replica.status().unwrap().parked, 0);
    }
}

#[test]
fn rows_with_a_null_in_their_key_stay_apart() {
    let schema = "CREATE TABLE p(a TEXT, b TEXT, v TEXT, PRIMARY KEY(a, b))";
    let (a, b) = (Device::new(schema), Device::new(schema));
    a.app
        .execute_batch("INSERT INTO p VALUES('x', NULL, 'one'), ('x', NULL, 'two'), ('x', 'y', 'three')")
        .unwrap();
    b.pull(&a);
    b.app.execute_batch("UPDATE p SET v = 'TWO' WHERE v = 'two'; DELETE FROM p WHERE v = 'one'").unwrap();
    a.pull(&b);
    let all = "SELECT quote(a) || quote(b) || quote(v) FROM p ORDER BY 1";
    assert_eq!(a.rows(all), ["'x''y''three'", "'x'NULL'TWO'"]);
    assert_eq!(b.rows(all), a.rows(all));
}

/// Each device fills one of the gaps: together they make a key that names a row of its own.
#[test]
fn a_key_whose_gaps_two_devices_fill_is_parked() {
    let schema = "CREATE TABLE p(a TEXT, b TEXT, v TEXT, PRIMARY KEY(a, b))";
    let (a, b, c) = (Device::new(schema), Device::new(schema), Device::new(schema));
    a.app.execute_batch("INSERT INTO p VALUES(NULL, NULL, 'one')").unwrap();
    b.pull(&a);
    a.app.execute_batch("UPDATE p SET a = 'x'").unwrap();
    b.app.execute_batch("UPDATE p SET b = 'y'").unwrap();
    b.pull(&a);
    a.pull(&b);
    c.pull(&b);
    b.app.execute_batch("INSERT INTO p VALUES('x', 'y', 'two')").unwrap();
    a.pull(&b);
    c.pull(&a);
    for device in [&a, &b, &c] {
        assert_eq!(device.rows("SELECT a || b || v FROM p"), ["xytwo"]);
        let parked = device.replica.parked().unwrap();
        assert_eq!(parked.len(), 1, "{parked:?}");
        assert_eq!(parked[0].reason, ParkedReason::Refused);
    }
}

#[test]
fn a_file_that_is_not_tracked_answers_nothing() {
    let device = Device::untracked(NOTES);
    let error = device.replica.clone().run(StoreRequest::Identify { scope: scope() }).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unsupported);
    assert!(error.message.contains("track"), "{error}");
}

#[test]
fn references_to_nothing_travel_as_they_are() {
    let schema = "CREATE TABLE item(id INTEGER PRIMARY KEY); CREATE TABLE tag(name TEXT PRIMARY KEY);
        CREATE TABLE mark(id INTEGER PRIMARY KEY, item INT REFERENCES item(id), tag TEXT REFERENCES tag(name))";
    let (a, b) = (Device::new(schema), Device::new(schema));
    a.app.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO mark VALUES(1, 7, 'none')").unwrap();
    b.pull(&a);
    assert_eq!(b.rows("SELECT item || tag FROM mark"), ["7none"]);
}
