//! Replicas in memory that meet in any order, over links that break anywhere, with backups taken
//! and put back in between.
//!
//! Whatever happened: when all have met often enough in the end, all hold the same, and come to
//! rest.

use std::collections::VecDeque;

use pocketsync_core::Bytes;
use pocketsync_core::clock::Now;
use pocketsync_core::id::{RowId, Scope};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::session::{Admitted, Output, Rights, Session, SessionConfig, SessionEnd};
use pocketsync_core::store::{MemoryStore, Store};
use pocketsync_core::value::Value;

use crate::draw::values::{NOON_MS, nth_site};
use crate::draw::{Input, Result};

const DEVICES: usize = 3;
/// The hub stands behind the devices.
const HUB: usize = DEVICES;
/// After this many rounds of everybody with the hub, nothing may be new.
const MAX_ROUNDS: usize = 12;

/// Runs a history, drawn from the data, and lets everybody meet at its end.
pub fn run(data: &[u8]) {
    let mut world = World::new();
    let mut u = Input::new(data);
    while !u.is_empty() {
        if world.step(&mut u).is_err() {
            break;
        }
    }
    world.settle();
}

fn scope() -> Scope {
    Scope::new("notes").expect("a name")
}

struct World {
    stores: Vec<MemoryStore>,
    backups: Vec<Option<MemoryStore>>,
    skews_ms: [i64; DEVICES + 1],
    now_ms: u64,
    stamps: u64,
}

impl World {
    fn new() -> Self {
        let mut stores: Vec<_> = (0..DEVICES as u8)
            .map(|n| MemoryStore::device(nth_site(n + 1), Stamp(u64::from(n) + 1)))
            .collect();
        stores.push(MemoryStore::hub(nth_site(9), Stamp(9)));
        let backups = stores.iter().map(|_| None).collect();
        World { stores, backups, skews_ms: [0; DEVICES + 1], now_ms: NOON_MS, stamps: 100 }
    }

    fn now(&self, at: usize) -> Now {
        Now {
            mono: std::time::Duration::from_millis(self.now_ms - NOON_MS),
            wall_ms: self.now_ms.saturating_add_signed(self.skews_ms[at]),
        }
    }

    fn step(&mut self, u: &mut Input<'_>) -> Result<()> {
        self.now_ms += u64::from(u.arbitrary::<u8>()?);
        let device = u.int_in_range(0..=DEVICES - 1)?;
        match u.int_in_range(0..=15u8)? {
            0..=5 => self.write(device, u)?,
            6..=9 => {
                let frames = if u.arbitrary()? { usize::MAX } else { u.int_in_range(0..=9)? };
                self.meet(device, HUB, frames, u.arbitrary()?);
            }
            10 | 11 => {
                let other = (device + u.int_in_range(1..=DEVICES - 1)?) % DEVICES;
                let frames = if u.arbitrary()? { usize::MAX } else { u.int_in_range(0..=9)? };
                self.meet(device, other, frames, u.arbitrary()?);
            }
            12 => {
                let at = u.int_in_range(0..=HUB)?;
                self.backups[at] = Some(self.stores[at].clone());
            }
            13 => {
                let at = u.int_in_range(0..=HUB)?;
                if let Some(backup) = &self.backups[at] {
                    self.stores[at] = backup.clone();
                    self.reopen(at);
                }
            }
            14 => {
                // The skew keeps within what a hub takes, so that no write is refused for good.
                self.skews_ms[device] = i64::from(u.arbitrary::<i16>()?) * 4;
            }
            _ => self.reopen(device),
        }
        Ok(())
    }

    fn reopen(&mut self, at: usize) {
        self.stamps += 1;
        self.stores[at].reopen(Stamp(self.stamps));
    }

    fn write(&mut self, at: usize, u: &mut Input<'_>) -> Result<()> {
        let wall_ms = self.now(at).wall_ms;
        let rows: Vec<RowId> =
            self.stores[at].rows(&scope()).remove("note").unwrap_or_default().into_keys().collect();
        let (choice, key, value) =
            (u.int_in_range(0..=5u8)?, u.int_in_range(0..=2i64)?, u.arbitrary::<u8>()?);
        let row = if rows.is_empty() { None } else { Some(u.choose(&rows)?.clone()) };
        let column = *u.choose(&["text", "done"])?;
        let cells = [(column, Value::Integer(i64::from(value)))];
        self.stores[at].write(&scope(), wall_ms, |tx| match (choice, row) {
            (0 | 1, _) | (_, None) => drop(tx.insert("note", &cells)),
            (2, _) => drop(tx.insert_natural("tag", vec![Value::Integer(key)], &cells)),
            (3, _) => drop(tx.delete("tag", &RowId::Natural([Value::Integer(key)].into()))),
            (4, Some(row)) => drop(tx.delete("note", &row)),
            (_, Some(row)) => drop(tx.update("note", &row, &cells)),
        });
        Ok(())
    }

    /// Two replicas talk until neither has more to say, or the link breaks after some frames.
    /// Answers how it ended for the one who called.
    fn meet(&mut self, a: usize, b: usize, mut frames: usize, is_narrow: bool) -> Option<SessionEnd> {
        let mut config = SessionConfig::new(scope());
        config.max_drift_ms = 600_000;
        config.compression = false;
        if is_narrow {
            config.max_frame_bytes = 256;
            config.chunk_bytes = 1;
        }
        let mut theirs = config.clone();
        theirs.keeps_time = b == HUB;
        let mut sides =
            [(a, Session::connect(config, self.now(a))), (b, Session::accept(theirs, self.now(b)))];
        let mut queues = [VecDeque::new(), VecDeque::new()];
        let mut ended = [None, None];
        loop {
            let mut moved = false;
            for side in 0..2 {
                let (at, session) = &mut sides[side];
                let now = self.now(*at);
                loop {
                    match session.poll_output() {
                        Output::Transmit(frame) => queues[1 - side].push_back(frame),
                        Output::Store(id, request) => {
                            let reply = self.stores[*at].run(request);
                            session.handle_store(now, id, reply);
                        }
                        Output::Admit(_) => {
                            let admitted = Admitted::new("somebody", Rights::ALL);
                            session.handle_admission(now, Ok(admitted));
                        }
                        Output::Closed(end) => {
                            ended[side] = Some(end);
                            break;
                        }
                        Output::Wait(_) => break,
                        _ => {}
                    }
                }
                let other = self.now(sides[1 - side].0);
                while let Some(frame) = queues[1 - side].pop_front() {
                    if frames == 0 {
                        return None;
                    }
                    frames = frames.saturating_sub(usize::from(frames != usize::MAX));
                    moved = true;
                    let frame: Bytes = frame;
                    sides[1 - side].1.handle_frame(other, frame);
                }
            }
            if !moved {
                let [caller, called] = ended;
                return caller.or(called);
            }
        }
    }

    /// Everybody meets the hub until nothing is new.
    fn settle(&mut self) {
        self.skews_ms = [0; DEVICES + 1];
        // Later than any clock was.
        self.now_ms += 1_000_000;
        let mut ends = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let before: Vec<_> = self.stores.iter().map(|store| store.states(&scope())).collect();
            ends = (0..DEVICES).map(|device| self.meet(device, HUB, usize::MAX, false)).collect();
            let after: Vec<_> = self.stores.iter().map(|store| store.states(&scope())).collect();
            if before == after && ends.iter().all(Option::is_none) {
                for (at, store) in after.iter().enumerate() {
                    assert_eq!(*store, after[HUB], "of replica {at} and the hub");
                }
                return;
            }
        }
        panic!("the replicas do not come to rest: {ends:?}");
    }
}
