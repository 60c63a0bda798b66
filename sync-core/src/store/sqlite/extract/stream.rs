//! The changed rows in the order of their last change: one stream for each clock table, and one
//! for the rows that are aside.

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::ToSql;

use super::super::engine::Engine;
use super::super::refs::Bound;
use super::origin::Origins;
use super::sources::Source;
use crate::change::RowChange;
use crate::codec::{Reader, Writer};
use crate::store::{Mark, StoreError};
use crate::value::Value;

/// How many rows are fetched at once, at most.
const MAX_BATCH: usize = 256;

/// Where a row stands in the order of all changed rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) table: u32,
    /// Shown rows before those with a NULL in their key before those aside.
    pub(super) kind: Kind,
    /// The key or the id, in the order that SQLite gives them; compared within one stream only.
    pub(super) key: Vec<Value>,
}

/// What kind of rows these are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
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
    source: Arc<Source>,
    /// Rows after this log number, and in it those after `key`.
    seq: u64,
    key: Option<Vec<Value>>,
    rows: VecDeque<Found>,
    batch: usize,
    done: bool,
}

impl Stream {
    /// The streams of a database that have rows after a mark.
    pub(super) fn all(engine: &Engine, mark: &Mark) -> Result<Vec<Stream>, StoreError> {
        let place = Place::of(mark);
        let sources = engine.sources.with_rows(engine, mark.seq)?;
        Ok(sources.into_iter().map(|source| Stream::begin(source, mark, place.as_ref())).collect())
    }

    fn begin(source: Arc<Source>, mark: &Mark, place: Option<&Place>) -> Stream {
        let (seq, key) = match place {
            None => (mark.seq, None),
            Some(place) if source.kind == Kind::Aside => {
                // Ids are not empty, so an empty one is before all rows of the table.
                let id =
                    if place.kind == Kind::Aside { place.key.clone() } else { vec![Value::Blob(vec![])] };
                (mark.seq, Some([vec![Value::Integer(i64::from(place.table))], id].concat()))
            }
            Some(place) => match (source.table, source.kind).cmp(&(place.table, place.kind)) {
                std::cmp::Ordering::Less => (mark.seq, None),
                std::cmp::Ordering::Equal => (mark.seq, Some(place.key.clone())),
                std::cmp::Ordering::Greater => (mark.seq.saturating_sub(1), None),
            },
        };
        Stream { source, seq, key, rows: VecDeque::new(), batch: 1, done: false }
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
