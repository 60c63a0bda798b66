//! What an application does to a device's store, and what came of it.
//!
//! There is no schema here: what a UNIQUE index, a CHECK or a foreign key would refuse or do is
//! neither refused nor done. A reference is the tag of the row that it points at, as text.

use std::collections::BTreeMap;

use pocketsync_core::id::RowId;
use pocketsync_core::store::Transaction as Store;
use pocketsync_core::value::Value;

use super::draw::Draw;
use crate::history::{CellChange, Did, Effect};
use crate::shape::{Key, Role, RowTag, Shape, TableShape, key_part, stamped};
use crate::story::{Act, Transaction, Write};

/// The column by whose value rows are known; `None` where the key says it, or nothing does.
pub(super) fn tag_column(table: &TableShape) -> Option<&str> {
    let tag = table.columns.iter().find(|column| column.role == Role::Tag);
    tag.map(|column| column.name.as_str()).filter(|_| matches!(table.key, Key::Surrogate { .. }))
}

/// The name of a row: its key, or its tag.
pub(super) fn name_of(id: &RowId, tag: Option<&Value>) -> String {
    match (id, tag) {
        (RowId::Natural(key), _) => key.iter().map(shown).collect::<Vec<_>>().join("|"),
        (_, Some(tag)) => shown(tag),
        (id, None) => id.to_string(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => other.to_string(),
    }
}

/// The cells of a row in the order of the table's columns, key and all.
pub(super) fn cells_of(table: &TableShape, id: &RowId, mut cell: impl FnMut(usize) -> Value) -> Vec<Value> {
    let key: &[usize] = match &table.key {
        Key::Natural { columns } => columns,
        Key::Surrogate { .. } => &[],
    };
    let mut value = |index: usize| match (id, key.iter().position(|column| *column == index)) {
        (RowId::Natural(values), Some(part)) => values.get(part).cloned().unwrap_or(Value::Null),
        _ if table.columns[index].role == Role::RowKey => Value::Null,
        _ => cell(index),
    };
    (0..table.columns.len()).map(&mut value).collect()
}

/// Runs a transaction, and says how the visible rows differ after it.
pub(super) fn run(shape: &Shape, store: &mut Store<'_>, transaction: &Transaction) -> Vec<Effect> {
    let mut writer = Writer { shape, store, touched: BTreeMap::new() };
    for write in &transaction.writes {
        // What cannot be done is an error that the application passes over.
        let _done = writer.write(write);
    }
    writer.effects()
}

/// What became of a row in a transaction.
struct Touched {
    id: RowId,
    before: Option<Vec<Value>>,
    /// It was deleted on the way, whether or not it is there in the end.
    deleted: bool,
}

struct Writer<'a, 's> {
    shape: &'a Shape,
    store: &'a mut Store<'s>,
    touched: BTreeMap<RowTag, Touched>,
}

impl Writer<'_, '_> {
    /// Does one statement; `None` if there is nothing that it could do.
    fn write(&mut self, write: &Write) -> Option<()> {
        let shape = self.shape;
        let table = shape.tables.get(write.table)?;
        if matches!(table.key, Key::Surrogate { .. }) && tag_column(table).is_none() {
            return None;
        }
        let mut draw = Draw::of(write.entropy);
        let picked = match write.act {
            Act::Insert => None,
            _ => self.pick(write.table, write.pick),
        };
        match (write.act, picked) {
            (Act::Insert, _) | (_, None) => self.insert(write, table, &mut draw, write.act == Act::Replace),
            (Act::Upsert, _) => {
                let done = self.insert(write, table, &mut draw, false);
                done.or_else(|| self.overwrite(write, table, &mut Draw::of(write.entropy)))
            }
            (Act::Replace, Some((name, id))) => {
                if matches!(table.key, Key::Surrogate { .. }) {
                    // The new row takes the integer of the old one.
                    self.delete(write.table, table, name, &id);
                }
                self.insert(write, table, &mut draw, true)
            }
            (Act::Update(columns), Some((name, id))) => {
                self.update(write, table, columns, name, &id, &mut draw)
            }
            (Act::Delete, Some((name, id))) => {
                self.delete(write.table, table, name, &id);
                Some(())
            }
            (Act::Rekey, Some((name, id))) => self.rekey(write, table, name, &id, &mut draw),
        }
    }

    fn insert(&mut self, write: &Write, table: &TableShape, draw: &mut Draw, replace: bool) -> Option<()> {
        let mut values = Vec::with_capacity(table.columns.len());
        for index in 0..table.columns.len() {
            values.push(self.value(write, table, index, draw)?);
        }
        match &table.key {
            Key::Surrogate { .. } => {
                let id = self.store.insert(&table.name, &named(table, &values, &[]));
                let name = name_of(&id, Some(&Value::text(&format!("r{}", write.id.0))));
                self.touch(write.table, name, &id, None);
            }
            Key::Natural { columns } => {
                let key: Box<[Value]> = columns.iter().map(|column| values[*column].clone()).collect();
                let id = RowId::Natural(key.clone());
                let name = name_of(&id, None);
                if replace {
                    self.delete(write.table, table, name.clone(), &id);
                }
                if !self.store.insert_natural(&table.name, key, &named(table, &values, columns)) {
                    return None;
                }
                self.touch(write.table, name, &id, None);
            }
        }
        Some(())
    }

    /// The other half of an upsert, where there is such a key.
    fn overwrite(&mut self, write: &Write, table: &TableShape, draw: &mut Draw) -> Option<()> {
        let Key::Natural { columns } = &table.key else { return None };
        let mut key = Vec::with_capacity(columns.len());
        for column in columns {
            key.push(self.value(write, table, *column, draw)?);
        }
        let id = RowId::Natural(key.into());
        self.store.is_alive(&table.name, &id).then_some(())?;
        self.update(write, table, u8::MAX, name_of(&id, None), &id, draw)
    }

    fn update(
        &mut self,
        write: &Write,
        table: &TableShape,
        columns: u8,
        name: String,
        id: &RowId,
        draw: &mut Draw,
    ) -> Option<()> {
        let mut free = changeable(table);
        let mut values = Vec::new();
        for _ in 0..columns {
            if free.is_empty() {
                break;
            }
            let index = free.swap_remove(draw.below(free.len() as u64) as usize);
            values.push((table.columns[index].name.as_str(), self.value(write, table, index, draw)?));
        }
        let before = self.cells(table, id);
        self.touch(write.table, name, id, before);
        self.store.update(&table.name, id, &values);
        Some(())
    }

    fn delete(&mut self, number: usize, table: &TableShape, name: String, id: &RowId) {
        let before = self.cells(table, id);
        if before.is_some() {
            self.touch(number, name, id, before).deleted = true;
            self.store.delete(&table.name, id);
        }
    }

    /// Moves a row of a natural key to another key, unless that is taken. An integer that only this
    /// device knows is nobody's business: there is none here.
    fn rekey(
        &mut self,
        write: &Write,
        table: &TableShape,
        name: String,
        id: &RowId,
        draw: &mut Draw,
    ) -> Option<()> {
        let Key::Natural { columns } = &table.key else { return None };
        let mut key = Vec::with_capacity(columns.len());
        for column in columns {
            key.push(self.value(write, table, *column, draw)?);
        }
        let key: Box<[Value]> = key.into();
        let new = RowId::Natural(key.clone());
        if self.store.is_alive(&table.name, &new) {
            return None;
        }
        let values = self.cells(table, id)?;
        self.delete(write.table, table, name, id);
        self.store.insert_natural(&table.name, key, &named(table, &values, columns));
        self.touch(write.table, name_of(&new, None), &new, None);
        Some(())
    }

    /// What a write puts into a column; `None` if nothing fits.
    fn value(&mut self, write: &Write, table: &TableShape, index: usize, draw: &mut Draw) -> Option<Value> {
        let column = &table.columns[index];
        Some(match &column.role {
            Role::RowKey | Role::Absent => Value::Null,
            Role::Tag => Value::text(&format!("r{}", write.id.0)),
            Role::KeyPart { pool } => key_part(draw.below(u64::from(*pool)) as u32),
            Role::Free(kind) | Role::Merges { kind, .. } => {
                stamped(*kind, write.id, write.value_bytes as usize)
            }
            Role::Pool(values) => {
                values.get(draw.below(values.len() as u64) as usize).cloned().unwrap_or(Value::Null)
            }
            Role::Reference { table, .. } => {
                let part = (draw.next() >> 11) as f64 / (1u64 << 53) as f64;
                match self.pick(*table, part) {
                    Some((name, _)) => Value::text(&name),
                    None if column.nullable => Value::Null,
                    None => return None,
                }
            }
        })
    }

    /// The row at this fraction of the visible rows of a table, in the order of their names.
    fn pick(&mut self, number: usize, part: f64) -> Option<(String, RowId)> {
        let table = self.shape.tables.get(number)?;
        let tag = tag_column(table);
        let mut rows = Vec::new();
        self.store.visit(&table.name, tag.as_slice(), |id, cells| {
            rows.push((name_of(&id, cells.first()), id));
        });
        let index = ((part * rows.len() as f64) as usize).min(rows.len().checked_sub(1)?);
        let (_, picked, _) = rows.select_nth_unstable(index);
        Some(picked.clone())
    }

    fn cells(&mut self, table: &TableShape, id: &RowId) -> Option<Vec<Value>> {
        let mut row = self.store.row(&table.name, id)?;
        Some(cells_of(table, id, |index| row.remove(&table.columns[index].name).unwrap_or(Value::Null)))
    }

    fn touch(&mut self, table: usize, name: String, id: &RowId, before: Option<Vec<Value>>) -> &mut Touched {
        let tag = RowTag { table, name };
        let touched = self.touched.entry(tag).or_insert(Touched { id: id.clone(), before, deleted: false });
        touched.id = id.clone();
        touched
    }

    fn effects(mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (row, Touched { id, before, deleted }) in std::mem::take(&mut self.touched) {
            let after = self.cells(&self.shape.tables[row.table], &id);
            let mut did = |did| effects.push(Effect { row: row.clone(), did });
            match (before, after) {
                (None, None) => {}
                (None, Some(cells)) => did(Did::Inserted { cells }),
                (Some(cells), None) => did(Did::Deleted { cells }),
                (Some(before), Some(after)) if deleted => {
                    did(Did::Deleted { cells: before });
                    did(Did::Inserted { cells: after });
                }
                (Some(before), Some(after)) => {
                    let pairs = before.into_iter().zip(after).enumerate();
                    let changed = pairs.filter(|(_, (before, after))| before != after);
                    let cells: Vec<CellChange> = changed
                        .map(|(column, (before, after))| CellChange { column, before, after })
                        .collect();
                    if !cells.is_empty() {
                        did(Did::Updated { cells });
                    }
                }
            }
        }
        effects
    }
}

/// The columns that an update may write.
fn changeable(table: &TableShape) -> Vec<usize> {
    let key: &[usize] = match &table.key {
        Key::Natural { columns } => columns,
        Key::Surrogate { .. } => &[],
    };
    let of_its_own = |role: &Role| {
        matches!(role, Role::Free(_) | Role::Merges { .. } | Role::Pool(_) | Role::Reference { .. })
    };
    (0..table.columns.len())
        .filter(|index| of_its_own(&table.columns[*index].role) && !key.contains(index))
        .collect()
}

/// The values with their column names, without the key.
fn named<'t>(table: &'t TableShape, values: &[Value], key: &[usize]) -> Vec<(&'t str, Value)> {
    let columns = table.columns.iter().zip(values).enumerate();
    columns
        .filter(|(index, (column, _))| column.role != Role::RowKey && !key.contains(index))
        .map(|(_, (column, value))| (column.name.as_str(), value.clone()))
        .collect()
}
