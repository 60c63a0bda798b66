//! Files that an earlier version of the engine tracked.

use crate::replica_support::Device;
use pocketsync_core::store::sqlite::{Replica, ReplicaOptions};

const TAGS: &str = "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE note(id INTEGER PRIMARY KEY, tag INTEGER REFERENCES tag(id), text TEXT)";
const SHOWN: &str =
    "SELECT note.text || ' is ' || tag.name FROM note JOIN tag ON tag.id = note.tag ORDER BY 1";

#[test]
fn a_file_of_the_first_format_is_upgraded_by_the_first_write() {
    let [mut a, b] = [Device::new(TAGS), Device::new(TAGS)];
    for (device, text) in [(&a, "from a"), (&b, "from b")] {
        device
            .app
            .execute_batch(&format!(
                "INSERT INTO tag(name) VALUES('work'); INSERT INTO note(tag, text) VALUES(last_insert_rowid(), '{text}')"
            ))
            .unwrap();
    }
    a.pull(&b);
    assert_eq!(a.rows(SHOWN), ["from a is work", "from b is work"]);
    // As the first format had it: no word of who is shown for whom.
    a.app
        .execute_batch(
            "ALTER TABLE __pocketsync_aside DROP COLUMN winner;
             ALTER TABLE __pocketsync_aside DROP COLUMN since;
             DROP TABLE __pocketsync_alias;
             DROP TABLE __pocketsync_name;
             DROP TABLE __pocketsync_former;
             DROP TABLE __pocketsync_before;
             DROP TABLE __pocketsync_refused;
             DELETE FROM __pocketsync_meta WHERE key LIKE 'changed:%';
             UPDATE __pocketsync_meta SET value = 1 WHERE key = 'format';",
        )
        .unwrap();
    drop(a.replica);
    a.replica = Replica::open(&a.path, ReplicaOptions::default()).unwrap();
    assert_eq!(a.replica.status().unwrap().format, 1, "opening changes nothing");
    b.app.execute_batch("INSERT INTO note(tag, text) SELECT id, 'again from b' FROM tag").unwrap();
    a.pull(&b);
    assert_eq!(a.replica.status().unwrap().format, 5);
    assert_eq!(a.rows(SHOWN), ["again from b is work", "from a is work", "from b is work"]);
    assert_eq!(a.replica.parked().unwrap().len(), 1);
    let names = a.rows("SELECT name FROM sqlite_schema WHERE name LIKE '__pocketsync_alias%' ORDER BY 1");
    assert_eq!(names, ["__pocketsync_alias", "__pocketsync_alias_id"]);
}

#[test]
fn a_rule_that_the_second_format_could_not_keep_is_in_force_after_the_upgrade() {
    let [mut a, b] = [Device::new(TAGS), Device::new(TAGS)];
    a.app
        .execute_batch(
            "ALTER TABLE note ADD COLUMN votes INTEGER DEFAULT 0;
             CREATE TABLE __pocketsync_rules(
               tbl TEXT NOT NULL, col TEXT NOT NULL DEFAULT '', strategy TEXT, on_delete TEXT, merge TEXT,
               PRIMARY KEY(tbl, col)) WITHOUT ROWID;
             INSERT INTO note(text, votes) VALUES('x', 1)",
        )
        .unwrap();
    b.app.execute_batch("ALTER TABLE note ADD COLUMN votes INTEGER DEFAULT 0").unwrap();
    b.pull(&a);
    a.app
        .execute_batch("INSERT INTO __pocketsync_rules(tbl, col, merge) VALUES('note', 'votes', 'counter')")
        .unwrap();
    b.pull(&a);
    a.app
        .execute_batch(
            "DROP TABLE __pocketsync_merge; DROP TABLE __pocketsync_share; DROP TABLE __pocketsync_refused;
             DROP TABLE __pocketsync_name; DROP TABLE __pocketsync_former;
             DROP TABLE __pocketsync_before;
             UPDATE __pocketsync_meta SET value = 2 WHERE key = 'format';",
        )
        .unwrap();
    drop(a.replica);
    a.replica = Replica::open(&a.path, ReplicaOptions::default()).unwrap();
    b.pull(&a);
    a.app.execute_batch("UPDATE note SET votes = votes + 1").unwrap();
    b.app.execute_batch("UPDATE note SET votes = votes + 1").unwrap();
    b.pull(&a);
    a.pull(&b);
    assert_eq!(a.rows("SELECT '' || votes FROM note"), ["3"]);
    assert_eq!(b.rows("SELECT '' || votes FROM note"), ["3"]);
}

#[test]
fn a_file_of_the_fourth_format_leaves_its_name_after_a_rebuild_as_any() {
    let [mut a, b] = [Device::new(TAGS), Device::new(TAGS)];
    a.app.execute_batch("INSERT INTO note(text) VALUES('old')").unwrap();
    b.pull(&a);
    a.app
        .execute_batch(
            "DROP TABLE __pocketsync_name; DROP TABLE __pocketsync_former;
             DROP TABLE __pocketsync_before;
             UPDATE __pocketsync_meta SET value = 4 WHERE key = 'format';",
        )
        .unwrap();
    drop(a.replica);
    a.replica = Replica::open(&a.path, ReplicaOptions::default()).unwrap();
    let site = a.site();
    a.app
        .execute_batch(
            "BEGIN; CREATE TABLE fresh(id INTEGER PRIMARY KEY, tag INTEGER REFERENCES tag(id), text TEXT);
             INSERT INTO fresh SELECT * FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note; COMMIT;
             UPDATE note SET text = 'unseen'",
        )
        .unwrap();
    assert_ne!(a.site(), site);
    assert_eq!(a.replica.status().unwrap().format, 5);
    for _ in 0..3 {
        a.pull(&b);
        b.pull(&a);
    }
    assert_eq!(b.rows("SELECT text FROM note"), ["unseen"]);
}
