//! The rows that one merge looks at, and how they are found.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::affinity::keeps;
use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::merging;
use super::super::refs;
use super::claims::Claim;
use super::defaults::Defaults;
use super::index;
use super::links::{Link, Links, Target};
use super::row::{Age, LocalKey, Row, RowKey};
use super::strata::Strata;
use super::table_sql;
use crate::id::RowId;
use crate::store::StoreError;
use crate::value::Value;

/// The rows under work.
#[derive(Debug)]
pub(crate) struct Work {
    /// By table and id.
    pub(crate) rows: BTreeMap<RowKey, Row>,
    /// Which columns refer to which.
    pub(crate) links: Arc<Links>,
    /// What columns hold that were never written.
    pub(crate) defaults: Arc<Defaults>,
    /// The rows under work that claim a key, oldest first.
    pub(crate) by_claim: BTreeMap<Claim, BTreeSet<(Age, RowKey)>>,
    /// In which order contests are decided.
    pub(super) strata: Arc<Strata>,
    /// The rows under work whose claims contain a reference to a row; some do not any more.
    pub(super) by_reference: BTreeMap<RowKey, BTreeSet<RowKey>>,
    /// Whether who has which key is being found out anew, so that what is stored of it is not all.
    pub(crate) retrying: bool,
    /// The log number for what follows from the rest; `None`: nothing is to be concluded now.
    pub(crate) derive_at: Option<u64>,
    /// Whether anything was.
    pub(crate) derived: bool,
    /// The rows that missed a parent while nothing was to be concluded.
    pub(crate) undecided: BTreeSet<RowKey>,
    /// The tables that have rows under work which lost a key.
    pub(super) losers: BTreeSet<u32>,
    /// The keys all of whose claimants are under work.
    pub(super) looked_up: BTreeSet<Claim>,
    /// Where rows were put by this work, which the clock tables do not say yet.
    placed: BTreeMap<(u32, LocalKey), RowKey>,
    pub(super) contested: RefCell<BTreeMap<u32, bool>>,
    awaited: BTreeMap<u32, bool>,
}

impl Work {
    /// No rows yet.
    pub(crate) fn new(engine: &Engine) -> Result<Self, StoreError> {
        Ok(Work {
            rows: BTreeMap::new(),
            links: Arc::new(Links::new(&engine.catalog)),
            defaults: Arc::new(Defaults::new(&engine.conn, &engine.catalog)?),
            by_claim: BTreeMap::new(),
            looked_up: BTreeSet::new(),
            placed: BTreeMap::new(),
            strata: Arc::new(Strata::new(&engine.catalog)),
            by_reference: BTreeMap::new(),
            retrying: false,
            derive_at: None,
            undecided: BTreeSet::new(),
            derived: false,
            losers: BTreeSet::new(),
            contested: RefCell::default(),
            awaited: BTreeMap::new(),
        })
    }

    /// Forgets all rows, which are stored now.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.by_claim.clear();
        self.looked_up.clear();
        self.placed.clear();
        self.by_reference.clear();
        self.losers.clear();
        self.contested.get_mut().clear();
        self.awaited.clear();
    }

    /// Takes a row in, if it is not there yet.
    pub(crate) fn load(&mut self, engine: &Engine, key: &RowKey) -> Result<&mut Row, StoreError> {
        if !self.rows.contains_key(key) {
            let mut row = Row::load(engine, key)?;
            if let Some(table) = engine.catalog.tables.get(&key.0) {
                if row.at.is_some() {
                    row.offered = self.links.offers(table, &key.1, &row.record, &self.defaults);
                }
                (row.age, row.claims) = self.claims(engine, table, key, &row)?;
                for claim in &row.claims {
                    self.by_claim.entry(claim.clone()).or_default().insert((row.age, key.clone()));
                }
            }
            self.rows.insert(key.clone(), row);
        }
        Ok(self.rows.get_mut(key).expect("it was there or was put there"))
    }

    /// What a table shows, or would show, in a column of a row under work. `None` where that is
    /// another row's key, and that row is not shown.
    pub(crate) fn shown_value(
        &self,
        engine: &Engine,
        table: &Table,
        key: &RowKey,
        position: usize,
    ) -> Result<Option<Value>, StoreError> {
        let Some(row) = self.rows.get(key) else { return Ok(None) };
        if let Some(shown) = merging::shown(table, &row.record, table.columns[position].no) {
            return Ok(Some(shown));
        }
        let merged = super::claims::merged(table, &key.1, &row.record, position)
            .or_else(|| self.defaults.get(table.no, position));
        let Some(merged) = merged else { return Ok(Some(Value::Null)) };
        self.local_value(engine, table, position, merged)
    }

    /// The local form of a merged value.
    pub(crate) fn local_value(
        &self,
        engine: &Engine,
        table: &Table,
        position: usize,
        merged: &Value,
    ) -> Result<Option<Value>, StoreError> {
        let (Value::Ref(id), Some(reference)) = (merged, &table.columns[position].reference) else {
            return Ok(match merged {
                Value::Ref(_) => None,
                Value::Dangling(shown) => Some((**shown).clone()),
                plain => Some(plain.clone()),
            });
        };
        let key = self.shown_as(engine, &(reference.table, (**id).clone()))?;
        let (Some(row), Some(parent)) = (self.rows.get(&key), engine.catalog.tables.get(&reference.table))
        else {
            return refs::to_local(engine, reference, &Value::Ref(Box::new(key.1)));
        };
        let column =
            parent.columns.iter().position(|column| column.name.eq_ignore_ascii_case(&reference.column));
        let Some(column) = column else { return Ok(None) };
        if parent.integer_key() == Some(column) {
            let here = row.next.as_ref().or(row.at.as_ref());
            return Ok(here.and_then(|key| key.first()).cloned());
        }
        let value = super::claims::merged(parent, &key.1, &row.record, column);
        match value.or_else(|| self.defaults.get(parent.no, column)) {
            Some(value) => self.local_value(engine, parent, column, value),
            None => Ok(None),
        }
    }

    /// Remembers where a row was put.
    pub(crate) fn place(&mut self, table_no: u32, at: LocalKey, key: &RowKey) {
        self.placed.insert((table_no, at), key.clone());
    }

    /// Forgets where a row was put.
    pub(crate) fn unplace(&mut self, table_no: u32, at: &LocalKey) {
        self.placed.remove(&(table_no, at.clone()));
    }

    /// Whether all who claim this key are under work.
    pub(crate) fn knows_all(&self, claim: &Claim) -> bool {
        self.looked_up.contains(claim)
    }

    /// Whether a stored claim may speak of a row of this table.
    pub(crate) fn is_contested(&self, table_no: u32) -> bool {
        self.contested.borrow().get(&table_no).copied().unwrap_or(false)
    }

    /// The row that a table shows under a local key.
    pub(crate) fn row_at(
        &self,
        engine: &Engine,
        table_no: u32,
        at: &[Value],
    ) -> Result<Option<RowKey>, StoreError> {
        if let Some(key) = self.placed.get(&(table_no, at.into())) {
            return Ok(Some(key.clone()));
        }
        Ok(refs::row_id(engine, table_no, at)?.map(|id| (table_no, id)))
    }

    /// Takes in the rows that wait for a target.
    pub(crate) fn load_waiting(
        &mut self,
        engine: &Engine,
        target: &Target,
    ) -> Result<Vec<RowKey>, StoreError> {
        let found = self.find_waiting(engine, target)?;
        for key in &found {
            self.load(engine, key)?;
        }
        Ok(found)
    }

    /// The rows that wait for a target.
    pub(super) fn find_waiting(
        &mut self,
        engine: &Engine,
        target: &Target,
    ) -> Result<Vec<RowKey>, StoreError> {
        let awaited = match self.awaited.get(&target.table()) {
            Some(awaited) => *awaited,
            None => {
                let awaited = index::has_waiting(engine, target.table())?;
                self.awaited.insert(target.table(), awaited);
                awaited
            }
        };
        if awaited { index::waiting(engine, target) } else { Ok(Vec::new()) }
    }

    /// Takes in the shown rows that refer to what a row showed when the work began.
    pub(crate) fn load_children(
        &mut self,
        engine: &Engine,
        key: &RowKey,
    ) -> Result<Vec<(RowKey, Link)>, StoreError> {
        let found = self.find_children(engine, key)?;
        for (child, _) in &found {
            self.load(engine, child)?;
        }
        Ok(found)
    }

    /// The shown rows that refer to what a row showed when the work began, and through which link.
    pub(super) fn find_children(
        &self,
        engine: &Engine,
        key: &RowKey,
    ) -> Result<Vec<(RowKey, Link)>, StoreError> {
        self.find_children_of(engine, key.0, &self.rows[key].local)
    }

    /// The shown rows that refer to what a row of a table shows, and through which link.
    pub(super) fn find_children_of(
        &self,
        engine: &Engine,
        table_no: u32,
        local: &[Value],
    ) -> Result<Vec<(RowKey, Link)>, StoreError> {
        let mut found = Vec::new();
        if local.is_empty() {
            return Ok(found);
        }
        for link in self.links.to(table_no) {
            let Some(child) = engine.catalog.tables.get(&link.child) else { continue };
            let values: Vec<Value> = link.parent_columns.iter().map(|&at| local[at].clone()).collect();
            if values.contains(&Value::Null) {
                continue;
            }
            for at in table_sql::find_children(engine, child, link, &values)? {
                if let Some(child_key) = self.row_at(engine, link.child, &at)? {
                    found.push((child_key, link.clone()));
                }
            }
        }
        Ok(found)
    }

    /// Whether a target is shown, going by the tables, where no row under work has a say.
    pub(crate) fn is_stored_shown(&self, engine: &Engine, target: &Target) -> Result<bool, StoreError> {
        match target {
            Target::Row(table_no, id) => Ok(!self.rows.contains_key(&(*table_no, id.clone()))
                && refs::local_key(engine, *table_no, id)?.is_some()),
            Target::Key(..) => Ok(false),
        }
    }

    /// Whether a row outside this work shows the values that a row under work refers to through
    /// a link.
    pub(crate) fn is_key_shown(
        &self,
        engine: &Engine,
        key: &RowKey,
        link: &Link,
    ) -> Result<bool, StoreError> {
        let (child, parent) = (&engine.catalog.tables[&link.child], &engine.catalog.tables[&link.parent]);
        let mut values = Vec::with_capacity(link.child_columns.len());
        for &position in &link.child_columns {
            match self.shown_value(engine, child, key, position)? {
                Some(value) => values.push(value),
                None => return Ok(false),
            }
        }
        let columns: Vec<_> = link.parent_columns.iter().map(|&at| (at, None)).collect();
        for at in table_sql::find(engine, parent, &columns, &values)? {
            let found = self.row_at(engine, parent.no, &at)?;
            if found.is_some_and(|found| !self.rows.contains_key(&found)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether an id may stand for a row of this table: it is of the right kind, and the table shows it as
/// it is.
pub(crate) fn fits(table: &Table, id: &RowId) -> bool {
    match id {
        RowId::Natural(parts) => {
            let shows = |(part, &at): (&Value, &usize)| {
                *part != Value::Null && keeps(&table.columns[at].declared_type, part)
            };
            !table.is_surrogate() && parts.len() == table.key.len() && parts.iter().zip(&table.key).all(shows)
        }
        _ => table.is_surrogate() || table.nullable_key,
    }
}
