//! Random requests: the hub's file and the hub in memory give the same replies, and what a reader
//! has that caught up in pieces is what the writers wrote.

use std::collections::BTreeMap;

use crate::store_support::*;
use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::id::RowId;
use pocketsync_core::lineage::{Cursor, Stamp};
use pocketsync_core::merge::Life;
use pocketsync_core::store::{HubStore, HubStoreOptions, MemoryStore, Store, StoreReply, StoreRequest};
use pocketsync_core::value::Value;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    /// A chunk of a writer's log that follows what it sent before, or not.
    Apply {
        chunks: Vec<(u8, Changeset, bool, bool)>,
    },
    /// A reader asks for more, up to so many bytes, and takes it or loses it.
    Extract {
        peer: u8,
        max_bytes: usize,
        keep: bool,
    },
    /// A reader says what it holds.
    Ack {
        peer: u8,
    },
    Identify,
    /// A reader, who is also a writer, introduces itself with what it holds.
    Meet {
        peer: u8,
    },
    Reopen,
}

fn change() -> impl Strategy<Value = RowChange> {
    let version = (1u64..40, 1u8..4).prop_map(|(ms, by)| version(ms, by));
    let life = proptest::option::weighted(0.5, (version.clone(), 0..3)).prop_map(|life| match life {
        Some((version, 0)) => Life::died(version),
        Some((version, 1)) => Life { undone: Some(version), ..Life::default() },
        Some((version, _)) => Life::born(version),
        None => Life::default(),
    });
    let id = prop_oneof![
        (0i64..6).prop_map(key),
        (1u8..4, 1u64..4).prop_map(|(by, counter)| RowId::Surrogate { site: site(by), counter }),
        Just(RowId::Natural([Value::Ref(Box::new(key(1))), Value::text("x")].into())),
    ];
    let value = prop_oneof![any::<i64>().prop_map(Value::Integer), ".{0,12}".prop_map(|s| Value::text(&s))];
    let cells = proptest::collection::btree_map(0u32..3, (version, value), 0..3).prop_map(|cells| {
        let cell = |(column, (version, value))| CellChange { column, version, value };
        cells.into_iter().map(cell).collect()
    });
    (id, life, cells).prop_map(|(id, life, cells)| RowChange { id, life, cells })
}

fn changeset() -> impl Strategy<Value = Changeset> {
    let table = (0u8..3, proptest::collection::vec(change(), 1..6)).prop_map(|(number, mut rows)| {
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows.dedup_by(|a, b| a.id == b.id);
        let columns = ["a", "b", "c"].map(|name| format!("{name}{}", number % 2)).to_vec();
        TableChanges { name: format!("t{number}"), columns, rows }
    });
    proptest::collection::vec(table, 0..3).prop_map(|mut tables| {
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables.dedup_by(|a, b| a.name == b.name);
        Changeset { tables }
    })
}

fn op() -> impl Strategy<Value = Op> {
    let chunk = (1u8..4, changeset(), proptest::bool::weighted(0.7), proptest::bool::weighted(0.1));
    prop_oneof![
        4 => proptest::collection::vec(chunk, 1..4).prop_map(|chunks| Op::Apply { chunks }),
        4 => (1u8..6, 1usize..400, any::<bool>()).prop_map(|(peer, max_bytes, keep)| Op::Extract { peer, max_bytes, keep }),
        2 => (1u8..6).prop_map(|peer| Op::Ack { peer }),
        1 => Just(Op::Identify),
        1 => (1u8..6).prop_map(|peer| Op::Meet { peer }),
        1 => Just(Op::Reopen),
    ]
}

/// Both stores, which must agree.
struct Pair {
    dir: tempfile::TempDir,
    file: Option<HubStore>,
    memory: MemoryStore,
}

impl Pair {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut file = HubStore::open(dir.path().join("hub.db"), HubStoreOptions::default()).unwrap();
        let memory = MemoryStore::hub(file.site(), stamp(&mut file));
        Pair { dir, file: Some(file), memory }
    }

    fn reopen(&mut self) {
        drop(self.file.take());
        let mut file = HubStore::open(self.dir.path().join("hub.db"), HubStoreOptions::default()).unwrap();
        self.memory.reopen(stamp(&mut file));
        self.file = Some(file);
    }

    fn ask(&mut self, request: StoreRequest) -> StoreReply {
        let ours = self.memory.run(request.clone());
        let theirs = self.file.as_mut().unwrap().run(request);
        assert_eq!(ours, theirs);
        ours.unwrap()
    }
}

fn stamp(file: &mut HubStore) -> Stamp {
    identify(file).lineage.incarnations().last().unwrap().stamp
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_give_the_same_replies(ops in proptest::collection::vec(op(), 1..40)) {
        let mut pair = Pair::new();
        let mut sent: BTreeMap<u8, u64> = BTreeMap::new();
        let mut held: BTreeMap<u8, Cursor> = BTreeMap::new();
        for op in ops {
            match op {
                Op::Apply { chunks } => {
                    let next = |(by, changeset, last, gap): (u8, Changeset, bool, bool)| {
                        let from = sent.entry(by).or_default();
                        let mut chunk = group(site(by), *from, *from + 1, changeset);
                        chunk.last = last;
                        if gap {
                            chunk.from.seq += 1;
                        } else {
                            *from += 1;
                        }
                        chunk
                    };
                    let chunks = chunks.into_iter().map(next).collect();
                    pair.ask(StoreRequest::Apply { scope: scope(), chunks });
                }
                Op::Extract { peer, max_bytes, keep } => {
                    let after = held.get(&peer).cloned().unwrap_or_default();
                    let request = StoreRequest::Extract { scope: scope(), peer: site(peer), after, max_bytes, not_after: None };
                    let StoreReply::Extracted(extracted) = pair.ask(request) else { panic!() };
                    if keep {
                        held.insert(peer, extracted.to);
                    }
                }
                Op::Ack { peer } => {
                    let cursor = held.get(&peer).cloned().unwrap_or_default();
                    pair.ask(StoreRequest::Acked { scope: scope(), peer: site(peer), cursor });
                }
                Op::Identify => {
                    pair.ask(StoreRequest::Identify { scope: scope() });
                }
                Op::Meet { peer } => {
                    let us = pair.file.as_ref().unwrap().site();
                    let mut holding = pocketsync_core::store::Holding::none(us);
                    holding.cursor = held.get(&peer).cloned().unwrap_or_default();
                    let peer = pocketsync_core::store::Peer {
                        site: site(peer), lineage: Default::default(), head: Cursor::ZERO,
                    };
                    let holding = Some(holding);
                    pair.ask(StoreRequest::Meet(pocketsync_core::store::Meet {
                        scope: scope(), peer, holding, resumes: None, clock: None,
                    }));
                }
                Op::Reopen => pair.reopen(),
            }
        }
        pair.ask(StoreRequest::Identify { scope: scope() });
    }

    /// Whatever came in between the pieces.
    #[test]
    fn a_reader_that_caught_up_in_pieces_has_everything(
        steps in proptest::collection::vec((changeset(), 0usize..3, 1usize..200), 1..20),
    ) {
        let mut hub = MemoryStore::hub(site(9), Stamp(1));
        let mut reader = MemoryStore::hub(site(8), Stamp(2));
        let (mut after, mut openings) = (Cursor::ZERO, 10);
        let mut read = |hub: &mut MemoryStore, reader: &mut MemoryStore, max_bytes| {
            let piece = extract(hub, site(8), after.clone(), max_bytes);
            let chunk = chunk(&identify(hub), after.clone(), &piece);
            take(reader, chunk);
            after = piece.to;
            piece.last
        };
        for (n, (changeset, pieces, max_bytes)) in steps.into_iter().enumerate() {
            take(&mut hub, group(site(1), n as u64, n as u64 + 1, changeset));
            for _ in 0..pieces {
                read(&mut hub, &mut reader, max_bytes);
            }
            if n % 5 == 4 {
                openings += 1;
                hub.reopen(Stamp(openings));
            }
        }
        while !read(&mut hub, &mut reader, 50) {}
        prop_assert_eq!(hub.states(&scope()), reader.states(&scope()));
    }
}
