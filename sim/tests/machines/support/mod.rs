//! Stories for the machines, and what becomes of them.
#![allow(unreachable_pub)]

mod field_team;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pocketsync_sim::engine::Engine;
use pocketsync_sim::history::{Did, Event, Look, Phase, StatusView};
use pocketsync_sim::machines::Machines;
use pocketsync_sim::oracle::{Case, Judge, Oracle};
use pocketsync_sim::outcome::Outcome;
use pocketsync_sim::shape::{Column, Key, Kind, Role, Shape, TableShape, WriteId};
use pocketsync_sim::story::*;

pub use field_team::FieldTeam;

/// Numbers from a seed.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn column(name: &str, role: Role) -> Column {
    let nullable = matches!(role, Role::Free(_) | Role::Reference { .. });
    Column { name: name.to_owned(), role, nullable }
}

/// Sites to visit, the findings of visits, and a table with a key that devices choose alike.
pub fn shape() -> Arc<Shape> {
    let integer = |name: &str, columns: Vec<Column>| TableShape {
        name: name.to_owned(),
        key: Key::Surrogate { column: 0 },
        columns: [column("id", Role::RowKey), column("tag", Role::Tag)].into_iter().chain(columns).collect(),
    };
    let visit = integer(
        "visit",
        vec![column("note", Role::Free(Kind::Text)), column("hours", Role::Free(Kind::Integer))],
    );
    let finding = integer(
        "finding",
        vec![
            column("visit", Role::Reference { table: 0, with: Vec::new() }),
            column("what", Role::Free(Kind::Text)),
        ],
    );
    let stock = TableShape {
        name: "stock".to_owned(),
        key: Key::Natural { columns: vec![0] },
        columns: vec![column("sku", Role::KeyPart { pool: 12 }), column("count", Role::Free(Kind::Integer))],
    };
    Arc::new(Shape { tables: vec![visit, finding, stock], ..Shape::default() })
}

pub const LINK: Link = Link {
    latency_min_ms: 15,
    latency_max_ms: 120,
    breaks_per_minute: 0.0,
    bytes_per_second: 0,
    max_frame_bytes: 64 << 10,
    duplicate: 0.0,
    reorder: 0.0,
};

pub const SECOND: Ms = 1_000;
pub const MINUTE: Ms = 60 * SECOND;
pub const HOUR: Ms = 60 * MINUTE;

/// Puts a story together by hand.
pub struct Teller {
    pub story: Story,
    rng: Rng,
    next_write: u64,
}

impl Teller {
    /// So many devices of one scope, online, for so long.
    pub fn new(seed: u64, devices: usize, quiet_at: Ms) -> Self {
        let device =
            Device { scope: 0, from: 0, online: true, clock: Clock::default(), link: LINK, version: 0 };
        let story = Story {
            topology: Default::default(),
            seed,
            devices: vec![device; devices],
            moves: Vec::new(),
            quiet_at,
            quiet_ms: 20 * MINUTE,
            check_every_ms: MINUTE,
        };
        Teller { story, rng: Rng(seed), next_write: 0 }
    }

    pub fn at(&mut self, at: Ms, what: Move) -> &mut Self {
        self.story.moves.push(Planned { at, what });
        self
    }

    pub fn write(&mut self, at: Ms, device: u32, table: usize, act: Act) -> &mut Self {
        self.transact(at, device, &[(table, act)])
    }

    pub fn transact(&mut self, at: Ms, device: u32, acts: &[(usize, Act)]) -> &mut Self {
        let mut writes = Vec::new();
        for (table, act) in acts {
            self.next_write += 1;
            writes.push(Write {
                id: WriteId(self.next_write),
                table: *table,
                act: *act,
                pick: self.rng.part(),
                entropy: self.rng.next(),
                value_bytes: 0,
            });
        }
        let transaction = Transaction { id: TxId(self.next_write), writes, rolled_back: false };
        self.at(at, Move::Transact { device: DeviceNo(device), transaction })
    }

    /// Everyone writes something at random, at about this distance.
    pub fn chatter(&mut self, from: Ms, to: Ms, every: Ms) -> &mut Self {
        let mut at = from;
        while at < to {
            let device = self.rng.below(self.story.devices.len() as u64) as u32;
            let count = 1 + self.rng.below(3);
            let acts: Vec<(usize, Act)> =
                (0..count).map(|_| (self.rng.below(3) as usize, some_act(&mut self.rng))).collect();
            self.transact(at, device, &acts);
            at += 1 + self.rng.below(2 * every);
        }
        self
    }

    /// The story, its moves in the order of time.
    pub fn tell(&mut self) -> Arc<Story> {
        self.story.moves.sort_by_key(|planned| planned.at);
        Arc::new(self.story.clone())
    }
}

pub fn some_act(rng: &mut Rng) -> Act {
    match rng.below(100) {
        0..45 => Act::Insert,
        45..85 => Act::Update(1 + rng.below(2) as u8),
        85..93 => Act::Delete,
        93..96 => Act::Rekey,
        _ => Act::Replace,
    }
}

/// What was seen of a run, as far as the tests want to know.
#[derive(Default)]
pub struct Seen {
    pub events: BTreeMap<String, u64>,
    pub settled: u64,
    pub statuses: BTreeMap<DeviceNo, StatusView>,
    pub max_rows: usize,
    /// The values of the inserts that were acknowledged, by what wrote them.
    pub inserted: u64,
}

/// That everyone of a scope shows the same in the end, and what the hub has.
struct Converges {
    seen: Arc<Mutex<Seen>>,
    /// A row that nobody had seen when its file was copied may come twice if the clock was corrected
    /// before it was sent: a known limit.
    may_double: bool,
}

impl Oracle for Converges {
    fn name(&self) -> &'static str {
        "converges"
    }

    fn promise(&self) -> &'static str {
        "replicas that have exchanged everything hold the same"
    }

    fn saw(&mut self, _at: Ms, event: &Event) -> Result<(), String> {
        let mut seen = self.seen.lock().unwrap();
        let name = match event {
            Event::Fault(fault) => fault.name().to_owned(),
            Event::Committed(commit) => {
                let inserts =
                    commit.effects.iter().filter(|effect| matches!(effect.did, Did::Inserted { .. }));
                seen.inserted += inserts.count() as u64;
                "committed".to_owned()
            }
            Event::Status { device, status } => {
                seen.statuses.insert(*device, status.clone());
                status.state.to_owned()
            }
            Event::Acknowledged { .. } => "acknowledged".to_owned(),
            Event::Gauge { value, bound, name, .. } if value > bound => {
                return Err(format!("{name} is {value}, more than {bound}"));
            }
            _ => return Ok(()),
        };
        *seen.events.entry(name).or_default() += 1;
        Ok(())
    }

    fn looked(&mut self, _at: Ms, look: &Look) -> Result<(), String> {
        let mut seen = self.seen.lock().unwrap();
        for view in &look.devices {
            seen.max_rows = seen.max_rows.max(view.rows.len());
            if let Some((tag, _)) = view.rows.iter().find(|(_, row)| row.copies > 1 && !self.may_double) {
                return Err(format!("{} shows {tag} twice", view.device));
            }
        }
        if look.phase != Phase::Settled {
            return Ok(());
        }
        seen.settled += 1;
        let Some(first) = look.devices.first() else { return Ok(()) };
        for view in &look.devices {
            if !view.status.in_sync || !view.whole {
                return Err(format!("{} is {:?} in the end", view.device, view.status));
            }
            if view.rows != first.rows || view.clocks != look.hub[0].clocks {
                return Err(format!("{} and {} differ, or the hub", first.device, view.device));
            }
        }
        Ok(())
    }
}

/// Runs a story to its end.
pub fn run(shape: &Arc<Shape>, story: &Arc<Story>) -> (Outcome, Seen) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let copies = |planned: &Planned| matches!(planned.what, Move::Clone { .. } | Move::Restore { .. });
    let wrong = |device: &Device| device.clock != Clock::default();
    let may_double = story.moves.iter().any(copies) && story.devices.iter().any(wrong);
    let oracles: Vec<Box<dyn Oracle>> = vec![Box::new(Converges { seen: seen.clone(), may_double })];
    let case = Case { shape: shape.clone(), story: story.clone() };
    let mut judge = Judge::new(case, oracles, Machines.has_sqlite());
    Machines.run(shape, story, &mut judge).unwrap();
    let outcome = judge.finish(Machines.name());
    (outcome, Arc::into_inner(seen).unwrap().into_inner().unwrap())
}

/// Runs a story that must come to a good end.
#[track_caller]
pub fn must_converge(story: &Arc<Story>) -> (Outcome, Seen) {
    let (outcome, seen) = run(&shape(), story);
    if let Some(violation) = &outcome.violation {
        panic!("seed {}: {violation}", story.seed);
    }
    assert!(seen.settled > 0, "nobody looked in the end");
    (outcome, seen)
}
