//! What a device in memory knew of its peers' logs at each of its own log numbers.

use std::collections::BTreeMap;

use super::clock::LocalClock;
use crate::clock::Hlc;
use crate::conflict::{Remembered, Seen, SeenStep, steps};
use crate::id::SiteId;

/// By our log number: of whom we heard then, up to where of its log, and up to which clock of its
/// own writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(BTreeMap<u64, (SiteId, u64, Hlc)>);

impl Heard {
    pub(super) fn note(&mut self, seq: u64, peer: SiteId, told: u64, known: Hlc) {
        self.0.insert(seq, (peer, told, known));
    }

    /// Of a peer that has another history now, nothing after `position` is known.
    pub(super) fn forget(&mut self, peer: SiteId, position: u64) {
        for (site, told, _) in self.0.values_mut().filter(|(site, ..)| *site == peer) {
            debug_assert_eq!(*site, peer);
            *told = position.min(*told);
        }
    }

    /// How much of a peer's log was known at the end of our log number `at`.
    pub(super) fn told(&self, peer: SiteId, at: u64) -> u64 {
        let mut heard = self.0.range(..=at).rev().map(|(_, heard)| heard);
        heard.find(|(site, ..)| *site == peer).map_or(0, |(_, told, _)| *told)
    }

    /// What we knew of `peer` when we made our own writes after the log number `after`; and those
    /// before from `oldest` on, which it has had.
    pub(super) fn seen(&self, peer: SiteId, after: u64, oldest: Hlc, clock: &LocalClock) -> Seen {
        let mut seen = Seen::default();
        let (_, had) = clock.used_at(after);
        if oldest <= had {
            seen.push(SeenStep { until: had, position: None, peers: Vec::new() });
        }
        let (mut position, mut peers) = (0, BTreeMap::new());
        for (site, told, known) in self.0.range(..=after).map(|(_, heard)| *heard) {
            if site == peer {
                position = told;
            } else if known > Hlc::ZERO {
                peers.insert(site, known);
            }
        }
        let mut log: BTreeMap<u64, Remembered> =
            clock.folds_after(after).map(|(seq, last)| (seq, Remembered::Wrote(last))).collect();
        for (seq, (site, told, known)) in self.0.range(after.saturating_add(1)..) {
            let remembered = if *site == peer {
                Remembered::HeardOfReceiver(*told)
            } else {
                Remembered::HeardOfOther(*site, *known)
            };
            log.insert(*seq, remembered);
        }
        steps(position, peers, log.into_values()).into_iter().for_each(|step| seen.push(step));
        seen.finish()
    }
}
