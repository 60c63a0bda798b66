//! Random histories of devices and a hub, with links that break, files that are restored and
//! devices that meet each other: in the end all hold the same, and nothing that anyone still held
//! is lost or there twice.

use std::collections::BTreeMap;

use crate::store_support::*;
use pocketsync_core::id::RowId;
use pocketsync_core::lineage::Stamp;
use pocketsync_core::store::{ClockReading, MemoryStore};
use pocketsync_core::value::Value;
use proptest::prelude::*;

const DEVICES: usize = 3;

#[derive(Clone, Debug)]
enum Op {
    /// A row that is there once in the world, and one that refers to it.
    Insert {
        device: usize,
    },
    /// One of the rows that the device has is changed.
    Update {
        device: usize,
        pick: usize,
    },
    /// A row with a key of its own is deleted if it is there, and inserted if not.
    Toggle {
        device: usize,
        key: i64,
    },
    /// The device compares its clock, which is wrong, with the hub's.
    Correct {
        device: usize,
    },
    /// The device's clock is set, to another wrong time.
    Jump {
        device: usize,
        skew_ms: i64,
    },
    /// A session with the hub, in pieces of so many bytes; the link may break after some.
    Sync {
        device: usize,
        max_bytes: usize,
        pieces: usize,
    },
    /// A session of two devices.
    Meet {
        device: usize,
        other: usize,
    },
    BackUp {
        replica: usize,
    },
    Restore {
        replica: usize,
    },
    Reopen {
        replica: usize,
    },
}

/// Histories with and without sessions between devices.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let pair = (0..DEVICES, 0..DEVICES).prop_map(|(device, other)| Op::Meet { device, other });
    prop_oneof![
        proptest::collection::vec(op(), 1..60),
        proptest::collection::vec(prop_oneof![6 => op(), 1 => pair], 1..60),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let device = 0..DEVICES;
    let replica = 0..=DEVICES;
    prop_oneof![
        5 => device.clone().prop_map(|device| Op::Insert { device }),
        3 => (device.clone(), 0usize..50).prop_map(|(device, pick)| Op::Update { device, pick }),
        6 => (device.clone(), prop_oneof![1usize..200, Just(1 << 20)], prop_oneof![0usize..5, Just(usize::MAX)])
            .prop_map(|(device, max_bytes, pieces)| Op::Sync { device, max_bytes, pieces }),
        2 => (device.clone(), 0i64..3).prop_map(|(device, key)| Op::Toggle { device, key }),
        2 => device.clone().prop_map(|device| Op::Correct { device }),
        1 => (device, -100i64..100).prop_map(|(device, skew_ms)| Op::Jump { device, skew_ms }),
        2 => replica.clone().prop_map(|replica| Op::BackUp { replica }),
        1 => replica.clone().prop_map(|replica| Op::Restore { replica }),
        1 => replica.prop_map(|replica| Op::Reopen { replica }),
    ]
}

struct World {
    /// The devices, and the hub at the end.
    replicas: Vec<MemoryStore>,
    backups: BTreeMap<usize, MemoryStore>,
    openings: u64,
    now: u64,
    marks: i64,
    /// By how much each device's clock is wrong.
    skew_ms: [i64; DEVICES],
}

impl World {
    fn new() -> Self {
        let mut replicas: Vec<_> = (0..DEVICES).map(|n| device(n as u8 + 1)).collect();
        replicas.push(MemoryStore::hub(site(99), Stamp(99)));
        World {
            replicas,
            backups: BTreeMap::new(),
            openings: 1000,
            now: NOW,
            marks: 0,
            skew_ms: [0, -50, 50],
        }
    }

    fn two(&mut self, a: usize, b: usize) -> [&mut MemoryStore; 2] {
        self.replicas.get_disjoint_mut([a, b]).unwrap()
    }

    fn reopen(&mut self, replica: usize) {
        self.openings += 1;
        self.replicas[replica].reopen(Stamp(self.openings));
    }

    fn step(&mut self, op: Op) {
        self.now += 1;
        let scope = scope();
        let wall = |world: &World, device: usize| world.now.saturating_add_signed(world.skew_ms[device]);
        match op {
            Op::Toggle { device, key: number } => {
                let now = wall(self, device);
                self.replicas[device].write(&scope, now, |tx| {
                    if !tx.delete("n", &key(number)) {
                        tx.insert_natural(
                            "n",
                            [Value::Integer(number)],
                            &[("at", Value::Integer(now as i64))],
                        );
                    }
                });
            }
            Op::Correct { device } => {
                let clock = ClockReading {
                    offset_ms: -self.skew_ms[device],
                    peer_wall_ms: self.now,
                    max_drift_ms: 300_000,
                    compared_at: None,
                };
                run_meet(&mut self.replicas[device], site(99), None, None, Some(clock));
            }
            Op::Jump { device, skew_ms } => {
                jump(&mut self.replicas[device]);
                self.skew_ms[device] = skew_ms;
            }
            Op::Insert { device } => {
                self.marks += 1;
                let now = wall(self, device);
                let mark = Value::Integer(self.marks);
                self.replicas[device].write(&scope, now, |tx| {
                    let id = tx.insert("t", &[("mark", mark.clone())]);
                    tx.insert("u", &[("mark", mark), ("t", Value::Ref(Box::new(id)))]);
                });
            }
            Op::Update { device, pick } => {
                let rows = self.replicas[device].rows(&scope);
                let ids: Vec<RowId> = rows.get("t").into_iter().flat_map(|t| t.keys().cloned()).collect();
                if !ids.is_empty() {
                    let id = &ids[pick % ids.len()];
                    let now = wall(self, device);
                    let value = Value::Integer(now as i64);
                    self.replicas[device].write(&scope, now, |tx| tx.update("t", id, &[("value", value)]));
                }
            }
            Op::Sync { device, max_bytes, pieces } => {
                let [device, hub] = self.two(device, DEVICES);
                sync_pieces(device, hub, max_bytes, pieces);
            }
            Op::Meet { device, other } if device != other => {
                let [a, b] = self.two(device, other);
                sync_peers(a, b);
            }
            Op::Meet { .. } => {}
            Op::BackUp { replica } => {
                self.backups.insert(replica, self.replicas[replica].clone());
            }
            Op::Restore { replica } => {
                if let Some(backup) = self.backups.get(&replica) {
                    self.replicas[replica] = backup.clone();
                    self.reopen(replica);
                }
            }
            Op::Reopen { replica } => self.reopen(replica),
        }
    }

    /// The marks that some replica shows, and how often each is shown where it is shown most.
    fn shown(&self) -> BTreeMap<Value, usize> {
        let mut most = BTreeMap::new();
        for replica in &self.replicas {
            let mut here: BTreeMap<Value, usize> = BTreeMap::new();
            for row in replica.rows(&scope()).get("t").into_iter().flat_map(|t| t.values()) {
                *here.entry(row["mark"].clone()).or_default() += 1;
            }
            for (mark, count) in here {
                let seen: &mut usize = most.entry(mark).or_default();
                *seen = count.max(*seen);
            }
        }
        most
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn all_end_with_the_same_and_nothing_lost(ops in ops()) {
        let mut world = World::new();
        // A restored device finds out from whoever knows what it wrote after the backup. Where it
        // meets first somebody who does not (a device, a hub that was restored too), all still end
        // with the same, but two rows may have been given one identity, or one row two.
        let restores = ops.iter().filter(|op| matches!(op, Op::Restore { replica } if *replica < DEVICES));
        let restores = restores.count();
        let relayed = ops.iter().any(|op| matches!(op, Op::Meet { .. } | Op::Restore { replica: DEVICES }));
        let uninformed = restores > 0 && relayed;
        // Writes that nobody had seen when the backup was made, and whose clock was corrected before
        // they were sent, cannot be told from others: the copy mints them anew.
        let corrected = (0..DEVICES).any(|n| {
            let backed_up = ops.iter().position(|op| matches!(op, Op::BackUp { replica } if *replica == n));
            let after = ops.iter().skip(backed_up.unwrap_or(ops.len()));
            after.filter(|op| matches!(op, Op::Correct { device } if *device == n)).count() > 0
        });
        for op in ops {
            world.step(op);
        }
        let before = world.shown();
        for _ in 0..3 {
            for device in 0..DEVICES {
                let [device, hub] = world.two(device, DEVICES);
                sync(device, hub);
            }
        }
        let hub = world.replicas[DEVICES].states(&scope());
        for device in 0..DEVICES {
            prop_assert_eq!(&world.replicas[device].states(&scope()), &hub);
        }
        if uninformed {
            return Ok(());
        }
        let after = world.shown();
        prop_assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
        // A backup made before a fork and restored after it forks again, with the same rows in it.
        if restores <= 1 && !(restores > 0 && corrected) {
            prop_assert!(after.values().all(|&count| count == 1), "twice: {:?}", after);
        }
        // Every reference points at the row that it was made for.
        let rows = world.replicas[DEVICES].rows(&scope());
        for row in rows.get("u").into_iter().flat_map(|u| u.values()) {
            let Value::Ref(target) = &row["t"] else { panic!() };
            prop_assert_eq!(&rows["t"][&**target]["mark"], &row["mark"]);
        }
    }
}
