//! A table that was rebuilt with another primary key: its rows under new identities.
//!
//! Where the columns of the old key are still there, each row is followed: it keeps its versions,
//! and where its new key is an integer, its new identity follows from the old one, so that all
//! devices which migrate come to the same rows. Rows that cannot be followed count as rows that
//! were always there.

use sha2::{Digest, Sha256};

use super::super::apply::log_own;
use super::super::catalog::IdentityKind;
use super::super::engine::Engine;
use super::super::genesis;
use super::super::introspect::{self, RawKey};
use super::super::merging;
use super::super::refs::{self, value};
use super::super::row_clock::{RowClock, expand_id};
use super::super::schema_notes::{self, Kind};
use super::super::system::{PREFIX, clock_table, key_column, null_key_clock_table, quote};
use super::filled_columns::keys;
use super::register;
use crate::codec::Writer;
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

fn old_clocks(no: u32) -> String {
    format!("{PREFIX}rekey_{no}")
}

/// What a table's key was.
#[derive(Debug)]
pub(in super::super) struct Before {
    /// The table's number.
    pub(in super::super) table: u32,
    /// The shape of the key.
    was: String,
    /// Whether its rows had global ids.
    had_ids: bool,
}

/// Puts the clocks of the old key by, and gives the table its new identity.
pub(in super::super) fn begin(engine: &mut Engine, no: u32) -> Result<Option<Before>, StoreError> {
    let Some(table) = engine.catalog.tables.get(&no).cloned() else { return Ok(None) };
    let raw = introspect::read_table(&engine.conn, &table.name)?;
    let was: String =
        engine
            .conn
            .query_row("SELECT fingerprint FROM __pocketsync_table WHERE no = ?1", [no], |row| row.get(0))?;
    let clock = clock_table(no);
    engine.conn.execute_batch(&format!(
        "DROP INDEX IF EXISTS {clock}_s; ALTER TABLE {clock} RENAME TO {old};
         DROP TABLE IF EXISTS {null};
         DELETE FROM {PREFIX}journal WHERE t = {no};
         DELETE FROM {PREFIX}shadow WHERE tbl = {no}; DELETE FROM {PREFIX}claim WHERE tbl = {no};
         DELETE FROM {PREFIX}wait WHERE tbl = {no}; DELETE FROM {PREFIX}dangling WHERE tbl = {no};",
        old = old_clocks(no),
        null = null_key_clock_table(no),
    ))?;
    merging::forget(engine, no)?;
    let identity = match raw.key {
        RawKey::Rowid(_) => IdentityKind::Surrogate,
        _ => IdentityKind::Natural,
    };
    engine.conn.execute(
        "UPDATE __pocketsync_table SET identity = ?2, fingerprint = ?3 WHERE no = ?1",
        (no, identity.as_str(), register::key_shape(&raw, |_| None)),
    )?;
    Ok(Some(Before { table: no, was, had_ids: table.is_surrogate() }))
}

/// Gives the rows clocks under the new key.
pub(in super::super) fn finish(engine: &mut Engine, before: &Before) -> Result<(), StoreError> {
    let no = before.table;
    let Some(table) = engine.catalog.tables.get(&no).cloned() else { return Ok(()) };
    genesis::adopt(engine, no)?;
    let Before { was, had_ids, .. } = before;
    let old_key = register::key_columns(was);
    let here = |name: &String| table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
    let columns: Option<Vec<String>> =
        old_key.iter().map(|name| here(name).map(|column| quote(&column.name))).collect();
    let all = keys(engine, &table, "1")?;
    let mut followed = 0;
    if let Some(columns) = columns.filter(|columns| !columns.is_empty()) {
        let seq = engine.meta.next_seq();
        for key in &all {
            followed += u64::from(follow(engine, no, key, (&columns, *had_ids), seq)?);
        }
        log_own(engine, seq)?;
    }
    let unmapped = all.len() as u64 - followed;
    schema_notes::note(&engine.conn, no, Kind::KeyChanged, was, &unmapped.to_string())?;
    engine.conn.execute_batch(&format!("DROP TABLE {}", old_clocks(no)))?;
    Ok(())
}

/// Gives a row the clock that it had under its old key. Answers whether it had one.
fn follow(
    engine: &mut Engine,
    no: u32,
    key: &[Value],
    (old_columns, had_ids): (&[String], bool),
    seq: u64,
) -> Result<bool, StoreError> {
    let table = engine.catalog.tables[&no].clone();
    if refs::is_null_key(key) {
        return Ok(false);
    }
    let Some((mut id, _)) = refs::clock(engine, no, key)? else { return Ok(false) };
    let old = old_clocks(no);
    let on_row: Vec<String> = table
        .key
        .iter()
        .enumerate()
        .map(|(n, &at)| {
            let column = quote(&table.columns[at].name);
            format!("x.{column} = ?{n} AND x.{column} COLLATE BINARY = ?{n}", n = n + 1)
        })
        .collect();
    let on_clock: Vec<String> = old_columns
        .iter()
        .enumerate()
        .map(|(n, column)| format!("c.{} = x.{column} COLLATE BINARY", key_column(n + 1)))
        .collect();
    let old_keys: Vec<String> = (1..=old_columns.len()).map(|n| format!("c.{}", key_column(n))).collect();
    let sql = format!(
        "SELECT c.r, {} FROM main.{} AS x JOIN {old} AS c ON {} WHERE {}",
        if had_ids { "c.id".to_owned() } else { old_keys.join(", ") },
        quote(&table.name),
        on_clock.join(" AND "),
        on_row.join(" AND ")
    );
    let mut writer = Writer::new();
    writer.length_prefixed(table.wire_name.as_bytes());
    let found = {
        let mut statement = engine.conn.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(refs::bound(key)))?;
        let Some(row) = rows.next()? else { return Ok(false) };
        if had_ids {
            // Their integers are not the same everywhere.
            let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            Value::Ref(Box::new(expand_id(bytes, &engine.sites)?)).encode(&mut writer);
        } else {
            for n in 1..=old_columns.len() {
                value(row.get_ref(n)?).encode(&mut writer);
            }
        }
        row.get::<_, Vec<u8>>(0)?
    };
    let mut clock = RowClock::decode(&found, &engine.sites)?;
    (clock.life_seq, clock.base_seq, clock.shadowed, clock.hint) = (seq, seq, false, None);
    for held in clock.exceptions.iter_mut().filter(|held| held.seq > 0) {
        held.seq = seq;
    }
    if table.is_surrogate() {
        let hash = Sha256::digest(writer.into_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        id = RowId::Genesis(bytes);
    }
    refs::remove_clock(engine, no, key)?;
    refs::put_clock(engine, no, key, &id, &clock)?;
    Ok(true)
}
