//! What a peer does not have yet.

use std::collections::BTreeMap;

use super::{ChangesetBuilder, LogState, Records, Role, row_of};
use crate::change::{CellChange, RowChange};
use crate::clock::Hlc;
use crate::conflict::{Clash, Seen};
use crate::id::{RowId, SiteId};
use crate::lineage::Cursor;
use crate::merge::{Cell, Life};
use crate::store::{Extracted, Mark, Offered, Record, StoreError, StoreErrorKind, is_echo};

/// How many rows one extract looks at. One that finds only echoes ends here, empty and with a
/// position ahead, so that no request takes long.
const MAX_ROWS: usize = 1 << 16;

/// Everything after `after` that did not come from `peer`, about `max_bytes` of it.
pub(crate) fn extract(
    records: &mut impl Records,
    peer: SiteId,
    after: &Cursor,
    max_bytes: usize,
) -> Result<Extracted, StoreError> {
    let state = records.state();
    let head = state.head_cursor();
    if !state.lineage.contains(state.head, after) {
        return Err(StoreError::new(
            StoreErrorKind::Unsupported,
            format!("position {} is not in this log; the session must begin anew", after.seq),
        ));
    }
    if *after == head {
        return Ok(Extracted { to: head, last: true, changeset: Default::default(), seen: Seen::default() });
    }
    let start = Mark::of(after);
    let resend_until = records.peer(peer)?.map_or(0, |peer| peer.resend_until);
    let mut echoes = Echoes { peer, base: start.base, resend_until, known: BTreeMap::new() };
    let mut piece = Piece { position: start.clone(), ..Piece::default() };
    let complete = records.scan(&start, &mut |seq, table, row, record| {
        if piece.rows == MAX_ROWS || piece.bytes >= max_bytes.max(1) {
            piece.cut = true;
            return Ok(false);
        }
        echoes.look(records, &record)?;
        let id = row_of(row)?;
        if let Some(change) = record.changes(&id, |seq| echoes.wanted(seq)) {
            let weight = change.weight();
            if piece.bytes > 0 && piece.bytes + weight > max_bytes {
                piece.cut = true;
                return Ok(false);
            }
            piece.bytes += weight;
            piece.offered.note(&change, records.state().site);
            piece.changes.push(table, change);
        }
        piece.rows += 1;
        piece.position = Mark { base: start.base, seq, table, row: row.to_vec() };
        Ok(true)
    });
    complete?;
    let to = if piece.cut { middle(records.state(), &piece.position) } else { head };
    if !piece.cut {
        for clash in clashes(records.state(), peer, start.base).filter(|clash| clash.lost) {
            let Cell { version, value } = clash.own.clone();
            let cells = vec![CellChange { column: clash.column, version, value }];
            let change = RowChange { id: row_of(&clash.row)?, life: Life::default(), cells };
            piece.offered.note(&change, records.state().site);
            piece.changes.push(clash.table, change);
        }
    }
    let changeset = piece.changes.finish(&records.state().names)?;
    // The receiver goes by what the last piece of a group says, whichever piece a write was in.
    let oldest = if after.within.is_empty() { piece.offered.oldest } else { Some(Hlc::ZERO) };
    let mut seen = match oldest {
        Some(oldest) => records.seen(peer, start.base, oldest)?,
        None => Seen::default(),
    };
    for (hlc, at) in doubts(&*records, peer, start.base)? {
        seen.doubt(hlc, records.told(peer, at)?);
    }
    let state = records.state_mut();
    if state.role == Role::Device {
        if !changeset.is_empty() {
            // Who is told now may tell others: from now on all that was handed out may be known.
            state.unanswered = None;
        }
        // A position in the middle speaks of the head, too.
        state.offered.raise(&Offered { seq: to.seq, ..piece.offered.marks });
    }
    Ok(Extracted { to, last: !piece.cut, changeset, seen })
}

/// What was gathered so far.
#[derive(Default)]
struct Piece {
    changes: ChangesetBuilder,
    bytes: usize,
    rows: usize,
    position: Mark,
    cut: bool,
    offered: Own,
}

/// Our own writes that met others which `peer` brought, and that it does not hold up to `base`.
fn clashes(state: &LogState, peer: SiteId, base: u64) -> impl Iterator<Item = &Clash> {
    state.clashes.iter().filter(move |clash| clash.peer == peer && clash.seq > base)
}

/// The clocks of our own writes over something that met another value before, and since when.
fn doubts(records: &impl Records, peer: SiteId, base: u64) -> Result<Vec<(Hlc, u64)>, StoreError> {
    let state = records.state();
    let mut doubts = Vec::new();
    for clash in clashes(state, peer, base).filter(|clash| !clash.lost) {
        let record = records.record(clash.table, &clash.row)?.unwrap_or_default();
        let written = record.cells.get(&clash.column).map(|held| held.cell.version);
        doubts.extend(
            written.filter(|version| version.site == state.site).map(|version| (version.hlc, clash.at)),
        );
    }
    Ok(doubts)
}

/// The largest of our own writes in a piece, and the oldest.
#[derive(Default)]
struct Own {
    marks: Offered,
    oldest: Option<Hlc>,
}

impl Own {
    fn note(&mut self, change: &RowChange, site: SiteId) {
        let known = &mut self.marks.knowledge;
        if let RowId::Surrogate { site: minted_at, counter } = change.id
            && minted_at == site
        {
            known.counter = known.counter.max(counter);
        }
        let versions = change.life.versions().chain(change.cells.iter().map(|cell| cell.version));
        for version in versions.filter(|version| version.site == site) {
            known.hlc = known.hlc.max(version.hlc);
            self.oldest = Some(self.oldest.map_or(version.hlc, |oldest| oldest.min(version.hlc)));
        }
    }
}

/// A position in the middle. It counts as one at the head: rows move to the head as they change,
/// so what is before and what is after the mark is only true of a history that reaches as far as
/// this one does now.
fn middle(state: &LogState, mark: &Mark) -> Cursor {
    Cursor { within: mark.to_bytes(), ..state.head_cursor() }
}

/// Which log numbers a peer is to be told of.
struct Echoes {
    peer: SiteId,
    base: u64,
    resend_until: u64,
    known: BTreeMap<u64, bool>,
}

impl Echoes {
    /// Finds out about the log numbers of a record.
    fn look(&mut self, records: &impl Records, record: &Record) -> Result<(), StoreError> {
        let seqs = record.cells.values().map(|cell| cell.seq).chain([record.life_seq]);
        for seq in seqs.filter(|&seq| seq > self.base) {
            if !self.known.contains_key(&seq) {
                if self.known.len() == MAX_ROWS {
                    self.known.clear();
                }
                let echo = is_echo(seq, records.origin(seq)?, self.peer, self.resend_until);
                self.known.insert(seq, echo);
            }
        }
        Ok(())
    }

    fn wanted(&self, seq: u64) -> bool {
        seq > self.base && self.known.get(&seq) != Some(&true)
    }
}
