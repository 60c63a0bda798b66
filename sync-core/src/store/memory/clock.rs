//! A device's clock: the versions of its folds, and their correction while nobody has seen them.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::scope::MemoryScope;

use crate::clock::{Hlc, Version};
use crate::lineage::Stamp;
use crate::restamp::{Stamped, restamp};
use crate::store::ClockReading;

/// The versions and row counters that one fold handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold {
    /// The largest row counter in use after it.
    pub(super) counter: u64,
    /// The largest clock in use after it.
    pub(super) last: Hlc,
    /// The largest clock that was known from others.
    floor: Hlc,
}

/// What a device needs to hand out versions.
#[derive(Clone, Debug, Default)]
pub(super) struct LocalClock {
    /// The largest row counter in use.
    pub(super) counter: u64,
    last: Hlc,
    offset_ms: i64,
    /// The end of the log when the wall clock was last seen to jump.
    jumped_at: u64,
    folds: BTreeMap<u64, Fold>,
}

impl LocalClock {
    /// The next version's clock: the corrected wall time, but above all that was `seen` or used.
    pub(super) fn tick(&mut self, wall_ms: u64, seen: Hlc) -> Hlc {
        let corrected = Hlc::from_ms(wall_ms.saturating_add_signed(self.offset_ms));
        self.last = corrected.max(seen.next()).max(self.last.next());
        self.last
    }

    /// A fold took the log number `seq`.
    pub(super) fn folded(&mut self, seq: u64, floor: Hlc) {
        self.folds.insert(seq, Fold { counter: self.counter, last: self.last, floor });
    }

    /// The wall clock was set, when the log ended at `head`.
    pub(super) fn jumped(&mut self, head: u64) {
        self.offset_ms = 0;
        self.jumped_at = head;
    }

    /// The largest counter and clock in use at the end of `seq`.
    pub(super) fn used_at(&self, seq: u64) -> (u64, Hlc) {
        let fold = self.folds.range(..=seq).next_back();
        fold.map_or((0, Hlc::ZERO), |(_, fold)| (fold.counter, fold.last))
    }

    /// The folds after a log number, with the largest clock in use after each.
    pub(super) fn folds_after(&self, seq: u64) -> impl Iterator<Item = (u64, Hlc)> {
        self.folds.range(seq.saturating_add(1)..).map(|(seq, fold)| (*seq, fold.last))
    }

    /// Whether `seq` is a fold, and not something that was applied.
    pub(super) fn is_fold(&self, seq: u64) -> bool {
        self.folds.contains_key(&seq)
    }
}

impl MemoryScope {
    /// Whether a fold that nobody was offered reaches beyond `latest`.
    pub(super) fn is_clock_ahead(&self, latest: Hlc) -> bool {
        self.clock.folds.range(self.state.offered.seq + 1..).any(|(_, fold)| fold.last > latest)
    }

    /// The largest clock that is known from others.
    pub(super) fn seen(&self) -> Hlc {
        self.state.sites.iter().map(|(_, known)| known.hlc).max().unwrap_or_default()
    }

    /// Corrects the versions of folds that nobody was offered.
    pub(super) fn restamp(&mut self, reading: ClockReading) {
        let offered = self.state.offered.seq;
        let (_, offered_last) = self.clock.used_at(offered);
        let latest = Hlc::from_ms(reading.peer_wall_ms);
        let mut corrected = BTreeMap::new();
        let mut floor = offered_last;
        // What was written before the clock jumped was stamped by another clock: no offset.
        for (since_jump, offset_ms) in [(false, 0), (true, reading.offset_ms - self.clock.offset_ms)] {
            let used = self.unoffered(offered, offered_last, since_jump);
            let stamps: Vec<Stamped> =
                used.iter().map(|stamp| Stamped { floor: stamp.floor.max(floor), ..*stamp }).collect();
            let now = restamp(&stamps, offset_ms, latest);
            floor = floor.max(now.last().copied().unwrap_or_default());
            corrected.extend(stamps.iter().map(|stamp| stamp.hlc).zip(now));
        }
        self.clock.offset_ms = reading.offset_ms;
        if corrected.iter().any(|(before, now)| before != now) {
            self.rewrite(&corrected, offered, offered_last);
            self.reopen_after(offered);
        }
    }

    /// Hands out the log numbers after `offered` under a new stamp. A copy that was made before a
    /// correction has them with other versions, so a position under the old stamp is not ours.
    fn reopen_after(&mut self, offered: u64) {
        let mut hash = Sha256::new();
        hash.update(b"pocketsync opening after a correction");
        hash.update(self.state.site.as_bytes());
        for part in [self.stamp.0, offered, self.state.head, self.clock.last.bits()] {
            hash.update(part.to_be_bytes());
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash.finalize()[..8]);
        self.stamp = Stamp(u64::from_be_bytes(bytes).max(1));
        self.state.lineage.open(offered, self.stamp);
    }

    /// The clocks of our own writes above `offered_last`, ascending.
    fn unoffered(&self, offered: u64, offered_last: Hlc, since_jump: bool) -> Vec<Stamped> {
        let site = self.state.site;
        let mut used: Vec<Hlc> = (self.records.values())
            .flat_map(|record| {
                record.life.versions().chain(record.cells.values().map(|held| held.cell.version))
            })
            .filter(|version| version.site == site && version.hlc > offered_last)
            .map(|version| version.hlc)
            .collect();
        used.sort();
        used.dedup();
        let folds: Vec<(u64, Fold)> = self.clock.folds.range(offered + 1..).map(|(s, f)| (*s, *f)).collect();
        let fold_of = |hlc: Hlc| folds.get(folds.partition_point(|(_, fold)| fold.last < hlc));
        let stamped = |hlc: Hlc| {
            fold_of(hlc)
                .filter(|(seq, _)| (*seq > self.clock.jumped_at) == since_jump)
                .map(|(_, fold)| Stamped { hlc, floor: fold.floor })
        };
        used.into_iter().filter_map(stamped).collect()
    }

    fn rewrite(&mut self, corrected: &BTreeMap<Hlc, Hlc>, offered: u64, offered_last: Hlc) {
        let site = self.state.site;
        let correct = |version: &mut Version| {
            if version.site == site
                && let Some(&hlc) = corrected.get(&version.hlc)
            {
                version.hlc = hlc;
            }
        };
        for record in self.records.values_mut() {
            let life = &mut record.life;
            [&mut life.born, &mut life.died, &mut life.undone].into_iter().flatten().for_each(correct);
            record.cells.values_mut().for_each(|held| correct(&mut held.cell.version));
        }
        self.state.clashes.iter_mut().for_each(|clash| correct(&mut clash.own.version));
        // A fold whose versions were all overwritten since ends where the one before it does.
        for (_, fold) in self.clock.folds.range_mut(offered + 1..) {
            fold.last = corrected.range(..=fold.last).next_back().map_or(offered_last, |(_, now)| *now);
        }
        self.clock.last = self.clock.used_at(self.state.head).1;
    }
}
