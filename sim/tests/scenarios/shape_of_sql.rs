//! Shapes that are read off schemas.

use pocketsync_sim::pocketsync_core::value::Value;
use pocketsync_sim::shape::{Key, Kind, Role, Shape, ShapeError, builtin, builtin_names};

fn role<'a>(shape: &'a Shape, table: &str, column: &str) -> &'a Role {
    let table = &shape.tables[shape.table(table).expect("the table")];
    &table.columns.iter().find(|known| known.name == column).expect("the column").role
}

fn pool<'a>(shape: &'a Shape, table: &str, column: &str) -> &'a [Value] {
    match role(shape, table, column) {
        Role::Pool(values) => values,
        other => panic!("{table}.{column} is {other:?}"),
    }
}

/// What a column is that refers to this table by a key of its own.
fn to(table: usize) -> Role {
    Role::Reference { table, with: Vec::new() }
}

fn shape_of(sql: &str) -> Shape {
    Shape::of_sql(sql).expect("a schema that can be simulated")
}

#[test]
fn every_built_in_schema_is_written_in_all_its_tables() {
    for name in builtin_names() {
        let shape = shape_of(builtin(name).expect("a built-in schema"));
        assert_eq!(shape.notes(), Vec::<String>::new(), "{name}");
        for (index, table) in shape.tables.iter().enumerate() {
            for column in &table.columns {
                if let Role::Reference { table: parent, .. } = column.role {
                    assert!(parent <= index, "{name}: {} comes before its parent", table.name);
                }
            }
        }
    }
}

#[test]
fn todo_has_the_roles_that_its_constraints_say() {
    let shape = shape_of(builtin("todo").expect("todo"));
    assert_eq!(role(&shape, "lists", "id"), &Role::RowKey);
    assert_eq!(role(&shape, "lists", "origin"), &Role::Tag);
    assert_eq!(role(&shape, "lists", "title"), &Role::Free(Kind::Text));
    let colours: Vec<Value> = ["grey", "red", "green", "blue"].map(Value::text).to_vec();
    assert_eq!(pool(&shape, "lists", "colour"), colours);
    assert_eq!(pool(&shape, "items", "done"), [Value::Integer(1), Value::Integer(0)]);
    assert_eq!(role(&shape, "items", "due"), &Role::Free(Kind::Integer));
    assert_eq!(role(&shape, "items", "estimate"), &Role::Free(Kind::Real));
    let lists = shape.table("lists").expect("lists");
    assert_eq!(role(&shape, "items", "list_id"), &to(lists));
    assert!(pool(&shape, "labels", "name").len() > 1);
    assert!(matches!(role(&shape, "tags", "name"), Role::KeyPart { .. }));
    let tags = shape.table("tags").expect("tags");
    assert_eq!(role(&shape, "item_tags", "tag"), &to(tags));
    assert_eq!(
        shape.tables[shape.table("item_tags").expect("item_tags")].key,
        Key::Natural { columns: vec![0, 1] }
    );
}

#[test]
fn checks_over_two_columns_leave_pools_that_can_meet_them_and_break_them() {
    let shape = shape_of(builtin("inventory").expect("inventory"));
    let (low, high) = (pool(&shape, "stock", "low"), pool(&shape, "stock", "high"));
    assert!(!low.is_empty() && !high.is_empty());
    assert!(low.iter().any(|low| high.iter().any(|high| low < high)), "{low:?} {high:?}");
    assert!(low.iter().any(|low| high.iter().any(|high| low >= high)), "{low:?} {high:?}");
    // Every stamp is above 0: the CHECK is in nobody's way, and the stamps tell more than a pool.
    assert_eq!(role(&shape, "stock", "quantity"), &Role::Free(Kind::Integer));
}

#[test]
fn a_key_without_case_comes_in_both_spellings() {
    let shape = shape_of(builtin("relational").expect("relational"));
    let names = pool(&shape, "labels", "name");
    assert!(names.contains(&Value::text("u0")) && names.contains(&Value::text("U0")));
    assert!(pool(&shape, "artists", "name").contains(&Value::text("U1")));
}

#[test]
fn a_composite_reference_draws_from_the_values_of_its_parent() {
    let shape = shape_of(builtin("relational").expect("relational"));
    let contracts = shape.table("contracts").expect("contracts");
    let receipts = &shape.tables[shape.table("receipts").expect("receipts")];
    let month = receipts.columns.iter().position(|column| column.name == "month").expect("month");
    let with_month = Role::Reference { table: contracts, with: vec![month] };
    assert_eq!(role(&shape, "receipts", "contract_id"), &with_month);
    // Its own key holds it, whatever the composite one of others.
    assert_eq!(role(&shape, "payments", "contract_id"), &to(contracts));
    assert_eq!(pool(&shape, "receipts", "month")[0], Value::text("k0"));
}

#[test]
fn a_reference_depends_on_what_all_of_its_foreign_keys_need() {
    let shape = shape_of(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, tag TEXT NOT NULL);
         CREATE TABLE day (shop INTEGER REFERENCES shop, at TEXT, PRIMARY KEY (shop, at)) WITHOUT ROWID;
         CREATE TABLE sale (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, shop INTEGER, at TEXT, till TEXT,
           FOREIGN KEY (shop, at) REFERENCES day);
         CREATE TABLE alone (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, shop INTEGER REFERENCES shop, at TEXT,
           FOREIGN KEY (shop, at) REFERENCES day);
         CREATE TABLE either (id INTEGER PRIMARY KEY, tag TEXT NOT NULL, shop INTEGER, at TEXT, till TEXT,
           FOREIGN KEY (shop, at) REFERENCES day, FOREIGN KEY (shop, till) REFERENCES day);",
    );
    assert_eq!(role(&shape, "sale", "shop"), &Role::Reference { table: 0, with: vec![3] });
    assert_eq!(role(&shape, "alone", "shop"), &to(0));
    assert_eq!(role(&shape, "either", "shop"), &to(0));
}

#[test]
fn constraints_are_found_by_trying_them() {
    let shape = shape_of(
        "CREATE TABLE t (
           id INTEGER PRIMARY KEY,
           mark TEXT NOT NULL,
           state TEXT NOT NULL CHECK (state IN ('new', 'done')),
           code TEXT NOT NULL CHECK (length(code) = 3),
           mail TEXT CHECK (mail LIKE '%@%'),
           percent INTEGER NOT NULL CHECK (percent BETWEEN 40 AND 60),
           kind TEXT NOT NULL CHECK (kind IN ('x', 'y') AND (kind = 'x' OR percent > 50)),
           twice INTEGER GENERATED ALWAYS AS (percent * 2)
         ) STRICT;",
    );
    assert_eq!(pool(&shape, "t", "state"), [Value::text("new"), Value::text("done")]);
    assert!(
        pool(&shape, "t", "code").iter().all(|code| matches!(code, Value::Text(text) if text.len() == 3))
    );
    assert!(pool(&shape, "t", "mail").contains(&Value::text("a@b.example")));
    let percents = pool(&shape, "t", "percent");
    assert!(
        percents.contains(&Value::Integer(41)) && !percents.contains(&Value::Integer(39)),
        "{percents:?}"
    );
    assert!(pool(&shape, "t", "kind").contains(&Value::text("x")));
    assert_eq!(shape.tables[0].columns.len(), 7, "generated columns are left out");
    assert_eq!(shape.tables[0].tag(), Some(1));
}

#[test]
fn rows_that_the_schema_brings_are_in_nobodys_way() {
    let shape = shape_of(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, body TEXT);
         INSERT INTO t (name, body) VALUES ('u0', 'a'), ('u1', 'b');",
    );
    assert_eq!(pool(&shape, "t", "name").len(), 24);
    assert!(shape.sql.contains("INSERT INTO"));
}

#[test]
fn parents_come_first_whatever_the_order_of_the_statements() {
    let shape = shape_of(
        "CREATE TABLE b (id INTEGER PRIMARY KEY, tag TEXT, a INTEGER REFERENCES A, b INTEGER REFERENCES b);
         CREATE TABLE a (id INTEGER PRIMARY KEY, tag TEXT);",
    );
    let names: Vec<&str> = shape.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(role(&shape, "b", "a"), &to(0));
    assert_eq!(role(&shape, "b", "b"), &to(1));
}

#[test]
fn views_virtual_tables_and_their_shadows_are_left_out() {
    let shape = shape_of(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, tag TEXT, body TEXT);
         CREATE VIEW bodies AS SELECT body FROM notes;
         CREATE VIRTUAL TABLE found USING fts5 (body, content = 'notes', content_rowid = 'id');",
    );
    assert_eq!(shape.tables.len(), 1);
}

#[test]
fn a_table_that_cannot_be_written_is_told_and_left_alone() {
    let shape = shape_of(
        "CREATE TABLE numbers (id INTEGER PRIMARY KEY, number INTEGER);
         CREATE TABLE never (k TEXT PRIMARY KEY, v TEXT NOT NULL CHECK (v = upper(v) || '!'));
         CREATE TABLE notes (k TEXT PRIMARY KEY);",
    );
    let notes = shape.notes();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with("table numbers is left alone") && notes[0].contains("origin TEXT NOT NULL"));
    assert!(notes[1].starts_with("table never is left alone"));
}

#[test]
fn mistakes_name_the_table_and_the_way_out() {
    let said = |sql: &str| Shape::of_sql(sql).expect_err("a mistake").to_string();
    assert!(said("CREATE TABLE t (a)").contains("table t has no PRIMARY KEY"));
    assert!(said("CREATE TABLE t (id INTEGER PRIMARY KEY, p REFERENCES q)").contains("table t refers to q"));
    assert!(said("SELECT 1").contains("CREATE TABLE"));
    assert!(said("CREATE TABEL t (a)").contains("sqlite3 shell"));
    let nothing = Shape::of_sql("CREATE TABLE t (id INTEGER PRIMARY KEY)").expect_err("a mistake");
    assert!(matches!(nothing, ShapeError::NothingToWrite { .. }), "{nothing}");
}
