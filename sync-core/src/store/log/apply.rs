//! Taking pieces of a peer's log in.

use super::judge::Judge;
use super::meet::drop_staged;
use super::{ChangesetBuilder, LogState, Records, Role, row_key};
use crate::change::{Changeset, RowChange};
use crate::conflict::{Clash, RULES_TABLE, Seen};
use crate::id::{Scope, SiteId};
use crate::merge::Life;
use crate::store::{
    Chunk, ChunkOutcome, Committed, Mark, Placement, Record, StoreError, begins_again, check_columns,
    is_news_to_its_sender, place, remembered,
};

/// Takes each piece in, in order.
pub(crate) fn apply(
    records: &mut impl Records,
    scope: &Scope,
    chunks: Vec<Chunk>,
) -> Result<Vec<ChunkOutcome>, StoreError> {
    chunks.iter().try_for_each(|chunk| check_columns(&chunk.changeset, str::to_owned))?;
    chunks.into_iter().map(|chunk| take(records, scope, chunk)).collect()
}

fn take(records: &mut impl Records, scope: &Scope, chunk: Chunk) -> Result<ChunkOutcome, StoreError> {
    let Chunk { peer: site, lineage, from, to, last, changeset, seen } = chunk;
    let mut peer = records.peer(site)?.unwrap_or_default();
    if from != peer.held {
        if !begins_again(&peer.held, &lineage, &from) {
            return Ok(ChunkOutcome::Gap { held: peer.held });
        }
        drop_staged(records, site, &mut peer)?;
    }
    records.state_mut().sites.learn(&changeset);
    let bytes: usize = changeset.rows().map(RowChange::weight).sum();
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
            let acked = Mark::of(&peer.acked).base;
            let sender =
                Sender { site, scope, acked, seen: &seen, told: (!streaming).then_some(peer.held.seq) };
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
    scope: &'a Scope,
    /// How far it holds our log.
    acked: u64,
    /// What it knew of our log.
    seen: &'a Seen,
    /// Up to where its log is known with this group, if that is whole.
    told: Option<u64>,
}

/// The cells of our own that a change of somebody else meets, and that the sender does not hold yet.
fn clashes(
    state: &LogState,
    sender: &Sender<'_>,
    (table, key): (u32, &[u8]),
    held: &Record,
    change: &RowChange,
    columns: &[u32],
) -> Vec<Clash> {
    let mut clashes = Vec::new();
    for cell in change.cells.iter().filter(|cell| cell.version.site != state.site) {
        let column = columns[cell.column as usize];
        let Some(own) = held.cells.get(&column) else { continue };
        if own.cell.version.site == state.site && own.seq > sender.acked && own.cell.value != cell.value {
            clashes.push(Clash {
                peer: sender.site,
                table,
                row: key.to_vec(),
                column,
                own: own.cell.clone(),
                seq: own.seq,
                at: state.head,
                lost: cell.version > own.cell.version,
            });
        }
    }
    clashes
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
    let judge = if tell { Judge::new(records, sender.scope, sender.site, sender.seen)? } else { None };
    let mut delta = ChangesetBuilder::default();
    let rules_table = records.state().names.existing_table(RULES_TABLE);
    let (mut changed, mut derived, mut rules_changed) = (false, false, false);
    let mut rows = rows.into_iter().peekable();
    while let Some((table, key, source, row)) = rows.next() {
        let id = row.id.clone();
        let mut pieces = vec![(source, row)];
        while let Some((_, _, source, again)) = rows.next_if(|next| next.0 == table && next.1 == key) {
            pieces.push((source, again));
        }
        let held = records.record(table, &key)?;
        let known = held.is_some();
        let own = match (&judge, &held) {
            (Some(judge), Some(held)) => {
                let changes = pieces.iter().map(|(source, row)| (row, columns[*source].as_slice()));
                judge.own(held, changes).map(|own| (judge, held.clone(), own))
            }
            _ => None,
        };
        let mut record = held.unwrap_or_default();
        let before = record.life;
        let mut told = Life::default();
        let mut won = false;
        for (source, row) in pieces {
            told.join(&row.life);
            if !tell {
                let state = records.state();
                let found = clashes(state, sender, (table, &key), &record, &row, &columns[source]);
                records.state_mut().clashes.extend(found);
            }
            won |= record.merge(row, &columns[source], seq).is_some();
        }
        if won && record.life != before && is_news_to_its_sender(&before, &told, &record.life) {
            record.life_seq = seq + 1;
            derived = true;
        }
        if let Some((judge, held, own)) = own
            && judge.row(records, (table, &id), &held, &own, &mut record)?
        {
            (won, derived) = (true, true);
        }
        if won {
            changed = true;
            rules_changed |= rules_table == Some(table);
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
    if rules_changed {
        state.rules = None;
    }
    state.head = if derived { seq + 1 } else { seq };
    let to = remembered(&state.lineage, state.head);
    let delta = delta.finish(&state.names)?;
    Ok(Some(Committed { from, to, delta, derived, ..Committed::default() }))
}
