//! What a table shows, by global identity.

use std::collections::BTreeMap;

use crate::id::RowId;
use crate::store::StoreError;
use crate::store::sqlite::catalog::Table;
use crate::store::sqlite::engine::Engine;
use crate::store::sqlite::refs::{self, null_key, value};
use crate::store::sqlite::system::quote;
use crate::value::Value;

/// The rows of a table.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The columns that are compared, by name, each with its place in [`Shown::values`].
    pub(super) columns: BTreeMap<String, usize>,
    /// By identity.
    pub(super) rows: BTreeMap<RowId, Shown>,
}

/// A row.
#[derive(Debug)]
pub(super) struct Shown {
    /// Its primary key here.
    pub(super) key: Vec<Value>,
    /// Its values, references as the rows that they mean.
    pub(super) values: Vec<Value>,
}

impl Rows {
    /// Reads a table. The integer key that a replica chose is no value.
    pub(super) fn read(engine: &Engine, table: &Table) -> Result<Rows, StoreError> {
        let compared: Vec<usize> =
            (0..table.columns.len()).filter(|&at| table.integer_key() != Some(at)).collect();
        let columns = compared.iter().enumerate().map(|(place, &at)| (table.columns[at].name.clone(), place));
        let mut found = Rows { columns: columns.collect(), rows: BTreeMap::new() };
        let mut selected: Vec<String> = table.columns.iter().map(|column| quote(&column.name)).collect();
        if table.nullable_key {
            selected.push(table.rowid.unwrap_or("rowid").to_owned());
        }
        let sql = format!("SELECT {} FROM main.{}", selected.join(", "), quote(&table.name));
        let mut statement = engine.conn.prepare(&sql)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let shown = |at: usize| Ok::<_, rusqlite::Error>(value(row.get_ref(at)?));
            let key: Vec<Value> = table.key.iter().map(|&at| shown(at)).collect::<Result<_, _>>()?;
            let id = if table.nullable_key && key.contains(&Value::Null) {
                refs::row_id(engine, table.no, &null_key(row.get(table.columns.len())?))?
            } else {
                refs::row_id(engine, table.no, &key)?
            };
            // Every row has a clock once the journal is folded, unless it was written unseen; then
            // its key is all that is known of it.
            let id = id.unwrap_or_else(|| RowId::Natural(key.clone().into()));
            let mut values = Vec::with_capacity(compared.len());
            for &at in &compared {
                values.push(match &table.columns[at].reference {
                    Some(reference) => refs::to_global(engine, reference, &shown(at)?)?,
                    None => shown(at)?,
                });
            }
            found.rows.insert(id, Shown { key, values });
        }
        Ok(found)
    }
}
