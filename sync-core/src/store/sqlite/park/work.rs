//! The rows that one merge looks at, and how they are found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::refs;
use super::claims::{Claim, claims, is_comparable};
use super::defaults::Defaults;
use super::index;
use super::links::{Link, Links, Target};
use super::row::{LocalKey, Row, RowKey};
use super::table_sql;
use crate::clock::Version;
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
    pub(crate) by_claim: BTreeMap<Claim, BTreeSet<(Option<Version>, RowKey)>>,
    /// The keys all of whose claimants are under work.
    looked_up: BTreeSet<Claim>,
    /// Where rows were put by this work, which the clock tables do not say yet.
    placed: BTreeMap<(u32, LocalKey), RowKey>,
    contested: BTreeMap<u32, bool>,
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
            contested: BTreeMap::new(),
            awaited: BTreeMap::new(),
        })
    }

    /// Forgets all rows, which are stored now.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.by_claim.clear();
        self.looked_up.clear();
        self.placed.clear();
        self.contested.clear();
        self.awaited.clear();
    }

    /// Takes a row in, if it is not there yet.
    pub(crate) fn load(&mut self, engine: &Engine, key: &RowKey) -> Result<&mut Row, StoreError> {
        if !self.rows.contains_key(key) {
            let row = Row::load(engine, key)?;
            match engine.catalog.tables.get(&key.0) {
                Some(table) => self.take(table, key.clone(), row),
                None => drop(self.rows.insert(key.clone(), row)),
            }
        }
        Ok(self.rows.get_mut(key).expect("it was there or was put there"))
    }

    /// Takes a row in as it is.
    pub(crate) fn take(&mut self, table: &Table, key: RowKey, mut row: Row) {
        row.age = row.record.life.born;
        if row.at.is_some() {
            row.offered = self.links.offers(table, &key.1, &row.record, &self.defaults);
        }
        if row.is_claimant() {
            row.claims = claims(table, &key.1, &row.record, &self.defaults);
        }
        for claim in &row.claims {
            self.by_claim.entry(claim.clone()).or_default().insert((row.age, key.clone()));
        }
        self.rows.insert(key, row);
    }

    /// Recomputes what a row claims. Answers what it claimed before, where that differs.
    pub(crate) fn refresh_claims(&mut self, table: Option<&Table>, key: &RowKey) -> Option<Vec<Claim>> {
        let row = self.rows.get_mut(key)?;
        let age = row.record.life.born;
        let now = match table {
            Some(table) if row.is_claimant() => claims(table, &key.1, &row.record, &self.defaults),
            _ => Vec::new(),
        };
        if now == row.claims && age == row.age {
            return None;
        }
        for claim in &row.claims {
            if let Some(set) = self.by_claim.get_mut(claim) {
                set.remove(&(row.age, key.clone()));
            }
        }
        for claim in &now {
            self.by_claim.entry(claim.clone()).or_default().insert((age, key.clone()));
        }
        row.age = age;
        row.reclaimed = true;
        Some(std::mem::replace(&mut row.claims, now))
    }

    /// Takes in every row that claims this key.
    pub(crate) fn load_claimants(&mut self, engine: &Engine, claim: &Claim) -> Result<(), StoreError> {
        if !self.looked_up.insert(claim.clone()) {
            return Ok(());
        }
        let Some(table) = engine.catalog.tables.get(&claim.table) else { return Ok(()) };
        let contested = match self.contested.get(&claim.table) {
            Some(contested) => *contested,
            None => {
                let contested = index::has_claims(engine, claim.table)?;
                self.contested.insert(claim.table, contested);
                contested
            }
        };
        if contested {
            for key in index::claimants(engine, claim)? {
                self.load(engine, &key)?;
            }
        }
        // The values to look for, from any row that claims them.
        let example = self.by_claim.get(claim).and_then(|rows| rows.first()).cloned();
        let Some((_, example)) = example else { return Ok(()) };
        let columns = &table.unique_keys[claim.index].columns;
        let mut values = Vec::with_capacity(columns.len());
        for (position, _) in columns {
            match self.shown_value(engine, table, &example, *position)? {
                Some(value) => values.push(value),
                // A row that it refers to is not shown, so no row with this key is.
                None => return Ok(()),
            }
        }
        self.load_shown_with(engine, claim, &values)
    }

    /// Takes in the shown row that has these values in the columns of a unique key.
    pub(crate) fn load_shown_with(
        &mut self,
        engine: &Engine,
        claim: &Claim,
        values: &[Value],
    ) -> Result<(), StoreError> {
        let Some(table) = engine.catalog.tables.get(&claim.table) else { return Ok(()) };
        let unique = &table.unique_keys[claim.index];
        if !is_comparable(table, unique) {
            return Ok(());
        }
        let columns: Vec<_> = unique
            .columns
            .iter()
            .map(|(position, collation)| (*position, collation_name(collation)))
            .collect();
        for at in table_sql::find(engine, table, &columns, values)? {
            if let Some(key) = self.row_at(engine, table.no, &at)? {
                self.load(engine, &key)?;
            }
        }
        Ok(())
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
        let key = (reference.table, (**id).clone());
        let (Some(row), Some(parent)) = (self.rows.get(&key), engine.catalog.tables.get(&reference.table))
        else {
            return refs::to_local(engine, reference, merged);
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
        self.contested.get(&table_no).copied().unwrap_or(false)
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
        let awaited = match self.awaited.get(&target.table()) {
            Some(awaited) => *awaited,
            None => {
                let awaited = index::has_waiting(engine, target.table())?;
                self.awaited.insert(target.table(), awaited);
                awaited
            }
        };
        let found = if awaited { index::waiting(engine, target)? } else { Vec::new() };
        for key in &found {
            self.load(engine, key)?;
        }
        Ok(found)
    }

    /// Takes in the shown rows that refer to what a row showed when the work began.
    pub(crate) fn load_children(
        &mut self,
        engine: &Engine,
        key: &RowKey,
    ) -> Result<Vec<(RowKey, Link)>, StoreError> {
        let local = self.rows[key].local.clone();
        let links = Arc::clone(&self.links);
        let mut found = Vec::new();
        if local.is_empty() {
            return Ok(found);
        }
        for link in links.to(key.0) {
            let Some(child) = engine.catalog.tables.get(&link.child) else { continue };
            let values: Vec<Value> = link.parent_columns.iter().map(|&at| local[at].clone()).collect();
            if values.contains(&Value::Null) {
                continue;
            }
            let columns: Vec<_> = link.child_columns.iter().map(|&at| (at, None)).collect();
            for at in table_sql::find(engine, child, &columns, &values)? {
                if let Some(child_key) = self.row_at(engine, link.child, &at)? {
                    self.load(engine, &child_key)?;
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

fn collation_name(collation: &super::super::catalog::Collation) -> Option<&str> {
    use super::super::catalog::Collation;
    Some(match collation {
        Collation::Binary => "BINARY",
        Collation::NoCase => "NOCASE",
        Collation::RTrim => "RTRIM",
        Collation::Custom(name) => name,
    })
}

/// Whether two ids may stand for rows of this table, and which kinds of id those are.
pub(crate) fn fits(table: &Table, id: &RowId) -> bool {
    match id {
        RowId::Natural(parts) => {
            !table.is_surrogate() && parts.len() == table.key.len() && !parts.contains(&Value::Null)
        }
        _ => table.is_surrogate() || table.nullable_key,
    }
}
