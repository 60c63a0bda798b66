//! References to a row that lost its unique key show the row that has it: when two replicas each
//! make the tag 'work', there is one tag, and no note loses it.
//!
//! What a row is shown as: itself, or the winner of the first of its keys that it lost. Merged values
//! stay what they are, beside what is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::refs;
use super::super::system::AsideReason;
use super::claims::merged;
use super::index;
use super::links::{Link, Target};
use super::row::{Row, RowKey};
use super::work::Work;
use crate::id::RowId;
use crate::store::{Record, StoreError};
use crate::value::Value;

impl Work {
    /// The row that is shown where a row is referred to: itself, unless another one has its
    /// unique key.
    pub(crate) fn shown_as(&self, engine: &Engine, key: &RowKey) -> Result<RowKey, StoreError> {
        if let Some(row) = self.rows.get(key) {
            // As it was decided last, whatever has been merged into it since.
            return Ok(match &row.holder {
                Some(holder) if !row.wins => holder.clone(),
                _ => key.clone(),
            });
        }
        let may_lose = engine.catalog.tables.get(&key.0).is_some_and(Table::has_claim_keys);
        if !may_lose || !self.has_claims(engine, key.0)? {
            return Ok(key.clone());
        }
        let winner = refs::winner(engine, key.0, &key.1)?;
        Ok(winner.map_or_else(|| key.clone(), |winner| (key.0, winner)))
    }

    /// What a row needs to be shown, through one link.
    pub(crate) fn need(
        &self,
        engine: &Engine,
        link: &Link,
        table: &Table,
        id: &RowId,
        record: &Record,
    ) -> Result<Option<Target>, StoreError> {
        Ok(match link.need(table, id, record, &self.defaults) {
            Some(Target::Row(parent, id)) => {
                let (table, id) = self.shown_as(engine, &(parent, id))?;
                Some(Target::Row(table, id))
            }
            other => other,
        })
    }

    /// Takes in the rows that refer to a row by its id, whatever they show there. Answers them, and
    /// which of them were not under work before.
    pub(super) fn load_referring(
        &mut self,
        engine: &Engine,
        key: &RowKey,
    ) -> Result<BTreeMap<RowKey, bool>, StoreError> {
        let mut found = BTreeMap::new();
        if !self.links.to(key.0).iter().any(|link| link.by_row) {
            return Ok(found);
        }
        let mut referring: BTreeSet<RowKey> = self.by_reference.get(key).cloned().unwrap_or_default();
        referring.extend(self.find_children(engine, key)?.into_iter().map(|(child, _)| child));
        referring.extend(self.find_waiting(engine, &Target::Row(key.0, key.1.clone()))?);
        for other in referring {
            let is_new = !self.rows.contains_key(&other);
            self.load(engine, &other)?;
            found.insert(other, is_new);
        }
        Ok(found)
    }

    /// Takes in the rows that wait for rows which lost their keys to this one.
    pub(crate) fn load_waiting_behind(
        &mut self,
        engine: &Engine,
        key: &RowKey,
    ) -> Result<Vec<RowKey>, StoreError> {
        let mut found = Vec::new();
        if !self.links.to(key.0).iter().any(|link| link.by_row) || !self.has_claims(engine, key.0)? {
            return Ok(found);
        }
        for claim in self.rows[key].claims.clone() {
            self.load_claimants(engine, &claim)?;
            let behind: Vec<RowKey> = self.claimants(&claim).filter(|other| *other != key).cloned().collect();
            for loser in behind {
                if self.shown_as(engine, &loser)? == *key {
                    found.extend(self.load_waiting(engine, &Target::Row(loser.0, loser.1.clone()))?);
                }
            }
        }
        Ok(found)
    }

    /// How far down a line of rows whose keys refer to each other a row stands; `None`: it is on a
    /// circle, and what it refers to is compared as it was merged. Rows nearer to the beginning of
    /// the line are decided about first.
    pub(crate) fn rank(
        &mut self,
        engine: &Engine,
        key: &RowKey,
        row: &Row,
    ) -> Result<Option<u32>, StoreError> {
        let strata = Arc::clone(&self.strata);
        if strata.chain(key.0).is_empty() {
            return Ok(Some(0));
        }
        let mut line = vec![key.clone()];
        let mut seen = BTreeSet::from([key.clone()]);
        let mut next = self.next_in_line(engine, key, &row.record);
        while let Some(at) = next {
            if !seen.insert(at.clone()) {
                let begin = line.iter().position(|passed| *passed == at).unwrap_or_default();
                return Ok((begin > 0).then_some(begin as u32));
            }
            next = match self.rows.get(&at) {
                Some(row) => self.next_in_line(engine, &at, &row.record),
                None => {
                    let row = Row::load(engine, &at)?;
                    self.next_in_line(engine, &at, &row.record)
                }
            };
            line.push(at);
        }
        Ok(Some(line.len() as u32 - 1))
    }

    fn next_in_line(&self, engine: &Engine, key: &RowKey, record: &Record) -> Option<RowKey> {
        let table = engine.catalog.tables.get(&key.0).filter(|_| record.life.is_alive())?;
        self.strata.chain(key.0).iter().find_map(|&(position, parent)| {
            match merged(table, &key.1, record, position)? {
                Value::Ref(id) => Some((parent, (**id).clone())),
                _ => None,
            }
        })
    }

    /// Where rows stand in line may have changed with what one of them refers to: takes in all that
    /// are in a contest, to be decided about anew.
    pub(crate) fn rerank(
        &mut self,
        engine: &Engine,
        changed: &BTreeSet<RowKey>,
    ) -> Result<Vec<RowKey>, StoreError> {
        let strata = Arc::clone(&self.strata);
        let mut again = Vec::new();
        if !changed.iter().any(|key| !strata.chain(key.0).is_empty()) {
            return Ok(again);
        }
        for table in strata.recursive() {
            for key in index::all_claimants(engine, table)? {
                self.load(engine, &key)?;
            }
            again.extend(self.rows.keys().filter(|key| key.0 == table).cloned());
        }
        Ok(again)
    }
}

/// Where what a reference shows is another row than before, it has to be written again.
pub(crate) fn mark(engine: &Engine, work: &mut Work) -> Result<(), StoreError> {
    let links = Arc::clone(&work.links);
    let mut marked: Vec<(RowKey, u32)> = Vec::new();
    for (key, row) in &work.rows {
        let Some(table) = engine.catalog.tables.get(&key.0) else { continue };
        if row.at.is_none() || row.fate.is_some() {
            continue;
        }
        for link in links.from(key.0).iter().filter(|link| link.by_row) {
            let position = link.child_columns[0];
            let column = table.columns[position].no;
            let Some(Value::Ref(id)) = merged(table, &key.1, &row.record, position) else { continue };
            let target = (link.parent, (**id).clone());
            let other = work.shown_as(engine, &target)?;
            if let Some(shown) = row.shows.get(&position) {
                // Written already, before a refusal changed who is shown.
                if *shown != other.1 {
                    marked.push((key.clone(), column));
                }
                continue;
            }
            let was_other = matches!(row.shadows.get(&column), Some(Value::Ref(_)))
                || row.aliased && table.key.contains(&position);
            let moved = work.rows.get(&target).is_some_and(|row| row.stored_holder != row.holder);
            if (other != target) != was_other || was_other && moved {
                marked.push((key.clone(), column));
            }
        }
    }
    for (key, column) in marked {
        work.rows.get_mut(&key).expect("listed from there").columns.insert(column);
    }
    Ok(())
}

/// Which rows the references among the columns that were written show.
pub(crate) fn shown_rows(
    engine: &Engine,
    work: &Work,
    key: &RowKey,
    positions: &[usize],
) -> Result<Vec<(usize, RowId)>, StoreError> {
    let (table, row) = (&engine.catalog.tables[&key.0], &work.rows[key]);
    let mut shows = Vec::new();
    for &position in positions {
        let merged = merged(table, &key.1, &row.record, position);
        if let (Some(Value::Ref(id)), Some(reference)) = (merged, &table.columns[position].reference) {
            shows.push((position, work.shown_as(engine, &(reference.table, (**id).clone()))?.1));
        }
    }
    Ok(shows)
}

/// The rows that a row refers to and that it, or its claims, cannot do without hearing of.
pub(crate) fn awaited(engine: &Engine, work: &Work, key: &RowKey) -> Result<Vec<Target>, StoreError> {
    let (Some(table), row) = (engine.catalog.tables.get(&key.0), &work.rows[key]) else {
        return Ok(Vec::new());
    };
    let mut targets = Vec::new();
    for link in work.links.from(key.0) {
        let Some(target) = link.need(table, &key.1, &row.record, &work.defaults) else { continue };
        let wanted = match row.fate {
            Some((AsideReason::MissingParent | AsideReason::Refused, _)) => true,
            Some((AsideReason::UniqueClaim, _)) => in_a_key(table, link),
            Some(_) => false,
            None => match &target {
                Target::Row(table, id) => {
                    let target = (*table, id.clone());
                    work.shown_as(engine, &target)? != target
                }
                Target::Key(..) => false,
            },
        };
        if wanted {
            targets.push(target);
        }
    }
    Ok(targets)
}

fn in_a_key(table: &Table, link: &Link) -> bool {
    let mut columns = table.claim_keys().flat_map(|(_, key)| &key.columns);
    link.by_row && columns.any(|(position, _)| link.child_columns.contains(position))
}
