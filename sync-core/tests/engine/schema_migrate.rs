//! Migrations as tools write them, run by the tool or by the engine, while the engine is open or
//! away.

use crate::replica_support::Device;
use pocketsync_core::store::sqlite::{Migration, SchemaWarning, Tables};

const SCHEMA: &str = "CREATE TABLE folder(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT, folder INTEGER REFERENCES folder(id) ON DELETE CASCADE)";

/// The literal scripts of the tools.
const SCRIPTS: [(&str, &str); 3] = [
    ("alembic", include_str!("migrations/alembic.sql")),
    ("django", include_str!("migrations/django.sql")),
    ("room", include_str!("migrations/room.sql")),
];

fn exchange(devices: &[&Device]) {
    for _ in 0..3 {
        for to in devices {
            for from in devices.iter().filter(|from| from.path != to.path) {
                to.pull(from);
            }
        }
    }
}

fn sql(device: &Device, statements: &str) {
    device.app.execute_batch(statements).unwrap();
}

fn notes(device: &Device, column: &str) -> Vec<String> {
    device.rows(&format!(
        "SELECT {column} || ' in ' || coalesce(name, '-') FROM note LEFT JOIN folder ON folder.id = note.folder ORDER BY 1"
    ))
}

/// Two devices that hold the same notes; the first has an edit that nobody has seen.
fn pair() -> (Device, Device) {
    let (a, b) = (Device::new(SCHEMA), Device::new(SCHEMA));
    sql(
        &a,
        "INSERT INTO folder VALUES(1, 'home'); INSERT INTO note(title, body, folder) VALUES('a', 'x', 1), ('b', 'y', NULL)",
    );
    sql(
        &b,
        "INSERT INTO folder VALUES(1, 'work'); INSERT INTO note(title, body, folder) VALUES('c', 'z', 1)",
    );
    exchange(&[&a, &b]);
    sql(&a, "UPDATE note SET title = 'A' WHERE title = 'a'");
    (a, b)
}

#[test]
fn scripts_of_tools_through_migrate_lose_nothing() {
    for (tool, script) in SCRIPTS {
        let (a, b) = pair();
        let migration = Migration::new(script).rename_column("note", "title", "heading");
        let report = a.replica.migrate(&migration).unwrap();
        assert_eq!(report.rebuilt, ["note"], "{tool}");
        assert_eq!(report.renamed, [("note.heading".to_owned(), "note.title".to_owned())], "{tool}");
        assert_eq!(report.changed_rows, 0, "{tool}");
        assert_eq!(report.warnings, [], "{tool}");
        sql(
            &b,
            "UPDATE note SET title = 'B' WHERE title = 'b'; UPDATE note SET body = 'zz' WHERE title = 'c'",
        );
        exchange(&[&a, &b]);
        assert_eq!(notes(&a, "heading"), ["A in home", "B in -", "c in work"], "{tool}");
        assert_eq!(notes(&b, "title"), ["A in home", "B in -", "c in work"], "{tool}");
        assert_eq!(b.rows("SELECT body FROM note ORDER BY title"), ["x", "y", "zz"], "{tool}");
        let migration = Migration::new(script).rename_column("note", "title", "heading");
        b.replica.migrate(&migration).unwrap();
        sql(&b, "UPDATE note SET stars = 5, heading = 'C' WHERE heading = 'c'");
        exchange(&[&a, &b]);
        for device in [&a, &b] {
            assert_eq!(notes(device, "heading"), ["A in home", "B in -", "C in work"], "{tool}");
            assert_eq!(
                device.rows("SELECT stars || '' FROM note ORDER BY heading"),
                ["0", "0", "5"],
                "{tool}"
            );
            assert_eq!(device.replica.status().unwrap().parked, 0, "{tool}");
        }
    }
}

#[test]
fn scripts_of_tools_run_by_the_tool_lose_nothing_once_the_rename_is_declared() {
    for (tool, script) in SCRIPTS {
        for away in [false, true] {
            let (a, b) = pair();
            let a = if away {
                let path = a.path.clone();
                let Device { _dir, app, replica, .. } = a;
                drop(replica);
                app.execute_batch(script).unwrap();
                let replica =
                    pocketsync_core::store::sqlite::Replica::open(&path, Default::default()).unwrap();
                Device { _dir, path, app, replica }
            } else {
                sql(&a, script);
                a
            };
            a.identity();
            let warnings = a.replica.status().unwrap().schema_warnings;
            assert!(warnings.contains(&SchemaWarning::MaybeRenamed {
                table: "note".to_owned(),
                gone: vec!["body".to_owned(), "title".to_owned()],
                new: "heading".to_owned(),
            }));
            assert!(warnings.contains(&SchemaWarning::Suspect { table: "note".to_owned() }), "{tool}");
            let declared = Migration::default().rename_column("note", "title", "heading");
            a.replica.migrate(&declared).unwrap();
            a.replica.trust("note").unwrap();
            assert_eq!(a.replica.status().unwrap().schema_warnings, [], "{tool}");
            exchange(&[&a, &b]);
            assert_eq!(notes(&a, "heading"), ["A in home", "b in -", "c in work"], "{tool}");
            assert_eq!(notes(&b, "title"), ["A in home", "b in -", "c in work"], "{tool}");
            sql(&b, "UPDATE note SET title = 'B' WHERE title = 'b'");
            sql(&a, "UPDATE note SET heading = 'C' WHERE heading = 'c'");
            exchange(&[&a, &b]);
            assert_eq!(notes(&a, "heading"), ["A in home", "B in -", "C in work"], "{tool}");
            assert_eq!(notes(&b, "title"), ["A in home", "B in -", "C in work"], "{tool}");
        }
    }
}

#[test]
fn values_that_a_rebuild_changes_are_sent_when_the_engine_runs_it() {
    let (a, b) = pair();
    let report = a
        .replica
        .migrate(&Migration::new(
            "CREATE TABLE fresh(id INTEGER PRIMARY KEY, title TEXT, body TEXT, folder INTEGER REFERENCES folder(id));
             INSERT INTO fresh SELECT id, upper(title), body, folder FROM note WHERE title <> 'b';
             DROP TABLE note; ALTER TABLE fresh RENAME TO note;",
        ))
        .unwrap();
    assert_eq!((report.changed_rows, report.warnings), (1, Vec::new()), "a is A already, b is gone");
    exchange(&[&a, &b]);
    assert_eq!(notes(&b, "title"), ["A in home", "C in work"]);
}

#[test]
fn a_table_that_a_script_puts_in_the_place_of_another_is_declared() {
    let (a, b) = pair();
    let migration = Migration::new(
        "CREATE TABLE memo(id INTEGER PRIMARY KEY, heading TEXT, folder INTEGER REFERENCES folder(id));
         INSERT INTO memo SELECT id, title, folder FROM note; DROP TABLE note;",
    )
    .rename_table("note", "memo")
    .rename_column("memo", "title", "heading");
    let report = a.replica.migrate(&migration).unwrap();
    assert_eq!(
        report.renamed,
        [("memo".to_owned(), "note".to_owned()), ("memo.heading".to_owned(), "note.title".to_owned())]
    );
    sql(&b, "UPDATE note SET title = 'B' WHERE title = 'b'");
    sql(&a, "UPDATE memo SET heading = 'C' WHERE heading = 'c'");
    exchange(&[&a, &b]);
    assert_eq!(a.rows("SELECT heading FROM memo ORDER BY 1"), ["A", "B", "C"]);
    assert_eq!(b.rows("SELECT title FROM note ORDER BY 1"), ["A", "B", "C"]);
}

#[test]
fn a_script_that_fails_or_only_pretends_changes_nothing() {
    let (a, _b) = pair();
    let before =
        (a.rows("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"), notes(&a, "title"));
    let error =
        a.replica.migrate(&Migration::new("ALTER TABLE note ADD COLUMN n; DROP TABLE nothing;")).unwrap_err();
    assert!(error.message.contains("statement 2"), "{error}");
    let error = a.replica.migrate(&Migration::new("DELETE FROM folder")).unwrap_err();
    assert!(error.message.contains("note") && error.message.contains("folder"), "{error}");
    let error =
        a.replica.migrate(&Migration::default().rename_column("note", "titel", "heading")).unwrap_err();
    assert!(error.message.contains("titel"), "{error}");
    let report = a
        .replica
        .migrate(&Migration::new("ALTER TABLE note RENAME COLUMN title TO t").dry_run(true))
        .unwrap();
    assert_eq!(report.renamed, [("note.t".to_owned(), "note.title".to_owned())]);
    let after =
        (a.rows("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"), notes(&a, "title"));
    assert_eq!(before, after);
    sql(&a, "UPDATE note SET title = 'still captured'");
    assert!(a.replica.status().unwrap().journal > 0);
}

#[test]
fn the_application_s_triggers_run_once_for_what_a_script_writes() {
    let a = Device::new("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)");
    sql(
        &a,
        "CREATE TABLE log(id INTEGER PRIMARY KEY, n INT);
             CREATE TRIGGER logged AFTER INSERT ON note BEGIN INSERT INTO log(n) VALUES(new.id); END",
    );
    a.identity();
    a.replica.migrate(&Migration::new("INSERT INTO note(title) VALUES('a'), ('b')")).unwrap();
    assert_eq!(a.rows("SELECT count(*) || '' FROM log"), ["2"]);
    let b = Device::new("CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT)");
    b.pull(&a);
    assert_eq!(b.rows("SELECT title FROM note ORDER BY 1"), ["a", "b"]);
}

#[test]
fn a_table_with_another_primary_key_goes_on_and_its_rows_are_followed() {
    let schema = "CREATE TABLE tag(name TEXT PRIMARY KEY, n INT)";
    let (a, b) = (Device::new(schema), Device::new(schema));
    sql(&a, "INSERT INTO tag VALUES('x', 1), ('y', 2)");
    exchange(&[&a, &b]);
    sql(&b, "UPDATE tag SET n = 3 WHERE name = 'y'");
    let script = "CREATE TABLE fresh(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INT);
        INSERT INTO fresh(name, n) SELECT name, n FROM tag ORDER BY name; DROP TABLE tag; ALTER TABLE fresh RENAME TO tag;";
    sql(&a, script);
    a.identity();
    let said: Vec<String> =
        a.replica.status().unwrap().schema_warnings.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|line| line.contains("tag") && line.contains("primary key")), "{said:?}");
    b.replica.migrate(&Migration::new(script)).unwrap();
    exchange(&[&a, &b]);
    for device in [&a, &b] {
        assert_eq!(device.rows("SELECT name || n FROM tag ORDER BY 1"), ["x1", "y3"]);
    }
    sql(&a, "INSERT INTO tag(name, n) VALUES('z', 9); UPDATE tag SET n = 4 WHERE name = 'x'");
    exchange(&[&a, &b]);
    assert_eq!(b.rows("SELECT name || n FROM tag ORDER BY 1"), ["x4", "y3", "z9"]);
}

#[test]
fn an_integer_key_that_becomes_a_part_of_a_longer_one() {
    let schema = "CREATE TABLE item(id INTEGER PRIMARY KEY, label TEXT)";
    let (a, b) = (Device::new(schema), Device::new(schema));
    sql(&a, "INSERT INTO item VALUES(1, 'p'), (2, 'q')");
    exchange(&[&a, &b]);
    sql(&b, "UPDATE item SET label = 'Q' WHERE id = 2");
    let script = "CREATE TABLE fresh(owner TEXT NOT NULL, id INTEGER NOT NULL, label TEXT, PRIMARY KEY(owner, id));
        INSERT INTO fresh SELECT 'me', id, label FROM item; DROP TABLE item; ALTER TABLE fresh RENAME TO item;";
    for device in [&a, &b] {
        device.replica.migrate(&Migration::new(script)).unwrap();
    }
    exchange(&[&a, &b]);
    for device in [&a, &b] {
        assert_eq!(device.rows("SELECT label FROM item ORDER BY id"), ["p", "Q"]);
        assert_eq!(device.replica.status().unwrap().parked, 0);
    }
}

#[test]
fn a_dropped_table_is_deleted_nowhere_and_comes_back() {
    let (a, b) = pair();
    a.replica.migrate(&Migration::new("DROP TABLE note")).unwrap();
    let warnings = a.replica.status().unwrap().schema_warnings;
    assert_eq!(warnings, [SchemaWarning::Missing { table: "note".to_owned() }]);
    exchange(&[&a, &b]);
    assert_eq!(notes(&b, "title").len(), 3);
    sql(&b, "UPDATE note SET body = 'new' WHERE title = 'b'");
    exchange(&[&a, &b]);
    a.replica.migrate(&Migration::new("CREATE TABLE tag(name TEXT PRIMARY KEY)")).unwrap();
    a.replica.track(&Tables::all()).unwrap();
    sql(&a, "INSERT INTO tag VALUES('x')");
    exchange(&[&a, &b]);
    assert_eq!(b.replica.status().unwrap().parked, 1, "a table that b does not have yet");
}
