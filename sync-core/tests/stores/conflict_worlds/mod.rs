//! Two devices that share a row, and a hub with rules and a resolver.

use std::collections::BTreeMap;

use pocketsync_core::conflict::{
    Conflict, ConflictFilter, ConflictLimits, LoggedConflict, Resolution, Written,
};
use pocketsync_core::lineage::Stamp;
use pocketsync_core::store::{
    HubStore, HubStoreOptions, MemoryStore, Store, StoreError, StoreReply, StoreRequest,
};
use pocketsync_core::value::Value;

use crate::store_support::*;

/// A hub of either kind with a resolver.
pub(crate) enum Hub {
    Memory(MemoryStore),
    File(HubStore, #[expect(dead_code, reason = "the directory goes with it")] tempfile::TempDir),
}

impl Store for Hub {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        match self {
            Hub::Memory(store) => store.run(request),
            Hub::File(store, _) => store.run(request),
        }
    }
}

impl Hub {
    pub(crate) fn log(&self) -> Vec<LoggedConflict> {
        self.find(&ConflictFilter::default())
    }

    pub(crate) fn find(&self, filter: &ConflictFilter) -> Vec<LoggedConflict> {
        match self {
            Hub::Memory(store) => store.conflicts(&scope(), filter),
            Hub::File(store, _) => store.conflicts(&scope(), filter).unwrap(),
        }
    }
}

pub(crate) type Resolve = fn(&Conflict) -> Resolution;

/// Two devices that share a row with the columns a and b, and a hub.
pub(crate) struct World {
    pub(crate) a: MemoryStore,
    pub(crate) b: MemoryStore,
    pub(crate) hub: Hub,
    pub(crate) now: u64,
}

pub(crate) fn worlds(rule: &[(&str, &str, &str)], resolver: Option<Resolve>) -> [World; 2] {
    [false, true].map(|in_file| world(in_file, rule, resolver, ConflictLimits::default()))
}

pub(crate) fn world(
    in_file: bool,
    rules: &[(&str, &str, &str)],
    resolver: Option<Resolve>,
    limits: ConflictLimits,
) -> World {
    let hub = if in_file {
        let dir = tempfile::tempdir().unwrap();
        let mut options = HubStoreOptions::default();
        options.conflicts = limits;
        let store = HubStore::open(dir.path().join("hub.db"), options).unwrap();
        Hub::File(if let Some(resolver) = resolver { store.with_resolver(resolver) } else { store }, dir)
    } else {
        let store = MemoryStore::hub(site(99), Stamp(99)).with_conflict_limits(limits);
        Hub::Memory(if let Some(resolver) = resolver { store.with_resolver(resolver) } else { store })
    };
    let mut world = World { a: device(1), b: device(2), hub, now: NOW };
    world.a.write(&scope(), NOW, |tx| {
        for (column, word, value) in rules {
            let key: Box<[Value]> = Box::new([Value::text("T"), Value::text(column)]);
            tx.insert_natural("__pocketsync_rules", key, &[(*word, Value::text(value))]);
        }
        tx.insert_natural("t", [Value::Integer(1)], &[("a", Value::Integer(0)), ("b", Value::Integer(0))]);
    });
    world.settle();
    world
}

impl World {
    pub(crate) fn settle(&mut self) {
        for _ in 0..2 {
            sync(&mut self.a, &mut self.hub);
            sync(&mut self.b, &mut self.hub);
        }
    }

    pub(crate) fn set(&mut self, device: char, column: &str, value: i64) {
        self.now += 10;
        let now = self.now;
        let written = self
            .of(device)
            .write(&scope(), now, |tx| tx.update("t", &key(1), &[(column, Value::Integer(value))]));
        assert!(written.1);
    }

    pub(crate) fn delete(&mut self, device: char) {
        self.now += 10;
        let now = self.now;
        assert!(self.of(device).write(&scope(), now, |tx| tx.delete("t", &key(1))).1);
    }

    pub(crate) fn of(&mut self, device: char) -> &mut MemoryStore {
        if device == 'a' { &mut self.a } else { &mut self.b }
    }

    pub(crate) fn sync(&mut self, device: char) {
        let device = if device == 'a' { &mut self.a } else { &mut self.b };
        sync(device, &mut self.hub);
    }

    /// What both devices show.
    pub(crate) fn shown(&mut self) -> Option<BTreeMap<String, i64>> {
        self.settle();
        let row = |store: &MemoryStore| {
            let row: BTreeMap<String, Value> = store.rows(&scope()).get("t")?.get(&key(1))?.clone();
            let number = |value: &Value| if let Value::Integer(n) = value { *n } else { panic!("{value:?}") };
            Some(row.iter().map(|(name, value)| (name.clone(), number(value))).collect())
        };
        let shown: Option<BTreeMap<String, i64>> = row(&self.a);
        assert_eq!(shown, row(&self.b));
        shown
    }

    pub(crate) fn cell(&mut self, column: &str) -> i64 {
        self.shown().unwrap()[column]
    }
}

pub(crate) fn value(n: i64) -> Written {
    Written::Value(Value::Integer(n))
}
