//! Migrations by the application, seen by the engine afterwards.

use crate::tracking_support::{File, short};
use pocketsync_core::store::StoreErrorKind;
use pocketsync_core::store::sqlite::{fold, refs};
use pocketsync_core::value::Value;

/// The engine's next transaction, without folding.
fn look(file: &mut File) {
    file.engine.write(|_| Ok(())).unwrap();
}

fn fold_all(file: &mut File) {
    file.engine.write(fold::run).unwrap();
    assert!(file.journal().is_empty());
}

fn suspect(file: &File) -> bool {
    file.app.query_row("SELECT max(suspect) FROM __pocketsync_table", [], |row| row.get(0)).unwrap()
}

const NOTES: &str = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT)";

#[test]
fn writes_to_a_new_column_before_the_engine_looks_are_kept() {
    let mut file = File::tracked(NOTES);
    file.app.execute_batch("INSERT INTO note(title) VALUES('a'), ('b'), ('c'), ('d')").unwrap();
    fold_all(&mut file);
    file.app
        .execute_batch(
            "ALTER TABLE note ADD COLUMN stars INT DEFAULT 3;
             UPDATE note SET stars = 5 WHERE id = 1;
             UPDATE note SET stars = 4, title = 'B' WHERE id = 2;
             UPDATE note SET body = 'x' WHERE id = 3;",
        )
        .unwrap();
    assert_eq!(short(&file.journal()), ["update 1 0", "update 2 10", "update 3 100"], "the old triggers");
    look(&mut file);
    assert_eq!(short(&file.journal()), ["update 1 1000", "update 2 1010", "update 3 100"]);
    assert!(!suspect(&file));
    file.app
        .execute_batch("DELETE FROM __pocketsync_journal; UPDATE note SET stars = 1 WHERE id = 4")
        .unwrap();
    assert_eq!(short(&file.journal()), ["update 4 1000"], "the new triggers");
}

#[test]
fn a_column_that_was_written_while_no_engine_was_open() {
    let mut file = File::tracked(NOTES);
    file.app.execute_batch("INSERT INTO note(title) VALUES('a'); DELETE FROM __pocketsync_journal").unwrap();
    file.app.execute_batch("ALTER TABLE note ADD COLUMN stars INT; UPDATE note SET stars = 5").unwrap();
    file.reopen();
    look(&mut file);
    assert_eq!(short(&file.journal()), ["update 1 1000"]);
}

#[test]
fn a_column_too_many_for_an_integer_mask() {
    let columns: Vec<String> = (1..=62).map(|n| format!("c{n}")).collect();
    let mut file =
        File::tracked(&format!("CREATE TABLE wide(id INTEGER PRIMARY KEY, {})", columns.join(", ")));
    file.capture("INSERT INTO wide(id) VALUES(1)");
    file.capture("ALTER TABLE wide ADD COLUMN c63; UPDATE wide SET c63 = 1, c5 = 1");
    look(&mut file);
    let mask: String = (0..=63).map(|n| if n == 5 || n == 63 { '1' } else { '0' }).collect();
    assert_eq!(short(&file.journal()), [format!("update 1 {mask}")]);
    assert_eq!(short(&file.capture("UPDATE wide SET c63 = 2, c5 = 2")), [format!("update 1 {mask}")]);
}

#[test]
fn a_rebuilt_table_is_suspect_and_is_compared() {
    let mut file = File::tracked(
        "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT); CREATE TABLE tag(k TEXT PRIMARY KEY)",
    );
    file.app
        .execute_batch("INSERT INTO note VALUES(1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO tag VALUES('x')")
        .unwrap();
    fold_all(&mut file);
    file.app
        .execute_batch(
            "BEGIN; CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT NOT NULL, more TEXT);
             INSERT INTO fresh SELECT id, title, NULL FROM note WHERE id <> 2;
             INSERT INTO fresh VALUES(9, 'new', 'm');
             DROP TABLE note; ALTER TABLE fresh RENAME TO note; COMMIT;",
        )
        .unwrap();
    look(&mut file);
    assert_eq!(short(&file.journal()), ["insert 9", "delete 2"]);
    assert!(suspect(&file));
    fold_all(&mut file);
    look(&mut file);
    assert!(file.journal().is_empty(), "compared once");
    assert_eq!(short(&file.capture("UPDATE note SET more = 'x' WHERE id = 1")), ["update 1 100"]);
}

#[test]
fn a_rebuilt_table_with_a_declared_key_is_compared() {
    let schema = "CREATE TABLE p(a TEXT COLLATE NOCASE, b TEXT, v, PRIMARY KEY(a, b))";
    let mut file = File::tracked(schema);
    file.app
        .execute_batch("INSERT INTO p VALUES('x', '1', 0), ('y', '1', 0), ('z', NULL, 0), ('z', NULL, 1)")
        .unwrap();
    fold_all(&mut file);
    file.app
        .execute_batch(&format!(
            "BEGIN; ALTER TABLE p RENAME TO old; {schema};
             INSERT INTO p(rowid, a, b, v) SELECT rowid, upper(a), b, v FROM old WHERE v = 0; DROP TABLE old; COMMIT"
        ))
        .unwrap();
    look(&mut file);
    let mut entries = short(&file.journal());
    entries.sort();
    assert_eq!(
        entries,
        ["delete 'x','1'", "delete 'y','1'", "delete NULL,NULL old 4", "insert 'X','1'", "insert 'Y','1'"]
    );
}

#[test]
fn what_waits_in_the_journal_is_not_taken_for_unseen() {
    let mut file = File::tracked(NOTES);
    file.app.execute_batch("INSERT INTO note(id) VALUES(1), (2)").unwrap();
    fold_all(&mut file);
    file.app
        .execute_batch(
            "UPDATE note SET id = 5 WHERE id = 1; DELETE FROM note WHERE id = 2; INSERT INTO note(id) VALUES(7);
             DROP TRIGGER __pocketsync_1_insert",
        )
        .unwrap();
    let before = file.journal();
    look(&mut file);
    assert_eq!(file.journal(), before);
    assert!(suspect(&file));
}

#[test]
fn a_table_that_is_gone_for_a_while_keeps_its_rows() {
    let mut file = File::tracked(NOTES);
    file.app.execute_batch("INSERT INTO note(id, title) VALUES(1, 'a')").unwrap();
    fold_all(&mut file);
    file.app.execute_batch("CREATE TABLE copy AS SELECT * FROM note; DROP TABLE note").unwrap();
    look(&mut file);
    assert!(file.engine.catalog.by_name("note").is_none());
    file.app
        .execute_batch(&format!("{NOTES}; INSERT INTO note SELECT * FROM copy; DROP TABLE copy"))
        .unwrap();
    look(&mut file);
    assert!(file.journal().is_empty(), "row 1 has its clock yet");
    assert!(suspect(&file));
}

#[test]
fn writes_to_a_table_that_is_gone_for_a_while_wait_for_it() {
    let mut file = File::tracked(&format!("{NOTES}; CREATE TABLE tag(name TEXT PRIMARY KEY)"));
    file.app.execute_batch("INSERT INTO note(id, title) VALUES(1, 'a')").unwrap();
    fold_all(&mut file);
    file.app
        .execute_batch(
            "UPDATE note SET title = 'b'; INSERT INTO tag VALUES('x');
             CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT, body TEXT); INSERT INTO fresh SELECT * FROM note;
             DROP TABLE note",
        )
        .unwrap();
    let jumps = file.engine.meta.jump;
    for _ in 0..2 {
        file.engine.write(fold::run).unwrap();
        assert_eq!(short(&file.journal()), ["update 1 10"]);
    }
    file.app.execute_batch("ALTER TABLE fresh RENAME TO note").unwrap();
    let head = file.engine.meta.head as u64;
    fold_all(&mut file);
    let no = file.engine.catalog.by_name("note").unwrap().no;
    let (_, clock) = refs::clock(&file.engine, no, &[Value::Integer(1)]).unwrap().unwrap();
    assert_eq!(clock.column(1).1, head + 1, "the update was sent");
    assert_eq!(file.engine.meta.jump, jumps);
}

#[test]
fn a_renamed_table_keeps_its_number() {
    let mut file = File::tracked(NOTES);
    file.app.execute_batch("ALTER TABLE note RENAME TO memo").unwrap();
    let no = file.engine.catalog.by_name("note").unwrap().no;
    look(&mut file);
    assert_eq!(file.engine.catalog.by_name("memo").unwrap().no, no);
    assert!(!suspect(&file));
    assert_eq!(
        short(&file.capture("INSERT INTO memo(title) VALUES('a'); UPDATE memo SET body = 'b'")),
        ["insert 1,NULL", "update 1,NULL 100"]
    );
}

#[test]
fn a_renamed_column_keeps_its_number_and_costs_nothing() {
    let mut file = File::tracked(&format!("{NOTES}; CREATE TABLE p(a, b, v, w, PRIMARY KEY(a, b))"));
    file.app
        .execute_batch("INSERT INTO note VALUES(1, 'a', 'x'), (2, 'b', 'y'); INSERT INTO p VALUES(1, NULL, 3, 4), (1, 2, 3, 4)")
        .unwrap();
    fold_all(&mut file);
    let clocks = |file: &File| -> Vec<Vec<u8>> {
        let sql = "SELECT r FROM __pocketsync_clock_1 UNION ALL SELECT r FROM __pocketsync_clock_2";
        let mut statement = file.app.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let before = clocks(&file);
    file.app
        .execute_batch(
            "ALTER TABLE note RENAME COLUMN title TO \"new \"\"title\"; ALTER TABLE p RENAME COLUMN v TO value;
             UPDATE note SET body = 'z', \"new \"\"title\" = 'q' WHERE id = 2",
        )
        .unwrap();
    look(&mut file);
    let note = file.engine.catalog.by_name("note").unwrap();
    assert_eq!((note.columns[1].name.as_str(), note.columns[1].no), ("new \"title", 1));
    assert_eq!(clocks(&file), before);
    let of_note = |file: &File| -> Vec<String> {
        let entries: Vec<_> = file.journal().into_iter().filter(|entry| entry.table == 1).collect();
        short(&entries)
    };
    assert_eq!(of_note(&file), ["update 2,NULL 110"]);
    look(&mut file);
    file.app.execute_batch("UPDATE note SET \"new \"\"title\" = 'r' WHERE id = 1").unwrap();
    assert_eq!(of_note(&file)[1..], ["update 1,NULL 10"]);
}

#[test]
fn a_column_of_a_wide_table_is_renamed() {
    let columns: Vec<String> = (1..=70).map(|n| format!("c{n}")).collect();
    let mut file =
        File::tracked(&format!("CREATE TABLE wide(id INTEGER PRIMARY KEY, {})", columns.join(", ")));
    file.app.execute_batch("ALTER TABLE wide RENAME COLUMN c68 TO last").unwrap();
    look(&mut file);
    let wide = file.engine.catalog.by_name("wide").unwrap();
    assert_eq!((wide.columns[68].name.as_str(), wide.columns[68].no), ("last", 68));
}

#[test]
fn a_column_that_takes_the_place_of_another_is_not_taken_for_it() {
    let mut file = File::tracked(NOTES);
    file.app
        .execute_batch(
            "BEGIN; CREATE TABLE fresh(id INTEGER PRIMARY KEY, heading TEXT, body TEXT); DROP TABLE note;
             ALTER TABLE fresh RENAME TO note; COMMIT",
        )
        .unwrap();
    look(&mut file);
    let numbers: Vec<u32> =
        file.engine.catalog.by_name("note").unwrap().columns.iter().map(|column| column.no).collect();
    assert_eq!(numbers, [0, 2, 3]);
}

#[test]
fn a_new_unique_index_brings_touch_triggers() {
    let mut file = File::tracked(NOTES);
    file.app.execute_batch("INSERT INTO note(id, title) VALUES(1, 'a')").unwrap();
    fold_all(&mut file);
    file.app
        .execute_batch(
            "CREATE UNIQUE INDEX titles ON note(title); REPLACE INTO note(id, title) VALUES(2, 'a')",
        )
        .unwrap();
    look(&mut file);
    assert_eq!(
        short(&file.journal()),
        ["insert 2", "delete 1"],
        "row 1 was removed before the trigger was there"
    );
    assert_eq!(short(&file.capture("REPLACE INTO note(id, title) VALUES(3, 'a')")), ["touch 2", "insert 3"]);
    file.app.execute_batch("DROP INDEX titles").unwrap();
    look(&mut file);
    assert_eq!(short(&file.capture("INSERT INTO note(id, title) VALUES(4, 'a')")), ["insert 4"]);
}

#[test]
fn a_table_without_a_primary_key_stops_the_engine_with_a_way_out() {
    let mut file = File::tracked(NOTES);
    file.app.execute_batch("DROP TABLE note; CREATE TABLE note(id TEXT, title TEXT)").unwrap();
    let error = file.engine.write(|_| Ok(())).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unsupported);
    assert!(error.message.contains("table note") && error.message.contains("untrack"), "{error}");
}

#[test]
fn any_program_can_drop_a_column() {
    let mut file = File::tracked(NOTES);
    file.app.execute_batch("INSERT INTO note(title) VALUES('a')").unwrap();
    fold_all(&mut file);
    file.app.execute_batch("ALTER TABLE note DROP COLUMN body; UPDATE note SET title = 'c'").unwrap();
    assert_eq!(short(&file.journal()), ["update 1 10"], "the old trigger goes on");
    look(&mut file);
    assert!(!suspect(&file));
    assert_eq!(short(&file.capture("UPDATE note SET title = 'b'")), ["update 1 10"]);
    file.app.execute_batch("ALTER TABLE note ADD COLUMN body TEXT; UPDATE note SET body = 'b'").unwrap();
    look(&mut file);
    assert_eq!(short(&file.journal())[1..], ["update 1 100"], "back under its number");
}

#[test]
fn every_column_of_a_wide_table_can_be_dropped_at_once() {
    let columns: Vec<String> = (1..=70).map(|n| format!("c{n}")).collect();
    let mut file =
        File::tracked(&format!("CREATE TABLE wide(id INTEGER PRIMARY KEY, {})", columns.join(", ")));
    file.capture("INSERT INTO wide(id) VALUES(1)");
    for column in &columns[1..] {
        file.app.execute_batch(&format!("ALTER TABLE wide DROP COLUMN {column}")).unwrap();
    }
    let mask: String = (0..=70).map(|n| if n == 1 { '1' } else { '0' }).collect();
    assert_eq!(short(&file.capture("UPDATE wide SET c1 = 1")), [format!("update 1 {mask}")]);
    look(&mut file);
    assert_eq!(short(&file.capture("UPDATE wide SET c1 = 2")).len(), 1);
}
