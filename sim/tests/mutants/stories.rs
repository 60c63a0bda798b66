//! What happens to the mutants.

use std::sync::Arc;

use pocketsync_sim::scenario::{Scenario, Topology};
use pocketsync_sim::shape::{Column, Key, Kind, Role, Shape, TableShape, WriteId};
use pocketsync_sim::story::*;

const SECOND: Ms = 1_000;
const MINUTE: Ms = 60 * SECOND;

/// What a story is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum About {
    /// Everyone is online; there are deletes, keys that collide, and transactions over rows.
    Talk,
    /// Devices come and go, and links break.
    Commuters,
    /// Hub and devices are killed, devices are destroyed.
    Disasters,
    /// Transactions that do not fit into one message.
    Bulk,
}

pub(crate) const ALL: [About; 4] = [About::Talk, About::Commuters, About::Disasters, About::Bulk];

const FILE_SQL: &str = "
CREATE TABLE list(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, title TEXT);
CREATE TABLE item(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT,
                  list INTEGER REFERENCES list(id) ON DELETE CASCADE);";

const SQL: &str = "
CREATE TABLE note(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, title TEXT, body TEXT);
CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT, rank INTEGER);";

/// A link that nothing is wrong with.
const FINE: Link = Link {
    latency_min_ms: 15,
    latency_max_ms: 120,
    breaks_per_minute: 0.0,
    bytes_per_second: 0,
    max_frame_bytes: 64 << 10,
    duplicate: 0.0,
    reorder: 0.0,
};

/// Notes with identities of their own, settings that devices name alike.
pub(crate) fn shape() -> Arc<Shape> {
    let column = |name: &str, role| Column { name: name.to_owned(), role, nullable: true };
    let text = Role::Free(Kind::Text);
    let note = vec![
        column("id", Role::RowKey),
        column("tag", Role::Tag),
        column("title", text.clone()),
        column("body", text.clone()),
    ];
    let setting = vec![
        column("key", Role::KeyPart { pool: 8 }),
        column("value", text),
        column("rank", Role::Free(Kind::Integer)),
    ];
    let table = |name: &str, key, columns| TableShape { name: name.to_owned(), key, columns };
    Arc::new(Shape {
        sql: SQL.to_owned(),
        tables: vec![
            table("note", Key::Surrogate { column: 0 }, note),
            table("setting", Key::Natural { columns: vec![0] }, setting),
        ],
        ..Shape::default()
    })
}

/// Numbers from a seed.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

struct Teller {
    about: About,
    rng: Rng,
    moves: Vec<Planned>,
    next_write: u64,
}

/// A story about that.
pub(crate) fn story(about: About, seed: u64) -> Arc<Story> {
    let mut teller = Teller { about, rng: Rng(seed), moves: Vec::new(), next_write: 0 };
    let quiet_at = 10 * MINUTE;
    teller.writes(quiet_at);
    match about {
        About::Talk | About::Bulk => {}
        About::Commuters => teller.outages(quiet_at),
        About::Disasters => teller.disasters(quiet_at),
    }
    teller.moves.sort_by_key(|planned| planned.at);
    let link = Link { breaks_per_minute: if about == About::Commuters { 0.3 } else { 0.0 }, ..FINE };
    let device = |number: i64| Device {
        scope: 0,
        from: 0,
        online: true,
        clock: Clock { offset_ms: 200 * number, drift_ppm: 0 },
        link,
        version: 0,
    };
    Arc::new(Story {
        topology: Default::default(),
        seed,
        devices: (0..4).map(device).collect(),
        moves: teller.moves,
        quiet_at,
        quiet_ms: 10 * MINUTE,
        check_every_ms: 10 * SECOND,
    })
}

/// Lists and their items, in real files.
pub(crate) fn shape_of_files() -> Arc<Shape> {
    Arc::new(Shape::of_sql(FILE_SQL).expect("it is SQL"))
}

/// Two devices count the same few things.
pub(crate) fn counting() -> Scenario {
    scenario(
        r#"
        schema = { sql = "CREATE TABLE day(day TEXT PRIMARY KEY NOT NULL, visits INTEGER NOT NULL)" }
        workload = { rate = "2/s", hot = 0.8, mix = { insert = 5, replace = 0, update = 95, delete = 0, rekey = 0 } }
        rules = [{ table = "day", column = "visits", merge = "counter" }]
        "#,
    )
}

/// Two devices change the same few notes, apart from each other.
pub(crate) fn deciding() -> Scenario {
    scenario(
        r#"
        schema = { sql = "CREATE TABLE note(id INTEGER PRIMARY KEY, origin TEXT NOT NULL, title TEXT, body TEXT)" }
        presence = { pattern = "flaky", online = "1s..2s", offline = "2s..4s", cut = "closed" }
        workload = { rate = "3/s", hot = 0, mix = { insert = 25, replace = 0, update = 75, delete = 0, rekey = 0 } }
        rules = [{ table = "note", strategy = "hub_wins" }, { table = "note", column = "body", strategy = "client_wins" }]
        "#,
    )
}

/// Two devices put items into lists, whose sizes triggers keep.
pub(crate) fn deriving() -> Scenario {
    scenario(
        r#"
        untracked = ["list_size"]
        workload = { rate = "1/s", mix = { insert = 60, replace = 0, update = 20, delete = 20, rekey = 0 } }
        derived = [{ what = "sizes", kept = "SELECT * FROM list_size WHERE items > 0", anew = "SELECT list, count(*) FROM item GROUP BY 1" }]
        [schema]
        sql = """
        CREATE TABLE list(list TEXT PRIMARY KEY NOT NULL, title TEXT);
        CREATE TABLE item(id INTEGER PRIMARY KEY, origin TEXT NOT NULL,
                          list TEXT NOT NULL REFERENCES list(list) ON DELETE CASCADE);
        CREATE TABLE list_size(list TEXT PRIMARY KEY, items INT);
        CREATE TRIGGER plus AFTER INSERT ON item BEGIN
          INSERT INTO list_size VALUES(NEW.list, 1) ON CONFLICT(list) DO UPDATE SET items = items + 1;
        END;
        CREATE TRIGGER minus AFTER DELETE ON item BEGIN
          UPDATE list_size SET items = items - 1 WHERE list = OLD.list;
        END;
        CREATE TRIGGER moved AFTER UPDATE OF list ON item BEGIN
          UPDATE list_size SET items = items - 1 WHERE list = OLD.list;
          INSERT INTO list_size VALUES(NEW.list, 1) ON CONFLICT(list) DO UPDATE SET items = items + 1;
        END;
        """
        "#,
    )
}

/// Two devices rate notes, each as soon as it has the column for it.
pub(crate) fn migrating() -> Scenario {
    scenario(
        r#"
        schema = { sql = "CREATE TABLE note(id INTEGER PRIMARY KEY, origin TEXT NOT NULL, title TEXT)" }
        workload = { rate = "2/s", mix = { insert = 50, replace = 0, update = 50, delete = 0, rekey = 0 } }
        migrations = [{ sql = "ALTER TABLE note ADD COLUMN stars INTEGER DEFAULT 0", between = "1s..14s" }]
        "#,
    )
}

/// Four devices put notes down: with a hub, or in a ring.
pub(crate) fn in_a_ring() -> Scenario {
    let text = r#"
        engines = ["world"]
        topology = "ring"
        meetings = { every = "1s..4s" }
        workload = { rate = "30/m" }
        "#;
    Scenario { devices: 4, ..scenario(text) }
}

/// The same with a hub.
pub(crate) fn at_a_hub() -> Scenario {
    Scenario { topology: Topology::Hub, meetings: None, ..in_a_ring() }
}

fn scenario(text: &str) -> Scenario {
    let begin = "name = \"broken\"\ndevices = 2\nlength = \"15s\"\nquiet = \"20s\"\n";
    Scenario::parse(&format!("{begin}{text}"), "".as_ref()).expect("it is a scenario")
}

/// Two devices write for half a minute: first lists, then items of theirs too.
pub(crate) fn story_of_files(seed: u64) -> Arc<Story> {
    let mut teller = Teller { about: About::Talk, rng: Rng(seed), moves: Vec::new(), next_write: 0 };
    for number in 1..=20 {
        let table = if number <= 4 { 0 } else { teller.rng.below(4).min(1) as usize };
        let id = WriteId(number);
        let (pick, entropy) = (teller.rng.below(1000) as f64 / 1000.0, teller.rng.below(u64::MAX));
        let write = Write { id, table, act: Act::Insert, pick, entropy, value_bytes: 12 };
        let transaction = Transaction { id: TxId(number), writes: vec![write], rolled_back: false };
        let device = DeviceNo(teller.rng.below(2) as u32);
        let at = 1_400 * number + teller.rng.below(SECOND);
        teller.at(at, Move::Transact { device, transaction });
    }
    let device =
        || Device { scope: 0, from: 0, online: true, clock: Clock::default(), link: FINE, version: 0 };
    Arc::new(Story {
        topology: Default::default(),
        seed,
        devices: vec![device(), device()],
        moves: teller.moves,
        quiet_at: 30 * SECOND,
        quiet_ms: 10 * SECOND,
        check_every_ms: SECOND,
    })
}

impl Teller {
    fn at(&mut self, at: Ms, what: Move) {
        self.moves.push(Planned { at, what });
    }

    fn writes(&mut self, until: Ms) {
        let mut at = 2 * SECOND;
        while at < until {
            let device = DeviceNo(self.rng.below(4) as u32);
            let bulky = self.about == About::Bulk && self.rng.below(8) == 0;
            let count = if bulky { 30 } else { 1 + self.rng.below(3) };
            let writes = (0..count).map(|_| self.write(bulky)).collect();
            let transaction = Transaction { id: TxId(self.next_write), writes, rolled_back: false };
            self.at(at, Move::Transact { device, transaction });
            at += 1 + self.rng.below(16 * SECOND);
        }
    }

    fn write(&mut self, bulky: bool) -> Write {
        self.next_write += 1;
        let act = match self.rng.below(100) {
            _ if bulky => Act::Insert,
            0..40 => Act::Insert,
            40..85 => Act::Update(1 + self.rng.below(2) as u8),
            85..95 => Act::Delete,
            _ => Act::Replace,
        };
        Write {
            id: WriteId(self.next_write),
            table: self.rng.below(3).min(1) as usize,
            act,
            pick: self.rng.below(1000) as f64 / 1000.0,
            entropy: self.rng.below(u64::MAX),
            value_bytes: if bulky { 20_000 } else { 12 },
        }
    }

    fn outages(&mut self, until: Ms) {
        for device in 0..4 {
            let mut at = MINUTE;
            while at < until {
                at += self.rng.below(2 * MINUTE);
                let how = [Cut::Closed, Cut::Silent, Cut::Held][self.rng.below(3) as usize];
                self.at(at, Move::Disconnect { device: DeviceNo(device), how });
                at += 5 * SECOND + self.rng.below(2 * MINUTE);
                self.at(at, Move::Connect { device: DeviceNo(device) });
            }
        }
    }

    fn disasters(&mut self, until: Ms) {
        let points = [CrashPoint::Now, CrashPoint::BeforeCommit, CrashPoint::AfterCommit];
        let mut at = MINUTE;
        while at < until {
            let (point, down_ms) = (points[self.rng.below(3) as usize], 1 + self.rng.below(20 * SECOND));
            let device = DeviceNo(self.rng.below(4) as u32);
            match self.rng.below(2) {
                0 => self.at(at, Move::CrashHub { point, down_ms }),
                _ => self.at(at, Move::Crash { device, point, down_ms }),
            }
            at += self.rng.below(MINUTE);
        }
        // One is destroyed soon after the hub went down.
        let at = 4 * MINUTE + self.rng.below(4 * MINUTE);
        self.at(at, Move::CrashHub { point: CrashPoint::Now, down_ms: 10 * SECOND });
        self.at(at + 1, Move::Lose { device: DeviceNo(3) });
    }
}
