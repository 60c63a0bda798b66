//! Where changed rows are found: the statements about each clock table, and about what is aside.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::Row;

use super::super::catalog::{Catalog, Table};
use super::super::engine::Engine;
use super::super::refs::{self, LocalKey, null_key, value};
use super::super::row_clock::{RowClock, expand_id};
use super::super::system::{clock_table, key_column, null_key_clock_table, quote};
use super::origin::Origins;
use super::row::Reading;
use super::stream::{Found, Kind, Place};
use crate::change::RowChange;
use crate::store::{Record, StoreError};
use crate::value::Value;

/// All sources of a database, known until its schema changes: for an extract of one row it would take longer to write the
/// statements about all tables than to run them.
#[derive(Debug, Default)]
pub(in super::super) struct Sources(RefCell<Option<Known>>);

#[derive(Debug)]
struct Known {
    catalog: Arc<Catalog>,
    sources: Arc<[Arc<Source>]>,
}

impl Sources {
    /// Those that may have rows under this log number or later ones, in order.
    pub(super) fn with_rows(&self, engine: &Engine, from: u64) -> Result<Vec<Arc<Source>>, StoreError> {
        let mut found = Vec::new();
        for source in self.all(engine).iter() {
            if source.kind == Kind::Aside || engine.changed.may_have(source.table, from) {
                found.push(Arc::clone(source));
            } else if cfg!(debug_assertions) {
                let exists = engine.conn.prepare_cached(&source.exist)?.exists([from as i64])?;
                assert!(!exists, "table number {} has changes that nobody noted", source.table);
            }
        }
        Ok(found)
    }

    fn all(&self, engine: &Engine) -> Arc<[Arc<Source>]> {
        let mut known = self.0.borrow_mut();
        if let Some(Known { catalog, sources }) = &*known
            && Arc::ptr_eq(catalog, &engine.catalog)
        {
            return Arc::clone(sources);
        }
        let mut sources = Vec::new();
        for table in engine.catalog.tables.values() {
            sources.push(Arc::new(Source::shown(engine, table, Kind::Shown)));
            if table.nullable_key {
                sources.push(Arc::new(Source::shown(engine, table, Kind::NullKey)));
            }
        }
        sources.push(Arc::new(Source::aside()));
        let sources: Arc<[Arc<Source>]> = sources.into();
        *known = Some(Known { catalog: Arc::clone(&engine.catalog), sources: Arc::clone(&sources) });
        sources
    }
}

/// Where the changed rows of one clock table are found, or those aside.
#[derive(Debug)]
pub(super) struct Source {
    /// 0 for what is aside, which is of any table.
    pub(super) table: u32,
    pub(super) kind: Kind,
    reading: Option<Reading>,
    keys: usize,
    /// Parameters: log number, key values, count.
    pub(super) within: String,
    /// Parameters: log number, count.
    pub(super) after: String,
    /// Parameter: the first log number.
    exist: String,
}

impl Source {
    fn shown(engine: &Engine, table: &Table, kind: Kind) -> Self {
        let with_id = table.is_surrogate() || kind == Kind::NullKey;
        let (reading, selected) = Reading::of(table, with_id);
        let name = quote(&table.name);
        let keys = if kind == Kind::NullKey { 1 } else { table.key.len() };
        let key_list: Vec<String> = (1..=keys).map(|n| format!("c.{}", key_column(n))).collect();
        let key_list = key_list.join(", ");
        let (clock, on) = if kind == Kind::NullKey {
            let rowid = table.rowid.unwrap_or("rowid");
            (null_key_clock_table(table.no), format!("t.{rowid} = c.k"))
        } else {
            let on: Vec<String> = (0..keys)
                .map(|n| {
                    let column = quote(&table.columns[table.key[n]].name);
                    let key = key_column(n + 1);
                    // Found by the index, whatever its collation; decided by bytes.
                    format!("t.{column} = c.{key} AND t.{column} COLLATE BINARY = c.{key}")
                })
                .collect();
            (clock_table(table.no), on.join(" AND "))
        };
        let id = if with_id { "c.id" } else { "NULL" };
        let values: String = selected.iter().map(|column| format!(", {column}")).collect();
        let select = format!(
            "SELECT c.s, {id}, c.r, {key_list}{values} FROM {clock} c INDEXED BY {clock}_s CROSS JOIN {name} t \
             ON {on} WHERE"
        );
        let marks: Vec<String> = (0..keys).map(|n| format!("?{}", n + 2)).collect();
        Source {
            table: table.no,
            kind,
            reading: Some(reading.with_plain_keys(engine, table)),
            keys,
            within: format!(
                "{select} c.s = ?1 AND ({key_list}) > ({}) ORDER BY {key_list} LIMIT ?{}",
                marks.join(", "),
                keys + 2
            ),
            after: format!("{select} c.s > ?1 ORDER BY c.s, {key_list} LIMIT ?2"),
            exist: format!("SELECT 1 FROM {clock} WHERE s >= ?1 LIMIT 1"),
        }
    }

    fn aside() -> Self {
        let select = "SELECT seq, tbl, id, state FROM __pocketsync_aside WHERE";
        Source {
            table: 0,
            kind: Kind::Aside,
            reading: None,
            keys: 1,
            within: format!("{select} seq = ?1 AND (tbl, id) > (?2, ?3) ORDER BY tbl, id LIMIT ?4"),
            after: format!("{select} seq > ?1 ORDER BY seq, tbl, id LIMIT ?2"),
            exist: "SELECT 1 FROM __pocketsync_aside WHERE seq >= ?1 LIMIT 1".to_owned(),
        }
    }

    /// Reads one row, and answers with its weight.
    pub(super) fn read(
        &self,
        engine: &Engine,
        row: &Row<'_>,
        base: u64,
        origins: &mut Origins,
        found: &mut VecDeque<Found>,
    ) -> Result<usize, StoreError> {
        let seq = row.get::<_, i64>(0)? as u64;
        let (place, change) = match &self.reading {
            Some(reading) => self.read_shown(engine, row, seq, reading, (base, origins))?,
            None => read_aside(engine, row, seq, (base, origins))?,
        };
        let weight = change.as_ref().map_or(0, RowChange::weight);
        found.push_back(Found { place, change });
        Ok(weight)
    }

    fn read_shown(
        &self,
        engine: &Engine,
        row: &Row<'_>,
        seq: u64,
        reading: &Reading,
        (base, origins): (u64, &mut Origins),
    ) -> Result<(Place, Option<RowChange>), StoreError> {
        const KEYS: usize = 3;
        let key: LocalKey =
            (0..self.keys).map(|n| Ok(value(row.get_ref(KEYS + n)?))).collect::<rusqlite::Result<_>>()?;
        let clock =
            RowClock::decode(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?, &engine.sites)?;
        let id = match (row.get_ref(1)?.as_blob_or_null().map_err(rusqlite::Error::from)?, &key[..]) {
            (Some(id), _) => Some(expand_id(id, &engine.sites)?),
            (None, [Value::Integer(rowid)]) if self.kind == Kind::NullKey => {
                refs::row_id(engine, self.table, &null_key(*rowid))?
            }
            (None, _) => refs::row_id(engine, self.table, &key)?,
        };
        let place = Place { seq, table: self.table, kind: self.kind, key: key.to_vec() };
        let Some(id) = id else { return Ok((place, None)) };
        let values = (row, KEYS + self.keys);
        let change = reading.change(engine, (id, &key), &clock, values, base, origins)?;
        Ok((place, change))
    }
}

fn read_aside(
    engine: &Engine,
    row: &Row<'_>,
    seq: u64,
    (base, origins): (u64, &mut Origins),
) -> Result<(Place, Option<RowChange>), StoreError> {
    let table: u32 = row.get(1)?;
    let id = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    let record = Record::decode(row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?, &engine.sites)?;
    let mut wanted = std::collections::BTreeSet::new();
    for seq in record.cells.values().map(|held| held.seq).chain([record.life_seq]) {
        if seq > base && !origins.is_echo(engine, seq)? {
            wanted.insert(seq);
        }
    }
    let change = record.changes(&expand_id(id, &engine.sites)?, |seq| wanted.contains(&seq));
    let place = Place { seq, table, kind: Kind::Aside, key: vec![Value::Blob(id.to_vec())] };
    Ok((place, change))
}
