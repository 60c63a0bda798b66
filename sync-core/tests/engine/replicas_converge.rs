//! Replicas that have exchanged everything hold the same rows, whatever was written where and
//! in whatever order it went round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::device::Device;
use pocketsync_core::change::Changeset;
use pocketsync_core::clock::Version;
use pocketsync_core::id::RowId;
use pocketsync_core::lineage::Cursor;
use pocketsync_core::merge::Life;
use pocketsync_core::rusqlite::types::ValueRef;
use pocketsync_core::store::sqlite::engine::Engine;
use pocketsync_core::store::sqlite::{apply, extract, fold, park, refs};
use pocketsync_core::store::{Chunk, ChunkOutcome};
use pocketsync_core::value::Value;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const SCHEMA: &str = "
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE,
  boss INTEGER REFERENCES person(id) ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE tag(name TEXT PRIMARY KEY NOT NULL, rank INTEGER UNIQUE, note TEXT DEFAULT 'none');
CREATE TABLE task(id INTEGER PRIMARY KEY, owner INTEGER REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
  tag TEXT REFERENCES tag(name) ON UPDATE CASCADE ON DELETE CASCADE, low INT DEFAULT 0, high INT DEFAULT 9,
  CHECK(low < high));
CREATE INDEX task_owner ON task(owner);
CREATE UNIQUE INDEX task_low ON task(tag, low) WHERE low > 2;
CREATE TABLE mark(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
  tag TEXT NOT NULL REFERENCES tag(name) ON UPDATE CASCADE ON DELETE CASCADE, n INT UNIQUE,
  PRIMARY KEY(person, tag)) WITHOUT ROWID;
CREATE TABLE folder(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES folder(id) ON DELETE CASCADE,
  owner INTEGER REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE, name TEXT, slug TEXT UNIQUE,
  UNIQUE(parent, name));
CREATE TABLE album(id INTEGER PRIMARY KEY, artist INTEGER REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE,
  title TEXT);
CREATE UNIQUE INDEX album_title ON album(upper(title)) WHERE title <> 'z';
CREATE TABLE track(id INTEGER PRIMARY KEY, album INTEGER REFERENCES album(id) ON DELETE RESTRICT,
  mood TEXT DEFAULT 'x' REFERENCES tag(name) ON DELETE SET DEFAULT ON UPDATE CASCADE);
CREATE TABLE pin(folder INTEGER NOT NULL REFERENCES folder(id) ON DELETE CASCADE ON UPDATE CASCADE,
  person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE ON UPDATE CASCADE, n INT,
  PRIMARY KEY(folder, person));
";
const TABLES: [&str; 8] = ["person", "tag", "task", "mark", "folder", "pin", "album", "track"];
/// Left out where references are not enforced: a reference to nothing is compared by its integer,
/// which a row may have that is another one elsewhere.
const IN_A_FOLDER: &str = ",\n  UNIQUE(parent, name)";

#[derive(Clone, Debug)]
enum Step {
    /// Statements of the application, in one transaction. One that a constraint refuses is skipped.
    Write(usize, Vec<String>),
    Fold(usize),
    /// Everything that is parked is tried again.
    Retry(usize),
    /// The clock of the application is off for what it has not folded yet.
    Skew(usize, i64),
    /// One takes from another, in pieces of about so many bytes.
    Pull {
        to: usize,
        from: usize,
        bytes: usize,
    },
    /// The same, from the beginning.
    PullAgain {
        to: usize,
        from: usize,
    },
}

fn nth(table: &str, n: u8) -> String {
    let key = if table == "tag" { "name" } else { "id" };
    format!(
        "(SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {n} % max(1, (SELECT count(*) FROM {table})))"
    )
}

fn statement() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("'ann'"), Just("'Ann'"), Just("'bob'"), Just("NULL")];
    let tag = prop_oneof![Just("'x'"), Just("'y'"), Just("'z'")];
    (0..32u8, any::<u8>(), any::<u8>(), name, tag, 0..4i64).prop_map(|(kind, a, b, name, tag, n)| {
        let (person, other, task) = (nth("person", a), nth("person", b), nth("task", a));
        let a_tag = nth("tag", b);
        let (folder, inside) = (nth("folder", a), nth("folder", b));
        match kind {
            0 | 1 => format!("INSERT INTO person(name, boss) VALUES({name}, {other})"),
            2 => format!("INSERT INTO person(id, name) VALUES({n}, {name})"),
            3 => format!("UPDATE person SET name = {name} WHERE id = {person}"),
            4 => format!("UPDATE person SET boss = {other} WHERE id = {person}"),
            5 => format!("UPDATE person SET id = id + {n} * 10 WHERE id = {person}"),
            6 => format!("DELETE FROM person WHERE id = {person}"),
            7 => format!("INSERT INTO tag(name, rank) VALUES({tag}, {n})"),
            8 => format!("INSERT OR REPLACE INTO tag(name, note) VALUES({tag}, {n})"),
            9 => format!("UPDATE tag SET rank = {n} WHERE name = {a_tag}"),
            10 => format!("UPDATE tag SET name = {tag} WHERE name = {a_tag}"),
            11 => format!("DELETE FROM tag WHERE name = {a_tag}"),
            12 => format!("INSERT INTO task(owner, tag) VALUES({person}, {a_tag})"),
            13 => format!("UPDATE task SET low = {n} * 3 WHERE id = {task}"),
            14 => format!("UPDATE task SET high = {n} * 3 WHERE id = {task}"),
            15 => format!("UPDATE task SET owner = {other}, tag = {a_tag} WHERE id = {task}"),
            16 => format!("DELETE FROM task WHERE id = {task}"),
            17 => format!("INSERT INTO mark VALUES({person}, {a_tag}, {n})"),
            18 => format!("DELETE FROM mark WHERE person = {person}"),
            19 | 20 => format!("INSERT INTO folder(parent, owner, name) VALUES({inside}, {person}, {tag})"),
            21 => format!("UPDATE folder SET parent = {inside}, owner = {person} WHERE id = {folder}"),
            22 => format!("UPDATE folder SET name = {tag}, slug = {name} WHERE id = {folder}"),
            23 => format!("DELETE FROM folder WHERE id = {folder}"),
            24 => format!("INSERT INTO pin VALUES({folder}, {person}, {n})"),
            25 => format!("DELETE FROM pin WHERE n = {n}"),
            26 => format!("INSERT INTO album(artist, title) VALUES({person}, {tag})"),
            27 | 28 => format!("INSERT INTO track(album, mood) VALUES({}, {a_tag})", nth("album", b)),
            29 => format!("DELETE FROM album WHERE id = {}", nth("album", a)),
            30 => format!("DELETE FROM track WHERE id = {}", nth("track", a)),
            _ => format!("UPDATE album SET artist = {other} WHERE id = {}", nth("album", a)),
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..3usize;
    prop_oneof![
        6 => (who.clone(), prop::collection::vec(statement(), 1..5)).prop_map(|(at, list)| Step::Write(at, list)),
        1 => who.clone().prop_map(Step::Fold),
        1 => who.clone().prop_map(Step::Retry),
        1 => (who.clone(), -9..9i64).prop_map(|(at, ms)| Step::Skew(at, ms * 1000)),
        4 => (who.clone(), 1..3usize, prop_oneof![Just(60), Just(400), Just(1 << 20)])
            .prop_map(|(to, by, bytes)| Step::Pull { to, from: (to + by) % 3, bytes }),
        1 => (who, 1..3usize).prop_map(|(to, by)| Step::PullAgain { to, from: (to + by) % 3 }),
    ]
}

/// What a replica holds of a row: whether it is shown and else why not, its life, and the version
/// and value of each cell.
#[derive(Clone, PartialEq, Debug)]
struct Held {
    place: String,
    life: Life,
    cells: BTreeMap<String, (Version, Value)>,
}

type State = BTreeMap<(String, RowId), Held>;

fn state(device: &Device) -> State {
    let engine = &device.engine;
    let mut state = State::new();
    for name in TABLES {
        let table = engine.catalog.by_name(name).unwrap();
        let mut statement = engine.conn.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let value = |column: &str| {
                let at = names.iter().position(|name| name == column).unwrap();
                match row.get_ref(at).unwrap() {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(integer) => Value::Integer(integer),
                    ValueRef::Real(real) => Value::Real(real),
                    ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
                    ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
                }
            };
            let key: Vec<Value> = table.key.iter().map(|&at| value(&table.columns[at].name)).collect();
            let (id, clock) = refs::clock(engine, table.no, &key).unwrap().expect("a shown row has a clock");
            let shadows = refs::shadows(engine, table.no, &id).unwrap();
            assert_eq!(clock.shadowed, !shadows.is_empty());
            let mut cells = BTreeMap::new();
            for (position, column) in table.columns.iter().enumerate() {
                let (version, seq) = clock.column(column.no);
                if (table.key.contains(&position) && !table.is_surrogate()) || seq == 0 {
                    continue;
                }
                let shown = value(&column.name);
                let merged = match (shadows.get(&column.no), &column.reference) {
                    (Some(merged), _) => merged.clone(),
                    (None, Some(reference)) => refs::to_global(engine, reference, &shown).unwrap(),
                    (None, None) if table.integer_key() == Some(position) => {
                        clock.hint.map_or(shown, Value::Integer)
                    }
                    (None, None) => shown,
                };
                cells.insert(column.name.clone(), (version, merged));
            }
            let held = Held { place: "shown".to_owned(), life: clock.life, cells };
            assert!(state.insert((name.to_owned(), id), held).is_none(), "a row is shown twice");
        }
        let mut asides = engine.conn.prepare("SELECT id FROM __pocketsync_aside WHERE tbl = ?1").unwrap();
        let ids = asides.query_map([table.no], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        for bytes in ids {
            let bytes = bytes.unwrap();
            let id = pocketsync_core::store::sqlite::row_clock::expand_id(&bytes, &engine.sites).unwrap();
            let (reason, record) = refs::aside(engine, table.no, &id).unwrap().unwrap();
            let column = |no: &u32| table.columns[table.position(*no).unwrap()].name.clone();
            // What is kept of past lives is whose it happens to be.
            let present = record.cells.iter().filter(|(_, held)| record.life.covers(held.cell.version));
            let cells = present.map(|(no, held)| (column(no), (held.cell.version, held.cell.value.clone())));
            let held = Held { place: reason.as_str().to_owned(), life: record.life, cells: cells.collect() };
            assert!(state.insert((name.to_owned(), id), held).is_none(), "a row is shown and aside");
        }
    }
    state
}

struct World {
    devices: Vec<Device>,
    held: BTreeMap<(usize, usize), Cursor>,
    /// Everything that was told to anyone.
    told: State,
}

impl World {
    fn new(foreign_keys: bool) -> Self {
        let schema = if foreign_keys { SCHEMA.to_owned() } else { SCHEMA.replace(IN_A_FOLDER, "") };
        let devices: Vec<Device> = (0..3).map(|_| Device::new(&schema)).collect();
        for device in &devices {
            device.app.pragma_update(None, "foreign_keys", foreign_keys).unwrap();
        }
        World { devices, held: BTreeMap::new(), told: State::new() }
    }

    fn pull(&mut self, to: usize, from: usize, bytes: usize) -> bool {
        let mut news = false;
        let site = self.devices[to].engine.site();
        loop {
            let after = self.held.get(&(to, from)).cloned().unwrap_or_default();
            let giver = &mut self.devices[from];
            let extracted = giver.engine.write(|engine| extract::run(engine, site, &after, bytes)).unwrap();
            self.told.extend(state(&self.devices[from]));
            let giver = &self.devices[from].engine;
            // What goes over the wire is bytes.
            let changeset = Changeset::decode(&extracted.changeset.encode()).unwrap();
            assert_eq!(changeset, extracted.changeset);
            let chunk = Chunk {
                peer: giver.site(),
                lineage: Arc::new(giver.lineage.clone()),
                from: after.clone(),
                to: extracted.to.clone(),
                last: extracted.last,
                changeset,
                seen: extracted.seen,
            };
            let taker = &mut self.devices[to];
            let outcome = taker.engine.write(|engine| apply::run(engine, vec![chunk])).unwrap();
            let held = match &outcome[..] {
                [ChunkOutcome::Applied { held, committed }] => {
                    news |= committed.is_some();
                    held
                }
                [ChunkOutcome::Staged { held }] => held,
                other => panic!("{other:?}"),
            };
            assert_eq!(*held, extracted.to);
            self.held.insert((to, from), held.clone());
            if extracted.last {
                break;
            }
        }
        self.check(to);
        news
    }

    fn check(&self, at: usize) {
        let device = &self.devices[at];
        let ok: String = device.app.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(ok, "ok");
        if device.app.pragma_query_value(None, "foreign_keys", |row| row.get::<_, bool>(0)).unwrap() {
            let broken = device.app.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
            assert!(!broken, "replica {at} shows a reference to nothing");
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Write(at, statements) => {
                let app = &self.devices[*at].app;
                app.execute_batch("BEGIN").unwrap();
                for statement in statements {
                    // A constraint that refuses a statement is the application's own business.
                    let _ = app.execute_batch(statement);
                }
                app.execute_batch("COMMIT").unwrap();
            }
            Step::Fold(at) => {
                self.devices[*at].fold();
                state(&self.devices[*at]);
            }
            Step::Retry(at) => {
                let retry = |engine: &mut Engine| fold::run(engine).and_then(|_| park::retry(engine));
                self.devices[*at].engine.write(retry).unwrap();
                self.check(*at);
            }
            Step::Skew(at, ms) => self.devices[*at].shift_journal(*ms),
            Step::Pull { to, from, bytes } => {
                self.pull(*to, *from, *bytes);
            }
            Step::PullAgain { to, from } => {
                self.held.insert((*to, *from), Cursor::ZERO);
                self.pull(*to, *from, 1 << 20);
            }
        }
    }

    fn finish(mut self) {
        let mut rounds = 0;
        loop {
            let mut news = false;
            for to in 0..3 {
                for from in (0..3).filter(|&from| from != to) {
                    news |= self.pull(to, from, 1 << 20);
                }
            }
            if !news {
                break;
            }
            rounds += 1;
            assert!(rounds < 6, "the replicas do not come to rest");
        }
        let states: Vec<State> = self.devices.iter().map(state).collect();
        for (at, other) in states.iter().enumerate().skip(1) {
            let keys: BTreeSet<_> = states[0].keys().chain(other.keys()).collect();
            for key in keys {
                assert_eq!(states[0].get(key), other.get(key), "of {key:?}, replicas 0 and {at}");
            }
        }
        for (key, told) in &self.told {
            let now = states[0].get(key).unwrap_or_else(|| panic!("{key:?} is gone without a trace"));
            let mut joined = now.life;
            assert!(!joined.join(&told.life), "births and deaths of {key:?} were forgotten");
            for (column, (version, value)) in &told.cells {
                let kept = now.cells.get(column).is_some_and(|(kept, held)| (kept, held) >= (version, value));
                assert!(
                    kept || !now.life.covers(*version),
                    "{column} of {key:?} was {value}, and is forgotten"
                );
            }
        }
    }
}

fn config(cases: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = wanted.unwrap_or(cases);
    ProptestConfig {
        cases,
        max_shrink_iters: 2000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn with_references_enforced(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new(true);
        steps.iter().for_each(|step| world.run(step));
        world.finish();
    }

    #[test]
    fn with_references_left_to_the_application(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new(false);
        steps.iter().for_each(|step| world.run(step));
        world.finish();
    }
}
