//! Whatever one application writes, in whatever way, a second replica shows the same.

use crate::replica_support::Device;
use proptest::prelude::*;

/// One table of every kind.
const SCHEMA: &str = "
    CREATE TABLE list(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE COLLATE NOCASE, x);
    CREATE TABLE item(id INTEGER PRIMARY KEY, list INT REFERENCES list(id) ON DELETE CASCADE ON UPDATE CASCADE,
      pos INT, x, UNIQUE(list, pos));
    CREATE TABLE tag(name TEXT PRIMARY KEY COLLATE NOCASE, x) WITHOUT ROWID;
    CREATE TABLE pair(a TEXT, b INT, x, twice AS (b * 2), PRIMARY KEY(a, b));
    CREATE TABLE item_tag(item INT REFERENCES item(id) ON DELETE CASCADE ON UPDATE CASCADE,
      tag TEXT REFERENCES tag(name) ON DELETE SET NULL ON UPDATE CASCADE, x, PRIMARY KEY(item, tag));
    CREATE TRIGGER renamed AFTER UPDATE OF name ON list BEGIN UPDATE list SET x = NEW.name WHERE id = NEW.id; END;
    CREATE TRIGGER emptied AFTER DELETE ON tag BEGIN DELETE FROM pair WHERE a = OLD.name; END;";

fn number() -> impl Strategy<Value = String> {
    (1..5).prop_map(|n: i32| n.to_string())
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["'a'", "'A'", "'b'", "'ä'", "''"]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    let values = vec!["NULL", "1", "1.0", "'1'", "x'31'", "CAST(x'ff00' AS TEXT)", "9e999", "0.5", "''"];
    prop::sample::select(values).prop_map(str::to_owned)
}

fn nullable(of: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![4 => of, 1 => Just("NULL".to_owned())]
}

/// A table, and a row of values for its columns.
fn row() -> impl Strategy<Value = (&'static str, Vec<(&'static str, String)>)> {
    prop_oneof![
        (nullable(number()), nullable(name()), value())
            .prop_map(|(id, name, x)| ("list", vec![("id", id), ("name", name), ("x", x)])),
        (nullable(number()), nullable(number()), nullable(number()), value()).prop_map(
            |(id, list, pos, x)| ("item", vec![("id", id), ("list", list), ("pos", pos), ("x", x)])
        ),
        (name(), value()).prop_map(|(name, x)| ("tag", vec![("name", name), ("x", x)])),
        (nullable(name()), nullable(number()), value())
            .prop_map(|(a, b, x)| ("pair", vec![("a", a), ("b", b), ("x", x)])),
        (nullable(number()), nullable(name()), value())
            .prop_map(|(item, tag, x)| ("item_tag", vec![("item", item), ("tag", tag), ("x", x)])),
    ]
}

fn statement() -> impl Strategy<Value = String> {
    let conflict = prop::sample::select(vec!["", "OR REPLACE", "OR IGNORE", "OR FAIL"]);
    let insert = (conflict.clone(), row()).prop_map(|(conflict, (table, row))| {
        let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
        format!("INSERT {conflict} INTO {table}({}) VALUES({})", names.join(", "), values.join(", "))
    });
    let update = (conflict, row(), row(), any::<prop::sample::Index>(), any::<prop::sample::Index>())
        .prop_map(|(conflict, (table, row), (_, other), set, on)| {
            let (column, value) = &row[set.index(row.len())];
            let (on, key) = &row[on.index(row.len())];
            // Sometimes every row at once.
            let only = if other.len() == 4 { String::new() } else { format!("WHERE {on} IS {key}") };
            format!("UPDATE {conflict} {table} SET {column} = {value} {only}")
        });
    let shift = prop::sample::select(vec![
        "UPDATE item SET id = id + 1",
        "UPDATE item SET id = 10 - id, pos = -pos",
        "UPDATE list SET id = id + 10 WHERE id < 3",
        "UPDATE OR REPLACE item SET rowid = 2 WHERE rowid = 3",
        "UPDATE pair SET a = NULL WHERE b = 1",
        "UPDATE pair SET b = b + 1",
        "REPLACE INTO item SELECT id + 1, list, pos, x FROM item",
        "INSERT INTO tag VALUES('a', 1) ON CONFLICT(name) DO UPDATE SET name = excluded.name, x = 5",
        "INSERT INTO list(id, name) VALUES(1, 'z') ON CONFLICT(id) DO UPDATE SET x = 'again'",
        "PRAGMA recursive_triggers = ON",
        "PRAGMA recursive_triggers = OFF",
    ])
    .prop_map(str::to_owned);
    let delete = (row(), any::<prop::sample::Index>()).prop_map(|((table, row), on)| {
        let (column, value) = &row[on.index(row.len())];
        format!("DELETE FROM {table} WHERE {column} IS {value}")
    });
    prop_oneof![6 => insert, 4 => update, 2 => delete, 2 => shift]
}

#[derive(Clone, Debug)]
enum Step {
    /// Runs as it is; may fail.
    Run(String),
    /// Takes back what this one did.
    RolledBack(String),
    Pull,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => statement().prop_map(Step::Run),
        1 => statement().prop_map(Step::RolledBack),
        2 => Just(Step::Pull),
    ]
}

fn dump(device: &Device) -> Vec<String> {
    let tables = [
        ("list", "quote(id)||quote(name)||ifnull(hex(x),0)||typeof(x)"),
        ("item", "quote(id)||quote(list)||quote(pos)||ifnull(hex(x),0)||typeof(x)"),
        ("tag", "quote(name)||ifnull(hex(x),0)||typeof(x)"),
        ("pair", "quote(a)||quote(b)||ifnull(hex(x),0)||typeof(x)"),
        ("item_tag", "quote(item)||quote(tag)||ifnull(hex(x),0)||typeof(x)"),
    ];
    tables
        .iter()
        .flat_map(|(table, columns)| {
            device.rows(&format!("SELECT '{table} ' || {columns} FROM {table} ORDER BY 1"))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_replica_shows_what_one_application_writes(steps in prop::collection::vec(step(), 1..40)) {
        let (a, b) = (Device::new(SCHEMA), Device::new(SCHEMA));
        for step in steps.into_iter().chain([Step::Pull]) {
            match step {
                // What a constraint refuses is no write.
                Step::Run(sql) => drop(a.app.execute_batch(&sql)),
                Step::RolledBack(sql) => {
                    a.app.execute_batch("SAVEPOINT s").unwrap();
                    drop(a.app.execute_batch(&sql));
                    a.app.execute_batch("ROLLBACK TO s; RELEASE s").unwrap();
                }
                Step::Pull => {
                    b.pull(&a);
                    prop_assert_eq!(dump(&b), dump(&a));
                    prop_assert_eq!(b.replica.status().unwrap().parked_rows, []);
                }
            }
        }
    }
}
