//! What own shares were before writes that no peer has acknowledged.
//!
//! A file that was restored from a backup or cloned takes a new site, and its twin goes on as the old
//! one, with shares of that name. So what only this copy has must leave them, or one of the two would
//! overwrite what the other contributed.

use std::collections::BTreeMap;

use super::super::apply;
use super::super::engine::Engine;
use super::super::refs;
use super::super::row_clock::{compact_id, expand_id};
use super::super::system::AsideReason;
use crate::codec::{Reader, Writer};
use crate::conflict::MergeType;
use crate::id::RowId;
use crate::merge::Cell;
use crate::merge::share::{Share, ShareName};
use crate::store::{Mint, Record, RecordCell, StoreError};
use crate::value::Value;

/// Where a share is: table, row, and the column that holds it.
type Place = (u32, RowId, u32);

/// What a share was.
struct Before {
    cell: Option<RecordCell>,
    goes_on: bool,
}

/// Remembers what a share was before the fold `seq` wrote it. `goes_on`: what it is now contains what
/// it was.
///
/// # Errors
/// When it cannot be written.
pub(in super::super) fn remember(
    engine: &mut Engine,
    (table, id, column): (u32, &RowId, u32),
    seq: u64,
    before: Option<&RecordCell>,
    goes_on: bool,
) -> Result<(), StoreError> {
    let id = compact_id(id, &mut engine.sites);
    let cell = before.map(|held| {
        let mut writer = Writer::new();
        engine.sites.encode_version(held.cell.version, &mut writer);
        writer.varint(held.seq);
        held.cell.value.encode(&mut writer);
        writer.into_bytes()
    });
    engine
        .conn
        .prepare_cached(
            "INSERT OR IGNORE INTO __pocketsync_share(seq, tbl, id, col, goes_on, cell)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((seq as i64, table, id, column, goes_on, cell))?;
    Ok(())
}

/// Forgets what a peer has acknowledged: that is public under our site.
///
/// # Errors
/// When it cannot be written.
pub(in super::super) fn acknowledged(engine: &Engine, seq: u64) -> Result<(), StoreError> {
    if engine.catalog.tables.values().any(|table| !table.merges.is_empty()) {
        engine
            .conn
            .prepare_cached("DELETE FROM __pocketsync_share WHERE seq <= ?1")?
            .execute([seq as i64])?;
    }
    Ok(())
}

/// Forgets what a share was before writes that a peer has refused: it is that again.
///
/// # Errors
/// When it cannot be written.
pub(in super::super) fn forget(
    engine: &mut Engine,
    (table, id, column): (u32, &RowId, u32),
) -> Result<(), StoreError> {
    let id = compact_id(id, &mut engine.sites);
    let sql = "DELETE FROM __pocketsync_share WHERE tbl = ?1 AND id = ?2 AND col = ?3";
    engine.conn.prepare_cached(sql)?.execute((table, id, column))?;
    Ok(())
}

/// Gives the new site what the old one contributed after log number `kept`, and the old one its shares
/// of then. Rows have their new ids already, and versions their new site.
///
/// # Errors
/// When the file cannot be read or written.
pub(in super::super) fn part(engine: &mut Engine, mint: &Mint, kept: u64) -> Result<(), StoreError> {
    for ((table, id, column), before) in read(engine, kept)? {
        let Some(name) = engine.wire_column_name(table, column)? else { continue };
        let Some(share) = ShareName::parse(&name).filter(|share| share.site == mint.old) else { continue };
        let merge = share.merge;
        let new_name = ShareName { site: mint.new, ..share }.to_string();
        let new_column = apply::column_number(engine, table, &new_name)?;
        let id = mint.id(&id);
        if let Some((at, mut clock)) = refs::clock_by_id(engine, table, &id)? {
            let Some(value) = refs::shadows(engine, table, &id)?.remove(&column) else { continue };
            let (version, seq) = clock.column(column);
            let rest = rest(merge, &value, &before, mint)?;
            clock.set_column(new_column, version, seq);
            refs::put_shadow(engine, table, &id, new_column, &rest)?;
            match before.cell {
                Some(held) => {
                    clock.set_column(column, held.cell.version, held.seq);
                    refs::put_shadow(engine, table, &id, column, &held.cell.value)?;
                }
                None => {
                    clock.exceptions.retain(|held| held.column != column);
                    refs::remove_shadow(engine, table, &id, column)?;
                }
            }
            refs::put_clock(engine, table, &at, &id, &clock)?;
        } else if let Some((reason, mut record)) = refs::aside(engine, table, &id)? {
            part_record(&mut record, merge, (column, new_column), before, mint)?;
            put_aside(engine, table, &id, reason, &record)?;
        }
    }
    engine.conn.execute("DELETE FROM __pocketsync_share", [])?;
    Ok(())
}

/// By share what it was at log number `kept`.
fn read(engine: &Engine, kept: u64) -> Result<BTreeMap<Place, Before>, StoreError> {
    let mut statement = engine.conn.prepare_cached(
        "SELECT tbl, id, col, goes_on, cell FROM __pocketsync_share WHERE seq > ?1 ORDER BY seq DESC",
    )?;
    let mut rows = statement.query([kept as i64])?;
    let mut places: BTreeMap<Place, Before> = BTreeMap::new();
    // The first write after it is read last. It all goes on if each write did.
    while let Some(row) = rows.next()? {
        let id = expand_id(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &engine.sites)?;
        let cell = match row.get_ref(4)?.as_blob_or_null().map_err(rusqlite::Error::from)? {
            None => None,
            Some(bytes) => {
                let mut reader = Reader::new(bytes);
                let version = engine.sites.decode_version(&mut reader)?;
                let seq = reader.varint()?;
                Some(RecordCell { cell: Cell { version, value: Value::decode(&mut reader)? }, seq })
            }
        };
        let place = (row.get(0)?, id, row.get(2)?);
        let later = places.get(&place).is_none_or(|later| later.goes_on);
        places.insert(place, Before { cell, goes_on: later && row.get::<_, bool>(3)? });
    }
    Ok(places)
}

fn rest(merge: MergeType, value: &Value, before: &Before, mint: &Mint) -> Result<Value, StoreError> {
    let Some(held) = &before.cell else { return Ok(value.clone()) };
    let first = Share::from_value(merge, &held.cell.value)?;
    Ok(Share::from_value(merge, value)?.since(merge, &first, before.goes_on, mint.old).to_value())
}

fn part_record(
    record: &mut Record,
    merge: MergeType,
    (column, new_column): (u32, u32),
    before: Before,
    mint: &Mint,
) -> Result<(), StoreError> {
    let Some(held) = record.cells.remove(&column) else { return Ok(()) };
    let value = rest(merge, &held.cell.value, &before, mint)?;
    let cell = Cell { version: held.cell.version, value };
    record.cells.insert(new_column, RecordCell { cell, seq: held.seq });
    record.cells.extend(before.cell.map(|cell| (column, cell)));
    Ok(())
}

fn put_aside(
    engine: &mut Engine,
    table: u32,
    id: &RowId,
    reason: AsideReason,
    record: &Record,
) -> Result<(), StoreError> {
    let winner = refs::winner(engine, table, id)?;
    refs::put_aside(engine, table, id, reason, None, record)?;
    if winner.is_some() {
        refs::put_winner(engine, table, id, winner.as_ref())?;
    }
    Ok(())
}
