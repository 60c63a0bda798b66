//! A replica in memory with local writers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::channel::mpsc;
use futures::stream::BoxStream;

use crate::driver::{LocalStore, Summary};
use crate::id::{Scope, SiteId};
use crate::lineage::{Cursor, Stamp};
use crate::store::{
    ChunkOutcome, MemoryStore, Met, Store, StoreError, StoreErrorKind, StoreReply, StoreRequest, Transaction,
};

/// A [`MemoryStore`] of one scope that an application writes to behind the driver's back, as
/// [`LocalStore`] has it. Clones are handles to the same replica.
#[derive(Clone, Debug)]
pub struct MemoryReplica {
    scope: Scope,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    store: MemoryStore,
    /// Log numbers of local transactions that no peer has acknowledged.
    pending: BTreeSet<u64>,
    changed: bool,
    suspended: bool,
    failing: Option<StoreError>,
    requests: u64,
    looks: u64,
    clock_jumps: u64,
    listeners: Vec<mpsc::UnboundedSender<()>>,
}

impl MemoryReplica {
    /// An empty replica.
    pub fn new(scope: Scope, site: SiteId, stamp: Stamp) -> Self {
        Self::with_store(scope, MemoryStore::device(site, stamp))
    }

    /// A replica with what `store` has; nothing of it counts as pending.
    pub fn with_store(scope: Scope, store: MemoryStore) -> Self {
        let inner = Inner {
            store,
            pending: BTreeSet::new(),
            changed: true,
            suspended: false,
            failing: None,
            requests: 0,
            looks: 0,
            clock_jumps: 0,
            listeners: Vec::new(),
        };
        MemoryReplica { scope, inner: Arc::new(Mutex::new(inner)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The application commits, and tells nobody.
    pub fn write<T>(&self, wall_ms: u64, work: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let mut inner = self.lock();
        let before = inner.store.head(&self.scope).seq;
        let (head, result) = inner.store.write(&self.scope, wall_ms, work);
        inner.pending.extend(before + 1..=head.seq);
        inner.changed = true;
        result
    }

    /// The application says that it has committed.
    pub fn notify_committed(&self) {
        self.lock().listeners.retain(|listener| listener.unbounded_send(()).is_ok());
    }

    /// Looks at the store, or changes it behind everybody's back.
    pub fn with<T>(&self, work: impl FnOnce(&mut MemoryStore) -> T) -> T {
        work(&mut self.lock().store)
    }

    /// From now on every request fails like this; `None` lets them through again.
    pub fn fail(&self, error: Option<StoreError>) {
        self.lock().failing = error;
    }

    /// Local transactions that no peer has acknowledged.
    pub fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    /// How many requests came.
    pub fn requests(&self) -> u64 {
        self.lock().requests
    }

    /// How often somebody asked whether anything had changed.
    pub fn looks(&self) -> u64 {
        self.lock().looks
    }

    /// How often the store was told that the clock was set.
    pub fn clock_jumps(&self) -> u64 {
        self.lock().clock_jumps
    }

    /// Whether it is suspended.
    pub fn is_suspended(&self) -> bool {
        self.lock().suspended
    }
}

impl Inner {
    fn check(&self) -> Result<(), StoreError> {
        if self.suspended {
            return Err(StoreError::new(StoreErrorKind::Suspended, "the replica is suspended"));
        }
        self.failing.clone().map_or(Ok(()), Err)
    }

    fn acknowledged(&mut self, cursor: &Cursor) {
        let seq = if *cursor == Cursor::ZERO { 0 } else { cursor.complete_seq() };
        self.pending.retain(|&pending| pending > seq);
    }
}

impl Store for MemoryReplica {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let mut inner = self.lock();
        inner.requests += 1;
        inner.check()?;
        match &request {
            StoreRequest::Acked { cursor, .. } => inner.acknowledged(&cursor.clone()),
            StoreRequest::ClockJumped { .. } => inner.clock_jumps += 1,
            _ => {}
        }
        let reply = inner.store.run(request)?;
        match &reply {
            // The peer's word counts where an acknowledgement was lost.
            StoreReply::Met(Met::Resume(resume)) => inner.acknowledged(&resume.send_from),
            StoreReply::Applied(outcomes) => {
                // What the merge wrote of its own is local news.
                inner.changed |= outcomes.iter().any(|outcome| {
                    matches!(outcome, ChunkOutcome::Applied { committed: Some(done), .. } if done.derived)
                });
            }
            _ => {}
        }
        Ok(reply)
    }
}

impl LocalStore for MemoryReplica {
    fn changed(&mut self) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        inner.looks += 1;
        inner.check()?;
        Ok(std::mem::take(&mut inner.changed))
    }

    fn committed(&self) -> BoxStream<'static, ()> {
        let (sender, notices) = mpsc::unbounded();
        self.lock().listeners.push(sender);
        notices.boxed()
    }

    fn summary(&mut self) -> Result<Summary, StoreError> {
        let inner = self.lock();
        inner.check()?;
        let pending_changes = inner.pending.len() as u64;
        Ok(Summary { pending_changes, parked: 0, conflicts: 0, position: inner.store.head(&self.scope) })
    }

    fn suspend(&self) {
        self.lock().suspended = true;
    }

    fn resume(&self) {
        self.lock().suspended = false;
    }
}
