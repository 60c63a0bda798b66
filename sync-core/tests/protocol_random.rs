//! Random histories: whatever three devices, a hub and the links between them do, they end with the
//! same rows, and no write is lost.

mod pair;

use std::collections::{BTreeMap, BTreeSet};

use pair::{Net, Node, World, scope};
use pocketsync_core::id::RowId;
use pocketsync_core::session::SessionEnd;
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
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn everything_converges_and_nothing_is_lost(
        seed in any::<u64>(),
        net in net(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(3, seed, net);
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
        for (id, last) in &ledger.own {
            let shown = notes.get(id).map(|row| row["text"].clone());
            prop_assert_eq!(shown, last.map(Value::Integer), "{}", id);
        }
        for ((id, column), written) in &ledger.shared {
            let Value::Integer(shown) = rows["setting"][id][column] else { panic!("a number was written") };
            prop_assert!(written.contains(&shown));
        }
        for device in &world.devices {
            let forked = device.ends.iter().any(|end| matches!(end, SessionEnd::Forked { .. }));
            prop_assert!(!forked, "nobody was restored");
        }
    }
}
