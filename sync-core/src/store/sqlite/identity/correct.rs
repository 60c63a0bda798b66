//! Versions that nobody has seen, corrected when a clock that is to be trusted is read.

use std::collections::{BTreeMap, BTreeSet};

use super::super::conflict;
use super::super::engine::Engine;
use super::super::fold::offset_in_effect;
use super::super::merging::births::{self, Births};
use super::super::row_clock::RowClock;
use super::folds::{self, Fold};
use super::visit;
use crate::clock::{Hlc, Version};
use crate::id::SiteId;
use crate::merge::Life;
use crate::restamp::{Stamped, restamp};
use crate::store::{ClockReading, StoreError};

/// Clocks that agree this far, in milliseconds, are left alone: a link's delay is of that size.
const TOLERANCE_MS: u64 = 500;

/// Corrects the versions of folds that nobody was offered, and those to come.
pub(super) fn correct(engine: &mut Engine, reading: ClockReading) -> Result<(), StoreError> {
    let offset_ms = reading.offset_ms - offset_in_effect(&engine.meta);
    engine.meta.offset_ms = reading.offset_ms;
    engine.meta.offset_jump = engine.meta.jump;
    let offered = engine.meta.offered_seq as u64;
    let folds = folds::after(engine, offered)?;
    let latest = Hlc::from_ms(reading.peer_wall_ms.saturating_add(TOLERANCE_MS));
    let ahead = folds.last().is_some_and(|fold| fold.last > latest);
    if folds.is_empty() || (offset_ms.unsigned_abs() <= TOLERANCE_MS && !ahead) {
        return Ok(());
    }
    // What a fold handed out in part counts as handed out.
    let offered_clock =
        Hlc::from_bits(engine.meta.offered_clock as u64).max(folds::used_at(engine, offered)?.1);
    let used = used(engine, offered, offered_clock)?;
    let corrected =
        corrected(&used, &folds, offered_clock, engine.meta.jump, offset_ms, reading.peer_wall_ms);
    let derived =
        Derived { offered: offered_clock, foreign: Hlc::from_bits(engine.meta.foreign_clock as u64), latest };
    if rewrite(engine, offered, &corrected, derived)? {
        // A copy that was made before has these log numbers with other versions, so a position
        // under the old stamp must not pass for ours.
        engine.reopen_after(offered)?;
        conflict::forget_versions(engine, offered)?;
    }
    let mut last = offered_clock;
    for fold in &folds {
        // A fold whose versions were all overwritten since ends where the one before it does.
        last = last.max(corrected.range(..=fold.last).next_back().map_or(Hlc::ZERO, |(_, now)| *now));
        folds::correct(engine, fold.seq, last)?;
    }
    let meta = &mut engine.meta;
    meta.clock = meta.foreign_clock.max(i64::try_from(last.bits()).unwrap_or(i64::MAX));
    Ok(())
}

/// The clocks of our own versions that nobody was offered.
fn used(engine: &mut Engine, offered: u64, offered_clock: Hlc) -> Result<BTreeSet<Hlc>, StoreError> {
    let site = engine.site();
    let mut used = BTreeSet::new();
    let mut learn = |version: Version| {
        if version.site == site && version.hlc > offered_clock {
            used.insert(version.hlc);
        }
    };
    visit::clocks(engine, offered, |_, clock| {
        let cells = clock.exceptions.iter().map(|held| held.version);
        clock.life.versions().chain([clock.base]).chain(cells).for_each(&mut learn);
        false
    })?;
    for (_, _, record) in visit::records(engine, offered)? {
        let cells = record.cells.values().map(|held| held.cell.version);
        record.life.versions().chain(cells).for_each(&mut learn);
    }
    Ok(used)
}

/// New clocks for old ones, in the same order.
fn corrected(
    used: &BTreeSet<Hlc>,
    folds: &[Fold],
    offered_clock: Hlc,
    jump: i64,
    offset_ms: i64,
    peer_wall_ms: u64,
) -> BTreeMap<Hlc, Hlc> {
    let mut corrected = BTreeMap::new();
    let mut floor = offered_clock;
    // What was written before the clock was set was stamped by another clock: no offset.
    for (since_jump, offset_ms) in [(false, 0), (true, offset_ms)] {
        let stamps: Vec<Stamped> = used
            .iter()
            .filter_map(|&hlc| {
                let fold = folds.get(folds.partition_point(|fold| fold.last < hlc))?;
                let stamped = Stamped { hlc, floor: fold.floor.max(floor) };
                ((fold.jump == jump) == since_jump).then_some(stamped)
            })
            .collect();
        let now = restamp(&stamps, offset_ms, Hlc::from_ms(peer_wall_ms));
        floor = floor.max(now.last().copied().unwrap_or_default());
        corrected.extend(stamps.iter().map(|stamp| stamp.hlc).zip(now));
    }
    corrected
}

/// What is to be known of versions that were computed from our own.
#[derive(Clone, Copy, Debug)]
struct Derived {
    /// Up to here they were handed out.
    offered: Hlc,
    /// Up to here they may follow from what others wrote.
    foreign: Hlc,
    /// What is later, others refuse.
    latest: Hlc,
}

impl Derived {
    /// The corrected clock of a version that follows from one of ours: as far after it as before,
    /// and above what others wrote. `None`: it is none of these.
    fn corrected(self, version: Version, corrected: &BTreeMap<Hlc, Hlc>) -> Option<Hlc> {
        let hlc = version.hlc;
        if version.site != SiteId::NIL || hlc <= self.offered.max(self.foreign) {
            return None;
        }
        let cause = corrected.range(..hlc).next_back().map(|(before, now)| (hlc.bits() - before.bits(), now));
        Some(match cause {
            Some((ticks, now)) if ticks < 1 << 16 => {
                Hlc::from_bits(now.bits().saturating_add(ticks)).max(self.foreign.next())
            }
            // What it followed from was overwritten since.
            _ => hlc.min(self.latest.max(self.foreign.next())),
        })
    }
}

/// Says whether any version is another one now.
fn rewrite(
    engine: &mut Engine,
    offered: u64,
    corrected: &BTreeMap<Hlc, Hlc>,
    derived: Derived,
) -> Result<bool, StoreError> {
    let site = engine.site();
    let correct = |version: &mut Version| {
        let own = corrected.get(&version.hlc).copied().filter(|_| version.site == site);
        match own.or_else(|| derived.corrected(*version, corrected)) {
            Some(hlc) if hlc != version.hlc => {
                version.hlc = hlc;
                true
            }
            _ => false,
        }
    };
    let mut any = false;
    let births = Births::before(engine, offered)?;
    visit::clocks(engine, offered, |_, clock| {
        let changed = each_version(clock, correct);
        any |= changed;
        changed
    })?;
    births.follow(engine)?;
    for (table, id, mut record) in visit::records(engine, offered)? {
        let born = record.life.born;
        let mut changed = each_life(&mut record.life, correct);
        births::follow_in(engine, table, &mut record, born);
        for held in record.cells.values_mut() {
            changed |= correct(&mut held.cell.version);
        }
        if changed {
            any = true;
            visit::put_record(engine, table, &id, &id, &record)?;
        }
    }
    Ok(any)
}

/// Applies a change to every version of a clock. Says whether any changed.
pub(super) fn each_version(clock: &mut RowClock, change: impl Fn(&mut Version) -> bool) -> bool {
    let mut changed = each_life(&mut clock.life, &change) | change(&mut clock.base);
    for held in &mut clock.exceptions {
        changed |= change(&mut held.version);
    }
    changed
}

/// Applies a change to every version of a life. Says whether any changed.
pub(super) fn each_life(life: &mut Life, change: impl Fn(&mut Version) -> bool) -> bool {
    let parts = [&mut life.born, &mut life.died, &mut life.undone];
    parts.into_iter().flatten().fold(false, |changed, version| change(version) | changed)
}
