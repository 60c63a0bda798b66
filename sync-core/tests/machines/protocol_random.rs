//! Random histories: whatever three devices, a hub and the links between them do, they end with the
//! same rows, and no write is lost.

use std::collections::{BTreeMap, BTreeSet};

use crate::pair::{Net, Node, World, scope};
use pocketsync_core::hub::HubConfig;
use pocketsync_core::id::RowId;
use pocketsync_core::session::SessionEnd;
use pocketsync_core::store::MemoryStore;
use pocketsync_core::value::Value;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(usize),
    UpdateOwn(usize, usize),
    UpdateShared(usize, u8),
    Delete(usize, usize),
    Pair(usize),
    Cut(usize),
    Crash(usize),
    CrashHub,
    Offline(usize),
    Online(usize),
    Peer(usize, usize),
    Run(u64),
    Backup,
    RestoreHub,
    RestoreDevice(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..3usize;
    prop_oneof![
        4 => device.clone().prop_map(Step::Insert),
        4 => (device.clone(), 0..20usize).prop_map(|(n, row)| Step::UpdateOwn(n, row)),
        3 => (device.clone(), 0..3u8).prop_map(|(n, key)| Step::UpdateShared(n, key)),
        2 => (device.clone(), 0..20usize).prop_map(|(n, row)| Step::Delete(n, row)),
        3 => device.clone().prop_map(Step::Pair),
        2 => device.clone().prop_map(Step::Cut),
        1 => device.clone().prop_map(Step::Crash),
        1 => Just(Step::CrashHub),
        1 => device.clone().prop_map(Step::Offline),
        1 => device.clone().prop_map(Step::Online),
        1 => (device.clone(), 1..3usize).prop_map(|(a, b)| Step::Peer(a, (a + b) % 3)),
        8 => (0..200u64).prop_map(Step::Run),
    ]
}

/// Histories with a hub that is put back to an earlier copy.
fn hub_restores() -> impl Strategy<Value = Step> {
    prop_oneof![12 => step(), 1 => Just(Step::Backup), 1 => Just(Step::RestoreHub)]
}

/// Histories with devices that are put back to earlier copies.
fn device_restores() -> impl Strategy<Value = Step> {
    prop_oneof![12 => step(), 1 => Just(Step::Backup), 1 => (0..3usize).prop_map(Step::RestoreDevice)]
}

fn net() -> impl Strategy<Value = Net> {
    let frame = prop_oneof![Just(256usize), Just(300), Just(64 << 10)];
    let drops = prop_oneof![3 => Just(None), 1 => (25..60u64).prop_map(Some)];
    (1..80u64, 0..40u64, 0..5u64, frame, drops).prop_map(
        |(latency_ms, jitter_ms, store_ms, max_frame_bytes, frames_per_link)| Net {
            latency_ms,
            jitter_ms,
            store_ms,
            max_frame_bytes,
            frames_per_link,
            ..Net::default()
        },
    )
}

/// What was written, and has to be found in the end.
#[derive(Default)]
struct Ledger {
    /// Each device's own rows, and the last value that it wrote; `None` where it deleted the row.
    own: BTreeMap<RowId, Option<i64>>,
    by_device: BTreeMap<usize, Vec<RowId>>,
    shared: BTreeMap<(RowId, String), BTreeSet<i64>>,
    written: i64,
    hub_backup: Option<MemoryStore>,
    device_backups: Vec<MemoryStore>,
    restored: BTreeSet<usize>,
}

impl Ledger {
    fn next(&mut self) -> i64 {
        self.written += 1;
        self.written
    }

    fn own(&self, n: usize, row: usize) -> Option<RowId> {
        let rows = self.by_device.get(&n)?;
        rows.get(row % rows.len()).cloned()
    }
}

fn act(world: &mut World, ledger: &mut Ledger, step: Step) {
    match step {
        Step::Insert(n) => {
            let value = ledger.next();
            let id = world.write(n, |tx| tx.insert("note", &[("text", Value::Integer(value))]));
            ledger.own.insert(id.clone(), Some(value));
            ledger.by_device.entry(n).or_default().push(id);
        }
        Step::UpdateOwn(n, row) => {
            let Some(id) = ledger.own(n, row) else { return };
            let value = ledger.next();
            if world.write(n, |tx| tx.update("note", &id, &[("text", Value::Integer(value))])) {
                ledger.own.insert(id, Some(value));
            }
        }
        Step::UpdateShared(n, key) => {
            let value = ledger.next();
            let column = format!("c{}", key % 2);
            let key = [Value::Integer(i64::from(key))];
            let id = RowId::Natural(key.clone().into());
            world.write(n, |tx| {
                let cells = [(column.as_str(), Value::Integer(value))];
                if !tx.insert_natural("setting", key, &cells) {
                    tx.update("setting", &id, &cells);
                }
            });
            ledger.shared.entry((id, column)).or_default().insert(value);
        }
        Step::Delete(n, row) => {
            let Some(id) = ledger.own(n, row) else { return };
            if world.write(n, |tx| tx.delete("note", &id)) {
                ledger.own.insert(id, None);
            }
        }
        Step::Pair(n) => {
            // One transaction over two rows that only this device writes.
            let value = ledger.next();
            let group = n as i64;
            world.write(n, |tx| {
                for half in 0..2 {
                    let key = [Value::Integer(group), Value::Integer(half)];
                    let cells = [("group", Value::Integer(group)), ("tx", Value::Integer(value))];
                    if !tx.insert_natural("pair", key.clone(), &cells) {
                        tx.update("pair", &RowId::Natural(key.into()), &cells);
                    }
                }
            });
        }
        Step::Cut(n) => {
            let links: Vec<u64> = world.devices[n].sessions.keys().copied().collect();
            links.into_iter().for_each(|link| world.cut(link));
        }
        Step::Crash(n) => world.crash(Node::Device(n)),
        Step::CrashHub => world.crash(Node::Hub),
        Step::Offline(n) => world.go_offline(n),
        Step::Online(n) => world.go_online(n),
        Step::Peer(a, b) => {
            world.link(a, b);
        }
        Step::Run(ms) => world.run_for(ms),
        Step::Backup => {
            ledger.hub_backup = Some(world.hub.store.clone());
            ledger.device_backups = world.devices.iter().map(|device| device.store.clone()).collect();
        }
        Step::RestoreHub => {
            if let Some(backup) = ledger.hub_backup.clone() {
                world.hub.store = backup;
                world.crash(Node::Hub);
            }
        }
        Step::RestoreDevice(n) => {
            if let Some(backup) = ledger.device_backups.get(n).cloned() {
                world.devices[n].store = backup;
                world.crash(Node::Device(n));
                ledger.restored.insert(n);
            }
        }
    }
}

/// Runs a history to its end, and checks that what devices wrote that were never restored is there.
fn run(seed: u64, net: Net, steps: Vec<Step>) -> (World, Ledger) {
    let mut config = HubConfig::default();
    config.session.window_bytes = if seed.is_multiple_of(2) { 200 } else { 1 << 20 };
    let mut world = World::with_hub(3, seed, net, config);
    let mut ledger = Ledger::default();
    for step in steps {
        act(&mut world, &mut ledger, step);
    }
    for n in 0..3 {
        world.go_online(n);
    }
    world.settle();
    let rows = world.hub.store.rows(&scope());
    let notes = rows.get("note").cloned().unwrap_or_default();
    let whole = ledger.by_device.iter().filter(|(n, _)| !ledger.restored.contains(n));
    for id in whole.flat_map(|(_, ids)| ids) {
        let shown = notes.get(id).map(|row| row["text"].clone());
        assert_eq!(shown, ledger.own[id].map(Value::Integer), "{id}");
    }
    if ledger.restored.is_empty() {
        for ((id, column), written) in &ledger.shared {
            let Value::Integer(shown) = rows["setting"][id][column] else { panic!("a number was written") };
            assert!(written.contains(&shown));
        }
    }
    (world, ledger)
}

fn assert_no_fork(world: &World) {
    for device in &world.devices {
        let forked = device.ends.iter().any(|end| matches!(end, SessionEnd::Forked { .. }));
        assert!(!forked, "no device was restored");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn everything_converges_and_nothing_is_lost(
        seed in any::<u64>(),
        net in net(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (world, _) = run(seed, net, steps);
        assert_no_fork(&world);
    }

    #[test]
    fn a_hub_that_is_restored_again_and_again_gets_everything_back(
        seed in any::<u64>(),
        net in net(),
        steps in prop::collection::vec(hub_restores(), 1..60),
    ) {
        let (world, _) = run(seed, net, steps);
        assert_no_fork(&world);
    }

    #[test]
    fn devices_that_are_restored_again_and_again_cost_the_others_nothing(
        seed in any::<u64>(),
        net in net(),
        steps in prop::collection::vec(device_restores(), 1..60),
    ) {
        run(seed, net, steps);
    }
}
