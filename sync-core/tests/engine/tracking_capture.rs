//! What the triggers write into the journal.

use crate::tracking_support::{File, short};
use pocketsync_core::rusqlite::Connection;

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)";

#[test]
fn an_insert_an_update_and_a_delete() {
    let file = File::tracked(NOTES);
    assert_eq!(short(&file.capture("INSERT INTO note(title) VALUES('a'), ('b')")), ["insert 1", "insert 2"]);
    assert_eq!(short(&file.capture("UPDATE note SET body = 'x' WHERE id = 2")), ["update 2 100"]);
    assert_eq!(short(&file.capture("DELETE FROM note WHERE id = 1")), ["delete 1"]);
}

#[test]
fn a_rolled_back_write_leaves_nothing() {
    let file = File::tracked(NOTES);
    assert!(file.capture("BEGIN; INSERT INTO note(title) VALUES('a'); ROLLBACK").is_empty());
    let entries = file.capture(
        "BEGIN; INSERT INTO note(title) VALUES('a'); SAVEPOINT s; INSERT INTO note(title) VALUES('b');
         ROLLBACK TO s; COMMIT",
    );
    assert_eq!(short(&entries), ["insert 1"]);
    file.app.execute_batch("DELETE FROM __pocketsync_journal").unwrap();
    file.app.execute_batch("INSERT INTO note(id) VALUES(5), (1)").unwrap_err();
    assert!(file.journal().is_empty(), "a statement that fails takes its entries back");
}

#[test]
fn the_stamp_is_the_wall_clock() {
    let file = File::tracked(NOTES);
    file.capture("INSERT INTO note(title) VALUES('a')");
    let off: f64 = file
        .app
        .query_row("SELECT abs(julianday('now') - at) * 86400 FROM __pocketsync_journal", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(off < 5.0, "{off} seconds");
}

#[test]
fn a_key_that_changes_names_its_old_integer() {
    let file = File::tracked(NOTES);
    file.capture("INSERT INTO note(id, title) VALUES(3, 'a')");
    assert_eq!(short(&file.capture("UPDATE note SET id = 9")), ["update 9 1 old 3"]);
    assert_eq!(
        short(&file.capture("UPDATE note SET rowid = 10")),
        ["update 10 1 old 9"],
        "UPDATE OF id is blind"
    );
    assert_eq!(short(&file.capture("UPDATE note SET _rowid_ = 11, title = 'b'")), ["update 11 11 old 10"]);
}

#[test]
fn a_text_key_that_changes_is_another_row() {
    let file = File::tracked("CREATE TABLE tag(name TEXT PRIMARY KEY, color TEXT)");
    file.capture("INSERT INTO tag VALUES('a', 'red')");
    assert_eq!(
        short(&file.capture("UPDATE tag SET name = 'b', color = 'red'")),
        ["delete 'a'", "insert 'b'"]
    );
    assert_eq!(short(&file.capture("UPDATE tag SET color = 'blue'")), ["update 'b' 10"]);
}

#[test]
fn upsert_and_replace_of_the_same_key() {
    let file = File::tracked(NOTES);
    let upsert = "INSERT INTO note VALUES(1, 'a', 'x') ON CONFLICT(id) DO UPDATE SET title = excluded.title";
    assert_eq!(short(&file.capture(upsert)), ["insert 1"]);
    assert_eq!(short(&file.capture(&upsert.replace("'a'", "'b'"))), ["update 1 10"]);
    assert_eq!(short(&file.capture("INSERT OR REPLACE INTO note VALUES(1, 'c', 'y')")), ["insert 1"]);
    assert!(file.capture("INSERT OR IGNORE INTO note VALUES(1, 'd', 'z')").is_empty());
    assert_eq!(
        short(&file.capture("PRAGMA recursive_triggers = ON; REPLACE INTO note VALUES(1, 'e', 'y')")),
        ["delete 1", "insert 1"]
    );
}

#[test]
fn replace_through_a_unique_index_touches_the_rows_that_it_removes() {
    let file = File::tracked("CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, color TEXT)");
    file.capture("INSERT INTO tag VALUES(1, 'work', 'red'), (2, 'home', 'blue')");
    assert_eq!(
        short(&file.capture("INSERT OR REPLACE INTO tag(name) VALUES('work')")),
        ["touch 1", "insert 3"],
        "row 1 is gone and no delete trigger told"
    );
    assert_eq!(
        short(&file.capture("UPDATE OR REPLACE tag SET name = 'work' WHERE id = 2")),
        ["touch 3", "update 2 10"]
    );
    assert_eq!(short(&file.capture("UPDATE tag SET color = 'x'")), ["update 2 100"]);
    assert!(
        short(&file.capture("INSERT OR IGNORE INTO tag(name) VALUES('work')"))
            .iter()
            .all(|it| it == "touch 2")
    );
}

#[test]
fn replace_through_a_composite_index_with_its_own_collation() {
    let file = File::tracked(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT);
         CREATE UNIQUE INDEX claims ON t(a, b COLLATE NOCASE)",
    );
    file.capture("INSERT INTO t VALUES(1, 1, 'x'), (2, 1, 'y'), (3, NULL, 'x')");
    assert_eq!(short(&file.capture("REPLACE INTO t VALUES(4, 1, 'X')")), ["touch 1", "insert 4"]);
    assert_eq!(
        short(&file.capture("REPLACE INTO t VALUES(5, NULL, 'x')")),
        ["insert 5"],
        "NULL claims nothing"
    );
}

#[test]
fn replace_through_a_key_without_case() {
    let file =
        File::tracked("CREATE TABLE user(name TEXT COLLATE NOCASE PRIMARY KEY, age INT) WITHOUT ROWID");
    file.capture("INSERT INTO user VALUES('bob', 1)");
    assert_eq!(short(&file.capture("REPLACE INTO user VALUES('BOB', 2)")), ["touch 'bob'", "insert 'BOB'"]);
    assert_eq!(short(&file.capture("REPLACE INTO user VALUES('BOB', 3)")), ["insert 'BOB'"], "the same row");
}

#[test]
fn replace_by_a_default_that_stands_for_null() {
    for default in ["'a'", "a", "\"a\"", "[a]", "('a')", "x'61'"] {
        let file = File::tracked(&format!(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, k BLOB NOT NULL DEFAULT {default}, v INT, UNIQUE(k, v))"
        ));
        file.capture("INSERT INTO t(v) VALUES(1)");
        file.capture("INSERT INTO t(k, v) VALUES('b', 1)");
        let entries = short(&file.capture("UPDATE OR REPLACE t SET k = NULL WHERE id = 2"));
        assert_eq!(entries, ["touch 1", "update 2 10"], "DEFAULT {default}");
        let entries = short(&file.capture("INSERT OR REPLACE INTO t(k, v) VALUES(NULL, 1)"));
        assert_eq!(entries, ["touch 2", "insert 3"], "DEFAULT {default}");
    }
}

#[test]
fn bob_who_becomes_bob_with_a_capital_is_noticed() {
    let file =
        File::tracked("CREATE TABLE user(name TEXT COLLATE NOCASE PRIMARY KEY, nick TEXT COLLATE NOCASE)");
    file.capture("INSERT INTO user VALUES('bob', 'bob')");
    assert_eq!(short(&file.capture("UPDATE user SET nick = 'Bob'")), ["update 'bob' 10"]);
    assert_eq!(short(&file.capture("UPDATE user SET name = 'Bob'")), ["delete 'bob'", "insert 'Bob'"]);
}

#[test]
fn a_change_of_type_alone_is_a_change() {
    let file = File::tracked("CREATE TABLE t(id INTEGER PRIMARY KEY, any, b BLOB, i INT, s TEXT)");
    file.capture("INSERT INTO t VALUES(1, 1, '1', 1, '1')");
    assert_eq!(short(&file.capture("UPDATE t SET any = 1.0")), ["update 1 10"]);
    assert_eq!(short(&file.capture("UPDATE t SET any = '1'")), ["update 1 10"]);
    assert_eq!(short(&file.capture("UPDATE t SET b = 1")), ["update 1 100"]);
    assert_eq!(short(&file.capture("UPDATE t SET b = x'31'")), ["update 1 100"]);
    assert_eq!(short(&file.capture("UPDATE t SET i = 1.0, s = 1")), ["update 1 0"], "stored as it was");
}

#[test]
fn a_change_of_type_in_a_strict_table() {
    let file = File::tracked("CREATE TABLE t(id INTEGER PRIMARY KEY, a ANY, s TEXT) STRICT");
    file.capture("INSERT INTO t VALUES(1, 1, 'x')");
    assert_eq!(short(&file.capture("UPDATE t SET a = 1.0")), ["update 1 10"]);
    assert_eq!(short(&file.capture("UPDATE t SET s = 'y'")), ["update 1 100"]);
}

#[test]
fn every_kind_of_value_is_told_from_the_others() {
    let file = File::tracked("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    file.capture("INSERT INTO t VALUES(1, NULL)");
    let values = [
        "0",
        "''",
        "x''",
        "NULL",
        "9e999",
        "-9e999",
        "1e308",
        "CAST(x'ff' AS TEXT)",
        "x'ff'",
        "CAST(x'610062' AS TEXT)",
        "'a'",
        "9223372036854775807",
        "9223372036854775808",
        "zeroblob(9)",
        "0.5",
    ];
    for value in values {
        assert_eq!(short(&file.capture(&format!("UPDATE t SET v = {value}"))), ["update 1 10"], "to {value}");
        assert_eq!(
            short(&file.capture(&format!("UPDATE t SET v = {value}"))),
            ["update 1 0"],
            "again {value}"
        );
    }
}

#[test]
fn deletes_that_a_foreign_key_makes() {
    let file = File::tracked(
        "CREATE TABLE list(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE item(id INTEGER PRIMARY KEY, list_id INT REFERENCES list(id) ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE mark(id INTEGER PRIMARY KEY, list_id INT REFERENCES list(id) ON DELETE SET NULL)",
    );
    file.capture("INSERT INTO list VALUES(1, 'a'); INSERT INTO item VALUES(10, 1), (11, 1); INSERT INTO mark VALUES(20, 1)");
    let mut moved = short(&file.capture("DELETE FROM mark; UPDATE list SET id = 2"));
    moved.sort();
    assert_eq!(moved, ["delete 20", "update 10 10", "update 11 10", "update 2 1 old 1"]);
    file.capture("INSERT INTO mark VALUES(20, 2)");
    let mut gone = short(&file.capture("DELETE FROM list"));
    gone.sort();
    assert_eq!(gone, ["delete 10", "delete 11", "delete 2", "update 20 10"]);
}

#[test]
fn triggers_of_the_user_that_write_again() {
    let file = File::tracked(
        "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, updated_at TEXT);
         CREATE TABLE count(name TEXT PRIMARY KEY, n INT);
         INSERT INTO count VALUES('note', 0);
         CREATE TRIGGER stamp AFTER UPDATE OF title ON note BEGIN
           UPDATE note SET updated_at = 'now' WHERE id = NEW.id; END;
         CREATE TRIGGER counted AFTER INSERT ON note BEGIN UPDATE count SET n = n + 1; END;
         CREATE TRIGGER guard BEFORE DELETE ON note WHEN OLD.title = 'keep' BEGIN SELECT RAISE(ABORT, 'kept'); END;",
    );
    let mut inserted = short(&file.capture("INSERT INTO note(title) VALUES('a')"));
    inserted.sort();
    assert_eq!(inserted, ["insert 1", "update 'note' 10"]);
    let mut updated = short(&file.capture("UPDATE note SET title = 'keep'"));
    updated.sort();
    assert_eq!(updated, ["update 1 10", "update 1 100"]);
    file.app.execute_batch("DELETE FROM __pocketsync_journal").unwrap();
    file.app.execute_batch("DELETE FROM note").unwrap_err();
    assert!(file.journal().is_empty());
}

#[test]
fn more_columns_than_an_integer_has_bits() {
    let columns: Vec<String> = (1..=70).map(|n| format!("c{n} INT")).collect();
    let file = File::tracked(&format!("CREATE TABLE wide(id INTEGER PRIMARY KEY, {})", columns.join(", ")));
    file.capture("INSERT INTO wide(c1) VALUES(1)");
    let mask = |set: &[usize]| (0..=70).map(|n| if set.contains(&n) { '1' } else { '0' }).collect::<String>();
    assert_eq!(
        short(&file.capture("UPDATE wide SET c1 = 2, c62 = 1, c63 = 1, c70 = 1")),
        [format!("update 1 {}", mask(&[1, 62, 63, 70]))]
    );
    let edge: Vec<String> = (1..=62).map(|n| format!("c{n} INT")).collect();
    let file = File::tracked(&format!("CREATE TABLE wide(id INTEGER PRIMARY KEY, {})", edge.join(", ")));
    file.capture("INSERT INTO wide(c1) VALUES(1)");
    assert_eq!(
        short(&file.capture("UPDATE wide SET c62 = 1, c1 = 5")),
        [format!("update 1 {:b}", 1_i64 << 62 | 2)]
    );
}

#[test]
fn names_that_need_care() {
    let file = File::tracked(
        r#"CREATE TABLE "select ""all"" from 'x'"("order" INTEGER PRIMARY KEY, "a b" TEXT, "]" TEXT, "'" TEXT);
           CREATE TABLE "Grün"("größe" TEXT PRIMARY KEY, x UNIQUE) WITHOUT ROWID;
           CREATE TABLE "new"("old" INTEGER PRIMARY KEY, "x" TEXT UNIQUE, "where" TEXT)"#,
    );
    let weird = r#""select ""all"" from 'x'""#;
    let entries = file.capture(&format!(
        "INSERT INTO {weird} VALUES(1, 'a', 'b', 'c'); UPDATE {weird} SET \"'\" = 'd'; DELETE FROM {weird}"
    ));
    assert_eq!(short(&entries), ["insert 1", "update 1 1000", "delete 1"]);
    let entries = file.capture("INSERT INTO \"Grün\" VALUES('ä', 1); REPLACE INTO \"Grün\" VALUES('ö', 1)");
    assert_eq!(short(&entries), ["insert 'ä'", "touch 'ä'", "insert 'ö'"]);
    let entries = file
        .capture("INSERT INTO \"new\" VALUES(1, 'x', 'y'); UPDATE \"new\" SET \"old\" = 2, \"where\" = 'z'");
    assert_eq!(short(&entries), ["insert 1", "update 2 101 old 1"]);
}

#[test]
fn a_table_with_columns_named_like_those_of_the_journal() {
    let file =
        File::tracked("CREATE TABLE \"group\"(k TEXT PRIMARY KEY, t, f, m, at, o, n, julianday UNIQUE)");
    assert_eq!(
        short(&file.capture("INSERT INTO \"group\" VALUES('key', 1, 2, 3, 4, 5, 6, 7)")),
        ["insert 'key'"]
    );
    assert_eq!(short(&file.capture("UPDATE \"group\" SET o = 9, k = 'key'")), ["update 'key' 100000"]);
    assert_eq!(
        short(&file.capture("INSERT OR REPLACE INTO \"group\"(k, julianday) VALUES('two', 7)")),
        ["touch 'key'", "insert 'two'"]
    );
}

#[test]
fn keys_of_several_columns() {
    let file = File::tracked(
        "CREATE TABLE member(team TEXT, person INT, role TEXT, PRIMARY KEY(person, team)) WITHOUT ROWID",
    );
    assert_eq!(short(&file.capture("INSERT INTO member VALUES('a', 7, 'x')")), ["insert 7,'a'"]);
    assert_eq!(short(&file.capture("UPDATE member SET role = 'y'")), ["update 7,'a' 100"]);
    assert_eq!(short(&file.capture("UPDATE member SET team = 'b'")), ["delete 7,'a'", "insert 7,'b'"]);
}

#[test]
fn a_key_that_changes_and_refers_to_a_row_says_what_was_written_besides() {
    let file = File::tracked(
        "CREATE TABLE person(id INTEGER PRIMARY KEY);
         CREATE TABLE member(person INT NOT NULL REFERENCES person(id) ON UPDATE CASCADE, team TEXT NOT NULL, role TEXT,
           PRIMARY KEY(person, team)) WITHOUT ROWID;",
    );
    file.capture("INSERT INTO person VALUES(7), (8); INSERT INTO member VALUES(7, 'a', '')");
    assert_eq!(
        short(&file.capture("UPDATE person SET id = 9 WHERE id = 7")),
        ["delete 7,'a'", "insert 9,'a' 1", "update 9,NULL 1 old 7"]
    );
    assert_eq!(
        short(&file.capture("UPDATE member SET person = 8, role = 'x'")),
        ["delete 9,'a'", "insert 8,'a' 101"]
    );
    assert_eq!(short(&file.capture("UPDATE member SET role = 'y'")), ["update 8,'a' 100"]);
    assert_eq!(short(&file.capture("INSERT INTO member VALUES(8, 'b', '')")), ["insert 8,'b'"]);
    // Any program can drop a column still.
    file.capture("ALTER TABLE member DROP COLUMN role");
    assert_eq!(
        short(&file.capture("UPDATE member SET person = 9 WHERE team = 'a'")),
        ["delete 8,'a'", "insert 9,'a' 1"]
    );
}

#[test]
fn rows_with_a_null_in_their_key_are_told_apart_by_rowid() {
    let file = File::tracked("CREATE TABLE p(a TEXT, b TEXT, v TEXT, PRIMARY KEY(a, b))");
    assert_eq!(
        short(&file.capture("INSERT INTO p VALUES('x', NULL, '1'), ('x', NULL, '2'), ('x', 'y', '3')")),
        ["insert 'x',NULL old 1", "insert 'x',NULL old 2", "insert 'x','y'"]
    );
    assert_eq!(short(&file.capture("UPDATE p SET v = '9' WHERE v = '2'")), ["update 'x',NULL 100 old 2"]);
    assert_eq!(short(&file.capture("UPDATE p SET a = NULL WHERE v = '9'")), ["update NULL,NULL 1 old 2"]);
    assert_eq!(
        short(&file.capture("UPDATE p SET a = 'q', b = 'r' WHERE v = '9'")),
        ["delete NULL,NULL old 2", "insert 'q','r'"]
    );
    assert_eq!(short(&file.capture("DELETE FROM p WHERE v = '1'")), ["delete 'x',NULL old 1"]);
}

#[test]
fn columns_that_hide_the_rowid() {
    let file = File::tracked("CREATE TABLE p(rowid TEXT, oid TEXT, PRIMARY KEY(rowid))");
    assert_eq!(short(&file.capture("INSERT INTO p VALUES(NULL, 'x')")), ["insert NULL old 1"]);
}

#[test]
fn generated_columns_are_left_out() {
    let file = File::tracked(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, twice INT AS (a * 2) STORED, b INT, thrice AS (a * 3))",
    );
    file.capture("INSERT INTO t(a, b) VALUES(1, 1)");
    assert_eq!(short(&file.capture("UPDATE t SET a = 2")), ["update 1 10"]);
    assert_eq!(short(&file.capture("UPDATE t SET b = 2")), ["update 1 100"]);
}

#[test]
fn a_connection_that_trusts_no_schema_can_write() {
    let file = File::tracked(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE); CREATE TABLE u(k TEXT PRIMARY KEY, v)",
    );
    let careful = Connection::open(&file.path).unwrap();
    careful
        .execute_batch(
            "PRAGMA trusted_schema = OFF; INSERT INTO t(a) VALUES(1); UPDATE t SET a = 2; DELETE FROM t;
             INSERT INTO u VALUES('a', 1); UPDATE u SET k = 'b'",
        )
        .unwrap();
    assert_eq!(file.journal().len(), 6);
}

#[test]
fn writes_through_an_attached_file() {
    let file = File::tracked(NOTES);
    let other = Connection::open_in_memory().unwrap();
    other.execute("ATTACH ?1 AS app", [file.path.to_str().unwrap()]).unwrap();
    other.execute_batch("INSERT INTO app.note(title) VALUES('a')").unwrap();
    assert_eq!(short(&file.journal()), ["insert 1"]);
}
