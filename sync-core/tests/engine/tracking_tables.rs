//! Which tables are tracked and how, and that untracking leaves nothing.

use crate::tracking_support::File;
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::sqlite::catalog::{Catalog, IdentityKind, Reference, Table};
use pocketsync_core::store::sqlite::tracking::{
    Tables, TrackError, TrackedTable, Warning, table_triggers, track, untrack,
};

fn table<'a>(catalog: &'a Catalog, name: &str) -> &'a Table {
    catalog.by_name(name).unwrap_or_else(|| panic!("{name} is not tracked"))
}

fn reference(file: &File, table_name: &str, column: &str) -> Option<(String, String)> {
    let catalog = &file.engine.catalog;
    let column = table(catalog, table_name).columns.iter().find(|it| it.name == column).unwrap();
    let Reference { table, column } = column.reference.clone()?;
    Some((catalog.tables[&table].name.clone(), column))
}

fn some(table: &str, column: &str) -> Option<(String, String)> {
    Some((table.to_owned(), column.to_owned()))
}

/// Everything that the schema holds.
fn schema(conn: &Connection) -> Vec<(String, String, String, Option<String>)> {
    conn.prepare("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn what_identifies_a_row() {
    let file = File::tracked(
        "CREATE TABLE a(id INTEGER PRIMARY KEY);
         CREATE TABLE auto(id INTEGER PRIMARY KEY AUTOINCREMENT);
         CREATE TABLE descending(id INTEGER PRIMARY KEY DESC);
         CREATE TABLE late(x, id INTEGER, PRIMARY KEY(id));
         CREATE TABLE int_key(id INT PRIMARY KEY);
         CREATE TABLE no_rowid(id INTEGER PRIMARY KEY) WITHOUT ROWID;
         CREATE TABLE text_key(id TEXT PRIMARY KEY NOT NULL);
         CREATE TABLE pair(a TEXT NOT NULL, b TEXT, PRIMARY KEY(b, a));
         CREATE TABLE companion(id INTEGER PRIMARY KEY REFERENCES a(id));",
    );
    let kinds: Vec<_> =
        ["a", "auto", "descending", "late", "int_key", "no_rowid", "text_key", "pair", "companion"]
            .map(|name| {
                let table = table(&file.engine.catalog, name);
                (name, table.is_surrogate(), table.without_rowid, table.nullable_key)
            })
            .into();
    assert_eq!(
        kinds,
        [
            ("a", true, false, false),
            ("auto", true, false, false),
            ("descending", false, false, true),
            ("late", true, false, false),
            ("int_key", false, false, true),
            ("no_rowid", false, true, false),
            ("text_key", false, false, false),
            ("pair", false, false, true),
            ("companion", false, false, false),
        ]
    );
    assert_eq!(table(&file.engine.catalog, "pair").key, [1, 0], "in key order");
    assert_eq!(reference(&file, "companion", "id"), some("a", "id"));
}

#[test]
fn an_integer_key_can_be_declared_natural() {
    let mut file =
        File::new("CREATE TABLE event(id INTEGER PRIMARY KEY); CREATE TABLE note(id INTEGER PRIMARY KEY)");
    let tables = Tables::all().natural_key("EVENT");
    let report = track(&mut file.engine, &tables).unwrap();
    let kinds: Vec<_> = report.iter().map(|it| (it.name.as_str(), it.identity)).collect();
    assert_eq!(kinds, [("event", IdentityKind::Natural), ("note", IdentityKind::Surrogate)]);
    let error = track(&mut file.engine, &Tables::all().natural_key("note")).unwrap_err();
    assert_eq!(error.code(), "identity_fixed");
}

#[test]
fn references_are_followed_to_the_row_that_they_mean() {
    let file = File::tracked(
        "CREATE TABLE post(id INTEGER PRIMARY KEY, slug TEXT UNIQUE);
         CREATE TABLE tag(name TEXT PRIMARY KEY);
         CREATE TABLE post_tag(post_id INT REFERENCES post, tag TEXT REFERENCES tag, PRIMARY KEY(post_id, tag));
         CREATE TABLE pin(post_id INT, tag TEXT, note TEXT, PRIMARY KEY(post_id, tag),
           FOREIGN KEY(post_id, tag) REFERENCES post_tag(post_id, tag));
         CREATE TABLE profile(id INTEGER PRIMARY KEY, owner INT UNIQUE REFERENCES post(id));
         CREATE TABLE badge(id INTEGER PRIMARY KEY, owner INT REFERENCES profile(owner));
         CREATE TABLE link(id INTEGER PRIMARY KEY, to_slug TEXT REFERENCES POST(SLUG));
         CREATE TABLE tree(id INTEGER PRIMARY KEY, parent INT REFERENCES tree);",
    );
    assert_eq!(reference(&file, "post_tag", "post_id"), some("post", "id"));
    assert_eq!(reference(&file, "post_tag", "tag"), None, "a natural key travels as it is");
    assert_eq!(reference(&file, "pin", "post_id"), some("post", "id"), "through the join table's key");
    assert_eq!(reference(&file, "badge", "owner"), some("post", "id"), "through a unique column");
    assert_eq!(reference(&file, "link", "to_slug"), some("post", "slug"));
    assert_eq!(reference(&file, "tree", "parent"), some("tree", "id"));
    let pin = &table(&file.engine.catalog, "pin").foreign_keys[0];
    assert_eq!((pin.columns.as_slice(), pin.parent_columns.join(",").as_str()), (&[0, 1][..], "post_id,tag"));
}

#[test]
fn references_in_a_circle_end() {
    let file = File::tracked(
        "CREATE TABLE a(k TEXT PRIMARY KEY REFERENCES b(k)); CREATE TABLE b(k TEXT PRIMARY KEY REFERENCES a(k))",
    );
    assert_eq!(reference(&file, "a", "k"), None);
}

#[test]
fn unique_keys_and_what_cannot_be_one() {
    let mut file = File::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE COLLATE NOCASE, b, c, d AS (b + 1) STORED, UNIQUE(b, c));
         CREATE UNIQUE INDEX partial ON t(c) WHERE b IS NOT NULL;
         CREATE UNIQUE INDEX expression ON t(lower(a));
         CREATE UNIQUE INDEX generated ON t(d);
         CREATE INDEX plain ON t(b);
         CREATE TABLE n(name TEXT COLLATE NOCASE PRIMARY KEY);",
    );
    let report = track(&mut file.engine, &Tables::all()).unwrap();
    let keys = |name| {
        table(&file.engine.catalog, name)
            .unique_keys
            .iter()
            .map(|key| key.columns.iter().map(|(at, collation)| (*at, collation.name())).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys("t"), [vec![(1, "NOCASE")], vec![(2, "BINARY"), (3, "BINARY")]]);
    assert_eq!(keys("n"), [vec![(0, "NOCASE")]]);
    let warned = |index: &str| Warning::UnsupportedUnique { index: index.to_owned() };
    assert_eq!(report[1].warnings, [warned("partial"), warned("expression"), warned("generated")]);
}

#[test]
fn what_looks_like_a_reference_is_warned_of() {
    let mut file = File::new(
        "CREATE TABLE user(id INTEGER PRIMARY KEY);
         CREATE TABLE categories(id INTEGER PRIMARY KEY);
         CREATE TABLE note(id INTEGER PRIMARY KEY, user_id INTEGER, categoryId INT, external_id TEXT, valid INT,
           owner_id INT REFERENCES user(id), thing_id BIGINT, parent_id INT REFERENCES skipped(id));
         CREATE TABLE skipped(id INTEGER PRIMARY KEY);",
    );
    let report = track(&mut file.engine, &Tables::only(["user", "categories", "note"])).unwrap();
    let note = report.iter().find(|it| it.name == "note").unwrap();
    let undeclared = |column: &str, parent: Option<&str>| Warning::UndeclaredReference {
        column: column.to_owned(),
        parent: parent.map(str::to_owned),
    };
    assert_eq!(
        note.warnings,
        [
            undeclared("user_id", Some("user")),
            undeclared("categoryId", Some("categories")),
            undeclared("thing_id", None),
            Warning::UntrackedParent { columns: vec!["parent_id".to_owned()], parent: "skipped".to_owned() },
        ]
    );
    assert!(note.warnings[0].to_string().contains("REFERENCES user"));
}

#[test]
fn a_table_without_a_key_is_refused_and_nothing_happens() {
    let mut file = File::new("CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE log(line TEXT)");
    let before = schema(&file.app);
    let error = track(&mut file.engine, &Tables::all()).unwrap_err();
    assert!(matches!(&error, TrackError::NoPrimaryKey { name } if name == "log"), "{error}");
    assert!(error.to_string().contains("INTEGER PRIMARY KEY"), "{error}");
    assert_eq!(schema(&file.app), before);
    assert!(!file.engine.is_tracked());
    track(&mut file.engine, &Tables::only(["a"])).unwrap();
}

#[test]
fn a_misspelt_table_brings_the_near_ones() {
    let mut file =
        File::new("CREATE TABLE notes(id INTEGER PRIMARY KEY); CREATE TABLE tags(id INTEGER PRIMARY KEY)");
    let error = track(&mut file.engine, &Tables::only(["note"])).unwrap_err();
    assert_eq!(error.to_string(), "there is no table note; did you mean notes?");
    let error = track(&mut file.engine, &Tables::only(["customers"])).unwrap_err();
    assert_eq!(error.to_string(), "there is no table customers");
    track(&mut file.engine, &Tables::only(["NOTES"])).unwrap();
}

#[test]
fn tables_can_be_added_later() {
    let mut file = File::new(
        "CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(x, y, z, PRIMARY KEY(x, y, z)) WITHOUT ROWID",
    );
    track(&mut file.engine, &Tables::only(["a"])).unwrap();
    let numbers = file.engine.catalog.numbers.clone();
    assert!(file.capture("INSERT INTO b VALUES(1, 2, 3)").is_empty());
    let report = track(&mut file.engine, &Tables::all()).unwrap();
    assert_eq!(report.iter().map(|it: &TrackedTable| it.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(numbers["a"], file.engine.catalog.numbers["a"]);
    assert_eq!(file.capture("INSERT INTO b VALUES(3, 4, 5)")[0].key, "3,4,5", "the journal was widened");
    let before = schema(&file.app);
    track(&mut file.engine, &Tables::all()).unwrap();
    assert_eq!(schema(&file.app), before, "tracking again does nothing");
}

#[test]
fn views_and_virtual_tables_are_let_be() {
    let mut file = File::new(
        "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT);
         CREATE VIEW titles AS SELECT body FROM note;
         CREATE VIRTUAL TABLE search USING fts5(body, content='note', content_rowid='id');
         CREATE VIRTUAL TABLE area USING rtree(id, x0, x1);
         INSERT INTO search(search) VALUES('rebuild');
         ANALYZE;",
    );
    let report = track(&mut file.engine, &Tables::all()).unwrap();
    assert_eq!(report.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["note"]);
    let error = track(&mut file.engine, &Tables::only(["titles"])).unwrap_err();
    assert_eq!(error.code(), "unknown_table");
}

#[test]
fn untracking_leaves_the_schema_as_it_was() {
    let mut file = File::new(
        "CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, u UNIQUE);
         CREATE TABLE b(k TEXT, l TEXT COLLATE NOCASE, v, PRIMARY KEY(k, l));
         CREATE INDEX i ON b(v); CREATE VIEW w AS SELECT * FROM a;
         CREATE TRIGGER mine AFTER INSERT ON a BEGIN UPDATE b SET v = 1; END;
         CREATE TABLE pocketsync_looks_like_it(id INTEGER PRIMARY KEY);
         INSERT INTO a(u) VALUES(1), (2);",
    );
    let before = schema(&file.app);
    let rows = |file: &File| -> (i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM a), (SELECT seq FROM sqlite_sequence WHERE name = 'a')";
        file.app.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    track(&mut file.engine, &Tables::all()).unwrap();
    file.app.execute_batch("INSERT INTO a(u) VALUES(3); DELETE FROM a WHERE u = 3").unwrap();
    assert_ne!(schema(&file.app), before);
    untrack(&mut file.engine).unwrap();
    assert_eq!(schema(&file.app), before);
    assert_eq!(rows(&file), (2, 3));
    assert!(!file.engine.is_tracked());
    track(&mut file.engine, &Tables::all()).unwrap();
    assert!(file.engine.is_tracked(), "and it can be tracked again");
}

#[test]
fn the_triggers_use_nothing_newer_than_the_oldest_supported_sqlite() {
    let columns: Vec<String> = (1..=70).map(|n| format!("c{n}")).collect();
    let file = File::tracked(&format!(
        "CREATE TABLE a(id INTEGER PRIMARY KEY, u TEXT UNIQUE, b BLOB, x, FOREIGN KEY(x) REFERENCES a(id));
         CREATE TABLE b(k TEXT COLLATE NOCASE, l, v, w, PRIMARY KEY(k, l), UNIQUE(v, w));
         CREATE TABLE c(k TEXT PRIMARY KEY, {}) WITHOUT ROWID;",
        columns.join(", ")
    ));
    let known = [
        "CREATE",
        "TRIGGER",
        "AFTER",
        "BEFORE",
        "INSERT",
        "UPDATE",
        "DELETE",
        "ON",
        "WHEN",
        "BEGIN",
        "END",
        "INTO",
        "VALUES",
        "SELECT",
        "FROM",
        "AS",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "IS",
        "NULL",
        "COLLATE",
        "BINARY",
        "NOCASE",
        "CASE",
        "THEN",
        "ELSE",
        "NEW",
        "OLD",
        // The names of subqueries.
        "new",
        "old",
        "typeof",
        "julianday",
        "now",
        "x",
        "rowid",
        "t",
        "f",
        "m",
        "at",
        "o",
        "k",
        "k2",
    ];
    let mut statements = 0;
    for table in file.engine.catalog.tables.values() {
        for trigger in table_triggers(table) {
            // Without quoted names and numbers.
            let bare: String = trigger.sql.split('"').step_by(2).collect::<Vec<_>>().join(" ");
            for word in bare.split(|c: char| !c.is_alphanumeric() && c != '_') {
                let number = word.chars().all(|c| c.is_ascii_digit());
                assert!(
                    number || word.starts_with("__pocketsync_") || known.contains(&word),
                    "{word} in {}",
                    trigger.sql
                );
            }
            for newer in ["->", "?", "RETURNING", "OVER", "NULLS", "MATERIALIZED"] {
                assert!(!bare.contains(newer), "{newer} in {}", trigger.sql);
            }
            statements += 1;
        }
    }
    assert_eq!(statements, 5 + 6 + 4);
}
