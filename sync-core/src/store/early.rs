//! Changes that go out with an introduction, before its answer: see [`session`](crate::session).
//!
//! Who sends early sends what a session that had never ended would send now. So the store gives
//! something only while all that the last meeting found out still holds: it was in this opening, so
//! nobody has restored the file since; nobody took a new site or has to be told anything again; and
//! the comparison of the clocks is good, because wall and monotonic clock have gone on side by side.
//!
//! What was handed out counts as offered, as always. But before the answer nobody knows whether it
//! reached anybody, and a replica that compares [what a peer has heard of it](super::verdict) with all
//! that it has offered would hide behind its own early push what only another life of its file can
//! have told. So the marks from before are kept, durably, until somebody is met.

use std::time::Duration;

use super::{ClockReading, Extracted, Holding, Knowledge, Offered, Peer};
use crate::clock::{Hlc, Now};
use crate::id::SiteId;
use crate::lineage::{Cursor, Lineage, Stamp};

/// How long a comparison of the clocks is good, if neither was set.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How far wall and monotonic clock may part, in milliseconds, before the wall clock counts as set.
pub(crate) const CLOCK_JUMP_MS: u64 = 2_000;
/// How far ahead of the peer's clock versions may be, in milliseconds, that need no correction.
const TOLERANCE_MS: u64 = 500;

/// Changes for a peer that has not answered our introduction yet.
#[derive(Clone, PartialEq, Debug)]
pub struct Early {
    /// For whom: nobody else may take them.
    pub peer: SiteId,
    /// Where they begin. The peer takes them only if this is where it stands.
    pub from: Cursor,
    /// The most that was offered to anyone before. A peer that has heard of more knows another life of our file.
    pub offered: Knowledge,
    /// The changes.
    pub extracted: Extracted,
}

/// The last meeting in this opening with a peer that keeps time and takes early pushes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Recent {
    pub(crate) peer: SiteId,
    /// Its opening then.
    pub(crate) opening: Stamp,
    /// Our clocks when they were compared with the peer's.
    pub(crate) at: Now,
    pub(crate) offset_ms: i64,
}

impl Recent {
    /// Of a meeting with a peer, if its clock was compared so that something may be early the next time.
    pub(crate) fn of(peer: &Peer, reading: ClockReading) -> Option<Self> {
        let ClockReading { offset_ms, compared_at, .. } = reading;
        compared_at.map(|at| Recent { peer: peer.site, opening: newest(&peer.lineage), at, offset_ms })
    }

    /// The latest version that needs no correction now; `None` where the comparison is not good any more.
    pub(crate) fn latest(&self, now: Now) -> Option<Hlc> {
        let passed = now.mono.checked_sub(self.at.mono).filter(|passed| *passed <= GOOD_FOR)?;
        let expected = self.at.wall_ms.saturating_add(passed.as_millis() as u64);
        let is_set = now.wall_ms.abs_diff(expected) > CLOCK_JUMP_MS;
        let peer_ms = now.wall_ms.saturating_add_signed(self.offset_ms);
        (!is_set).then(|| Hlc::from_ms(peer_ms.saturating_add(TOLERANCE_MS)))
    }
}

fn newest(lineage: &Lineage) -> Stamp {
    lineage.incarnations().last().map_or(Stamp(0), |incarnation| incarnation.stamp)
}

/// An early push that nobody has answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unanswered {
    /// For whom it was.
    pub(crate) peer: SiteId,
    /// The last opening of that one that we know of.
    pub(crate) opening: Stamp,
    /// Whether somebody has introduced himself since: its session may be over.
    pub(crate) is_old: bool,
    /// It began after this log number.
    pub(crate) after: u64,
    /// What had been offered before.
    pub(crate) before: Knowledge,
}

impl Unanswered {
    /// What `peer` may have heard of, of all that we `offered`: the early push only if it has a part of it. If it was
    /// opened anew since that session, it may have had one and lost it, and have heard of it again from others.
    pub(crate) fn known_to(self, peer: &Peer, theirs: &Holding, offered: Offered) -> Offered {
        let has_part = theirs.cursor.seq > self.after || !theirs.cursor.within.is_empty();
        let may_have_lost_it = self.is_old && newest(&peer.lineage) != self.opening;
        if has_part || may_have_lost_it || peer.site != self.peer {
            return offered;
        }
        Offered { knowledge: self.before, ..offered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: SiteId = SiteId::from_bytes([2; 16]);

    fn now(mono_ms: u64, wall_ms: u64) -> Now {
        Now { mono: Duration::from_millis(mono_ms), wall_ms }
    }

    fn recent() -> Recent {
        Recent { peer: SITE, opening: Stamp(5), at: now(1_000, 50_000), offset_ms: -10_000 }
    }

    #[test]
    fn a_comparison_is_good_while_both_clocks_go_on() {
        assert_eq!(recent().latest(now(61_000, 110_000)), Some(Hlc::from_ms(100_500)));
        assert!(recent().latest(now(61_000, 112_000)).is_some(), "clocks are slewed");
        assert_eq!(recent().latest(now(61_000, 112_001)), None, "set forward");
        assert_eq!(recent().latest(now(61_000, 107_999)), None, "set back");
    }

    #[test]
    fn a_comparison_is_good_for_a_day_and_under_one_monotonic_clock() {
        let day_ms = 24 * 60 * 60 * 1_000;
        assert!(recent().latest(now(1_000 + day_ms, 50_000 + day_ms)).is_some());
        assert_eq!(recent().latest(now(1_001 + day_ms, 50_001 + day_ms)), None);
        assert_eq!(recent().latest(now(999, 49_999)), None, "another start");
    }

    #[test]
    fn an_early_push_counts_only_where_a_part_of_it_may_have_arrived() {
        let before = Knowledge { counter: 2, hlc: Hlc::from_ms(20) };
        let early = Unanswered { peer: SITE, opening: Stamp(5), is_old: true, after: 4, before };
        let offered = Offered { seq: 9, knowledge: Knowledge { counter: 7, hlc: Hlc::from_ms(70) } };
        let mut peer = Peer { site: SITE, lineage: Lineage::default(), head: Cursor::ZERO };
        peer.lineage.open(0, Stamp(5));
        let holds = |seq, within| Holding {
            cursor: Cursor { within, ..Cursor::at(seq, Stamp(1)) },
            ..Holding::none(SiteId::from_bytes([1; 16]))
        };
        assert_eq!(early.known_to(&peer, &holds(4, Vec::new()), offered).knowledge, before);
        assert_eq!(early.known_to(&peer, &holds(5, Vec::new()), offered), offered);
        assert_eq!(early.known_to(&peer, &holds(4, vec![1]), offered), offered);
        peer.lineage.open(3, Stamp(6));
        assert_eq!(
            early.known_to(&peer, &holds(4, Vec::new()), offered),
            offered,
            "it was restored, perhaps"
        );
        let now = Unanswered { is_old: false, ..early };
        assert_eq!(
            now.known_to(&peer, &holds(4, Vec::new()), offered).knowledge,
            before,
            "but not since the hello"
        );
        peer.site = SiteId::from_bytes([3; 16]);
        assert_eq!(now.known_to(&peer, &holds(4, Vec::new()), offered), offered, "it heard of it elsewhere");
    }
}
