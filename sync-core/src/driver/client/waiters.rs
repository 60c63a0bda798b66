//! Who waits for everything to be in sync, and for what exactly.

use super::control::SyncReply;
use crate::lineage::Cursor;

/// The callers of `sync_now` that have no answer yet.
///
/// What was committed before a call is known to be covered by an extract that began after it.
/// An extract may take several pieces; one that was under way when the call came does not count.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: Vec<(SyncReply, Stage)>,
    /// Pieces of an extract were handed out, and its last was not.
    between_pieces: bool,
    /// A piece is being extracted.
    extracting: bool,
}

#[derive(Clone, PartialEq, Debug)]
enum Stage {
    /// No extract has begun since the call.
    Called,
    /// One has.
    Extracting,
    /// It ended here; the peer must hold us up to it.
    Until(Cursor),
}

impl Waiters {
    pub(super) fn add(&mut self, reply: SyncReply) {
        self.waiting.push((reply, Stage::Called));
    }

    /// Whether somebody waits for an extract to begin and none is under way.
    pub(super) fn need_another_extract(&self) -> bool {
        let under_way = self.extracting || self.between_pieces;
        !under_way && self.waiting.iter().any(|(_, stage)| *stage == Stage::Called)
    }

    /// The session is gone: another one will begin anew.
    pub(super) fn link_ended(&mut self) {
        self.between_pieces = false;
        self.extracting = false;
        for (_, stage) in &mut self.waiting {
            *stage = Stage::Called;
        }
    }

    /// The store begins to extract a piece.
    pub(super) fn extract_began(&mut self) {
        self.extracting = true;
        if !self.between_pieces {
            self.advance(|stage| *stage == Stage::Called, &Stage::Extracting);
        }
    }

    /// The store extracted a piece; `last` if nothing is left.
    pub(super) fn extract_ended(&mut self, to: &Cursor, last: bool) {
        self.extracting = false;
        self.between_pieces = !last;
        if last {
            self.advance(|stage| *stage == Stage::Extracting, &Stage::Until(to.clone()));
        }
    }

    fn advance(&mut self, from: impl Fn(&Stage) -> bool, to: &Stage) {
        for (_, stage) in &mut self.waiting {
            if from(stage) {
                *stage = to.clone();
            }
        }
    }

    /// Both sides are in step as far as the peer's part goes: answers those whose own part the
    /// peer holds, which is all of it if `up_to_date`.
    pub(super) fn resolve(&mut self, acked: &Cursor, up_to_date: bool) {
        let (done, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(
            |(_, stage)| matches!(stage, Stage::Until(target) if up_to_date || covers(acked, target)),
        );
        self.waiting = waiting;
        let done: Vec<(SyncReply, Stage)> = done;
        for (reply, _) in done {
            let _gone = reply.send(Ok(()));
        }
    }

    /// Takes everybody out, to be told something else.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = SyncReply> + '_ {
        self.waiting.drain(..).map(|(reply, _)| reply)
    }
}

/// Whether who holds us up to `acked` holds us up to `target`.
fn covers(acked: &Cursor, target: &Cursor) -> bool {
    acked == target || acked.complete_seq() >= target.seq
}

#[cfg(test)]
mod tests {
    use futures::channel::oneshot;

    use super::*;
    use crate::lineage::Stamp;

    fn at(seq: u64) -> Cursor {
        Cursor::at(seq, Stamp(1))
    }

    #[test]
    fn an_extract_from_before_the_call_does_not_count() {
        let (reply, mut answer) = oneshot::channel();
        let mut waiters = Waiters::default();
        waiters.extract_began();
        waiters.add(reply);
        let inside = Cursor { within: vec![1], ..at(7) };
        waiters.extract_ended(&inside, false);
        waiters.extract_began();
        waiters.extract_ended(&at(7), true);
        waiters.resolve(&at(7), true);
        assert_eq!(answer.try_recv(), Ok(None));

        assert!(waiters.need_another_extract());
        waiters.extract_began();
        waiters.extract_ended(&at(9), true);
        waiters.resolve(&at(8), false);
        assert_eq!(answer.try_recv(), Ok(None));
        waiters.resolve(&Cursor { within: vec![1], ..at(9) }, false);
        assert_eq!(answer.try_recv(), Ok(None), "inside a number is not all of it");
        waiters.resolve(&at(9), false);
        assert_eq!(answer.try_recv(), Ok(Some(Ok(()))));
    }

    #[test]
    fn a_lost_session_starts_the_wait_anew() {
        let (reply, mut answer) = oneshot::channel();
        let mut waiters = Waiters::default();
        waiters.add(reply);
        waiters.extract_began();
        waiters.extract_ended(&at(9), true);
        waiters.link_ended();
        waiters.resolve(&at(9), true);
        assert_eq!(answer.try_recv(), Ok(None));
    }
}
