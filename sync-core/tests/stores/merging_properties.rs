//! What holds of columns that merge, whatever is written where and however it goes round: all show the
//! same, and no addition is lost but to a reset that did not know of it.

use std::collections::BTreeSet;

use crate::store_support::*;
use pocketsync_core::lineage::Stamp;
use pocketsync_core::rusqlite::Connection;
use pocketsync_core::store::MemoryStore;
use pocketsync_core::store::sqlite::{Replica, ReplicaOptions, Tables};
use proptest::prelude::*;
use tempfile::TempDir;

const DEVICES: usize = 3;
const SCHEMA: &str = "
CREATE TABLE day(name TEXT PRIMARY KEY NOT NULL, n INTEGER, top, low REAL, tags TEXT DEFAULT '[\"new\"]', note TEXT);
CREATE TABLE item(id INTEGER PRIMARY KEY, n INTEGER NOT NULL DEFAULT 3, tags TEXT, note TEXT, CHECK(n > -9 OR note <> 'x'));
";
const RULES: [(&str, &str, &str); 6] = [
    ("day", "n", "counter"),
    ("day", "top", "max"),
    ("day", "low", "min"),
    ("day", "tags", "set"),
    ("item", "n", "counter"),
    ("item", "tags", "set"),
];

struct Device {
    app: Connection,
    replica: Option<Replica>,
    dir: TempDir,
    /// What its user knows of: see [`Event`].
    known: BTreeSet<usize>,
}

impl Device {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let app = Connection::open(dir.path().join("app.db")).unwrap();
        app.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
        app.execute_batch(SCHEMA).unwrap();
        let mut device = Device { app, replica: None, dir, known: BTreeSet::new() };
        device.reopen();
        device.replica().track(&Tables::all()).unwrap();
        device
    }

    fn replica(&mut self) -> &mut Replica {
        self.replica.as_mut().unwrap()
    }

    fn reopen(&mut self) {
        self.replica = None;
        let path = self.dir.path().join("app.db");
        self.replica = Some(Replica::open(path, ReplicaOptions::default()).unwrap());
    }

    fn sql(&self, statement: &str) {
        // What a constraint refuses is not written.
        let _ = self.app.execute_batch(statement);
    }

    fn shown(&self, query: &str) -> Vec<String> {
        let mut statement = self.app.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    fn everything(&self) -> Vec<String> {
        let mut all = self.shown(
            "SELECT name || quote(n) || quote(top) || quote(low) || quote(tags) || quote(note) FROM day ORDER BY 1",
        );
        all.extend(self.shown("SELECT quote(n) || quote(tags) || quote(note) FROM item ORDER BY 1"));
        all.extend(self.shown("SELECT tbl || col || quote(merge) FROM __pocketsync_rules ORDER BY 1"));
        all
    }
}

struct World {
    devices: Vec<Device>,
    hub: MemoryStore,
    hub_knows: BTreeSet<usize>,
}

impl World {
    fn new(devices: usize) -> Self {
        let devices = (0..devices).map(|_| Device::new()).collect();
        let hub = MemoryStore::hub(site(99), Stamp(99));
        let mut world = World { devices, hub, hub_knows: BTreeSet::new() };
        // Whatever the first rule is, it makes the table.
        world.rule(0, ("day", "note", None));
        world.settle();
        world
    }

    fn rule(&mut self, device: usize, (table, column, word): (&str, &str, Option<&str>)) {
        let word = word.map_or("NULL".to_owned(), |word| format!("'{word}'"));
        self.devices[device].sql(&format!(
            "CREATE TABLE IF NOT EXISTS __pocketsync_rules(
               tbl TEXT NOT NULL, col TEXT NOT NULL DEFAULT '', strategy TEXT, on_delete TEXT, merge TEXT,
               PRIMARY KEY(tbl, col)) WITHOUT ROWID;
             INSERT INTO __pocketsync_rules(tbl, col, merge) VALUES('{table}', '{column}', {word})
             ON CONFLICT DO UPDATE SET merge = excluded.merge"
        ));
        jump(self.devices[device].replica());
    }

    fn sync(&mut self, device: usize, max_bytes: usize) {
        let Device { replica, known, .. } = &mut self.devices[device];
        sync_pieces(replica.as_mut().unwrap(), &mut self.hub, max_bytes, usize::MAX);
        known.extend(&self.hub_knows);
        self.hub_knows.extend(&*known);
    }

    fn meet(&mut self, device: usize, other: usize) {
        let [a, b] = self.devices.get_disjoint_mut([device, other]).unwrap();
        sync_peers(a.replica(), b.replica());
        a.known.extend(&b.known);
        b.known.extend(&a.known);
    }

    fn settle(&mut self) {
        // A conclusion of one (a constraint, a reference) may be news to the others.
        for _ in 0..3 {
            (0..self.devices.len()).for_each(|device| self.sync(device, 1 << 20));
        }
    }

    /// All show the same, and so does who comes late.
    fn check(&mut self) -> Result<(), TestCaseError> {
        self.settle();
        let shown = self.devices[0].everything();
        for device in &self.devices {
            prop_assert_eq!(device.everything(), &shown[..]);
        }
        self.devices.push(Device::new());
        let last = self.devices.len() - 1;
        self.sync(last, 300);
        prop_assert_eq!(self.devices[last].everything(), shown);
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write {
        device: usize,
        statements: Vec<String>,
    },
    Rule {
        device: usize,
        rule: usize,
        word: Option<usize>,
    },
    Fold {
        device: usize,
    },
    Sync {
        device: usize,
        max_bytes: usize,
    },
    Meet {
        device: usize,
        other: usize,
    },
    Reopen {
        device: usize,
    },
    /// The clock was off for what is not folded yet.
    Skew {
        device: usize,
        ms: i64,
    },
}

fn statement() -> impl Strategy<Value = String> {
    let day = prop_oneof![Just("'mon'"), Just("'tue'")];
    let number = prop_oneof![
        (-5i64..20).prop_map(|n| n.to_string()),
        Just("NULL".to_owned()),
        Just("0.5".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("'text'".to_owned()),
    ];
    let tags = prop_oneof![
        Just("'[]'"),
        Just("'[\"a\"]'"),
        Just("'[\"b\", \"a\", 1]'"),
        Just("'[1,2,\"c\"]'"),
        Just("NULL"),
        Just("'no array'"),
    ];
    (0..14u8, day, number, tags, 0..3i64).prop_map(|(kind, day, n, tags, nth)| {
        let item = format!("(SELECT id FROM item ORDER BY id LIMIT 1 OFFSET {nth})");
        match kind {
            0 => format!("UPDATE day SET n = coalesce(n, 0) + {n} WHERE name = {day}"),
            1 => format!("UPDATE day SET n = {n}, top = {n} WHERE name = {day}"),
            2 => format!("UPDATE day SET low = {n} WHERE name = {day}"),
            3 => format!("UPDATE day SET tags = {tags} WHERE name = {day}"),
            4 => format!("INSERT INTO day(name, n, tags) VALUES({day}, {n}, {tags})"),
            5 => format!("INSERT INTO day(name, n) VALUES({day}, 1) ON CONFLICT DO UPDATE SET n = n + 1"),
            6 => format!("INSERT OR REPLACE INTO day(name, n, top) VALUES({day}, {n}, {n})"),
            7 => format!("DELETE FROM day WHERE name = {day}"),
            8 => format!("INSERT INTO item(n, tags) VALUES({n}, {tags})"),
            9 => format!("UPDATE item SET n = n - {n}, note = 'x' WHERE id = {item}"),
            10 => format!("UPDATE item SET tags = {tags} WHERE id = {item}"),
            11 => format!("DELETE FROM item WHERE id = {item}"),
            12 => format!("UPDATE item SET id = id + 100 WHERE id = {item}"),
            _ => format!("UPDATE day SET note = {n} WHERE name = {day}"),
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..DEVICES;
    let max_bytes = prop_oneof![Just(60usize), Just(1 << 20)];
    prop_oneof![
        8 => (device.clone(), prop::collection::vec(statement(), 1..4))
            .prop_map(|(device, statements)| Step::Write { device, statements }),
        2 => (device.clone(), 0..RULES.len(), prop::option::weighted(0.8, 0..4usize))
            .prop_map(|(device, rule, word)| Step::Rule { device, rule, word }),
        2 => device.clone().prop_map(|device| Step::Fold { device }),
        5 => (device.clone(), max_bytes).prop_map(|(device, max_bytes)| Step::Sync { device, max_bytes }),
        2 => (device.clone(), 1..DEVICES)
            .prop_map(|(device, by)| Step::Meet { device, other: (device + by) % DEVICES }),
        1 => device.clone().prop_map(|device| Step::Reopen { device }),
        1 => (device, -9i64..9).prop_map(|(device, seconds)| Step::Skew { device, ms: seconds * 1000 }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn all_show_the_same(with_rules in any::<bool>(), steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new(DEVICES);
        if with_rules {
            RULES.iter().for_each(|(table, column, word)| world.rule(0, (table, column, Some(word))));
        }
        for step in steps {
            match step {
                Step::Write { device, statements } => {
                    statements.iter().for_each(|statement| world.devices[device].sql(statement));
                }
                Step::Rule { device, rule, word } => {
                    let (table, column, usual) = RULES[rule];
                    let word = word.map(|word| if word == 0 { RULES[word].2 } else { usual });
                    world.rule(device, (table, column, word));
                }
                Step::Fold { device } => jump(world.devices[device].replica()),
                Step::Sync { device, max_bytes } => world.sync(device, max_bytes),
                Step::Meet { device, other } => world.meet(device, other),
                Step::Reopen { device } => world.devices[device].reopen(),
                Step::Skew { device, ms } => {
                    let journal = "UPDATE __pocketsync_journal SET at = at + ?1 / 86400000.0";
                    world.devices[device].app.execute(journal, [ms]).unwrap();
                }
            }
        }
        world.check()?;
    }
}

/// A write to the counter, and what its writer knew.
struct Event {
    is_reset: bool,
    knew: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum Count {
    Add { device: usize },
    Reset { device: usize, to_null: bool },
    Sync { device: usize },
    Meet { device: usize, other: usize },
}

fn count() -> impl Strategy<Value = Count> {
    let device = 0..DEVICES;
    prop_oneof![
        6 => device.clone().prop_map(|device| Count::Add { device }),
        1 => (device.clone(), any::<bool>()).prop_map(|(device, to_null)| Count::Reset { device, to_null }),
        4 => device.clone().prop_map(|device| Count::Sync { device }),
        2 => (device, 1..DEVICES).prop_map(|(device, by)| Count::Meet { device, other: (device + by) % DEVICES }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    /// Each addition is a bit of its own, so the sum says which were counted.
    #[test]
    fn additions_are_lost_to_resets_alone(steps in prop::collection::vec(count(), 1..60), insert_apart in any::<bool>()) {
        let mut world = World::new(DEVICES);
        world.rule(0, ("day", "n", Some("counter")));
        let insert = "INSERT INTO day(name, n) VALUES('mon', 0)";
        if insert_apart {
            world.settle();
            world.devices.iter().for_each(|device| device.sql(insert));
        } else {
            world.devices[0].sql(insert);
            world.settle();
        }
        let mut events: Vec<Event> = Vec::new();
        for step in steps {
            match step {
                Count::Sync { device } => world.sync(device, 1 << 20),
                Count::Meet { device, other } => world.meet(device, other),
                Count::Add { device } | Count::Reset { device, .. } => {
                    let bit = 1i64 << events.len();
                    let sql = match step {
                        Count::Reset { to_null: true, .. } => "UPDATE day SET n = NULL".to_owned(),
                        Count::Reset { .. } => "UPDATE day SET n = 'anew'".to_owned(),
                        _ => format!("UPDATE day SET n = CASE typeof(n) WHEN 'integer' THEN n ELSE 0 END + {bit}"),
                    };
                    let Device { known, .. } = &world.devices[device];
                    // To write what is there is no write.
                    let is_reset = matches!(step, Count::Reset { .. });
                    let before = world.devices[device].everything();
                    events.push(Event { is_reset, knew: known.clone() });
                    world.devices[device].sql(&sql);
                    if is_reset && world.devices[device].everything() == before {
                        events.pop();
                        continue;
                    }
                    world.devices[device].known.insert(events.len() - 1);
                    jump(world.devices[device].replica());
                }
            }
        }
        world.check()?;
        let shown: Option<i64> = world.devices[0]
            .app
            .query_row("SELECT CASE typeof(n) WHEN 'integer' THEN n END FROM day", [], |row| row.get(0))
            .unwrap();
        let shown = shown.unwrap_or(0);
        let resets: BTreeSet<usize> = (0..events.len()).filter(|&n| events[n].is_reset).collect();
        for (n, event) in events.iter().enumerate() {
            let counted = shown >> n & 1 == 1;
            if event.is_reset {
                prop_assert!(!counted);
                continue;
            }
            let knew_all = resets.is_subset(&event.knew);
            let was_reset = resets.iter().any(|&reset| events[reset].knew.contains(&n));
            prop_assert!(counted || !knew_all, "addition {} is lost: {:b}", n, shown);
            prop_assert!(!(counted && was_reset), "addition {} is back after a reset: {:b}", n, shown);
        }
        prop_assert!(shown < 1i64 << events.len(), "nothing is counted twice: {:b}", shown);
    }
}

#[test]
fn a_hundred_devices_add_one_each() {
    let mut world = World::new(100);
    for (table, column, word) in RULES {
        world.rule(0, (table, column, Some(word)));
    }
    world.devices[0].sql("INSERT INTO day(name, n, tags) VALUES('mon', 0, '[]')");
    world.settle();
    for (n, device) in world.devices.iter().enumerate() {
        device.sql(&format!("UPDATE day SET n = n + 1, tags = '[{n}]', top = {n}"));
    }
    // In some order, and some of them to each other as well, so that things come twice.
    for n in 0..100 {
        world.sync(n * 37 % 100, 1 << 20);
        if n % 10 == 0 {
            world.meet(n, (n + 55) % 100);
        }
    }
    world.settle();
    for device in &world.devices {
        let shown = device.shown("SELECT n || ' ' || json_array_length(tags) || ' ' || top FROM day");
        assert_eq!(shown, ["100 100 99"]);
    }
}
