//! The changed rows in the order of their last change: one stream for each clock table, and one
//! for the rows that are aside.

use std::collections::VecDeque;

use rusqlite::{Row, ToSql};

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::refs::{self, Bound, LocalKey, null_key, value};
use super::super::row_clock::{RowClock, expand_id};
use super::super::system::{clock_table, key_column, null_key_clock_table, quote};
use super::origin::Origins;
use super::row::Reading;
use crate::change::RowChange;
use crate::codec::{Reader, Writer};
use crate::store::{Mark, Record, StoreError};
use crate::value::Value;

/// How many rows are fetched at once, at most.
const MAX_BATCH: usize = 256;

/// Where a row stands in the order of all changed rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) table: u32,
    /// Shown rows before those with a NULL in their key before those aside.
    kind: Kind,
    /// The key or the id, in the order that SQLite gives them; compared within one stream only.
    key: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Shown,
    NullKey,
    Aside,
}

impl Place {
    /// The bytes that find the row again.
    pub(super) fn row_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.byte(self.kind as u8);
        for value in &self.key {
            value.encode(&mut writer);
        }
        writer.into_bytes()
    }

    /// The place that a mark names; `None` where it names the end of a log number.
    fn of(mark: &Mark) -> Option<Place> {
        let mut reader = Reader::new(&mark.row);
        let kind = match reader.byte().ok()? {
            0 => Kind::Shown,
            1 => Kind::NullKey,
            _ => Kind::Aside,
        };
        let mut key = Vec::new();
        while reader.remaining() > 0 {
            key.push(Value::decode(&mut reader).ok()?);
        }
        Some(Place { seq: mark.seq, table: mark.table, kind, key })
    }
}

/// A changed row.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    /// `None` where nothing of it is news for the peer.
    pub(super) change: Option<RowChange>,
}

/// Rows in order.
#[derive(Debug)]
pub(super) struct Stream {
    source: Source,
    /// Rows after this log number, and in it those after `key`.
    seq: u64,
    key: Option<Vec<Value>>,
    rows: VecDeque<Found>,
    batch: usize,
    done: bool,
}

#[derive(Debug)]
struct Source {
    /// 0 for what is aside, which is of any table.
    table: u32,
    kind: Kind,
    reading: Option<Reading>,
    keys: usize,
    /// Parameters: log number, key values, count.
    within: String,
    /// Parameters: log number, count.
    after: String,
}

impl Stream {
    /// The streams of a database, after a mark.
    pub(super) fn all(engine: &Engine, mark: &Mark) -> Result<Vec<Stream>, StoreError> {
        let mut sources = Vec::new();
        for table in engine.catalog.tables.values() {
            sources.push(Source::shown(engine, table, Kind::Shown));
            if table.nullable_key {
                sources.push(Source::shown(engine, table, Kind::NullKey));
            }
        }
        sources.push(Source::aside());
        let place = Place::of(mark);
        Ok(sources.into_iter().map(|source| source.begin(mark, place.as_ref())).collect())
    }

    pub(super) fn next(&self) -> Option<&Found> {
        self.rows.front()
    }

    pub(super) fn take(&mut self) -> Option<Found> {
        self.rows.pop_front()
    }

    pub(super) fn is_done(&self) -> bool {
        self.done && self.rows.is_empty()
    }

    /// Fetches the next rows if there are none at hand: few at first, more if they are used.
    pub(super) fn refill(
        &mut self,
        engine: &Engine,
        base: u64,
        origins: &mut Origins,
        max_bytes: usize,
    ) -> Result<(), StoreError> {
        while self.rows.is_empty() && !self.done {
            let mut limit = self.batch as i64;
            let seq = self.seq as i64;
            let mut bytes = 0;
            if let Some(key) = self.key.take() {
                let bound: Vec<Bound<'_>> = key.iter().map(Bound).collect();
                let mut params: Vec<&dyn ToSql> = vec![&seq];
                params.extend(bound.iter().map(|value| value as &dyn ToSql));
                params.push(&limit);
                let mut statement = engine.conn.prepare_cached(&self.source.within)?;
                let mut rows = statement.query(&params[..])?;
                while let Some(row) = rows.next()?.filter(|_| bytes <= max_bytes) {
                    bytes += self.source.read(engine, row, base, origins, &mut self.rows)?;
                    limit -= 1;
                }
            }
            if limit > 0 && bytes <= max_bytes {
                let mut statement = engine.conn.prepare_cached(&self.source.after)?;
                let mut rows = statement.query((seq, limit))?;
                while let Some(row) = rows.next()?.filter(|_| bytes <= max_bytes) {
                    bytes += self.source.read(engine, row, base, origins, &mut self.rows)?;
                    limit -= 1;
                }
            }
            // Fewer than asked for, and not because they are large: there are no more.
            self.done = limit > 0 && bytes <= max_bytes;
            if let Some(last) = self.rows.back() {
                self.seq = last.place.seq;
                self.key = Some(last.place.key_for(self.source.kind));
            }
            self.batch = (self.batch * 4).min(MAX_BATCH);
        }
        Ok(())
    }
}

impl Place {
    /// The parameters that a stream goes on from.
    fn key_for(&self, kind: Kind) -> Vec<Value> {
        if kind == Kind::Aside {
            return [&[Value::Integer(i64::from(self.table))], &self.key[..]].concat();
        }
        self.key.clone()
    }
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
        }
    }

    fn begin(self, mark: &Mark, place: Option<&Place>) -> Stream {
        let (seq, key) = match place {
            None => (mark.seq, None),
            Some(place) if self.kind == Kind::Aside => {
                // Ids are not empty, so an empty one is before all rows of the table.
                let id =
                    if place.kind == Kind::Aside { place.key.clone() } else { vec![Value::Blob(vec![])] };
                (mark.seq, Some([vec![Value::Integer(i64::from(place.table))], id].concat()))
            }
            Some(place) => match (self.table, self.kind).cmp(&(place.table, place.kind)) {
                std::cmp::Ordering::Less => (mark.seq, None),
                std::cmp::Ordering::Equal => (mark.seq, Some(place.key.clone())),
                std::cmp::Ordering::Greater => (mark.seq.saturating_sub(1), None),
            },
        };
        Stream { source: self, seq, key, rows: VecDeque::new(), batch: 1, done: false }
    }

    /// Reads one row, and answers with its weight.
    fn read(
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
