//! What holds of conflicts whatever happens: everybody ends with the same, strategies are kept,
//! only writes without knowledge of each other are conflicts, and no write vanishes.

use std::collections::{BTreeMap, BTreeSet};

use crate::store_support::*;
use pocketsync_core::conflict::{Conflict, ConflictFilter, LoggedConflict, Resolution, Winner, Written};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::store::MemoryStore;
use pocketsync_core::value::Value;
use proptest::prelude::*;

const DEVICES: usize = 3;
const COLUMNS: [&str; 3] = ["a", "b", "c"];
const STRATEGIES: [&str; 4] = ["last_write_wins", "hub_wins", "client_wins", "resolver"];

#[derive(Clone, Debug)]
enum Op {
    Write { device: usize, key: i64, column: usize },
    Toggle { device: usize, key: i64 },
    Sync { device: usize, max_bytes: usize, pieces: usize },
    Meet { device: usize, other: usize },
    Reopen { replica: usize },
    Skew { device: usize, ms: i64 },
}

fn op(with_peers: bool, with_deletes: bool) -> impl Strategy<Value = Op> {
    let device = 0..DEVICES;
    let pieces = prop_oneof![0usize..4, Just(usize::MAX)];
    prop_oneof![
        8 => (device.clone(), 0i64..2, 0usize..3).prop_map(|(device, key, column)| Op::Write { device, key, column }),
        if with_deletes { 2 } else { 0 } => (device.clone(), 0i64..2).prop_map(|(device, key)| Op::Toggle { device, key }),
        6 => (device.clone(), prop_oneof![1usize..150, Just(1 << 20)], pieces)
            .prop_map(|(device, max_bytes, pieces)| Op::Sync { device, max_bytes, pieces }),
        if with_peers { 2 } else { 0 } => (device.clone(), device.clone())
            .prop_map(|(device, other)| Op::Meet { device, other }),
        1 => (0..=DEVICES).prop_map(|replica| Op::Reopen { replica }),
        1 => (device, -50i64..50).prop_map(|(device, ms)| Op::Skew { device, ms }),
    ]
}

/// What a resolver says: any function of the conflict.
fn whatever(conflict: &Conflict) -> Resolution {
    let number = |what: &Written| match what {
        Written::Value(Value::Integer(n)) => *n,
        _ => 0,
    };
    let first = &conflict.columns[0];
    match (number(&first.hub.what) * 7 + number(&first.incoming.what)) % 6 {
        0 => Resolution::KeepHub,
        1 => Resolution::KeepIncoming,
        2 => Resolution::Park,
        3 => panic!("a resolver that fails"),
        4 => Resolution::Merged(BTreeMap::from([("nowhere".to_owned(), Value::Null)])),
        _ => {
            let values = conflict.columns.iter().map(|column| {
                (
                    column.name.clone(),
                    Value::Integer(-number(&column.hub.what) - number(&column.incoming.what)),
                )
            });
            Resolution::Merged(values.collect())
        }
    }
}

/// One write: what it said, and what the writer saw there.
struct OneWrite {
    value: i64,
    over: Option<i64>,
}

struct World {
    devices: Vec<MemoryStore>,
    hub: MemoryStore,
    openings: u64,
    now: u64,
    skew_ms: [i64; DEVICES],
    values: i64,
    writes: Vec<OneWrite>,
    /// Values that somebody deleted while seeing them.
    deleted: BTreeSet<i64>,
}

fn rules_key(column: &str) -> Box<[Value]> {
    Box::new([Value::text("t"), Value::text(column)])
}

impl World {
    fn new(strategies: [usize; 3], on_delete: usize) -> Self {
        // The resolver's panics are wanted, and many.
        static QUIET: std::sync::Once = std::sync::Once::new();
        QUIET.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if !info.to_string().contains("a resolver that fails") {
                    usual(info);
                }
            }));
        });
        let mut world = World {
            devices: (0..DEVICES).map(|n| device(n as u8 + 1)).collect(),
            hub: MemoryStore::hub(site(99), Stamp(99)).with_resolver(whatever),
            openings: 1000,
            now: NOW,
            skew_ms: [0; DEVICES],
            values: 0,
            writes: Vec::new(),
            deleted: BTreeSet::new(),
        };
        world.devices[0].write(&scope(), NOW, |tx| {
            for (column, strategy) in COLUMNS.iter().zip(strategies) {
                let cells = [("strategy", Value::text(STRATEGIES[strategy]))];
                tx.insert_natural("__pocketsync_rules", rules_key(column), &cells);
            }
            let word = ["delete_wins", "last_writer_wins"][on_delete];
            tx.insert_natural("__pocketsync_rules", rules_key(""), &[("on_delete", Value::text(word))]);
            for key in 0..2 {
                tx.insert_natural("t", [Value::Integer(key)], &[]);
            }
        });
        (0..DEVICES).for_each(|device| world.sync(device, 1 << 20, usize::MAX));
        world
    }

    fn sync(&mut self, device: usize, max_bytes: usize, pieces: usize) {
        sync_pieces(&mut self.devices[device], &mut self.hub, max_bytes, pieces);
    }

    fn run(&mut self, op: &Op) {
        self.now += 7;
        match *op {
            Op::Write { device, key, column } => self.write(device, key, column),
            Op::Toggle { device, key } => self.toggle(device, key),
            Op::Sync { device, max_bytes, pieces } => self.sync(device, max_bytes, pieces),
            Op::Meet { device, other } if device != other => {
                let [a, b] = self.devices.get_disjoint_mut([device, other]).unwrap();
                sync_peers(a, b);
            }
            Op::Meet { .. } => {}
            Op::Reopen { replica } => {
                self.openings += 1;
                let all = self.devices.iter_mut().chain([&mut self.hub]);
                all.into_iter().nth(replica).unwrap().reopen(Stamp(self.openings));
            }
            Op::Skew { device, ms } => self.skew_ms[device] = ms,
        }
    }

    fn now_of(&self, device: usize) -> u64 {
        self.now.saturating_add_signed(self.skew_ms[device])
    }

    fn write(&mut self, device: usize, key_no: i64, column: usize) {
        let (now, value) = (self.now_of(device), self.values + 1);
        let (_, over) = self.devices[device].write(&scope(), now, |tx| {
            let before = tx.row("t", &key(key_no))?;
            tx.update("t", &key(key_no), &[(COLUMNS[column], Value::Integer(value))]);
            Some(before.get(COLUMNS[column]).and_then(integer))
        });
        if let Some(over) = over {
            self.values = value;
            self.writes.push(OneWrite { value, over });
        }
    }

    fn toggle(&mut self, device: usize, key_no: i64) {
        let now = self.now_of(device);
        let (_, gone) = self.devices[device].write(&scope(), now, |tx| {
            let row = tx.row("t", &key(key_no));
            match &row {
                Some(_) => tx.delete("t", &key(key_no)),
                None => tx.insert_natural("t", [Value::Integer(key_no)], &[]),
            };
            row
        });
        self.deleted.extend(gone.into_iter().flatten().filter_map(|(_, value)| integer(&value)));
    }

    /// Everybody hears of everything.
    fn settle(&mut self) {
        for _ in 0..3 {
            (0..DEVICES).for_each(|device| self.sync(device, 1 << 20, usize::MAX));
        }
    }

    fn log(&self) -> Vec<LoggedConflict> {
        self.hub.conflicts(&scope(), &ConflictFilter::default())
    }

    fn all_the_same(&self) -> Result<(), TestCaseError> {
        let states = self.hub.states(&scope());
        for device in &self.devices {
            prop_assert_eq!(&device.states(&scope()), &states);
            prop_assert_eq!(device.rows(&scope()), self.hub.rows(&scope()));
        }
        Ok(())
    }

    fn shown(&self) -> BTreeSet<i64> {
        let rows = self.hub.rows(&scope());
        let cells = rows.get("t").into_iter().flat_map(|rows| rows.values().flat_map(|row| row.values()));
        cells.filter_map(integer).collect()
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(n) => Some(*n),
        _ => None,
    }
}

fn values_in(written: &Written) -> Vec<i64> {
    match written {
        Written::Value(value) => integer(value).into_iter().collect(),
        Written::Row(row) => row.values().filter_map(integer).collect(),
        _ => Vec::new(),
    }
}

fn rules() -> impl Strategy<Value = ([usize; 3], usize)> {
    ([0usize..4, 0usize..4, 0usize..4], 0usize..2)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever the rules and the resolver say, and whatever happens to links and engines.
    #[test]
    fn everybody_ends_with_the_same(
        (strategies, on_delete) in rules(),
        ops in proptest::collection::vec(op(true, true), 1..50),
    ) {
        let mut world = World::new(strategies, on_delete);
        ops.iter().for_each(|op| world.run(op));
        world.settle();
        world.all_the_same()?;
        let before = world.log().len();
        world.settle();
        prop_assert_eq!(world.log().len(), before, "what is settled is no conflict");
    }

    /// After a session in which there was a conflict, the hub shows what the rule says.
    #[test]
    fn the_side_that_a_rule_names_wins(
        (strategies, on_delete) in rules(),
        ops in proptest::collection::vec(op(false, true), 1..50),
    ) {
        let mut world = World::new(strategies, on_delete);
        for op in &ops {
            let (before, log) = (world.hub.rows(&scope()), world.log().len());
            world.run(op);
            let log = world.log().len() - log;
            let new: Vec<LoggedConflict> = world.log().into_iter().take(log).collect();
            let rows = world.hub.rows(&scope());
            let value = |rows: &pocketsync_core::store::Rows, conflict: &LoggedConflict| {
                let row = rows.get("t")?.get(&conflict.row)?;
                row.get(conflict.column.as_deref()?).cloned()
            };
            for conflict in new.iter().filter(|conflict| conflict.column.is_some()) {
                let (here, came) = (values_in(&conflict.here.what)[0], values_in(&conflict.came.what)[0]);
                // One session may bring several pieces, each with a conflict of its own, or a delete.
                let same_cell = |other: &&LoggedConflict| {
                    other.row == conflict.row && (other.column == conflict.column || other.column.is_none())
                };
                if new.iter().filter(same_cell).count() > 1 {
                    continue;
                }
                let Some(shown) = value(&rows, conflict).as_ref().and_then(integer) else { continue };
                match (conflict.rule.as_str(), conflict.winner) {
                    ("hub_wins", _) => {
                        prop_assert_eq!(shown, here);
                        // Unless the row was deleted, and what came has inserted it anew.
                        let was_shown = value(&before, conflict);
                        prop_assert!(was_shown.is_none_or(|shown| shown == Value::Integer(here)));
                    }
                    ("client_wins", _) | (_, Winner::Came) => prop_assert_eq!(shown, came),
                    (_, Winner::Here) => prop_assert_eq!(shown, here),
                    _ => prop_assert_eq!(shown, -here - came),
                }
            }
        }
    }

    /// A device that has everything when it writes, and tells it before another one writes, is in
    /// conflict with nobody.
    #[test]
    fn writes_that_know_of_each_other_are_no_conflict(
        (strategies, on_delete) in rules(),
        ops in proptest::collection::vec(op(false, true), 1..40),
        max_bytes in prop_oneof![1usize..150, Just(1 << 20)],
    ) {
        let mut world = World::new(strategies, on_delete);
        for op in &ops {
            if let Op::Write { device, .. } | Op::Toggle { device, .. } = *op {
                world.sync(device, max_bytes, usize::MAX);
                world.run(op);
                world.sync(device, max_bytes, usize::MAX);
            } else {
                world.run(op);
            }
        }
        prop_assert_eq!(world.log(), vec![]);
    }

    /// … also when it went from device to device without the hub.
    #[test]
    fn what_came_from_a_peer_is_known(
        (strategies, on_delete) in rules(),
        writes in proptest::collection::vec((0..DEVICES, 0i64..2, 0usize..3, any::<bool>()), 1..20),
    ) {
        let mut world = World::new(strategies, on_delete);
        for (device, key, column, to_hub) in writes {
            for other in (0..DEVICES).filter(|other| *other != device) {
                let [us, them] = world.devices.get_disjoint_mut([device, other]).unwrap();
                sync_peers(us, them);
            }
            world.run(&Op::Write { device, key, column });
            if to_hub {
                push(&mut world.devices[device], &mut world.hub);
            }
            for other in (0..DEVICES).filter(|other| *other != device) {
                let [us, them] = world.devices.get_disjoint_mut([device, other]).unwrap();
                sync_peers(us, them);
            }
        }
        // Each device tells what it has; what was overwritten knowingly comes late and loses.
        let log = world.log();
        prop_assert!(log.iter().all(|conflict| conflict.winner == Winner::Here || conflict.came.hlc > conflict.here.hlc), "{:?}", log);
    }

    /// Two devices that write the same cells offline: one conflict a cell that both wrote, once.
    #[test]
    fn each_pair_of_writes_is_one_conflict(
        strategies in [0usize..3, 0usize..3, 0usize..3],
        rounds in proptest::collection::vec((0usize..8, 0usize..8, any::<bool>()), 1..6),
    ) {
        let mut world = World::new(strategies, 0);
        let mut expected = 0;
        for (by_first, by_second, swap) in rounds {
            for (device, columns) in [(0, by_first), (1, by_second)] {
                for column in (0..3).filter(|column| columns >> column & 1 == 1) {
                    world.run(&Op::Write { device, key: 0, column });
                }
            }
            expected += (by_first & by_second).count_ones() as usize;
            let (first, second) = if swap { (1, 0) } else { (0, 1) };
            world.sync(first, 1 << 20, usize::MAX);
            world.sync(second, 1 << 20, usize::MAX);
            prop_assert_eq!(world.log().len(), expected);
            world.settle();
            prop_assert_eq!(world.log().len(), expected);
        }
    }

    /// Each value is shown, was overwritten or deleted by somebody who saw it, or is in the log.
    #[test]
    fn no_write_vanishes(
        (strategies, on_delete) in rules(),
        ops in proptest::collection::vec(op(false, true), 1..60),
    ) {
        let mut world = World::new(strategies, on_delete);
        ops.iter().for_each(|op| world.run(op));
        world.settle();
        let mut accounted = world.shown();
        accounted.extend(&world.deleted);
        accounted.extend(world.writes.iter().filter_map(|write| write.over));
        for conflict in world.log() {
            accounted.extend(values_in(&conflict.here.what));
            accounted.extend(values_in(&conflict.came.what));
        }
        for write in &world.writes {
            prop_assert!(accounted.contains(&write.value), "{} is gone", write.value);
        }
    }
}
