//! Values of tables that were without their triggers for a while, compared with what peers tell of them.
//!
//! A table that was found without its triggers may hold values that nobody saw being written. What
//! it held before is not stored here: a peer has it. A value that a peer tells in the very version
//! that is held here, and that is another one here, was written here since: it is journaled, and is
//! a write of now. Nothing can be said of a value that a peer has in a later version; what was here
//! [goes to the conflict log](super::conflict::Detector).
//!
//! [`ask`] has the peers tell everything again, and [`heard_all`] ends the suspicion when they have. Until
//! then nothing that was told before is told again to those who were told. Of such a table it would be another
//! value in the same version; of any, what it wins over at a peer has to be read first, since nobody judges what
//! comes under a name that was left. Whoever comes later is told everything.

use std::collections::BTreeSet;

use super::apply::numbers;
use super::catalog::Table;
use super::engine::Engine;
use super::identity;
use super::park::row::Row;
use super::refs::{Bound, LocalKey, is_null_key};
use super::system::{PREFIX, flag, key_columns_list};
use super::tracking::register;
use crate::change::{CellChange, Changeset};
use crate::clock::Version;
use crate::id::SiteId;
use crate::lineage::Cursor;
use crate::store::{RecordCell, StoreError};
use crate::value::Value;

/// The numbers of the tables that may hold values that were written unseen.
pub(super) fn tables(engine: &Engine) -> Result<BTreeSet<u32>, StoreError> {
    let sql = "SELECT no FROM __pocketsync_table WHERE suspect IN (?1, ?2)";
    let mut statement = engine.conn.prepare_cached(sql)?;
    let found = statement.query_map([register::SUSPECT, register::ASKED], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Asks the peers for all that they have where a table became suspect, or where values that they
/// have are `gone` from this file. To be called when everything is folded.
///
/// # Errors
/// When the file cannot be read or written.
pub(super) fn ask(engine: &mut Engine, gone: bool) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM __pocketsync_table WHERE suspect = ?1";
    let suspect = engine.conn.prepare_cached(sql)?.exists([register::SUSPECT])?;
    // What nobody else has is whatever it is now.
    let has_exchanged = engine.meta.told_seq > 0 || identity::has_exchanged(engine)?;
    if !(gone || suspect && has_exchanged) {
        return Ok(());
    }
    identity::read_again(engine)?;
    engine.meta.asked_as = engine.meta.site;
    let sql = "UPDATE __pocketsync_table SET suspect = ?2 WHERE suspect = ?1";
    engine.conn.prepare_cached(sql)?.execute([register::SUSPECT, register::ASKED])?;
    Ok(())
}

/// A peer's log may have been read up to where it ended when we met: what was withheld is told then. If
/// those of the other peers were read again as well, no table is suspect any more.
///
/// # Errors
/// When the file cannot be read or written.
pub(super) fn heard_all(engine: &mut Engine, peer: SiteId) -> Result<(), StoreError> {
    let Some(&head) = engine.met_at.get(&peer) else { return Ok(()) };
    if tables(engine)?.is_empty() {
        return Ok(());
    }
    let held = identity::held(engine)?;
    let is_heard = |(site, held): &(SiteId, Cursor)| match *site == peer {
        true => held.complete_seq() >= head,
        false => *held != Cursor::ZERO,
    };
    if !held.iter().any(|known| known.0 == peer && is_heard(known)) {
        return Ok(());
    }
    identity::tell_again(engine, &[peer], engine.meta.told_seq as u64)?;
    if held.iter().all(is_heard) {
        let sql = "UPDATE __pocketsync_table SET suspect = 0 WHERE suspect IN (?1, ?2)";
        engine.conn.prepare_cached(sql)?.execute([register::SUSPECT, register::ASKED])?;
        tell(engine)?;
    }
    Ok(())
}

/// Where no table is suspect any more, what was withheld is told to all peers: it may not have arrived, or
/// be lost meanwhile.
///
/// # Errors
/// When the file cannot be read or written.
pub(super) fn tell(engine: &mut Engine) -> Result<(), StoreError> {
    if engine.meta.told_seq == 0 || !tables(engine)?.is_empty() {
        return Ok(());
    }
    let withheld = std::mem::take(&mut engine.meta.told_seq) as u64;
    let peers: Vec<SiteId> = identity::held(engine)?.into_iter().map(|(site, _)| site).collect();
    identity::tell_again(engine, &peers, withheld)
}

/// Journals what was written unseen of the rows that these changes tell, and takes the values that
/// it was written over out of them: they are known. Answers whether anything was. To be called when
/// everything is folded.
///
/// # Errors
/// When the file cannot be read or written.
pub(super) fn journal<'a>(
    engine: &mut Engine,
    changesets: impl Iterator<Item = &'a mut Changeset>,
) -> Result<bool, StoreError> {
    let suspects = tables(engine)?;
    if suspects.is_empty() {
        return Ok(false);
    }
    let mut written: BTreeSet<(u32, LocalKey, u32)> = BTreeSet::new();
    for changes in changesets.flat_map(|changeset| &mut changeset.tables) {
        let (table_no, columns) = numbers(engine, changes)?;
        let Some(table) = engine.catalog.tables.get(&table_no).filter(|_| suspects.contains(&table_no))
        else {
            continue;
        };
        for change in &mut changes.rows {
            let row = Row::load(engine, &(table_no, change.id.clone()))?;
            let Some(at) = &row.at else { continue };
            change.cells.retain(|cell| {
                let column = columns[cell.column as usize];
                let over = is_written_over(table, &row, column, cell);
                if over {
                    written.insert((table_no, at.clone(), column));
                }
                !over
            });
        }
    }
    let mut written = written.into_iter().peekable();
    let any = written.peek().is_some();
    while let Some((table_no, at, column)) = written.next() {
        let mut columns = vec![column];
        while let Some((_, _, column)) = written.next_if(|(no, key, _)| (*no, key) == (table_no, &at)) {
            columns.push(column);
        }
        put(engine, table_no, &at, &columns)?;
    }
    Ok(any)
}

/// Whether a row shows something else in a column than a peer tells of the same write.
fn is_written_over(table: &Table, row: &Row, column: u32, told: &CellChange) -> bool {
    let Some(RecordCell { cell: held, .. }) = row.record.cells.get(&column) else { return false };
    // What a rebuild put into a column that it brought is in no version that says who did.
    let is_written = told.version != Version::GENESIS || row.record.life.born == Some(Version::GENESIS);
    let is_shown = table.position(column).is_some() && !row.stored_shadows.contains_key(&column);
    held.version == told.version
        && held.value != told.value
        && is_written
        && is_shown
        && !table.merges.contains_key(&column)
}

/// Journals an update of these columns (ascending) of one row, as a trigger would.
fn put(engine: &Engine, table_no: u32, at: &[Value], columns: &[u32]) -> Result<(), StoreError> {
    let table = &engine.catalog.tables[&table_no];
    let (keys, at) = match is_null_key(at) {
        true => ("o".to_owned(), &at[1..]),
        false => (key_columns_list(table.key.len()), at),
    };
    let mask = (0..=columns.last().copied().unwrap_or_default())
        .map(|no| if columns.binary_search(&no).is_ok() { '1' } else { '0' })
        .collect::<String>();
    let values = (0..at.len()).map(|n| format!("?{}", n + 2)).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "INSERT INTO {PREFIX}journal(t, f, m, at, {keys})
         VALUES({table_no}, {update}, ?1, julianday('now'), {values})",
        update = flag::UPDATE,
    );
    let mut statement = engine.conn.prepare_cached(&sql)?;
    let mask = Value::text(&mask);
    statement.execute(rusqlite::params_from_iter(std::iter::once(&mask).chain(at).map(Bound)))?;
    Ok(())
}
