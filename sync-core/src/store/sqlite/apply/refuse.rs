//! Own changes that a peer does not take: out of the merged state, and aside with the reason; and such changes written
//! once more.

use std::collections::BTreeSet;

use super::super::engine::Engine;
use super::super::fold;
use super::super::identity::{self, Heard};
use super::super::merging;
use super::super::park::row::RowKey;
use super::super::park::work::Work;
use super::super::refused::{self, Entry};
use super::super::renames;
use super::super::rules;
use super::super::schema_change;
use super::super::staging;
use super::merge::{self, Joined};
use super::numbers;
use super::store::{self, Shown};
use crate::change::{CellChange, Changeset, RowChange, TableChanges};
use crate::clock::Version;
use crate::id::SiteId;
use crate::merge::Life;
use crate::merge::share::{Share, ShareName};
use crate::store::{Committed, RefusalReason, RefusedParts, StoreError};

/// Parts that are out of a row's state.
struct Out {
    key: RowKey,
    reason: RefusalReason,
    /// What they are called among replicas.
    table: String,
    columns: Vec<String>,
    numbers: Vec<u32>,
    parts: RowChange,
}

impl Out {
    /// Whether somebody else than `us` made a part of it.
    fn is_of_others(&self, us: SiteId) -> bool {
        let cells = self.parts.cells.iter().map(|cell| cell.version);
        self.parts.life.versions().chain(cells).any(|version| version.site != us)
    }
}

/// Takes parts that `peer` refuses out of our state and keeps them aside, and merges in what the peer holds in their
/// place, in the transaction that is open. All of it goes under a log number that came from the peer.
///
/// Nothing is concluded from it here: that a row is alive again whose parent is dead may be so only until the peer
/// refuses the parent's death as well, and what follows from deletions would be refused in its turn.
///
/// What others made may be theirs for all that this peer knows of it: who told us tells us again.
///
/// # Errors
/// When the file cannot be read or written. The transaction is to be rolled back then.
pub(in super::super) fn refuse(
    engine: &mut Engine,
    peer: SiteId,
    refused: Vec<RefusedParts>,
    states: Option<Changeset>,
) -> Result<Option<Committed>, StoreError> {
    fold::run(engine)?;
    let named: Vec<Changeset> =
        refused.iter().map(|refused| refused.parts.clone()).chain(states.clone()).collect();
    let renames = renames::expect(engine, &named)?;
    let ruled = rules::expect(engine, &named)?;
    let head = engine.meta.head as u64;
    let from = engine.lineage.cursor_at(head);
    let seq = head + 1;
    let mut work = Work::new(engine)?;
    let mut changed = BTreeSet::new();
    let mut shown = Shown::default();
    let is_told = states.is_some();
    let outs = take_out(engine, &mut work, refused, (!is_told).then_some(seq))?;
    if is_told && outs.iter().any(|out| out.is_of_others(engine.site())) {
        identity::read_others_again(engine, peer)?;
    }
    changed.extend(outs.iter().map(|out| out.key.clone()));
    let derived = match states {
        Some(states) => put_in(engine, &mut work, states, seq, &mut changed)?,
        None => false,
    };
    for out in outs {
        keep(engine, &mut work, out, is_told)?;
    }
    if changed.is_empty() {
        return Ok(None);
    }
    store::settle(engine, &mut work, changed, &[], &mut shown)?;
    engine.meta.head = if derived { seq + 1 } else { seq } as i64;
    let heard = Heard { peer, seq: staging::held(engine, peer)?.cursor.seq, whole: false };
    identity::heard(engine, seq, &heard)?;
    if renames {
        shown.extend(schema_change::follow_names(engine)?);
    }
    if ruled {
        merging::refresh(engine)?;
    }
    Ok(Some(Committed {
        from,
        to: engine.lineage.cursor_at(engine.meta.head as u64),
        delta: Changeset::default(),
        shown: shown.into_rows(&engine.catalog),
        derived,
    }))
}

/// Takes the parts out of the rows; or lets them stay, under the log number `stays` of the peer's echo.
fn take_out(
    engine: &mut Engine,
    work: &mut Work,
    refused: Vec<RefusedParts>,
    stays: Option<u64>,
) -> Result<Vec<Out>, StoreError> {
    let mut outs = Vec::new();
    for RefusedParts { reason, parts } in refused {
        for table in parts.tables {
            let (table_no, columns) = numbers::numbers(engine, &table)?;
            for change in table.rows {
                refused::forget_conflicts(engine, table_no, &change, &columns)?;
                let key = (table_no, change.id.clone());
                let known = engine.catalog.tables.get(&table_no);
                let row = work.load(engine, &key)?;
                let parts = match stays {
                    None => row.record.retract(&change, &columns),
                    Some(seq) => row.record.keep_to_itself(&change, &columns, seq),
                };
                if parts.life.is_empty() && parts.cells.is_empty() {
                    continue;
                }
                row.dirty = true;
                if stays.is_none() {
                    (row.tried, row.refused, row.reclaimed) = (false, None, true);
                    for cell in &parts.cells {
                        row.columns.insert(cell.column);
                        row.columns.extend(known.and_then(|table| table.shared_by(cell.column)));
                        row.shadows.remove(&cell.column);
                    }
                    if !parts.life.is_empty() {
                        row.columns.extend(known.into_iter().flat_map(|table| table.merges.keys().copied()));
                    }
                }
                outs.push(Out {
                    key,
                    reason,
                    table: table.name.clone(),
                    columns: table.columns.clone(),
                    numbers: columns.clone(),
                    parts,
                });
            }
        }
    }
    Ok(outs)
}

/// Merges in what the peer holds. Says whether something is left of our own that the peer has to hear of.
fn put_in(
    engine: &mut Engine,
    work: &mut Work,
    states: Changeset,
    seq: u64,
    changed: &mut BTreeSet<RowKey>,
) -> Result<bool, StoreError> {
    engine.sites.learn(&states);
    engine.meta.see(states.max_hlc());
    let mut derived = false;
    let mut told: Vec<(RowKey, Life)> = Vec::new();
    for table in states.tables {
        let (table_no, columns) = numbers::numbers(engine, &table)?;
        for change in table.rows {
            let key = (table_no, change.id.clone());
            told.push((key.clone(), change.life));
            let known = engine.catalog.tables.get(&table_no);
            let keeps_dead = work.links.keeps_dead(table_no);
            let row = work.load(engine, &key)?;
            let joined = merge::merge(row, known, change, &columns, seq, keeps_dead);
            derived |= joined == Joined::NewsToSender;
            if joined != Joined::Nothing {
                changed.insert(key);
            }
        }
    }
    for (key, life) in told {
        let row = work.load(engine, &key)?;
        if changed.contains(&key) && row.record.life == life && !life.is_empty() {
            // Nothing is left of it that the peer does not know.
            row.record.life_seq = seq;
        }
    }
    Ok(derived)
}

/// Keeps aside what is out of a row's state. Of a share that is what was contributed, since the rest of it is not out.
fn keep(engine: &mut Engine, work: &mut Work, out: Out, is_told: bool) -> Result<(), StoreError> {
    let Out { key, reason, table, columns, numbers, parts } = out;
    let us = engine.site();
    let row = work.load(engine, &key)?;
    // A column that nobody has written shows its default again.
    let is_default = |cell: &CellChange| !row.record.cells.contains_key(&cell.column);
    row.whole |= parts.cells.iter().any(is_default);
    let record = &row.record;
    let mut kept = TableChanges { name: table, columns: Vec::new(), rows: Vec::new() };
    let derived = |version: Option<Version>| version.filter(|version| !crate::store::is_derived(*version));
    let life = Life {
        born: derived(parts.life.born),
        died: derived(parts.life.died),
        undone: derived(parts.life.undone),
    };
    let mut row = RowChange { id: parts.id, life, cells: Vec::new() };
    for cell in parts.cells.into_iter().filter(|cell| !crate::store::is_derived(cell.version)) {
        let Some(at) = numbers.iter().position(|number| *number == cell.column) else { continue };
        let name = &columns[at];
        let mut value = cell.value;
        if let Some(share) = ShareName::parse(name).filter(|share| share.site == us) {
            if !is_told {
                // It is still there, and goes on with the next contribution.
                continue;
            }
            merging::before::forget(engine, (key.0, &key.1, cell.column))?;
            if let Some(held) = record.cells.get(&cell.column) {
                let first = Share::from_value(share.merge, &held.cell.value)?;
                let all = Share::from_value(share.merge, &value)?;
                value = all.since(share.merge, &first, true, us).to_value();
            }
        }
        row.cells.push(CellChange { column: kept.columns.len() as u32, version: cell.version, value });
        kept.columns.push(name.clone());
    }
    if row.life.is_empty() && row.cells.is_empty() {
        return Ok(());
    }
    kept.rows.push(row);
    refused::put(engine, key.0, reason, kept)
}

/// Writes everything that was refused once more, as of now.
///
/// # Errors
/// When the file cannot be read or written. The transaction is to be rolled back then.
pub(in super::super) fn retry(engine: &mut Engine) -> Result<Shown, StoreError> {
    let mut shown = Shown::default();
    let entries = refused::list(engine)?;
    if entries.is_empty() {
        return Ok(shown);
    }
    let group: Vec<Changeset> =
        entries.iter().map(|entry| Changeset { tables: vec![entry.changes.clone()] }).collect();
    let renames = renames::expect(engine, &group)?;
    let ruled = rules::expect(engine, &group)?;
    let seq = engine.meta.next_seq();
    let version = Version::new(engine.meta.clock().next(), engine.site());
    engine.meta.clock = i64::try_from(version.hlc.bits()).unwrap_or(i64::MAX);
    fold::log(engine, seq)?;
    let mut work = Work::new(engine)?;
    work.derive_at = Some(seq);
    let mut changed = BTreeSet::new();
    for Entry { table_no, mut changes, .. } in entries {
        let (_, columns) = numbers::numbers(engine, &changes)?;
        let us = engine.site();
        for mut change in std::mem::take(&mut changes.rows) {
            let key = (table_no, change.id.clone());
            refused::forget(engine, table_no, &change.id)?;
            let known = engine.catalog.tables.get(&table_no);
            let keeps_dead = work.links.keeps_dead(table_no);
            let row = work.load(engine, &key)?;
            change.life = written_again(&change.life, version);
            for cell in &mut change.cells {
                cell.version = version;
                let share = ShareName::parse(&changes.columns[cell.column as usize]);
                let Some(share) = share.filter(|share| share.site == us) else { continue };
                let mut more = Share::from_value(share.merge, &cell.value)?;
                if change.life.born.is_some() {
                    more.born = version.hlc;
                }
                if let Some(held) = row.record.cells.get(&columns[cell.column as usize]) {
                    let held = Share::from_value(share.merge, &held.cell.value)?;
                    more = held.plus(share.merge, &more, us);
                }
                cell.value = more.to_value();
            }
            if merge::merge(row, known, change, &columns, seq, keeps_dead) == Joined::NewsToSender {
                row.record.life_seq = seq;
            }
            row.reclaimed = true;
            changed.insert(key);
        }
    }
    store::settle(engine, &mut work, changed, &[], &mut shown)?;
    if renames {
        shown.extend(schema_change::follow_names(engine)?);
    }
    if ruled {
        merging::refresh(engine)?;
    }
    Ok(shown)
}

/// The last of what happened to a row, as of now.
fn written_again(life: &Life, version: Version) -> Life {
    match (life.born, life.died) {
        (_, Some(died)) if life.born < Some(died) && life.undone < Some(died) => Life::died(version),
        (Some(_), _) => Life::born(version),
        _ => Life::default(),
    }
}
