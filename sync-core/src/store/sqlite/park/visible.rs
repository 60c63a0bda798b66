//! Which rows are shown: those that have their unique keys and all their parents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::engine::Engine;
use super::super::system::AsideReason;
use super::contest::holder;
use super::links::Target;
use super::row::{Row, RowKey};
use super::work::{Work, fits};
use crate::store::StoreError;

/// Decides the fate of every row under work, and takes in those whose fate follows from theirs.
///
/// Begins with the assumption that every row that may be shown is, and takes back until nothing
/// contradicts: what is left is the largest set of rows that all have their parents in it, so
/// that new rows which refer to each other show each other.
pub(crate) fn decide(engine: &Engine, work: &mut Work) -> Result<(), StoreError> {
    expand(engine, work)?;
    let mut circle = Circle::default();
    for key in work.rows.keys().cloned().collect::<Vec<_>>() {
        circle.add(engine, work, &key)?;
    }
    while let Some(next) = circle.next() {
        match next {
            Next::Lost(key) => {
                for (child, _) in work.load_children(engine, &key)? {
                    if !circle.known.contains(&child) {
                        circle.add(engine, work, &child)?;
                    }
                    circle.check.insert(child);
                }
            }
            Next::Check(key) => {
                if circle.shown.contains(&key)
                    && let Some(missing) = circle.missing(engine, work, &key)?
                {
                    circle.remove(engine, work, &key, missing);
                }
            }
        }
    }
    for key in work.rows.keys().cloned().collect::<Vec<_>>() {
        let fate = fate(engine, work, &circle, &key);
        work.rows.get_mut(&key).expect("listed from there").fate = fate;
    }
    Ok(())
}

/// Takes in the rows that wait for rows which may be shown now, and those that wait for these.
fn expand(engine: &Engine, work: &mut Work) -> Result<(), StoreError> {
    let links = Arc::clone(&work.links);
    // What becomes of those who wait for a row that is dead may be decided now.
    let died = |row: &Row| row.record.life.died.is_some() && !row.record.life.is_alive();
    let dead = work.rows.iter().filter(|(key, row)| died(row) && !links.to(key.0).is_empty());
    let dead: Vec<RowKey> = dead.map(|(key, _)| key.clone()).collect();
    let dead = if work.derive_at.is_some() { dead } else { Vec::new() };
    for key in dead {
        let Some(table) = engine.catalog.tables.get(&key.0) else { continue };
        for target in links.offers(table, &key.1, &work.rows[&key].record, &work.defaults) {
            work.load_waiting(engine, &target)?;
        }
    }
    let mut list: Vec<RowKey> =
        work.rows.iter().filter(|(_, row)| row.wins).map(|(key, _)| key.clone()).collect();
    let mut seen: BTreeSet<RowKey> = list.iter().cloned().collect();
    while let Some(key) = list.pop() {
        let (Some(table), row) = (engine.catalog.tables.get(&key.0), &work.rows[&key]) else { continue };
        if links.to(key.0).is_empty() {
            continue;
        }
        let offers = links.offers(table, &key.1, &row.record, &work.defaults);
        let news: Vec<Target> = if row.at.is_some() && !row.fresh {
            offers.into_iter().filter(|target| !row.offered.contains(target)).collect()
        } else {
            offers
        };
        let mut waiting = if news.is_empty() { Vec::new() } else { work.load_waiting_behind(engine, &key)? };
        for target in news {
            waiting.extend(work.load_waiting(engine, &target)?);
        }
        for waiting in waiting {
            if work.rows[&waiting].wins && seen.insert(waiting.clone()) {
                list.push(waiting);
            }
        }
    }
    Ok(())
}

enum Next {
    /// A row that others referred to is not what it was.
    Lost(RowKey),
    /// A parent of this row may be missing.
    Check(RowKey),
}

#[derive(Default)]
struct Circle {
    known: BTreeSet<RowKey>,
    shown: BTreeSet<RowKey>,
    offers: BTreeMap<Target, BTreeSet<RowKey>>,
    needs: BTreeMap<Target, BTreeSet<RowKey>>,
    lost: Vec<RowKey>,
    check: BTreeSet<RowKey>,
    missing: BTreeMap<RowKey, Target>,
    present: BTreeSet<Target>,
}

impl Circle {
    fn next(&mut self) -> Option<Next> {
        self.lost.pop().map(Next::Lost).or_else(|| self.check.pop_first().map(Next::Check))
    }

    fn add(&mut self, engine: &Engine, work: &Work, key: &RowKey) -> Result<(), StoreError> {
        self.known.insert(key.clone());
        let row = &work.rows[key];
        let table = engine.catalog.tables.get(&key.0);
        if !row.wins {
            if !row.offered.is_empty() {
                self.lost.push(key.clone());
            }
            return Ok(());
        }
        let Some(table) = table else { return Ok(()) };
        self.shown.insert(key.clone());
        if !work.links.to(key.0).is_empty() {
            let offers = work.links.offers(table, &key.1, &row.record, &work.defaults);
            if row.offered.iter().any(|target| !offers.contains(target)) {
                self.lost.push(key.clone());
            }
            for target in offers {
                self.present.remove(&target);
                self.offers.entry(target).or_default().insert(key.clone());
            }
        }
        if !work.links.from(key.0).is_empty() {
            for link in work.links.from(key.0) {
                if let Some(target) = work.need(engine, link, table, &key.1, &row.record)? {
                    self.check.insert(key.clone());
                    self.needs.entry(target).or_default().insert(key.clone());
                }
            }
        }
        Ok(())
    }

    /// The first thing that a row refers to and that is not shown.
    fn missing(&mut self, engine: &Engine, work: &Work, key: &RowKey) -> Result<Option<Target>, StoreError> {
        let table = &engine.catalog.tables[&key.0];
        let row = &work.rows[key];
        for link in work.links.from(key.0) {
            let Some(target) = work.need(engine, link, table, &key.1, &row.record)? else { continue };
            let by_work =
                self.offers.get(&target).is_some_and(|rows| rows.iter().any(|row| self.shown.contains(row)));
            if by_work || self.present.contains(&target) {
                continue;
            }
            let is_row = matches!(target, Target::Row(..));
            let by_table = if is_row {
                work.is_stored_shown(engine, &target)?
            } else {
                work.is_key_shown(engine, key, link)?
            };
            if !by_table {
                return Ok(Some(target));
            }
            if is_row {
                self.present.insert(target);
            }
        }
        Ok(None)
    }

    fn remove(&mut self, engine: &Engine, work: &Work, key: &RowKey, missing: Target) {
        self.shown.remove(key);
        self.missing.insert(key.clone(), missing);
        let row = &work.rows[key];
        if !row.offered.is_empty() {
            self.lost.push(key.clone());
        }
        if let Some(table) = engine.catalog.tables.get(&key.0) {
            for target in work.links.offers(table, &key.1, &row.record, &work.defaults) {
                self.check.extend(self.needs.get(&target).into_iter().flatten().cloned());
            }
        }
    }
}

fn fate(engine: &Engine, work: &Work, circle: &Circle, key: &RowKey) -> Option<(AsideReason, String)> {
    let row = &work.rows[key];
    let life = &row.record.life;
    if !life.is_alive() {
        let reason = if life.died.is_some() { AsideReason::Deleted } else { AsideReason::Unborn };
        return Some((reason, String::new()));
    }
    let Some(table) = engine.catalog.tables.get(&key.0) else {
        return Some((AsideReason::UnknownTable, String::new()));
    };
    if let Some(refused) = &row.refused {
        return Some(refused.clone());
    }
    debug_assert!(fits(table, &key.1), "a row that does not fit its table was refused before");
    if !row.wins {
        let detail = holder(work, key).map_or_else(String::new, |(claim, holder)| {
            let index = table.claim_key(claim.index).map_or("", |key| &key.index);
            format!("{}: the older row {} has its key in {index}", table.name, holder.1)
        });
        return Some((AsideReason::UniqueClaim, detail));
    }
    if circle.shown.contains(key) {
        return None;
    }
    let detail = circle.missing.get(key).map_or_else(String::new, |target| {
        let parent = engine.catalog.tables.get(&target.table()).map_or("", |parent| &parent.name);
        match target {
            Target::Row(_, id) => format!("{}: row {id} of {parent} is not shown", table.name),
            Target::Key(..) => format!("{}: the row of {parent} that it refers to is not shown", table.name),
        }
    });
    Some((AsideReason::MissingParent, detail))
}
