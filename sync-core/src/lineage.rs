//! A replica's log positions, and how it finds out that its history forked.
//!
//! Every replica numbers its own changes: `seq` 1, 2, 3 … Peers remember how far they have read
//! as a [`Cursor`]. A file that is restored from a backup or cloned uses numbers again, so a
//! number alone proves nothing. Each time an engine opens a file it draws a random [`Stamp`] for
//! the numbers that it will hand out; the list of stamps and the first number of each is the
//! replica's [`Lineage`]. A cursor carries the stamp of its number, and its owner checks it
//! against its own lineage. Where the two part, comparing lineages says how much of the history is
//! shared. Nothing is counted or written in a handshake, so a crash in one is never a fork.

use serde::{Deserialize, Serialize};

/// A random number that names one opening of a replica. Zero stands before the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Stamp(pub u64);

/// A position in a replica's log: everything up to it is known.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// The log number; 0 before the first change.
    pub seq: u64,
    /// The stamp under which `seq` was handed out.
    pub stamp: Stamp,
    /// Empty: everything of `seq` is known. Else the owner's own mark of the last row of `seq`
    /// that is known; the rest of `seq` is still to come.
    pub within: Vec<u8>,
}

impl Cursor {
    /// Before the first change.
    pub const ZERO: Cursor = Cursor { seq: 0, stamp: Stamp(0), within: Vec::new() };

    /// A position at the end of `seq`.
    pub const fn at(seq: u64, stamp: Stamp) -> Self {
        Cursor { seq, stamp, within: Vec::new() }
    }

    /// The number up to which everything is known for certain.
    pub fn complete_seq(&self) -> u64 {
        if self.within.is_empty() { self.seq } else { self.seq - 1 }
    }
}

/// One opening of a replica: the stamp and the first number it may hand out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Incarnation {
    /// The first log number of this opening.
    pub first_seq: u64,
    /// Its stamp.
    pub stamp: Stamp,
}

/// The openings of a replica that handed out numbers, oldest first, and the opening now running.
///
/// Only the newest [`Lineage::MAX`] are kept: a cursor older than these counts as unknown.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Lineage(Vec<Incarnation>);

impl Lineage {
    /// How many openings are remembered.
    pub const MAX: usize = 64;

    /// A lineage from its openings, oldest first; all but the newest [`Lineage::MAX`] are dropped.
    pub fn new(mut incarnations: Vec<Incarnation>) -> Self {
        incarnations.sort_by_key(|incarnation| incarnation.first_seq);
        // Two openings with one first number: the earlier one handed out nothing.
        incarnations.reverse();
        incarnations.dedup_by_key(|incarnation| incarnation.first_seq);
        incarnations.truncate(Self::MAX);
        incarnations.reverse();
        Lineage(incarnations)
    }

    /// The openings, oldest first.
    pub fn incarnations(&self) -> &[Incarnation] {
        &self.0
    }

    /// A new opening begins after `head`.
    pub fn open(&mut self, head: u64, stamp: Stamp) {
        self.0.retain(|incarnation| incarnation.first_seq <= head);
        self.0.push(Incarnation { first_seq: head + 1, stamp });
        if self.0.len() > Self::MAX {
            self.0.remove(0);
        }
    }

    /// A new opening begins after `head`, in a log of which others were offered numbers up to
    /// `offered` only.
    ///
    /// As [`open`](Self::open), but where the list is full, openings that offered nothing to anyone
    /// make room: their numbers go to the opening after them. So a replica that is opened any number
    /// of times without meeting anyone still recognises what its peers hold.
    pub fn open_after(&mut self, head: u64, offered: u64, stamp: Stamp) {
        self.0.retain(|incarnation| incarnation.first_seq <= head);
        if self.0.len() == Self::MAX
            && let [.., before, last] = &mut self.0[..]
            && before.first_seq > offered
        {
            last.first_seq = before.first_seq;
            self.0.remove(Self::MAX - 2);
        }
        self.open(head, stamp);
    }

    /// The stamp under which `seq` was handed out; zero for 0 and for what is not remembered.
    pub fn stamp_of(&self, seq: u64) -> Stamp {
        let older = self.0.partition_point(|incarnation| incarnation.first_seq <= seq);
        if seq == 0 || older == 0 { Stamp(0) } else { self.0[older - 1].stamp }
    }

    /// The cursor at the end of `seq`.
    pub fn cursor_at(&self, seq: u64) -> Cursor {
        Cursor::at(seq, self.stamp_of(seq))
    }

    /// Whether `cursor` is a position in this history, whose last number is `head`.
    pub fn contains(&self, head: u64, cursor: &Cursor) -> bool {
        cursor.seq == 0
            || (cursor.seq <= head && cursor.stamp != Stamp(0) && self.stamp_of(cursor.seq) == cursor.stamp)
    }

    /// How much of this history, whose last number is `head`, a peer shares that holds `cursor`
    /// of a history with the lineage `theirs`: the largest number that is certainly the same
    /// change on both sides.
    ///
    /// ```
    /// use pocketsync_core::lineage::{Cursor, Incarnation, Lineage, Stamp};
    /// let opened = |list: &[(u64, u64)]| Lineage::new(
    ///     list.iter().map(|&(first_seq, stamp)| Incarnation { first_seq, stamp: Stamp(stamp) }).collect());
    /// // A backup was taken at 100. The original went on to 150; the copy was opened again.
    /// let copy = opened(&[(1, 11), (80, 12), (101, 13)]);
    /// let known = opened(&[(1, 11), (80, 12), (120, 14)]);
    /// let cursor = Cursor::at(150, Stamp(14));
    /// assert!(!copy.contains(105, &cursor));
    /// assert_eq!(copy.shared_with(105, &known, &cursor), 100);
    /// ```
    pub fn shared_with(&self, head: u64, theirs: &Lineage, cursor: &Cursor) -> u64 {
        let complete = cursor.complete_seq();
        if self.contains(head, cursor) {
            return complete;
        }
        // The newest opening that both know; theirs may lack the list but have the cursor.
        let known = |incarnation: &Incarnation| {
            theirs.0.contains(incarnation) || (theirs.0.is_empty() && incarnation.stamp == cursor.stamp)
        };
        let Some(index) = self.0.iter().rposition(known) else { return 0 };
        let end = |list: &[Incarnation], stamp: Stamp, last: u64| {
            let at = list.iter().position(|incarnation| incarnation.stamp == stamp);
            at.and_then(|at| list.get(at + 1)).map_or(last, |next| last.min(next.first_seq - 1))
        };
        let common = self.0[index];
        let shared = end(&self.0, common.stamp, head).min(end(&theirs.0, common.stamp, complete));
        if shared < common.first_seq { common.first_seq - 1 } else { shared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(list: &[(u64, u64)]) -> Lineage {
        let open = |&(first_seq, stamp)| Incarnation { first_seq, stamp: Stamp(stamp) };
        Lineage::new(list.iter().map(open).collect())
    }

    #[test]
    fn an_opening_that_wrote_nothing_leaves_no_trace() {
        let mut ours = lineage(&[(1, 11)]);
        ours.open(5, Stamp(12));
        ours.open(5, Stamp(13));
        assert_eq!(ours, lineage(&[(1, 11), (6, 13)]));
        assert!(ours.contains(5, &Cursor::at(5, Stamp(11))));
        assert!(!ours.contains(6, &Cursor::at(6, Stamp(12))));
    }

    #[test]
    fn restored_without_new_writes() {
        let ours = lineage(&[(1, 11), (80, 12), (101, 13)]);
        let cursor = Cursor::at(150, Stamp(12));
        assert!(!ours.contains(100, &cursor));
        assert_eq!(ours.shared_with(100, &lineage(&[(1, 11), (80, 12)]), &cursor), 100);
    }

    #[test]
    fn nothing_in_common() {
        let ours = lineage(&[(1, 11)]);
        assert_eq!(ours.shared_with(9, &lineage(&[(1, 21)]), &Cursor::at(4, Stamp(21))), 0);
    }

    #[test]
    fn a_position_inside_a_number_is_shared_up_to_the_one_before() {
        let ours = lineage(&[(1, 11)]);
        let cursor = Cursor { within: vec![1], ..Cursor::at(4, Stamp(11)) };
        assert_eq!(ours.shared_with(9, &ours, &cursor), 3);
    }
}
