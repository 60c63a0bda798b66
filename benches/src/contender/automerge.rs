//! Automerge: a document in memory, a map of rows that are maps of cells. There is no SQLite in it, so its
//! writes are no durable ones, and pragmas make no difference.

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ObjType, ROOT, ReadDoc, ScalarValue};
use rusqlite::types::Value;
use sha2::{Digest, Sha256};

use super::sqlite_file::summary;
use super::{Contender, Parcel, Write};
use crate::Result;
use crate::meter::{Lap, measure};
use crate::shape::Shape;

/// Two documents.
pub struct Automerge {
    shape: Shape,
    columns: Vec<String>,
    here: AutoCommit,
    there: AutoCommit,
    changes: Vec<u8>,
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null => ScalarValue::Null,
        Value::Integer(integer) => ScalarValue::Int(*integer),
        Value::Real(real) => ScalarValue::F64(*real),
        Value::Text(text) => ScalarValue::Str(text.as_str().into()),
        Value::Blob(bytes) => ScalarValue::Bytes(bytes.clone()),
    }
}

/// Keys of maps are texts; integers have as many digits each, so that their order is that of numbers.
fn key(value: &Value) -> String {
    match value {
        Value::Integer(integer) => format!("{integer:020}"),
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

impl Automerge {
    /// Two empty documents.
    pub fn new(shape: Shape) -> Automerge {
        let columns = shape.columns().into_iter().map(|(name, _)| name).collect();
        Automerge { shape, columns, here: AutoCommit::new(), there: AutoCommit::new(), changes: Vec::new() }
    }

    /// The same as [`digest`](super::digest) has it for a table of SQLite.
    fn digest(&self, document: &AutoCommit) -> Result<String> {
        let (mut hash, mut count) = (Sha256::new(), 0);
        let text = |hash: &mut Sha256, bytes: &[u8]| {
            hash.update([3]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        let keys: Vec<String> = document.keys(ROOT).collect();
        for name in keys {
            let Some((_, row)) = document.get(ROOT, &name)? else { continue };
            count += 1;
            match self.shape {
                Shape::Text => text(&mut hash, name.as_bytes()),
                _ => {
                    hash.update([1]);
                    hash.update(name.parse::<i64>()?.to_le_bytes());
                }
            }
            for column in &self.columns {
                let cell = document.get(&row, column)?;
                match cell.as_ref().and_then(|(value, _)| value.as_scalar()) {
                    Some(ScalarValue::Int(integer)) => {
                        hash.update([1]);
                        hash.update(integer.to_le_bytes());
                    }
                    Some(ScalarValue::F64(real)) => {
                        hash.update([2]);
                        hash.update(real.to_bits().to_le_bytes());
                    }
                    Some(ScalarValue::Str(value)) => text(&mut hash, value.as_bytes()),
                    _ => hash.update([0]),
                }
            }
        }
        Ok(summary(count, hash))
    }
}

impl Contender for Automerge {
    fn write(&mut self, write: &Write, one_transaction: bool) -> Result<()> {
        match write {
            Write::Insert(rows) => {
                for row in rows {
                    let object = self.here.put_object(ROOT, key(&row[0]), ObjType::Map)?;
                    for (column, value) in self.columns.iter().zip(&row[1..]) {
                        self.here.put(&object, column, scalar(value))?;
                    }
                    if !one_transaction {
                        self.here.commit();
                    }
                }
            }
            Write::Update(width, rows) => {
                let updated = self.shape.updated(*width);
                for row in rows {
                    let (id, cells) = row.split_last().ok_or("an update without a key")?;
                    let Some((_, object)) = self.here.get(ROOT, key(id))? else { continue };
                    for (&at, value) in updated.iter().zip(cells) {
                        self.here.put(&object, &self.columns[at], scalar(value))?;
                    }
                }
            }
            Write::Delete(keys) => {
                for id in keys {
                    self.here.delete(ROOT, key(id))?;
                }
            }
        }
        self.here.commit();
        Ok(())
    }

    fn collect(&mut self) -> Result<Option<Parcel>> {
        let (extract, changes) =
            measure(|| Ok::<_, automerge::AutomergeError>(self.here.save_incremental()))?;
        self.changes = changes;
        let compressed_bytes = lz4_flex::block::compress(&self.changes).len();
        Ok(Some(Parcel { extract, raw_bytes: self.changes.len(), compressed_bytes, ..Parcel::default() }))
    }

    fn deliver(&mut self) -> Result<Lap> {
        let (lap, _) = measure(|| self.there.load_incremental(&self.changes))?;
        Ok(lap)
    }

    fn digests(&mut self) -> Result<(String, Option<String>)> {
        Ok((self.digest(&self.here)?, Some(self.digest(&self.there)?)))
    }

    fn disk_bytes(&mut self) -> Result<Option<u64>> {
        Ok(Some(self.here.save().len() as u64))
    }
}
