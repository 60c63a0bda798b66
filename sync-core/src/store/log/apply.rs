//! Taking pieces of a peer's log in.

use super::meet::drop_staged;
use super::{ChangesetBuilder, Records, Role, row_key};
use crate::change::{Changeset, RowChange};
use crate::conflict::Seen;
use crate::id::SiteId;
use crate::store::{
    Chunk, ChunkOutcome, Committed, Placement, StoreError, begins_again, check_columns,
    is_news_to_its_sender, place, remembered,
};

/// Takes each piece in, in order.
pub(crate) fn apply(records: &mut impl Records, chunks: Vec<Chunk>) -> Result<Vec<ChunkOutcome>, StoreError> {
    chunks.iter().try_for_each(|chunk| check_columns(&chunk.changeset, str::to_owned))?;
    chunks.into_iter().map(|chunk| take(records, chunk)).collect()
}

fn take(records: &mut impl Records, chunk: Chunk) -> Result<ChunkOutcome, StoreError> {
    let Chunk { peer: site, lineage, from, to, last, changeset, seen } = chunk;
    let mut peer = records.peer(site)?.unwrap_or_default();
    if from != peer.held {
        if !begins_again(&peer.held, &lineage, &from) {
            return Ok(ChunkOutcome::Gap { held: peer.held });
        }
        drop_staged(records, site, &mut peer)?;
    }
    records.state_mut().sites.learn(&changeset);
    let bytes: usize = changeset.tables.iter().flat_map(|table| &table.rows).map(RowChange::weight).sum();
    let staged = usize::try_from(peer.staged_bytes).unwrap_or(usize::MAX);
    peer.held = to;
    if peer.lineage != *lineage {
        peer.lineage = (*lineage).clone();
    }
    let outcome = match place(staged, peer.streaming, bytes, last) {
        Placement::Stage => {
            peer.staged_bytes += bytes as u64;
            if bytes > 0 {
                records.stage(site, changeset)?;
            }
            ChunkOutcome::Staged { held: peer.held.clone() }
        }
        Placement::Merge { streaming } => {
            let mut group = if staged > 0 { records.take_staged(site)? } else { Vec::new() };
            group.push(changeset);
            peer.staged_bytes = 0;
            peer.streaming = streaming;
            let sender = Sender { site, seen: &seen, told: (!streaming).then_some(peer.held.seq) };
            let committed = merge(records, &sender, group)?;
            ChunkOutcome::Applied { held: peer.held.clone(), committed }
        }
    };
    records.put_peer(site, &peer)?;
    Ok(outcome)
}

/// Whose group is merged.
struct Sender<'a> {
    site: SiteId,
    /// What it knew of our log.
    seen: &'a Seen,
    /// Up to where its log is known with this group, if that is whole.
    told: Option<u64>,
}

/// Merges one group under the next log number, which is taken only if something changed.
///
/// What its sender does not know of the outcome goes under one more number, which came from nobody
/// and so is told to everybody.
fn merge(
    records: &mut impl Records,
    sender: &Sender<'_>,
    group: Vec<Changeset>,
) -> Result<Option<Committed>, StoreError> {
    let seq = records.state().head + 1;
    let mut rows = Vec::new();
    let mut columns = Vec::new();
    for table in group.into_iter().flat_map(|changeset| changeset.tables) {
        let names = &mut records.state_mut().names;
        let number = names.table(&table.name);
        columns.push(table.columns.iter().map(|name| names.column(number, name)).collect::<Vec<u32>>());
        let source = columns.len() - 1;
        rows.extend(table.rows.into_iter().map(|row| (number, row_key(&row.id), source, row)));
    }
    // In the order of the store's keys, so that neighbours are found together.
    rows.sort_by(|a, b| (a.0, &a.1, a.2).cmp(&(b.0, &b.1, b.2)));
    let tell = records.state().role == Role::Hub;
    let mut delta = ChangesetBuilder::default();
    let (mut changed, mut derived) = (false, false);
    let mut rows = rows.into_iter().peekable();
    while let Some((table, key, source, row)) = rows.next() {
        let id = row.id.clone();
        let held = records.record(table, &key)?;
        let known = held.is_some();
        let mut record = held.unwrap_or_default();
        let before = record.life;
        let mut told = row.life;
        let mut won = record.merge(row, &columns[source], seq).is_some();
        while let Some((_, _, source, again)) = rows.next_if(|next| next.0 == table && next.1 == key) {
            told.join(&again.life);
            won |= record.merge(again, &columns[source], seq).is_some();
        }
        if won {
            changed = true;
            if record.life != before && is_news_to_its_sender(&before, &told, &record.life) {
                record.life_seq = seq + 1;
                derived = true;
            }
            records.put_record(table, &key, &record, known)?;
            if tell && let Some(news) = record.changes(&id, |part| part >= seq) {
                delta.push(table, news);
            }
        }
    }
    if !changed {
        return Ok(None);
    }
    records.put_origin(seq, sender.site, sender.told)?;
    let from = records.state().head_cursor();
    let state = records.state_mut();
    state.head = if derived { seq + 1 } else { seq };
    let to = remembered(&state.lineage, state.head);
    let delta = delta.finish(&state.names)?;
    Ok(Some(Committed { from, to, delta, derived, ..Committed::default() }))
}
