//! What is to be known of a table before a row of it is written by itself.

use super::super::super::affinity::{Affinity, affinity};
use super::super::super::catalog::Table;
use super::super::super::engine::Engine;
use super::super::super::park::index;
use super::super::super::park::links::Links;
use super::super::super::park::work::fits;
use super::super::super::refs::rows_at_once;
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// A table as far as single rows of it can be written.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) table: Table,
    /// By position, whether nothing but the row itself depends on the column.
    pub(super) free: Vec<bool>,
    /// By position.
    pub(super) affinities: Vec<Affinity>,
    /// Whether other tables, or itself, refer to it.
    pub(super) is_parent: bool,
    /// How many new rows are put in by one statement; `None`: each by its own.
    pub(super) at_once: Option<usize>,
}

/// Whether rows may be concerned that no table shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// Anything at all is kept aside of the table.
    pub(super) aside: bool,
    /// One of the table's unique keys is contested.
    pub(super) claims: bool,
    /// Rows wait for rows of the table.
    pub(super) children: bool,
    /// A shown row is identified by a reference to nothing.
    pub(super) dangling: bool,
}

impl Plan {
    /// `None`: no row of this table is that simple.
    pub(super) fn new(table: &Table, links: &Links) -> Option<Plan> {
        if !table.merges.is_empty()
            || !table.is_surrogate() && table.key.iter().any(|&at| table.columns[at].reference.is_some())
        {
            return None;
        }
        let mut free = vec![true; table.columns.len()];
        let unique = table.claim_keys().flat_map(|(_, key)| key.depends_on());
        let child = links.from(table.no).iter().flat_map(|link| link.child_columns.iter().copied());
        let parent = links.to(table.no).iter().flat_map(|link| link.parent_columns.iter().copied());
        for position in table.key.iter().copied().chain(unique).chain(child).chain(parent) {
            free[position] = false;
        }
        let affinities = table.columns.iter().map(|column| affinity(&column.declared_type)).collect();
        // A row that refers to others, or has an alias, is looked at by itself.
        let alone = !links.from(table.no).is_empty() || table.named_key;
        Some(Plan {
            table: table.clone(),
            free,
            affinities,
            is_parent: !links.to(table.no).is_empty(),
            at_once: if alone { None } else { rows_at_once(table.columns.len()) },
        })
    }

    /// Whether an id stands for a row of this table by itself.
    pub(super) fn names(&self, id: &RowId) -> bool {
        let plain = |part: &Value| !matches!(part, Value::Ref(_) | Value::Dangling(_));
        match id {
            RowId::Natural(parts) => fits(&self.table, id) && parts.iter().all(plain),
            _ => self.table.is_surrogate(),
        }
    }
}

impl Waiting {
    pub(super) fn read(engine: &Engine, table_no: u32) -> Result<Self, StoreError> {
        let exists = |sql: &str| {
            engine.conn.prepare_cached(sql).and_then(|mut statement| statement.exists([table_no]))
        };
        Ok(Waiting {
            aside: exists("SELECT 1 FROM __pocketsync_aside WHERE tbl = ?1 LIMIT 1")?,
            claims: index::has_claims(engine, table_no)?,
            children: index::has_waiting(engine, table_no)?,
            // Whichever table such a row is of, it may mean an integer of this one.
            dangling: exists("SELECT 1 FROM __pocketsync_dangling WHERE ?1 = ?1 LIMIT 1")?,
        })
    }
}
