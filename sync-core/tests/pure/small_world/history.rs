//! What may be written to one row, and what its writers may know.

use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::SiteId;
use pocketsync_core::merge::{Cell, Life, RowState};
use pocketsync_core::value::Value;

pub(crate) const WRITERS: u8 = 3;
/// How often one of them writes.
pub(crate) const EACH: usize = 3;
pub(crate) const COLUMNS: usize = 2;

/// A set of writes, by their place in the order of versions.
pub(crate) type Set = usize;
/// The lattice state of the row.
pub(crate) type State = RowState<usize>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Of a row that is not there. It gives the first column a value, and the other none.
    Insert,
    Update(usize),
    Delete,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Insert, Kind::Update(0), Kind::Update(1), Kind::Delete];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) site: u8,
    pub(crate) clock: u64,
    pub(crate) kind: Kind,
}

impl Write {
    pub(crate) fn version(self) -> Version {
        Version::new(Hlc::from_bits(self.clock), SiteId::from_bytes([self.site + 1; 16]))
    }

    /// What a replica tells that has heard of nothing else. Every value is written once.
    pub(crate) fn delta(self, value: usize) -> State {
        let version = self.version();
        let life = match self.kind {
            Kind::Insert => Life::born(version),
            Kind::Update(_) => Life::default(),
            Kind::Delete => Life::died(version),
        };
        let value = Value::Integer(value as i64);
        let cells = self.column().map(|column| (column, Cell { version, value }));
        RowState { life, cells: cells.into_iter().collect() }
    }

    pub(crate) fn column(self) -> Option<usize> {
        match self.kind {
            Kind::Insert => Some(0),
            Kind::Update(column) => Some(column),
            Kind::Delete => None,
        }
    }
}

pub(crate) fn members(set: Set) -> impl Iterator<Item = usize> {
    (0..usize::BITS as usize).filter(move |at| set >> at & 1 == 1).take(set.count_ones() as usize)
}

/// The writes that may come after these in the order of versions. A clock is anything: it stands
/// still or runs ahead, and the only rule is that a version is larger than what its writer knows.
pub(crate) fn next(writes: &[Write]) -> Vec<Write> {
    let last = writes.last();
    let mut all = Vec::new();
    for kind in KINDS {
        let writes_again = |site: &u8| writes.iter().filter(|write| write.site == *site).count() < EACH;
        for site in (0..WRITERS).filter(writes_again) {
            let clock = last.map_or(0, |last| last.clock);
            if last.is_some_and(|last| last.site < site) {
                all.push(Write { site, clock, kind });
            }
            all.push(Write { site, clock: clock + 1, kind });
        }
    }
    all
}

/// What the writer of the last of these may have known of the others: all that it wrote itself,
/// nothing that its version is not larger than, and any part of the rest, heard in any order.
pub(crate) fn knowable(writes: &[Write]) -> Vec<Set> {
    let (last, before) = writes.split_last().expect("there is one");
    let having = |holds: fn(&Write, &Write) -> bool| -> Set {
        before.iter().enumerate().filter(|(_, write)| holds(write, last)).map(|(at, _)| 1 << at).sum()
    };
    let own = having(|write, last| write.site == last.site);
    let tied = having(|write, last| write.clock == last.clock);
    (0..1 << before.len()).filter(|set| set & own == own && set & tied == 0).collect()
}

/// Whether nothing distinguishes these writes from others but the names of the sites, and the
/// names are not the first ones. Sites decide where clocks tie, and there every name counts.
pub(crate) fn is_a_renaming(writes: &[Write]) -> bool {
    if writes.windows(2).any(|pair| pair[0].clock == pair[1].clock) {
        return false;
    }
    let mut fresh = 0;
    writes.iter().any(|write| {
        let known = write.site < fresh;
        fresh = fresh.max(write.site + 1).min(fresh + 1);
        !known && write.site >= fresh
    })
}

/// A history as a story, the smallest version first.
pub(crate) fn story(writes: &[Write], knew: &[Set]) -> String {
    let lines = writes.iter().enumerate().map(|(at, write)| {
        let name = ["A", "B", "C"][write.site as usize];
        let knowing = knew.get(at).map(|set| format!(", knowing of {:?}", members(*set).collect::<Vec<_>>()));
        format!("{at}: {name} at clock {}: {:?}{}\n", write.clock, write.kind, knowing.unwrap_or_default())
    });
    lines.collect()
}
