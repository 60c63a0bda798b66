//! Stories made by hand, and what a world makes of them.

use std::sync::{Arc, Mutex};

use pocketsync_sim::engine::Engine;
use pocketsync_sim::history::{Event, Fault, Look, Phase};
use pocketsync_sim::oracle::{self, Case, Judge, Oracle};
use pocketsync_sim::outcome::Outcome;
use pocketsync_sim::shape::{Shape, WriteId};
use pocketsync_sim::story::{
    Act, Clock, Device, DeviceNo, Link, Move, Ms, Planned, Story, Transaction, TxId, Write,
};
use pocketsync_sim::world::World;

pub(crate) const SQL: &str = "
    CREATE TABLE list(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, title TEXT);
    CREATE TABLE item(id INTEGER PRIMARY KEY, tag TEXT NOT NULL, note TEXT,
      list INTEGER REFERENCES list(id) ON DELETE CASCADE);";

/// A link that nothing is wrong with.
pub(crate) const FINE: Link = Link {
    latency_min_ms: 10,
    latency_max_ms: 60,
    breaks_per_minute: 0.0,
    bytes_per_second: 0,
    max_frame_bytes: 1 << 20,
    duplicate: 0.0,
    reorder: 0.0,
};

pub(crate) fn device(online: bool) -> Device {
    Device { scope: 0, from: 0, online, clock: Clock::default(), link: FINE, version: 0 }
}

/// A story of these devices that is busy for `quiet_at`.
pub(crate) fn story(seed: u64, devices: Vec<Device>, quiet_at: Ms) -> Story {
    Story {
        topology: Default::default(),
        seed,
        devices,
        moves: Vec::new(),
        quiet_at,
        quiet_ms: 120_000,
        check_every_ms: 1_000,
    }
}

/// A transaction of one write, which has the transaction's number.
pub(crate) fn transact(at: Ms, device: u32, number: u64, table: usize, act: Act) -> Planned {
    let write = Write { id: WriteId(number), table, act, pick: 0.0, entropy: number, value_bytes: 0 };
    let transaction = Transaction { id: TxId(number), writes: vec![write], rolled_back: false };
    Planned { at, what: Move::Transact { device: DeviceNo(device), transaction } }
}

pub(crate) fn at(at: Ms, what: Move) -> Planned {
    Planned { at, what }
}

/// What was seen of a run.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) events: Vec<(Ms, Event)>,
    pub(crate) looks: Vec<(Ms, Look)>,
}

impl Seen {
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let fault = |(_, event): &(Ms, Event)| match event {
            Event::Fault(fault) => Some(fault.clone()),
            _ => None,
        };
        self.events.iter().filter_map(fault).collect()
    }

    pub(crate) fn settled(&self) -> &Look {
        let (_, look) = self.looks.last().expect("there was a look");
        assert_eq!(look.phase, Phase::Settled);
        look
    }

    /// The tags of the rows that a device shows in the end.
    pub(crate) fn tags(&self, device: u32) -> Vec<String> {
        let view = self.settled().devices.iter().find(|view| view.device.0 == device);
        view.expect("it runs").rows.keys().map(|row| row.name.clone()).collect()
    }
}

struct Watcher(Arc<Mutex<Seen>>);

impl Oracle for Watcher {
    fn name(&self) -> &'static str {
        "watcher"
    }

    fn promise(&self) -> &'static str {
        "everything is seen"
    }

    fn saw(&mut self, at: Ms, event: &Event) -> Result<(), String> {
        self.0.lock().unwrap().events.push((at, event.clone()));
        Ok(())
    }

    fn looked(&mut self, at: Ms, look: &Look) -> Result<(), String> {
        self.0.lock().unwrap().looks.push((at, look.clone()));
        Ok(())
    }
}

/// Runs a story with all oracles, and shows all that was seen.
pub(crate) fn run(sql: &str, story: Story) -> (Outcome, Seen) {
    run_in(&World::new(), sql, story)
}

/// The same in a world of other parts.
pub(crate) fn run_in(world: &impl Engine, sql: &str, story: Story) -> (Outcome, Seen) {
    let case = Case { shape: Arc::new(Shape::of_sql(sql).unwrap()), story: Arc::new(story) };
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut oracles: Vec<Box<dyn Oracle>> = vec![Box::new(Watcher(Arc::clone(&seen)))];
    oracles.extend(oracle::all(&case));
    let mut judge = Judge::new(case.clone(), oracles, true);
    if std::env::var_os("WORLD_TRACE").is_some() {
        judge.tell(|at, line| println!("{at:>8} {line}"));
    }
    world.run(&case.shape, &case.story, &mut judge).unwrap();
    let outcome = judge.finish("world");
    let seen = Arc::into_inner(seen).unwrap().into_inner().unwrap();
    (outcome, seen)
}

/// The same, where every promise is kept.
#[track_caller]
pub(crate) fn run_well(sql: &str, story: Story) -> (Outcome, Seen) {
    let (outcome, seen) = run(sql, story);
    assert_eq!(outcome.violation, None);
    (outcome, seen)
}
