//! Whether what a peer holds of us is our own history.

use serde::{Deserialize, Serialize};

use super::{Holding, Knowledge, Mark};
use crate::lineage::{Cursor, Lineage};

/// The most that a replica ever handed out of its own writes. Kept durably, and raised before
/// anything is handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Offered {
    /// The log number up to which something was handed out.
    pub seq: u64,
    /// The largest row counter and clock of its own that were handed out.
    pub knowledge: Knowledge,
}

impl Offered {
    /// Raises each mark to at least that of `other`. Says whether that changed anything.
    pub fn raise(&mut self, other: &Offered) -> bool {
        let before = *self;
        self.seq = self.seq.max(other.seq);
        self.knowledge.counter = self.knowledge.counter.max(other.knowledge.counter);
        self.knowledge.hlc = self.knowledge.hlc.max(other.knowledge.hlc);
        *self != before
    }
}

/// What a replica makes of what a peer holds of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The peer holds a part of our history.
    Fits,
    /// The peer holds something that we do not know of: we were restored from a backup, or cloned.
    Forked {
        /// The largest log number that is certainly the same change in both histories.
        shared: u64,
    },
}

/// Compares what a peer holds of us with our own history: our `lineage`, the last number `head`
/// of our log, and what we ever `offered`.
///
/// ```
/// use pocketsync_core::id::SiteId;
/// use pocketsync_core::lineage::{Cursor, Lineage, Stamp};
/// use pocketsync_core::store::{Holding, Offered, Verdict, verdict};
///
/// let mut lineage = Lineage::default();
/// lineage.open(0, Stamp(1));
/// let mut holding = Holding::none(SiteId::from_bytes([1; 16]));
/// assert_eq!(verdict(&lineage, 9, &Offered::default(), &holding), Verdict::Fits);
/// holding.cursor = Cursor::at(12, Stamp(1)); // but we have written 9 changes only
/// holding.lineage = lineage.clone();
/// assert_eq!(verdict(&lineage, 9, &Offered::default(), &holding), Verdict::Forked { shared: 9 });
/// ```
pub fn verdict(lineage: &Lineage, head: u64, offered: &Offered, holding: &Holding) -> Verdict {
    let heard_more = holding.knowledge.counter > offered.knowledge.counter
        || holding.knowledge.hlc > offered.knowledge.hlc;
    if lineage.contains(head, &holding.cursor) && !heard_more {
        return Verdict::Fits;
    }
    Verdict::Forked { shared: lineage.shared_with(head, &holding.lineage, &holding.cursor) }
}

/// How a replica that takes a new site parts from its old one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parting {
    /// Our own writes up to this log number stay what they are; what comes after is minted anew.
    pub kept: u64,
    /// Something that is minted anew may have reached others under the old site. They did not tell
    /// it to us, since it came from us, and now it is theirs alone: their logs are read again from
    /// the beginning.
    pub read_again: bool,
}

impl Parting {
    /// After a [`Verdict::Forked`] with `shared`, where our peers hold of us what they `acked`:
    /// that is public under the old site, so it keeps it.
    pub fn after<'a>(
        lineage: &Lineage,
        head: u64,
        offered: &Offered,
        shared: u64,
        acked: impl Iterator<Item = &'a Cursor>,
    ) -> Self {
        let ours = acked.filter(|cursor| lineage.contains(head, cursor));
        let kept = ours.map(|cursor| Mark::of(cursor).base).fold(shared, u64::max);
        Parting { kept, read_again: offered.seq > kept }
    }
}

/// Where a replica that keeps its site begins to send after its history turned out to be
/// `shared` with a peer's only in part: where the two part, or before that where the peer has not
/// everything up to there.
pub fn resume_at(lineage: &Lineage, shared: u64, held: &Cursor) -> Cursor {
    remembered(lineage, shared.min(Mark::of(held).base))
}

/// The cursor at the end of `seq`; the beginning where the lineage does not reach back so far,
/// since a position that its owner cannot recognise would be taken for a fork.
pub fn remembered(lineage: &Lineage, seq: u64) -> Cursor {
    let cursor = lineage.cursor_at(seq);
    if lineage.contains(seq, &cursor) { cursor } else { Cursor::ZERO }
}

/// Whether a peer begins again at an earlier position of its own history, because it was told that
/// we have lost something. What we hold of it goes back with it, so that a link that breaks in the
/// middle is no loss.
pub(crate) fn begins_again(held: &Cursor, lineage: &Lineage, from: &Cursor) -> bool {
    from.within.is_empty() && from.seq < held.seq && lineage.contains(from.seq, from)
}
