//! The parts of a story that can be left out, one kind after the other.

use std::collections::BTreeSet;

use super::Search;
use super::minimize::minimize;
use crate::story::{Clock, DeviceNo, Move, Story};

/// Makes one kind of part smaller.
type Part = fn(&mut Story, &mut Search<'_>);

/// All kinds, in the order in which they are tried.
pub(super) const ALL: [Part; 7] = [faults, transactions, writes, devices, oddities, silence, time];

fn is_transaction(what: &Move) -> bool {
    matches!(what, Move::Transact { .. })
}

fn faults(best: &mut Story, search: &mut Search<'_>) {
    moves(best, search, |what| !is_transaction(what));
}

fn transactions(best: &mut Story, search: &mut Search<'_>) {
    moves(best, search, is_transaction);
}

fn moves(best: &mut Story, search: &mut Search<'_>, are_meant: impl Fn(&Move) -> bool) {
    let whole = best.clone();
    let meant: Vec<usize> =
        (0..whole.moves.len()).filter(|index| are_meant(&whole.moves[*index].what)).collect();
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    minimize(meant.len(), |out| {
        let without: BTreeSet<usize> =
            gone.iter().copied().chain(out.iter().map(|one| meant[*one])).collect();
        let kept = whole.moves.iter().enumerate().filter(|(index, _)| !without.contains(index));
        let candidate = Story { moves: kept.map(|(_, planned)| planned.clone()).collect(), ..whole.clone() };
        let taken = search.take(best, candidate);
        if taken {
            gone = without;
        }
        taken
    });
}

fn writes(best: &mut Story, search: &mut Search<'_>) {
    let whole = best.clone();
    let all: Vec<_> = whole.moves.iter().flat_map(|planned| written(&planned.what)).collect();
    let mut gone = BTreeSet::new();
    minimize(all.len(), |out| {
        let without: BTreeSet<_> = gone.iter().copied().chain(out.iter().map(|one| all[*one])).collect();
        let mut candidate = whole.clone();
        for planned in &mut candidate.moves {
            if let Move::Transact { transaction, .. } = &mut planned.what {
                transaction.writes.retain(|write| !without.contains(&write.id));
            }
        }
        let taken = search.take(best, candidate);
        if taken {
            gone = without;
        }
        taken
    });
}

fn written(what: &Move) -> Vec<crate::shape::WriteId> {
    match what {
        Move::Transact { transaction, .. } => transaction.writes.iter().map(|write| write.id).collect(),
        _ => Vec::new(),
    }
}

fn devices(best: &mut Story, search: &mut Search<'_>) {
    let whole = best.clone();
    let mut gone = BTreeSet::new();
    minimize(whole.devices.len(), |out| {
        let without: BTreeSet<usize> = gone.iter().chain(out).copied().collect();
        let taken =
            without.len() < whole.devices.len() && search.take(best, without_devices(&whole, &without));
        if taken {
            gone = without;
        }
        taken
    });
}

/// The story without these devices and all that they do; the others are counted anew.
fn without_devices(story: &Story, without: &BTreeSet<usize>) -> Story {
    let mut story = story.clone();
    let mut count = 0;
    let numbers: Vec<Option<DeviceNo>> = (0..story.devices.len())
        .map(|index| {
            let kept = !without.contains(&index);
            let number = DeviceNo(count);
            count += u32::from(kept);
            kept.then_some(number)
        })
        .collect();
    let mut index = 0..;
    story.devices.retain(|_| index.next().is_none_or(|index| !without.contains(&index)));
    story.moves.retain_mut(|planned| {
        devices_of(&mut planned.what).into_iter().all(|device| {
            match numbers.get(device.0 as usize).copied().flatten() {
                Some(number) => {
                    *device = number;
                    true
                }
                None => false,
            }
        })
    });
    story
}

fn devices_of(what: &mut Move) -> Vec<&mut DeviceNo> {
    match what {
        Move::Transact { device, .. }
        | Move::Connect { device }
        | Move::Disconnect { device, .. }
        | Move::Crash { device, .. }
        | Move::Backup { device }
        | Move::Restore { device }
        | Move::Lose { device }
        | Move::Migrate { device, .. }
        | Move::SetClock { device, .. } => vec![device],
        Move::Clone { device, copy } => vec![device, copy],
        Move::Meet { device, with, .. } => vec![device, with],
        Move::CrashHub { .. } | Move::BackupHub | Move::RestoreHub { .. } => Vec::new(),
    }
}

/// All clocks and links, then each by itself, and the oddities of transactions.
fn oddities(best: &mut Story, search: &mut Search<'_>) {
    let mut candidate = best.clone();
    for index in 0..candidate.devices.len() {
        calm(&mut candidate, index);
        right(&mut candidate, index);
    }
    plain(&mut candidate);
    if search.take(best, candidate) {
        return;
    }
    let single: [fn(&mut Story, usize); 2] = [calm, right];
    for change in single {
        for index in 0..best.devices.len() {
            let mut candidate = best.clone();
            change(&mut candidate, index);
            search.take(best, candidate);
        }
    }
    let mut candidate = best.clone();
    plain(&mut candidate);
    search.take(best, candidate);
}

fn calm(story: &mut Story, device: usize) {
    let link = &mut story.devices[device].link;
    (link.breaks_per_minute, link.duplicate, link.reorder) = (0.0, 0.0, 0.0);
}

fn right(story: &mut Story, device: usize) {
    story.devices[device].clock = Clock::default();
}

fn plain(story: &mut Story) {
    for planned in &mut story.moves {
        if let Move::Transact { transaction, .. } = &mut planned.what {
            transaction.rolled_back = false;
            for write in &mut transaction.writes {
                write.value_bytes = 0;
            }
        }
    }
}

/// The time before the first move, and after the last one.
fn silence(best: &mut Story, search: &mut Search<'_>) {
    let Some(last) = best.moves.last().map(|planned| planned.at) else {
        let candidate = Story { quiet_at: best.quiet_at.min(1), ..best.clone() };
        search.take(best, candidate);
        return;
    };
    for rest in [1, best.check_every_ms.saturating_mul(2)] {
        let candidate = Story { quiet_at: best.quiet_at.min(last.saturating_add(rest)), ..best.clone() };
        if search.take(best, candidate) {
            break;
        }
    }
    // Some of it stays: the devices want to have met before anything is said to happen.
    let early = best.moves.first().map_or(0, |planned| planned.at).saturating_sub(1000);
    search.take(best, earlier(best, |at| at.saturating_sub(early)));
}

/// Everything in half the time, as often as that goes.
fn time(best: &mut Story, search: &mut Search<'_>) {
    while best.quiet_at > 1 && search.take(best, earlier(best, |at| at / 2)) {}
}

fn earlier(story: &Story, at: impl Fn(u64) -> u64) -> Story {
    let mut story = story.clone();
    story.quiet_at = at(story.quiet_at).max(1);
    for device in &mut story.devices {
        device.from = at(device.from);
    }
    for planned in &mut story.moves {
        planned.at = at(planned.at);
    }
    story
}
