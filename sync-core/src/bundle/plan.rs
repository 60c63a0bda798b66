//! What to take of a bundle, if anything: what its sender would have found out by asking.

use super::BundleError;
use crate::lineage::{Cursor, Lineage};
use crate::store::{Holding, Mark};

/// What of a bundle is to be merged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Plan {
    /// Nothing: all of it is here.
    Nothing,
    /// All of it.
    All,
    /// What comes after this position: up to there it was merged before.
    After(Cursor),
}

/// What a bundle says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) from: &'a Cursor,
    pub(super) to: &'a Cursor,
    pub(super) lineage: &'a Lineage,
}

impl Said<'_> {
    /// Whether it was made before the sender wrote what is `held` of it.
    pub(super) fn is_older_than(&self, held: &Holding) -> bool {
        self.to.seq < held.cursor.seq && held.lineage.contains(held.cursor.seq, self.to)
    }
}

/// Decides, where `held` is what we have of the sender. `ends_a_piece` says whether a piece of the bundle ends at a
/// position.
pub(super) fn plan(
    said: Said<'_>,
    held: &Holding,
    ends_a_piece: impl FnOnce(&Cursor) -> Result<bool, BundleError>,
) -> Result<Plan, BundleError> {
    let sender = held.replica;
    let at = &held.cursor;
    // In the middle of a group, some rows are only as they were at its beginning.
    let certain = Mark::of(at).base;
    if !said.lineage.contains(said.to.seq, at) && !said.is_older_than(held) {
        return Err(BundleError::SenderForked { sender });
    }
    if said.to.seq <= certain {
        return Ok(Plan::Nothing);
    }
    if !at.within.is_empty() && ends_a_piece(at)? {
        return Ok(Plan::After(at.clone()));
    }
    if said.from.seq > certain {
        return Err(BundleError::Gap { sender, begins: said.from.seq, held: certain });
    }
    Ok(Plan::All)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SiteId;
    use crate::lineage::{Incarnation, Stamp};

    fn lineage(list: &[(u64, u64)]) -> Lineage {
        let open = |&(first_seq, stamp)| Incarnation { first_seq, stamp: Stamp(stamp) };
        Lineage::new(list.iter().map(open).collect())
    }

    fn held(lineage: &Lineage, cursor: Cursor) -> Holding {
        Holding { cursor, lineage: lineage.clone(), ..Holding::none(SiteId::from_bytes([1; 16])) }
    }

    fn middle(seq: u64, stamp: u64, base: u64) -> Cursor {
        let mark = Mark { base, seq: base + 1, table: 1, row: vec![1] };
        Cursor { within: mark.to_bytes(), ..Cursor::at(seq, Stamp(stamp)) }
    }

    /// The plan for a bundle of what happened in `(from, to]` of a history.
    fn planned(
        history: &Lineage,
        from: u64,
        to: u64,
        held: &Holding,
        resumes: bool,
    ) -> Result<Plan, &'static str> {
        let (from, to) = (history.cursor_at(from), history.cursor_at(to));
        let said = Said { from: &from, to: &to, lineage: history };
        plan(said, held, |_| Ok(resumes)).map_err(|error| match error {
            BundleError::SenderForked { .. } => "forked",
            BundleError::Gap { .. } => "gap",
            error => panic!("{error}"),
        })
    }

    #[test]
    fn what_continues_or_overlaps_is_taken_and_what_is_known_is_not() {
        let history = lineage(&[(1, 11), (10, 12)]);
        let all = |from, to, cursor| planned(&history, from, to, &held(&history, cursor), false);
        assert_eq!(all(0, 20, Cursor::ZERO), Ok(Plan::All));
        assert_eq!(all(8, 20, history.cursor_at(8)), Ok(Plan::All));
        assert_eq!(all(8, 20, history.cursor_at(15)), Ok(Plan::All));
        assert_eq!(all(8, 20, history.cursor_at(20)), Ok(Plan::Nothing));
        assert_eq!(all(8, 20, history.cursor_at(30)), Ok(Plan::Nothing), "an older one");
        assert_eq!(all(8, 20, history.cursor_at(7)), Err("gap"));
        assert_eq!(all(8, 20, Cursor::ZERO), Err("gap"));
        assert_eq!(all(0, 0, Cursor::ZERO), Ok(Plan::Nothing), "nothing was written yet");
    }

    #[test]
    fn a_position_in_the_middle_counts_for_its_beginning() {
        let history = lineage(&[(1, 11)]);
        let cut_off = held(&history, middle(20, 11, 8));
        assert_eq!(planned(&history, 8, 20, &cut_off, true), Ok(Plan::After(cut_off.cursor.clone())));
        assert_eq!(planned(&history, 8, 20, &cut_off, false), Ok(Plan::All));
        assert_eq!(planned(&history, 8, 25, &cut_off, false), Ok(Plan::All));
        assert_eq!(
            planned(&history, 8, 15, &cut_off, false),
            Ok(Plan::All),
            "an older one brings what is missing"
        );
        assert_eq!(planned(&history, 9, 25, &cut_off, false), Err("gap"));
        assert_eq!(planned(&history, 3, 8, &cut_off, false), Ok(Plan::Nothing));
        let opaque = held(&history, Cursor { within: vec![0xff], ..history.cursor_at(20) });
        assert_eq!(planned(&history, 1, 25, &opaque, false), Err("gap"), "nothing is certain");
        assert_eq!(planned(&history, 0, 25, &opaque, false), Ok(Plan::All));
    }

    #[test]
    fn a_sender_with_another_history_is_found_out() {
        let known = lineage(&[(1, 11)]);
        let restored = lineage(&[(1, 11), (11, 13)]);
        let ours = held(&known, known.cursor_at(15));
        assert_eq!(planned(&restored, 8, 12, &ours, false), Err("forked"));
        assert_eq!(planned(&restored, 8, 20, &ours, false), Err("forked"));
        // Before it wrote anything, it is what it was.
        assert_eq!(planned(&restored, 8, 10, &ours, false), Ok(Plan::Nothing));
    }
}
