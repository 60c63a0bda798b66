//! A store in memory: for tests, for simulations of many replicas, and as the plainest reading of
//! what a store has to do.

mod clock;
mod conflicts;
mod fork;
mod heard;
mod rows;
mod scope;
mod writes;

use std::collections::BTreeMap;

pub use rows::{Rows, States};
pub use writes::Transaction;

use super::log::{self, Role};
use super::{RefusedParts, Store, StoreError, StoreReply, StoreRequest};
use crate::conflict::{ConflictLimits, HubResolver};
use crate::id::{Scope, SiteId};
use crate::lineage::{Cursor, Stamp};
use scope::MemoryScope;

/// Replicas of any number of scopes, in memory.
///
/// Nothing in it is random: two stores that were made with the same arguments and asked the same
/// things answer the same. A clone is a backup: keep one, go on with the original, and put the
/// clone in its place to see what a restored file does. [`reopen`](Self::reopen) what was restored,
/// as an engine that opens a file does.
///
/// ```
/// use pocketsync_core::id::{Scope, SiteId};
/// use pocketsync_core::lineage::{Cursor, Stamp};
/// use pocketsync_core::store::{MemoryStore, Store, StoreReply, StoreRequest};
/// use pocketsync_core::value::Value;
///
/// let scope = Scope::new("notes").unwrap();
/// let (us, peer) = (SiteId::from_bytes([1; 16]), SiteId::from_bytes([2; 16]));
/// let mut device = MemoryStore::device(us, Stamp(1));
/// device.write(&scope, 1_700_000_000_000, |tx| {
///     let note = tx.insert("note", &[("text", Value::text("hello"))]);
///     tx.update("note", &note, &[("text", Value::text("hello, world"))]);
/// });
/// let request = StoreRequest::Extract { scope, peer, after: Cursor::ZERO, max_bytes: 1 << 20, not_after: None };
/// let StoreReply::Extracted(extracted) = device.run(request)? else { unreachable!() };
/// assert_eq!((extracted.changeset.row_count(), extracted.to.seq), (1, 1));
/// # Ok::<(), pocketsync_core::store::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStore {
    role: Role,
    site: SiteId,
    stamp: Stamp,
    scopes: BTreeMap<Scope, MemoryScope>,
    resolver: HubResolver,
    limits: ConflictLimits,
}

impl MemoryStore {
    /// A hub's store: it keeps its site whatever happens to it, and goes back where its peers hold
    /// more of it than it has.
    pub fn hub(site: SiteId, stamp: Stamp) -> Self {
        MemoryStore {
            role: Role::Hub,
            site,
            stamp,
            scopes: BTreeMap::new(),
            resolver: HubResolver::default(),
            limits: ConflictLimits::default(),
        }
    }

    /// A device's store, with local writes. When it finds that it was restored or cloned, it takes
    /// a new site, which it derives from its site and the stamp of its opening: two clones must be
    /// [reopened](Self::reopen) under different stamps, as two openings of a file are.
    pub fn device(site: SiteId, stamp: Stamp) -> Self {
        MemoryStore {
            role: Role::Device,
            site,
            stamp,
            scopes: BTreeMap::new(),
            resolver: HubResolver::default(),
            limits: ConflictLimits::default(),
        }
    }

    /// An engine opens the store anew, with a stamp that no other opening has.
    pub fn reopen(&mut self, stamp: Stamp) {
        self.stamp = stamp;
        self.scopes.values_mut().for_each(|scope| scope.open(stamp));
    }

    /// The present site in a scope: the one that the store was made with, until a fork.
    pub fn site(&self, scope: &Scope) -> SiteId {
        self.scopes.get(scope).map_or(self.site, |scope| scope.state.site)
    }

    /// The end of a scope's log.
    pub fn head(&self, scope: &Scope) -> Cursor {
        self.scopes.get(scope).map_or(Cursor::ZERO, |scope| scope.state.head_cursor())
    }

    /// How many bytes of changes are kept aside until their group is complete, for all peers.
    pub fn staged_bytes(&self, scope: &Scope) -> u64 {
        self.scopes.get(scope).map_or(0, MemoryScope::staged_bytes)
    }

    /// The changes of our own that peers did not take, with their values, in the order in which they were refused.
    pub fn refused(&self, scope: &Scope) -> &[RefusedParts] {
        self.scopes.get(scope).map_or(&[], |scope| &scope.refused)
    }

    fn scope(&mut self, scope: &Scope) -> &mut MemoryScope {
        let (role, site, stamp) = (self.role, self.site, self.stamp);
        self.scopes.entry(scope.clone()).or_insert_with(|| {
            let mut scope = MemoryScope::new(role, site, stamp);
            scope.state.resolver = self.resolver.clone();
            scope.conflicts.limits = self.limits;
            scope
        })
    }
}

impl Store for MemoryStore {
    fn run(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let scope = request.scope().clone();
        log::run(self.scope(&scope), request)
    }
}
