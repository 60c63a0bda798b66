//! Random migrations on three replicas, at random times, between random writes and exchanges: in the
//! end all have the same values in the columns that they have in common, and what was written last
//! is nowhere lost.

use std::collections::BTreeMap;

use crate::replica_support::Device;
use pocketsync_core::rusqlite::types::Value;
use pocketsync_core::store::sqlite::{Migration, SchemaWarning};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const SCHEMA: &str =
    "CREATE TABLE note(id INTEGER PRIMARY KEY, key TEXT, title TEXT, body TEXT, n INT DEFAULT 0);
    CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT, old TEXT)";

/// What an application's versions do to the schema, one after the other. Each device is at one of
/// them, and goes on at its own time. The first word says how each may be run.
const MIGRATIONS: [&str; 8] = [
    "ALTER TABLE note ADD COLUMN stars INT DEFAULT 3",
    "ALTER TABLE note RENAME COLUMN title TO heading",
    "ALTER TABLE setting ADD COLUMN kind TEXT; ALTER TABLE setting RENAME COLUMN value TO content",
    "ALTER TABLE setting RENAME TO option",
    "CREATE TABLE fresh(id INTEGER PRIMARY KEY, key TEXT, heading TEXT NOT NULL DEFAULT '', body TEXT, n INT DEFAULT 0, stars INT DEFAULT 3);
     INSERT INTO fresh SELECT id, key, coalesce(heading, ''), body, n, stars FROM note; DROP TABLE note; ALTER TABLE fresh RENAME TO note",
    "ALTER TABLE note RENAME COLUMN body TO text; CREATE INDEX by_key ON note(key)",
    "ALTER TABLE note DROP COLUMN n; ALTER TABLE option DROP COLUMN old",
    "ALTER TABLE note RENAME TO memo",
];

/// Columns, each with its name in the first version.
type Columns = Vec<(&'static str, &'static str)>;

/// The columns of a version, each with the column of the first version that it is.
fn columns(version: usize) -> (&'static str, &'static str, Columns, Columns) {
    let mut note = vec![("key", "key"), (if version >= 2 { "heading" } else { "title" }, "title")];
    note.push((if version >= 6 { "text" } else { "body" }, "body"));
    if version < 7 {
        note.push(("n", "n"));
    }
    if version >= 1 {
        note.push(("stars", "stars"));
    }
    let mut setting = vec![(if version >= 3 { "content" } else { "value" }, "value")];
    if version < 7 {
        setting.push(("old", "old"));
    }
    if version >= 3 {
        setting.push(("kind", "kind"));
    }
    (
        if version >= 8 { "memo" } else { "note" },
        if version >= 4 { "option" } else { "setting" },
        note,
        setting,
    )
}

#[derive(Clone, Debug)]
enum Step {
    /// The next migration, by the engine or by another program.
    Migrate(usize, bool),
    Insert(usize),
    /// Writes a fresh value into one column of one row.
    Update(usize, u8, u8),
    Put(usize, u8, u8),
    Delete(usize, u8),
    Look(usize),
    Pull(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..3usize;
    prop_oneof![
        3 => (who(), any::<bool>()).prop_map(|(at, engine)| Step::Migrate(at, engine)),
        3 => who().prop_map(Step::Insert),
        4 => (who(), any::<u8>(), any::<u8>()).prop_map(|(at, row, column)| Step::Update(at, row, column)),
        3 => (who(), 0..4u8, any::<u8>()).prop_map(|(at, name, column)| Step::Put(at, name, column)),
        1 => (who(), any::<u8>()).prop_map(|(at, row)| Step::Delete(at, row)),
        1 => who().prop_map(Step::Look),
        4 => (who(), 1..3usize).prop_map(|(to, by)| Step::Pull(to, (to + by) % 3)),
    ]
}

type Rows = BTreeMap<(String, String), BTreeMap<String, Value>>;

struct World {
    devices: Vec<Device>,
    versions: Vec<usize>,
    writes: i64,
}

impl World {
    fn new() -> Self {
        World { devices: (0..3).map(|_| Device::new(SCHEMA)).collect(), versions: vec![0; 3], writes: 0 }
    }

    fn migrate(&mut self, at: usize, by_engine: bool) {
        let Some(script) = MIGRATIONS.get(self.versions[at]) else { return };
        self.versions[at] += 1;
        let device = &self.devices[at];
        if by_engine {
            device.replica.migrate(&Migration::new(*script)).unwrap();
        } else {
            device.app.execute_batch(&format!("BEGIN; {script}; COMMIT")).unwrap();
        }
    }

    fn run(&mut self, step: &Step) {
        self.writes += 1;
        let n = self.writes;
        match *step {
            Step::Migrate(at, by_engine) => self.migrate(at, by_engine),
            Step::Insert(at) => {
                let (note, _, columns, _) = columns(self.versions[at]);
                let sql =
                    format!("INSERT INTO {note}(key, {}) VALUES('{at} {n}', 'first {n}')", columns[1].0);
                self.devices[at].app.execute_batch(&sql).unwrap();
            }
            Step::Update(at, row, column) => {
                let (note, _, columns, _) = columns(self.versions[at]);
                let column = columns[1 + usize::from(column) % (columns.len() - 1)].0;
                let row = nth(note, "key", row);
                let sql = format!("UPDATE {note} SET {column} = {n} WHERE key = {row}");
                self.devices[at].app.execute_batch(&sql).unwrap();
            }
            Step::Put(at, name, column) => {
                let (_, setting, _, columns) = columns(self.versions[at]);
                let column = columns[usize::from(column) % columns.len()].0;
                let sql = format!(
                    "INSERT INTO {setting}(name, {column}) VALUES('s{name}', '{n}') ON CONFLICT(name) DO UPDATE SET {column} = '{n}'"
                );
                self.devices[at].app.execute_batch(&sql).unwrap();
            }
            Step::Delete(at, row) => {
                let note = columns(self.versions[at]).0;
                let row = nth(note, "key", row);
                self.devices[at].app.execute_batch(&format!("DELETE FROM {note} WHERE key = {row}")).unwrap();
            }
            Step::Look(at) => {
                self.devices[at].identity();
            }
            Step::Pull(to, from) => {
                self.devices[to].pull(&self.devices[from]);
            }
        }
    }

    fn exchange(&self) {
        for _ in 0..4 {
            for to in 0..3 {
                for from in (0..3).filter(|from| *from != to) {
                    self.devices[to].pull(&self.devices[from]);
                }
            }
        }
    }

    /// The rows of a device, under the names of the first version.
    fn rows(&self, at: usize) -> Rows {
        let (note, setting, of_note, of_setting) = columns(self.versions[at]);
        let mut rows = Rows::new();
        for (table, first, key, columns) in
            [(note, "note", "key", of_note), (setting, "setting", "name", of_setting)]
        {
            let names: Vec<&str> = columns.iter().map(|(here, _)| *here).collect();
            let sql = format!("SELECT {key}, {} FROM {table}", names.join(", "));
            let mut statement = self.devices[at].app.prepare(&sql).unwrap();
            let mut found = statement.query([]).unwrap();
            while let Some(row) = found.next().unwrap() {
                let cells = columns.iter().enumerate();
                let cells =
                    cells.map(|(n, (_, first))| ((*first).to_owned(), row.get(n + 1).unwrap())).collect();
                let key = (first.to_owned(), row.get(0).unwrap());
                assert!(rows.insert(key, cells).is_none(), "a row twice");
            }
        }
        rows
    }

    /// Where a table was rebuilt and a column renamed before the engine looked, it asks: yes, that
    /// is the new name.
    fn answer_questions(&self) {
        for device in &self.devices {
            device.identity();
            for warning in device.replica.status().unwrap().schema_warnings {
                let SchemaWarning::MaybeRenamed { table, gone, new } = warning else { continue };
                let old = match new.as_str() {
                    "heading" => "title",
                    "text" => "body",
                    _ => continue,
                };
                assert!(gone.iter().any(|gone| gone == old), "{gone:?}");
                device.replica.migrate(&Migration::new("").rename_column(table, old, new)).unwrap();
            }
        }
    }

    fn finish(mut self) {
        self.answer_questions();
        self.exchange();
        self.compare();
        // Those that are behind catch up, and what they could not show is there.
        for at in 0..3 {
            while self.versions[at] < MIGRATIONS.len() {
                self.migrate(at, at == 0);
            }
        }
        self.answer_questions();
        self.exchange();
        self.compare();
        for device in &self.devices {
            let status = device.replica.status().unwrap();
            assert_eq!((status.parked, status.journal), (0, 0));
        }
    }

    fn compare(&self) {
        let rows: Vec<Rows> = (0..3).map(|at| self.rows(at)).collect();
        for (a, b) in [(0, 1), (1, 2)] {
            let keys = |rows: &Rows| rows.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&rows[a]), keys(&rows[b]), "the rows of {a} and {b}");
            for (key, cells) in &rows[a] {
                for (column, value) in cells {
                    // NOT NULL DEFAULT '' is what a version makes of NULL.
                    let plain = |value: &Value| match value {
                        Value::Text(text) if text.is_empty() => Value::Null,
                        other => other.clone(),
                    };
                    if let Some(other) = rows[b][key].get(column) {
                        assert_eq!(
                            plain(value),
                            plain(other),
                            "{column} of {key:?} at {a} and {b}, versions {:?}",
                            self.versions
                        );
                    }
                }
            }
        }
    }
}

fn nth(table: &str, key: &str, n: u8) -> String {
    format!(
        "(SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {n} % max(1, (SELECT count(*) FROM {table})))"
    )
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24);
    ProptestConfig {
        cases,
        max_shrink_iters: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn replicas_of_any_versions_agree_on_what_they_have_in_common(steps in prop::collection::vec(step(), 1..50)) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.run(step));
        world.finish();
    }
}
