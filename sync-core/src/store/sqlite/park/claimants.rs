//! Who claims which unique key, among the rows under work and those beside it.

use super::super::catalog::{Collation, Evaluated, Table};
use super::super::engine::Engine;
use super::claims::{Claim, claims, is_comparable, merged};
use super::defaults::Defaults;
use super::evaluate::evaluate;
use super::row::{Age, Row, RowKey};
use super::work::Work;
use super::{index, table_sql};
use crate::id::RowId;
use crate::store::{Record, StoreError};
use crate::value::Value;

impl Work {
    /// What a row claims, and where it stands among those who claim the same.
    pub(super) fn claims(
        &mut self,
        engine: &Engine,
        table: &Table,
        key: &RowKey,
        row: &Row,
    ) -> Result<(Age, Vec<Claim>), StoreError> {
        let born = row.record.life.born;
        if !row.is_claimant() || !table.has_claim_keys() {
            return Ok(((0, born), Vec::new()));
        }
        let rank = self.rank(engine, key, row)?;
        let mut referred = Vec::new();
        for (_, unique) in table.claim_keys() {
            for (position, _) in &unique.columns {
                if let (Some(reference), Some(Value::Ref(id))) =
                    (&table.columns[*position].reference, merged(table, &key.1, &row.record, *position))
                {
                    referred.push((reference.table, (**id).clone()));
                }
            }
        }
        for target in referred {
            self.by_reference.entry(target).or_default().insert(key.clone());
        }
        let strata = &self.strata;
        // Of several columns that lead back to rows of its own kind only one is a line.
        let line = strata.chain(key.0).iter().find(|(position, _)| {
            matches!(merged(table, &key.1, &row.record, *position), Some(Value::Ref(_)))
        });
        let shown_as = |position: usize, id: &RowId| {
            let Some(reference) = &table.columns[position].reference else { return Ok(None) };
            let in_chain = strata.chain(key.0).iter().any(|(at, _)| *at == position);
            if in_chain && (rank.is_none() || line.is_none_or(|(at, _)| *at != position)) {
                return Ok(None);
            }
            Ok(Some(self.shown_as(engine, &(reference.table, id.clone()))?.1))
        };
        let evaluate = |evaluated: &Evaluated| {
            evaluate(engine, table, evaluated, &comparable(table, &key.1, &row.record, &self.defaults))
        };
        let claims = claims(table, &key.1, &row.record, &self.defaults, shown_as, evaluate)?;
        Ok(((rank.unwrap_or(0), born), claims))
    }

    /// Recomputes what a row claims. Answers what it claimed before, where that differs.
    pub(crate) fn refresh_claims(
        &mut self,
        engine: &Engine,
        key: &RowKey,
    ) -> Result<Option<Vec<Claim>>, StoreError> {
        let Some(mut row) = self.rows.remove(key) else { return Ok(None) };
        let found = match engine.catalog.tables.get(&key.0) {
            Some(table) => self.claims(engine, table, key, &row),
            None => Ok(((0, row.record.life.born), Vec::new())),
        };
        let (age, now) = match found {
            Ok(found) => found,
            Err(error) => {
                self.rows.insert(key.clone(), row);
                return Err(error);
            }
        };
        let before = (now != row.claims || age != row.age).then(|| {
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
            std::mem::replace(&mut row.claims, now)
        });
        self.rows.insert(key.clone(), row);
        Ok(before)
    }

    /// Whether a table has rows that lost a key, as stored.
    pub(crate) fn has_claims(&self, engine: &Engine, table_no: u32) -> Result<bool, StoreError> {
        if let Some(&contested) = self.contested.borrow().get(&table_no) {
            return Ok(contested);
        }
        let contested = self.retrying || index::has_claims(engine, table_no)?;
        self.contested.borrow_mut().insert(table_no, contested);
        Ok(contested)
    }

    /// The rows under work that claim a key, the one that has it first.
    pub(crate) fn claimants(&self, claim: &Claim) -> impl Iterator<Item = &RowKey> {
        self.by_claim.get(claim).into_iter().flatten().map(|(_, key)| key)
    }

    /// Takes in every row that claims this key.
    pub(crate) fn load_claimants(&mut self, engine: &Engine, claim: &Claim) -> Result<(), StoreError> {
        let Some(table) = engine.catalog.tables.get(&claim.table) else { return Ok(()) };
        let Some(unique) = table.claim_key(claim.index) else { return Ok(()) };
        if table.is_identity_key(claim.index) && !self.shows_others(engine, table)? {
            // Its id is its key, so that nobody else can have it.
            return Ok(());
        }
        if !self.looked_up.insert(claim.clone()) {
            return Ok(());
        }
        if self.has_claims(engine, claim.table)? {
            for key in index::claimants(engine, claim)? {
                self.load(engine, &key)?;
            }
        }
        // The values to look for, from any row that claims them.
        let example = self.by_claim.get(claim).and_then(|rows| rows.first()).cloned();
        let Some((_, example)) = example else { return Ok(()) };
        let mut values = Vec::with_capacity(unique.columns.len());
        for (position, _) in &unique.columns {
            match self.shown_value(engine, table, &example, *position)? {
                Some(value) => values.push(value),
                // A row that it refers to is not shown, so no row with this key is.
                None => return Ok(()),
            }
        }
        self.load_shown_with(engine, claim, &values)
    }

    /// Whether a row that a table's key refers to may be shown as another one.
    fn shows_others(&self, engine: &Engine, table: &Table) -> Result<bool, StoreError> {
        for &at in &table.key {
            if let Some(reference) = &table.columns[at].reference
                && (self.losers.contains(&reference.table) || self.has_claims(engine, reference.table)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes in the shown row that has these values in the columns of a unique key.
    pub(crate) fn load_shown_with(
        &mut self,
        engine: &Engine,
        claim: &Claim,
        values: &[Value],
    ) -> Result<(), StoreError> {
        let Some(table) = engine.catalog.tables.get(&claim.table) else { return Ok(()) };
        let Some(unique) = table.claim_key(claim.index) else { return Ok(()) };
        if !is_comparable(table, unique) {
            return Ok(());
        }
        let columns: Vec<_> = unique
            .columns
            .iter()
            .map(|(position, collation)| (*position, collation_name(collation)))
            .collect();
        let found = match &unique.evaluated {
            None => table_sql::find(engine, table, &columns, values)?,
            Some(evaluated) => {
                let example = self.claimants(claim).next().and_then(|key| Some((key, self.rows.get(key)?)));
                let Some((key, row)) = example else { return Ok(()) };
                let all = comparable(table, &key.1, &row.record, &self.defaults);
                let Some(parts) = evaluate(engine, table, evaluated, &all)? else { return Ok(()) };
                table_sql::find_evaluated(engine, table, &columns, evaluated, &[values, &parts].concat())?
            }
        };
        for at in found {
            if let Some(key) = self.row_at(engine, table.no, &at)? {
                self.load(engine, &key)?;
            }
        }
        Ok(())
    }
}

/// A row's values for expressions: a reference is some integer, whichever row it is to.
fn comparable(table: &Table, id: &RowId, record: &Record, defaults: &Defaults) -> Vec<Value> {
    let value = |at: usize| match merged(table, id, record, at).or_else(|| defaults.get(table.no, at)) {
        None => Value::Null,
        Some(Value::Ref(_)) => Value::Integer(1),
        Some(Value::Dangling(shown)) => (**shown).clone(),
        Some(plain) => plain.clone(),
    };
    (0..table.columns.len()).map(value).collect()
}

fn collation_name(collation: &Collation) -> Option<&str> {
    Some(match collation {
        Collation::Binary => "BINARY",
        Collation::NoCase => "NOCASE",
        Collation::RTrim => "RTRIM",
        Collation::Custom(name) => name,
    })
}
