//! With any rights: hub and all devices that may read come to the same rows; a value that is refused does not vanish from
//! the device that made it; and a write that is allowed is never refused with it, nor beaten by one that is not.

use std::collections::BTreeMap;

use crate::world::World;
use pocketsync_core::conflict::{MergeType, Rule};
use pocketsync_core::rusqlite::types::Value as Sql;
use pocketsync_core::session::{Admitted, Rights};
use pocketsync_core::value::Value;
use proptest::prelude::*;

const NOON_MS: u64 = 1_760_000_000_000;

/// What a device may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum May {
    Everything,
    Read,
    Write(&'static str),
    WriteOwn,
}

impl May {
    fn admitted(self) -> Admitted {
        let rights = |write, relay| Admitted::new("somebody", Rights { read: true, write, relay });
        match self {
            May::Everything => rights(true, true),
            May::Read => rights(false, false),
            May::Write(table) => rights(true, true).writing([table]),
            May::WriteOwn => rights(true, false),
        }
    }

    fn write(self, table: &str) -> bool {
        match self {
            May::Everything | May::WriteOwn => true,
            May::Read => false,
            May::Write(only) => only == table,
        }
    }
}

fn may(tables: [&'static str; 2]) -> impl Strategy<Value = May> {
    prop_oneof![
        2 => Just(May::Everything),
        2 => Just(May::Read),
        3 => prop::sample::select(tables.to_vec()).prop_map(May::Write),
        1 => Just(May::WriteOwn),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Write { device: usize, table: usize, row: usize, column: usize },
    Offline(usize),
    Online(usize),
    Kill(usize),
    KillHub,
    Sync,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3usize, 0..2usize, 0..2usize, 0..2usize)
            .prop_map(|(device, table, row, column)| Step::Write { device, table, row, column }),
        1 => (0..3usize).prop_map(Step::Offline),
        1 => (0..3usize).prop_map(Step::Online),
        1 => (0..3usize).prop_map(Step::Kill),
        1 => Just(Step::KillHub),
        2 => Just(Step::Sync),
    ]
}

const TABLES: [&str; 2] = ["note", "todo"];
const COLUMNS: [&str; 2] = ["a", "b"];

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(24), ..ProptestConfig::default() })]

    /// As if what is refused had never been written.
    #[test]
    fn what_is_refused_touches_nothing_and_is_kept(
        rights in prop::array::uniform3(may(TABLES)),
        steps in prop::collection::vec(step(), 1..24),
        frames in prop::option::of(12..40usize),
    ) {
        let schema = "CREATE TABLE note(id TEXT PRIMARY KEY, a TEXT, b TEXT);
            CREATE TABLE todo(id TEXT PRIMARY KEY, a TEXT, b TEXT)";
        let mut world = World::new(4, schema);
        world.clock_ms = Some(NOON_MS);
        for table in TABLES {
            world.sql(3, &format!("INSERT INTO {table} VALUES('r0', '-', '-'), ('r1', '-', '-')"));
        }
        world.settle();
        world.frames_per_link = frames;
        for (device, may) in rights.iter().enumerate() {
            world.admit(device, may.admitted());
        }
        let mut expected: BTreeMap<[usize; 3], String> = BTreeMap::new();
        let mut kept: BTreeMap<([usize; 3], usize), String> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            world.clock_ms = Some(NOON_MS + 1000 * (1 + at as u64));
            match *step {
                Step::Write { device, table, row, column } => {
                    let value = format!("{device} at {at}");
                    let sql = format!("UPDATE {} SET {} = '{value}' WHERE id = 'r{row}'", TABLES[table], COLUMNS[column]);
                    world.sql(device, &sql);
                    let cell = [table, row, column];
                    if rights[device].write(TABLES[table]) {
                        expected.insert(cell, value);
                        // Who writes later wins as ever.
                        kept.retain(|(other, _), _| *other != cell);
                    } else {
                        kept.insert((cell, device), value);
                    }
                }
                Step::Offline(device) => world.go_offline(device),
                Step::Online(device) => world.devices[device].online = true,
                Step::Kill(device) => world.kill(device),
                Step::KillHub => world.kill_hub(),
                Step::Sync => world.settle(),
            }
        }
        everybody_meets(&mut world);
        for (table, name) in TABLES.iter().enumerate() {
            for row in 0..2 {
                let shown = world.same(&format!("SELECT a || ';' || b FROM {name} WHERE id = 'r{row}'"));
                let cell = |column| expected.get(&[table, row, column]).map_or("-", String::as_str);
                prop_assert_eq!(shown, [format!("{};{}", cell(0), cell(1))]);
            }
        }
        for ((cell, device), value) in &kept {
            let refused = world.refused(*device);
            let row = Value::text(&format!("r{}", cell[1]));
            let found = refused.iter().any(|refused| {
                let value = Value::text(value);
                refused.table == TABLES[cell[0]] && refused.key == [row.clone()]
                    && refused.values.get(COLUMNS[cell[2]]) == Some(&value)
            });
            prop_assert!(found, "{value} of {cell:?} is lost: {refused:?}");
        }
        for (device, may) in rights.iter().enumerate() {
            for refused in world.refused(device) {
                prop_assert!(!may.write(&refused.table), "device {device}: {refused:?}");
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Sql { device: usize, sql: String },
    Allow(usize, May),
    Offline(usize),
    Online(usize),
    Kill(usize),
    KillHub,
    Keep(usize),
    Restore,
    Retry(usize),
    Sync,
}

fn sql() -> impl Strategy<Value = String> {
    let row = || 0..3usize;
    prop_oneof![
        (row(), row()).prop_map(|(row, n)| format!("INSERT OR IGNORE INTO album VALUES('a{row}', 'title {n}')")),
        row().prop_map(|row| format!("DELETE FROM album WHERE id = 'a{row}'")),
        (row(), row()).prop_map(|(row, n)| format!("UPDATE album SET title = 'title {n}' WHERE id = 'a{row}'")),
        (row(), row()).prop_map(|(row, album)| format!(
            "INSERT OR IGNORE INTO track(album, name) SELECT id, 'track {row}' FROM album WHERE id = 'a{album}'"
        )),
        row().prop_map(|row| format!("DELETE FROM track WHERE name = 'track {row}'")),
        (row(), row()).prop_map(|(row, n)| format!("UPDATE track SET name = 'track {n}' WHERE name = 'track {row}'")),
        (row(), row()).prop_map(|(row, album)| format!(
            "UPDATE track SET album = (SELECT id FROM album WHERE id = 'a{album}') WHERE name = 'track {row}'"
        )),
        (row(), row()).prop_map(|(row, n)| format!("UPDATE track SET plays = plays + {n} WHERE name = 'track {row}'")),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..3usize, sql()).prop_map(|(device, sql)| Act::Sql { device, sql }),
        2 => (0..3usize, may(["album", "track"])).prop_map(|(device, may)| Act::Allow(device, may)),
        1 => (0..3usize).prop_map(Act::Offline),
        2 => (0..3usize).prop_map(Act::Online),
        1 => (0..3usize).prop_map(Act::Kill),
        1 => Just(Act::KillHub),
        1 => (0..3usize).prop_map(Act::Keep),
        1 => Just(Act::Restore),
        1 => (0..3usize).prop_map(Act::Retry),
        3 => Just(Act::Sync),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(24), ..ProptestConfig::default() })]

    #[test]
    fn whoever_may_read_sees_the_same(
        rights in prop::array::uniform3(may(["album", "track"])),
        acts in prop::collection::vec(act(), 1..30),
        action in prop::sample::select(&["CASCADE", "SET NULL", "NO ACTION"][..]),
        counts in any::<bool>(),
    ) {
        let schema = format!(
            "CREATE TABLE album(id TEXT PRIMARY KEY, title TEXT UNIQUE);
             CREATE TABLE track(id INTEGER PRIMARY KEY, name TEXT, plays INTEGER DEFAULT 0,
               album TEXT REFERENCES album(id) ON DELETE {action})"
        );
        let mut world = World::new(4, &schema);
        world.clock_ms = Some(NOON_MS);
        if counts {
            let mut rule = Rule::column("track", "plays");
            rule.merge = Some(MergeType::Counter);
            world.devices[3].replica.set_rule(&rule).unwrap();
        }
        world.settle();
        for (device, may) in rights.iter().enumerate() {
            world.admit(device, may.admitted());
        }
        let mut backup = None;
        for (at, act) in acts.iter().enumerate() {
            world.clock_ms = Some(NOON_MS + 1000 * (1 + at as u64));
            match act {
                Act::Sql { device, sql } => {
                    // What the schema forbids was never written.
                    let app = &world.devices[*device].app;
                    let allowed = app.execute_batch(&format!("SAVEPOINT t; {sql}; ROLLBACK TO t; RELEASE t")).is_ok();
                    if allowed {
                        world.sql(*device, sql);
                    } else {
                        app.execute_batch("ROLLBACK TO t; RELEASE t").ok();
                    }
                }
                Act::Allow(device, may) => world.admit(*device, may.admitted()),
                Act::Offline(device) => world.go_offline(*device),
                Act::Online(device) => world.devices[*device].online = true,
                Act::Kill(device) => world.kill(*device),
                Act::KillHub => world.kill_hub(),
                Act::Keep(device) => backup = Some((*device, world.back_up(*device))),
                Act::Restore => {
                    if let Some((device, backup)) = &backup {
                        world.restore(*device, backup);
                    }
                }
                Act::Retry(device) => {
                    world.devices[*device].replica.retry_parked().unwrap();
                }
                Act::Sync => world.settle(),
            }
        }
        same_everywhere(&mut world);
        for device in 0..3 {
            world.admit(device, May::Everything.admitted());
            world.devices[device].replica.retry_parked().unwrap();
        }
        same_everywhere(&mut world);
        for device in 0..3 {
            prop_assert_eq!(world.refused(device), []);
        }
    }
}

/// Devices that may read show the same as the one that may do everything, and no file is broken.
fn same_everywhere(world: &mut World) {
    everybody_meets(world);
    world.same("SELECT id || ' ' || coalesce(title, '-') FROM album ORDER BY 1");
    let tracks =
        "SELECT coalesce(name, '-') || ' ' || plays || ' ' || coalesce(album, '-') FROM track ORDER BY 1";
    world.same(tracks);
    for device in &world.devices {
        let check = |pragma: &str| -> Vec<Sql> {
            let mut statement = device.app.prepare(pragma).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(check("PRAGMA integrity_check"), [Sql::Text("ok".to_owned())]);
        assert_eq!(check("PRAGMA foreign_key_check"), []);
    }
}

fn everybody_meets(world: &mut World) {
    for device in &mut world.devices {
        device.online = true;
    }
    world.frames_per_link = None;
    world.settle();
    world.settle();
}

/// How many cases: more by hand, `PROPTEST_CASES`.
fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}
