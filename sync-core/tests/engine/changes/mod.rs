//! Changesets written by hand, and a peer that sends them.

use std::sync::Arc;

use pocketsync_core::change::{CellChange, Changeset, RowChange, TableChanges};
use pocketsync_core::clock::{Hlc, Version};
use pocketsync_core::id::{RowId, SiteId};
use pocketsync_core::lineage::{Cursor, Incarnation, Lineage, Stamp};
use pocketsync_core::merge::Life;
use pocketsync_core::store::sqlite::apply;
use pocketsync_core::store::{Chunk, ChunkOutcome, Committed};
use pocketsync_core::value::Value;

use crate::device::Device;

pub(crate) fn site(n: u8) -> SiteId {
    SiteId::from_bytes([n; 16])
}

/// The version that site `n` gives at `ms`.
pub(crate) fn at(ms: u64, n: u8) -> Version {
    Version::new(Hlc::from_ms(ms), site(n))
}

pub(crate) fn surrogate(n: u8, counter: u64) -> RowId {
    RowId::Surrogate { site: site(n), counter }
}

pub(crate) fn natural(parts: impl IntoIterator<Item = Value>) -> RowId {
    RowId::Natural(parts.into_iter().collect())
}

pub(crate) fn text(text: &str) -> Value {
    Value::text(text)
}

pub(crate) fn int(integer: i64) -> Value {
    Value::Integer(integer)
}

pub(crate) fn to(id: &RowId) -> Value {
    Value::Ref(Box::new(id.clone()))
}

/// Every order of `n` things; of more than four every seventh, since some will do.
pub(crate) fn orders(n: usize) -> impl Iterator<Item = Vec<usize>> {
    let mut orders = vec![vec![]];
    for n in 0..n {
        orders = orders
            .iter()
            .flat_map(|order: &Vec<usize>| {
                (0..=order.len()).map(move |at| [&order[..at], &[n], &order[at..]].concat())
            })
            .collect();
    }
    orders.into_iter().step_by(if n > 4 { 7 } else { 1 })
}

/// One row's change, by names.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    table: String,
    id: RowId,
    life: Life,
    cells: Vec<(String, Version, Value)>,
}

pub(crate) fn change(table: &str, id: &RowId) -> Change {
    Change { table: table.to_owned(), id: id.clone(), life: Life::default(), cells: Vec::new() }
}

/// A row that was inserted whole.
pub(crate) fn insert(table: &str, id: &RowId, version: Version, cells: &[(&str, Value)]) -> Change {
    let mut change = change(table, id).born(version);
    for (column, value) in cells {
        change = change.set(column, version, value.clone());
    }
    change
}

impl Change {
    pub(crate) fn born(mut self, version: Version) -> Self {
        self.life.born = Some(version);
        self
    }

    pub(crate) fn died(mut self, version: Version) -> Self {
        self.life.died = Some(version);
        self
    }

    pub(crate) fn with_life(mut self, life: Life) -> Self {
        self.life = life;
        self
    }

    pub(crate) fn set(mut self, column: &str, version: Version, value: Value) -> Self {
        self.cells.push((column.to_owned(), version, value));
        self
    }
}

pub(crate) fn changeset(changes: &[Change]) -> Changeset {
    let mut tables: Vec<TableChanges> = Vec::new();
    for change in changes {
        let at = tables.iter().position(|table| table.name == change.table).unwrap_or_else(|| {
            tables.push(TableChanges { name: change.table.clone(), columns: Vec::new(), rows: Vec::new() });
            tables.len() - 1
        });
        let table = &mut tables[at];
        let mut cells = Vec::new();
        for (name, version, value) in &change.cells {
            let column = table.columns.iter().position(|column| column == name).unwrap_or_else(|| {
                table.columns.push(name.clone());
                table.columns.len() - 1
            });
            cells.push(CellChange { column: column as u32, version: *version, value: value.clone() });
        }
        cells.sort_by_key(|cell| cell.column);
        table.rows.push(RowChange { id: change.id.clone(), life: change.life, cells });
    }
    Changeset { tables }
}

/// Somebody whose log a device reads.
pub(crate) struct Peer {
    pub(crate) site: SiteId,
    pub(crate) seq: u64,
    pub(crate) lineage: Arc<Lineage>,
}

impl Peer {
    pub(crate) fn new(n: u8) -> Self {
        let opened = Incarnation { first_seq: 1, stamp: Stamp(u64::from(n)) };
        Peer { site: site(n), seq: 0, lineage: Arc::new(Lineage::new(vec![opened])) }
    }

    pub(crate) fn cursor(&self) -> Cursor {
        self.lineage.cursor_at(self.seq)
    }

    pub(crate) fn chunk(&mut self, changeset: Changeset, last: bool) -> Chunk {
        let from = self.cursor();
        self.seq += 1;
        let (lineage, to, seen) = (self.lineage.clone(), self.cursor(), Default::default());
        Chunk { peer: self.site, lineage, from, to, last, changeset, seen }
    }

    /// Sends a group, which has to be applied. Answers what it did to the device's log.
    pub(crate) fn send(&mut self, device: &mut Device, changes: &[Change]) -> Option<Committed> {
        let chunk = self.chunk(changeset(changes), true);
        match &apply_chunks(device, vec![chunk])[..] {
            [ChunkOutcome::Applied { held, committed }] => {
                assert_eq!(*held, self.cursor());
                check(device);
                committed.clone()
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn apply_chunks(device: &mut Device, chunks: Vec<Chunk>) -> Vec<ChunkOutcome> {
    device.engine.write(|engine| apply::run(engine, chunks)).unwrap()
}

/// SQLite finds nothing wrong with the file.
pub(crate) fn check(device: &Device) {
    let ok: String = device.app.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(ok, "ok");
}

/// Every reference is to a row.
pub(crate) fn check_references(device: &Device) {
    let broken = device.app.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
    assert!(!broken, "a reference to nothing");
}

/// A query's rows as text, columns separated by `|`.
pub(crate) fn rows(device: &Device, query: &str) -> Vec<String> {
    let mut statement = device.app.prepare(query).unwrap();
    let count = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values = (0..count).map(|n| {
            use pocketsync_core::rusqlite::types::ValueRef;
            Ok(match row.get_ref(n)? {
                ValueRef::Null => "NULL".to_owned(),
                ValueRef::Integer(integer) => integer.to_string(),
                ValueRef::Real(real) => format!("{real:?}"),
                ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                ValueRef::Blob(bytes) => format!("{bytes:?}"),
            })
        });
        Ok(values.collect::<pocketsync_core::rusqlite::Result<Vec<_>>>()?.join("|"))
    });
    rows.unwrap().map(|row| row.unwrap()).collect()
}

/// The parked rows: table and reason.
pub(crate) fn parked(device: &Device) -> Vec<String> {
    rows(device, "SELECT table_name, reason FROM __pocketsync_parked ORDER BY 1, 2, row_id")
}
