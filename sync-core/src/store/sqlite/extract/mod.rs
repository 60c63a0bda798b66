//! Extract: row clocks and values turned into changesets.
//!
//! ```text
//! sources   where the changed rows of each table are found, and those aside
//! stream    the changed rows of one source, in order
//! row       one row: which cells are news, and what they say to others
//! origin    which log numbers came from the asking peer
//! seen      what was known of the asking peer when our own part was written
//! delta     the changeset being collected, with columns by name
//! ```
//!
//! The rows are found by an index over their last log number, so the cost is that of what changed,
//! whatever the size of the database.

mod delta;
mod origin;
mod row;
mod seen;
mod sources;
mod stream;

use super::conflict;
use super::engine::Engine;
use super::fold;
use crate::clock::Hlc;
use crate::conflict::Seen;
use crate::id::SiteId;
use crate::lineage::Cursor;
use crate::store::{Extracted, Mark, StoreError};
pub(super) use delta::Delta;
pub(super) use origin::Origins;
pub(super) use sources::Sources;
use stream::{Place, Stream};

/// How many rows are looked at in one go: the write lock is held meanwhile, and of what came from
/// the asking peer nothing counts as bytes.
const MAX_ROWS: usize = 20_000;

/// What `peer`, which holds us up to `after`, does not have yet: about `max_bytes` of it, at least
/// one row. Runs in the transaction that is open: folds first, so that no new value travels under
/// an old version, and marks what it hands out as offered.
///
/// # Errors
/// When the file cannot be read or written.
pub fn run(
    engine: &mut Engine,
    peer: SiteId,
    after: &Cursor,
    max_bytes: usize,
) -> Result<Extracted, StoreError> {
    fold::run(engine)?;
    let head = engine.meta.head as u64;
    let mark = Mark::of(after);
    if mark.seq >= head && after.within.is_empty() {
        return Ok(Extracted {
            to: after.clone(),
            last: true,
            changeset: Default::default(),
            seen: Seen::default(),
        });
    }
    let mut origins = Origins::of(engine, peer)?;
    if origins.are_all(engine, mark.base, head)? {
        // As after a bootstrap: no row has to be looked at to know that none is news.
        let to = engine.lineage.cursor_at(head);
        return Ok(Extracted { to, last: true, changeset: Default::default(), seen: Seen::default() });
    }
    let base = mark.base.max(origins.withheld());
    let mut streams = Stream::all(engine, &mark)?;
    let mut delta = Delta::default();
    let mut bytes = 0;
    let mut reached: Option<Place> = None;
    let mut looked_at = 0;
    loop {
        for stream in &mut streams {
            stream.refill(engine, base, &mut origins, max_bytes)?;
        }
        let Some(next) = streams
            .iter_mut()
            .filter(|stream| stream.next().is_some())
            .min_by(|a, b| a.next().map(|row| &row.place).cmp(&b.next().map(|row| &row.place)))
        else {
            break;
        };
        let weight = next.next().and_then(|row| row.change.as_ref()).map_or(0, |change| change.weight());
        if looked_at > 0 && (bytes + weight > max_bytes || looked_at >= MAX_ROWS) {
            break;
        }
        let Some(row) = next.take() else { break };
        looked_at += 1;
        bytes += weight;
        if let Some(change) = row.change {
            delta.push(row.place.table, change);
        }
        reached = Some(row.place);
    }
    let last = streams.iter().all(|stream| stream.is_done());
    let to = match reached {
        _ if last => engine.lineage.cursor_at(head),
        Some(place) => {
            let within = Mark { base: mark.base, seq: place.seq, table: place.table, row: place.row_bytes() };
            // Under the head's number: a file restored to between the two must not know it.
            Cursor { within: within.to_bytes(), ..engine.lineage.cursor_at(head) }
        }
        None => after.clone(),
    };
    if last {
        conflict::tell_lost(engine, peer, mark.base, &mut delta)?;
    }
    let doubts = conflict::doubt(engine, peer, mark.base)?;
    // A position in the middle speaks of the head, too.
    delta.mark_offered(engine, head);
    let changeset = delta.finish(engine)?;
    let seen = seen::of(engine, peer, (&mark, after.within.is_empty()), &changeset, doubts)?;
    Ok(Extracted { to, last, changeset, seen })
}

impl Delta {
    /// Remembers that somebody may know all this from now on. Stored in the same transaction, so
    /// before anything is sent.
    fn mark_offered(&self, engine: &mut Engine, seq: u64) {
        if self.is_empty() {
            return;
        }
        let offered = self.offered(engine.site());
        let meta = &mut engine.meta;
        // Who is told now may tell others: from now on all that was handed out may be known.
        meta.early_after = 0;
        meta.offered_seq = meta.offered_seq.max(seq as i64);
        meta.offered_counter = meta.offered_counter.max(offered.counter as i64);
        let clock = offered.hlc.max(Hlc::from_bits(meta.offered_clock as u64));
        meta.offered_clock = i64::try_from(clock.bits()).unwrap_or(i64::MAX);
    }
}
