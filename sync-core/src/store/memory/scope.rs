//! One scope's records and log in maps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::clock::LocalClock;
use super::conflicts::Conflicts;
use super::heard::Heard;
use crate::change::Changeset;
use crate::clock::Hlc;
use crate::conflict::{LoggedConflict, Seen};
use crate::id::{RowId, SiteId};
use crate::lineage::Stamp;
use crate::store::log::{LogState, PeerState, Records, Role, Visit, row_of};
use crate::store::{ClockReading, Mark, Record, RefusedParts, StoreError};

/// One scope.
#[derive(Clone, Debug)]
pub(super) struct MemoryScope {
    pub(super) state: LogState,
    pub(super) stamp: Stamp,
    pub(super) records: BTreeMap<(u32, Vec<u8>), Record>,
    by_seq: BTreeSet<(u64, u32, Vec<u8>)>,
    origins: BTreeMap<u64, SiteId>,
    heard: Heard,
    pub(super) conflicts: Conflicts,
    peers: BTreeMap<SiteId, (u64, PeerState)>,
    ticks: u64,
    staged: BTreeMap<SiteId, Vec<Changeset>>,
    pub(super) refused: Vec<RefusedParts>,
    bound: BTreeMap<SiteId, String>,
    pub(super) clock: LocalClock,
}

impl MemoryScope {
    pub(super) fn new(role: Role, site: SiteId, stamp: Stamp) -> Self {
        let mut scope = MemoryScope {
            state: LogState::new(role, site),
            stamp,
            records: BTreeMap::new(),
            by_seq: BTreeSet::new(),
            origins: BTreeMap::new(),
            heard: Heard::default(),
            conflicts: Conflicts::default(),
            peers: BTreeMap::new(),
            ticks: 0,
            staged: BTreeMap::new(),
            refused: Vec::new(),
            bound: BTreeMap::new(),
            clock: LocalClock::default(),
        };
        scope.open(stamp);
        scope
    }

    pub(super) fn open(&mut self, stamp: Stamp) {
        self.stamp = stamp;
        self.state.recent = None;
        self.state.lineage.open_after(self.state.head, self.state.offered.seq, stamp);
    }

    pub(super) fn staged_bytes(&self) -> u64 {
        self.peers.values().map(|(_, peer)| peer.staged_bytes).sum()
    }

    /// Up to which of our log numbers a peer has acknowledged everything, and up to which it has to
    /// be told again what came from it.
    pub(super) fn peer_acked(&self, peer: SiteId) -> (u64, u64) {
        let known = self.peers.get(&peer);
        known.map_or((0, 0), |(_, known)| (Mark::of(&known.acked).base, known.resend_until))
    }

    pub(super) fn origin_of(&self, seq: u64) -> Option<SiteId> {
        self.origins.get(&seq).copied()
    }

    /// Whether everything after log number `after` came from `peer`.
    pub(super) fn is_all_from(&self, peer: SiteId, after: u64) -> bool {
        let theirs = self.origins.range(after.saturating_add(1)..).filter(|(_, origin)| **origin == peer);
        theirs.count() as u64 == self.state.head.saturating_sub(after)
    }

    /// The records that changed after log number `after`, in that order.
    pub(super) fn records_after(&self, after: u64) -> impl Iterator<Item = &Record> {
        let changed = self.by_seq.range((after.saturating_add(1), 0, Vec::new())..);
        changed.map(|(_, table, row)| &self.records[&(*table, row.clone())])
    }

    /// Forgets a record.
    pub(super) fn remove(&mut self, old: &(u32, Vec<u8>)) {
        if let Some(before) = self.records.remove(old) {
            self.by_seq.remove(&(before.seq(), old.0, old.1.clone()));
        }
    }

    /// Replaces a record, under another id perhaps.
    pub(super) fn replace(&mut self, old: &(u32, Vec<u8>), row: Vec<u8>, record: Record) {
        self.remove(old);
        self.by_seq.insert((record.seq(), old.0, row.clone()));
        self.records.insert((old.0, row), record);
    }
}

impl Records for MemoryScope {
    fn state(&self) -> &LogState {
        &self.state
    }

    fn state_mut(&mut self) -> &mut LogState {
        &mut self.state
    }

    fn record(&self, table: u32, row: &[u8]) -> Result<Option<Record>, StoreError> {
        Ok(self.records.get(&(table, row.to_vec())).cloned())
    }

    fn put_record(
        &mut self,
        table: u32,
        row: &[u8],
        record: &Record,
        _known: bool,
    ) -> Result<(), StoreError> {
        self.replace(&(table, row.to_vec()), row.to_vec(), record.clone());
        Ok(())
    }

    fn scan(&self, after: &Mark, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let start = Bound::Excluded((after.seq, after.table, after.row.clone()));
        for (seq, table, row) in self.by_seq.range((start, Bound::Unbounded)) {
            let record = self.records[&(*table, row.clone())].clone();
            if !visit(*seq, *table, row, record)? {
                break;
            }
        }
        Ok(())
    }

    fn peer(&self, site: SiteId) -> Result<Option<PeerState>, StoreError> {
        Ok(self.peers.get(&site).map(|(_, peer)| peer.clone()))
    }

    fn put_peer(&mut self, site: SiteId, peer: &PeerState) -> Result<(), StoreError> {
        self.ticks += 1;
        self.peers.insert(site, (self.ticks, peer.clone()));
        Ok(())
    }

    fn peers(&self, limit: usize) -> Result<Vec<(SiteId, PeerState)>, StoreError> {
        let mut peers: Vec<_> = self.peers.iter().collect();
        peers.sort_by_key(|(_, (tick, _))| std::cmp::Reverse(*tick));
        Ok(peers.into_iter().take(limit).map(|(site, (_, peer))| (*site, peer.clone())).collect())
    }

    fn origin(&self, seq: u64) -> Result<Option<SiteId>, StoreError> {
        Ok(self.origins.get(&seq).copied())
    }

    fn put_origin(&mut self, seq: u64, peer: SiteId, told: Option<u64>) -> Result<(), StoreError> {
        self.origins.insert(seq, peer);
        if self.state.role == Role::Device
            && let Some(told) = told
        {
            let known = self.state.sites.knowledge(peer).hlc;
            self.heard.note(seq, peer, told, known);
        }
        Ok(())
    }

    fn unlearn(&mut self, peer: SiteId, position: u64) -> Result<(), StoreError> {
        self.heard.forget(peer, position);
        Ok(())
    }

    fn seen(&self, peer: SiteId, base: u64, oldest: Hlc) -> Result<Seen, StoreError> {
        if self.state.role == Role::Hub {
            return Ok(Seen::default());
        }
        Ok(self.heard.seen(peer, self.peer_acked(peer).0.max(base), oldest, &self.clock))
    }

    fn forget_origins(&mut self, peer: SiteId, through: u64) -> Result<(), StoreError> {
        if self.state.role == Role::Hub {
            self.origins.retain(|seq, origin| *origin != peer || *seq > through);
        }
        Ok(())
    }

    fn told(&self, peer: SiteId, at: u64) -> Result<u64, StoreError> {
        Ok(self.heard.told(peer, at))
    }

    fn table(&self, table: u32, visit: &mut dyn FnMut(RowId, Record)) -> Result<(), StoreError> {
        for ((_, row), record) in self.records.range((table, Vec::new())..(table + 1, Vec::new())) {
            visit(row_of(row)?, record.clone());
        }
        Ok(())
    }

    fn log_conflict(&mut self, conflict: LoggedConflict) -> Result<(), StoreError> {
        self.conflicts.push(conflict);
        Ok(())
    }

    fn bind(&mut self, site: SiteId, identity: &str) -> Result<String, StoreError> {
        Ok(self.bound.entry(site).or_insert_with(|| identity.to_owned()).clone())
    }

    fn keep_refused(&mut self, refused: RefusedParts) {
        self.refused.push(refused);
    }

    fn stage(&mut self, peer: SiteId, changeset: Changeset) -> Result<(), StoreError> {
        self.staged.entry(peer).or_default().push(changeset);
        Ok(())
    }

    fn take_staged(&mut self, peer: SiteId) -> Result<Vec<Changeset>, StoreError> {
        Ok(self.staged.remove(&peer).unwrap_or_default())
    }

    fn fork(&mut self, kept: u64) -> Result<SiteId, StoreError> {
        Ok(self.take_new_site(kept))
    }

    fn correct_clock(&mut self, reading: ClockReading) -> Result<(), StoreError> {
        if self.state.role == Role::Device {
            self.restamp(reading);
        }
        Ok(())
    }

    fn is_ahead(&self, latest: Hlc) -> bool {
        self.is_clock_ahead(latest)
    }

    fn clock_jumped(&mut self) -> Result<(), StoreError> {
        self.clock.jumped(self.state.head);
        self.state.recent = None;
        Ok(())
    }

    fn announce(&mut self) -> Result<(), StoreError> {
        self.state.head += 1;
        Ok(())
    }
}
