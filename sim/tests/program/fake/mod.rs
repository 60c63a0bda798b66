//! A world that is as simple as can be, to try the program around it: every device has one map of
//! rows, and whoever is online has at once what anyone online has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pocketsync_core::value::Value;
use pocketsync_sim::engine::{Engine, EngineError};
use pocketsync_sim::history::{
    Cause, Commit, DeviceView, Did, Effect, Event, Fault, Look, Phase, RowView, Rows, StatusView,
};
use pocketsync_sim::oracle::{Case, Judge, Oracle};
use pocketsync_sim::pocketsync_core;
use pocketsync_sim::shape::{Column, Key, Kind, Role, RowTag, Shape, TableShape, WriteId};
use pocketsync_sim::story::{
    Act, Clock, CrashPoint, Cut, Device, DeviceNo, Link, Move, Ms, Planned, Story, Transaction, TxId, Write,
};

/// One table with a tag and a number.
pub(crate) fn shape() -> Arc<Shape> {
    let column = |name: &str, role| Column { name: name.to_owned(), role, nullable: true };
    let columns = vec![
        column("id", Role::RowKey),
        column("name", Role::Tag),
        column("amount", Role::Free(Kind::Integer)),
    ];
    let items = TableShape { name: "items".to_owned(), key: Key::Surrogate { column: 0 }, columns };
    let sql = "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount INTEGER)".to_owned();
    Arc::new(Shape { sql, tables: vec![items], ..Shape::default() })
}

pub(crate) fn case(story: Story) -> Case {
    Case { shape: shape(), story: Arc::new(story) }
}

/// A story of three devices: everyone writes all the time, and everything happens to everyone.
pub(crate) fn story(seed: u64) -> Story {
    let mut moves = Vec::new();
    let mut write = 0;
    for step in 0..60u64 {
        let at = 1000 + step * 500;
        let device = DeviceNo(((seed + step) % 3) as u32);
        let other = DeviceNo(((seed + step + 1) % 3) as u32);
        let writes = (0..1 + (seed + step) % 3).map(|_| {
            write += 1;
            insert(write)
        });
        let transaction =
            Transaction { id: TxId(step), writes: writes.collect(), rolled_back: step % 17 == 5 };
        moves.push(Planned { at, what: Move::Transact { device, transaction } });
        let fault = match (seed + step) % 6 {
            0 => Move::Disconnect { device: other, how: Cut::Silent },
            3 => Move::Connect { device: DeviceNo(((seed + step + 1 - 3) % 3) as u32) },
            4 => Move::Crash { device: other, point: CrashPoint::Now, down_ms: 200 },
            5 => Move::SetClock { device: other, offset_ms: 5 },
            _ => continue,
        };
        moves.push(Planned { at: at + 100, what: fault });
    }
    Story {
        topology: Default::default(),
        seed,
        devices: vec![device(0), device(-3200), device(500)],
        moves,
        quiet_at: 40_000,
        quiet_ms: 10_000 + seed * 700 % 9000,
        check_every_ms: 1000,
    }
}

pub(crate) fn device(offset_ms: i64) -> Device {
    let link = Link {
        latency_min_ms: 10,
        latency_max_ms: 50,
        breaks_per_minute: 0.5,
        bytes_per_second: 0,
        max_frame_bytes: 1 << 20,
        duplicate: 0.01,
        reorder: 0.0,
    };
    Device { scope: 0, from: 0, online: true, clock: Clock { offset_ms, drift_ppm: 0 }, link, version: 0 }
}

pub(crate) fn insert(id: u64) -> Write {
    Write { id: WriteId(id), table: 0, act: Act::Insert, pick: 0.5, entropy: id, value_bytes: 0 }
}

/// The engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fake {
    /// Panics when that row is written.
    pub(crate) panics_at: Option<u64>,
    /// Panics there too, and catches it.
    pub(crate) swallows: bool,
    /// Fails in stories of that seed.
    pub(crate) fails_at: Option<u64>,
    /// Takes that long for a story.
    pub(crate) sleeps_ms: u64,
    /// Counts its runs, and from the second on is a millisecond late at the end.
    pub(crate) tires: Option<Arc<AtomicU64>>,
}

struct World<'a> {
    fake: &'a Fake,
    judge: &'a mut Judge,
    rows: Vec<Rows>,
    online: Vec<bool>,
}

impl Engine for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn has_sqlite(&self) -> bool {
        false
    }

    fn run(&self, _shape: &Arc<Shape>, story: &Arc<Story>, judge: &mut Judge) -> Result<(), EngineError> {
        if self.fails_at == Some(story.seed) {
            return Err(EngineError { engine: "fake", what: "the disk is full".to_owned() });
        }
        let devices = story.devices.len();
        let mut world =
            World { fake: self, judge, rows: vec![Rows::new(); devices], online: vec![true; devices] };
        let mut looked = 0;
        for planned in &story.moves {
            if world.judge.violation().is_some() {
                return Ok(());
            }
            while looked + story.check_every_ms <= planned.at {
                looked += story.check_every_ms;
                std::thread::sleep(std::time::Duration::from_millis(self.sleeps_ms));
                world.look(looked, Phase::During);
            }
            world.happens(planned.at, &planned.what);
        }
        let runs = self.tires.as_ref().map_or(0, |runs| runs.fetch_add(1, Ordering::Relaxed));
        world.judge.saw(story.quiet_at + runs.min(1), &Event::Quiet);
        world.look(story.quiet_at, Phase::Quieting);
        for device in 0..devices {
            if !world.online[device] {
                world.happens(story.quiet_at + 10, &Move::Connect { device: DeviceNo(device as u32) });
            }
        }
        world.look(story.quiet_at + story.quiet_ms / 4, Phase::Quieting);
        world.look(story.quiet_at + story.quiet_ms, Phase::Settled);
        Ok(())
    }
}

impl World<'_> {
    fn happens(&mut self, at: Ms, what: &Move) {
        match what {
            Move::Transact { device, transaction } if !transaction.rolled_back => {
                let effects: Vec<Effect> =
                    transaction.writes.iter().map(|write| self.written(*device, write)).collect();
                if effects.is_empty() {
                    return;
                }
                let bytes = effects.len() * 30;
                let commit =
                    Commit { device: *device, tx: transaction.id, wall_ms: at, effects: effects.clone() };
                self.judge.saw(at, &Event::Committed(commit));
                if self.online[device.0 as usize] {
                    self.judge.saw(at, &carried(*device, true, bytes));
                    self.exchange();
                }
            }
            Move::Connect { device } => {
                self.online[device.0 as usize] = true;
                self.judge.saw(at, &Event::Fault(Fault::Connected(*device)));
                let bytes = 120 + 30 * self.rows.iter().map(BTreeMap::len).max().unwrap_or(0);
                self.judge.saw(at + 5, &carried(*device, false, bytes));
                self.exchange();
                self.judge.saw(at + 5 + bytes as u64 / 20, &Event::CaughtUp { device: *device });
            }
            Move::Disconnect { device, .. } => {
                self.online[device.0 as usize] = false;
                self.judge.saw(at, &Event::Fault(Fault::Disconnected(*device)));
            }
            Move::Crash { device, .. } => {
                self.judge.saw(at, &Event::Fault(Fault::Crashed(*device)));
                self.judge.saw(at, &Event::Fault(Fault::Restarted(*device)));
            }
            Move::Migrate { .. } => {}
            Move::SetClock { device, .. } => self.judge.saw(at, &Event::Fault(Fault::ClockSet(*device))),
            _ => {}
        }
    }

    fn written(&mut self, device: DeviceNo, write: &Write) -> Effect {
        if self.fake.panics_at == Some(write.id.0) {
            let panic = || panic!("write {} is one too many", write.id);
            match self.fake.swallows {
                true => drop(std::panic::catch_unwind(panic)),
                false => panic(),
            }
        }
        let name = format!("r{}", write.id.0);
        let cells = vec![Value::Null, Value::text(&name), Value::Integer(write.id.0 as i64)];
        let row = RowTag { table: 0, name };
        self.rows[device.0 as usize]
            .insert(row.clone(), RowView { cells: cells.clone(), copies: 1, ..RowView::default() });
        Effect { row, did: Did::Inserted { cells } }
    }

    fn exchange(&mut self) {
        let online = |index: &usize| self.online[*index];
        let all: Rows =
            (0..self.rows.len()).filter(online).flat_map(|index| self.rows[index].clone()).collect();
        for index in (0..self.rows.len()).filter(online) {
            self.rows[index] = all.clone();
        }
    }

    fn look(&mut self, at: Ms, phase: Phase) {
        let devices = self.rows.iter().enumerate().map(|(index, rows)| DeviceView {
            version: 0,
            derived: None,
            conflicts: None,
            device: DeviceNo(index as u32),
            scope: 0,
            rows: rows.clone(),
            parked: None,
            clocks: BTreeMap::new(),
            journal: None,
            complaints: None,
            staged_bytes: 0,
            status: StatusView { state: "live", in_sync: false, pending: 0, parked: 0, last_error: None },
            whole: true,
        });
        self.judge.looked(at, &Look { phase, devices: devices.collect(), hub: Vec::new() });
    }
}

fn carried(device: DeviceNo, up: bool, bytes: usize) -> Event {
    Event::Carried { device, up, bytes, cause: Cause::Changes }
}

/// Objects when one device writes a row after another one has crashed.
#[derive(Debug)]
pub(crate) struct AfterCrash {
    pub(crate) writer: DeviceNo,
    pub(crate) row: &'static str,
    pub(crate) crashed: DeviceNo,
    seen: bool,
}

impl AfterCrash {
    pub(crate) fn new(writer: u32, row: &'static str, crashed: u32) -> Self {
        AfterCrash { writer: DeviceNo(writer), row, crashed: DeviceNo(crashed), seen: false }
    }
}

impl Oracle for AfterCrash {
    fn name(&self) -> &'static str {
        "after_crash"
    }

    fn promise(&self) -> &'static str {
        "a certain row is not written after a certain crash"
    }

    fn saw(&mut self, _at: Ms, event: &Event) -> Result<(), String> {
        match event {
            Event::Fault(Fault::Crashed(device)) if *device == self.crashed => self.seen = true,
            Event::Committed(commit)
                if self.seen
                    && commit.device == self.writer
                    && commit.effects.iter().any(|effect| effect.row.name == self.row) =>
            {
                return Err(format!("{} wrote {} after {} had crashed", self.writer, self.row, self.crashed));
            }
            _ => {}
        }
        Ok(())
    }

    fn looked(&mut self, _at: Ms, _look: &Look) -> Result<(), String> {
        Ok(())
    }
}

/// The moves of a story that shrinking tests ask about: `w7` by `d1` after a crash of `d2`.
pub(crate) fn needs(story: &Story, writer: u32, write: u64, crashed: u32) -> bool {
    let mut seen = false;
    story.moves.iter().any(|planned| match &planned.what {
        Move::Crash { device, .. } => {
            seen |= device.0 == crashed;
            false
        }
        Move::Transact { device, transaction } => {
            seen && device.0 == writer && transaction.writes.iter().any(|one| one.id.0 == write)
        }
        _ => false,
    })
}
